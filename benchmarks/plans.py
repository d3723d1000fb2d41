"""What a command would do: its config, first prompts, parts, and memory; and what its config means."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from rich.console import Console

from codeduet.agents import Formatter
from codeduet.agents.build import make_formatter
from codeduet.agents.team import Team, memory_estimate
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.resume import check_run
from codeduet.algorithms.training import make_trainer
from codeduet.benchmarks.hours import hours_lines, tokens_line, work_of
from codeduet.benchmarks.measuring import callbacks
from codeduet.benchmarks.pass_at_k import BenchConfig, choose_problems, make_players
from codeduet.benchmarks.table_plan import ReproduceConfig, memory_plans, plan
from codeduet.config import describe, load_config, to_yaml
from codeduet.envs.config import EnvConfig, make_envs
from codeduet.envs.sets import is_packaged, load_set
from codeduet.errors import InputError, nearest
from codeduet.runs import check_free

CONFIGS: dict[str, Any] = {"train": TrainConfig, "bench": BenchConfig, "reproduce": ReproduceConfig}
"""Command -> the config it takes."""


def described(command: str, source: str | None = None) -> str:
    """Return a command's config as YAML whose comments say what each key means.

    Args:
        command: ``train``, ``bench`` or ``reproduce``.
        source: a YAML file or the name of a packaged config; the defaults where it is None.

    Raises:
        InputError: there is no such command or config.
    """
    if command not in CONFIGS:
        known = ", ".join(CONFIGS)
        raise InputError(f"no config of a command {command!r}: choose {known}{nearest(command, CONFIGS)}")
    return describe(load_config(CONFIGS[command], source)).rstrip("\n")


def show_training(config: TrainConfig, console: Console, *, resume: bool) -> None:
    """Print what a training would do; its model is loaded for it.

    Raises:
        InputError: it could not be begun or, with ``resume``, gone on with.
    """
    if resume:
        check_run(config, resume=True)
    check_free(Path(config.out), "train")
    trainer = make_trainer(config, console=console, callbacks=callbacks(config))
    with contextlib.closing(trainer.engine):
        _show(config, trainer.team, trainer.formatter, trainer.train_tasks[0], console)
        _say(console, trainer.plan.line())


def show_bench(config: BenchConfig, console: Console) -> None:
    """Print what a benchmark would do; its model is loaded for it."""
    problems = choose_problems(config)
    team = make_players(config)
    _show(config, team, make_formatter(config.team, config.roles, team), problems[0].task_id, console)


def show_reproduction(config: ReproduceConfig, console: Console) -> None:
    """Print what a reproduction would do; the models of trainings that are left are loaded for it."""
    console.rule("config")
    _say(console, to_yaml(config))
    console.rule("plan")
    parts = plan(config)
    whole = sum(part.weight for part in parts)
    for part in parts:
        title = part.row.title(config.sampling.max_new_tokens)
        tokens = tokens_line(work_of(config, part))
        _say(console, f"{title}: {part.what}, {100 * part.weight / whole:.0f} % of the work, {tokens}")
    for line in hours_lines(config, parts):
        _say(console, line)
    console.rule("memory")
    for line in memory_plans(config, console):
        _say(console, line)


def set_lines(config: EnvConfig) -> list[str]:
    """Say what is loaded from sets that do not ship with this package."""
    return problem_lines(config.problems, config.test_problems)


def problem_lines(*sources: str) -> list[str]:
    """Say what is loaded from those sets that do not ship with this package."""
    return [load_set(source).line() for source in sources if source and not is_packaged(source)]


def _show(config: TrainConfig | BenchConfig, team: Team, formatter: Formatter, task_id: str, console: Console) -> None:
    """Print the config, the first prompt of every agent, and what memory the weights take."""
    console.rule("config")
    _say(console, to_yaml(config))
    (env,) = make_envs(config.env, config.roles, 1)
    env.reset(options={"task_id": task_id})
    for agent in team:
        observation = env.observe(agent)
        assert observation is not None
        console.rule(f"first prompt of {agent} ({len(formatter.encode(agent, observation))} tokens)")
        _say(console, formatter.render(agent, observation))
    console.rule("memory")
    for name, size in memory_estimate(team).items():
        _say(console, f"{name}: {size:,.1f} MiB")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
