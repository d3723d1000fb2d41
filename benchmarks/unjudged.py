"""Samples that the machine failed to judge: neither passed nor failed, and judged again at the next start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codeduet.envs import Executor, Outcome, Problem, Program
from codeduet.envs.rewards import RewardFn

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
    rows: Mapping[str, Sequence[Row]], problems: Sequence[Problem], reward: RewardFn, executor: Executor
) -> bool:
    """Judge the samples that have no verdict, in place: their last program, and its reward.

    Args:
        rows: task id -> its samples.
        problems: where the tasks are found.
        reward: of an outcome.
        executor: who judges.

    Returns:
        Whether there were any.
    """
    by_id = {problem.task_id: problem for problem in problems}
    left = [row for of_task in rows.values() for row in of_task if is_unjudged(row) and row["task_id"] in by_id]
    programs = [Program(by_id[row["task_id"]], row["helper_code"], row["main_code"]) for row in left]
    alone = [program._replace(helper_code="") for program in programs]
    outcomes = executor.judge_many([*programs, *alone])
    verdicts = [next(outcomes) for _ in programs]
    for row, together, without in zip(left, verdicts, outcomes, strict=True):
        _enter(row, together, without, reward)
    return bool(left)


def _enter(row: Row, together: Outcome, without: Outcome, reward: RewardFn) -> None:
    row["outcome"] = together.to_dict()
    if together.worker_fault:
        return
    row["passed"], row["reward"] = together.solved, float(reward(together))
    if "helper_gain" in row and not without.worker_fault:
        row["helper_gain"] = row["reward"] - float(reward(without))
