"""Look at runs: curves as pictures, results as tables, and one page with all of it (``report.html``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from codeduet.algorithms.diagnostics import sign_lines
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks import ablations, learnt, paper_table
from codeduet.benchmarks.budgets import by_budget
from codeduet.benchmarks.estimators import Interval, bootstrap_difference
from codeduet.benchmarks.page import SAMPLES, Section, label, name_of, read_transcripts, sign_section, write_page
from codeduet.benchmarks.side_by_side import side_by_side
from codeduet.benchmarks.standing import at_work, standing
from codeduet.config import read_yaml
from codeduet.envs import InputError
from codeduet.files import make_folder
from codeduet.runs import command_of

CURVES = (
    "reward", "syntax", "runnable", "tests", "solved", "dead_groups", "helper_nonempty", "helper_called", "helper_gain",
    "main_0/entropy", "main_0/repeated", "main_0/truncated",
)  # fmt: skip
"""Metrics that are drawn: the reward, its components, and what tells of a collapse."""

_RESULTS = {"pass@k", "rates", "n"}
"""What the report needs of a benchmark's results."""

_LABEL_WIDTH, _RESULT_WIDTH = 20, 22
"""Characters of a comparison's first column and of each other."""


def reward_gain(rows: list[dict[str, Any]]) -> Interval:
    """Return mean reward of the last tenth of training less that of the first, with a 95 % bootstrap interval.

    The unit is a training step. With under 20 steps the interval is NaN.
    """
    rewards = [row["reward"] for row in rows if row["kind"] == "train" and row["reward"] is not None]
    tenth = len(rewards) // 10
    return bootstrap_difference(rewards[len(rewards) - tenth :], rewards[:tenth])


def learning_curve(runs: list[Path], out: Path) -> None:
    """Draw the training metrics of runs over steps into a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    data = {run: [row for row in read_metrics(run) if row["kind"] == "train"] for run in runs}
    names = [name for name in CURVES if any(name in row for rows in data.values() for row in rows[:1])]
    lines = -(-len(names) // 4)
    figure, axes = plt.subplots(lines, 4, figsize=(12.8, 2.6 * lines), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        for run, rows in data.items():
            steps = np.array([row["step"] for row in rows])
            values = np.array([row.get(name) for row in rows], dtype=float)  # None, where it is no number, is NaN
            (line,) = axis.plot(steps, values, alpha=0.25, linewidth=0.8)
            window = max(1, len(values) // 10)
            smooth = np.convolve(values, np.ones(window) / window, mode="valid")
            axis.plot(steps[window - 1 :], smooth, color=line.get_color(), label=label(run, runs))
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


def pass_at_k_curves(panels: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]], out: Path) -> None:
    """Draw pass@k over k, a line and its 95 % band for each result, into a PNG.

    Args:
        panels: (title, name -> results), side by side; one name has one colour in all of them.
        out: the PNG.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(name for _, results in panels for name in results))
    figure, axes = plt.subplots(1, len(panels), figsize=(6.4 * len(panels), 4.2), squeeze=False, sharey=True)
    for axis, (title, results) in zip(axes.flat, panels, strict=True):
        for name, result in results.items():
            ks = [int(k) for k in result["pass@k"]]
            values = list(result["pass@k"].values())
            mean, low, high = ([100 * value[key] for value in values] for key in ("mean", "low", "high"))
            color = f"C{names.index(name) % 10}"
            axis.plot(ks, mean, marker="o", label=name, color=color)
            axis.fill_between(ks, low, high, color=color, alpha=0.15)
        axis.set_title(fill(title, 60), fontsize="medium")
        axis.set_xlabel("k")
        axis.set_ylabel("pass@k in %")
        axis.set_xticks(sorted({int(k) for result in results.values() for k in result["pass@k"]}))
        axis.set_ylim(0, 100)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120, format="png")
    plt.close(figure)


def results_of(run: Path, runs: Sequence[Path] = ()) -> dict[str, dict[str, Any]]:
    """Return the benchmark results in a run folder and below it: name -> results.

    The oldest comes first. Of a ``reproduce`` run these are its rows, in the order of its table; ablations, which have a
    table of their own, are left out.

    Args:
        run: the folder.
        runs: it and those it stands beside; names are told apart from theirs.
    """
    found = {}
    rows = list(paper_table.ROWS)

    def place(path: Path) -> tuple[bool, int, bool, float]:
        folder = path.relative_to(run).parts[0]
        known = folder in rows
        return (
            path.parent != run,
            rows.index(folder) if known else len(rows),
            path.parent.name == "greedy",
            0.0 if known else path.stat().st_mtime,
        )

    ablated = run / "ablations" if ablations_of(run) else None
    for path in sorted(run.rglob("results.json"), key=place):
        if ablated in path.parents:
            continue
        results = _read_json(path)
        if "pass@k" in results:
            found[name_of(path.parent, run, runs or [run])] = results
    return found


def all_results(runs: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the benchmark results of several runs, each under a name of its own."""
    return {name: results for run in runs for name, results in results_of(run, runs).items()}


def table_of(run: Path) -> dict[str, Any] | None:
    """Return the table a ``reproduce`` run ended with, or None; one of before budgets were written down is none."""
    table = _table_in(run)
    return table if table and paper_table.told_budgets(table) else None


def _table_in(run: Path) -> dict[str, Any] | None:
    path = run / "results.json"
    table = _read_json(path) if path.is_file() else {}
    return table if "rows" in table else None


def ablations_of(run: Path) -> dict[str, Any] | None:
    """Return the results of a ``reproduce`` run's ablations, or None."""
    path = run / "ablations" / "results.json"
    results = _read_json(path) if path.is_file() else {}
    # A benchmark may have been run into a folder of that name.
    return results if results and "pass@k" not in results else None


def tables_of(runs: Sequence[Path]) -> list[tuple[Path, Table]]:
    """Return the tables of ``reproduce`` runs and of their ablations, as far as they have them; equal budget first."""
    tables = {run: table for run in runs if (table := table_of(run))}
    ablated = {run: results for run in runs if (results := ablations_of(run))}
    return [
        *(
            (run, shown)
            for capped in (False, True)
            for run in tables
            for shown in paper_table.tables(tables[run], capped=capped)
        ),
        *((run, shown) for run, table in tables.items() if (shown := learnt.table(table))),
        *((run, ablations.table(results)) for run, results in ablated.items()),
    ]


def headlines(runs: Sequence[Path]) -> list[str]:
    """Return what each ``reproduce`` run says of one model and the team at equal budget, with its folder."""
    told = ((run, paper_table.headline(table)) for run in runs if (table := table_of(run)))
    return [f"{text} ({run})" for run, text in told if text]


def left_out_of(run: Path) -> str:
    """Return why a run's table is not shown, or nothing."""
    if paper_table.told_budgets(_table_in(run) or {"rows": {}}):
        return ""
    return (
        f"the table of {run} is left out: it was made before budgets were written down; codeduet reproduce on that folder "
        "makes it anew, and its results stand below"
    )


def trainings_by_budget(trainings: Sequence[Path]) -> list[tuple[str, list[Path]]]:
    """Return trainings as what can be compared, as :func:`by_budget` does results."""
    configs = {run: run / "config.yaml" for run in trainings}
    known = {str(run): {"config": read_yaml(str(path))} if path.is_file() else {} for run, path in configs.items()}
    return [(title, [Path(name) for name in of_budget]) for title, of_budget in by_budget(known)]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise InputError(f"{path} is not JSON ({error}): delete it; the command that wrote it makes it anew") from None
    if not isinstance(read, dict) or ("pass@k" in read and not read.keys() >= _RESULTS):
        raise InputError(f"{path} holds no results: delete it; the command that wrote it makes it anew")
    return read


def trainings_of(run: Path) -> list[Path]:
    """Return the folders of training runs at a run folder and below it."""
    return sorted(path.parent for path in run.rglob("metrics.jsonl") if read_metrics(path.parent))


def write_report(
    runs: list[Path], out: Path, *, samples: int = SAMPLES, say: Callable[[str], None] = lambda line: None
) -> list[Path]:
    """Write ``report.html``, ``report.md`` and the pictures into ``out``; return what was written.

    Args:
        runs: folders of trainings, benchmarks or ``reproduce`` runs; several are laid over each other.
        out: a folder; made where there is none.
        samples: of each problem, at most, among the page's transcripts; 0 is all.
        say: called with a line on each samples file that had to be left out.

    Raises:
        InputError: a folder holds nothing to report, or ``out`` cannot be made.
    """
    for run in runs:
        check_run(run)
    make_folder(out)
    results = all_results(runs)
    trained = [training for run in runs for training in trainings_of(run)]
    sections: list[Section] = []
    written: list[Path] = []
    left_out = [line for run in runs if (line := left_out_of(run))]
    sections += [Section("What holds at equal budget", text) for text in headlines(runs)]
    sections += [_as_section(shown, str(run)) for run, shown in tables_of(runs)]
    sampled = {name: result for name, result in results.items() if result["n"] > 1}
    if sampled:
        written.append(out / "pass_at_k.png")
        panels = by_budget(sampled)
        pass_at_k_curves(panels, written[-1])
        titles = [title for title, _ in panels if title]
        note = "95 % intervals over problems."
        sections.append(
            Section(": ".join(["pass@k", *(["; ".join(titles)] if titles else [])]), note, image=written[-1])
        )
    sections += [_as_section(comparison_table(of_budget, title), "") for title, of_budget in by_budget(results)]
    for number, (title, of_budget) in enumerate(trainings_by_budget(trained)):
        written.append(out / f"learning_curve{'' if not number else f'_{number + 1}'}.png")
        learning_curve(of_budget, written[-1])
        note = " ".join(["Each metric of training over steps, and its moving average.", *map(_stands, of_budget)])
        sections.append(Section(". ".join(filter(None, (title, "Learning curves"))), note, image=written[-1]))
    if trained:
        sections.append(sign_section(trained))
    transcripts = read_transcripts(runs, samples)
    sections += side_by_side(runs, transcripts)
    left_out += transcripts.left_out
    if left_out:
        sections.append(Section("Left out", signs=[(line, False) for line in left_out]))
    for line in left_out:
        say(line)
    (out / "report.md").write_text(_markdown(sections, out), encoding="utf-8")
    write_page(out / "report.html", sections, transcripts)
    return [*written, out / "report.md", out / "report.html"]


def _stands(training: Path) -> str:
    return f"{standing(training)}."


def _as_section(table: Table, note: str) -> Section:
    """Return a table of the terminal as a part of the page."""
    columns = [str(column.header) for column in table.columns]
    rows = [list(cells) for cells in zip(*([str(cell) for cell in c.cells] for c in table.columns), strict=True)]
    note = ". ".join(str(part) for part in (note, table.caption) if part)
    return Section(str(table.title), note, {"columns": columns, "rows": rows})


def _markdown(sections: list[Section], folder: Path) -> str:
    """Return the same as Markdown, its pictures beside it."""
    parts = ["# CodeDuet report"]
    for section in sections:
        parts.append(f"## {section.title}")
        if section.note:
            parts.append(section.note)
        if section.table:
            lines = [section.table["columns"], ["---"] * len(section.table["columns"]), *section.table["rows"]]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        if section.signs:
            parts.append("\n".join(f"- {text}" for text, _ in section.signs))
        if section.pairs:
            parts.append("What was written is in [report.html](report.html).")
            parts.append("\n".join(f"- {pair.line}" for pair in section.pairs))
        if section.image is not None:
            parts.append(f"![{section.title}]({section.image.relative_to(folder)})")
    return "\n\n".join(parts) + "\n"


def comparison_table(results: dict[str, dict[str, Any]], title: str = "") -> Table:
    """Return benchmark results side by side, in per cent with 95 % intervals; ``title`` says at what budget."""
    table = Table(title=". ".join(filter(None, (title, "pass@k and rates in %, 95 % intervals over problems"))))
    table.add_column("")
    for name in results:
        table.add_column(Text(name), justify="right")  # a folder's name, whose brackets are no markup
    for section in ("pass@k", "rates"):
        keys = dict.fromkeys(key for result in results.values() for key in result[section])
        for key in keys:
            title = f"pass@{key}" if section == "pass@k" else key.replace("_", " ")
            scale, digits = (1, 3) if key in ("reward", "helper_gain") else (100, 1)
            cells = []
            for result in results.values():
                value = result[section].get(key)
                cells.append(
                    f"{value['mean'] * scale:.{digits}f}  ({value['low'] * scale:.{digits}f} - "
                    f"{value['high'] * scale:.{digits}f})"
                    if value
                    else "-"
                )
            table.add_row(title, *cells)
        table.add_section()
    return table


def comparison_tables(results: dict[str, dict[str, Any]], width: int) -> list[Table]:
    """Return :func:`comparison_table` for every comparison of budgets, cut into what ``width`` characters have room for."""
    at_once = max(1, (width - _LABEL_WIDTH) // _RESULT_WIDTH)
    return [
        comparison_table({name: of_budget[name] for name in list(of_budget)[start : start + at_once]}, title)
        for title, of_budget in by_budget(results)
        for start in range(0, len(of_budget), at_once)
    ]


def each_once(runs: Sequence[Path]) -> list[Path]:
    """Return runs without those that are named a second time, by whatever path."""
    return list({run.resolve(): run for run in runs}.values())


def told(runs: Sequence[Path], width: int) -> Iterator[str | Table]:
    """Return what the command line says of runs: where trainings stand, what looks wrong, and the results.

    Args:
        runs: folders of trainings, benchmarks or ``reproduce`` runs.
        width: characters of a line.
    """
    yield from headlines(runs)
    for training in (training for run in runs for training in trainings_of(run)):
        yield standing(training)
        gain = reward_gain(read_metrics(training))
        change = f"{gain.mean:+.3f} (95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
        if np.isnan(gain.mean):
            change = "cannot be told from under 20 steps"
        yield f"{training}: mean reward of the last tenth of training less the first: {change}"
        yield from sign_lines(training)
    for run, table in tables_of(runs):
        yield str(run)
        yield table
    yield from comparison_tables(all_results([run for run in runs if not table_of(run)]), width)


def check_run(run: Path) -> None:
    """Refuse a folder that holds neither training metrics nor benchmark results.

    Raises:
        InputError: there is nothing to report.
    """
    if not run.is_dir():
        raise InputError(f"no run folder {run}")
    if not trainings_of(run) and not results_of(run):
        if command_of(run) == "train" and at_work(run):
            raise InputError(f"{run}: its training runs, and no step of it is finished yet: ask again later")
        raise InputError(f"{run} holds neither metrics.jsonl nor results.json: nothing to report")
