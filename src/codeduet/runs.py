"""What a run folder says of itself: in ``config.yaml``, whose key ``command`` names the command that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from codeduet.config import load_config, read_yaml, to_yaml
from codeduet.errors import InputError
from codeduet.files import write_whole

T = TypeVar("T")

_BEFORE = {
    "protocol": "reproduce", "magrpo": "reproduce", "algorithm": "train", "steps": "train", "checkpoint": "bench",
    "split": "bench",
}  # fmt: skip
"""Keys that only one command's configs have, by which folders are known that were begun before they named the command."""


def write_config(run: Path, config: Any) -> None:
    """Write the config of a run into its folder."""
    write_whole(run / "config.yaml", to_yaml(config))


def read_config(kind: type[T], run: Path) -> T:
    """Read the config of a run folder.

    Raises:
        InputError: there is none, it is of another command, or a key or value of it does not fit.
    """
    return load_config(kind, str(run / "config.yaml"))


def command_of(run: Path) -> str | None:
    """Return the command that made a run folder, ``"train"``, ``"bench"`` or ``"reproduce"``; None where it holds no run."""
    saved = run / "config.yaml"
    if not saved.is_file():
        return None
    tree = read_yaml(str(saved))
    told = tree.get("command")
    return str(told) if told else next((command for key, command in _BEFORE.items() if key in tree), None)


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
