"""What no single setting of a training shows: settings that do not go together, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from codeduet.agents.briefs import check_prompts
from codeduet.agents.config import check_seats, check_served, sampling_of
from codeduet.agents.engine import engine_class
from codeduet.agents.seats import rows_of
from codeduet.agents.tree import Tree
from codeduet.algorithms.algorithm import Algorithm
from codeduet.algorithms.config import TrainConfig
from codeduet.envs import InputError
from codeduet.envs.rewards import Payment
from codeduet.envs.roles import Role, agents_of, check_read
from codeduet.errors import nearest


def is_over(config: TrainConfig, step: int, tokens: int) -> bool:
    """Tell whether a training that has come to ``step`` and ``tokens`` has used up what it may."""
    return step >= config.steps or 0 < config.token_budget <= tokens


def check_training(config: TrainConfig, algorithm: Algorithm) -> None:
    """Check what no single setting shows, before anything is loaded.

    Raises:
        InputError: settings that do not go together.
    """
    for agent in config.frozen:
        if agent not in config.agents:
            raise InputError(f"frozen names no agent: {agent!r}{nearest(agent, config.agents)}")
    check_blank(config.blank, config.roles)
    check_served(config.team, config.agents)
    check_read(config.roles, config.env.max_turns)
    check_prompts(config.team.words, config.roles)
    Payment(config.env.reward, config.agents)
    check_seats(config.team, config.roles)
    if set(config.still) == set(config.agents):
        raise InputError("frozen names every agent, or no seat learns: nothing would learn")
    learning = [row for row in rows_of(config.team, config.roles) if set(row.agents) - set(config.still)]
    for row in learning:
        if engine_class(row.config.engine).weights == "served":
            raise InputError(
                f"team.engine={row.config.engine} is for evaluation: train with hf or vllm, or set learns: false on each seat "
                "that has it"
            )
    tree = algorithm.tree(config.group_size)
    if tree.size != config.group_size:
        raise InputError(f"the algorithm's tree has {tree.size} episodes: set group_size={tree.size}")
    if tree.branch == "cross":
        _check_cross(config, tree)
    if tree.branch == "agents" and config.env.max_turns > 1:
        raise InputError("credit=nested needs env.max_turns=1: a second turn would not be shared")
    if tree.branch == "turns" and len(tree.widths) != config.env.max_turns:
        raise InputError(
            f"credit=turns with widths={list(tree.widths)} needs env.max_turns={len(tree.widths)}, a level a turn"
        )
    if config.optim.warmup_steps >= config.steps:
        raise InputError(
            f"optim.warmup_steps={config.optim.warmup_steps} leaves none of steps={config.steps} at the whole learning rate"
        )
    if config.optim.updates_per_batch > 1 and algorithm.on_policy:
        raise InputError("updates_per_batch > 1 needs a ratio loss: set options.clip (0.2, say)")
    _check_sampling(config, algorithm)


def _check_sampling(config: TrainConfig, algorithm: Algorithm) -> None:
    """Check how those that learn are sampled.

    Raises:
        InputError: so that nothing, or something wrong, would be learnt.
    """
    for agent, sampling in sampling_of(config.team, config.roles, config.sampling).items():
        if agent in config.still:
            continue
        if not algorithm.on_policy and sampling.truncated:
            raise InputError(
                "a ratio loss with top_p < 1 or top_k > 0: the sampler's distribution is not the learner's, "
                f"and such runs collapse; set top_p=1 and top_k=0 (of {agent})"
            )
        if sampling.temperature == 0:
            raise InputError(
                f"sampling.temperature is 0: greedy episodes of a group are all equal and teach nothing ({agent})"
            )


def _check_cross(config: TrainConfig, tree: Tree) -> None:
    """Check that agents whose answers all meet each other do not read each other, and that there is a level for each.

    Raises:
        InputError: they do, or there is not.
    """
    acted: set[str] = set()
    for role in config.roles:
        if read := acted & set(role.reads) or ({role.name} & set(role.reads) if role.count > 1 else set()):
            raise InputError(
                f"credit=cross is for agents that do not read each other in a turn: {role.name} reads {', '.join(sorted(read))}"
            )
        acted.add(role.name)
    levels = len(config.agents) * config.env.max_turns
    if len(tree.widths) != levels:
        raise InputError(f"credit=cross needs {levels} widths, one an agent and turn, not {list(tree.widths)}")


def check_blank(blank: Sequence[str], roles: Sequence[Role]) -> None:
    """Check what is to be emptied.

    Raises:
        InputError: a name that is neither an observation's text nor an agent.
    """
    known = ("prompt", "entry_point", "helper_code", *(role.key for role in roles), "previous_code", "feedback")
    for name in blank:
        if name not in (*known, *agents_of(roles)):
            raise InputError(
                f"blank names no observation text and no agent: {name!r}{nearest(name, (*known, *agents_of(roles)))}"
            )
