"""A group with a program that the machine failed to judge is left out of its step, and the training goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.steps import Group
from codeduet.algorithms import TrainConfig, Trainer, make_trainer
from codeduet.algorithms.algorithm import Advantages, Algorithm
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.metrics import read_metrics
from codeduet.envs.config import EnvConfig
from tests.faults import fail_on

TESTS = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 2\n"


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    file = tmp_path / "two.jsonl"
    rows = [
        {"task_id": f"T/{name}", "prompt": f"def {name}(x):\n", "entry_point": name, "test": TESTS}
        for name in ("a", "b")
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "task_id": "T/c"}]))
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        env=EnvConfig(problems=str(file)),
        sampling=SamplingConfig(max_new_tokens=200),
        steps=2,
        problems_per_step=2,
        group_size=2,
    )


class Seen(MAGRPO):
    """Keeps what it was given to learn from."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[list[str]] = []

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        self.tasks.append([group.task_id for group in groups])
        return super().advantages(groups)


def trained(config: TrainConfig, algorithm: Algorithm, mark: str) -> Trainer:
    trainer = make_trainer(config, algorithm=algorithm)

    def main_writes(prompt: str, seed: int) -> str:
        return f"    return x  # {mark}\n" if "def b(" in prompt or mark == "all doomed" else "    return x\n"

    names = [policy.name for policy in trainer.team.policies]
    writers = dict.fromkeys(names, main_writes)
    trainer.engine = ScriptedEngine({**writers, names[0]: lambda prompt, seed: ""})
    trainer.open()
    trainer.train()
    return trainer


def test_its_group_is_left_out_and_counted(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_on(monkeypatch, "doomed")
    algorithm = Seen()
    trainer = trained(config, algorithm, "doomed")
    assert algorithm.tasks == [["T/a"], ["T/a"]]
    rows = read_metrics(trainer.run)
    assert [(row["kind"], row["worker_faults"]) for row in rows] == [("train", 1.0), ("train", 1.0)]
    assert all(row["solved"] == 1.0 for row in rows)


def test_a_step_without_any_verdict_is_no_end(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_on(monkeypatch, "doomed")
    algorithm = Seen()
    trainer = trained(config, algorithm, "all doomed")
    assert (trainer.step, algorithm.tasks) == (2, [])
    rows = read_metrics(trainer.run)
    assert [row["worker_faults"] for row in rows] == [2.0, 2.0]
    assert all(row["reward"] is None or math.isnan(row["reward"]) for row in rows)
