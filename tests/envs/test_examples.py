"""Visible examples: found in prompts of every form, confirmed by the reference, and judged apart from the hidden tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codeduet.envs import Executor, InputError, Problem, Program, load_problems
from codeduet.envs.examples import examples_of
from codeduet.envs.sets import load_set, with_examples
from codeduet.envs.sets.humaneval import CONTRADICTED
from codeduet.envs.tests import Asserts

FORMS = {
    "doctest": ("f(x)", ">>> f(1)\n2\n>>> f('a b')\n'b  a'\n", ["f(1) == 2", "f('a b') == 'b  a'"]),
    "doctest of a comparison": ("f(x)", ">>> f([1]) == [2]\n", ["f([1]) == [2]"]),
    "doctest with text behind it": ("f(x)", ">>> f(1)\n2\nThat is all.\n", ["f(1) == 2"]),
    "doctest over lines": ("f(x, y)", ">>> f(\n...     1, 2)\n[1,\n 2]\n", ["f( 1, 2) == [1, 2]"]),
    "doctest without a value": ("f(x)", ">>> f(1)\n\nNothing.", []),
    "signs": (
        "f(x)",
        "f(1) == 2\nf(2) => 3\n f(3) ==> 4\n* f(4) -> 5\n1) f(5) \u279e 6\nf(6) = 7\nf(7) # => 8\nf(8) \u2192 9.",
        [f"f({n}) == {n + 1}" for n in range(1, 9)],
    ),
    "words": (
        "f(x)",
        "f(1) returns 2\nf(2) should return 3.\nf(3)  # returns 4\nFor example, f(4) should be 5, as is f(5) = 6",
        [f"f({n}) == {n + 1}" for n in range(1, 5)],
    ),
    "words for values": (
        "f(x)",
        "f(1) => true\nf(2) => False\nf(3) -> null\n",
        ["f(1) == True", "f(2) == False", "f(3) == None"],
    ),
    "a sum and what it gives": (
        "f(x)",
        "f([1, 3]) == 1 + 9 = 10\nf(2) -> 3 - 1 = 2",
        ["f([1, 3]) == 1 + 9", "f(2) == 3 - 1"],
    ),
    "over lines": (
        "f(x, y)",
        "f([\n  [1, 2],\n  [3]\n], 1) == [(0, 0),\n   (1, 0)]",
        ["f([ [1, 2], [3] ], 1) == [(0, 0), (1, 0)]"],
    ),
    "a reason behind it": (
        "f(x)",
        "f('x.y') # => 'No' (the name is short)\nf(2) == 3 since 2 < 3",
        ["f('x.y') == 'No'", "f(2) == 3"],
    ),
    "input and output": (
        "f(x, k)",
        "Example 1:\n    Input: x = [1, 2], k = 3\n    Output: [3]\n    Explanation: 3\nExample 2:\n    Input: [4], 5\n    Output: 6\n",
        ["f([1, 2], 3) == [3]", "f([4], 5) == 6"],
    ),
    "input over lines": (
        "f(grid, size)",
        "Input:\n  grid : [[1], [2]]\n  width : 1\nOutput: 6\n",
        ["f([[1], [2]], 1) == 6"],
    ),
    "for": (
        "f(num)",
        'For num = "AB" the output should be 1.\nFor num = "C", the sum is 2, the result should be "x"',
        ['f("AB") == 1', 'f("C") == "x"'],
    ),
    "names that are not there": ("f(x)", "f(abc) => 1\nf(1) => abc\nf(lst) returns 3\n", []),
    "part of another expression": ("f(x)", "abs(f(1) == 2)\ng(f(2)) == 3\nx.f(3) == 4\n", []),
    "a broken value": ("f(x)", 'f(1) == ""aaa"\nf(2) == (3\n', []),
    "an escape": ("f(x)", '>>> f("a\\\\nb")\n"a"\n', ['f("a\\\\nb") == "a"']),
    "the same twice": ("f(x)", "f(1) == 2\n>>> f(1)\n2\n", ["f(1) == 2"]),
    "another name": (
        "f(x)",
        "Example:\n  grade([1]) ==> ['A']\n  grade([2]) ==> ['B']",
        ["f([1]) == ['A']", "f([2]) == ['B']"],
    ),
}


@pytest.mark.parametrize(("signature", "text", "expected"), FORMS.values(), ids=FORMS.keys())
def test_examples_are_found_in_every_form(signature: str, text: str, expected: list[str]) -> None:
    indented = "".join(f"    {line}\n" for line in text.split("\n"))
    problem = Problem("Form/0", f'def {signature}:\n    """Do it.\n{indented}    """\n', "f", "", "")
    assert list(examples_of(problem)) == [f"assert {line}" for line in expected]


BY_HAND = [6, 4, 4, 3, 3, 2, 4, 3, 5, 1, 6, 6, 5, 2, 0, 1, 4, 0, 3, 1]
"""How many examples the prompts of HumanEval/66 to 85 show, counted by hand; 80 gives words that are no names, 83 none."""


def test_most_of_humanevals_prompts_have_examples_and_twenty_agree_with_a_count_by_hand() -> None:
    problems = load_problems()
    without = [problem.task_id for problem in problems if problem.examples is None]
    assert without == [f"HumanEval/{n}" for n in (32, 38, 41, 50, 80, 83, 105, 116, 160)]
    assert [len(examples_of(problem)) for problem in problems[66:86]] == BY_HAND


def test_the_reference_passes_all_examples_but_those_that_are_listed(executor: Executor) -> None:
    problems = [replace(each, tests=Asserts(found)) for each in load_problems() if (found := examples_of(each))]
    failed = []
    outcomes = executor.judge_many(Program.of(problem, main_0=problem.reference) for problem in problems)
    for problem, outcome in zip(problems, outcomes, strict=True):
        lines = problem.tests.lines  # type: ignore[union-attr]
        assert len(lines) == outcome.total
        failed += [line for line, passed in zip(lines, outcome.tests, strict=True) if not passed]
    assert failed == list(CONTRADICTED)
    shown = [line for problem in load_problems() if problem.examples for line in problem.examples.lines]  # type: ignore[union-attr]
    assert not set(shown) & set(CONTRADICTED)


def test_a_program_is_judged_by_the_examples_alone(executor: Executor) -> None:
    problem = Problem(
        "Add/0", "def f(x):\n", "f", "    return x + 1\n", Asserts(["assert f(1) == 2", "assert f(5) == 6"]),
        Asserts(["assert f(1) == 2"]),
    )  # fmt: skip
    code = "def f(x):\n    return 2\n"
    assert executor.judge(problem, main_code=code, tests="examples").solved
    assert executor.judge(problem, main_code=code).tests == (True, False)
    with pytest.raises(InputError, match="Add/0 has no examples"):
        executor.judge(replace(problem, examples=None), main_code=code, tests="examples")
    with pytest.raises(InputError, match="unknown tests 'visible'"):
        executor.judge(problem, main_code=code, tests="visible")  # type: ignore[arg-type]


def test_a_files_examples_are_confirmed_by_their_references(tmp_path: Path) -> None:
    shown = "    >>> f(1)\n    2\n    >>> f(2)\n    4\n"
    row = {
        "task_id": "Mine/0",
        "prompt": f'def f(x):\n    """Add one.\n\n{shown}    """\n',
        "entry_point": "f",
        "canonical_solution": "    return x + 1\n",
        "test": "def check(candidate):\n    assert candidate(5) == 6\n",
    }
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "task_id": "Mine/1", "canonical_solution": ""}) + "\n")
    loaded = load_set(path)
    assert loaded.problems[0].examples == Asserts(["assert f(1) == 2"])
    assert loaded.problems[1].examples == Asserts(["assert f(1) == 2", "assert f(2) == 4"])  # nobody to ask
    assert loaded.contradicted == (("Mine/0", "assert f(2) == 4"),)
    assert loaded.line() == (
        "loaded 2 problems, HumanEval format; 1 examples of theirs are contradicted by the reference and not used"
    )


def test_examples_that_a_source_gives_are_kept() -> None:
    given = Asserts(["assert f(7) == 8"])
    problem = Problem("Given/0", 'def f(x):\n    """f(1) == 2"""\n', "f", "", "", given)
    assert with_examples(problem).examples == given
    assert with_examples(replace(problem, examples=None)).examples == Asserts(["assert f(1) == 2"])
