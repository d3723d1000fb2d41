"""The command that measures a machine, on a tiny model; its figures are not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model_state_dict
from safetensors.torch import load_file

from codeduet.agents.config import TeamConfig
from codeduet.agents.team import load_team
from codeduet.benchmarks.speed import training
from codeduet.benchmarks.speed.__main__ import main
from codeduet.benchmarks.speed.ceilings import Ceilings, Work
from codeduet.benchmarks.speed.generation import Load, bound_seconds
from codeduet.envs import MAIN
from codeduet.screen import run_script

SMALL = [
    "problems_per_step=2",
    "group_size=2",
    "sampling.max_new_tokens=8",
    "env.problems=embedded",
    "team.threads=1",
    "--shape",
    "tiny",
    "--device",
    "cpu",
    "--rounds",
    "1",
    "--loads",
    "2,2,20,4",
    "--learns",
    "2,2,20,4",
    "--micro-batches",
    "64",
]


def run(out: Path, *more: str) -> dict[str, Any]:
    main([*SMALL, "--out", str(out), *more])
    found: dict[str, Any] = json.loads((out / "speed.json").read_text())
    return found


def test_one_command_measures_and_trains_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path, "--minutes", "0", "--profile")
    assert (first["training"]["step"], first["training"]["steps_now"]) == (1, 1)
    assert [row["adapters"] for row in first["generation"]] == [True, False]
    assert [row["recompute"] for row in first["learner"]] == [False, True]
    for row in (*first["generation"], *first["learner"]):
        assert row["tokens_per_second"] > 0
    assert "parity" not in first  # there is no second device
    assert first["training"]["plan_gib"] > 0
    assert "aten::" in (tmp_path / "profile.txt").read_text()
    assert "MAGRPO, 1 steps" in capsys.readouterr().out
    again = run(tmp_path, "--minutes", "0", "--parts", "training")
    assert (again["training"]["step"], again["training"]["steps_now"]) == (2, 1)
    assert "generation" not in again
    rows = [json.loads(line) for line in (tmp_path / "train" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--loads", "1,2"], "'1,2' is not problems, samples, prompt_tokens, new_tokens"),
        (["--rounds", "0"], "'0' is no whole number above 0"),
        (["--minutes", "-1"], "'-1' is no number of minutes"),
        (["--minutes", "soon"], "invalid minutes value: 'soon'"),
        (["--model", "nowhere"], "codeduet: no folder nowhere: --model is a transformers folder"),
        (["nonsense.key=1"], "codeduet: unknown config key 'nonsense'"),
    ],
)
def test_wrong_words_are_one_line_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv",
        ["speed", "--shape", "tiny", "--device", "cpu", *words] if "--model" not in words else ["speed", *words],
    )
    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not Path("runs/speed/speed.json").exists()


def test_adapters_come_out_in_bfloat16_and_in_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = load_team(config=TeamConfig(lora_rank=4))[MAIN]
    whole = get_peft_model_state_dict(policy.model, adapter_name=policy.adapter, save_embedding_layers=False)
    monkeypatch.setattr(training, "SHARD_BYTES", 20_000)
    files = training.write_shards(policy, tmp_path)
    assert len(files) > 1
    assert all(file.stat().st_size < 30_000 for file in files)
    read = {name: tensor for file in files for name, tensor in load_file(file).items()}
    assert read.keys() == whole.keys()
    for name, tensor in read.items():
        assert torch.equal(tensor, whole[name].to(torch.bfloat16))


def test_a_bound_is_the_larger_of_operations_and_reads() -> None:
    """Figured by hand: 2 prompts of 10 tokens, 4 rows, 3 tokens each."""
    ceilings = Ceilings(
        "", gemm_tflops=1e-9, copy_gb_s=1e-6, stated_tflops=None
    )  # 1,000 operations, 1,000 bytes a second
    work = Work(layers=100, head=50, bytes=300, cache_bytes=2)
    load = Load(problems=2, samples=2, prompt_tokens=10, new_tokens=3)
    prefill = 2 * (100 * 20 + 50 * 2) / 1000
    steps = [max(2 * 4 * 150 / 1000, (300 + 4 * (10 + step) * 2) / 1000) for step in (1, 2)]
    assert bound_seconds(work, load, ceilings) == pytest.approx(prefill + sum(steps))
    assert ceilings.seconds(flops=1, bytes_read=5000) == pytest.approx(5)
