"""Losses over one micro-batch: pure functions of tensors.

Shapes: N sequences, L tokens of the longest completion; row i has its completion in the first places of the mask. Every loss
is a sum divided by a denominator of the whole optimiser step, so that its gradient is the same however the step is cut into
micro-batches, and over how many processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from codeduet.errors import InputError

Aggregate = Literal["sequence", "token", "mean", "length"]
"""What a sum over tokens is divided by: the sequences of the step, its tokens, the tokens of each sequence and then the
sequences, or the sequences times the longest answer there may be."""

Level = Literal["token", "sequence"]


@dataclass(frozen=True)
class LossBatch:
    """What a loss sees of a micro-batch.

    Attributes:
        logprobs: `[N, L]` log-probabilities under the policy that is trained, with gradient, at the temperature the
            completions were sampled at; 0 outside the mask.
        old: `[N, L]` the same before the step's first update; equal to ``logprobs`` in value if there is only one.
        mask: `[N, L]` 1.0 at the tokens of a completion, its EOS included. Made from lengths, never from token ids.
        advantages: `[N, L]`, of each token; one number a completion stands at all of its tokens.
        sequences: number of sequences in the whole step, of all processes, dead groups included.
        tokens: number of completion tokens in the whole step, likewise.
        sampler: `[N, L]` log-probabilities that the engine sampled by; None where it gives none.
        reference: `[N, L]` log-probabilities under the base, adapters off; where the algorithm needs them.
        entropy: `[N, L]` of the policy at each token, in nats, with gradient; where the algorithm needs it.
        agents: `[N]` who wrote each.
        turns: `[N]` the agent's turn of each.
        longest: tokens that an answer may have.
    """

    logprobs: torch.Tensor
    old: torch.Tensor
    mask: torch.Tensor
    advantages: torch.Tensor
    sequences: int
    tokens: int
    sampler: torch.Tensor | None = None
    reference: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    agents: tuple[str, ...] = ()
    turns: tuple[int, ...] = ()
    longest: int = 0


def total(batch: LossBatch, per_token: torch.Tensor, aggregate: Aggregate = "sequence") -> torch.Tensor:
    """Return the sum of ``per_token`` ``[N, L]`` over the completions' tokens, divided as ``aggregate`` says."""
    inside = per_token * batch.mask
    if aggregate == "mean":
        return (inside.sum(1) / batch.mask.sum(1).clamp(min=1)).sum() / batch.sequences
    divided = {"sequence": batch.sequences, "token": batch.tokens, "length": batch.sequences * max(batch.longest, 1)}
    return inside.sum() / divided[aggregate]


def policy_gradient(batch: LossBatch, *, aggregate: Aggregate = "sequence", cap: float = 0.0) -> torch.Tensor:
    """``L = - sum_i sum_t w_it A_it log pi(y_it) / denominator``, the loss of the paper.

    Args:
        batch: what is learnt from.
        aggregate: the denominator: sequences are the paper's.
        cap: of the importance weight ``w = min(pi_before / pi_sampler, cap)``; 0 leaves it out.
    """
    return -total(batch, _weights(batch, cap) * batch.advantages * batch.logprobs, aggregate)


def clipped(
    batch: LossBatch,
    *,
    low: float = 0.2,
    high: float = 0.2,
    level: Level = "token",
    aggregate: Aggregate = "sequence",
    cap: float = 0.0,
) -> torch.Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, equation 7), for several updates on one batch.

    Args:
        batch: what is learnt from.
        low: the ratio is clipped to at least 1 - low where it would gain by being less.
        high: and to at most 1 + high; more than ``low`` is DAPO's clip-higher (arXiv 2503.14476).
        level: of a ratio: a token's own, or the geometric mean over the sequence's tokens (GSPO, arXiv 2507.18071), whose
            gradient reaches each token.
        aggregate: the denominator.
        cap: of importance weights, as :func:`policy_gradient` takes it.
    """
    gap = batch.logprobs - batch.old
    if level == "sequence":
        lengths = batch.mask.sum(1, keepdim=True).clamp(min=1)
        mean = (gap * batch.mask).sum(1, keepdim=True) / lengths
        gap = mean.detach() + (
            batch.logprobs - batch.logprobs.detach()
        )  # in value the sequence's, in gradient each token's
    ratio = gap.exp()
    bounded = ratio.clamp(1 - low, 1 + high)
    surrogate = torch.minimum(ratio * batch.advantages, bounded * batch.advantages)
    return -total(batch, _weights(batch, cap) * surrogate, aggregate)


def _weights(batch: LossBatch, cap: float) -> torch.Tensor | float:
    if not cap:
        return 1.0
    if batch.sampler is None:
        raise InputError("importance weights are over the engine's log-probabilities, and the engine gives none")
    return (batch.old - batch.sampler).exp().clamp(max=cap).detach()


def k1_tokens(batch: LossBatch) -> torch.Tensor:
    """``log pi - log pi_ref`` ``[N, L]``: the unbiased estimate of KL(pi, ref) at each sampled token."""
    return batch.logprobs - _reference(batch)


def k2_tokens(batch: LossBatch) -> torch.Tensor:
    """``(log pi - log pi_ref)^2 / 2`` ``[N, L]``, whose gradient on policy is that of KL(pi, ref)."""
    return k1_tokens(batch) ** 2 / 2


def k3_tokens(batch: LossBatch) -> torch.Tensor:
    """``exp(-k1) - 1 + k1`` ``[N, L]``: unbiased and never negative (Schulman); its gradient on policy is KL(ref, pi)'s."""
    gap = k1_tokens(batch)
    return (-gap).exp() - 1 + gap


def k1(batch: LossBatch) -> torch.Tensor:
    """Return the sum of :func:`k1_tokens` over the completions' tokens."""
    return (k1_tokens(batch) * batch.mask).sum()


def k2(batch: LossBatch) -> torch.Tensor:
    """Return the sum of :func:`k2_tokens` over the completions' tokens."""
    return (k2_tokens(batch) * batch.mask).sum()


def k3(batch: LossBatch) -> torch.Tensor:
    """Return the sum of :func:`k3_tokens` over the completions' tokens."""
    return (k3_tokens(batch) * batch.mask).sum()


def penalty_to_go(batch: LossBatch) -> torch.Tensor:
    """Return ``[N, L]``, without gradient, the sum of k1 over a token and those behind it: what a KL reward costs it."""
    gap = (batch.old - _reference(batch)) * batch.mask
    return gap.flip(1).cumsum(1).flip(1).detach()


def _reference(batch: LossBatch) -> torch.Tensor:
    if batch.reference is None:
        raise InputError(
            'a loss that reads the reference is of an algorithm that says so: needs = frozenset({"reference"})'
        )
    return batch.reference
