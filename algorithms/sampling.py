"""What a step plays: groups of episodes, and others in place of those that an algorithm does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeduet.agents.steps import Group
from codeduet.algorithms.learning import judged
from codeduet.algorithms.order import refill_of

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer


def sample(trainer: Trainer) -> tuple[list[Group], list[Group]]:
    """Play a step's episodes; return all groups, and those that are learnt from."""
    config, algorithm, step = trainer.config, trainer.algorithm, trainer.step
    size, tree = config.problems_per_step, algorithm.tree(config.group_size)
    groups = trainer.play(trainer.batch_tasks(step), tree, ("train", step))
    kept = [group for group in judged(trainer, groups) if algorithm.keep(group)]
    for refill in range(algorithm.refills):
        if len(kept) >= size:
            break
        tasks = refill_of(trainer.train_tasks, step, refill, size, config.seed)[: size - len(kept)]
        more = trainer.play(tasks, tree, ("train", step, "refill", refill))
        groups += more
        kept += [group for group in judged(trainer, more) if algorithm.keep(group)]
    return groups, kept
