"""Look at a run: the learning curve as a picture, before and after as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.estimators import Interval, bootstrap_difference
from codeduet.envs import InputError

CURVES = ("reward", "syntax", "runnable", "tests", "solved", "helper_nonempty", "helper_called", "dead_groups")


def reward_gain(rows: list[dict[str, Any]]) -> Interval:
    """Return mean reward of the last tenth of training less that of the first, with a 95 % bootstrap interval.

    The unit is a training step. With under 20 steps the interval is NaN.
    """
    rewards = [row["reward"] for row in rows if row["kind"] == "train"]
    tenth = len(rewards) // 10
    return bootstrap_difference(rewards[len(rewards) - tenth :], rewards[:tenth])


def learning_curve(runs: list[Path], out: Path) -> None:
    """Draw the training metrics of runs over steps into a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    data = {run: [row for row in read_metrics(run) if row["kind"] == "train"] for run in runs}
    names = [name for name in CURVES if any(name in row for rows in data.values() for row in rows[:1])]
    figure, axes = plt.subplots(2, -(-len(names) // 2), figsize=(3.2 * -(-len(names) // 2), 5.2), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        for run, rows in data.items():
            steps = np.array([row["step"] for row in rows])
            values = np.array([row.get(name, np.nan) for row in rows])
            (line,) = axis.plot(steps, values, alpha=0.25, linewidth=0.8)
            window = max(1, len(values) // 10)
            smooth = np.convolve(values, np.ones(window) / window, mode="valid")
            axis.plot(steps[window - 1 :], smooth, color=line.get_color(), label=run.name)
        axis.set_title(name.replace("_", " "))
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.remove()
    axes.flat[0].legend(fontsize="small")
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120, format="png")
    plt.close(figure)


def results_of(run: Path) -> dict[str, dict[str, Any]]:
    """Return the benchmark results in a run folder and one level below it, oldest first: folder name -> results."""
    found = {}
    for path in sorted({*run.glob("results.json"), *run.glob("*/results.json")}, key=lambda path: path.stat().st_mtime):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise InputError(f"{path} is not JSON: {error}") from None
    return found


def comparison_table(results: dict[str, dict[str, Any]]) -> Table:
    """Return benchmark results side by side, in per cent with 95 % intervals."""
    table = Table(title="pass@k and rates in %, 95 % intervals over problems")
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    for section in ("pass@k", "rates"):
        keys = dict.fromkeys(key for result in results.values() for key in result[section])
        for key in keys:
            label = f"pass@{key}" if section == "pass@k" else key.replace("_", " ")
            scale, digits = (1, 3) if key == "reward" else (100, 1)
            cells = []
            for result in results.values():
                value = result[section].get(key)
                cells.append(
                    f"{value['mean'] * scale:.{digits}f}  ({value['low'] * scale:.{digits}f} - "
                    f"{value['high'] * scale:.{digits}f})"
                    if value
                    else "-"
                )
            table.add_row(label, *cells)
        table.add_section()
    return table


def check_run(run: Path) -> None:
    """Refuse a folder that holds neither training metrics nor benchmark results.

    Raises:
        InputError: there is nothing to report.
    """
    if not run.is_dir():
        raise InputError(f"no run folder {run}")
    if not read_metrics(run) and not results_of(run):
        raise InputError(f"{run} holds neither metrics.jsonl nor results.json: nothing to report")
