"""Settings of other libraries that suit a command line, and not those who use the package as a library."""

from __future__ import annotations

import logging
import os

_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
"""Caches of oneDNN's kernels on a CPU, of 1,024 entries each unless told otherwise. Every micro-batch has shapes of its own:
six layers of a 0.5B grew by 120 MiB a step. With 64 they do not grow, and a step takes no longer."""


def limit_caches() -> None:
    """Keep oneDNN from keeping kernels that never come again; it reads these when torch is imported."""
    for name in _CACHES:
        os.environ.setdefault(name, "64")


def quieten() -> None:
    """Silence transformers' progress bars and advice."""
    from transformers.utils import logging as of_transformers

    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # every retry of a hub that is not there
