"""Damaged and foreign files in a run folder: one line each, and nothing of somebody else's is touched."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.team import load_team
from codeduet.algorithms import TrainConfig, Trainer, make_trainer
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from codeduet.algorithms.config import OptimConfig
from codeduet.envs import InputError
from tests.letters import LetterReward


@pytest.fixture
def trainer(tiny_model: str, tmp_path: Path) -> Trainer:
    """A finished training with two checkpoints."""
    config = TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        sampling=SamplingConfig(max_new_tokens=12),
        optim=OptimConfig(lr=1e-2),
        steps=2,
        problems_per_step=2,
        group_size=4,
        checkpoint_every=1,
    )
    trainer = make_trainer(config, algorithm=LetterReward())
    trainer.open()
    trainer.train()
    return trainer


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def noise(path: Path) -> None:
    path.write_bytes(bytes(7 * i % 256 for i in range(1000)))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def another_optimizers(path: Path) -> None:
    """Of as many weights, of other shapes."""
    state = torch.load(path, weights_only=True)
    for moments in state["state"].values():
        moments["exp_avg"] = moments["exp_avg"][:1]
    torch.save(state, path)


def no_optimizers(path: Path) -> None:
    torch.save([1, 2], path)


def optimizers(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a damage to what is read from an optimiser's file."""

    def damage(path: Path) -> None:
        state = torch.load(path, weights_only=True)
        change(state)
        torch.save(state, path)

    damage.__name__ = change.__name__
    return damage


def first_moment(state: dict[str, Any], name: str, value: Any) -> None:
    moments = state["state"][0]
    if value is None:
        moments.pop(name)
    else:
        moments[name] = value if isinstance(value, torch.Tensor) else torch.full_like(moments[name], value)


def optimizer_damages() -> dict[str, Callable[[dict[str, Any]], object]]:
    return {
        "no second moment": lambda state: first_moment(state, "exp_avg_sq", None),
        "no count of steps": lambda state: first_moment(state, "step", None),
        "one moment more": lambda state: first_moment(state, "third", torch.zeros(())),
        "no dimensions": lambda state: first_moment(state, "exp_avg", torch.tensor(0.0)),
        "NaN": lambda state: first_moment(state, "exp_avg", math.nan),
        "infinity": lambda state: first_moment(state, "exp_avg_sq", math.inf),
        "a negative square": lambda state: first_moment(state, "exp_avg_sq", -1.0),
        "NaN steps": lambda state: first_moment(state, "step", math.nan),
        "no step": lambda state: first_moment(state, "step", 0.0),
        "no betas": lambda state: state["param_groups"][0].pop("betas"),
        "a rate that is NaN": lambda state: state["param_groups"][0].update(lr=math.nan),
        "no moments": lambda state: state["state"].clear(),
        "the moments of one weight less": lambda state: state["state"].pop(0),
        "the moments of no weight": lambda state: state["state"].update({999: state["state"].pop(0)}),
        "no group": lambda state: state["param_groups"].clear(),
    }


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    """Return a damage to the tensors of an adapter."""

    def damage(path: Path) -> None:
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return damage


def first(tensors: dict[str, torch.Tensor]) -> str:
    return next(iter(tensors))


WEIGHT_DAMAGES: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "NaN": lambda tensors: tensors[first(tensors)].fill_(math.nan),
    "infinity": lambda tensors: tensors[first(tensors)].view(-1)[:1].fill_(math.inf),
    "another shape": lambda tensors: tensors.update({first(tensors): torch.zeros(3, 3)}),
    "one less": lambda tensors: tensors.pop(first(tensors)),
    "one more": lambda tensors: tensors.update({"base_model.model.other.lora_A.weight": torch.zeros(2, 2)}),
}

OPTIMIZER, WEIGHTS, STATE = "main_0.optimizer.pt", "main_0/adapter_model.safetensors", "state.json"


@pytest.mark.parametrize(
    ("file", "damage"),
    [(file, damage) for file in (OPTIMIZER, WEIGHTS, STATE) for damage in (cut, noise, emptied)]
    + [(OPTIMIZER, another_optimizers), (OPTIMIZER, no_optimizers)],
)
def test_a_damaged_file_is_named_and_without_its_checkpoint_the_one_before_is_taken(
    trainer: Trainer, file: str, damage: Callable[[Path], None]
) -> None:
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    damage(newest / file)
    again = make_trainer(replace(trainer.config, steps=3), algorithm=LetterReward())
    with pytest.raises(InputError) as refused:
        again.open(resume=True)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{newest / file} is damaged (")
    assert str(refused.value).endswith(f"): delete {newest}; the one before it, step_000001, is taken then")
    shutil.rmtree(newest)
    again.open(resume=True)
    assert again.step == 1
    again.train()
    assert again.step == 3


@pytest.mark.parametrize("name", optimizer_damages())
def test_moments_that_do_not_belong_to_the_weights_are_damaged(trainer: Trainer, name: str) -> None:
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    optimizers(optimizer_damages()[name])(newest / OPTIMIZER)
    told = refusal(trainer)
    assert told.startswith(f"{newest / OPTIMIZER} is damaged ("), told
    assert told.endswith(f"): delete {newest}; the one before it, step_000001, is taken then")


@pytest.mark.parametrize("name", WEIGHT_DAMAGES)
def test_weights_that_do_not_belong_to_the_model_are_damaged(trainer: Trainer, name: str) -> None:
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    weights(WEIGHT_DAMAGES[name])(newest / WEIGHTS)
    told = refusal(trainer)
    assert told.startswith(f"{newest / 'main_0'} is damaged ("), told
    assert told.endswith(f"): delete {newest}; the one before it, step_000001, is taken then")


@pytest.mark.parametrize("file", [OPTIMIZER, WEIGHTS])
def test_a_file_that_is_missing_is_damage(trainer: Trainer, file: str) -> None:
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    (newest / file).unlink()
    told = refusal(trainer)
    assert "No such file" in told
    assert told.endswith(f"): delete {newest}; the one before it, step_000001, is taken then")


def test_checkpoints_that_do_not_count_their_moments_are_loaded_and_emptied_ones_are_damaged(trainer: Trainer) -> None:
    newest = latest_checkpoint(trainer.run)
    assert newest is not None
    state = json.loads((newest / STATE).read_text())
    assert state.pop("moments")["main_0"] > 0
    (newest / STATE).write_text(json.dumps(state))
    make_trainer(trainer.config, algorithm=LetterReward()).open(resume=True)
    optimizers(optimizer_damages()["no moments"])(newest / OPTIMIZER)
    assert "moments of 0 weights" in refusal(trainer)


def refusal(trainer: Trainer) -> str:
    """Return why a run is not gone on with."""
    with pytest.raises(InputError) as refused:
        make_trainer(replace(trainer.config, steps=3), algorithm=LetterReward()).open(resume=True)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_base_in_float16_is_told_by_its_precision(trainer: Trainer, tmp_path: Path) -> None:
    """It has no weights under 6e-8, so its hash is that of another base."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(trainer.config.team.model)
    with torch.no_grad():
        model.model.norm.weight[0] = 1e-9
    model.save_pretrained(tmp_path / "small")
    AutoTokenizer.from_pretrained(trainer.config.team.model).save_pretrained(tmp_path / "small")
    teams = {
        name: load_team(str(tmp_path / "small"), config=TeamConfig(lora_rank=2, dtype=name))
        for name in ("float32", "float16", "bfloat16")
    }
    for there, here in (("float32", "float16"), ("float16", "bfloat16")):
        saved = save_checkpoint(tmp_path / there, 1, teams[there], {}, keep=1)
        load_checkpoint(saved, teams[there])
        with pytest.raises(
            InputError, match=rf"another model: .* differ in {there} there and {here} here: use the training's"
        ):
            load_checkpoint(saved, teams[here])
    saved = tmp_path / "float32/checkpoints/step_000001"
    load_checkpoint(saved, teams["bfloat16"])
    with pytest.raises(InputError, match=r"base_weights is \w+ there and \w+ here$"):
        load_checkpoint(saved, load_team(trainer.config.team.model, config=TeamConfig(lora_rank=2)))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"step": "x", "versions": {}}',
        '{"step": 1, "versions": [1]}',
        "null",
        '{"step": -1, "versions": {}}',
    ],
)
def test_a_state_that_says_nothing_of_use_is_damaged(trainer: Trainer, text: str) -> None:
    first, newest = sorted((trainer.run / "checkpoints").iterdir())
    shutil.rmtree(first)
    (newest / STATE).write_text(text)
    with pytest.raises(InputError, match=r"state\.json is damaged \(.*\): delete .*; there is none before it$"):
        load_checkpoint(trainer.run, trainer.team)


def test_folders_of_other_names_are_no_checkpoints(trainer: Trainer) -> None:
    checkpoints = trainer.run / "checkpoints"
    newest = checkpoints / "step_000002"
    foreign = [checkpoints / name for name in ("step_000004.bak", "step_x", "step_99", "step_000009 copy", "mine")]
    for folder in foreign:
        shutil.copytree(newest, folder)
    (checkpoints / "step_000077").mkdir()  # nothing in it
    assert latest_checkpoint(trainer.run) == newest
    again = make_trainer(replace(trainer.config, steps=4, keep_checkpoints=1), algorithm=LetterReward())
    again.open(resume=True)
    assert again.step == 2
    again.train()
    assert latest_checkpoint(trainer.run) == checkpoints / "step_000004"
    left = {path.name for path in checkpoints.iterdir()}
    assert left == {*(folder.name for folder in foreign), "step_000077", "step_000004"}
    for folder in foreign:
        assert sorted(path.name for path in folder.rglob("*")) == sorted(
            path.name for path in (checkpoints / "step_000004").rglob("*")
        )


def test_steps_beyond_six_digits_are_in_their_order(trainer: Trainer) -> None:
    checkpoints = trainer.run / "checkpoints"
    for name in ("step_999999", "step_1000000"):
        shutil.copytree(checkpoints / "step_000002", checkpoints / name)
    assert latest_checkpoint(trainer.run) == checkpoints / "step_1000000"


def test_what_a_killed_process_left_half_written_goes_with_the_next_checkpoint(trainer: Trainer) -> None:
    left = trainer.run / "checkpoints" / ".partial_000001"
    left.mkdir()
    (left / "file").write_text("")
    trainer.save()
    assert not left.exists()


def test_a_new_run_begins_with_a_checkpoints_weights_and_nothing_else(trainer: Trainer, tmp_path: Path) -> None:
    def weights(of: Trainer) -> list[bytes]:
        return [p.detach().numpy().tobytes() for policy in of.team.policies for p in policy.parameters]

    begun = {}
    for source in (trainer.run, trainer.run / "checkpoints" / "step_000002"):
        config = replace(trainer.config, out=str(tmp_path / f"from {source.name}"), init_from=str(source))
        new = make_trainer(config, algorithm=LetterReward())
        assert weights(new) != weights(trainer)
        new.open()
        assert weights(new) == weights(trainer)
        assert (new.step, new.tokens, {policy.version for policy in new.team.policies}) == (0, 0, {0})
        assert not any(learner.optimizer.state for learner in new.learners.values())
        new.train()
        begun[source.name] = weights(new)
    assert begun["run"] == begun["step_000002"] != weights(trainer)
    # Cut off before its first checkpoint it begins there again, and behind it goes on with its own.
    resumed = make_trainer(replace(config, steps=3), algorithm=LetterReward())
    resumed.open(resume=True)
    assert resumed.step == 2
    assert weights(resumed) == begun["run"]
    shutil.rmtree(resumed.run / "checkpoints")
    over = make_trainer(config, algorithm=LetterReward())
    over.open(resume=True)
    over.train()
    assert weights(over) == begun["run"]


def test_weights_of_another_model_or_of_no_run_are_no_beginning(trainer: Trainer, tmp_path: Path) -> None:
    other = replace(trainer.config, out=str(tmp_path / "new"), init_from=str(trainer.run))
    with pytest.raises(InputError, match="another model: lora_rank is 2 there and 4 here"):
        make_trainer(replace(other, team=replace(other.team, lora_rank=4)), algorithm=LetterReward()).open()
    with pytest.raises(InputError, match="no checkpoint in"):
        make_trainer(replace(other, init_from=str(tmp_path)), algorithm=LetterReward()).open()
