"""What is known of a program after it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codeduet.envs.execution.limits import LimitName

PREAMBLE = "preamble"
"""The part of a program that is the prompt's own code; every other part has the name of its agent."""


@dataclass(frozen=True)
class Outcome:
    """The verdict on one program.

    What is told of its shape is read from its syntax before it runs.

    Attributes:
        syntax_ok: every part parses (an empty one does).
        runnable: the joined program loads without an exception within its limits and defines the entry point.
        passed: number of tests passed.
        total: number of tests; a test is one source assert of ``check`` that looks at the candidate. An assert in a
            loop passes if it was reached and held every time.
        tests: per test, in source order, whether it passed.
        error: one line about the first error (``"NameError: name 'x' is not defined"``), or ``""``; fit for feedback. It
            never holds a test's text, and of errors raised while tests ran it holds the nearest built-in class only,
            since a message or a name can carry a test's arguments.
        error_part: the part of the program the error came from: an agent, ``"preamble"`` for the prompt's own code, or
            ``""`` for none.
        limit: the name of the limit the program ran into, or ``""``: the one that ended it, else that of its first
            error (a ``MemoryError`` is the limit ``"memory"``, unless a ``raise`` made it).
        completed: ``check`` ran to its end, and nothing in it raised but the asserts that are counted. A program that
            passes every test and makes another part of ``check`` raise has not solved the problem.
        defines: per agent, the names of the functions its code defines at top level, in whatever branch; nothing of a
            program that was not read.
        calls: (caller, callee) agents: caller's code calls a function of callee's, which is loaded before it and which
            caller does not define anew.
        defines_target: the last part defines the target function.
        thin: the target function does nothing but hand its arguments to one function of another part.
        ignored: the last part calls others' functions, and each such call stands as a statement, its value unused.
        isolation: the jail it ran in: ``"namespaces"``, ``"landlock"`` or ``"process"``.
        worker_fault: the machine failed to judge it, again and again; nothing is said about the program.
        cpu_s: processor time of its process in seconds. This and the memory differ from run to run: they are not
            compared, and no reward or observation may depend on them.
        peak_memory_mb: most memory its process held, in MiB.
    """

    syntax_ok: bool
    runnable: bool
    passed: int
    total: int
    tests: tuple[bool, ...]
    error: str = ""
    error_part: str = ""
    limit: LimitName = ""
    completed: bool = True
    defines: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    calls: frozenset[tuple[str, str]] = frozenset()
    defines_target: bool = False
    thin: bool = False
    ignored: bool = False
    isolation: str = field(default="", compare=False)
    worker_fault: bool = False
    cpu_s: float = field(default=0.0, compare=False)
    peak_memory_mb: float = field(default=0.0, compare=False)

    @property
    def timed_out(self) -> bool:
        """The program was ended by its CPU or wall-clock limit."""
        return self.limit in ("cpu", "wall")

    @property
    def solved(self) -> bool:
        """Every test passed, there was one, and ``check`` ran to its end."""
        return self.completed and self.total > 0 and self.passed == self.total

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types, but for those that differ from run to run."""
        record = asdict(self)
        del record["cpu_s"], record["peak_memory_mb"]
        record["tests"] = list(self.tests)
        record["defines"] = {agent: list(names) for agent, names in self.defines.items()}
        record["calls"] = sorted(map(list, self.calls))
        return record
