"""Time one GRPO step of a model with adapters: P problems, G answers each, one update.

    python -m codeduet.benchmarks.grpo_step --model FOLDER --problems 2
    python -m codeduet.benchmarks.grpo_step --model FOLDER --problems 2 --against "OTHER COMMAND"

bfloat16, adapters of rank 16 on every linear layer, prompts of 250 tokens, 128 new tokens each whatever the model would
say, a trivial reward. ``--against`` runs another command in turn with this one, A B A B, each ``--rounds`` times; that
command prints a JSON line with ``step_s_median`` and ``peak_memory_mib`` last: TRL's is ``benchmarks/peers/trl_step.py``,
for an environment that has TRL. Printed are each round's seconds and memory, and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from codeduet import libraries
from codeduet.agents import Request, Sampling
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary
from codeduet.agents.team import load_team
from codeduet.algorithms import GRPO
from codeduet.algorithms.advantages import group_advantages
from codeduet.algorithms.learner import Learner, Sample
from codeduet.algorithms.memory import give_back
from codeduet.algorithms.metrics import peak_memory_mib
from codeduet.benchmarks.speed import beside
from codeduet.benchmarks.speed.generation import Load, endless


def main(arguments: Sequence[str] | None = None) -> None:
    """Time steps, or compare with another command."""
    options = _parse(arguments)
    if not options.against:
        print(json.dumps(time_steps(options)))
        return
    mine = [sys.executable, "-m", "codeduet.benchmarks.grpo_step", "--model", options.model]
    for name in ("problems", "group", "prompt_tokens", "new_tokens", "steps", "micro_batch_tokens"):
        mine += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    print(json.dumps(beside.compare(mine, shlex.split(options.against), options.rounds)))


def time_steps(options: argparse.Namespace) -> dict[str, Any]:
    """Return the median seconds of a step in this process, the first left out, and its peak of memory."""
    libraries.quieten()
    team = endless(load_team(options.model, agents=("main",), dtype="bfloat16"))
    engine = HFEngine(team, batch_size=options.problems * options.group)
    learner = Learner(team["main"], lr=1e-5, micro_batch_tokens=options.micro_batch_tokens)
    prompts = Load(options.problems, options.group, options.prompt_tokens, options.new_tokens).prompts(
        vocabulary(team["main"].activate())
    )
    seconds = []
    for step in range(options.steps):
        began = time.perf_counter()
        _step(engine, learner, prompts, step, options)
        seconds.append(time.perf_counter() - began)
    return {
        "step_s_median": round(statistics.median(seconds[1:] or seconds), 3),
        "peak_memory_mib": round(peak_memory_mib(), 1),
        "torch": torch.__version__,
    }


def _step(
    engine: HFEngine, learner: Learner, prompts: list[tuple[int, ...]], step: int, options: argparse.Namespace
) -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=options.new_tokens)
    requests = [
        Request(
            "main",
            prompt,
            tuple(range(step * 1000 + i * options.group, step * 1000 + (i + 1) * options.group)),
            sampling,
        )
        for i, prompt in enumerate(prompts)
    ]
    samples = []
    for prompt, answers in zip(prompts, engine.generate(requests), strict=True):
        advantages = group_advantages([float(sum(token % 7 == 0 for token in answer.token_ids)) for answer in answers])
        samples += [
            Sample(prompt, answer.token_ids, answer.logprobs, advantage, 1.0)
            for answer, advantage in zip(answers, advantages, strict=True)
        ]
    give_back()
    learner.step(samples, GRPO().loss)
    give_back()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", required=True, help="a transformers folder")
    for name, default in (
        ("problems", 2), ("group", 4), ("prompt-tokens", 250), ("new-tokens", 128), ("steps", 3), ("rounds", 3),
        ("micro-batch-tokens", 2048),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--against", default="", help="a command to compare with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
