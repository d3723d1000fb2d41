"""Running a script on a text, as a shell does that joins programs by pipes.

A script ends as Python does: its threads are waited for, what was registered with ``atexit`` runs, what is still buffered
is written. Several texts are read by one process, one after the other: each has a module of its own, and what the last
one set of the streams, the recursion limit and the size of threads' stacks is undone. Modules that it imported stay.
"""

# ruff: noqa: BLE001, S102  # running foreign code, whatever it raises, is what this file is for

from __future__ import annotations

import _thread
import atexit
import gc
import io
import os
import select
import signal
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution.kinds import TooLargeError

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

_AT_ONCE = 4096
"""Bytes that any pipe takes without a reader (PIPE_BUF)."""
_PATIENCE_S = 0.02
_SMALL_STACK = 1 << 18

_NUMBERS = {"open", "fdopen", "FileIO", "fileno", "select", "selectors", "fcntl", "mmap", "dup", "dup2", "ctypes"}
_NUMBERS |= {"exec", "eval", "__import__", "importlib", "numpy"}  # behind which others may be
_IN_OS = {"read", "write", "readv", "writev", "fstat", "sendfile", "isatty"}
"""Names without which a script cannot use standard input and output by their numbers; ``_IN_OS`` are functions of ``os``."""


class Script:
    """A program that reads and prints.

    Args:
        units: its code.
        entry_point: the function that is called where loading it prints nothing.
        limits: what it may print (``result_bytes``).
    """

    def __init__(self, units: list[types.CodeType], entry_point: str, limits: Limits) -> None:
        self._units = units
        self._entry_point = entry_point
        names: set[str] = set().union(*map(_names, units))
        by_number = names & _NUMBERS or (names & {"os", "posix"} and names & _IN_OS)
        self._streams = _Pipes(limits.result_bytes) if by_number else _Memory(limits.result_bytes)
        self._recursion_limit = sys.getrecursionlimit()

    def run(self, text: str) -> str:
        """Run it on a text as standard input; return what it prints.

        Raises:
            TooLargeError: that is too long.
            BaseException: whatever it raises, but for a successful exit.
        """
        sys.setrecursionlimit(self._recursion_limit)
        _thread.stack_size(0)
        names = types.ModuleType("__main__")
        sys.modules["__main__"] = names
        streams, scope = self._streams, names.__dict__
        streams.begin(text.encode("utf-8", "surrogatepass"))
        try:
            try:
                for code in self._units:
                    exec(code, scope)
                _settle()
                if not streams.printed(scope) and callable(target := scope.get(self._entry_point)):
                    target()
            except SystemExit as problem:  # a script's usual end
                if problem.code not in (None, 0):
                    raise
            _settle()
            return streams.all(scope).decode("utf-8", "surrogatepass")
        finally:
            streams.end()


def _settle() -> None:
    """Wait for the script's threads, and run what is to run at its end."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    if pools is not None:
        pools._python_exit()
        pools._shutdown = False  # for the next text
    threading = sys.modules.get("threading")
    if threading is not None:
        ours = threading.main_thread()
        while others := [each for each in threading.enumerate() if each is not ours and not each.daemon]:
            for each in others:
                each.join()
    atexit._run_exitfuncs()


class _Memory:
    """Standard input and output of a script that uses them by their names alone, which most do: no system call is made.

    Args:
        most: bytes that may be printed.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    def begin(self, data: bytes) -> None:
        """Put them in their places; input gives ``data``."""
        self._kept = _Kept(self._most)
        self._output = _place(io.BufferedReader(io.BytesIO(data)), self._kept)

    def printed(self, _scope: dict[str, Any]) -> bool:
        """Tell whether anything was printed; ``_scope`` holds the script's global names."""
        _flush(sys.stdout)
        _flush(self._output)
        return bool(self._kept.tell())

    def all(self, scope: dict[str, Any]) -> bytes:
        """Return what was printed, when the script has come to its end.

        Raises:
            TooLargeError: it is too long.
        """
        self.printed(scope)
        return _bounded(self._kept.getvalue(), self._most)

    def end(self) -> None:
        """Take them out of their places."""


class _Kept(io.BytesIO):
    """What is printed, even where the script closes its output."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() > self._most:
            raise TooLargeError("result_bytes")
        return super().write(data)

    def close(self) -> None:
        pass


class _Pipes:
    """Standard input and output as pipes under their numbers, so that every way to read and print is the usual one.

    ``open(0)``, ``os.read(0, n)``, ``os.write(1, text)``, ``os.fdopen(1, "w")``; ``sys.stdin`` and ``sys.stdout`` are files on them.

    Args:
        most: bytes that may be printed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._null = os.open(os.devnull, os.O_RDWR)
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._printed = bytearray()
        self._drains = _thread.allocate_lock()
        _start(self._keep_flowing)

    def begin(self, data: bytes) -> None:
        """As of ``_Memory``."""
        self._drain()
        self._printed.clear()
        os.dup2(self._writing, 1)
        _provide(data)
        source, self._file = io.FileIO(0, closefd=False), _Output(self)
        source.name, self._file.name = "<stdin>", "<stdout>"
        self._output = _place(io.BufferedReader(source), io.BufferedWriter(self._file))

    def printed(self, scope: dict[str, Any]) -> bool:
        """As of ``_Memory``."""
        files = [each for each in scope.values() if isinstance(each, io.IOBase)]
        for each in (*files, sys.stdout, self._output):
            _flush(each)
        self._drain()
        return bool(self._printed)

    def all(self, scope: dict[str, Any]) -> bytes:
        """As of ``_Memory``."""
        self.printed(scope)
        scope.clear()  # a file on a number is written to its end, and closed, when nobody holds it
        gc.collect()  # and may not close the number that the next text comes by
        self._drain()
        return _bounded(bytes(self._printed), self._most)

    def end(self) -> None:
        """As of ``_Memory``."""
        _flush(self._output)
        self._file.close()  # or what it could not write would stand in the next text's output
        for number in (0, 1, 2):  # whatever the script did to them
            os.dup2(self._null, number)

    def write(self, data: memoryview) -> int:
        """Write some of ``data``: as much as can be without waiting for a reader, since that is the same thread."""
        self._drain()
        if len(self._printed) > self._most:
            raise TooLargeError("result_bytes")
        return os.write(1, data[:_AT_ONCE])

    def _drain(self) -> None:
        """Take what was printed out of the pipe; of more than may be printed, one byte is kept."""
        with self._drains:
            while True:
                try:
                    part = os.read(self._reading, 1 << 16)
                except BlockingIOError:
                    return
                self._printed += part[: max(self._most + 1 - len(self._printed), 0)]

    def _keep_flowing(self) -> None:
        """Take out what a script prints by number, which waits where the pipe is full; seldom, as few print so much."""
        poller = select.poll()
        poller.register(self._reading, select.POLLIN)
        sleep, patience = time.sleep, int(_PATIENCE_S * 1000)
        while True:
            sleep(_PATIENCE_S)
            while poller.poll(patience):
                self._drain()


class _Output(io.FileIO):
    """Standard output's number, as ``sys.stdout`` writes to it."""

    def __init__(self, pipes: _Pipes) -> None:
        super().__init__(1, "w", closefd=False)
        self._pipes = pipes

    def write(self, data: Any) -> int:
        return self._pipes.write(memoryview(data))


def _place(source: Any, sink: Any) -> Any:
    """Make ``source`` and ``sink`` standard input and output; return the latter as it is."""
    stdin: Any = io.TextIOWrapper(source, encoding="utf-8")
    stdout: Any = io.TextIOWrapper(sink, encoding="utf-8", errors="surrogatepass")
    stdin.mode, stdout.mode = "r", "w"
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
    return stdout


def _provide(data: bytes) -> None:
    """Have standard input's number give ``data`` and then end."""
    source, filled = os.pipe()
    os.dup2(source, 0)
    os.close(source)
    os.set_blocking(filled, False)
    sent = os.write(filled, data) if data else 0
    if sent == len(data):
        os.close(filled)
        return
    os.set_blocking(filled, True)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a script need not read all
    _start(_feed, filled, memoryview(data)[sent:])


def _feed(filled: int, rest: memoryview) -> None:
    try:
        while rest:
            rest = rest[os.write(filled, rest) :]
    except OSError:
        pass
    finally:
        os.close(filled)


def _start(function: Any, *arguments: Any) -> None:
    """Run a function of ours in a thread, which no script counts among its own."""
    before = _thread.stack_size(_SMALL_STACK)
    _thread.start_new_thread(function, arguments)
    _thread.stack_size(before)


def _bounded(printed: bytes, most: int) -> bytes:
    if len(printed) > most:
        raise TooLargeError("result_bytes")
    return printed


def _flush(file: Any) -> None:
    try:
        file.flush()
    except BaseException:  # closed, detached, or of a class of the script's own
        return


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a code uses, in whatever function."""
    names = set(code.co_names)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            names |= _names(part)
    return names
