"""From configs to who acts: teams, engines, and what makes prompts of observations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from codeduet.agents.config import TeamConfig
from codeduet.agents.engine import Engine
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.prompts import Formatter, MessageFormatter, PromptFormatter
from codeduet.agents.team import Team, load_team, load_untrained, load_weightless, trains_whole
from codeduet.envs import ByteTokenizer
from codeduet.envs.roles import Role, policies_of


def make_team(config: TeamConfig, roles: Sequence[Role], seed: int) -> Team:
    """Load the team a config describes; ``seed`` is for the adapters' first weights."""
    use_threads(config)
    return load_team(
        config.model,
        policies_of(roles),
        config.sharing,
        lora_rank=config.lora_rank,
        lora_alpha=config.lora_alpha,
        device=config.device,
        dtype=config.dtype,
        seed=seed,
        prompt=config.prompt,
        system=config.system,
        template=config.template,
    )


def make_untrained(config: TeamConfig, agents: Sequence[str]) -> Team:
    """Load the team a config describes as it is before any training, at the price of no adapter."""
    use_threads(config)
    prompt, system, template = config.prompt, config.system, config.template
    if config.engine == "vllm":
        return load_weightless(config.model, agents, prompt=prompt, system=system, template=template)
    if config.engine == "openai":
        return load_served(config, agents)
    # In the precision the trained rows have: float32 where whole models train.
    exact = config.dtype == "auto" and trains_whole(config.sharing, config.lora_rank)
    dtype = "float32" if exact else config.dtype
    return load_untrained(
        config.model,
        agents,
        device=config.device,
        dtype=dtype,
        prompt=prompt,
        system=system,
        template=template,
    )


def load_served(config: TeamConfig, agents: Sequence[str]) -> Team:
    """Return a team that acts by a server's model: of its tokenizer, or of bytes where messages are sent as text."""
    if config.api == "completions":
        team = load_weightless(
            config.tokenizer or config.model,
            agents,
            prompt=config.prompt,
            system=config.system,
            template=config.template,
        )
    else:
        team = Team(dict.fromkeys(agents, Policy("base", None, ByteTokenizer(), trainable=False)))
    if not config.models and not config.base_urls:
        return team
    apart = {agent: copy.copy(team[agent]) for agent in agents}
    for agent, policy in apart.items():
        policy.name = agent
    return Team(apart, base=team.base)


def make_engine(
    config: TeamConfig, team: Team, *, answers: Path | None = None, say: Callable[[str], None] = print
) -> Engine:
    """Make the engine a config asks for.

    Args:
        config: of the team.
        team: who plays.
        answers: where a server's answers are saved.
        say: gets a line on each kind of trouble with a server.

    Raises:
        InputError: its library is missing, or it cannot generate for such a team.
    """
    if config.engine == "vllm":
        from codeduet.agents.vllm import VLLMEngine

        return VLLMEngine(
            team,
            config.model,
            context=config.context,
            batch_size=config.batch_size,
            gpu_share=config.gpu_share,
            dtype=config.dtype,
        )
    if config.engine == "openai":
        from codeduet.agents.openai import OpenAIEngine
        from codeduet.agents.served import Calls

        return OpenAIEngine(
            team,
            config.model,
            config.base_url,
            calls=Calls(
                api=config.api,
                timeout_s=config.timeout,
                retries=config.retries,
                at_once=config.batch_size,
                system=config.system,
                template=config.template,
            ),
            served={
                team[agent].name: (config.models.get(agent, ""), config.base_urls.get(agent, "")) for agent in team
            },
            answers=answers,
            say=say,
        )
    return HFEngine(team, config.batch_size)


def use_threads(config: TeamConfig) -> None:
    """Set the CPU threads of this process as a config says."""
    if config.threads:
        torch.set_num_threads(config.threads)


def make_formatter(config: TeamConfig, roles: Sequence[Role], team: Team) -> Formatter:
    """Make the formatter a config asks for."""
    if config.engine == "openai" and config.api == "chat":
        return MessageFormatter(team.tokenizer, roles=roles, prompts=config.words)
    return PromptFormatter(
        team.tokenizer,
        config.prompt,
        roles=roles,
        prompts=config.words,
        system=config.system,
        template=config.template,
    )
