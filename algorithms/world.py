"""The processes that learn together: whole groups are shared out, sums go over all of them, and weights stay equal.

One process is a world of its own, in which all of this does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")


class World:
    """The processes of ``torch.distributed``, if it is initialised; else this one alone.

    Attributes:
        rank: number of this process.
        size: how many there are.
    """

    def __init__(self) -> None:
        together = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if together else 0
        self.size = distributed.get_world_size() if together else 1

    def shard(self, groups: Sequence[T]) -> list[T]:
        """Return the groups that this process learns from: whole ones, so that each finds its siblings."""
        return list(groups[self.rank :: self.size])

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Return each number's sum over all processes."""
        if self.size == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64)
        distributed.all_reduce(together)
        return list(together.tolist())

    def any(self, flag: bool) -> bool:
        """Tell whether it is so in any process: what all of them do together is decided by that."""
        return self.sum([float(flag)])[0] > 0

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes; a parameter that has one anywhere has it everywhere."""
        if self.size == 1:
            return
        for parameter in parameters:
            if self.any(parameter.grad is not None):
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                distributed.all_reduce(parameter.grad)
