"""Make a problem's ``check`` count its tests one by one.

Only trusted text comes here: the tests of a problem set, never a candidate's code. Each assert of ``check`` that looks
at the candidate becomes a call that records whether it held and goes on, so that one failure does not hide the tests
behind it. Each top-level statement of ``check`` is guarded, so that an exception in one (a candidate called outside an
assert, as in HumanEval/32) fails the tests inside it and goes on.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

from codeduet.envs.errors import InputError
from codeduet.envs.problems import Problem

RECORD = "__codeduet_record__"
GUARD = "__codeduet_guard__"


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
            rewritten = ast.With(items=[ast.withitem(context_expr=_call(GUARD))], body=[rewritten])
        body.append(rewritten)
    if not rewriter.total:
        raise InputError(f"{problem.task_id}: no assert in check(candidate) looks at the candidate")
    check.body = body
    return Tests(ast.unparse(ast.fix_missing_locations(tree)), rewriter.total)


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
        call = ast.Expr(_call(RECORD, ast.Constant(self.total), thunk))
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
