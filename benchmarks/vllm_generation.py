"""Time a generation phase through the vLLM engine beside plain ``LLM.generate`` on the same requests.

    python -m codeduet.benchmarks.vllm_generation --model embedded

Both run in one process on one engine, in turn, A B B A, so that caches are as warm for either. Plain generation gets the
prompts, sampling parameters and adapters ready made and hands back vLLM's own outputs; the phase makes them from
requests and its outputs into completions. Printed as one JSON line: medians and the ratio of phase to plain.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from codeduet.agents import Completion, Request, Sampling
from codeduet.agents.prompts import PromptFormatter
from codeduet.agents.team import load_team
from codeduet.agents.vllm import VLLMEngine
from codeduet.envs import HELPER, MAIN, load_problems, raw_env
from codeduet.screen import run_script


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="embedded", help="embedded, or a transformers folder")
    for name, default in (("problems", 8), ("samples", 4), ("new-tokens", 128), ("rounds", 5), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    print(json.dumps(compare(parser.parse_args(arguments))))


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Return the medians of both and the ratio of the phase to plain generation."""
    torch.set_num_threads(options.threads)
    team = load_team(options.model)
    engine = VLLMEngine(team, options.model, context=2048)
    requests = make_requests(PromptFormatter(team[MAIN].tokenizer), options)
    prompts, parameters, adapters = engine.plain(requests)

    def plain() -> list[Any]:
        return list(engine.llm.generate(prompts, parameters, lora_request=adapters, use_tqdm=False))

    def phase() -> list[list[Completion]]:
        return engine.generate(requests)

    tokens = [sum(len(answer.token_ids) for row in phase() for answer in row)]  # warms both up
    tokens.append(sum(len(output.outputs[0].token_ids) for output in plain()))
    if tokens[0] != tokens[1]:
        raise AssertionError(f"not the same work: {tokens[0]} and {tokens[1]} tokens")
    seconds: dict[Callable[[], list[Any]], list[float]] = {plain: [], phase: []}
    for number in range(options.rounds):
        for run in (plain, phase) if number % 2 == 0 else (phase, plain):
            began = time.perf_counter()
            run()
            seconds[run].append(time.perf_counter() - began)
    engine.close()
    return {
        "plain_s": round(statistics.median(seconds[plain]), 4),
        "phase_s": round(statistics.median(seconds[phase]), 4),
        "ratio": round(statistics.median([b / a for a, b in zip(seconds[plain], seconds[phase], strict=True)]), 4),
        "tokens": tokens[0],
        "completions": len(prompts),
        "rounds": options.rounds,
    }


def make_requests(formatter: PromptFormatter, options: argparse.Namespace) -> list[Request]:
    """Return what helper and main are asked about the first test problems, main behind an empty helper."""
    env = raw_env(split="test")
    requests = []
    for number, problem in enumerate(load_problems(split="test")[: options.problems]):
        env.reset(seed=0, options={"task_id": problem.task_id})
        for agent in (HELPER, MAIN):
            sampling = Sampling(temperature=0.8, max_new_tokens=options.new_tokens, stop=formatter.stop(agent))
            seeds = tuple(range(number * options.samples, (number + 1) * options.samples))
            requests.append(Request(agent, formatter.encode(agent, env.observe(agent)), seeds, sampling))
    env.close()
    return requests


if __name__ == "__main__":
    run_script(main)
