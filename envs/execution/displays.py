"""How long is a list that the tests loop over, as far as their text shows it?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codeduet.envs.execution.scope import bound

_SAME_LENGTH = ("enumerate", "list", "tuple", "reversed", "sorted", "iter")
_DEEPEST = 20
"""Names that stand for names that stand for names...: a list may be made of itself."""

_Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


class Displays:
    """The names of a module, or of a function in it, that are given a list once and never changed.

    Args:
        body: its statements.
        parameters: names it is given from outside.
        around: those of what stands around it.
    """

    def __init__(
        self, body: Sequence[ast.stmt], parameters: Sequence[str] = (), around: Displays | None = None
    ) -> None:
        self._around = around
        self._known: dict[str, ast.expr | None] = dict.fromkeys(parameters)
        for node in _own(body):
            self._note(node)
        for name in _changed_inside(body):
            if name in self._known:
                self._known[name] = None

    def _note(self, node: ast.AST) -> None:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                self._known[name] = None if name in self._known else value
            case ast.Assign(targets=targets):
                for name in set().union(*map(bound, targets)):
                    self._known[name] = None
            case ast.AugAssign(target=target) | ast.For(target=target):
                for name in bound(target):
                    self._known[name] = None
            case ast.Delete(targets=targets):
                for name in set().union(*map(bound, targets)):
                    self._known[name] = None
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                self._known[name] = None
            case _:
                pass

    def _find(self, name: str) -> ast.expr | None:
        if name in self._known:
            return self._known[name]
        return self._around._find(name) if self._around else None

    def length(self, source: ast.expr, depth: int = 0) -> int | None:
        """Return how many rounds a loop over ``source`` has; None where its text does not show it."""
        if depth > _DEEPEST:
            return None
        match source:
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return None if any(isinstance(part, ast.Starred) for part in parts) else len(parts)
            case ast.Name(id=name):
                display = self._find(name)
                return None if display is None else self.length(display, depth + 1)
            case ast.Call(func=ast.Name(id="zip"), args=[_, *_] as several):
                lengths = [self.length(each, depth + 1) for each in several]
                known = [length for length in lengths if length is not None]
                return min(known) if len(known) == len(lengths) else None
            case ast.Call(func=ast.Name(id="range"), args=[ast.Call(func=ast.Name(id="len"), args=[inner])]):
                return self.length(inner, depth + 1)
            case ast.Call(func=ast.Name(id=name), args=[inner, *_]) if name in _SAME_LENGTH:
                return self.length(inner, depth + 1)
            case ast.Call(func=ast.Attribute(value=owner, attr="items" | "keys" | "values"), args=[]):
                return self._entries(owner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                one, two = self.length(left, depth + 1), self.length(right, depth + 1)
                return None if one is None or two is None else one + two
        return None

    def _entries(self, owner: ast.expr) -> int | None:
        """Return the number of entries of a dict that is written out, whose keys are told apart by their text."""
        display = self._find(owner.id) if isinstance(owner, ast.Name) else owner
        if not isinstance(display, ast.Dict):
            return None
        if not all(isinstance(key, ast.Constant | ast.Tuple) for key in display.keys):
            return None
        return len({ast.dump(key) for key in display.keys if key is not None})


def _own(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements of a scope, not those of functions and classes in it."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield node
            if not isinstance(node, _Scoped):
                waiting += ast.iter_child_nodes(node)


def _changed_inside(body: Sequence[ast.stmt]) -> set[str]:
    """Return the names that functions in a scope change and that are not their own."""
    changed: set[str] = set()
    for function in (node for node in _own(body) if isinstance(node, _Scoped)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            theirs = {parameter.arg for parameter in ast.walk(function.args) if isinstance(parameter, ast.arg)}
            outer: set[str] = set()
            touched: set[str] = set()
            for node in _own(function.body):
                match node:
                    case ast.Global(names=names) | ast.Nonlocal(names=names):
                        outer |= set(names)
                    case ast.Assign(targets=targets):
                        theirs |= {name.id for name in targets if isinstance(name, ast.Name)}
                        touched |= set().union(*map(bound, targets))
                    case ast.AugAssign(target=target) | ast.For(target=target):
                        touched |= bound(target)
                    case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                        touched.add(name)
                    case _:
                        pass
            changed |= (touched | _changed_inside(function.body)) - (theirs - outer)
    return changed
