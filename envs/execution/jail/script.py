"""Running a script on a text, as a shell does that joins programs by pipes.

Standard input and output are pipes under their usual numbers, so that every way to read and print is the usual one:
``input``, ``sys.stdin.buffer``, ``open(0)``, ``os.read(0, n)``, ``os.write(1, text)``, ``os.fdopen(1, "w")``. A script ends as
Python does: its threads are waited for, what was registered with ``atexit`` runs, what is still buffered is written.

Several texts are read by one process, one after the other: each has a module of its own, and what the last one set of
the streams, the recursion limit and the size of threads' stacks is undone. Modules that it imported stay.
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

_BY_NUMBER = {"open", "fdopen", "FileIO", "os", "posix", "_io", "exec", "eval", "__import__", "importlib", "numpy"}
"""Without one of these names a script prints through ``sys.stdout`` alone."""


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
        self._most = limits.result_bytes
        self._null = os.open(os.devnull, os.O_RDWR)
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._printed = bytearray()
        self._drains = _thread.allocate_lock()
        self._recursion_limit = sys.getrecursionlimit()
        self._by_number = any(not _BY_NUMBER.isdisjoint(_names(unit)) for unit in units)
        if self._by_number:
            before = _thread.stack_size(_SMALL_STACK)
            _thread.start_new_thread(self._keep_flowing, ())
            _thread.stack_size(before)

    def run(self, text: str) -> str:
        """Run it on a text as standard input; return what it prints.

        Raises:
            TooLargeError: that is too long.
            BaseException: whatever it raises, but for a successful exit.
        """
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        output, raw = self._begin(text)
        try:
            try:
                for code in self._units:
                    exec(code, module.__dict__)
                self._settle(module, output)
                if not self._printed and callable(target := module.__dict__.get(self._entry_point)):
                    target()
            except SystemExit as problem:  # a script's usual end
                if problem.code not in (None, 0):
                    raise
            self._settle(module, output)
            module.__dict__.clear()  # a file on a number is written to its end, and closed, when nobody holds it
            if self._by_number:
                gc.collect()  # nor may one close the number that the next text comes by
            self.drain()
            if len(self._printed) > self._most:
                raise TooLargeError("result_bytes")
            return self._printed.decode("utf-8", "surrogatepass")
        finally:
            _flush(output)
            raw.close()  # or what it could not write would stand in the next text's output
            for number in (0, 1, 2):  # whatever the script did to them
                os.dup2(self._null, number)

    def write(self, data: memoryview) -> int:
        """Write some of ``data``: as much as can be without waiting for a reader, since that is the same thread."""
        self.drain()
        if len(self._printed) > self._most:
            raise TooLargeError("result_bytes")
        return os.write(1, data[:_AT_ONCE])

    def drain(self) -> None:
        """Take what was printed out of the pipe; of more than may be printed, one byte is kept."""
        with self._drains:
            while True:
                try:
                    part = os.read(self._reading, 1 << 16)
                except BlockingIOError:
                    return
                self._printed += part[: max(self._most + 1 - len(self._printed), 0)]

    def _begin(self, text: str) -> tuple[io.TextIOWrapper, _Output]:
        """Put the streams in their places; return standard output, and the file below it."""
        sys.setrecursionlimit(self._recursion_limit)
        _thread.stack_size(0)
        self.drain()
        self._printed.clear()
        os.dup2(self._writing, 1)
        _provide(text.encode("utf-8", "surrogatepass"))
        source, raw = io.FileIO(0, closefd=False), _Output(self)
        source.name, raw.name = "<stdin>", "<stdout>"
        stdin: Any = io.TextIOWrapper(io.BufferedReader(source), encoding="utf-8")
        stdout: Any = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="surrogatepass")
        stdin.mode, stdout.mode = "r", "w"
        sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
        return stdout, raw

    def _settle(self, module: types.ModuleType, output: io.TextIOWrapper) -> None:
        """Wait for the script's threads, run what is to run at its end, and have all it printed arrive."""
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
        files = [each for each in module.__dict__.values() if isinstance(each, io.IOBase)]
        for each in (*files, sys.stdout, output):
            _flush(each)
        self.drain()

    def _keep_flowing(self) -> None:
        """Take out what a script prints by number, which waits where the pipe is full; seldom, as few print so much."""
        poller = select.poll()
        poller.register(self._reading, select.POLLIN)
        sleep, patience = time.sleep, int(_PATIENCE_S * 1000)
        while True:
            sleep(_PATIENCE_S)
            while poller.poll(patience):
                self.drain()


class _Output(io.FileIO):
    """Standard output's number, as ``sys.stdout`` writes to it."""

    def __init__(self, script: Script) -> None:
        super().__init__(1, "w", closefd=False)
        self._script = script

    def write(self, data: Any) -> int:
        return self._script.write(memoryview(data))


def _provide(data: bytes) -> None:
    """Have standard input give ``data`` and then end."""
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
    before = _thread.stack_size(_SMALL_STACK)
    _thread.start_new_thread(_feed, (filled, memoryview(data)[sent:]))
    _thread.stack_size(before)


def _feed(filled: int, rest: memoryview) -> None:
    try:
        while rest:
            rest = rest[os.write(filled, rest) :]
    except OSError:
        pass
    finally:
        os.close(filled)


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
