"""Losses and gradients that are not finite: that step teaches that policy nothing, and the run goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.team import Team, load_team
from codeduet.algorithms import Group, TrainConfig, Trainer, make_trainer
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import json_line, read_metrics
from codeduet.algorithms.sample import Sample
from codeduet.algorithms.update import GIVE_UP
from codeduet.envs import HELPER, MAIN, load_problems
from tests.letters import LetterReward

SAMPLES = [Sample((65, 66), (67, 68, 69), (-1.0, -1.0, -1.0), credit, 1.0) for credit in (1.0, -0.5)]


def bytes_of(team: Team, agent: str = MAIN) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in team[agent].parameters]


def moments_of(learner: Learner) -> list[Any]:
    return [{name: m.tolist() for name, m in of.items()} for of in learner.optimizer.state.values()]


@pytest.fixture
def team(tiny_model: str) -> Team:
    return load_team(tiny_model, config=TeamConfig(lora_rank=2))


def gain(batch: LossBatch) -> torch.Tensor:
    return -(batch.advantages[:, None] * batch.logprobs * batch.mask).sum() / batch.sequences


class _NoSlope(torch.autograd.Function):
    """The identity, with a gradient that is not finite."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        return slope * math.inf


BROKEN = {
    "loss": lambda batch: gain(batch) * math.nan,
    "infinite loss": lambda batch: gain(batch) + math.inf,
    "gradient": lambda batch: _NoSlope.apply(gain(batch)),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("max_grad_norm", [0.0, 1.0])
def test_such_an_update_leaves_weights_and_optimiser_as_they_were(
    team: Team, broken: str, max_grad_norm: float
) -> None:
    learner = Learner(team[MAIN], OptimConfig(lr=1e-2, max_grad_norm=max_grad_norm), micro_batch_tokens=1)
    learner.step(SAMPLES, gain)
    before = bytes_of(team), moments_of(learner), team[MAIN].version
    told = learner.step(SAMPLES, BROKEN[broken])
    assert (bytes_of(team), moments_of(learner), team[MAIN].version) == before
    assert (told["updates"], told["skipped_updates"], learner.skipped) == (0.0, 1.0, 1)
    assert all(parameter.grad is None for parameter in team[MAIN].parameters)
    learner.step(SAMPLES, gain)
    assert (learner.skipped, team[MAIN].version) == (0, before[2] + 1)
    assert bytes_of(team) != before[0]


class EveryFifth(LetterReward):
    """The credit of every fifth problem is no number, for one agent or for both."""

    agents: tuple[str, ...] = (MAIN,)
    every = 5

    def advantages(self, groups: Sequence[Group]) -> Any:
        credits = super().advantages(groups)
        numbers = {problem.task_id: number for number, problem in enumerate(load_problems())}
        for group in groups:
            if numbers[group.task_id] % self.every == 0:
                credits |= {step: math.nan for step in group.steps if step.agent in self.agents}
        return credits


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        sampling=SamplingConfig(max_new_tokens=12),
        optim=OptimConfig(lr=1e-2),
        steps=12,
        problems_per_step=1,
        group_size=4,
        checkpoint_every=4,
    )


def trainer(config: TrainConfig, algorithm: EveryFifth, console: Console | None = None) -> Trainer:
    return make_trainer(config, algorithm=algorithm, console=console or Console(quiet=True))


def no_nan(run: Path) -> None:
    """Assert that no file of a run holds a number that is none."""
    for path in run.rglob("*"):
        if path.suffix in (".json", ".jsonl"):
            for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
                json.loads(line, parse_constant=pytest.fail)
        elif path.suffix == ".pt":
            state = torch.load(path, weights_only=True)["state"]
            assert all(torch.isfinite(moment).all() for moments in state.values() for moment in moments.values())
        elif path.suffix == ".safetensors":
            assert all(torch.isfinite(weights).all() for weights in load_file(path).values())


@pytest.mark.parametrize("agents", [(MAIN,), (HELPER, MAIN)])
def test_a_training_goes_on_and_is_resumed_past_it(
    config: TrainConfig, agents: tuple[str, ...], tmp_path: Path
) -> None:
    algorithm = EveryFifth()
    algorithm.agents = agents
    console = Console(record=True, width=300, file=open("/dev/null", "w"))  # noqa: SIM115
    whole = trainer(config, algorithm, console)
    whole.open()
    whole.train()
    assert whole.step == 12
    rows = read_metrics(whole.run)
    skipped = [row["step"] for row in rows if row[f"{MAIN}/skipped_updates"]]
    numbers = {problem.task_id: number for number, problem in enumerate(load_problems())}
    bad = [step + 1 for step in range(12) if numbers[whole.batch_tasks(step)[0]] % 5 == 0]
    assert skipped == bad
    assert len(bad) > 1
    for row in rows:
        expected = float(row["step"] in bad and HELPER in agents)
        assert row[f"{HELPER}/skipped_updates"] == expected
    told = [line for line in console.export_text().splitlines() if "not finite" in line]
    assert len(told) == len(agents)
    assert f"step {bad[0]}: loss or gradient of policy " in told[0]
    no_nan(whole.run)
    cut = trainer(replace(config, out=str(tmp_path / "cut")), algorithm)
    cut.open()
    while cut.step < bad[0]:
        cut.train_step()
    cut.save()
    resumed = trainer(cut.config, algorithm)
    resumed.open(resume=True)
    resumed.train()
    assert bytes_of(resumed.team) == bytes_of(whole.team)
    assert bytes_of(resumed.team, HELPER) == bytes_of(whole.team, HELPER)


def test_a_training_gives_up_after_several_in_a_row_and_can_be_resumed_past_them(config: TrainConfig) -> None:
    algorithm = EveryFifth()
    algorithm.every = 1
    ends = trainer(config, algorithm)
    before = bytes_of(ends.team)
    helper = bytes_of(ends.team, HELPER)
    ends.open()
    with pytest.raises(
        FloatingPointError, match=rf"'main_0' was not finite in {GIVE_UP} steps in a row: stopped at step 5"
    ):
        ends.train()
    assert (ends.step, bytes_of(ends.team)) == (GIVE_UP, before)
    assert bytes_of(ends.team, HELPER) != helper  # which learnt all the while
    no_nan(ends.run)
    resumed = trainer(config, EveryFifth())
    resumed.open(resume=True)
    assert (resumed.step, bytes_of(resumed.team)) == (GIVE_UP, before)
    resumed.train()
    assert resumed.step == config.steps


def test_weights_that_are_not_finite_are_never_saved(config: TrainConfig) -> None:
    ends = trainer(config, EveryFifth())
    ends.open()
    ends.train_step()
    saved = ends.save()
    with torch.no_grad():
        ends.team[MAIN].parameters[0][0] = math.nan
    ends.step += 1
    with pytest.raises(
        FloatingPointError, match=r"weights of policy 'main_0' are not finite after step 2, which is not saved"
    ):
        ends.save()
    assert list((ends.run / "checkpoints").iterdir()) == [saved]


def test_a_number_that_is_none_is_null() -> None:
    row = {"a": math.nan, "b": [math.inf, {"c": -math.inf, "d": 0.5}], "e": 1, "f": "NaN"}
    assert json.loads(json_line(row)) == {"a": None, "b": [None, {"c": None, "d": 0.5}], "e": 1, "f": "NaN"}


def test_a_reward_that_is_none_is_null_in_every_row(config: TrainConfig) -> None:
    class NoNumber(LetterReward):
        def advantages(self, groups: Sequence[Group]) -> Any:
            credits = super().advantages(groups)
            for group in groups:
                for trajectory in group.trajectories:
                    trajectory.rewards[-1] = math.nan
            return credits

    made = make_trainer(replace(config, steps=1), algorithm=NoNumber(), console=Console(quiet=True))
    made.open()
    made.train()
    no_nan(made.run)
    assert '"reward": null' in (made.run / "completions.jsonl").read_text()
