"""HumanEvalPack's format, the Python rows: HumanEval with tests that run themselves, and visible example tests."""

from __future__ import annotations

from codeduet.envs.problems import Problem
from codeduet.envs.sets import fields
from codeduet.envs.sets.fields import Row
from codeduet.envs.sets.humaneval import check_prompt
from codeduet.envs.tests import Source

NAME = "HumanEvalPack"
KEYS = ("task_id", "prompt", "entry_point", "test", "declaration", "example_test")


def read(row: Row, where: str) -> Problem:
    """Return the problem in a row; raises InputError where it is malformed."""
    setup = fields.text(row, "test_setup", where, required=False)
    example = fields.text(row, "example_test", where, required=False)
    imports = fields.text(row, "import", where, required=False)
    prompt = fields.text(row, "prompt", where)
    problem = Problem(
        task_id=fields.identity(row, where),
        prompt=f"{imports}\n{prompt}" if imports.strip() and imports.strip() not in prompt else prompt,
        entry_point=fields.function_name(row, where),
        canonical_solution=fields.text(row, "canonical_solution", where, required=False),
        tests=Source(f"{setup}\n{fields.text(row, 'test', where)}"),
        examples=Source(f"{setup}\n{example}") if example.strip() else None,
        split=fields.split(row, where),
    )
    check_prompt(problem, where)
    return problem
