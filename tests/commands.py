"""The command line in a process of its own that has its imports already: a signal test starts many."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["codeduet.algorithms", "codeduet.benchmarks.reproduce", "peft", "transformers.models.qwen2.modeling_qwen2"]
)


def start(words: Sequence[str], told: Path) -> BaseProcess:
    """Start ``codeduet *words``; what it says is ``told.out`` and ``told.err``."""
    process = _FORKS.Process(target=_run, args=(list(words), str(told)))
    process.start()
    return process


def _run(words: list[str], told: str) -> None:
    for name, stream in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{told}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    import torch

    from codeduet.cli import main

    torch.set_num_threads(1)
    main(words)
