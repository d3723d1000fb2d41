"""What a table with a real model needs of a GPU, computed from the model's shape before anything is loaded."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from codeduet.algorithms.config import STRICT, OptimConfig, TeamConfig
from codeduet.algorithms.memory import MOST_TOKENS

GIB = 2**30
_HALF, _SINGLE = 2, 4
"""Bytes of a bfloat16 and of a float32 number."""

_KEPT_PER_HIDDEN, _KEPT_PER_FEED_FORWARD = 24, 8
"""Bytes of a token a layer keeps for the backward pass, for each of its hidden and of its feed-forward width, as measured on
layers of several shapes.

Feed-forward: gate, up, the gate's activation, and the product of both, of two bytes each. Hidden: the inputs of query, of the
output and of the gate, with what stands between, in two bytes; what the two norms compute in float32; and a prompt's keys and
values, repeated beside each completion, where both are about as long.
"""

_LOGITS_GIB = 0.5
"""A chunk of logits in float32, with what else it takes (see ``logprobs.CHUNK_ELEMENTS``)."""

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
    def kept_bytes(self) -> int:
        """Bytes a token of a micro-batch keeps for the backward pass, about."""
        return self.layers * (_KEPT_PER_HIDDEN * self.hidden + _KEPT_PER_FEED_FORWARD * self.feed_forward)


class MemoryPlan(NamedTuple):
    """GiB on one GPU.

    Attributes:
        weights: the base in bfloat16, which the learner holds.
        adapters: weights, gradients and AdamW's moments of all adapters, in float32.
        engine: the engine's own copy of the base and its cache; with transformers the cache alone.
        cache_tokens: tokens of keys and values the engine has room for.
        learning: what a micro-batch and its logits take.
        cuda: an allowance for what is nobody's tensor.
        generating_peak: all that is held while generating.
        learning_peak: all that is held while learning; vLLM sleeps then and holds nothing.
    """

    weights: float
    adapters: float
    engine: float
    cache_tokens: int
    learning: float
    cuda: float
    generating_peak: float
    learning_peak: float

    @property
    def peak(self) -> float:
        """The most held at any time."""
        return max(self.generating_peak, self.learning_peak)


def memory_plan(shape: Shape, team: TeamConfig, optim: OptimConfig, gpu_gib: float, tokens: int) -> MemoryPlan:
    """Return what a team of adapters needs.

    Args:
        shape: of the base.
        team: agents, engine, rank and batch size.
        optim: the size of a micro-batch.
        gpu_gib: memory of the GPU.
        tokens: of a prompt and its completion, at most.
    """
    weights = shape.weights * _HALF / GIB
    # A number, its gradient and two moments.
    adapters = len(team.agents) * shape.adapter_weights(team.lora_rank) * 4 * _SINGLE / GIB
    most = optim.micro_batch_tokens if optim.micro_batch_tokens != "auto" else MOST_TOKENS["cuda"]
    learning = most * shape.kept_bytes / GIB + _LOGITS_GIB
    if team.engine == "vllm":
        engine = team.gpu_share * gpu_gib
        cache_tokens = int((engine - weights) * GIB / shape.cache_bytes)
    else:
        cache_tokens = team.batch_size * tokens
        engine = cache_tokens * shape.cache_bytes / GIB
    held = weights + adapters + _CUDA_GIB
    return MemoryPlan(
        weights, adapters, engine, max(cache_tokens, 0), learning, _CUDA_GIB, held + engine, held + learning
    )
