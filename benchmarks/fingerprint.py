"""What tells whether the weights that played are still the same: hashes of every byte of their files."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from codeduet.agents.config import TeamConfig
from codeduet.agents.engine import engine_class
from codeduet.agents.models import model_path
from codeduet.envs import InputError

_WHOLE = 64 * 2**20
"""Bytes up to which earlier versions read a model's file whole; of a larger one they read a block of every MiB."""

_STRIDE, _BLOCK = 2**20, 2**12

_EVERY = "every byte: "
"""How a model's hash begins, unless it is of the kind that earlier versions made."""

_PIECE = 16 * 2**20
"""Bytes under one checksum."""

_KINDS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def fingerprints(team: TeamConfig, checkpoint: str, like: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what can be told of the weights that play: ``model`` of a folder, ``model of <role>`` of
    a seat's, ``checkpoint``.

    Neither a hub name nor a server's model has a fingerprint; nor has what is not there any more.

    Args:
        team: who plays.
        checkpoint: the folder of a checkpoint, or empty.
        like: what a run folder holds of this kind; a hash that an earlier version made is made as it was then, and sees what
            that saw.
    """
    told = {}
    before = like or {}
    seats = {f"model of {role}": team.seat(role) for role, seat in team.seats.items() if seat.model is not None}
    for name, settings in {"model": team, **seats}.items():
        try:
            folder = None if engine_class(settings.engine).weights == "served" else Path(model_path(settings.model))
        except InputError:  # whoever loads it says so
            folder = None
        if folder is not None and folder.is_dir():
            files = [path for path in folder.iterdir() if path.is_file() and path.suffix in _KINDS]
            newer = before.get(name, _EVERY).startswith(_EVERY)
            told[name] = _checksums(files) if newer else _hash(folder, files, whole=False)
    if checkpoint and Path(checkpoint).is_dir():
        told["checkpoint"] = _hash(Path(checkpoint), Path(checkpoint).glob("*/*.safetensors"), whole=True)
    return told


def sha256_of(model: str) -> dict[str, str]:
    """Return the SHA-256 of each file of weights of a model's folder, name -> hex; nothing of a hub name, which says it itself.

    A gigabyte takes about a second.
    """
    try:
        folder = Path(model_path(model))
    except InputError:
        return {}
    found = {}
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        found[path.name] = digest.hexdigest()
    return found


def _checksums(files: Iterable[Path]) -> str:
    """Return a hash of the files of a folder: of a checksum of each piece, which takes about as long as reading them."""
    pieces = [(path, start) for path in sorted(files) for start in range(0, path.stat().st_size or 1, _PIECE)]
    digest = hashlib.blake2b(digest_size=16)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # reading and a checksum let other threads run
        for (path, start), checksum in zip(pieces, pool.map(_checksum, pieces), strict=True):
            digest.update(f"{path.name}\0{path.stat().st_size}\0{start}\0{checksum}\0".encode())
    return _EVERY + digest.hexdigest()


def _checksum(piece: tuple[Path, int]) -> int:
    path, start = piece
    with path.open("rb") as file:
        file.seek(start)
        return zlib.crc32(file.read(_PIECE))


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
