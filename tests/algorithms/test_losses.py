"""The losses, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from codeduet.algorithms.losses import LossBatch, clipped, policy_gradient


def batch(logprobs: torch.Tensor, old: torch.Tensor | None = None) -> LossBatch:
    """Two sequences of 2 and 1 tokens with advantages 2 and -1, in a step of 4 sequences and 10 tokens."""
    return LossBatch(
        logprobs=logprobs,
        old=logprobs.detach() if old is None else old,
        mask=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        advantages=torch.tensor([[2.0, 2.0], [-1.0, -1.0]]),
        sequences=4,
        tokens=10,
    )


def test_the_papers_loss_sums_tokens_and_divides_by_sequences() -> None:
    logprobs = torch.tensor([[-1.0, -2.0], [-3.0, -99.0]])
    # -(2 * (-1 - 2) + -1 * -3) / 4 = 3 / 4;  the masked -99 does not count
    assert policy_gradient(batch(logprobs)).item() == pytest.approx(0.75)
    assert policy_gradient(batch(logprobs), aggregate="token").item() == pytest.approx(0.3)


def test_its_gradient_is_minus_advantage_at_every_token() -> None:
    logprobs = torch.tensor([[-1.0, -2.0], [-3.0, 0.0]], requires_grad=True)
    policy_gradient(batch(logprobs)).backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[-0.5, -0.5], [0.25, 0.0]]


def test_the_ratio_loss_has_the_same_gradient_on_policy() -> None:
    logprobs = torch.tensor([[-1.0, -2.0], [-3.0, 0.0]], requires_grad=True)
    clipped(batch(logprobs)).backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[-0.5, -0.5], [0.25, 0.0]]


def test_the_ratio_loss_clips_on_the_side_that_would_gain() -> None:
    old = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    moved = torch.tensor([[math.log(1.5), math.log(0.5)], [math.log(0.5), 0.0]])
    # A = 2: min(1.5 * 2, 1.2 * 2) = 2.4 and min(0.5 * 2, 0.8 * 2) = 1;  A = -1: min(-0.5, -0.8) = -0.8
    assert clipped(batch(moved, old), low=0.2, high=0.2).item() == pytest.approx(-(2.4 + 1.0 - 0.8) / 4)
