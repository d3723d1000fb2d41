"""CUDA graphs: what launches thousands of small kernels, recorded once and replayed.

Launching a token's kernels from Python takes about eight times as long as a GPU needs to run them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


class Recorded:
    """Runs a function of a tensor on a GPU as a graph from the second call on, and elsewhere as it is."""

    def __init__(self) -> None:
        self._ready = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, run: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor) -> torch.Tensor:
        """Return ``run(given)``; a graph's result is overwritten by the next.

        Args:
            run: the same in every call. It reads and writes tensors that stay where they are, and depends on nothing else
                that changes. It is not held, so that its owner can hold this.
            given: of the same shape in every call.
        """
        if given.device.type != "cuda" or not self._ready:
            self._ready = True  # this run makes what recording may not: handles, workspaces
            return run(given)
        if self._graph is None:
            self._given = given.clone()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = run(self._given)
        else:
            self._given.copy_(given)
        self._graph.replay()
        return self._result

    def forget(self) -> None:
        """Record anew: tensors have moved."""
        self._ready, self._graph = False, None
