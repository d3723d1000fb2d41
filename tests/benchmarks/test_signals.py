"""Ctrl-C and SIGTERM at any moment: one line that says how to go on, the status of convention, and nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.commands import start

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TIMES = ("seconds/", "tokens_per_second", "peak_memory")


@pytest.fixture
def settings(model_dir: Path, problem_file: Path) -> list[str]:
    return [f"team.model={model_dir}", "team.lora_rank=2", f"env.problems={problem_file}", "sampling.max_new_tokens=24"]


def finish(words: Sequence[str], told: Path) -> float:
    """Run a command to its end and return the seconds it took."""
    began = time.monotonic()
    running = start(words, told)
    running.join(120)
    assert running.exitcode == 0, told.with_suffix(".err").read_text()
    return time.monotonic() - began


def stop(running: BaseProcess, number: int, told: Path) -> list[str]:
    """Send a signal; return the command that is said to go on, or nothing where the run had ended before."""
    assert running.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, number)
    running.join(60)
    said = told.with_suffix(".err").read_text()
    if running.exitcode == 0:
        assert said == ""
        return []
    assert running.exitcode == 128 + number, said
    assert said.startswith("codeduet: stopped")
    assert said.count("\n") == 1
    assert "; this goes on: codeduet " in said
    return shlex.split(said.partition("; this goes on: codeduet ")[2])


def wait_for(path: Path) -> None:
    """Wait until a file holds something."""
    deadline = time.monotonic() + 60
    while not (path.is_file() and path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path.is_file()


def left_by(run: Path) -> dict[str, Any]:
    """Return all a training leaves that is no time: rows, completions, and the newest checkpoint."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    newest = max((run / "checkpoints").iterdir())
    moments = [torch.load(path, weights_only=True) for path in sorted(newest.glob("*.optimizer.pt"))]
    return {
        "rows": [{key: value for key, value in row.items() if not key.startswith(TIMES)} for row in rows],
        "completions": (run / "completions.jsonl").read_text(),
        "checkpoint": newest.name,
        "state": json.loads((newest / "state.json").read_text()),
        "weights": {
            f"{path.parent.name}/{name}": weights.tolist()
            for path in sorted(newest.glob("*/*.safetensors"))
            for name, weights in load_file(path).items()
        },
        "moments": [
            {name: value.tolist() for name, value in of_weights.items()}
            for state in moments
            for of_weights in state["state"].values()
        ],
    }


def test_a_training_stopped_at_ten_random_moments_goes_on_to_the_bit(settings: list[str], tmp_path: Path) -> None:
    training = ["train", *settings, "steps=12", "problems_per_step=2", "group_size=4", "checkpoint_every=4"]
    training += ["eval={every: 3, n: 2, limit: 2, split: test}", "optim.lr=0.01", "optim.schedule=cosine"]
    training += ["algorithm=tests.letters:LetterReward"]
    finish(["--help"], tmp_path / "help")  # what is imported once is no part of a run's time
    seconds = finish([*training, f"out={tmp_path / 'whole'}"], tmp_path / "whole-said")
    whole = left_by(tmp_path / "whole")
    assert len(whole["moments"]) > 0
    rng = random.Random(0)
    stopped = saved = 0
    for number in range(10):
        run, told = tmp_path / f"run {number}", tmp_path / f"said{number}"
        running = start([*training, f"out={run}"], told)
        time.sleep(rng.uniform(0.1, 0.95) * seconds)
        if go_on := stop(running, SIGNALS[number % 2], told):
            stopped += 1
            if begun := (run / "metrics.jsonl").is_file():
                assert go_on == ["train", "--resume", str(run)]
            done = [row["step"] for row in left_rows(run) if row["kind"] == "train"] if begun else []
            if done:
                saved += 1
                assert "which is saved" in told.with_suffix(".err").read_text()
                assert (run / "checkpoints" / f"step_{done[-1]:06d}").is_dir()
            finish(go_on, told)
        assert left_by(run) == whole
    assert stopped >= 5
    assert saved >= 2


def left_rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_bench_that_is_stopped_keeps_its_samples_and_goes_on(
    settings: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    bench = [
        "bench",
        *settings[:2],
        "env.problems=embedded",
        "sampling.max_new_tokens=24",
        "split=all",
        "limit=60",
        "n=2",
    ]
    bench += ["k=[1]", "team.batch_size=4"]
    finish([*bench, f"out={tmp_path / 'whole'}"], tmp_path / "whole-said")
    run, told = tmp_path / "run", tmp_path / "said"
    running = start([*bench, f"out={run}"], told)
    wait_for(run / "samples.jsonl")
    go_on = stop(running, number, told)
    assert go_on == [*bench, f"out={run}"]
    kept = (run / "samples.jsonl").read_bytes()
    assert kept
    finish(go_on, told)
    assert (run / "samples.jsonl").read_bytes().startswith(kept.rpartition(b"\n")[0])
    assert (run / "samples.jsonl").read_bytes() == (tmp_path / "whole" / "samples.jsonl").read_bytes()


def test_a_reproduction_that_is_stopped_in_its_training_goes_on(tmp_path: Path) -> None:
    command = ["reproduce", "--preset", "smoke", "limit=2", "n=2", "k=[1, 2]", "rows=[multi_agent, magrpo]"]
    command += ["magrpo.steps=4", "magrpo.checkpoint_every=100"]
    finish([*command, "--out", str(tmp_path / "whole")], tmp_path / "whole-said")
    run, told = tmp_path / "run", tmp_path / "said"
    running = start([*command, "--out", str(run)], told)
    wait_for(run / "magrpo" / "train" / "metrics.jsonl")
    go_on = stop(running, signal.SIGTERM, told)
    assert go_on == [*command, "--out", str(run)]
    finish(go_on, told)
    whole, cut = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "run"))
    assert {**cut, "seconds": 0} == {**whole, "seconds": 0}
    place = Path("magrpo") / "samples" / "samples.jsonl"
    assert (run / place).read_bytes() == (tmp_path / "whole" / place).read_bytes()
