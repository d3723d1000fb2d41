"""LoRA layers that compute as one operation, beside PEFT's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn

from codeduet.agents import adapters
from codeduet.agents.models import adapt
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.memory import saved_bytes

ROWS = [[1, 2, 3]] * 3, [[5, 6, 7, 8], [4, 4], [9]], [0.8] * 3


def policy(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch | None = None) -> Policy:
    """An adapter that is not zero; by PEFT's own layers where ``monkeypatch`` is given."""
    if monkeypatch is not None:
        monkeypatch.setattr(adapters, "quicken", lambda model: model)
    base, tokenizer = random_model(hidden=64, layers=3)
    made = Policy("one", adapt(base.to(dtype), ["one", "other"], 16, 32, 0, "base"), tokenizer, adapter="one")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters:
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return made


def scored(of: Policy) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Log-probabilities, and the gradient of a weighted sum of them."""
    logprobs, _ = completion_logprobs(of.activate(), *ROWS)
    weights = torch.arange(logprobs.numel()).view_as(logprobs).cos()
    return logprobs.detach(), list(torch.autograd.grad((logprobs * weights).sum(), of.parameters))


def test_in_float32_they_compute_what_peft_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = policy(torch.float32)
    theirs = policy(torch.float32, monkeypatch)
    assert type(theirs.model.base_model.model.model.layers[0].mlp.up_proj) is LoraLinear
    assert type(ours.model.base_model.model.model.layers[0].mlp.up_proj) is not LoraLinear
    (mine, of_mine), (right, of_right) = scored(ours), scored(theirs)
    assert float((mine - right).abs().max()) < 1e-5
    for found, wanted in zip(of_mine, of_right, strict=True):
        assert float((found - wanted).norm()) < 1e-5 * float(wanted.norm())
    with torch.no_grad():
        assert torch.equal(completion_logprobs(ours.activate(), *ROWS)[0], mine)


def test_in_bfloat16_they_are_about_as_near_to_float32_as_pefts(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = policy(torch.bfloat16)
    theirs = policy(torch.bfloat16, monkeypatch)
    exact = policy(torch.bfloat16)
    exact.model.float()
    (mine, of_mine), (other, of_other), (right, of_right) = scored(ours), scored(theirs), scored(exact)
    assert {p.dtype for p in of_mine} == {torch.float32}
    assert 0 < float((mine - right).norm()) < 1.5 * float((other - right).norm())
    errors = [
        sum(float((found - wanted).square().sum()) for found, wanted in zip(of, of_right, strict=True))
        for of in (of_mine, of_other)
    ]
    assert errors[0] < 1.5 * errors[1]


def test_nothing_of_the_input_is_kept_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [[1, 2, 3]] * 4, [list(range(1, 101))] * 4, [1.0] * 4
    kept = [
        saved_bytes(made.activate(), lambda made=made: completion_logprobs(made.activate(), *long))  # type: ignore[misc]
        for made in (policy(torch.bfloat16), policy(torch.bfloat16, monkeypatch))
    ]
    assert kept[0] < 0.7 * kept[1]


def test_an_update_and_another_adapter_are_seen_at_once() -> None:
    made = policy(torch.bfloat16)
    before = scored(made)[0]
    optimizer = torch.optim.SGD(made.parameters, lr=1.0)
    for parameter in made.parameters:
        parameter.grad = torch.full_like(parameter, 0.05)
    optimizer.step()
    after = scored(made)[0]
    assert float((after - before).abs().max()) > 0.01
    untouched = Policy("other", made.model, made.tokenizer, adapter="other")
    with torch.no_grad():
        new = completion_logprobs(untouched.activate(), *ROWS)[0]  # a new adapter changes nothing
        with made.model.disable_adapter():
            base = completion_logprobs(made.activate(), *ROWS)[0]
    assert torch.equal(new, base)
    assert torch.equal(scored(made)[0], after)


def test_bases_that_are_no_plain_linear_layers_stay_pefts() -> None:
    class Odd(nn.Linear):
        pass

    base, _ = random_model(hidden=64, layers=1)
    layer: Any = base.model.layers[0].mlp
    layer.up_proj.__class__ = Odd
    adapted = adapt(base, ["one"], 4, 8, 0, "base")
    found = adapted.base_model.model.model.layers[0].mlp
    assert type(found.up_proj) is LoraLinear
    assert type(found.down_proj) is not LoraLinear
