"""Several turns: what is paid, what is told, and that no test's text is ever told."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from codeduet.envs import HELPER, MAIN, Executor, Outcome, Problem, load_problems, raw_env, step_many
from codeduet.envs.feedback import feedback_for

PLUS = "def plus(a, b):\n    return a + b\n"
CALLS = "def double(x):\n    return plus(x, x)\n"
HALF = "def double(x):\n    return 2 * x if x in (1, 2) else None\n"  # 0.2 + 0.3 + 2 x 0.1
BROKEN = "def double(x):\n"  # nothing: it does not parse


def game(toy: Problem, executor: Executor, **kwargs: Any) -> raw_env:
    made = raw_env(problems=[toy], executor=executor, max_turns=3, **kwargs)
    made.reset(seed=0)
    return made


def turn(played: raw_env, helper: str, main: str) -> float:
    """Play one turn; returns its reward, which both agents are paid."""
    played.step(helper)
    assert played.rewards == {HELPER: 0.0, MAIN: 0.0}
    played.step(main)
    assert played.rewards[HELPER] == played.rewards[MAIN]
    return played.rewards[MAIN]


def test_solving_in_the_first_of_three_turns_pays_three_times(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    assert turn(played, PLUS, CALLS) == pytest.approx(2.7, abs=1e-12)
    assert played.infos[MAIN]["score"] == 0.9
    assert played.infos[MAIN]["turn"] == 1
    assert played.terminations == {HELPER: True, MAIN: True}


def test_solving_later_pays_the_turns_that_are_left(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    assert turn(played, "", HALF) == 0.7
    assert played.infos[MAIN]["score"] == 0.7
    assert played.terminations == {HELPER: False, MAIN: False}
    assert turn(played, PLUS, CALLS) == 1.8
    assert played.infos[MAIN]["score"] == 0.9
    assert played.terminations == {HELPER: True, MAIN: True}


def test_failing_to_the_end_pays_each_turn_and_terminates(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    assert [turn(played, "", main) for main in (HALF, BROKEN, HALF)] == [0.7, 0.0, 0.7]
    assert played.terminations == {HELPER: True, MAIN: True}
    assert played.truncations == {HELPER: False, MAIN: False}
    assert played.infos[HELPER]["turn"] == 3


def test_failing_longer_never_earns_more(toy: Problem, executor: Executor) -> None:
    totals = []
    for failures in range(4):
        played = game(toy, executor)
        total = sum(turn(played, "", HALF) for _ in range(failures))
        totals.append(total + (turn(played, PLUS, CALLS) if failures < 3 else 0))
    assert totals == pytest.approx([2.7, 2.5, 2.3, 2.1])


def test_a_new_turn_shows_ones_own_code_and_hides_the_others(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    turn(played, PLUS, HALF)
    helper, main = played.observe(HELPER), played.observe(MAIN)
    assert (helper["previous_code"], main["previous_code"]) == (PLUS, HALF)
    assert (helper["helper_code"], main["helper_code"]) == ("", "")
    assert (helper["turn"], main["turn"]) == (1, 1)
    assert HALF not in str(helper)
    played.step("def minus(a, b):\n    return a - b\n")
    assert played.observe(MAIN)["helper_code"] == "def minus(a, b):\n    return a - b\n"
    assert PLUS not in str(played.observe(MAIN))
    assert played.state()["main_0_code"] == ""
    assert (played.state()["helper_0_previous"], played.state()["main_0_previous"]) == (PLUS, HALF)


def test_the_pending_code_of_a_turn_is_gone_in_the_next(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    turn(played, PLUS, HALF)
    assert turn(played, "", CALLS) == 0.5  # plus is no more


FEEDBACK = {
    "wrong results": ("", HALF, ["2 of 4 tests passed.", "The program ran, but some results were wrong."], None),
    "main's syntax": (
        "",
        "def double(x:",
        ["0 of 4 tests passed.", "The main agent's code raised SyntaxError."],
        ["0 of 4 tests passed.", "Your code raised SyntaxError: '(' was never closed (line 1)."],
    ),
    "helper's own error": (
        "x = none",
        HALF,
        ["0 of 4 tests passed.", "Your code raised NameError: name 'none' is not defined."],
        ["0 of 4 tests passed.", "The helper agent's code raised NameError."],
    ),
    "an error of a test": (
        "",
        "def double(x):\n    return [2, 4][x]\n",
        ["0 of 4 tests passed.", "The main agent's code raised IndexError."],
        ["0 of 4 tests passed.", "Your code raised IndexError."],
    ),
    "an early end": (
        "",
        "import os\nos._exit(3)",
        ["0 of 4 tests passed.", "The process ended early."],
        None,
    ),
    "no time": ("", "while True: pass", ["0 of 4 tests passed.", "The program ran out of time."], None),
}


@pytest.mark.parametrize(("helper", "main", "to_helper", "to_main"), FEEDBACK.values(), ids=FEEDBACK.keys())
def test_feedback_is_fit_for_the_role(
    toy: Problem, quick: Executor, helper: str, main: str, to_helper: list[str], to_main: list[str] | None
) -> None:
    played = game(toy, quick, extract=False)
    turn(played, helper, main)
    assert played.observe(HELPER)["feedback"].split("\n") == to_helper
    assert played.observe(MAIN)["feedback"].split("\n") == (to_main or to_helper)


def test_an_error_of_the_problems_own_code_is_nobodys() -> None:
    outcome = Outcome(True, False, 0, 1, (False,), error="ZeroDivisionError", error_part="preamble")
    assert feedback_for(MAIN, outcome) == feedback_for(HELPER, outcome)
    assert "The problem's own code raised ZeroDivisionError." in feedback_for(MAIN, outcome)


def literals(problem: Problem) -> set[str]:
    """Return what the asserts of a problem hold that is long enough to be told from a count or an error's name."""
    found = set()
    for node in ast.walk(ast.parse(problem.tests)):
        if isinstance(node, ast.Assert):
            found |= {ast.unparse(part) for part in ast.walk(node) if isinstance(part, ast.expr)}
    return {text for text in found if len(text) > 3} - {"candidate", "True", "False", "None"}


def test_feedback_never_holds_a_tests_text(executor: Executor) -> None:
    """Programs that try: they raise what they were called with, and as an exception's class name too."""
    tell = "    raise ValueError(repr(locals()))\n"
    for body in (tell, "    return object()\n"):
        problems = load_problems()
        envs = []
        for problem in problems:
            played = raw_env(problems=[problem], max_turns=2, executor=executor)
            played.reset()
            envs.append(played)
        step_many(envs, [""] * len(envs))
        step_many(envs, [problem.signature + body for problem in problems])
        for problem, played in zip(problems, envs, strict=True):
            for agent in (HELPER, MAIN):
                feedback = played.observe(agent)["feedback"]
                assert feedback.startswith(f"{played.infos[MAIN]['passed']} of {played.infos[MAIN]['total']} tests")
                assert [text for text in literals(problem) if text in feedback] == [], problem.task_id
