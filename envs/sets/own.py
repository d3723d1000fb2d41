"""Formats of one's own: ``id``, ``prompt`` or ``text``, ``name``, ``code``, and ``tests`` of any kind.

``tests`` and ``examples`` are

* text that defines ``check(candidate)``, or calls the function by its name;
* a list of assert lines;
* a list of ``{"input": [arguments], "output": value}``, compared within the row's ``atol``;
* a list of ``{"stdin": text, "stdout": text}``;
* a list of ``{"input": text, "output": text, "testtype": "stdin" or "functional"}``, as LiveCodeBench has them: the
  texts of the streams, or a JSON value a line for each argument, and one for the value. Without ``testtype`` texts are
  those of the streams where ``code`` is a script, or a function without arguments.

A list may also stand as text, in JSON.

``text`` without a ``def`` line becomes the docstring of a function whose signature is that of ``code``. ``views`` is an
object of texts that roles read in place of the prompt: ``{"helper": "..."}``.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
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
    streams = _reads_and_prints(said, code, name)
    tests = _tests(row["tests"], "tests", row, where, streams)
    examples = None if row.get("examples") is None else _tests(row["examples"], "examples", row, where, streams)
    views = read_views(row.get("views"), where)
    problem = Problem(task_id, said, name, code, tests, examples, fields.split(row, where), views)
    if problem.signature:
        return problem
    signature = f"def {name}():" if isinstance(tests, Streams) else _signature(code, name)
    return replace(problem, prompt=stub(name, said, signature))


def read_views(value: Any, where: str) -> Mapping[str, str]:
    """Return a row's views, none where it has none; raises InputError where they are no texts by role."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise InputError(f"{where}: field 'views' must be an object of texts, role -> text, not {value!r}")
    return value


def _signature(code: str, name: str) -> str:
    try:
        program = parse_trusted(code)
    except SyntaxError:  # a body, which says nothing of arguments
        return ""
    functions = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return signature_line(program, functions[-1]) if functions else ""


def _reads_and_prints(said: str, code: str, name: str) -> bool | None:
    """Tell whether a program takes its input from a stream: it is a script, or takes no arguments; None if unknown."""
    for text in (code, said):
        try:
            program = parse_trusted(text if text is code else f"{text.rstrip()}\n    pass\n")
        except SyntaxError:  # a body, or what is no code
            continue
        if text is code and any(map(_reads, ast.walk(program))):
            return True
        functions = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == name]
        if functions:
            arguments = functions[-1].args
            return not (arguments.posonlyargs or arguments.args or arguments.vararg or arguments.kwonlyargs)
        if text is code and program.body:
            given = (node for node in ast.walk(program) if isinstance(node, ast.Name | ast.alias | ast.ClassDef))
            return name not in {getattr(node, "id", "") or getattr(node, "name", "") for node in given}
    return None


def _reads(node: ast.AST) -> bool:
    """Tell whether a part of a program reads standard input: ``input(...)`` or ``sys.stdin``."""
    match node:
        case ast.Call(func=ast.Name(id="input")) | ast.Attribute(attr="stdin"):
            return True
    return False


def _tests(value: Any, field: str, row: Row, where: str, streams: bool | None) -> Tests:
    try:
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except json.JSONDecodeError:  # Python that begins with a list
                pass
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list) and value:
            if all(isinstance(each, str) for each in value):
                return Asserts(value, fields.text(row, "setup", where, required=False))
            if all(isinstance(each, dict) and {"input", "output"} <= each.keys() for each in value):
                return _inputs(value, streams, fields.tolerance(row, where))
            if all(isinstance(each, dict) and {"stdin", "stdout"} <= each.keys() for each in value):
                return Streams([(each["stdin"], each["stdout"]) for each in value])
    except InputError as error:
        raise InputError(f"{where}: field {field!r}: {error}") from None
    raise InputError(
        f"{where}: field {field!r} must be text, or a list of assert lines, of {{input, output}} or of {{stdin, stdout}}"
    )


_STREAMS, _CALLS = ("stdin", "stdin_stdout"), ("functional", "function_call", "call_based")


def _inputs(tests: list[dict[str, Any]], streams: bool | None, atol: float) -> Tests:
    """Return tests of ``{input, output}``: calls, or texts of the streams.

    Raises:
        InputError: it cannot be told which, or a text is not what it is to be.
    """
    kinds = {str(kind) for each in tests if (kind := each.get("testtype", each.get("type"))) is not None}
    if unknown := kinds - {*_STREAMS, *_CALLS}:
        raise InputError(f"testtype {min(unknown)!r} is none of {', '.join((*_STREAMS, *_CALLS))}")
    said = {kind in _STREAMS for kind in kinds}
    if len(said) > 1:
        raise InputError("some of its tests are streams and others calls: make two problems of them")
    if True in said:
        return Streams([(each["input"], each["output"]) for each in tests])
    texts = all(isinstance(each["input"], str) and isinstance(each["output"], str) for each in tests)
    if False in said:
        if not texts:
            raise InputError("a functional test holds texts, a JSON value a line")
        return Cases([(_values(each["input"]), _value(each["output"])) for each in tests], atol)
    if texts and streams is None and any("\n" in each["input"] + each["output"] for each in tests):
        raise InputError(
            "its texts may be arguments and values, or those of the streams: call them stdin and stdout, or put arguments "
            "into a list"
        )
    if texts and streams:
        return Streams([(each["input"], each["output"]) for each in tests])
    return Cases([(_arguments(each["input"]), each["output"]) for each in tests], atol)


def _values(text: str) -> list[Any]:
    return [_value(line) for line in text.split("\n") if line.strip()]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise InputError(f"a functional test holds a JSON value a line, not {text!r:.60}") from None


def _arguments(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
