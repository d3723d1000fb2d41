"""What must stay as it was for a run to go on, and what may change."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codeduet.agents.models import model_path
from codeduet.algorithms.checkpoint import find_checkpoint, latest_checkpoint, read_state
from codeduet.algorithms.config import TrainConfig
from codeduet.config import load_config
from codeduet.errors import InputError
from codeduet.files import locked
from codeduet.runs import check_free, command_of, read_config

FREE = frozenset(
    {
        # Where it is, and what it writes.
        "out", "eval.every", "eval.n", "eval.k", "eval.greedy", "eval.limit", "eval.best", "eval.patience", "checkpoint_every", "keep_checkpoints", "show_every", "log", "keep_completions",
        # How it is computed: samples and gradients are the same but for rounding.
        "optim.micro_batch_tokens", "optim.gradient_checkpointing", "optim.memory_gib", "team.batch_size", "team.device", "team.gpu_share", "team.threads",
        # Where a served partner is, and how long it is waited for.
        "team.timeout", "team.retries", "team.base_url",
        # Refusing and skipping differ only where a run would not have begun.
        "env.overlong",
        # The steps that come take another rate; the run folder's config says which.
        "optim.lr", "optim.schedule", "optim.warmup_steps",
    }
)  # fmt: skip
"""Keys that may change when a run is resumed; how long it runs may grow."""

_FREE_OF_SEATS = frozenset({"base_url"})
"""The same, of seats: ``team.seats.ROLE.KEY``."""

_PLACES = frozenset(
    {"team.model", "team.tokenizer", "env.problems", "env.test_problems", "problems", "init_from", "checkpoint"}
)
"""Keys that may name a file or folder, each in more than one way."""


def check_run(config: TrainConfig, *, resume: bool, handed: Sequence[str] = ()) -> None:
    """Check that a training can begin in its run folder or, with ``resume``, go on there; nothing is loaded for it.

    Args:
        config: the training.
        resume: go on with what is there.
        handed: what was handed over instead of being made of the config.

    Raises:
        InputError: the folder is another command's, holds a run and ``resume`` is off, or it is on and there is none or one of
            another config, or one with objects that are not handed over now; or there is nothing to begin with in ``init_from``.
    """
    run = Path(config.out)
    check_free(run, "train")
    check_folder(run, resume=resume)
    if resume and (run / "config.yaml").is_file():
        check_same_run(read_config(TrainConfig, run), config, run / "config.yaml")
        _check_handed(run, handed)
    elif config.init_from and not resume:
        find_checkpoint(Path(config.init_from))


def _check_handed(run: Path, handed: Sequence[str]) -> None:
    newest = latest_checkpoint(run)
    lacking = [name for name in (read_state(newest)["handed"] if newest else ()) if name not in handed]
    if lacking:
        raise InputError(
            f"{run} was begun in Python with its own {', '.join(lacking)}, which its config does not name: "
            f"{resume_call(lacking)} goes on with it"
        )


def training_config(words: Sequence[str], source: str | None, *, resume: bool) -> TrainConfig:
    """Return the config of a training: of the packaged or own file, or of the run that ``words`` begins with.

    Args:
        words: overrides; with ``resume`` the first may be a run folder instead.
        source: a YAML file or the name of a packaged config; MAGRPO's by default.
        resume: whether a run is gone on with.

    Raises:
        InputError: it cannot be made, or the run named is none.
    """
    if not (resume and words and "=" not in words[0]):
        return load_config(TrainConfig, source or "magrpo", words)
    run, *overrides = words
    if (owner := command_of(Path(run))) != "train":
        held = f"{run} holds a run of codeduet {owner}" if owner else f"{Path(run) / 'config.yaml'} is missing"
        raise InputError(f"nothing to resume: {held}")
    # In the folder it was found in: it may have been moved since it was begun.
    base = replace(read_config(TrainConfig, Path(run)), out=run)
    config = load_config(TrainConfig, source, overrides, base=base)
    if Path(config.out).resolve() != Path(run).resolve():
        raise InputError(
            f"--resume goes on in {run}, not in out={config.out}: a new run begins from its weights by init_from={run}"
        )
    return config


def resume_command(run: Path) -> str:
    """Return the command that goes on with a training."""
    if "=" in str(run):  # would be taken for an override
        return f"codeduet train --config {shlex.quote(str(run / 'config.yaml'))} {shlex.quote(f'out={run}')} --resume"
    return f"codeduet train --resume {shlex.quote(str(run))}"


def resume_call(handed: Sequence[str]) -> str:
    """Return the call that goes on with a training of which some objects were handed over."""
    return f"train(config, resume=True, {', '.join(f'{name}=...' for name in handed)})"


def handed_over(objects: Mapping[str, Any]) -> list[str]:
    """Return the names of those objects that change what is sampled or learnt, and that no config names."""
    return [name for name in ("algorithm", "engine", "envs") if objects.get(name) is not None]


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
        if is_free(key) or key in ("steps", "token_budget"):
            continue
        if (key in old, old.get(key)) != (key in new, new.get(key)) and not same_place(key, old.get(key), new.get(key)):
            values = (f"{kept[key]!r}" if key in kept else "not set" for kept in (old, new))
            raise InputError(
                f"{saved} has another {key}: {next(values)} there and {next(values)} here: --resume goes on with the "
                f"same run; a new one, with another out=, can begin from its weights by init_from={after.out}"
            )


def is_free(key: str) -> bool:
    """Tell whether a config's dotted key may change when a run is resumed."""
    return key in FREE or (key.startswith("team.seats.") and key.rpartition(".")[2] in _FREE_OF_SEATS)


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
    if re.sub(r"^team\.seats\.\w+\.", "team.", key) not in _PLACES or not one or not other:
        return False
    places = [_place(str(value), key) for value in (one, other)]
    return places[0].exists() and places[0] == places[1]


def _place(value: str, key: str) -> Path:
    if key.startswith("team."):
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
