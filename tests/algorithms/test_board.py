"""What only shows ends nothing, shows names as they are, and shows a step once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from codeduet.agents import Completion
from codeduet.agents.steps import Step
from codeduet.algorithms import Group, Trajectory
from codeduet.algorithms.callbacks import Log
from codeduet.algorithms.show import completions_table, make_progress
from codeduet.algorithms.tracking import TensorBoard
from codeduet.envs import InputError


class MetricsLog:
    """What a training that logs to TensorBoard writes numbers to."""

    def __init__(self, folder: Path, step: int = 0, say: Callable[[str], None] = print) -> None:
        self._log, self._board = Log(), TensorBoard()
        self._log.open(folder, step)
        self._trainer: Any = SimpleNamespace(run=folder, step=step, say=say)
        self._board.begin(self._trainer)
        self.path = self._log.path

    def write(self, step: int, values: dict[str, float], kind: str = "train") -> None:
        self._log.write(step, values, kind)
        self._board.write(step, values, kind)

    def close(self) -> None:
        self._board.end(self._trainer)


HOSTILE = "[/x] [bold]a[/bold] [red"


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) of every scalar in the event files, as they stand there."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    from tensorboard.util.tensor_util import make_ndarray

    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, float(make_ndarray(value.tensor))))
    return found


def wall_times(folder: Path) -> list[float]:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    events = (e for p in sorted((folder / "tensorboard").iterdir()) for e in loader.EventFileLoader(str(p)).Load())
    return [event.wall_time for event in events if event.summary.value]


def test_a_resumed_run_has_every_step_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    for step in range(1, 7):
        log.write(step, {"reward": step / 10})
    log.write(6, {"reward": 0.5}, kind="eval")
    log.close()
    before = wall_times(tmp_path)
    for resumed_at in (4, 4, 5):  # twice from one checkpoint
        log = MetricsLog(tmp_path, resumed_at)
        for step in range(resumed_at + 1, 9):
            log.write(step, {"reward": -1.0})
        log.close()
    told = points(tmp_path)
    assert [step for step, _ in told["train/reward"]] == list(range(1, 9))
    assert [value for _, value in told["train/reward"]] == pytest.approx([0.1, 0.2, 0.3, 0.4, -1, -1, -1, -1])
    assert "eval/reward" not in told
    assert wall_times(tmp_path)[:4] == before[:4]


def test_an_event_file_cut_off_half_way_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    for step in range(1, 5):
        log.write(step, {"reward": 1.0})
    log.close()
    (path,) = (tmp_path / "tensorboard").iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    said: list[str] = []
    MetricsLog(tmp_path, 4, said.append).close()
    assert [step for step, _ in points(tmp_path)["train/reward"]] == [1, 2, 3]
    assert said == []


def test_what_is_not_finite_is_no_point(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.write(1, {"a": float("nan"), "b": float("inf"), "c": 1.0})
    log.close()
    assert set(points(tmp_path)) == {"train/c"}
    assert log.path.read_text() == '{"step": 1, "kind": "train", "a": null, "b": null, "c": 1.0}\n'


def _cannot(*_: Any, **__: Any) -> None:
    raise TypeError("Descriptors cannot be created directly.\nregenerate [them]")


@pytest.mark.parametrize("where", ["__init__", "add_scalar", "close"])
def test_a_tensorboard_that_fails_is_one_line_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    board = pytest.importorskip("torch.utils.tensorboard")
    monkeypatch.setattr(board.SummaryWriter, where, _cannot)
    said: list[str] = []
    log = MetricsLog(tmp_path, 0, said.append)
    for step in (1, 2):
        log.write(step, {"reward": 1.0})
    log.close()
    assert len(said) == 1
    assert said[0].startswith("TensorBoard does not work here (TypeError: Descriptors cannot be created directly. reg")
    assert "\n" not in said[0]
    assert log.path.read_text().count("\n") == 2


def test_a_folder_in_its_place_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file")
    said: list[str] = []
    board = MetricsLog(tmp_path, 0, said.append)
    board.write(1, {"reward": 1.0})
    board.close()
    assert len(said) == 1


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("torch.utils.tensorboard", "tensorboard"))]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("not_imported")
def test_a_tensorboard_whose_libraries_are_broken_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "tensorboard":
                raise TypeError("Descriptors cannot be created directly.")

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    said: list[str] = []
    log = MetricsLog(tmp_path, 0, said.append)
    log.write(1, {"reward": 1.0})
    log.close()
    assert len(said) == 1
    assert log.path.read_text().count("\n") == 1


@pytest.mark.usefixtures("not_imported")
def test_a_tensorboard_that_is_named_and_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match="log names TensorBoard, which is not installed: pip install tensorboard"):
        TensorBoard()


def shown(*what: Any) -> str:
    console = Console(record=True, width=120, file=open(os.devnull, "w"))  # noqa: SIM115
    for part in what:
        console.print(part)
    return console.export_text()


def test_names_with_brackets_are_shown_as_they_are() -> None:
    completion = Completion((1,), (-1.0,), HOSTILE, "eos", 0)
    trajectory = Trajectory(HOSTILE)
    trajectory.note(Step((HOSTILE, HOSTILE, 0, 0), (1,), completion, 1.0, "prompt"))
    text = shown(completions_table(Group(HOSTILE, [trajectory]), 3))
    assert f"step 3: {HOSTILE}" in text
    assert text.count(HOSTILE) == 3
    with make_progress(Console(record=True, width=200, file=open(os.devnull, "w"))) as progress:
        progress.add_task(HOSTILE, total=1, shown=HOSTILE)
        assert shown(progress.get_renderable()).count(HOSTILE) == 2
