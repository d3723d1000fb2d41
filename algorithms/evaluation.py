"""Evaluation while training: the test tasks are played with the training's sampling."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from codeduet.agents.steps import Group
from codeduet.agents.tree import Tree
from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.learning import judged
from codeduet.algorithms.metrics import episode_metrics, read_metrics
from codeduet.envs import raw_env

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer


class Evaluate(Callback):
    """Evaluates every so many steps; the numbers are of kind ``eval``.

    Args:
        every: steps between evaluations.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def begin(self, trainer: Trainer) -> None:
        """Evaluate a run that was stopped between a step and its evaluation."""
        if trainer.step and not any(
            (row["step"], row["kind"]) == (trainer.step, "eval") for row in read_metrics(trainer.run)
        ):
            self._evaluate(trainer)

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Evaluate where it is time."""
        self._evaluate(trainer)

    def _evaluate(self, trainer: Trainer) -> None:
        if trainer.step % self.every == 0:
            trainer.write(evaluate(trainer), kind="eval")


def evaluate(trainer: Trainer) -> dict[str, float]:
    """Play a trainer's test tasks as its policies are now, and return the metrics."""
    metrics: list[dict[str, float]] = []
    faults = 0
    samples = trainer.config.eval_samples
    size = max(1, len(trainer.envs) // samples)
    with _measured(trainer):
        for start in range(0, len(trainer.test_tasks), size):
            groups = trainer.play(trainer.test_tasks[start : start + size], Tree((samples,)), ("eval", trainer.step))
            whole = judged(trainer, groups)
            faults += len(groups) - len(whole)
            if whole:
                metrics.append({**episode_metrics(whole), "weight": len(whole)})
    trainer.watch.end()
    weights = [row.pop("weight") for row in metrics]
    shared = [key for key in (metrics or [{}])[0] if all(key in row for row in metrics)]
    means = {key: float(np.average([row[key] for row in metrics], weights=weights)) for key in shared}
    return {"reward": math.nan, **means, "worker_faults": float(faults)}


@contextlib.contextmanager
def _measured(trainer: Trainer) -> Iterator[None]:
    """Steer second turns as a measurement does, and then as before."""
    games = [game for game in (each.unwrapped for each in trainer.envs) if isinstance(game, raw_env)]
    before = [game.feedback for game in games]
    for game in games:
        game.feedback = trainer.config.env.feedback_in(training=False)
    try:
        yield
    finally:
        for game, feedback in zip(games, before, strict=True):
            game.feedback = feedback
