"""Draw tokens: one for each row, and on to the end of all rows.

Shapes: B rows, V vocabulary, T tokens that may be added.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TypeAlias

import torch

from codeduet.agents.engine import Sampling
from codeduet.agents.models import finest_dtype
from codeduet.agents.network import Decoder

_BLOCK = 128
"""Tokens whose probabilities are summed together; it divides the usual vocabularies."""

_KEEP_SHARE, _KEEP_SHARE_GPU = 0.75, 0.5
"""Finished rows are dropped once so few are left: dropping copies the cache, keeping decodes for nothing. A GPU hardly notices
rows, and records its graphs anew for another number of them."""

Drawn: TypeAlias = tuple[list[int], list[int], list[float]]
"""Of a step: rows, by their numbers at the start, and the token and log-probability of each."""


def decode(decoder: Decoder, draws: torch.Tensor, sampling: Sampling) -> Generator[Drawn, list[bool], None]:
    """Sample the rows of a decoder to the end of ``draws``: yield what each step drew, and be sent which rows go on.

    On a GPU the next token of all rows is on its way when a step is yielded; of those that end it is not looked at.

    Args:
        decoder: behind its prompts.
        draws: ``[B, T]`` uniform in [0, 1).
        sampling: how.

    Raises:
        FloatingPointError: logits are not finite.
    """
    alive = list(range(len(draws)))  # rows still in the batch, some of them finished
    on_gpu = draws.device.type == "cuda"
    share = _KEEP_SHARE_GPU if on_gpu else _KEEP_SHARE
    for step in range(draws.shape[1]):
        tokens, logprobs = sample(decoder.logits, draws[:, step], sampling)
        told = _OnItsWay(tokens, logprobs)
        last = step + 1 == draws.shape[1]
        ahead = on_gpu and not last
        if ahead:
            decoder.step(tokens)
        goes_on = yield alive, *told.there()
        if last:
            return
        keep = [k for k, row in enumerate(alive) if goes_on[row]]
        if len(keep) <= share * len(alive):
            kept = torch.tensor(keep, device=draws.device)
            tokens, draws = tokens[kept], draws[kept]
            decoder.keep(kept)
            alive = [alive[k] for k in keep]
        if not ahead:
            decoder.step(tokens)


class _OnItsWay:
    """Tokens and log-probabilities ``[B]`` that leave the device while it goes on."""

    def __init__(self, tokens: torch.Tensor, logprobs: torch.Tensor) -> None:
        self._arrival: torch.cuda.Event | None = None
        self._tokens, self._logprobs = tokens, logprobs
        if tokens.device.type == "cuda":
            self._tokens, self._logprobs = (
                torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(t, non_blocking=True)
                for t in (tokens, logprobs)
            )
            self._arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrival.record()

    def there(self) -> tuple[list[int], list[float]]:
        """Wait for them."""
        if self._arrival is not None:
            self._arrival.synchronize()
        logprobs = self._logprobs.tolist()
        if not all(map(math.isfinite, logprobs)):
            raise FloatingPointError(
                "a policy's logits are not finite: its training diverged, or the temperature is too small"
            )
        return self._tokens.tolist(), logprobs


def sample(
    logits: torch.Tensor,  # [B, V]
    draws: torch.Tensor,  # [B] uniform in [0, 1)
    sampling: Sampling,
) -> tuple[torch.Tensor, torch.Tensor]:  # [B] ids, [B] log-probabilities
    """Draw one token a row by inverting the cumulative distribution at ``draws``.

    Where logits are not finite, neither is the log-probability.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, torch.zeros_like(logits[:, 0])
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    logits = truncate(logits, sampling)
    top = logits.amax(-1, keepdim=True)
    weights = (logits - top).exp_()
    if weights.shape[-1] % _BLOCK:
        weights = torch.nn.functional.pad(weights, (0, -weights.shape[-1] % _BLOCK))
    # Summed block by block, so that only one block of each row is gone through token by token. In float64 where there is
    # one: a float32 sum over 150,000 tokens drifts by more than the rarest of them weighs.
    fine = finest_dtype(weights.device)
    blocks = weights.view(len(weights), -1, _BLOCK)
    sums = blocks.sum(-1, dtype=fine).cumsum(-1)  # [B, V / block]
    goal = _below(draws[:, None] * sums[:, -1:], sums[:, -1:])
    block = torch.searchsorted(sums, goal, right=True).clamp_max(sums.shape[-1] - 1)  # [B, 1]; NaN is beyond the end
    inside = blocks[torch.arange(len(blocks), device=blocks.device), block[:, 0]].cumsum(-1, dtype=fine)
    goal = _below(goal - (sums.gather(-1, block) - inside[:, -1:]), inside[:, -1:])
    tokens = (block * _BLOCK + torch.searchsorted(inside, goal, right=True)).clamp_max(logits.shape[-1] - 1)
    logprobs = logits.gather(-1, tokens) - top - sums[:, -1:].log()
    return tokens[:, 0], logprobs[:, 0].float()


def _below(goal: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Return ``goal`` in [0, ``end``): outside, where rounding may carry it, a token of no weight would be drawn."""
    return goal.clamp_min(0.0).minimum(torch.nextafter(end, torch.zeros_like(end)))


def truncate(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Set what ``top_k`` and ``top_p`` leave out of ``logits`` ``[B, V]`` to minus infinity."""
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, -1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if sampling.top_p < 1.0:
        ordered, order = logits.sort(-1, descending=True)
        probabilities = ordered.softmax(-1)
        # The token that crosses the threshold stays, so at least one does.
        out = probabilities.cumsum(-1) - probabilities >= sampling.top_p
        logits = logits.masked_fill(torch.zeros_like(out).scatter(-1, order, out), -torch.inf)
    return logits
