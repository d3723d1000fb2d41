"""Samples that the machine failed to judge: neither passed nor failed, and judged again at the next start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codeduet.benchmarks.samples import program_of, whole_row
from codeduet.envs import Executor, Problem
from codeduet.envs.rewards import Payment

Row = dict[str, Any]


def is_unjudged(row: Row) -> bool:
    """Tell whether a saved sample has no verdict."""
    return bool(row["outcome"].get("worker_fault"))


def judged(rows: Sequence[Row]) -> list[Row]:
    """Return the samples that have a verdict."""
    return [row for row in rows if not is_unjudged(row)]


def told(rows: Sequence[Row]) -> str:
    """Return a line about the samples without a verdict; ``""`` if there are none."""
    left = [row for row in rows if is_unjudged(row)]
    if not left:
        return ""
    return (
        f"{len(left)} of {len(rows)} samples could not be judged ({left[0]['outcome']['error']}): they count as neither "
        "passed nor failed, and the same command judges them again"
    )


def judge_again(
    rows: Mapping[str, Sequence[Row]], problems: Sequence[Problem], payment: Payment, executor: Executor
) -> bool:
    """Judge the samples that have no verdict, in place: their last program, and its reward.

    Args:
        rows: task id -> its samples.
        problems: where the tasks are found.
        payment: what a program earns; agents that are paid apart earn their mean.
        executor: who judges.

    Returns:
        Whether there were any.
    """
    by_id = {problem.task_id: problem for problem in problems}
    left = [row for of_task in rows.values() for row in of_task if is_unjudged(row) and row["task_id"] in by_id]
    programs = [program_of(by_id[row["task_id"]], row) for row in left]
    alone = [program.without(*(part.agent for part in program.parts[:-1])) for program in programs]
    outcomes = executor.judge_many([*programs, *alone])
    verdicts = [next(outcomes) for _ in programs]
    for index, (row, together, without) in enumerate(zip(left, verdicts, outcomes, strict=True)):
        turn = max(map(len, row["texts"].values())) - 1
        row["outcome"] = together.to_dict()
        row.update(whole_row(row))
        if together.worker_fault:
            continue
        row["passed"], row["reward"] = together.solved, payment.pay(together, programs[index], turn).mean
        if "helper_gain" in row and not without.worker_fault:
            row["helper_gain"] = row["reward"] - payment.pay(without, alone[index], turn).mean
    return bool(left)
