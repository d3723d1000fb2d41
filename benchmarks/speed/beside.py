"""Time a command of ours and another in turn, A B A B, and compare their medians."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def compare(ours: Sequence[str], theirs: Sequence[str], rounds: int) -> dict[str, Any]:
    """Run both commands in turn; each prints a JSON line last, with ``step_s_median`` and, where known, ``peak_memory_mib``.

    Returns:
        The median seconds of both, the median of the rounds' ratios, and each round.
    """
    done: list[dict[str, float]] = []
    for _ in range(rounds):
        mine, other = _last_line(ours), _last_line(theirs)
        row = {"ours_s": float(mine["step_s_median"]), "theirs_s": float(other["step_s_median"])}
        if "peak_memory_mib" in mine and "peak_memory_mib" in other:
            row |= {"ours_mib": float(mine["peak_memory_mib"]), "theirs_mib": float(other["peak_memory_mib"])}
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
