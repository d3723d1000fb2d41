"""Try a problem set's own code before any program is judged by it, in a process of its own.

The process is trusted, as an evaluator is, and asks references in a jail, as an evaluator does. For each problem it says
whether its tests can run at all, what its reference gives for a list of calls, or which tests its reference passes.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from codeduet.envs.execution import imports, wire
from codeduet.envs.execution.candidate import Known
from codeduet.envs.execution.collecting import NOT_PLAIN
from codeduet.envs.execution.evaluator import Evaluator, open_jail
from codeduet.envs.execution.instrument import Check, classes_of, parse_trusted
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.launch import launch
from codeduet.envs.execution.limits import Limits
from codeduet.envs.execution.running import UnrunnableError
from codeduet.envs.problems import Problem
from codeduet.envs.tests import Source
from codeduet.errors import InputError

_LIMITS = Limits(cpu_s=30.0, wall_s=60.0, check_cpu_s=30.0)
"""References are trusted and asked once: a thousand inputs may take them a while."""

_Evaluators: TypeAlias = Callable[[frozenset[str]], Evaluator]
"""packages that the programs need -> who asks them, with no problem known."""

_DUMMY_ANSWERS = (0, 1.5)
_MOST_CALLS = 100_000

_ASKING = """
from math import inf, nan

from codeduet.envs.execution.rehearsal import HEARD

calls = {calls}


def check(candidate):
    for number in range(len(calls)):
        try:
            HEARD[number] = candidate(*calls[number])
        except Exception as error:
            HEARD[number] = error
        assert candidate
"""

HEARD: dict[int, Any] = {}
"""What a reference gave for each call, or the exception it raised."""


def rehearse(jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do jobs, in the order given, in a process of its own; return an answer for each.

    Args:
        jobs: each with ``problem`` (as ``Problem.to_wire`` gives it) and one of

            * ``"do": "try"``: can its tests run? Answers ``{"refused": why, "unsendable": why}``, ``""`` where they can.
            * ``"do": "ask"``, with ``program`` (the reference) and ``calls`` (the text of a list of argument tuples):
              answers ``{"values": [its text, or None], "errors": [class, "limit NAME" or ""], "error": the program's, or ""}``.
            * ``"do": "pass"``: answers ``{"passed": [bool]}``, which of its tests its reference passes.

    Where this machine gives no jail, references run in plain processes.

    Raises:
        InputError: a job could not be done.
    """
    if not jobs:
        return []
    isolation = os.environ.get("CODEDUET_ISOLATION") or ("auto" if sys.platform == "linux" else "process")
    process, line = launch("codeduet.envs.execution.rehearsal")
    try:
        wire.send(
            line.fileno(),
            json.dumps(
                {"path": [os.path.abspath(folder) for folder in sys.path if folder], "isolation": isolation}
            ).encode(),
        )
        answers = []
        for job in jobs:
            wire.send(line.fileno(), json.dumps(job).encode())
            answer: dict[str, Any] = json.loads(wire.receive(line.fileno()))
            if "input_error" in answer:
                raise InputError(answer["input_error"])
            answers.append(answer)
        return answers
    except wire.ClosedError:
        raise InputError("the tests of a problem ended the process that tried them") from None
    finally:
        line.close()
        process.kill()
        process.wait()


def main(descriptor: int) -> None:
    """Do the jobs that come on ``descriptor`` until it closes."""
    settings = json.loads(wire.receive(descriptor))
    sys.path += settings["path"]
    evaluators: dict[frozenset[str], Evaluator] = {}

    def evaluator(packages: frozenset[str]) -> Evaluator:
        if packages not in evaluators:
            path = tuple(settings["path"])
            names = tuple(sorted(packages))
            try:
                jail = open_jail(settings["isolation"], _LIMITS, names, path)
            except IsolationError:  # a reference is no worse than the tests, which run here
                jail = open_jail("process", _LIMITS, names, path)
            evaluators[packages] = Evaluator(*jail)
        evaluators[packages].forget()
        return evaluators[packages]

    try:
        while True:
            job = json.loads(wire.receive(descriptor))
            problem = Problem.from_wire(job["problem"])
            imports.provide(imports.of_tests(problem))
            try:
                answer = _DOING[job["do"]](problem, job, evaluator)
            except InputError as error:
                answer = {"input_error": str(error)}
            wire.send(descriptor, json.dumps(answer).encode())
    except wire.ClosedError:
        pass
    except BaseException:  # noqa: BLE001  # whatever it is, the caller has to be told
        wire.send(descriptor, json.dumps({"input_error": traceback.format_exc(limit=-2)}).encode())
    finally:
        os._exit(0)


def _try(problem: Problem, _job: dict[str, Any], _evaluator: _Evaluators) -> dict[str, Any]:
    """Run the tests on dummies; say why they can run for no program."""
    unsendable: list[str] = []
    called = 0
    errors: list[BaseException] = []
    known = Known(problem, Check(problem), classes_of(problem.preamble))
    for given in _DUMMY_ANSWERS:

        def dummy(*arguments: Any, _given: float = given, **options: Any) -> float:
            nonlocal called
            called += 1
            if called > _MOST_CALLS:  # a loop that waits for an answer of another kind
                raise KeyboardInterrupt
            try:
                known.encode((arguments, options), [])
            except TypeError as error:
                unsendable.append(str(error))
            return _given

        errors += known.check.run(dummy).errors
    refused = imports.missing(errors)
    unrunnable = next((str(error) for error in errors if isinstance(error, UnrunnableError)), "")
    if not refused and (unrunnable or (name := known.check.left_out())):
        refused = unrunnable or NOT_PLAIN.format(name)
    if not refused and errors and (undefined := _undefined(errors[0], problem)):
        if undefined in _defined(
            problem.canonical_solution
        ):  # some of MBPP's make their trees of the program's own class
            unsendable.append(f"it uses {undefined}, which only a program defines")
        else:
            refused = f"its tests use {undefined}, which nothing defines"
    elif not refused and errors and not called:
        refused = f"its tests fail before they ask a program anything ({_said(errors[0])})"
    return {"refused": refused, "unsendable": unsendable[0] if unsendable else ""}


def _undefined(error: BaseException, problem: Problem) -> str:
    """Return the name that a test uses and neither the tests nor the prompt ever give a value; ``""`` if none failed so."""
    if not isinstance(error, NameError) or isinstance(error, UnboundLocalError):
        return ""
    return "" if error.name in _defined(f"{problem.preamble}\n{problem.source.text}") else str(error.name)


def _defined(source: str) -> set[str]:
    """Return all names that a source text gives a value, anywhere; none if it does not parse, as a body alone may not."""
    try:
        nodes = list(ast.walk(parse_trusted(source)))
    except SyntaxError:
        return set()
    given = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    given |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return given | {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}


def _ask(problem: Problem, job: dict[str, Any], evaluator: _Evaluators) -> dict[str, Any]:
    """Put calls to the reference; return what it gave as text."""
    asking = Problem(
        problem.task_id, problem.prompt, problem.entry_point, "", Source(_ASKING.format(calls=job["calls"]))
    )
    judge = evaluator(imports.of_prompt(problem) | imports.of_text(job["program"]))
    judge.learn(0, asking)
    HEARD.clear()
    outcome = judge.judge(0, [("main_0", job["program"])])
    values = [HEARD[number] for number in sorted(HEARD)]
    raised = [_raised(value) if isinstance(value, BaseException) else "" for value in values]
    told = [None if error else _text(value) for value, error in zip(values, raised, strict=True)]
    return {"values": told, "errors": raised, "error": outcome["error"]}


def _pass(problem: Problem, _job: dict[str, Any], evaluator: _Evaluators) -> dict[str, Any]:
    """Judge the reference."""
    judge = evaluator(imports.of_prompt(problem) | imports.of_text(problem.reference))
    try:
        judge.learn(0, problem)
        return {"passed": list(judge.judge(0, [("main_0", problem.reference)])["tests"])}
    except InputError:  # no tests, or none that can be put to a program
        return {"passed": []}


_DOING = {"try": _try, "ask": _ask, "pass": _pass}


def _raised(error: BaseException) -> str:
    """Return the name of the limit that a call ran into, or the class of what it raised."""
    limit = getattr(error, "codeduet_origin", ("",))[-1]
    return f"limit {limit}" if limit else type(error).__name__


_SCALARS = (bool, int, float, complex, str, bytes, bytearray, range, type(None))
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("set([", "])"),
    frozenset: ("frozenset([", "])"),
}


def _text(value: Any) -> str | None:
    """Return the text that gives a value, read again, in plain types; None where it holds what is no plain data."""
    if type(value) in _SCALARS:
        return repr(value)
    if isinstance(value, dict):
        parts = [(_text(key), _text(of_key)) for key, of_key in dict.items(value)]
        return None if any(None in pair for pair in parts) else "{" + ", ".join(f"{k}: {v}" for k, v in parts) + "}"
    kind = next((kind for kind in _BRACKETS if isinstance(value, kind)), None)
    if kind is None:
        return None
    items = [_text(item) for item in value]
    if any(item is None for item in items):
        return None
    opening, closing = _BRACKETS[kind]
    return opening + "".join(f"{item}, " for item in items) + closing


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0][:160]
