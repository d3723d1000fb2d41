"""The shape of a program, read before it runs (see ``Outcome``)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator, Sequence
from types import CodeType
from typing import Any

_OPTIMIZED = 1
"""The flag of a function's code, which a class's has not."""


def functions_of(code: CodeType) -> Iterator[str]:
    """Yield the names of the functions that a module's code defines at top level, whatever branch they stand in."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            if part.co_name.startswith("<generic parameters of"):
                yield from functions_of(part)
            elif part.co_flags & _OPTIMIZED and not part.co_name.startswith("<"):
                yield part.co_name


def read(codes: Sequence[CodeType | None], parse: Callable[[int], ast.Module | None], entry_point: str) -> list[Any]:
    """Return what an ``Outcome`` says of a program's shape, with places of parts for agents.

    Args:
        codes: of the parts, in the order they are loaded; None of one that does not compile.
        parse: gives a part's syntax tree by its place, which takes longer than all else and is asked for only if it
            matters.
        entry_point: name of the target function.

    Returns:
        Names that each part defines, (caller, callee) places, and whether the last part defines the target, only wraps
        another's function, and makes no use of what others' functions return.
    """
    defines = [list(functions_of(code)) if code else [] for code in codes]
    calls: list[tuple[int, int]] = []
    thin = ignored = False
    for place, code in enumerate(codes):
        # A function that a part defines anew is its own: calling it is no cooperation.
        owners = {name: owner for owner in range(place) for name in defines[owner] if name not in defines[place]}
        tree = parse(place) if code and owners else None
        if tree is None:
            continue
        nodes: list[Any] = list(ast.walk(tree))
        found = [node for node in nodes if _is_call(node, owners)]
        calls += sorted({(place, owners[node.func.id]) for node in found})
        if place == len(codes) - 1:
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            targets = [node for node in tree.body if isinstance(node, functions) and node.name == entry_point]
            thin = bool(targets) and _is_thin(targets[-1], owners)
            statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)} if found else set()
            ignored = bool(found) and all(id(call) in statements for call in found)
    return [defines, calls, bool(defines) and entry_point in defines[-1], thin, ignored]


def _is_call(node: Any, names: Container[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_idle(node: Any) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_thin(function: Any, names: Container[str]) -> bool:
    """Tell whether, docstring and imports aside, the function only hands its own arguments to one of another part's."""
    body = [node for node in function.body if not _is_idle(node)]
    if len(body) == 2 and isinstance(body[0], ast.Assign) and isinstance(body[1], ast.Return):
        target = body[0].targets[0]
        value = body[1].value
        if isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id:
            body = [ast.Return(value=body[0].value)]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or not _is_call(body[0].value, names):
        return False
    call: Any = body[0].value
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    own = {argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    return all(isinstance(argument, ast.Name) and argument.id in own for argument in arguments)
