"""Learning-rate schedules: how far a run has come -> the share of ``optim.lr`` its next step takes."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def lr_factor(
    schedule: Schedule,
    step: int,
    steps: int,
    *,
    warmup_steps: int = 0,
    tokens: int = 0,
    token_budget: int = 0,
) -> float:
    """Return the factor of the learning rate, in [0, 1].

    It rises linearly over the warm-up, whose last step has the whole rate; from there it stays, or falls to 0 at the end
    of the run along a line or half a cosine. The end is that of the steps or of the token budget, whichever is nearer in
    its own measure.

    Args:
        schedule: what follows the warm-up.
        step: steps taken before this one.
        steps: of the run, at most.
        warmup_steps: steps of the warm-up, fewer than ``steps``.
        tokens: generated in the steps before this one.
        token_budget: of the run; 0 is none.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    gone = (step - warmup_steps) / (steps - warmup_steps)
    if token_budget and step:
        warming = tokens * warmup_steps / step  # what the warm-up took, had all steps taken alike
        gone = max(gone, (tokens - warming) / max(token_budget - warming, 1.0))
    gone = min(gone, 1.0)
    return 1.0 - gone if schedule == "linear" else (1.0 + math.cos(math.pi * gone)) / 2
