"""What is seen of a training while it runs: bars within a step, or a plain line a step."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from codeduet.agents.build import make_team
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.show import LEARN, Watch, cut_line, make_progress, time_left
from codeduet.benchmarks.report import write_report
from codeduet.benchmarks.standing import standing
from codeduet.config import to_yaml
from codeduet.envs.config import EnvConfig
from codeduet.files import locked


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=2, threads=1),
        env=EnvConfig(problems="embedded"),
        sampling=SamplingConfig(max_new_tokens=4),
        steps=2,
        problems_per_step=1,
        group_size=2,
    )


def train(config: TrainConfig, *, terminal: bool) -> str:
    """Train, and return what was written to the screen."""
    written = io.StringIO()
    trainer = make_trainer(
        config, console=Console(file=written, force_terminal=terminal, force_interactive=terminal, width=150)
    )
    trainer.open()
    trainer.train()
    return written.getvalue()


def test_without_a_terminal_each_step_is_one_plain_line(config: TrainConfig) -> None:
    lines = [line for line in train(config, terminal=False).splitlines() if line.startswith("step")]
    assert len(lines) == 2
    pattern = r"step (\d)/2  reward -?\d\.\d{3}  solved \d\.\d{3}  \d+\.\d s  0:\d\d:\d\d left  .*"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert [match and match[1] for match in found] == ["1", "2"]
    assert "0:00:00 left" in lines[1]
    # A random model writes to the limit.
    assert all(line.endswith("answers were cut off: raise sampling.max_new_tokens") for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_on_a_terminal_a_cut_step_is_told_once_and_no_line_a_step(config: TrainConfig) -> None:
    text = train(config, terminal=True)
    assert text.count("raise sampling.max_new_tokens") == 1
    assert "s  0:00:00 left" not in text


def test_the_bar_within_a_step_has_phase_tokens_and_rate(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[tuple[str, int]] = []
    heard: dict[str, int] = {}
    begin, tokens = Watch.begin, Watch.tokens
    monkeypatch.setattr(Watch, "begin", lambda self, name, size: (phases.append((name, size)), begin(self, name, size)))

    def count(self: Watch, number: int) -> None:
        heard[phases[-1][0]] = heard.get(phases[-1][0], 0) + number
        tokens(self, number)

    monkeypatch.setattr(Watch, "tokens", count)
    trainer = make_trainer(config)
    metrics, groups = trainer.train_step()
    assert [name for name, _ in phases] == ["helper_0", "judge", "main_0", "judge", LEARN]
    assert dict(phases)["main_0"] == 2 * config.sampling.max_new_tokens
    for agent in ("helper_0", "main_0"):
        written = [step.completion for t in groups[0].trajectories for step in t.steps if step.agent == agent]
        assert heard[agent] == sum(len(completion.token_ids) for completion in written)
        assert metrics[f"seconds/{agent}"] > 0
    assert heard.get(LEARN, 0) == dict(phases)[LEARN]
    parts = sum(metrics[f"seconds/{part}"] for part in ("helper_0", "main_0", "judge"))
    assert parts < metrics["seconds/rollout"] + metrics["seconds/learn"]


def test_the_bar_is_drawn_under_the_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True, width=150)
    with make_progress(console) as progress:
        watch = Watch()
        watch.show_on(progress)
        watch.begin("main_0", 400)
        monkeypatch.setattr("codeduet.algorithms.show.perf_counter", lambda: watch._began + 2.0)
        watch.tokens(100)
        screen = Console(record=True, file=io.StringIO(), width=150)
        screen.print(progress.get_renderable())
        shown = screen.export_text()
        assert all(part in shown for part in ("main_0 writes, tokens", "100/400", "50 tokens/s"))
        assert watch.end() == {"seconds/main_0": 2.0}
        watch.hide()
        assert not progress.tasks


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_cuts_the_metrics_and_nothing_else(width: int) -> None:
    metrics = "reward 0.425  syntax 0.500  runnable 0.500  tests 0.194  solved 0.123"
    with make_progress(Console(file=io.StringIO(), force_terminal=True, width=width)) as progress:
        progress.add_task("train", total=60, completed=13, shown=metrics)
        progress.add_task("  helper_0 writes, tokens", total=20480, completed=1234, shown="1,170 tokens/s")
        screen = Console(record=True, file=io.StringIO(), width=width)
        screen.print(progress.get_renderable())
    first, second = screen.export_text().splitlines()
    assert "13/60" in first
    assert "-:--:--" in first
    assert "rew" in first
    assert "helper_0 writes, tokens" in second
    assert "1234/20480" in second
    assert ("1,170 tokens/s" in second) == (width > 60)


def test_weights_that_the_engine_samples_by_and_nobody_trains_are_told_while_it_trains(config: TrainConfig) -> None:
    team, other = (make_team(config.team, config.roles, config.seed) for _ in range(2))
    with torch.no_grad():
        for parameter in other["main_0"].parameters:
            parameter.add_(0.5)
    for engine, told in ((HFEngine(team), 0), (HFEngine(other), 1)):
        written = io.StringIO()
        changed = replace(config, out=f"{config.out}_{told}", steps=4, options={"entropy": 0.01})
        make_trainer(changed, team=team, engine=engine, console=Console(file=written, width=400)).train()
        assert written.getvalue().count("main_0/mismatch_kl is ") == told


def test_only_what_most_answers_were_cut_off_by_is_told() -> None:
    assert cut_line({"helper_0/truncated": 0.5, "main_0/truncated": 0.1}) == ""
    assert cut_line({"helper_0/truncated": 0.5, "main_0/truncated": 0.75}) == (
        "75 % of main_0's answers were cut off: raise sampling.max_new_tokens"
    )


def test_the_nearest_end_tells_the_time_left() -> None:
    assert time_left(60.0, [(10, 20, 100)]) == 480.0
    assert time_left(60.0, [(10, 20, 100), (0, 500, 1000)]) == 60.0
    assert time_left(60.0, [(0, 3, 3)]) == 0.0


def test_a_report_of_a_running_training_says_where_it_stands(config: TrainConfig, tmp_path: Path) -> None:
    run = Path(config.out)
    (tmp_path / "run").mkdir()
    (run / "config.yaml").write_text(to_yaml(replace(config, steps=4)))
    rows: list[dict[str, Any]] = [{"step": s, "seconds/rollout": 50.0, "seconds/learn": 10.0} for s in (1, 2)]
    (run / "metrics.jsonl").write_text(
        "".join(f'{{"kind": "train", "reward": 0.25, {str(row)[1:-1]}}}\n'.replace("'", '"') for row in rows)
    )
    assert len(read_metrics(run)) == 2
    told = "step 2 of 4, {}, reward 0.250, 60.0 s a step, 0:02:00 left, no checkpoint yet"
    with locked(run):
        assert standing(run) == f"{run}: {told.format('running')}"
        write_report([run], tmp_path / "out")
    assert told.format("running") in (tmp_path / "out" / "report.md").read_text()
    assert standing(run) == f"{run}: {told.format('stopped')}"
    (run / "config.yaml").write_text(to_yaml(config))
    assert standing(run) == f"{run}: step 2 of 2, finished, reward 0.250, 60.0 s a step, no checkpoint yet"
