"""A training's state in its run folder: begun, gone on with, saved."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from codeduet.agents.out_of_memory import is_out_of_memory
from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.checkpoint import (
    ALGORITHM,
    Told,
    damaged,
    latest_checkpoint,
    load_checkpoint,
    read_algorithm,
    read_state,
    save_checkpoint,
)
from codeduet.algorithms.resume import check_run
from codeduet.errors import InputError
from codeduet.files import make_folder

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer


def load_state(trainer: Trainer, *, resume: bool) -> Path | None:
    """Begin in the run folder, or go on with what is in it; return the newest checkpoint that is there.

    Args:
        trainer: gets weights, optimisers, steps, and its callbacks their states.
        resume: go on from the folder's newest checkpoint; a run cut off before its first starts over.

    Raises:
        InputError: the folder holds a run and ``resume`` is off, or it is on and there is none, or one of another config, or
            a checkpoint is damaged or one of another model.
    """
    check_run(trainer.config, resume=resume, handed=trainer.handed)
    make_folder(trainer.run)
    newest = latest_checkpoint(trainer.run)
    if resume and newest:
        optimizers = {name: learner.optimizer for name, learner in trainer.learners.items()}
        trainer.step, trainer.tokens = load_checkpoint(newest, trainer.team, optimizers)
        states = read_state(newest)["callbacks"]
        for name, callback in by_name(trainer.callbacks).items():
            if name in states:
                callback.load_state_dict(states[name])
        _load_algorithm(trainer, newest)
    else:
        if resume:
            trainer.say(f"{trainer.run} was cut off before its first checkpoint: from the start")
        if not trainer.config.init_from:
            return newest
        load_checkpoint(Path(trainer.config.init_from), trainer.team)
        for policy in trainer.team.policies:
            policy.version = 0
    for policy in trainer.team.policies:
        if policy.has_weights:
            trainer.engine.sync(policy, policy.version)
    return newest


def _load_algorithm(trainer: Trainer, checkpoint: Path) -> None:
    own = read_algorithm(checkpoint)
    if own is None:
        return
    try:
        trainer.algorithm.load_state_dict(own)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever an algorithm raises of a state that is not its own
        raise damaged(checkpoint, checkpoint / ALGORITHM, error) from None


def check_not_trained_meanwhile(trainer: Trainer) -> None:
    """Check that the run folder, whose lock is held now, is as it was when it was opened.

    Raises:
        InputError: another process has saved a checkpoint there since.
    """
    if latest_checkpoint(trainer.run) != trainer.newest:
        raise InputError(f"another process has trained in {trainer.run} meanwhile: go on with that by --resume")


def save_state(trainer: Trainer) -> Path:
    """Save a checkpoint of a trainer's step and return its folder.

    Raises:
        FloatingPointError: weights are not finite; nothing is saved.
        InputError: a callback's state is no JSON, or the algorithm's cannot be read back.
    """
    for name, learner in trainer.learners.items():
        if not all(bool(torch.isfinite(weights).all()) for weights in learner.policy.parameters):
            raise FloatingPointError(
                f"weights of policy {name!r} are not finite after step {trainer.step}, which is not saved: --resume goes on "
                "from the checkpoint before, with a lower optim.lr"
            )
    states = states_of(trainer.callbacks)
    return save_checkpoint(
        trainer.run,
        trainer.step,
        trainer.team,
        {name: learner.optimizer for name, learner in trainer.learners.items()},
        keep=trainer.config.keep_checkpoints,
        told=Told(
            trainer.tokens,
            states,
            trainer.algorithm.state_dict(),
            trainer.handed,
        ),
    )


def keep_step(trainer: Trainer) -> str:
    """Save the last whole step unless it is; return where a training that is interrupted now stopped."""
    if not trainer.step:
        return "before the first step was whole"
    if trainer.saved != trainer.step:
        trainer.save()
    return f"at step {trainer.step}, which is saved"


def broken_off(trainer: Trainer, error: Exception) -> Exception:
    """Save the last whole step where weights are still as it left them, and return what there is to say of what broke it off.

    That is the error itself, where it is neither bad input nor numbers that are not finite nor memory that ran out.
    """
    if not isinstance(error, InputError | FloatingPointError) and not is_out_of_memory(error):
        _save_beneath(trainer)
        return error
    traceback.clear_frames(error.__traceback__)  # of what they hold, memory is full
    text = " ".join(str(error).split())
    if is_out_of_memory(error):
        text = f"out of memory: a smaller team.batch_size or sampling.max_new_tokens takes less ({text[:120]})"
    kind = FloatingPointError if isinstance(error, FloatingPointError) else InputError
    if trainer.step == trainer.saved:
        return kind(text)
    if trainer.updates != updates(trainer):
        return kind(
            f"{text}; step {trainer.step + 1} had begun to change weights: --resume goes on from the last saved step"
        )
    try:
        trainer.save()
    except FloatingPointError as worse:
        return worse
    return kind(f"{text}; stopped at step {trainer.step}, which is saved")


def _save_beneath(trainer: Trainer) -> None:
    """Save the last whole step if it can be, and say so: the error that is on its way says nothing of it."""
    if trainer.step == trainer.saved or trainer.updates != updates(trainer):
        return
    try:
        trainer.save()
    except Exception as worse:  # noqa: BLE001  # what is on its way is the cause
        trainer.say(f"step {trainer.step} could not be saved: {' '.join(str(worse).split())[:200]}")
    else:
        trainer.say(f"broken off behind step {trainer.step}, which is saved")


def updates(trainer: Trainer) -> int:
    """Return how many updates of weights a trainer's learners have begun."""
    return sum(learner.begun for learner in trainer.learners.values())


def states_of(callbacks: Iterable[Callback]) -> dict[str, Any]:
    """Return the states of those callbacks that have one, by their names.

    Raises:
        InputError: one is no JSON, which no checkpoint could keep.
    """
    states = {name: state for name, callback in by_name(callbacks).items() if (state := callback.state_dict())}
    for name, state in states.items():
        try:
            json.dumps(state)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"callback {name}: its state_dict() is no JSON, which a checkpoint keeps: texts, numbers, lists and dictionaries are "
                f"({error})"
            ) from None
    return states


def by_name(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Return callbacks by their classes' names, with a number where several are of one."""
    counts: Counter[str] = Counter()
    named = {}
    for callback in callbacks:
        name = type(callback).__name__
        counts[name] += 1
        named[name if counts[name] == 1 else f"{name} {counts[name]}"] = callback
    return named
