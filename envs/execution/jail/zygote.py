"""The process that programs are forked from: closed once, it runs no program's code itself and holds no test.

Started by the evaluator as a bare interpreter (see ``bootstrap``), it imports what most programs import, closes the jail
around itself and then waits on its control socket. ``F`` with a descriptor: fork a program that talks on the descriptor.
``K``: end it. After every program it sends a report: how the process ended and what it used. The program's job never
passes through the zygote, so nothing of one program is left in the memory of the next.
"""

from __future__ import annotations

import _sitebuiltins
import _thread
import bisect  # noqa: F401  # imported for the programs
import builtins
import collections  # noqa: F401
import copy  # noqa: F401
import functools  # noqa: F401
import gc
import heapq  # noqa: F401
import importlib
import itertools  # noqa: F401
import math
import operator  # noqa: F401
import os
import re  # noqa: F401
import resource
import select
import signal
import socket
import string  # noqa: F401
import struct
import sys
import time
import types
import typing  # noqa: F401
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codeduet.envs.execution import wire
from codeduet.envs.execution.jail import program, script
from codeduet.envs.execution.reading import decode
from codeduet.envs.execution.values import encode, join

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

FORK, KILL = b"F", b"K"
REPORT = struct.Struct("<iddQ4s")
"""Exit status (as ``subprocess`` has it), processor seconds, wall seconds, peak memory in bytes, limit ("cpu", "wall")."""

OUT_OF_MEMORY = 77
"""Exit status of a program's process that has no memory left to say so."""

_SHORTEST_WATCH = 0.01
_REHEARSED = 40
_REHEARSAL = '''
import math
def f(a: List[int], *b, c=1, **d) -> int:
    """Many kinds of syntax."""
    x = [i for i in range(3) if i % 2 == 0 and not i]
    for i, j in enumerate(a):
        while i < 2:
            i += 1
            if i > 5:
                break
        else:
            continue
    try:
        y = {k: v for k, v in zip(x, x)}
        z = lambda q: q ** 2 - 1 if q else "a" + f"{q}"
    except ValueError as e:
        raise
    return sorted(set(a), key=lambda q: -q)[::-1], y.get(1), (1, 2.5, "a"), x[0] if x else None
'''


class Report(NamedTuple):
    """How a program's process ended.

    Attributes:
        status: exit status, or the negative number of the signal that ended it.
        cpu_s: processor time it used.
        wall_s: how long it ran.
        peak_memory: bytes.
        limit: ``"cpu"`` or ``"wall"`` if that ended it.
    """

    status: int
    cpu_s: float
    wall_s: float
    peak_memory: int
    limit: str


def main(control: int) -> None:
    """Close the jail as the first message says, and serve until the evaluator is gone."""
    os.umask(0o022)
    line = socket.socket(fileno=control)
    settings: dict[str, Any] = decode(wire.receive(control))
    limits: Limits = types.SimpleNamespace(**settings["limits"])  # type: ignore[assignment]
    try:
        packages = _load_packages(settings["packages"], settings["path"])
    except Exception as error:  # noqa: BLE001  # a package may raise anything
        wire.send(control, encode(("misused", f"packages cannot be imported: {error}")))
        return
    _be_as_a_plain_interpreter(limits)
    try:
        _rehearse(limits)
        confine = _close(settings["isolation"], packages, control)
        limit_resources(limits)
    except Exception as error:  # noqa: BLE001  # whatever is missing, the evaluator has to be told
        wire.send(control, encode(("refused", f"{error}" or type(error).__name__)))
        return
    os.environ.clear()
    # What a plain module sees: neither how this process was started, nor what it runs.
    sys.argv, sys.orig_argv = [""], [sys.executable]
    for name in [name for name in sys.modules if name.split(".")[0] == "codeduet"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    try:
        _serve(line, limits, confine)
    except (OSError, wire.ClosedError):  # the evaluator is gone
        pass
    os._exit(0)


def _be_as_a_plain_interpreter(limits: Limits) -> None:
    """Add what ``site`` adds (``exit`` above all), and bound a thread's stack so that the address space has room for it."""
    text = "Type copyright() for who holds it; the license is at https://www.python.org/psf/license/."
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    for name, shown in (("copyright", sys.copyright), ("credits", text), ("license", text)):
        setattr(builtins, name, _sitebuiltins._Printer(name, shown))
    builtins.help = _sitebuiltins._Helper()
    set_size, most = _thread.stack_size, limits.memory_mb << 18  # a quarter

    def stack_size(size: int = 0, /) -> int:
        return set_size(min(size, most))

    for module in (_thread, sys.modules.get("threading")):
        if module is not None:
            module.stack_size = stack_size  # type: ignore[attr-defined]


def _load_packages(names: Sequence[str], path: Sequence[str]) -> list[str]:
    """Import packages for the programs from where the caller has them; return their folders."""
    before = list(sys.path)
    sys.path += path if names else ()
    folders = []
    for name in names:
        module = importlib.import_module(name)
        folder = os.path.dirname(os.path.realpath(module.__file__ or ""))
        folders += [folder, f"{folder}.libs"]
    sys.path[:] = before
    return [folder for folder in folders if os.path.isdir(folder)]


def _rehearse(limits: Limits) -> None:
    """Run a program of our own here, so that what is set up at first use (by the parser above all) is there to share."""
    ours, theirs = socket.socketpair()
    job = [
        "rehearsal",
        [],
        "from typing import List",
        [("helper_0", _REHEARSAL), ("main_0", _REHEARSAL)],
        "f",
        "",
        False,
    ]
    modules = dict(sys.modules)
    # Often enough for the interpreter to have made its own of the code that every program runs, which would else be done
    # anew, in memory of its own, in every process.
    calls = [encode((([3, 1, 2], 0.5, "a", {"b": (1, None)}, [[True]]), {"k": n})) for n in range(_REHEARSED)]
    with ours, theirs:
        for message in (encode(job), join(calls)):
            wire.send(ours.fileno(), message)
        ours.shutdown(socket.SHUT_WR)
        try:
            program.run(theirs.fileno(), limits)
        except wire.ClosedError:
            pass
    streams = sys.stdin, sys.stdout, sys.__stdin__, sys.__stdout__
    reading = script.Script([compile("print(input())", "", "exec")], "f", limits)
    for _ in range(_REHEARSED):
        reading.run("text")
    sys.stdin, sys.stdout, sys.__stdin__, sys.__stdout__ = streams  # type: ignore[misc]
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]
    sys.modules.update(modules)


def limit_resources(limits: Limits) -> None:
    """Set what holds for the zygote and every program; a program's processor time is watched by the zygote."""
    memory = limits.memory_mb << 20
    for name, value in (("AS", memory), ("FSIZE", 0), ("CORE", 0), ("NOFILE", limits.open_files), ("MEMLOCK", 0)):
        try:
            lower_limit(getattr(resource, f"RLIMIT_{name}"), value)
        except (ValueError, OSError):
            if sys.platform == "linux":  # macOS knows no limit on address space
                raise


def lower_limit(which: int, value: int) -> None:
    """Set a limit of this process for good, to ``value`` or to what it is held to already, if that is less."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _close(isolation: str, packages: Sequence[str], control: int) -> Callable[[], None]:
    """Close the jail around this process; return what closes it further around a program's."""
    if isolation == "process":
        wire.send(control, encode(("pids", [os.getpid()])))
        return lambda: None
    from codeduet.envs.execution.jail import isolation as jail  # Linux only

    root = os.geteuid() == 0
    user = jail.free_user() if root else None
    rules = jail.landlock_rules(packages)
    threads = jail.thread_bound(own_user=root)
    pids = [os.getpid()]
    if isolation == "namespaces":
        jail.enter_namespaces(packages)
        jail.die_with_parent()  # this process only waits, but nothing else would end a zygote that was stopped
        pid = os.fork()  # the first process of the new process table
        if pid:
            wire.send(control, encode(("pids", [*pids, pid])))
            os.close(control)
            os.waitpid(pid, 0)
            os._exit(0)
    else:
        wire.send(control, encode(("pids", pids)))
    confine = jail.prepare_confinement()
    jail.close(rules, user, threads)
    return confine


def _serve(line: socket.socket, limits: Limits, confine: Callable[[], None]) -> None:
    control = line.fileno()
    # Woken by SIGCHLD through a pipe: a pidfd would be simpler, and is Linux's alone.
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    inherited = (control, wake, waker)
    wire.send(control, encode(("ready", sys.version.split()[0])))
    while True:
        command, descriptors, *_ = socket.recv_fds(line, 1, 1)
        if not command:
            return
        if command != FORK or not descriptors:  # an end that came after the end
            continue
        (channel,) = descriptors
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            _become_program(channel, inherited, limits, confine)
        os.close(channel)
        limit, status, used = _watch(pid, control, wake, began, limits)
        _drain(wake)
        peak = used.ru_maxrss * (1024 if sys.platform == "linux" else 1)
        cpu_s = used.ru_utime + used.ru_stime
        code = os.waitstatus_to_exitcode(status)
        line.sendall(REPORT.pack(code, cpu_s, time.monotonic() - began, peak, limit.encode()))


def _watch(pid: int, control: int, wake: int, began: float, limits: Limits) -> tuple[str, int, Any]:
    """Wait until the program ended, was told to, or passed a limit; end it.

    Returns:
        The name of the limit if one ended it, its wait status and its resource usage.
    """
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake, select.POLLIN)
    limit = ""
    while not limit:
        cpu_left = limits.cpu_s - _cpu_time(pid)
        wall_left = limits.wall_s - (time.monotonic() - began)
        # It cannot have used up its time sooner than this, unless its threads run at once in C.
        pause = max(min(cpu_left / 2, wall_left), _SHORTEST_WATCH)
        ready = {descriptor for descriptor, _ in poller.poll(math.ceil(pause * 1000))}
        if wake in ready:
            _drain(wake)
            ended, status, used = os.wait4(pid, os.WNOHANG)
            if ended:
                return "", status, used
        if control in ready:
            break  # told to end it, or the evaluator is gone, which the next command shows
        if limits.cpu_s <= _cpu_time(pid):
            limit = "cpu"
        elif limits.wall_s <= time.monotonic() - began:
            limit = "wall"
    os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    return limit, status, used


def _drain(wake: int) -> None:
    try:
        os.read(wake, 512)
    except BlockingIOError:
        pass


def _cpu_time(pid: int) -> float:
    """Return the processor time of a process in seconds, of all its threads."""
    if sys.platform != "linux":
        return 0.0  # RLIMIT_CPU alone counts
    try:
        return time.clock_gettime(((-pid - 1) << 3) | 2)  # the clock's number, as clock_getcpuclockid(3) makes it
    except OSError:  # it has just ended
        return 0.0


def _open_own_streams() -> None:
    """Open the standard streams anew: what a program sets of an open file would be set for all that share it."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        opened = os.open(os.devnull, mode)
        os.dup2(opened, descriptor)
        os.close(opened)


def _become_program(channel: int, inherited: tuple[int, ...], limits: Limits, confine: Callable[[], None]) -> NoReturn:
    try:
        for descriptor in inherited:
            os.close(descriptor)
        _open_own_streams()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        seconds = math.ceil(limits.cpu_s) + 1  # for when the zygote cannot look
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        confine()
        program.run(channel, limits)
    except wire.ClosedError:
        pass
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(0)  # its threads and atexit handlers must not hold the verdict
