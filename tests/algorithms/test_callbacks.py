"""Callbacks: what they are told and when, what they keep, and what a training leaves behind for every command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.steps import Trajectory
from codeduet.algorithms import Callback, Group, Tracker, TrainConfig, Trainer, make_trainer, train
from codeduet.algorithms.callbacks import Completions
from codeduet.algorithms.checkpoint import latest_checkpoint, read_state
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.envs import InputError
from codeduet.interrupt import Interrupted
from codeduet.runs import command_of, read_config
from tests.letters import LetterReward


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        sampling=SamplingConfig(max_new_tokens=8),
        optim=OptimConfig(lr=1e-2),
        steps=3,
        problems_per_step=2,
        group_size=4,
        checkpoint_every=2,
    )


class Told(Callback):
    """Keeps what it is told, and counts its steps over resumes."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.count = 0

    def begin(self, trainer: Trainer) -> None:
        self.events.append(("begin", trainer.step))

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        self.count += 1
        self.events.append((trainer.step, len(groups), metrics["tokens"] == trainer.tokens))

    def end(self, trainer: Trainer) -> None:
        self.events.append(("end", trainer.step))

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def trained(config: TrainConfig, *callbacks: Callback, resume: bool = False) -> Trainer:
    return train(config, resume=resume, algorithm=LetterReward(), callbacks=callbacks)


def test_a_callback_is_told_of_the_beginning_each_step_and_the_end(config: TrainConfig) -> None:
    told = Told()
    trained(config, told)
    assert told.events == [("begin", 0), (1, 2, True), (2, 2, True), (3, 2, True), ("end", 3)]


def test_a_callback_goes_on_with_its_state_and_two_of_a_class_with_each_ones(config: TrainConfig) -> None:
    first, second = Told(), Told()
    second.count = 10
    trainer = trained(config, first, second)
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    assert read_state(newest)["callbacks"] == {"Told": {"count": 3}, "Told 2": {"count": 13}}
    first, second, third = Told(), Told(), Told()  # the third is new in the run
    trained(replace(config, steps=4), first, second, third, resume=True)
    assert (first.count, second.count, third.count) == (4, 14, 1)
    assert first.events == [("begin", 3), (4, 2, True), ("end", 4)]


def test_a_callback_that_stops_a_training_stops_it_behind_the_step_which_is_saved(config: TrainConfig) -> None:
    class Enough(Callback):
        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            trainer.stop = True

    trainer = trained(config, Enough())
    assert trainer.step == 1
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    assert newest.name == "step_000001"


def test_what_an_interrupted_callback_lost_is_not_in_the_checkpoint(config: TrainConfig) -> None:
    class Stop(Callback):
        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            if trainer.step == 2:
                raise Interrupted(15)

    before, after = Told(), Told()
    with pytest.raises(Interrupted) as stopped:
        trained(config, before, Stop(), after)
    run = Path(config.out)
    assert stopped.value.line() == (
        "stopped at step 2, which is saved; this goes on: train(config, resume=True, algorithm=...)"
    )
    newest = latest_checkpoint(run)
    assert newest is not None
    assert (newest.name, before.count, after.count) == ("step_000002", 2, 1)
    assert before.events[-1] == after.events[-1] == ("end", 2)


def test_numbers_a_callback_writes_reach_all_that_are_written_to(config: TrainConfig) -> None:
    class Kept(Tracker):
        def __init__(self) -> None:
            self.rows: list[dict[str, Any]] = []

        def write(self, step: int, values: Mapping[str, float], kind: str) -> None:
            self.rows.append({"step": step, "kind": kind, **values})

    class Own(Callback):
        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            trainer.write({"half": trainer.step / 2}, "own")

    kept = Kept()
    trainer = trained(replace(config, steps=2), kept, Own())
    assert json.dumps(kept.rows) == json.dumps(read_metrics(trainer.run))
    assert [(row["step"], row["kind"]) for row in kept.rows] == [(1, "train"), (1, "own"), (2, "train"), (2, "own")]


def test_a_training_from_python_leaves_a_run_folder_that_says_what_it_is(config: TrainConfig) -> None:
    trainer = make_trainer(replace(config, steps=1), algorithm=LetterReward())
    trainer.train()  # which opens it
    assert command_of(trainer.run) == "train"
    assert read_config(TrainConfig, trainer.run) == trainer.config
    with pytest.raises(InputError, match="holds a run already"):
        make_trainer(replace(config, steps=1), algorithm=LetterReward()).train()
    with pytest.raises(InputError, match=r"has another seed: 0 there and 1 here"):
        make_trainer(replace(config, steps=1, seed=1), algorithm=LetterReward()).open(resume=True)


def rows_of(trainer: Trainer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (trainer.run / "completions.jsonl").read_text().splitlines()]


def test_all_completions_are_kept_with_agent_reward_and_advantage(config: TrainConfig) -> None:
    class Credits(Callback):
        advantages: list[float] = []  # noqa: RUF012  # of this test's only one

        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            self.advantages += [trainer.advantages[step] for g in groups for t in g.trajectories for step in t.steps]
            self.rewards = [reward for g in groups for t in g.trajectories for reward in t.rewards]

    credits = Credits()
    rows = rows_of(trained(replace(config, steps=1, keep_completions="all"), credits))
    turns = [turn for row in rows for turn in row["turns"]]
    assert len(rows) == 2 * 4
    assert [turn["agent"] for turn in turns] == ["helper_0", "main_0"] * 8
    assert [turn["advantage"] for turn in turns] == credits.advantages
    assert [turn["reward"] for turn in turns] == credits.rewards
    assert len(set(credits.advantages)) > 2
    assert all({"prompt", "text"} <= turn.keys() for turn in turns)


@pytest.mark.parametrize(("number", "kept"), [(0, 0), (1, 1), (2, 2), (3, 3), (100, 8)])
def test_so_many_completions_are_kept_of_each_step(config: TrainConfig, number: int, kept: int) -> None:
    rows = rows_of(trained(replace(config, steps=2, keep_completions=number)))
    assert [row["step"] for row in rows] == [1] * kept + [2] * kept


def test_the_best_and_the_worst_of_each_group_are_kept_first() -> None:
    class Paid(Trajectory):
        @property
        def team_return(self) -> float:
            return float(self.task_id)

    groups = [Group("a", [Paid(task_id) for task_id in texts]) for texts in ("2031", "132")]
    chosen = [groups[g].trajectories[i].task_id for g, i in Completions(100)._chosen(groups)]
    # Best and worst of the first group and of the second; then what is left, the better first.
    assert chosen == ["3", "0", "3", "1", "2", "1", "2"]
    assert Completions("all")._chosen(groups) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]
