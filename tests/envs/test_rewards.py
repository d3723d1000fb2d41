"""Reward schemes: exact values, counted by hand."""

from __future__ import annotations

import itertools

import pytest

from codeduet.envs import REWARDS, Executor, InputError, Outcome, Problem, get_reward


def outcome(*, syntax: bool = True, runs: bool = True, passed: int = 0, total: int = 7) -> Outcome:
    tests = (True,) * passed + (False,) * (total - passed)
    return Outcome(syntax, runs, passed, total, tests)


@pytest.mark.parametrize(
    ("judged", "grpo", "magrpo", "all_pass", "fraction"),
    [
        (outcome(syntax=False, runs=False), 0.0, 0.0, 0.0, 0.0),
        (outcome(runs=False), 0.0, 0.2, 0.0, 0.0),
        (outcome(), 0.5, 0.5, 0.0, 0.0),
        (outcome(passed=1), 0.6, 0.6, 0.0, 1 / 7),
        (outcome(passed=3), 0.8, 0.8, 0.0, 3 / 7),
        (outcome(passed=5), 1.0, 1.0, 0.0, 5 / 7),
        (outcome(passed=7), 1.0, 1.2, 1.0, 1.0),
        (outcome(passed=3, total=3), 0.8, 0.8, 1.0, 1.0),
        (outcome(passed=0, total=0), 0.5, 0.5, 0.0, 0.0),
    ],
)
def test_schemes_pay_by_hand_counted_amounts(
    judged: Outcome, grpo: float, magrpo: float, all_pass: float, fraction: float
) -> None:
    paid = [get_reward(name)(judged) for name in ("grpo", "magrpo", "pass", "fraction")]
    assert paid == [grpo, magrpo, all_pass, fraction]


def test_equal_outcomes_earn_equal_floats_whatever_their_order() -> None:
    """0.2 + 0.3 + 0.1 * 3 is not 0.8 in floating point; the scheme's is."""
    assert 0.2 + 0.3 + 0.1 + 0.1 + 0.1 != 0.8
    assert get_reward("magrpo")(outcome(passed=3)) == 0.8
    # Every value of the scheme is the float nearest to a whole number of tenths.
    for syntax, runs, passed in itertools.product((False, True), (False, True), range(8)):
        tenths = 2 * syntax + 3 * runs + passed
        assert get_reward("magrpo")(outcome(syntax=syntax, runs=runs, passed=passed)) == tenths / 10


HELPER = "def plus(a, b):\n    return a + b\n"
MAIN = "def double(x):\n    y = plus(x, x)\n    return y if y else 0\n"
LEVELS = {
    # 0.4 for a helper function, 0.6 for the target; both are needed to go on.
    "nothing": ("", "", 0.0),
    "helper alone": (HELPER, "", 0.4),
    "main alone": ("", "def double(x):\n    return x + x\n", 0.6),
    "helper does not parse": ("def plus(a, b:\n", MAIN, 0.6),
    "main does not parse": (HELPER, "def double(x:\n", 0.4),
    # + 0.5 for syntax
    "no test passes": (HELPER, "def double(x):\n    return plus(x, 'a')\n", 1.5),
    "does not load": (HELPER, f"1 / 0\n{MAIN}", 1.5),
    # + the share of tests: 1.0, or 2 of 4
    "no cooperation": (HELPER, "def double(x):\n    return x + x\n", 2.5),
    "half the tests": (HELPER, "def double(x):\n    return 2 * x if x in (1, 2) else 0\n", 2.0),
    "main defines the helper's function anew": (HELPER, f"{HELPER}{MAIN}", 2.5),
    # + 0.5 for the call, + 1.0 where main does something itself
    "thin wrapper": (HELPER, "def double(x):\n    return plus(x, x)\n", 3.0),
    "thin wrapper with a docstring and a name": (
        HELPER,
        'def double(x):\n    """Twice."""\n    y = plus(x, x)\n    return y\n',
        3.0,
    ),
    "half the tests in cooperation": (HELPER, "def double(x):\n    return plus(x, x) if x in (1, 2) else 0\n", 3.5),
    "result ignored": (HELPER, "def double(x):\n    plus(x, x)\n    return x + x\n", 3.5),
    "all of it": (HELPER, MAIN, 4.0),
    "arguments worked out by main": (HELPER, "def double(x):\n    return plus(x, 2 * x - x)\n", 4.0),
    "one of two helper functions": (f"{HELPER}\n\ndef idle():\n    pass\n", MAIN, 4.0),
}


@pytest.mark.parametrize(("helper", "main", "reward"), LEVELS.values(), ids=LEVELS.keys())
def test_collaboration_pays_four_levels(
    executor: Executor, toy: Problem, helper: str, main: str, reward: float
) -> None:
    assert get_reward("collaboration")(executor.judge(toy, helper_code=helper, main_code=main)) == reward


def test_a_users_function_is_a_scheme() -> None:
    def minus_tests(judged: Outcome) -> float:
        return -judged.passed

    assert get_reward(minus_tests)(outcome(passed=2)) == -2


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown reward 'magrop': choose grpo, magrpo, .*did you mean 'magrpo'"):
        get_reward("magrop")
    assert set(REWARDS) == {"grpo", "magrpo", "pass", "fraction", "collaboration"}
