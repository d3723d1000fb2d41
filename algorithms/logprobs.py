"""Log-probabilities of completions, and nothing else.

A prompt is computed once however many completions it has: they continue its keys and values, gradient included. With P
prompt and C completion tokens and G completions a prompt that is P + G C tokens instead of G (P + C). The output head
runs at completion positions only and in chunks, so that logits over the whole vocabulary never exist for a whole batch.
Where an architecture does not bear that, slower ways are taken (:func:`codeduet.agents.self_test.paths`).

Shapes: N completions, U different prompts, P and L tokens of the longest of either, K completion tokens in all, D hidden
size, V vocabulary.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from codeduet.agents import network
from codeduet.agents.models import finest_dtype
from codeduet.agents.padding import Side, pad
from codeduet.agents.self_test import paths
from codeduet.algorithms.recompute import recomputed

CHUNK_ELEMENTS = (2**21, 2**27)
"""Logits that exist at once, at most: 8 MiB of float32 on a CPU, which its caches hold, and 512 MiB on a GPU."""


_LEAST_ROWS = 110
"""Positions of a chunk on a CPU, at least, where the head's weights are too large for its caches: each chunk reads them anew.
With 110 in place of 13 a 0.5B of 152,000 tokens learnt from 103 tokens a second in place of 82."""

_CACHED_WEIGHTS = 2**23
"""Weights of a head that a CPU's caches may hold."""


def chunk_rows(vocabulary: int, hidden: int, device: str) -> int:
    """Return the positions whose logits exist at once."""
    rows = max(1, CHUNK_ELEMENTS[device != "cpu"] // vocabulary)
    return max(rows, _LEAST_ROWS) if device == "cpu" and vocabulary * hidden > _CACHED_WEIGHTS else rows


class Scored(NamedTuple):
    """Completions as a model scores them.

    Attributes:
        logprobs: `[N, L]` in float32 or finer, with gradient; 0 outside the mask.
        mask: `[N, L]`.
        entropy: `[N, L]` in nats of the distribution at each token, with gradient, where it was asked for.
    """

    logprobs: torch.Tensor
    mask: torch.Tensor
    entropy: torch.Tensor | None = None


@dataclass(frozen=True)
class Layout:
    """How tensors lie on the way, where it is not to be as suits the model and the device; what is found does not depend on it.

    Attributes:
        padding_side: where shorter prompts are padded; it matters to a model with attention windows alone.
        chunk_elements: logits that exist at once, at most; 0 is as many as suit the device.
    """

    padding_side: Side | None = None
    chunk_elements: int = 0


def completion_logprobs(
    model: Any,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    temperatures: Sequence[float],
    **settings: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return :func:`score`'s log-probabilities and mask."""
    scored = score(model, prompts, completions, temperatures, **settings)
    return scored.logprobs, scored.mask


def score(
    model: Any,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    temperatures: Sequence[float],
    *,
    recompute: bool = False,
    entropy: bool = False,
    layout: Layout = Layout(),
) -> Scored:
    """Score completions under a causal language model.

    Args:
        model: a transformers causal language model, adapters active as they should be.
        prompts: N prompts as token ids.
        completions: N completions as token ids, each at least one.
        temperatures: `[N]` what each was sampled at: logits are divided by it, as the sampler did. 0 (greedy) scores
            at 1.
        recompute: whether the backward pass computes the layers again instead of keeping what is inside them.
        entropy: whether the entropy of each distribution is told too.
        layout: of the tensors on the way.
    """
    device = next(model.parameters()).device
    ids, written = pad(completions, "right", device)  # [N, L]
    rows = [tuple(prompt) for prompt in prompts]
    way = paths(model)
    with recomputed(model) if recompute else contextlib.nullcontext():
        if way.head == "whole":
            states = network.repeated_states(model, rows, ids, written, logits=True)
        elif way.prompts == "repeated":
            states = network.repeated_states(model, rows, ids, written)
        else:
            states = network.shared_states(model, rows, ids, written, layout.padding_side or way.prompts)
    hidden = states[written.bool()]  # [K, D], or logits [K, V]
    targets = ids[written.bool()]  # [K]
    scale = torch.tensor([t if t > 0 else 1.0 for t in temperatures], dtype=finest_dtype(device)).to(device)
    scale = scale[:, None].expand(ids.shape)[written.bool()]
    head = model.get_output_embeddings()
    size = (
        max(1, layout.chunk_elements // network.vocabulary(model))
        if layout.chunk_elements
        else chunk_rows(network.vocabulary(model), states.shape[-1], device.type)
    )
    if way.head == "fused" and type(head) is torch.nn.Linear and head.bias is None:
        scored, told = _LinearLogprobs.apply(hidden, head.weight, targets, scale, size, entropy)
    else:
        if way.head == "whole":
            head = torch.nn.Identity()
        elif way.head == "own":
            head = functools.partial(network.own_logits, model)
        parts = [slice(k, k + size) for k in range(0, len(targets), size)]
        made = [_score(head, hidden[part], targets[part], scale[part], entropy) for part in parts]
        scored, told = (torch.cat([pair[place] for pair in made]) for place in (0, 1))
    mask = written.to(scored.dtype)
    found = [torch.zeros_like(mask).masked_scatter(written.bool(), scored)]
    if entropy:
        found.append(torch.zeros_like(mask).masked_scatter(written.bool(), told))
    return Scored(found[0], mask, found[1] if entropy else None)


def _score(
    head: Any, hidden: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor, entropy: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probability and entropy at each position ``[K]``, zeros unless asked for; the backward pass makes logits anew."""

    def run(hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # A copy: scaling in place would change what a model's own code keeps for its backward pass.
        logits = _scaled(head(hidden).clone(), scale)
        scored = -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return scored, _entropy(logits) if entropy else torch.zeros_like(scored)

    made: tuple[torch.Tensor, torch.Tensor] = (
        checkpoint(run, hidden, use_reentrant=False) if torch.is_grad_enabled() else run(hidden)
    )
    return made


def _entropy(logits: torch.Tensor) -> torch.Tensor:
    """Return the entropy in nats of each distribution ``[K]`` over logits ``[K, V]``; a logit of minus infinity adds nothing."""
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs.clamp_min(torch.finfo(logs.dtype).min)).sum(-1)


def _scaled(logits: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return logits ``[K, V]`` over the temperatures, in place where their precision allows."""
    # Half precision would round log-probabilities to 1 %; what is finer stays as it is.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logits /= scale[:, None].to(logits.dtype)
    return logits


class _Room:
    """Memory for a chunk's logits, taken once a pass: of a chunk each, most of the time goes into fresh pages of memory.

    Args:
        weight: of the head, ``[V, D]``.
        rows: of a chunk, at most.
    """

    def __init__(self, weight: torch.Tensor, rows: int) -> None:
        self._weight = weight
        self._made = weight.new_empty(rows, len(weight))
        # Half precision would round log-probabilities to 1 %; what is finer stays as it is.
        finer = torch.promote_types(weight.dtype, torch.float32)
        self._logits = self._made if finer == weight.dtype else self._made.new_empty(self._made.shape, dtype=finer)

    def logits(self, hidden: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return the logits ``[K, V]`` of hidden states ``[K, D]`` over the temperatures, in place of the last."""
        made, logits = (of[: len(hidden)] for of in (self._made, self._logits))
        torch.mm(hidden, self._weight.T, out=made)
        if logits.dtype != made.dtype:
            logits.copy_(made)  # to divide what is not alike would copy it once more, into fresh memory
        return logits.div_(scale[:, None].to(logits.dtype))

    def rounded(self, logits: torch.Tensor) -> torch.Tensor:
        """Return these in the head's precision."""
        made = self._made[: len(logits)]
        return logits if made.dtype == logits.dtype else made.copy_(logits)


class _LinearLogprobs(torch.autograd.Function):
    """Log-probabilities of ``targets`` under a linear head, whose logits exist a chunk at a time, in both passes.

    With p the probabilities at one position, T its temperature, y its target and H its entropy, the gradient over the logits is
    (onehot(y) - p) / T of log p_y, and -p (log p + H) / T of H. Both passes write into the chunk's logits in place, so that
    nothing as large is kept or filled; entropy, where it is asked for, takes one more of the chunk.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        scale: torch.Tensor,
        size: int,
        entropy: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scored, totals, told = [], [], []
        room = _Room(weight, min(size, len(targets)))
        for k in range(0, len(targets), size):
            part = slice(k, k + size)
            logits = room.logits(hidden[part], scale[part])
            scored.append(logits.gather(-1, targets[part, None])[:, 0])
            if entropy:
                totals.append(logits.logsumexp(-1))
                logs = logits.sub_(totals[-1][:, None])
                probabilities = logs.exp()
                told.append(-probabilities.mul_(logs.clamp_(min=torch.finfo(logs.dtype).min)).sum(-1))
            else:  # the same sum, without room for another chunk
                largest = logits.amax(-1, keepdim=True)
                largest.masked_fill_(largest.isinf(), 0.0)
                totals.append(logits.sub_(largest).exp_().sum(-1).log_().add_(largest[:, 0]))
                told.append(torch.zeros_like(scored[-1]))
            scored[-1] -= totals[-1]
        entropies = torch.cat(told)
        ctx.save_for_backward(hidden, weight, targets, scale, torch.cat(totals), entropies)
        ctx.size, ctx.entropy = size, entropy
        if not entropy:
            ctx.mark_non_differentiable(entropies)
        return torch.cat(scored), entropies

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient, of_entropy = gradients
        hidden, weight, targets, scale, totals, entropies = ctx.saved_tensors
        of_hidden = torch.empty_like(hidden)
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        room = _Room(weight, min(ctx.size, len(targets)))
        for k in range(0, len(targets), ctx.size):
            part = slice(k, k + ctx.size)
            logits = room.logits(hidden[part], scale[part])
            share = gradient[part, None] / scale[part, None].to(gradient.dtype)
            logs = logits.sub_(totals[part, None])
            beside = logs.clone() if ctx.entropy else None
            probabilities = logs.exp_()
            if beside is not None:
                own = of_entropy[part, None] / scale[part, None].to(gradient.dtype)
                beside.clamp_(min=torch.finfo(beside.dtype).min).add_(entropies[part, None]).mul_(probabilities).mul_(
                    own
                )
            of_logits = probabilities.mul_(-share).scatter_add_(-1, targets[part, None], share)
            if beside is not None:
                of_logits.sub_(beside)
            of_logits = room.rounded(of_logits)
            torch.mm(of_logits, weight, out=of_hidden[part])
            if of_weight is not None:
                of_weight.addmm_(of_logits.T, hidden[part])
        return of_hidden, of_weight, None, None, None, None
