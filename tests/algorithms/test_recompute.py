"""Layers that are computed again: the same log-probabilities and gradient, and little kept in between."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codeduet.agents import network
from codeduet.agents.models import adapt
from codeduet.agents.random_model import random_model
from codeduet.agents.self_test import Paths, remember
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.memory import saved_bytes
from codeduet.algorithms.recompute import recomputed

PROMPTS = [[5, 6, 7], [5, 6, 7], [9, 8, 7, 6, 5, 4], [3]]
COMPLETIONS = [[1, 2, 3, 4], [4, 3], [7], [2, 9, 2]]
TEMPERATURES = [0.8, 1.0, 0.5, 1.3]


@pytest.fixture
def model() -> Any:
    """Two layers with an adapter that is not zero."""
    made, _ = random_model(layers=2)
    adapted = adapt(made, ["main_0"], 2, 4, 0, "model")
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return adapted.get_base_model()


def scored(model: Any, **options: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Log-probabilities, and the gradient of a sum that weighs them unequally."""
    model.zero_grad(set_to_none=True)
    logprobs, mask = completion_logprobs(model, PROMPTS, COMPLETIONS, TEMPERATURES, **options)
    weights = torch.arange(1, mask.numel() + 1, dtype=logprobs.dtype).view_as(mask)
    (logprobs * weights * mask).sum().backward()
    return logprobs.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "way",
    [
        Paths("right", "fused"),
        Paths("left", "fused"),
        Paths("left", "own"),
        Paths("repeated", "fused"),
        Paths("repeated", "whole"),
    ],
)
def test_it_changes_neither_log_probabilities_nor_gradient(model: Any, way: Paths) -> None:
    remember(model, way)
    kept, gradient = scored(model)
    again, same = scored(model, recompute=True)
    assert torch.equal(again, kept)
    assert len(gradient) > 20
    assert gradient.keys() == same.keys()
    for name, value in gradient.items():
        assert torch.allclose(value, same[name], rtol=1e-5, atol=1e-7), name
    assert max(float(value.abs().max()) for value in gradient.values()) > 0.01


def test_every_layer_is_computed_again_and_only_its_input_kept(model: Any) -> None:
    calls = []
    layers = network.layers_of(model)
    assert len(layers) == 2
    for k, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda module, inputs, k=k: calls.append(k))
        inner = layer.mlp.forward
        layer.mlp.forward = lambda *a, k=k, inner=inner: calls.append(10 + k) or inner(*a)

    def kept(**options: Any) -> int:
        """Bytes that autograd saves, but for weights."""
        return saved_bytes(model, lambda: completion_logprobs(model, PROMPTS, COMPLETIONS, TEMPERATURES, **options))

    assert kept(recompute=True) < 0.3 * kept()
    calls.clear()
    scored(model, recompute=True)
    # A pass over the prompts and one over the completions; the backward pass goes through both once more.
    assert [calls.count(10), calls.count(11)] == [4, 4]
    calls.clear()
    scored(model)
    assert [calls.count(10), calls.count(11)] == [2, 2]


def test_the_model_is_left_as_it_was(model: Any) -> None:
    layer = network.layers_of(model)[0]
    with pytest.raises(RuntimeError, match="midway"), recomputed(model):  # noqa: PT012
        assert "forward" in vars(layer)
        raise RuntimeError("midway")
    assert "forward" not in vars(layer)
