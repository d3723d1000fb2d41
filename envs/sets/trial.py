"""What becomes of a set's problems when they are loaded: their ids, tests, examples and references are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from codeduet.envs.problems import Problem
from codeduet.envs.tests import Asserts
from codeduet.errors import InputError


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


def check_ids(problems: Sequence[Problem], places: Sequence[str], origin: str) -> None:
    """Check that no two problems have one id.

    Raises:
        InputError: two have; it names both by their places.
    """
    seen: dict[str, str] = {}
    for problem, place in zip(problems, places, strict=True):
        if problem.task_id in seen:
            raise InputError(
                f"{origin}, {place}: field 'task_id' {problem.task_id!r} stands in {seen[problem.task_id]} too"
            )
        seen[problem.task_id] = place


def rehearsed(
    problems: Sequence[Problem], places: Sequence[str], origin: str, form: str, *, meet: bool = True
) -> ProblemSet:
    """Return problems whose tests were counted and run on dummies, and their examples and tests on their references.

    Args:
        problems: what was read.
        places: of each, where it stands in its source.
        origin: the source, for messages.
        form: the name of its format.
        meet: whether references are to pass the tests.

    Raises:
        InputError: tests of one can run for no program, or no problem is left.
    """
    left_out = _try(problems, [f"{origin}, {place}" for place in places])
    kept = [with_examples(problem) for problem in problems if problem.task_id not in left_out]
    if not kept:
        raise InputError(f"{origin}: {next(iter(left_out.values()))}")
    confirmed, contradicted = _confirm(kept)
    return ProblemSet(
        tuple(confirmed), form, tuple(left_out.items()), tuple(contradicted), _unmet(kept) if meet else ()
    )


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


def _try(problems: Sequence[Problem], where: Sequence[str]) -> dict[str, str]:
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
