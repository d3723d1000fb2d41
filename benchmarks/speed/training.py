"""Take as many steps of a training as the time allows, go on where the last run ended, and hand adapters out in small files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from codeduet.agents.policy import Policy
from codeduet.agents.steps import Group
from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.metrics import peak_memory_mib
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.training import make_trainer
from codeduet.benchmarks.speed.ceilings import forget_peak

SHARD_BYTES = 12 * 2**20
"""Of a file of adapter weights, at most, so that it can be sent where files are small."""

_TOLD = ("reward", "solved", "syntax", "tests", "helper_called")
"""Metrics of the first and the last step that are told."""


class For(Callback):
    """Ends a training so that it takes about so many seconds, one step at least; keeps the metrics of its steps."""

    def __init__(self, seconds: float) -> None:
        self.rows: list[dict[str, float]] = []
        self._ends = time.perf_counter() + seconds
        self._longest = 0.0

    def begin(self, trainer: Trainer) -> None:
        """Begin to count."""
        self._started = time.perf_counter()
        trainer.ends = self._ends

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        """Keep a step's metrics; stop where another would take too long."""
        now = time.perf_counter()
        self.rows.append(dict(metrics))
        self._longest = max(self._longest, now - self._started)
        self._started = now
        trainer.stop = now + self._longest >= self._ends


def train_for(config: TrainConfig, seconds: float, console: Console) -> tuple[Trainer, dict[str, Any]]:
    """Train for about ``seconds``, one step at least, and save; a run folder that holds a run is continued.

    Returns:
        The trainer, and medians over this call's steps: seconds of the halves, tokens a second, the peak of memory beside
        the plan's total.
    """
    limit = For(seconds)
    forget_peak()
    trainer = make_trainer(config, console=console, callbacks=[limit])
    trainer.open(resume=Path(config.out).is_dir())
    trainer.train()
    return trainer, _summary(trainer, limit.rows)


def _summary(trainer: Trainer, rows: list[dict[str, float]]) -> dict[str, Any]:
    steady = rows[1:] or rows  # the first compiles and fills caches
    halves = {half: statistics.median(row[f"seconds/{half}"] for row in steady) for half in ("rollout", "learn")}
    peak = peak_memory_mib() / 1024
    return {
        "step": trainer.step,
        "steps_now": len(rows),
        "seconds": {half: round(value, 3) for half, value in halves.items()},
        "generated_tokens_per_second": round(statistics.median(row["tokens_per_second"] for row in steady), 1),
        "plan_gib": round(trainer.plan.total, 3),
        "peak_gib": round(peak, 3),
        "peak_over_plan": round(peak / trainer.plan.total, 3),
        "micro_batch_tokens": trainer.plan.tokens,
        "recompute": trainer.plan.recompute,
        "first": {name: rows[0][name] for name in _TOLD if name in rows[0]},
        "last": {name: rows[-1][name] for name in _TOLD if name in rows[-1]},
    }


def write_shards(policy: Policy, folder: Path) -> list[Path]:
    """Write a policy's adapter in bfloat16, in files of at most :data:`SHARD_BYTES`, and return them."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(policy.model, adapter_name=policy.adapter, save_embedding_layers=False)
    parts: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in weights.items():
        made = tensor.detach().to("cpu", torch.bfloat16).contiguous()
        if parts[-1] and size + made.nbytes > SHARD_BYTES:
            parts.append({})
            size = 0
        parts[-1][name] = made
        size += made.nbytes
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{policy.name}-{i + 1}-of-{len(parts)}.safetensors" for i in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        save_file(part, file)
    return files
