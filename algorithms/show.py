"""What a training shows on the screen: bars, or plain lines where there is no terminal, and tables of completions."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from codeduet.agents.play import JUDGE
from codeduet.agents.steps import Group

P = TypeVar("P", bound=Progress)

WITHIN = "within"
"""A field of the bar that shows a step from within: it counts tokens, and no part of the work."""

LEARN = "learn"
"""The phase of a step in which policies learn, behind those of the rollout."""

_SHORTEST_BAR, _LONGEST_BAR, _BESIDE_BAR, _WIDE = 8, 40, 140, 80
"""Signs of a bar, of what stands beside it at most, and of a terminal with room for the time gone as well."""

_REDRAW_S = 0.1
_CUT = 0.5
"""Share of an agent's answers that the length limit may cut before a step says so."""


def completions_table(group: Group, step: int) -> Table:
    """Return a group's episodes side by side: reward and what each agent wrote."""
    table = Table(title=Text(f"step {step}: {group.task_id}"), show_lines=True)
    table.add_column("reward", justify="right")
    agents = [agent for agent, _, _ in group.trajectories[0].transcript]
    for agent in agents:
        table.add_column(Text(agent), overflow="fold")
    for trajectory in group.trajectories:
        texts = [text.rstrip() for _, _, text in trajectory.transcript][: len(agents)]
        table.add_row(f"{trajectory.team_return:.2f}", *(Text(text) for text in texts))
    return table


def make_progress(console: Console, kind: type[P] = Progress) -> P:  # type: ignore[assignment]
    """Return a progress display whose bars have a text ``shown`` at their end, which a narrow terminal cuts and nothing else."""

    def whole() -> Column:
        return Column(no_wrap=True)

    bar = BarColumn(min(max(console.width - _BESIDE_BAR, _SHORTEST_BAR), _LONGEST_BAR), table_column=whole())
    times = [TimeRemainingColumn(table_column=whole())]
    if console.width >= _WIDE:
        times.insert(0, TimeElapsedColumn(table_column=whole()))  # type: ignore[arg-type]
    return kind(
        TextColumn("{task.description}", markup=False),
        bar,
        MofNCompleteColumn(table_column=whole()),
        *times,
        _Cut("{task.fields[shown]}", markup=False, table_column=Column(ratio=1)),
        console=console,
    )


class _Cut(TextColumn):
    """A text in one line, cut where the others leave no room for it."""

    def render(self, task: Task) -> Text:
        """Return the text of a task."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def shown(metrics: Mapping[str, float]) -> str:
    """Return the metrics that stand behind the bar."""
    keys = ("reward", "syntax", "runnable", "tests", "solved")
    return "  ".join(f"{key} {metrics[key]:.3f}" for key in keys if key in metrics)


class Watch:
    """A step seen from within: what is done, how many tokens it has come to and how fast, and the seconds of each phase."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._phase = ""
        self._began = self._drawn = 0.0
        self._count = 0
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def show_on(self, progress: Progress) -> None:
        """Show a bar of the phase from here on, where the display is drawn at all."""
        if is_drawn(progress.console):
            self._progress = progress
            self._bar = progress.add_task("", total=1, visible=False, shown="", **{WITHIN: True})

    def begin(self, phase: str, size: int) -> None:
        """Begin a phase, which ends the one before.

        Args:
            phase: an agent, :data:`JUDGE` or :data:`LEARN`.
            size: tokens or programs of it, at most.
        """
        self._close()
        self._phase, self._count = phase, 0
        self._began = self._drawn = perf_counter()
        if self._progress is not None and self._bar is not None:
            what = {JUDGE: "programs are judged", LEARN: "learns, tokens"}.get(phase, f"{phase} writes, tokens")
            self._progress.reset(self._bar, total=max(size, 1), visible=True, description=f"  {what}", shown="")

    def tokens(self, count: int) -> None:
        """Count tokens that were written or learnt from."""
        self._count += count
        now = perf_counter()
        if self._progress is not None and self._bar is not None and now - self._drawn > _REDRAW_S:
            self._drawn = now
            rate = self._count / (now - self._began)
            self._progress.update(self._bar, completed=self._count, shown=f"{rate:,.0f} tokens/s")

    def end(self) -> dict[str, float]:
        """End the step and return the seconds of its phases, as metrics."""
        self._close()
        told = {f"seconds/{phase}": seconds for phase, seconds in self._seconds.items()}
        self._seconds.clear()
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, visible=False)
        return told

    def hide(self) -> None:
        """Take the bar away."""
        if self._progress is not None and self._bar is not None:
            self._progress.remove_task(self._bar)
        self._progress = self._bar = None

    def _close(self) -> None:
        if self._phase:
            self._seconds[self._phase] += perf_counter() - self._began
        self._phase = ""


def is_drawn(console: Console) -> bool:
    """Tell whether bars are drawn, as on a terminal and not in a log file."""
    return console.is_interactive or console.is_jupyter


def step_line(step: int, steps: int, metrics: Mapping[str, float], seconds: float, left: float) -> str:
    """Return a step in one line: step, reward, solved, seconds, time left."""
    told = "  ".join(f"{key} {metrics[key]:.3f}" for key in ("reward", "solved") if key in metrics)
    return f"step {step}/{steps}  {told}  {seconds:.1f} s  {duration(left)} left"


def duration(seconds: float) -> str:
    """Return seconds as hours, minutes and seconds."""
    return str(datetime.timedelta(seconds=round(seconds)))


def time_left(elapsed: float, limits: Sequence[tuple[float, float, float]]) -> float:
    """Return the seconds that are left at the pace so far.

    Args:
        elapsed: seconds since this process began.
        limits: where it began, where it is and where it ends, of whatever ends it; the nearest end counts.
    """
    return min(elapsed * max(end - now, 0) / (now - began) for began, now, end in limits if now > began)


def cut_line(metrics: Mapping[str, float]) -> str:
    """Return whose answers of a step were mostly cut by the length limit and what to do, or nothing."""
    shares = {key.removesuffix("/truncated"): value for key, value in metrics.items() if key.endswith("/truncated")}
    cut = [f"{100 * share:.0f} % of {agent}'s" for agent, share in shares.items() if share > _CUT]
    return f"{' and '.join(cut)} answers were cut off: raise sampling.max_new_tokens" if cut else ""
