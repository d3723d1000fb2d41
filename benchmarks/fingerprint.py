"""What tells whether the weights that played are still the same: hashes of files, cheap for any size of model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from codeduet.agents.config import TeamConfig
from codeduet.agents.models import model_path
from codeduet.envs import InputError

_WHOLE = 64 * 2**20
"""Bytes up to which a model's file is read whole; of a larger one a block of every MiB, so that no matrix is missed."""

_STRIDE, _BLOCK = 2**20, 2**12
_KINDS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def fingerprints(team: TeamConfig, checkpoint: str) -> dict[str, str]:
    """Return what can be told of the weights that play: ``model`` of a folder, ``checkpoint``.

    Neither a hub name nor a server's model has a fingerprint; nor has what is not there any more.

    Args:
        team: who plays.
        checkpoint: the folder of a checkpoint, or empty.
    """
    told = {}
    try:
        folder = None if team.engine == "openai" else Path(model_path(team.model))
    except InputError:  # whoever loads it says so
        folder = None
    if folder is not None and folder.is_dir():
        files = (path for path in folder.iterdir() if path.is_file() and path.suffix in _KINDS)
        told["model"] = _hash(folder, files, whole=False)
    if checkpoint and Path(checkpoint).is_dir():
        told["checkpoint"] = _hash(Path(checkpoint), Path(checkpoint).glob("*/*.safetensors"), whole=True)
    return told


def _hash(folder: Path, files: Iterable[Path], *, whole: bool) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\0{size}\0".encode())
        sampled = size > _WHOLE and not whole
        with path.open("rb") as file:
            for start in range(0, size, _STRIDE):
                file.seek(start)
                digest.update(file.read(_BLOCK if sampled else _STRIDE))
    return digest.hexdigest()
