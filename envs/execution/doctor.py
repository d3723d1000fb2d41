"""What isolation does this machine give? Closes a jail of every level and tries it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from codeduet.envs.execution.executor import Executor, Isolation
from codeduet.envs.execution.jailer import IsolationError

LEVELS: dict[Isolation, str] = {
    "namespaces": "namespaces, Landlock and seccomp: a root, network and process table of its own",
    "landlock": "Landlock and seccomp: no file but the standard library's, no socket, no process",
    "process": "limits only, for code you would run yourself; never used unless it is asked for by name",
}


@dataclass(frozen=True)
class Level:
    """One isolation level on this machine.

    Attributes:
        name: the level.
        meaning: what it keeps in.
        works: a jail was closed and its self-test passed.
        detail: the Python version its programs run on, or why it does not work.
    """

    name: Isolation
    meaning: str
    works: bool
    detail: str


def examine() -> list[Level]:
    """Try every level, best first."""
    return [_try(name, meaning) for name, meaning in LEVELS.items()]


def _try(name: Isolation, meaning: str) -> Level:
    try:
        with Executor(workers=1, isolation=name) as executor:
            _, version = executor.start()
    except IsolationError as error:
        return Level(name, meaning, False, error.reason)
    return Level(name, meaning, True, f"Python {version}")


def describe_machine() -> dict[str, str]:
    """Return what matters about this machine for isolation."""
    facts = {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "interpreter": f"{os.path.realpath(sys.executable)}",
        "user": f"{os.geteuid()}" if hasattr(os, "geteuid") else "",
    }
    if sys.platform == "linux":
        from codeduet.envs.execution.jail import landlock

        facts["Landlock"] = f"version {landlock.version()}" if landlock.version() else "not in this kernel, or off"
    return facts
