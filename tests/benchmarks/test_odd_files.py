"""Files and folders that are not as they should be, and a reader that leaves: one line each, or nothing at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codeduet.algorithms.callbacks import Log
from codeduet.algorithms.metrics import keep_until
from codeduet.benchmarks import playing
from codeduet.envs import InputError
from codeduet.files import naming, write_whole
from codeduet.screen import explain

Command = Callable[..., Any]


def refused(ran: Any, words: str) -> None:
    assert (ran.status, ran.err.count("\n")) == (2, 1), ran.err
    assert words in ran.err


@pytest.fixture
def benched(codeduet: Command, model_dir: Path, problem_file: Path, tmp_path: Path) -> list[str]:
    """A finished bench in ``tmp_path / "run"``, and the command that made it."""
    words = [
        "bench", f"team.model={model_dir}", "team.lora_rank=2", f"env.problems={problem_file}", "n=1", "k=[1]",
        "sampling.max_new_tokens=4", "split=train", f"out={tmp_path / 'run'}",
    ]  # fmt: skip
    assert codeduet(*words).status == 0
    return words


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {key: value for key, value in row.items() if key != "outcome"},
        lambda row: {**row, "outcome": None},
        lambda row: {**row, "outcome": {}},
        lambda row: {**row, "outcome": {**row["outcome"], "defines": 3}},
        lambda row: {**row, "texts": []},
        lambda row: {**row, "texts": {"main_0": []}},
        lambda row: {**row, "tokens": 3},
        lambda row: {**row, "task_id": 3},
        lambda row: {key: value for key, value in row.items() if key != "passed"},
    ],
)
def test_a_row_that_is_no_sample_is_named(
    codeduet: Command, benched: list[str], tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    samples = tmp_path / "run" / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    samples.write_text("".join(json.dumps(row) + "\n" for row in (rows[0], change(rows[1]), rows[2])))
    refused(codeduet(*benched), f"{samples} line 2 is no sample: delete that line, or the file, or choose another out=")
    ran = codeduet("report", tmp_path / "run", "--out", tmp_path / "report")
    assert (ran.status, ran.err) == (0, "")
    assert "line 2 is no sample" in ran.out


@pytest.mark.parametrize(
    "row", ['{"kind": "train"}', '{"step": "1", "kind": "train"}', '{"step": 1}', '{"step": 2, "kind": "train"}']
)
def test_a_row_of_metrics_without_what_it_needs_is_named(codeduet: Command, tmp_path: Path, row: str) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.parent.mkdir()
    metrics.write_text(f'{{"step": 1, "kind": "train", "reward": 0.5}}\n{row}\n{{"step": 3}}\n')
    refused(codeduet("report", metrics.parent), f"{metrics} line 2 ")
    if '"step": 1' not in row and '"step": 2' not in row:
        with pytest.raises(InputError, match=r"metrics\.jsonl line 2 has no step"):
            keep_until(metrics, 5)


@pytest.mark.parametrize("name", ["samples.jsonl", "results.json", "players.json", "config.yaml"])
def test_a_folder_in_a_files_place_is_one_line(
    codeduet: Command, benched: list[str], tmp_path: Path, name: str
) -> None:
    place = tmp_path / "run" / name
    place.unlink()
    place.mkdir()
    if name == "players.json":  # it is looked at where there is something to play
        (tmp_path / "run" / "samples.jsonl").unlink()
    refused(codeduet(*benched), str(place))


def test_a_path_that_is_too_long_is_one_line(codeduet: Command, benched: list[str], tmp_path: Path) -> None:
    long = "x" * 300
    refused(codeduet(*benched[:-1], f"out={tmp_path / long}"), "File name too long")
    refused(codeduet(*benched[:-1], f"env.problems={long}"), "File name too long; name a shorter path")
    refused(codeduet("judge", long, "--out", tmp_path / "x.jsonl"), "File name too long")
    refused(codeduet("report", long), "File name too long")
    refused(codeduet("compare", long, long), "")


def test_a_run_folder_that_is_deleted_meanwhile_is_one_line(
    codeduet: Command, benched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "run")
    played = playing.play

    def and_then_it_is_gone(*arguments: Any, **options: Any) -> Any:
        shutil.rmtree(tmp_path / "run")
        return played(*arguments, **options)

    monkeypatch.setattr(playing, "play", and_then_it_is_gone)
    refused(codeduet(*benched), f"cannot use {tmp_path / 'run' / 'samples.jsonl'}: No such file or directory; was it")
    log = Log()
    log.open(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError) as raised:
        log.write(1, {})
    assert "metrics.jsonl: No such file or directory; was it" in explain(raised.value)


def test_a_full_disk_names_the_file_where_the_system_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space") as raised, naming(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert explain(raised.value) == (
        f"cannot write {tmp_path / 'a'}: No space left on device; what was written before is kept"
    )
    assert explain(OSError(errno.ENOSPC, "No space left on device")) == (
        "cannot write: No space left on device; what was written before is kept"
    )
    assert explain(OSError(errno.EPIPE, "x", "y")) == explain(OSError(errno.ENOENT, "x")) == ""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_whole(tmp_path / "b", "")
    assert raised.value.filename == str(tmp_path / "b")


def test_a_reader_that_leaves_ends_nothing(problem_file: Path, tmp_path: Path) -> None:
    rows = [{"task_id": "Toy/0", "completion": "    return 2 * x\n"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reading, writing = os.pipe()
    os.close(reading)
    words = ["judge", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl"), "--problems", str(problem_file)]
    ran = subprocess.run(
        [sys.executable, "-m", "codeduet", *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "out.results.json").is_file()
