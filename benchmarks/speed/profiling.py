"""Where the time of decoding and learning goes: torch's profiler, its largest entries."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from codeduet.agents import Request, Sampling
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary as vocabulary_of
from codeduet.agents.team import Team
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.benchmarks.speed.generation import Load, endless
from codeduet.benchmarks.speed.learner import make_samples

_ROWS = 22


def profile(team: Team, load: Load, micro_batch_tokens: int) -> str:
    """Return two tables of the largest entries: of 16 steps of decoding, and of learning from what was decoded."""
    policy = endless(team).policies[0]
    engine = HFEngine(Team({policy.name: policy}), batch_size=load.rows)
    vocabulary = vocabulary_of(policy.activate())
    sampling = Sampling(temperature=0.8, max_new_tokens=16)
    requests = [Request(policy.name, p, tuple(range(load.samples)), sampling) for p in load.prompts(vocabulary)]
    samples = make_samples(policy, load)
    learner = Learner(policy, OptimConfig(lr=1e-30), micro_batch_tokens=micro_batch_tokens)
    return "\n".join(
        f"{name}\n{_profiled(run, policy.device)}"
        for name, run in (
            ("decoding", lambda: engine.generate(requests)),
            ("learning", lambda: learner.step(samples, MAGRPO().loss)),
        )
    )


def _profiled(run: Callable[[], object], device: torch.device) -> str:
    run()
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_gpu else [])
    with torch_profile(activities=activities, record_shapes=False) as found:
        run()
    keys = ("self_cuda_time_total", "self_cpu_time_total") if on_gpu else ("self_cpu_time_total",)
    return "\n".join(
        found.key_averages().table(sort_by=key, row_limit=_ROWS, max_name_column_width=60, top_level_events_only=False)
        for key in keys
    )
