"""What the verdict does not cover: each of these is right in plain Python and fails here, as the threat model says."""

from __future__ import annotations

import pytest

from codeduet.envs import Executor, InputError, Problem
from codeduet.envs.execution.instrument import run_trusted

OUTSIDE = {
    "a function that is returned": ("return lambda y: y + 1", "assert candidate(1)(2) == 3"),
    "an attribute of an own class's": ("return type('T', (), {'a': 1})()", "assert candidate(1).a == 1"),
    "an own ==": ("return type('T', (), {'__eq__': lambda s, o: True})()", "assert candidate(1) == 5"),
    "an own ==, of a subclass": (
        "return type('T', (int,), {'__eq__': lambda s, o: True})()",
        "assert candidate(1) == 5",
    ),
    "an own str": ("return type('T', (), {'__str__': lambda s: 'a'})()", "assert str(candidate(1)) == 'a'"),
    "an own object, twice": (
        "global kept\n    kept = globals().get('kept') or object()\n    return kept",
        "assert candidate(1) is candidate(1)",
    ),
    "a generator that is sent to": (
        "def g():\n        y = yield 1\n        yield y\n    return g()",
        "g = candidate(1)\n    next(g)\n    assert g.send(5) == 5",
    ),
    "an argument that changes after its call": (
        "global kept\n    kept = globals().get('kept', x)\n    kept.append(1)\n    return len(kept)",
        "first = []\n    candidate(first)\n    candidate([])\n    assert candidate and first == [1, 1]",
    ),
    "an argument that is known again": (
        "global kept\n    kept = globals().get('kept', x)\n    return kept is x",
        "one = []\n    candidate(one)\n    assert candidate(one)",
    ),
    "an iterator that it leaves a rest of": (
        "return next(x)",
        "it = iter([1, 2, 3])\n    candidate(it)\n    assert candidate and list(it) == [2, 3]",
    ),
    "its output": (
        "print('out')",
        (
            "import contextlib, io\n    with contextlib.redirect_stdout(io.StringIO()) as out:\n        candidate(1)\n"
            "    assert candidate and out.getvalue() == 'out\\n'"
        ),
    ),
    "its module": ("return 1", "assert candidate.__name__ == 'f'"),
    "an effect of making items early": (
        (
            "global made\n    made = globals().get('made', 0)\n    def g():\n        global made\n        made += 1\n        yield\n"
            "    return made if x else g()"
        ),
        "candidate(0)\n    assert candidate(1) == 0",
    ),
    "a factory that counts": (
        "import collections, itertools\n    return collections.defaultdict(itertools.count().__next__)",
        "d = candidate(1)\n    assert (d['a'], d['b']) == (0, 1)",
    ),
}


@pytest.mark.parametrize(("body", "test"), OUTSIDE.values(), ids=OUTSIDE.keys())
def test_it_fails_here_and_not_in_plain_python(executor: Executor, body: str, test: str) -> None:
    main = f"def f(x=None):\n    {body}\n"
    problem = Problem("Out/0", "def f(x=None):\n", "f", "", f"def check(candidate):\n    {test}\n")
    plain = run_trusted(f"{main}\n{problem.tests}")
    plain["check"](plain["f"])
    outcome = executor.judge(problem, main_code=main)
    assert (outcome.solved, outcome.worker_fault) == (False, False)


def test_a_function_of_the_tests_own_is_the_problems_error(executor: Executor) -> None:
    problem = Problem("Out/1", "def f(x):\n", "f", "", "def check(candidate):\n    assert candidate(lambda: 1) == 1\n")
    with pytest.raises(InputError, match="Out/1: a test cannot be put to a program: a function cannot be sent"):
        executor.judge(problem, main_code="def f(x):\n    return x()\n")


def test_tests_in_threads_are_not_outside(executor: Executor) -> None:
    tests = (
        "def check(candidate):\n    from concurrent.futures import ThreadPoolExecutor\n"
        "    with ThreadPoolExecutor(4) as pool:\n        assert list(pool.map(candidate, range(50))) == list(range(50))\n"
    )
    problem = Problem("Out/2", "def f(x):\n", "f", "", tests)
    assert executor.judge(problem, main_code="def f(x):\n    return x\n").solved
