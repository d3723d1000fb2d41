"""A short run of the comparison with OpenAI's checker, and the mutants it judges."""

from __future__ import annotations

import ast
import contextlib
import json
import mmap
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codeduet.benchmarks.verdict import agreement, checker, variants
from codeduet.benchmarks.verdict.mutants import Mutant, all_mutants, mutants
from codeduet.benchmarks.verdict.reported import REPORTED
from codeduet.benchmarks.verdict.trial import Trial
from codeduet.envs import Executor, Outcome, Problem, load_problems

SOME = load_problems()[::8][:20]


def test_sixty_mutants_of_twenty_problems_get_the_checkers_verdict() -> None:
    counts, differences = agreement.compare([agreement.of_mutant(m) for m in mutants(SOME, 60)], workers=1)
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
    def never(programs: list[Trial], workers: int) -> list[Outcome]:
        return [Outcome(True, True, 0, 1, (False,)) for _ in programs]

    monkeypatch.setattr(agreement, "ours", never)
    monkeypatch.setattr(agreement, "theirs", lambda programs, workers: ["passed"] * len(programs))
    monkeypatch.setattr(
        agreement, "trials", lambda problems, *_: {"canonical": list(map(agreement.canonical, problems)), "mutants": []}
    )
    said: list[str] = []
    assert agreement.main(["--out", str(tmp_path / "out.json")], say=said.append) == 1
    assert sum("NOT EXPLAINED" in line for line in said) == 164
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["canonical"]["counts"]["different"] == 164
    assert record["mutants"]["counts"]["programs"] == 0


def test_numbers_that_are_one_object_in_the_tests_alone_explain_a_difference() -> None:
    (problem,) = [problem for problem in load_problems() if problem.task_id == "HumanEval/58"]
    by_identity = Mutant(problem, "is", "    return sorted({a for a in l1 for b in l2 if a is b})\n")
    counts, differences = agreement.compare([agreement.of_mutant(by_identity)])
    assert (counts["different"], counts["explained"]) == (1, 1)
    assert differences[0].explanation.startswith("identity")


def test_every_kind_of_variant_gets_the_checkers_verdict() -> None:
    made = agreement.trials(SOME, 20, 60, seed=1)
    assert {kind: len(those) for kind, those in made.items() if kind != "prompts"} == {
        "canonical": 20,
        "mutants": 20,
        "variants": 60,
        "in place": 12,
        "reported": 0,
    }
    for kind in ("variants", "in place", "prompts"):
        counts, differences = agreement.compare(made[kind])
        assert counts["both passed"] > 0
        assert counts["both failed"] > 0
        assert [difference for difference in differences if not difference.explanation] == []


def test_variants_are_different_programs_of_every_kind_and_repeat_themselves() -> None:
    problems = load_problems()
    made = variants.programs(problems, 1000)
    assert len({(trial.problem.task_id, trial.main_code) for trial in made}) > 990
    assert {trial.change.split(":")[0] for trial in made} == {"import", "annotation", "decorator", "class"}
    assert len({trial.change.split(",")[0] for trial in made}) > 60
    assert made == variants.programs(problems, 1000)
    assert made != variants.programs(problems, 1000, seed=1)
    changed = variants.in_place(problems, 100)
    assert len({(trial.problem, trial.main_code) for trial in changed}) == 100
    assert len({trial.change.split(" ", 2)[2] for trial in changed}) > 20
    forms = variants.prompts(problems, [])
    assert {trial.change for trial in forms} == {f"prompt {form}: canonical" for form in variants.FORMS}
    assert len(forms) > 150


def test_a_program_that_asks_for_its_own_module_is_explained_and_a_wrong_one_is_not() -> None:
    problem = load_problems()[42]
    asks = f"{problem.reference}\nimport sys\nsys.modules[__name__].incr_list\n"
    counts, differences = agreement.compare([Trial(problem, "asks", asks)])
    assert (counts["different"], differences[0].explanation.split(":")[0]) == (1, "module")
    wrong = Outcome(True, True, 0, 1, (False,))
    assert agreement._explain(Trial(problem, "right", problem.reference), wrong, "passed") == ""


@pytest.mark.parametrize(("helper", "main", "solved"), REPORTED.values(), ids=REPORTED.keys())
def test_what_was_reported_as_judged_wrongly_is_judged_rightly(
    executor: Executor, helper: str, main: str, solved: bool
) -> None:
    assert executor.judge(load_problems()[42], helper_code=helper, main_code=main).solved is solved


def test_the_checkers_memory_is_limited_in_a_large_process_too() -> None:
    with mmap.mmap(-1, 2 * checker.MEMORY, flags=mmap.MAP_PRIVATE, prot=0):
        problem = load_problems()[0]
        eater = f"    return bytearray({checker.MEMORY * 2})\n"
        assert checker.check_completions([(problem, problem.canonical_solution), (problem, eater)], 1) == [
            "passed",
            "failed: ",
        ]


def test_checking_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    script = tmp_path / "ask.py"  # a spawned process imports its parent's file
    script.write_text(
        "from codeduet.benchmarks.verdict.checker import check_completions\n"
        "from codeduet.envs import load_problems\n"
        "if __name__ == '__main__':\n"
        "    check_completions([(load_problems()[0], '    while True: pass\\n')] * 100, 1)\n"
    )
    asking = subprocess.Popen([sys.executable, script], start_new_session=True)
    try:
        assert wait_until(lambda: len(alive(asking.pid)) > 3)  # it, what tracks its resources, the checking, a program
    finally:
        asking.kill()
        asking.wait()
    assert wait_until(lambda: not alive(asking.pid))


def alive(session: int) -> list[str]:
    """Processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, its_session = stat.read_text().rsplit(")", 1)[1].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(stat.parent.name)
    return found


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + seconds
    while not (held := true()) and time.monotonic() < until:
        time.sleep(0.1)
    return held
