"""What a device can do: the two rates that bound everything else.

A pass over tokens takes at least its floating-point operations over the rate of matrix products, and at least the bytes it
must read over the rate of memory; the larger of both is its bound.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from codeduet.agents import network
from codeduet.algorithms.memory import give_back

STATED_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "RTX 4090": 165.0}
"""Dense bfloat16 rates by the vendor's datasheets, told by a part of the card's name; of SXM parts where there are two."""


class Ceilings(NamedTuple):
    """Rates of a device.

    Attributes:
        device: its name.
        gemm_tflops: of a large product of matrices in the model's precision, measured.
        copy_gb_s: of a large copy, bytes read and written, measured.
        stated_tflops: of the card's datasheet in bfloat16, None where it is not known.
    """

    device: str
    gemm_tflops: float
    copy_gb_s: float
    stated_tflops: float | None

    def seconds(self, flops: float, bytes_read: float) -> float:
        """Return the least time that operations and reads take."""
        return max(flops / (self.gemm_tflops * 1e12), bytes_read / (self.copy_gb_s * 1e9))


def measure(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Measure both rates, on random numbers: zeros can be faster than real weights."""
    on_gpu = device.type == "cuda"
    size, elements = (8192, 2**30) if on_gpu else (2048, 2**27)
    left, right = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    product = median_seconds(lambda: left @ right, device, rounds=10 if on_gpu else 5)
    source = torch.randint(0, 255, (elements,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = median_seconds(lambda: target.copy_(source), device, rounds=10 if on_gpu else 5)
    name = torch.cuda.get_device_name(device) if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    stated = next((rate for part, rate in STATED_TFLOPS.items() if part in name), None) if on_gpu else None
    return Ceilings(name, 2 * size**3 / product / 1e12, 2 * elements / copied / 1e9, stated)


def median_seconds(run: Callable[[], Any], device: torch.device, *, rounds: int, warm_up: int = 1) -> float:
    """Return the median seconds of ``run``, what it started on a GPU included."""
    seconds = []
    for number in range(warm_up + rounds):
        wait(device)
        began = time.perf_counter()
        run()
        wait(device)
        if number >= warm_up:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def wait(device: torch.device) -> None:
    """Wait for what was started on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak() -> None:
    """Let the peak of memory count from here on, where the system can."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif (peak := Path("/proc/self/clear_refs")).is_file():
        give_back()
        peak.write_text("5", encoding="ascii")


class Work(NamedTuple):
    """Weights that a token passes.

    Attributes:
        layers: of all linear layers but the head.
        head: of the head.
        bytes: of all weights that a step of decoding reads.
        cache_bytes: of keys and values a token has.
    """

    layers: int
    head: int
    bytes: int
    cache_bytes: int


def work_of(model: Any) -> Work:
    """Count the weights of a causal language model."""
    head = model.get_output_embeddings().weight
    embedding = model.get_input_embeddings().weight
    base = [p for name, p in model.named_parameters() if "lora_" not in name]
    others = sum(p.numel() for p in base if p is not head and p is not embedding)
    return Work(others, head.numel(), (others + head.numel()) * head.element_size(), network.cache_bytes(model))
