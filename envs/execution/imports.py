"""What a problem's own code imports from outside the standard library: it is there for the tests that need it."""

from __future__ import annotations

import ast
import functools
import importlib
import sys
from collections.abc import Sequence

from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.problems import Problem


def of_tests(problem: Problem) -> frozenset[str]:
    """Return the packages that the tests of a problem import, or its prompt for them."""
    return of_text(problem.source.text) | of_prompt(problem)


def of_prompt(problem: Problem) -> frozenset[str]:
    """Return the packages that a problem's prompt imports, so that no program without them can load."""
    return of_text(problem.preamble)


@functools.lru_cache(maxsize=4096)
def of_text(text: str) -> frozenset[str]:
    """Return the packages that our own or a problem set's source text imports."""
    if "import" not in text:
        return frozenset()
    try:
        tree = parse_trusted(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # said where it is compiled
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return frozenset(names - sys.stdlib_module_names)


def provide(names: frozenset[str]) -> None:
    """Import packages. What cannot be imported raises where the tests import it, which may be in a ``try``."""
    for name in sorted(names):
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S112  # a package may raise anything; see above
            continue


def missing(errors: Sequence[BaseException]) -> str:
    """Say which import of the tests failed, if one is among what they raised; ``""`` if none did."""
    for error in errors:
        if isinstance(error, ImportError) and not hasattr(error, "codeduet_origin"):
            if isinstance(error, ModuleNotFoundError) and error.name:
                return f"its tests import {error.name}, which is not installed"
            return f"its tests import what is not there: {error}"
    return ""
