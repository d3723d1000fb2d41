"""Prompts that are not in HumanEval's form: other indentation, decorators, a future import of their own."""

from __future__ import annotations

import pytest

from codeduet.envs import Executor, Problem
from codeduet.envs.text import extract_main

TESTS = "def check(candidate):\n    assert candidate([3, 1, 2]) == 6\n    assert candidate([]) == 0\n"
BODIES = {
    "at the prompt's own depth": "{m}total = 0\n{m}for i in x:\n{m}{m}total += i\n{m}return total\n",
    "at four": "    total = 0\n    for i in x:\n        total += i\n    return total\n",
    "its first line stripped": "for i in (0,):\n{m}{m}total = i\n{m}for i in x:\n{m}{m}total += i\n{m}return total\n",
    "not indented at all": "total = 0\nfor i in x:\n{m}total += i\nreturn total\n",
}
MARGINS = {"two": "  ", "three": "   ", "four": "    ", "eight": " " * 8, "a tab": "\t"}


@pytest.mark.parametrize("margin", MARGINS.values(), ids=MARGINS.keys())
@pytest.mark.parametrize("docstring", ['"""Sum."""', "'''Sum.\n\n{m}  Deeper:\n{m}>>> total([1])\n{m}1\n{m}'''"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_is_joined_at_the_prompts_own_indentation(
    executor: Executor, margin: str, docstring: str, body: str
) -> None:
    prompt = f"def total(\n        x,\n):\n{margin}{docstring.format(m=margin)}\n"
    problem = Problem("Form/0", prompt, "total", f"{margin}return sum(x)\n", TESTS)
    assert executor.judge(problem, main_code=problem.reference).solved
    assert executor.judge(problem, main_code=extract_main(body.format(m=margin), problem)).solved


DECORATED = {
    "a library's": ("from functools import lru_cache\n\n\n", "@lru_cache\n"),
    "with brackets": ("from functools import lru_cache\n\n\n", "@lru_cache(\n    maxsize=None,\n)\n"),
    "two and a comment": ("import functools\n\n\n", "@functools.lru_cache\n# and once more\n@functools.lru_cache(8)\n"),
    "one that the prompt defines": (
        "def plain(f):\n    def g(*a):\n        return f(*a) + 0\n    return g\n\n\n@plain\ndef other(x):\n    return x\n\n\n",
        "@plain\n",
    ),
}


@pytest.mark.parametrize(("preamble", "decorators"), DECORATED.values(), ids=DECORATED.keys())
def test_a_decorated_target_keeps_its_decorators(executor: Executor, preamble: str, decorators: str) -> None:
    prompt = f'{preamble}{decorators}def total(x: tuple) -> int:\n    """Sum."""\n'
    tests = TESTS.replace("[3, 1, 2]", "(3, 1, 2)").replace("[]", "()")
    problem = Problem("Form/1", prompt, "total", "    return sum(x)\n", tests)
    assert problem.preamble == preamble
    assert problem.signature.startswith(decorators)
    for code in (problem.reference, extract_main("    return sum(x)\n", problem), "def total(x):\n    return sum(x)\n"):
        assert executor.judge(problem, main_code=code).solved


def test_a_prompts_decorator_is_the_programs_too(executor: Executor) -> None:
    """The decorator doubles, so a right body is only right with it."""
    preamble = "def doubled(f):\n    return lambda x: 2 * f(x)\n\n\n"
    tests = "def check(candidate):\n    assert candidate(2) == 4\n"
    problem = Problem("Form/2", f"{preamble}@doubled\ndef same(x):\n", "same", "    return x\n", tests)
    assert executor.judge(problem, main_code=extract_main("    return x\n", problem)).solved
    assert not executor.judge(problem, main_code="def same(x):\n    return x\n").solved


UNKNOWN = "def first(x: Unknown) -> 'int':\n    return x[0]\n"
"""Runs where annotations are not evaluated, and nowhere else."""


@pytest.mark.parametrize("future", [True, False])
def test_a_prompts_future_import_holds_for_the_whole_program_and_no_other_does(
    executor: Executor, future: bool
) -> None:
    preamble = '"""Of the prompt."""\nfrom __future__ import annotations\n\n' if future else ""
    tests = "def check(candidate):\n    assert candidate([1]) == 1\n"
    problem = Problem("Form/3", f"{preamble}def first(x):\n", "first", "    return x[0]\n", tests)
    told = executor.judge(problem, main_code=UNKNOWN)
    assert told.solved is future
    assert told.error == ("" if future else "NameError: name 'Unknown' is not defined")
    helper = "def aid(x: Unknown):\n    return x\n"
    assert executor.judge(problem, helper_code=helper, main_code=problem.reference).solved is future


def test_a_programs_future_import_is_its_own(executor: Executor) -> None:
    tests = "def check(candidate):\n    assert candidate([1]) == 1\n"
    problem = Problem("Form/4", "def first(x):\n", "first", "    return x[0]\n", tests)
    future = "from __future__ import annotations\n"
    assert executor.judge(problem, main_code=future + UNKNOWN).solved
    assert not executor.judge(problem, helper_code=f"{future}y = 1\n", main_code=UNKNOWN).solved
