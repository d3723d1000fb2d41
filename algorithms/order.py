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
