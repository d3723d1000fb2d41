"""Let an algorithm play a probe game until it is solved, with the trainer that trains language models."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console

from codeduet.agents.config import SamplingConfig, Sharing
from codeduet.agents.hf import HFEngine
from codeduet.algorithms import GRPO, TrainConfig, Trainer, load_algorithm, make_trainer
from codeduet.algorithms.algorithm import Algorithm
from codeduet.algorithms.config import OptimConfig
from codeduet.benchmarks.probes.games import Probe
from codeduet.benchmarks.probes.letters import LetterFormatter, letter_team
from codeduet.envs.config import EnvConfig
from codeduet.envs.roles import as_data
from codeduet.errors import InputError

GROUP = 16
"""Episodes of a problem in a step."""

PROBLEMS = 4
"""Problems of a step."""

_LATEST = 4
"""Steps in a row whose mean return tells whether a game is solved."""

_RATE = 1e-3


class Played(NamedTuple):
    """How it went.

    Attributes:
        solved: whether it was solved.
        episodes: played until it was, or in all.
        reward: mean return of the last steps.
        why: what kept the algorithm from playing, where it did not.
    """

    solved: bool
    episodes: int
    reward: float
    why: str = ""


def play_probe(
    probe: Probe,
    algorithm: str | Algorithm,
    options: Mapping[str, Any] | None = None,
    *,
    sharing: Sharing = "separate",
    seed: int = 0,
    steps: int = 0,
    shuffled: bool = False,
) -> Played:
    """Play a game until it is solved, or for so many steps.

    Args:
        probe: the game.
        algorithm: a name that a config takes, or an algorithm.
        options: of it.
        sharing: how the agents' policies relate to models.
        seed: of models, problems and letters.
        steps: at most; 0 is what the game allows.
        shuffled: pay a program what another one earned, as a control.

    Raises:
        InputError: the algorithm cannot be made, or cannot play such a game.
    """
    made = load_algorithm(algorithm, options or {}) if isinstance(algorithm, str) else algorithm
    trainer = make_probe_trainer(probe, made, sharing=sharing, seed=seed, steps=steps, shuffled=shuffled)
    latest: deque[float] = deque(maxlen=_LATEST)
    episodes = 0
    while not trainer.over():
        _, groups = trainer.train_step()
        programs = [trajectory.program for group in groups for trajectory in group.trajectories]
        episodes += len(programs)
        latest.append(sum(probe.score(program) for program in programs if program is not None) / len(programs))
        if len(latest) == _LATEST and sum(latest) / _LATEST >= probe.solved:
            return Played(True, episodes, sum(latest) / _LATEST)
    return Played(False, episodes, sum(latest) / len(latest))


def make_probe_trainer(
    probe: Probe,
    algorithm: Algorithm,
    *,
    sharing: Sharing = "separate",
    seed: int = 0,
    steps: int = 0,
    shuffled: bool = False,
) -> Trainer:
    """Make a trainer that plays a game; the arguments are those of :func:`play_probe`.

    Raises:
        InputError: the algorithm cannot play such a game.
    """
    alone = isinstance(algorithm, GRPO)
    if alone and not probe.alone:
        raise InputError(f"{probe.name} is a game of several, and grpo trains one agent")
    if probe.frozen and sharing == "shared":
        raise InputError(f"{probe.name} has an agent that does not learn, and shared policies all do")
    roles = probe.alone if alone else probe.roles
    team = letter_team(roles, sharing, seed)
    config = TrainConfig(
        seed=seed,
        env=EnvConfig(roles=as_data(roles), max_turns=probe.turns),
        sampling=SamplingConfig(temperature=1.0, max_new_tokens=1),
        optim=OptimConfig(lr=_RATE, max_grad_norm=0.0, memory_gib=1e6),
        steps=steps or probe.steps,
        problems_per_step=PROBLEMS,
        group_size=GROUP,
        frozen=list(probe.frozen),
    )
    return make_trainer(
        config,
        team=team,
        envs=probe.envs(roles, PROBLEMS * GROUP, shuffled=shuffled),
        train_tasks=[problem.task_id for problem in probe.problems],
        formatter=LetterFormatter(roles),
        algorithm=algorithm,
        engine=HFEngine(team, batch_size=PROBLEMS * GROUP),
        console=Console(quiet=True),
    )
