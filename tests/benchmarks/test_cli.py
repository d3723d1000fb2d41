"""The command line: every mistake is one line and status 2, and the whole path runs with a tiny model."""

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

from codeduet import __version__
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.algorithms import TrainConfig, train
from codeduet.cli import main
from codeduet.config import load_config
from codeduet.envs.config import EnvConfig

Command = Callable[..., Any]


def assert_refused(ran: Any, words: str) -> None:
    """The command ended with status 2 and one line on standard error that says ``words``."""
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("codeduet: ")
    assert words in ran.err
    assert ran.status == 2


@pytest.fixture
def settings(model_dir: Path, problem_file: Path) -> list[str]:
    """Overrides that make any run tiny."""
    return [
        f"team.model={model_dir}",
        "team.lora_rank=2",
        f"env.problems={problem_file}",
        "sampling.max_new_tokens=4",
    ]


@pytest.fixture
def tiny(settings: list[str]) -> list[str]:
    """A training of two steps."""
    return ["train", *settings, "steps=2", "problems_per_step=1", "group_size=2", "checkpoint_every=1"]


def test_help_names_every_command(codeduet: Command) -> None:
    for arguments in (["--help"], []):
        ran = codeduet(*arguments)
        assert ran.status == 0
        for command in ("train", "eval", "bench", "judge", "report"):
            assert command in ran.out
    for command in ("train", "eval", "bench", "judge", "report"):
        assert codeduet(command, "--help").status == 0


def test_the_version_is_told(codeduet: Command) -> None:
    ran = codeduet("--version")
    assert (ran.status, ran.out, ran.err) == (0, f"codeduet {__version__}\n", "")


def test_a_config_is_printed_as_one_that_can_be_used(codeduet: Command, tmp_path: Path) -> None:
    ran = codeduet("config", "train", "--config", "grpo")
    assert (ran.status, ran.err) == (0, "")
    assert "\n# episodes G of each problem.\ngroup_size: 4\n" in ran.out
    (tmp_path / "mine.yaml").write_text(ran.out)
    assert load_config(TrainConfig, str(tmp_path / "mine.yaml")) == load_config(TrainConfig, "grpo")
    assert_refused(
        codeduet("config", "trian"), "no config of a command 'trian': choose train, bench, reproduce; did you"
    )
    assert_refused(
        codeduet("config", "bench", "-c", "grpo"), "grpo is a config of codeduet train, not of codeduet bench"
    )


def test_a_training_from_python_is_one_that_every_command_reads(
    codeduet: Command, model_dir: Path, problem_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    config = TrainConfig(
        out=str(run),
        team=TeamConfig(model=str(model_dir), lora_rank=2),
        env=EnvConfig(problems=str(problem_file)),
        sampling=SamplingConfig(max_new_tokens=4),
        steps=1,
        problems_per_step=1,
        group_size=2,
    )
    train(config)
    for words in (
        ["train", "--resume", run, "steps=2"],
        ["eval", run, "n=1", "k=[1]"],
        ["export", run, "--out", tmp_path / "exported"],
        ["report", run],
    ):
        ran = codeduet(*words)
        assert (ran.status, ran.err) == (0, ""), words
    assert "step 2 of 2, finished" in ran.out


def test_kernels_of_shapes_that_never_come_again_are_not_kept(
    codeduet: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")  # the user's own word holds
    codeduet("--help")
    assert os.environ["LRU_CACHE_CAPACITY"] == "64"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
    # In time: the command line itself imports no torch.
    code = "import sys, codeduet.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_quickstart_warns_of_nothing(tmp_path: Path) -> None:
    """Its commands, shortened, with every warning shown: what a library will drop is told by a warning first."""
    run, few = f"out={tmp_path / 'run'}", ["limit=1", "n=2", "k=[1]", "sampling.max_new_tokens=8"]
    commands = [
        ["train", "--config", "quickstart", run, "steps=1", "problems_per_step=1", "sampling.max_new_tokens=8"],
        ["bench", "--config", "quickstart_bench", *few, f"checkpoint={tmp_path / 'run'}", f"out={tmp_path / 'after'}"],
        ["report", str(tmp_path / "run")],
    ]
    code = (
        "import sys\nfrom codeduet.cli import main\n"
        f"for words in {commands!r}:\n"
        "    try:\n        main(words)\n    except SystemExit as end:\n        assert not end.code"
    )
    ran = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


# Bad input, one clear line each.


def test_an_unknown_task_id(codeduet: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"task_id": "HumanEval/164", "main_code": ""}\n')
    ran = codeduet("judge", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert_refused(ran, f"{tmp_path / 'in.jsonl'}, line 1: unknown task id 'HumanEval/164' among 164 problems")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"task_id": "HumanEval/0",', "line 2: not JSON ("),
        ('{"task_id": "HumanEval/0"}', "line 2: field 'main_code' (or 'completion') is missing"),
    ],
)
def test_a_malformed_row(codeduet: Command, tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"task_id": "HumanEval/0", "main_code": ""}}\n{row}\n')
    assert_refused(codeduet("judge", tmp_path / "in.jsonl", "--out", tmp_path / "out"), f"in.jsonl, {words}")


def test_more_k_than_samples(codeduet: Command, settings: list[str], tmp_path: Path) -> None:
    for dry in ([], ["--dry-run"]):
        ran = codeduet("bench", *settings, "n=3", "k=[1, 5]", f"out={tmp_path / 'run'}", *dry)
        assert_refused(ran, "pass@5 cannot be estimated from 3 samples a problem")


@pytest.mark.parametrize("command", ["train", "bench"])
def test_an_unknown_config_key(codeduet: Command, command: str) -> None:
    ran = codeduet(command, "sampling.temprature=1")
    assert_refused(ran, "unknown config key 'sampling.temprature'; did you mean 'temperature'?")


@pytest.mark.parametrize("command", ["train", "bench"])
def test_a_missing_model_folder(codeduet: Command, tmp_path: Path, command: str) -> None:
    ran = codeduet(command, f"team.model={tmp_path / 'nowhere'}", f"out={tmp_path / 'run'}")
    assert_refused(ran, f"no model folder {tmp_path / 'nowhere'}")
    assert not (tmp_path / "run").exists()


def test_a_problem_file_with_a_malformed_row(codeduet: Command, settings: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"task_id": "a"}\n')
    ran = codeduet("bench", *settings, f"env.problems={tmp_path / 'bad.jsonl'}", f"out={tmp_path / 'run'}")
    assert_refused(ran, "bad.jsonl, line 1: field 'prompt' is missing")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--dryrun"], "No such option"),
        (["judge", "in.jsonl"], "Missing option '--out'"),
        (["judge", "in.jsonl", "--out", "x", "--workers", "0"], "Invalid value for '--workers'"),
        (["train", "steps"], "an override is dotted.key=value, not 'steps'"),
        (["train", "--config", "magrop"], "did you mean 'magrpo'?"),
        (["train", "algorithm=magrop"], "unknown algorithm 'magrop'"),
        (["train", "env.reward=grop", "team.model=TINY", "out=OUT"], "unknown reward 'grop'"),
        (["bench", "env.reward=grop", "team.model=TINY", "out=OUT"], "unknown reward 'grop'"),
        (["eval", "nowhere"], "nowhere is no training run: config.yaml is missing"),
        (["report", "nowhere"], "no run folder nowhere"),
        (["ablate", "nowhere"], "nowhere holds no finished reproduction"),
    ],
)
def test_other_mistakes(codeduet: Command, arguments: list[str], words: str, model_dir: Path, tmp_path: Path) -> None:
    places = {"team.model=TINY": f"team.model={model_dir}", "out=OUT": f"out={tmp_path / 'run'}"}
    assert_refused(codeduet(*[places.get(word, word) for word in arguments]), words)


def test_a_base_that_changed_behind_its_adapters(
    codeduet: Command, tiny: list[str], model_dir: Path, tmp_path: Path
) -> None:
    """Other matrices, and the embeddings and norms they had: as merging an adapter leaves it."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model_dir, tmp_path / "base")
    run = [*tiny, f"team.model={tmp_path / 'base'}", f"out={tmp_path / 'run'}"]
    assert codeduet(*run).status == 0
    path = tmp_path / "base" / "model.safetensors"
    weights = load_file(path)
    weights["model.layers.0.mlp.up_proj.weight"][1, 2] += 0.1
    save_file(weights, path, metadata={"format": "pt"})
    assert_refused(codeduet("eval", tmp_path / "run"), "is a checkpoint of another model: base_weights is")
    assert_refused(codeduet(*run, "steps=3", "--resume"), "is a checkpoint of another model: base_weights is")


@pytest.mark.parametrize("command", ["train", "bench"])
def test_a_model_that_cannot_be_had_is_told_by_a_dry_run(
    codeduet: Command, settings: list[str], model_dir: Path, tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    config = json.loads((folder / "config.json").read_text())
    quantised = {**config, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (folder / "config.json").write_text(json.dumps(quantised))
    dry = [command, *settings, f"team.model={folder}", f"out={tmp_path / 'run'}", "--dry-run"]
    assert_refused(codeduet(*dry), "is quantised by bitsandbytes_4bit and cannot be loaded here")
    (folder / "config.json").write_text(json.dumps(config))
    assert_refused(codeduet(*dry, "team.dtype=float8_e4m3fn"), "unknown dtype 'float8_e4m3fn'")
    (folder / "chat_template.jinja").write_text(
        "{% if messages[0].role != 'system' %}{{ raise_exception('no system message') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}{{ sign }}] {{ m.content }}\n{% endfor %}"
    )
    assert_refused(codeduet(*dry), "the chat template needs a system message")
    ran = codeduet(*dry, "team.system=You program.", "team.template.sign=9")
    assert (ran.status, ran.err) == (0, "")
    assert "[system9] You program.\n[user9] You and another programmer" in ran.out


# What works.


@pytest.mark.parametrize("command", ["train", "bench"])
def test_a_dry_run_shows_the_plan_and_writes_nothing(
    codeduet: Command, settings: list[str], tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = codeduet(command, *settings, "out=run", "split=train" if command == "bench" else "steps=2", "--dry-run")
    assert (ran.status, ran.err) == (0, "")
    assert "max_new_tokens: 4\n" in ran.out
    prompt = 'def double(x: int) -> int:\n    """Return 2 * x."""\n'
    assert f"{prompt}    ...\n\n# Helper functions for double:\n" in ran.out
    assert "first prompt of main_0" in ran.out
    for name in ("weights", "gradients", "optimiser"):
        assert f"{name}: 0." in ran.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [[], ["--dry-run"], ["--resume"]])
def test_train_closes_its_engine_however_it_ends(
    codeduet: Command, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: list[str]
) -> None:
    closed: list[HFEngine] = []
    monkeypatch.setattr(HFEngine, "close", lambda engine: closed.append(engine))
    ran = codeduet(*tiny, f"out={tmp_path / 'run'}", *ending)
    assert ran.status == (2 if ending == ["--resume"] else 0)  # nothing to resume
    assert len(closed) == (0 if ending == ["--resume"] else 1)  # said before a model is loaded


def test_judge_scores_saved_samples(codeduet: Command, problem_file: Path, tmp_path: Path) -> None:
    rows = [{"task_id": "Toy/0", "completion": f"    return {body}\n"} for body in ("2 * x", "x")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl"
    ran = codeduet("judge", tmp_path / "in.jsonl", "--out", out, "--problems", problem_file, "--workers", "1")
    assert (ran.status, ran.err) == (0, "")
    assert f"1 of 2 samples pass; outcomes in {out}\n" in ran.out
    assert [json.loads(line)["passed"] for line in out.read_text().splitlines()] == [True, False]


def test_judge_says_that_raw_answers_are_not_read(codeduet: Command, problem_file: Path, tmp_path: Path) -> None:
    right = "def double(x):\n    return 2 * x"
    codes = (f"```python\n{right}\n```", f"Here:\n\n~~~\n{right}\n~~~", right, "def double(x:\n")
    rows = [{"task_id": "Toy/0", "main_code": code} for code in codes]
    rows += [{"task_id": "Toy/0", "completion": "```python\n    return 2 * x\n```"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("judge", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl", "--problems", problem_file)
    ran = codeduet(*asked, "--workers", "1")
    assert (ran.status, ran.err) == (0, "")
    assert "1 of 5 samples pass" in ran.out
    assert "3 of 5 samples are answers in Markdown fences" in ran.out
    (tmp_path / "in.jsonl").write_text(json.dumps(rows[3]) + "\n")
    assert "Markdown" not in codeduet(*asked, "--workers", "1").out


def test_train_resume_evaluate_and_report(
    codeduet: Command, tiny: list[str], tmp_path: Path, other_model: Path
) -> None:
    run = tmp_path / "run [1]"  # square brackets are no markup
    trained = codeduet(*tiny, f"out={run}")
    assert (trained.status, trained.err) == (0, "")
    assert f"run folder {run}\n" in trained.out
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step_000001", "step_000002"]

    assert_refused(codeduet(*tiny, f"out={run}"), f"{run} holds a run already: continue it with --resume")

    again = codeduet(*tiny, f"out={run}", "--resume")
    assert (again.status, again.err) == (0, "")
    longer = codeduet(*tiny, f"out={run}", "--resume", "steps=3")
    assert (longer.status, longer.err) == (0, "")
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in metrics] == [1, 2, 3]

    heavier = codeduet(*tiny, f"out={run}", "--resume", "steps=4", "optim.weight_decay=0.5")
    assert_refused(
        heavier, "has another optim.weight_decay: 0.0 there and 0.5 here: --resume goes on with the same run"
    )
    assert_refused(codeduet(*tiny, f"out={run}", "--resume", "steps=1"), "has steps=3, not 1: --resume can run longer")

    other = codeduet(*tiny, f"out={run}", "--resume", "steps=4", f"team.model={other_model}")
    assert_refused(other, f"has another team.model: {tiny[1].partition('=')[2]!r} there and {str(other_model)!r} here")

    evaluated = codeduet("eval", run, "n=2", "k=[1, 2]")
    assert (evaluated.status, evaluated.err) == (0, "")
    assert "pass@2" in evaluated.out
    results = json.loads((run / "eval" / "results.json").read_text())
    assert results["method"] == "team (trained)"
    assert results["config"]["checkpoint"] == str(run / "checkpoints" / "step_000003")
    assert list(results["problems"]) == ["Toy/3"]

    # The weights are others now: what is saved in eval/ is not theirs.
    assert codeduet(*tiny, f"out={run}", "--resume", "steps=4").status == 0
    assert_refused(codeduet("eval", run, "n=2", "k=[1, 2]"), "holds a run of another config")
    assert codeduet("eval", run, "n=2", "k=[1, 2]", "--out", tmp_path / "later").status == 0

    bench = [*tiny[1:5], f"checkpoint={run}", f"out={tmp_path / 'bench'}", f"team.model={other_model}"]
    assert_refused(codeduet("bench", *bench), "is a checkpoint of another model: hidden_size is 32 there and 48 here")
    assert not (tmp_path / "bench").exists()

    reported = codeduet("report", run)
    assert (reported.status, reported.err) == (0, "")
    assert f"learning curve in {run / 'learning_curve.png'}\n" in reported.out
    assert (run / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "pass@2" in reported.out
    assert "cannot be told from under 20 steps" in reported.out


def test_a_run_folder_of_another_command_is_refused_and_loses_nothing(
    codeduet: Command, tiny: list[str], tmp_path: Path
) -> None:
    trained, measured, table = tmp_path / "trained", tmp_path / "measured", tmp_path / "table"
    bench = ["bench", *tiny[1:5], "n=1", "k=[1]"]
    assert codeduet(*tiny, f"out={trained}").status == 0
    assert codeduet(*bench, f"out={measured}").status == 0
    table.mkdir()
    (table / "config.yaml").write_text("protocol: sound\n")
    (table / "results.json").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for command, run, owner in (
        (bench, trained, "train"),
        (bench, table, "reproduce"),
        (tiny, measured, "bench"),
        (tiny, table, "reproduce"),
        (["reproduce", "--preset", "smoke"], measured, "bench"),
        (["reproduce", "--preset", "smoke"], trained, "train"),
    ):
        assert_refused(codeduet(*command, f"out={run}"), f"{run} holds a run of codeduet {owner}: choose another out=")
    assert_refused(codeduet("eval", table), f"{table} is no training run: it holds a run of codeduet reproduce")
    assert_refused(codeduet("eval", tmp_path), f"{tmp_path} is no training run: config.yaml is missing")
    assert_refused(codeduet("ablate", measured), f"{measured} holds no finished reproduction")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_training_cut_off_before_its_first_checkpoint_says_that_it_starts_over(
    codeduet: Command, tiny: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text("")
    assert_refused(codeduet(*tiny, f"out={run}"), "holds a run already: continue it with --resume")
    ran = codeduet(*tiny, f"out={run}", "--resume")
    assert (ran.status, ran.err) == (0, "")
    assert f"{run} was cut off before its first checkpoint: from the start\n" in ran.out


# In a process of its own.


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codeduet", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_the_command_lines_own_module_is_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "codeduet.cli", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: codeduet" in ran.stdout


def test_bad_input_of_the_real_command_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    ran = process("judge", tmp_path / "nowhere.jsonl", "--out", tmp_path / "out.jsonl")
    assert (ran.returncode, ran.stdout.strip()) == (2, "")
    assert ran.stderr == f"codeduet: no such file: {tmp_path / 'nowhere.jsonl'}\n"


def test_the_real_command_says_nothing_that_libraries_say_of_themselves(settings: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "codeduet.benchmarks.pass_at_k", *settings, "n=1", "k=[1]", f"out={tmp_path / 'run'}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Loading weights" not in ran.stdout
    assert "team: 1 problems, n = 1" in ran.stdout


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("algorithm=:X", "algorithm ':X' cannot be imported"),
        ("algorithm=pathlib:Path", "algorithm 'pathlib:Path' is no codeduet.algorithms.Algorithm"),
        ("options.scale=sd", "option scale must be one of none, std, not 'sd'"),
        ("blank=[helper_cod]", "did you mean 'helper_code'"),
    ],
)
def test_an_algorithm_that_cannot_work_is_one_line(
    codeduet: Command, tiny: list[str], tmp_path: Path, override: str, message: str
) -> None:
    assert_refused(codeduet(*tiny, f"out={tmp_path / 'run'}", override), message)


def test_a_run_named_twice_is_reported_once(codeduet: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    value = {"mean": 0.5, "low": 0.4, "high": 0.6}
    (run / "results.json").write_text(json.dumps({"n": 1, "pass@k": {"1": value}, "rates": {}}))
    ran = codeduet("report", run, run / ".." / "run", "--out", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert "|  | run |\n" in (tmp_path / "out" / "report.md").read_text()


def test_a_preset_that_is_none_names_those_there_are(codeduet: Command) -> None:
    ran = codeduet("reproduce", "--preset", "smok", "--dry-run")
    assert_refused(ran, "embedded, paper, qwen-0.5b, qwen-0.5b-cpu, smoke")
    assert_refused(ran, "did you mean 'smoke'")


def test_a_preset_file_names_its_own_folder(codeduet: Command, tmp_path: Path) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text(f"problems: embedded\nteam: {{model: embedded}}\nrows: [single]\nout: {tmp_path / 'here'}\n")
    for extra, folder in (
        ([], tmp_path / "here"),
        ([f"out={tmp_path / 'there'}"], tmp_path / "there"),
        (["--out", tmp_path / "yonder", f"out={tmp_path / 'there'}"], tmp_path / "yonder"),
    ):
        ran = codeduet("reproduce", "--preset", preset, "--dry-run", *extra)
        assert ran.status == 0
        assert f"run folder {folder}" in ran.out.replace("\n", "")


def test_a_dry_run_of_a_table_shows_its_trainings_memory_and_writes_nothing(
    codeduet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dry = ["reproduce", "--preset", "smoke", "rows=[multi_agent, magrpo]", "--dry-run"]
    ran = codeduet(*dry)
    assert ran.status == 0
    assert "\nMAGRPO, two answers of 48 tokens: memory plan in GiB: " in ran.out
    assert_refused(codeduet(*dry, "magrpo.optim.memory_gib=0.1"), "fit: raise magrpo.optim.memory_gib to ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_is_one_line(
    codeduet: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "config.yaml"))

    monkeypatch.setattr("codeduet.runs.write_whole", fail)
    ran = codeduet("reproduce", "--preset", "smoke", "--out", tmp_path / "run")
    assert_refused(ran, f"cannot write {tmp_path / 'config.yaml'}: {os.strerror(number)}")
    monkeypatch.setattr("codeduet.runs.write_whole", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a mistake of ours keeps its traceback
        main(["reproduce", "--preset", "smoke", "--out", str(tmp_path / "run")])


def test_a_run_folder_that_cannot_be_made_is_one_line(codeduet: Command, tiny: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(codeduet(*tiny, f"out={tmp_path / 'file'}"), "cannot make the folder")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")])
def test_memory_that_runs_out_anywhere_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(**_: object) -> None:
        raise error

    monkeypatch.setattr("codeduet.cli.app", app)
    with pytest.raises(SystemExit) as ended:
        main(["train"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("codeduet: out of memory: take a smaller model, batch or answer (")
