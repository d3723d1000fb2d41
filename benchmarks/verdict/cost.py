"""What does a verdict cost, and how does that compare with OpenAI's checker?

    python -m codeduet.benchmarks.verdict.cost [--rounds 5] [--workers 2] [--out FILE]

Judges the 164 canonical solutions of HumanEval by both, in turn, ``--rounds`` times each, with the same number of
programs at a time, and prints medians:

* processor time a program, of this process and of all the pool's (the machine's own speed moves it: the same solutions
  executed bare, in one process without limit or isolation, are the floor);
* programs a second beside the checker's, from a small caller and from one that holds 2 GB;
* programs a second with every twentieth in an endless loop, over what the machine's cores could do at best:
  cores / (0.05 x CPU limit + 0.95 x processor time of a plain program).
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codeduet.benchmarks.verdict import save
from codeduet.benchmarks.verdict.checker import check_many
from codeduet.envs import Executor, Limits, Program, load_problems
from codeduet.envs.execution.instrument import run_trusted
from codeduet.screen import run_script

BALLAST = 2 << 30
LOOPING = 20
"""One program in so many loops."""


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.cost", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="programs at a time, for both (default: %(default)s)")
    parser.add_argument("--large", type=int, default=24, help="programs a round from the large caller, of the checker")
    parser.add_argument("--mixed", type=int, default=600, help="programs of the run with loops (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args(arguments)
    programs = [Program.of(problem, main_0=problem.reference) for problem in load_problems()]
    record: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "workers": options.workers,
        "rounds": options.rounds,
    }
    with Executor(options.workers) as executor:
        record["isolation"], record["programs' python"] = executor.start()
        judge_all(executor, programs)
        record["small caller"] = compare(executor, programs, programs, options)
    record["floor_ms"] = round(floor(programs), 2)
    cost = record["small caller"]["cpu_ms"] / 1000
    record["loops"] = with_loops(programs, options.mixed, cost)
    # Last: memory that was used once may stay with the process.
    ballast = bytearray(os.urandom(1 << 20)) * (BALLAST >> 20)
    with Executor(options.workers) as executor:
        judge_all(executor, programs)
        record["caller of 2 GB"] = compare(executor, programs, programs[:: len(programs) // options.large], options)
    assert len(ballast) == BALLAST
    report(record, say)
    save(record, options.out)


def compare(
    executor: Executor, programs: Sequence[Program], fewer: Sequence[Program], options: argparse.Namespace
) -> dict[str, Any]:
    """Judge by both in turn; the checker gets ``fewer`` programs where each takes it long."""
    ours, theirs, cpu = [], [], []
    for _ in range(options.rounds):
        began, used = time.perf_counter(), cpu_seconds(executor)
        judge_all(executor, programs)
        ours.append(len(programs) / (time.perf_counter() - began))
        cpu.append((cpu_seconds(executor) - used) / len(programs) * 1000)
        began = time.perf_counter()
        said = check_many(fewer, options.workers)
        theirs.append(len(fewer) / (time.perf_counter() - began))
        if set(said) != {"passed"}:
            raise SystemExit(f"OpenAI's checker failed canonical solutions: {set(said)}")
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "cpu_ms": round(statistics.median(cpu), 2),
        "cpu_ms of each round": [round(value, 2) for value in cpu],
        "programs_per_s": round(statistics.median(ours), 1),
        "checker_programs_per_s": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio of each round": [round(value, 2) for value in ratios],
    }


def judge_all(executor: Executor, programs: Sequence[Program]) -> None:
    """Judge canonical solutions, which must all pass."""
    if not all(outcome.solved for outcome in executor.judge_many(programs)):
        raise SystemExit("a canonical solution was not solved")


def cpu_seconds(executor: Executor) -> float:
    """Return the processor time so far of this process and of the pool, programs included."""
    ticks = 0
    for pid in executor.worker_pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # user, system, and both of the children it has waited for
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def floor(programs: Sequence[Program]) -> float:
    """Return the milliseconds a program takes when it is merely executed with its tests."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        for problem, *_ in programs:
            run_trusted(
                f"{problem.prompt}{problem.canonical_solution}\n{problem.tests}\ncheck({problem.entry_point})\n"
            )
        rounds.append((time.process_time() - began) / len(programs) * 1000)
    return statistics.median(rounds)


def with_loops(programs: Sequence[Program], count: int, cost: float) -> dict[str, Any]:
    """Judge ``count`` programs, every twentieth of which loops, in a pool of the default size."""
    limits = Limits()
    mixed = []
    for index in range(count):
        problem, parts = programs[index % len(programs)]
        loop = "while True:\n    pass\n" if index % LOOPING == LOOPING // 2 else ""
        mixed.append(Program.of(problem, main_0=f"{parts[-1].code}\n# {index}\n{loop}"))  # no two are equal
    cores = os.cpu_count() or 1
    with Executor(limits=limits) as executor:
        executor.start()
        began = time.perf_counter()
        outcomes = list(executor.judge_many(mixed))
        seconds = time.perf_counter() - began
        workers = executor.workers
    looped = sum(outcome.limit == "cpu" for outcome in outcomes)
    if looped != count // LOOPING or sum(outcome.solved for outcome in outcomes) != count - looped:
        raise SystemExit(f"{looped} of {count // LOOPING} loops were ended by their CPU limit")
    best = cores / (limits.cpu_s / LOOPING + (1 - 1 / LOOPING) * cost)
    return {
        "programs": count,
        "looping": looped,
        "workers": workers,
        "programs_per_s": round(count / seconds, 2),
        "best": round(best, 2),
        "share": round(count / seconds / best, 3),
    }


def report(record: dict[str, Any], say: Callable[[str], object]) -> None:
    """Print the figures."""
    small, large, loops = record["small caller"], record["caller of 2 GB"], record["loops"]
    say(f"{record['isolation']}, {record['workers']} at a time, {record['cores']} cores, medians of {record['rounds']}")
    say(f"processor time: {small['cpu_ms']} ms a program (bare execution {record['floor_ms']} ms)")
    for name, figures in (("small caller", small), ("caller of 2 GB", large)):
        say(
            f"{name}: {figures['programs_per_s']} programs/s, OpenAI's checker {figures['checker_programs_per_s']}: "
            f"{figures['ratio']}x"
        )
    say(f"5 % loops: {loops['programs_per_s']} programs/s of at best {loops['best']}: {loops['share']}")


if __name__ == "__main__":
    run_script(main)
