"""EvalPlus's own files, HumanEvalPlus and MbppPlus: inputs only; what they give, the reference says.

A row's expected values come from its reference, run in the jail with the contract's asserts behind its signature. An
input that breaks the contract is no test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from codeduet.envs.errors import InputError
from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.problems import Problem, stub
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row
from codeduet.envs.sets.humaneval import check_prompt
from codeduet.envs.sets.mbpp import signature_line
from codeduet.envs.tests import Cases, Compare

NAME = "EvalPlus"
KEYS = ("task_id", "prompt", "entry_point", "base_input", "canonical_solution")

_SETS = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
"""MBPP+ functions whose result is compared as a set, as EvalPlus compares them."""

_MATCHES = frozenset({"check_str", "text_match_three", "text_starta_endb"})
"""MBPP+ functions of which only whether the result is None counts."""


def read(row: Row, where: str) -> tuple[Problem, Callable[[list[Any]], Problem]]:
    """Return the problem without its tests, whose reference is to be asked, and what makes it whole.

    The second takes what the reference gave, an ``(arguments, value)`` pair for every input that is a test.

    Raises:
        InputError: the row is malformed.
    """
    name = fields.function_name(row, where)
    code = fields.text(row, "canonical_solution", where)
    prompt = fields.text(row, "prompt", where)
    task_id = fields.identity(row, where)
    inputs = inputs_of(row, task_id, where)
    if not any(isinstance(node, ast.FunctionDef) for node in _parsed(prompt + "    pass\n", where).body):
        program = _parsed(code, where)
        functions = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == name]
        if not functions:
            raise InputError(f"{where}: field 'canonical_solution' does not define {name}")
        prompt = stub(name, _docstring(prompt), signature_line(program, functions[-1]))
    atol = fields.tolerance(row, where)
    mbpp = task_id.startswith("Mbpp/")
    compare: Compare = "set" if mbpp and name in _SETS else "none" if mbpp and name in _MATCHES else "equal"
    if name == "find_zero":
        compare = "root"
    asked = Problem(task_id, prompt, name, code, Cases([(call, None) for call in inputs]))
    check_prompt(asked, where)

    def finish(given: list[Any]) -> Problem:
        return Problem(task_id, prompt, name, code, Cases(given, atol, compare), split=fields.split(row, where))

    return asked, finish


def inputs_of(row: Row, task_id: str, where: str) -> list[list[Any]]:
    """Return the arguments of every call, those of the base tests first, with the types JSON has not."""
    inputs = []
    for name in ("base_input", "plus_input"):
        value = row.get(name)
        if value is None or value == {}:  # EvalPlus's own way to say none
            continue
        if not isinstance(value, list) or not all(isinstance(call, list) for call in value):
            raise InputError(f"{where}: field {name!r} must be a list of argument lists")
        inputs += value
    if not inputs:
        raise InputError(f"{where}: field 'base_input' is empty")
    try:
        return [_typed(task_id, call) for call in inputs] if task_id.startswith("Mbpp/") else inputs
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{where}: an input of {task_id} has another form than its function takes ({error})") from None


def with_contract(problem: Problem, contract: str) -> str:
    """Return the problem's reference program with the contract's asserts as its first statements."""
    if not contract.strip():
        return problem.reference
    body = re.sub(r"^[ \t]*\n", "", contract.rstrip()) + "\n"
    if problem.reference != problem.canonical_solution:  # a body behind the prompt
        return f"{problem.signature.rstrip()}\n{body}{problem.canonical_solution}"
    lines = problem.reference.split("\n")
    starts = [number for number, line in enumerate(lines) if re.match(rf"def {problem.entry_point}\b", line)]
    return "\n".join([*lines[: starts[-1] + 1], body, *lines[starts[-1] + 1 :]])


def _parsed(code: str, where: str) -> ast.Module:
    try:
        return parse_trusted(code)
    except SyntaxError:
        return ast.Module([], [])


def _docstring(prompt: str) -> str:
    return prompt.strip().strip('"').strip()


_ALL_TUPLES = (
    2,
    116,
    132,
    143,
    222,
    261,
    273,
    394,
    399,
    421,
    424,
    429,
    470,
    560,
    579,
    596,
    616,
    630,
    726,
    740,
    744,
    809,
)
_LISTS_OF_TUPLES = (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)
_FIRST_LIST_OF_TUPLES = (75, 413, 444, 753)
_FIRST_TUPLE = (250, 307, 405, 446, 617, 720, 763, 808)
_SECOND_TUPLE = (106, 750)
_TUPLES_OF_TUPLES = (259, 401, 445)
_DEEP_TUPLES = (580, 615, 791)
"""Numbers of MBPP+ tasks whose arguments hold tuples, which the file has as lists, by where they stand in them."""


def _typed(task_id: str, call: list[Any]) -> list[Any]:  # one case for each kind of argument
    """Return the arguments of an MBPP+ call with the tuples, sets and complex numbers that JSON has not."""
    match int(task_id.split("/")[-1]):
        case number if number in _ALL_TUPLES:
            return [tuple(argument) for argument in call]
        case number if number in _LISTS_OF_TUPLES:
            return [list(map(tuple, argument)) for argument in call]
        case number if number in _FIRST_LIST_OF_TUPLES:
            return [list(map(tuple, call[0])), *call[1:]]
        case number if number in _FIRST_TUPLE:
            return [tuple(call[0]), *call[1:]]
        case number if number in _SECOND_TUPLE:
            return [call[0], tuple(call[1]), *call[2:]]
        case number if number in _TUPLES_OF_TUPLES:
            return [tuple(map(tuple, argument)) for argument in call]
        case number if number in _DEEP_TUPLES:
            return [_deep(argument) for argument in call]
        case 115:
            return [[set(item) if isinstance(item, list) and item else {} for item in call[0]]]
        case 124:
            return [float(call[0]), complex(call[1])]
        case 252:
            return [complex(call[0])]
        case 278:
            return [tuple(tuple(item) if isinstance(item, list) else item for item in call[0])]
        case 722:
            return [{key: tuple(value) for key, value in call[0].items()}, *call[1:]]
    return call


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value
