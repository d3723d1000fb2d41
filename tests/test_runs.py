"""What a run folder says of itself, and what is made of one that was begun before it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codeduet.algorithms.config import TrainConfig
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.benchmarks.table_plan import ReproduceConfig
from codeduet.config import load_config, packaged_configs, read_yaml
from codeduet.envs import InputError
from codeduet.runs import check_free, command_of, read_config, write_config

KINDS: dict[str, Any] = {"train": TrainConfig, "bench": BenchConfig, "reproduce": ReproduceConfig}


@pytest.mark.parametrize("command", KINDS)
def test_a_run_folder_says_its_command(tmp_path: Path, command: str) -> None:
    config = KINDS[command](seed=3)
    write_config(tmp_path, config)
    assert (tmp_path / "config.yaml").read_text().splitlines()[1] == f"command: {command}"
    assert command_of(tmp_path) == command
    assert read_config(KINDS[command], tmp_path) == config
    for other in KINDS.keys() - {command}:
        with pytest.raises(InputError, match=f"is a config of codeduet {command}, not of codeduet {other}"):
            read_config(KINDS[other], tmp_path)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("algorithm: grpo\n", "train"),
        ("steps: 3\n", "train"),
        ("split: test\n", "bench"),
        ("protocol: paper\n", "reproduce"),
    ],
)
def test_a_folder_of_before_is_known_by_its_keys_and_read(tmp_path: Path, text: str, command: str) -> None:
    (tmp_path / "config.yaml").write_text(text + {"train": "show_every: 0\n"}.get(command, "k: [1]\n"))
    assert command_of(tmp_path) == command
    key, value = next(iter(read_yaml(str(tmp_path / "config.yaml")).items()))
    assert getattr(read_config(KINDS[command], tmp_path), key) == value


def test_what_a_folder_says_goes_before_its_keys(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("command: bench\nsteps: 3\n")
    assert command_of(tmp_path) == "bench"
    assert command_of(tmp_path / "nowhere") is None


def test_another_commands_folder_is_not_free_once_it_holds_more_than_its_config(tmp_path: Path) -> None:
    write_config(tmp_path, BenchConfig())
    check_free(tmp_path, "train")
    (tmp_path / "samples.jsonl").write_text("")
    check_free(tmp_path, "bench")
    with pytest.raises(InputError, match="holds a run of codeduet bench: choose another out="):
        check_free(tmp_path, "train")


def test_every_config_that_ships_says_its_command() -> None:
    for name in [*packaged_configs(), *(f"presets/{preset}" for preset in packaged_configs("presets"))]:
        load_config(KINDS[read_yaml(name)["command"]], name)
