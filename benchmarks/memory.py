"""The memory plan of a training that is not begun: with its model loaded, or, for a GPU that is not here, of its shape.

The latter is chosen as the former is (:mod:`codeduet.algorithms.memory`), from figures computed instead of measured.
"""

from __future__ import annotations

import contextlib
import gc

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.console import Console

from codeduet.agents.engine import engine_class
from codeduet.algorithms import make_trainer
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.memory import (
    GIB,
    STATES,
    Kept,
    MemoryPlan,
    choose,
    chunk_bytes,
    generating_bytes,
    give_back,
)
from codeduet.config import STRICT
from codeduet.envs import InputError
from codeduet.envs.roles import policies_of

_HALF, _SINGLE = 2, 4
"""Bytes of a bfloat16 and of a float32 number."""

_KEPT_PER_HIDDEN, _KEPT_PER_FEED_FORWARD = 21, 8
"""Bytes of a token a layer keeps for the backward pass, for each of its hidden and of its feed-forward width, as measured on
layers of several shapes.

Feed-forward: gate, up, the gate's activation, and the product of both, of two bytes each. Hidden: the inputs of query, of the
output and of the gate, with what stands between, in two bytes; and what the two norms compute in float32.
"""

_CUDA_GIB = 1.0
"""CUDA's context and kernels, and what its allocator holds in pieces too small to use; an allowance, not computed."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Shape:
    """The shape of a Qwen2 model with tied embeddings.

    Attributes:
        hidden: width.
        layers: depth.
        heads: attention heads.
        kv_heads: heads of keys and values.
        feed_forward: width of the feed-forward layers.
        vocabulary: token ids.
    """

    hidden: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    feed_forward: int = Field(gt=0)
    vocabulary: int = Field(gt=0)

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Widths in and out of a layer's linear maps: query, key, value, output, gate, up, down."""
        keys = self.hidden // self.heads * self.kv_heads
        wide = self.feed_forward
        return [(self.hidden, out) for out in (self.hidden, keys, keys, self.hidden, wide, wide)] + [
            (wide, self.hidden)
        ]

    @property
    def weights(self) -> int:
        """Number of weights; biases and norms, a few per mille, are left out."""
        return self.vocabulary * self.hidden + self.layers * sum(a * b for a, b in self.matrices)

    def adapter_weights(self, rank: int) -> int:
        """Number of weights of a LoRA adapter on all linear maps."""
        return self.layers * sum(rank * (a + b) for a, b in self.matrices)

    @property
    def cache_bytes(self) -> int:
        """Bytes of keys and values a token takes in bfloat16."""
        return 2 * self.layers * (self.hidden // self.heads * self.kv_heads) * _HALF

    @property
    def kept(self) -> Kept:
        """Bytes a token of a micro-batch takes, about."""
        layer = _KEPT_PER_HIDDEN * self.hidden + _KEPT_PER_FEED_FORWARD * self.feed_forward
        read = 2 * self.hidden * _HALF  # keys and values, repeated for all heads
        inputs = self.layers * self.hidden * _HALF + self.cache_bytes
        return Kept(self.layers * layer, self.layers * read, self.layers, inputs, self.cache_bytes)


def shape_plan(config: TrainConfig, shape: Shape, gpu_gib: float) -> MemoryPlan:
    """Return the plan of a training of adapters in bfloat16, on a GPU that holds nothing else.

    Args:
        config: the run; what it does not say of its longest sequence is taken to be 2,048 tokens.
        shape: of the base.
        gpu_gib: memory of the GPU.

    Raises:
        InputError: it does not fit; the settings that would are named.
    """
    team, longest = config.team, config.team.context or 2048
    weights = shape.weights * _HALF / GIB
    adapters = len(set(policies_of(config.roles).values())) * shape.adapter_weights(team.lora_rank) * _SINGLE / GIB
    generating = generating_bytes(config, longest, shape.cache_bytes, shape.vocabulary) / GIB
    if engine_class(team.engine).weights == "own":  # and a cache; it sleeps while the learner works
        generating = team.gpu_share * gpu_gib
        tokens = int((generating - weights) * GIB / shape.cache_bytes)
        if tokens < longest:
            raise InputError(
                f"the engine's {generating:.1f} GiB hold {weights:.1f} of weights and {max(tokens, 0)} tokens of cache, where one "
                f"sequence has {longest}: raise team.gpu_share, or lower team.context"
            )
    bare = MemoryPlan(
        cap=config.optim.memory_gib or gpu_gib,
        held=weights + adapters + _CUDA_GIB,
        trained=adapters * STATES,
        generating=generating,
        learning=0.0,
        tokens=0,
        recompute=False,
    )
    return choose(
        config,
        bare,
        kept=shape.kept,
        fixed=chunk_bytes(shape.vocabulary, shape.hidden, "cuda"),
        longest=longest,
        device="cuda",
    )


def loaded_plan(config: TrainConfig, console: Console) -> MemoryPlan:
    """Return the plan of a training as it will be begun: its model is loaded for it, and let go of again.

    Raises:
        InputError: it cannot be begun, or does not fit; the settings that would are named.
    """
    trainer = make_trainer(config, console=console)
    with contextlib.closing(trainer.engine):
        found = trainer.plan
    del trainer
    gc.collect()
    give_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found
