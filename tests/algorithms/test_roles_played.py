"""Teams of roles in rollouts: what is recorded before each action, and who is credited with what."""

from __future__ import annotations

from typing import Any

import pytest

from codeduet.agents import PromptFormatter, Sampling, ScriptedEngine
from codeduet.agents.play import Seat, game, play
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.tree import Tree
from codeduet.algorithms import MAGRPO, Group, Trajectory
from codeduet.algorithms.metrics import episode_metrics, helper_gains
from codeduet.envs import Problem, Role, raw_env
from codeduet.envs.roles import policies_of
from tests.episodes import episode

PLUS = "def plus(a, b):\n    return a + b\n"
ROLES = (
    Role("planner", writes="text"),
    Role("helper", reads=("planner",), count=2),
    Role("main", reads=("planner", "helper", "reviewer")),
    Role("reviewer", writes="text", reads=("main",)),
)
PROBLEM = Problem(
    "Toy/0",
    'def double(x):\n    """Return twice x."""\n',
    "double",
    "    return 2 * x\n",
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(3) == 6\n",
    views={"planner": "def double(x):\n"},
)


def blame(outcome: Any, parts: Any) -> dict[str, float]:
    """Writers of code are paid for its length, the planner for tests, the reviewer nothing."""
    return {"planner_0": float(outcome.passed), "reviewer_0": 0.0} | {
        part.agent: float(len(part.code)) for part in parts
    }


def rewards_of(agent: str, trajectory: Trajectory, start: int = 0) -> list[float]:
    """Return what an agent is paid for each of its steps, from one of the episode's on."""
    pairs = zip(trajectory.steps[start:], trajectory.rewards[start:], strict=True)
    return [reward for step, reward in pairs if step.agent == agent]


@pytest.fixture(scope="module")
def played() -> tuple[Group, raw_env]:
    scripts = {
        "planner_0": lambda prompt, seed: f"plan {seed % 1000}",
        "helper": lambda prompt, seed: PLUS if seed % 2 else "",
        "main_0": lambda prompt, seed: "    return plus(x, 1)\n",
        "reviewer_0": lambda prompt, seed: "Once more.",
    }
    envs = [raw_env([PROBLEM], roles=ROLES, max_turns=2, reward={"magrpo": 1.0, blame: 10.0}) for _ in range(4)]
    engine, formatter = ScriptedEngine(scripts), PromptFormatter(byte_tokenizer(), roles=ROLES)
    seats = {agent: Seat(name, formatter, Sampling(), engine) for agent, name in policies_of(ROLES).items()}
    (group,) = play(game(envs, seed_parts=(0,)), ["Toy/0"], Tree((4,)), seats, seed_parts=(0,))
    return group, envs[0]


def test_agents_of_a_role_act_by_one_policy_and_by_seeds_of_their_own(played: tuple[Group, raw_env]) -> None:
    group, _ = played
    for trajectory in group.trajectories:
        agents = [step.agent for step in trajectory.steps]
        assert agents == ["planner_0", "helper_0", "helper_1", "main_0", "reviewer_0"] * 2
    helpers = [
        [step.completion.text for step in t.steps if step.agent == f"helper_{i}"]
        for t in group.trajectories
        for i in (0, 1)
    ]
    assert len(set(map(tuple, helpers))) > 1


def test_observation_and_state_are_those_before_the_action(played: tuple[Group, raw_env]) -> None:
    group, _ = played
    for trajectory in group.trajectories:
        for place, action in enumerate(trajectory.steps):
            kind = "text" if action.agent in ("planner_0", "reviewer_0") else "code"
            assert action.state[f"{action.agent}_{kind}"] == ""  # it has not acted yet
            assert action.state["turn"] == action.observation["turn"] == place // 5
            if place % 5:
                assert action.state["planner_0_text"] == trajectory.steps[place // 5 * 5].completion.text
        plan, main, again = (trajectory.steps[k] for k in (0, 3, 8))
        assert plan.observation["prompt"] == plan.state["planner_prompt"] == "def double(x):\n"
        assert main.observation["prompt"] == PROBLEM.prompt
        assert main.observation["planner_text"] == plan.completion.text
        assert again.observation["reviewer_text"] == again.state["reviewer_0_previous"] == "Once more."
        assert again.observation["previous_code"] == again.state["main_0_previous"] != ""


def test_agents_are_credited_with_what_they_are_paid(played: tuple[Group, raw_env]) -> None:
    group, _ = played
    credited = MAGRPO().advantages([group])
    for agent in ("planner_0", "helper_0", "helper_1", "main_0", "reviewer_0"):
        for turn in (0, 1):
            cells = [
                (i, k)
                for i, t in enumerate(group.trajectories)
                for k, step in enumerate(t.steps)
                if (step.agent, step.turn) == (agent, turn)
            ]
            paid = [sum(rewards_of(agent, group.trajectories[i], k)) for i, k in cells]
            mean = sum(paid) / len(paid)
            assert [credited[group.trajectories[i].steps[k]] for i, k in cells] == pytest.approx(
                [value - mean for value in paid]
            )
    lengths = {tuple(rewards_of("helper_0", t)) for t in group.trajectories}
    assert len(lengths) > 1  # helpers are not all paid alike, so this says something


def test_metrics_tell_agents_and_terms_apart(played: tuple[Group, raw_env]) -> None:
    group, game = played
    told = episode_metrics([group])
    returns = [sum(rewards_of("main_0", t)) for t in group.trajectories]
    assert told["main_0/reward"] == pytest.approx(sum(returns) / 4)
    assert told["main_0/reward"] != told["reviewer_0/reward"]
    assert told["reward/blame"] > 0
    scores = [game.payment.pay(t.outcome, t.program).terms["magrpo"]["main_0"] for t in group.trajectories]  # type: ignore[arg-type]
    assert told["reward/magrpo"] == pytest.approx(sum(scores) / 4)
    assert told["helper_nonempty"] == pytest.approx(
        sum(any(t.outcome.defines[f"helper_{i}"] for i in (0, 1)) for t in group.trajectories if t.outcome) / 4
    )
    gains = helper_gains(group.trajectories, game)
    for gain, trajectory in zip(gains, group.trajectories, strict=True):
        assert trajectory.outcome is not None
        assert (gain != 0) == bool(trajectory.outcome.calls)


def test_a_team_that_is_paid_alike_has_no_reward_of_its_agents_apart() -> None:
    same = [episode(0.5, number=number) for number in range(2)]
    assert not [key for key in episode_metrics([Group("task", same)]) if key.endswith("/reward")]
