"""The memory plan of a training: how many tokens fit into a micro-batch, and whether layers must be computed again.

What is loaded (weights, engine, libraries) is read off the process or the GPU; what comes is computed: gradients and AdamW's
moments of what is trained, the cache and logits of generation, and what a micro-batch keeps for the backward pass, which is
measured on the loaded model, of any architecture, in a forward pass over a few tokens.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from codeduet.agents import network
from codeduet.agents.team import Policy
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.logprobs import CHUNK_ELEMENTS, completion_logprobs
from codeduet.envs import InputError

GIB = 2**30
MOST_TOKENS = 8192
"""Tokens of a micro-batch, at most: what was the fixed size before there was a plan."""

LEAST_TOKENS = 1024
"""Tokens of a micro-batch under which layers are computed again, to make it larger; chosen, not measured."""

STATES = 3
"""Numbers beside each that is trained: its gradient and AdamW's two moments."""

_SHARE = 0.6
"""Of what is free, what a training may hold unless told otherwise."""

_PROBE = (16, 48)
"""Completion tokens of the two forward passes whose difference tells what a token keeps."""


class MemoryPlan(NamedTuple):
    """What a training holds at most, in GiB.

    Attributes:
        cap: what it may.
        held: before the first step: weights, the engine, libraries.
        trained: gradients and AdamW's moments.
        generating: cache and logits while generating.
        learning: a micro-batch while learning.
        tokens: of a micro-batch, at most.
        recompute: whether layers are computed again in the backward pass.
    """

    cap: float
    held: float
    trained: float
    generating: float
    learning: float
    tokens: int
    recompute: bool

    @property
    def total(self) -> float:
        """The most held at any time."""
        return self.held + self.trained + max(self.generating, self.learning)

    def line(self) -> str:
        """Say it in one line."""
        return (
            f"memory plan in GiB: {self.total:.2f} of {self.cap:.2f}: held {self.held:.2f}, gradients and optimiser "
            f"{self.trained:.2f}, generating {self.generating:.2f}, learning {self.learning:.2f} (micro-batches of "
            f"{self.tokens} tokens{', layers computed again' if self.recompute else ''})"
        )


def plan_memory(config: TrainConfig, *, longest: int, learns: Sequence[Policy]) -> MemoryPlan:
    """Plan a training whose team and engine are loaded.

    Args:
        config: the run.
        longest: tokens of a prompt and its completion, at most.
        learns: the policies that are trained.

    Raises:
        InputError: it does not fit; the settings that would are named.
    """
    optim = config.optim
    model = learns[0].activate()
    device = learns[0].device
    held = _held(device) / GIB
    cap = optim.memory_gib or held + _SHARE * _free(device) / GIB
    trained = sum(p.numel() * p.element_size() for policy in learns for p in policy.parameters) * STATES / GIB
    generating = 0.0
    if config.team.engine == "hf":
        generating = generating_bytes(config, longest, network.cache_bytes(model), network.vocabulary(model)) / GIB
    # In half precision on a CPU oneDNN lays the head's weights out anew for either pass: 0.5 GiB for 152,000 tokens.
    head = 2 * network.vocabulary(model) * network.text_config(model).hidden_size * 2
    laid_out = head if device.type == "cpu" and model.dtype in (torch.bfloat16, torch.float16) else 0
    fixed = chunk_bytes(network.vocabulary(model), device.type) + laid_out
    bare = MemoryPlan(cap, held, trained, generating, 0.0, 0, recompute=False)
    return choose(config, bare, kept=kept_bytes(model), fixed=fixed, longest=longest)


def choose(config: TrainConfig, bare: MemoryPlan, *, kept: Kept, fixed: float, longest: int) -> MemoryPlan:
    """Choose how many tokens a micro-batch has, and whether layers are computed again.

    Args:
        config: the run.
        bare: its plan without a micro-batch.
        kept: what a token takes.
        fixed: bytes that any micro-batch takes.
        longest: tokens of a prompt and its completion, at most.

    Raises:
        InputError: it does not fit; the settings that would are named.
    """
    optim = config.optim

    def learning(tokens: int, recompute: bool) -> float:
        return (max(tokens, longest) * kept.of(recompute) + fixed) / GIB

    choices = (True, False) if optim.gradient_checkpointing == "auto" else (optim.gradient_checkpointing == "always",)
    sizes = [optim.micro_batch_tokens] if optim.micro_batch_tokens != "auto" else _sizes(longest)
    plans = [
        bare._replace(learning=learning(tokens, recompute), tokens=tokens, recompute=recompute)
        for recompute in sorted(choices)
        for tokens in sizes
    ]
    fitting = [plan for plan in plans if plan.total <= plan.cap]
    # Without computing again where enough tokens fit; else as many as fit.
    quick = [plan for plan in fitting if not plan.recompute and plan.tokens >= min(LEAST_TOKENS, max(sizes))]
    if fitting:
        return max(quick or fitting, key=lambda plan: (plan.tokens, not plan.recompute))
    least = min(plans, key=lambda plan: plan.total)
    raise InputError(f"{least.line()}: it does not fit: {_advice(config, least)}")


class Kept(NamedTuple):
    """Bytes a token of a micro-batch takes.

    Attributes:
        whole: kept for the backward pass where layers are kept.
        layer: of that, in one layer.
        inputs: kept where layers are computed again: their inputs, and prompts' keys and values.
    """

    whole: float
    layer: float
    inputs: float

    def of(self, recompute: bool) -> float:
        """Return the peak: a layer is computed again whole, and its gradients take about as much as it keeps."""
        return (self.inputs if recompute else self.whole) + (2 if recompute else 1) * self.layer


def kept_bytes(model: Any) -> Kept:
    """Measure what a token keeps in the learner's forward pass, as a difference of two of them."""
    short, long = (_kept(model, length) for length in _PROBE)
    per_token = (long - short) / (2 * (_PROBE[1] - _PROBE[0]))
    layers = max(len(network.layers_of(model)), 1)
    hidden = layers * network.text_config(model).hidden_size * (torch.finfo(model.dtype).bits // 8)
    inputs = hidden + network.cache_bytes(model)
    return Kept(per_token, per_token / layers, float(min(inputs, per_token)))


def _kept(model: Any, length: int) -> int:
    """Return the bytes that autograd keeps for two completions of a prompt of one token, weights aside."""
    ids = [k % network.vocabulary(model) for k in range(1, length + 1)]
    return saved_bytes(model, lambda: completion_logprobs(model, [[1], [1]], [ids, ids], [1.0, 1.0]))


def saved_bytes(model: Any, run: Callable[[], object]) -> int:
    """Return the bytes that autograd saves while ``run`` computes, each storage once and the model's weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}  # held fast, or another would get its address

    def save(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        run()
    return sum(storage.nbytes() for storage in saved.values())


def generating_bytes(config: TrainConfig, longest: int, cache: int, vocabulary: int) -> float:
    """Return the bytes of keys, values and logits while a whole batch is decoded by transformers.

    Args:
        config: the run.
        longest: tokens of a prompt and its completion, at most.
        cache: bytes of a token's keys and values.
        vocabulary: token ids.
    """
    rows = min(config.team.batch_size, config.problems_per_step * config.group_size)
    # The cache once more while rows are dropped; logits in float32, divided, exponentiated.
    return float(rows * (2 * longest * cache + vocabulary * 4 * 4))


def chunk_bytes(vocabulary: int, device: str) -> int:
    """Return the bytes of a chunk of logits while learning: in float32, its gradient and the like."""
    return max(CHUNK_ELEMENTS[device != "cpu"], vocabulary) * 4 * 3


def _sizes(longest: int) -> list[int]:
    """Return sizes to choose from: powers of two, so that a little more or less of free memory changes nothing."""
    sizes = [MOST_TOKENS // 2**k for k in range(7)]
    return [size for size in sizes if size >= longest] or [longest]


def _advice(config: TrainConfig, least: MemoryPlan) -> str:
    optim = config.optim
    if not least.recompute and optim.gradient_checkpointing == "never":
        return "set optim.gradient_checkpointing=auto"
    if optim.micro_batch_tokens != "auto" and least.learning >= least.generating:
        return "set optim.micro_batch_tokens=auto, or a smaller one"
    if least.generating > least.learning:
        return f"lower {'team.gpu_share' if config.team.engine == 'vllm' else 'team.batch_size'} or sampling.max_new_tokens"
    where = f"raise optim.memory_gib to {least.total:.1f}" if optim.memory_gib else "free memory"
    return f"{where}, lower sampling.max_new_tokens, or take a smaller model or a smaller team.dtype"


def give_back() -> None:
    """Return memory that was freed to the system.

    glibc keeps it in its arenas: 800 MiB after a step of 1,024 tokens a micro-batch on six layers of a 0.5B, and more after
    every step, since what comes next has other sizes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def _held(device: torch.device) -> float:
    """Return the bytes this process holds now, of the GPU where the model is on one."""
    if device.type == "cuda":
        return float(torch.cuda.memory_reserved(device))
    status = Path("/proc/self/statm")
    if status.is_file():
        return float(int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _free(device: torch.device) -> float:
    """Return the bytes that are free on the GPU or the machine, or left of the limit of this process's group."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    free = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = 1024.0 * int(lines["MemAvailable"].split()[0])
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        paths = [Path("/sys/fs/cgroup") / name for name in (limit, used)]
        if all(path.is_file() for path in paths) and (most := paths[0].read_text().strip()).isdigit():
            free = min(free, max(0.0, float(most) - float(paths[1].read_text())))
    return free
