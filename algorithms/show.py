"""What a training shows on the screen: a bar, and tables of completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from codeduet.algorithms.rollout import Group

P = TypeVar("P", bound=Progress)


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
    """Return a progress display whose bars have a text ``shown`` at their end."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    description, shown = (TextColumn(f"{{task.{of}}}", markup=False) for of in ("description", "fields[shown]"))
    return kind(description, *columns, shown, console=console)


def shown(metrics: Mapping[str, float]) -> str:
    """Return the metrics that stand behind the bar."""
    keys = ("reward", "syntax", "runnable", "tests", "solved")
    return "  ".join(f"{key} {metrics[key]:.3f}" for key in keys if key in metrics)
