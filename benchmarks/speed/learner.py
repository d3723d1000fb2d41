"""Time one policy's learning from a batch, beside the rate of matrix products, and its peak of memory."""

from __future__ import annotations

from typing import Any

import torch

from codeduet.agents.network import vocabulary as vocabulary_of
from codeduet.agents.policy import Policy
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.metrics import peak_memory_mib
from codeduet.algorithms.sample import Sample
from codeduet.benchmarks.speed.ceilings import Ceilings, forget_peak, median_seconds, work_of
from codeduet.benchmarks.speed.generation import Load


def time_learner(
    policy: Policy, load: Load, ceilings: Ceilings, *, micro_batch_tokens: int, recompute: bool, rounds: int
) -> dict[str, Any]:
    """Return tokens a second of an optimiser step and their share of what the device can do.

    A token that is computed costs four operations a weight of the layers, forward and backward, where adapters learn and
    the base does not; a completion's token four more a weight of the head.
    """
    samples = make_samples(policy, load)
    learner = Learner(policy, OptimConfig(lr=1e-30), micro_batch_tokens=micro_batch_tokens, recompute=recompute)
    loss = MAGRPO().loss
    forget_peak()
    told: dict[str, float] = {}
    seconds = median_seconds(lambda: told.update(learner.step(samples, loss)), policy.device, rounds=rounds)
    work = work_of(policy.activate())
    answered = load.rows * load.new_tokens
    computed = load.problems * load.prompt_tokens + answered
    flops = 4.0 * (work.layers * computed + work.head * answered)
    rate = flops / seconds / 1e12
    return {
        "micro_batch_tokens": micro_batch_tokens,
        "recompute": recompute,
        "seconds": round(seconds, 4),
        "tokens": computed,
        "tokens_per_second": round(computed / seconds, 1),
        "tflops": round(rate, 3),
        "share_of_gemm": round(rate / ceilings.gemm_tflops, 4),
        "model_flop_utilisation": round(rate / ceilings.stated_tflops, 4) if ceilings.stated_tflops else None,
        "peak_memory_mib": round(peak_memory_mib(), 1),
        "halved": told.get("out_of_memory", 0.0),
    }


def make_samples(policy: Policy, load: Load) -> list[Sample]:
    """Return what the load's completions would be to a learner: random ids, half of them good and half bad."""
    vocabulary = vocabulary_of(policy.activate())
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, min(vocabulary, 50_000), (load.rows, load.new_tokens), generator=generator).tolist()
    prompts = load.prompts(vocabulary)
    return [
        Sample(prompts[i // load.samples], tuple(row), (-1.0,) * load.new_tokens, 1.0 if i % 2 else -1.0, 0.8)
        for i, row in enumerate(ids)
    ]
