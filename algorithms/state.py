"""A training's state in its run folder: begun, gone on with, saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint, read_state, save_checkpoint
from codeduet.algorithms.resume import check_run
from codeduet.files import make_folder

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer


def load_state(trainer: Trainer, *, resume: bool) -> None:
    """Begin in the run folder, or go on with what is in it.

    Args:
        trainer: gets weights, optimisers, steps, and its callbacks their states.
        resume: go on from the folder's newest checkpoint; a run cut off before its first starts over.

    Raises:
        InputError: the folder holds a run and ``resume`` is off, or it is on and there is none, or one of another config, or
            a checkpoint is damaged or one of another model.
    """
    check_run(trainer.config, resume=resume)
    make_folder(trainer.run)
    if resume and (newest := latest_checkpoint(trainer.run)):
        optimizers = {name: learner.optimizer for name, learner in trainer.learners.items()}
        trainer.step, trainer.tokens = load_checkpoint(newest, trainer.team, optimizers)
        states = read_state(newest)["callbacks"]
        for name, callback in by_name(trainer.callbacks).items():
            if name in states:
                callback.load_state_dict(states[name])
    else:
        if resume:
            trainer.say(f"{trainer.run} was cut off before its first checkpoint: from the start")
        if not trainer.config.init_from:
            return
        load_checkpoint(Path(trainer.config.init_from), trainer.team)
        for policy in trainer.team.policies:
            policy.version = 0
    for policy in trainer.team.policies:
        trainer.engine.sync(policy, policy.version)


def save_state(trainer: Trainer) -> Path:
    """Save a checkpoint of a trainer's step and return its folder.

    Raises:
        FloatingPointError: weights are not finite; nothing is saved.
    """
    for name, learner in trainer.learners.items():
        if not all(bool(torch.isfinite(weights).all()) for weights in learner.policy.parameters):
            raise FloatingPointError(
                f"weights of policy {name!r} are not finite after step {trainer.step}, which is not saved: --resume goes on "
                "from the checkpoint before, with a lower optim.lr"
            )
    states = {name: callback.state_dict() for name, callback in by_name(trainer.callbacks).items()}
    return save_checkpoint(
        trainer.run,
        trainer.step,
        trainer.team,
        {name: learner.optimizer for name, learner in trainer.learners.items()},
        keep=trainer.config.keep_checkpoints,
        tokens=trainer.tokens,
        callbacks={name: state for name, state in states.items() if state},
    )


def by_name(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Return callbacks by their classes' names, with a number where several are of one."""
    counts: Counter[str] = Counter()
    named = {}
    for callback in callbacks:
        name = type(callback).__name__
        counts[name] += 1
        named[name if counts[name] == 1 else f"{name} {counts[name]}"] = callback
    return named
