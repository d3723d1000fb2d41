"""pass@k and its uncertainty: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from codeduet.agents import derive_seed
from codeduet.envs import InputError


class Interval(NamedTuple):
    """A mean with its 95 % interval; ``low`` and ``high`` are NaN where it cannot be told."""

    mean: float
    low: float
    high: float


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


def bootstrap_mean(values: Sequence[float], *, seed: int = 0, resamples: int = 10_000) -> Interval:
    """Return the mean of ``values`` with its 95 % percentile-bootstrap interval; one value alone has none (NaN)."""
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:
        return Interval(float(data.mean()) if data.size else float("nan"), float("nan"), float("nan"))
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
    """
    of_results = [[pass_at_k(p["n"], p["correct"], k) for p in result["problems"].values()] for result in (a, b)]
    return bootstrap_mean([x - y for x, y in zip(*of_results, strict=True)], seed=seed)


def _resampled_means(data: np.ndarray, random: np.random.Generator, resamples: int) -> np.ndarray:
    return np.asarray(data[random.integers(data.size, size=(resamples, data.size))].mean(1))


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
