"""Whether an error says that memory ran out: each allocator says it in words of its own."""

from __future__ import annotations

import re

import torch

_WORDS = re.compile(
    r"out of memory|(?:can't|cannot|failed to|unable to) allocate|not enough memory|alloc_failed|bad_alloc",
    re.IGNORECASE,
)
"""Of CUDA, ROCm and Macs; of a CPU's allocator on Linux, on a Mac and on Windows; of cuBLAS and cuDNN; of C++."""

ERRORS = (RuntimeError, MemoryError)
"""The classes among which such errors are: torch's own of a GPU is a ``RuntimeError`` too."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on a GPU or on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and _WORDS.search(str(error)) is not None
