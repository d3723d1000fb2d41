"""Which files are left (Landlock, linux/landlock.h): named paths for reading, nothing for writing or executing."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping

from codeduet.envs.execution.jail.kernel import UnsupportedError, call

WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Kernel's Landlock version -> how many rights over files it knows, from that version on."""
_CREATE_VERSION = 1
_PATH_BENEATH = 1


def version() -> int:
    """Return the kernel's Landlock version; 0 if it has none."""
    try:
        return call("landlock_create_ruleset", None, 0, _CREATE_VERSION)
    except UnsupportedError:
        return 0


def restrict(paths: Mapping[str, int]) -> None:
    """Leave this process the rights ``paths`` names (path -> bits) and no other, for good.

    Where the kernel knows them, TCP ports, abstract sockets and signals to processes outside are closed too.

    Raises:
        UnsupportedError: the kernel has no Landlock.
    """
    known = version()
    if not known:
        raise UnsupportedError("Landlock is not in this kernel, or not switched on")
    files = (1 << max(rights for since, rights in _FILE_RIGHTS.items() if since <= known)) - 1
    network = 0b11 if known >= 4 else 0
    scopes = 0b11 if known >= 6 else 0
    handled = ctypes.create_string_buffer(struct.pack("<QQQ", files, network, scopes))
    ruleset = call("landlock_create_ruleset", handled, 24 if known >= 6 else 16 if known >= 4 else 8, 0)
    try:
        for path, rights in paths.items():
            allow(ruleset, path, rights)
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def allow(ruleset: int, path: str, rights: int) -> None:
    """Add a path to a ruleset; one that is not there, or cannot be reached, is left out."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= ~READ_DIR
        rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, descriptor))
        call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
