"""Reward schemes: exact values, counted by hand."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from codeduet.envs import REWARDS, Executor, InputError, Outcome, Problem, Program, get_reward, raw_env
from codeduet.envs.rewards import Paid, Payment


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


AGENTS = ("helper_0", "main_0")


def pay(toy: Problem, reward: Any, turn: int = 0) -> Paid:
    return Payment(reward, AGENTS).pay(outcome(passed=2), Program.of(toy, helper_0="h", main_0="main"), turn)


def test_a_reward_gets_what_it_asks_for_by_name(toy: Problem) -> None:
    def of_all(verdict: Outcome, problem: Problem, parts: Any, turn: int) -> float:
        return verdict.passed + len(problem.task_id) + sum(len(part.code) for part in parts) + 100 * turn

    def of_turn(turn: int, least: float = 0.5) -> float:
        return turn + least

    def of_any(**known: Any) -> float:
        return len(known)

    assert pay(toy, of_all, turn=3).scores == dict.fromkeys(AGENTS, 2 + 5 + 5 + 300)
    assert pay(toy, of_turn, turn=3).scores == dict.fromkeys(AGENTS, 3.5)
    assert pay(toy, of_any).scores == dict.fromkeys(AGENTS, 4)

    def of_none(verdict: Outcome, tests: int) -> float:
        return 0.0

    with pytest.raises(
        InputError, match="reward 'of_none' asks for 'tests': it may ask for outcome, problem, parts, turn"
    ):
        Payment(of_none, AGENTS)


def test_agents_are_paid_apart_where_a_reward_says_so(toy: Problem) -> None:
    def by_length(parts: Any) -> dict[str, float]:
        return {part.agent: float(len(part.code)) for part in parts}

    assert pay(toy, by_length).scores == {"helper_0": 1.0, "main_0": 4.0}
    with pytest.raises(InputError, match=r"pays helper_0, main_0: .* one for each of planner_0, main_0"):
        Payment(by_length, ("planner_0", "main_0")).pay(outcome(), Program.of(toy, helper_0="", main_0=""))


def test_a_sum_of_rewards_weighs_each_and_tells_them_apart(toy: Problem) -> None:
    def by_length(parts: Any) -> dict[str, float]:
        return {part.agent: float(len(part.code)) for part in parts}

    paid = pay(toy, {"magrpo": 2.0, by_length: -0.25})
    assert paid.terms == {"magrpo": dict.fromkeys(AGENTS, 0.7), "by_length": {"helper_0": 1.0, "main_0": 4.0}}
    assert paid.scores == {"helper_0": 1.4 - 0.25, "main_0": 1.4 - 1.0}


def test_the_game_pays_and_tells_each_agent_its_own(toy: Problem, executor: Executor) -> None:
    def blame(outcome: Outcome) -> dict[str, float]:
        return {agent: float(outcome.error_part != agent) for agent in AGENTS}

    game = raw_env([toy], reward={"magrpo": 1.0, blame: 0.5}, executor=executor, render_mode="ansi")
    game.reset(seed=0)
    assert game.infos["main_0"]["reward/blame"] == 0.0  # there from the first on
    game.step("def half(x):\n    return x / 0\n")
    game.step("def double(x):\n    return half(x)\n")
    assert game.rewards == {"helper_0": 0.5, "main_0": 1.0}
    assert [game.infos[agent]["score"] for agent in AGENTS] == [0.5, 1.0]
    assert [game.infos[agent]["reward/blame"] for agent in AGENTS] == [0.0, 1.0]
    assert [game.infos[agent]["reward/magrpo"] for agent in AGENTS] == [0.5, 0.5]
    assert "score 0.5 helper_0, 1 main_0, 0/4 tests passed" in str(game.render())


def test_a_reward_is_found_by_its_name_from_the_working_directory(
    toy: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paying_seven.py").write_text("def seven(outcome):\n    return 7\nNINE = 9\n")
    monkeypatch.chdir(tmp_path)
    assert pay(toy, "paying_seven:seven").terms == {"paying_seven:seven": dict.fromkeys(AGENTS, 7.0)}
    with pytest.raises(InputError, match="reward 'paying_seven:eight' cannot be imported: AttributeError"):
        get_reward("paying_seven:eight")
    with pytest.raises(InputError, match="reward 'paying_seven:NINE' is no function"):
        get_reward("paying_seven:NINE")


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ({}, "reward is an empty sum"),
        ({"magrpo": "much"}, "the weight of reward 'magrpo' must be a finite number, not 'much'"),
        ({"magrop": 1}, "did you mean 'magrpo'"),
        (3, "a reward is a name, a function or a mapping of such to weights, not 3"),
    ],
)
def test_what_is_no_reward_is_refused_in_one_line(reward: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Payment(reward, AGENTS)
