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

A function of one's own, also named ``module:function``, gets the outcome, and by their names what else it asks for (see
:class:`Payment`). It returns one number for the team, or one per agent. A sum is a mapping of such rewards to weights.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from codeduet.envs.execution import Outcome, Program
from codeduet.errors import InputError, nearest
from codeduet.named import load_named

RewardFn = Callable[..., Any]
"""Outcome of one judged program, and what it asks for -> the turn's reward: one number, or a mapping agent -> number."""

Reward = str | RewardFn | Mapping[Any, float]
"""A scheme's name, a function, ``"module:function"``, or a weighted sum of such: reward -> weight."""

ASKED = ("outcome", "problem", "parts", "turn")
"""What a reward may ask for, by name: the verdict, the problem, the program's (agent, code) parts, the turn from 0."""


def grpo(outcome: Outcome) -> float:
    """0.5 if runnable, and 0.1 for each of at most five passed tests."""
    return (5 * outcome.runnable + min(outcome.passed, 5)) / 10


def magrpo(outcome: Outcome) -> float:
    """0.2 if every part parses, 0.3 if the joined program runs, 0.1 for each passed test (no cap)."""
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

    Main is whose code is loaded last, helper everybody before.
    """
    *helpers, main = outcome.defines or ("",)
    tenths = 4 * any(outcome.defines[helper] for helper in helpers) + 6 * outcome.defines_target
    if tenths < 10 or not outcome.syntax_ok:
        return tenths / 10
    tenths += 5
    if not outcome.passed:
        return tenths / 10
    if any(caller == main for caller, _ in outcome.calls):
        tenths += 5 + 10 * (not outcome.thin) - 5 * outcome.ignored
    return (tenths * outcome.total + 10 * outcome.passed) / (10 * outcome.total)


REWARDS: dict[str, RewardFn] = {
    "grpo": grpo,
    "magrpo": magrpo,
    "pass": all_pass,
    "fraction": fraction,
    "collaboration": collaboration,
}


def get_reward(scheme: str | RewardFn) -> RewardFn:
    """Return the scheme of that name, the function that ``module:function`` names, or a user's own as it is.

    Raises:
        InputError: there is none of that name.
    """
    if callable(scheme):
        return scheme
    if not isinstance(scheme, str):
        raise InputError(f"a reward is a name, a function or a mapping of such to weights, not {scheme!r}")
    if scheme in REWARDS:
        return REWARDS[scheme]
    if ":" not in scheme:
        raise InputError(f"unknown reward {scheme!r}: choose {', '.join(REWARDS)}{nearest(scheme, REWARDS)}")
    made: RewardFn = load_named(scheme, "reward")
    if not callable(made):
        raise InputError(f"reward {scheme!r} is no function")
    return made


class Paid(NamedTuple):
    """What a turn earns.

    Attributes:
        scores: agent -> the sum of all terms.
        terms: term -> agent -> what it alone pays, before its weight.
    """

    scores: dict[str, float]
    terms: dict[str, dict[str, float]]

    @property
    def mean(self) -> float:
        """What an agent is paid, on average."""
        scores = list(self.scores.values())
        return scores[0] if len(set(scores)) == 1 else math.fsum(scores) / len(scores)


class _Term(NamedTuple):
    name: str
    function: RewardFn
    weight: float
    asks: tuple[str, ...]
    by_place: bool


class Payment:
    """What the agents of a team are paid for a turn.

    A function's first parameter gets the outcome, unless it has one of the names :data:`ASKED`; every other has such a
    name, or a default.

    Args:
        reward: one reward, which is paid as it is, or a mapping of rewards to weights.
        agents: who is paid.

    Attributes:
        terms: names of the rewards that are added up.

    Raises:
        InputError: there is no such reward, a weight is no finite number, or a function asks for something else.
    """

    def __init__(self, reward: Reward, agents: Sequence[str]) -> None:
        self.agents = tuple(agents)
        weighed = reward if isinstance(reward, Mapping) else {reward: 1.0}
        if not weighed:
            raise InputError("reward is an empty sum")
        self._terms = [_term(scheme, weight) for scheme, weight in weighed.items()]
        self.terms = tuple(term.name for term in self._terms)
        if len(set(self.terms)) < len(self.terms):
            raise InputError(f"rewards of one name: {', '.join(self.terms)}")

    def pay(self, outcome: Outcome, program: Program, turn: int = 0) -> Paid:
        """Return what a program earns.

        Args:
            outcome: its verdict.
            program: what was judged, with the problem that it answers.
            turn: of its episode, from 0.

        Raises:
            InputError: a reward is neither a finite number nor one for each agent.
        """
        known = {"outcome": outcome, "problem": program.problem, "parts": program.parts, "turn": turn}
        terms = {}
        for term in self._terms:
            asked = {name: known[name] for name in term.asks}
            score = term.function(outcome, **asked) if term.by_place else term.function(**asked)
            terms[term.name] = self._each(term, score, outcome)
        if len(self._terms) == 1 and self._terms[0].weight == 1:
            return Paid(terms[self.terms[0]], terms)
        scores = {
            agent: math.fsum(term.weight * terms[term.name][agent] for term in self._terms) for agent in self.agents
        }
        return Paid(scores, terms)

    def _each(self, term: _Term, score: Any, outcome: Outcome) -> dict[str, float]:
        if isinstance(score, Mapping):
            if score.keys() != set(self.agents):
                raise InputError(
                    f"reward {term.name!r} pays {', '.join(map(str, score))}: it must return one number, or one for each of "
                    f"{', '.join(self.agents)}"
                )
            return {agent: _finite(term, score[agent], outcome) for agent in self.agents}
        return dict.fromkeys(self.agents, _finite(term, score, outcome))


def _finite(term: _Term, score: Any, outcome: Outcome) -> float:
    try:
        number = float(score)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"reward {term.name!r} pays {score!r} for a program that passes {outcome.passed} of {outcome.total} tests: it "
            "must return a finite number"
        )
    return number


def _term(scheme: str | RewardFn, weight: Any) -> _Term:
    function = get_reward(scheme)
    name = scheme if isinstance(scheme, str) else getattr(scheme, "__name__", repr(scheme))
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise InputError(f"the weight of reward {name!r} must be a finite number, not {weight!r}")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of what is written in C nothing is known
        parameters = []
    by_place = not parameters or (
        parameters[0].name not in ASKED
        and parameters[0].kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    )
    others = parameters[1:] if by_place else parameters
    for other in others:
        plain = other.default is inspect.Parameter.empty and other.kind not in (
            inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        )  # fmt: skip
        if plain and other.name not in ASKED:
            raise InputError(f"reward {name!r} asks for {other.name!r}: it may ask for {', '.join(ASKED)}")
    asks = tuple(other.name for other in others if other.name in ASKED)
    if any(other.kind is inspect.Parameter.VAR_KEYWORD for other in others):
        asks = tuple(dict.fromkeys((*asks, *ASKED[by_place:])))
    return _Term(name, function, float(weight), asks, by_place)
