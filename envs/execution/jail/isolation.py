"""Closing the jail, one level or another; the zygote calls it once, before it reads anything from outside."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Sequence

from codeduet.envs.execution.jail import kernel, landlock, namespaces, seccomp
from codeduet.envs.execution.jail.kernel import UnsupportedError, die_with_parent
from codeduet.envs.execution.jail.paths import landlock_rules, standard_library, visible_paths

__all__ = [
    "close",
    "die_with_parent",
    "enter_namespaces",
    "free_user",
    "landlock_rules",
    "prepare_confinement",
    "thread_bound",
]

MAX_THREADS = 64
"""Threads of a jail whose user is nobody else's; where it is the caller's, eight times as many more than there were."""

_NOBODY = 65534
_SOME_PID = 0x7FFFFFFF


def thread_bound(own_user: bool) -> int:
    """Return how many threads the jail's user may have, to be asked while others can be counted.

    Args:
        own_user: nobody else runs under the jail's user.
    """
    bound = MAX_THREADS if own_user else _threads_of(os.getuid()) + 8 * MAX_THREADS
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    return bound if hard == resource.RLIM_INFINITY else min(bound, hard)


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
    namespaces.enter(visible_paths(), packages)


def close(rules: dict[str, int], user: int | None, threads: int) -> None:
    """Give up the rest, for good.

    Args:
        rules: the files that are left, see :func:`landlock_rules`.
        user: the user to become, for root.
        threads: how many threads that user may have.
    """
    resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
    if user is not None:
        _become(user)
    kernel.drop_capabilities()
    die_with_parent()  # a change of user would undo it
    kernel.hide()
    kernel.forbid_new_privileges()
    landlock.restrict(rules)
    seccomp.Filter(seccomp.zygote_filter()).install()


def prepare_confinement() -> Callable[[], None]:
    """Return what closes the jail further around a program's process, for that to call."""
    ask_to_die = kernel.prepared("prctl", kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    program_filter = seccomp.Filter(seccomp.program_filter(_SOME_PID), blank=_SOME_PID)

    def confine() -> None:
        ask_to_die()
        program_filter.fill(os.getpid())
        program_filter.install()

    return confine


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
