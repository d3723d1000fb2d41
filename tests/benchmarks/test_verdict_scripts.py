"""The scripts that measure the verdict, on few programs."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.benchmarks.samples import as_completion
from codeduet.benchmarks.verdict import cost, examples, saved
from codeduet.benchmarks.verdict.corpora import determinism, forged, forgery, soak
from codeduet.config import to_yaml
from codeduet.envs import Asserts, Outcome, Problem, Program, load_problems
from codeduet.envs.execution import Executor


def test_forgery_counts_who_was_fooled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    some = forged.CASES[:6]
    monkeypatch.setattr(forgery, "CASES", some)
    monkeypatch.setattr(forgery, "check_many", lambda programs, workers: ["passed", "failed"] * 3)
    assert forgery.main(["--out", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["all"] == {"programs": 6, "passed": 0, "overpaid": 0, "checker_passed": 3}
    solved = Outcome(True, True, 9, 9, (True,) * 9)
    monkeypatch.setattr(Executor, "judge_many", lambda self, programs: [solved for _ in programs])
    assert forgery.main(["--workers", "1"]) == 1


def test_the_checker_recounts_saved_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    problem = load_problems()[0]
    run = tmp_path / "run" / "single" / "samples"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(to_yaml(BenchConfig()))
    right, wrong = problem.reference, f"{problem.signature}    return 3\n"

    def write(*passed: bool) -> None:
        codes = (right, wrong, right)
        rows = [
            {"task_id": problem.task_id, "completion": as_completion(["", code]), "passed": told}
            for code, told in zip(codes, passed, strict=True)
        ]
        (run / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    asked: list[str] = []
    check = saved.check_completion
    monkeypatch.setattr(saved, "check_completion", lambda problem, code: asked.append(code) or check(problem, code))
    write(True, False, True)
    assert saved.main([str(tmp_path / "run"), "--workers", "1", "--out", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["files"][str(run)] == {"samples": 3, "ours": 2, "theirs": 2, "different": {}}
    assert (record["samples"], record["programs"], len(asked)) == (3, 2, 2)  # one program is run once
    write(True, True, True)
    assert saved.main([str(tmp_path / "run"), "--workers", "1", "--out", str(tmp_path / "out.json")]) == 1
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["files"][str(run)]["different"] == {problem.task_id: {"ours": 3, "theirs": 2}}
    # Of a run that another Python judged, ours is asked anew; of one of this Python a wrong count stays one.
    written = json.dumps({"versions": {"python": "3.1.4"}})
    for python, status in ((written, 0), (written.replace("3.1.4", platform.python_version()), 1)):
        rows = [
            json.loads(line) | {"helper_code": "", "main_code": code}
            for line, code in zip((run / "samples.jsonl").read_text().splitlines(), (right, wrong, right), strict=True)
        ]
        (run / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (run / "results.json").write_text(python)
        assert saved.main([str(tmp_path / "run"), "--workers", "1", "--out", str(tmp_path / "out.json")]) == status
        record = json.loads((tmp_path / "out.json").read_text())
        assert record["problems with other counts"] == status
        assert record["problems that another Python decides"] == 1 - status
    # A package that is hidden from programs, and not from the checker's.
    code = f"import pytest\n{right}"
    asking = {"task_id": problem.task_id, "completion": as_completion(["", code]), "passed": False, "helper_code": ""}
    error = "ModuleNotFoundError: No module named 'pytest'"
    (run / "results.json").unlink()
    (run / "samples.jsonl").write_text(json.dumps(asking | {"main_code": code, "outcome": {"error": error}}) + "\n")
    assert saved.main([str(tmp_path / "run"), "--workers", "1", "--out", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["problems with other counts"], record["problems that a package decides"]) == (0, 1)
    assert record["files"][str(run)]["different"][problem.task_id]["packages"] == ["pytest"]
    write(True, True, True)
    # A second folder of that name neither hides the first nor is hidden.
    shutil.copytree(tmp_path / "run", tmp_path / "b" / "run")
    both = [str(tmp_path / "run"), str(tmp_path / "b" / "run"), "--workers", "1", "--out", str(tmp_path / "out.json")]
    assert saved.main(both) == 1
    assert json.loads((tmp_path / "out.json").read_text())["samples"] == 6
    (run / "samples.jsonl").write_text('{"task_id": "nope", "completion": "", "passed": true}\n')
    with pytest.raises(SystemExit, match="a row is no sample of the problems 'humaneval'"):
        saved.main([str(tmp_path / "run")])
    with pytest.raises(SystemExit, match="no samples"):
        saved.main([str(tmp_path / "nowhere")])


def test_a_few_passes_agree(tmp_path: Path) -> None:
    assert determinism.main(["--passes", "2", "--programs", "40", "--out", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["programs"], record["different"]) == (40, [])
    assert sum(record["verdicts"].values()) == 40
    assert len(record["verdicts"]) > 2


def test_outcomes_that_differ_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Program] = []

    def judge_many(self: Executor, programs: list[Program]) -> list[Outcome]:
        seen.extend(programs)
        return [Outcome(True, True, len(seen), 99, ()) for _ in range(3)]

    monkeypatch.setattr(Executor, "judge_many", judge_many)
    assert determinism.main(["--passes", "2", "--programs", "3"]) == 1


def test_mixed_programs_are_of_all_kinds_and_all_different() -> None:
    named = determinism.mixed_programs(500)
    assert len(named) == 500
    assert len({program for _, program in named}) == 500
    assert len({name for name, _ in named}) == 500
    assert {name.split()[0] for name, _ in named} == {"canonical", "mutant", "odd", "forged", "exhausting"}


def test_a_short_soak_leaves_nothing(tmp_path: Path) -> None:
    assert soak.main(["--programs", "300", "--kill-every", "0.5", "--out", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["programs"] == 300
    assert record["killed"] >= 1
    assert record["wrong or lost"] == []


def test_cost_measures_both_and_refuses_a_wrong_verdict() -> None:
    programs = [Program.of(problem, main_0=problem.reference) for problem in load_problems()[:4]]
    with Executor(2) as executor:
        cost.judge_all(executor, programs)
        used = cost.cpu_seconds(executor)
        for _ in range(10):
            cost.judge_all(executor, programs)
        assert cost.cpu_seconds(executor) > used
        with pytest.raises(SystemExit, match="not solved"):
            cost.judge_all(executor, [Program.of(programs[0].problem, main_0="x = 1")])
    loops = cost.with_loops(programs, 20, 0.005)
    assert (loops["programs"], loops["looping"]) == (20, 1)
    assert 0 < loops["share"] < 1.5


def test_the_count_of_examples_is_that_of_its_file_and_of_hand_made_problems(tmp_path: Path) -> None:
    assert examples.main(["--out", str(tmp_path / "out.json")], say=lambda line: None) == 0
    kept = Path(examples.__file__).parents[1] / "results" / "verdict" / "examples.json"
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(kept.read_text())
    tests = "def check(candidate):\n    assert candidate(1, 'a') == 2\n    x = 3\n    assert candidate(x) == candidate(4) + 1\n"
    problem = Problem("T/0", 'def f(x):\n    """\n    f(1, "a") == 2\n    f(5) == 6\n    """\n', "f", "", tests)
    shown = replace(problem, task_id="T/1", examples=Asserts(['assert f(1, "a") == 2']))
    assert examples.count([shown, problem]) == {
        "problems": 2,
        "with examples": 1,
        "examples": 1,
        "contradicted": 3,
        "hidden calls": 4,
        "repeated": 1,
        "wholly shown": 0,
    }
