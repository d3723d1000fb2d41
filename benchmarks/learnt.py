"""What a training changed: each trained row of a table beside the same players before.

Pass@1 can rise because problems that were sometimes solved are solved more often (surer), or because others come to be
solved (better). Both are counted over the test problems: of those with any of n samples passing, which are new and which
are gone; and the same of the greedy answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from codeduet.benchmarks.paper_table import TITLES, interval_cell

BEFORE = {
    "grpo_team_budget": "single_team_budget",
    "grpo_best_of_2": "single_best_of_2",
    "grpo": "single",
    "magrpo": "multi_agent",
}
"""Trained row -> the row of the same players untrained."""

_RATES = ("syntax", "truncated", "helper_nonempty", "helper_called", "helper_gain")


class Moved(NamedTuple):
    """Problems of the test split that two rows differ on.

    Attributes:
        gained: solved after, and not before.
        lost: solved before, and not after.
    """

    gained: tuple[str, ...]
    lost: tuple[str, ...]


class Learnt(NamedTuple):
    """What a training changed.

    Attributes:
        row: the trained row.
        before: the untrained one.
        any: problems with any sample passing.
        greedy: problems whose greedy answer passes; None where answers are chosen among drawn ones.
        surer: problems solved before and after, more often after.
        less_sure: the same, less often after.
    """

    row: str
    before: str
    any: Moved
    greedy: Moved | None
    surer: int
    less_sure: int


def learnt(results: Mapping[str, Any]) -> list[Learnt]:
    """Return what each training changed, of the rows that stand in a table beside their untrained players.

    Args:
        results: what ``results.json`` of a reproduction holds.
    """
    rows = results["rows"]
    return [_learnt(rows, name, before) for name, before in BEFORE.items() if name in rows and before in rows]


def _learnt(rows: Mapping[str, Any], name: str, before: str) -> Learnt:
    then, now = (
        {task: count["correct"] / max(count["n"], 1) for task, count in rows[of]["problems"].items()}
        for of in (before, name)
    )
    both = [task for task in now if now[task] and then.get(task)]
    greedy = None
    if rows[name].get("greedy solved") is not None and rows[before].get("greedy solved") is not None:
        greedy = _moved(rows[before]["greedy solved"], rows[name]["greedy solved"])
    return Learnt(
        row=name,
        before=before,
        any=_moved([task for task in then if then[task]], [task for task in now if now[task]]),
        greedy=greedy,
        surer=sum(now[task] > then[task] for task in both),
        less_sure=sum(now[task] < then[task] for task in both),
    )


def _moved(then: Sequence[str], now: Sequence[str]) -> Moved:
    return Moved(
        tuple(task for task in now if task not in set(then)), tuple(task for task in then if task not in set(now))
    )


def table(results: Mapping[str, Any]) -> Table | None:
    """Return what trainings changed as a table, a column a training; None where no row has its untrained one beside it."""
    found = learnt(results)
    if not found:
        return None
    rows = results["rows"]
    made = Table(
        title=f"What training changed, on {results['test problems']} test problems: before -> after",
        caption=f"solved: by any of {results['n']} samples. surer: solved before and after, more often after",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("")
    for of in found:
        row = rows[of.row]
        made.add_column(row.get("head", TITLES[row["system"]]), justify="right")
    pairs = [(rows[of.before], rows[of.row]) for of in found]
    first = next(iter(pairs[0][1]["pass@k"]))
    made.add_row(
        f"pass@{first}",
        *(f"{100 * a['pass@k'][first]['mean']:.1f} -> {interval_cell(b['pass@k'][first], digits=0)}" for a, b in pairs),
    )
    made.add_row("newly solved / lost", *(f"{len(of.any.gained)} / {len(of.any.lost)}" for of in found))
    made.add_row("surer / less sure", *(f"{of.surer} / {of.less_sure}" for of in found))
    made.add_row(
        "greedy: newly solved / lost",
        *(f"{len(of.greedy.gained)} / {len(of.greedy.lost)}" if of.greedy else "" for of in found),
    )
    agents = list(dict.fromkeys(agent for _, row in pairs for agent in row["generated tokens at evaluation"]))
    for agent in agents:
        made.add_row(f"tokens of {agent}", *(_change(a, b, lambda row, who=agent: _length(row, who)) for a, b in pairs))
    for name in _RATES:
        if any(name in b["rates"] for _, b in pairs):
            scale, digits = (1.0, 3) if name == "helper_gain" else (100.0, 1)
            cells = (
                _change(a, b, lambda row, name=name, scale=scale: _rate(row, name, scale), digits) for a, b in pairs
            )
            made.add_row(name.replace("_", " "), *cells)
    return made


def _length(row: Mapping[str, Any], agent: str) -> float | None:
    """Return the mean number of an agent's tokens in a program, or None where it does not write."""
    written = row["generated tokens at evaluation"].get(agent)
    return None if written is None else written / sum(count["n"] for count in row["problems"].values())


def _rate(row: Mapping[str, Any], name: str, scale: float) -> float | None:
    return scale * row["rates"][name]["mean"] if name in row["rates"] else None


def _change(before: Mapping[str, Any], after: Mapping[str, Any], read: Any, digits: int = 1) -> str:
    then, now = read(before), read(after)
    return "" if then is None or now is None else f"{then:.{digits}f} -> {now:.{digits}f}"
