"""What each algorithm learns: algorithm x probe x sharing.

    make matrix
    python -m codeduet.benchmarks.probes.matrix --out FILE.json

Each cell is played with several seeds; it is solved where most of them are, and its episodes are the median over seeds, one
that was not solved counting as all that were played. The last rows are controls: programs are paid what others earned, and
nobody should solve anything. Games that are played stand in ``FILE.json.part`` until all are; started again, it goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codeduet.agents.config import Sharing
from codeduet.benchmarks.probes.games import PROBES, Probe
from codeduet.benchmarks.probes.play import GROUP, play_probe
from codeduet.envs.roles import agents_of
from codeduet.errors import InputError
from codeduet.files import json_line, make_folder, read_run_rows, write_whole
from codeduet.screen import run_script

_COMPARED = "blame"
"""The game whose numbers of episodes are compared, and not only whether it is solved: it has two seeds more."""

_TREE = 4
"""Branches of a tree's levels; its square is a group."""


class Entry(NamedTuple):
    """An algorithm with its options, as a row of the table."""

    title: str
    algorithm: str
    options: Mapping[str, Any]

    def for_probe(self, probe: Probe) -> dict[str, Any]:
        """Return its options for a game, whose turns and agents a tree must fit."""
        made: dict[str, Any] = {"entropy": ENTROPY * probe.stake, **self.options}
        if made.get("credit") == "turns" and "widths" not in self.options:
            made["widths"] = [_TREE] * probe.turns if probe.turns > 1 else [GROUP]
        if made.get("credit") == "cross" and "widths" not in self.options:
            made["widths"] = [_TREE] * len(agents_of(probe.roles)) * probe.turns
        return made


ENTROPY = 0.1
"""The bonus of all of them, times what a letter is worth in the game: a language of letters is lost before it is found where
policies grow sure too soon, and with more than that none grows as sure as a solved game wants."""

ENTRIES = (
    Entry("reinforce", "reinforce", {}),
    Entry("reinforce, batch mean", "reinforce", {"baseline": "batch"}),
    Entry("reinforce, running mean", "reinforce", {"baseline": "running"}),
    Entry("rloo", "rloo", {}),
    Entry("grpo", "grpo", {}),
    Entry("dr_grpo", "dr_grpo", {}),
    Entry("dapo", "dapo", {}),
    Entry("gspo", "gspo", {}),
    Entry("magrpo", "magrpo", {}),
    Entry("magrpo, nested", "magrpo", {"credit": "nested", "mains": _TREE}),
    Entry("c3", "c3", {"mains": _TREE}),
    Entry("magrpo, turns", "magrpo", {"credit": "turns"}),
    Entry("magrpo, cross", "magrpo", {"credit": "cross"}),
    Entry("ippo", "ippo", {}),
    Entry("mappo", "mappo", {}),
)


class Cell(NamedTuple):
    """One game of one seed."""

    entry: Entry
    probe: str
    sharing: Sharing
    seed: int
    shuffled: bool = False


def play_cell(cell: Cell) -> dict[str, Any]:
    """Play a cell and return how it went, as JSON types."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    began = time.perf_counter()
    probe = PROBES[cell.probe]
    try:
        played = play_probe(
            probe, cell.entry.algorithm, cell.entry.for_probe(probe), sharing=cell.sharing, seed=cell.seed,
            shuffled=cell.shuffled,
        )._asdict()  # fmt: skip
    except InputError as error:
        played = {"solved": None, "episodes": 0, "reward": None, "why": str(error)}
    return {
        "algorithm": cell.entry.title,
        "probe": cell.probe,
        "sharing": cell.sharing,
        "seed": cell.seed,
        "shuffled": cell.shuffled,
        **played,
        "seconds": round(time.perf_counter() - began, 1),
    }


def cell_key(cell: Cell) -> tuple[Any, ...]:
    """Return what tells a cell from others."""
    return cell.entry.title, cell.probe, cell.sharing, cell.seed, cell.shuffled


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["algorithm"], row["probe"], row["sharing"], row["seed"], row["shuffled"]


def summed_up(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a cell of rows a seed."""

    def cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return row["algorithm"], row["probe"], row["sharing"], row["shuffled"]

    told = []
    for key, members in itertools.groupby(rows, cell):
        of_cell = list(members)
        played = [row for row in of_cell if row["solved"] is not None]
        told.append(
            dict(zip(("algorithm", "probe", "sharing", "shuffled"), key, strict=True))
            | {
                "solved": sum(row["solved"] for row in played),
                "seeds": len(played),
                "episodes": statistics.median(row["episodes"] for row in played) if played else None,
                "reward": round(statistics.median(row["reward"] for row in played), 3) if played else None,
                "why": of_cell[0]["why"],
            }
        )
    return told


def table(rows: Iterable[Mapping[str, Any]], sharing: str) -> Table:
    """Return the table of one sharing: algorithms down, games across, in each cell seeds that solved it and episodes."""
    mine = [row for row in rows if row["sharing"] == sharing]
    made = Table(title=f"sharing={sharing}: seeds that solve it, median episodes")
    made.add_column("")
    for name in PROBES:
        made.add_column(name, justify="right")
    for algorithm, shuffled in dict.fromkeys((row["algorithm"], row["shuffled"]) for row in mine):
        cells = {row["probe"]: row for row in mine if (row["algorithm"], row["shuffled"]) == (algorithm, shuffled)}
        texts = [cell_text(cells[name]) if name in cells else "" for name in PROBES]
        made.add_row(algorithm + (", shuffled" if shuffled else ""), *texts)
    return made


def cell_text(row: Mapping[str, Any]) -> str:
    """Return a cell in a few signs."""
    if not row["seeds"]:
        return "-"
    return f"{row['solved']}/{row['seeds']} {row['episodes']:,.0f}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file of all cells")
    parser.add_argument(
        "--seeds", type=int, default=3, help=f"of a cell (default: 3; of {_COMPARED}, whose episodes are compared, 5)"
    )
    parser.add_argument("--sharing", nargs="*", choices=get_args(Sharing), default=list(get_args(Sharing)))
    parser.add_argument("--only", nargs="*", default=[], help="titles of algorithms")
    parser.add_argument("--probes", nargs="*", choices=list(PROBES), default=list(PROBES))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    entries = [entry for entry in ENTRIES if not options.only or entry.title in options.only]
    cells = [
        Cell(entry, probe, sharing, seed)
        for sharing in options.sharing
        for entry in entries
        for probe in options.probes
        for seed in range(options.seeds + (2 if probe == _COMPARED else 0))
    ]
    controls = [
        Cell(entry, probe, "separate", 0, shuffled=True)
        for entry in entries
        for probe in options.probes
        if "separate" in options.sharing
    ]
    console = Console()
    part = options.out.with_name(options.out.name + ".part")
    rows = [*read_run_rows(part)] if part.is_file() else []
    played = {_key(row): row for row in rows}
    left = [cell for cell in (*cells, *controls) if cell_key(cell) not in played]
    make_folder(options.out.parent)
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool, part.open("a") as file:
        for row in track(pool.map(play_cell, left), "matrix", len(left), console=console):
            file.write(json_line(row))
            file.flush()
            played[_key(row)] = row
    rows = [played[cell_key(cell)] for cell in (*cells, *controls)]
    told = summed_up(rows)
    write_whole(options.out, json.dumps({"cells": told, "rows": rows}, indent=1) + "\n")
    part.unlink()
    for sharing in options.sharing:
        console.print(table(told, sharing))


if __name__ == "__main__":
    run_script(main)
