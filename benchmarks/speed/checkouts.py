"""Time generation and learning of another checkout and of this one in turn: has a change made them faster?

    python -m codeduet.benchmarks.speed.checkouts --model FOLDER --other ../other/src --out FILE

Both hold the model loaded, each in a process of its own that imports its own checkout, and are asked for one run at a time,
A B B A, so that both see the same neighbours. bfloat16, adapters of rank 16, prefill included, answers that never end early;
the learner with the same tokens a micro-batch, no layers computed again. Medians, after one run to warm up.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

GENERATE = ((4, 4, 250, 64), (16, 4, 250, 64))
"""Problems, samples of each, prompt tokens, new tokens."""

LEARN = (2, 4, 250, 128)
MICRO_BATCH_TOKENS = 2048


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, or run what standard input asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", required=True, help="a transformers folder")
    parser.add_argument("--other", help="the src folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    if options.other is None:
        _work(options.model, options.threads)
        return
    found = compare(options)
    if options.out:
        Path(options.out).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each load: tokens a second of both and the ratio of their median seconds."""
    own = str(Path(__file__).resolve().parents[2] / "src")
    workers = {"before": _start(options.other, options), "now": _start(own, options)}
    asked: list[dict[str, Any]] = [
        {"what": "generate", "load": load, "adapters": adapters} for adapters in (True, False) for load in GENERATE
    ]
    asked.append({"what": "learn", "load": LEARN, "micro_batch_tokens": MICRO_BATCH_TOKENS})
    rows = []
    for request in asked:
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
        for number in range(options.rounds + 1):
            for name in list(workers)[:: 1 if number % 2 else -1]:
                runs[name].append(_ask(workers[name], request))
        row: dict[str, Any] = {**request}
        for name, done in runs.items():
            seconds = [run["seconds"] for run in done[1:]]
            row[name] = {
                "seconds": [round(second, 2) for second in seconds],
                "tokens_per_second": round(done[0]["tokens"] / statistics.median(seconds), 1),
                "peak_memory_gib": round(max(run["peak_gib"] for run in done), 2),
            }
        row["ratio"] = round(row["now"]["tokens_per_second"] / row["before"]["tokens_per_second"], 2)
        print(json.dumps(row), flush=True)
        rows.append(row)
    for worker in workers.values():
        worker.communicate()
    return rows


def _start(source: str, options: argparse.Namespace) -> subprocess.Popen[str]:
    # The command line sets these where it starts.
    environment = dict(os.environ, PYTHONPATH=source, LRU_CACHE_CAPACITY="64", ONEDNN_PRIMITIVE_CACHE_CAPACITY="64")
    command = [sys.executable, "-W", "ignore", __file__, "--model", options.model, "--threads", str(options.threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _ask(worker: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, float]:
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        sys.exit("a worker ended: what it said stands above")
    told: dict[str, float] = json.loads(line)
    return told


def _work(folder: str, threads: int) -> None:
    """Answer requests with what both checkouts have: the engine, the learner and the team."""
    from codeduet.agents import Request, Sampling
    from codeduet.agents.hf import HFEngine
    from codeduet.agents.team import Team, load_team
    from codeduet.algorithms import MAGRPO
    from codeduet.algorithms.learner import Learner, Sample

    torch.set_num_threads(threads)
    with contextlib.redirect_stdout(sys.stderr):
        settings: dict[str, Any] = {"dtype": "bfloat16"}
        if "config" in inspect.signature(load_team).parameters:  # it took each setting apart before
            from codeduet.agents.config import TeamConfig

            settings = {"config": TeamConfig(**settings)}
        policy = load_team(folder, **settings).policies[0]

    class Endless(type(policy)):  # type: ignore[misc]  # a policy has moved between checkouts
        @property
        def eos_ids(self) -> frozenset[int]:
            return frozenset()

    endless = Endless(policy.name, policy.model, policy.tokenizer, policy.adapter)

    def ids(rows: int, tokens: int, seed: int) -> list[tuple[int, ...]]:
        drawn = torch.randint(1, 50_000, (rows, tokens), generator=torch.Generator().manual_seed(seed))
        return [tuple(row) for row in drawn.tolist()]

    for line in sys.stdin:
        request = json.loads(line)
        problems, samples, prompt, new = request["load"]
        prompts = ids(problems, prompt, 0)
        tokens = problems * samples * new
        with contextlib.suppress(OSError):  # Linux alone forgets a peak
            Path("/proc/self/clear_refs").write_text("5")
        if request["what"] == "generate":
            engine = HFEngine(Team({policy.name: endless}), problems * samples)
            sampling = Sampling(temperature=0.8, max_new_tokens=new)
            asked = [
                Request(policy.name, row, tuple(range(i * samples, (i + 1) * samples)), sampling)
                for i, row in enumerate(prompts)
            ]
            with contextlib.nullcontext() if request["adapters"] else policy.model.disable_adapter():
                began = time.perf_counter()
                engine.generate(asked)
        else:
            batch = [
                Sample(prompts[i // samples], row, (-1.0,) * new, 1.0 if i % 2 else -1.0, 0.8)
                for i, row in enumerate(ids(problems * samples, new, 1))
            ]
            tokens += problems * prompt
            rate: dict[str, Any] = {"lr": 1e-30}
            if "optim" in inspect.signature(Learner).parameters:
                from codeduet.algorithms.config import OptimConfig

                rate = {"optim": OptimConfig(**rate)}
            learner = Learner(policy, micro_batch_tokens=request["micro_batch_tokens"], **rate)
            began = time.perf_counter()
            learner.step(batch, MAGRPO().loss)
        told = {"seconds": time.perf_counter() - began, "tokens": tokens, "peak_gib": _peak_gib()}
        print(json.dumps(told), flush=True)


def _peak_gib() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 2**20


if __name__ == "__main__":
    main()
