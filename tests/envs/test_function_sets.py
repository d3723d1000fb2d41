"""Sets that a function gives are tried as files are, and found where algorithms and rewards are."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import indent

import pytest

from codeduet.envs import InputError, load_problems
from codeduet.envs.sets import load_set

HEAD = """
from codeduet.envs import Asserts, Problem
from codeduet.envs.problems import stub


def double(task_id, *, code="def double(x):\\n    return 2 * x\\n", tests=("assert double(2) == 4",), **others):
    tests = Asserts(tests) if isinstance(tests, tuple) else tests
    return Problem(task_id, others.pop("prompt", stub("double", "Twice x.")), "double", code, tests, **others)

"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "function_set", raising=False)  # of the test before
    return tmp_path


def write(body: str) -> None:
    """Write a module whose function gives what ``body`` does."""
    Path("function_set.py").write_text(f"{HEAD}\ndef my_set():\n{indent(body, '    ')}\n")


@pytest.mark.parametrize("name", ["function_set:my_set", "function_set.py:my_set", "{folder}/function_set.py:my_set"])
def test_a_function_is_found_by_its_module_or_file(folder: Path, name: str) -> None:
    write('yield double("My/0")')
    assert [problem.task_id for problem in load_problems(name.format(folder=folder))] == ["My/0"]


def test_a_reference_that_fails_is_said_where_the_set_is_loaded(folder: Path) -> None:
    write('yield double("My/0")\nyield double("My/1", code="def double(x):\\n    return x\\n")')
    assert load_set("function_set:my_set").line() == (
        "loaded 2 problems, own format; the references of 1 fail tests of their own, so that no program may solve them: "
        "My/1 (0 of 1 pass)"
    )


def test_problems_without_a_reference_are_taken_and_examples_are_read_of_the_prompt() -> None:
    write('yield double("My/0", code="", prompt=stub("double", "Twice x.\\n\\n>>> double(3)\\n6"))')
    loaded = load_set("function_set:my_set")
    assert loaded.line() == "loaded 1 problems, own format"
    assert loaded.problems[0].examples is not None


def test_a_set_is_tried_once_for_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    write('yield double("My/tried once")')
    first = load_set("function_set:my_set")
    assert load_set("function_set:my_set") is first


REFUSED = {
    "one id twice": (
        'yield double("My/0")\nyield double("My/0")',
        r"function_set:my_set, problem 2 \('My/0'\): field 'task_id' 'My/0' stands in problem 1 \('My/0'\) too",
    ),
    "tests that are not Python": (
        'yield double("My/0")\nyield double("My/1", tests="def check(candidate:\\n")',
        r"function_set:my_set, problem 2 \('My/1'\): field 'test': My/1: its tests do not parse",
    ),
    "tests that test nothing": (
        'yield double("My/1", tests="x = 1\\n")',
        r"function_set:my_set, problem 1 \('My/1'\): field 'test': My/1: ",
    ),
    "tests that import nothing there is": (
        'yield double("My/1", tests="import no_such_package\\ndef check(candidate):\\n    assert candidate(1) == 2\\n")',
        "My/1: its tests import no_such_package, which is not installed",
    ),
    "tests of no kind": (
        'yield double("My/1", tests=["assert double(1) == 2"])',
        r"problem 1 \('My/1'\): field 'tests' must be text or a kind of codeduet.envs.tests, not list",
    ),
    "an id that is no text": ("yield double(1)", r"problem 1 \(1\): field 'task_id' must be text, not int"),
    "a prompt for no answer": (
        'yield double("My/1", prompt="Twice x.")',
        r"problem 1 \('My/1'\): field 'prompt' has no line 'def double",
    ),
    "views of no texts": (
        'yield double("My/1", views={"helper": 1})',
        r"problem 1 \('My/1'\): field 'views' must be an object of texts",
    ),
    "another split": ('yield double("My/1", split="valid")', "field 'split' must be train or test, not 'valid'"),
    "no assert": ('yield double("My/1", tests=())', "function_set:my_set: there is no assert among its tests"),
    "nothing": ("return []", "function_set:my_set gives no problems"),
    "rows": ('return [{"id": 1}]', "function_set:my_set gives no problems"),
    "an error": ("return 1 / 0", "problems 'function_set:my_set' cannot be had: ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_file_may_hold_is_refused_in_a_line_that_names_the_problem(body: str, message: str) -> None:
    write(body)
    with pytest.raises(InputError, match=message) as refused:
        load_problems("function_set:my_set")
    assert "\n" not in str(refused.value)


def test_a_name_that_is_none_or_no_function_is_one_line() -> None:
    write('yield double("My/0")')
    for name in ("function_set:none", "no_such.py:my_set", "no_such:my_set"):
        with pytest.raises(InputError, match=f"^problems '{name}' cannot be imported: "):
            load_problems(name)
    with pytest.raises(InputError, match="problems 'function_set:__doc__' is no function that gives"):
        load_problems("function_set:__doc__")
