"""What a run folder says of itself: in ``config.yaml``, whose key ``command`` names the command that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from codeduet.config import FIRST, LAST, command_for, command_in, cut_off, load_config, read_yaml, to_yaml
from codeduet.errors import InputError
from codeduet.files import write_whole

T = TypeVar("T")

_ENDED = {"train": "show_every", "bench": "k", "reproduce": "k"}
"""The key that every config of a run folder of before has, of those without a last line: a later one may be missing."""


def write_config(run: Path, config: Any) -> None:
    """Write the config of a run into its folder, whose lock the caller holds."""
    write_whole(run / "config.yaml", f"{FIRST}{to_yaml(config)}{LAST}")


def read_config(kind: type[T], run: Path) -> T:
    """Read the config of a run folder.

    Raises:
        InputError: there is none, it is of another command or was cut off, or a key or value of it does not fit.
    """
    source = str(run / "config.yaml")
    tree = read_yaml(source, kind)
    # A file of an earlier version has fewer keys and no last line: it is whole if it has the key that was the last.
    ended = _ENDED.get(command_for(kind) or "")
    if ended and ended not in tree and command_in(tree) in (command_for(kind), None):
        raise InputError(cut_off(source, tree, kind))
    return load_config(kind, source, saved=True)


def command_of(run: Path) -> str | None:
    """Return the command that made a run folder, ``"train"``, ``"bench"`` or ``"reproduce"``; None where it holds no run."""
    saved = run / "config.yaml"
    return command_in(read_yaml(str(saved))) if saved.is_file() else None


def check_free(run: Path, command: str) -> None:
    """Check that a run folder is not another command's.

    Args:
        run: the folder.
        command: who wants it: ``"train"``, ``"bench"`` or ``"reproduce"``.

    Raises:
        InputError: it holds a run of another command.
    """
    owner = command_of(run)
    if owner not in (None, command) and any(path.name != "config.yaml" for path in run.iterdir()):
        raise InputError(f"{run} holds a run of codeduet {owner}: choose another out=")


def check_training_run(run: Path) -> None:
    """Check that a run folder is a training's.

    Raises:
        InputError: it is not; trainings within it are named.
    """
    if (owner := command_of(run)) == "train":
        return
    held = f"it holds a run of codeduet {owner}" if owner else "config.yaml is missing"
    trainings = sorted(path.parent for path in run.glob("*/train/config.yaml")) if run.is_dir() else []
    inside = f"; of the trainings in it name one, such as {trainings[0]}" if trainings else ""
    raise InputError(f"{run} is no training run: {held}{inside}")
