"""No path but the jail's parses or runs a candidate's code: the project's own syntax is searched for one."""

from __future__ import annotations

import ast
from pathlib import Path

import codeduet

ROOT = Path(codeduet.__file__).parent
ALLOWED = (
    "envs/execution/jail/program.py",
    "envs/execution/jail/script.py",
    "envs/execution/jail/zygote.py",
    "envs/execution/instrument.py",
    "envs/execution/collecting.py",
)
"""The jail, and what collects and instruments trusted tests."""

BUILTINS = {"exec", "eval", "compile", "__import__"}
MODULES = {
    "ast": {"parse", "literal_eval"},
    "builtins": BUILTINS,
    "code": {"InteractiveInterpreter", "compile_command"},
    "codeop": {"compile_command", "Compile"},
    "runpy": {"run_path", "run_module"},
    "pickle": {"load", "loads", "Unpickler"},
    "marshal": {"load", "loads"},
}


def doors(source: str) -> list[str]:
    """Return the names in ``source`` by which text could become running code, however they are imported."""
    tree = ast.parse(source)
    aliases = {name: name for name in MODULES}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases.update({alias.asname or alias.name: alias.name for alias in node.names if alias.name in MODULES})
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found += [
                f"{node.module}.{alias.name}" for alias in node.names if alias.name in (*MODULES[node.module], "*")
            ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in BUILTINS:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = aliases.get(node.value.id, "")
            if node.attr in MODULES.get(module, ()):
                found.append(f"{module}.{node.attr}")
        elif isinstance(node, ast.Call) and any(
            isinstance(argument, ast.Constant) and argument.value in BUILTINS for argument in node.args
        ):
            found.append("a name looked up as text")
    return found


def test_only_the_jail_and_the_instrumenter_run_text() -> None:
    files = [
        path for folder in ("envs", "agents", "algorithms", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    files += ROOT.glob("*.py")
    assert len(files) > 60
    open_doors = {str(path.relative_to(ROOT)): doors(path.read_text()) for path in files}
    assert {name for name, found in open_doors.items() if found} == set(ALLOWED)


def test_the_search_finds_what_it_is_for() -> None:
    hidden = (
        "exec(x)",
        "f = eval",
        "import ast as a\na.parse(x)",
        "from ast import parse",
        "import builtins\nbuiltins.compile(x, '', 'exec')",
        "getattr(builtins, 'exec')(x)",
        "from pickle import *",
        "import runpy\nrunpy.run_path(x)",
    )
    assert all(doors(source) for source in hidden)
    assert doors("import re\nre.compile(x)\nmodel.eval()\nself.exec()\nclass Config:\n    eval: int = 0") == []
