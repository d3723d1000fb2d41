"""What is exported loads with plain peft and transformers, and scores as the run did."""

from __future__ import annotations

import errno
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from codeduet.agents.build import make_team
from codeduet.agents.team import Team
from codeduet.algorithms.checkpoint import find_checkpoint, load_checkpoint
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.training import make_trainer
from codeduet.benchmarks.export import export
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.config import load_config, to_yaml
from codeduet.envs import InputError

Train = Callable[..., Path]

PROMPT, ANSWER = list(b"def f(x):\n"), list(b"    return x + 1\n")


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory, model_dir: Path, problem_file: Path) -> Callable[..., Path]:
    """Train for two steps at a rate that shows, once for each kind of team."""
    done: dict[tuple[str, ...], Path] = {}

    def run(*overrides: str) -> Path:
        if overrides not in done:
            folder = tmp_path_factory.mktemp("run") / "tiny"
            config = load_config(
                TrainConfig,
                None,
                [
                    f"out={folder}", f"team.model={model_dir}", "team.lora_rank=2", f"env.problems={problem_file}",
                    "sampling.max_new_tokens=4", "steps=2", "problems_per_step=1", "group_size=2", "optim.lr=0.05",
                    *overrides,
                ],
            )  # fmt: skip
            trainer = make_trainer(config)
            trainer.open()
            (folder / "config.yaml").write_text(to_yaml(config))
            trainer.train()
            stir(trainer.team, folder, trainer)
            done[overrides] = folder
        return done[overrides]

    return run


def stir(team: Team, folder: Path, trainer: Trainer) -> None:
    """Save the last checkpoint with weights that differ from the base's and from each other, whatever was learnt."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for policy in team.policies:
            for parameter in policy.parameters:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    trainer.save()


def of_run(run: Path, agent: str) -> torch.Tensor:
    """Log-probabilities of an answer as the run computes them."""
    config = load_config(TrainConfig, str(run / "config.yaml"))
    team = make_team(config.team, config.roles, config.seed)
    load_checkpoint(run, team)
    with torch.no_grad():
        return completion_logprobs(team[agent].activate(), [PROMPT], [ANSWER], [1.0])[0][0].float()


def of_model(model: Any) -> torch.Tensor:
    """The same by a plain forward pass."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*PROMPT, *ANSWER]])).logits[0, len(PROMPT) - 1 : -1].float()
    return logits.log_softmax(-1).gather(-1, torch.tensor(ANSWER)[:, None])[:, 0]


def assert_alike(one: torch.Tensor, other: torch.Tensor, within: float = 1e-4) -> None:
    assert float((one - other).abs().max()) < within


def test_an_adapter_loads_by_itself_and_scores_as_in_the_run(train: Train, model_dir: Path, tmp_path: Path) -> None:
    run = train()
    export(run, tmp_path / "out")
    base = AutoModelForCausalLM.from_pretrained(model_dir)
    for agent in ("helper_0", "main_0"):
        folder = tmp_path / "out" / agent
        right = of_run(run, agent)
        assert_alike(of_model(AutoPeftModelForCausalLM.from_pretrained(folder)), right)
        assert_alike(
            of_model(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model_dir), folder)), right
        )
        assert float((of_model(base) - right).abs().max()) > 0.01
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer.encode("def f<|eos|>") == [*b"def f", 256]
        assert len(tokenizer) <= base.get_input_embeddings().weight.shape[0]  # peft makes room for what is beyond
    assert float((of_run(run, "helper_0") - of_run(run, "main_0")).abs().max()) > 0.01


def test_a_checkpoint_of_adapters_names_its_task(train: Train) -> None:
    """So that only the base's name stands between it and ``AutoPeftModelForCausalLM``."""
    config = json.loads((find_checkpoint(train()) / "main_0" / "adapter_config.json").read_text())
    assert config["task_type"] == "CAUSAL_LM"


@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_a_merged_model_scores_as_in_the_run(train: Train, tmp_path: Path, dtype: str, within: float) -> None:
    run = train(f"team.dtype={dtype}")
    export(run, tmp_path / "out", merge=True)
    for agent in ("helper_0", "main_0"):
        assert {file.stat().st_mode & 0o777 for file in (tmp_path / "out" / agent).iterdir()} == {
            (tmp_path / "out" / "bench.yaml").stat().st_mode & 0o777
        }
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / agent)
        assert str(model.dtype) == f"torch.{dtype}"
        assert_alike(of_model(model), of_run(run, agent), within)


def test_adapters_of_the_run_itself_merge_as_pefts(train: Train) -> None:
    run = train()
    config = load_config(TrainConfig, str(run / "config.yaml"))
    team = make_team(config.team, config.roles, config.seed)
    load_checkpoint(run, team)
    team["main_0"].activate()
    assert_alike(of_model(team["main_0"].model.merge_and_unload(adapter_names=["main_0"])), of_run(run, "main_0"))


def test_the_embedded_model_leaves_the_house(train: Train, tmp_path: Path) -> None:
    run = train("team.model=embedded", "env.problems=embedded")
    export(run, tmp_path / "out")
    # In the precision that the card names: the embedded model's file is coarser than the run was.
    assert "dtype='float32'" in (tmp_path / "out" / "main_0" / "README.md").read_text()
    loaded = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "out" / "main_0", dtype="float32")
    assert_alike(of_model(loaded), of_run(run, "main_0"))


def test_whole_models_are_written_where_there_is_no_adapter(
    train: Train, tmp_path: Path, codeduet: Callable[..., Any]
) -> None:
    run = train("team.sharing=separate")
    ran = codeduet("export", run, "--out", tmp_path / "out", "--merge")
    assert (ran.status, ran.err) == (0, "")
    assert "has no adapters: the models are written" in ran.out
    for agent in ("helper_0", "main_0"):
        assert_alike(of_model(AutoModelForCausalLM.from_pretrained(tmp_path / "out" / agent)), of_run(run, agent))
    servers = [line for line in ran.out.splitlines() if line.startswith("serve: ")]
    assert [line.split("--served-model-name ")[1] for line in servers] == ["helper_0", "main_0"]
    bench = load_config(BenchConfig, str(tmp_path / "out" / "bench.yaml"))
    assert bench.team.base_urls == {"main_0": "http://127.0.0.1:8001/v1"}


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("sharing", ["separate", "adapter"])
def test_an_export_that_the_disk_has_no_room_for_leaves_nothing(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    codeduet: Callable[..., Any],
    sharing: str,
    there: bool,
) -> None:
    run, out = train(f"team.sharing={sharing}"), tmp_path / "out"
    if there:
        out.mkdir()

    def full(source: str, target: str, **_: Any) -> None:
        Path(target).write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device", source, None, target)

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", full)
        ran = codeduet("export", run, "--out", out)
    assert ran.status == 2
    (line,) = ran.err.strip().splitlines()
    assert line.startswith(f"codeduet: cannot write {out / 'helper_0'}")
    assert "No space left on device" in line
    assert [*out.iterdir()] == [] if there else not out.exists()
    assert codeduet("export", run, "--out", out).status == 0


def test_what_rust_says_of_a_full_disk_is_one_line(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codeduet: Callable[..., Any]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: File too large (os error 27)")

    run = train()
    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full)
    ran = codeduet("export", run, "--out", tmp_path / "out", "--merge")
    assert ran.status == 2
    assert "cannot write" in ran.err
    assert "File too large" in ran.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_agents_of_one_policy_each_get_a_folder(train: Train, tmp_path: Path) -> None:
    for number, rank in enumerate((2, 0)):
        run = train("team.sharing=shared", f"team.lora_rank={rank}")
        served = export(run, tmp_path / str(number))
        for agent in ("helper_0", "main_0"):
            kind = AutoPeftModelForCausalLM if rank else AutoModelForCausalLM
            assert_alike(of_model(kind.from_pretrained(tmp_path / str(number) / agent)), of_run(run, agent))
        assert len(served.commands()) == 1


def test_the_served_names_are_those_that_are_measured(
    train: Train, model_dir: Path, tmp_path: Path, codeduet: Callable[..., Any]
) -> None:
    run, out = train(), tmp_path / "out folder"
    ran = codeduet("export", run, "--out", out)
    assert (ran.status, ran.err) == (0, "")
    words = shlex.split(next(line for line in ran.out.splitlines() if line.startswith("serve: ")))[1:]
    assert words[:3] == ["vllm", "serve", str(model_dir.resolve())]
    modules = dict(word.split("=") for word in words[words.index("--lora-modules") + 1 :])
    assert modules == {agent: str(out.resolve() / agent) for agent in ("helper_0", "main_0")}
    bench = load_config(BenchConfig, str(out / "bench.yaml"))
    assert bench.team.models == {agent: agent for agent in modules}
    assert (bench.team.engine, bench.team.base_url) == ("openai", "http://127.0.0.1:8000/v1")
    trained = load_config(TrainConfig, str(run / "config.yaml"))
    assert (bench.env, bench.sampling, bench.team.prompt) == (trained.env, trained.sampling, trained.team.prompt)
    assert shlex.join(words) in (out / "main_0" / "README.md").read_text()


def test_the_card_says_how_it_was_made(train: Train, model_dir: Path, tmp_path: Path) -> None:
    run = train()
    export(run, tmp_path / "out")
    card = (tmp_path / "out" / "main_0" / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "peft"
    assert "base_model" not in header  # a folder's name is no model of the hub's
    episode = json.loads((run / "completions.jsonl").read_text().splitlines()[-2])
    for told in (
        f"base model: `{model_dir.name}`", "`step_000002`", "seed: 0", "codeduet/humaneval-v0", "lora_rank: 2",
        "Training, step 2: reward", episode["turns"][1]["prompt"].rstrip(), "Not measured",
    ):  # fmt: skip
        assert told in card
    assert str(run) not in card


@pytest.mark.parametrize("what", ["no run", "bench", "no checkpoint", "taken", "damaged", "other base", "no base"])
def test_what_cannot_be_exported_is_told_in_one_line(
    train: Train, other_model: Path, tmp_path: Path, codeduet: Callable[..., Any], what: str
) -> None:
    run, out, more = tmp_path / "run", tmp_path / "out", []
    shutil.copytree(train(), run)
    config = run / "config.yaml"
    said = {
        "no run": "config.yaml is missing", "bench": "it holds a run of codeduet bench", "no checkpoint": "no checkpoint in",
        "taken": "is not empty: choose another --out", "damaged": "is damaged", "other base": "holds other weights than",
        "no base": "no model folder",
    }[what]  # fmt: skip
    if what == "no run":
        config.unlink()
    elif what == "bench":
        config.write_text(to_yaml(BenchConfig()))
    elif what == "no checkpoint":
        shutil.rmtree(run / "checkpoints")
    elif what == "taken":
        out.mkdir()
        (out / "mine").touch()
    elif what == "damaged":
        weights = find_checkpoint(run) / "main_0" / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-8])
    else:
        trained = load_config(TrainConfig, str(config))
        other = str(other_model) if what == "other base" else str(tmp_path / "gone")
        config.write_text(to_yaml(trained).replace(trained.team.model, other))
        more = ["--merge"]
    ran = codeduet("export", run, "--out", out, *more)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert said in ran.err
    assert what == "taken" or not out.exists()


def test_a_quantised_base_takes_no_adapter_in(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from codeduet.benchmarks import export as exporting

    monkeypatch.setattr(exporting, "method_of", lambda config: "bitsandbytes_4bit")
    with pytest.raises(InputError, match="is quantised by bitsandbytes_4bit: nothing is merged into it"):
        export(train(), tmp_path / "out", merge=True)
    assert not (tmp_path / "out").exists()
