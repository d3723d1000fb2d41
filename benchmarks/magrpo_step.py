"""Time one MAGRPO step: two agents, G episodes of one problem, one update of each.

    python -m codeduet.benchmarks.magrpo_step --steps 6
    python -m codeduet.benchmarks.magrpo_step --steps 6 --against "OTHER COMMAND"

Two random Qwen2 models trained whole (hidden 64, 2 layers, vocabulary 32,768), a prompt of 138 tokens, 128 new tokens,
G = 4, a trivial reward, one thread. ``--against`` runs another command in turn with this one, A B A B, each ``--rounds``
times; that command prints a JSON line with ``step_s_median`` last. Printed are the seconds of each round, and the median of the
rounds' ratios.
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

from codeduet.agents import Request, Sampling
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.agents.team import Team
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.credit import group_advantages
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.sample import Sample
from codeduet.benchmarks.speed import beside
from codeduet.envs import HELPER, MAIN
from codeduet.screen import run_script


def main(arguments: Sequence[str] | None = None) -> None:
    """Time steps, or compare with another command."""
    options = _parse(arguments)
    if options.against:
        print(json.dumps(compare(options)))
    else:
        print(json.dumps(time_steps(options)))


def time_steps(options: argparse.Namespace) -> dict[str, Any]:
    """Return the median seconds of a step in this process."""
    torch.set_num_threads(options.threads)
    policies = {}
    for index, agent in enumerate((HELPER, MAIN)):
        model, tokenizer = random_model(
            vocab_size=options.vocab, hidden=options.hidden, layers=options.layers, seed=index
        )
        policies[agent] = Policy(agent, model, tokenizer)
    team = Team(policies)
    engine = HFEngine(team)
    learners = {agent: Learner(team[agent], OptimConfig(lr=1e-4)) for agent in team}
    prompt = tuple(65 + i % 26 for i in range(options.prompt_tokens))
    seconds = []
    for step in range(options.steps):
        began = time.perf_counter()
        _step(team, engine, learners, prompt, step, options)
        seconds.append(time.perf_counter() - began)
    return {
        "step_s_median": round(statistics.median(seconds[1:]), 4),
        "step_s_first": round(seconds[0], 4),
        **{
            name: getattr(options, name)
            for name in ("hidden", "layers", "vocab", "prompt_tokens", "new_tokens", "gens")
        },
    }


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run this benchmark and ``options.against`` in turn and return both medians and their ratio."""
    mine = [sys.executable, "-m", "codeduet.benchmarks.magrpo_step", "--steps", str(options.steps)]
    for name in ("hidden", "layers", "vocab", "prompt_tokens", "new_tokens", "gens", "threads"):
        mine += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return beside.compare(mine, shlex.split(options.against), options.rounds)


def _step(
    team: Team,
    engine: HFEngine,
    learners: dict[str, Learner],
    prompt: tuple[int, ...],
    step: int,
    options: argparse.Namespace,
) -> None:
    """Roll both agents out in turn, reward, and update both."""
    # The one id in thousands that ends a completion hardly ever comes: nearly every row goes to the full length.
    sampling = Sampling(temperature=1.0, max_new_tokens=options.new_tokens)
    seeds = tuple(range(step * options.gens, (step + 1) * options.gens))
    answers = {agent: engine.generate([Request(agent, prompt, seeds, sampling)])[0] for agent in team}
    joint = zip(*answers.values(), strict=True)
    rewards = [float(sum(token % 7 == 0 for answer in episode for token in answer.token_ids)) for episode in joint]
    advantages = group_advantages(rewards)
    for agent, learner in learners.items():
        samples = [
            Sample(prompt, answer.token_ids, answer.logprobs, advantage, 1.0)
            for answer, advantage in zip(answers[agent], advantages, strict=True)
        ]
        learner.step(samples, MAGRPO().loss)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, default in (
        ("steps", 6), ("hidden", 64), ("layers", 2), ("vocab", 32768), ("prompt-tokens", 138), ("new-tokens", 128),
        ("gens", 4), ("threads", 1), ("rounds", 5),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--against", default="", help="a command to compare with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_script(main)
