"""Time a command of ours and another in turn, A B A B, and compare their medians.

A whole run of each a round (:func:`compare`), or both held loaded and asked for one step at a time (:func:`compare_steps`).
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def compare(ours: Sequence[str], theirs: Sequence[str], rounds: int) -> dict[str, Any]:
    """Run both commands in turn; each prints a JSON line with ``step_s_median`` last.

    Returns:
        The median seconds of both, the median of the rounds' ratios, and each round.
    """
    return _medians(
        {
            f"{who}_s": float(_last_line(command)["step_s_median"])
            for who, command in (("ours", ours), ("theirs", theirs))
        }
        for _ in range(rounds)
    )


def compare_steps(ours: Sequence[str], theirs: Sequence[str], rounds: int) -> dict[str, Any]:
    """Start both commands and have them step in turn, the first of each left out.

    Each takes a step for every line it reads and answers with a JSON line that has ``step_s`` and ``peak_memory_mib``.

    Returns:
        The same as :func:`compare`, with each round's peak memory.
    """
    started = {
        who: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for who, command in (("ours", ours), ("theirs", theirs))
    }

    def step() -> dict[str, float]:
        row: dict[str, float] = {}
        for who, process in started.items():
            assert process.stdin
            assert process.stdout
            process.stdin.write("step\n")
            process.stdin.flush()
            line = next((line for line in process.stdout if line.startswith('{"step_s"')), None)
            if line is None:
                sys.exit(f"{shlex.join(process.args)} ended")  # type: ignore[arg-type]
            told = json.loads(line)
            row |= {f"{who}_s": float(told["step_s"]), f"{who}_mib": float(told["peak_memory_mib"])}
        return row

    try:
        step()
        return _medians(step() for _ in range(rounds))
    finally:
        for process in started.values():
            process.communicate()


def _medians(rows: Iterable[dict[str, float]]) -> dict[str, Any]:
    done = []
    for row in rows:
        done.append(row)
        print(f"{json.dumps(row)} ratio {row['theirs_s'] / row['ours_s']:.2f}", file=sys.stderr, flush=True)
    return {
        "ours_s": statistics.median(row["ours_s"] for row in done),
        "theirs_s": statistics.median(row["theirs_s"] for row in done),
        "ratio": round(statistics.median(row["theirs_s"] / row["ours_s"] for row in done), 2),
        "rounds": done,
    }


def _last_line(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told
