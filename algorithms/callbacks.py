"""What is done beside learning: metrics written, completions kept, progress shown, checkpoints saved.

A callback is told when a training begins, of every step, and when it ends. Those that ship stand here, TensorBoard and its
like in :mod:`codeduet.algorithms.tracking`, and measuring on the way is the benchmark's.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from rich.progress import Progress, TaskID

from codeduet.agents.steps import Group, Trajectory
from codeduet.algorithms.algorithm import check_no_state
from codeduet.algorithms.diagnostics import mismatch_signs
from codeduet.algorithms.metrics import completion_record, keep_until
from codeduet.algorithms.show import (
    completions_table,
    cut_line,
    is_drawn,
    make_progress,
    shown,
    step_line,
    time_left,
)
from codeduet.algorithms.update import given_up
from codeduet.errors import InputError
from codeduet.files import json_line, naming

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer

COMPLETIONS = "completions.jsonl"
"""The file of episodes in a run folder."""

_FEW = 3
"""Steps whose middle one tells of a mismatch: a single one may hold an unlikely token, for which rounding is coarser."""


class Callback:
    """Is told of a training, and may keep a state of its own in its checkpoints. What is not overridden does nothing.

    Callbacks are told in their order. One whose ``step`` is interrupted by a signal, or raises, leaves those behind it without that
    step, which is saved.
    """

    measures = False
    """Whether it is what ``eval.every`` asks for."""

    def begin(self, trainer: Trainer) -> None:
        """Begin: ``trainer.step`` steps are done already, none of a new run."""

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Look at a step that was learnt from, the ``trainer.step``-th.

        Args:
            trainer: whose step it was; ``trainer.advantages`` has the credit of their steps, where they were learnt from.
            groups: what was played.
            metrics: the numbers of the step.
        """

    def end(self, trainer: Trainer) -> None:
        """End, however the training ended; nothing is told thereafter."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training is to know, as JSON types; it is saved with each checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back, before :meth:`begin`.

        Raises:
            InputError: there is one, of a subclass that has ``state_dict`` alone.
        """
        check_no_state(self, state)


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Check that all are callbacks.

    Raises:
        InputError: one is a class, or not derived from :class:`Callback`.
    """
    for callback in callbacks:
        if isinstance(callback, type):
            raise InputError(
                f"callbacks names the class {callback.__name__}: hand over what it makes, {callback.__name__}()"
            )
        if not isinstance(callback, Callback):
            raise InputError(
                f"callback {type(callback).__name__!r} is no codeduet.algorithms.Callback: derive it from that class, which has a "
                "default for everything"
            )


class Tracker(Callback):
    """A callback that the numbers of a training are written to, those of evaluations too."""

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        self.write(trainer.step, metrics, "train")

    def write(self, step: int, values: Mapping[str, float], kind: str) -> None:
        """Write numbers of a step; ``kind`` is ``"train"``, ``"eval"`` or a callback's own."""
        raise NotImplementedError


class Log(Tracker):
    """Writes a line of JSON a step to ``metrics.jsonl``; a resumed run drops the rows after its checkpoint."""

    def begin(self, trainer: Trainer) -> None:
        """Make the file, or cut it back to where the training is."""
        self.open(trainer.run, trainer.step)

    def open(self, folder: Path, step: int = 0) -> None:
        """Write into ``folder`` from here on, whose rows after ``step`` are dropped."""
        self.path = folder / "metrics.jsonl"
        keep_until(self.path, step)

    def write(self, step: int, values: Mapping[str, float], kind: str = "train") -> None:
        """Write a row."""
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json_line({"step": step, "kind": kind, **values}))


class Completions(Callback):
    """Keeps episodes in ``completions.jsonl``: prompts and answers, and of each answer its agent, reward and advantage.

    Args:
        number: of each step: ``"all"``, or so many; the best and the worst of its first group, then of the next, and so on.
    """

    def __init__(self, number: int | Literal["all"]) -> None:
        self.number = number

    def begin(self, trainer: Trainer) -> None:
        """Make the file, or cut it back to where the training is."""
        keep_until(trainer.run / COMPLETIONS, trainer.step)

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Append what is kept of a step."""
        path = trainer.run / COMPLETIONS
        with naming(path), path.open("a", encoding="utf-8") as file:
            for group, index in self._chosen(groups):
                row = completion_record(groups[group].trajectories[index], trainer.advantages)
                file.write(json_line({"step": trainer.step, **row}))

    def _chosen(self, groups: Sequence[Group]) -> list[tuple[int, int]]:
        """Return (group, episode) of those that are kept."""
        if self.number == "all":
            return [(g, i) for g, group in enumerate(groups) for i in range(len(group.trajectories))]
        ranks = [_best_and_worst_first(group.trajectories) for group in groups]
        pairs = range(0, max(map(len, ranks)), 2)
        return [(g, i) for start in pairs for g, of in enumerate(ranks) for i in of[start : start + 2]][: self.number]


def _best_and_worst_first(trajectories: Sequence[Trajectory]) -> list[int]:
    """Return the places of episodes: the best, the worst, the second best, the second worst..."""
    worst_first = sorted(range(len(trajectories)), key=lambda i: trajectories[i].team_return)
    best_first = worst_first[::-1]
    turns = [i for pair in zip(best_first, worst_first, strict=True) for i in pair]
    return turns[: len(trajectories)]


class Show(Callback):
    """Shows a training: a bar, and one within each step, or a plain line a step where there is no terminal.

    Args:
        progress: gets the bar; by default one of the training's own is shown on its console.
        every: steps between tables of completions; 0 is never.
    """

    def __init__(self, progress: Progress | None = None, every: int = 0) -> None:
        self.every = every
        self._given = progress
        self._stack = contextlib.ExitStack()

    def begin(self, trainer: Trainer) -> None:
        """Show the bar where the training is, and the memory plan above it."""
        for line in filter(None, (trainer.team.ways, trainer.plan.line())):
            trainer.say(line)
        self._progress = self._given or self._stack.enter_context(make_progress(trainer.console))
        trainer.console = self._progress.console
        budget = trainer.config.token_budget
        total, done = (budget, trainer.tokens) if budget else (trainer.config.steps, trainer.step)
        self._bar: TaskID = self._progress.add_task("train", total=total, completed=done, shown="")
        trainer.watch.show_on(self._progress)
        self._began, self._first = perf_counter(), (trainer.step, trainer.tokens)
        self._cut = ""
        self._latest: deque[Mapping[str, float]] = deque(maxlen=_FEW)
        self._warned = False

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Show a step."""
        config, cut = trainer.config, cut_line(metrics)
        if not is_drawn(self._progress.console):
            limits: list[tuple[float, float, float]] = [(self._first[0], trainer.step, config.steps)]
            if config.token_budget:
                limits.append((self._first[1], trainer.tokens, config.token_budget))
            if trainer.ends is not None:
                limits.append((self._began, perf_counter(), trainer.ends))
            seconds = metrics["seconds/rollout"] + metrics["seconds/learn"]
            left = time_left(perf_counter() - self._began, limits)
            line = step_line(trainer.step, config.steps, metrics, seconds, left)
            trainer.say("  ".join(filter(None, (line, cut))))
        elif cut and not self._cut:
            trainer.say(f"step {trainer.step}: {cut}")
        self._cut = cut
        self._warn(trainer, metrics)
        done = trainer.tokens if config.token_budget else trainer.step
        self._progress.update(self._bar, completed=done, shown=shown(metrics))
        if self.every and trainer.step % self.every == 0:
            trainer.console.print(completions_table(groups[0], trainer.step))

    def _warn(self, trainer: Trainer, metrics: Mapping[str, float]) -> None:
        """Say once, and not only when all is over, that what is learnt from was sampled by other weights."""
        self._latest.append(metrics)
        if len(self._latest) == _FEW and not self._warned:
            signs = mismatch_signs(self._latest)
            self._warned = bool(signs)
            for sign in signs:
                trainer.say(f"step {trainer.step}: {sign.text}")

    def end(self, trainer: Trainer) -> None:
        """Take the bar away."""
        trainer.watch.hide()
        self._progress.remove_task(self._bar)
        self._stack.close()


class Save(Callback):
    """Saves checkpoints; the last step, by whatever it is the last, always makes one.

    Args:
        every: steps between them.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Save where it is time."""
        if trainer.step % self.every == 0 or trainer.over() or given_up(trainer):
            trainer.save()
