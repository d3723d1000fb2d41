"""pass@k and its uncertainty: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from codeduet.agents import derive_seed
from codeduet.envs import InputError

_EQUAL = 1e-12
"""Values closer than this are equal but for rounding."""


class Interval(NamedTuple):
    """A mean with its 95 % interval; ``low`` and ``high`` are NaN where it cannot be told."""

    mean: float
    low: float
    high: float

    def bounds(self, *, scale: float = 100, digits: int = 1, sign: str = "", to: str = " - ") -> str:
        """Return the interval for people: ``low - high``, or ``none`` where it is none or has no width."""
        if not self.low < self.high:
            return "none"
        return f"{self.low * scale:{sign}.{digits}f}{to}{self.high * scale:{sign}.{digits}f}"


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the unbiased estimate of pass@k from ``c`` correct among ``n`` samples of one problem.

    ``1 - C(n - c, k) / C(n, k)``, as a product that does not overflow (Chen et al. 2021, arXiv 2107.03374, section 2.1).

    Raises:
        InputError: k exceeds n, for which there is no unbiased estimate.
    """
    if not 1 <= k <= n:
        raise InputError(f"pass@{k} cannot be estimated from {n} samples a problem: choose k <= n, or more samples")
    if not 0 <= c <= n:
        raise ValueError(f"{c} correct of {n} samples")
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def bootstrap_mean(
    values: Sequence[float],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    within: tuple[float, float] | None = None,
) -> Interval:
    """Return the mean of ``values`` with its 95 % percentile-bootstrap interval; one value alone has none (NaN).

    Values that are all equal have resamples that are too: their interval has no width, and is told as none; 0 of 4 and 0 of
    400 would be equally certain. Where it is known what values there can be, they have an exact one.

    Args:
        values: `[N]`, one a problem.
        seed: of the resampling.
        resamples: how many.
        within: the least and the greatest value there can be.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:
        return Interval(float(data.mean()) if data.size else float("nan"), float("nan"), float("nan"))
    if within is not None and np.ptp(data) < _EQUAL:
        return Interval(float(data.mean()), *_around_equal(float(data.mean()), data.size, within))
    means = _resampled_means(data, np.random.default_rng(derive_seed(seed, "bootstrap")), resamples)
    return Interval(float(data.mean()), *_percentiles(means))


def bootstrap_difference(
    after: Sequence[float], before: Sequence[float], *, seed: int = 0, resamples: int = 10_000
) -> Interval:
    """Return ``mean(after) - mean(before)`` of two independent samples with its 95 % bootstrap interval."""
    first, last = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if min(first.size, last.size) < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    random = np.random.default_rng(derive_seed(seed, "bootstrap"))
    gaps = _resampled_means(last, random, resamples) - _resampled_means(first, random, resamples)
    return Interval(float(last.mean() - first.mean()), *_percentiles(gaps))


def paired_difference(a: Mapping[str, Any], b: Mapping[str, Any], k: int = 1, seed: int = 0) -> Interval:
    """Return pass@k of one result less that of another, problem by problem, with its 95 % bootstrap interval.

    Args:
        a: a benchmark's results: ``problems`` holds n and the correct of each.
        b: another's, on the same problems.
        k: of pass@k.
        seed: of the resampling.

    Raises:
        ValueError: their problems are not the same.
    """
    if a is b:  # nothing is estimated
        return Interval(0.0, 0.0, 0.0)
    if a["problems"].keys() != b["problems"].keys():
        raise ValueError("paired results need the same problems")
    rates = [
        [pass_at_k(result["problems"][task]["n"], result["problems"][task]["correct"], k) for task in a["problems"]]
        for result in (a, b)
    ]
    return bootstrap_mean([x - y for x, y in zip(*rates, strict=True)], seed=seed, within=(-1.0, 1.0))


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p of so many wins and losses, were both as likely; ties count for neither."""
    trials = wins + losses
    tail = sum(math.comb(trials, count) for count in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / (1 << trials))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values of several tests, adjusted by Holm's method: reject those below 0.05, and one in 20 families errs."""
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _around_equal(value: float, count: int, within: tuple[float, float]) -> tuple[float, float]:
    """Return the exact 95 % interval of a mean, ``count`` values of which all are ``value``."""
    # Clopper and Pearson: of all there are no more than this share differs, or some of these would have.
    share = 1.0 - 0.025 ** (1.0 / count)
    return value - share * (value - within[0]), value + share * (within[1] - value)


def _resampled_means(data: np.ndarray, random: np.random.Generator, resamples: int) -> np.ndarray:
    return np.asarray(data[random.integers(data.size, size=(resamples, data.size))].mean(1))


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
