"""One optimiser step of one policy: micro-batches, gradient, clipping, update.

The gradient does not depend on how the step is cut: micro-batches are summed under denominators of the whole step.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch.nn.utils.rnn import pad_sequence

from codeduet.agents.out_of_memory import ERRORS, is_out_of_memory
from codeduet.agents.own_network import NetworkPolicy
from codeduet.agents.policy import Policy
from codeduet.agents.self_test import TOLERANCE, paths
from codeduet.algorithms.algorithm import Need, is_zero
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.logprobs import Scored, score
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.mismatch import Learnt, Stats
from codeduet.algorithms.sample import Sample, advantages_of, has_logprobs, padded_tokens, sampled_logprobs
from codeduet.algorithms.world import World
from codeduet.envs import InputError

__all__ = ["Learner", "Sample"]

T = TypeVar("T")


class Learner:
    """Trains one policy with an optimiser of its own.

    Args:
        policy: what is trained.
        optim: AdamW's settings, the gradient's largest norm, and the optimiser steps on each batch; what it asks of memory
            and of a schedule is decided elsewhere.
        micro_batch_tokens: padded tokens of a micro-batch, at most (one sequence at least).
        recompute: whether layers are computed again in the backward pass instead of kept.
        longest: tokens that an answer may have.
        world: the processes that learn together, each from groups of its own.

    Attributes:
        skipped: steps in a row, up to the last that had anything to learn from, that ended by a loss or gradient that is
            not finite.
        begun: optimiser steps so far, one that broke off counted too: as long as it stays, no weight has changed.
    """

    def __init__(
        self,
        policy: Policy,
        optim: OptimConfig,
        *,
        micro_batch_tokens: int = 8192,
        recompute: bool = False,
        longest: int = 0,
        world: World | None = None,
    ) -> None:
        self.world = world or World()
        self.longest = longest
        self.policy = policy
        self.max_grad_norm = optim.max_grad_norm
        self.micro_batch_tokens = micro_batch_tokens
        self.recompute = recompute
        self.updates = optim.updates_per_batch
        self.lr = optim.lr
        self.skipped = 0
        self.begun = 0
        self.optimizer = torch.optim.AdamW(policy.parameters, lr=optim.lr, weight_decay=optim.weight_decay)

    def step(
        self,
        samples: Sequence[Sample],
        loss: Callable[[LossBatch], torch.Tensor],
        *,
        needs: Collection[Need] = (),
        linear: bool = True,
        lr_factor: float = 1.0,
        pause: Callable[[], None] = lambda: None,
        heard: Callable[[int], None] = lambda tokens: None,
    ) -> dict[str, float]:
        """Update the policy on a batch and return its metrics.

        Samples of zero advantage count in the denominators and, where the loss is linear, are not computed; if all are, in
        all processes, nothing is changed, not even by weight decay. Neither is it by an update whose loss or gradient is not finite: it ends the step and is
        counted in ``skipped_updates``.

        Args:
            samples: what to learn from.
            loss: of a micro-batch; one that hangs on no weight teaches nothing.
            needs: of what costs time to compute, what the loss reads.
            linear: whether samples of zero advantage add nothing to it.
            lr_factor: of the learning rate, by the schedule.
            pause: called before each micro-batch as long as nothing is changed; what it raises drops the step.
            heard: called behind each micro-batch with the completions' tokens that were learnt from.

        Raises:
            InputError: the loss is no scalar tensor, or memory ran out for a single completion, or for the update.
        """
        live = [s for s in samples if s.completion_ids and not (linear and is_zero(s.advantage))]
        metrics = {"live_samples": float(len(live)), "updates": 0.0, "skipped_updates": 0.0}
        if not self.world.any(bool(live)):
            return metrics
        for group in self.optimizer.param_groups:  # anew each time: a loaded state brings the rate it was saved at
            group["lr"] = self.lr * lr_factor
        counts = (len(samples), sum(len(sample.completion_ids) for sample in samples))
        sequences, tokens = map(int, self.world.sum(counts))
        before = self._before(live, metrics, pause, reference="reference" in needs)

        def learn(indices: list[int]) -> Learnt:
            batch = [live[i] for i in indices]
            scored = self._score(batch, entropy="entropy" in needs)
            rows = {name: pad_sequence([of[i] for i in indices], batch_first=True) for name, of in before.items()}
            value = loss(
                LossBatch(
                    logprobs=scored.logprobs,
                    old=rows.get("old", scored.logprobs.detach()),
                    mask=scored.mask,
                    advantages=advantages_of(batch, scored.mask),
                    sequences=sequences,
                    tokens=tokens,
                    sampler=sampled_logprobs(batch, scored.mask) if all(map(has_logprobs, batch)) else None,
                    reference=rows.get("reference"),
                    entropy=scored.entropy,
                    agents=tuple(sample.agent for sample in batch),
                    turns=tuple(sample.turn for sample in batch),
                    longest=self.longest,
                )
            )
            if not isinstance(value, torch.Tensor) or value.numel() != 1:
                raise InputError(
                    "the algorithm's loss gives "
                    + (f"a tensor {list(value.shape)}" if isinstance(value, torch.Tensor) else f"{value!r:.80}")
                    + ": one scalar tensor, a sum over tokens divided by batch.sequences or batch.tokens"
                )
            if math.isfinite(number := float(value.detach())) and value.requires_grad:
                self._add_gradient(value)
            told = None if scored.entropy is None else scored.entropy.detach()
            return Learnt(number, scored.logprobs.detach(), scored.mask, told)

        for update in range(self.updates):
            self.optimizer.zero_grad(set_to_none=True)
            total = 0.0
            stats = Stats(TOLERANCE.get(self._dtype, TOLERANCE[torch.float32]))
            for indices, learnt in self._each(live, learn, metrics, pause if update == 0 else lambda: None):
                batch = [live[i] for i in indices]
                total += learnt.loss
                heard(sum(len(sample.completion_ids) for sample in batch))
                if not math.isfinite(total):
                    break
                if update == 0:
                    stats.add(batch, learnt)
            (total,) = self.world.sum([total])
            self.world.sum_gradients(self.policy.parameters)
            norm = float(self._clip()) if math.isfinite(total) else math.nan
            if not math.isfinite(norm):
                metrics["skipped_updates"] = 1.0
                break
            self._update()
            metrics["updates"] += 1.0
            if update == 0:
                metrics |= {"loss": total, "grad_norm": norm, **stats.result()}
        self.optimizer.zero_grad(set_to_none=True)
        self.skipped = self.skipped + 1 if metrics["skipped_updates"] else 0
        if metrics["updates"]:
            self.policy.version += 1
        return metrics

    def _before(
        self, live: Sequence[Sample], metrics: dict[str, float], pause: Callable[[], None], *, reference: bool
    ) -> dict[str, dict[int, torch.Tensor]]:
        """Return the log-probabilities that are asked for before weights change, of each sample by its place in ``live``."""
        ways: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {}
        if self.updates > 1:
            ways["old"] = contextlib.nullcontext
        if reference:
            if self.policy.adapter is None:
                raise InputError(
                    f"policy {self.policy.name!r} has no adapter to leave off, and its base is no reference: set "
                    "team.sharing=adapter for a KL term"
                )
            ways["reference"] = self.policy.bare
        found: dict[str, dict[int, torch.Tensor]] = {name: {} for name in ways}
        for name, way in ways.items():
            with torch.no_grad(), way():
                scored = self._each(live, lambda of: self._score([live[i] for i in of]).logprobs, metrics, pause)
                for indices, rows in scored:
                    lengths = [len(live[i].completion_ids) for i in indices]
                    found[name] |= {i: row[:size] for i, row, size in zip(indices, rows, lengths, strict=True)}
        return found

    def _each(
        self,
        live: Sequence[Sample],
        compute: Callable[[list[int]], T],
        metrics: dict[str, float],
        pause: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[list[int], T]]:
        """Yield micro-batches, by their samples' places, with what is computed of each; halve those that memory runs out for."""
        left = list(self._micro_batches(live))
        while left:
            pause()
            indices = left.pop(0)
            try:
                found = compute(indices)
            except ERRORS as error:
                if not is_out_of_memory(error):
                    raise
            else:
                yield indices, found
                continue
            # Not in the handler: as long as there is an error, what its frames hold takes memory.
            left = [*self._halves(indices, live), *left]
            metrics["out_of_memory"] = metrics.get("out_of_memory", 0.0) + 1.0

    def _update(self) -> None:
        """Let the optimiser change the weights.

        Raises:
            InputError: memory ran out.
        """
        try:
            # Asked for first, since half an update could not be saved: AdamW's moments, and what it computes on the way.
            room = [
                torch.empty_like(p) for p in self.policy.parameters for _ in range(1 if self.optimizer.state else 3)
            ]
            del room
            self.begun += 1
            self.optimizer.step()
        except ERRORS as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                f"out of memory for the optimiser of policy {self.policy.name!r}: set team.sharing=adapter or a "
                "smaller team.lora_rank"
            ) from None

    def _add_gradient(self, value: torch.Tensor) -> None:
        """Add a micro-batch's gradient, all of it or, where memory runs out on the way, nothing."""
        gradients = torch.autograd.grad(value, self.policy.parameters, allow_unused=True)
        for parameter, gradient in zip(self.policy.parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)

    def _halves(self, indices: list[int], live: Sequence[Sample]) -> list[list[int]]:
        """Cut a micro-batch for which memory ran out, and make those that follow no larger.

        Raises:
            InputError: it is a single completion.
        """
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size = padded_tokens([live[i] for i in indices], self._shared)
        if len(indices) == 1:
            raise InputError(
                f"out of memory for one completion of {size} tokens with its prompt: set "
                + ("optim.gradient_checkpointing=always, or a " if not self.recompute else "a ")
                + "smaller sampling.max_new_tokens"
            )
        self.micro_batch_tokens = min(self.micro_batch_tokens, max(1, size // 2))
        middle = len(indices) // 2
        return [indices[:middle], indices[middle:]]

    @property
    def _dtype(self) -> torch.dtype:
        """The precision that log-probabilities are computed in, adapters aside."""
        if isinstance(self.policy, NetworkPolicy):
            return self.policy.parameters[0].dtype
        dtype: torch.dtype = self.policy.activate().dtype
        return dtype

    @property
    def _shared(self) -> bool:
        """Whether a prompt is computed once for all its completions."""
        if isinstance(self.policy, NetworkPolicy):
            return False
        return paths(self.policy.activate()).prompts != "repeated"

    def _clip(self) -> torch.Tensor:
        limit = self.max_grad_norm or float("inf")
        return torch.nn.utils.clip_grad_norm_(self.policy.parameters, limit)

    def _score(self, batch: Sequence[Sample], *, entropy: bool = False) -> Scored:
        if isinstance(self.policy, NetworkPolicy):
            return _own_score(self.policy, batch, entropy)
        return score(
            self.policy.activate(),
            [sample.prompt_ids for sample in batch],
            [sample.completion_ids for sample in batch],
            [sample.temperature for sample in batch],
            recompute=self.recompute and torch.is_grad_enabled(),
            entropy=entropy,
        )

    def _micro_batches(self, samples: Sequence[Sample]) -> Iterator[list[int]]:
        """Cut the batch, longest first, so that a micro-batch too large for memory fails at once and not at the end.

        Samples, told by their places, stay together where they have one prompt: it is computed once for all of them.
        """

        def order(i: int) -> tuple[Any, ...]:
            return -len(samples[i].prompt_ids), samples[i].prompt_ids, -len(samples[i].completion_ids)

        batch: list[int] = []
        for i in sorted(range(len(samples)), key=order):
            grown = [samples[k] for k in (*batch, i)]
            if batch and padded_tokens(grown, self._shared) > self.micro_batch_tokens:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch


def _own_score(policy: NetworkPolicy, batch: Sequence[Sample], entropy: bool) -> Scored:
    """Score completions by a network of one's own.

    Raises:
        InputError: its entropy is asked for, which only language models tell.
    """
    if entropy:
        raise InputError(f"policy {policy.name!r} is a network of its own and tells no entropy: set options.entropy=0")
    completions = [sample.completion_ids for sample in batch]
    logprobs = policy.network.logprobs(
        [sample.prompt_ids for sample in batch], completions, [sample.temperature for sample in batch]
    )
    lengths = torch.tensor([len(ids) for ids in completions], device=logprobs.device)
    inside = torch.arange(logprobs.shape[1], device=logprobs.device) < lengths[:, None]
    return Scored(logprobs.masked_fill(~inside, 0.0), inside.to(logprobs.dtype))
