"""Returns and group-relative advantages, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codeduet.agents.tree import Tree
from codeduet.algorithms import GRPO, MAGRPO, Group
from codeduet.algorithms.algorithm import Algorithm, load_algorithm
from codeduet.algorithms.credit import group_advantages
from codeduet.envs import InputError
from tests.episodes import episode, grown


def credits(algorithm: Algorithm, *groups: Group) -> list[list[list[float]]]:
    """Return an algorithm's advantages of each step of each episode of each group."""
    found = algorithm.advantages(groups)
    return [[[found[step] for step in t.steps] for t in group.trajectories] for group in groups]  # type: ignore[misc]


def test_returns_to_go_are_discounted_backwards() -> None:
    # 1 + 0.5 * (2 + 0.5 * 4) = 3;  2 + 0.5 * 4 = 4;  4; for each agent alike
    assert episode(1.0, 2.0, 4.0).returns(0.5) == [3.0, 3.0, 4.0, 4.0, 4.0, 4.0]
    assert episode(1.0, 2.0, 4.0).returns() == [7.0, 7.0, 6.0, 6.0, 4.0, 4.0]
    assert episode(1.0, 2.0, 4.0).returns(0.0) == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    assert episode().returns() == []


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
    group = Group("task", [episode(1.0, 4.0), episode(3.0, 0.0, number=1)])
    (discounted,) = credits(MAGRPO(discount=0.5), group)
    # R_0 = 1 + 0.5 * 4 = 3 in both episodes, so no advantage; R_1 = 4 and 0, mean 2.
    assert discounted == [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, -2.0, -2.0]]
    (undiscounted,) = credits(MAGRPO(), group)
    # R_0 = 5 and 3, mean 4; R_1 as before.
    assert undiscounted == [[1.0, 1.0, 2.0, 2.0], [-1.0, -1.0, -2.0, -2.0]]


def test_episodes_that_ended_early_are_no_peers_at_later_turns() -> None:
    group = Group("task", [episode(6.0), episode(0.0, 1.0, number=1), episode(0.0, 3.0, number=2)])
    (advantages,) = credits(MAGRPO(), group)
    # R_0 = 6, 1, 3, mean 10/3; R_1 = 1, 3 of the two episodes that had a second turn, mean 2.
    assert [row[0] for row in advantages] == pytest.approx([6 - 10 / 3, 1 - 10 / 3, 3 - 10 / 3])
    assert [row[2:] for row in advantages] == [[], [-1.0, -1.0], [1.0, 1.0]]


def test_nested_credit_compares_helpers_with_helpers_and_mains_with_siblings() -> None:
    # Two helper answers with two mains each: means 2 and 6, their mean 4.
    returns = (1.0, 3.0, 4.0, 8.0)
    (advantages,) = credits(MAGRPO(credit="nested", mains=2), grown(Tree((2, 2), "agents"), *returns))
    assert advantages == [[-2.0, -1.0], [-2.0, 1.0], [2.0, -2.0], [2.0, 2.0]]
    (joint,) = credits(MAGRPO(), grown(Tree((4,)), *returns))
    assert joint == [[-3.0, -3.0], [-1.0, -1.0], [0.0, 0.0], [4.0, 4.0]]


def test_groups_do_not_mix() -> None:
    first, second = grown(Tree((2,)), 0.0, 1.0), grown(Tree((2,)), 10.0, 10.0)
    second = Group(
        "b", [replace(t, steps=[replace(s, key=("b", *s.key[1:])) for s in t.steps]) for t in second.trajectories]
    )
    assert credits(MAGRPO(), first, second) == [[[-0.5, -0.5], [0.5, 0.5]], [[0.0, 0.0], [0.0, 0.0]]]


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
