"""What is known of a program after it was judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from codeduet.envs.execution.limits import LimitName

Unit = Literal["preamble", "helper", "main", ""]
"""The part of a program an error came from: the prompt's own code, helper's, main's, or none of them."""


@dataclass(frozen=True)
class Structure:
    """The shape of a program, read from its syntax before it runs.

    Attributes:
        helper_functions: names of the functions helper's code defines at top level, in whatever branch.
        main_functions: names of the functions main's code defines at top level, in whatever branch.
        defines_entry_point: main's code defines the target function.
        calls_helper: main's code calls a function of helper's.
        thin_wrapper: the target function does nothing but hand its arguments to one function of helper's.
        ignores_result: every call of a helper function in main's code stands as a statement, its value unused.
    """

    helper_functions: tuple[str, ...] = ()
    main_functions: tuple[str, ...] = ()
    defines_entry_point: bool = False
    calls_helper: bool = False
    thin_wrapper: bool = False
    ignores_result: bool = False


@dataclass(frozen=True)
class Outcome:
    """The verdict on one program.

    Attributes:
        syntax_ok: helper's and main's code both parse (an empty helper does).
        runnable: the joined program loads without an exception within its limits and defines the entry point.
        passed: number of tests passed.
        total: number of tests; a test is one source assert of ``check`` that looks at the candidate. An assert in a
            loop passes if it was reached and held every time.
        tests: per test, in source order, whether it passed.
        error: one line about the first error (``"NameError: name 'x' is not defined"``), or ``""``; fit for feedback. It
            never holds a test's text, and of errors raised while tests ran it holds the nearest built-in class only,
            since a message or a name can carry a test's arguments.
        error_unit: the part of the program the error came from.
        limit: the name of the limit the program ran into, or ``""``: the one that ended it, else that of its first
            error (a ``MemoryError`` is the limit ``"memory"``, unless a ``raise`` made it).
        completed: ``check`` ran to its end, and nothing in it raised but the asserts that are counted. A program that
            passes every test and makes another part of ``check`` raise has not solved the problem.
        structure: the program's shape.
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
    error_unit: Unit = ""
    limit: LimitName = ""
    completed: bool = True
    structure: Structure = Structure()
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
        return record
