"""The executor's hold on one worker: an evaluator process and, behind it, its jail."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from codeduet.envs.execution import wire
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.launch import launch
from codeduet.envs.execution.limits import Limits
from codeduet.envs.execution.outcome import Outcome
from codeduet.envs.execution.program import Program
from codeduet.envs.problems import Problem
from codeduet.errors import InputError

_MOST_PROBLEMS = 4096
_PATIENCE_S = 20.0
"""What a worker may take beyond all limits before it is taken for stuck."""


_ADVICE = (
    ". Run where user namespaces or Landlock are allowed (codeduet doctor says what is missing), or ask for isolation "
    "'process' (CODEDUET_ISOLATION=process) to judge without a jail, and then only code you would run yourself"
)


class WorkerGoneError(Exception):
    """The worker ended without an answer.

    Attributes:
        overspent: the kernel ended it for the processor time it took to compare a program's values.
        told: it said itself what went wrong, which is no chance and will go wrong again.
    """

    def __init__(self, reason: str, overspent: bool = False, told: bool = False) -> None:
        super().__init__(reason)
        self.overspent = overspent
        self.told = told


class Worker:
    """One evaluator process.

    Args:
        limits: what each program may use.
        isolation: ``"auto"`` or the name of a level.
        packages: names of packages programs may import.

    Attributes:
        packages: names of packages programs may import.
        pids: its long-lived processes: evaluator and jail.
        isolation: the level it has.
        python: version of the interpreter that runs the programs.

    Raises:
        IsolationError: the machine does not give the isolation asked for.
        WorkerGoneError: it ended as it started.
    """

    def __init__(self, limits: Limits, isolation: str, packages: Sequence[str] = ()) -> None:
        self._limits = limits
        self.packages = tuple(packages)
        self._known: dict[Problem, int] = {}
        self._keys = 0
        self.process, self._line = launch("codeduet.envs.execution.evaluator")
        self.pids = [self.process.pid]
        path = [os.path.abspath(folder) for folder in sys.path if folder]
        settings = {"limits": asdict(limits), "isolation": isolation, "packages": list(packages), "path": path}
        try:
            answer = self._ask(settings)
        except BaseException:
            self.close()
            raise
        if "refused" in answer:
            self.close()
            raise IsolationError(answer["refused"], _ADVICE)
        if "input_error" in answer:
            self.close()
            raise InputError(answer["input_error"])
        self.isolation: str = answer["ready"]
        self.pids = answer["pids"]
        self.python: str = answer["python"]

    def judge(self, program: Program) -> Outcome:
        """Judge one program.

        Raises:
            InputError: the problem's tests cannot be put to a program.
            WorkerGoneError: the worker ended.
        """
        problem = program.problem
        request: dict[str, Any] = {"parts": program.parts}
        if problem not in self._known:
            if len(self._known) >= _MOST_PROBLEMS:
                self._known.clear()
                request["forget"] = True
            request["problem"] = problem.to_wire()
            self._known[problem] = self._keys
            self._keys += 1
        answer = self._ask({"key": self._known[problem], **request})
        if "input_error" in answer:
            del self._known[problem]  # it may not have been learnt
            raise InputError(answer["input_error"])
        return _to_outcome(answer["outcome"])

    def kill(self) -> None:
        """End the worker's process; whoever waits for it learns that it is gone."""
        self.process.kill()

    def close(self) -> None:
        """End the worker; its jail and what runs in it end with it."""
        self._line.close()
        self.process.kill()
        self.process.wait()

    def abandon(self) -> None:
        """Let go of a worker that belongs to the process this one was forked from."""
        self._line.close()
        self.process.returncode = 0  # not ours to wait for

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        seconds = self._limits.wall_s * 2 + self._limits.check_cpu_s + _PATIENCE_S
        try:
            wire.send(self._line.fileno(), json.dumps(request).encode())
            if not _readable(self._line, seconds):
                self.process.kill()
            answer: dict[str, Any] = json.loads(wire.receive(self._line.fileno()))
        except (wire.ClosedError, OSError):
            self.process.kill()
            status = self.process.wait()
            raise WorkerGoneError(f"status {status}", overspent=status == -signal.SIGPROF) from None
        if "fault" in answer:
            raise WorkerGoneError(answer["fault"], told=answer["told"])
        return answer


def _readable(line: socket.socket, seconds: float) -> bool:
    poller = select.poll()
    poller.register(line, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _to_outcome(fields: dict[str, Any]) -> Outcome:
    fields["tests"] = tuple(fields["tests"])
    fields["defines"] = {agent: tuple(names) for agent, names in fields["defines"].items()}
    fields["calls"] = frozenset(map(tuple, fields["calls"]))
    return Outcome(**fields)
