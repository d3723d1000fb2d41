"""The shape of a program, read from its syntax before it runs (see ``Structure``)."""

from __future__ import annotations

import ast
from typing import Any


def read(helper: ast.Module | None, main: ast.Module | None, entry_point: str) -> dict[str, Any]:
    """Return the fields of ``Structure``, from the parts that parse."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    helpers = [node.name for node in helper.body if isinstance(node, functions)] if helper else []
    mains = [node for node in main.body if isinstance(node, functions)] if main else []
    # A function that main defines anew is main's: calling it is no cooperation.
    names = set(helpers) - {node.name for node in mains}
    nodes = list(ast.walk(main)) if main and names else []
    calls = [node for node in nodes if _is_call(node, names)]
    statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)} if calls else set()
    targets = [node for node in mains if node.name == entry_point]
    return {
        "helper_functions": helpers,
        "main_functions": [node.name for node in mains],
        "defines_entry_point": bool(targets),
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
