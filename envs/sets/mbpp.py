"""MBPP's format, full and sanitised, and MBPP+ as published: a text, a reference program, and assert lines.

The prompt is the signature of the reference, with the text and the first assert as its docstring.
"""

from __future__ import annotations

import ast
from typing import Literal

from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.problems import Problem, stub
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row
from codeduet.envs.tests import Asserts, Source, Tests
from codeduet.errors import InputError

NAME = "MBPP"
KEYS = ("task_id", "code", "test_list")

_TEST_IDS, _TRAIN_IDS = range(11, 511), range(601, 975)
"""The published splits, of which the file itself says nothing; what lies between is for prompts and validation."""


def read(row: Row, where: str) -> Problem:
    """Return the problem in a row; raises InputError where it is malformed."""
    said = fields.text(row, "text" if row.get("text") is not None else "prompt", where)
    code = fields.text(row, "code", where).replace("\r\n", "\n")
    asserts = fields.lines(row, "test_list", where)
    imports = fields.lines(row, "test_imports", where, required=False)
    setup = "\n".join([fields.text(row, "test_setup_code", where, required=False), *imports])
    name, signature = signature_of(code, asserts[0], where)
    tests: Tests = Asserts(asserts, setup)
    if isinstance(row.get("test"), str) and row["test"].strip():  # MBPP+
        tests = Source("\n".join([*imports, row["test"]]))
    return Problem(
        task_id=fields.identity(row, where),
        prompt=stub(name, f"{said.strip()}\n\n{asserts[0].strip()}", signature),
        entry_point=name,
        canonical_solution=code,
        tests=tests,
        examples=Asserts(asserts[:1], setup),
        split=fields.split(row, where),
    )


def published_split(task_id: str) -> Literal["train", "test", ""]:
    """Return the split that MBPP's authors put a task in, by its number; ``""`` is neither."""
    number = int(task_id.split("/")[-1])
    return "test" if number in _TEST_IDS else "train" if number in _TRAIN_IDS else ""


def signature_of(code: str, test: str, where: str) -> tuple[str, str]:
    """Return the target's name, the function of ``code`` that ``test`` calls, and its signature.

    The signature is its ``def`` line, behind the imports of ``code`` where it names something.

    Raises:
        InputError: the code or the test does not parse, or the test calls none of the code's functions.
    """
    try:
        program = parse_trusted(code)
    except SyntaxError as error:
        raise InputError(f"{where}: field 'code' does not parse ({error.msg}, line {error.lineno})") from None
    try:
        asked = parse_trusted(test.strip())
    except SyntaxError as error:
        raise InputError(f"{where}: field 'test_list' does not parse ({error.msg}): {test.strip()!r:.60}") from None
    functions = {node.name: node for node in program.body if isinstance(node, ast.FunctionDef)}
    called = (node.func for node in ast.walk(asked) if isinstance(node, ast.Call))
    name = next((func.id for func in called if isinstance(func, ast.Name) and func.id in functions), "")
    if not name:
        raise InputError(f"{where}: field 'code' defines no function that the first of 'test_list' calls")
    return name, signature_line(program, functions[name])


def signature_line(program: ast.Module, function: ast.FunctionDef) -> str:
    """Return the ``def`` line of a function of ``program``, behind the imports that it needs."""
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"def {function.name}({ast.unparse(function.args)}){returns}:"
    parts = [function.args, *([function.returns] if function.returns else [])]
    names = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    imports = [
        ast.unparse(node)
        for node in program.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any((alias.asname or alias.name).split(".")[0] in names or alias.name == "*" for alias in node.names)
    ]
    return "\n".join([*imports, *([""] * 2 if imports else []), line])
