"""Ctrl-C and SIGTERM: what can be dropped is dropped, what must be finished is finished, and a second signal ends at once.

Inside :func:`handled` the first signal raises :class:`Interrupted` in the main thread. A block under :func:`put_off` is not
broken into; within it, :func:`allowed` opens the parts that lose nothing by being broken off, and :func:`check` is a place
where it may come.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_ONE_PRESS_S = 0.2
"""``timeout``, ``srun`` and the like send a signal to a process and again to its group: that is one, not two."""


class Interrupted(BaseException):
    """This process was asked to end.

    No ``KeyboardInterrupt``, which libraries catch and turn into an exit status of their own.

    Attributes:
        status: exit status by convention: 128 and the signal's number.
        place: what was saved, for the line that is printed; empty where nothing was.
        command: what goes on from there; empty where nothing does.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number
        self.place = ""
        self.command = ""

    def line(self) -> str:
        """Return what there is to say, in one line."""
        stopped = f"stopped {self.place}".rstrip()
        return f"{stopped}; this goes on: {self.command}" if self.command else stopped


class _State:
    """The process's: it has one handler of signals."""

    first: tuple[int, float] | None = None  # number, and when it came
    held = 0


def _handle(number: int, frame: FrameType | None) -> None:
    if _State.first is not None:
        if time.monotonic() - _State.first[1] > _ONE_PRESS_S:
            end_at_once(number)
        return
    _State.first = number, time.monotonic()
    if not _State.held:
        raise Interrupted(number)


def end_at_once(number: int) -> None:
    """End this process, leaving the terminal's cursor as progress bars found it."""
    if sys.stdout.isatty():
        os.write(sys.stdout.fileno(), b"\x1b[?25h\n")
    os._exit(128 + number)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Let signals raise :class:`Interrupted` from here on; does nothing outside the main thread, which gets them all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.first, _State.held = None, 0
    before = {number: signal.signal(number, _handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():  # what comes while an interrupted process ends, ends it
            signal.signal(number, handler if _State.first is None else signal.SIG_DFL)


@contextlib.contextmanager
def put_off() -> Iterator[None]:
    """Do not break into this block: a signal waits for :func:`allowed`, :func:`check`, or the block's end."""
    held, _State.held = _State.held, _State.held + 1
    try:
        yield
    finally:
        _State.held = held
    if not held:
        check()


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Within :func:`put_off`, let a signal break into this block."""
    check()
    held, _State.held = _State.held, 0
    try:
        yield
    finally:
        _State.held = held
    check()  # where the one raised was lost, as in a finaliser


def check() -> None:
    """Raise :class:`Interrupted` if a signal waits."""
    if _State.first is not None:
        raise Interrupted(_State.first[0])


@contextlib.contextmanager
def goes_on(command: str) -> Iterator[None]:
    """Let an interruption of this block name the command that goes on; the innermost block's holds."""
    try:
        yield
    except Interrupted as stop:
        stop.command = stop.command or command
        raise
