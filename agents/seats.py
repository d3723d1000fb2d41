"""Teams whose roles act by models of their own: each group of roles by one model, put together as one team.

What plays a team asks one engine and one formatter; here these hand on to those of the group that an agent belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple, Protocol, TypeVar

from codeduet.agents.config import SamplingConfig, TeamConfig, sampling_of
from codeduet.agents.engine import Completion, Engine, Request
from codeduet.agents.models import base_name
from codeduet.agents.play import Seat
from codeduet.agents.policy import Policy
from codeduet.agents.prompts import Formatter
from codeduet.agents.team import Team
from codeduet.envs.roles import Role, Roles, as_data

C = TypeVar("C", bound=Any)
"""A run's config."""


class Sampled(Protocol):
    """A run's config: who plays, as which, and how answers are drawn."""

    @property
    def team(self) -> TeamConfig:
        """Who acts."""

    @property
    def roles(self) -> Roles:
        """As which."""

    @property
    def sampling(self) -> SamplingConfig:
        """How completions are drawn, where a seat does not say."""


class Row(NamedTuple):
    """Roles that act by one model.

    Attributes:
        config: how they do.
        roles: who.
    """

    config: TeamConfig
    roles: tuple[Role, ...]

    @property
    def agents(self) -> list[str]:
        """Their agents, in the order they act."""
        return [agent for role in self.roles for agent in role.agents]


def rows_of(config: TeamConfig, roles: Sequence[Role]) -> list[Row]:
    """Return the roles of a team by how they act: those of equal settings share one model, server or engine."""
    rows: list[tuple[TeamConfig, list[Role]]] = []
    for role in roles:
        own = config.seat(role.name)
        same = [members for settings, members in rows if asdict(settings) == asdict(own)]
        if same:
            same[0].append(role)
        else:
            rows.append((own, [role]))
    return [Row(settings, tuple(members)) for settings, members in rows]


def together(rows: Sequence[Row], load: Callable[[Row], Team], roles: Sequence[Role]) -> Team:
    """Load each row's team and return all of them as one, its agents in the order they act.

    A checkpoint of it knows each row by its first role.
    """
    if len(rows) == 1:
        return load(rows[0])
    policies: dict[str, Policy] = {}
    identity: dict[str, Any] = {}
    for row in rows:
        team = load(row)
        for policy in team.policies:  # a policy that all agents of a row share has no agent's name
            if policy.name in {other.name for other in policies.values()}:
                policy.name = f"{row.roles[0].name}_{policy.name}"
        policies |= dict(team)
        identity |= {f"{row.roles[0].name}/{key}": value for key, value in team.identity.items()}
    order = [agent for role in roles for agent in role.agents]
    bases = dict.fromkeys(base_name(row.config.model) for row in rows)
    return Team({agent: policies[agent] for agent in order}, identity, " and ".join(bases))


class Engines(Engine):
    """Several engines as one: each policy is asked where it is.

    Args:
        of: policy name -> its engine.
    """

    def __init__(self, of: Mapping[str, Engine]) -> None:
        self.of = dict(of)

    @property
    def parts(self) -> list[Engine]:
        """Each engine once."""
        return list({id(engine): engine for engine in self.of.values()}.values())

    @property
    def heard(self) -> Callable[[int], None]:
        """What is called with the number of tokens that any of them has drawn."""
        return self.parts[0].heard

    @heard.setter
    def heard(self, told: Callable[[int], None]) -> None:
        for engine in self.parts:
            engine.heard = told

    def room(self) -> int | None:
        """Return the tightest's, as if each prompt were of it: so none is too long."""
        return min((room for engine in self.parts if (room := engine.room()) is not None), default=None)

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds."""
        answers: dict[int, list[Completion]] = {}
        for engine in self.parts:
            mine = [i for i, request in enumerate(requests) if self.of[request.policy] is engine]
            if mine:
                answers |= dict(zip(mine, engine.generate([requests[i] for i in mine]), strict=True))
        return [answers[i] for i in range(len(requests))]

    def sync(self, policy: Policy, version: int) -> None:
        """Let the policy's engine take over its weights."""
        self.of[policy.name].sync(policy, version)

    def sleep(self) -> None:
        """Let all engines give memory back."""
        for engine in self.parts:
            engine.sleep()

    def wake(self) -> None:
        """Undo :meth:`sleep`."""
        for engine in self.parts:
            engine.wake()

    def close(self) -> None:
        """End all engines."""
        for engine in self.parts:
            engine.close()


class Formatters:
    """Several formatters as one: each agent's prompt is made by its own.

    Args:
        of: agent -> its formatter.
    """

    def __init__(self, of: Mapping[str, Formatter]) -> None:
        self.of = dict(of)

    def render(self, agent: str, observation: Mapping[str, Any]) -> str:
        """Return the whole prompt as text, template included."""
        return self.of[agent].render(agent, observation)

    def encode(self, agent: str, observation: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the prompt's token ids."""
        return self.of[agent].encode(agent, observation)

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return the strings that end an answer of ``agent``."""
        return self.of[agent].stop(agent)


def seats_of(config: Sampled, team: Team, formatter: Formatter, engine: Engine) -> dict[str, Seat]:
    """Return where each agent acts from, in the order they act."""
    sampling = sampling_of(config.team, config.roles, config.sampling)
    every = config.sampling.build()
    return {agent: Seat(policy.name, formatter, sampling.get(agent, every), engine) for agent, policy in team.items()}


def with_team(config: C, team: Team | None) -> C:
    """Return a run's config that says of a team what it was loaded by, so that the run folder tells it.

    Args:
        config: of a training or a benchmark.
        team: who plays; one that was loaded otherwise, or none, changes nothing.
    """
    if team is None or team.config is None:
        return config
    kept = ("threads", "batch_size", "timeout", "retries", "context", "gpu_share", "prompts")
    settings = replace(team.config, **{name: getattr(config.team, name) for name in kept})
    env = replace(config.env, roles=as_data(team.roles))
    return replace(config, team=settings, env=env)
