"""One optimiser step of one policy: micro-batches, gradient, clipping, update.

The gradient does not depend on how the step is cut: micro-batches are summed under denominators of the whole step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from codeduet.agents.team import Policy
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.losses import LossBatch


@dataclass(frozen=True)
class Sample:
    """One completion to learn from.

    Attributes:
        prompt_ids: `[P]`.
        completion_ids: `[L]`, EOS included.
        sampled_logprobs: `[L]` as the engine gave them.
        advantage: its credit.
        temperature: what it was sampled at.
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    sampled_logprobs: tuple[float, ...]
    advantage: float
    temperature: float


class Learner:
    """Trains one policy with an optimiser of its own.

    Args:
        policy: what is trained.
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
        max_grad_norm: the gradient is scaled down to this norm; 0 is off.
        micro_batch_tokens: padded tokens of a micro-batch, at most (one sequence at least).
        updates: optimiser steps on each batch.

    Attributes:
        skipped: steps in a row, up to the last that had anything to learn from, that ended by a loss or gradient that is
            not finite.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        lr: float,
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        micro_batch_tokens: int = 8192,
        updates: int = 1,
    ) -> None:
        self.policy = policy
        self.max_grad_norm = max_grad_norm
        self.micro_batch_tokens = micro_batch_tokens
        self.updates = updates
        self.lr = lr
        self.skipped = 0
        self.optimizer = torch.optim.AdamW(policy.parameters, lr=lr, weight_decay=weight_decay)

    def step(
        self,
        samples: Sequence[Sample],
        loss: Callable[[LossBatch], torch.Tensor],
        *,
        lr_factor: float = 1.0,
        pause: Callable[[], None] = lambda: None,
    ) -> dict[str, float]:
        """Update the policy on a batch and return its metrics.

        Samples of zero advantage count in the denominators and are not computed; if all are, nothing is changed, not
        even by weight decay. Neither is it by an update whose loss or gradient is not finite: it ends the step and is
        counted in ``skipped_updates``.

        Args:
            samples: what to learn from.
            loss: of a micro-batch.
            lr_factor: of the learning rate, by the schedule.
            pause: called before each micro-batch as long as nothing is changed; what it raises drops the step.
        """
        live = [sample for sample in samples if sample.advantage != 0.0 and sample.completion_ids]
        metrics = {"live_samples": float(len(live)), "updates": 0.0, "skipped_updates": 0.0}
        if not live:
            return metrics
        for group in self.optimizer.param_groups:  # anew each time: a loaded state brings the rate it was saved at
            group["lr"] = self.lr * lr_factor
        sequences, tokens = len(samples), sum(len(sample.completion_ids) for sample in samples)
        micro_batches = list(self._micro_batches(live))
        old: list[torch.Tensor] = []
        if self.updates > 1:
            with torch.no_grad():
                old = [self._score(batch)[0] for batch in micro_batches]
        for update in range(self.updates):
            self.optimizer.zero_grad(set_to_none=True)
            total = 0.0
            stats = _Stats()
            for number, batch in enumerate(micro_batches):
                if update == 0:
                    pause()
                logprobs, mask = self._score(batch)
                value = loss(
                    LossBatch(
                        logprobs=logprobs,
                        old_logprobs=old[number] if old else logprobs.detach(),
                        mask=mask,
                        advantages=torch.tensor([s.advantage for s in batch], device=mask.device, dtype=mask.dtype),
                        sequences=sequences,
                        tokens=tokens,
                    )
                )
                total += float(value.detach())
                if not math.isfinite(total):
                    break
                value.backward()  # type: ignore[no-untyped-call]
                if update == 0:
                    stats.add(batch, logprobs.detach(), mask)
            norm = float(self._clip()) if math.isfinite(total) else math.nan
            if not math.isfinite(norm):
                metrics["skipped_updates"] = 1.0
                break
            self.optimizer.step()
            metrics["updates"] += 1.0
            if update == 0:
                metrics |= {"loss": total, "grad_norm": norm, **stats.result()}
        self.optimizer.zero_grad(set_to_none=True)
        self.skipped = self.skipped + 1 if metrics["skipped_updates"] else 0
        if metrics["updates"]:
            self.policy.version += 1
        return metrics

    def _clip(self) -> torch.Tensor:
        limit = self.max_grad_norm or float("inf")
        return torch.nn.utils.clip_grad_norm_(self.policy.parameters, limit)

    def _score(self, batch: Sequence[Sample]) -> tuple[torch.Tensor, torch.Tensor]:
        return completion_logprobs(
            self.policy.activate(),
            [sample.prompt_ids for sample in batch],
            [sample.completion_ids for sample in batch],
            [sample.temperature for sample in batch],
        )

    def _micro_batches(self, samples: Sequence[Sample]) -> Iterator[list[Sample]]:
        """Cut the batch, longest first, so that a micro-batch too large for memory fails at once and not at the end.

        Samples of one prompt stay together: it is computed once for all of them.
        """
        batch: list[Sample] = []
        for sample in sorted(samples, key=lambda s: (-len(s.prompt_ids), s.prompt_ids, -len(s.completion_ids))):
            if batch and _padded_tokens([*batch, sample]) > self.micro_batch_tokens:
                yield batch
                batch = []
            batch.append(sample)
        yield batch


def _padded_tokens(batch: Sequence[Sample]) -> int:
    """Return the tokens a forward pass computes: each different prompt and every completion, padded."""
    prompts = {sample.prompt_ids for sample in batch}
    return len(prompts) * max(map(len, prompts)) + len(batch) * max(len(s.completion_ids) for s in batch)


class _Stats:
    """Sums over the tokens of a step."""

    def __init__(self) -> None:
        self.tokens = self.kl = 0.0
        self.deviation = 0.0

    def add(self, batch: Sequence[Sample], logprobs: torch.Tensor, mask: torch.Tensor) -> None:
        sampled = torch.zeros_like(logprobs)
        for i, sample in enumerate(batch):
            sampled[i, : len(sample.sampled_logprobs)] = torch.tensor(sample.sampled_logprobs)
        greedy = torch.tensor([sample.temperature == 0 for sample in batch], device=mask.device)
        gap = (sampled - logprobs) * mask * ~greedy[:, None]
        self.tokens += float(mask.sum())
        self.kl += float((gap.neg().exp() - 1 + gap).mul(mask).sum())  # k3 estimator of KL(sampler || learner)
        self.deviation = max(self.deviation, float((gap.exp() - 1).abs().max()))

    def result(self) -> dict[str, float]:
        return {
            "mismatch_kl": self.kl / self.tokens,
            "mismatch_ratio_max": self.deviation,
        }
