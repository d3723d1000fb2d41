"""Read saved answers anew with the reader of answers as it is now, judge them, and say what that changes.

``python -m codeduet.benchmarks.reread SAMPLES [SAMPLES ...] [--problems humaneval] [--out FILE]``

``SAMPLES`` are ``samples.jsonl`` files of runs of one turn, packed (``.gz``) or not. What was counted then stays as it
is: this tells how far figures of then and of now can be compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codeduet.benchmarks.estimators import bootstrap_mean, pass_at_k
from codeduet.benchmarks.samples import KS
from codeduet.benchmarks.verdict import save
from codeduet.envs import HELPER, MAIN, Executor, InputError, Problem, Program, find_problem, load_problems
from codeduet.envs.problems import read_rows
from codeduet.envs.text import extract_helper, extract_main, without_definition
from codeduet.screen import run_script


def reread(samples: Path, problems: Sequence[Problem], executor: Executor) -> dict[str, Any]:
    """Read and judge a file's answers.

    Returns:
        ``samples``; ``read differently``; ``passed`` then and now; ``changed`` (``TASK sample N`` -> passed now) where a
        verdict differs; ``pass@k`` now, with intervals.

    Raises:
        InputError: a row has no answers of one turn, or answers another problem set.
    """
    rows = read_rows(samples)
    programs = []
    for row in rows:
        texts = row.get("texts", {})
        if MAIN not in texts or any(len(turns) != 1 for turns in texts.values()):
            raise InputError(f"{samples}: a row has no answers of one turn")
        problem = problems[find_problem(problems, str(row["task_id"]))]
        helper = without_definition(extract_helper(texts.get(HELPER, [""])[0], problem), problem.entry_point)
        programs.append(Program.of(problem, helper_0=helper, main_0=extract_main(texts[MAIN][0], problem)))
    solved = [outcome.solved for outcome in executor.judge_many(programs)]
    counts: dict[str, list[bool]] = {}
    for row, now in zip(rows, solved, strict=True):
        counts.setdefault(row["task_id"], []).append(now)
    return {
        "samples": len(rows),
        "read differently": sum(
            [_lines(part.code) for part in program.parts] != [_lines(row[key]) for key in ("helper_code", "main_code")]
            for program, row in zip(programs, rows, strict=True)
        ),
        "passed": {"then": sum(row["passed"] for row in rows), "now": sum(solved)},
        "changed": {
            f"{row['task_id']} sample {row['sample']}": now
            for row, now in zip(rows, solved, strict=True)
            if now != row["passed"]
        },
        "pass@k": {
            str(k): bootstrap_mean(
                [pass_at_k(len(of_task), sum(of_task), k) for of_task in counts.values()], within=(0.0, 1.0)
            )._asdict()
            for k in KS
            if all(len(of_task) >= k for of_task in counts.values())
        },
    }


def _lines(code: str) -> list[str]:
    return [line.rstrip() for line in code.splitlines() if line.strip()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, judge, and print a line a file."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.reread", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("samples", type=Path, nargs="+", help="samples.jsonl of runs of one turn")
    parser.add_argument("--problems", default="humaneval", help="a set's name or file (default: humaneval)")
    parser.add_argument("--out", type=Path, help="write what was found to this JSON file")
    options = parser.parse_args(arguments)
    try:
        problems = load_problems(options.problems)
        with Executor() as executor:
            found = {path.name.split(".")[0]: reread(path, problems, executor) for path in options.samples}
    except InputError as error:
        parser.exit(2, f"codeduet.benchmarks.reread: {error}\n")
    for name, told in found.items():
        print(
            f"{name}: {told['samples']} samples, {told['read differently']} read differently, "
            f"{told['passed']['then']} passed then, {told['passed']['now']} now; verdicts that changed: {told['changed']}"
        )
    save(found, options.out)


if __name__ == "__main__":
    run_script(main)
