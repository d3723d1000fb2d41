"""A problem, and which problems of a set are for training.

Where problems come from, :mod:`codeduet.envs.sets` says: one module a format.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from codeduet.envs.tests import Source, Tests, as_source
from codeduet.errors import InputError, nearest

Split = Literal["train", "test", "all"]

T = TypeVar("T")

TRAIN_SHARE = (25, 33)
"""Share of a problem set that is for training: 124 of HumanEval's 164. The paper does not say which 40 it tests on;
in file order the last 40 are the harder ones."""

EMBEDDED_FILE = Path(__file__).resolve().parent / "embedded.jsonl.gz"
"""The embedded problem set; ``codeduet.benchmarks.embedded.problem_set`` writes it."""


@dataclass(frozen=True)
class Problem:
    """One programming problem.

    Attributes:
        task_id: unique name, such as ``"HumanEval/0"``.
        prompt: source text that ends with the target function's signature and docstring (see :func:`stub`).
        entry_point: name of the target function.
        canonical_solution: the reference: a body that continues ``prompt``, or a whole program that defines the target;
            empty if the source has none.
        tests: the hidden tests: text that defines ``check(candidate)``, or another kind of
            :mod:`codeduet.envs.tests`.
        examples: tests that a team may see and run, such as those its prompt shows; None if there are none.
        split: ``"train"`` or ``"test"`` where its source says so; empty: by its place in the set.
        views: role -> the text that its agents read in place of ``prompt``, so that what is known can be divided among
            roles; a role that is not named reads the prompt.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    tests: Tests
    examples: Tests | None = None
    split: Literal["train", "test", ""] = ""
    views: Mapping[str, str] = field(default_factory=dict, hash=False)

    @functools.cached_property
    def _signature_start(self) -> int:
        starts = [match.start() for match in _definition(self.entry_point).finditer(self.prompt)]
        return _decorated(self.prompt, starts[-1]) if starts else len(self.prompt)

    @functools.cached_property
    def source(self) -> Source:
        """The Python source of the tests."""
        return as_source(self.tests)

    @property
    def preamble(self) -> str:
        """What stands before the target function: the prompt's imports and its own helper functions."""
        return self.prompt[: self._signature_start]

    @property
    def signature(self) -> str:
        """The target function's ``def`` line and docstring, which a body continues."""
        return self.prompt[self._signature_start :]

    @functools.cached_property
    def reference(self) -> str:
        """The target function as the reference solves it: signature and canonical body, or the whole program."""
        if _definition(self.entry_point).search(self.canonical_solution) or self.source.streams:
            return self.canonical_solution
        if self.signature[-1:] in ("", "\n") and self.canonical_solution[:1] in ("", " ", "\t", "\n", "#"):
            return self.signature + self.canonical_solution
        from codeduet.envs.answers.bodies import join_body  # which imports Problem from here

        # One of the two lost its blanks or its line's end: they meet as an answer's body and the signature do.
        return join_body(self.canonical_solution, self)

    @functools.cached_property
    def visible(self) -> Problem:
        """The same problem with its examples for tests.

        Raises:
            InputError: it has none.
        """
        if self.examples is None:
            raise InputError(f"{self.task_id} has no examples")
        return Problem(self.task_id, self.prompt, self.entry_point, self.canonical_solution, self.examples)

    def to_wire(self) -> dict[str, Any]:
        """Return what an evaluator has to know, as plain JSON types."""
        fields = {name: getattr(self, name) for name in ("task_id", "prompt", "entry_point", "canonical_solution")}
        return {**fields, "tests": asdict(self.source)}

    @classmethod
    def from_wire(cls, fields: dict[str, Any]) -> Problem:
        """Return the problem that ``to_wire`` wrote."""
        return cls(**{**fields, "tests": Source(**fields["tests"])})


def _decorated(text: str, start: int) -> int:
    """Return where the decorators of the function that starts at ``start`` begin; ``start`` if it has none."""
    found = at = start
    while at:
        at = text.rfind("\n", 0, at - 1) + 1
        if text[at] == "@":
            found = at
        elif text[at] not in " \t)]}#\n":  # neither inside a decorator's brackets nor between two of them
            break
    return found


@functools.lru_cache(maxsize=4096)
def _definition(name: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", re.MULTILINE)


def stub(name: str, text: str, signature: str = "") -> str:
    """Return a prompt: the function ``name`` with ``text`` as its docstring, for a body to follow.

    Args:
        name: the target function.
        text: what it is to do.
        signature: its ``def`` line, with what stands before it; by default it takes any arguments.
    """
    escaped = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if escaped.endswith('"'):
        escaped += " "
    signature = signature or f"def {name}(*args, **kwargs):"
    docstring = f'"""{escaped}\n"""' if "\n" in escaped else f'"""{escaped}"""'
    return f"{signature}\n{textwrap.indent(docstring, '    ')}\n"


def load_problems(
    source: str | Path = "humaneval", split: Split = "all", test_source: str | Path = ""
) -> tuple[Problem, ...]:
    """Load a problem set, in file order.

    Problems whose tests can be put to no program, since they pass objects of their own, are left out;
    ``codeduet.envs.sets.load_set(source)`` says which, and which format the set has.

    Args:
        source: ``"humaneval"``, ``"embedded"``, ``"humanevalplus"``, ``"mbpp"``, ``"mbppplus"``, the path of a file in
            one of the formats of :mod:`codeduet.envs.sets`, or ``"module:function"``.
        split: ``"train"``, ``"test"`` or ``"all"``. Which is which, ``test_source`` says, else the rows' own field
            ``split``, else their order: the first 25/33, rounded down, are for training.
        test_source: another set, whose problems are the test split; those of ``source`` are then all for training.

    Raises:
        InputError: no such file, a malformed row (with file, line and field), tests that can run for no program, an
            unknown or an empty split.
    """
    from codeduet.envs.sets import load_split  # which imports Problem from here

    return load_split(source, split, test_source)


def held_out(tasks: Sequence[T]) -> tuple[list[T], list[T]]:
    """Part training problems, or their ids, into those to learn from and every tenth, to choose by while training.

    Of fewer than ten it is the last; they need two at least.

    Raises:
        InputError: there is one problem only.
    """
    if len(tasks) < 2:
        raise InputError("split=valid takes a tenth of the training problems, and there are too few of them")
    places = set(range(9, len(tasks), 10)) or {len(tasks) - 1}
    return [task for i, task in enumerate(tasks) if i not in places], [tasks[i] for i in sorted(places)]


def find_problem(problems: Sequence[Problem], task_id: str) -> int:
    """Return the position of ``task_id`` in ``problems``.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    for index, problem in enumerate(problems):
        if problem.task_id == task_id:
            return index
    hint = nearest(task_id, [problem.task_id for problem in problems]) or f"; the first is {problems[0].task_id!r}"
    raise InputError(f"unknown task id {task_id!r} among {len(problems)} problems{hint}")


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Read the objects of a file of JSON, one a line or in a list, for a set of one's own.

    Raises:
        InputError: no such file, or a line that is no JSON object.
    """
    return [row for _, row in numbered_rows(Path(path))]


def numbered_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read the objects of a file of JSON, perhaps compressed by gzip, as (line number from 1, row) pairs; blank lines are skipped.

    They stand one a line, or in one list, and their places in it are then told for the lines. Which, and whether it is
    compressed, the file's first signs tell and not its name.

    Raises:
        InputError: no such file, or a line that is no JSON object.
    """
    check_file(path)
    if path.suffix in (".csv", ".tsv", ".parquet", ".yaml", ".yml"):
        raise InputError(f"{path}: {path.suffix[1:]} is not read: rows must be JSON objects, one a line, as in .jsonl")
    rows: list[tuple[int, dict[str, Any]]] = []
    try:
        with path.open("rb") as file:
            begins = file.read(2)
        if begins in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path} is UTF-16: save it as UTF-8")
        opener = gzip.open if begins == b"\x1f\x8b" else open
        with opener(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                if not rows and line.lstrip().startswith("["):
                    return _rows_of_list(path, line + lines.read(), number)
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    form = "" if rows else ": rows are JSON objects, one a line, or in one list"
                    raise InputError(
                        f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}){form}"
                    ) from None
                if not isinstance(row, dict):
                    raise InputError(f"{path}, line {number}: a row must be a JSON object")
                rows.append((number, row))
        if len(rows) == 1 and rows[0][1] and all(isinstance(each, dict | list) for each in rows[0][1].values()):
            raise InputError(f"{path} must hold a list of JSON objects, or one a line, and not one object around them")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start} of what was read): save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return rows


def check_file(path: Path) -> None:
    """Raise InputError where there is no file of problems."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the file in it that holds the problems")
    if not path.is_file():
        raise InputError(f"no such file: {path}")


def _rows_of_list(path: Path, text: str, first: int) -> list[tuple[int, dict[str, Any]]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {first + error.lineno - 1}: not JSON ({error.msg}, column {error.colno})"
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} must hold a list of JSON objects, or one a line")
    return list(enumerate(rows, start=1))
