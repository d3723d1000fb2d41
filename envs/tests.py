"""The kinds of tests a problem can have.

Each kind is plain data and knows the Python source that runs it; what counts as one test in a source is said in
:mod:`codeduet.envs.execution.counting`. A kind holds text where it could hold values, so that problems can be compared,
hashed and sent, and so that nothing of a data set is run where it is loaded.

| kind          | one test is                                                                                   |
|---------------|-----------------------------------------------------------------------------------------------|
| text, `Source`| an assert of `check(candidate)`, or of a module that calls the target by its name             |
| `Asserts`     | one of its lines                                                                              |
| `Cases`       | the arguments of one call and the value it gives, within a tolerance                          |
| `Streams`     | what a program reads and what it then prints                                                  |
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from codeduet.errors import InputError

RELATIVE = 1e-7
"""How far numbers of a case may be apart beside its own tolerance, as a share of the expected one."""

_FLOATS = 1e-6
"""Tolerance of cases without one whose expected value is a float, or a list of floats, as EvalPlus has it."""


@dataclass(frozen=True)
class Source:
    """Python source: HumanEval's ``check(candidate)``, or a module that calls the target by its name.

    Attributes:
        text: the source.
        streams: the candidate takes the text of standard input and gives back what the program prints.
    """

    text: str
    streams: bool = False


@dataclass(frozen=True)
class Asserts:
    """Assert lines that call the target by its name, as MBPP has them.

    Args:
        lines: each a test, or several statements of which the last is.
        setup: what runs before them: imports, and names they use.

    Raises:
        InputError: a line is no text, or there is none.
    """

    lines: Sequence[str]
    setup: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.lines, str) or not all(isinstance(line, str) for line in self.lines):
            raise InputError(f"asserts are a list of lines of text, not {self.lines!r:.60}")
        if not self.lines:
            raise InputError("there is no assert among its tests")
        # A blank before an assert is a slip of who wrote the list, and would be an error of Python's.
        lines = (textwrap.dedent(line) if line[:1] in (" ", "\t") else line for line in self.lines)
        object.__setattr__(self, "lines", tuple(lines))

    def source(self) -> Source:
        """Return the source that runs them."""
        return Source("\n".join([self.setup, *self.lines]) + "\n")


Compare = Literal["equal", "set", "none", "root"]


@dataclass(frozen=True)
class Case:
    """One call: the text of its arguments, a tuple, and of the value it is to give."""

    arguments: str
    expected: str


@dataclass(frozen=True)
class Cases:
    """Calls and what they give.

    Args:
        cases: of each call: its arguments and the value it is to give, plain data; or a ``Case``.
        atol: how far a number may be from the expected one, finite; 0 is exactly equal, but for floats. An infinite
            expected number is met by itself alone, and one that is no number (nan) by any nan.
        compare: ``"equal"``; ``"set"`` where order and repetition are free; ``"none"`` where only whether it is None
            matters; or ``"root"``: the value is a root of the polynomial whose coefficients were the argument.

    Raises:
        InputError: there is none, or the tolerance is no finite number from 0 on.
    """

    cases: Sequence[Case | tuple[Sequence[Any], Any]]
    atol: float = 0.0
    compare: Compare = "equal"

    def __post_init__(self) -> None:
        if not self.cases:
            raise InputError("there is no case among its tests")
        if not 0 <= self.atol < math.inf:
            raise InputError(f"the tolerance of its cases must be a number from 0 on, not {self.atol!r}")
        # As text: a list cannot be hashed, and cases are compared and hashed with the problem they belong to.
        written = (each if isinstance(each, Case) else Case(_display(each[0]), repr(each[1])) for each in self.cases)
        object.__setattr__(self, "cases", tuple(written))

    def source(self) -> Source:
        """Return the source that runs them."""
        # The coefficients are copied before the call: a program may change the list that it is given.
        wanted = "list(arguments[0])" if self.compare == "root" else "expected"
        cases = "".join(f"        ({case.arguments}, {case.expected}),\n" for case in self.cases)  # type: ignore[union-attr]
        return Source(
            f"{_COMPARING}\n\ndef check(candidate):\n    cases = [\n{cases}    ]\n"
            f"    for arguments, expected in cases:\n"
            f"        assert agrees({self.compare!r}, {wanted}, candidate(*arguments), {self.atol!r})\n"
        )


@dataclass(frozen=True)
class Streams:
    """Texts a program reads from standard input, and what it then prints.

    The program is a script, or defines the target as a function without arguments. Blanks at the ends of lines and empty
    lines at the end of the output do not matter.

    Raises:
        InputError: there is none, or one is no text.
    """

    pairs: Sequence[tuple[str, str]]

    def __post_init__(self) -> None:
        pairs = tuple((_text(stdin), _text(stdout)) for stdin, stdout in self.pairs)
        if not pairs:
            raise InputError("there is no pair of input and output among its tests")
        object.__setattr__(self, "pairs", pairs)

    def source(self) -> Source:
        """Return the source that runs them."""
        pairs = "".join(f"        {pair!r},\n" for pair in self.pairs)
        text = (
            f"{_PRINTED}\n\ndef check(candidate):\n    pairs = [\n{pairs}    ]\n"
            f"    for stdin, stdout in pairs:\n        assert printed(candidate(stdin)) == printed(stdout)\n"
        )
        return Source(text, streams=True)


Tests: TypeAlias = str | Source | Asserts | Cases | Streams


def as_source(tests: Tests) -> Source:
    """Return the Python source of tests of any kind."""
    if isinstance(tests, str):
        return Source(tests)
    return tests if isinstance(tests, Source) else tests.source()


def _text(value: object) -> str:
    """Return the text of a stream; some sets hold it as a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if not isinstance(value, str):
        raise InputError(f"what a program reads or prints is text, not {value!r:.60}")
    return value


def _display(arguments: Iterable[Any]) -> str:
    return "(" + "".join(f"{argument!r}, " for argument in arguments) + ")"


_PRINTED = """
def printed(text):
    return [line.rstrip() for line in text.rstrip().split("\\n")]
"""

_COMPARING = f"""
from math import inf, isfinite, nan


def floats(value):
    return isinstance(value, float) or isinstance(value, (list, tuple)) and all(isinstance(v, float) for v in value)


def near(value, expected, atol):
    if isinstance(expected, (list, tuple)):
        return (
            type(value) is type(expected)
            and len(value) == len(expected)
            and all(near(v, e, atol) for v, e in zip(value, expected))
        )
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and value.keys() == expected.keys()
            and all(near(value[key], e, atol) for key, e in expected.items())
        )
    if value == expected:
        return True
    if not all(isinstance(number, (int, float, complex)) for number in (value, expected)):
        return False
    if value != value or expected != expected:
        return value != value and expected != expected
    # Every number is within an infinite distance, which is what a share of an infinite one would be.
    return bool(atol) and isfinite(abs(expected)) and abs(value - expected) <= atol + {RELATIVE} * abs(expected)


def agrees(compare, expected, value, atol):
    if compare == "set":
        return set(value) == set(expected)
    if compare == "none":
        return value == expected if isinstance(value, bool) else (value is None) == (expected is None)
    if compare == "root":
        return abs(sum(c * value**i for i, c in enumerate(expected))) <= max(atol, 1e-4)
    return value == expected or near(value, expected, atol or ({_FLOATS} if floats(expected) else 0))
"""
