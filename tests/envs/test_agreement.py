"""A short run of the comparison with OpenAI's checker, and the mutants it judges."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from codeduet.benchmarks.verdict import agreement
from codeduet.benchmarks.verdict.mutants import Mutant, all_mutants, mutants
from codeduet.envs import Outcome, Problem, load_problems

SOME = load_problems()[::8][:20]


def test_sixty_mutants_of_twenty_problems_get_the_checkers_verdict() -> None:
    # One at a time: OpenAI's checker forks from threads, which libraries that other tests load refuse.
    counts, differences = agreement.compare(mutants(SOME, 60), workers=1)
    assert counts["programs"] == 60
    assert counts["both passed"] + counts["both failed"] + counts["different"] == 60
    assert counts["both failed"] > 30
    assert [difference for difference in differences if not difference.explanation] == []


def test_mutants_are_different_programs_that_parse_and_repeat_themselves() -> None:
    made = mutants(SOME[:5], 40)
    assert len(made) == len({(mutant.problem.task_id, mutant.body) for mutant in made}) == 40
    assert made == mutants(SOME[:5], 40)
    assert made != mutants(SOME[:5], 40, seed=1)
    assert {mutant.problem.task_id for mutant in made} == {problem.task_id for problem in SOME[:5]}
    for mutant in made:
        ast.parse(mutant.main_code)
        assert ast.unparse(ast.parse(mutant.main_code)) != ast.unparse(ast.parse(mutant.problem.reference))


def test_a_small_function_has_these_mutants(toy: Problem) -> None:
    found = {(mutant.change, mutant.body) for mutant in all_mutants(toy)}
    assert found == {
        ("returns None", "    return None\n"),
        ("returns a list of it", "    return [x + x]\n"),
        ("returns its truth", "    return bool(x + x)\n"),
        ("arithmetic: Add -> Sub", "    return x - x\n"),
        ("arithmetic: Add -> Mult", "    return x * x\n"),
    }


def test_a_difference_that_nothing_explains_fails_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(programs: list[Mutant], workers: int) -> list[Outcome]:
        return [Outcome(True, True, 0, 1, (False,)) for _ in programs]

    monkeypatch.setattr(agreement, "ours", never)
    monkeypatch.setattr(agreement, "theirs", lambda programs, workers: ["passed"] * len(programs))
    monkeypatch.setattr(agreement, "mutants", lambda problems, count, seed: [])
    said: list[str] = []
    assert agreement.main(["--out", str(tmp_path / "out.json")], say=said.append) == 1
    assert sum("NOT EXPLAINED" in line for line in said) == 164
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["canonical"]["counts"]["different"] == 164
    assert record["mutants"]["counts"]["programs"] == 0


def test_numbers_that_are_one_object_in_the_tests_alone_explain_a_difference() -> None:
    (problem,) = [problem for problem in load_problems() if problem.task_id == "HumanEval/58"]
    by_identity = Mutant(problem, "is", "    return sorted({a for a in l1 for b in l2 if a is b})\n")
    counts, differences = agreement.compare([by_identity])
    assert (counts["different"], counts["explained"]) == (1, 1)
    assert differences[0].explanation.startswith("identity")
