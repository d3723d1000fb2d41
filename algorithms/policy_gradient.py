"""What algorithms of this family have in common: the loss, and the terms that any of them may add.

With r the ratio of the policy to the one before the step, A advantages and D the denominator, a step minimises

    L = - 1 / D sum over tokens of w min(r A, clip(r) A)  +  kl / D sum over tokens of K  -  entropy / D sum over tokens of H,

where without ``clip`` the first term is ``A log pi``. K is Schulman's estimator k1, k2 or k3 of the KL divergence from the
base, H the exact entropy, w the truncated importance weight of the policy over what the engine sampled by. With
``kl_in="reward"`` K is paid for instead: the advantage of a token is less by ``kl`` times the k1 of it and of those behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch

from codeduet.agents.steps import Group
from codeduet.agents.tree import Tree
from codeduet.algorithms import losses
from codeduet.algorithms.algorithm import Algorithm, Need
from codeduet.algorithms.credit import is_dead, punished
from codeduet.algorithms.losses import Aggregate, Level, LossBatch
from codeduet.algorithms.options import check_choice, check_list, check_number, check_whole
from codeduet.envs import InputError

Estimator = Literal["k1", "k2", "k3"]


class PolicyGradient(Algorithm):
    """A policy gradient with what may be added to it; a subclass says what steps are credited with.

    Args:
        discount: of later turns' rewards, 0 to 1.
        aggregate: what the loss is divided by: ``sequence`` (the sequences of the step, the paper's), ``token`` (its tokens,
            DAPO's), ``mean`` (a sequence's tokens, then the sequences, GRPO's own) or ``length`` (sequences times the longest
            answer allowed, Dr. GRPO's).
        clip: None for the plain policy gradient; else by how far the ratio may leave 1, as a number, or two, downwards and
            upwards. Several updates on one batch need it.
        level: of a ratio: ``token``, or ``sequence`` (GSPO's).
        kl: weight of the KL divergence from the base.
        kl_estimator: ``k1``, ``k2`` or ``k3``.
        kl_in: whether it stands in the ``loss`` or in the ``reward``.
        entropy: weight of the entropy bonus.
        importance_cap: the most that a token's importance weight over the engine's distribution may be; 0 leaves weights out.
        refills: how often a step plays further problems in place of groups whose returns are all equal (DAPO's dynamic
            sampling).
        overlong: tokens of the longest answer that is allowed and of a cushion before it, in which an answer's reward falls by
            up to 1 (DAPO); empty is no punishment.
    """

    def __init__(
        self,
        *,
        discount: float = 1.0,
        aggregate: Aggregate = "sequence",
        clip: float | Sequence[float] | None = None,
        level: Level = "token",
        kl: float = 0.0,
        kl_estimator: Estimator = "k3",
        kl_in: Literal["loss", "reward"] = "loss",
        entropy: float = 0.0,
        importance_cap: float = 0.0,
        refills: int = 0,
        overlong: Sequence[int] = (),
    ) -> None:
        check_number("discount", discount, 0, 1)
        check_choice("aggregate", aggregate, get_args(Aggregate))
        check_choice("level", level, get_args(Level))
        check_choice("kl_estimator", kl_estimator, get_args(Estimator))
        check_choice("kl_in", kl_in, ("loss", "reward"))
        for name, value in (("kl", kl), ("entropy", entropy), ("importance_cap", importance_cap)):
            check_number(name, value, 0)
        check_whole("refills", refills, 0)
        self.discount = discount
        self.aggregate: Aggregate = aggregate
        self.clip = _interval(clip)
        self.level: Level = level
        self.kl = kl
        self.kl_estimator: Estimator = kl_estimator
        self.kl_in = kl_in
        self.entropy = entropy
        self.importance_cap = importance_cap
        self.refills = refills
        check_list("overlong", overlong)
        self.overlong = tuple(overlong)
        for tokens in self.overlong:
            check_whole("overlong", tokens, 1)
        if self.overlong and (len(self.overlong) != 2 or self.overlong[0] < self.overlong[1]):
            raise InputError(
                f"option overlong is two numbers, of all tokens and of the last of them, not {list(overlong)}"
            )
        self.on_policy = clip is None
        self.linear = not (kl or entropy)
        wanted: dict[Need, float] = {"reference": kl, "entropy": entropy, "sampler": importance_cap}
        self.needs = frozenset(need for need, weight in wanted.items() if weight)
        if level == "sequence" and clip is None:
            raise InputError("option level=sequence is of a ratio: set clip too")

    def tree(self, group_size: int) -> Tree:
        """Return the episodes of a problem, none of which shares answers.

        Raises:
            InputError: one alone is to be played again where its group's returns are all equal, as they always are.
        """
        if group_size < 2 and self.refills:
            raise InputError("option refills is of groups whose returns are all equal: set group_size=2 or more")
        return super().tree(group_size)

    def loss(self, batch: LossBatch) -> torch.Tensor:
        """Return the policy gradient's loss with the terms that were asked for."""
        if self.kl and self.kl_in == "reward":
            batch = _less(batch, self.kl * losses.penalty_to_go(batch))
        if self.clip is None:
            value = losses.policy_gradient(batch, aggregate=self.aggregate, cap=self.importance_cap)
        else:
            low, high = self.clip
            value = losses.clipped(
                batch, low=low, high=high, level=self.level, aggregate=self.aggregate, cap=self.importance_cap
            )
        if self.kl and self.kl_in == "loss":
            estimate = {"k1": losses.k1_tokens, "k2": losses.k2_tokens, "k3": losses.k3_tokens}[self.kl_estimator]
            value = value + self.kl * losses.total(batch, estimate(batch), self.aggregate)
        if self.entropy:
            assert batch.entropy is not None
            value = value - self.entropy * losses.total(batch, batch.entropy, self.aggregate)
        return value

    def paid(self, groups: Sequence[Group]) -> Sequence[Group]:
        """Return groups as this algorithm pays them: less for overlong answers, where that is asked for."""
        return [punished(group, *self.overlong) for group in groups] if self.overlong else groups

    def keep(self, group: Group) -> bool:
        """Keep groups whose returns differ, where others are to be played in place of the rest."""
        return not self.refills or not is_dead(self.paid([group])[0], self.discount)


def _interval(clip: float | Sequence[float] | None) -> tuple[float, float] | None:
    """Return how far the ratio may leave 1, downwards and upwards.

    Raises:
        InputError: they are no such numbers.
    """
    if clip is None:
        return None
    both = (clip, clip) if isinstance(clip, int | float) else tuple(clip) if isinstance(clip, list | tuple) else ()
    good = len(both) == 2 and all(isinstance(value, int | float) and value > 0 for value in both)
    if isinstance(clip, bool) or not good or not both[0] < 1:
        raise InputError(f"option clip must be a number between 0 and 1, two of them, or null, not {clip!r}")
    return both[0], both[1]


def _less(batch: LossBatch, penalty: torch.Tensor) -> LossBatch:
    return replace(batch, advantages=batch.advantages - penalty)
