"""A root, a network, a process table of its own (namespaces(7)): what is outside has no name inside."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

from codeduet.envs.execution.jail import kernel
from codeduet.envs.execution.jail.kernel import UnsupportedError, call
from codeduet.envs.execution.jail.paths import hidden_folders

_READ_ONLY, _NO_SUID, _NO_DEVICES = 1, 2, 4  # MS_* and MOUNT_ATTR_* agree on these
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_STAGES = ("/sys", "/mnt", "/media", "/srv", "/proc")


def enter(paths: Sequence[str], packages: Sequence[str]) -> None:
    """Move this process into new namespaces, with a read-only root that holds ``paths`` and nothing else.

    Installed packages below them are covered, but for the folders ``packages``. The process table comes with the next fork. Root does it by right, others in a user namespace.

    Raises:
        UnsupportedError: the kernel does not let this process make namespaces.
    """
    flags = (
        kernel.CLONE_NEWNS
        | kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWCGROUP
    )
    if os.geteuid() == 0:
        kernel.unshare(flags)
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _build_root(paths, packages)


def _build_root(paths: Sequence[str], packages: Sequence[str]) -> None:
    stage = next(
        (
            folder
            for folder in _STAGES
            if os.path.isdir(folder) and not any(p.startswith(folder) for p in (*paths, *packages))
        ),
        None,
    )
    if stage is None:
        raise UnsupportedError(f"none of {', '.join(_STAGES)} is there to build a root on")
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", stage, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=0755")
    os.chmod(stage, 0o755)
    for folder in ("/lib", "/lib64", "/bin", "/usr/lib64"):
        if os.path.islink(folder):
            os.makedirs(stage + os.path.realpath(folder), exist_ok=True)
            os.makedirs(stage + os.path.dirname(folder), exist_ok=True)
            os.symlink(os.path.relpath(os.path.realpath(folder), os.path.dirname(folder)), stage + folder)
    for path in paths:
        _show(path, stage + path)
    covered = [stage + path for path in hidden_folders() if os.path.isdir(stage + path)]
    for folder in covered:
        _mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=0755")
    for path in packages:
        _show(path, stage + path)
    for folder in (*covered, stage):
        _protect(folder, _NO_SUID | _NO_DEVICES, recursive=False)
    os.chdir(stage)
    call("pivot_root", _text("."), _text("."))
    call("umount2", _text("."), _DETACH)
    os.chdir("/")


def _show(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(source, target, None, _BIND | _RECURSIVE)
    # A device on a read-only mount can still be written to; without devices /dev/null could not be opened at all.
    _protect(target, _NO_SUID | (0 if source.startswith("/dev/") else _NO_DEVICES), recursive=True)


def _protect(target: str, attributes: int, recursive: bool) -> None:
    wanted = ctypes.create_string_buffer(struct.pack("<QQQQ", attributes | _READ_ONLY, 0, 0, 0))
    call("mount_setattr", _AT_FDCWD, _text(target), _AT_RECURSIVE if recursive else 0, wanted, 32)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    call("mount", _text(source), _text(target), _text(kind), flags, _text(data))


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise UnsupportedError(f"{path}: {error.strerror}") from None
