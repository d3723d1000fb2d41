"""Completions to learn from, and what is read off many of them as tensors: shapes are ``[N, L]``, as of :class:`LossBatch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sample:
    """One completion to learn from.

    Attributes:
        prompt_ids: `[P]`.
        completion_ids: `[L]`, EOS included.
        sampled_logprobs: `[L]` as the engine gave them; empty if it gave none.
        advantage: its credit: one number, or one a token.
        temperature: what it was sampled at.
        agent: who wrote it.
        turn: its agent's how-manieth it is, from 0.
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    sampled_logprobs: tuple[float, ...]
    advantage: float | Sequence[float]
    temperature: float
    agent: str = ""
    turn: int = 0


def has_logprobs(sample: Sample) -> bool:
    """Tell whether the engine gave the log-probability of each token."""
    return len(sample.sampled_logprobs) == len(sample.completion_ids)


def padded_tokens(batch: Sequence[Sample], shared: bool) -> int:
    """Return the tokens a forward pass computes: each different prompt, or one a completion, and completions, padded."""
    prompts = {sample.prompt_ids for sample in batch}
    count = len(prompts) if shared else len(batch)
    return count * max(map(len, prompts)) + len(batch) * max(len(s.completion_ids) for s in batch)


def advantages_of(batch: Sequence[Sample], mask: torch.Tensor) -> torch.Tensor:
    """Return advantages ``[N, L]``."""
    if all(isinstance(sample.advantage, int | float) for sample in batch):
        of_rows = torch.tensor([sample.advantage for sample in batch], device=mask.device, dtype=mask.dtype)
        return of_rows[:, None].expand(mask.shape)
    rows = torch.zeros(mask.shape, dtype=mask.dtype)
    for i, sample in enumerate(batch):
        rows[i, : len(sample.completion_ids)] = torch.tensor(sample.advantage, dtype=mask.dtype)
    return rows.to(mask.device)


def sampled_logprobs(batch: Sequence[Sample], mask: torch.Tensor) -> torch.Tensor:
    """Return the engine's log-probabilities ``[N, L]``."""
    rows = torch.zeros(mask.shape, dtype=mask.dtype)
    for i, sample in enumerate(batch):
        rows[i, : len(sample.sampled_logprobs)] = torch.tensor(sample.sampled_logprobs)
    return rows.to(mask.device)
