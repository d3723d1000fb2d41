"""A training is measured on the way by the benchmark's own code, keeps its best checkpoint and ends where nothing gets better."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file

from codeduet.agents import Completion, MessageFormatter, Request
from codeduet.agents.build import make_team
from codeduet.algorithms import TrainConfig, make_trainer, train
from codeduet.algorithms.checkpoint import read_state
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks import measuring
from codeduet.benchmarks.measuring import BEST, Measure
from codeduet.config import load_config
from codeduet.envs.config import make_envs
from codeduet.envs.problems import held_out, load_problems
from codeduet.errors import InputError

Command = Callable[..., Any]


@pytest.fixture
def words(model_dir: Path, problem_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "own_letters.py").write_text(
        "def letters(parts):\n    return sum(len(set(part.code)) for part in parts)\n"
    )
    monkeypatch.chdir(tmp_path)
    return [
        f"team.model={model_dir}", "team.lora_rank=2", f"env.problems={problem_file}", "env.reward=own_letters:letters",
        "sampling.max_new_tokens=12", "problems_per_step=1", "group_size=2", "optim.lr=0.01", "checkpoint_every=2",
        "eval={every: 2, n: 2, k: [1, 2], greedy: true}",
    ]  # fmt: skip


def evals(run: Path | str) -> list[dict[str, Any]]:
    return [row for row in read_metrics(Path(run)) if row["kind"] == "eval"]


def test_a_tenth_is_held_out_of_training() -> None:
    learnt, valid = held_out(list(range(25)))
    assert valid == [9, 19]
    assert sorted(learnt + valid) == list(range(25))
    assert held_out(["a", "b", "c"]) == (["a", "b"], ["c"])
    with pytest.raises(InputError, match="too few"):
        held_out(["a"])


def test_what_is_measured_is_what_bench_measures(codeduet: Command, words: list[str]) -> None:
    assert codeduet("train", *words, "steps=4", "out=run").status == 0
    rows = evals("run")
    assert [row["step"] for row in rows] == [2, 4]
    results = json.loads(Path("run/measured/step_000004/results.json").read_text())
    assert rows[1]["pass@2"] == results["pass@k"]["2"]["mean"]
    assert rows[1]["syntax"] == results["rates"]["syntax"]["mean"]
    assert rows[1]["greedy"] in (0.0, 1.0)
    samples = [json.loads(line) for line in Path("run/measured/step_000004/samples.jsonl").read_text().splitlines()]
    same = ["team.model", "team.lora_rank", "env.problems", "env.reward"]
    shared = [word for word in words if word.partition("=")[0] in same]
    assert codeduet(
        "bench", *shared, "sampling.max_new_tokens=12", "n=2", "k=[1,2]", "split=valid", "checkpoint=run", "out=again"
    ).status == 0  # fmt: skip
    again = [json.loads(line) for line in Path("again/samples.jsonl").read_text().splitlines()]
    assert [row["texts"] for row in again] == [row["texts"] for row in samples]
    learnt = {row["task_id"] for row in map(json.loads, Path("run/completions.jsonl").read_text().splitlines())}
    assert not learnt & {row["task_id"] for row in samples}


class Scores:
    """Measures what it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
        self.values = iter(values)
        monkeypatch.setattr(measuring, "measure", lambda trainer: {"pass@1": next(self.values)})


def test_the_best_checkpoint_is_the_one_the_curve_says(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Scores(monkeypatch, [0.1, 0.4, 0.4, 0.3])
    config = load_config(TrainConfig, None, [*words, "steps=8", "out=run", "eval.best=pass@1", "keep_checkpoints=9"])
    train(config, callbacks=[Measure()])
    curve = {row["step"]: row["pass@1"] for row in evals("run")}
    assert curve == {2: 0.1, 4: 0.4, 6: 0.4, 8: 0.3}
    assert read_state(Path("run") / BEST)["step"] == 4  # the first of those that are best
    for agent in ("helper_0", "main_0"):
        kept = load_file(Path("run") / BEST / agent / "adapter_model.safetensors")
        there = load_file(Path("run/checkpoints/step_000004") / agent / "adapter_model.safetensors")
        assert all((kept[key] == there[key]).all() for key in there)


def test_what_is_not_finite_never_is_the_best(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Scores(monkeypatch, [math.nan, 0.1, math.inf, 0.2])
    config = load_config(TrainConfig, None, [*words, "steps=8", "out=run", "eval.best=pass@1"])
    measure = Measure()
    train(config, callbacks=[measure])
    assert (measure.best, measure.waited) == ((0.2, 8), 0)
    assert read_state(Path("run") / BEST)["step"] == 8


def test_what_was_really_measured_on_the_valid_split_chooses_the_best(
    codeduet: Command, words: list[str], problem_file: Path
) -> None:
    """On the embedded model, whose rates move; the curve is read back from the run, and so is who was measured."""
    asked = ["team.model=embedded", "optim.lr=0.03", "sampling.max_new_tokens=24", "checkpoint_every=9"]
    measured = "eval={every: 1, n: 4, k: [1], best: syntax}"
    assert codeduet("train", *words[:-1], *asked, measured, "steps=6", "out=run").status == 0
    curve = {row["step"]: row["syntax"] for row in evals("run")}
    assert list(curve) == [1, 2, 3, 4, 5, 6]
    highest = max(curve.values())
    best = min(step for step, value in curve.items() if value == highest)
    assert min(curve.values()) < highest
    assert read_state(Path("run") / BEST)["step"] == best
    _, valid = held_out([problem.task_id for problem in load_problems(problem_file, "train")])
    test = {problem.task_id for problem in load_problems(problem_file, "test")}
    for step in curve:
        samples = Path(f"run/measured/step_{step:06d}/samples.jsonl").read_text().splitlines()
        seen = {json.loads(line)["task_id"] for line in samples}
        assert seen == set(valid)
        assert not seen & test


def test_it_ends_where_nothing_gets_better_and_goes_on_as_if_unbroken(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*words, "eval.best=pass@1", "eval.patience=2"]
    Scores(monkeypatch, [0.2, 0.3, 0.1, 0.2, 0.9])
    whole = train(load_config(TrainConfig, None, [*settings, "steps=20", "out=whole"]), callbacks=[Measure()])
    assert whole.step == 8  # two measurements behind the best
    Scores(monkeypatch, [0.2, 0.3, 0.1])
    train(load_config(TrainConfig, None, [*settings, "steps=6", "out=run"]), callbacks=[Measure()])
    Scores(monkeypatch, [0.2, 0.9])
    config = load_config(TrainConfig, None, [*settings, "steps=20", "out=run"])
    assert train(config, resume=True, callbacks=[Measure()]).step == 8
    assert read_state(Path("run") / BEST)["step"] == 4


def test_a_run_that_ended_early_stays_ended_unless_it_is_to_be_more_patient(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*words, "eval.best=pass@1", "steps=10", "out=run"]
    Scores(monkeypatch, [0.3, 0.1, 0.2, 0.2])

    def run(patience: int, *, resume: bool) -> int:
        config = load_config(TrainConfig, None, [*settings, f"eval.patience={patience}"])
        return train(config, resume=resume, callbacks=[Measure()]).step

    assert run(2, resume=False) == 6
    assert run(2, resume=True) == 6
    assert run(3, resume=True) == 8
    assert [row["step"] for row in evals("run")] == [2, 4, 6, 8]


def test_a_step_that_was_stopped_before_it_was_measured_is_measured_first(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(TrainConfig, None, [*words, "steps=4", "out=run"])
    Scores(monkeypatch, [0.1])
    with pytest.raises(StopIteration):
        train(config, callbacks=[Measure()])  # at step 4, which is not measured
    assert [row["step"] for row in evals("run")] == [2]
    Scores(monkeypatch, [0.5, 0.6])
    train(config, resume=True, callbacks=[Measure()])
    assert [row["step"] for row in evals("run")] == [2, 4]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("eval={every: 1, split: test, best: pass@1}", "nothing is chosen by test problems: set eval.split=valid"),
        ("eval={every: 1, patience: 3}", "name it, eval.best=pass@1"),
        ("eval={every: 1, n: 2, k: [3]}", r"eval.k=\[3\] must lie between 1 and eval.n=2"),
        ("eval={every: 1, best: pass@2}", r"eval.best=pass@2 is not measured: eval.k=\[1\] has no 2"),
        ("eval={every: 1, best: greedy}", "eval.best=greedy is not measured: set eval.greedy=true"),
        ("eval={every: 1, best: pas@1}", "did you mean 'pass@1'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    codeduet: Command, words: list[str], word: str, message: str
) -> None:
    import re

    ran = codeduet("train", *words[:-1], "steps=1", "out=run", word)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert re.search(message, ran.err)


def test_of_tasks_that_are_handed_over_those_that_are_measured_are_not_learnt_from(
    words: list[str], problem_file: Path
) -> None:
    config = load_config(TrainConfig, None, [*words, "steps=1", "out=run"])
    every = [problem.task_id for problem in load_problems(problem_file, "train")]
    learnt, valid = held_out(every)
    told = Console(record=True, quiet=False, file=io.StringIO(), width=200)

    def tasks(given: list[str]) -> list[str]:
        return list(make_trainer(config, train_tasks=given, callbacks=[Measure()], console=told).train_tasks)

    assert tasks([valid[0], learnt[1], learnt[0]]) == [learnt[1], learnt[0]]  # in any order, and of any length
    assert "train_tasks" not in told.export_text()
    assert tasks(learnt[:1]) == learnt[:1]
    assert f"measures {len(valid)} problems of the train split, of which train_tasks names none" in told.export_text()
    with pytest.raises(InputError, match=r"names nothing but problems that eval\.split=valid measures"):
        tasks(valid)


def test_what_is_measured_reads_the_prompts_that_are_learnt_from(words: list[str]) -> None:
    config = load_config(TrainConfig, None, [*words[:-1], "eval={every: 1, n: 1, k: [1]}", "steps=1", "out=run"])
    team = make_team(config.team, config.roles, config.seed)

    class Curt(MessageFormatter):
        """Asks for code in three words."""

        def render(self, agent: str, observation: Mapping[str, Any]) -> str:
            return f"{agent}, write code:"

        def encode(self, agent: str, observation: Mapping[str, Any]) -> tuple[int, ...]:
            return tuple(team.tokenizer(self.render(agent, observation))["input_ids"])

    trainer = make_trainer(config, team=team, formatter=Curt(), callbacks=[Measure()])
    asked: set[tuple[int, ...]] = set()
    generate = trainer.engine.generate

    def noted(requests: Sequence[Request]) -> list[list[Completion]]:
        asked.update(request.prompt_ids for request in requests)
        return generate(requests)

    trainer.engine.generate = noted  # type: ignore[method-assign]
    trainer.train()
    assert Path("run/measured/step_000001/samples.jsonl").read_text().splitlines()
    assert asked == {tuple(team.tokenizer(f"{agent}, write code:")["input_ids"]) for agent in team}


def test_measuring_in_another_game_than_is_learnt_in_is_refused(words: list[str]) -> None:
    config = load_config(TrainConfig, None, [*words, "steps=1", "out=run"])
    with pytest.raises(InputError, match="measures in the game of the config, not in envs that are handed over"):
        train(config, envs=make_envs(config.env, config.roles, 2, training=True), callbacks=[Measure()])
    assert not Path("run").exists()


def test_a_best_that_is_not_measured_is_refused_when_the_config_is_made() -> None:
    for good in ("{n: 2, k: [2], best: pass@2}", "{greedy: true, best: greedy}", "{best: syntax}"):
        load_config(TrainConfig, None, [f"eval={good}"])
    for bad in ("{n: 2, k: [2], best: pass@1}", "{best: greedy}"):
        with pytest.raises(InputError, match="is not measured"):
            load_config(TrainConfig, None, [f"eval={bad}"])


def test_in_python_the_measure_is_handed_over(words: list[str]) -> None:
    config = load_config(TrainConfig, None, [*words, "steps=1", "out=run"])
    with pytest.raises(InputError, match=r"callbacks=\[codeduet.benchmarks.measuring.Measure\(\)\]"):
        train(config)
    assert not Path("run").exists()
