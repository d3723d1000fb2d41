"""One program that two judges are asked about."""

from __future__ import annotations

from dataclasses import dataclass

from codeduet.envs import Problem


@dataclass(frozen=True)
class Trial:
    """A program, as ours and OpenAI's checker get it.

    Attributes:
        problem: the problem it is to solve.
        change: what was changed in it, such as ``"annotation: unknown"``.
        main_code: main's code, for ours.
        continued: what continues the prompt, for the checker; empty: main's code behind a target that does nothing.
        by_identity: the verdict may hang on whether two equal arguments are one object.
    """

    problem: Problem
    change: str
    main_code: str
    continued: str = ""
    by_identity: bool = False

    @property
    def completion(self) -> str:
        """What continues the prompt."""
        return self.continued or f"    pass\n\n\n{self.main_code}\n"
