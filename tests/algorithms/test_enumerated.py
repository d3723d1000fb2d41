"""Each rule's expected update, enumerated over every group there can be, is what its formula says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from codeduet.agents.steps import Group, Step
from codeduet.agents.tree import Tree
from codeduet.algorithms import MAGRPO, REINFORCE, RLOO, Algorithm
from codeduet.algorithms.actor_critic import IPPO, MAPPO
from codeduet.algorithms.losses import k1, k2, k3
from codeduet.algorithms.reinforce import C3
from tests.tables import Game

ONE = Game(actions=3)
TWO = Game(turns=2)
AT_ONCE = Game(actions=3, blind=True)
GAMES = {"one turn": ONE, "two turns": TWO, "at once": AT_ONCE}


def stated(game: Game, tree: Tree, agent: str, factor: Callable[[int], float], discount: float = 1.0) -> torch.Tensor:
    """Return the sum over turns of the policy gradient, each weighed by its share of samples and by ``factor`` of siblings."""
    place = game.agents.index(agent)
    counts, siblings = [], []
    for turn in range(game.turns):
        places = {tree.coordinates(place, turn, path) for path in tree.paths}
        counts.append(len(places))
        siblings.append(len(places) // len({coordinates[:-1] for coordinates in places}))
    parts = [
        count / sum(counts) * factor(width) * game.exact(agent, turn, discount)
        for turn, (count, width) in enumerate(zip(counts, siblings, strict=True))
    ]
    return torch.stack(parts).sum(0)


def less_one(width: int) -> float:
    return (width - 1) / width


def whole(width: int) -> float:
    return 1.0


RULES: dict[str, tuple[Algorithm, str, Tree, Callable[[int], float], float]] = {
    "magrpo": (MAGRPO(), "one turn", Tree((3,)), less_one, 1.0),
    "magrpo, two turns": (MAGRPO(discount=0.7), "two turns", Tree((2,)), less_one, 0.7),
    "rloo": (RLOO(), "one turn", Tree((3,)), whole, 1.0),
    "rloo, two turns": (RLOO(discount=0.7), "two turns", Tree((2,)), whole, 0.7),
    "reinforce": (REINFORCE(), "one turn", Tree((1,)), whole, 1.0),
    "reinforce, two turns": (REINFORCE(discount=0.7), "two turns", Tree((1,)), whole, 0.7),
    "reinforce, batch": (REINFORCE(baseline="batch"), "one turn", Tree((3,)), less_one, 1.0),
    "reinforce, batch, two turns": (REINFORCE(baseline="batch"), "two turns", Tree((2,)), less_one, 1.0),
    "nested": (MAGRPO(credit="nested", mains=2), "one turn", Tree((2, 2), "agents"), less_one, 1.0),
    "nested, wider": (MAGRPO(credit="nested", mains=3), "one turn", Tree((2, 3), "agents"), less_one, 1.0),
    "c3": (C3(mains=2), "one turn", Tree((2, 2), "agents"), whole, 1.0),
    "turns": (MAGRPO(credit="turns", widths=[2, 2], discount=0.7), "two turns", Tree((2, 2), "turns"), less_one, 0.7),
    "turns, left out": (
        MAGRPO(credit="turns", widths=[2, 2], leave_one_out=True), "two turns", Tree((2, 2), "turns"), whole, 1.0
    ),
    "cross": (MAGRPO(credit="cross", widths=[3, 2]), "at once", Tree((3, 2), "cross", 2), less_one, 1.0),
    "cross, left out": (
        MAGRPO(credit="cross", widths=[3, 2], leave_one_out=True), "at once", Tree((3, 2), "cross", 2), whole, 1.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("agent", ["helper_0", "main_0"])
@pytest.mark.parametrize("rule", RULES)
def test_the_expected_update_is_the_share_of_the_policy_gradient_that_is_stated(rule: str, agent: str) -> None:
    algorithm, name, tree, factor, discount = RULES[rule]
    game = GAMES[name]
    exact = stated(game, tree, agent, factor, discount)
    assert exact.abs().max() > 1e-3
    assert (game.expected_update(algorithm, tree, agent) - exact).abs().max() < 1e-9


ENDING = Game(turns=2, ends=frozenset({(0, 0), (1, 1)}))
"""An episode is over behind two of the four courses of its first turn."""


def of_those_that_play_on(group_size: int) -> tuple[float, float]:
    """Return, of an episode that goes on, the probability that another does, and the mean of (n - 1) / n of the n that do."""
    firsts = {line[:2] for line in ENDING.lines}
    odds = {first: sum(ENDING.probability(line) for line in ENDING.lines if line[:2] == first) for first in firsts}
    any_other, less = 0.0, 0.0
    for others in itertools.product(firsts, repeat=group_size - 1):
        n = 1 + sum(first not in ENDING.ends for first in others)
        any_other += float(np.prod([odds[first] for first in others])) * (n > 1)
        less += float(np.prod([odds[first] for first in others])) * less_one(n)
    return any_other, less


@pytest.mark.parametrize("agent", ["helper_0", "main_0"])
@pytest.mark.parametrize(
    ("algorithm", "first", "place"),
    [(RLOO(), 1.0, 0), (MAGRPO(), 2 / 3, 1), (REINFORCE(baseline="batch"), 2 / 3, 1), (REINFORCE(), 1.0, None)],
    ids=["rloo", "magrpo", "reinforce, batch", "reinforce"],
)
def test_where_episodes_end_early_a_later_turn_has_the_siblings_that_still_play(
    algorithm: Algorithm, first: float, place: int | None, agent: str
) -> None:
    """Compared is the sum over an agent's samples divided by the group's three episodes, not by the samples, whose number varies."""
    later = 1.0 if place is None else of_those_that_play_on(3)[place]
    parts = [ENDING.exact(agent, 0), ENDING.exact(agent, 1)]
    assert min(part.abs().max() for part in parts) > 1e-3
    found = ENDING.expected_update(algorithm, Tree((3,)), agent, sequences=3)
    assert (found - (first * parts[0] + later * parts[1])).abs().max() < 1e-9
    if place is not None:
        assert 0.05 < later < first - 0.05


def test_the_probabilities_of_all_groups_are_one() -> None:
    for game, tree in (
        (ONE, Tree((2, 2), "agents")),
        (TWO, Tree((2, 2), "turns")),
        (AT_ONCE, Tree((3, 2), "cross", 2)),
    ):
        assert sum(probability for probability, _ in game.groups(tree)) == pytest.approx(1, abs=1e-12)


def test_a_running_baseline_of_steps_before_leaves_the_update_as_it_is() -> None:
    class Begun(REINFORCE):
        """Has seen a step before; forgets each one that is enumerated."""

        def advantages(self, groups: Sequence[Group]) -> Any:
            self.averages = {"helper_0": (0.3, 0.5), "main_0": (0.9, 0.5)}
            return super().advantages(groups)

    for agent in ONE.agents:
        found = ONE.expected_update(Begun(baseline="running"), Tree((2,)), agent)
        assert (found - stated(ONE, Tree((2,)), agent, whole)).abs().max() < 1e-9


class Known:
    """A critic that knows a step's value from what was seen before it."""

    def __init__(self, value: Callable[[tuple[int, ...]], float]) -> None:
        self.value = value

    def features(self, steps: Sequence[Step]) -> torch.Tensor:
        return torch.arange(len(steps), dtype=torch.float64)[:, None] + self._keep(steps)

    def _keep(self, steps: Sequence[Step]) -> float:
        self.steps = list(steps)
        return 0.0

    def values(self, features: torch.Tensor) -> list[float]:
        return [self.value(step.state) for step in self.steps]


def with_critics(algorithm: IPPO, value: Callable[[tuple[int, ...]], float]) -> IPPO:
    names = ["critic"] if algorithm.CENTRAL else list(ONE.agents)
    algorithm.critics = {name: Known(value) for name in names}  # type: ignore[misc]
    return algorithm


def expected_return(game: Game, seen: tuple[int, ...], discount: float = 1.0) -> float:
    """Return what is to be paid from the turn on in which ``seen`` was seen, on average."""
    turn = len(seen) // len(game.agents)
    lines = [line for line in game.lines if line[: len(seen)] == seen]
    odds = np.array([game.probability(line) for line in lines])
    paid = np.array([sum(discount**k * r for k, r in enumerate(game.rewards(line)[turn:])) for line in lines])
    return float((odds * paid).sum() / odds.sum())


@pytest.mark.parametrize("kind", [IPPO, MAPPO])
@pytest.mark.parametrize("name", ["one turn", "two turns"])
def test_whatever_a_critic_says_the_update_is_the_gradient_where_lam_is_one(kind: type[IPPO], name: str) -> None:
    game = GAMES[name]
    algorithm = with_critics(kind(lam=1.0, discount=0.7), lambda seen: 0.3 + 0.2 * len(seen) + 0.1 * sum(seen))
    for agent in game.agents:
        found = game.expected_update(algorithm, Tree((1,)), agent)
        assert (found - stated(game, Tree((1,)), agent, whole, 0.7)).abs().max() < 1e-9


@pytest.mark.parametrize("name", ["one turn", "two turns"])
@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_with_less_lam_the_chain_of_all_agents_needs_a_critic_that_is_right(lam: float, name: str) -> None:
    game = GAMES[name]
    right = with_critics(MAPPO(lam=lam, discount=0.7), lambda seen: expected_return(game, seen, 0.7))
    wrong = with_critics(MAPPO(lam=lam, discount=0.7), lambda seen: 0.2 * sum(seen))
    for agent in game.agents:
        exact = stated(game, Tree((1,)), agent, whole, 0.7)
        assert (game.expected_update(right, Tree((1,)), agent) - exact).abs().max() < 1e-9
    helper = stated(game, Tree((1,)), "helper_0", whole, 0.7)
    assert (game.expected_update(wrong, Tree((1,)), "helper_0") - helper).abs().max() > 1e-3


def test_dividing_by_the_deviation_moves_the_update_as_a_second_enumeration_says() -> None:
    for agent, place in (("helper_0", 0), ("main_0", 1)):
        second = torch.zeros(sum(table.numel() for table in ONE.parameters(agent)), dtype=torch.float64)
        for lines in itertools.product(ONE.lines, repeat=3):
            paid = np.array([ONE.rewards(line)[0] for line in lines])
            if paid.std() < 1e-9:
                continue
            odds = np.prod([ONE.probability(line) for line in lines])
            for line, share in zip(lines, (paid - paid.mean()) / paid.std() / 3, strict=True):
                second += odds * share * ONE.gradient(ONE.logprob(agent, ONE.seen(place, 0, line), line[place]), agent)
        found = ONE.expected_update(MAGRPO(scale="std"), Tree((3,)), agent)
        assert (found - second).abs().max() < 1e-9
        assert (found - stated(ONE, Tree((3,)), agent, less_one)).abs().max() > 1e-3


@pytest.mark.parametrize(("share", "wins"), [(0.25, 1), (0.5, 2), (0.75, 3)])
def test_of_binary_returns_the_scaled_advantages_follow_from_their_share(share: float, wins: int) -> None:
    from tests.episodes import grown

    returns = [1.0] * wins + [0.0] * (4 - wins)
    found = list(MAGRPO(scale="std").advantages([grown(Tree((4,)), *returns)]).values())
    assert max(found) == pytest.approx(((1 - share) / share) ** 0.5)
    assert min(found) == pytest.approx(-((share / (1 - share)) ** 0.5))


def kl(agent: str, reference: torch.Tensor, backwards: bool = False) -> torch.Tensor:
    """KL divergence of an agent's first table and a reference, with gradient over the table."""
    own = ONE.logits[agent, ()].log_softmax(0)
    pair = (reference, own) if backwards else (own, reference)
    return (pair[0].exp() * (pair[0] - pair[1])).sum()


def test_kl_estimators_have_the_gradients_that_are_stated() -> None:
    reference = torch.tensor([0.2, -0.5, 0.1], dtype=torch.float64).log_softmax(0)
    odds = ONE.logits["helper_0", ()].detach().softmax(0)

    def mean_gradient(of: Callable[..., torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(3, dtype=torch.float64)
        for letter in range(3):
            step = ONE._step(("task", "helper_0", 0, 0), letter, (letter, 0))
            batch = ONE.batch([step], {}, reference=reference[letter][None, None])
            total += odds[letter] * ONE.gradient(of(batch), "helper_0")
        return total

    assert mean_gradient(k1).abs().max() < 1e-12
    assert (mean_gradient(k2) - ONE.gradient(kl("helper_0", reference), "helper_0")).abs().max() < 1e-12
    assert (mean_gradient(k3) - ONE.gradient(kl("helper_0", reference, backwards=True), "helper_0")).abs().max() < 1e-12
    assert ONE.gradient(kl("helper_0", reference), "helper_0").abs().max() > 1e-2

    class Paid(MAGRPO):
        """Nothing but the KL term, which is paid for."""

        def advantages(self, groups: Sequence[Group]) -> Any:
            return {step: 0.0 for group in groups for step in group.steps}

    for where, kind in (("reward", "k1"), ("loss", "k2")):
        algorithm = Paid(kl=1.0, kl_in=where, kl_estimator=kind)
        found = mean_gradient(algorithm.loss)
        assert (found - ONE.gradient(kl("helper_0", reference), "helper_0")).abs().max() < 1e-12
