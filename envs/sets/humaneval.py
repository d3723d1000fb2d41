"""HumanEval's format, and HumanEval+ as published: a prompt, and tests that define ``check(candidate)``."""

from __future__ import annotations

from codeduet.envs.errors import InputError
from codeduet.envs.problems import Problem
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row

NAME = "HumanEval"
KEYS = ("task_id", "prompt", "entry_point", "test")

CONTRADICTED = (
    "assert median([-10, 4, 6, 1000, 10, 20]) == 15.0",
    "assert sort_array([1, 5, 2, 3, 4]) == [1, 2, 3, 4, 5]",
    "assert sort_array([-2, -3, -4, -5, -6]) == [-6, -5, -4, -3, -2]",
    "assert tri(1) == 3",
    "assert tri(4) == 3",
    'assert bf("Earth", "Mercury") == ("Venus")',
)
"""Examples in HumanEval's prompts that its own references contradict (47, 116 twice, 130 twice, 148): shown, but no tests."""

_ASKS_BEHIND = "(candidate(*inp), ref_func(*inp)"
_ASKS_OF_A_COPY = "(candidate(*__import__('copy').deepcopy(inp)), ref_func(*inp)"


def read(row: Row, where: str) -> Problem:
    """Return the problem in a row; raises InputError where it is malformed."""
    task_id = fields.identity(row, where)
    prompt, entry_point = fields.text(row, "prompt", where), fields.text(row, "entry_point", where)
    solution = fields.text(row, "canonical_solution", where, required=False)
    # HumanEval+ asks its own reference behind the program, of which a program must not change the arguments.
    tests = fields.text(row, "test", where).replace(_ASKS_BEHIND, _ASKS_OF_A_COPY)
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
