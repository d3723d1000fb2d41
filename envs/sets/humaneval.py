"""HumanEval's format, and HumanEval+ as published: a prompt, and tests that define ``check(candidate)``."""

from __future__ import annotations

from codeduet.envs.errors import InputError
from codeduet.envs.problems import Problem
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row

NAME = "HumanEval"
KEYS = ("task_id", "prompt", "entry_point", "test")


def read(row: Row, where: str) -> Problem:
    """Return the problem in a row; raises InputError where it is malformed."""
    task_id = fields.identity(row, where)
    prompt, entry_point = fields.text(row, "prompt", where), fields.text(row, "entry_point", where)
    solution = fields.text(row, "canonical_solution", where, required=False)
    tests = fields.text(row, "test", where)
    entry_point = fields.function_name(row, where)
    problem = Problem(task_id, prompt, entry_point, solution, tests, split=fields.split(row, where))
    check_prompt(problem, where)
    return problem


def check_prompt(problem: Problem, where: str) -> None:
    """Raise InputError where the prompt does not end in the target's signature."""
    if not problem.signature:
        raise InputError(
            f"{where}: field 'prompt' has no line 'def {problem.entry_point}(...)' for an answer to follow"
        )
