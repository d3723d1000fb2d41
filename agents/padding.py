"""Rows of unequal length as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

Side = Literal["left", "right"]


def pad(rows: Sequence[Sequence[int]], side: Side, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask ``[N, L]`` of N rows padded to the longest.

    The mask is made from lengths, never from ids: a padding id may be a real token elsewhere.
    """
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        start = longest - len(row) if side == "left" else 0
        ids[i, start : start + len(row)] = torch.tensor(row)
        mask[i, start : start + len(row)] = 1
    return ids.to(device), mask.to(device)


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Return each token's position ``[N, L]`` in its row, wherever the padding stands."""
    return (mask.cumsum(1) - 1).clamp_min(0)
