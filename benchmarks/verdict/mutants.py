"""Programs that are almost right: one change each to a problem's canonical solution.

They stand at the border between passing and failing, where two judges that differ at all would show it. Only trusted
text is parsed here.
"""

from __future__ import annotations

import ast
import copy
import random
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from codeduet.envs import Problem
from codeduet.envs.execution.instrument import parse_trusted


@dataclass(frozen=True)
class Mutant:
    """A problem's canonical solution with one change.

    Attributes:
        problem: the problem it is to solve.
        change: what was changed, such as ``"compare: Lt -> LtE"``.
        body: the changed function body, which continues ``problem.prompt``.
    """

    problem: Problem
    change: str
    body: str

    @property
    def main_code(self) -> str:
        """The target function as main would write it."""
        return self.problem.signature + self.body


_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.Is),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_BINARY: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.Add),
    ast.Pow: (ast.Mult,),
}
_CALLS = {
    "all": "any",
    "any": "all",
    "ceil": "floor",
    "int": "float",
    "float": "int",
    "len": "sum",
    "list": "tuple",
    "lower": "upper",
    "max": "min",
    "min": "max",
    "reversed": "list",
    "set": "list",
    "sorted": "list",
    "str": "repr",
    "sum": "len",
    "upper": "lower",
}

Change = tuple[str, Callable[[ast.AST], ast.AST]]
"""What is changed, and a function from a copy of the node to what stands in its place."""


def mutants(problems: Sequence[Problem], count: int, seed: int = 0) -> list[Mutant]:
    """Return ``count`` different mutants, as evenly spread over ``problems`` as their sizes admit.

    The same arguments give the same mutants.
    """
    pools = []
    for problem in problems:
        pool = list(all_mutants(problem))
        random.Random(f"{seed} {problem.task_id}").shuffle(pool)
        # Names and constants are most of what can be changed: take each kind of change in turn.
        seen: Counter[str] = Counter()
        turns = []
        for mutant in pool:
            kind = mutant.change.split(":")[0]
            turns.append(seen[kind])
            seen[kind] += 1
        pools.append([pool[i] for i in sorted(range(len(pool)), key=turns.__getitem__)])
    rounds = max(map(len, pools), default=0)
    return [pool[i] for i in range(rounds) for pool in pools if i < len(pool)][:count]


def all_mutants(problem: Problem) -> Iterator[Mutant]:
    """Yield every mutant of the problem's canonical solution, each text once."""
    original = _target(problem)
    seen = {_text(original)}
    for position, node in enumerate(ast.walk(original)):
        for change, replace in _changes(node, _names(original)):
            tree = copy.deepcopy(original)
            old = next(found for i, found in enumerate(ast.walk(tree)) if i == position)
            mutated = _Replace(old, replace(old)).visit(tree)
            assert isinstance(mutated, ast.FunctionDef)  # of its parts, never the whole, is one replaced
            body = _text(ast.fix_missing_locations(mutated))
            if body not in seen:
                seen.add(body)
                yield Mutant(problem, change, body)


def _target(problem: Problem) -> ast.FunctionDef:
    """Return the target function without its docstring, annotations and decorators: what is left can be changed."""
    functions = [node for node in parse_trusted(problem.reference).body if isinstance(node, ast.FunctionDef)]
    target = next(node for node in functions if node.name == problem.entry_point)
    if ast.get_docstring(target) is not None:
        target.body = target.body[1:]
    for argument in target.args.args:
        argument.annotation = None
    target.returns = None
    target.args.defaults = []
    return target


def _text(function: ast.FunctionDef) -> str:
    return textwrap.indent("\n".join(ast.unparse(statement) for statement in function.body), "    ") + "\n"


def _names(function: ast.FunctionDef) -> list[str]:
    """Return the names of the function's arguments and variables, sorted."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return sorted(names | {argument.arg for argument in function.args.args})


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _with(**fields: object) -> Callable[[ast.AST], ast.AST]:
    """Return a function that sets ``fields`` of a node."""

    def change(node: ast.AST) -> ast.AST:
        for name, value in fields.items():
            setattr(node, name, value)
        return node

    return change


def _instead(new: ast.AST) -> Callable[[ast.AST], ast.AST]:
    """Return a function that puts ``new`` in a node's place."""
    return lambda _: copy.deepcopy(new)


def _changes(node: ast.AST, names: list[str]) -> Iterator[Change]:
    """Yield what can be changed at ``node``."""
    if isinstance(node, ast.expr):
        yield from _changes_of_operators(node)
        yield from _changes_of_names(node, names)
        yield from _changes_of_calls(node)
    elif isinstance(node, ast.stmt):
        yield from _changes_of_statement(node)


def _changes_of_operators(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator, *others]):
            for swapped in _COMPARE[type(operator)]:
                yield f"compare: {type(operator).__name__} -> {swapped.__name__}", _with(ops=[swapped(), *others])
        case ast.BinOp(op=operation):
            for other in _BINARY.get(type(operation), ()):
                yield f"arithmetic: {type(operation).__name__} -> {other.__name__}", _with(op=other())
            yield "operands swapped", _with(left=node.right, right=node.left)
        case ast.BoolOp(op=ast.And()):
            yield "boolean: and -> or", _with(op=ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield "boolean: or -> and", _with(op=ast.And())
        case ast.UnaryOp(operand=operand):
            yield "sign or not dropped", _instead(operand)
        case ast.IfExp():
            yield "branches swapped", _with(body=node.orelse, orelse=node.body)


def _changes_of_names(node: ast.expr, names: list[str]) -> Iterator[Change]:
    match node:
        case ast.Constant(value=value):
            for changed in _other_constants(value):
                yield f"constant: {value!r} -> {changed!r}", _instead(ast.Constant(changed))
        case ast.Name(id=name, ctx=ast.Load()) if name in names:
            for other_name in names:
                if other_name != name:
                    yield f"name: {name} -> {other_name}", _instead(ast.Name(other_name, ast.Load()))
        case ast.Name(id=name, ctx=ast.Load()) if name in _CALLS:
            yield f"function: {name} -> {_CALLS[name]}", _instead(ast.Name(_CALLS[name], ast.Load()))
        case ast.Attribute(attr=name) if name in _CALLS:
            yield f"method: {name} -> {_CALLS[name]}", _with(attr=_CALLS[name])


def _changes_of_calls(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Call(args=[first, *rest], keywords=keywords):
            yield "argument dropped", _with(args=rest)
            if rest:
                yield "arguments swapped", _with(args=[*rest, first])
            if keywords:
                yield "keywords dropped", _with(keywords=[])
        case ast.Call(func=ast.Attribute(value=value), args=[]):
            yield "method call dropped", _instead(value)
        case ast.Slice(lower=lower, upper=upper):
            if lower is not None:
                yield "slice's start dropped", _with(lower=None)
            if upper is not None:
                yield "slice's end dropped", _with(upper=None)
            if node.step is not None:
                yield "slice's step dropped", _with(step=None)
        case ast.List(elts=[_, *rest], ctx=ast.Load()):
            yield "list item dropped", _with(elts=rest)


def _other_constants(value: object) -> tuple[str | float, ...]:
    match value:
        case bool():
            return (not value,)
        case int() | float():
            return (value + 1, value - 1, -value)
        case str():
            return ("", value + "x", value.upper(), value.lower())
    return ()


def _changes_of_statement(node: ast.stmt) -> Iterator[Change]:
    if isinstance(
        node, ast.Assign | ast.AugAssign | ast.Expr | ast.For | ast.While | ast.If | ast.Break | ast.Continue
    ):
        yield f"statement dropped: {type(node).__name__}", _instead(ast.Pass())
    match node:
        case ast.Return(value=ast.expr() as value):
            yield "returns None", _with(value=ast.Constant(None))
            yield "returns a list of it", _with(value=ast.List([value], ast.Load()))
            yield "returns its truth", _with(value=ast.Call(ast.Name("bool", ast.Load()), [value], []))
        case ast.If() | ast.While():
            yield "condition negated", _with(test=ast.UnaryOp(ast.Not(), node.test))
            yield "condition false", _with(test=ast.Constant(False))
            if isinstance(node, ast.If):
                yield "condition true", _with(test=ast.Constant(True))
        case ast.Break():
            yield "break -> continue", _instead(ast.Continue())
        case ast.Continue():
            yield "continue -> break", _instead(ast.Break())
        case ast.AugAssign(op=operation):
            for other in _BINARY.get(type(operation), ()):
                yield f"arithmetic: {type(operation).__name__} -> {other.__name__}", _with(op=other())
