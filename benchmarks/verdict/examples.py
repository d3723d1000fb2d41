"""How many of HumanEval's problems show examples, and how much of the hidden tests do they give away?

``python -m codeduet.benchmarks.verdict.examples [--out FILE]``

An example is a line of ``Problem.examples``; a hidden call is a call in ``check`` whose arguments are written out. One
repeats an example where its arguments are the same.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codeduet.benchmarks.verdict import save
from codeduet.envs import Asserts, Problem, load_problems
from codeduet.envs.examples import examples_of
from codeduet.envs.execution.instrument import parse_trusted
from codeduet.screen import run_script


def count(problems: Sequence[Problem]) -> dict[str, Any]:
    """Count the examples of problems and the hidden calls that repeat one.

    Returns:
        ``problems``, ``with examples``, ``examples``, ``contradicted`` (shown, but not passed by the reference),
        ``hidden calls``, ``repeated`` (of them), and ``wholly shown`` (problems all of whose hidden calls are).
    """
    shown = {problem.task_id: set(_arguments(_lines(problem), problem.entry_point)) for problem in problems}
    hidden = {problem.task_id: list(_arguments(problem.source.text, "candidate")) for problem in problems}
    repeated = {task: sum(call in shown[task] for call in calls) for task, calls in hidden.items()}
    return {
        "problems": len(problems),
        "with examples": sum(problem.examples is not None for problem in problems),
        "examples": sum(len(_lines(problem).splitlines()) for problem in problems),
        "contradicted": sum(len(examples_of(problem)) for problem in problems)
        - sum(len(_lines(problem).splitlines()) for problem in problems),
        "hidden calls": sum(map(len, hidden.values())),
        "repeated": sum(repeated.values()),
        "wholly shown": sum(bool(calls) and repeated[task] == len(calls) for task, calls in hidden.items()),
    }


def _lines(problem: Problem) -> str:
    return "\n".join(problem.examples.lines) if isinstance(problem.examples, Asserts) else ""


def _arguments(source: str, name: str) -> Iterator[str]:
    """Yield the arguments of every call of ``name`` that are written out, spelled one way."""
    for node in ast.walk(parse_trusted(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
            if not any(isinstance(each, ast.Name) for part in parts for each in ast.walk(part)):
                yield ast.unparse(node).partition("(")[2]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Print the counts; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.examples", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="write the counts to this JSON file")
    options = parser.parse_args(arguments)
    record = count(load_problems("humaneval"))
    for what, number in record.items():
        say(f"{number:6,} {what}")
    save(record, options.out)
    return 0


if __name__ == "__main__":
    run_script(main)
