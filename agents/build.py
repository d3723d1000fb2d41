"""From configs to who acts: teams, engines, and what makes prompts of observations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from codeduet.agents.config import SeatConfig, TeamConfig
from codeduet.agents.engine import Engine, check_engine, engine_class
from codeduet.agents.policy import Policy
from codeduet.agents.prompts import Formatter, MessageFormatter, PromptFormatter
from codeduet.agents.seats import Engines, Formatters, Row, rows_of, together
from codeduet.agents.team import Team, load_team, load_untrained, load_weightless, trains_whole
from codeduet.envs import ByteTokenizer
from codeduet.envs.roles import Role, as_roles, policies_of


def make_team(config: TeamConfig, roles: Sequence[Role], seed: int) -> Team:
    """Load the team a config describes; ``seed`` is for the adapters' first weights."""
    use_threads(config)

    def load(row: Row) -> Team:
        if engine_class(row.config.engine).weights == "served":
            return load_served(row.config, policies_of(row.roles))
        return load_team(agents=policies_of(row.roles), config=row.config, seed=seed)

    return together(rows_of(config, roles), load, roles)


def load_seats(seats: Mapping[Role, SeatConfig], settings: TeamConfig, seed: int) -> Team:
    """Load a team of roles, each with its seat; ``settings`` are of those that leave them out.

    Raises:
        InputError: the roles make no team, or a model cannot be loaded.
    """
    roles = as_roles(list(seats))
    config = replace(settings, seats={role.name: seat for role, seat in seats.items()})
    team = make_team(config, roles, seed)
    return Team(dict(team), team.identity, team.base, config=config, roles=roles)


def make_untrained(config: TeamConfig, roles: Sequence[Role]) -> Team:
    """Load the team a config describes as it is before any training, at the price of no adapter."""
    use_threads(config)
    rows = rows_of(config, roles)

    def load(row: Row) -> Team:
        team = _untrained(row.config, row.agents)
        if len(rows) == 1 or len(team.policies) > 1:  # those that answer by models of their own are apart already
            return team
        return _named_apart(team, policies_of(row.roles))

    return together(rows, load, roles)


def _untrained(config: TeamConfig, agents: Sequence[str]) -> Team:
    weights = engine_class(config.engine).weights
    if weights == "own":
        return load_weightless(config.model, agents, config)
    if weights == "served":
        return load_served(config, dict.fromkeys(agents, "base"))
    # In the precision the trained rows have: float32 where whole models train.
    exact = config.dtype == "auto" and trains_whole(config.sharing, config.lora_rank)
    dtype = "float32" if exact else config.dtype
    return load_untrained(config.model, agents, replace(config, dtype=dtype))


def _named_apart(team: Team, names: Mapping[str, str]) -> Team:
    """Return a team in which each policy has a name of its own: agent -> name."""
    policies: dict[str, Policy] = {}
    for agent, name in names.items():
        if name not in policies:
            policies[name] = copy.copy(team[agent])
            policies[name].name = name
    return Team({agent: policies[name] for agent, name in names.items()}, team.identity, team.base)


def load_served(config: TeamConfig, names: Mapping[str, str]) -> Team:
    """Return a team that acts by a server's model: of its tokenizer, or of bytes where messages are sent as text.

    Args:
        config: of the team.
        names: agent -> name of its policy.
    """
    agents = list(names)
    if config.api == "completions":
        team = load_weightless(config.tokenizer or config.model, agents, config)
    else:
        team = Team(dict.fromkeys(agents, Policy("base", None, ByteTokenizer(), trainable=False)))
    if config.models or config.base_urls:
        return _named_apart(team, {agent: agent for agent in agents})
    return team if set(names.values()) == {"base"} else _named_apart(team, names)


def make_engine(
    config: TeamConfig,
    team: Team,
    roles: Sequence[Role],
    *,
    answers: Path | None = None,
    say: Callable[[str], None] = print,
) -> Engine:
    """Make the engine a config asks for.

    Args:
        config: of the team.
        team: who plays.
        roles: as which.
        answers: where a server's answers are saved.
        say: gets a line on each kind of trouble with a server.

    Raises:
        InputError: its library is missing, or it cannot generate for such a team.
    """
    kinds = {row.config.engine: engine_class(row.config.engine) for row in rows_of(config, roles)}
    # What generates by the policies' own weights plays all models at once: which row is in which order then does not matter.
    parts: list[list[Row]] = []
    for row in sorted(rows_of(config, roles), key=lambda row: kinds[row.config.engine].weights != "shared"):
        name = row.config.engine
        same = [part for part in parts if part[0].config.engine == name and kinds[name].weights == "shared"]
        if same:
            same[0].append(row)
        else:
            parts.append([row])
    of: dict[str, Engine] = {}
    for part in parts:
        agents = [agent for row in part for agent in row.agents]
        own = team if len(parts) == 1 else Team({agent: team[agent] for agent in agents}, base=team.base)
        engine = kinds[part[0].config.engine].build(part[0].config, own, answers, say)
        check_engine(engine)
        of |= {team[agent].name: engine for agent in agents}
    return engine if len(parts) == 1 else Engines(of)


def use_threads(config: TeamConfig) -> None:
    """Set the CPU threads of this process as a config says."""
    if config.threads:
        torch.set_num_threads(config.threads)


def make_formatter(config: TeamConfig, roles: Sequence[Role], team: Team) -> Formatter:
    """Make the formatter a config asks for: one of each row and tokenizer."""
    made: dict[tuple[int, int], Formatter] = {}
    of: dict[str, Formatter] = {}
    for number, row in enumerate(rows_of(config, roles)):
        for agent in row.agents:
            tokenizer = team[agent].tokenizer
            key = (number, id(tokenizer))
            if key not in made:
                made[key] = _formatter(row.config, config, roles, tokenizer)
            of[agent] = made[key]
    return next(iter(made.values())) if len(made) == 1 else Formatters(of)


def _formatter(own: TeamConfig, config: TeamConfig, roles: Sequence[Role], tokenizer: Any) -> Formatter:
    if own.api == "chat" and engine_class(own.engine).weights == "served":
        return MessageFormatter(tokenizer, roles=roles, prompts=config.words)
    return PromptFormatter(
        tokenizer, own.prompt, roles=roles, prompts=config.words, system=own.system, template=own.template
    )
