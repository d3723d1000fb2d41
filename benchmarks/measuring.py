"""Measure a training on the way, by the benchmark's own code; keep its best checkpoint, and end it where nothing gets better."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from codeduet.agents.steps import Group
from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.trainer import Trainer
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.errors import InputError, nearest
from codeduet.interrupt import allowed

FOLDER = "measured"
"""Where a run folder keeps samples and results of each measurement, a folder a step."""

BEST = "best"
"""The best checkpoint's folder in a run folder."""


class Measure(Callback):
    """Measures as ``config.eval`` says; the numbers are of kind ``eval``.

    Attributes:
        best: the best finite value so far of the measure that chooses, and its step; None before the first.
        waited: measurements since.
    """

    measures = True

    def __init__(self) -> None:
        self.best: tuple[float, int] | None = None
        self.waited = 0

    def begin(self, trainer: Trainer) -> None:
        """Drop what was measured of steps that are lost, measure a step that was stopped before it was, and stay stopped."""
        for folder in (trainer.run / FOLDER).glob("step_*"):
            if (number := re.match(r"step_(\d+)", folder.name)) and int(number[1]) > trainer.step:
                shutil.rmtree(folder)
        done = {row["step"] for row in read_metrics(trainer.run) if row["kind"] == "eval"}
        if trainer.step and trainer.step not in done:
            self._measure(trainer)
        elif self._waited_enough(trainer):
            trainer.stop = True
            trainer.say(
                f"eval.patience={trainer.config.eval.patience} has ended this run at step {trainer.step}: a larger one, or 0, goes on"
            )

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Measure where it is time."""
        self._measure(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.best = tuple(state["best"]) if state["best"] else None
        self.waited = int(state["waited"])

    def _measure(self, trainer: Trainer) -> None:
        settings = trainer.config.eval
        if not settings.every or trainer.step % settings.every:
            return
        measures = measure(trainer)
        trainer.write(measures, kind="eval")
        if not settings.best:
            return
        if settings.best not in measures:
            raise InputError(
                f"eval.best={settings.best} is no measure: choose {', '.join(measures)}{nearest(settings.best, measures)}"
            )
        value = measures[settings.best]
        if math.isfinite(value) and (self.best is None or value > self.best[0]):
            self.best, self.waited = (value, trainer.step), 0
            _keep(trainer.save(), trainer.run / BEST)
        else:
            self.waited += 1
            trainer.stop = trainer.stop or self._waited_enough(trainer)

    def _waited_enough(self, trainer: Trainer) -> bool:
        return 0 < trainer.config.eval.patience <= self.waited


def callbacks(config: TrainConfig) -> list[Callback]:
    """Return what a training is to be handed: a :class:`Measure` where it asks for one."""
    return [Measure()] if config.eval.every else []


def measure(trainer: Trainer) -> dict[str, float]:
    """Return what the benchmark finds of a trainer's policies as they are: ``pass@k``, ``greedy``, and rates."""
    config = trainer.config
    results = _bench(trainer, bench_config(config, trainer.step))
    found = {f"pass@{k}": of_k["mean"] for k, of_k in results["pass@k"].items()}
    found |= {name: rate["mean"] for name, rate in results["rates"].items()}
    if config.eval.greedy:
        greedy = _bench(trainer, bench_config(config, trainer.step, greedy=True))
        found["greedy"] = greedy["pass@k"]["1"]["mean"]
    return found


def bench_config(config: TrainConfig, step: int, *, greedy: bool = False) -> BenchConfig:
    """Return the benchmark of a training at a step."""
    settings = config.eval
    folder = Path(config.out) / FOLDER / f"step_{step:06d}{'_greedy' if greedy else ''}"
    sampling = replace(config.sampling, temperature=0.0) if greedy else config.sampling
    return BenchConfig(
        out=str(folder),
        seed=config.seed,
        team=config.team,
        env=config.env,
        blank=config.blank,
        sampling=sampling,
        split=settings.split,
        limit=settings.limit,
        n=1 if greedy else settings.n,
        k=[1] if greedy else settings.k,
    )


def _bench(trainer: Trainer, config: BenchConfig) -> dict[str, Any]:
    engine = trainer.engine
    heard, engine.heard = engine.heard, lambda tokens: None  # the bar counts what is learnt from
    try:
        with allowed():  # nothing of this process is changed by it
            return bench(
                config,
                team=trainer.team,
                engine=engine,
                formatter=trainer.formatter,
                console=Console(quiet=True),
            )
    finally:
        engine.heard = heard


def _keep(checkpoint: Path, best: Path) -> None:
    """Copy a checkpoint to where the best one is, which is whole at any time."""
    new, old = best.with_name(f".{BEST}_new"), best.with_name(f".{BEST}_old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(checkpoint, new)
    if best.exists():
        best.rename(old)
    new.rename(best)
    shutil.rmtree(old, ignore_errors=True)
