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
from codeduet.agents.engine import engine_class
from codeduet.agents.packed import packed_bytes
from codeduet.agents.policy import Policy
from codeduet.agents.seats import rows_of
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.logprobs import chunk_rows, completion_logprobs
from codeduet.envs import InputError

GIB = 2**30
MOST_TOKENS = {"cpu": 8192, "cuda": 65536}
"""Tokens of a micro-batch, at most. A GPU is faster the more there are: launching a pass takes 0.3 s whatever its size, and an
H200 learnt from 6,600, 24,000, 34,000 and 54,000 tokens a second with 2,048, 8,192, 16,384 and 36,768 of them (a 0.5B)."""

LEAST_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Tokens of a micro-batch under which layers are computed again, to make it larger: on a GPU 41,500 tokens a second were
learnt so with 36,768 of them, and in a ninth of the memory; on a CPU chosen, not measured."""

STATES = 3
"""Numbers beside each that is trained: its gradient and AdamW's two moments."""

_SHARE = 0.6
"""Of what is free, what a training may hold unless told otherwise."""

_PROBE = (16, 48)
"""Tokens of prompts and completions in the forward passes whose differences tell what a token keeps."""


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


def plan_memory(
    config: TrainConfig, *, longest: int, learns: Sequence[Policy], acts: Sequence[Policy] = ()
) -> MemoryPlan:
    """Plan a training whose team and engine are loaded.

    Args:
        config: the run.
        longest: tokens of a prompt and its completion, at most.
        learns: the policies that are trained.
        acts: all that generate, those that do not learn too.

    Raises:
        InputError: it does not fit; the settings that would are named.
    """
    optim = config.optim
    if any(policy.model is None for policy in learns):  # of a network of one's own nothing is known
        size = optim.micro_batch_tokens
        return MemoryPlan(0.0, 0.0, 0.0, 0.0, 0.0, MOST_TOKENS["cpu"] if size == "auto" else size, recompute=False)
    models = _models(learns)
    device = learns[0].device
    # Of several models one learns, or generates, at a time: what the largest takes is the most.
    kept = max((kept_bytes(model) for model in models), key=lambda of: of.token)
    # Libraries load what a pass needs of them with the first: it is held from then on. What the pass itself took is not.
    give_back()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    held = _held(device) / GIB
    cap = optim.memory_gib or held + _SHARE * _free(device) / GIB
    trained = sum(p.numel() * p.element_size() for policy in learns for p in policy.parameters) * STATES / GIB
    generating = 0.0
    if any(engine_class(row.config.engine).weights == "shared" for row in rows_of(config.team, config.roles)):
        playing = _models([policy for policy in (*learns, *acts) if policy.model is not None])
        generating = max(_generating(config, longest, model) for model in playing) / GIB
    fixed = max(_fixed(model, device.type) for model in models)
    bare = MemoryPlan(cap, held, trained, generating, 0.0, 0, recompute=False)
    return choose(config, bare, kept=kept, fixed=fixed, longest=longest, device=device.type)


def _models(policies: Sequence[Policy]) -> list[Any]:
    """Return a model of each shape."""
    return list({str(network.shape(model)): model for model in (policy.activate() for policy in policies)}.values())


def _generating(config: TrainConfig, longest: int, model: Any) -> float:
    rows = generating_bytes(config, longest, network.cache_bytes(model), network.vocabulary(model))
    return rows + packed_bytes(model)


def _fixed(model: Any, device: str) -> int:
    """Return the bytes that any micro-batch takes: a chunk of logits, and what is laid out for it."""
    vocabulary, hidden = network.vocabulary(model), network.text_config(model).hidden_size
    # In half precision on a CPU oneDNN lays the head's weights out anew for either pass: 0.5 GiB for 152,000 tokens.
    laid_out = 2 * vocabulary * hidden * 2 if device == "cpu" and model.dtype in (torch.bfloat16, torch.float16) else 0
    return chunk_bytes(vocabulary, hidden, device) + laid_out


def choose(config: TrainConfig, bare: MemoryPlan, *, kept: Kept, fixed: float, longest: int, device: str) -> MemoryPlan:
    """Choose how many tokens a micro-batch has, and whether layers are computed again.

    Args:
        config: the run.
        bare: its plan without a micro-batch.
        kept: what a token takes.
        fixed: bytes that any micro-batch takes.
        longest: tokens of a prompt and its completion, at most.
        device: where: what pays in speed differs.

    Raises:
        InputError: it does not fit; the settings that would are named.
    """
    optim = config.optim

    # Of the longest prompts, each with all its completions.
    answer = config.longest_answer
    reads = config.group_size * max(longest - answer, 0) / (longest - answer + config.group_size * answer)

    def learning(tokens: int, recompute: bool) -> float:
        most = min(max(tokens, longest), needed)
        return (kept.of(most, reads * most, recompute=recompute) + fixed) / GIB

    choices = (True, False) if optim.gradient_checkpointing == "auto" else (optim.gradient_checkpointing == "always",)
    kind = device if device in MOST_TOKENS else "cuda"
    # No more than a step has: of one agent, each answer with a prompt of its own.
    needed = config.problems_per_step * config.group_size * longest
    auto = _sizes(longest, MOST_TOKENS[kind], needed)
    sizes = [optim.micro_batch_tokens] if optim.micro_batch_tokens != "auto" else auto
    plans = [
        bare._replace(learning=learning(tokens, recompute), tokens=tokens, recompute=recompute)
        for recompute in sorted(choices)
        for tokens in sizes
    ]
    fitting = [plan for plan in plans if plan.total <= plan.cap]
    # Without computing again where enough tokens fit; else as many as fit.
    quick = [plan for plan in fitting if not plan.recompute and plan.tokens >= min(LEAST_TOKENS[kind], max(sizes))]
    if fitting:
        return max(quick or fitting, key=lambda plan: (plan.tokens, not plan.recompute))
    least = min(plans, key=lambda plan: plan.total)
    raise InputError(f"{least.line()}: it does not fit: {_advice(config, least)}")


class Kept(NamedTuple):
    """Bytes that a micro-batch takes, for each token it computes and for each of a prompt's tokens that a completion reads.

    Attributes:
        token: kept of a computed token for the backward pass.
        read: kept of a prompt's token for each completion that continues it: its keys and values, as attention wants them.
        layers: over which both are spread.
        input: of a computed token where layers are computed again: their inputs, and keys and values.
        read_input: of a prompt's token for each completion, then.
    """

    token: float
    read: float
    layers: int
    input: float
    read_input: float

    def of(self, tokens: float, reads: float, *, recompute: bool) -> float:
        """Return the peak: a layer's gradients, and a layer that is computed again, take about as much as it keeps."""
        layer = (self.token * tokens + self.read * reads) / self.layers
        if recompute:
            return self.input * tokens + self.read_input * reads + 2 * layer
        return self.token * tokens + self.read * reads + layer


def kept_bytes(model: Any) -> Kept:
    """Measure what learning keeps in the learner's forward pass, as differences of three of them."""
    short, long = _PROBE
    base, longer, more = (_kept(model, *sizes) for sizes in ((2, long, short), (2, long, long), (4, long, short)))
    token = (longer - base) / (2 * (long - short))
    read = max(0.0, (more - base) / 2 - (short - 1) * token) / long  # a completion's last token is not read
    layers = max(len(network.layers_of(model)), 1)
    hidden = layers * network.text_config(model).hidden_size * (torch.finfo(model.dtype).bits // 8)
    cache = network.cache_bytes(model)
    return Kept(token, read, layers, min(hidden + cache, token), min(cache, read))


def _kept(model: Any, answers: int, prompt: int, answer: int) -> int:
    """Return the bytes that autograd keeps for completions of one prompt, so long, weights aside."""
    ids = [k % network.vocabulary(model) for k in range(1, max(prompt, answer) + 1)]
    # One is shorter: where all are of one length, attention needs no mask and copies less.
    completions = [ids[:answer]] * (answers - 1) + [ids[: answer - 1]]
    return saved_bytes(
        model, lambda: completion_logprobs(model, [ids[:prompt]] * answers, completions, [1.0] * answers)
    )


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


def chunk_bytes(vocabulary: int, hidden: int, device: str) -> int:
    """Return the bytes of a chunk of logits while learning: in float32, its gradient and the like."""
    return chunk_rows(vocabulary, hidden, device) * vocabulary * 4 * 3


def _sizes(longest: int, most: int, needed: int) -> list[int]:
    """Return sizes to choose from: powers of two, so that a little more or less of free memory changes nothing."""
    sizes = [most // 2**k for k in range(most.bit_length() - 7)]
    return [size for size in sizes if longest <= size < 2 * needed] or [longest]


def _advice(config: TrainConfig, least: MemoryPlan) -> str:
    optim = config.optim
    if not least.recompute and optim.gradient_checkpointing == "never":
        return "set optim.gradient_checkpointing=auto"
    if optim.micro_batch_tokens != "auto" and least.learning >= least.generating:
        return "set optim.micro_batch_tokens=auto, or a smaller one"
    if least.generating > least.learning:
        own = engine_class(config.team.engine).weights == "own"
        return f"lower {'team.gpu_share' if own else 'team.batch_size'} or sampling.max_new_tokens"
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
