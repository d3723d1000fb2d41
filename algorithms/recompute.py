"""Gradient checkpointing that keeps a shared prompt: layers are computed again in the backward pass.

Between the passes only each layer's input is kept, with the prompts' keys and values, instead of everything inside the
layers, of which an adapter's copies of its inputs in float32 are the largest part. The price is one more forward pass
through the layers.

transformers' own checkpointing works in train mode only, and drops the cache that carries the prompts: a layer that writes
to a cache would write twice. The caches of :mod:`codeduet.agents.kv_cache` bear it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from torch.utils.checkpoint import checkpoint

from codeduet.agents.network import layers_of


@contextlib.contextmanager
def recomputed(model: Any) -> Iterator[None]:
    """Within it, a model's forward pass keeps of each layer its input only; its backward pass may come later.

    The backward pass must find the model as it was: the same adapter active, the same weights.
    """
    layers = layers_of(model)
    before = [vars(layer).get("forward") for layer in layers]  # hooks of accelerate stand there
    for layer in layers:
        layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            if own is None:
                del layer.forward
            else:
                layer.forward = own
