"""The game as a config, and the environments and tasks it describes; it needs the ``cli`` extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from codeduet.config import STRICT
from codeduet.envs.execution import shared_executor
from codeduet.envs.feedback import Feedback
from codeduet.envs.humaneval import Env, env
from codeduet.envs.problems import Split, load_problems
from codeduet.envs.roles import Role, as_roles


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EnvConfig:
    """The game.

    Attributes:
        problems: ``humaneval``, ``embedded``, ``humanevalplus``, ``mbpp``, ``mbppplus``, the path of a file in one of the
            formats of ``codeduet.envs.sets``, or ``module:function`` (``file.py:function``) that gives problems.
        test_problems: another such set, whose problems are the test split; those of ``problems`` are then all for training.
        packages: packages from outside the standard library that programs may import, such as ``numpy``.
        reward: reward scheme, ``module:function``, or a weighted sum: reward -> weight.
        max_turns: turns H of an episode.
        roles: who plays, if not helper and main (or main alone, by ``team.kind``): a list of ``name``, ``writes`` (``code``
            or ``text``), ``reads`` (names of roles) and ``count``, in the order they act.
        feedback: what steers a second turn: ``hidden`` tests, the ``examples`` that the prompt shows, or ``none``. ``auto`` is
            hidden where a team learns, and examples where it is measured: a hidden verdict that steers an answer would turn
            pass@k into retries with an oracle.
        overlong: what becomes of problems whose longest possible prompt leaves no room for an answer: ``refuse`` says so
            before the first step, ``skip`` leaves them out.
    """

    problems: str = "humaneval"
    test_problems: str = ""
    packages: list[str] = Field(default_factory=list)
    reward: str | dict[str, float] = "magrpo"
    max_turns: int = Field(default=1, ge=1)
    roles: list[dict[str, Any]] = Field(default_factory=list)
    feedback: Literal["auto", "hidden", "examples", "none"] = "auto"
    overlong: Literal["refuse", "skip"] = "refuse"

    def __post_init__(self) -> None:
        """Check the roles, before anything is loaded."""
        if self.roles:
            as_roles(self.roles)

    def feedback_in(self, *, training: bool) -> Feedback:
        """Return what steers a second turn in training, or in a measurement."""
        if self.feedback == "auto":
            return "hidden" if training else "examples"
        return self.feedback


def make_envs(config: EnvConfig, roles: Sequence[Role], count: int, *, training: bool = False) -> list[Env]:
    """Make ``count`` environments over all problems of the set, so that they can play either split.

    Args:
        config: the game.
        roles: who plays.
        count: number of environments.
        training: whether a team learns in them, or is measured; see ``EnvConfig.feedback``.
    """
    problems = load_problems(config.problems, "all", config.test_problems)
    executor = shared_executor(config.packages) if config.packages else None
    return [
        env(
            problems=problems,
            reward=config.reward,
            max_turns=config.max_turns,
            roles=roles,
            executor=executor,
            feedback=config.feedback_in(training=training),
        )
        for _ in range(count)
    ]


def task_ids(config: EnvConfig, split: Split) -> list[str]:
    """Return the task ids of a split."""
    return [problem.task_id for problem in load_problems(config.problems, split, config.test_problems)]
