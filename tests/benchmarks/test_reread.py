"""Saved answers that are read anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeduet.benchmarks.reread import main, reread
from codeduet.envs import Executor, InputError, load_problems

PROBLEM = load_problems()[23]  # strlen
ROW = {"task_id": PROBLEM.task_id, "sample": 0, "helper_code": "", "main_code": "", "passed": False}


def test_an_answer_that_was_not_understood_counts_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = {**ROW, "texts": {"helper_0": [""], "main_0": ["```python\ndef strlen(s):\n    return len(s)\n```"]}}
    wrong = {
        **ROW,
        "sample": 1,
        "texts": {"helper_0": [""], "main_0": ["```python\ndef strlen(s):\n    return 1\n```"]},
    }
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in (right, wrong)))
    main([str(samples), "--out", str(tmp_path / "out.json")])
    told = json.loads((tmp_path / "out.json").read_text())["samples"]
    assert told["passed"] == {"then": 0, "now": 1}
    assert told["changed"] == {f"{PROBLEM.task_id} sample 0": True}
    assert told["read differently"] == 2
    assert told["pass@k"]["1"]["mean"] == 0.5
    assert "0 passed then, 1 now" in capsys.readouterr().out


def test_answers_of_several_turns_are_refused(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text(json.dumps({**ROW, "texts": {"main_0": ["a", "b"]}}) + "\n")
    with Executor(1) as executor, pytest.raises(InputError, match="no answers of one turn"):
        reread(samples, load_problems(), executor)
