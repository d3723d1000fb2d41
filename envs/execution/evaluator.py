"""The trusted half of a worker: it holds the tests, replays them on the values a program returns, and says what passed.

Started by the executor as a bare interpreter (see ``launch``). It never runs, compiles or parses a candidate's code:
that travels through it as text. Calls that do not hang on answers are sent ahead in one batch: they are found by
running the tests on dummies, so that no program's answers, let alone the right ones, reach another program in them.
Where a program's own answers lead the tests to another call, it is started anew and asked call by call, so what was sent
ahead changes no verdict.
"""

from __future__ import annotations

import builtins
import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from codeduet.envs.errors import InputError
from codeduet.envs.execution import imports, wire
from codeduet.envs.execution.instrument import Check, Findings
from codeduet.envs.execution.jail.zygote import OUT_OF_MEMORY, Report
from codeduet.envs.execution.jailer import Conversation, IsolationError, Jail, JailGoneError
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import Unit
from codeduet.envs.execution.probe import self_test
from codeduet.envs.execution.values import MalformedError, OpaqueError, TooLargeError, decode, encode, join
from codeduet.envs.problems import Problem

LEVELS = ("namespaces", "landlock")
"""Isolation levels that are used without being asked for by name, best first."""

_STARTS = 3
_DUMMY_ANSWERS = (0, 1.5)
_MOST_AHEAD = 4096
_MOST_BYTES_AHEAD = 1_000_000
_MESSAGE_LENGTH = 160
_UNITS = get_args(Unit)
_LIMITS = get_args(LimitName)[:-1]
_FORGED = "ChannelError: the program wrote into the channel of its answers"


class EndedError(Exception):
    """The program's process has ended, so that no answer will come."""


class OtherCallError(Exception):
    """The tests make another call than the one that was sent ahead."""


@dataclass
class _Known:
    """A problem's tests, and the calls, encoded, that they are known to make."""

    problem: Problem
    check: Check
    ahead: list[bytes] = field(default_factory=list)


class Candidate:
    """Stands for the target function while ``check`` runs; its answers come from the program's process.

    Attributes:
        asked: the calls made so far, encoded.
        ended: the process ended, or broke the protocol, before it had answered all calls.
        forged: it broke the protocol.
        diverged: a call differs from the one that was sent ahead.
        unsendable: why a call could not be sent, which is the test's fault.
    """

    def __init__(self, conversation: Conversation, ahead: list[bytes], limits: Limits) -> None:
        self._conversation = conversation
        self._ahead = ahead
        self._limits = limits
        self.asked: list[bytes] = []
        self.ended = False
        self.forged = False
        self.diverged = False
        self.unsendable = ""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.ended or self.diverged:
            raise EndedError
        try:
            call = encode((arguments, options), strict=True)
        except OpaqueError:  # an answer of the program's own, passed on: it fails the test
            raise
        except TypeError as error:
            self.unsendable = str(error)
            raise
        place = len(self.asked)
        self.asked.append(call)
        if place < len(self._ahead) and self._ahead[place] != call:
            self.diverged = True
            raise OtherCallError
        answer, failure = self._exchange(call if place >= len(self._ahead) else None)
        if failure is not None:
            raise failure
        return answer

    def _exchange(self, call: bytes | None) -> tuple[Any, BaseException | None]:
        """Send a call that was not sent ahead, and wait for its answer: what it gave, or what it raised."""
        try:
            if call is not None:
                self._conversation.send(join([call]))
            message = self._conversation.receive()
            kind, answer = message[:1], decode(message[1:], self._limits)
            if kind == b"=":
                return answer, None
            if kind == b"!":
                limit, name, unit, text = map(str, answer)
                return None, _as_raised(name, text, unit, limit)
            self.forged = True
        except TooLargeError as error:
            return None, _as_raised("ValueError", "", "", error.limit)
        except wire.ClosedError:
            pass
        except (wire.OversizeError, MalformedError, TypeError, ValueError):
            self.forged = True
        self.ended = True
        return None, EndedError()


def _as_raised(name: str, text: str, unit: str, limit: str) -> BaseException:
    """Return the exception a program raised, as a test that expects one can catch it."""
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        kind = Exception
    try:
        # A StopIteration would end a loop of the tests' (all(map(candidate, ...))) as if all had been well.
        error = (RuntimeError if issubclass(kind, StopIteration | StopAsyncIteration) else kind)(text)
    except TypeError:  # UnicodeDecodeError and ExceptionGroup want more
        error = Exception(text)
    error.codeduet_origin = (kind.__name__, unit, limit)  # type: ignore[attr-defined]
    return error


def calls_ahead(check: Check) -> list[bytes]:
    """Return the first calls, encoded, that ``check`` makes whatever it is answered.

    Raises:
        InputError: the tests import what is not there, so that they can run for no program.
    """
    runs = []
    for answer in _DUMMY_ANSWERS:
        asked: list[bytes] = []

        def dummy(*arguments: Any, _asked: list[bytes] = asked, _answer: float = answer, **options: Any) -> float:
            if len(_asked) >= _MOST_AHEAD:
                raise EndedError
            _asked.append(encode((arguments, options), strict=True))
            return _answer

        if why := imports.missing(check.run(dummy).errors):
            raise InputError(why)
        runs.append(asked)
    ahead: list[bytes] = []
    size = 0
    for calls in zip(*runs, strict=False):
        size += len(calls[0])
        if len(set(calls)) > 1 or size > _MOST_BYTES_AHEAD:
            break
        ahead.append(calls[0])
    return ahead


@dataclass
class _Facts:
    """What is learnt of one program as it goes; most of it goes into its outcome as it stands."""

    limits: Limits
    syntax_ok: bool = False
    runnable: bool = False
    structure: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    error_unit: str = ""
    limit: str = ""
    ended: bool = False
    forged: bool = False

    def fail(self, unit: str, name: str, limit: str, message: str = "") -> None:
        """Take down an error of the program's, in one line."""
        self.limit = limit if limit in _LIMITS else ""
        text = f"{name}: {message}".removesuffix(": ").split("\n")[0]
        self.error = self.limits.describe(cast(LimitName, limit)) if self.limit else text[:_MESSAGE_LENGTH]
        self.error_unit = unit if unit in _UNITS else ""

    def close(self, findings: Findings, report: Report) -> None:
        """Say which error counts: the limit that ended the program, else the first error, else how it ended."""
        limit = _limit_that_ended(report, self.limits) if self.ended else ""
        origins = [error.codeduet_origin for error in findings.errors if hasattr(error, "codeduet_origin")]
        if limit:
            self.fail("", "", limit)
        elif self.error:
            pass
        elif origins:
            name, unit, limit = origins[0]
            self.fail(unit, name, limit)
        elif any(isinstance(error, MemoryError) for error in findings.errors):
            self.fail("", "", "check_memory")
        elif self.ended:
            self.error = _FORGED if self.forged else f"the process ended early{_signal(report.status)}"
        elif findings.broken is not None:  # by an assert that is no counted test, say
            self.fail("", type(findings.broken).__name__, "")


class Evaluator:
    """Judges programs, one after the other, in one jail."""

    def __init__(self, jail: Jail, isolation: str, path: Sequence[str] = ()) -> None:
        self._jail = jail
        self._path = path
        self._limits = jail.limits
        self._isolation = isolation
        self._known: dict[int, _Known] = {}

    def learn(self, key: int, problem: Problem) -> None:
        """Prepare the tests of a problem."""
        check = Check(problem)
        if foreign := imports.of_tests(problem) - sys.modules.keys():
            # Packages are as large and slow as they are, and no program has a hand in it.
            signal.setitimer(signal.ITIMER_PROF, 0)
            _limit_memory(None)
            imports.provide(foreign, self._path)
            _limit_memory(self._limits)
            signal.setitimer(signal.ITIMER_PROF, self._limits.check_cpu_s)
        try:
            self._known[key] = _Known(problem, check, calls_ahead(check))
        except InputError as error:
            raise InputError(f"{problem.task_id}: {error}") from None

    def forget(self) -> None:
        """Drop all problems."""
        self._known.clear()

    def judge(self, key: int, helper_code: str, main_code: str) -> dict[str, Any]:
        """Judge one program; return the fields of its ``Outcome``.

        Raises:
            InputError: the problem's tests pass something that cannot be sent.
            JailGoneError: the jail has ended.
        """
        known = self._known[key]
        outcome = self._attempt(known, known.ahead, helper_code, main_code)
        return outcome or cast(dict[str, Any], self._attempt(known, [], helper_code, main_code))

    def _attempt(self, known: _Known, ahead: list[bytes], helper_code: str, main_code: str) -> dict[str, Any] | None:
        """Run one program; return None if its tests made other calls than those sent ahead."""
        facts = _Facts(self._limits)
        findings = Findings([False] * known.check.total)
        candidate = None
        with self._jail.fork() as conversation:
            try:
                if _load(conversation, known.problem, helper_code, main_code, facts):
                    if ahead:
                        conversation.send(join(ahead))
                    candidate = Candidate(conversation, ahead, self._limits)
                    findings = known.check.run(candidate)
                    facts.ended, facts.forged = candidate.ended, candidate.forged
            except wire.ClosedError:
                facts.ended = True
            except (wire.OversizeError, MalformedError, ValueError, TypeError):
                facts.ended = facts.forged = True
        if candidate is not None and candidate.unsendable:
            raise InputError(f"{known.problem.task_id}: a test cannot be put to a program: {candidate.unsendable}")
        if candidate is not None and candidate.diverged:
            del known.ahead[len(candidate.asked) - 1 :]
            return None
        facts.close(findings, conversation.report)
        return {
            "syntax_ok": facts.syntax_ok,
            "runnable": facts.runnable,
            "passed": sum(findings.passed),
            "total": known.check.total,
            "tests": findings.passed,
            "error": facts.error,
            "error_unit": facts.error_unit,
            "limit": facts.limit,
            "completed": candidate is not None and findings.broken is None,
            "structure": facts.structure,
            "cpu_s": conversation.report.cpu_s,
            "peak_memory_mb": conversation.report.peak_memory / (1 << 20),
            "isolation": self._isolation,
        }


def _load(conversation: Conversation, problem: Problem, helper_code: str, main_code: str, facts: _Facts) -> bool:
    """Have the program parsed and loaded; tell whether it can be called."""
    job = {
        "preamble": problem.preamble,
        "helper": helper_code,
        "main": main_code,
        "entry_point": problem.entry_point,
        "seed": problem.task_id,
        "streams": problem.source.streams,
    }
    conversation.send(encode(job))
    _, facts.syntax_ok, facts.structure, error = decode(conversation.receive())  # sent before the program runs
    if error:
        facts.fail(*error)
        return False
    kind, *error = decode(conversation.receive())
    if kind == "failed":
        facts.fail(*map(str, error))
    facts.runnable = kind == "loaded"
    return facts.runnable


def _limit_that_ended(report: Report, limits: Limits) -> str:
    if report.limit:
        return report.limit
    if report.status in (-signal.SIGXCPU, -signal.SIGKILL) and report.cpu_s >= limits.cpu_s:
        return "cpu"
    return "memory" if report.status == OUT_OF_MEMORY else ""


def _signal(status: int) -> str:
    """Name the signal a process ended by, if it is its own doing.

    Not its exit status: a program that closes its channel is killed, and whether it exits first is chance.
    """
    return f" ({signal.Signals(-status).name})" if status < 0 and status != -signal.SIGKILL else ""


def open_jail(isolation: str, limits: Limits, packages: tuple[str, ...], path: tuple[str, ...]) -> tuple[Jail, str]:
    """Close a jail at the level asked for, or at the best there is, and try it; return it and its level.

    Raises:
        IsolationError: the machine does not give it.
    """
    refused = []
    for level in LEVELS if isolation == "auto" else (isolation,):
        for _ in range(_STARTS):
            try:
                jail = Jail(level, limits, packages, path)
                self_test(jail, jailed=level != "process")
                return jail, level
            except IsolationError as error:
                refused.append(error.reason)
                break
            except JailGoneError:  # killed, by whatever; it is no reason to do with less
                refused.append(f"a jail by {level} ends as it starts")
    raise IsolationError("; ".join(dict.fromkeys(refused)))


def main(descriptor: int) -> None:
    """Serve the executor on ``descriptor`` until it is gone: JSON messages, a settings object first."""

    def answer(**content: Any) -> None:
        wire.send(descriptor, json.dumps(content).encode())

    try:
        _die_with_executor()
        settings = json.loads(wire.receive(descriptor))
        limits = Limits(**settings["limits"])
        try:
            jail, isolation = open_jail(settings["isolation"], limits, settings["packages"], settings["path"])
        except IsolationError as error:
            answer(refused=str(error))
            return
        except InputError as error:
            answer(input_error=str(error))
            return
        imports.provide(frozenset(settings["packages"]), settings["path"] if settings["packages"] else ())
        _limit_memory(limits)
        evaluator = Evaluator(jail, isolation, settings["path"])
        # Young garbage is few and what is kept is large: collect seldom, and never look at the start's objects again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)
        answer(ready=isolation, pids=[os.getpid(), *jail.pids], python=jail.python)
        while True:
            request = json.loads(wire.receive(descriptor))
            # Past this the kernel ends this process: comparing a program's values must not hold it for ever, and in
            # the middle of one long call into C nothing else could.
            signal.setitimer(signal.ITIMER_PROF, limits.check_cpu_s)
            _serve(evaluator, request, answer)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except wire.ClosedError:  # the executor is gone
        pass
    except JailGoneError:
        answer(fault="its jail was ended")
    except BaseException:  # noqa: BLE001  # whatever it is, the executor starts another worker and says why
        answer(fault=traceback.format_exc(limit=-3))
    finally:
        os._exit(0)  # the jail ends when its control socket closes


def _die_with_executor() -> None:
    """End with the executor even in the middle of a program; elsewhere than on Linux, after it."""
    if sys.platform == "linux":
        from codeduet.envs.execution.jail.kernel import die_with_parent

        die_with_parent()


def _limit_memory(limits: Limits | None) -> None:
    """Bound what comparing a program's values can take: ``sorted(candidate(...))`` on ``range(10**9)``, say.

    None lifts the bound. It is a soft one: nothing that could lift it runs here.
    """
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        bound = hard
        if limits is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            bound = pages * resource.getpagesize() + (limits.memory_mb << 20)
        if hard != resource.RLIM_INFINITY:
            bound = min(bound, hard)
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


def _serve(evaluator: Evaluator, request: dict[str, Any], answer: Callable[..., None]) -> None:
    if request.get("forget"):
        evaluator.forget()
    try:
        if "problem" in request:
            evaluator.learn(request["key"], Problem.from_wire(request["problem"]))
        answer(outcome=evaluator.judge(request["key"], request["helper"], request["main"]))
    except InputError as error:
        answer(input_error=str(error))
