"""Sets that a function of one's own gives, named ``module:function`` or ``folder/file.py:function``."""

from __future__ import annotations

import functools
from typing import get_args

from codeduet.envs.problems import Problem
from codeduet.envs.sets import fields
from codeduet.envs.sets.humaneval import check_prompt
from codeduet.envs.sets.own import NAME, read_views
from codeduet.envs.sets.trial import ProblemSet, check_ids, rehearsed
from codeduet.envs.tests import Tests
from codeduet.errors import InputError
from codeduet.named import load_named


def is_named(source: str) -> bool:
    """Tell whether a set's name is that of a function."""
    module, separator, function = source.rpartition(":")
    names = all(part.isidentifier() for part in module.split("."))
    return bool(separator) and function.isidentifier() and (names or module.endswith(".py"))


def load(name: str) -> ProblemSet:
    """Load the problems that a function gives, and try them as those of a file are.

    Raises:
        InputError: there is no such function, it fails or gives something else, or a problem of it is malformed.
    """
    function = load_named(name, "problems")
    if not callable(function):
        raise InputError(f"problems {name!r} is no function that gives Problem(...) objects")
    try:
        made = tuple(function())
    except InputError as error:  # of a problem's own making, a test without an assert say
        raise InputError(f"{name}: {error}") from None
    except Exception as error:  # whatever a user's function raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"problems {name!r} cannot be had: {reason}") from error
    if not made or not all(isinstance(problem, Problem) for problem in made):
        raise InputError(f"{name} gives no problems: it must return Problem(...) objects")
    places = [f"problem {number} ({problem.task_id!r})" for number, problem in enumerate(made, start=1)]
    for problem, place in zip(made, places, strict=True):
        _check(problem, f"{name}, {place}")
    check_ids(made, places, name)
    return _rehearsed(made, tuple(places), name)


@functools.lru_cache(maxsize=16)
def _rehearsed(made: tuple[Problem, ...], places: tuple[str, ...], name: str) -> ProblemSet:
    """Try problems once, however often their function gives them: a run loads its problems in several places."""
    return rehearsed(made, places, name, NAME)


def _check(problem: Problem, where: str) -> None:
    """Check the fields of a problem as those of a row are.

    Raises:
        InputError: one is missing or malformed.
    """
    row = vars(problem)
    for key in ("task_id", "prompt"):
        fields.text(row, key, where)
    fields.function_name(row, where)
    fields.text(row, "canonical_solution", where, required=False)
    fields.split(row, where)
    read_views(problem.views, where)
    for key in ("tests", "examples"):
        if not isinstance(row[key], get_args(Tests)) and (key == "tests" or row[key] is not None):
            raise InputError(
                f"{where}: field {key!r} must be text or a kind of codeduet.envs.tests, not {type(row[key]).__name__}"
            )
    check_prompt(problem, where)
