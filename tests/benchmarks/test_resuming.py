"""``codeduet train --resume``: by folder or by config, with what may change, and refused before a model is loaded."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.letters import LetterReward

from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.resume import resume_command
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.training import train
from codeduet.config import load_config
from codeduet.files import locked

Command = Callable[..., Any]


@pytest.fixture
def training(model_dir: Path, problem_file: Path) -> list[str]:
    return [
        "train", f"team.model={model_dir}", "team.lora_rank=2", f"env.problems={problem_file}", "checkpoint_every=2",
        "sampling.max_new_tokens=12", "problems_per_step=2", "group_size=4", "optim.lr=0.01",
        "algorithm=tests.letters:LetterReward", "optim.max_grad_norm=0",
    ]  # fmt: skip


@pytest.fixture
def run(codeduet: Command, training: list[str], tmp_path: Path) -> Path:
    """A run of two steps."""
    folder = tmp_path / "run"
    assert codeduet(*training, "steps=2", f"out={folder}").status == 0
    return folder


@pytest.fixture
def no_model(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeduet.agents.build.load_team", lambda *_, **__: pytest.fail("a model is loaded"))


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def told_of(run: Path) -> list[dict[str, Any]]:
    """Rows without times."""
    times = ("seconds/", "tokens_per_second", "peak_memory")
    return [{key: value for key, value in row.items() if not key.startswith(times)} for row in rows_of(run)]


def refused(ran: Any, words: str) -> None:
    assert ran.status == 2
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("codeduet: ")
    assert words in ran.err


def test_what_python_handed_over_is_handed_over_again(
    codeduet: Command, training: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    config = load_config(TrainConfig, "magrpo", [*training[1:], "steps=2", "algorithm=magrpo", f"out={folder}"])
    train(config, algorithm=LetterReward())
    with monkeypatch.context() as patched:
        patched.setattr("codeduet.agents.build.load_team", lambda *_, **__: pytest.fail("a model is loaded"))
        refused(
            codeduet("train", "--resume", folder, "steps=4"),
            "was begun in Python with its own algorithm, which its config does not name: "
            "train(config, resume=True, algorithm=...) goes on with it",
        )
    assert train(replace(config, steps=3), resume=True, algorithm=LetterReward()).step == 3


def test_a_run_goes_on_by_its_folder_alone(
    codeduet: Command, training: list[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codeduet(*training, "steps=4", f"out={tmp_path / 'whole'}").status == 0
    moved = run.rename(tmp_path / "moved [1]")
    monkeypatch.chdir(tmp_path)
    assert codeduet("train", "--resume", "moved [1]", "steps=4").status == 0
    assert told_of(moved) == told_of(tmp_path / "whole")
    assert load_config(TrainConfig, str(moved / "config.yaml")).steps == 4
    again = codeduet("train", "--resume", moved)
    assert (again.status, again.err) == (0, "")
    assert [row["step"] for row in rows_of(moved)] == [1, 2, 3, 4]


def test_a_run_goes_on_by_its_config_as_before(codeduet: Command, training: list[str], run: Path) -> None:
    assert codeduet(*training, "steps=3", f"out={run}", "--resume").status == 0
    assert codeduet("train", "--config", run / "config.yaml", "steps=4", "--resume").status == 0
    assert codeduet("train", "--resume", run, "--config", run / "config.yaml", "steps=5").status == 0
    assert [row["step"] for row in rows_of(run)] == [1, 2, 3, 4, 5]


def test_another_micro_batch_samples_the_same_tokens_and_learns_the_same_gradient(
    codeduet: Command, run: Path, tmp_path: Path
) -> None:
    """AdamW's first moment is .9 of what it was and .1 of the gradient, which is not clipped: its size tells, too."""
    settings = ["steps=3", "checkpoint_every=1"]
    for name, tokens in (("as it was", 8192), ("smaller", 64)):
        shutil.copytree(run, tmp_path / name)
        ran = codeduet("train", "--resume", tmp_path / name, *settings, f"optim.micro_batch_tokens={tokens}")
        assert (ran.status, ran.err) == (0, "")
    one, other = (tmp_path / name for name in ("as it was", "smaller"))
    assert last_completions(one) == last_completions(other) != []
    for agent in ("helper_0", "main_0"):
        whole, cut = (gradient_of_step_3(folder, agent) for folder in (one, other))
        assert float(whole.norm()) > 0
        assert float((cut - whole).norm() / whole.norm()) < 1e-5


def last_completions(run: Path) -> list[Any]:
    rows = [json.loads(line) for line in (run / "completions.jsonl").read_text().splitlines()]
    return [row for row in rows if row["step"] == 3]


def gradient_of_step_3(run: Path, agent: str) -> torch.Tensor:
    """Return what of AdamW's first moments came with the third step."""
    before, after = (
        torch.load(run / "checkpoints" / f"step_{step:06d}" / f"{agent}.optimizer.pt", weights_only=True)["state"]
        for step in (2, 3)
    )
    return torch.cat([((after[i]["exp_avg"] - 0.9 * before[i]["exp_avg"]) / 0.1).flatten() for i in after]).double()


def test_another_learning_rate_takes_effect_and_is_written_down(codeduet: Command, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "same")
    assert codeduet("train", "--resume", tmp_path / "same", "steps=4").status == 0
    assert codeduet("train", "--resume", run, "steps=4", "optim.lr=0.5", "optim.schedule=linear").status == 0
    assert [row["lr"] for row in rows_of(run)] == pytest.approx([0.01, 0.01, 0.5 * 2 / 4, 0.5 / 4])
    optim = load_config(TrainConfig, str(run / "config.yaml")).optim
    assert (optim.lr, optim.schedule) == (0.5, "linear")

    def weights(of: Path) -> bytes:
        return (of / "checkpoints" / "step_000004" / "main_0" / "adapter_model.safetensors").read_bytes()

    assert weights(run) != weights(tmp_path / "same")
    refused(
        codeduet("train", "--resume", run, "optim.warmup_steps=4"), "leaves none of steps=4 at the whole learning rate"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["sampling.top_k=5"],
            "config.yaml has another sampling.top_k: 0 there and 5 here: --resume goes on with the same",
        ),
        (["team.lora_rank=4"], "has another team.lora_rank: 2 there and 4 here"),
        (["steps=1"], "has steps=2, not 1: --resume can run longer, not shorter"),
        (["out=elsewhere"], "not in out=elsewhere: a new run begins from its weights by init_from="),
        (["stepps=3"], "unknown config key 'stepps'; did you mean 'steps'?"),
    ],
)
@pytest.mark.usefixtures("no_model")
def test_what_is_refused_is_refused_before_a_model_is_loaded(
    codeduet: Command, run: Path, words: list[str], message: str
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused(codeduet("train", "--resume", run, *words), message)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_at_work_keeps_its_config(codeduet: Command, run: Path, no_model: None) -> None:
    before = (run / "config.yaml").read_bytes()
    with locked(run):
        refused(
            codeduet("train", "--resume", run, "steps=9", "optim.lr=0.5"),
            f"another process is at work in {run}: wait for it",
        )
    assert (run / "config.yaml").read_bytes() == before


def test_a_run_that_is_taken_while_a_model_is_loaded_keeps_its_config(
    codeduet: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process begins between the first look at the folder and the first step."""
    before = (run / "config.yaml").read_bytes()
    with contextlib.ExitStack() as at_work:
        opened = Trainer.open

        def and_taken(self: Trainer, **arguments: Any) -> None:
            opened(self, **arguments)
            at_work.enter_context(locked(run))

        monkeypatch.setattr(Trainer, "open", and_taken)
        refused(codeduet("train", "--resume", run, "steps=9"), f"another process is at work in {run}")
    assert (run / "config.yaml").read_bytes() == before


def test_a_config_that_was_cut_off_is_no_run_of_defaults(codeduet: Command, run: Path, no_model: None) -> None:
    saved = run / "config.yaml"
    whole = saved.read_text()
    for text in (whole, whole.replace("# end\n", "").partition("\n")[2]):  # of an earlier version, too
        saved.write_text(text[: text.index("\nenv:") + 1])
        for words in ([run], [f"out={run}"], ["--config", saved]):
            refused(codeduet("train", "--resume", *words), f"{saved} was cut off, without env, sampling, optim, steps")
        refused(codeduet("eval", run), f"{saved} was cut off, without env, sampling, optim, steps")
    saved.write_text(whole[: whole.index("\nseed:") + 1])
    refused(codeduet("train", "--resume", run), f"{saved} was cut off")


def test_a_section_given_whole_and_a_model_by_another_name_go_on_with_the_run(
    codeduet: Command, run: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_dir.parent)
    words = ["steps=3", "optim={lr: 0.001}", f"team.model={model_dir.name}"]
    ran = codeduet("train", "--resume", run, *words)
    assert (ran.status, ran.err) == (0, "")
    config = load_config(TrainConfig, str(run / "config.yaml"))
    assert (config.optim.lr, config.optim.max_grad_norm, config.team.model) == (0.001, 0, model_dir.name)


def test_folders_that_hold_no_training_are_refused_before_a_model_is_loaded(
    codeduet: Command, training: list[str], run: Path, tmp_path: Path, no_model: None
) -> None:
    refused(
        codeduet("train", "--resume", tmp_path / "nowhere"), f"nothing to resume: {tmp_path / 'nowhere'}/config.yaml"
    )
    bench = tmp_path / "bench"
    bench.mkdir()
    (bench / "config.yaml").write_text("split: test\n")
    refused(codeduet("train", "--resume", bench), f"nothing to resume: {bench} holds a run of codeduet bench")
    refused(codeduet(*training, "steps=2", f"out={run}"), f"{run} holds a run already: continue it with --resume")
    refused(codeduet(*training, f"out={tmp_path / 'new'}", f"init_from={tmp_path}"), f"no checkpoint in {tmp_path}")


def test_a_new_run_begins_with_the_weights_of_another(codeduet: Command, training: list[str], run: Path) -> None:
    new = run.with_name("new")
    ran = codeduet(*training, "steps=1", f"out={new}", f"init_from={run}")
    assert (ran.status, ran.err) == (0, "")
    assert [row["step"] for row in rows_of(new)] == [1]
    assert rows_of(new)[0]["main_0/entropy"] != rows_of(run)[0]["main_0/entropy"]
    ran = codeduet(*training, "steps=1", f"out={new.with_name('rank')}", f"init_from={run}", "team.lora_rank=3")
    refused(ran, "is a checkpoint of another model: lora_rank is 2 there and 3 here")


def test_the_command_that_goes_on_is_one_that_is_understood() -> None:
    assert resume_command(Path("runs/a")) == "codeduet train --resume runs/a"
    assert resume_command(Path("runs/a b")) == "codeduet train --resume 'runs/a b'"
    assert resume_command(Path("lr=1")) == "codeduet train --config lr=1/config.yaml out=lr=1 --resume"
