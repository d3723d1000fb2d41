"""What the agents wrote before and after a training, on the same test problems, as parts of the report page.

Which pairs are shown is a rule that knows nothing of what is in them, and stands on the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codeduet.benchmarks.learnt import BEFORE
from codeduet.benchmarks.page import Pair, Section, Transcripts, label, name_of
from codeduet.benchmarks.paper_table import ROWS
from codeduet.runs import command_of

PAIRS = 20
"""Pairs shown of each training, at most."""


def side_by_side(runs: Sequence[Path], transcripts: Transcripts) -> list[Section]:
    """Return a part of the page for each trained row whose untrained players' samples are there too; MAGRPO's comes first.

    Args:
        runs: run folders; those of other commands than ``reproduce`` have no such rows.
        transcripts: of these runs.
    """
    trained = sorted(BEFORE, key=lambda name: name != "magrpo")
    tables = [run for run in runs if command_of(run) == "reproduce"]
    made = [_section(name, run, runs, transcripts) for run in tables for name in trained]
    return [section for section in made if section]


def spread(count: int, most: int = PAIRS) -> list[int]:
    """Return at most ``most`` places spread evenly over ``count``, the first among them."""
    shown = min(count, most)
    return [place * count // shown for place in range(shown)]


def _section(trained: str, run: Path, runs: Sequence[Path], transcripts: Transcripts) -> Section | None:
    then, now = (_first_samples(run / name, run, runs, transcripts.samples) for name in (BEFORE[trained], trained))
    both = [task for known in transcripts.prompts.values() for task in known if task in then and task in now]
    if not both:
        return None
    chosen = [both[place] for place in spread(len(both))]
    verdicts = {task: [_verdict(transcripts.samples[of[task]]) for of in (then, now)] for task in chosen}
    pairs = [Pair(then[task], now[task], f"{task}: {' -> '.join(verdicts[task])}") for task in chosen]
    counted = Counter(map(tuple, verdicts.values()))
    came_to = "; ".join(f"{many} {' -> '.join(change)}" for change, many in counted.most_common())
    title = f"Before and after training: {ROWS[BEFORE[trained]].head} beside {ROWS[trained].head}"
    where = f" ({label(run, runs)})" if len(runs) > 1 else ""
    own = ", at the team's budget" if ROWS[trained].team_budget else ""
    note = (
        f"Sample 0 of {len(chosen)} problems, spread evenly over the {len(both)} test problems that both rows answered, in the "
        f"order of the problem set; what was written has no say in which. Before -> after: {came_to}."
    )
    return Section(f"{title}{own}{where}", note, pairs=pairs)


def _first_samples(
    folder: Path, run: Path, runs: Sequence[Path], samples: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Return the place among the page's samples of a row's sample 0 of each task."""
    name = name_of(folder / "samples", run, runs)
    return {of["task"]: place for place, of in enumerate(samples) if of["row"] == name and of["sample"] == 0}


def _verdict(sample: Mapping[str, Any]) -> str:
    return {True: "passed", False: "failed", None: "not judged"}[sample["passed"]]
