"""Workflows advanced together: which steps are shared, in how many calls, and what one credit formula makes of trees."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from codeduet.agents import Completion, Request, Sampling
from codeduet.agents.play import Ask, Effect, Judge, Seat, Service, play
from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.algorithms import credit
from codeduet.envs import Outcome, Problem, Program
from codeduet.envs.execution import Part
from codeduet.errors import InputError

PROBLEM = Problem("t", "def f():\n", "f", "    return 1\n", "def check(candidate):\n    assert candidate() == 1\n")


class Numbers:
    """An engine that answers with digits of the seed, and counts what it is asked."""

    def __init__(self) -> None:
        self.calls = self.samples = 0

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        self.calls += 1
        self.samples += sum(len(request.seeds) for request in requests)
        return [[Completion((s % 97,), (0.0,), str(s % 1000), "eos", 0) for s in r.seeds] for r in requests]


class Words:
    """A formatter whose prompt is the observation, spelled out."""

    def render(self, agent: str, observation: Mapping[str, Any]) -> str:
        return f"{agent} {sorted(observation.items())}"

    def encode(self, agent: str, observation: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(self.render(agent, observation).encode())

    def stop(self, agent: str) -> tuple[str, ...]:
        return ()


def seats(engine: Any, *agents: str) -> dict[str, Seat]:
    return {agent: Seat(agent, Words(), Sampling(), engine) for agent in agents}


def in_turns(turns: int, *, blind: bool = False) -> Any:
    """Helper and main, who sees helper's answer unless blind; each turn pays for the digits of both."""

    def workflow(trajectory: Trajectory) -> Generator[Effect, Any, None]:
        seen: dict[str, Any] = {}
        for turn in range(turns):
            first: Step = yield Ask("helper_0", {"turn": turn, **seen})
            second: Step = yield Ask("main_0", {"turn": turn, **seen} | ({} if blind else {"helper": first.text}))
            paid = (int(first.text) % 10 + 2 * (int(second.text) % 7)) / 10
            for agent in ("helper_0", "main_0"):
                trajectory.pay(agent, paid)
            seen = {"before": (first.text, second.text)}

    return workflow


def grow(tree: Tree, turns: int = 1, **settings: Any) -> tuple[Group, Numbers]:
    engine = Numbers()
    (group,) = play(in_turns(turns, **settings), ["t"], tree, seats(engine, "helper_0", "main_0"), seed_parts=(0,))  # type: ignore[arg-type]
    return group, engine


def test_without_a_tree_every_answer_is_compared_with_those_of_its_agent_and_turn() -> None:
    group, engine = grow(Tree((5,)), turns=2)
    found = credit.siblings(group, discount=0.9)
    assert (engine.calls, engine.samples) == (4, 20)
    for place, agent in enumerate(("helper_0", "main_0")):
        for turn in range(2):
            returns = []
            for trajectory in group.trajectories:
                paid = [r for step, r in zip(trajectory.steps, trajectory.rewards, strict=True) if step.agent == agent]
                returns.append(paid[turn] + (0.9 * paid[1] if turn == 0 else 0.0))
            mine = [found[trajectory.steps[2 * turn + place]] for trajectory in group.trajectories]
            assert mine == pytest.approx(np.array(returns) - np.mean(returns))


def test_a_tree_over_agents_is_nested_credit_and_its_shared_answers_are_written_once() -> None:
    group, engine = grow(Tree((4, 3), "agents"))
    assert (engine.calls, engine.samples) == (2, 4 + 12)
    returns = np.array([trajectory.rewards[1] for trajectory in group.trajectories]).reshape(4, 3)
    found = credit.siblings(group)
    assert len(found) == len(group.steps) == 16
    helpers = [found[group.trajectories[3 * h].steps[0]] for h in range(4)]
    assert helpers == pytest.approx(returns.mean(1) - returns.mean())
    mains = np.array([found[trajectory.steps[1]] for trajectory in group.trajectories]).reshape(4, 3)
    assert mains == pytest.approx(returns - returns.mean(1, keepdims=True))
    left_out = credit.siblings(group, leave_one_out=True)
    assert [left_out[group.trajectories[3 * h].steps[0]] for h in range(4)] == pytest.approx(np.array(helpers) * 4 / 3)


def test_a_tree_over_turns_is_that_of_liu_et_al() -> None:
    group, engine = grow(Tree((3, 2), "turns"), turns=2)
    assert (engine.calls, engine.samples) == (4, 3 + 3 + 6 + 6)
    first = np.array([trajectory.rewards[1] for trajectory in group.trajectories]).reshape(3, 2)
    second = np.array([trajectory.rewards[3] for trajectory in group.trajectories]).reshape(3, 2)
    assert (first[:, 0] == first[:, 1]).all()
    values = first[:, 0] + 0.9 * second.mean(1)  # V(node) = r + discount * mean of V over its children
    found = credit.siblings(group, discount=0.9)
    assert [found[group.trajectories[2 * i].steps[0]] for i in range(3)] == pytest.approx(values - values.mean())
    leaves = np.array([found[trajectory.steps[2]] for trajectory in group.trajectories]).reshape(3, 2)
    assert leaves == pytest.approx(second - second.mean(1, keepdims=True))


def test_in_a_cross_table_each_answer_meets_each_of_the_others() -> None:
    group, engine = grow(Tree((4, 3), "cross", 2), blind=True)
    assert (engine.calls, engine.samples) == (2, 7)
    returns = np.array([trajectory.rewards[1] for trajectory in group.trajectories]).reshape(4, 3)
    found = credit.siblings(group)
    assert len(found) == 7
    assert [found[group.trajectories[m].steps[1]] for m in range(3)] == pytest.approx(returns.mean(0) - returns.mean())


def test_a_tree_that_shares_what_differs_is_refused() -> None:
    with pytest.raises(InputError, match="would share an answer between episodes of t that differ before it"):
        grow(Tree((4, 3), "cross", 2))


def test_a_task_that_stands_twice_gets_other_answers() -> None:
    engine = Numbers()
    one, two = play(in_turns(1), ["t", "t"], Tree((3,)), seats(engine, "helper_0", "main_0"), seed_parts=(0,))
    assert not {step.key for step in one.steps} & {step.key for step in two.steps}
    assert {step.text for step in one.steps} != {step.text for step in two.steps}
    (alone,) = play(in_turns(1), ["t"], Tree((6,)), seats(Numbers(), "helper_0", "main_0"), seed_parts=(0,))
    assert [step.text for step in one.steps + two.steps] == [step.text for step in alone.steps]


def test_workflows_of_different_lengths_wait_for_each_other_and_programs_are_judged_together() -> None:
    judged: list[int] = []

    class Judges:
        def judge_many(self, programs: Any) -> list[Outcome]:
            every = list(programs)
            judged.append(len(every))
            return [
                Outcome(True, True, int(p.parts[0].code) % 3, 2, (True, True), defines={}) for p in every
            ]  # fmt: skip

    def repair(trajectory: Trajectory) -> Generator[Effect, Any, None]:
        step = yield Ask("coder_0", {"task": trajectory.task_id})
        for _ in range(3):
            outcome = yield Judge(Program(PROBLEM, (Part("coder_0", step.text),)))
            if outcome.passed == 2:
                break
            step = yield Ask("coder_0", {"task": trajectory.task_id, "before": step.text})
        trajectory.outcome = outcome

    engine = Numbers()
    groups = play(repair, ["a", "b"], Tree((6,)), seats(engine, "coder_0"), seed_parts=(0,), service=Service(Judges()))  # type: ignore[arg-type]
    lengths = {len(trajectory.steps) for group in groups for trajectory in group.trajectories}
    assert len(lengths) > 1
    assert engine.calls == max(lengths)
    assert judged[0] == 12
    assert len(judged) == 3


def test_a_group_that_was_sent_is_credited_as_before() -> None:
    group, _ = grow(Tree((4, 3), "agents"))
    sent = Group(group.task_id, [pickle.loads(pickle.dumps(trajectory)) for trajectory in group.trajectories])
    assert credit.siblings(sent) == credit.siblings(group)


@pytest.mark.parametrize("widths", [(), (0,), (2.5,), (2, -1)])
def test_a_tree_without_branches_is_refused(widths: Any) -> None:
    with pytest.raises(InputError, match="whole numbers from 1 on"):
        Tree(widths)
