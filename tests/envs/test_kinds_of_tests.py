"""Every kind of tests counts itself: the reference passes all, nothing passes none, and partial counts are right."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from codeduet.envs import Executor, InputError, Problem, Program
from codeduet.envs.execution.instrument import Check, instrument
from codeduet.envs.problems import stub
from codeduet.envs.tests import Asserts, Cases, Source, Streams, Tests

RIGHT = "    return x + 1\n"
CRASHES_ON_2 = "def f(x):\n    if x == 2:\n        raise KeyError(x)\n    return x + 1\n"
NOTHING = "def f(*args):\n    return None\n"


def problem(tests: Tests) -> Problem:
    """Return a problem whose target adds one."""
    text = textwrap.dedent(tests) if isinstance(tests, str) else tests
    return Problem("Kind/0", 'def f(x):\n    """Return x + 1."""\n', "f", RIGHT, text)


class Kind(NamedTuple):
    """Tests of a form, and which of them a program passes that crashes on 2; worked out by hand."""

    tests: Tests
    crashing: tuple[bool, ...]


KINDS = {
    "asserts in functions that check calls": Kind(
        """
        def first(g):
            assert g(1) == 2
            assert g(2) == 3


        def second(g):
            assert g(3) == 4


        def check(candidate):
            first(candidate)
            second(candidate)
        """,
        (True, False, True),
    ),
    "a function that compares, called for each": Kind(
        """
        def same(out, expected):
            if isinstance(expected, float):
                assert abs(out - expected) < 1e-6
            else:
                assert out == expected


        def check(candidate):
            same(candidate(1), 2)
            same(candidate(2), 3)
            same(candidate(0.5), 1.5)
        """,
        (True, False, True),
    ),
    "a loop over lists written out, case by case": Kind(
        """
        def check(candidate):
            inputs = [[1], [2], [3]]
            results = [2, 3, 4]
            for i, (args, expected) in enumerate(zip(inputs, results)):
                assert candidate(*args) == expected
        """,
        (True, False, True),
    ),
    "cases by place": Kind(
        """
        CASES = [(1, 2), (2, 3)] + [(5, 6)]


        def check(candidate):
            for i in range(len(CASES)):
                x, y = CASES[i]
                got = candidate(x)
                assert got == y
        """,
        (True, False, True),
    ),
    "a dict of cases": Kind(
        "def check(candidate):\n    for x, y in {1: 2, 2: 3, 4: 5}.items():\n        assert candidate(x) == y\n",
        (True, False, True),
    ),
    "cases of two lists, one in the other": Kind(
        """
        def check(candidate):
            for x in (1, 2):
                for y in (10, 20):
                    assert candidate(x) + y == x + y + 1
        """,
        (True, True, False, False),
    ),
    "a list that grows is one test": Kind(
        """
        def check(candidate):
            cases = [(1, 2)]
            cases.append((2, 3))
            for x, y in cases:
                assert candidate(x) == y
        """,
        (False,),
    ),
    "results gathered by append": Kind(
        """
        def check(candidate):
            results = []
            results.append(candidate(1) == 2)
            results.append(candidate(2) == 3)
            assert all(results)
        """,
        (False,),
    ),
    "nested functions": Kind(
        """
        def check(candidate):
            def verify(x, y):
                assert candidate(x) == y

            verify(1, 2)
            verify(2, 3)
            verify(3, 4)
        """,
        (True, False, True),
    ),
    "results gathered by a nested function": Kind(
        """
        def check(candidate):
            results = []

            def note(x, y):
                results.append(candidate(x) == y)

            note(1, 2)
            note(2, 3)
            assert all(results)
        """,
        (False,),
    ),
    "a flag": Kind(
        """
        def check(candidate):
            fine = True
            if candidate(1) != 2:
                fine = False
            assert fine
            wrong = False
            for x in (2, 3):
                if candidate(x) != x + 1:
                    wrong = True
                    break
            assert not wrong
        """,
        (True, False),
    ),
    "an error that is expected": Kind(
        """
        def check(candidate):
            try:
                candidate("a")
                assert False, "no error"
            except TypeError:
                pass
            assert candidate(2) == 3
        """,
        (True, False),
    ),
    "an error that is expected, said by else": Kind(
        """
        def check(candidate):
            try:
                candidate("a")
            except TypeError as error:
                assert str(error)
            else:
                raise AssertionError("no error")
            assert candidate(2) == 3
        """,
        (True, False),
    ),
    "failures taken down by except": Kind(
        """
        def check(candidate):
            failures = []
            for x, y in [(1, 2), (2, 3)]:
                try:
                    assert candidate(x) == y
                except Exception as error:
                    failures.append(error)
            assert not failures
        """,
        (False,),
    ),
    "failures raised again": Kind(
        """
        def check(candidate):
            try:
                assert candidate(1) == 2
                assert candidate(2) == 3
            except AssertionError:
                raise
        """,
        (True, False),
    ),
    "raise": Kind(
        """
        def check(candidate):
            if candidate(1) != 2:
                raise ValueError("one")
            if candidate(2) != 3:
                raise AssertionError
            for x in [4, 5]:
                if candidate(x) != x + 1:
                    raise Exception(x)
        """,
        (True, False, True, True),
    ),
    "unittest": Kind(
        """
        import unittest


        class Base(unittest.TestCase):
            def setUp(self):
                self.two = 2


        class TestF(Base):
            def test_one(self):
                self.assertEqual(f(1), self.two)

            def test_two(self):
                for x in (1, 2):
                    with self.subTest(x=x):
                        self.assertEqual(f(x), x + 1)

            def test_wrong_kind(self):
                with self.assertRaises(TypeError):
                    f("a")


        if __name__ == "__main__":
            unittest.main()
        """,
        (True, False, True),
    ),
    "unittest within check": Kind(
        """
        import unittest


        def check(candidate):
            class Case(unittest.TestCase):
                def test_it(self):
                    self.assertEqual(candidate(2), 3)

            suite = unittest.defaultTestLoader.loadTestsFromTestCase(Case)
            result = unittest.TestResult()
            suite.run(result)
            assert result.wasSuccessful()
        """,
        (False,),
    ),
    "unittest beside check": Kind(
        """
        import unittest

        target = None


        class Case(unittest.TestCase):
            def test_it(self):
                self.assertEqual(target(2), 3)


        def check(candidate):
            global target
            target = candidate
            suite = unittest.TestLoader().loadTestsFromTestCase(Case)
            result = unittest.TextTestRunner(verbosity=0).run(suite)
            assert result.wasSuccessful()
        """,
        (False,),
    ),
    "errors gathered and raised": Kind(
        """
        def check(candidate):
            errors = []

            def expect(x, y):
                if candidate(x) != y:
                    errors.append((x, y))

            expect(1, 2)
            expect(2, 3)
            if errors:
                raise AssertionError(f"{len(errors)} failed")
        """,
        (False,),
    ),
    "a count of what passed": Kind(
        """
        def check(candidate):
            passed = 0
            for x in range(3):
                if candidate(x) == x + 1:
                    passed += 1
            assert passed == 3
        """,
        (False,),
    ),
    "functions of numpy and pytest": Kind(
        """
        import numpy as np
        import pytest


        def check(candidate):
            np.testing.assert_allclose(candidate(1), 2)
            with pytest.raises(TypeError):
                candidate("a")
            np.testing.assert_equal(candidate(2), 3)
        """,
        (True, True, False),
    ),
    "functions of pytest": Kind(
        """
        def test_one():
            assert f(1) == 2
            assert f(2) == 3


        def test_two():
            assert f(3) == 4


        class TestMore:
            def test_three(self):
                assert f(4) == 5
        """,
        (True, False, True, True),
    ),
    "a file that calls check itself": Kind(
        """
        def check(f):
            assert f(1) == 2
            for x in range(1, 4):
                y = f(x)
                assert y == x + 1


        def test_check():
            check(f)


        check(f)
        test_check()
        """,
        (True, False),
    ),
    "a loop at the top level, by name": Kind(
        """
        inputs, results = [[1], [2], [3]], [2, 3, 4]
        cases = [[1], [2], [3]]
        for args in cases:
            assert f(*args) == args[0] + 1
        """,
        (True, False, True),
    ),
    "asserts with :=": Kind(
        "def check(candidate):\n    assert (y := candidate(1)) == 2\n    assert y == 2\n", (True, True)
    ),
    "a flag by else": Kind(
        """
        def check(candidate):
            fine = None
            for x in (1, 2):
                if candidate(x) != x + 1:
                    break
            else:
                fine = True
            assert fine
        """,
        (False,),
    ),
    "an exit": Kind(
        """
        import sys


        def check(candidate):
            if candidate(1) != 2:
                sys.exit("one")
            if candidate(2) != 3:
                sys.exit(1)
        """,
        (True, False),
    ),
    "a function that compares, called in lists and by asyncio": Kind(
        """
        import asyncio


        def check(candidate):
            def same(x):
                assert candidate(x) == x + 1

            async def wait(x):
                assert candidate(x) == x + 1

            [same(x) for x in (1, 2)]
            list(same(x) for x in (1, 3))
            asyncio.run(wait(2))
        """,
        (False, True, False),
    ),
    "functions that are called later": Kind(
        """
        def check(candidate):
            def same(x):
                assert candidate(x) == x + 1

            tests = []
            tests.append(lambda: same(2))
            for each in tests:
                each()
            assert candidate(1) == 2
        """,
        (False,),
    ),
    "one of two branches": Kind(
        """
        def check(candidate):
            y = candidate(2)
            if isinstance(y, int):
                assert y == 3
            else:
                assert y is None and False
        """,
        (False,),
    ),
    "MBPP's lines": Kind(
        Asserts(["assert f(1) == ONE + 1", "assert f(2) == 3", "assert math.isclose(f(3), 4)"], "import math\nONE = 1"),
        (True, False, True),
    ),
    "cases": Kind(Cases([([1], 2), ([2], 3), ([0.5], 1.5000001)]), (True, False, True)),
    "streams": Kind(Streams([("1\n", "2\n"), ("2", "3"), ("7\n", "8")]), (True, False, True)),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_the_reference_passes_all_nothing_passes_none_and_a_crash_fails_its_own_tests(
    executor: Executor, kind: Kind
) -> None:
    made = problem(kind.tests)
    crashing = CRASHES_ON_2
    reference = made.reference
    if isinstance(kind.tests, Streams):
        made = Problem("Kind/0", stub("f", "Read a number.", "def f():"), "f", "print(int(input()) + 1)\n", kind.tests)
        reference = made.reference
        crashing = "n = int(input())\nassert n != 2\nprint(n + 1)\n"
    assert instrument(made).total == len(kind.crashing)
    solved = executor.judge(made, main_code=reference)
    assert (solved.solved, solved.error, all(solved.tests)) == (True, "", True)
    assert executor.judge(made, main_code=crashing).tests == kind.crashing
    nothing = executor.judge(made, main_code=NOTHING)
    assert (nothing.passed, nothing.solved) == (0, False)


def test_a_test_that_a_crash_skipped_has_not_passed(executor: Executor) -> None:
    made = problem(
        "def check(candidate):\n    assert candidate(1) == 2\n    y = candidate(2)\n    assert candidate(3) == 4\n"
    )
    outcome = executor.judge(made, main_code=CRASHES_ON_2)
    assert (outcome.tests, outcome.completed, outcome.error) == ((True, False), False, "KeyError")


def test_what_the_file_did_itself_is_not_credited(executor: Executor) -> None:
    # HumanEvalPack's form: the file's own call runs on the reference, and its passes are not the program's.
    body = "    for x in range(3):\n        y = candidate(x)\n        assert y == x + 1\n"
    made = problem(f"def check(candidate):\n{body}\n\nif True:\n    check(f)\n")
    outcome = executor.judge(made, main_code="def f(x):\n    raise ValueError\n")
    assert (outcome.tests, outcome.solved) == ((False,), False)
    assert executor.judge(made, main_code=made.reference).solved


def test_the_count_needs_no_program_and_no_import() -> None:
    made = problem(
        "import no_such_package\n\n\ndef check(candidate):\n    for x in [1, 2]:\n        assert candidate(x)\n"
    )
    assert instrument(made).total == 2


def test_random_inputs_are_alike_and_unknown_to_programs() -> None:
    made = problem(
        "import random\n\n\ndef check(candidate):\n    x = random.random()\n    assert candidate(x) == x + 1\n"
    )
    asked: list[float] = []
    for _ in range(2):
        Check(made).run(lambda x: asked.append(x))
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Asserts([]), "there is no assert"),
        (lambda: Asserts("assert f(1)"), "asserts are a list of lines"),
        (lambda: Cases([]), "there is no case"),
        (
            lambda: Cases([([1], 2)], atol=float("inf")),
            "the tolerance of its cases must be a number from 0 on, not inf",
        ),
        (
            lambda: Cases([([1], 2)], atol=float("nan")),
            "the tolerance of its cases must be a number from 0 on, not nan",
        ),
        (lambda: Streams([]), "there is no pair"),
        (lambda: Streams([("1", 2)]), "what a program reads or prints is text, not 2"),  # type: ignore[list-item]
    ],
)
def test_kinds_that_hold_nothing_are_refused(made: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made()  # type: ignore[operator]


def test_scripts_read_and_print_in_every_way(executor: Executor) -> None:
    made = Problem("Sum/0", stub("main", "Sum two numbers.", "def main():"), "main", "", Streams([("1 2\n", "3\n")]))
    programs = {
        "print(sum(map(int, input().split())))\n": True,
        "import sys\nprint(sum(map(int, sys.stdin.read().split())), end='   \\n\\n')\n": True,
        "import sys\nsys.stdout.buffer.write(b'3')\nsys.exit(0)\n": True,
        "def main():\n    print(sum(map(int, input().split())))\n": True,
        "def main():\n    print(sum(map(int, input().split())))\n\n\nif __name__ == '__main__':\n    main()\n": True,
        "print(4)\n": False,
        "def main():\n    return 3\n": False,
        "import sys\nprint(3)\nsys.exit(1)\n": False,
        "print(3)\nraise ValueError\n": False,
    }
    assert {code: executor.judge(made, main_code=code).solved for code in programs} == programs


def test_cases_compare_within_their_tolerance(executor: Executor) -> None:
    def solved(cases: Cases, value: str) -> bool:
        return executor.judge(problem(cases), main_code=f"def f(*args):\n    return {value}\n").solved

    assert solved(Cases([([0], [1.0, 2.0])]), "[1.0, 2.0000001]")  # floats, even without a tolerance
    assert not solved(Cases([([0], [1.0, 2.0])]), "[1.0, 2.001]")
    assert not solved(Cases([([0], [1.0, 2.0])]), "(1.0, 2.0000001)")
    assert solved(Cases([([0], 10)], atol=0.5), "10.4")
    assert not solved(Cases([([0], 10)]), "10.0000001")
    assert solved(Cases([([0], float("nan"))]), "float('nan')")
    assert solved(Cases([([0], float("inf"))]), "1e999")
    assert not solved(Cases([([0], "ab")], atol=1.0), "'aa'")
    assert solved(Cases([([0], (1, 2))], compare="set"), "[2, 1, 1]")
    assert solved(Cases([([0], (0, 1))], compare="none"), "'a match'")
    assert not solved(Cases([([0], None)], compare="none"), "'a match'")
    assert solved(Cases([([[-4, 2]], 2.0)], compare="root"), "2.00001")


@pytest.mark.parametrize("atol", [0.0, 1e-6, 0.5])
def test_an_infinite_or_no_number_is_met_by_itself_alone(executor: Executor, atol: float) -> None:
    inf, nan = math.inf, math.nan
    expected = [inf, -inf, nan, [1.0, inf], {"a": nan}, [[nan], 1], complex(inf, 0), complex(nan, 0)]
    for value in expected:
        made = problem(Cases([([0], value)], atol=atol))
        same = executor.judge(made, main_code=f"from math import inf, nan\n\ndef f(x):\n    return {value!r}\n")
        assert same.solved, value
        others = [5.0, 0, [1.0, 5.0], {"a": 1.0}, 1e308, None, "inf", [[1.0], 1], complex(5, 0)]
        others += [other for other in (inf, -inf, nan) if repr(other) != repr(value) and not isinstance(value, complex)]
        for other in others:
            outcome = executor.judge(made, main_code=f"from math import inf, nan\n\ndef f(x):\n    return {other!r}\n")
            assert not outcome.passed, (value, other)
    made = problem(Cases([([0], 5.0)], atol=atol))
    assert not executor.judge(made, main_code="def f(x):\n    return float('inf')\n").passed
    assert not executor.judge(made, main_code="def f(x):\n    return float('nan')\n").passed


def test_values_in_dicts_are_compared_within_the_tolerance(executor: Executor) -> None:
    made = problem(Cases([([0], {"a": 1.0, "b": [2.0]})], atol=0.01))
    programs = {"{'b': [2.001], 'a': 1.0}": True, "{'a': 1.0, 'b': [2.1]}": False, "{'a': 1.0}": False}
    for value, solved in programs.items():
        assert executor.judge(made, main_code=f"def f(x):\n    return {value}\n").solved is solved


@pytest.mark.parametrize(
    "change", ["x.clear()", "x[:] = [0]", "del x[0]", "x[0] = x[1] = 0", "x.extend([0]); x.clear()"]
)
def test_a_root_is_measured_by_the_coefficients_that_were_asked(executor: Executor, change: str) -> None:
    made = problem(Cases([([[1.0, 2.0]], -0.5)], compare="root"))
    assert not executor.judge(made, main_code=f"def f(x):\n    {change}\n    return 7\n").passed
    assert executor.judge(made, main_code=f"def f(x):\n    {change}\n    return -0.5\n").solved


NUMPY = """
import numpy as np


def check(candidate):
    for x, y in [(1, 2), (2, 3)]:
        np.testing.assert_allclose(candidate(x), y)
    assert np.array_equal(candidate(np.array([1, 2]))[0], [2, 3])
"""


def test_what_the_tests_import_is_there_for_them_alone(executor: Executor) -> None:
    made = problem("import numpy as np\n\n\ndef check(candidate):\n    assert np.allclose(candidate(1), 2)\n")
    assert executor.judge(made, main_code=made.reference).solved
    importing = executor.judge(made, main_code="import numpy\n\n\ndef f(x):\n    return x + 1\n")
    assert (importing.runnable, importing.error) == (False, "ModuleNotFoundError: No module named 'numpy'")


def test_arrays_travel_as_data_where_programs_may_import_numpy() -> None:
    prompt = 'def f(x):\n    """Add one."""\n'
    made = Problem("Array/0", prompt, "f", "", NUMPY.replace("[0]", ""))
    code = "import numpy as np\n\n\ndef f(x):\n    assert isinstance(x, (int, np.ndarray)), type(x)\n    return np.add(x, 1)\n"
    with Executor(workers=1, packages=["numpy"]) as executor:
        outcome = executor.judge(made, main_code=code)
        assert (outcome.tests, outcome.error) == ((True, True, True), "")
        kinds = Source("def check(candidate):\n    assert type(candidate(1)).__name__ == 'int8'\n")
        made = Problem("Array/1", prompt, "f", "", kinds)
        assert executor.judge(made, main_code="import numpy\n\n\ndef f(x):\n    return numpy.int8(x)\n").solved


def test_what_the_prompt_imports_is_there_for_its_programs(executor: Executor) -> None:
    prompt = 'import numpy as np\n\n\ndef f(x: np.ndarray):\n    """Add one."""\n'
    made = Problem("Array/2", prompt, "f", "    return np.add(x, 1).tolist()\n", Asserts(["assert f([1]) == [2]"]))
    assert executor.judge(made, main_code=made.reference).solved
    assert executor.judge(problem(Asserts(["assert f(1) == 2"])), main_code="import numpy\n").error.startswith("Module")


def test_tests_that_import_what_is_not_there_are_the_callers_error(executor: Executor, tmp_path: Path) -> None:
    made = problem("import no_such_package\n\n\ndef check(candidate):\n    assert candidate(1)\n")
    with pytest.raises(InputError, match="Kind/0: its tests import no_such_package, which is not installed"):
        executor.judge(made, main_code=made.reference)
    guarded = problem(
        "try:\n    import no_such_package\nexcept ImportError:\n    pass\n\n\ndef check(candidate):\n    assert candidate(1) == 2\n"
    )
    assert executor.judge(guarded, main_code=guarded.reference).solved


def test_names_of_other_functions_do_not_blur_the_lists(executor: Executor) -> None:
    made = problem(
        """
        def reference(x):
            inputs = []
            inputs.append(x)
            results = [i + 1 for i in inputs]
            return results[0]


        def check(candidate):
            inputs = [[1], [2], [3]]
            results = [2, 3, 4]
            for args, expected in zip(inputs, results):
                assert candidate(*args) == expected == reference(*args)
        """
    )
    assert executor.judge(made, main_code=CRASHES_ON_2).tests == (True, False, True)


def test_a_list_that_a_function_lengthens_is_one_test_and_a_round_too_many_is_none(executor: Executor) -> None:
    grows = "    cases = [1, 2]\n\n    def more():\n        cases.append(3)\n\n    more()\n"
    loop = "    for x in cases:\n        assert candidate(x) == x + 1\n"
    made = problem(f"def check(candidate):\n{grows}{loop}")
    assert executor.judge(made, main_code=CRASHES_ON_2).tests == (False,)
    # By a way the text does not show: what is counted as two stays two, and the tests behind them are not reached by it.
    hidden = "CASES = [1, 2]\nlist.append(CASES, 9)\n\n\n"
    made = problem(
        f"{hidden}def check(candidate):\n    for x in CASES:\n        assert candidate(x) == x + 1\n    assert False or candidate(2) == 3\n"
    )
    assert executor.judge(made, main_code="def f(x):\n    return 0 if x == 9 else x + 1\n").tests == (True, False, True)


ENDS = "import os\n\n\ndef f(x):\n    if x == 'a':\n        os._exit(0)\n    return x + 1\n"


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (
            "    try:\n        candidate('a')\n    except:\n        pass\n    else:\n        raise AssertionError\n",
            (False,),
        ),
        ("    assert candidate(1) == 2\n    try:\n        candidate('a')\n    except:\n        pass\n", (True,)),
        (
            "    ok = True\n    try:\n        candidate('a')\n    except Exception:\n        ok = candidate\n    assert ok\n",
            (False,),
        ),
    ],
)
def test_a_program_that_ended_passes_nothing_more(executor: Executor, tests: str, expected: tuple[bool, ...]) -> None:
    outcome = executor.judge(problem(f"def check(candidate):\n{tests}"), main_code=ENDS)
    assert (outcome.tests, outcome.solved) == (expected, False)


_EQUAL = "    __hash__ = None\n\n    def __eq__(self, other):\n        return True\n\n    def __ne__(self, other):\n        return False\n"
FORGED = {
    "equal to everything": f"class Any:\n{_EQUAL}\n\ndef f(*args):\n    return Any()\n",
    "a number equal to everything": f"class Any(int):\n{_EQUAL}\n\ndef f(*args):\n    return Any(9)\n",
    "a list of such": f"class Any:\n{_EQUAL}\n\ndef f(*args):\n    return [Any()] * 9\n",
    "ends": "import os\n\n\ndef f(*args):\n    os._exit(0)\n",
    "exits": "import sys\n\n\ndef f(*args):\n    sys.exit(0)\n",
    "raises what tests raise": "def f(*args):\n    raise AssertionError\n",
    "raises what unittest skips by": "import unittest\n\n\ndef f(*args):\n    raise unittest.SkipTest\n",
    "changes what tests use": (
        "import builtins\nimport unittest\n\nbuiltins.all = lambda values: True\nbuiltins.zip = lambda *lists: []\n"
        "builtins.enumerate = builtins.len = lambda values: []\n"
        "unittest.TestCase.assertEqual = unittest.TestCase.assertRaises = lambda *args: None\n\n\ndef f(*args):\n    return None\n"
    ),
    "looks for the tests": (
        "import gc\nimport sys\n\n\ndef f(*args):\n    for each in gc.get_objects():\n        if isinstance(each, list) and "
        "all(v is False for v in each):\n            each[:] = [True] * len(each)\n    frame = sys._getframe()\n"
        "    while frame:\n        frame.f_globals['candidate'] = frame.f_globals['passed'] = True\n        frame = frame.f_back\n"
    ),
    "writes into every descriptor": (
        "import os\n\n\ndef f(*args):\n    for number in range(64):\n        try:\n            os.write(number, b'\\1\\0\\0\\0=T' * 50)\n"
        "        except OSError:\n            pass\n"
    ),
    "gives tests to run": "def f(*args):\n    return 'candidate = lambda *a: True'\n",
    "an endless iterator": "import itertools\n\n\ndef f(*args):\n    return itertools.count()\n",
    "not a number": "def f(*args):\n    return float('nan')\n",
    "what a module is made of": "def f(*args):\n    return globals()\n",
}  # fmt: skip


@pytest.mark.parametrize("code", FORGED.values(), ids=FORGED.keys())
def test_no_kind_of_tests_is_passed_by_a_program_that_cheats(executor: Executor, code: str) -> None:
    named = [(name, problem(kind.tests)) for name, kind in KINDS.items()]
    outcomes = executor.judge_many(Program.of(made, main_0=code) for _, made in named)
    fooled = [name for (name, _), outcome in zip(named, outcomes, strict=True) if outcome.passed or outcome.solved]
    assert fooled == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.write(1, b'2')\n",
        "import sys\nsys.stdout = open('/dev/null', 'w')\nprint(int(input()) + 1)\n",
        "class Text(str):\n    def __eq__(self, other):\n        return True\n\n\nimport sys\nsys.stdout.write(Text('0'))\n",
        "import io\nio.BytesIO.getvalue = lambda self: b'2'\n",
        "import builtins\nbuiltins.len = lambda value: 0\nprint()\n",
        "import sys\nframe = sys._getframe(1)\nframe.f_locals['output'].write(b'0')\n",
        "print(*range(100000))\n",
        "while True:\n    print('2')\n",
    ],
)
def test_no_stream_is_passed_by_a_program_that_cheats(executor: Executor, code: str) -> None:
    pairs = Streams([("1\n", "2\n"), ("5\n", "6\n")])
    made = Problem("Kind/1", stub("f", "Add one.", "def f():"), "f", "print(int(input()) + 1)\n", pairs)
    assert executor.judge(made, main_code=made.reference).solved
    assert not executor.judge(made, main_code=code).solved
