"""What the machine fails to judge is neither passed nor failed, is told, and is judged again at the next start."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.faults import fail_on

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.team import Team, load_team
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.benchmarks.samples import judge_file
from codeduet.envs import HELPER, MAIN, Executor, load_problems
from codeduet.envs.config import EnvConfig

N = 4


def main_writes(prompt: str, seed: int) -> str:
    """A right body in samples of an even seed, and one the machine cannot judge in the others."""
    body = next(body for body in ("2 * x", "3 * x", "x * x") if f"Return {body}." in prompt)
    return f"    return {body}\n" if seed % 2 == 0 else "    return None  # doomed\n"


@pytest.fixture(scope="module")
def team(model_dir: Path) -> Team:
    return load_team(str(model_dir), config=TeamConfig(lora_rank=2))


@pytest.fixture
def config(problem_file: Path, model_dir: Path, tmp_path: Path) -> BenchConfig:
    return BenchConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=str(model_dir)),
        env=EnvConfig(problems=str(problem_file), reward="pass"),
        sampling=SamplingConfig(max_new_tokens=200),
        split="train",
        n=N,
        k=[1, 4],
    )


def rows_of(config: BenchConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(config.out) / "samples.jsonl").read_text().splitlines()]


def test_a_bench_ends_and_judges_the_rest_at_its_next_start(
    config: BenchConfig, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine({team[HELPER].name: lambda prompt, seed: "", team[MAIN].name: main_writes})
    screen = io.StringIO()
    with monkeypatch.context() as broken:
        fail_on(broken, "doomed")
        first = bench(config, team=team, engine=engine, console=Console(file=screen, width=300))
    rows = rows_of(config)
    doomed = [row for row in rows if "doomed" in row["main_code"]]
    assert 0 < len(doomed) < len(rows) == 3 * N
    assert {row["passed"] for row in doomed} == {None}
    assert {row["passed"] for row in rows if row not in doomed} == {True}
    assert f"{len(doomed)} of 12 samples could not be judged (WorkerFault: status -9)" in screen.getvalue()
    assert sum(first["unjudged"].values()) == len(doomed)
    assert all(p["correct"] == p["n"] == N - first["unjudged"].get(t, 0) for t, p in first["problems"].items())
    assert first["pass@k"]["1"]["mean"] == 1.0

    again = bench(config, team=team, engine=ScriptedEngine({}), console=Console(file=io.StringIO()))  # asks nobody
    judged = rows_of(config)
    assert [row["main_code"] for row in judged] == [row["main_code"] for row in rows]
    assert [row["passed"] for row in judged] == [row not in doomed for row in rows]
    assert "unjudged" not in again
    assert sum(p["correct"] for p in again["problems"].values()) == len(rows) - len(doomed)


def test_judging_saved_samples_counts_what_is_not_judged_as_neither(
    problem_file: Path, executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, out = tmp_path / "saved.jsonl", tmp_path / "out.jsonl"
    codes = ("def double(x):\n    return 2 * x\n", "def double(x):\n    return 2 * x  # doomed\n")
    saved.write_text("".join(json.dumps({"task_id": "Toy/0", "main_code": code}) + "\n" for code in codes))
    problems = load_problems(problem_file)
    with monkeypatch.context() as broken:
        fail_on(broken, "doomed")
        assert judge_file(saved, out, problems, executor) == (1, 2)
    assert [json.loads(line)["passed"] for line in out.read_text().splitlines()] == [True, None]
    assert judge_file(saved, out, problems, executor) == (2, 2)


def test_an_old_run_is_none_of_it(config: BenchConfig, team: Team) -> None:
    engine = ScriptedEngine(
        {team[HELPER].name: lambda prompt, seed: "", team[MAIN].name: lambda p, s: "    return 0\n"}
    )
    results = bench(replace(config, n=1, k=[1]), team=team, engine=engine, console=Console(file=io.StringIO()))
    assert "unjudged" not in results
