"""CUDA graphs: what launches thousands of small kernels, recorded once and replayed.

Launching a token's kernels from Python takes ten times as long as a GPU needs to run them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


class Recorded:
    """A function of a tensor that runs on a GPU as a graph from the second call on, and elsewhere as it is.

    Args:
        run: reads and writes tensors that stay where they are, and depends on nothing else that changes.
    """

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._run = run
        self._ready = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        """Return the result for ``given``, of the same shape in every call; a graph's is overwritten by the next."""
        if given.device.type != "cuda" or not self._ready:
            self._ready = True  # this run makes what recording may not: handles, workspaces
            return self._run(given)
        if self._graph is None:
            self._given = given.clone()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = self._run(self._given)
        else:
            self._given.copy_(given)
        self._graph.replay()
        return self._result

    def forget(self) -> None:
        """Record anew: tensors have moved."""
        self._ready, self._graph = False, None
