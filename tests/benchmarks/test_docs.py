"""What the pages in docs show works as it is written, from an empty folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Server, serving

from codeduet.agents import Engine
from codeduet.agents.random_model import random_model
from codeduet.algorithms import TrainConfig, load_algorithm, train
from codeduet.algorithms.algorithm import Algorithm
from codeduet.algorithms.family import NAMES
from codeduet.cli import app
from codeduet.config import load_config
from codeduet.envs import load_problems

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("*.md"))
TWO_SCREENS = 110


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


def run(block: str, **names: Any) -> dict[str, Any]:
    names["__name__"] = "__main__"
    exec(compile(block, "a page", "exec"), names)  # noqa: S102  # our own page
    return names


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    model, tokenizer = random_model(positions=4096)
    model.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of the page before
    monkeypatch.setattr(sys, "path", [*sys.path])  # which problems that are named add to
    return str(tmp_path / "small")


def test_the_pages_are_those_that_are_tested() -> None:
    examples = {"algorithm", "benchmark", "engine", "environment", "problems", "team", "verdict"}
    assert {page for page in PAGES if blocks(page, "python")} == examples
    for page in PAGES:
        assert len((DOCS / f"{page}.md").read_text(encoding="utf-8").splitlines()) <= TWO_SCREENS
        for linked in re.findall(r"\]\((\w+\.md)\)", (DOCS / f"{page}.md").read_text(encoding="utf-8")):
            assert (DOCS / linked).is_file()


@pytest.mark.parametrize("page", ["environment", "verdict", "problems"])
def test_what_needs_no_model_runs(page: str, small: str) -> None:
    for block in blocks(page, "python"):
        run(block)


def test_a_set_is_named_on_the_command_line(small: str, codeduet: Callable[..., Any]) -> None:
    Path("mine.py").write_text(blocks("problems", "python")[0])
    assert [problem.task_id for problem in load_problems("mine:my_set", "all")] == ["own/0", "own/1"]
    assert codeduet("doctor", "--problems", "mine:my_set").status == 0
    words = ["env.problems=mine:my_set", f"team.model={small}", "team.lora_rank=2", "sampling.max_new_tokens=8"]
    assert codeduet("train", *words, "steps=1", "problems_per_step=1", "group_size=2", "out=run").status == 0


def test_a_file_of_problems_is_read(small: str, codeduet: Callable[..., Any]) -> None:
    (block,) = blocks("problems", "json")
    Path("my.jsonl").write_text(block)
    assert codeduet("doctor", "--problems", "my.jsonl").status == 0
    assert len(load_problems("my.jsonl", "train")) == 1 == len(load_problems("my.jsonl", "test"))


def test_an_algorithm_is_named_on_the_command_line(small: str, codeduet: Callable[..., Any]) -> None:
    first, second = blocks("algorithm", "python")
    Path("mine.py").write_text(first)
    words = [
        "train",
        f"team.model={small}",
        "team.lora_rank=2",
        "sampling.max_new_tokens=8",
        "steps=1",
        "problems_per_step=1",
    ]
    assert codeduet(*words, "algorithm=mine:LeaveOneOut", "options.beta=0.02", "group_size=2", "out=one").status == 0
    assert codeduet(*words, "algorithm=mine.py:LeaveOneOut", "group_size=2", "out=two").status == 0
    assert isinstance(run(second)["algorithm"], Algorithm)


def test_an_engine_is_named_on_the_command_line(small: str, codeduet: Callable[..., Any]) -> None:
    (block,) = blocks("engine", "python")
    Path("mine.py").write_text(block)
    words = [f"team.model={small}", "team.lora_rank=2", "sampling.max_new_tokens=8"]
    one = ["train", *words, "steps=1", "problems_per_step=1", "group_size=2", "out=one"]
    assert codeduet(*one, "team.engine=mine:Plain").status == 0
    assert codeduet("bench", *words, "n=1", "k=[1]", "limit=1", "out=two", "team.engine=mine.py:Plain").status == 0


@pytest.mark.parametrize(
    ("page", "kind", "least"),
    [
        ("algorithm", Algorithm, {"advantages", "loss", "needs", "linear", "tree", "update", "keep", "state_dict"}),
        ("engine", Engine, {"generate", "sync", "build", "weights", "room", "heard", "sleep", "limit"}),
    ],
)
def test_the_attributes_that_are_told_of_are_there(page: str, kind: type, least: set[str]) -> None:
    told = re.findall(r"^\| `(\w+)", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(told) >= least
    assert all(hasattr(kind, name) for name in told)


def test_a_team_is_written_down_and_made(small: str) -> None:
    for number, block in enumerate(blocks("team", "yaml")):
        Path(f"team{number}.yaml").write_text(block)
    config = load_config(TrainConfig, "team0.yaml")
    assert config.agents == ("planner_0", "helper_0", "helper_1", "main_0")
    reviewed = load_config(TrainConfig, "team1.yaml")
    assert reviewed.agents == ("helper_0", "main_0", "reviewer_0")
    assert train(replace(reviewed, steps=1, group_size=2, problems_per_step=1, out="runs/reviewed")).step == 1
    seats = load_config(TrainConfig, "team2.yaml")
    assert seats.still == ["planner_0"]
    assert seats.team.seat("helper").model == "other"
    (block,) = blocks("team", "python")
    with serving(Server(write=lambda body: "First, sort.")) as server:
        made = run(
            block.replace("steps=1", "steps=1, group_size=2, problems_per_step=1"),
            BIG="big",
            URL=server.url,
            SMALL=small,
        )
        assert server.asked
    assert made["trainer"].step == 1
    assert set(made["trainer"].learners) == {"helper", "main_0"}
    again = load_config(TrainConfig, "runs/team/config.yaml")
    assert again.agents == ("planner_0", "helper_0", "helper_1", "main_0")
    assert again.team.seat("planner").engine == "openai"


def test_the_benchmark_runs_from_python(small: str) -> None:
    (block,) = blocks("benchmark", "python")
    run(block)


def test_the_commands_are_those_there_are() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    for page in PAGES:
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"codeduet (\w+) [-\w.]+", text)) <= known


def test_every_algorithm_is_told_of() -> None:
    page = (DOCS / "algorithms.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"`{name}" in page
    for word in re.findall(r"`(\w+) credit=(\w+)(?: mains=M)?(?: widths=\[(.*?)\])?`", page):
        name, credit, widths = word
        options: dict[str, Any] = {"credit": credit}
        if widths:
            options["widths"] = [int(width) for width in widths.split(",")]
        assert load_algorithm(name, options)
