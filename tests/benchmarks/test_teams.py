"""Teams of any roles from YAML alone, on the embedded model: trained, killed and gone on with, measured, reported."""

from __future__ import annotations

import itertools
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.commands import start
from tests.servers import Server, serving

from codeduet.agents.embedded import MODEL_DIR
from codeduet.agents.random_model import random_model
from codeduet.algorithms.config import TrainConfig
from codeduet.benchmarks.budgets import by_budget
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.config import load_config
from codeduet.envs import InputError

Command = Callable[..., Any]

TEAMS = {
    "planner, helper, main": (
        """
env:
  roles:
    - {name: planner, writes: text}
    - {name: helper, reads: [planner]}
    - {name: main, reads: [planner, helper]}
team:
  prompts:
    planner: "# A plan for {entry_point}:\\n"
    main: {base: "{planner_text}\\n{helper_code}\\n{prompt}"}
""",
        ["planner_0", "helper_0", "main_0"],
        {"planner_0", "helper_0", "main_0"},
    ),
    "two helpers and main": (
        """
env:
  roles: [{name: helper, count: 2, reads: [helper]}, {name: main, reads: [helper]}]
""",
        ["helper_0", "helper_1", "main_0"],
        {"helper", "main_0"},  # both helpers act by one
    ),
    "helper, main, reviewer in two turns": (
        """
env:
  max_turns: 2
  feedback: hidden
  roles:
    - {name: helper}
    - {name: main, reads: [helper, reviewer]}
    - {name: reviewer, writes: text, reads: [main]}
""",
        ["helper_0", "main_0", "reviewer_0"],
        {"helper_0", "main_0", "reviewer_0"},
    ),
}
"""YAML, agents, policies."""

WIDTH = json.loads((MODEL_DIR / "config.json").read_text())["hidden_size"]
"""Of the embedded model."""

OWN = "def letters(parts):\n    return sum(len(set(part.code)) for part in parts)\n"
"""A reward that random models do not all earn alike."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_letters.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told_of(run: Path) -> list[dict[str, Any]]:
    """Rows without times."""
    times = ("seconds/", "tokens_per_second", "peak_memory")
    return [
        {key: value for key, value in row.items() if not key.startswith(times)}
        for row in rows_of(run / "metrics.jsonl")
    ]


COMMON = [
    "team.lora_rank=2", "sampling.max_new_tokens=12", "problems_per_step=2", "group_size=3", "checkpoint_every=1",
    "optim.lr=0.01", "steps=4",
]  # fmt: skip
"""Of every training here; a reward is each one's own."""


def killed_and_gone_on_with(codeduet: Command, training: list[str]) -> Path:
    """Train once whole, and once killed behind its first step; return the run that went on, equal to the bit."""
    assert codeduet(*training, "out=whole").status == 0
    process = start([*training, "out=run"], Path("told"))
    begun = Path("run/checkpoints/step_000001/state.json")
    while process.is_alive() and not begun.is_file():
        process.join(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, Path("told.err").read_text()
    assert not Path("run/checkpoints/step_000004").exists()
    assert codeduet("train", "--resume", "run").status == 0
    assert told_of(Path("run")) == told_of(Path("whole"))
    assert [row["step"] for row in told_of(Path("run"))] == [1, 2, 3, 4]
    last = Path("whole/checkpoints/step_000004")
    adapters, optimisers = sorted(last.rglob("adapter_model.safetensors")), sorted(last.glob("*.optimizer.pt"))
    assert len(adapters) == len(optimisers) > 0
    for path in adapters:
        resumed, unbroken = load_file(Path("run") / path.relative_to("whole")), load_file(path)
        assert all(torch.equal(resumed[key], unbroken[key]) for key in unbroken)
        assert any(weights.abs().max() > 0 for key, weights in unbroken.items() if "lora_B" in key)  # it has learnt
    for path in optimisers:
        torch.testing.assert_close(
            torch.load(Path("run") / path.relative_to("whole")), torch.load(path), rtol=0, atol=0
        )
    return Path("run")


def measured_and_reported(codeduet: Command, run: Path, agents: list[str]) -> list[dict[str, Any]]:
    """Measure a run by pass@k, let a page be made of both, and return the samples."""
    assert codeduet("eval", str(run), "n=2", "k=[1,2]", "split=all").status == 0
    results = json.loads((run / "eval" / "results.json").read_text())
    assert list(results["pass@k"]) == ["1", "2"]
    assert list(results["tokens"]) == agents
    samples = rows_of(run / "eval" / "samples.jsonl")
    assert len(samples) == 8
    assert all(list(sample["texts"]) == agents for sample in samples)
    assert codeduet("report", str(run)).status == 0
    page = next(run.rglob("*.html")).read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data
    shown = {(row["task"], row["sample"]): row["turns"] for row in json.loads(data.group(1))["samples"]}
    for sample in samples:  # every transcript, turn by turn
        turns = itertools.zip_longest(*sample["texts"].values())
        written = [text for turn in turns for text in turn if text is not None]
        assert [text for _, text in shown[sample["task_id"], sample["sample"]]] == written
    return samples


@pytest.mark.parametrize(("data", "agents", "policies"), TEAMS.values(), ids=TEAMS.keys())
def test_a_team_is_trained_killed_gone_on_with_measured_and_reported_from_a_file(
    codeduet: Command, folder: Path, problem_file: Path, data: str, agents: list[str], policies: set[str]
) -> None:
    (folder / "team.yaml").write_text(data)
    training = [
        "train", "--config", "team.yaml", *COMMON, f"env.problems={problem_file}",
        "env.reward={magrpo: 1.0, 'own_letters:letters': 0.1}",
    ]  # fmt: skip
    planned = codeduet(*training, "--dry-run").out
    assert all(f"first prompt of {agent} (" in planned for agent in agents)
    run = killed_and_gone_on_with(codeduet, training)
    saved = (run / "checkpoints" / "step_000004").rglob("adapter_model.safetensors")
    assert {path.parent.name for path in saved} == policies
    row = told_of(run)[-1]
    assert {f"{agent}/tokens" for agent in agents} <= row.keys()
    assert row["reward/own_letters:letters"] > 0
    assert "reward/magrpo" in row
    for sample in measured_and_reported(codeduet, run, agents):
        assert list(sample["parts"]) == [agent for agent in agents if agent.split("_")[0] in ("helper", "main")]
    results = json.loads((run / "eval" / "results.json").read_text())
    assert results["method"] == f"{', '.join(agents)} (trained)"
    assert codeduet("export", "run", "--out", "exported").status == 0
    assert {path.name for path in Path("exported").iterdir() if path.is_dir()} == set(agents)


def saved_model(folder: Path, **shape: Any) -> Path:
    model, tokenizer = random_model(**shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_two_different_models_learn_side_by_side(codeduet: Command, folder: Path, problem_file: Path) -> None:
    other = saved_model(folder / "other", hidden=48, layers=1, vocab_size=300, seed=7)
    (folder / "team.yaml").write_text(
        f"team:\n  model: embedded\n  seats:\n    helper: {{model: {other}, lora_rank: 3, "
        "sampling: {temperature: 1.0, max_new_tokens: 7}, prompt: '# Helpers for {entry_point}:\n'}\n"
    )
    training = ["train", "--config", "team.yaml", *COMMON, "env.reward=own_letters:letters"]
    run = killed_and_gone_on_with(codeduet, [*training, f"env.problems={problem_file}"])
    ranks = {}
    for agent in ("helper_0", "main_0"):
        weights = load_file(run / "checkpoints" / "step_000004" / agent / "adapter_model.safetensors")
        ranks[agent] = {
            tensor.shape for key, tensor in weights.items() if key.endswith("layers.0.mlp.up_proj.lora_A.weight")
        }
    assert ranks == {"helper_0": {(3, 48)}, "main_0": {(2, WIDTH)}}
    turns = [turn for row in rows_of(run / "completions.jsonl") for turn in row["turns"]]
    assert all(turn["prompt"].startswith("# Helpers for") == (turn["agent"] == "helper_0") for turn in turns)
    assert max(row["helper_0/tokens"] for row in told_of(run)) <= 7 < max(row["main_0/tokens"] for row in told_of(run))

    measured_and_reported(codeduet, run, ["helper_0", "main_0"])
    assert codeduet("bench", "--config", "team.yaml", "n=1", "k=[1]", "split=all", f"env.problems={problem_file}",
                    "sampling.max_new_tokens=12", "out=untrained").status == 0  # fmt: skip
    ran = codeduet("export", "run", "--out", "exported")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "trained several models" in ran.err
    config = other / "config.json"
    config.write_text(config.read_text() + "\n")
    ran = codeduet("eval", "run", "n=2", "k=[1,2]", "split=all")
    assert "has changed since" in ran.err


def test_a_frozen_partner_is_served(codeduet: Command, folder: Path, problem_file: Path) -> None:
    with serving(Server(write=lambda body: f"    return {body['seed'] % 5}  # planned")) as server:
        (folder / "team.yaml").write_text(
            "env:\n  roles: [{name: planner, writes: text}, {name: main, reads: [planner]}]\n"
            f"team:\n  seats:\n    planner: {{model: big, engine: openai, api: chat, base_url: "
            f"'{server.url}', learns: false}}\n"
        )
        training = ["train", "--config", "team.yaml", *COMMON, "env.reward=own_letters:letters"]
        run = killed_and_gone_on_with(codeduet, [*training, f"env.problems={problem_file}"])
        assert {body["model"] for body in server.asked} == {"big"}
        assert {path.name for path in (run / "checkpoints" / "step_000004").iterdir() if path.is_dir()} == {"main_0"}
        row = told_of(run)[-1]
        assert "planner_0/tokens" in row
        assert "planner_0/updates" not in row
        samples = measured_and_reported(codeduet, run, ["planner_0", "main_0"])
        assert all("# planned" in sample["texts"]["planner_0"][0] for sample in samples)


@pytest.mark.parametrize(
    ("seats", "message"),
    [
        ("{plannr: {}}", "team.seats names no role: 'plannr'"),
        (
            "{helper: {engine: openai}}",
            "a seat with engine=openai cannot learn: its weights are a server's; set learns: false",
        ),
        ("{helper: {learns: false}, main: {learns: false}}", "no seat learns: nothing would learn"),
        ("{helper: {modle: x}}", "modle"),
    ],
)
def test_seats_that_cannot_be_are_refused_in_one_line(codeduet: Command, seats: str, message: str) -> None:
    ran = codeduet("train", "team.model=nowhere", f"team.seats={seats}")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


@pytest.mark.parametrize("kind", [TrainConfig, BenchConfig])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["env.roles=[{name: helper}, {name: main, reads: [helpr]}]"], "reads 'helpr', and there is no such role"),
        (["env.roles=[{name: main, read: []}]"], "role 'main' has no 'read'"),
    ],
)
def test_a_config_that_makes_no_team_is_refused_in_one_line(kind: Any, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_config(kind, None, words)
    assert "\n" not in str(refused.value)


def test_team_kind_and_roles_do_not_both_say_who_plays(codeduet: Command) -> None:
    for command in ("train", "bench"):
        ran = codeduet(command, "team.kind=single", "env.roles=[{name: main}]")
        assert (ran.status, ran.err.count("\n")) == (2, 1)
        assert "both say who plays: leave out team.kind" in ran.err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("team.prompts={plannr: x}", "a prompt is of no role: 'plannr'"),
        ("env.reward={magrop: 1}", "did you mean 'magrpo'"),
        ("env.reward=nowhere:none", "reward 'nowhere:none' cannot be imported"),
    ],
)
def test_what_cannot_be_read_or_paid_is_refused_before_a_model_is_loaded(
    codeduet: Command, word: str, message: str
) -> None:
    for command in ("train", "bench"):
        ran = codeduet(command, "team.model=nowhere", word)
        assert (ran.status, ran.err.count("\n")) == (2, 1)
        assert message in ran.err


def test_budgets_count_the_answers_of_all_roles() -> None:
    def result(tokens: int, kind: str = "team", **env: Any) -> dict[str, Any]:
        sampling = {"max_new_tokens": tokens}
        return {"config": {"team": {"kind": kind}, "env": {"max_turns": 1, **env}, "sampling": sampling}}

    roles = [{"name": "helper", "count": 3}, {"name": "main"}]
    titles = [title for title, _ in by_budget({"one": result(40, "single"), "four": result(10, roles=roles)})]
    assert titles == [""]  # all have one
