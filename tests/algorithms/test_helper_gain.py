"""What helper is worth: the score of the team's program less that of main's code alone."""

from __future__ import annotations

import pytest

from codeduet.algorithms import Trajectory
from codeduet.algorithms.metrics import helper_gains
from codeduet.envs import Problem, raw_env

PROBLEM = Problem(
    "Toy/0",
    'def double(x):\n    """Return 2 * x."""\n',
    "double",
    "    return 2 * x\n",
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(3) == 6\n",
)
HELP = "def twice(x):\n    return x + x\n"


def played(game: raw_env, helper: str, main: str) -> Trajectory:
    game.reset(options={"task_id": "Toy/0"})
    game.step(helper)
    game.step(main)
    return Trajectory("Toy/0", state=game.state(), program=game.program(), outcome=game.outcome)


def test_a_helper_is_worth_what_is_lost_without_it() -> None:
    game = raw_env(problems=[PROBLEM], reward="magrpo")
    calls = played(game, HELP, "def double(x):\n    return twice(x)\n")
    guarded = played(
        game, HELP, "def double(x):\n    try:\n        return twice(x)\n    except NameError:\n        return 2\n"
    )
    ignores = played(game, HELP, "def double(x):\n    return 2 * x\n")
    hindered = played(
        game,
        "def twice(x):\n    return 0\n",
        "def double(x):\n    try:\n        return twice(x)\n    except NameError:\n        return 2\n",
    )
    # Two tests at 0.1 each: both lost without the helper, one lost, none, and one that only the helper costs.
    assert [round(gain, 6) for gain in helper_gains([calls, guarded, ignores, hindered], game)] == [0.2, 0.1, 0.0, -0.1]


@pytest.mark.parametrize("broken", ["def twice(x:\n", "raise ValueError\n", f"import nothing_of_the_kind\n{HELP}"])
def test_a_helper_that_breaks_a_program_that_does_not_call_it_costs_its_score(broken: str) -> None:
    game = raw_env(problems=[PROBLEM], reward="fraction")
    assert helper_gains([played(game, broken, "def double(x):\n    return 2 * x\n")], game) == [-1.0]
