"""Does a program get the same outcome each time, with somebody else busy on every core?

    python -m codeduet.benchmarks.verdict.corpora.determinism [--passes 20] [--programs 500] [--out FILE]

Judges the same mixed programs (canonical solutions, mutants, forged, exhausting and odd ones) ``--passes`` times, each
time in another order, while one process per core does nothing but work. Outcomes must be equal in everything but
measured time and memory; a CPU and a wall-clock time-out count as one. Exits with status 1 if one differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from codeduet.benchmarks.verdict import save
from codeduet.benchmarks.verdict.corpora import exhaustion, forged, odd, verdict
from codeduet.benchmarks.verdict.mutants import mutants
from codeduet.envs import Executor, Outcome, Program, load_problems
from codeduet.screen import run_script

_TIMED_OUT = 12
"""Programs among them that are ended by a time-out: each takes seconds, a pass."""


def mixed_programs(count: int, seed: int = 0) -> list[tuple[str, Program]]:
    """Return ``count`` named programs of all kinds, with few that loop or wait."""
    problems = load_problems()
    by_id = {problem.task_id: problem for problem in problems}
    named = [(f"canonical {problem.task_id}", Program.of(problem, main_0=problem.reference)) for problem in problems]
    named += [
        (f"mutant {index}", Program.of(mutant.problem, main_0=mutant.main_code))
        for index, mutant in enumerate(mutants(problems, 120, seed))
    ]
    timed_out = 0
    for corpus, cases in {"odd": odd.CASES, "forged": forged.CASES, "exhausting": exhaustion.CASES}.items():
        for case in cases:
            if {"cpu", "wall"} & set(case.expects):
                timed_out += 1
                if timed_out > _TIMED_OUT or len(case.expects) > 1:  # near two limits: which one ends it is chance
                    continue
            named.append(
                (f"{corpus} {case.name}", Program.of(by_id[case.task_id], helper_0=case.helper, main_0=case.main))
            )
    loops = [entry for entry in named if any(word in entry[0] for word in ("hangs", "loops", "immortal"))]
    named = [entry for entry in named if entry not in loops]
    random.Random(seed).shuffle(named)
    return named[:count]


def comparable(outcome: Outcome) -> Outcome:
    """Return the outcome with its time-outs of either clock made one."""
    if outcome.timed_out:
        return dataclasses.replace(outcome, limit="cpu", error="TimeoutError")
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge again and again; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.corpora.determinism", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--passes", type=int, default=20, help="how often (default: %(default)s)")
    parser.add_argument("--programs", type=int, default=500, help="how many (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the counts to this JSON file")
    options = parser.parse_args(arguments)
    named = mixed_programs(options.programs)
    neighbours = [
        multiprocessing.get_context("spawn").Process(target=_work, daemon=True) for _ in range(os.cpu_count() or 1)
    ]
    for neighbour in neighbours:
        neighbour.start()
    began = time.monotonic()
    seen: dict[str, dict[Outcome, int]] = {name: Counter() for name, _ in named}
    try:
        with Executor() as executor:
            for index in track(range(options.passes), description="passes"):
                order = random.Random(index).sample(named, len(named))
                outcomes = executor.judge_many(program for _, program in order)
                for (name, _), outcome in zip(order, outcomes, strict=True):
                    seen[name][comparable(outcome)] += 1
    finally:
        for neighbour in neighbours:
            neighbour.terminate()
    different = {name: variants for name, variants in seen.items() if len(variants) > 1}
    for name, variants in different.items():
        print(f"{name}: {len(variants)} outcomes")
        for outcome, times in variants.items():
            print(f"  {times}x {verdict(outcome)}, {outcome.passed}/{outcome.total} {outcome.error}")
    record: dict[str, Any] = {
        "passes": options.passes,
        "programs": len(named),
        "verdicts": dict(Counter(verdict(next(iter(variants))) for variants in seen.values()).most_common()),
        "different": sorted(different),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(record))
    save(record, options.out)
    return int(bool(different))


def _work() -> None:
    while True:
        pass


if __name__ == "__main__":
    run_script(main)
