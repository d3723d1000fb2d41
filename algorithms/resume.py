"""What must stay as it was for a run to go on, and what may change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codeduet.agents.team import model_path
from codeduet.algorithms.checkpoint import latest_checkpoint
from codeduet.algorithms.config import TrainConfig
from codeduet.envs import InputError
from codeduet.envs.files import locked

FREE = frozenset(
    {
        # Where it is, and what it writes.
        "out", "eval_every", "eval_samples", "checkpoint_every", "keep_checkpoints", "show_every",
        # How it is computed: samples and gradients are the same but for rounding.
        "optim.micro_batch_tokens", "optim.gradient_checkpointing", "optim.memory_gib", "team.batch_size", "team.device", "team.gpu_share", "team.threads",
        # Refusing and skipping differ only where a run would not have begun.
        "env.overlong",
        # The steps that come take another rate; the run folder's config says which.
        "optim.lr", "optim.schedule", "optim.warmup_steps",
    }
)  # fmt: skip
"""Keys that may change when a run is resumed; how long it runs may grow."""

_PLACES = frozenset(
    {"team.model", "team.tokenizer", "env.problems", "env.test_problems", "problems", "init_from", "checkpoint"}
)
"""Keys that may name a file or folder, each in more than one way."""


def check_same_run(before: TrainConfig, after: TrainConfig, saved: Path) -> None:
    """Refuse to go on with a run under a config that makes another run of it.

    Args:
        before: the run's.
        after: the one to go on under.
        saved: the file ``before`` was read from, for the message.

    Raises:
        InputError: a key differs that may not; it and both values are named.
    """
    old, new = _flat(asdict(before)), _flat(asdict(after))
    for key in ("steps", "token_budget"):
        if _limit(new[key]) < _limit(old[key]):
            raise InputError(
                f"{saved} has {key}={old[key]}, not {new[key]}: --resume can run longer, not shorter than that"
            )
    for key in dict.fromkeys([*old, *new]):
        if key in FREE or key in ("steps", "token_budget"):
            continue
        if (key in old, old.get(key)) != (key in new, new.get(key)) and not same_place(key, old.get(key), new.get(key)):
            values = (f"{kept[key]!r}" if key in kept else "not set" for kept in (old, new))
            raise InputError(
                f"{saved} has another {key}: {next(values)} there and {next(values)} here: --resume goes on with the "
                f"same run; a new one, with another out=, can begin from its weights by init_from={after.out}"
            )


def check_folder(run: Path, *, resume: bool) -> None:
    """Check that a run folder is free, or holds a run to go on with.

    Raises:
        InputError: it holds a run and ``resume`` is off, or it is on and there is none, or another process is at work there.
    """
    if run.is_dir():
        with locked(run):  # whoever trains there takes it again: this tells before a model is loaded
            pass
    begun = (run / "metrics.jsonl").exists()
    if resume and not begun and latest_checkpoint(run) is None and not (run / "config.yaml").is_file():
        raise InputError(f"nothing to resume: no run in {run}")
    if begun and not resume:
        raise InputError(f"{run} holds a run already: continue it with --resume, or choose another out=")


def same_place(key: str, one: object, other: object) -> bool:
    """Tell of a config's dotted key whether two values of it name one folder or file."""
    if key not in _PLACES or not one or not other:
        return False
    places = [_place(str(value), key) for value in (one, other)]
    return places[0].exists() and places[0] == places[1]


def _place(value: str, key: str) -> Path:
    if key in ("team.model", "team.tokenizer"):
        with contextlib.suppress(InputError):  # whoever loads it says so
            value = model_path(value)
    return Path(value).expanduser().resolve()


def _limit(value: int) -> float:
    """Return how far a limit lets a run go: 0 is none."""
    return value or float("inf")


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    return dict(_leaves(tree, ""))


def _leaves(tree: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
