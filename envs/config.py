"""The game as a config, and the environments and tasks it describes; it needs the ``cli`` extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from codeduet.config import STRICT
from codeduet.envs.execution import shared_executor
from codeduet.envs.feedback import Feedback
from codeduet.envs.humaneval import Env, env
from codeduet.envs.problems import Split, load_problems


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EnvConfig:
    """The game.

    Attributes:
        problems: ``humaneval``, ``embedded``, ``humanevalplus``, ``mbpp``, ``mbppplus``, the path of a file in one of the
            formats of ``codeduet.envs.sets``, or ``module:function``.
        test_problems: another such set, whose problems are the test split; those of ``problems`` are then all for training.
        packages: packages from outside the standard library that programs may import, such as ``numpy``.
        reward: reward scheme.
        max_turns: turns H of an episode.
        feedback: what steers a second turn: ``hidden`` tests, the ``examples`` that the prompt shows, or ``none``. ``auto`` is
            hidden where a team learns, and examples where it is measured: a hidden verdict that steers an answer would turn
            pass@k into retries with an oracle.
        overlong: what becomes of problems whose longest possible prompt leaves no room for an answer: ``refuse`` says so
            before the first step, ``skip`` leaves them out.
    """

    problems: str = "humaneval"
    test_problems: str = ""
    packages: list[str] = Field(default_factory=list)
    reward: str = "magrpo"
    max_turns: int = Field(default=1, ge=1)
    feedback: Literal["auto", "hidden", "examples", "none"] = "auto"
    overlong: Literal["refuse", "skip"] = "refuse"

    def feedback_in(self, *, training: bool) -> Feedback:
        """Return what steers a second turn in training, or in a measurement."""
        if self.feedback == "auto":
            return "hidden" if training else "examples"
        return self.feedback


def make_envs(config: EnvConfig, agents: Sequence[str], count: int, *, training: bool = False) -> list[Env]:
    """Make ``count`` environments over all problems of the set, so that they can play either split.

    Args:
        config: the game.
        agents: who acts.
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
            agents=agents,
            executor=executor,
            feedback=config.feedback_in(training=training),
        )
        for _ in range(count)
    ]


def task_ids(config: EnvConfig, split: Split) -> list[str]:
    """Return the task ids of a split."""
    return [problem.task_id for problem in load_problems(config.problems, split, config.test_problems)]
