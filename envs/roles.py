"""Who plays: a role is data, and a team is roles in the order they act.

A role of ``count`` agents has ``helper_0``, ``helper_1`` and so on, who act one after another. In each turn every agent
writes once, and sees the latest answers of the roles that its role reads: of those that act before it this turn's, of
those behind it the last turn's. The last role that writes code writes the target function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from codeduet.errors import InputError, nearest

Writes = Literal["code", "text"]


@dataclass(frozen=True)
class Role:
    """What some agents do.

    Attributes:
        name: such as ``helper``, whose agents are ``helper_0`` and so on.
        writes: ``code``, which is a part of the program, or ``text``, which only its readers see.
        reads: names of the roles whose answers its agents see; its own, for those of its other agents.
        count: how many agents it has.
    """

    name: str
    writes: Writes = "code"
    reads: tuple[str, ...] = ()
    count: int = 1

    def __post_init__(self) -> None:
        """Check what one role shows of itself; lists are taken for tuples."""
        if isinstance(self.reads, str) or not isinstance(self.reads, Sequence):
            raise InputError(f"role {self.name!r}: reads is a list of names of roles, not {self.reads!r}")
        object.__setattr__(self, "reads", tuple(self.reads))
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise InputError(f"a role's name is made of small letters, digits and _, not {self.name!r}")
        if self.name == "previous":
            raise InputError("no role is called 'previous': an observation's previous_code is an agent's own")
        if self.writes not in get_args(Writes):
            raise InputError(f"role {self.name!r} writes code or text, not {self.writes!r}")
        if type(self.count) is not int or self.count < 1:
            raise InputError(f"role {self.name!r}: count must be a whole number from 1 on, not {self.count!r}")

    @property
    def agents(self) -> tuple[str, ...]:
        """Its agents, in the order they act."""
        return tuple(f"{self.name}_{number}" for number in range(self.count))

    @property
    def key(self) -> str:
        """The key under which an observation holds its answers, such as ``helper_code``."""
        return f"{self.name}_{self.writes}"


Roles: TypeAlias = tuple[Role, ...]

HELPER = Role("helper")
MAIN = Role("main", reads=("helper",))

DUET: Roles = (HELPER, MAIN)
"""The paper's team."""

AT_ONCE: Roles = (HELPER, Role("main"))
"""Helper and main, of whom neither sees what the other writes in a turn."""

SINGLE: Roles = (Role("main"),)
"""Main alone."""

SHORTHANDS = (DUET, AT_ONCE, SINGLE)
"""Teams that there were before roles were data: what their games say stays as it was."""


def as_roles(given: Sequence[Role | Mapping[str, Any]]) -> Roles:
    """Return roles as they were given, or as data: ``{"name": "main", "reads": ["helper"]}``.

    Raises:
        InputError: a role or its data is malformed, two have one name, one reads a role that is not there, or nobody or
            several agents would write the target function.
    """
    roles = tuple(each if isinstance(each, Role) else _as_role(each) for each in given)
    names = [role.name for role in roles]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two roles are called {name!r}: one with count={names.count(name)} has as many agents")
    for role in roles:
        for read in role.reads:
            if read not in names:
                raise InputError(
                    f"role {role.name!r} reads {read!r}, and there is no such role: add it, or leave it out of reads"
                    f"{nearest(read, names)}"
                )
    writing = [role for role in roles if role.writes == "code"]
    if not writing:
        raise InputError("no role writes code: the last one that does writes the target function")
    if writing[-1].count > 1:
        raise InputError(
            f"role {writing[-1].name!r} writes the target function, as the last that writes code: its count must be 1"
        )
    return roles


def check_read(roles: Sequence[Role], max_turns: int) -> None:
    """Check that every text has a reader who still acts before an episode ends; code is a part of the program unread.

    Args:
        roles: in the order they act.
        max_turns: turns of an episode.

    Raises:
        InputError: nobody reads the text of a role, or nobody in time; it says what to write.
    """
    for place, role in enumerate(roles):
        readers = [other for other in roles if role.name in other.reads and other is not role]
        if role.writes == "code" or (readers and max_turns > 1) or any(other in roles[place:] for other in readers):
            continue
        if readers:
            raise InputError(
                f"role {role.name!r} acts behind {readers[-1].name!r}, which reads it, and the episode ends before that acts "
                f"again: set max_turns=2, or let a role behind {role.name!r} read it"
            )
        target = by_agent(roles)[target_agent(roles)]
        raise InputError(
            f"nobody reads the text of role {role.name!r}: name it in the reads of another, "
            f"reads: [{', '.join((*target.reads, role.name))}] of {target.name!r}, say"
        )


def as_data(roles: Sequence[Role]) -> list[dict[str, Any]]:
    """Return roles as the data that :func:`as_roles` reads."""
    return [asdict(role) | {"reads": list(role.reads)} for role in roles]


def _as_role(data: Any) -> Role:
    known = [field.name for field in fields(Role)]
    if not isinstance(data, Mapping) or "name" not in data:
        raise InputError(f"a role is a name and what else it has of {', '.join(known[1:])}, not {data!r}")
    for key in data:
        if key not in known:
            raise InputError(
                f"role {data['name']!r} has no {key!r}: choose {', '.join(known)}{nearest(str(key), known)}"
            )
    return Role(**data)


def agents_of(roles: Sequence[Role]) -> tuple[str, ...]:
    """Return all agents, in the order they act."""
    return tuple(agent for role in roles for agent in role.agents)


def by_agent(roles: Sequence[Role]) -> dict[str, Role]:
    """Return each agent's role, in the order they act."""
    return {agent: role for role in roles for agent in role.agents}


def target_agent(roles: Sequence[Role]) -> str:
    """Return the agent that writes the target function."""
    return next(role.agents[0] for role in reversed(roles) if role.writes == "code")


def policies_of(roles: Sequence[Role]) -> dict[str, str]:
    """Return the name of the policy that each agent acts by: the agents of a role share one."""
    return {agent: agent if role.count == 1 else role.name for agent, role in by_agent(roles).items()}


def names_of(roles: Sequence[Role]) -> dict[str, str]:
    """Return what each agent is called before the others: its role, where it is the only one of it."""
    return {agent: role.name if role.count == 1 else agent for agent, role in by_agent(roles).items()}
