"""All 164 canonical solutions, judged and paid: the whole way from an action to a reward."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from codeduet.envs import Executor, Outcome, Problem, Program, load_problems, raw_env, step_many
from codeduet.envs.execution.instrument import instrument

TRUTHINESS_ONLY = {
    # Every assert of these is ``assert candidate(x)`` or ``assert not candidate(x)``, and any object is true.
    "HumanEval/52": "below_threshold: 4 asserts want a true result",
    "HumanEval/56": "correct_bracketing of <>: 4 asserts want a true result",
    "HumanEval/61": "correct_bracketing of (): 4 asserts want a true result",
}


class Remembering(Executor):
    """Judges each program once, so that paying it under four schemes costs one run."""

    def __init__(self) -> None:
        super().__init__(workers=2)
        self.known: dict[Program, Future[Outcome]] = {}

    def submit(self, program: Program) -> Future[Outcome]:
        if program not in self.known:
            self.known[program] = super().submit(program)
        return self.known[program]


@pytest.fixture(scope="module")
def remembering() -> Iterator[Executor]:
    with Remembering() as executor:
        yield executor


def in_two_parts(problem: Problem) -> tuple[str, str]:
    """Return helper's and main's code: the reference body in a function ``auxiliary``, and a target that calls it."""
    helper = problem.reference.replace(f"def {problem.entry_point}(", "def auxiliary(", 1)
    target = ast.parse(problem.reference).body[0]
    assert isinstance(target, ast.FunctionDef)
    arguments = ", ".join(argument.arg for argument in target.args.args)
    return helper, f"{problem.signature}    return auxiliary({arguments})\n"


def play(executor: Executor, reward: str, actions: list[tuple[str, str]]) -> list[dict[str, float]]:
    """Play each problem once with helper's and main's actions; returns both agents' rewards."""
    problems = load_problems()
    envs = []
    for problem in problems:
        env = raw_env(problems=[problem], reward=reward, executor=executor)
        env.reset()
        envs.append(env)
    step_many(envs, [helper for helper, _ in actions])
    step_many(envs, [main for _, main in actions])
    assert all(env.terminations == {"helper_0": True, "main_0": True} for env in envs)
    return [env.rewards for env in envs]


@pytest.mark.parametrize("moved", [False, True], ids=["helper empty", "body moved into helper"])
@pytest.mark.parametrize("scheme", ["magrpo", "grpo", "pass", "fraction"])
def test_every_canonical_solution_is_paid_in_full(remembering: Executor, scheme: str, *, moved: bool) -> None:
    problems = load_problems()
    totals = [instrument(problem).total for problem in problems]
    full = {
        "magrpo": [(5 + total) / 10 for total in totals],
        "grpo": [(5 + min(total, 5)) / 10 for total in totals],
        "pass": [1.0] * 164,
        "fraction": [1.0] * 164,
    }[scheme]
    actions = [in_two_parts(problem) if moved else ("", problem.canonical_solution) for problem in problems]
    rewards = play(remembering, scheme, actions)
    assert rewards == [{"helper_0": reward, "main_0": reward} for reward in full]


def test_every_canonical_solution_passes_every_test_in_the_executor(remembering: Executor) -> None:
    problems = load_problems()
    parts = [("", problem.reference) for problem in problems] + [in_two_parts(problem) for problem in problems]
    programs = [
        Program.of(problem, helper_0=code[0], main_0=code[1]) for problem, code in zip(problems * 2, parts, strict=True)
    ]
    for program, outcome in zip(programs, remembering.judge_many(programs), strict=True):
        assert all(outcome.tests), program.problem.task_id
        assert outcome.total == len(outcome.tests) == instrument(program.problem).total
        assert outcome.error == ""
        assert outcome.thin == bool(program.parts[0].code)


def test_a_body_that_returns_any_object_passes_no_test(executor: Executor) -> None:
    problems = load_problems()
    programs = [Program.of(problem, main_0=f"{problem.signature}    return object()\n") for problem in problems]
    passed = {
        program.problem.task_id: outcome.passed
        for program, outcome in zip(programs, executor.judge_many(programs), strict=True)
    }
    assert {task_id for task_id, count in passed.items() if count} == set(TRUTHINESS_ONLY)
    for task_id in TRUTHINESS_ONLY:
        number = int(task_id.split("/")[1])
        true_asserts = sum("assert candidate(" in line for line in problems[number].tests.split("\n"))
        assert passed[task_id] == true_asserts
        assert true_asserts < instrument(problems[number]).total
