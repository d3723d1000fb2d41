"""The shape of a program, read before it runs (see ``Structure``)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
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


def read(
    helper: CodeType | None, main: CodeType | None, parse_main: Callable[[], ast.Module | None], entry_point: str
) -> dict[str, Any]:
    """Return the fields of ``Structure``.

    Args:
        helper: helper's code; None where it does not compile.
        main: main's.
        parse_main: gives main's syntax tree, which takes longer than all else and is asked for only if it matters.
        entry_point: name of the target function.
    """
    helpers = list(functions_of(helper)) if helper else []
    mains = list(functions_of(main)) if main else []
    # A function that main defines anew is main's: calling it is no cooperation.
    names = set(helpers) - set(mains)
    tree = parse_main() if main and names else None
    nodes = list(ast.walk(tree)) if tree else []
    calls = [node for node in nodes if _is_call(node, names)]
    statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)} if calls else set()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    targets = [node for node in tree.body if isinstance(node, functions) and node.name == entry_point] if tree else []
    return {
        "helper_functions": helpers,
        "main_functions": mains,
        "defines_entry_point": entry_point in mains,
        "calls_helper": bool(calls),
        "thin_wrapper": bool(targets) and _is_thin(targets[-1], names),
        "ignores_result": bool(calls) and all(id(call) in statements for call in calls),
    }


def _is_call(node: Any, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_idle(node: Any) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_thin(function: Any, names: set[str]) -> bool:
    """Tell whether, docstring and imports aside, the function only returns one helper call on its own arguments."""
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
