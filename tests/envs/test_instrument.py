"""Counting tests: which asserts of ``check`` are tests, and that each counts for itself."""

from __future__ import annotations

import pytest

from codeduet.envs import Executor, InputError, Problem, load_problems
from codeduet.envs.execution.instrument import instrument


def problem(check: str, preamble: str = "") -> Problem:
    """Return a problem for ``f`` with the body of ``check``."""
    body = "".join(f"    {line}\n" for line in check.splitlines())
    return Problem("Count/0", f"{preamble}def f(x):\n", "f", "    return x\n", f"def check(candidate):\n{body}")


COUNTS = {
    "asserts in a row": ("assert candidate(1) == 1\nassert candidate(2) == 2", 2),
    "over several lines": ("assert (\n    candidate(1)\n    == 1\n), 'one'", 1),
    "in a loop, once for the source": ("for i in range(9):\n    assert candidate(i) == i", 1),
    "two in a loop": ("for i in range(9):\n    assert candidate(i) == i\n    assert candidate(-i) == -i", 2),
    "in a nested block": ("if True:\n    for i in (1,):\n        assert candidate(i) == i", 1),
    "through a local variable": ("y = candidate(1)\nz = y + 1\nassert z == 2", 1),
    "through a loop variable": ("for y in candidate('ab'):\n    assert y in 'ab'", 1),
    "through an augmented variable": ("y = 0\ny += candidate(1)\nassert y == 1", 1),
    "assert True is no test": ("assert True\nassert candidate(1) == 1\nassert 1 == 1, 'x'", 1),
    "a plain name": ("assert candidate", 1),
    "under not": ("assert not candidate(0)", 1),
}


@pytest.mark.parametrize(("check", "total"), COUNTS.values(), ids=COUNTS.keys())
def test_a_test_is_a_source_assert_that_looks_at_the_candidate(executor: Executor, check: str, total: int) -> None:
    made = problem(check)
    assert instrument(made).total == total
    outcome = executor.judge(made, main_code=made.reference)
    assert (outcome.passed, outcome.total) == (total, total)


@pytest.mark.parametrize("call", ["assert candidate(a) == [1, 3]", "r = candidate(a)\nassert r == [1, 3]"])
def test_that_an_argument_was_left_alone_is_a_test(executor: Executor, call: str) -> None:
    made = problem(f"a = [3, 1]\nassert len(a) == 2\n{call}\nassert a == [3, 1]\na = [0]\nassert a == [0]")
    assert instrument(made).total == 2
    assert executor.judge(made, main_code="def f(x):\n    return sorted(x)\n").solved
    assert executor.judge(made, main_code="def f(x):\n    x.sort()\n    return x\n").tests == (True, False)


def test_a_check_that_calls_the_function_by_its_own_name_asks_the_candidate(executor: Executor) -> None:
    made = problem("assert f(1) == 1\nassert f(2) == 2")
    assert instrument(made).total == 2
    assert executor.judge(made, main_code="def f(x):\n    return 1\n").tests == (True, False)
    asked = problem("assert candidate(2) == f(2)")  # by that name the reference is asked where the candidate is too
    assert not executor.judge(asked, main_code="def f(x):\n    return 1\n").solved


def test_humaneval_has_1133_tests_and_42_problems_with_fewer_than_five() -> None:
    totals = [instrument(each).total for each in load_problems()]
    assert sum(totals) == 1133
    assert min(totals) >= 1
    assert sum(total < 5 for total in totals) == 42


def test_asserts_that_are_no_tests_stay_out_of_the_count() -> None:
    lines = [line.strip() for each in load_problems() for line in each.tests.split("\n")]
    asserts = [line for line in lines if line.startswith("assert ")]
    idle = [line for line in asserts if line.startswith("assert True") and "candidate" not in line]
    assert (len(asserts), len(idle)) == (1181, 48)
    assert len(asserts) - len(idle) == 1133


def test_one_failure_hides_no_other_test(executor: Executor) -> None:
    made = problem("assert candidate(1) == 1\nassert candidate(2) == 0\nassert candidate(3) == 3")
    assert executor.judge(made, main_code=made.reference).tests == (True, False, True)


def test_an_exception_fails_its_own_test_only(executor: Executor) -> None:
    made = problem("assert candidate(1) == 1\nassert candidate('a') == 2\nassert candidate(3) == 3")
    outcome = executor.judge(made, main_code="def f(x):\n    return x + 0\n")
    assert outcome.tests == (True, False, True)
    assert (outcome.error, outcome.error_part) == ("TypeError", "main_0")


def test_a_loop_passes_if_every_round_holds(executor: Executor) -> None:
    made = problem("for i in range(5):\n    assert candidate(i) == i\nassert candidate(9) == 9")
    assert executor.judge(made, main_code="def f(x):\n    return 0 if x == 3 else x\n").tests == (False, True)


def test_a_call_that_raises_outside_an_assert_fails_the_tests_of_its_statement(executor: Executor) -> None:
    made = problem("for i in range(5):\n    y = candidate(i)\n    assert y == i\nassert candidate(9) == 9")
    assert executor.judge(made, main_code="def f(x):\n    assert x != 3\n    return x\n").tests == (False, True)


def test_a_loop_that_is_never_entered_passes_nothing(executor: Executor) -> None:
    made = problem("for y in candidate([]):\n    assert y\nassert candidate(1) == 1")
    assert executor.judge(made, main_code=made.reference).tests == (False, True)


def test_the_prompts_functions_are_the_tests_own(executor: Executor) -> None:
    preamble = "def twice(x):\n    return 2 * x\n\n\n"
    made = problem("assert twice(candidate(2)) == 4", preamble)
    forged = "def twice(x):\n    return 4\n\n\ndef f(x):\n    return None\n"
    assert executor.judge(made, main_code=forged).tests == (False,)
    assert executor.judge(made, main_code="def f(x):\n    return twice(x) / 2\n").tests == (True,)


@pytest.mark.parametrize("number", [10, 32, 38, 50])
def test_tests_that_call_the_prompts_functions_count(executor: Executor, number: int) -> None:
    each = load_problems()[number]
    outcome = executor.judge(each, main_code=each.reference)
    assert outcome.passed == outcome.total == instrument(each).total


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("def check(candidate:\n", r"Count/1: its tests do not parse \(.*line 1\)"),
        (
            "def test(candidate):\n    assert candidate(1)\n",
            r"Count/1: its tests define no function check\(candidate\)",
        ),
        ("def check():\n    assert True\n", r"Count/1: its tests define no function check\(candidate\)"),
        (
            "def check(candidate):\n    assert True\n",
            r"Count/1: no assert in check\(candidate\) looks at the candidate",
        ),
        (  # nothing waits for it, so that every program would pass
            "def check(candidate):\n    async def wait():\n        assert candidate(2) == 4\n\n    wait()\n",
            r"Count/1: no assert in check\(candidate\) looks at the candidate",
        ),
    ],
)
def test_malformed_tests_are_the_callers_error(executor: Executor, tests: str, message: str) -> None:
    malformed = Problem("Count/1", "def f(x):\n", "f", "", tests)
    with pytest.raises(InputError, match=message):
        executor.judge(malformed, main_code="")
