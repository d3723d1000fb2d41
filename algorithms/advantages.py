"""Returns and group-relative advantages: pure functions in float64.

Notation: G episodes in a group, H actions of one agent in an episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Scale = Literal["none", "std"]

_SAME = 1e-6
"""Returns that differ by less are equal. Rewards come in tenths, so the smallest real difference is 0.1 / tests."""


def returns_to_go(rewards: Sequence[float], discount: float = 1.0) -> list[float]:
    """Return ``R_t = sum over s >= t of discount^(s - t) r_s`` for one agent's rewards ``[H]``."""
    future = 0.0
    backwards = []
    for reward in reversed(rewards):
        future = reward + discount * future
        backwards.append(future)
    return backwards[::-1]


def group_advantages(returns: Sequence[float] | np.ndarray, *, scale: Scale = "none") -> list[float]:
    """Return ``A_i = R_i - mean(R)`` over a group ``[G]``, divided by its standard deviation if ``scale="std"``.

    MAGRPO of the paper does not divide. Equal returns give exactly 0, however they were summed.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.size == 0 or np.ptp(values) < _SAME:
        return [0.0] * len(returns)
    centred = values - values.mean()
    if scale == "std":
        centred = centred / values.std()
    return [float(value) for value in centred]
