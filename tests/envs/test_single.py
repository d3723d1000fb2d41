"""The single-agent game for Gymnasium users."""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import replace

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import codeduet.envs
from codeduet.envs import Executor, InputError, Problem, SingleAgentEnv
from codeduet.envs.roles import DUET


def test_it_passes_gymnasiums_check_without_a_warning(executor: Executor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("codeduet/humaneval-v0", executor=executor).unwrapped)
        check_env(gymnasium.make("codeduet/humaneval-v0", executor=executor, max_turns=2).unwrapped)


def test_it_is_played_through_gymnasiums_own_wrappers(toy: Problem, executor: Executor) -> None:
    env = gymnasium.make("codeduet/humaneval-v0", problems=[toy], max_turns=3, render_mode="ansi", executor=executor)
    assert isinstance(env.unwrapped, SingleAgentEnv)
    observation, info = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert (observation["prompt"], observation["turn"], info["total"]) == (toy.prompt, 0, 0)
    observation, reward, terminated, truncated, info = env.step("    return 2")
    assert (reward, terminated, truncated) == (0.6, False, False)
    assert (info["score"], info["passed"], info["total"], info["turn"]) == (0.6, 1, 4, 1)
    assert observation["feedback"] == "1 of 4 tests passed.\nThe program ran, but some results were wrong."
    assert observation["previous_code"].endswith('"""Return twice x."""\n    return 2\n')
    _, reward, terminated, truncated, _ = env.step("    return x + x")
    assert (reward, terminated, truncated) == (1.8, True, False)  # 0.9 for this turn and for the one that is left
    transcript = env.render()
    assert isinstance(transcript, str)
    assert transcript.endswith("# turn 2, verdict: score 0.9, 4/4 tests passed\n")
    env.close()
    assert executor.judge(toy, main_code="def double(x):\n    return 2 * x\n").solved


def test_the_seed_decides_the_problem_and_a_name_picks_it(executor: Executor) -> None:
    env = SingleAgentEnv(executor=executor, split="test")
    first = [env.reset(seed=5)[0]["prompt"]] + [env.reset()[0]["prompt"] for _ in range(4)]
    again = [env.reset(seed=5)[0]["prompt"]] + [env.reset()[0]["prompt"] for _ in range(4)]
    assert first == again
    assert len(set(first)) > 1
    assert env.reset(options={"task_id": "HumanEval/124"})[0]["entry_point"] == "valid_date"
    with pytest.raises(InputError, match="unknown task id 'HumanEval/1' among 40 problems"):
        env.reset(options={"task_id": "HumanEval/1"})


def test_many_games_run_as_a_vector(toy: Problem, executor: Executor) -> None:
    vector = gymnasium.make_vec(
        "codeduet/humaneval-v0",
        num_envs=3,
        vectorization_mode="sync",
        problems=[toy],
        executor=executor,
    )
    observations, _ = vector.reset(seed=0)
    assert list(observations["entry_point"]) == ["double"] * 3
    _, rewards, terminations, _, _ = vector.step(("    return 0", "    return x + x", "x ="))
    assert rewards.tolist() == [0.5, 0.9, 0.0]
    assert terminations.tolist() == [True, True, True]
    vector.close()


@pytest.mark.parametrize("shared_memory", [True, False])
def test_processes_hand_over_the_text_itself(toy: Problem, shared_memory: bool) -> None:
    odd = replace(toy, prompt=toy.prompt.replace("twice x", "twice x: ü, 漢字, 🐍, \\x00"))
    vector = gymnasium.make_vec(
        "codeduet/humaneval-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"shared_memory": shared_memory},
        problems=[odd],
        max_turns=2,
    )
    try:
        observations, _ = vector.reset(seed=0)
        assert observations["prompt"] == (odd.prompt, odd.prompt)
        assert observations["previous_code"] == ("", "")
        observations, *_ = vector.step(("    return 0  # ä\ud800", "    return '🐍'"))
        assert [code.split("return")[1].rstrip("\n") for code in observations["previous_code"]] == [
            " 0  # ä\ud800",
            " '🐍'",
        ]
        assert observations["turn"].tolist() == [1, 1]
    finally:
        vector.close()


def test_an_answer_longer_than_its_space_ends_nothing(toy: Problem, executor: Executor) -> None:
    env = gymnasium.make("codeduet/humaneval-v0", problems=[toy], max_turns=2, executor=executor)
    env.reset(seed=0)
    observation, reward, terminated, *_ = env.step(f"y = 0  # {'why' * 20}\n" * 2_000)  # of lines so many are read
    assert env.observation_space.contains(observation)
    assert (reward, terminated) == (0.2, False)  # no code is valid code
    assert "counts as none" in observation["feedback"]


def test_a_copy_in_mid_episode_is_the_same_episode(toy: Problem, executor: Executor) -> None:
    env = SingleAgentEnv(problems=[toy], max_turns=2, executor=executor)
    env.reset(seed=0)
    env.step("    return 2")
    twin = copy.deepcopy(env)
    assert twin.step("    return x + x")[0]["turn"] == 2
    assert env.game.turn == 1


def test_it_is_pickled(toy: Problem) -> None:
    env = pickle.loads(pickle.dumps(SingleAgentEnv(problems=[toy], max_turns=2)))
    env.reset(seed=0)
    assert env.step("    return x + x")[1] == 1.8


def test_there_is_one_agent_and_no_other(toy: Problem) -> None:
    with pytest.raises(InputError, match="give roles alone"):
        SingleAgentEnv(problems=[toy], agents=("helper_0", "main_0"))
    with pytest.raises(TypeError, match="roles"):
        SingleAgentEnv(problems=[toy], roles=DUET)
    assert SingleAgentEnv(problems=[toy]).game.possible_agents == [codeduet.envs.MAIN]
