"""Does the executor hold over a hundred thousand programs, one in a hundred hostile, its workers killed at random?

    python -m codeduet.benchmarks.verdict.corpora.soak [--programs 100000] [--kill-every 10] [--out FILE]

CPU limit 0.5 s, wall-clock limit 2 s. Plain programs are canonical solutions and broken ones, whose verdict is known;
every hundredth is forged, exhausting, an attempt to escape, or writes into the channel of its answers, and some of these end
the worker that judges them. About every ``--kill-every`` seconds one of the pool's
processes is killed. Exits with status 1 if a verdict is wrong or lost, or if at the end a process, a descriptor, a file
or memory is left over.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from codeduet.benchmarks.verdict import save
from codeduet.benchmarks.verdict.corpora import Case, channel, escapes, exhaustion, forged
from codeduet.benchmarks.verdict.corpora.outside import Outside, descendants
from codeduet.envs import Executor, Limits, Program, load_problems
from codeduet.screen import run_script

LIMITS = Limits(cpu_s=0.5, wall_s=2.0, check_cpu_s=0.5)
HOSTILE = 100
"""One program in so many."""
BATCH = 1000


def programs(count: int, tokens: dict[str, str], secret: str) -> Iterator[tuple[Program, str]]:
    """Yield programs with what is known of their verdict: ``"right"``, ``"wrong"`` or ``"hostile"``."""
    problems = [problem for problem in load_problems() if problem.task_id != "HumanEval/75"]  # 0.1 s of honest work
    by_id = {problem.task_id: problem for problem in problems}
    trap = escapes.problem(secret)
    attacks = [
        case
        for case in (*forged.CASES, *exhaustion.CASES, *(case for case in channel.CASES if not case.earns))
        if case.task_id in by_id and "solved" not in case.expects
    ]
    hostile: Iterator[Case] = itertools.cycle(
        random.Random(0).sample([*attacks, *escapes.CASES], len(attacks) + len(escapes.CASES))
    )
    for index in range(count):
        problem = problems[index % len(problems)]
        mark = f"\n# {index}\n"  # no two are equal, so that each is judged
        if index % HOSTILE == HOSTILE - 1:
            case = next(hostile)
            if not case.task_id:
                case = escapes.fill(case, tokens)
            yield Program.of(by_id.get(case.task_id, trap), helper_0=case.helper, main_0=case.main + mark), "hostile"
        elif index % 10 == 3:
            yield Program.of(problem, main_0=f"{problem.signature}    return [None]{mark}"), "wrong"
        else:
            yield Program.of(problem, main_0=problem.reference + mark), "right"


class Killer(threading.Thread):
    """Kills one of the pool's processes now and then."""

    def __init__(self, executor: Executor, every: float) -> None:
        super().__init__(daemon=True)
        self.executor = executor
        self.every = every
        self.killed = 0
        self.done = threading.Event()

    def run(self) -> None:
        rng = random.Random(0)
        while not self.done.wait(rng.uniform(0.5, 1.5) * self.every):
            pids = self.executor.worker_pids()
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    continue


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.corpora.soak", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--programs", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument("--kill-every", type=float, default=10.0, help="seconds between kills (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    wrong: list[str] = []
    memory: list[dict[str, float]] = []
    descriptors, others = _descriptors(), _pool_processes()
    with Outside() as outside, Progress() as progress:
        before = set(descendants(os.getpid()))
        bar = progress.add_task("soak", total=options.programs)
        with Executor(limits=LIMITS) as executor:
            executor.start()
            tokens = outside.tokens(set(descendants(os.getpid())) - before)
            killer = Killer(executor, options.kill_every)
            killer.start()
            source = programs(options.programs, tokens, outside.secret)
            while batch := list(itertools.islice(source, BATCH)):
                outcomes = executor.judge_many(program for program, _ in batch)
                for (program, known), outcome in zip(batch, outcomes, strict=True):
                    if outcome.worker_fault or outcome.solved != (known == "right"):
                        wrong.append(
                            f"{known} {program.problem.task_id}: {outcome.error} {outcome.passed}/{outcome.total}"
                        )
                memory.append({"caller": _resident(os.getpid()), "largest worker": _largest(executor)})
                progress.update(bar, advance=len(batch))
            killer.done.set()
            killer.join()
        time.sleep(1)
        # Workers that replaced killed ones are no strangers, and they are gone now.
        effects = [effect for effect in outside.effects() if "process" not in effect]
    left = sorted(set(descendants(os.getpid())) - before | _pool_processes() - others)
    half = len(memory) // 2
    record: dict[str, Any] = {
        "programs": options.programs,
        "seconds": round(time.monotonic() - began),
        "killed": killer.killed,
        "wrong or lost": wrong,
        "effects outside": effects,
        "processes left": left,
        "descriptors left": _descriptors() - descriptors,
        "memory in MiB, first, middle, last": [memory[0], memory[half], memory[-1]],
    }
    print(json.dumps(record, indent=1))
    save(record, options.out)
    grown = max(memory[-1][name] - memory[half][name] for name in memory[0])
    return int(bool(wrong or effects or left or record["descriptors left"] > 0 or grown > 16))


def _pool_processes() -> set[int]:
    """Return the processes of any executor, whoever is their parent by now."""
    found = set()
    for entry in os.listdir("/proc"):
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes() if entry.isdigit() else b""
        except OSError:  # it has just ended
            continue
        if b"codeduet.envs.execution." in command:
            found.add(int(entry))
    return found


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):  # killed a moment ago
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 1)


def _largest(executor: Executor) -> float:
    return max(map(_resident, executor.worker_pids()), default=0.0)


if __name__ == "__main__":
    run_script(main)
