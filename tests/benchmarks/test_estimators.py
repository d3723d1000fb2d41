"""pass@k against every subset there is; intervals against cases that can be told by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from codeduet.benchmarks.estimators import (
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    holm,
    paired_difference,
    pass_at_k,
    sign_test,
)
from codeduet.envs import InputError


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_correct_sample(n: int) -> None:
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations(range(n), k))
        expected = sum(min(subset) < c for subset in subsets) / len(subsets)  # the first c samples are correct
        assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_k_by_hand_and_without_overflow() -> None:
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(10, 1, 10) == 1.0
    assert pass_at_k(10, 0, 10) == 0.0
    assert pass_at_k(4, 1, 2) == pytest.approx(1 - math.comb(3, 2) / math.comb(4, 2))
    exact = 1 - math.comb(1900, 1000) / math.comb(2000, 1000)  # the binomials have 600 digits
    assert pass_at_k(2000, 100, 1000) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("n", "k"), [(4, 5), (1, 10), (4, 0), (4, -1)])
def test_a_k_that_n_samples_cannot_estimate_is_refused(n: int, k: int) -> None:
    with pytest.raises(InputError, match=f"pass@{k} cannot be estimated from {n} samples a problem: choose k <= n"):
        pass_at_k(n, 0, k)


def test_more_correct_than_samples_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="5 correct of 4 samples"):
        pass_at_k(4, 5, 1)


def test_equal_values_have_no_interval_where_it_is_not_known_what_values_there_can_be() -> None:
    assert bootstrap_mean([0.5] * 7) == (0.5, 0.5, 0.5)
    assert bootstrap_mean([0.5] * 7).bounds() == "none"
    assert bootstrap_difference([3.0, 3.0], [1.0, 1.0]).bounds() == "none"


@pytest.mark.parametrize(
    ("count", "high"),
    # Clopper and Pearson's upper bounds of 0 of n at 97.5 %: q with (1 - q) ** n = 0.025.
    [(4, 0.6024), (40, 0.0881), (400, 0.0092)],
)
def test_the_interval_of_equal_rates_is_exact_and_narrows_with_their_number(count: int, high: float) -> None:
    assert (1 - high) ** count == pytest.approx(0.025, rel=0.01)
    assert bootstrap_mean([0.0] * count, within=(0, 1)) == pytest.approx((0, 0, high), abs=5e-5)
    assert bootstrap_mean([1.0] * count, within=(0, 1)) == pytest.approx((1, 1 - high, 1), abs=5e-5)
    assert bootstrap_mean([0.5] * count, within=(0, 1)) == pytest.approx(
        (0.5, 0.5 - high / 2, 0.5 + high / 2), abs=5e-5
    )
    same = {"problems": {str(i): {"n": 1, "correct": 0} for i in range(count)}}
    assert paired_difference(same, dict(same)) == pytest.approx((0, -high, high), abs=5e-5)
    assert paired_difference(same, same) == (0, 0, 0)  # less itself


def test_a_paired_difference_is_taken_by_name_and_not_by_place() -> None:
    one = {"problems": {"a": {"n": 2, "correct": 2}, "b": {"n": 2, "correct": 0}}}
    other = {"problems": {"b": {"n": 4, "correct": 0}, "a": {"n": 4, "correct": 4}}}
    assert paired_difference(one, other).mean == 0
    assert paired_difference(one, other).low > -1
    with pytest.raises(ValueError, match="same problems"):
        paired_difference(one, {"problems": {"a": {"n": 1, "correct": 1}}})


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    # 2 * (1) / 2**5; 2 * (1 + 9) / 2**9; all of 2**4 outcomes lie as far from the middle as the middle; nothing to tell.
    [(5, 0, 0.0625), (0, 5, 0.0625), (8, 1, 20 / 512), (2, 2, 1.0), (0, 0, 1.0)],
)
def test_the_sign_test_is_exact(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == p


def test_holm_multiplies_the_smallest_by_all_and_the_largest_by_one() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_an_interval_is_told_in_per_cent_or_as_none() -> None:
    assert Interval(0.5, 0.25, 0.75).bounds() == "25.0 - 75.0"
    assert Interval(0.0, -0.1, 0.1).bounds(sign="+", to=" to ") == "-10.0 to +10.0"
    assert Interval(0.5, float("nan"), float("nan")).bounds() == "none"


def test_one_value_has_no_interval() -> None:
    assert bootstrap_mean([0.4])[0] == 0.4
    assert all(map(math.isnan, bootstrap_mean([0.4])[1:]))
    assert all(map(math.isnan, bootstrap_mean([])))


def test_the_interval_of_two_values_spans_both() -> None:
    # Of the four resamples of (0, 1) one has mean 0 and one mean 1: both percentiles lie among those.
    assert bootstrap_mean([0.0, 1.0]) == (0.5, 0.0, 1.0)


def test_the_interval_matches_the_normal_one_of_many_values() -> None:
    # 400 values, a quarter of them 1: standard error sqrt(0.25 * 0.75 / 400) = 0.02165.
    mean, low, high = bootstrap_mean([1.0] * 100 + [0.0] * 300)
    assert mean == 0.25
    assert low == pytest.approx(0.25 - 1.96 * 0.02165, abs=0.004)
    assert high == pytest.approx(0.25 + 1.96 * 0.02165, abs=0.004)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    intervals = [bootstrap_mean(random.random(40).tolist(), resamples=400) for _ in range(300)]
    share = np.mean([low <= 0.5 <= high for _, low, high in intervals])
    assert 0.90 <= share <= 0.98  # percentile intervals of 40 values fall a little short of 95 %


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    values = list(np.random.default_rng(0).random(25))
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_the_difference_is_last_less_first() -> None:
    assert bootstrap_difference([3.0, 3.0], [1.0, 1.0]) == (2.0, 2.0, 2.0)
    mean, low, high = bootstrap_difference([0.0, 1.0], [0.0, 1.0])
    assert (mean, low, high) == (0.0, -1.0, 1.0)


def test_what_cannot_be_told_is_nan() -> None:
    assert all(math.isnan(value) for value in bootstrap_mean([]))
    assert all(math.isnan(value) for value in bootstrap_difference([1.0, 2.0], [1.0]))
    assert all(math.isnan(value) for value in bootstrap_difference([], []))
