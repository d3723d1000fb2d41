"""In which order tasks are learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codeduet.agents import derive_seed


def batch_of(tasks: Sequence[str], step: int, size: int, seed: int) -> list[str]:
    """Return the ``size`` tasks of a step: each epoch is a shuffle of its own, and batches go across its end."""
    order: list[str] = []
    for position in range(step * size, (step + 1) * size):
        epoch, index = divmod(position, len(tasks))
        shuffle = np.random.default_rng(derive_seed(seed, "epoch", epoch))
        order.append(tasks[int(shuffle.permutation(len(tasks))[index])])
    return order


def refill_of(tasks: Sequence[str], step: int, refill: int, size: int, seed: int) -> list[str]:
    """Return ``size`` tasks, each once as far as there are as many, to play in place of groups that are not kept."""
    order = np.random.default_rng(derive_seed(seed, "refill", step, refill)).permutation(len(tasks))
    return [tasks[int(order[i % len(tasks)])] for i in range(size)]
