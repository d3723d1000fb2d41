"""Folders that can be made and kept to oneself, files that are there whole or not at all, and rows of JSON."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeduet.errors import InputError


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder that this one writes into; nothing is left behind, however it ends.

    Raises:
        InputError: another process is at work there.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # some network file systems have no locks: there it is up to the user
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                busy = f"another process is at work in {folder}: wait for it, or choose another out="
                raise InputError(busy) from None
        yield
    finally:
        os.close(handle)


def read_run_rows(path: Path) -> list[dict[str, Any]]:
    """Read what a run wrote, a JSON object a line, up to a last one that was cut off half way; no file is no rows.

    Raises:
        InputError: another line is no JSON object.
    """
    if not path.is_file():
        return []
    rows = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):
                break
            raise InputError(f"{path} line {number} is not JSON: mend or delete it") from None
        if not isinstance(row, dict):
            raise InputError(f"{path} line {number} is no JSON object: mend or delete it")
        rows.append(row)
    return rows


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of writing, such as that of a full disk, name the file: the system does so for opening alone."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def json_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON, which has no NaN and no infinity: null stands for them."""
    return json.dumps(finite(dict(row)), allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Return ``value`` with None for every number in it that is none."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, text: str) -> None:
    """Replace a file as a whole: whoever is cut off, or runs out of space, leaves the one before."""
    partial = path.with_name(path.name + ".partial")
    try:
        with naming(path):
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
