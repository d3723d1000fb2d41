"""Trees of episodes: which episodes of a task share which answers.

The episodes of a task are the leaves of a tree of given widths, and a path of coordinates tells each of them. Which of
those a step depends on says how it branches; steps that depend on the same ones are one step, written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal, TypeAlias, get_args

from codeduet.errors import InputError

Path: TypeAlias = tuple[int, ...]

Branch = Literal["joint", "agents", "turns", "cross"]


@dataclass(frozen=True)
class Tree:
    """The episodes of a task.

    Attributes:
        widths: of the levels, from the root.
        branch: ``joint`` (no answer is shared), ``agents`` (level i is the i-th agent, and what follows it), ``turns`` (level
            t is turn t), or ``cross`` (in each turn a level an agent, so that each of its answers meets each of the others':
            for agents that do not read each other).
        agents: levels of a turn, of a cross table.
    """

    widths: Path
    branch: Branch = "joint"
    agents: int = 1

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.branch not in get_args(Branch):
            raise InputError(f"a tree branches by {', '.join(get_args(Branch))}, not {self.branch!r}")
        if not self.widths or any(type(width) is not int or width < 1 for width in self.widths):
            raise InputError(f"widths of a tree are whole numbers from 1 on, not {self.widths!r}")

    @property
    def paths(self) -> list[Path]:
        """The path of each episode, in their order."""
        return list(product(*(range(width) for width in self.widths)))

    @property
    def size(self) -> int:
        """Episodes of a task."""
        return prod(self.widths)

    def coordinates(self, agent: int, turn: int, path: Path) -> Path:
        """Return the coordinates of ``path`` that an answer depends on.

        Args:
            agent: place of who writes it, in the order of the team.
            turn: its how-manieth it is, from 0.
            path: of the episode.
        """
        if self.branch == "turns":
            return path[: turn + 1]
        if self.branch == "cross":
            before = turn * self.agents
            return (*path[:before], *path[before + agent : before + agent + 1])
        # What was judged between turns is the whole path's.
        return path if self.branch == "joint" or turn else path[: agent + 1]

    def number(self, path: Path) -> int:
        """Return an episode's number among those of its task."""
        number = 0
        for width, place in zip(self.widths, path, strict=True):
            number = number * width + place
        return number
