"""Weights laid out for a generation give what plain products give, and leave the model as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from codeduet.agents import Request, Sampling, packed
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.agents.team import Team

needs_operators = pytest.mark.skipif(not packed.usable(), reason="this CPU or torch has no packed products")


def frozen(dtype: torch.dtype = torch.bfloat16) -> Any:
    model, _ = random_model(hidden=64, layers=2)
    return model.to(dtype).requires_grad_(False)


@needs_operators
def test_a_packed_model_computes_the_same_and_is_plain_again_afterwards() -> None:
    model = frozen()
    ids = torch.arange(40).view(2, 20)
    with torch.inference_mode():
        plain = model(ids).logits
        with packed.packed(model, 100):
            inside = [module for module in model.modules() if "forward" in vars(module)]
            found = model(ids).logits
    assert len(inside) == 2 * 7 + 1  # all linear layers of two decoder layers, and the head
    torch.testing.assert_close(found, plain, atol=0.02, rtol=0.02)
    assert not any("forward" in vars(module) for module in model.modules())


@needs_operators
def test_a_head_that_trains_in_float32_computes_the_same_before_and_after_an_update() -> None:
    model, _ = random_model(hidden=64, layers=2, vocab_size=32768)
    ids = torch.arange(40).view(2, 20)
    for _ in range(2):
        with torch.inference_mode():
            plain = model(ids).logits
            with packed.packed(model, 100):
                found = model(ids).logits
        torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(1.5)


@needs_operators
def test_it_is_done_where_it_pays_and_is_allowed_only() -> None:
    def count(model: nn.Module, tokens: int) -> int:
        with packed.packed(model, tokens):
            return sum("forward" in vars(module) for module in model.modules())

    assert count(frozen(), 100) == 15
    assert count(frozen(), 2) == 0
    assert count(frozen(torch.float32), 100) == 0
    assert count(frozen().requires_grad_(True), 100) == 15  # weights that train are laid out anew for every generation
    large, _ = random_model(hidden=64, layers=2, vocab_size=32768)
    assert count(large, 100) == 1  # in float32 the head alone
    wide, _ = random_model(hidden=64, layers=2, feed_forward=2**15)
    assert count(wide, 100) == 0  # and no other layer of that size


@needs_operators
def test_a_generation_that_fails_leaves_the_model_plain() -> None:
    model = frozen()
    with pytest.raises(RuntimeError, match="broken"), packed.packed(model, 100):
        raise RuntimeError("broken")
    assert not any("forward" in vars(module) for module in model.modules())


def test_where_the_operators_are_missing_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = random_model(hidden=64, layers=2)
    policy = Policy("one", model.to(torch.bfloat16), tokenizer, trainable=False)
    requests = [Request("one", (5, 6, 7), (1, 2), Sampling(max_new_tokens=12))]
    found = []
    for there in (packed.usable(), False):
        monkeypatch.setattr(packed, "usable", lambda there=there: there)
        found.append(HFEngine(Team({"one": policy})).generate(requests)[0])
    for ours, plain in zip(*found, strict=True):
        assert ours.token_ids == plain.token_ids
        assert ours.logprobs == pytest.approx(plain.logprobs, abs=0.05)


def test_a_torch_without_the_operators_is_told_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(weight: torch.Tensor) -> torch.Tensor:
        raise AttributeError("_reorder_linear_weight")

    monkeypatch.setattr(packed, "_pack", missing)
    assert packed.usable.__wrapped__() is False
    monkeypatch.setattr(packed, "_pack", lambda weight: weight + 1)  # they are there and wrong
    monkeypatch.setattr(packed, "_product", lambda weight, bias, x: nn.functional.linear(x, weight, bias))
    assert packed.usable.__wrapped__() is False
