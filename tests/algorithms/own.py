"""A training that is over in a moment: two tiny models over letters, that an algorithm or callback of one's own is tried in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from codeduet.agents import Engine
from codeduet.agents.config import SamplingConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.team import Team
from codeduet.algorithms import Algorithm, Group, TrainConfig, Trainer, credit, make_trainer
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.config import OptimConfig
from codeduet.benchmarks.probes.games import PROBES
from codeduet.benchmarks.probes.letters import LetterFormatter, letter_team
from codeduet.envs.config import EnvConfig
from codeduet.envs.roles import as_data

PROBE = PROBES["key"]


class Mine(Algorithm):
    """A user's own."""

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        return {step: 1.0 + credited for group in groups for step, credited in credit.siblings(group).items()}


def letters(
    algorithm: Algorithm,
    out: Path,
    *,
    team: Team | None = None,
    engine: Engine | None = None,
    callbacks: Sequence[Any] = (),
    console: Console | None = None,
    **settings: Any,
) -> Trainer:
    """Return a trainer of four episodes a step, two of each of two problems; ``settings`` are of its config."""
    team = team or letter_team(PROBE.roles, "separate", 0)
    chosen: dict[str, Any] = {"steps": 3, "group_size": 2, "checkpoint_every": 100, **settings}
    config = TrainConfig(
        out=str(out),
        env=EnvConfig(roles=as_data(PROBE.roles), max_turns=PROBE.turns),
        sampling=SamplingConfig(temperature=1.0, max_new_tokens=1),
        optim=OptimConfig(lr=1e-3, memory_gib=1e6),
        problems_per_step=2,
        **chosen,
    )
    return make_trainer(
        config,
        team=team,
        envs=PROBE.envs(PROBE.roles, 2 * config.group_size),
        train_tasks=[problem.task_id for problem in PROBE.problems],
        formatter=LetterFormatter(PROBE.roles),
        algorithm=algorithm,
        engine=engine or HFEngine(team, batch_size=8),
        callbacks=callbacks,
        console=console or Console(quiet=True),
    )
