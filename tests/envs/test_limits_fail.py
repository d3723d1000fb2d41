"""What passes a limit, or cannot be described, fails the test that met it, whatever the test catches."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from codeduet.envs import Executor, Problem
from codeduet.envs.execution.instrument import run_trusted

CATCHING = {
    "assertRaises": (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        with self.assertRaises(Exception):\n"
        "            {call}\n"
    ),
    "try": (
        "def check(candidate):\n    try:\n        {call}\n        assert False\n    except AssertionError:\n        raise\n"
        "    except Exception:\n        pass\n"
    ),
    "a flag": (
        "def check(candidate):\n    raised = False\n    try:\n        {call}\n    except Exception:\n        raised = True\n"
        "    assert raised\n"
    ),
    "a function of the tests": (
        "def raises(run):\n    try:\n        run()\n    except Exception:\n        return True\n    return False\n\n\n"
        "def check(candidate):\n    assert raises(lambda: {call})\n"
    ),
    "a bare except, and what it gives": (
        "def check(candidate):\n    try:\n        got = {call}\n    except:\n        got = 'error'\n    assert got == 'error'\n"
    ),
}


class Gives(NamedTuple):
    """What a program does, what the tests ask of it, and what is told: a limit, or the error's name."""

    body: str
    told: str
    call: str = "candidate(1)"


NO_ERROR = {
    "many items": Gives("return [0] * 10**6", "result_nodes"),
    "a long text": Gives("return 'a' * 10**7", "result_bytes"),
    "a large number": Gives("return 1 << 10**8", "result_bytes"),
    "a deep list": Gives("r = []\n    for _ in range(500):\n        r = [r]\n    return r", "result_depth"),
    "an iterator's many items": Gives("return iter(range(10**6))", "result_nodes", "list(candidate(1))"),
    "an iterator's long texts": Gives(
        "return ('a' * 10**4 for _ in range(10**5))", "result_bytes", "''.join(candidate(1))"
    ),
    "an iterator's late long text": Gives(
        "return iter([*range(500), 'a' * 10**7])", "result_bytes", "list(candidate(1))"
    ),
    "many items in an argument": Gives("x.extend(range(10**6))", "result_nodes", "candidate([])"),
    "a long text in an argument": Gives("x['a'] = 'a' * 10**7", "result_bytes", "candidate({})"),
    "a truth that raises": Gives("return type('T', (), {'__bool__': lambda s: 1 / 0})()", "ValueNotSent"),
    "items that raise": Gives("return type('T', (), {'__iter__': lambda s: 1 / 0})()", "ValueNotSent"),
    "a zone that raises": Gives(
        "import datetime\n    class Z(datetime.tzinfo):\n        pass\n    return datetime.datetime(2024, 1, 1, tzinfo=Z())",
        "ValueNotSent",
    ),
    "an attribute of its own": Gives("return type('T', (), {'a': 1})()", "ValueNotSent", "candidate(1).a"),
    "a sum of its own": Gives("return type('T', (), {'__add__': lambda s, o: 1})()", "ValueNotSent", "candidate(1) + 1"),
    "an item of its own": Gives(
        "return type('T', (), {'__getitem__': lambda s, i: {'a': 1}[i]})()", "ValueNotSent", "candidate(1)['a']"
    ),
    "a length of its own": Gives("return type('T', (), {'__len__': lambda s: 1})()", "ValueNotSent", "len(candidate(1))"),
    "a function": Gives("return lambda y: y", "ValueNotSent", "candidate(1)(2)"),
    "its object, passed on": Gives("return object()", "ValueNotSent", "candidate(candidate(1))"),
    "an iterator's own attribute": Gives(
        "class I:\n        a = 1\n        def __iter__(self):\n            return self\n        def __next__(self):\n"
        "            raise StopIteration\n    return I()",
        "ValueNotSent",
        "candidate(1).a",
    ),
}  # fmt: skip


def problem(tests: str, call: str) -> Problem:
    named = tests if "def check" in tests else tests.replace("{call}", call.replace("candidate", "f"))
    return Problem("Limit/0", "def f(x=None):\n", "f", "", named.replace("{call}", call))


@pytest.mark.parametrize("catching", CATCHING.values(), ids=CATCHING.keys())
@pytest.mark.parametrize("gives", NO_ERROR.values(), ids=NO_ERROR.keys())
def test_it_is_no_error_of_the_programs(executor: Executor, gives: Gives, catching: str) -> None:
    made = problem(catching, gives.call)
    outcome = executor.judge(made, main_code=f"def f(x=None):\n    {gives.body}\n")
    assert (outcome.passed, outcome.solved, outcome.worker_fault) == (0, False, False)
    assert gives.told in (outcome.limit, outcome.error.split(":")[0])
    # One that raises passes the same test.
    assert executor.judge(made, main_code="def f(x=None):\n    raise ValueError\n").solved


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('a' * 10**7)", "result_bytes"),
        ("raise ValueError(*range(10**6))", "result_nodes"),
        ("e = ValueError()\n    e.args = (e,)\n    raise e", "result_depth"),
        ("e = ValueError()\n    e.text = 'a' * 10**7\n    raise e", "result_bytes"),
        ("raise ValueError(type('T', (), {'__bool__': lambda s: 1 / 0})())", "ValueNotSent"),
        ("return bytearray(10**10)", "memory"),
        ("return [open('/dev/null') for _ in range(100)]", "open_files"),
        ("def g():\n        yield bytearray(10**10)\n    return g()", "memory"),
    ],
)
def test_an_error_that_is_not_sent_whole_is_none_that_a_test_expects(executor: Executor, body: str, told: str) -> None:
    outcome = executor.judge(problem(CATCHING["assertRaises"], "candidate(1)"), main_code=f"def f(x):\n    {body}\n")
    assert (outcome.passed, outcome.solved) == (0, False)
    assert told in (outcome.limit, outcome.error.split(":")[0])


@pytest.mark.parametrize(
    "statement", ["raise MemoryError", "raise MemoryError('no block left')", "raise OSError(24, '')"]
)
def test_an_error_that_a_program_raises_itself_is_its_own(executor: Executor, statement: str) -> None:
    made = problem(CATCHING["assertRaises"].replace("Exception", "(MemoryError, OSError)"), "candidate(1)")
    outcome = executor.judge(made, main_code=f"def f(x):\n    {statement}\n")
    assert (outcome.solved, outcome.limit) == (True, "")


LARGE_ON_2 = "def f(x):\n    return [0] * 10**6 if x == 2 else x\n"


@pytest.mark.parametrize(
    ("body", "tests", "completed"),
    [
        ("    assert candidate(2) == 2\n    assert candidate(3) == 3\n", (False, True), True),
        # Where it ends a statement, what comes behind that has seen nothing of it.
        ("    for x in (1, 2):\n        y = candidate(x)\n        assert y == x\n    assert candidate(3) == 3\n",
         (True, False, True), False),
        # Where it was swallowed, all may hang on it.
        ("    try:\n        y = candidate(2)\n    except Exception:\n        y = 2\n    assert candidate(1) == 1\n    assert y == 2\n",
         (False, False), False),
        ("    assert candidate(1) == 1\n    try:\n        candidate(2)\n    except Exception:\n        pass\n", (True,), False),
    ],
)  # fmt: skip
def test_other_tests_keep_what_they_showed(
    executor: Executor, body: str, tests: tuple[bool, ...], completed: bool
) -> None:
    made = Problem("Limit/1", "def f(x):\n", "f", "", f"def check(candidate):\n{body}")
    outcome = executor.judge(made, main_code=LARGE_ON_2)
    assert (outcome.tests, outcome.completed, outcome.solved) == (tests, completed, False)
    assert outcome.limit == "result_nodes"
    assert executor.judge(made, main_code="def f(x):\n    return x\n").solved


def test_what_is_not_looked_into_does_no_harm(executor: Executor) -> None:
    tests = (
        "import copy\n\n\ndef check(candidate):\n    got = candidate(1)\n    assert got\n    assert got != 1 and got is not None\n"
        "    assert not isinstance(got, int) and callable(got) is False\n    assert copy.copy([got])[0] is got\n"
    )
    main = "def f(x):\n    return type('T', (), {'a': 1})()\n"
    plain = run_trusted(f"{main}\n{tests}")
    plain["check"](plain["f"])
    outcome = executor.judge(Problem("Limit/2", "def f(x):\n", "f", "", tests), main_code=main)
    assert (outcome.solved, outcome.error) == (True, "")
