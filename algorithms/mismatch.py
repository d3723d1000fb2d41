"""How far the learner's log-probabilities are from those that completions were sampled by, and what else a step's tokens tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from codeduet.algorithms.sample import Sample, sampled_logprobs


class Learnt(NamedTuple):
    """What is known of a micro-batch behind its backward pass: its loss; ``[N, L]`` log-probabilities, mask, entropy if any."""

    loss: float
    logprobs: torch.Tensor
    mask: torch.Tensor
    entropy: torch.Tensor | None


class Stats:
    """Sums over the tokens of a step.

    Args:
        tolerance: nats that rounding may put between two log-probabilities of a token at temperature 1.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.tokens = self.kl = self.limit = 0.0
        self.deviation = 0.0
        self.entropy: float | None = None

    def add(self, batch: Sequence[Sample], learnt: Learnt) -> None:
        """Add a micro-batch."""
        mask = learnt.mask
        greedy = torch.tensor([sample.temperature == 0 for sample in batch], device=mask.device)
        gap = (sampled_logprobs(batch, mask) - learnt.logprobs) * mask * ~greedy[:, None]
        if learnt.entropy is not None:
            self.entropy = (self.entropy or 0.0) + float((learnt.entropy * mask).sum())
        self.tokens += float(mask.sum())
        # The k3 estimator of KL(sampler || learner); exp less 1 would round as coarsely as float32 does at 1.
        self.kl += float((gap.neg().expm1() + gap).mul(mask).sum())
        # It is half the square of a small gap, which a temperature divides.
        self.limit += sum(
            len(s.completion_ids) * (self.tolerance / s.temperature) ** 2 / 2 for s in batch if s.temperature
        )
        self.deviation = max(self.deviation, float((gap.exp() - 1).abs().max()))

    def result(self) -> dict[str, float]:
        """Return the metrics."""
        if not self.tokens:  # another process had something to learn from
            return {}
        exact = {} if self.entropy is None else {"exact_entropy": self.entropy / self.tokens}
        return exact | {
            "mismatch_kl": self.kl / self.tokens,
            "mismatch_limit": self.limit / self.tokens,
            "mismatch_ratio_max": self.deviation,
        }
