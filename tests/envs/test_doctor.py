"""What the doctor says of a machine and of a problem set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeduet.cli import main
from codeduet.envs import Executor, Problem
from codeduet.envs.execution import doctor
from codeduet.envs.execution.worker import Worker


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(left.value.code or 0)


def test_it_says_which_levels_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    said = capsys.readouterr().out
    for name in doctor.LEVELS:
        assert f"{name}: works" in said
    assert "programs are judged with isolation 'namespaces'; its self-test passes" in said


def test_a_machine_without_a_jail_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Worker._ask

    def refuse(self: Worker, request: dict[str, object]) -> dict[str, object]:
        return (
            {"refused": "unshare: not here"}
            if request.get("isolation") in ("namespaces", "landlock")
            else ask(self, request)
        )

    monkeypatch.setattr(Worker, "_ask", refuse)
    assert run("doctor") == 1
    said = capsys.readouterr().out
    assert "namespaces: DOES NOT WORK (unshare: not here)" in said
    assert "process: works" in said
    assert "no jail can be closed here" in said


def test_references_that_its_tests_do_not_pass_are_named(
    toy: Problem, executor: Executor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = "def check(candidate):\n    assert candidate(3)(4) == 7\n"
    closure = Problem("Closure/0", "def add(x):\n", "add", "    return lambda y: x + y\n", tests)
    assert list(doctor.unsolved_references([toy, closure], executor)) == ["Closure/0"]
    rows = [
        {
            "task_id": problem.task_id,
            "prompt": problem.prompt,
            "entry_point": problem.entry_point,
            "canonical_solution": problem.canonical_solution,
            "test": problem.tests,
        }
        for problem in (toy, closure)
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run("doctor", "--problems", str(path)) == 1
    said = capsys.readouterr().out
    assert "Closure/0: its reference passes 0 of 1 tests" in said
    assert "1 of 2 problems have a reference that is not solved" in said
