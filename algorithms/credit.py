"""Credit: pure functions of groups that say what each step was worth, in float64.

One formula is most of it. With V(step) the mean return-to-go over the episodes that hold the step,

    A(step) = V(step) - mean of V over its siblings,

siblings being the steps of the same agent and turn that the tree branched into at the same place. With no tree that is
joint credit; with a tree over agents nested credit; over turns the tree of Liu et al. (arXiv 2508.04652); with a cross
table an agent's answers against all of the others'.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from codeduet.agents.steps import Group, Key, Step

Scale = Literal["none", "std"]

_SAME = 1e-6
"""Returns that differ by less are equal. Rewards come in tenths, so the smallest real difference is 0.1 / tests."""


def values(group: Group, discount: float = 1.0) -> dict[Step, float]:
    """Return V of each step of a group: the mean return-to-go over the episodes that hold it."""
    returns: dict[Step, list[float]] = defaultdict(list)
    for trajectory in group.trajectories:
        for step, value in zip(trajectory.steps, trajectory.returns(discount), strict=True):
            returns[step].append(value)
    return {step: float(np.mean(of_step)) for step, of_step in returns.items()}


def siblings_of(steps: Iterable[Step]) -> dict[Key, list[Step]]:
    """Return steps with those that they are compared with: what they have in common -> the steps."""
    peers: dict[Key, list[Step]] = defaultdict(list)
    for step in steps:
        peers[step.siblings].append(step)
    return peers


def siblings(
    group: Group, *, discount: float = 1.0, scale: Scale = "none", leave_one_out: bool = False
) -> dict[Step, float]:
    """Return ``A(step) = V(step) - mean of V over its siblings`` for each step of a group.

    Args:
        group: what was played.
        discount: of later turns' rewards.
        scale: ``std`` divides by the siblings' standard deviation.
        leave_one_out: leave a step out of its own baseline, which multiplies by n / (n - 1).
    """
    worth = values(group, discount)
    credited: dict[Step, float] = {}
    for members in siblings_of(worth).values():
        advantages = group_advantages([worth[step] for step in members], scale=scale, leave_one_out=leave_one_out)
        credited |= dict(zip(members, advantages, strict=True))
    return {step: credited[step] for step in worth}


def group_advantages(
    returns: Sequence[float] | np.ndarray, *, scale: Scale = "none", leave_one_out: bool = False
) -> list[float]:
    """Return ``A_i = R_i - mean(R)`` over a group ``[G]``, divided by its standard deviation if ``scale="std"``.

    MAGRPO of the paper does not divide. Equal returns give exactly 0, however they were summed. Left out of its own
    baseline, each is ``G / (G - 1)`` times that (Kool et al. 2019).
    """
    found = np.asarray(returns, dtype=np.float64)
    if found.size == 0 or np.ptp(found) < _SAME:
        return [0.0] * len(returns)
    centred = found - found.mean()
    if scale == "std":
        centred = centred / found.std()
    if leave_one_out:
        centred = centred * (found.size / (found.size - 1))
    return [float(value) for value in centred]


def punished(group: Group, longest: int, cushion: int) -> Group:
    """Return a group whose steps are paid less for long answers, as DAPO does (arXiv 2503.14476, equation 13).

    Nothing less up to ``longest - cushion`` tokens, from there in a line to 1 less at ``longest``.
    """

    def lost(step: Step) -> float:
        return min(max(len(step.completion.token_ids) - (longest - cushion), 0) / cushion, 1.0)

    return Group(
        group.task_id,
        [
            replace(t, rewards=[r - lost(step) for step, r in zip(t.steps, t.rewards, strict=True)])
            for t in group.trajectories
        ],
    )


def is_dead(group: Group, discount: float = 1.0) -> bool:
    """Tell whether nobody learns from a group: no step is worth more or less than its siblings."""
    return not any(siblings(group, discount=discount).values())
