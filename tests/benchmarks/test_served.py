"""A benchmark through servers that make trouble: it ends, loses no answer, asks for none again, and tells."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("openai")

from tests.servers import Played, Server, serving

from codeduet.agents import served as served_module
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.config import load_config
from codeduet.envs import HELPER, MAIN, InputError
from codeduet.envs.config import EnvConfig

RATE_LIMIT = Played({"error": {"message": "slow down"}}, 429)
TROUBLES = [
    Played({"choices": []}),
    Played({"error": {"message": "upstream died", "code": 502}}),
    Played(None),
    Played(b"<html>bad gateway</html>", 502),
    *[RATE_LIMIT] * 4,
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_module, "_FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(served_module, "_LONGEST_WAIT_S", 0.02)


def solves(body: dict[str, Any]) -> str:
    """Right answers, but for seeds of one kind; every text names its seed, so that none is like another."""
    said = str(body["messages"])
    if "hello" in said:
        return "hello"
    name, value = next(
        pair for pair in (("double", "2 * x"), ("triple", "3 * x"), ("square", "x * x")) if pair[0] in said
    )
    value = value if body["seed"] % 3 else "None"
    return f"```python\ndef {name}(x):\n    return {value}  # {body['seed']}\n```"


@pytest.fixture
def config(tmp_path: Path, problem_file: Path) -> BenchConfig:
    return BenchConfig(
        out=str(tmp_path / "bench"),
        team=TeamConfig(kind="single", engine="openai", model="m", api="chat", batch_size=4),
        env=EnvConfig(problems=str(problem_file), reward="pass"),
        sampling=SamplingConfig(max_new_tokens=200),
        split="train",
        n=4,
        k=[1],
    )


def texts(out: str) -> set[str]:
    rows = [json.loads(line) for line in (Path(out) / "samples.jsonl").read_text().splitlines()]
    return {text for row in rows for text in row["texts"][MAIN] if text}


def test_every_trouble_in_turn_a_stop_and_a_new_start(config: BenchConfig) -> None:
    screen = io.StringIO()
    told = Console(file=screen, width=1000)

    def deny_after(answers: int) -> Any:
        return lambda _: Played({"error": {"message": "key revoked"}}, 401) if len(server.answered) >= answers else None

    server = Server(troubles=list(TROUBLES), write=solves)
    server.choice = lambda _, text: {"message": {"content": [{"type": "text", "text": text}]}, "finish_reason": "stop"}
    with serving(server):
        here = replace(config, team=replace(config.team, base_url=server.url))
        server.refuses = deny_after(6)
        with pytest.raises(InputError, match="HTTP 401: key revoked"):
            bench(here, console=told)
        assert len(server.answered) == 6
        server.refuses = lambda body: Played({"detail": "too long"}, 400) if "square" in str(body) else None
        patient = replace(here, team=replace(here.team, retries=11, timeout=9.0))
        results = bench(patient, console=told)
        given = {text for body, text in server.answered if "hello" not in str(body)}
        assert texts(here.out) == given
        assert len(given) == 8  # every question of two problems was answered once
        assert len([body for body, _ in server.answered if "hello" not in str(body)]) == 8
        assert results["refused"] == 4
        assert results["problems"]["Toy/2"] == {"n": 4, "correct": 0}
        asked = len(server.asked)
        assert bench(patient, console=told) == results
        assert len(server.asked) == asked
    said = screen.getvalue()
    for words in (
        "its answer is no completion",
        "slow down; asked again",
        "4 prompts refused",
        "waits for a busy server",
    ):
        assert words in said, said


def test_two_names_on_one_server_or_two_play_one_team(config: BenchConfig, tmp_path: Path) -> None:
    with serving(Server(write=solves)) as one, serving(Server(write=solves)) as other:
        words = [
            "team.kind=team", "team.engine=openai", f"team.base_url={one.url}", "team.api=chat", "n=1", "k=[1]",
            f"env.problems={config.env.problems}", "limit=1", "split=train", "team.model=lora",
        ]  # fmt: skip
        names = ["team.models.helper_0=helper 0: x", "team.models.main_0=010"]
        bench(
            load_config(BenchConfig, None, [*words, *names, f"out={tmp_path / 'names'}"]), console=Console(quiet=True)
        )
        assert [body["model"] for body in one.asked] == ["helper 0: x", "010"]
        urls = [f"team.base_urls.main_0={other.url}"]
        bench(load_config(BenchConfig, None, [*words, *urls, f"out={tmp_path / 'urls'}"]), console=Console(quiet=True))
        assert [body["model"] for body in (*one.asked[2:], *other.asked)] == ["lora", "lora"]
        assert len(other.asked) == 1


@pytest.mark.parametrize(
    ("team", "message"),
    [
        ({"models": {"helper": "x"}}, "team.models names no agent: 'helper'"),
        ({"base_urls": {HELPER: "http://x"}, "kind": "single"}, "team.base_urls names no agent: 'helper_0'"),
        ({"models": {MAIN: "x"}, "engine": "hf"}, "team.models is of a server's models: set team.engine=openai"),
    ],
)
def test_models_of_nobody_are_refused(config: BenchConfig, team: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bench(replace(config, team=replace(config.team, **team)))
