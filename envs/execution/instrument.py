"""Make a problem's tests count themselves one by one, and run them.

Only trusted text comes here: a problem's prompt, tests and reference, never a candidate's code. What a test is,
:mod:`codeduet.envs.execution.counting` says. Each records whether it held and goes on, so that one failure does not hide
the tests behind it. Each top-level statement of ``check`` that holds several is guarded, so that an exception in one (a
candidate called outside an assert, as in HumanEval/32) fails the tests inside it and goes on.
"""

# ruff: noqa: BLE001, S102  # running the trusted tests on what may raise anything is what this file is for

from __future__ import annotations

import ast
import functools
import hashlib
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeduet.envs.execution.collecting import (
    NOT_PLAIN,
    beside_check,
    calls_of_tests,
    hidden_test,
    statements_of,
)
from codeduet.envs.execution.counting import CASES, GUARD, METHOD, PART, TEST, UNIT, Counter
from codeduet.envs.execution.running import left_out, run_method, run_test
from codeduet.envs.execution.scope import Scope, names_in
from codeduet.envs.problems import Problem
from codeduet.envs.tests import Source
from codeduet.errors import InputError


@dataclass(frozen=True)
class Counted:
    """What is known of a problem's tests before they run.

    Attributes:
        total: number of tests.
        by_name: they have no ``check``: their top level calls the target by its name.
        own_name: so do the asserts of their ``check``, which never mention its argument.
    """

    total: int
    by_name: bool
    own_name: bool


@dataclass
class Findings:
    """What a run of the tests showed.

    Attributes:
        passed: per test, whether it was reached and held every time.
        errors: all that was raised, in order.
        broken: the first that was raised outside a counted test: the candidate has not got through the tests.
    """

    passed: list[bool]
    errors: list[BaseException] = field(default_factory=list)
    broken: BaseException | None = None


def parse_trusted(source: str) -> ast.Module:
    """Parse our own text or a problem set's, such as a reference."""
    return ast.parse(source)


def run_trusted(source: str) -> dict[str, Any]:
    """Run our own text or a problem set's as a module; return its globals."""
    namespace = module_named("trusted")
    exec(compile(source, "<trusted>", "exec", dont_inherit=True), namespace)
    return namespace


def module_named(name: str) -> dict[str, Any]:
    """Return the globals of a new module that is registered, as dataclasses expect of theirs."""
    module = sys.modules[f"<{name}>"] = types.ModuleType(f"<{name}>")
    return module.__dict__


def instrument(problem: Problem) -> Counted:
    """Count the tests of ``problem``.

    Raises:
        InputError: its tests do not parse, define no ``check`` and never call the target by its name, or none of them
            looks at the candidate.
    """
    try:
        return _count(problem.source, problem.entry_point)
    except InputError as error:
        raise InputError(f"{problem.task_id}: {error}") from None


@functools.lru_cache(maxsize=4096)
def _count(source: Source, entry_point: str) -> Counted:
    return _instrumented(source, entry_point)[1]


def _instrumented(source: Source, entry_point: str) -> tuple[ast.Module, Counted]:
    """Return tests in which each records itself (see ``Counter``), and their number; raises as :func:`instrument`."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else error
        raise InputError(f"its tests do not parse ({said}{line})") from None
    except (RecursionError, MemoryError):
        raise InputError("its tests nest too deep to be parsed") from None
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    by_name = not checks or not checks[-1].args.args
    own_name = False
    if by_name:
        if any(isinstance(node, ast.AsyncFunctionDef) and node.name == "check" for node in tree.body):
            raise InputError("its check(candidate) is async, and nothing would wait for it: make it a plain function")
        total = _count_top_level(tree, entry_point)
        if not total:
            if hidden := hidden_test(tree):
                raise InputError(NOT_PLAIN.format(hidden))
            raise InputError(f"its tests define no function check(candidate), and none of them calls {entry_point}")
    else:
        if beside := beside_check(tree, "check", entry_point):
            raise InputError(f"its test {beside} stands beside check(candidate), which alone is run: call it there")
        own_name = _is_by_own_name(checks[-1], entry_point)
        total = _count_check(tree, checks[-1], entry_point if own_name else checks[-1].args.args[0].arg)
        if not total:
            raise InputError("no assert in check(candidate) looks at the candidate")
    return ast.fix_missing_locations(tree), Counted(total, by_name, own_name)


def _is_by_own_name(check: ast.FunctionDef, entry_point: str) -> bool:
    """Tell whether ``check`` never mentions its argument, and the target by its name."""
    names = {name for node in check.body for name in names_in(node)}
    return entry_point in names and check.args.args[0].arg not in names


def _count_check(tree: ast.Module, check: ast.FunctionDef, candidate: str) -> int:
    """Instrument ``check``, in which the candidate has the name ``candidate``, and drop the file's own calls of it.

    It is called here, on every program.
    """
    callers = {"check"}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(_calls(part, {"check"}) for part in ast.walk(node)):
            callers.add(node.name)
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Expr) and _calls(node.value, callers))]
    scope = Scope({candidate})
    scope.grow(check.body)
    shared = {name for node in ast.walk(check) if isinstance(node, ast.Global) for name in node.names} & scope.looks
    if shared:  # handed on to functions and classes of the file
        defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node is not check]
        scope.looks |= {node.name for node in defined if not shared.isdisjoint(names_in(node))}
        scope.grow(check.body)
    counter = Counter(tree)
    counter.function(check, scope)
    return counter.total


def _count_top_level(tree: ast.Module, entry_point: str) -> int:
    """Instrument tests that call the target by its name, and have test functions and test classes run."""
    body = statements_of(tree)
    scope = Scope({entry_point})
    scope.grow(body)
    tree.body = [*body, *calls_of_tests(body, scope)]
    counter = Counter(tree)
    tree.body = counter.block(tree.body, scope)
    return counter.total


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


class Check:
    """A problem's tests, compiled once and run on any number of candidates.

    HumanEval/33 asks the global that bears the target's name, which in OpenAI's harness is the candidate: three of its
    tests compare the candidate with itself. Here that name is the problem's reference, if it has one. Where the tests
    have no ``check``, or their ``check`` never mentions its argument, that name is the candidate.
    """

    def __init__(self, problem: Problem) -> None:
        try:
            tree, counted = _instrumented(problem.source, problem.entry_point)
        except InputError as error:
            raise InputError(f"{problem.task_id}: {error}") from None
        self.total = counted.total
        self._entry_point = problem.entry_point
        self._by_name = counted.by_name
        self._text = problem.source.text
        try:
            self._preamble = compile(problem.preamble, "<prompt>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{problem.task_id}: what stands before its function does not parse ({error})") from None
        self._tests = compile(tree, "<tests>", "exec", dont_inherit=True)
        self.names: dict[str, Any] = {}  # of the tests, while they run: they hold the classes that the prompt defines
        self._reference = None if counted.by_name or counted.own_name else _load_reference(problem)
        # Alike each time, and not to be guessed by a program, which does not know the tests: from the inputs that
        # HumanEval/38 and 50 draw, it could otherwise read off the answers.
        self._seed = hashlib.sha256(problem.source.text.encode("utf-8", "surrogatepass")).digest()

    def run(self, candidate: Callable[..., Any]) -> Findings:
        """Run the tests on ``candidate``; random inputs are drawn alike each time."""
        findings = Findings([False] * self.total)
        recorder = _Recorder(
            findings, lambda: getattr(candidate, "ended", False), getattr(candidate, "passed_over", [])
        )
        namespace = self.names = module_named("tests")
        try:
            exec(self._preamble, namespace)
            namespace[self._entry_point] = self._reference or candidate
            namespace |= {UNIT: recorder.unit, GUARD: recorder.guard, PART: recorder.part}
            namespace |= {METHOD: run_method, TEST: run_test, CASES: _numbered}
            random.seed(self._seed)
            exec(self._tests, namespace)
            if not self._by_name:
                recorder.forget()  # what a file's own run of ``check`` shows, it shows of the reference
                namespace["check"](candidate)
        except BaseException as error:  # a candidate may raise anything
            recorder.broken(error)
        if recorder.gone() and all(findings.passed):  # it ended behind the last test, where a bare except hid it
            recorder.broken(RuntimeError())
        if recorder.swallowed and findings.broken is None:
            recorder.broken(recorder.swallowed[0])
        return findings

    def left_out(self) -> str:
        """Return the name of a test that the last run made and did not run, as its text does not show it; or ``""``."""
        return left_out(self.names, self._text, "<tests>") if self._by_name else ""


def _numbered(cases: Iterable[Any], rounds: int) -> Iterator[tuple[int, Any]]:
    """Number the rounds of a loop of known length; a round too many is no test of its own."""
    for number, case in enumerate(cases):
        yield min(number, rounds - 1), case


class _Recorder:
    """Keeps the score while the tests run.

    Args:
        findings: where it is kept.
        gone: whether the candidate's process has ended.
        passed_over: limits that what the candidate gave has passed; it grows. They fail the test that met them, and where
            that happened outside any test, and went no further, all that come later: something hangs on it.
    """

    def __init__(self, findings: Findings, gone: Callable[[], bool], passed_over: Sequence[BaseException] = ()) -> None:
        self.findings = findings
        self.gone = gone
        self.passed_over = passed_over
        self.settled = 0  # of these, how many have failed a test or have ended a statement
        self.asked: set[int] = set()
        self.inside: list[set[int]] = []  # for each open guard, the tests that were asked inside it

    def forget(self) -> None:
        """Begin anew."""
        self.findings.passed[:] = [False] * len(self.findings.passed)
        self.findings.errors.clear()
        self.findings.broken = None
        self.asked.clear()

    def unit(self, index: int) -> _Unit:
        """Return what stands around a test."""
        return _Unit(self, index)

    def guard(self) -> _Guard:
        """Return what stands around a statement of which tests are parts: it has to come to its end."""
        self.inside.append(set())
        return _Guard(self, self.inside[-1])

    def part(self) -> _Guard:
        """Return what stands around tests that others come after."""
        self.inside.append(set())
        return _Guard(self, set())

    @property
    def swallowed(self) -> Sequence[BaseException]:
        """The limits that no test has failed by."""
        return self.passed_over[self.settled :]

    def held(self, index: int, error: BaseException | None, swallowed_before: int) -> None:
        """Take down what a test showed; one that is asked again must hold again."""
        swallowed = self.swallowed
        if swallowed:
            self.findings.errors.extend(swallowed)
            self.settled = len(self.passed_over) - swallowed_before
        if error is not None and (not isinstance(error, AssertionError) or hasattr(error, "codeduet_origin")):
            self.findings.errors.append(error)
        passed = self.findings.passed
        # Of a program that has ended nothing is known any more, whatever a test's own except makes of that.
        passed[index] = (
            error is None and not swallowed and not self.gone() and (passed[index] or index not in self.asked)
        )
        self.asked.add(index)
        for asked in self.inside:
            asked.add(index)

    def broken(self, error: BaseException) -> None:
        """Take down what was raised outside a test."""
        self.settled += any(error is each for each in self.swallowed)
        self.findings.errors.append(error)
        self.findings.broken = self.findings.broken or error


class _Unit:
    """Around one test: it held if nothing was raised."""

    __slots__ = ("before", "index", "recorder")

    def __init__(self, recorder: _Recorder, index: int) -> None:
        self.recorder = recorder
        self.index = index

    def __enter__(self) -> None:
        self.before = len(self.recorder.passed_over) - self.recorder.settled

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.recorder.held(self.index, error, self.before)
        return True


class _Guard:
    """Around a statement: what it raises ends it, and fails ``asked``."""

    __slots__ = ("asked", "recorder")

    def __init__(self, recorder: _Recorder, asked: set[int]) -> None:
        self.recorder = recorder
        self.asked = asked

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.recorder.inside.pop()
        if error is not None:
            self.recorder.broken(error)
            for index in self.asked:  # a loop that was cut short has not shown that its asserts hold every time
                self.recorder.findings.passed[index] = False
        return True


def _load_reference(problem: Problem) -> Callable[..., Any] | None:
    """Return the function the reference defines; None if there is none, or it does not load."""
    if not problem.canonical_solution:
        return None
    try:
        function = run_trusted(problem.preamble + problem.reference).get(problem.entry_point)
    except Exception:  # a set may hold references that are none; then the candidate stands in
        return None
    return function if callable(function) else None


def classes_of(preamble: str) -> list[str]:
    """Return the names that a prompt's own classes may have: what it defines at top level, by ``class`` or ``=``."""
    names: list[str] = []
    for node in ast.parse(preamble).body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):  # Point = namedtuple("Point", "x y")
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
