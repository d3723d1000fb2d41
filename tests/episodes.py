"""Episodes that nobody played, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codeduet.agents import Completion
from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.envs import HELPER, MAIN

ONE = Completion((1,), (-1.0,), "", "eos", 0)


def step(agent: str, turn: int = 0, place: tuple[int, ...] = (0,), completion: Completion = ONE, **fields: Any) -> Step:
    """Return a step of an agent at a place of the tree."""
    return Step(("task", agent, turn, *place), (1,), completion, 1.0, **fields)


def episode(*turns: float, number: int = 0, agents: Sequence[str] = (HELPER, MAIN)) -> Trajectory:
    """Return an episode in which all agents are paid ``turns``."""
    return branch(Tree((number + 1,)), (number,), *turns, agents=agents)


def branch(tree: Tree, path: tuple[int, ...], *turns: float, agents: Sequence[str] = (HELPER, MAIN)) -> Trajectory:
    """Return an episode of a tree in which all agents are paid ``turns``."""
    trajectory = Trajectory("task", path)
    for turn, reward in enumerate(turns):
        for place, agent in enumerate(agents):
            trajectory.note(step(agent, turn, tree.coordinates(place, turn, path)))
            trajectory.pay(agent, reward)
    return trajectory


def grown(tree: Tree, *returns: float) -> Group:
    """Return a tree of episodes of one turn, by what each is paid."""
    return Group("task", [branch(tree, path, value) for path, value in zip(tree.paths, returns, strict=True)])
