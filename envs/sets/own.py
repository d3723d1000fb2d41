"""Formats of one's own: ``id``, ``prompt`` or ``text``, ``name``, ``code``, and ``tests`` of any kind.

``tests`` and ``examples`` are

* text that defines ``check(candidate)``, or calls the function by its name;
* a list of assert lines;
* a list of ``{"input": [arguments], "output": value}``, compared within the row's ``atol``;
* a list of ``{"stdin": text, "stdout": text}``.

``text`` without a ``def`` line becomes the docstring of a function whose signature is that of ``code``.
"""

from __future__ import annotations

import ast
from typing import Any

from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.problems import Problem, stub
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row
from codeduet.envs.sets.mbpp import signature_line
from codeduet.envs.tests import Asserts, Cases, Streams, Tests
from codeduet.errors import InputError

NAME = "own"
KEYS = ("tests",)

_ALIASES = {
    "task_id": ("task_id", "id"),
    "prompt": ("prompt", "text"),
    "entry_point": ("entry_point", "name"),
    "canonical_solution": ("code", "canonical_solution", "reference", "solution"),
}


def read(row: Row, where: str) -> Problem:
    """Return the problem in a row; raises InputError where it is malformed."""
    key = {name: next((alias for alias in aliases if alias in row), name) for name, aliases in _ALIASES.items()}
    name = fields.function_name(row, where, key["entry_point"])
    code = fields.text(row, key["canonical_solution"], where, required=False).replace("\r\n", "\n")
    said = fields.text(row, key["prompt"], where)
    task_id = fields.identity(row, where, key["task_id"])
    tests = _tests(row["tests"], "tests", row, where)
    examples = None if row.get("examples") is None else _tests(row["examples"], "examples", row, where)
    problem = Problem(task_id, said, name, code, tests, examples, fields.split(row, where))
    if problem.signature:
        return problem
    signature = f"def {name}():" if isinstance(tests, Streams) else _signature(code, name)
    return Problem(task_id, stub(name, said, signature), name, code, tests, examples, problem.split)


def _signature(code: str, name: str) -> str:
    try:
        program = parse_trusted(code)
    except SyntaxError:  # a body, which says nothing of arguments
        return ""
    functions = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return signature_line(program, functions[-1]) if functions else ""


def _tests(value: Any, field: str, row: Row, where: str) -> Tests:
    try:
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list) and value:
            if all(isinstance(each, str) for each in value):
                return Asserts(value, fields.text(row, "setup", where, required=False))
            if all(isinstance(each, dict) and {"input", "output"} <= each.keys() for each in value):
                return Cases([(_arguments(each["input"]), each["output"]) for each in value], _tolerance(row, where))
            if all(isinstance(each, dict) and {"stdin", "stdout"} <= each.keys() for each in value):
                return Streams([(each["stdin"], each["stdout"]) for each in value])
    except InputError as error:
        raise InputError(f"{where}: field {field!r}: {error}") from None
    raise InputError(
        f"{where}: field {field!r} must be text, or a list of assert lines, of {{input, output}} or of {{stdin, stdout}}"
    )


def _arguments(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _tolerance(row: Row, where: str) -> float:
    value = row.get("atol") or 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InputError(f"{where}: field 'atol' must be a number from 0 on, not {value!r}")
    return float(value)
