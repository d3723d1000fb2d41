"""The table by one command: what each protocol runs, what the table says, and that it can be cut off anywhere."""

from __future__ import annotations

import hashlib
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
from rich.progress import Progress

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.models import model_path
from codeduet.algorithms.config import OptimConfig, TrainConfig
from codeduet.benchmarks.ablations import ABLATIONS, ablate
from codeduet.benchmarks.ablations import table as ablation_table
from codeduet.benchmarks.memory import Shape, shape_plan
from codeduet.benchmarks.paper_table import PAPER, ROWS, differences, headline, paired_difference, pairs, tables
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.benchmarks.report import write_report
from codeduet.benchmarks.reproduce import open_run, reproduce, train
from codeduet.benchmarks.table_plan import (
    ReproduceConfig,
    Training,
    bench_config,
    memory_plans,
    plan,
    rows_of,
    train_config,
)
from codeduet.config import load_config, packaged_configs, to_yaml
from codeduet.envs import InputError
from codeduet.files import locked

SINGLE, MULTI_AGENT, GRPO, MAGRPO = (ROWS[name] for name in ("single", "multi_agent", "grpo", "magrpo"))
SINGLE_WHOLE, GRPO_WHOLE = ROWS["single_team_budget"], ROWS["grpo_team_budget"]
DEFAULT_ROWS = [name for name, row in ROWS.items() if row.best_of == 1]
QWEN_3B = Shape(hidden=2048, layers=36, heads=16, kv_heads=2, feed_forward=11008, vocabulary=151936)


def samples_of(config: ReproduceConfig, place: str) -> list[dict[str, Any]]:
    lines = (Path(config.out) / place / "samples.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in results.items() if key != "seconds"}


def longest_answer(config: ReproduceConfig, row: str) -> int:
    return max(sample["tokens"]["main_0"] for sample in samples_of(config, f"{row}/samples"))


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
    assert list(results["rows"]) == DEFAULT_ROWS
    magrpo = results["rows"]["magrpo"]["training"]
    assert magrpo["steps"] == 2
    for name, tokens in (("grpo", 64), ("grpo_team_budget", 128)):
        grpo = results["rows"][name]["training"]
        # At equal tokens: GRPO's last step is the one that reached MAGRPO's number.
        assert grpo["tokens"] >= magrpo["tokens"] > 0
        assert grpo["tokens"] - magrpo["tokens"] <= 4 * tokens
    assert results["rows"]["single"]["training"] is None
    weights = Path(model_path("embedded")) / "model.safetensors"
    assert results["weights"] == {weights.name: hashlib.sha256(weights.read_bytes()).hexdigest()}
    for name, row in results["rows"].items():
        passed = {
            of: [sample["passed"] for sample in samples_of(config, f"{name}/{of}")] for of in ("samples", "greedy")
        }
        assert (len(passed["samples"]), len(passed["greedy"])) == (18, 6)
        assert row["pass@k"]["1"]["mean"] == pytest.approx(statistics.mean(passed["samples"]))
        assert row["greedy"]["mean"] == pytest.approx(statistics.mean(passed["greedy"]))
        sampled = samples_of(config, f"{name}/samples")
        longest = max(max(sample["tokens"].values()) for sample in sampled)
        assert {sum(n > 0 for n in sample["tokens"].values()) for sample in sampled} == {row["answers a program"]}
        assert 48 < longest <= row["tokens an answer"]
        assert row["generated tokens at evaluation"]["main_0"] == sum(s["tokens"]["main_0"] for s in sampled)
    assert longest_answer(config, "single") <= 64 < longest_answer(config, "single_team_budget") <= 128
    assert 64 < longest_answer(config, "grpo_team_budget") <= 128
    assert 0 < results["rows"]["multi_agent"]["pass@k"]["3"]["mean"] < 1  # so that there is something to get wrong
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    for table in tables(results):
        console.print(table)
    text = console.export_text()
    equal, name, capped = re.split(r"(64 tokens an answer \(an answer holds at most 64 tokens:)", text, maxsplit=1)
    assert name
    assert "Equal budget: at most 128 tokens a program" in equal
    assert re.search(r"tokens an answer +128 +64 +128 +64 *\n", equal)
    assert re.search(r"tokens an answer +64 +64 +64 +64 *\n", capped)
    for part in (equal, capped):
        assert re.search(r"answers a program +1 +2 +1 +2 *\n", part)
        assert re.search(rf"training tokens +0 +0 +[\d,]+ +{magrpo['tokens']:,} *\n", part)
        assert "protocol sound" in " ".join(part.split())
        assert all(f"MAGRPO less {other}" in part for other in ("Single Model", "Multi-Agent", "GRPO"))
    assert "paper" not in equal
    assert results["rows"]["grpo_team_budget"]["paper"] == {}
    assert [made["capped"] for made in results["comparisons"]] == [False, True]
    assert re.search(r"pass@1 .*\n.*paper .*29 .*24 .*15 .*44 ", capped)
    assert max(map(len, text.splitlines())) <= 80
    assert reproduce(config, console=Console(quiet=True))["rows"] == results["rows"]  # read, not played again
    reported = write_report([Path(config.out)], Path(config.out) / "report")[-2].read_text()
    titles = re.findall(r"^## (.*)$", reported, re.MULTILINE)
    assert titles[0] == "What holds at equal budget"
    assert reported.split(titles[0])[1].strip().startswith(headline(results))
    tables_told = [title for title in titles if "tokens a" in title]
    kinds = [
        "equal" if title.startswith("Equal budget") else "capped" for title in tables_told if "pass@k:" not in title
    ]
    # Rows and differences of either, pass@k and rates side by side, curves of the trainings.
    assert kinds == ["equal", "equal", "capped", "capped", "equal", "capped", "equal", "capped"]
    assert all("64 tokens an answer" in title or title.startswith("Equal") for title in titles if "Learning" in title)
    assert all("64 tokens an answer" in title for title in tables_told if not title.startswith("Equal budget"))


def test_the_protocols_differ_where_they_should(config: ReproduceConfig) -> None:
    paper = replace(config, protocol="paper")
    assert [part for part in plan(paper) if part.what == "greedy"] == []
    assert {row.name for row in rows_of(paper)} == set(PAPER)
    assert train_config(paper, GRPO).env.reward == "grpo"
    assert train_config(paper, MAGRPO).env.reward == "magrpo"
    assert train_config(paper, MAGRPO).options == {}
    assert train_config(paper, MAGRPO).team.prompt == bench_config(paper, SINGLE).team.prompt == "base"
    assert train_config(paper, GRPO).token_budget == 0
    assert train_config(config, GRPO).env.reward == train_config(config, MAGRPO).env.reward == "magrpo"
    assert train_config(config, MAGRPO).options["credit"] == "nested"
    assert train_config(config, GRPO, 1000).token_budget == 1000
    assert bench_config(config, SINGLE).team.prompt == "auto"


def test_with_a_token_budget_of_its_own_each_training_ends_there_and_waits_for_no_other(
    config: ReproduceConfig,
) -> None:
    config = replace(config, token_budget=700, rows=["grpo"])
    assert [part.what for part in plan(config)] == ["train", "sample", "greedy"]
    alone = reproduce(config, console=Console(quiet=True))["rows"]["grpo"]
    both = reproduce(replace(config, rows=["grpo", "magrpo"]), console=Console(quiet=True))["rows"]
    assert both["grpo"] == alone  # trained before, as it would be now
    for row, answers in (("grpo", 4), ("magrpo", 6)):
        training = both[row]["training"]
        assert 700 <= training["tokens"] < 700 + answers * 64
        assert training["steps"] > 2  # those of the config are MAGRPO's where no budget is given


def test_one_model_at_the_teams_budget_differs_in_its_answers_length_alone(config: ReproduceConfig) -> None:
    whole, capped = train_config(config, GRPO_WHOLE, 1000), train_config(config, GRPO, 1000)
    assert (whole.sampling.max_new_tokens, capped.sampling.max_new_tokens) == (128, 64)
    assert replace(whole, out="", sampling=capped.sampling) == replace(capped, out="")
    sampled = bench_config(config, SINGLE_WHOLE)
    assert replace(sampled, out="", sampling=config.sampling) == replace(bench_config(config, SINGLE), out="")
    assert bench_config(config, SINGLE_WHOLE, greedy=True).sampling.max_new_tokens == 128
    for row in (MULTI_AGENT, MAGRPO):
        assert bench_config(config, row).sampling.max_new_tokens == 64


def test_the_rows_can_be_chosen_but_no_grpo_without_the_training_it_is_measured_by(config: ReproduceConfig) -> None:
    chosen = replace(config, rows=["magrpo", "single_team_budget"])
    assert [row.name for row in rows_of(chosen)] == ["single_team_budget", "magrpo"]
    with pytest.raises(InputError, match="rows has GRPO without MAGRPO"):
        plan(replace(config, rows=["single", "grpo"]))
    order = [row.name for row in rows_of(config)]
    assert order.index("magrpo") < min(order.index("grpo"), order.index("grpo_team_budget"))
    # Real models: one training of GRPO, which is at the answers of one agent.
    for preset in ("qwen-0.5b", "qwen-0.5b-cpu", "paper"):
        rows = {row.name for row in rows_of(load_config(ReproduceConfig, f"presets/{preset}"))}
        assert rows == set(ROWS) - {"grpo_team_budget"}
    for preset in ("embedded", "smoke"):
        assert len(rows_of(load_config(ReproduceConfig, f"presets/{preset}"))) == 6
    paper = load_config(ReproduceConfig, "presets/embedded", ["protocol=paper"])
    assert {row.name for row in rows_of(paper)} == set(PAPER)


def table_of(**correct: list[int]) -> dict[str, Any]:
    """Results of rows that solve so many of 4 samples of each problem."""
    rows = {}
    for name, counts in correct.items():
        row = ROWS[name]
        share = sum(counts) / (4 * len(counts))
        rows[name] = {
            "system": row.system,
            "tokens an answer": row.budget(64).tokens,
            "answers a program": row.agents,
            "training": {"tokens": 1} if row.trained else None,
            "pass@k": {"1": {"mean": share}, "4": {"mean": sum(c > 0 for c in counts) / len(counts)}},
            "problems": {str(i): {"n": 4, "correct": c} for i, c in enumerate(counts)},
        }
    return {"rows": rows, **{f"pass@{k} differences": differences(rows, k, 0) for k in (1, 4)}}


def test_the_first_sentence_says_who_is_better_at_equal_budget_and_where() -> None:
    told = headline(table_of(grpo_team_budget=[4, 4, 3, 4], magrpo=[1, 2, 1, 1], grpo=[0, 0, 0, 0]))
    assert told == (
        "Trained, at equal budget: at most 128 tokens a program, one model is better at k = 1; they are not told apart at "
        "k = 4: GRPO 93.8 % and MAGRPO 31.2 % at pass@1, a paired difference of -62.5 (-75.0 to -50.0) points."
    )
    told = headline(table_of(single_team_budget=[0, 0, 1, 0], multi_agent=[2, 3, 4, 4], magrpo=[0, 1, 1, 0]))
    first, caution, second = re.split(r" (?=One model)| (?=Untrained, )", told)
    assert caution == "One model trained at this budget was not measured, which may reverse that."
    assert first.startswith("Trained against untrained, at equal budget")
    assert "they are not told apart at k = 1, 4: Single Model 6.2 % and MAGRPO 12.5 %" in first
    assert second.startswith(
        "Untrained, at equal budget: at most 128 tokens a program, two agents are better at k = 1, 4"
    )
    told = headline(table_of(single=[0, 0], multi_agent=[1, 1], grpo=[0, 0], magrpo=[4, 4]))
    assert told.startswith("Nothing can be said: no row of one model has the team's budget")


def test_magrpo_is_compared_with_every_other_row() -> None:
    found = pairs(ROWS)
    assert {b for a, b in found if a == "magrpo"} == set(ROWS) - {"magrpo"}
    assert {("grpo", "single"), ("grpo_team_budget", "single_team_budget")} <= set(found)
    assert ("grpo", "single_team_budget") not in found


def test_nothing_is_said_where_nothing_is_compared() -> None:
    assert headline(table_of(single=[1, 2])) == ""
    assert headline(table_of(single=[1, 2], single_team_budget=[2, 2])) == ""
    assert headline(table_of(multi_agent=[1, 2], magrpo=[2, 3])) == ""
    lonely = table_of(single=[1, 2])
    lonely |= {"test problems": 2, "n": 4, "protocol": "sound", "seed": 0, "note": ""}
    lonely["rows"]["single"] |= {
        "paper": {},
        "greedy": None,
        "rates": {"extracted": {"mean": 1.0}, "truncated": {"mean": 0.0}},
    }
    lonely["rows"]["single"]["generated tokens at evaluation"] = {"main_0": 3}
    for value in lonely["rows"]["single"]["pass@k"].values():
        value |= {"low": float("nan"), "high": float("nan")}
    (shown,) = tables(lonely)
    assert str(shown.title).startswith("At most 64 tokens a program.")
    assert "37.5 (no interval)" in {str(cell) for cell in shown.columns[1].cells}


def test_a_run_of_before_rows_could_be_chosen_goes_on(config: ReproduceConfig) -> None:
    chosen = replace(config, rows=["single_team_budget", "multi_agent", "magrpo", "single", "grpo"])
    open_run(chosen)
    saved = Path(config.out) / "config.yaml"
    kept = [line for line in saved.read_text().splitlines(keepends=True) if not line.startswith(("rows:", "- "))]
    saved.write_text("".join(kept).replace("micro_batch_tokens: auto", "micro_batch_tokens: 8192"))
    assert "k:" in saved.read_text()
    saved.write_text(saved.read_text().replace("k:\n", "k: [1, 3]\n"))
    samples = Path(config.out) / "single/samples/samples.jsonl"
    samples.parent.mkdir(parents=True)
    samples.write_text("")
    assert load_config(ReproduceConfig, str(saved)).rows == DEFAULT_ROWS
    assert open_run(chosen) == chosen
    assert open_run(replace(chosen, rows=["magrpo"])).rows == ["magrpo"]


def test_differences_are_paired_by_problem(config: ReproduceConfig) -> None:
    def row(correct: list[int]) -> dict[str, Any]:
        return {"problems": {str(i): {"n": 4, "correct": c} for i, c in enumerate(correct)}}

    # Always one of four more: pairing leaves no spread, whatever the problems' own differences. Of three equal ones no
    # more than 1 - 0.025 ** (1 / 3) = 0.7076 of all are others, of which each lies between -1 and 1.
    assert paired_difference(row([1, 2, 4]), row([0, 1, 3])) == pytest.approx((0.25, -0.6345, 0.7807), abs=5e-5)
    mean, low, high = paired_difference(row([4, 0, 4, 0]), row([0, 4, 0, 4]))
    assert (mean, low < 0 < high) == (0.0, True)
    # At k = 4 of 4: whether any sample passes.
    assert paired_difference(row([1, 2, 4]), row([0, 0, 3]), k=4).mean == pytest.approx(2 / 3)


def test_every_preset_loads_and_says_what_it_is() -> None:
    assert packaged_configs("presets") == ["embedded", "paper", "qwen-0.5b", "qwen-0.5b-cpu", "smoke"]
    presets = {name: load_config(ReproduceConfig, f"presets/{name}") for name in packaged_configs("presets")}
    assert "never been run" in presets["paper"].note
    assert presets["paper"].n == 10
    # The 3B is a base model: under either protocol it continues text, and stop strings end it.
    assert train_config(presets["paper"], MAGRPO).team.prompt == "base"
    assert set(PAPER["magrpo"]) == set(presets["paper"].k)


def test_the_papers_model_fits_its_gpu_by_the_plan() -> None:
    # Hugging Face counts 3.09 billion parameters, 3.086 without biases and norms.
    assert QWEN_3B.weights == pytest.approx(3.086e9, rel=0.001)
    # Rank 16 on all linear maps of 36 layers: 29.9 million, as PEFT prints.
    assert QWEN_3B.adapter_weights(16) == pytest.approx(29.9e6, rel=0.005)
    assert QWEN_3B.cache_bytes == 36 * 2 * 256 * 2
    config = load_config(ReproduceConfig, "presets/paper")
    made = {row: shape_plan(train_config(config, ROWS[row]), QWEN_3B, config.gpu_gib) for row in ("magrpo", "grpo")}
    assert all(plan.total < plan.cap == 40 for plan in made.values())
    weights, adapter = 5.75, 29.9e6 * 4 / 2**30  # of bfloat16; of float32, for each agent
    assert made["magrpo"].held == pytest.approx(weights + 2 * adapter + 1, abs=0.02)
    assert made["magrpo"].trained == pytest.approx(2 * 3 * adapter, rel=0.005)
    assert made["grpo"].trained == pytest.approx(3 * adapter, rel=0.005)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_what_does_not_fit_a_gpu_that_is_not_here_names_the_rows_setting() -> None:
    config = load_config(ReproduceConfig, "presets/paper")
    lines = list(memory_plans(config, Console(quiet=True)))
    assert [line.partition(",")[0] for line in lines] == ["MAGRPO", "GRPO"]
    assert all(re.search(r": a GPU of 40 GiB, memory plan in GiB: \d+\.\d\d of 40\.00: held", line) for line in lines)
    # 8,192 tokens that are kept take 55 GiB by the widths of the 3B.
    too_much = Training(optim=OptimConfig(micro_batch_tokens=8192, gradient_checkpointing="never"))
    for row in ("grpo", "magrpo"):
        words = (
            rf"^{row}: memory plan in GiB: 5\d\.\d\d of 40\.00: .* fit: set {row}\.optim\.gradient_checkpointing=auto$"
        )
        with pytest.raises(InputError, match=words):
            list(memory_plans(replace(config, **{row: too_much}), Console(quiet=True)))


def test_the_plan_is_the_loaded_models_and_told_or_refused_before_anything_is_played(config: ReproduceConfig) -> None:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    config = replace(config, rows=["multi_agent", "magrpo"])
    lines = list(memory_plans(config, console))
    assert len(lines) == 1
    assert re.fullmatch(
        r"MAGRPO, two answers of 64 tokens: memory plan in GiB: [\d.]+ of [\d.]+: held .*\(micro-batches of 1024 tokens\)",
        lines[0],
    )
    small = replace(config, magrpo=replace(config.magrpo, optim=OptimConfig(memory_gib=0.1)))
    with pytest.raises(InputError, match=r"^magrpo: memory plan .* of 0\.10: .*: raise magrpo\.optim\.memory_gib to "):
        reproduce(small, console=console)
    assert not list(Path(config.out).rglob("samples.jsonl"))
    reproduce(config, console=console)
    told = console.export_text()
    assert told.count("memory plan in GiB") == 2  # at the start, and as the training begins
    assert not list(memory_plans(config, console))  # none is left


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
    assert "at 64 tokens an answer" in str(shown.title)
    old = {name: {key: row[key] for key in row if key != "tokens an answer"} for name, row in results.items()}
    assert "at tokens an answer that were not written down" in str(ablation_table(old).title)
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


def test_a_run_at_work_keeps_its_config_and_what_its_trainings_wrote(config: ReproduceConfig) -> None:
    run, quiet = Path(config.out), Console(quiet=True)
    training = run / "magrpo/train"
    training.mkdir(parents=True)
    open_run(config)
    (training / "metrics.jsonl").write_text("")
    (run / "results.json").write_text("{}")
    before = (run / "config.yaml").read_bytes()
    with locked(run):
        for start in (lambda: reproduce(replace(config, n=9), console=quiet), lambda: ablate(run, console=quiet)):
            with pytest.raises(InputError, match=rf"another process is at work in {run}: wait for it"):
                start()
    assert (run / "config.yaml").read_bytes() == before
    with locked(training), pytest.raises(InputError, match=rf"another process is at work in {training}"):
        train(train_config(config, MAGRPO), Progress(console=quiet))
    assert (training / "metrics.jsonl").exists()
    assert not (training / "config.yaml").exists()


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
    def weights(config: ReproduceConfig, what: str) -> dict[str, float]:
        return {part.row.name: part.weight for part in plan(config) if part.what == what}

    # 2 steps of 4 episodes; of a tree of two mains a helper, 12 completions, and twice that with learning.
    assert weights(config, "train") == {"magrpo": 24, "grpo": 24, "grpo_team_budget": 24}
    assert weights(replace(config, protocol="paper"), "train") == {"magrpo": 32, "grpo": 16}
    # 6 problems, 3 samples: an answer as long as two counts as two.
    assert weights(config, "sample") == {
        "single_team_budget": 36, "single": 18, "multi_agent": 36, "magrpo": 36, "grpo_team_budget": 36, "grpo": 18,
    }  # fmt: skip


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
    assert list(left[1]["rows"]) == DEFAULT_ROWS
    for name in ("single_team_budget", "grpo_team_budget"):
        assert (tmp_path / "cut" / name / "samples" / "samples.jsonl").is_file()
    for path in sorted((tmp_path / "whole").rglob("samples.jsonl")):
        assert (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
