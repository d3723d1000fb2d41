"""The table by one command: what each protocol runs, what the table says, and that it can be cut off anywhere."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.algorithms.config import OptimConfig, SamplingConfig, TeamConfig, TrainConfig
from codeduet.benchmarks.ablations import ABLATIONS, ablate
from codeduet.benchmarks.ablations import table as ablation_table
from codeduet.benchmarks.config import load_config, packaged_configs, to_yaml
from codeduet.benchmarks.memory import Shape, memory_plan
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.benchmarks.reproduce import (
    PAPER,
    ReproduceConfig,
    Training,
    bench_config,
    needs,
    open_run,
    paired_difference,
    plan,
    reproduce,
    tables,
    train_config,
)
from codeduet.envs import InputError

QWEN_3B = Shape(hidden=2048, layers=36, heads=16, kv_heads=2, feed_forward=11008, vocabulary=151936)


def samples_of(config: ReproduceConfig, place: str) -> list[dict[str, Any]]:
    lines = (Path(config.out) / place / "samples.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in results.items() if key != "seconds"}


@pytest.fixture
def config(tmp_path: Path) -> ReproduceConfig:
    """The embedded model and problems, cut down: some samples pass and some do not."""
    training = Training(steps=2, problems_per_step=1, group_size=4, checkpoint_every=1)
    return ReproduceConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(sharing="separate", batch_size=16, threads=1),
        problems="embedded",
        sampling=SamplingConfig(max_new_tokens=64),
        limit=6,
        grpo=training,
        magrpo=replace(training, options={"credit": "nested", "mains": 2}),
        n=3,
        k=[1, 3],
    )


def test_the_rows_are_played_trained_and_set_beside_the_paper(config: ReproduceConfig) -> None:
    results = reproduce(config, console=Console(quiet=True))
    assert json.loads((Path(config.out) / "results.json").read_text()) == results
    assert list(results["rows"]) == ["single", "multi_agent", "grpo", "magrpo"]
    magrpo, grpo = results["rows"]["magrpo"]["training"], results["rows"]["grpo"]["training"]
    assert magrpo["steps"] == 2
    # At equal tokens: GRPO's last step is the one that reached MAGRPO's number.
    assert grpo["tokens"] >= magrpo["tokens"] > 0
    assert grpo["tokens"] - magrpo["tokens"] <= 4 * 64
    assert results["rows"]["single"]["training"] is None
    for name, row in results["rows"].items():
        passed = {
            of: [sample["passed"] for sample in samples_of(config, f"{name}/{of}")] for of in ("samples", "greedy")
        }
        assert (len(passed["samples"]), len(passed["greedy"])) == (18, 6)
        assert row["pass@k"]["1"]["mean"] == pytest.approx(statistics.mean(passed["samples"]))
        assert row["greedy"]["mean"] == pytest.approx(statistics.mean(passed["greedy"]))
    assert 0 < results["rows"]["multi_agent"]["pass@k"]["3"]["mean"] < 1  # so that there is something to get wrong
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    for table in tables(results):
        console.print(table)
    text = console.export_text()
    assert "protocol sound" in text
    assert re.search(r"pass@1 .*\n.*paper .*29 .*24 .*15 .*44 ", text)
    assert "MAGRPO less GRPO" in text
    assert reproduce(config, console=Console(quiet=True))["rows"] == results["rows"]  # read, not played again


def test_the_protocols_differ_where_they_should(config: ReproduceConfig) -> None:
    paper = replace(config, protocol="paper")
    assert [part for part in plan(paper) if part.what == "greedy"] == []
    assert train_config(paper, "grpo").env.reward == "grpo"
    assert train_config(paper, "magrpo").env.reward == "magrpo"
    assert train_config(paper, "magrpo").options == {}
    assert train_config(paper, "magrpo").team.prompt == bench_config(paper, "single").team.prompt == "base"
    assert train_config(paper, "grpo").token_budget == 0
    assert train_config(config, "grpo").env.reward == train_config(config, "magrpo").env.reward == "magrpo"
    assert train_config(config, "magrpo").options["credit"] == "nested"
    assert train_config(config, "grpo", 1000).token_budget == 1000
    assert bench_config(config, "single").team.prompt == "auto"


def test_differences_are_paired_by_problem(config: ReproduceConfig) -> None:
    def row(correct: list[int]) -> dict[str, Any]:
        return {"problems": {str(i): {"n": 4, "correct": c} for i, c in enumerate(correct)}}

    # Always one of four more: pairing leaves no spread, whatever the problems' own differences.
    assert paired_difference(row([1, 2, 4]), row([0, 1, 3]), config) == pytest.approx((0.25, 0.25, 0.25))
    mean, low, high = paired_difference(row([4, 0, 4, 0]), row([0, 4, 0, 4]), config)
    assert (mean, low < 0 < high) == (0.0, True)


def test_every_preset_loads_and_says_what_it_is() -> None:
    assert packaged_configs("presets") == ["embedded", "paper", "qwen-0.5b", "smoke"]
    presets = {name: load_config(ReproduceConfig, f"presets/{name}") for name in packaged_configs("presets")}
    assert "never been run" in presets["paper"].note
    assert presets["paper"].n == 10
    # The 3B is a base model: under either protocol it continues text, and stop strings end it.
    assert train_config(presets["paper"], "magrpo").team.prompt == "base"
    assert set(PAPER["magrpo"]) == set(presets["paper"].k)


def test_the_papers_model_fits_its_gpu_by_the_plan() -> None:
    # Hugging Face counts 3.09 billion parameters, 3.086 without biases and norms.
    assert QWEN_3B.weights == pytest.approx(3.086e9, rel=0.001)
    # Rank 16 on all linear maps of 36 layers: 29.9 million, as PEFT prints.
    assert QWEN_3B.adapter_weights(16) == pytest.approx(29.9e6, rel=0.005)
    assert QWEN_3B.cache_bytes == 36 * 2 * 256 * 2
    config = load_config(ReproduceConfig, "presets/paper")
    made = needs(config)
    assert made is not None
    assert made.peak < 40
    assert made.weights == pytest.approx(5.75, abs=0.02)
    # Too much in either training: 8192 tokens keep 55 GiB by the widths of the 3B.
    too_much = Training(optim=OptimConfig(micro_batch_tokens=8192))
    for row in ("grpo", "magrpo"):
        with pytest.raises(InputError, match=rf"the plan of {row} needs 6\d\.\d GiB of 40.*{row}\.optim"):
            needs(replace(config, **{row: too_much}))
    # What is shown is the larger of the two, of equals MAGRPO's with an adapter for each agent.
    assert made.adapters == pytest.approx(2 * 29.9e6 * 16 / 2**30, rel=0.005)
    larger = replace(config, grpo=Training(optim=OptimConfig(micro_batch_tokens=4096)))
    assert needs(larger).learning == pytest.approx(2 * (made.learning - 0.5) + 0.5)
    with_hf = memory_plan(QWEN_3B, TeamConfig(batch_size=64), OptimConfig(micro_batch_tokens=1), 40, 1024)
    assert with_hf.engine == pytest.approx(64 * 1024 * QWEN_3B.cache_bytes / 2**30)


def test_ablations_take_away_what_they_say_and_go_on(config: ReproduceConfig) -> None:
    run = Path(config.out)
    with pytest.raises(InputError, match="no finished reproduction"):
        ablate(run)
    quiet = Console(quiet=True)
    table = reproduce(config, console=quiet)
    results = ablate(run, console=quiet)
    assert list(results) == list(ABLATIONS)
    assert results["magrpo"]["problems"] == table["rows"]["magrpo"]["problems"]
    assert results["magrpo"]["pass@1 less MAGRPO's"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert results["untrained"]["problems"] == table["rows"]["multi_agent"]["problems"]
    called = {name: row["rates"]["helper_called"]["mean"] for name, row in results.items()}
    assert min(called["untrained"], called["magrpo"]) > 0
    assert called["untrained_silent"] == called["helper_silent"] == 0
    silent = samples_of(config, "ablations/helper_silent/samples")
    assert not any(sample["helper_code"] for sample in silent)
    loss = results["untrained_silent"]["pass@k"]["1"]["mean"] - results["magrpo"]["pass@k"]["1"]["mean"]
    assert results["untrained_silent"]["pass@1 less MAGRPO's"]["mean"] == pytest.approx(loss)
    trained = load_config(TrainConfig, str(run / "ablations/main_frozen/train/config.yaml"))
    assert (trained.frozen, trained.algorithm, trained.steps) == (["main_0"], "magrpo", 2)
    played = load_config(BenchConfig, str(run / "ablations/main_frozen/samples/config.yaml"))
    assert "main_frozen" in played.checkpoint
    blanked = load_config(BenchConfig, str(run / "ablations/helper_silent/samples/config.yaml"))
    assert blanked.blank == ["helper_0"]
    assert "run/magrpo/train" in blanked.checkpoint
    shown = ablation_table(results)
    assert shown.row_count == len(ABLATIONS)
    assert Console(width=500).measure(shown).maximum <= 80
    assert ablate(run, console=quiet) == results  # read, not played again
    run.rename(run.with_name("elsewhere"))
    with pytest.raises(InputError, match="goes on only where it was begun"):
        ablate(run.with_name("elsewhere"))


def test_a_run_of_another_config_is_refused_once_there_is_something_to_lose(config: ReproduceConfig) -> None:
    Path(config.out).mkdir()
    saved = Path(config.out) / "config.yaml"
    for left in (
        "",
        to_yaml(replace(config, seed=7)),
    ):  # cut off while it was written, or failed before its first sample
        saved.write_text(left)
        assert open_run(config) == config
        assert load_config(ReproduceConfig, str(saved)) == config
    samples = Path(config.out) / "single/samples/samples.jsonl"
    samples.parent.mkdir(parents=True)
    samples.write_text("")
    with pytest.raises(InputError, match=r"holds a run of another config \(seed is 0 there and 7 here\)"):
        reproduce(replace(config, seed=7))
    assert load_config(ReproduceConfig, str(saved)) == config


def test_a_run_goes_on_under_another_name_of_its_folder(
    config: ReproduceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Path(config.out) / "single/samples/samples.jsonl"
    samples.parent.mkdir(parents=True)
    open_run(config)
    samples.write_text("")
    monkeypatch.chdir(Path(config.out).parent)
    assert open_run(replace(config, out="run")) == config
    relative = replace(config, out="run/inner")
    samples = Path("run/inner/single/samples/samples.jsonl")
    samples.parent.mkdir(parents=True)
    open_run(relative)
    samples.write_text("")
    monkeypatch.chdir("run")
    with pytest.raises(InputError, match=f"goes on only where it was begun; start it from {Path.cwd().parent}$"):
        open_run(replace(config, out="inner"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"options": {"credit": "nested", "mains": 3}}, "makes no tree of 3 mains"),
        ({"options": {"credit": "nestled"}}, "option credit must be"),
        ({"options": {"main": 3}}, "unexpected keyword argument 'main'"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_sampled(
    config: ReproduceConfig, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        reproduce(replace(config, magrpo=replace(config.magrpo, **changed)))
    assert not Path(config.out).exists()
    with pytest.raises(InputError, match="temperature is 0"):
        plan(replace(config, sampling=SamplingConfig(temperature=0.0)))


def test_a_finished_training_is_not_opened_again(config: ReproduceConfig) -> None:
    """Its checkpoint says all there is to know, whatever became of its metrics."""
    quiet = Console(quiet=True)
    results = reproduce(config, console=quiet)
    assert results["seconds"]["magrpo"]["train"] > 0
    (Path(config.out) / "magrpo/train/metrics.jsonl").write_text("")
    again = reproduce(config, console=quiet)
    assert again["rows"] == results["rows"]
    assert again["seconds"]["single"] == results["seconds"]["single"]
    assert (Path(config.out) / "magrpo/train/metrics.jsonl").read_text() == ""


def test_samples_whose_training_is_gone_are_not_trained_over(config: ReproduceConfig) -> None:
    quiet = Console(quiet=True)
    reproduce(config, console=quiet)
    training = Path(config.out) / "magrpo/train"
    shutil.rmtree(training / "checkpoints")
    before = (training / "metrics.jsonl").read_text()
    with pytest.raises(InputError, match="checkpoints is gone, whose team wrote the samples beside it: put it back"):
        reproduce(config, console=quiet)
    assert (training / "metrics.jsonl").read_text() == before


def test_the_plan_weighs_grpo_at_equal_tokens(config: ReproduceConfig) -> None:
    def weights(config: ReproduceConfig) -> dict[str, float]:
        return {part.row: part.weight for part in plan(config) if part.what == "train"}

    # 2 steps of 4 episodes; of a tree of two mains a helper, 12 completions, and twice that with learning.
    assert weights(config) == {"magrpo": 24, "grpo": 24}
    assert weights(replace(config, protocol="paper")) == {"magrpo": 32, "grpo": 16}


def test_killed_at_random_it_ends_with_the_same_table(tmp_path: Path) -> None:
    """Five kills, each a random part of the work after the one before; the preset is cut down further."""
    overrides = ["limit=4", "magrpo.steps=3", "magrpo.checkpoint_every=1", "grpo.checkpoint_every=1"]

    def start(out: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "codeduet", "reproduce", "--preset", "smoke", "--out", str(tmp_path / out)]
        return subprocess.Popen([*command, *overrides, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seconds(out: str, *options: str) -> float:
        began = time.monotonic()
        assert start(out, *options).wait(timeout=250) == 0
        return time.monotonic() - began

    idle_s = seconds("idle", "--dry-run")
    work_s = seconds("whole") - idle_s
    rng = random.Random()
    for _ in range(5):
        running = start("cut")
        with pytest.raises(subprocess.TimeoutExpired):  # still at work, having had a sixth of its time at most
            running.wait(timeout=idle_s + rng.uniform(0.05, 0.15) * work_s)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert start("cut").wait(timeout=250) == 0
    left = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "cut")]
    assert without_times(left[1]) == without_times(left[0])
    for path in sorted((tmp_path / "whole").rglob("samples.jsonl")):
        assert (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
