"""What a program can see of the file system: the standard library, the libraries it links to, and ``/dev/null``.

Packages are left out on purpose: a data set with the tests may be among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from codeduet.envs.execution.jail.landlock import READ_DIR, READ_FILE, WRITE_FILE

HIDDEN = ("site-packages", "dist-packages")
"""Folders inside the standard library's that hold installed packages."""

_DATA = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/usr/lib/locale")


def standard_library() -> list[str]:
    """Return the standard library's folders; this interpreter was started without the packages' (``-S``)."""
    return [path for path in sys.path if os.path.isdir(path)]


def shared_libraries() -> list[str]:
    """Return the folders that the libraries of this process were loaded from."""
    folders = {"/lib64", "/usr/lib64"} if os.path.isdir("/lib64") else set()
    with open("/proc/self/maps") as file:
        lines = file.read().splitlines()
    for line in lines:
        path = line.split(maxsplit=5)[5:]
        if path and ".so" in path[0]:
            folders.add(os.path.dirname(path[0]))
    return sorted(folder for folder in folders if os.path.isdir(folder) and "lib-dynload" not in folder)


def landlock_rules(packages: Sequence[str]) -> dict[str, int]:
    """Return path -> rights, entry by entry, since Landlock can add rights below a folder but not take them back."""
    rules = {"/dev/null": READ_FILE | WRITE_FILE}
    rules |= dict.fromkeys(_DATA, READ_FILE | READ_DIR)
    for folder in standard_library():
        # Not to be listed itself, since packages may lie below it: the importer has its entries by now.
        for entry in os.listdir(folder):
            if entry not in HIDDEN:
                rules[os.path.join(folder, entry)] = READ_FILE | READ_DIR
    for folder in shared_libraries():
        for entry in os.listdir(folder):
            if ".so" in entry:
                rules.setdefault(os.path.join(folder, entry), READ_FILE)
    return rules | dict.fromkeys(packages, READ_FILE | READ_DIR)


def hidden_folders() -> list[str]:
    """Return where packages may lie below the standard library's folders."""
    return [os.path.join(folder, name) for folder in standard_library() for name in HIDDEN]


def visible_paths() -> list[str]:
    """Return the paths a jail with a root of its own needs to have mounted, but for packages."""
    libraries = map(os.path.realpath, shared_libraries())
    paths = {*standard_library(), *libraries, *_DATA, "/dev/null"}
    paths = {os.path.abspath(path) for path in paths if os.path.exists(path)}
    return sorted(path for path in paths if not any(path.startswith(f"{other}/") for other in paths))
