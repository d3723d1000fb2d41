"""Closing the jail, one level or another; the zygote calls it once, before it reads anything from outside."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

from codeduet.envs.execution.jail import kernel, landlock, namespaces, seccomp
from codeduet.envs.execution.jail.kernel import UnsupportedError
from codeduet.envs.execution.jail.paths import landlock_rules, standard_library, visible_paths

__all__ = ["close", "confine_program", "enter_namespaces", "free_user", "landlock_rules"]

MAX_THREADS = 64
"""Threads a program may have; where the jail's user is also somebody else's, that many more than there were."""

_NOBODY = 65534


def _limit_threads(own_user: bool) -> None:
    """Bound the threads of a program; ``own_user``: nobody else runs under this process's user."""
    others = 0 if own_user else _threads_of(os.getuid())
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    bound = others + MAX_THREADS if own_user else others + 8 * MAX_THREADS
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (bound, bound))


def _threads_of(user: int) -> int:
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid == user:
                    total += len(os.listdir(f"/proc/{entry}/task"))
            except OSError:  # it ended meanwhile, or is hidden
                continue
    return total


def enter_namespaces(packages: Sequence[str]) -> None:
    """Move into namespaces of its own; the caller forks afterwards, and the child calls :func:`close`."""
    namespaces.enter(visible_paths(packages))


def close(rules: dict[str, int], user: int | None) -> None:
    """Give up the rest: user, capabilities, files, system calls. ``user``: the user to become, for root."""
    _limit_threads(own_user=user is not None)
    if user is not None:
        _become(user)
    kernel.drop_capabilities()
    kernel.die_with_parent()  # a change of user would undo it
    kernel.forbid_new_privileges()
    landlock.restrict(rules)
    seccomp.install(seccomp.zygote_filter())


def confine_program() -> None:
    """Close the jail further around a program's process, which is the one that calls this."""
    kernel.die_with_parent()
    seccomp.install(seccomp.program_filter(os.getpid()))


def _become(user: int) -> None:
    """Turn root into ``user``, in no group.

    Where the interpreter lies below a folder that only root may pass, reading files stays root's right (without its
    capabilities, and within what Landlock leaves).
    """
    unreadable = not all(_passable(folder) for folder in standard_library())
    os.setgroups([])
    os.setresgid(user, user, user)
    if unreadable:
        kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    os.setresuid(user, user, user)
    if unreadable:
        kernel.set_capabilities(1 << kernel.CAP_SETUID)
        kernel.call("setfsuid", 0)
    if 0 in (*os.getresuid(), *os.getresgid()) or os.getgroups():
        raise UnsupportedError("privileges could not be dropped")


def _passable(path: str) -> bool:
    """Tell whether anybody may read in ``path``."""
    path = os.path.realpath(path)
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def free_user() -> int:
    """Return a user id that nobody else has: the number of threads is counted by user, and signals go by it."""
    wanted = 1_000_000_000 + os.getpid()
    try:
        with open("/proc/self/uid_map") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except OSError:
        return _NOBODY
    return wanted if any(first <= wanted < first + count for first, _, count in ranges) else _NOBODY
