"""How many programs that cheat are taken for right, by us and by OpenAI's checker?

    python -m codeduet.benchmarks.verdict.corpora.forgery [--workers 2] [--out FILE]

Prints a table by kind of trick. For us it also counts programs that were credited with more tests than their answers
earn; the checker has no such credit. The checker runs them in forks of this process, as this user.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from codeduet.benchmarks.verdict import save
from codeduet.benchmarks.verdict.checker import check_many
from codeduet.benchmarks.verdict.corpora.forged import CASES
from codeduet.envs import Executor, Program, load_problems
from codeduet.screen import run_script


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Judge the corpus by both; return 1 if we were fooled."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.corpora.forgery", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--workers", type=int, default=2, help="programs at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the counts to this JSON file")
    options = parser.parse_args(arguments)
    problems = {problem.task_id: problem for problem in load_problems()}
    programs = [Program.of(problems[case.task_id], helper_0=case.helper, main_0=case.main) for case in CASES]
    with Executor(options.workers) as executor:
        ours = list(executor.judge_many(programs))
    theirs = check_many(programs, options.workers)
    counts: dict[str, Counter[str]] = {}
    for case, outcome, said in zip(CASES, ours, theirs, strict=True):
        counts.setdefault(case.kind, Counter()).update(
            programs=1,
            passed=outcome.solved,
            overpaid=outcome.passed > case.earns,
            checker_passed=said == "passed",
        )
    total: Counter[str] = Counter()
    for row in counts.values():
        total.update(row)
    table = Table("trick", "programs", "passed, ours", "paid too much, ours", "passed, OpenAI's checker")
    for kind, row in [*sorted(counts.items()), ("all", total)]:
        table.add_row(kind, *(str(row[column]) for column in ("programs", "passed", "overpaid", "checker_passed")))
    (console or Console()).print(table)
    tasks = len({case.task_id for case in CASES})
    by_trick = {kind: dict(row) for kind, row in counts.items()}
    save({"tasks": tasks, "all": dict(total), "by trick": by_trick}, options.out)
    return int(total["passed"] + total["overpaid"] > 0)


if __name__ == "__main__":
    run_script(main)
