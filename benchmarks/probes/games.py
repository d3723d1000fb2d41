"""The probe games: teams of letters, each of which asks one thing of an algorithm.

They are played in ``codeduet/humaneval-v0`` itself, with its roles, views and turns; programs are single letters, and what
judges them is a rule. The best return of each is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from codeduet.envs import Executor, Outcome, Problem, Program, raw_env
from codeduet.envs.roles import AT_ONCE, DUET, SINGLE, Role, Roles

LETTERS = "ABCD"
_SCALE = 100
"""Tests of a program: a score is a share of them."""

Rule = Callable[[str, dict[str, str]], float]
"""(key of the problem, agent -> letter) -> score from 0 to 1."""


@dataclass(frozen=True)
class Probe:
    """A game.

    Attributes:
        name: of it.
        asks: what it asks of an algorithm, in a few words.
        roles: who plays.
        problems: what they are shown.
        rule: what a program is worth.
        turns: of an episode.
        right: what a program is worth where it is told whether a game is solved, if that is not what is paid.
        frozen: agents that play at random and do not learn.
        alone: who plays where one agent is trained; empty where the game needs several.
        stake: what one agent's letter is worth of what is paid.
        steps: batches within which it is to be solved.
        solved: mean return from which on it is.
    """

    name: str
    asks: str
    roles: Roles
    problems: tuple[Problem, ...]
    rule: Rule
    turns: int = 1
    right: Rule | None = None
    frozen: tuple[str, ...] = ()
    alone: Roles = ()
    stake: float = 1.0
    steps: int = 120
    solved: float = 0.9

    def score(self, program: Program) -> float:
        """Return what a program is worth where it is told whether a game is solved."""
        return (self.right or self.rule)(program.problem.canonical_solution, dict(program.parts))

    def envs(self, roles: Roles, count: int, *, shuffled: bool = False) -> list[raw_env]:
        """Make environments of it.

        Args:
            roles: who plays.
            count: how many.
            shuffled: pay a program what another one earned, as a control.
        """
        judge = Oracle(self.rule, shuffled=shuffled)
        return [
            raw_env(self.problems, roles=roles, max_turns=self.turns, reward="fraction", executor=judge, extract=False)
            for _ in range(count)
        ]


class Oracle(Executor):
    """Judges letters by a rule; nothing is run.

    Args:
        rule: what a program is worth.
        shuffled: give each program the score of one of those before it.
    """

    def __init__(self, rule: Rule, *, shuffled: bool = False) -> None:
        self._rule = rule
        self._shuffled = shuffled
        self._random = np.random.default_rng(0)
        self._earned = [0.0]

    def submit(self, program: Program) -> Future[Outcome]:
        """Return the verdict at once."""
        score = self._rule(program.problem.canonical_solution, dict(program.parts))
        if self._shuffled:
            self._earned = [*self._earned[-255:], score]
            score = self._earned[int(self._random.integers(len(self._earned)))]
        passed = round(score * _SCALE)
        tests = (True,) * passed + (False,) * (_SCALE - passed)
        done: Future[Outcome] = Future()
        done.set_result(Outcome(True, True, passed, _SCALE, tests, defines={part.agent: () for part in program.parts}))
        return done

    def close(self, wait: bool = True) -> None:
        """Do nothing: there are no workers."""


def _problem(name: str, key: str, shown: str, **views: str) -> Problem:
    tests = "def check(candidate):\n    assert candidate() is None\n"
    return Problem(f"{name}/{key}", shown, "letter", key, tests, views=views)


def _hit(letter: str, wanted: str) -> float:
    return float(letter == wanted)


def _constant(key: str, letters: dict[str, str]) -> float:
    wanted = {"helper_0": "B", "main_0": "C"}
    return sum(_hit(letter, wanted[agent]) for agent, letter in letters.items()) / len(letters)


def _conditional(key: str, letters: dict[str, str]) -> float:
    return sum(_hit(letter, key) for letter in letters.values()) / len(letters)


def _key(key: str, letters: dict[str, str]) -> float:
    return _hit(letters["main_0"], key)


def _blame(key: str, letters: dict[str, str]) -> float:
    return 0.8 * (letters["helper_0"] in _LUCKY) + 0.2 * _hit(letters["main_0"], key)


def _chain(key: str, letters: dict[str, str]) -> float:
    return sum(_hit(letter, key) for letter in letters.values()) / len(letters)


_KEYS = LETTERS[:2]
_LUCKY = frozenset("ABCD?")

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        Probe(
            "constant", "always the same letter", AT_ONCE, (_problem("constant", "A", "?"),), _constant, alone=SINGLE, stake=0.5
        ),
        Probe(
            "conditional", "the letter that is shown", AT_ONCE,
            tuple(_problem("conditional", key, key) for key in LETTERS), _conditional, alone=SINGLE, stake=0.5,
        ),
        Probe(
            "key", "helper sees the key and main does not: a language for it", DUET,
            tuple(_problem("key", key, key, main="?") for key in _KEYS), _key, steps=240,
        ),
        Probe(
            "blame", "helper plays at random and spoils most of what is paid; main is not to blame", DUET,
            tuple(_problem("blame", key, key, helper="?") for key in LETTERS), _blame, right=_key, frozen=("helper_0",),
            stake=0.2, steps=480,
        ),
        Probe(
            "repair", "the other letter, once the first was wrong", DUET,
            tuple(_problem("repair", key, "?") for key in _KEYS), _key, turns=2, alone=SINGLE, steps=240,
        ),
        Probe(
            "chain", "the key through three hands, of which the last two are paid for it", (
                Role("planner", writes="text"), Role("helper", reads=("planner",)), Role("main", reads=("helper",))
            ),
            tuple(_problem("chain", key, key, helper="?", main="?") for key in _KEYS), _chain, right=_key, stake=0.5, steps=480,
        ),
    )
}  # fmt: skip
