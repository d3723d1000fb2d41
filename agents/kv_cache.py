"""Caches of keys and values: two with room to grow, for decoding, and one of prompts that rows share, for scoring.

The cache of transformers is concatenated anew at every token, in every layer, which at large batches copies more bytes
than the model itself reads; in :func:`roomy_cache` a token is written in place, and in :class:`FixedCache` at a place that
is a number on the device, so that one CUDA graph serves every token. In scoring, gradients flow through the
prompts' keys and values, and layers may be computed twice (:mod:`codeduet.algorithms.recompute`): a pass through
:class:`PromptCache` writes nothing that its repetition reads.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


def roomy_cache(room: int) -> Cache:
    """Return an empty cache that grows without copying until it is ``room`` tokens longer than what came first."""
    return Cache(layer_class_to_replicate=partial(_RoomyLayer, room))


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values ``[B, H, S, D]`` are views of the first S places of larger tensors."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self._stored: list[torch.Tensor] = []

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if not before:
            self.keys, self.values = key_states, value_states
        else:
            if not self._stored or after > self._stored[0].shape[-2]:
                self._stored = [self._with_room(self.keys), self._with_room(self.values)]
            for stored, new in zip(self._stored, (key_states, value_states), strict=True):
                stored[..., before:after, :] = new
            self.keys, self.values = (stored[..., :after, :] for stored in self._stored)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows ``indices``."""
        self._stored = []
        super().batch_select_indices(indices)

    def _with_room(self, states: torch.Tensor) -> torch.Tensor:
        batch, heads, length, size = states.shape
        made = states.new_empty(batch, heads, length + self.room, size)
        made[..., :length, :] = states
        return made


class FixedCache(Cache):  # type: ignore[misc]
    """Keys and values that fill tensors of ``size`` tokens: all of a token's pass but its place is the same at every token.

    Args:
        size: tokens of a row, at most.
        place: ``[1]`` where the next token is written; the owner counts it on.
    """

    def __init__(self, size: int, place: torch.Tensor) -> None:
        super().__init__(layer_class_to_replicate=partial(_FixedLayer, size, place))


class _FixedLayer(DynamicLayer):  # type: ignore[misc]
    """Returns all places after the first pass; a mask says which are written."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, size: int, place: torch.Tensor) -> None:
        super().__init__()
        self._size, self._place = size, place

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        if self.is_initialized:
            for stored, new in ((self.keys, key_states), (self.values, value_states)):
                stored.index_copy_(2, self._place, new)
            return self.keys, self.values
        self.lazy_initialization(key_states, value_states)
        self.keys, self.values = self._filled(key_states), self._filled(value_states)
        return key_states, value_states

    def get_seq_length(self) -> int:
        """Return 0 before the first pass; afterwards no number that Python knows is right.

        Raises:
            ValueError: then; a model that asks cannot be decoded so.
        """
        if self.is_initialized:
            raise ValueError("the length of a fixed cache is on its device")
        return 0

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows ``indices``."""
        self.keys, self.values = self.keys[indices], self.values[indices]

    def _filled(self, states: torch.Tensor) -> torch.Tensor:
        batch, heads, length, width = states.shape
        made = states.new_zeros(batch, heads, self._size, width)
        made[..., :length, :] = states
        return made


class PromptCache(Cache):  # type: ignore[misc]
    """Keys and values ``[U, H, P, D]`` of prompts, as their pass wrote them."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=_Written)

    def continued(self, rows: torch.Tensor) -> Cache:
        """Return the cache that completions of the prompts ``rows`` ``[N]`` continue, gradient included."""
        return Cache(
            layers=[_Read(take_rows(layer.keys, rows), take_rows(layer.values, rows)) for layer in self.layers]
        )


def take_rows(states: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return ``states[rows]``, where rows may be named several times, with a gradient that is always summed in one order.

    On a CPU threads add to indexed rows in whichever order they come, so that two runs part by rounding; on a GPU those of
    ``index_select`` do.
    """
    return states.index_select(0, rows) if states.device.type == "cpu" else states[rows]


class _Written(DynamicLayer):  # type: ignore[misc]
    """Keeps what a first pass writes; a second one computes the same."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        return key_states, value_states


class _Read(DynamicLayer):  # type: ignore[misc]
    """Stands before what each pass computes, and does not change."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        return torch.cat([self.keys, key_states], -2), torch.cat([self.values, value_states], -2)
