"""Returns and group-relative advantages, against values worked out by hand."""

from __future__ import annotations

import pytest

from codeduet.agents import Completion
from codeduet.algorithms import GRPO, MAGRPO, Group, Trajectory
from codeduet.algorithms.advantages import group_advantages, returns_to_go
from codeduet.algorithms.algorithm import load_algorithm
from codeduet.algorithms.rollout import Action
from codeduet.envs import HELPER, MAIN, InputError


def episode(*turns: float) -> Trajectory:
    """Return an episode in which helper and main are both paid ``turns``."""
    completion = Completion((1,), (0.0,), "", "eos", 0)
    actions = [Action(a, t, (1,), completion, 1.0, r) for t, r in enumerate(turns) for a in (HELPER, MAIN)]
    return Trajectory("task", actions)


def test_returns_to_go_are_discounted_backwards() -> None:
    # 1 + 0.5 * (2 + 0.5 * 4) = 3;  2 + 0.5 * 4 = 4;  4
    assert returns_to_go([1.0, 2.0, 4.0], 0.5) == [3.0, 4.0, 4.0]
    assert returns_to_go([1.0, 2.0, 4.0]) == [7.0, 6.0, 4.0]
    assert returns_to_go([1.0, 2.0, 4.0], 0.0) == [1.0, 2.0, 4.0]
    assert returns_to_go([]) == []


def test_advantage_is_return_less_group_mean() -> None:
    assert group_advantages([0.5, 1.5, 1.0, 1.0]) == pytest.approx([-0.5, 0.5, 0.0, 0.0])


def test_std_scaling_divides_by_the_population_deviation() -> None:
    # Deviations -1, 1, so the standard deviation is 1 whatever the distance of 2 is scaled to.
    assert group_advantages([3.0, 5.0], scale="std") == pytest.approx([-1.0, 1.0])
    assert group_advantages([0.3, 0.5], scale="std") == pytest.approx([-1.0, 1.0])


@pytest.mark.parametrize("scale", ["none", "std"])
def test_equal_rewards_give_exactly_zero_however_they_were_summed(scale: str) -> None:
    summed = [0.1 + 0.2, 0.3, 0.15 + 0.15]  # differ by 5e-17
    assert len(set(summed)) > 1
    assert group_advantages(summed, scale=scale) == [0.0, 0.0, 0.0]  # type: ignore[arg-type]


def test_a_difference_of_one_tenth_over_many_tests_is_kept() -> None:
    assert group_advantages([0.5, 0.5 + 0.1 / 100]) == pytest.approx([-0.0005, 0.0005])


def test_discount_is_honoured_by_magrpo() -> None:
    group = Group("task", [episode(1.0, 4.0), episode(3.0, 0.0)])
    (discounted,) = MAGRPO(discount=0.5).advantages([group])
    # R_0 = 1 + 0.5 * 4 = 3 in both episodes, so no advantage; R_1 = 4 and 0, mean 2.
    assert discounted == [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, -2.0, -2.0]]
    (undiscounted,) = MAGRPO().advantages([group])
    # R_0 = 5 and 3, mean 4; R_1 as before.
    assert undiscounted == [[1.0, 1.0, 2.0, 2.0], [-1.0, -1.0, -2.0, -2.0]]


def test_episodes_that_ended_early_are_no_peers_at_later_turns() -> None:
    group = Group("task", [episode(6.0), episode(0.0, 1.0), episode(0.0, 3.0)])
    (advantages,) = MAGRPO().advantages([group])
    # R_0 = 6, 1, 3, mean 10/3; R_1 = 1, 3 of the two episodes that had a second turn, mean 2.
    assert [row[0] for row in advantages] == pytest.approx([6 - 10 / 3, 1 - 10 / 3, 3 - 10 / 3])
    assert [row[2:] for row in advantages] == [[], [-1.0, -1.0], [1.0, 1.0]]


def test_nested_credit_compares_helpers_with_helpers_and_mains_with_siblings() -> None:
    # Two helper answers with two mains each: means 2 and 6, their mean 4.
    group = Group("task", [episode(1.0), episode(3.0), episode(4.0), episode(8.0)])
    (advantages,) = MAGRPO(credit="nested", mains=2).advantages([group])
    assert advantages == [[-2.0, -1.0], [-2.0, 1.0], [2.0, -2.0], [2.0, 2.0]]
    (joint,) = MAGRPO().advantages([group])
    assert joint == [[-3.0, -3.0], [-1.0, -1.0], [0.0, 0.0], [4.0, 4.0]]


def test_groups_do_not_mix() -> None:
    groups = [Group("a", [episode(0.0), episode(1.0)]), Group("b", [episode(10.0), episode(10.0)])]
    assert MAGRPO().advantages(groups) == [[[-0.5, -0.5], [0.5, 0.5]], [[0.0, 0.0], [0.0, 0.0]]]


class Constant(MAGRPO):
    """A user's algorithm."""


def test_an_algorithm_is_named_built_in_or_by_module_and_class() -> None:
    assert isinstance(load_algorithm("grpo", {}), GRPO)
    loaded = load_algorithm("codeduet.algorithms.magrpo:MAGRPO", {"discount": 0.25})
    assert isinstance(loaded, MAGRPO)
    assert loaded.discount == 0.25


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("magrp", {}, "did you mean 'magrpo'"),
        ("nowhere:Algo", {}, "cannot be imported"),
        ("codeduet.algorithms.magrpo:Nothing", {}, "cannot be imported"),
        ("magrpo", {"discont": 1}, "discont"),
    ],
)
def test_a_wrong_algorithm_is_refused_in_one_line(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_algorithm(name, options)
    assert "\n" not in str(caught.value)
