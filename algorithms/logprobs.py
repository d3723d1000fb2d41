"""Log-probabilities of completions, and nothing else.

The model runs without its output head; the head runs at completion positions only and in chunks, so that logits over
the whole vocabulary never exist for a whole batch. Shapes: N sequences, T tokens of the longest prompt + completion, L
tokens of the longest completion, D hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 2**25
"""Logits that exist at once, at most: 128 MiB of float32."""


def completion_logprobs(
    model: Any,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    temperatures: Sequence[float],
    *,
    padding_side: Literal["left", "right"] = "right",
    chunk_elements: int = CHUNK_ELEMENTS,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Score completions under a causal language model.

    Args:
        model: a transformers causal language model, adapters active as they should be.
        prompts: N prompts as token ids.
        completions: N completions as token ids, each at least one.
        temperatures: `[N]` what each was sampled at: logits are divided by it, as the sampler did. 0 (greedy) scores
            at 1.
        padding_side: where shorter sequences are padded; the result is the same.
        chunk_elements: logits that exist at once, at most.

    Returns:
        Log-probabilities ``[N, L]`` in float32 or finer with gradient (0 outside the mask), the mask ``[N, L]``, and the
        entropy ``[N, L]`` of the distribution each token was drawn from, without gradient.
    """
    device = next(model.parameters()).device
    lengths = [len(completion) for completion in completions]
    totals = [len(p) + n for p, n in zip(prompts, lengths, strict=True)]
    longest = max(totals)
    ids = torch.zeros((len(totals), longest), dtype=torch.long)
    attention = torch.zeros_like(ids)
    rows: list[torch.Tensor] = []
    before: list[torch.Tensor] = []
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        start = longest - totals[i] if padding_side == "left" else 0
        ids[i, start : start + totals[i]] = torch.tensor([*prompt, *completion])
        attention[i, start : start + totals[i]] = 1
        first = start + len(prompt)
        rows.append(torch.full((lengths[i],), i))
        before.append(torch.arange(first - 1, first + lengths[i] - 1))  # the position that predicts each token
    ids, attention = ids.to(device), attention.to(device)
    row, place = torch.cat(rows).to(device), torch.cat(before).to(device)
    hidden = model.get_decoder()(
        input_ids=ids,
        attention_mask=attention,
        position_ids=(attention.cumsum(1) - 1).clamp_min(0),
        use_cache=False,
    ).last_hidden_state[row, place]  # [K, D], K the completion tokens of all rows
    targets = ids[row, place + 1]
    scale = torch.tensor([t if t > 0 else 1.0 for t in temperatures], dtype=torch.float64).to(device)[row]
    head = model.get_output_embeddings()
    size = max(1, chunk_elements // model.config.vocab_size)
    scored = [
        _score(head, hidden[k : k + size], targets[k : k + size], scale[k : k + size], len(targets) > size)
        for k in range(0, len(targets), size)
    ]
    mask = torch.zeros((len(totals), max(lengths)), device=device, dtype=scored[0][0].dtype)
    for i, length in enumerate(lengths):
        mask[i, :length] = 1.0
    inside = mask.bool()
    logprobs = torch.zeros_like(mask).masked_scatter(inside, torch.cat([pair[0] for pair in scored]))
    entropy = torch.zeros_like(mask).masked_scatter(inside, torch.cat([pair[1] for pair in scored]))
    return logprobs, mask, entropy


def _score(
    head: Any, hidden: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor, recompute: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability and entropy at each position ``[K]``; with ``recompute`` the backward pass makes logits anew."""

    def run(hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = head(hidden)
        # Half precision would round log-probabilities to 1 %; what is finer stays as it is.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        logits = logits / scale[:, None].to(logits.dtype)
        normaliser = logits.logsumexp(-1)
        chosen = logits.gather(-1, targets[:, None])[:, 0] - normaliser
        with torch.no_grad():
            logs = logits - normaliser[:, None]
            entropy = -(logs.exp() * logs).sum(-1)
        return chosen, entropy

    if recompute and torch.is_grad_enabled():
        pair: tuple[torch.Tensor, torch.Tensor] = checkpoint(run, hidden, use_reentrant=False)
        return pair
    return run(hidden)
