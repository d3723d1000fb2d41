"""A comparison of systems for the terminal, for papers (Markdown, CSV, LaTeX) and as pictures (PNG, SVG, PDF)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from codeduet.benchmarks.compare import Comparison
from codeduet.benchmarks.estimators import Interval
from codeduet.envs import InputError
from codeduet.files import make_folder, write_whole

PICTURES = ("png", "svg", "pdf")


class Grid(NamedTuple):
    """A table of text.

    Attributes:
        title: what stands above it.
        columns: headings; the first is of the rows' names.
        rows: a cell a column.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]


def grids(comparison: Comparison) -> list[Grid]:
    """Return the two tables: the systems, and their differences."""
    ks = list(next(iter(comparison.systems.values())))
    systems = Grid(
        f"pass@k in %, 95 % intervals over {comparison.problems} problems",
        ["system", "samples", *(f"pass@{k}" for k in ks)],
        [
            [name, str(comparison.samples[name]), *(_cell(of_k[k]) for k in ks)]
            for name, of_k in comparison.systems.items()
        ],
    )
    several = len(comparison.differences) > 1
    differences = Grid(
        "Paired differences in points, 95 % bootstrap intervals; exact sign test at k = 1"
        + (f", p by Holm over {len(comparison.differences)}" if several else ""),
        ["difference", *(f"pass@{k}" for k in ks), "more / less / equal", "p", *(["p (Holm)"] if several else [])],
        [
            [
                f"{found.system} less {found.other}",
                *(_cell(found.of_k[k], sign="+") for k in ks),
                f"{found.wins} / {found.losses} / {found.ties}",
                _p(found.p),
                *([_p(found.p_holm)] if several else []),
            ]
            for found in comparison.differences
        ],
    )
    return [systems, differences]


def _cell(value: Interval, sign: str = "") -> str:
    bounds = value.bounds(sign=sign, to=" to ")
    return f"{100 * value.mean:{sign}.1f} ({'no interval' if bounds == 'none' else bounds})"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def terminal_table(grid: Grid) -> Table:
    """Return a table of the terminal."""
    table = Table(title=Text(grid.title))
    for number, column in enumerate(grid.columns):
        table.add_column(Text(column), justify="right" if number else "left")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table


def markdown(comparison: Comparison) -> str:
    """Return both tables and the notes as Markdown."""
    parts = []
    for grid in grids(comparison):
        lines = [grid.columns, ["---", *["---:"] * (len(grid.columns) - 1)], *grid.rows]
        cells = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in line] for line in lines]
        parts += [f"**{grid.title}**", "\n".join(f"| {' | '.join(line)} |" for line in cells)]
    parts += [f"* {note}" for note in comparison.notes]
    return "\n\n".join(parts) + "\n"


def latex(comparison: Comparison) -> str:
    """Return both tables as LaTeX that needs no package."""
    parts = []
    for grid in grids(comparison):
        body = [" & ".join(map(_escaped, line)) + r" \\" for line in (grid.columns, *grid.rows)]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    r"\centering",
                    rf"\caption{{{_escaped(grid.title)}}}",
                    rf"\begin{{tabular}}{{l{'r' * (len(grid.columns) - 1)}}}",
                    r"\hline",
                    body[0],
                    r"\hline",
                    *body[1:],
                    r"\hline",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def csv_rows(comparison: Comparison) -> str:
    """Return a line for each system or difference and each k, with numbers as they are, as CSV."""
    told = io.StringIO()
    table = csv.writer(told, lineterminator="\n")
    table.writerow(
        ["system", "less", "k", "mean", "low", "high", "problems", "more", "less often", "equal", "p", "p_holm"]
    )
    for name, of_k in comparison.systems.items():
        for k, value in of_k.items():
            table.writerow([name, "", k, *value, comparison.problems, *[""] * 5])
    for found in comparison.differences:
        for k, value in found.of_k.items():
            test: list[Any] = [found.wins, found.losses, found.ties, found.p, found.p_holm] if k == 1 else [""] * 5
            table.writerow([found.system, found.other, k, *value, comparison.problems, *test])
    return told.getvalue()


def write_comparison(comparison: Comparison, out: Path, pictures: Sequence[str] = ("png",)) -> list[Path]:
    """Write ``comparison.md``, ``.csv``, ``.tex``, ``.json`` and two pictures into a folder; return what was written.

    Args:
        comparison: what is told.
        out: the folder; made where there is none.
        pictures: kinds of pictures, of ``png``, ``svg`` and ``pdf``.

    Raises:
        InputError: there is no such kind of picture, or the folder cannot be made.
    """
    for picture in pictures:
        if picture not in PICTURES:
            raise InputError(f"unknown picture {picture!r}: choose {', '.join(PICTURES)}")
    make_folder(out)
    texts = {
        "md": markdown(comparison),
        "csv": csv_rows(comparison),
        "tex": latex(comparison),
        "json": json.dumps(_plain(comparison), indent=2) + "\n",
    }
    written = []
    for kind, text in texts.items():
        write_whole(out / f"comparison.{kind}", text)
        written.append(out / f"comparison.{kind}")
    for picture in pictures:
        written += [out / f"pass_at_k.{picture}", out / f"differences.{picture}"]
        _draw_systems(comparison, written[-2])
        _draw_differences(comparison, written[-1])
    return written


def _plain(comparison: Comparison) -> dict[str, Any]:
    def of(values: dict[int, Interval]) -> dict[str, Any]:
        return {str(k): value._asdict() for k, value in values.items()}

    return {
        **comparison._asdict(),
        "systems": {name: of(values) for name, values in comparison.systems.items()},
        "differences": [{**found._asdict(), "of_k": of(found.of_k)} for found in comparison.differences],
    }


def _draw_systems(comparison: Comparison, out: Path) -> None:
    """Draw pass@k over k, a line and its 95 % band for each system."""
    plt = _pyplot()
    figure, axis = plt.subplots(figsize=(5.0, 3.6))
    for name, of_k in comparison.systems.items():
        ks = list(of_k)
        mean, low, high = ([100 * value[part] for value in of_k.values()] for part in range(3))
        (line,) = axis.plot(ks, mean, marker="o", label=name)
        axis.fill_between(ks, low, high, color=line.get_color(), alpha=0.15)
    axis.set_xlabel("k")
    axis.set_ylabel("pass@k in %")
    axis.set_xticks(ks)
    axis.set_ylim(0, 100)
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    _save(plt, figure, out)


def _draw_differences(comparison: Comparison, out: Path) -> None:
    """Draw each paired difference with its 95 % interval, below each other, a colour for each k."""
    plt = _pyplot()
    ks = list(next(iter(comparison.systems.values())))
    count = len(comparison.differences)
    figure, axis = plt.subplots(figsize=(6.0, 1.2 + 0.28 * count * max(len(ks), 2)))
    for position, k in enumerate(ks):
        values = [found.of_k[k] for found in comparison.differences]
        heights = [-row + 0.6 * (0.5 - (position + 0.5) / len(ks)) for row in range(count)]
        axis.errorbar(
            [100 * value.mean for value in values],
            heights,
            xerr=[
                # A percentile interval of few values need not hold their mean.
                [max(0.0, 100 * (value.mean - value.low)) for value in values],
                [max(0.0, 100 * (value.high - value.mean)) for value in values],
            ],
            fmt="o",
            capsize=3,
            label=f"pass@{k}",
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks([-row for row in range(count)], [f"{d.system} less {d.other}" for d in comparison.differences])
    axis.set_ylim(-count + 0.4, 0.6)
    axis.set_xlabel("paired difference in points, 95 % interval")
    axis.grid(alpha=0.3, axis="x")
    axis.legend(fontsize="small")
    _save(plt, figure, out)


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _save(plt: Any, figure: Any, out: Path) -> None:
    figure.tight_layout()
    # A figure made again from the same results is the same file.
    stamp = {"Date": None} if out.suffix == ".svg" else {"CreationDate": None} if out.suffix == ".pdf" else {}
    with plt.rc_context({"svg.hashsalt": "codeduet", "pdf.fonttype": 42}):
        figure.savefig(out, dpi=150, format=out.suffix[1:], metadata=stamp)
    plt.close(figure)
