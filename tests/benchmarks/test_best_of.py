"""Best of two answers by the examples that a prompt shows: what is chosen, counted and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import load_team
from codeduet.benchmarks.budgets import by_budget
from codeduet.benchmarks.paper_table import ROWS, comparisons, pairs
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.benchmarks.table_plan import ReproduceConfig, bench_config, plan, rows_of, train_config, trainings
from codeduet.config import load_config
from codeduet.envs import MAIN, InputError
from codeduet.envs.config import EnvConfig

SHOWN = 'def double(x: int) -> int:\n    """Return 2 * x.\n\n    >>> double(2)\n    4\n    """\n'
SILENT = 'def triple(x: int) -> int:\n    """Return 3 * x."""\n'
TESTS = "def check(candidate):\n    assert candidate(1) == {0}\n    assert candidate(3) == {1}\n"


@pytest.fixture
def config(tmp_path: Path, model_dir: Path) -> BenchConfig:
    rows = [
        {"task_id": "T/0", "prompt": SHOWN, "entry_point": "double", "canonical_solution": "    return 2 * x\n", "test": TESTS.format(2, 6)},
        {"task_id": "T/1", "prompt": SILENT, "entry_point": "triple", "canonical_solution": "    return 3 * x\n", "test": TESTS.format(3, 9)},
    ]  # fmt: skip
    file = tmp_path / "two.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return BenchConfig(
        out=str(tmp_path / "bench"),
        team=TeamConfig(kind="single", model=str(model_dir), lora_rank=2, batch_size=8),
        env=EnvConfig(problems=str(file), reward="pass"),
        sampling=SamplingConfig(max_new_tokens=64),
        split="all",
        n=3,
        k=[1],
        best_of=2,
    )


def played(config: BenchConfig, model_dir: Path) -> list[dict[str, Any]]:
    """Of each sample's two answers the first is wrong and the second right."""
    calls: dict[str, int] = {}

    def main(prompt: str, seed: int) -> str:
        name = "double" if "def double" in prompt else "triple"
        calls[name] = calls.get(name, -1) + 1
        right = {"double": "2 * x", "triple": "3 * x"}[name]
        return f"    return {right if calls[name] % 2 else '0'}\n"

    team = load_team(str(model_dir), (MAIN,), config=TeamConfig(lora_rank=2))
    bench(config, team=team, engine=ScriptedEngine({MAIN: main}, byte_tokenizer()), console=Console(quiet=True))
    return [json.loads(line) for line in (Path(config.out) / "samples.jsonl").read_text().splitlines()]


def test_examples_choose_where_there_are_some_and_the_first_counts_where_there_are_none(
    config: BenchConfig, model_dir: Path
) -> None:
    rows = played(config, model_dir)
    assert [(row["task_id"], row["passed"]) for row in rows] == [("T/0", True)] * 3 + [("T/1", False)] * 3
    # Both answers of a sample were drawn, and are paid for.
    single = played(replace(config, best_of=1, out=f"{config.out}_single"), model_dir)
    assert rows[0]["tokens"][MAIN] == single[0]["tokens"][MAIN] + single[1]["tokens"][MAIN]


def test_two_drawn_answers_cost_what_a_teams_two_do() -> None:
    def result(kind: str, **settings: Any) -> dict[str, Any]:
        return {
            "config": {"team": {"kind": kind}, "env": {"max_turns": 1}, "sampling": {"max_new_tokens": 40}, **settings}
        }

    titles = [
        title
        for title, names in by_budget({"team": result("team"), "best": result("single", best_of=2)})
        if len(names) == 2
    ]
    assert titles


def test_hidden_tests_choose_nothing(config: BenchConfig, model_dir: Path) -> None:
    """With other hidden tests the same answers are chosen."""
    before = [row["texts"] for row in played(config, model_dir)]
    file = Path(config.env.problems)
    file.write_text(file.read_text().replace("== 6", "== 7").replace("== 9", "== 8"))
    assert [row["texts"] for row in played(replace(config, out=f"{config.out}_other"), model_dir)] == before


def test_the_preset_for_a_cpu_has_the_rows_that_are_compared() -> None:
    config = load_config(ReproduceConfig, "presets/qwen-0.5b-cpu")
    rows = [row.name for row in rows_of(config)]
    assert set(rows) == {
        "single_team_budget", "single_best_of_2", "single", "multi_agent", "grpo_best_of_2", "grpo", "magrpo"
    }  # fmt: skip
    assert rows.index("grpo") < rows.index("grpo_best_of_2")
    assert len(trainings(config)) == 2
    best = bench_config(config, ROWS["grpo_best_of_2"])
    assert (best.best_of, best.sampling.max_new_tokens) == (2, 400)
    assert best.checkpoint == bench_config(config, ROWS["grpo"]).checkpoint
    assert train_config(config, ROWS["grpo"]).sampling.max_new_tokens == 256
    assert [(p.row.name, p.what) for p in plan(config) if p.row.best_of == 2] == [
        ("single_best_of_2", "sample"), ("grpo_best_of_2", "sample")
    ]  # fmt: skip
    results = {
        "rows": {
            name: {
                "tokens an answer": ROWS[name].budget(400).tokens,
                "answers a program": ROWS[name].budget(400).answers,
            }
            for name in rows
        }
    }
    equal = next(made for made in comparisons(results) if not made.capped)
    assert set(equal.names) == set(rows) - {"single", "grpo"}
    assert ("magrpo", "grpo_best_of_2") in pairs(dict.fromkeys(equal.names))
    assert ("grpo_best_of_2", "single_best_of_2") in pairs(dict.fromkeys(equal.names))
    with pytest.raises(InputError, match="grpo_best_of_2 without grpo"):
        rows_of(load_config(ReproduceConfig, "presets/qwen-0.5b-cpu", ["rows=[grpo_best_of_2, magrpo]"]))


@pytest.mark.parametrize("words", [["best_of=0"], ["best_of=two"]])
def test_best_of_none_is_refused(codeduet: Callable[..., Any], words: list[str]) -> None:
    ran = codeduet("bench", *words)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "best_of" in ran.err
