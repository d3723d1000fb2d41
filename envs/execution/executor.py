"""One interface that judges programs: rewards, pass@k and feedback all ask it."""

from __future__ import annotations

import atexit
import dataclasses
import os
import queue
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Literal, get_args

from codeduet.envs.execution import imports
from codeduet.envs.execution.instrument import instrument
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import PREAMBLE, Outcome
from codeduet.envs.execution.program import Program
from codeduet.envs.execution.worker import Worker, WorkerGoneError
from codeduet.envs.problems import Problem
from codeduet.errors import InputError, nearest

Isolation = Literal["auto", "namespaces", "landlock", "process"]
"""How a program is kept in: the best jail there is; namespaces, Landlock and seccomp; Landlock and seccomp; limits."""

_ATTEMPTS = 40
"""Workers a program is tried in before it is given up; they only end by a fault of the machine, or by somebody's hand."""

_ATTEMPTS_IF_TOLD = 3
"""Of these, how many may end by a fault of the worker's own."""

_CLOSED = "the executor is closed"
_NO_JAIL_HERE = (
    "this system has no jail that CodeDuet knows of: programs are judged in plain processes, with their limits only "
    "(isolation 'process'); judge only code you would run yourself"
)

_Job = tuple["Future[Outcome]", Program]


class Executor:
    """Judges programs, each in a process of its own, several at a time.

    Use it as a context manager, or call :meth:`close`. It may be called from several threads; in a fork of the process
    it starts workers anew.

    Args:
        workers: programs that run at the same time; default: two more than there are cores, since a program that waits
            or loops holds a worker. Workers start as they are needed.
        limits: what each program may use.
        isolation: how programs are kept in; default: the environment variable ``CODEDUET_ISOLATION``, else the best
            jail this machine gives. Without one the first program raises, unless ``"process"`` was asked for by name
            or there is none on this system (macOS), which is warned of.
        packages: names of packages from outside the standard library that programs may import; each worker loads them.

    Raises:
        InputError: no such isolation, or a number of workers below 1.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        isolation: Isolation | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        if workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
            raise InputError(f"workers must be a whole number from 1 on, not {workers!r}")
        if limits is not None and not isinstance(limits, Limits):
            raise InputError(f"limits must be Limits(...), not {limits!r}")
        level = isolation or os.environ.get("CODEDUET_ISOLATION") or "auto"
        if level not in get_args(Isolation):
            choices = get_args(Isolation)
            raise InputError(f"unknown isolation {level!r}: choose {', '.join(choices)}{nearest(str(level), choices)}")
        if isinstance(packages, str):
            raise InputError(f"packages must be a list of names, not the text {packages!r}")
        self.workers = workers or (os.cpu_count() or 1) + 2
        self.limits = limits or Limits()
        self.isolation = level
        self.packages = tuple(packages)
        self._closed = False
        self._patient = True
        self._level = ""
        self._reset()
        _executors.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._workers: set[Worker] = set()
        self._unfinished = 0

    def __enter__(self) -> Executor:  # noqa: PYI034  # Self is newer than Python 3.10
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(wait=kind is None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Executor, (self.workers, self.limits, self.isolation, self.packages)

    def judge(
        self,
        problem: Problem,
        *,
        helper_code: str = "",
        main_code: str,
        tests: Literal["hidden", "examples"] = "hidden",
    ) -> Outcome:
        """Judge one program of helper and main and wait for it; :meth:`submit` takes one of any parts.

        Args:
            problem: what it is to solve.
            helper_code: what is loaded first.
            main_code: what defines the target.
            tests: by which it is judged: the problem's hidden ones, or the examples that a team may see and run.

        Raises:
            RuntimeError: the executor is closed.
            InputError: the problem's own tests are malformed, it has no examples, or there is no jail.
        """
        if tests not in ("hidden", "examples"):
            raise InputError(f"unknown tests {tests!r}: choose hidden or examples")
        by = problem.visible if tests == "examples" else problem
        return self.submit(Program.of(by, helper_0=helper_code, main_0=main_code)).result()

    def submit(self, program: Program) -> Future[Outcome]:
        """Start judging a program; the future's result is its outcome.

        Raises:
            RuntimeError: the executor is closed.
            InputError: the problem's own tests are malformed, code is no text, or parts have no names of their own.
        """
        for _, code in program.parts:
            if not isinstance(code, str):
                raise InputError(f"code must be text, not {type(code).__name__}")
        agents = [agent for agent, _ in program.parts]
        if len({PREAMBLE, *agents}) <= len(agents):
            raise InputError(f"each part needs a name of its own, and none is {PREAMBLE!r}: {', '.join(agents)}")
        instrument(program.problem)  # malformed tests are the caller's error, raised in the caller's thread
        future: Future[Outcome] = Future()
        if _length(program) > self.limits.source_bytes:
            future.set_result(self._failed(program, "source_bytes"))
            return future
        with self._lock:
            if self._closed:
                raise RuntimeError(_CLOSED)
            self._unfinished += 1
            self._jobs.put((future, program))
            if len(self._threads) < min(self._unfinished, self.workers):
                thread = threading.Thread(target=self._work, name="codeduet-judge", daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def judge_many(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        """Judge programs side by side; yields outcomes in the order of ``programs``, each as soon as it is there.

        All are started at once, whether their outcomes are asked for or not. Programs that are equal are judged once.

        Raises:
            RuntimeError: the executor is closed.
            InputError: a problem's own tests are malformed, or there is no jail.
        """
        futures: dict[Program, Future[Outcome]] = {}
        order = []
        for program in programs:
            if program not in futures:
                futures[program] = self.submit(program)
            order.append(futures[program])
        return _results(order)

    def worker_pids(self) -> list[int]:
        """Return the ids of the pool's long-lived processes; a program's own is never among them."""
        with self._lock:
            return sorted(pid for worker in self._workers for pid in worker.pids)

    def start(self) -> tuple[str, str]:
        """Start a worker if there is none; return the isolation level and the Python version programs get.

        Raises:
            InputError: there is no jail.
        """
        problem = Problem("start", "def start():\n", "start", "", "def check(candidate):\n    assert candidate()\n")
        outcome = self.judge(problem, main_code="def start():\n    return True\n")
        with self._lock:
            workers = list(self._workers)
        if not outcome.solved or not workers:
            raise IsolationError(f"a worker does not work: {outcome.error}")
        return workers[0].isolation, workers[0].python

    def close(self, wait: bool = True) -> None:
        """Drop the programs that have not started, and end the workers.

        Args:
            wait: let the programs that run come to their end first.
        """
        with self._lock:
            self._closed = True
            self._patient = wait
            threads = list(self._threads)
            workers = [] if wait else list(self._workers)
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is not None and job[0].set_running_or_notify_cancel():
                job[0].set_exception(RuntimeError(_CLOSED))
        for _ in threads:
            self._jobs.put(None)
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        """Judge what is submitted, in a worker of this thread's own."""
        worker: Worker | None = None
        while True:
            job = self._jobs.get()
            if job is None:
                break
            future, program = job
            if future.set_running_or_notify_cancel():
                try:
                    worker, outcome = self._judge(worker, program)
                    future.set_result(outcome)
                except BaseException as error:  # noqa: BLE001  # the caller's thread raises it
                    future.set_exception(error)
            with self._lock:
                self._unfinished -= 1
            del job, future, program  # nothing of them is kept while this waits
        if worker is not None:
            self._drop(worker)

    def _judge(self, worker: Worker | None, program: Program) -> tuple[Worker | None, Outcome]:
        """Judge one program, with another worker if this one ends: that says nothing about the program."""
        reason = ""
        told = 0
        for _ in range(_ATTEMPTS):
            if self._closed and not self._patient:
                raise RuntimeError(_CLOSED)
            try:
                packages = self._packages_of(program)
                if worker is not None and worker.packages != packages:
                    self._drop(worker)
                    worker = None
                worker = worker or self._start_worker(packages)
                return worker, worker.judge(program)
            except WorkerGoneError as error:
                if worker is not None:
                    self._drop(worker)
                worker = None
                reason = str(error)
                told += error.told
                if error.overspent:
                    return None, self._failed(program, "check_cpu")
                if told == _ATTEMPTS_IF_TOLD:
                    break
        return None, dataclasses.replace(self._failed(program, ""), worker_fault=True, error=f"WorkerFault: {reason}")

    def _packages_of(self, program: Program) -> tuple[str, ...]:
        """Return the packages a program may import: those that were asked for, and what its prompt itself imports."""
        return (*self.packages, *sorted(imports.of_prompt(program.problem) - set(self.packages)))

    def _start_worker(self, packages: tuple[str, ...]) -> Worker:
        level = self.isolation
        if level == "auto" and sys.platform != "linux":
            level = "process"
            warnings.warn(_NO_JAIL_HERE, stacklevel=2)
        worker = Worker(self.limits, self._level or level, packages)
        with self._lock:
            self._level = worker.isolation  # the first to start finds out; all have the same
            if not self._closed or self._patient:
                self._workers.add(worker)
                return worker
        worker.close()
        raise RuntimeError(_CLOSED)

    def _drop(self, worker: Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.close()

    def _failed(self, program: Program, limit: LimitName) -> Outcome:
        total = instrument(program.problem).total
        nothing = (False,) * total
        return Outcome(False, False, 0, total, nothing, error=self.limits.describe(limit), limit=limit, completed=False)

    def _forget_parents(self) -> None:
        """Let go of what belongs to the process this one was forked from."""
        for worker in self._workers:
            worker.abandon()
        self._reset()


def _length(program: Program) -> int:
    return sum(len(code.encode("utf-8", "surrogatepass")) for _, code in program.parts)


def _results(futures: list[Future[Outcome]]) -> Iterator[Outcome]:
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


_executors: weakref.WeakSet[Executor] = weakref.WeakSet()
_shared: dict[tuple[str, ...], Executor] = {}
_shared_lock = threading.Lock()


def shared_executor(packages: Sequence[str] = ()) -> Executor:
    """Return the executor of this process that environments use by default; it is made at the first call.

    Args:
        packages: names of packages that programs may import; each choice has an executor of its own.
    """
    with _shared_lock:
        if tuple(packages) not in _shared:
            _shared[tuple(packages)] = Executor(packages=packages)
        return _shared[tuple(packages)]


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for executor in list(_executors):
        executor._forget_parents()


@atexit.register
def _close_all() -> None:
    for executor in list(_executors):
        executor.close(wait=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
