"""Policy-gradient losses over one micro-batch: pure functions of tensors.

Shapes: N sequences, L tokens of the longest completion; row i has its completion in the first ``lengths[i]`` places.
Every loss is a sum divided by a denominator of the whole optimiser step, so that its gradient is the same however the
step is cut into micro-batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Aggregate = Literal["sequence", "token"]


@dataclass(frozen=True)
class LossBatch:
    """What a loss sees of a micro-batch.

    Attributes:
        logprobs: `[N, L]` log-probabilities under the policy that is trained, with gradient, at the temperature the
            completions were sampled at; 0 outside the mask.
        old_logprobs: `[N, L]` the same before the step's first update; equal to ``logprobs`` in value if there is
            only one.
        mask: `[N, L]` 1.0 at the tokens of a completion, its EOS included. Made from lengths, never from token ids.
        advantages: `[N]`.
        sequences: number of sequences in the whole step, dead groups included.
        tokens: number of completion tokens in the whole step, dead groups included.
    """

    logprobs: torch.Tensor
    old_logprobs: torch.Tensor
    mask: torch.Tensor
    advantages: torch.Tensor
    sequences: int
    tokens: int


def policy_gradient_loss(batch: LossBatch, *, aggregate: Aggregate = "sequence") -> torch.Tensor:
    """``L = - sum_i A_i sum_t log pi(y_it) / denominator``, the loss of the paper.

    The denominator is the number of sequences (``"sequence"``, the paper) or of tokens (``"token"``) in the step.
    """
    weighted = batch.advantages[:, None] * batch.logprobs * batch.mask
    return -weighted.sum() / (batch.sequences if aggregate == "sequence" else batch.tokens)


def clipped_ratio_loss(batch: LossBatch, *, clip: float = 0.2, aggregate: Aggregate = "sequence") -> torch.Tensor:
    """PPO's clipped surrogate per token (Schulman et al. 2017, equation 7), for several updates on one batch."""
    ratio = (batch.logprobs - batch.old_logprobs).exp()
    advantage = batch.advantages[:, None]
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -(surrogate * batch.mask).sum() / (batch.sequences if aggregate == "sequence" else batch.tokens)
