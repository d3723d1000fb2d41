"""wandb, trackio and TensorBoard: named, they hold the figures of metrics.jsonl; not named, they are not imported."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.steps import Group
from codeduet.algorithms import TrainConfig, Trainer, make_trainer, train
from codeduet.algorithms.callbacks import Callback
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.tracking import make_tracker
from codeduet.envs import InputError
from tests.letters import LetterReward


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2),
        sampling=SamplingConfig(max_new_tokens=8),
        steps=2,
        problems_per_step=1,
        group_size=2,
        checkpoint_every=1,
    )


class Library:
    """wandb's or trackio's functions, as far as they are called."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.finished = 0

    def init(self, **settings: Any) -> Any:
        self.begun.append(settings)
        name = settings.get("id", settings["name"]) or "made up"
        return SimpleNamespace(id=name, name=name)

    def log(self, values: dict[str, float], step: int) -> None:
        self.logged.append((step, values))

    def finish(self) -> None:
        self.finished += 1


class Measured(Callback):
    """Writes a number of another kind than a step's."""

    def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
        trainer.write({"pass@1": 0.5}, kind="eval")


def figures(config: TrainConfig) -> list[tuple[int, dict[str, float]]]:
    """Return what metrics.jsonl holds, as a tracker is told it."""
    return [
        (row["step"], {f"{row['kind']}/{k}": v for k, v in row.items() if k not in ("step", "kind") and v is not None})
        for row in read_metrics(Path(config.out))
    ]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_library_gets_every_figure_and_a_resumed_run_goes_on_in_its_own(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    library = Library()
    monkeypatch.setitem(sys.modules, name, library)  # type: ignore[arg-type]
    config = replace(config, log=[name])  # type: ignore[list-item]
    train(config, algorithm=LetterReward())
    assert library.logged == figures(config)
    assert all(math.isfinite(value) for _, values in library.logged for value in values.values())
    train(replace(config, steps=3), resume=True, algorithm=LetterReward())
    assert library.logged == figures(config)
    assert [step for step, _ in library.logged] == [1, 2, 3]
    assert library.finished == 2
    first, second = library.begun
    assert first["config"]["steps"] == 2
    key = "id" if name == "wandb" else "name"
    assert (first[key], second[key]) == (None, "made up")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_library_that_is_named_and_not_there_is_told_before_a_model_is_loaded(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("codeduet.agents.build.load_team", lambda *_, **__: pytest.fail("a model is loaded"))
    with pytest.raises(InputError) as refused:
        make_trainer(replace(config, log=[name]))  # type: ignore[list-item]
    assert str(refused.value) == f"log names {name}, which is not installed: pip install {name}"


def test_a_library_that_fails_on_the_way_is_one_line_and_ends_nothing(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = Library()
    monkeypatch.setattr(library, "log", lambda *_, **__: 1 / 0)
    monkeypatch.setitem(sys.modules, "wandb", library)  # type: ignore[arg-type]
    trainer = train(replace(config, log=["wandb"]), algorithm=LetterReward())
    assert trainer.step == 2
    told = [line for line in capsys.readouterr().out.splitlines() if "wandb" in line]
    assert told == [
        "wandb does not work here (ZeroDivisionError: division by zero): the run goes on without; metrics.jsonl has every number"
    ]


def test_tensorboard_holds_the_figures_of_a_training(config: TrainConfig) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    from tensorboard.util.tensor_util import make_ndarray

    config = replace(config, log=["tensorboard"])
    train(config, algorithm=LetterReward(), callbacks=[Measured()])
    found = {
        (event.step, value.tag): float(make_ndarray(value.tensor))
        for path in (Path(config.out) / "tensorboard").iterdir()
        for event in loader.EventFileLoader(str(path)).Load()
        for value in event.summary.value
    }
    expected = {(step, name): value for step, values in figures(config) for name, value in values.items()}
    assert found == pytest.approx(expected, rel=1e-6)  # it keeps float32
    assert found[2, "eval/pass@1"] == 0.5


def test_what_is_not_named_is_not_imported() -> None:
    code = (
        "import sys, codeduet.algorithms\n"
        "assert not {'wandb', 'trackio', 'tensorboard', 'torch.utils.tensorboard'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# With the libraries themselves, where they are installed.


def records(path: Path) -> list[bytes]:
    """Return the records of a file of wandb's: LevelDB's log, behind a head of seven bytes."""
    data, place, found, begun = path.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        left = 2**15 - place % 2**15  # of a block, which no record's head goes across
        if left < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        begun += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last of several parts
            found.append(begun)
            begun = b""
    return found


def test_wandb_offline_holds_the_figures(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = replace(config, log=["wandb"])
    train(config, algorithm=LetterReward(), callbacks=[Measured()])
    (path,) = (Path(config.out) / "wandb").glob("offline-run-*/*.wandb")
    found = {}
    for data in records(path):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            step = int(items["_step"])
            found |= {(step, key): float(value) for key, value in items.items() if not key.startswith("_")}
    expected = {(step, name): value for step, values in figures(config) for name, value in values.items()}
    assert found == pytest.approx(expected)
    assert {(1, "train/reward"), (2, "train/reward"), (2, "eval/pass@1")} <= found.keys()


def test_trackio_holds_the_figures(config: TrainConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    config = replace(config, log=["trackio"])
    trainer = train(config, algorithm=LetterReward(), callbacks=[Measured()])
    tracker = next(callback for callback in trainer.callbacks if isinstance(callback, type(make_tracker("trackio"))))
    (run,) = trackio.Api().runs("codeduet")
    assert run.name == tracker.state_dict()["name"]
    from trackio.sqlite_storage import SQLiteStorage

    found = {
        (row["step"], name): value
        for row in SQLiteStorage.get_logs("codeduet", run.name)
        for name, value in row.items()
        if name not in ("step", "timestamp")
    }
    expected = {(step, name): value for step, values in figures(config) for name, value in values.items()}
    assert found == pytest.approx(expected)
    assert {(1, "train/reward"), (2, "train/reward"), (2, "eval/pass@1")} <= found.keys()
