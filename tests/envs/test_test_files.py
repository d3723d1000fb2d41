"""Files of tests in pytest's and unittest's forms: each test is run and counts, or the file is refused by the test's name."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from tests.envs.test_kinds_of_tests import FORGED

from codeduet.envs import Executor, InputError, Problem, Program
from codeduet.envs.execution.instrument import instrument
from codeduet.envs.problems import stub
from codeduet.envs.sets import load_set

RIGHT = "def f(x):\n    return 2 * x\n"
WRONG = "def f(x):\n    return 2\n"  # right for 1 alone
FIRST = "\n\ndef test_first():\n    assert f(1) == 2\n"


def made(tests: str) -> Problem:
    """Return a problem whose target doubles."""
    return Problem("File/0", stub("f", "Double x.", "def f(x):"), "f", "    return 2 * x\n", textwrap.dedent(tests))


RUN = {
    "parametrized": (
        """
        import pytest

        @pytest.mark.parametrize("x, y", [(1, 2), (2, 4), pytest.param(3, 6, id="three")], ids=str)
        def test_p(x, y):
            assert f(x) == y
        """,
        (True, False, False),
    ),
    "parametrized by one name": (
        """
        import pytest
        from pytest import mark

        @mark.parametrize("x", [1, 2])
        def test_p(x, twice=2):
            assert f(x) == twice * x

        @pytest.mark.parametrize(["pair"], [([2, 4],), ([1, 2],)])
        def test_q(pair):
            assert f(pair[0]) == pair[1]
        """,
        (True, False, False, True),
    ),
    "parametrized twice": (
        """
        import pytest

        XS = [1, 2]

        @pytest.mark.parametrize("x", XS)
        @pytest.mark.parametrize("more", (0, 1))
        def test_p(x, more):
            assert f(x) + more == 2 * x + more
        """,
        (True, False, True, False),
    ),
    "parametrized by a list whose length does not show": (
        """
        import pytest

        @pytest.mark.parametrize("x", [i + 1 for i in range(3)])
        def test_p(x):
            assert f(x) == 2 * x
        """,
        (False,),
    ),
    "async": ("async def test_p():\n    assert f(2) == 4\n", (False,)),
    "async and marked": (
        "import pytest\n@pytest.mark.asyncio\nasync def test_p():\n    assert f(2) == 4\n",
        (False,),
    ),
    "async, started by the file": (
        "import asyncio\nasync def test_p():\n    assert f(2) == 4\nasyncio.run(test_p())\n",
        (False,),
    ),
    "with a default": ("def test_p(x=2):\n    assert f(x) == 4\n", (False,)),
    "decorated": (
        """
        def deco(g):
            def w():
                g(2)
            return w

        @deco
        def test_p(x):
            assert f(x) == 4
        """,
        (False,),
    ),
    "decorated by unittest.mock": (
        """
        from unittest.mock import patch

        @patch("math.pi", 3)
        def test_p():
            import math
            assert f(math.pi) == 6
        """,
        (False,),
    ),
    "that expects an error": (
        """
        import pytest

        def test_p():
            with pytest.raises(TypeError):
                f(None)
        """,
        (False,),
    ),
    "named but not called": ("def test_p():\n    assert f(2) == 4\n\ntest_p.slow = True\n", (False,)),
    "called by a function that is not": (
        "def test_p():\n    assert f(2) == 4\n\ndef every():\n    test_p()\n",
        (False,),
    ),
    "a class with what pytest calls around it": (
        """
        import pytest

        class TestMore:
            @classmethod
            def setup_class(cls):
                cls.one = 1

            def setup_method(self, method):
                self.two = 2

            @pytest.mark.parametrize("x", [1, 2])
            def test_p(self, x):
                assert f(x) == self.two * x * self.one

            async def test_q(self):
                assert f(2) == 4

            @staticmethod
            def test_r():
                assert f(1) == 2
        """,
        (True, False, False, True),
    ),
    "inherited and parametrized": (
        """
        import pytest

        class Base:
            @pytest.mark.parametrize("x", [1, 2])
            def test_p(self, x):
                assert f(x) == 2 * x

        class TestA(Base):
            pass

        class TestB(Base):
            pass
        """,
        (True, False, True, False),
    ),
    "unittest, async": (
        """
        import unittest

        class T(unittest.IsolatedAsyncioTestCase):
            async def test_p(self):
                self.assertEqual(f(2), 4)
        """,
        (False,),
    ),
    "unittest, imported by name": (
        """
        from unittest import TestCase, main

        class T(TestCase):
            def test_p(self):
                self.assertEqual(f(2), 4)

        if __name__ == "__main__":
            main()
        """,
        (False,),
    ),
    "a runner in a function": (
        """
        import sys
        import unittest as ut

        class T(ut.TestCase):
            def test_p(self):
                self.assertEqual(f(2), 4)

        def run():
            return ut.main(exit=False)

        if __name__ == "__main__":
            sys.exit(run())
        """,
        (False,),
    ),
    "pytest's runner": (
        """
        import sys
        import pytest

        def test_p():
            assert f(2) == 4

        if __name__ == "__main__":
            raise SystemExit(pytest.main([__file__]))
        """,
        (False,),
    ),
    "in a list": (
        """
        def same(x):
            assert f(x) == 2 * x

        [same(x) for x in (1, 2)]
        """,
        (False,),
    ),
}


@pytest.mark.parametrize(("tests", "wrong"), RUN.values(), ids=RUN.keys())
def test_every_test_of_a_file_is_run_and_counts(executor: Executor, tests: str, wrong: tuple[bool, ...]) -> None:
    problem = made(textwrap.dedent(tests))
    assert instrument(problem).total == len(wrong)
    right = executor.judge(problem, main_code=RIGHT)
    assert (right.solved, right.error) == (True, "")
    outcome = executor.judge(problem, main_code=WRONG)
    assert (outcome.tests, outcome.solved) == (wrong, False)
    # Beside another test too, which a program may pass alone.
    beside = executor.judge(made(textwrap.dedent(tests) + FIRST), main_code=WRONG)
    assert (beside.passed, beside.total, beside.solved) == (sum(wrong) + 1, len(wrong) + 1, False)


REFUSED = {
    "import pytest\n@pytest.fixture\ndef d():\n    return [1]\ndef test_p(d):\n    assert f(d) == d * 2\n": (
        "its test test_p takes d, which nothing gives it here"
    ),
    "def test_p(tmp_path):\n    assert f(2) == 4\n": "its test test_p takes tmp_path",
    "import pytest\n@pytest.mark.skip\ndef test_p():\n    assert f(2) == 4\n": "its test test_p is marked skip",
    "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_p():\n    assert f(2) == 4\n": "test_p is marked xfail",
    "import pytest\npytestmark = skipped = pytest.mark.skip\n@skipped\ndef test_p():\n    assert f(2) == 4\n": (
        "its test test_p is marked skip"
    ),
    "import pytest\n@pytest.mark.parametrize('x', [1], indirect=True)\ndef test_p(x):\n    assert f(x)\n": (
        "its test test_p is parametrized in a way"
    ),
    "import pytest\n@pytest.mark.parametrize('x, y', [(1, 2)])\ndef test_p(x):\n    assert f(x)\n": (
        "its test test_p is parametrized by y, which it does not take"
    ),
    "import pytest\n@pytest.mark.parametrize('x, y', [(1, 2, 3)])\ndef test_p(x, y):\n    assert f(x)\n": (
        "its test test_p is parametrized by 2 names and 3 values"
    ),
    "import pytest\nskip = pytest.mark.skip\n@pytest.mark.parametrize('x', [1, pytest.param(2, marks=skip)])\n"
    "def test_p(x):\n    assert f(x)\n": "a parameter of its test test_p is marked",
    "import pytest\n@pytest.fixture(autouse=True)\ndef d():\n    yield\ndef test_p():\n    assert f(2)\n": "its fixture d",
    "def test_p():\n    yield f(2) == 4\n": "its test test_p is a generator",
    "def deco(g):\n    pass\n@deco\ndef test_p():\n    assert f(2) == 4\n": "its test test_p is no function",
    "def setup_module():\n    pass\ndef test_p():\n    assert f(2) == 4\n": "its setup_module is called by pytest alone",
    "if True:\n    def test_p():\n        assert f(2) == 4\n": "its test test_p is not defined by a plain def",
    "def make(x):\n    def test():\n        assert f(x) == 4\n    return test\ntest_p = make(2)\n": "is not defined by a plain def",
    "test_p = lambda: f(2) == 4\n": "its test test_p is not defined",
    "import unittest\nclass T(unittest.TestCase):\n    @unittest.skip('later')\n    def test_p(self):\n"
    "        self.assertEqual(f(2), 4)\n": "its test T.test_p is skipped",
    "import unittest\n@unittest.skipIf(True, 'later')\nclass T(unittest.TestCase):\n    def test_p(self):\n"
    "        self.assertEqual(f(2), 4)\n": "its test T.test_p is skipped",
    "import unittest\nclass T(unittest.TestCase):\n    async def test_p(self):\n        self.assertEqual(f(2), 4)\n": (
        "its test T.test_p is async"
    ),
    "import unittest\nclass T(unittest.TestCase):\n    def test_p(self):\n        self.assertEqual(f(2), 4)\n"
    "T.test_q = lambda self: self.assertEqual(f(3), 6)\n": "its test T.test_q is not defined",
    "class TestA:\n    def test_p(self):\n        assert f(2) == 4\n    class TestB:\n        def test_q(self):\n"
    "            assert f(3) == 6\n": "its test class TestB stands inside TestA",
    "class TestA:\n    def test_p(self, d):\n        assert f(d) == 4\n": "its test TestA.test_p takes d",
    "import pytest\n@pytest.mark.skip\nclass TestA:\n    def test_p(self):\n        assert f(2)\n": "its test class TestA",
    "async def check(candidate):\n    assert candidate(2) == 4\n": "its check(candidate) is async",
    "def check(candidate):\n    assert candidate(1) == 2\ndef test_p():\n    assert f(2) == 4\n": (
        "its test test_p stands beside check(candidate)"
    ),
}


@pytest.mark.parametrize(("tests", "message"), REFUSED.items(), ids=REFUSED.values())
@pytest.mark.parametrize("first", ["", FIRST])
def test_a_file_with_a_test_that_cannot_be_run_is_refused_at_load_by_its_name(
    tmp_path: Path, tests: str, message: str, first: str
) -> None:
    row = {"id": "File/0", "name": "f", "text": "Double x.", "code": RIGHT, "tests": tests + first}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError) as caught:
        load_set(path)
    assert str(caught.value).startswith(f"{path}, line 1: field 'test': File/0: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("code", FORGED.values(), ids=FORGED.keys())
def test_no_form_is_passed_by_a_program_that_cheats(executor: Executor, code: str) -> None:
    named = [(name, made(tests)) for name, (tests, _) in RUN.items()]
    outcomes = executor.judge_many(Program.of(problem, main_0=code) for _, problem in named)
    fooled = [name for (name, _), outcome in zip(named, outcomes, strict=True) if outcome.passed or outcome.solved]
    assert fooled == []


def test_a_test_that_is_expected_to_fail_and_does_not_has_not_passed(executor: Executor) -> None:
    problem = made(
        """
        import unittest

        class T(unittest.TestCase):
            @unittest.expectedFailure
            def test_p(self):
                self.assertEqual(f(2), 2)
        """
    )
    assert executor.judge(problem, main_code=RIGHT).solved
    assert not executor.judge(problem, main_code=WRONG).solved


def test_functions_that_the_file_hands_to_what_calls_them_need_no_fixture(executor: Executor) -> None:
    calls = "def test_p(g):\n    assert g(2) == 4\n\nfor each in [test_p]:\n    each(f)\n\nassert f(1) == 2\n"
    assert executor.judge(made(calls), main_code=RIGHT).solved
    assert not executor.judge(made(calls), main_code=WRONG).solved


def test_helpers_of_the_prompt_and_data_may_be_called_test(executor: Executor, tmp_path: Path) -> None:
    prompt = 'def test_even(x):\n    return x % 2 == 0\n\n\ndef f(x):\n    """Double x."""\n'
    tests = "test_cases = [1, 2]\n\ndef test_p():\n    for x in test_cases:\n        assert test_even(f(x))\n"
    row = {"id": "File/0", "name": "f", "prompt": prompt, "code": "    return 2 * x\n", "tests": tests}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (problem,) = load_set(path).problems
    assert executor.judge(problem, main_code=RIGHT).solved


def test_tests_that_the_reference_fails_are_told_in_the_line_of_the_set(tmp_path: Path) -> None:
    behind = "def check(candidate):\n    for x in (1, 2, 3):\n        if x == 2:\n            continue\n"
    behind += "        assert candidate(x) == 2 * x\n"
    rows = [
        {"id": "Own/0", "name": "f", "text": "Double x.", "code": RIGHT, "tests": behind},
        {"id": "Own/1", "name": "f", "text": "Double x.", "code": RIGHT, "tests": ["assert f(1) == 2"]},
        {
            "id": "Own/2",
            "name": "f",
            "text": "Double x.",
            "code": RIGHT,
            "tests": ["assert f(1) == 3", "assert f(2) == 4"],
        },
        {"id": "Own/3", "name": "f", "text": "Double x.", "tests": ["assert f(1) == 3"]},
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_set(path)
    assert loaded.unmet == (("Own/0", 2, 3), ("Own/2", 1, 2))
    assert loaded.line() == (
        "loaded 4 problems, own format; the references of 2 fail tests of their own, so that no program may solve them: "
        "Own/0 (2 of 3 pass), Own/2 (1 of 2 pass)"
    )
