"""Make a problem's ``check`` count its tests one by one, and run it.

Only trusted text comes here: a problem's prompt, tests and reference, never a candidate's code. Each assert of ``check``
that looks at the candidate becomes a call that records whether it held and goes on, so that one failure does not hide
the tests behind it. Each top-level statement of ``check`` is guarded, so that an exception in one (a candidate called
outside an assert, as in HumanEval/32) fails the tests inside it and goes on.
"""

# ruff: noqa: BLE001, S102  # running the trusted tests on what may raise anything is what this file is for

from __future__ import annotations

import ast
import functools
import hashlib
import random
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codeduet.envs.errors import InputError
from codeduet.envs.problems import Problem

_RECORD = "__codeduet_record__"
_GUARD = "__codeduet_guard__"


@dataclass(frozen=True)
class Tests:
    """The instrumented tests of a problem.

    Attributes:
        source: Python source that defines ``check(candidate)``. It expects two names in its globals:
            ``__codeduet_record__(index, thunk)``, which calls ``thunk`` and records its truth for test ``index``, and
            ``__codeduet_guard__()``, a context manager that swallows exceptions.
        total: number of tests.
    """

    source: str
    total: int


@dataclass
class Findings:
    """What a run of ``check`` showed.

    Attributes:
        passed: per test, whether it was reached and held every time.
        errors: all that was raised, in order.
        broken: the first that was raised outside a counted assert: the candidate has not got through ``check``.
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


@functools.lru_cache(maxsize=4096)
def instrument(problem: Problem) -> Tests:
    """Instrument the tests of ``problem``.

    Raises:
        InputError: its tests do not parse, or define no ``check``, or no assert in it looks at the candidate.
    """
    try:
        tree = ast.parse(problem.tests)
    except SyntaxError as error:
        raise InputError(f"{problem.task_id}: its tests do not parse ({error.msg}, line {error.lineno})") from None
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if not checks or not checks[-1].args.args:
        raise InputError(f"{problem.task_id}: its tests define no function check(candidate)")
    check = checks[-1]
    if any(
        isinstance(node, ast.NamedExpr)
        for part in ast.walk(check)
        if isinstance(part, ast.Assert)
        for node in ast.walk(part)
    ):
        raise InputError(f"{problem.task_id}: an assert of check(candidate) assigns with :=, which cannot be counted")
    rewriter = _Rewriter(_names_from_candidate(check))
    body: list[ast.stmt] = []
    for statement in check.body:
        seen = rewriter.total
        rewritten = rewriter.visit(statement)
        if rewriter.total > seen and not isinstance(statement, ast.Assert):
            rewritten = ast.With(items=[ast.withitem(context_expr=_call(_GUARD))], body=[rewritten])
        body.append(rewritten)
    if not rewriter.total:
        raise InputError(f"{problem.task_id}: no assert in check(candidate) looks at the candidate")
    check.body = body
    return Tests(ast.unparse(ast.fix_missing_locations(tree)), rewriter.total)


class Check:
    """A problem's tests, compiled once and run on any number of candidates.

    HumanEval/33 asks the global that bears the target's name, which in OpenAI's harness is the candidate: three of its
    tests compare the candidate with itself. Here that name is the problem's reference, if it has one.
    """

    def __init__(self, problem: Problem) -> None:
        self.total = instrument(problem).total
        self._problem = problem
        try:
            self._preamble = compile(problem.preamble, "<prompt>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{problem.task_id}: what stands before its function does not parse ({error})") from None
        self._tests = compile(instrument(problem).source, "<tests>", "exec", dont_inherit=True)
        self.names: dict[str, Any] = {}  # of the tests, while they run: they hold the classes that the prompt defines
        self._reference = _load_reference(problem)
        # Alike each time, and not to be guessed by a program, which does not know the tests: from the inputs that
        # HumanEval/38 and 50 draw, it could otherwise read off the answers.
        self._seed = hashlib.sha256(problem.tests.encode("utf-8", "surrogatepass")).digest()

    def run(self, candidate: Callable[..., Any]) -> Findings:
        """Run the tests on ``candidate``; random inputs are drawn alike each time."""
        findings = Findings([False] * self.total)
        recorder = _Recorder(findings)
        namespace = self.names = module_named("tests")
        try:
            exec(self._preamble, namespace)
            namespace[self._problem.entry_point] = self._reference or candidate
            namespace.update({_RECORD: recorder.record, _GUARD: lambda: recorder})
            random.seed(self._seed)
            exec(self._tests, namespace)
            namespace["check"](candidate)
        except BaseException as error:  # a candidate may raise anything
            recorder.broken(error)
        return findings


class _Recorder:
    """Keeps the score while ``check`` runs; as a context manager it guards a statement that holds counted asserts."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.held: dict[int, bool] = {}
        self.touched: set[int] | None = None  # tests asked inside the guarded statement that runs now

    def broken(self, error: BaseException) -> None:
        self.findings.errors.append(error)
        self.findings.broken = self.findings.broken or error

    def record(self, index: int, thunk: Callable[[], object]) -> None:
        try:
            held = bool(thunk())
        except BaseException as error:
            held = False
            self.findings.errors.append(error)
        self.held[index] = held and self.held.get(index, True)
        if self.touched is None:
            self.findings.passed[index] = self.held[index]
        else:
            self.touched.add(index)

    def __enter__(self) -> None:
        self.touched = set()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self.broken(error)
        for index in self.touched or ():
            # A loop that an exception cut short has not shown that its asserts hold every time.
            self.findings.passed[index] = self.held[index] and error is None
        self.touched = None
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


class _Rewriter(ast.NodeTransformer):
    """Turn ``assert TEST`` into ``record(i, lambda: TEST)`` where ``TEST`` looks at the candidate.

    The other asserts (``assert True`` stands 48 times in HumanEval) are no tests and stay.
    """

    def __init__(self, tainted: set[str]) -> None:
        self.tainted = tainted
        self.total = 0

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if not any(isinstance(part, ast.Name) and part.id in self.tainted for part in ast.walk(node.test)):
            return node
        empty = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        thunk = ast.Lambda(args=empty, body=node.test)
        call = ast.Expr(_call(_RECORD, ast.Constant(self.total), thunk))
        self.total += 1
        return call


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(args), keywords=[])


def _names_from_candidate(check: ast.FunctionDef) -> set[str]:
    """Return the parameter of ``check`` and the local names whose value depends on it."""
    tainted = {check.args.args[0].arg}
    grown = True
    while grown:
        grown = False
        for node in ast.walk(check):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr):
                value = node.iter if isinstance(node, ast.For) else node.value
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if value is None or not any(isinstance(n, ast.Name) and n.id in tainted for n in ast.walk(value)):
                    continue
                names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
                grown = grown or not names <= tainted
                tainted |= names
    return tainted


def classes_of(preamble: str) -> list[str]:
    """Return the names that a prompt's own classes may have: what it defines at top level, by ``class`` or ``=``."""
    names: list[str] = []
    for node in ast.parse(preamble).body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):  # Point = namedtuple("Point", "x y")
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
