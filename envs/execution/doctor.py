"""What isolation does this machine give? Closes a jail of every level and tries it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from codeduet.envs.execution.executor import Executor, Isolation
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.outcome import Outcome
from codeduet.envs.execution.program import Program
from codeduet.envs.problems import Problem

LEVELS: dict[Isolation, str] = {
    "namespaces": "namespaces, Landlock and seccomp: a root, network and process table of its own",
    "landlock": "Landlock and seccomp: no file but the standard library's, no socket, no process",
    "process": "limits only, for code you would run yourself; never used unless it is asked for by name",
}


@dataclass(frozen=True)
class Level:
    """One isolation level on this machine.

    Attributes:
        name: the level.
        meaning: what it keeps in.
        works: a jail was closed and its self-test passed.
        detail: the Python version its programs run on, or why it does not work.
    """

    name: Isolation
    meaning: str
    works: bool
    detail: str


def examine() -> list[Level]:
    """Try every level, best first."""
    return [_try(name, meaning) for name, meaning in LEVELS.items()]


def _try(name: Isolation, meaning: str) -> Level:
    try:
        with Executor(workers=1, isolation=name) as executor:
            _, version = executor.start()
    except IsolationError as error:
        return Level(name, meaning, False, error.reason)
    return Level(name, meaning, True, f"Python {version}")


def unsolved_references(problems: Sequence[Problem], executor: Executor) -> dict[str, Outcome]:
    """Judge every problem's own reference; return task id -> outcome of those that do not pass.

    A problem without a reference is left out. One whose tests cannot judge a program this way shows here.
    """
    known = [problem for problem in problems if problem.canonical_solution]
    outcomes = executor.judge_many(Program.of(problem, main_0=problem.reference) for problem in known)
    judged = zip(known, outcomes, strict=True)
    return {problem.task_id: outcome for problem, outcome in judged if not outcome.solved}


def describe_machine() -> dict[str, str]:
    """Return what matters about this machine for isolation."""
    facts = {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "interpreter": f"{os.path.realpath(sys.executable)}",
        "user": f"{os.geteuid()}" if hasattr(os, "geteuid") else "",
    }
    if sys.platform == "linux":
        from codeduet.envs.execution.jail import landlock

        facts["Landlock"] = f"version {landlock.version()}" if landlock.version() else "not in this kernel, or off"
    return facts
