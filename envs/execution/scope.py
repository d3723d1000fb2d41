"""Which names of a problem's tests hang on the candidate."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Scope:
    """The names that hang on the candidate in a function of the tests, or at their top level.

    Attributes:
        looks: names whose value, or whether they were given it, depends on what the candidate does.
        given: names that were handed to the candidate so far: it may have changed what they stand for.
    """

    looks: set[str]
    given: set[str] = field(default_factory=set)

    def hand_on(self, statement: ast.stmt) -> None:
        """Note which names a statement hands to the candidate; what it names anew is no longer what was handed on."""
        for part in () if isinstance(statement, ast.For) else ast.walk(statement):  # whose body comes by itself
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in self.looks:
                given = [*part.args, *(option.value for option in part.keywords)]
                self.given |= {each.id for each in given if isinstance(each, ast.Name)}
        match statement:
            case ast.Assign(targets=targets):
                self.given -= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.For(target=target):
                self.given -= bound(target)

    def asks_given(self, test: ast.expr) -> bool:
        """Tell whether an assert's test looks at what was handed to the candidate, to see that it was left alone."""
        return not self.given.isdisjoint(names_in(test))

    def at(self, *nodes: ast.AST | None) -> bool:
        """Tell whether one of ``nodes`` mentions such a name."""
        return any(node is not None and not self.looks.isdisjoint(names_in(node)) for node in nodes)

    def grow(self, body: Sequence[ast.stmt]) -> None:
        """Follow the candidate through ``body`` until no more names are found."""
        before = -1
        while before != len(self.looks):
            before = len(self.looks)
            self._follow(body, under=False)

    def _follow(self, body: Iterable[ast.stmt], *, under: bool) -> None:  # noqa: C901  # one case a kind of statement
        for statement in body:
            for part in walruses_in(statement):
                if self.at(part.value):
                    self.looks |= bound(part.target)
            match statement:
                case ast.Assign(targets=targets, value=value):
                    self._assign(targets, under or self.at(value))
                case ast.AugAssign(target=target, value=value) | ast.AnnAssign(target=target, value=value):
                    self._assign([target], value is not None and (under or self.at(value)))
                case ast.Expr(value=ast.Call() as call):
                    if under or self.at(call):  # results.append(candidate(1) == 1), suite.run(result)
                        self.looks |= bound(call.func) | {arg.id for arg in call.args if isinstance(arg, ast.Name)}
                case ast.For(target=target, iter=source, body=inner, orelse=orelse):
                    looks = under or self.at(source)
                    self._assign([target], looks)
                    self._follow(inner, under=looks)
                    self._follow(orelse, under=looks or self._left_by_looking(inner))
                case ast.While(test=test, body=inner, orelse=orelse) | ast.If(test=test, body=inner, orelse=orelse):
                    self._follow([*inner, *orelse], under=under or self.at(test))
                case ast.With(items=items, body=inner):
                    for item in items:
                        if item.optional_vars is not None:
                            self._assign([item.optional_vars], under or self.at(item.context_expr))
                    self._follow(inner, under=under)
                case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=final):
                    looks = under or self.at(*inner)  # what it assigns says whether the candidate raised
                    self._follow([*inner, *orelse], under=looks)
                    self._follow(final, under=under)
                    for handler in handlers:
                        if looks and handler.name:
                            self.looks.add(handler.name)
                        self._follow(handler.body, under=looks)
                case ast.Match(subject=subject, cases=cases):
                    for each in cases:
                        self._follow(each.body, under=under or self.at(subject))
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    if self.at(statement):
                        self.looks.add(name)
                    self._follow(statement.body, under=under)  # it may append to a list of the function around it
                case _:
                    pass

    def _left_by_looking(self, body: Iterable[ast.stmt]) -> bool:
        """Tell whether a loop is left, past its ``else``, under a condition that looks at the candidate."""
        conditions = [part for node in body for part in ast.walk(node) if isinstance(part, ast.If)]
        return any(
            self.at(part.test) and any(isinstance(inner, ast.Break) for inner in ast.walk(part)) for part in conditions
        )

    def _assign(self, targets: Iterable[ast.expr], looks: bool) -> None:
        if looks:
            for target in targets:
                self.looks |= bound(target)


def names_in(node: ast.AST) -> frozenset[str]:
    """Return the names that stand in ``node``; it is looked through once, as it may hold a thousand inputs."""
    return _facts(node)[0]


def walruses_in(node: ast.AST) -> list[ast.NamedExpr]:
    """Return the assignments by ``:=`` in ``node``."""
    return _facts(node)[1]


def _facts(node: ast.AST) -> tuple[frozenset[str], list[ast.NamedExpr]]:
    facts: tuple[frozenset[str], list[ast.NamedExpr]] | None = getattr(node, "codeduet_facts", None)
    if facts is None:
        parts = list(ast.walk(node))
        names = frozenset(part.id for part in parts if isinstance(part, ast.Name))
        facts = names, [part for part in parts if isinstance(part, ast.NamedExpr)]
        node.codeduet_facts = facts  # type: ignore[attr-defined]
    return facts


def bound(target: ast.AST) -> set[str]:
    """Return the names that an assignment to ``target`` changes: ``a`` of ``a``, ``a[i]`` and ``a.b``."""
    match target:
        case ast.Name(id=name):
            return {name}
        case ast.Subscript(value=value) | ast.Attribute(value=value) | ast.Starred(value=value):
            return bound(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return set().union(*map(bound, parts))
    return set()
