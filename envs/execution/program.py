"""A program as a team hands it in: whose code, in which order."""

from __future__ import annotations

from typing import NamedTuple

from codeduet.envs.problems import Problem


class Part(NamedTuple):
    """One agent's code."""

    agent: str
    code: str


class Program(NamedTuple):
    """A program to judge: the parts are modules that are loaded in this order, and the last defines the target."""

    problem: Problem
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, problem: Problem, **code: str) -> Program:
        """Return the program of these parts: ``Program.of(problem, helper_0=..., main_0=...)``."""
        return cls(problem, tuple(Part(agent, text) for agent, text in code.items()))

    def without(self, *agents: str) -> Program:
        """Return the program as if these agents had written nothing: their parts are empty."""
        return self._replace(parts=tuple(Part(agent, "" if agent in agents else code) for agent, code in self.parts))
