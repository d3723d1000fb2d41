"""What steers a second turn: the hidden tests, the examples that a team may see, or nothing."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Literal

import pytest

from codeduet.envs import MAIN, Asserts, Executor, InputError, Outcome, Problem, Program, raw_env, step_many

PROBLEM = Problem(
    "Add/0",
    'def f(x):\n    """Add one."""\n',
    "f",
    "    return x + 1\n",
    Asserts(["assert f(1) == 2", "assert f(5) == 6"]),
    Asserts(["assert f(1) == 2", "assert f(2) == 3"]),
)
RIGHT = "def f(x):\n    return x + 1\n"
SEEMS_RIGHT = "def f(x):\n    return {1: 2, 2: 3}.get(x)\n"
WRONG = "def f(x):\n    return 2\n"


class Recording(Executor):
    """Notes by which tests it was asked to judge."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.asked: list[str] = []

    def submit(self, program: Program) -> Future[Outcome]:
        self.asked.append("hidden" if program.problem.tests == PROBLEM.tests else "examples")
        return super().submit(program)


@pytest.fixture(scope="module")
def recording() -> Any:
    with Recording() as executor:
        yield executor


def game(executor: Executor, feedback: Any, problem: Problem = PROBLEM, turns: int = 3) -> raw_env:
    made = raw_env([problem], agents=(MAIN,), max_turns=turns, reward="fraction", executor=executor, feedback=feedback)
    made.reset(seed=0)
    return made


def test_examples_alone_decide_what_is_fed_back_and_when_it_stops(recording: Recording) -> None:
    recording.asked.clear()
    env = game(recording, "examples")
    env.step(WRONG)
    assert env.observe(MAIN)["feedback"] == (
        "1 of 2 examples passed.\nThe program ran, but some results were wrong.\nThis example failed: f(2) == 3"
    )
    assert (env.rewards[MAIN], env.terminations[MAIN], env.infos[MAIN]["score"]) == (0.0, False, 0.0)
    env.step(SEEMS_RIGHT)
    assert (env.terminations[MAIN], env.turn) == (True, 2)
    assert env.rewards[MAIN] == 0.5  # by the hidden tests, and once: no turn that is left is paid
    assert env.outcome is not None
    assert (env.outcome.tests, env.infos[MAIN]["passed"], env.infos[MAIN]["total"]) == ((True, False), 1, 2)
    assert recording.asked == ["examples", "examples", "hidden"]


def test_the_last_turn_is_judged_by_the_hidden_tests_once(recording: Recording) -> None:
    recording.asked.clear()
    env = game(recording, "examples", turns=2)
    env.step(WRONG)
    env.step(RIGHT)
    assert (env.terminations[MAIN], env.rewards[MAIN], env.observe(MAIN)["feedback"]) == (True, 1.0, "")
    assert recording.asked == ["examples", "hidden"]


def test_a_problem_without_examples_ends_after_one_turn(recording: Recording) -> None:
    recording.asked.clear()
    env = game(recording, "examples", replace(PROBLEM, examples=None))
    env.step(WRONG)
    assert (env.terminations[MAIN], env.rewards[MAIN], recording.asked) == (True, 0.5, ["hidden"])


def test_without_feedback_all_turns_are_played_and_the_last_is_judged(recording: Recording) -> None:
    recording.asked.clear()
    env = game(recording, "none")
    for _ in range(2):
        env.step(RIGHT)
        assert (env.observe(MAIN)["feedback"], env.terminations[MAIN]) == ("", False)
        assert env.observe(MAIN)["previous_code"] == RIGHT
    env.step(SEEMS_RIGHT)
    assert (env.terminations[MAIN], env.rewards[MAIN], recording.asked) == (True, 0.5, ["hidden"])


def test_hidden_is_the_default_and_pays_the_turns_that_are_left(recording: Recording) -> None:
    recording.asked.clear()
    env = raw_env([PROBLEM], agents=(MAIN,), max_turns=3, reward="fraction", executor=recording)
    env.reset(seed=0)
    env.step(WRONG)
    assert env.observe(MAIN)["feedback"].startswith("1 of 2 tests passed.")
    env.step(RIGHT)
    assert (env.rewards[MAIN], recording.asked) == (2.0, ["hidden", "hidden"])


def always(holds: bool) -> Asserts:
    return Asserts([f"assert f(1) is not f and {holds}"])


@pytest.mark.parametrize("feedback", ["examples", "none"])
def test_nothing_shown_hangs_on_the_hidden_tests(executor: Executor, feedback: Literal["examples", "none"]) -> None:
    seen = []
    for tests in (PROBLEM.tests, always(True), always(False)):
        envs = [game(executor, feedback, replace(PROBLEM, tests=tests)) for _ in range(3)]
        told = []
        for actions in ([WRONG, SEEMS_RIGHT, "def f(:"], [RIGHT] * 3, [WRONG] * 3):
            live = [env for env in envs if not env.terminations[MAIN]]
            step_many(live, actions[: len(live)])
            told.append([(env.turn, env.terminations[MAIN], env.observe(MAIN)) for env in envs])
        seen.append(told)
    assert seen[0] == seen[1] == seen[2]


def test_an_unknown_feedback_is_refused(executor: Executor) -> None:
    with pytest.raises(InputError, match="unknown feedback 'auto': choose hidden, examples, none"):
        game(executor, "auto")
