"""One interface that judges programs: rewards, pass@k and feedback all ask it.

First version: every program runs in a process of its own. The judged process holds the tests, so a program written to
forge its verdict can; see the threat model in the package's docstring.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from codeduet.envs.execution.instrument import GUARD, RECORD, instrument
from codeduet.envs.execution.outcome import Outcome, Structure
from codeduet.envs.problems import Problem

_CHILD = str(Path(__file__).with_name("child.py"))
_MAX_SOURCE = 1_000_000
_MAX_REPORT = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        cpu_s: processor time, whole seconds. It decides over a slow program: wall-clock time depends on neighbours.
        wall_s: wall-clock time in seconds, for programs that wait.
        memory_mb: address space in MiB.
    """

    cpu_s: int = 2
    wall_s: float = 10.0
    memory_mb: int = 512


class Program(NamedTuple):
    """A program to judge: ``helper_code`` and ``main_code`` are modules that are loaded in this order."""

    problem: Problem
    helper_code: str
    main_code: str


class Executor:
    """Judges programs, each in its own process with its own limits, several at a time.

    Use it as a context manager, or call :meth:`close`. It may be called from several threads.

    Args:
        workers: programs that run at the same time; default: one for each core.
        limits: what each program may use.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.workers = workers or os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None
        self._pool_pid = 0
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Executor:  # noqa: PYI034  # Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Executor, (self.workers, self.limits)

    def judge(self, problem: Problem, *, helper_code: str = "", main_code: str) -> Outcome:
        """Judge one program and wait for it."""
        return self.submit(Program(problem, helper_code, main_code)).result()

    def submit(self, program: Program) -> Future[Outcome]:
        """Start judging a program; the future's result is its outcome.

        Raises:
            RuntimeError: the executor is closed.
            InputError: the problem's own tests are malformed.
        """
        instrument(program.problem)  # malformed tests are the caller's error, raised in the caller's thread
        return self._threads().submit(_judge, program, self.limits)

    def judge_many(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        """Judge programs side by side; yields their outcomes in the order of ``programs``.

        Programs that are equal are judged once.
        """
        futures: dict[Program, Future[Outcome]] = {}
        order = []
        for program in programs:
            if program not in futures:
                futures[program] = self.submit(program)
            order.append(futures[program])
        return (future.result() for future in order)

    def close(self) -> None:
        """Drop programs that have not started, and wait for those that have."""
        with self._lock:
            self._closed = True
            if self._pool is not None and self._pool_pid == os.getpid():
                self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor is closed")
            if self._pool is None or self._pool_pid != os.getpid():  # a fork takes the object but not its threads
                self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="judge")
                self._pool_pid = os.getpid()
            return self._pool


_shared: Executor | None = None
_shared_lock = threading.Lock()


def shared_executor() -> Executor:
    """Return the executor of this process that environments use by default; it is made at the first call."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Executor()
        return _shared


def _judge(program: Program, limits: Limits) -> Outcome:
    problem = program.problem
    tests = instrument(problem)
    empty = Outcome(False, False, 0, tests.total, (False,) * tests.total, completed=False)
    if len(program.helper_code) + len(program.main_code) > _MAX_SOURCE:
        return _failed(empty, f"SourceTooLong: over {_MAX_SOURCE:,} characters")
    job = {
        "preamble": problem.preamble,
        "helper": program.helper_code,
        "main": program.main_code,
        "entry_point": problem.entry_point,
        "tests": tests.source,
        "record": RECORD,
        "guard": GUARD,
        "seed": problem.task_id,
        "limits": asdict(limits),
    }
    findings, timed_out, ended = _run(job, limits)
    passed = [False] * tests.total
    facts: dict[str, Any] = {}
    for finding in findings:
        if "test" in finding:
            passed[finding["test"]] = bool(finding["held"])
        elif "error" in finding:
            facts.setdefault("error", finding["error"])
            facts.setdefault("error_unit", finding["unit"])
        else:
            facts.update(finding)
    shape = facts.get("structure", {})
    shape = {key: tuple(value) if isinstance(value, list) else value for key, value in shape.items()}
    return Outcome(
        syntax_ok=facts.get("syntax_ok", False),
        runnable=facts.get("runnable", False),
        passed=sum(passed),
        total=tests.total,
        completed=facts.get("completed", False),
        tests=tuple(passed),
        error="TimeoutError" if timed_out else facts.get("error", "" if facts.get("done") else ended),
        error_unit="" if timed_out else facts.get("error_unit", ""),
        timed_out=timed_out,
        structure=Structure(**shape),
    )


def _failed(outcome: Outcome, error: str) -> Outcome:
    return Outcome(outcome.syntax_ok, outcome.runnable, 0, outcome.total, outcome.tests, error=error)


def _run(job: dict[str, Any], limits: Limits) -> tuple[list[dict[str, Any]], bool, str]:
    """Run the child on ``job``: what it found, whether a limit on time ended it, and how it ended otherwise."""
    read_end, write_end = os.pipe()
    job["fd"] = write_end
    try:
        payload = json.dumps(job).encode("utf-8")
        # vfork, so the caller's size does not matter: no preexec_fn.
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-B", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(write_end,),
            start_new_session=True,
            # Sets of text are iterated in the same order each time: the same action earns the same reward. Isolated
            # mode (-I) would ignore the variable; without it the child drops its own folder from the path itself.
            env={"PYTHONHASHSEED": "0"},
            cwd="/",
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    deadline = time.monotonic() + limits.wall_s
    try:
        assert process.stdin is not None
        try:
            process.stdin.write(payload)
            process.stdin.close()
        except BrokenPipeError:  # it died before it had read its job
            pass
        raw, in_time = _read_until(read_end, deadline)
    finally:
        os.close(read_end)
        try:
            os.killpg(process.pid, signal.SIGKILL)  # the program's own processes too
        except ProcessLookupError:
            pass
        status = process.wait()
    findings = []
    for line in raw.split(b"\n"):
        try:
            finding = json.loads(line)
        except ValueError:
            continue
        if isinstance(finding, dict):
            findings.append(finding)
    done = any("done" in finding for finding in findings)
    over_cpu = not done and in_time and status in (-signal.SIGXCPU, -signal.SIGKILL)
    return findings, not in_time or over_cpu, f"the process ended early ({_ending(status)})"


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _read_until(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Read up to the end of file or the closing finding; second: whether that came before ``deadline``."""
    raw = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            chunk = os.read(descriptor, 65536)
            raw += chunk
            if not chunk or raw.endswith(b'{"done": true}\n') or len(raw) > _MAX_REPORT:
                return raw, True
    return raw, False
