"""Time one GRPO step of a model with adapters: P problems, G answers each, one update.

    python -m codeduet.benchmarks.grpo_step --model FOLDER --problems 2
    python -m codeduet.benchmarks.grpo_step --model FOLDER --problems 2 --against "OTHER COMMAND"

bfloat16, adapters of rank 16 on every linear layer, prompts of 250 tokens, 128 new tokens each whatever the model would
say, a trivial reward. ``--against`` has another command step in turn with this one, A B A B, ``--rounds`` times after one to
warm up: one that takes a step for every line it reads and answers with ``step_s`` and ``peak_memory_mib``, as this one does
with ``--on-demand``. TRL's is ``benchmarks/peers/trl_step.py``, for an environment that has TRL. Printed are each round's
seconds and memory, and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from codeduet import libraries
from codeduet.agents import Request, Sampling
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary
from codeduet.agents.team import load_team
from codeduet.algorithms import GRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.credit import group_advantages
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.memory import give_back
from codeduet.algorithms.metrics import peak_memory_mib
from codeduet.algorithms.sample import Sample
from codeduet.benchmarks.speed import beside
from codeduet.benchmarks.speed.generation import Load, endless
from codeduet.screen import run_script


def main(arguments: Sequence[str] | None = None) -> None:
    """Time steps, or compare with another command."""
    options = _parse(arguments)
    if options.against:
        mine = [sys.executable, "-m", "codeduet.benchmarks.grpo_step", "--on-demand", "--model", options.model]
        for name in ("problems", "group", "prompt_tokens", "new_tokens", "micro_batch_tokens"):
            mine += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
        print(json.dumps(beside.compare_steps(mine, shlex.split(options.against), options.rounds)))
        return
    lines = sys.stdin if options.on_demand else range(options.rounds + 1)
    for row in time_steps(options, lines):
        print(json.dumps(row), flush=True)


def time_steps(options: argparse.Namespace, asked: Iterable[object]) -> Iterator[dict[str, Any]]:
    """Take a step for each that is ``asked``: its seconds and the process's peak of memory so far."""
    libraries.quieten()
    team = endless(load_team(options.model, config=TeamConfig(dtype="bfloat16"), agents=("main",)))
    engine = HFEngine(team, batch_size=options.problems * options.group)
    learner = Learner(team["main"], OptimConfig(lr=1e-5), micro_batch_tokens=options.micro_batch_tokens)
    prompts = Load(options.problems, options.group, options.prompt_tokens, options.new_tokens).prompts(
        vocabulary(team["main"].activate())
    )
    for step, _ in enumerate(asked):
        began = time.perf_counter()
        _step(engine, learner, prompts, step, options)
        yield {"step_s": round(time.perf_counter() - began, 3), "peak_memory_mib": round(peak_memory_mib(), 1)}


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
        ("problems", 2), ("group", 4), ("prompt-tokens", 250), ("new-tokens", 128), ("rounds", 3),
        ("micro-batch-tokens", 2048),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--on-demand", action="store_true", help="a step for every line of input")
    parser.add_argument("--against", default="", help="a command to compare with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_script(main)
