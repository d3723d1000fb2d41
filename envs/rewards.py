"""Named reward schemes: pure functions from one ``Outcome`` to what the team is paid for a turn.

Sums are taken in whole tenths and divided once. Adding 0.1 in floating point makes "equal" rewards differ by 1e-17,
and an algorithm that divides by a group's standard deviation then explodes.

========================  =============================================================================  =========
scheme                    pays                                                                           most
========================  =============================================================================  =========
``grpo``                  0.5 if runnable, 0.1 for each passed test, at most 5 of them                   1.0
``magrpo``                0.2 if syntactically valid, 0.3 if runnable, 0.1 for each passed test          0.5 + 0.1 n
``pass``                  1 if every test passed                                                         1
``fraction``              share of tests passed                                                          1
``collaboration``         the four levels of Liu et al. (arXiv 2508.04652)                               4.0
========================  =============================================================================  =========

In 42 of HumanEval's problems fewer than five asserts look at the candidate, so ``grpo`` cannot reach 1.0 there; the
paper's scheme is kept as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from codeduet.envs.execution import Outcome
from codeduet.errors import InputError, nearest

RewardFn = Callable[[Outcome], float]
"""Outcome of one judged program -> the reward of the turn, the same for every agent of the team."""


def grpo(outcome: Outcome) -> float:
    """0.5 if runnable, and 0.1 for each of at most five passed tests."""
    return (5 * outcome.runnable + min(outcome.passed, 5)) / 10


def magrpo(outcome: Outcome) -> float:
    """0.2 if both parts parse, 0.3 if the joined program runs, 0.1 for each passed test (no cap)."""
    return (2 * outcome.syntax_ok + 3 * outcome.runnable + outcome.passed) / 10


def all_pass(outcome: Outcome) -> float:
    """1 if the program passed every test, else 0."""
    return float(outcome.solved)


def fraction(outcome: Outcome) -> float:
    """The share of tests passed, 0 to 1."""
    return outcome.passed / outcome.total if outcome.total else 0.0


def collaboration(outcome: Outcome) -> float:
    """The reward of Liu et al. (arXiv 2508.04652), at most 4.0, in four levels.

    Structure: 0.4 if helper defines a function, 0.6 if main defines the entry point (both needed to go on).
    Syntax: 0.5 if the joined program is syntactically valid (needed to go on).
    Tests: the share of tests passed (some needed to go on).
    Cooperation: 0.5 if main calls a function of helper's, 1.0 more if main is no thin wrapper around it; 0.5 less if
    it calls and ignores the result.
    """
    shape = outcome.structure
    tenths = 4 * bool(shape.helper_functions) + 6 * shape.defines_entry_point
    if tenths < 10 or not outcome.syntax_ok:
        return tenths / 10
    tenths += 5
    if not outcome.passed:
        return tenths / 10
    if shape.calls_helper:
        tenths += 5 + 10 * (not shape.thin_wrapper) - 5 * shape.ignores_result
    return (tenths * outcome.total + 10 * outcome.passed) / (10 * outcome.total)


REWARDS: dict[str, RewardFn] = {
    "grpo": grpo,
    "magrpo": magrpo,
    "pass": all_pass,
    "fraction": fraction,
    "collaboration": collaboration,
}


def paid(reward: RewardFn, outcome: Outcome) -> float:
    """Return what ``reward`` pays for a program.

    Raises:
        InputError: that is no finite number.
    """
    score: Any = reward(outcome)
    try:
        number = float(score)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"reward {getattr(reward, '__name__', reward)!r} pays {score!r} for a program that passes {outcome.passed} of "
            f"{outcome.total} tests: it must return a finite number"
        )
    return number


def get_reward(scheme: str | RewardFn) -> RewardFn:
    """Return the scheme of that name, or a user's own function as it is.

    Raises:
        InputError: no scheme has that name.
    """
    if callable(scheme):
        return scheme
    if scheme not in REWARDS:
        raise InputError(f"unknown reward {scheme!r}: choose {', '.join(REWARDS)}{nearest(scheme, REWARDS)}")
    return REWARDS[scheme]
