"""A step that cannot be finished: what was whole before it is saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.algorithms import TrainConfig, Trainer, make_trainer
from codeduet.algorithms.config import OptimConfig
from codeduet.envs import HELPER, MAIN, InputError
from tests.letters import LetterReward

ERRORS: dict[str, tuple[Exception, type[Exception], str]] = {
    "input": (InputError("a prompt of 9 tokens exceeds it"), InputError, "a prompt of 9 tokens exceeds it; "),
    "floating": (FloatingPointError("logits are not finite"), FloatingPointError, "logits are not finite; "),
    "memory": (
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"),
        InputError,
        r"out of memory: a smaller team\.batch_size or sampling\.max_new_tokens takes less \(CUDA out of memory\. Tried .*\); ",
    ),
    "memory of a CPU": (MemoryError(), InputError, "out of memory: a smaller team.batch_size"),
}


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        sampling=SamplingConfig(max_new_tokens=8),
        optim=OptimConfig(lr=1e-2),
        steps=4,
        problems_per_step=1,
        group_size=4,
        checkpoint_every=100,
    )


def trainer(config: TrainConfig) -> Trainer:
    return make_trainer(config, algorithm=LetterReward(), console=Console(quiet=True))


def breaks(made: Trainer, part: Any, name: str, error: Exception, at: int) -> None:
    """Let a method raise an error in the step behind ``at`` whole ones."""
    real = getattr(part, name)

    def run(*arguments: Any, **options: Any) -> Any:
        if made.step == at:
            raise error
        return real(*arguments, **options)

    setattr(part, name, run)


def weights(made: Trainer) -> list[bytes]:
    return [p.detach().numpy().tobytes() for policy in made.team.policies for p in policy.parameters]


def checkpoints(made: Trainer) -> list[str]:
    folder = made.run / "checkpoints"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("kind", ERRORS)
def test_what_was_whole_is_saved_and_told_and_goes_on_to_the_bit(
    kind: str, config: TrainConfig, tmp_path: Path
) -> None:
    error, raised, words = ERRORS[kind]
    made = trainer(config)
    breaks(made, made.engine, "generate", error, at=2)
    made.open()
    with pytest.raises(raised, match=f"^{words}.*stopped at step 2, which is saved$") as told:
        made.train()
    assert "\n" not in str(told.value)
    assert checkpoints(made) == ["step_000002"]
    resumed = trainer(config)
    resumed.open(resume=True)
    resumed.train()
    whole = trainer(replace(config, out=str(tmp_path / "whole")))
    whole.open()
    whole.train()
    assert (resumed.step, whole.step) == (4, 4)
    assert weights(resumed) == weights(whole)


def test_in_the_first_step_there_is_nothing_to_save(config: TrainConfig) -> None:
    made = trainer(config)
    breaks(made, made.engine, "generate", InputError("no"), at=0)
    made.open()
    with pytest.raises(InputError, match=r"^no$"):
        made.train()
    assert checkpoints(made) == []


def test_a_step_that_has_changed_weights_is_not_saved_as_the_one_before(config: TrainConfig) -> None:
    made = trainer(config)
    breaks(made, made.learners[MAIN], "step", InputError("out of memory"), at=2)
    assert list(made.learners) == [HELPER, MAIN]
    made.open()
    with pytest.raises(
        InputError, match=r"^out of memory; step 3 had begun to change weights: --resume goes on from the last"
    ):
        made.train()
    assert checkpoints(made) == []


def test_an_update_without_memory_leaves_the_step_before_to_be_saved(config: TrainConfig) -> None:
    made = trainer(config)
    learner = made.learners[HELPER]
    breaks(made, learner, "_clip", torch.OutOfMemoryError("CUDA out of memory"), at=2)
    made.open()
    with pytest.raises(InputError, match=r"^out of memory.*stopped at step 2, which is saved$"):
        made.train()
    assert checkpoints(made) == ["step_000002"]


def test_another_error_stays_what_it_is_and_what_was_whole_is_saved(config: TrainConfig) -> None:
    made = trainer(config)
    fault = RuntimeError("a fault of this program")
    breaks(made, made.engine, "generate", fault, at=2)
    made.open()
    with pytest.raises(RuntimeError) as raised:
        made.train()
    assert raised.value is fault
    assert checkpoints(made) == ["step_000002"]
