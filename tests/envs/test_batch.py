"""``step_many``: the effect of stepping one by one, at the price of one verdict."""

from __future__ import annotations

import time
from typing import Any

import pytest

from codeduet.envs import HELPER, MAIN, Executor, Problem, env, load_problems, raw_env, step_many

ACTIONS: list[str | None] = ["    return None", "", "def f(:", "    return []", "    return True", "raise"]


def group(executor: Executor, **kwargs: Any) -> list[Any]:
    envs = [env(split="all", executor=executor, max_turns=2, **kwargs) for _ in ACTIONS]
    for number, made in enumerate(envs):
        made.reset(options={"task_id": f"HumanEval/{number}"})
    return envs


def snapshot(played: Any) -> dict[str, Any]:
    game = played.unwrapped
    return {
        "rewards": game.rewards,
        "infos": game.infos,
        "terminations": game.terminations,
        "state": game.state(),
        "seen": [game.observe(agent) for agent in (HELPER, MAIN)],
        "selected": game.agent_selection,
    }


def test_step_many_is_stepping_one_by_one(executor: Executor) -> None:
    together, alone = group(executor), group(executor)
    solutions = [problem.canonical_solution for problem in load_problems()[:6]]
    for actions in (ACTIONS, ACTIONS[::-1], [""] * 6, solutions):
        step_many(together, actions)
        for made, action in zip(alone, actions, strict=True):
            made.step(action)
        assert [snapshot(made) for made in together] == [snapshot(made) for made in alone]
    assert [made.rewards[MAIN] for made in together] == [(5 + made.infos[MAIN]["total"]) / 10 for made in together]
    for _ in range(2):  # both agents are over
        step_many(together, [None] * 6)
    assert [made.agents for made in together] == [[]] * 6


def test_environments_may_stand_at_different_points(toy: Problem, executor: Executor) -> None:
    first, second = (raw_env(problems=[toy], executor=executor) for _ in range(2))
    first.reset()
    second.reset()
    first.step("")
    step_many([first, second], ["    return x + x", ""])
    assert first.rewards[MAIN] == 0.9
    assert second.agent_selection == MAIN


def test_programs_run_side_by_side(toy: Problem) -> None:
    """Four programs that sleep a second take less than their sum."""
    with Executor(workers=4) as executor:
        envs = [raw_env(problems=[toy], executor=executor) for _ in range(4)]
        for made in envs:
            made.reset()
            made.step("")
        began = time.monotonic()
        step_many(envs, [f"import time\ntime.sleep(1)\ndef double(x):\n    return {i} * x\n" for i in range(4)])
        assert time.monotonic() - began < 3.5
        assert [made.infos[MAIN]["passed"] for made in envs] == [0, 0, 4, 0]


def test_an_action_other_than_the_submitted_one_is_judged_for_itself(toy: Problem, executor: Executor) -> None:
    played = raw_env(problems=[toy], executor=executor)
    played.reset()
    played.submit("helper's turn: completes no program")
    played.step("")
    played.submit("    return 0")
    played.step("    return x + x")
    assert played.infos[MAIN]["passed"] == 4
    played.submit("    return x + x")  # the episode is over


def test_a_reset_drops_what_was_submitted(toy: Problem, executor: Executor) -> None:
    played = raw_env(problems=[toy], executor=executor)
    played.reset()
    played.step("def two():\n    return 2")
    played.submit("    return two() * x")
    played.reset()
    played.step("")
    played.step("    return two() * x")
    assert played.infos[MAIN]["passed"] == 0


def test_as_many_actions_as_environments_are_needed(toy: Problem, executor: Executor) -> None:
    played = raw_env(problems=[toy], executor=executor)
    played.reset()
    with pytest.raises(ValueError, match="zip"):
        step_many([played], ["", ""])
