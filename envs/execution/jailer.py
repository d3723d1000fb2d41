"""The trusted side's hold on a jail: start it, have a program forked in it, talk to the program, end it."""

from __future__ import annotations

import socket
from dataclasses import asdict
from types import TracebackType

from codeduet.envs.execution import wire
from codeduet.envs.execution.jail.zygote import FORK, KILL, REPORT, Report
from codeduet.envs.execution.launch import launch
from codeduet.envs.execution.limits import Limits
from codeduet.envs.execution.reading import decode
from codeduet.envs.execution.values import encode
from codeduet.errors import InputError

_SLACK = 100_000
"""Bytes a message may have beside the return value in it: a program's structure names its functions."""


class IsolationError(InputError):
    """This machine does not give the isolation that was asked for.

    Attributes:
        reason: what is missing, without the advice.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason + advice)
        self.reason = reason


class JailGoneError(Exception):
    """The jail has ended, which no program can bring about; its worker is to be replaced."""


class Jail:
    """A jailed zygote.

    Args:
        isolation: ``"namespaces"``, ``"landlock"`` or ``"process"``.
        limits: what each program may use.
        packages: names of packages from outside the standard library that programs may import.
        path: where to find them.

    Attributes:
        pids: its long-lived processes.
        python: the version of the interpreter that runs the programs.

    Raises:
        IsolationError: the jail cannot be closed on this machine.
        JailGoneError: it ended before it was ready.
    """

    def __init__(self, isolation: str, limits: Limits, packages: tuple[str, ...] = (), path: tuple[str, ...] = ()):
        self.limits = limits
        self.process, self._control = launch("codeduet.envs.execution.jail.zygote")
        self.pids: list[int] = [self.process.pid]
        self.python = ""
        settings = {"limits": asdict(limits), "isolation": isolation, "packages": packages, "path": path}
        try:
            wire.send(self._control.fileno(), encode(settings))
            self._wait_until_ready(isolation)
        except wire.ClosedError:
            raise JailGoneError from None

    def _wait_until_ready(self, isolation: str) -> None:
        while not self.python:
            kind, content = decode(wire.receive(self._control.fileno()))
            if kind == "refused":
                self.process.kill()
                raise IsolationError(f"this machine gives no isolation by {isolation}: {content}")
            if kind == "misused":
                self.process.kill()
                raise InputError(content)
            if kind == "pids":
                self.pids = content
            else:
                self.python = content

    def fork(self) -> Conversation:
        """Start a program's process.

        Raises:
            JailGoneError: the jail is gone.
        """
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [FORK], [theirs.fileno()])
        except OSError:
            ours.close()
            raise JailGoneError from None
        finally:
            theirs.close()
        return Conversation(self, ours)

    def end(self) -> Report:
        """End the program's process and return how it ended.

        Raises:
            JailGoneError: the jail is gone.
        """
        try:
            self._control.sendall(KILL)
            raw = self._control.recv(REPORT.size, socket.MSG_WAITALL)
        except OSError:
            raise JailGoneError from None
        if len(raw) < REPORT.size:
            raise JailGoneError
        status, cpu_s, wall_s, peak, limit = REPORT.unpack(raw)
        return Report(status, cpu_s, wall_s, peak, limit.rstrip(b"\0").decode())


class Conversation:
    """Messages to and from one program's process; a context manager that ends the process.

    Attributes:
        report: how the process ended, once it has.
    """

    report: Report

    def __init__(self, jail: Jail, channel: socket.socket) -> None:
        self._jail = jail
        self._channel = channel
        self._reader = wire.Reader(channel.fileno(), jail.limits.result_bytes + _SLACK)

    def __enter__(self) -> Conversation:  # noqa: PYI034  # Self is newer than Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        if kind is None:
            self.report = self._jail.end()

    def send(self, message: bytes) -> None:
        """Send a job or calls, encoded.

        Raises:
            wire.ClosedError: the process has ended.
        """
        wire.send(self._channel.fileno(), message)

    def receive(self) -> bytes:
        """Wait for the process's next message.

        Raises:
            wire.ClosedError: the process has ended.
            wire.OversizeError: it sends what cannot be a message.
        """
        return self._reader.receive()
