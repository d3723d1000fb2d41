"""Weights laid out once for the products of a generation, on a CPU: those in bfloat16, and in float32 the head of a small model.

Plain products lay a matrix out anew at every token: of a 0.5B's step of 16 rows that is nearly half of their time, and a head of
32,768 x 64 in float32 takes 0.6 ms for four rows in place of 0.24. The layout is oneDNN's own, reached by operators that torch
keeps for its compiler; where they are missing, or give other results, products stay plain. While a generation runs the weights are
held twice; learning, which holds more, finds them as they were.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

_LEAST_TOKENS = 4
"""Tokens a row from which laying out is worth it: it takes about as long as two steps."""

_HEAD_IN_FLOAT32 = range(2**20, 2**24)
"""Weights of a head in float32 that pays: smaller ones are as fast as they are, larger ones would take as much memory again."""


@contextlib.contextmanager
def packed(model: Any, tokens: int) -> Iterator[None]:
    """Within it, linear layers of a model compute by packed weights where that is possible and pays.

    Args:
        model: a causal language model; no gradient may be taken of it meanwhile.
        tokens: that will be generated, a row.
    """
    layers = _layers(model) if tokens >= _LEAST_TOKENS else []
    for layer in layers:
        layer.forward = functools.partial(_product, _pack(layer.weight.detach()), layer.bias)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def packed_bytes(model: Any) -> int:
    """Return the bytes that packed weights take beside the plain ones."""
    return sum(layer.weight.nbytes for layer in _layers(model))


def _layers(model: Any) -> list[nn.Linear]:
    if not usable():
        return []
    head = model.get_output_embeddings()
    return [module for module in model.modules() if type(module) is nn.Linear and _fits(module, head=module is head)]


def _fits(module: nn.Linear, *, head: bool) -> bool:
    weight = module.weight
    small_head = head and weight.dtype == torch.float32 and weight.numel() in _HEAD_IN_FLOAT32
    pays = weight.dtype == torch.bfloat16 or small_head
    return pays and weight.device.type == "cpu" and "forward" not in vars(module)


@functools.cache
def usable() -> bool:
    """Tell whether this torch has the operators and a CPU for which they compute what plain products do."""
    return _right(torch.bfloat16, rtol=0.02, atol=1e-8) and _right(torch.float32, rtol=1e-5, atol=1e-5)


def _right(kind: torch.dtype, *, rtol: float, atol: float) -> bool:
    x, weight, bias = (torch.randn(*size).to(kind) for size in ((3, 64), (96, 64), (96,)))
    try:
        with torch.inference_mode():
            plain = nn.functional.linear(x, weight, bias)
            return torch.allclose(_product(_pack(weight), bias, x), plain, rtol=rtol, atol=atol)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def _pack(weight: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, 16)
    return made


def _product(weight: torch.Tensor, bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out
