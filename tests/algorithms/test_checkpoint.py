"""Damaged and foreign files in a run folder: one line each, and nothing of somebody else's is touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.algorithms import TrainConfig, Trainer, make_trainer
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint
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


@pytest.mark.parametrize("text", ["[]", "{}", '{"step": "x", "versions": {}}', '{"step": 1, "versions": [1]}', "null"])
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
