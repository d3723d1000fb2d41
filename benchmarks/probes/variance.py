"""How much an agent's gradient scatters under several credits, on the same episodes of a probe game.

    python -m codeduet.benchmarks.probes.variance --out FILE.json

Policies stay as they are: nothing is learnt but critics, for some batches before the first that counts. Told is the trace of the
covariance of a batch's gradient over the squared length of its mean: noise over signal, for one agent.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from codeduet.agents.steps import Group
from codeduet.algorithms import MAGRPO, MAPPO
from codeduet.algorithms.algorithm import Algorithm
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.update import samples_of
from codeduet.benchmarks.probes.games import PROBES
from codeduet.benchmarks.probes.play import make_probe_trainer
from codeduet.files import write_whole
from codeduet.screen import run_script

_TREE = 4


class _Recorder:
    """Stands in for an optimiser: keeps gradients and changes nothing."""

    def __init__(self, learner: Learner) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": 0.0}]
        self.state = {"begun": True}
        self.found: list[torch.Tensor] = []
        self._parameters = learner.policy.parameters

    def zero_grad(self, *, set_to_none: bool) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def step(self) -> None:
        self.found.append(torch.cat([p.grad.flatten() for p in self._parameters if p.grad is not None]))


def scatter(probe: str, agent: str, *, batches: int, warm_up: int) -> dict[str, float]:
    """Return credit -> noise over signal of an agent's gradient.

    Args:
        probe: the game.
        agent: whose gradient.
        batches: that count.
        warm_up: batches before them, by which critics learn.
    """
    game = PROBES[probe]
    # One trainer plays flat groups, another one trees; each credit is told of the episodes it is made for.
    flat = make_probe_trainer(game, MAPPO(), seed=0)
    trees = make_probe_trainer(game, MAGRPO(credit="nested", mains=_TREE), seed=0)
    credits: dict[str, tuple[Trainer, Algorithm]] = {
        "joint": (flat, MAGRPO()),
        "mappo": (flat, flat.algorithm),
        "nested": (trees, trees.algorithm),
    }
    recorders = {name: _Recorder(trainer.learners[agent]) for name, (trainer, _) in credits.items()}
    for number in range(warm_up + batches):
        played = {id(trainer): _played(trainer, number) for trainer in (flat, trees)}
        for name, (trainer, algorithm) in credits.items():
            groups = played[id(trainer)]
            advantages = algorithm.advantages(groups)
            if number >= warm_up:
                learner = trainer.learners[agent]
                learner.optimizer = recorders[name]  # type: ignore[assignment]
                learner.step(samples_of(groups, advantages, trainer.team, [agent])[agent], algorithm.loss)
            algorithm.update(groups)
    return {name: _noise(recorder.found) for name, recorder in recorders.items()}


def _played(trainer: Trainer, number: int) -> list[Group]:
    tree = trainer.algorithm.tree(trainer.config.group_size)
    return trainer.play(trainer.batch_tasks(number), tree, ("scatter", number))


def _noise(found: Sequence[torch.Tensor]) -> float:
    rows = torch.stack(list(found)).double()
    return float(rows.var(0).sum() / (rows.mean(0) ** 2).sum())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = scatter("blame", "main_0", batches=options.batches, warm_up=options.warm_up)
    print(json.dumps(found))
    record = {"probe": "blame", "agent": "main_0", "batches": options.batches, "warm_up": options.warm_up}
    write_whole(options.out, json.dumps(record | {"noise over signal": found}, indent=1) + "\n")


if __name__ == "__main__":
    run_script(main)
