"""How the source is laid out: sizes, parameters, and imports that go round in no circle."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"

PARAMETERS = 7
MORE = {
    "envs.game.Game.__init__": "an environment's keyword settings",
    "envs.humaneval.raw_env.__init__": "an environment's keyword settings",
    "algorithms.training.make_trainer": "the objects that a Trainer takes, each in place of what the config says",
    "algorithms.policy_gradient.PolicyGradient.__init__": "keyword settings, which users write flat under `options:`",
    "agents.attention._attend": "transformers calls it so",
    "agents.adapters._Lora.forward": "torch differentiates what is an argument of its own, and nothing inside another",
}
"""Functions that may have more, each with the reason."""


def files() -> Iterator[tuple[str, Path]]:
    """Yield each module of the package with its file; rooms are links."""
    for folder, folders, names in os.walk(SOURCE / "codeduet", followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if name.endswith(".py"):
                path = Path(folder) / name
                parts = path.relative_to(SOURCE).with_suffix("").parts
                yield ".".join(parts[:-1] if name == "__init__.py" else parts), path


MODULES = dict(files())


def functions(node: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function in a tree with its full name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not isinstance(child, ast.ClassDef):
                yield f"{name}.{child.name}", child
            yield from functions(child, f"{name}.{child.name}")
        else:
            yield from functions(child, name)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's parameters, without ``self`` and ``cls``."""
    told = function.args
    named = [each.arg for each in (*told.posonlyargs, *told.args, *told.kwonlyargs) if each.arg not in ("self", "cls")]
    return len(named) + (told.vararg is not None) + (told.kwarg is not None)


def test_no_function_takes_more_than_seven_parameters_but_those_that_are_named() -> None:
    more = {
        full.removeprefix("codeduet.")
        for name, path in MODULES.items()
        for full, function in functions(ast.parse(path.read_text(encoding="utf-8")), name)
        if parameters(function) > PARAMETERS
    }
    assert more == MORE.keys()


@pytest.mark.parametrize(("name", "most"), [("algorithms.trainer", 199), ("cli", 249)])
def test_the_loop_and_the_command_line_stay_small(name: str, most: int) -> None:
    lines = MODULES[f"codeduet.{name}"].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= most


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules that are imported as a module is loaded: not in functions, nor for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0
            whole = f"{child.module}."
            yield from (whole + alias.name if whole + alias.name in MODULES else whole[:-1] for alias in child.names)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not for_types(child):
            yield from imported(child)


def for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_no_modules_import_each_other_in_a_circle_as_they_are_loaded() -> None:
    graph = {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")))) & MODULES.keys() - {name}
        for name, path in MODULES.items()
    }
    assert sum(map(len, graph.values())) > len(graph)  # they do import each other
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
