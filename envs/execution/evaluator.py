"""The trusted half of a worker: it holds the tests, replays them on the values a program returns, and says what passed.

Started by the executor as a bare interpreter (see ``launch``). It never runs, compiles or parses a candidate's code:
that travels through it as text. Calls that do not hang on answers are sent ahead in one batch: they are found by
running the tests on dummies, so that no program's answers, let alone the right ones, reach another program in them.
Where a program's own answers lead the tests to another call, it is started anew and asked call by call, so what was sent
ahead changes no verdict.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from codeduet.envs.execution import imports, wire
from codeduet.envs.execution.candidate import Candidate, EndedError, Known
from codeduet.envs.execution.instrument import Check, Findings, classes_of
from codeduet.envs.execution.jail.program import JOB
from codeduet.envs.execution.jailer import Conversation, IsolationError, Jail, JailGoneError
from codeduet.envs.execution.kinds import TooLargeError
from codeduet.envs.execution.limits import Limits
from codeduet.envs.execution.messages import Facts, read_loaded, read_parsed
from codeduet.envs.execution.probe import self_test
from codeduet.envs.execution.reading import MalformedError
from codeduet.envs.execution.values import encode, join
from codeduet.envs.problems import Problem
from codeduet.errors import InputError

LEVELS = ("namespaces", "landlock")
"""Isolation levels that are used without being asked for by name, best first."""

_STARTS = 3
_DUMMY_ANSWERS = (0, 1.5)
_MOST_AHEAD = 4096
_MOST_BYTES_AHEAD = 1_000_000
_IMPORTING_S = 15.0
"""What the tests of a problem may take beside the limits when they are first run: a library may take seconds to load."""


def calls_ahead(known: Known) -> list[bytes]:
    """Return the first calls, encoded, that the tests make whatever they are answered.

    Raises:
        InputError: the tests import what is not there, so that they can run for no program.
    """
    runs = []
    for answer in _DUMMY_ANSWERS:
        asked: list[bytes] = []

        def dummy(*arguments: Any, _asked: list[bytes] = asked, _answer: float = answer, **options: Any) -> float:
            if len(_asked) >= _MOST_AHEAD:
                raise EndedError
            try:
                _asked.append(known.encode((arguments, options), []))
            except TypeError as error:
                known.unsendable = str(error)
                raise
            return _answer

        if why := imports.missing(known.check.run(dummy).errors):
            raise InputError(f"{known.problem.task_id}: {why}")
        runs.append(asked)
    ahead: list[bytes] = []
    size = 0
    for calls in zip(*runs, strict=False):
        size += len(calls[0])
        if len(set(calls)) > 1 or size > _MOST_BYTES_AHEAD:
            break
        ahead.append(calls[0])
    return ahead


class Evaluator:
    """Judges programs, one after the other, in one jail."""

    def __init__(self, jail: Jail, isolation: str) -> None:
        self._jail = jail
        self.limits = jail.limits
        self._isolation = isolation
        self._known: dict[int, Known] = {}

    def learn(self, key: int, problem: Problem) -> None:
        """Prepare the tests of a problem."""
        known = Known(problem, Check(problem), classes_of(problem.preamble))
        if foreign := imports.of_tests(problem) - sys.modules.keys():  # large, and no program has a hand in it
            _limit_memory(None)
            imports.provide(foreign)
            _limit_memory(self.limits)
        known.ahead = calls_ahead(known)
        self._known[key] = known

    def forget(self) -> None:
        """Drop all problems."""
        self._known.clear()

    def judge(self, key: int, parts: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Judge one program of (agent, code) parts; return the fields of its ``Outcome``.

        Raises:
            InputError: the problem's tests pass something that cannot be sent.
            JailGoneError: the jail has ended.
        """
        known = self._known[key]
        if known.unsendable:
            raise InputError(f"{known.problem.task_id}: a test cannot be put to a program: {known.unsendable}")
        outcome = self._attempt(known, known.ahead, parts)
        return outcome or cast(dict[str, Any], self._attempt(known, [], parts))

    def _attempt(self, known: Known, ahead: list[bytes], parts: Sequence[Sequence[str]]) -> dict[str, Any] | None:
        """Run one program; return None if its tests made other calls than those sent ahead."""
        facts = Facts(self.limits, tuple(agent for agent, _ in parts))
        findings = Findings([False] * known.check.total)
        candidate = None
        with self._jail.fork() as conversation:
            try:
                if _load(conversation, known, parts, facts):
                    if ahead:
                        conversation.send(join(ahead))
                    candidate = Candidate(conversation, known, ahead, self.limits)
                    findings = known.check.run(candidate)
                    facts.ended, facts.forged = candidate.ended, candidate.forged
            except wire.ClosedError:
                facts.ended = True
            except (wire.OversizeError, MalformedError, TooLargeError):
                facts.ended = facts.forged = True
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
            "error_part": facts.error_part,
            "limit": facts.limit,
            "completed": candidate is not None and findings.broken is None,
            **vars(facts.shape),
            "cpu_s": conversation.report.cpu_s,
            "peak_memory_mb": conversation.report.peak_memory / (1 << 20),
            "isolation": self._isolation,
        }


def _load(conversation: Conversation, known: Known, parts: Sequence[Sequence[str]], facts: Facts) -> bool:
    """Have the program parsed and loaded; tell whether it can be called."""
    # Alike each time: a class's name holds its module's. No identifier, and not to be guessed by another program.
    text = "\0".join([known.problem.preamble, *(code for _, code in parts)]).encode("utf-8", "surrogatepass")
    module = f"program-{hashlib.sha256(text).hexdigest()[:16]}"
    job = known.job | {"module": encode(module), "parts": encode([tuple(part) for part in parts])}
    conversation.send(join([job[name] for name in JOB]))
    return read_parsed(conversation.receive(), facts) and read_loaded(conversation.receive(), facts)


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
        # What the tests import is there for them; a program has what ``packages`` names, which its values may be made of.
        sys.path += settings["path"]
        for name in settings["packages"]:
            importlib.import_module(name)
        _limit_memory(limits)
        evaluator = Evaluator(jail, isolation)
        # Young garbage is few and what is kept is large: collect seldom, and never look at the start's objects again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)
        answer(ready=isolation, pids=[os.getpid(), *jail.pids], python=jail.python)
        while True:
            request = json.loads(wire.receive(descriptor))
            # Past this the kernel ends this process: comparing a program's values must not hold it for ever, and in
            # the middle of one long call into C nothing else could.
            learning = _IMPORTING_S if "problem" in request else 0.0
            signal.setitimer(signal.ITIMER_PROF, limits.check_cpu_s + learning)
            _serve(evaluator, request, answer)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except wire.ClosedError:  # the executor is gone
        pass
    except JailGoneError:
        answer(fault="its jail was ended", told=False)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the executor starts another worker and says why
        last = traceback.extract_tb(error.__traceback__)[-1]
        answer(fault=f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}", told=True)
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
            signal.setitimer(signal.ITIMER_PROF, evaluator.limits.check_cpu_s)
        answer(outcome=evaluator.judge(request["key"], request["parts"]))
    except InputError as error:
        answer(input_error=str(error))
