"""Folders that can be made, and files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from codeduet.envs.errors import InputError


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from None


def write_whole(path: Path, text: str) -> None:
    """Replace a file as a whole: whoever is cut off, or runs out of space, leaves the one before."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
