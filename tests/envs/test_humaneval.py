"""The game itself: who sees what, what is paid, when it ends."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pettingzoo
import pytest
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

from codeduet.envs import HELPER, MAIN, Executor, InputError, Outcome, Problem, env, load_problems, raw_env, step_many

PLUS = "def plus(a, b):\n    return a + b\n"
CALLS = "def double(x):\n    return plus(x, x)\n"
RIGHT = "def double(x):\n    return x + x\n"
HALF = "def double(x):\n    return 2 * x if x in (1, 2) else None\n"


def game(toy: Problem, executor: Executor, **kwargs: Any) -> raw_env:
    made = raw_env(problems=[toy], executor=executor, **kwargs)
    made.reset(seed=0)
    return made


def test_helper_acts_first_and_main_sees_its_code(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    assert played.agent_selection == HELPER
    seen = {
        "prompt": toy.prompt,
        "entry_point": "double",
        "helper_code": "",
        "previous_code": "",
        "feedback": "",
        "turn": 0,
    }
    assert played.observe(HELPER) == played.observe(MAIN) == seen
    played.step(f"Here you are:\n```python\n{PLUS}```\nGood luck!")
    assert played.agent_selection == MAIN
    assert played.observe(MAIN) == {**seen, "helper_code": PLUS.rstrip("\n")}
    assert played.observe(HELPER) == seen
    assert played.rewards == {HELPER: 0.0, MAIN: 0.0}


def test_both_are_paid_when_main_has_acted(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    played.step(PLUS)
    played.step(CALLS)
    assert played.rewards == {HELPER: 0.9, MAIN: 0.9}  # 0.2 + 0.3 + 4 x 0.1
    assert played.terminations == {HELPER: True, MAIN: True}
    assert played.truncations == {HELPER: False, MAIN: False}
    assert played.infos[HELPER] == played.infos[MAIN]
    assert played.infos[MAIN] == {
        "turn": 1,
        "score": 0.9,
        "syntax_ok": 1,
        "runnable": 1,
        "passed": 4,
        "total": 4,
        "timed_out": 0,
    }
    _, paid, terminated, truncated, _ = played.last()
    assert (paid, terminated, truncated) == (0.9, True, False)
    played.step(None)
    played.step(None)
    assert played.agents == []


def test_infos_have_their_keys_and_kinds_from_reset_on(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor, max_turns=2)
    at_reset = played.infos[HELPER]
    played.step("")
    played.step(HALF)
    kinds = {key: type(value) for key, value in at_reset.items()}
    assert kinds == {key: type(value) for key, value in played.infos[HELPER].items()}
    assert set(kinds.values()) == {int, float}


def test_an_empty_helper_is_valid_and_an_unparsable_one_fails_the_team(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    played.step("")
    played.step(RIGHT)
    assert played.rewards[HELPER] == 0.9
    played.reset()
    played.step("def plus(a, b:")
    played.step(RIGHT)
    assert played.rewards == {HELPER: 0.0, MAIN: 0.0}


def test_observations_lie_in_their_space_at_every_step(executor: Executor) -> None:
    """All 164 prompts, those with signs outside of ASCII too."""
    played = raw_env(split="all", executor=executor)
    for problem in load_problems():
        played.reset(options={"task_id": problem.task_id})
        assert all(played.observation_space(agent).contains(played.observe(agent)) for agent in played.agents)
        assert played.state_space.contains(played.state())
    played.step("x = 'ü'")
    played.step("\ud800\x00")
    assert played.observation_space(MAIN).contains(played.observe(MAIN))
    assert played.state_space.contains(played.state())


def test_state_holds_both_agents_code_and_feedback(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor, max_turns=2)
    played.step(PLUS)
    assert played.state() == {
        "prompt": toy.prompt,
        "entry_point": "double",
        "turn": 0,
        "helper_0_code": PLUS,
        "helper_0_previous": "",
        "helper_0_feedback": "",
        "main_0_code": "",
        "main_0_previous": "",
        "main_0_feedback": "",
    }
    played.step(CALLS)
    state = played.state()
    assert (state["turn"], state["helper_0_code"], state["main_0_code"]) == (1, PLUS, CALLS)
    assert state["main_0_feedback"] == "4 of 4 tests passed."


def test_a_problem_is_picked_by_name_or_drawn_from_the_seed(executor: Executor) -> None:
    played = raw_env(split="all", executor=executor)
    played.reset(options={"task_id": "HumanEval/7", "other": 1})
    assert played.problem.task_id == "HumanEval/7"

    def draws(seed: int) -> list[str]:
        played.reset(seed=seed)
        first = played.problem.task_id
        drawn = []
        for _ in range(5):
            played.reset()
            drawn.append(played.problem.task_id)
        return [first, *drawn]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)
    assert len(set(draws(3))) > 1
    with pytest.raises(InputError, match=r"unknown task id 'HumanEval/777' .*did you mean 'HumanEval/77'"):
        played.reset(options={"task_id": "HumanEval/777"})


def test_the_split_decides_what_is_drawn(executor: Executor) -> None:
    assert len(raw_env(executor=executor).problems) == 124
    assert len(raw_env(split="test", executor=executor).problems) == 40
    with pytest.raises(InputError, match="unknown task id 'HumanEval/0' among 40 problems"):
        raw_env(split="test", executor=executor).reset(options={"task_id": "HumanEval/0"})


def test_the_simultaneous_game_hides_helpers_code_from_main(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor, simultaneous=True)
    before = played.observe(MAIN)
    played.step(PLUS)
    assert played.observe(MAIN) == before
    played.step(CALLS)
    assert played.rewards[MAIN] == 0.9  # its code is in the program all the same


def test_the_single_agent_game_has_main_alone(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor, agents=(MAIN,), max_turns=2)
    assert played.possible_agents == [MAIN]
    played.step(HALF)
    assert (played.rewards, played.agent_selection) == ({MAIN: 0.7}, MAIN)
    played.step(RIGHT)
    assert played.rewards == {MAIN: 0.9}
    assert played.terminations == {MAIN: True}


def test_extract_false_takes_the_text_as_it_is(toy: Problem, executor: Executor) -> None:
    fenced = f"```python\n{RIGHT}```"
    plain = game(toy, executor, extract=False)
    plain.step("")
    plain.step(fenced)
    assert plain.rewards[MAIN] == 0.0
    reading = game(toy, executor)
    reading.step("")
    reading.step(fenced)
    assert reading.rewards[MAIN] == 0.9


def test_a_users_function_pays(toy: Problem, executor: Executor) -> None:
    def length(outcome: Outcome) -> float:
        return float(outcome.passed**2)

    played = game(toy, executor, reward=length)
    played.step("")
    played.step(RIGHT)
    assert played.rewards == {HELPER: 16.0, MAIN: 16.0}


def test_the_transcript_tells_problem_actions_and_verdict(
    toy: Problem, executor: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    played = game(toy, executor, render_mode="ansi", max_turns=2)
    for action in (PLUS, HALF, "", RIGHT):
        played.step(action)
    text = played.render()
    assert text == (
        f"# Toy/0\n{toy.prompt}\n\n"
        f"# turn 1, helper_0\n{PLUS}\n\n# turn 1, main_0\n{HALF}\n\n"
        "# turn 1, verdict: score 0.7, 2/4 tests passed\n\n"
        f"# turn 2, helper_0\n\n\n# turn 2, main_0\n{RIGHT}\n\n"
        "# turn 2, verdict: score 0.9, 4/4 tests passed\n"
    )
    assert capsys.readouterr().out == ""
    human = game(toy, executor, render_mode="human", max_turns=2)
    for action in (PLUS, HALF, "", RIGHT):
        human.step(action)
    assert human.render() is None  # everything stands there already, once
    assert capsys.readouterr().out.rstrip("\n") == text.rstrip("\n")


def test_rendering_survives_text_that_the_terminal_cannot_show(
    toy: Problem, executor: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    human = game(toy, executor, render_mode="human")
    human.step("\ud800")
    assert "\\ud800" in capsys.readouterr().out


def test_close_leaves_the_executor_running(toy: Problem, executor: Executor) -> None:
    game(toy, executor).close()
    assert executor.judge(toy, main_code=RIGHT).solved
    default = raw_env(problems=[toy])
    default.reset()
    default.step("")
    default.step(RIGHT)
    default.close()
    again = raw_env(problems=[toy])
    again.reset()
    again.step("")
    again.step(RIGHT)
    assert again.rewards[MAIN] == 0.9


def test_a_pickled_environment_replays_the_episode(executor: Executor) -> None:
    original = env(split="test", reward="fraction", max_turns=2, executor=executor)
    with_copy = [original, pickle.loads(pickle.dumps(original))]
    seen: list[list[Any]] = [[], []]
    actions = [PLUS, "    return []", "", "    return None"]
    for record, played in zip(seen, with_copy, strict=True):
        played.reset(seed=11)
        for action in actions:
            record.append(played.last())
            played.step(action)
        record.append((played.rewards, played.infos, played.state()))
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5
    with_copy[1].unwrapped.executor.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agents": ("main_0", "helper_0")}, "agents must be"),
        ({"max_turns": 0}, "max_turns must be a whole number from 1 on, not 0"),
        ({"max_turns": "2"}, "max_turns must be a whole number from 1 on, not '2'"),
        ({"render_mode": "rgb_array"}, "unknown render_mode 'rgb_array'"),
        ({"reward": "magrpoo"}, "unknown reward 'magrpoo'"),
        ({"split": "tset"}, "unknown split 'tset'"),
        ({"problems": "nowhere.jsonl"}, r"no such file: nowhere\.jsonl"),
        ({"problems": []}, "problems is empty"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        raw_env(**arguments)


def test_wrong_actions_are_refused(toy: Problem, executor: Executor) -> None:
    with pytest.raises(InputError, match="an action is text, not int"):
        game(toy, executor).step(3)  # type: ignore[arg-type]
    checked = env(problems=[toy], executor=executor)
    checked.reset()
    with pytest.raises(AssertionError, match="action is not in action space"):
        checked.step(None)
    for task_id in (7, ["Toy/0"], b"Toy/0"):
        with pytest.raises(InputError, match=r"options\['task_id'\] is text, such as 'Toy/0', and not "):
            checked.reset(options={"task_id": task_id})


@pytest.mark.parametrize("score", [float("nan"), float("inf"), None, "much", [1.0]])
def test_a_reward_that_is_no_finite_number_is_refused(toy: Problem, executor: Executor, score: Any) -> None:
    def mine(outcome: Outcome) -> Any:
        return score

    played = game(toy, executor, reward=mine)
    played.step("")
    with pytest.raises(
        InputError, match=r"reward 'mine' pays .* for a program that passes 4 of 4 tests: it must return"
    ):
        played.step(RIGHT)


LONG_THOUGHTS = "<think>" + "def double(x): return None  # hm\n" * 4_000 + "</think>\n"


@pytest.mark.parametrize("extract", [True, False])
def test_an_answer_longer_than_its_space_ends_nothing(toy: Problem, executor: Executor, extract: bool) -> None:
    assert len(LONG_THOUGHTS) > 100_000
    played = [env(problems=[toy], executor=executor, max_turns=2, extract=extract) for _ in range(3)]
    for one in played:
        one.reset()
    long = f"y = 0  # {'why' * 20}\n" * 2_000  # of lines so many are read
    step_many(played, [LONG_THOUGHTS + PLUS, long, PLUS])
    step_many(played, [LONG_THOUGHTS + CALLS if extract else CALLS, RIGHT, long])
    says = "An answer whose code has more than 100,000 characters counts as none."
    first, second, third = (one.unwrapped for one in played)
    assert (first.infos[MAIN]["passed"], second.infos[MAIN]["passed"], third.infos[MAIN]["passed"]) == (
        4 * extract,
        4,
        0,
    )
    assert says in second.state()["helper_0_feedback"]
    assert says in third.state()["main_0_feedback"]
    assert says not in third.state()["helper_0_feedback"]
    assert third.state()["main_0_code"] == ""
    assert f"# turn 1, main_0: {says[0].lower()}{says[1:-1]}" in third._transcript
    for one in (first, second, third):
        assert one.state_space.contains(one.state())


def test_a_step_of_the_parallel_view_plays_the_one_agent_whose_turn_it_is(toy: Problem, executor: Executor) -> None:
    view = turn_based_aec_to_parallel(env(problems=[toy], executor=executor))
    view.reset(seed=0)
    both = {HELPER: PLUS, MAIN: CALLS}
    seen, paid, *_ = view.step(both)
    assert (seen[MAIN]["helper_code"], paid) == (PLUS, {HELPER: 0.0, MAIN: 0.0})
    _, paid, *_ = view.step(both)
    assert paid == {HELPER: 0.9, MAIN: 0.9}


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize("steps", range(5))
def test_a_copy_in_mid_episode_is_the_same_episode(toy: Problem, executor: Executor, how: str, steps: int) -> None:
    original = env(problems=[toy, replace(toy, task_id="Toy/1")], max_turns=3, render_mode="ansi")
    original.unwrapped.executor = executor
    original.reset(seed=5)
    actions = [PLUS, HALF, "", "no code", PLUS, CALLS]
    for action in actions[:steps]:
        original.step(action)
    original.unwrapped.submit(actions[steps])
    twin = copy.deepcopy(original) if how == "deepcopy" else pickle.loads(pickle.dumps(original))
    twin.unwrapped.executor = executor

    def seen(of: Any) -> list[Any]:
        game = of.unwrapped
        told = [game.agents, game.rewards, game.infos, game.state(), game.agent_selection, of.render(), of.last()]
        return copy.deepcopy(told)

    before = seen(original)
    assert seen(twin) == before
    for action in actions[steps:]:
        twin.step(action)
    assert seen(original) == before  # nothing is shared
    for action in actions[steps:]:
        original.step(action)
    assert seen(twin) == seen(original)
    assert original.rewards[MAIN] > 0
    original.reset()
    twin.reset()
    assert seen(twin) == seen(original)  # and the next problem drawn


def test_a_copy_shares_its_executor_and_is_cheap(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor)
    twin = copy.deepcopy(played)
    assert twin.executor is executor
    assert twin.problems is played.problems
    assert twin.action_space(MAIN) is not played.action_space(MAIN)


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo has a registry from 1.27 on")
def test_it_is_made_by_its_name(toy: Problem, executor: Executor) -> None:
    made = pettingzoo.make(
        "aec",
        "codeduet/humaneval-v0",
        problems="humaneval",
        split="train",
        reward="magrpo",
        max_turns=1,
        render_mode=None,
        executor=executor,
    )
    assert made.unwrapped.executor is executor
    assert str(made.metadata["name"]) == "codeduet/humaneval-v0"
    assert made.possible_agents == ["helper_0", "main_0"]
