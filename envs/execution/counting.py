"""Which statements of a problem's tests are tests, and how each is made to count for itself.

Only trusted syntax comes here. A *unit* is one test:

* an assert that looks at the candidate, by itself or through names that hang on it: assigned, appended to, changed under
  a condition or in a ``try`` that looks at the candidate; or at what was handed to it before, which is to be left alone;
* a call, as a statement, of a function of the tests that asserts or raises, or of one called ``assert...``; of a function
  that is called at one place, outside loops, each assert instead;
* an ``if`` that looks at the candidate and raises, and one with asserts in both its branches;
* a ``try`` in which a missing error fails (``candidate(-1); assert False``), and a ``with ... raises(...)``;
* a method ``test...`` of a ``unittest`` or pytest class.

In a loop over a list whose length the source shows, each round's units are tests of their own; in any other loop a unit
is one test that must hold every time. A unit that is not reached has not passed.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from codeduet.envs.execution.displays import Displays
from codeduet.envs.execution.scope import Scope

UNIT = "__codeduet_unit__"
GUARD = "__codeduet_guard__"
PART = "__codeduet_part__"
METHOD = "__codeduet_method__"
TEST = "__codeduet_test__"
CASES = "__codeduet_cases__"
_CASE = "__codeduet_case_"

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_HANDS_ON = (ast.Assert, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.For)
_CATCH_ALL = ("AssertionError", "Exception", "BaseException")


@dataclass
class _Loops:
    """The loops around a statement: those of known length with the names of their counters; ``open``: another one."""

    cases: list[tuple[str, int]] = field(default_factory=list)
    open: bool = False


class Counter:
    """Rewrites a body of tests so that each unit records itself; ``total`` grows as it goes.

    What stands in the rewritten body: ``with __codeduet_unit__(i):`` around a unit, which swallows what it raises;
    ``with __codeduet_guard__():`` around a statement that holds units, whose units fail where it raises; and
    ``with __codeduet_part__():`` around a round of a loop or a function that is tests by itself, of which the units
    that were reached keep what they showed. ``__codeduet_cases__(list, n)`` numbers the rounds of a loop, from 0 up to n - 1.

    Args:
        module: the tests.
    """

    def __init__(self, module: ast.Module) -> None:
        self.total = 0
        self._functions: dict[str, _Function] = {}
        self._uses: dict[str, int] = {}
        self._displays = Displays(module.body)
        for node in ast.walk(module):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._uses[node.id] = self._uses.get(node.id, 0) + 1
            elif isinstance(node, _Function):
                self._functions[node.name] = node

    def block(self, body: Sequence[ast.stmt], scope: Scope, loops: _Loops | None = None) -> list[ast.stmt]:
        """Return ``body`` with its units counted."""
        loops = loops or _Loops()
        rewritten = []
        for statement in body:
            seen = self.total
            if isinstance(statement, _HANDS_ON):
                scope.hand_on(statement)
            new, kind = self._statement(statement, scope, loops)
            if self.total > seen and kind:
                new = _with(_call(kind), [new])
            rewritten.append(new)
        return rewritten

    def function(self, function: ast.FunctionDef, scope: Scope) -> None:
        """Count the units of a function, whose ``scope`` is known."""
        around = self._displays
        parameters = [parameter.arg for parameter in ast.walk(function.args) if isinstance(parameter, ast.arg)]
        self._displays = Displays(function.body, parameters, around)
        function.body = self.block(function.body, scope)
        self._displays = around

    def _unit(self, statement: ast.stmt, loops: _Loops) -> ast.stmt:
        index: ast.expr = ast.Constant(0)
        size = 1
        for counter, rounds in loops.cases:
            scaled = ast.BinOp(index, ast.Mult(), ast.Constant(rounds))
            index = ast.BinOp(scaled, ast.Add(), ast.Name(id=counter, ctx=ast.Load()))
            size *= rounds
        index = ast.BinOp(index, ast.Add(), ast.Constant(self.total)) if loops.cases else ast.Constant(self.total)
        self.total += size
        return _with(_call(UNIT, index), [statement])

    def _statement(self, statement: ast.stmt, scope: Scope, loops: _Loops) -> tuple[ast.stmt, str]:
        """Return a statement with its units counted, and what is to stand around it if it has any."""
        match statement:
            case ast.Assert(test=test):
                # The message may call the candidate again, and what a failure says is nobody's business.
                asks = scope.at(test) or scope.asks_given(test)
                return (self._unit(ast.Assert(test, None), loops) if asks else statement), ""
            case ast.Expr(value=ast.Call() as call):
                return self._call(statement, call, scope, loops)
            case ast.Assign() | ast.AnnAssign() | ast.Return() | ast.Expr():
                if scope.at(statement) and self._asserting(statement):
                    return self._unit(statement, loops), ""
            case ast.For():
                return self._loop(statement, scope, loops)
            case ast.While():
                inner = _Loops(loops.cases, open=True)
                statement.body = self.block(statement.body, scope, inner)
                statement.orelse = self.block(statement.orelse, scope, loops)
                return statement, GUARD
            case ast.If():
                return self._if(statement, scope, loops)
            case ast.With():
                seen = self.total
                statement.body = self.block(statement.body, scope, loops)
                if self.total == seen and scope.at(statement) and _expects_error(statement):
                    return self._unit(statement, loops), ""
                return statement, GUARD
            case ast.Try():
                return self._try(statement, scope, loops)
            case ast.Match(cases=cases):
                for each in cases:
                    each.body = self.block(each.body, scope, loops)
                return statement, GUARD
            case _:
                pass
        return statement, ""

    def _call(self, statement: ast.stmt, call: ast.Call, scope: Scope, loops: _Loops) -> tuple[ast.stmt, str]:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if not scope.at(statement):
            return statement, ""
        if name in (TEST, METHOD):
            return self._unit(statement, loops), ""
        function = self._functions.get(name)
        if isinstance(function, ast.FunctionDef) and self._expands(function, loops):
            inner = Scope(scope.looks | _parameters_that_look(function, call, scope))
            inner.grow(function.body)
            seen = self.total
            self.function(function, inner)
            if self.total > seen:
                return statement, PART
        if isinstance(function, ast.AsyncFunctionDef):  # nothing waits for it, so that it would always hold
            return statement, ""
        is_test = function is not None and (name.startswith("test") or self._fails(function))
        if is_test or _called(call).lower().startswith("assert") or self._asserting(statement):
            return self._unit(statement, loops), ""
        return statement, ""

    def _expands(self, function: _Function, loops: _Loops) -> bool:
        """Tell whether a function's asserts are tests themselves: it is called here only, and reaches all of them."""
        conditional = ast.If | ast.Try | ast.While | ast.With | ast.Match | _Function | ast.Raise | ast.Return
        return (
            self._uses.get(function.name, 0) == 1
            and not (loops.cases or loops.open)
            and not any(isinstance(part, conditional) for node in function.body for part in ast.walk(node))
        )

    def _fails(self, function: _Function, seen: frozenset[str] = frozenset()) -> bool:
        """Tell whether a function asserts or raises, or calls one that does."""
        if _fails_by_itself([function]):
            return True
        return any(
            isinstance(part, ast.Call)
            and (_called(part).lower().startswith("assert") or self._known_to_fail(_called(part), seen))
            for part in ast.walk(function)
        )

    def _known_to_fail(self, name: str, seen: frozenset[str]) -> bool:
        return name in self._functions and name not in seen and self._fails(self._functions[name], seen | {name})

    def _asserting(self, statement: ast.stmt) -> bool:
        """Tell whether a statement calls a function of the tests that asserts."""
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            function = self._functions.get(_called(node)) if isinstance(node, ast.Call) else None
            if function is not None and any(isinstance(part, ast.Assert) for part in ast.walk(function)):
                return True
            if not isinstance(node, ast.Lambda):  # which may be called later, or never
                waiting += ast.iter_child_nodes(node)
        return False

    def _loop(self, statement: ast.For, scope: Scope, loops: _Loops) -> tuple[ast.stmt, str]:
        rounds = None if loops.open else self._displays.length(statement.iter)
        if not rounds:
            statement.body = self.block(statement.body, scope, _Loops(loops.cases, open=True))
            statement.orelse = self.block(statement.orelse, scope, loops)
            return statement, GUARD
        counter = f"{_CASE}{len(loops.cases)}__"
        seen = self.total
        body = self.block(statement.body, scope, _Loops([*loops.cases, (counter, rounds)]))
        statement.orelse = self.block(statement.orelse, scope, loops)
        if self.total == seen:
            return statement, ""
        statement.target = ast.Tuple([ast.Name(id=counter, ctx=ast.Store()), statement.target], ast.Store())
        statement.iter = _call(CASES, statement.iter, ast.Constant(rounds))
        statement.body = [_with(_call(PART), body)]
        return statement, PART

    def _if(self, statement: ast.If, scope: Scope, loops: _Loops) -> tuple[ast.stmt, str]:
        if _counts(statement.body, scope) and _counts(statement.orelse, scope):
            return self._unit(statement, loops), ""  # one of them is never reached
        if scope.at(statement.test) and not _counts([statement], scope) and _fails_by_itself([statement]):
            return self._unit(statement, loops), ""
        statement.body = self.block(statement.body, scope, loops)
        statement.orelse = self.block(statement.orelse, scope, loops)
        return statement, GUARD

    def _try(self, statement: ast.Try, scope: Scope, loops: _Loops) -> tuple[ast.stmt, str]:
        tried = [*statement.body, *statement.orelse]
        handlers = [part for handler in statement.handlers for part in handler.body]
        idle = [part for node in tried for part in ast.walk(node) if isinstance(part, ast.Assert | ast.Raise)]
        if scope.at(*tried) and any(isinstance(part, ast.Raise) or not scope.at(part.test) for part in idle):
            return self._unit(statement, loops), ""
        catches = any(_catches_assertions(handler) for handler in statement.handlers)
        if catches and not _fails_by_itself(handlers):
            return statement, ""  # it takes failures down for an assert that comes
        seen = self.total
        statement.body = self.block(statement.body, scope, loops)
        statement.orelse = self.block(statement.orelse, scope, loops)
        statement.finalbody = self.block(statement.finalbody, scope, loops)
        if self.total == seen and scope.at(*tried) and _fails_by_itself(handlers):
            return self._unit(statement, loops), ""
        return statement, GUARD


def methods_of_classes(module: ast.Module) -> list[tuple[str, str]]:
    """Return (class, method) of every test method of the module's test classes, inherited ones too, in order."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    unit_tests: set[str] = set()
    for name, node in classes.items():
        bases = {_dotted(base) for base in node.bases}
        if name.startswith("Test") or any(base.endswith("TestCase") or base in unit_tests for base in bases):
            unit_tests.add(name)
    found = []
    for name in classes:
        if name in unit_tests:
            methods = dict.fromkeys(sorted(_methods(name, classes)))
            found += [(name, method) for method in methods]
    return found


def _methods(name: str, classes: dict[str, ast.ClassDef]) -> set[str]:
    node = classes[name]
    own = {part.name for part in node.body if isinstance(part, _Function) and part.name.startswith("test")}
    return own.union(
        *(_methods(base, classes) for base in map(_dotted, node.bases) if base in classes and base != name)
    )


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _counts(body: Sequence[ast.stmt], scope: Scope) -> bool:
    return any(isinstance(part, ast.Assert) and scope.at(part.test) for node in body for part in ast.walk(node))


def _fails_by_itself(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(part, ast.Assert | ast.Raise) or _gives_up(part) for node in body for part in ast.walk(node))


def _gives_up(node: ast.AST) -> bool:
    """Tell whether a part of the tests leaves them with an error: ``sys.exit(1)``."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="sys"), attr="exit") | ast.Name(id="exit" | "quit"),
            args=[ast.Constant(value=status)],
        ):
            return bool(status)
    return False


def _catches_assertions(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(_dotted(kind) in _CATCH_ALL for kind in kinds)


def _expects_error(statement: ast.With) -> bool:
    names = [_called(item.context_expr) for item in statement.items if isinstance(item.context_expr, ast.Call)]
    return any(name in ("raises", "assertRaises", "assertRaisesRegex", "assert_raises") for name in names)


def _parameters_that_look(function: _Function, call: ast.Call, scope: Scope) -> set[str]:
    names = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
    looks = {name for name, value in zip(names, call.args, strict=False) if scope.at(value)}
    return looks | {keyword.arg for keyword in call.keywords if keyword.arg and scope.at(keyword.value)}


def _called(call: ast.Call) -> str:
    """Return the last name of what is called: ``isclose`` of ``math.isclose(...)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(args), keywords=[])


def _with(context: ast.expr, body: list[ast.stmt]) -> ast.With:
    return ast.With(items=[ast.withitem(context_expr=context)], body=body)
