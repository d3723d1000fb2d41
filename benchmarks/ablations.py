"""Is it coordination? MAGRPO with one agent frozen, and without helper's code, beside a finished reproduction.

    codeduet ablate runs/reproduce-embedded-sound-seed0

Writes ``ablations/`` in the run folder: what is trained anew, samples, and ``results.json``. Started again, it goes on.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from codeduet.algorithms.show import make_progress
from codeduet.benchmarks.estimators import paired_difference
from codeduet.benchmarks.paper_table import ROWS, RowName, interval_cell
from codeduet.benchmarks.pass_at_k import bench
from codeduet.benchmarks.reproduce import open_run, train
from codeduet.benchmarks.table_plan import ReproduceConfig, bench_config, train_config
from codeduet.envs import HELPER, MAIN, InputError
from codeduet.files import locked, write_whole
from codeduet.runs import command_of, read_config


class Ablation(NamedTuple):
    """What is taken away.

    Attributes:
        title: in the table.
        row: whose weights play: ``"magrpo"``, or ``"multi_agent"``, which is untrained.
        frozen: agents that do not learn; none is the reproduction's own training.
        blank: what is emptied at evaluation; an agent is silent, its code neither seen nor joined.
    """

    title: str
    row: RowName
    frozen: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()


ABLATIONS = {
    "magrpo": Ablation("MAGRPO", "magrpo"),
    "helper_frozen": Ablation("helper frozen", "magrpo", frozen=(HELPER,)),
    "main_frozen": Ablation("main frozen", "magrpo", frozen=(MAIN,)),
    "helper_silent": Ablation("helper silent", "magrpo", blank=(HELPER,)),
    "untrained": Ablation("untrained", "multi_agent"),
    "untrained_silent": Ablation("untrained, silent", "multi_agent", blank=(HELPER,)),
}


_UNKNOWN = "tokens an answer that were not written down"
"""What stands in the title of ablations made before budgets were written down."""


def ablate(run: Path, *, console: Console | None = None) -> dict[str, Any]:
    """Do what is left and return what ``results.json`` holds.

    Args:
        run: folder of a finished reproduction.
        console: where progress is shown.

    Raises:
        InputError: the folder holds no finished reproduction, or was moved.
    """
    if command_of(run) != "reproduce" or not (run / "results.json").is_file():
        raise InputError(f"{run} holds no finished reproduction: codeduet reproduce --out {run}")
    with locked(run):
        config = open_run(replace(read_config(ReproduceConfig, run), out=str(run)))
        rows: dict[str, dict[str, Any]] = {}
        with make_progress(console or Console(markup=False), Progress) as progress:
            for name, ablation in ABLATIONS.items():
                rows[name] = _measure(config, name, ablation, progress)
        results = {
            name: {
                "title": ABLATIONS[name].title,
                "tokens an answer": config.sampling.max_new_tokens,
                **{key: row[key] for key in ("pass@k", "rates", "problems")},
                "pass@1 less MAGRPO's": paired_difference(row, rows["magrpo"], seed=config.seed)._asdict(),
            }
            for name, row in rows.items()
        }
        write_whole(run / "ablations" / "results.json", json.dumps(results, indent=2) + "\n")
    return results


def _measure(config: ReproduceConfig, name: str, ablation: Ablation, progress: Progress) -> dict[str, Any]:
    measured = bench_config(config, ROWS[ablation.row])
    folder = Path(config.out) / "ablations" / name
    if ablation.frozen:
        training = replace(
            train_config(config, ROWS[ablation.row]), out=str(folder / "train"), frozen=list(ablation.frozen)
        )
        train(training, progress)
        measured = replace(measured, checkpoint=training.out)
    if ablation.frozen or ablation.blank:
        measured = replace(measured, out=str(folder / "samples"), blank=list(ablation.blank))
    return bench(measured, progress=progress)


def table(results: dict[str, Any]) -> Table:
    """Return the table: pass@k, what is lost, how often main calls helper's code and what that gains in reward.

    In per cent, reward aside, with intervals of 95 %.
    """
    row = next(iter(results.values()))
    # Runs of before budgets were written down: codeduet ablate makes their table anew, and trains nothing again.
    budget = f"{row['tokens an answer']} tokens an answer" if "tokens an answer" in row else _UNKNOWN
    first, *others = row["pass@k"]
    made = Table(  # of 80 columns
        title=f"Ablations at {budget}: what MAGRPO's pass@1 loses (silent: helper blanked)",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("")
    for column in (f"pass@{first}", *(f"@{k}" for k in others[-1:]), "less MAGRPO's", "called", "gain"):
        made.add_column(column, justify="right")
    for row in results.values():
        made.add_row(
            row["title"],
            interval_cell(row["pass@k"][first], digits=0),
            *(f"{100 * row['pass@k'][k]['mean']:.1f}" for k in others[-1:]),
            interval_cell(row["pass@1 less MAGRPO's"], sign="+", digits=0),
            f"{100 * row['rates']['helper_called']['mean']:.1f}",
            f"{row['rates']['helper_gain']['mean']:+.3f}",
        )
    return made
