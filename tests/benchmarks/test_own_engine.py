"""An engine of one's own, named from a file: it trains and benches, and what is none is refused in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codeduet.agents import Engine
from codeduet.agents.build import make_team
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.engine import ENGINES, engine_class
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.seats import Engines
from codeduet.agents.tree import Tree
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.algorithms.show import Watch
from codeduet.config import load_config
from codeduet.envs.config import EnvConfig
from codeduet.errors import InputError

MINE = """
from codeduet.agents import Engine
from codeduet.agents.hf import HFEngine


class Wrapped(Engine):
    weights = "shared"
    packages = ("pytest",)

    def __init__(self, inner):
        self.inner = inner
        inner.heard = lambda tokens: self.heard(tokens)

    @classmethod
    def build(cls, config, team, answers, say):
        return cls(HFEngine(team, config.batch_size))

    def room(self):
        return self.inner.room()

    def generate(self, requests):
        return self.inner.generate(requests)

    def sync(self, policy, version):
        self.inner.sync(policy, version)


class Tight(Wrapped):
    limit = "tokens of a small room"

    def room(self):
        return 30


class Elsewhere(Wrapped):
    weights = "served"


class Silent(Engine):
    def generate(self, requests): ...


class Odd(Wrapped):
    weights = "mine"


class Short(Wrapped):
    @classmethod
    def build(cls, config, team): ...


class Unbuilt(Engine):
    def generate(self, requests): ...
    def sync(self, policy, version): ...


class Nothing(Wrapped):
    @classmethod
    def build(cls, config, team, answers, say): ...


class Other: ...
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    Path("mine.py").write_text(MINE)


def config_of(model: Path | str, problems: Path | str, engine: str, **others: Any) -> TrainConfig:
    return TrainConfig(
        out="run",
        team=TeamConfig(model=str(model), lora_rank=2, engine=engine),
        env=EnvConfig(problems=str(problems), **others),
        sampling=SamplingConfig(max_new_tokens=8),
        steps=2,
        problems_per_step=1,
        group_size=2,
    )


def test_it_trains_and_benches_on_the_embedded_model_as_what_it_wraps(mine: None, codeduet: Callable[..., Any]) -> None:
    words = ["team.model=embedded", "team.lora_rank=2", "env.problems=embedded", "sampling.max_new_tokens=8"]
    told, benched = [], []
    for engine in ("mine.py:Wrapped", "hf"):
        steps = ["steps=2", "problems_per_step=1", "group_size=2", f"team.engine={engine}", "out=run"]
        assert codeduet("train", *words, *steps).status == 0
        told.append({path.name: path.read_bytes() for path in Path("run").rglob("adapter_model.safetensors")})
        assert told[-1]
        ran = codeduet("bench", *words, f"team.engine={engine}", "n=2", "k=[1]", "limit=2", "out=bench")
        assert ran.status == 0
        benched.append(Path("bench/samples.jsonl").read_bytes())
        assert ('"pytest"' in Path("bench/results.json").read_text()) == (engine != "hf")
        for folder in ("run", "bench"):
            Path(folder).rename(f"{folder} of {engine.rpartition(':')[2]}")
    assert told[0] == told[1]
    assert benched[0] == benched[1]


def test_the_bar_hears_it_and_its_generation_is_in_the_memory_plan(
    mine: None, model_dir: Path, problem_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr(Watch, "tokens", lambda self, number: heard.append(number))
    trainer = make_trainer(config_of(model_dir, problem_file, "mine:Wrapped"))
    assert trainer.plan.generating == make_trainer(config_of(model_dir, problem_file, "hf")).plan.generating > 0
    groups = trainer.play(trainer.batch_tasks(0), Tree((2,)), ("heard",))
    assert sum(heard) == sum(len(step.completion.token_ids) for group in groups for step in group.steps) > 0
    ours = Engines({"a": trainer.engine, "b": trainer.engine})
    ours.heard = heard.clear  # type: ignore[assignment]
    assert ours.heard == trainer.engine.heard == heard.clear
    assert ours.room() == trainer.engine.room() is not None


def test_problems_are_held_against_its_room(
    mine: None, model_dir: Path, problem_file: Path, codeduet: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match="are too long for the 30 tokens of a small room: Toy/"):
        make_trainer(config_of(model_dir, problem_file, "mine:Tight"))
    words = [f"team.model={model_dir}", f"env.problems={problem_file}", "team.engine=mine.py:Tight", "n=1", "k=[1]"]
    ran = codeduet("bench", *words, "out=bench")
    assert ran.status == 2
    assert "are too long for the 30 tokens of a small room" in ran.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Silent", "engine 'mine.py:Silent' has no sync"),
        ("Odd", "engine 'mine.py:Odd': weights is one of shared, own, served, not 'mine'"),
        ("Short", "engine 'mine.py:Short': build takes config, team, answers and say: too many positional arguments"),
        ("Unbuilt", "engine Unbuilt has no build"),
        ("Nothing", "engine 'NoneType' is no codeduet.agents.Engine"),
        ("Other", "engine 'mine.py:Other' is no codeduet.agents.Engine: derive it from that class"),
        ("Absent", "engine 'mine.py:Absent' cannot be imported: AttributeError"),
        ("Elsewhere", "team.engine=mine.py:Elsewhere is for evaluation: train with hf or vllm"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    mine: None, model_dir: Path, problem_file: Path, codeduet: Callable[..., Any], name: str, message: str
) -> None:
    words = [f"team.model={model_dir}", f"env.problems={problem_file}", f"team.engine=mine.py:{name}", "out=run"]
    ran = codeduet("train", *words)
    assert ran.status == 2
    assert message in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not Path("run").exists()
    if name != "Elsewhere":
        assert message in codeduet("bench", *words).err


def test_what_has_no_name_is_refused_where_the_config_is_read() -> None:
    for key in ("engine", "seats.main.engine"):
        with pytest.raises(InputError, match=r"input should be 'hf', 'vllm', 'openai', module:Class or file\.py:Class"):
            load_config(TeamConfig, None, [f"{key}=hff"])
    assert load_config(TeamConfig, None, ["engine=nowhere:Engine"]).engine == "nowhere:Engine"  # read, and not loaded


def test_every_name_in_the_table_is_an_engines() -> None:
    assert {name: engine_class(name).weights for name in ENGINES} == {"hf": "shared", "vllm": "own", "openai": "served"}
    assert engine_class("vllm").limit == "tokens of team.context"


def test_an_object_that_is_no_engine_is_refused(model_dir: Path, problem_file: Path) -> None:
    with pytest.raises(InputError, match="engine 'SimpleNamespace' is no codeduet"):
        make_trainer(config_of(model_dir, problem_file, "hf"), engine=SimpleNamespace())


def test_an_engine_that_plays_for_another_team_than_the_one_that_trains_is_refused(
    model_dir: Path, problem_file: Path
) -> None:
    config = config_of(model_dir, problem_file, "hf")
    with pytest.raises(
        InputError, match="engine HFEngine generates by weights of a team, which is to be the one that trains"
    ):
        make_trainer(config, engine=HFEngine(make_team(config.team, config.roles, config.seed)))


def test_an_engine_that_says_nothing_of_itself_has_no_limit_and_hears_nothing() -> None:
    class Bare(Engine):
        def generate(self, requests: Any) -> Any:
            return []

        def sync(self, policy: Policy, version: int) -> None:
            pass

    engine = Bare()
    engine.heard(3)
    engine.sleep()
    engine.close()
    assert engine.room() is None
