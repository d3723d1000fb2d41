"""What a step plays: groups of episodes, and others in place of those that an algorithm does not keep."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from codeduet.agents.steps import Group
from codeduet.algorithms.order import refill_of
from codeduet.algorithms.update import judged

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer


class Sampled(NamedTuple):
    """The groups of a step.

    Attributes:
        played: all of them.
        judged: those whose programs all have a verdict.
        kept: those of them that are learnt from.
    """

    played: list[Group]
    judged: list[Group]
    kept: list[Group]


def sample(trainer: Trainer) -> Sampled:
    """Play a step's episodes."""
    config, algorithm, step = trainer.config, trainer.algorithm, trainer.step
    size, tree = config.problems_per_step, algorithm.tree(config.group_size)
    played = trainer.play(trainer.batch_tasks(step), tree, ("train", step))
    whole = judged(trainer, played)
    kept = [group for group in whole if algorithm.keep(group)]
    for refill in range(algorithm.refills):
        if len(kept) >= size:
            break
        tasks = refill_of(trainer.train_tasks, step, refill, size, config.seed)[: size - len(kept)]
        before = Counter(group.task_id for group in played)
        more = trainer.play(tasks, tree, ("train", step, "refill", refill), before)
        played += more
        found = judged(trainer, more)
        whole += found
        kept += [group for group in found if algorithm.keep(group)]
    return Sampled(played, whole, kept)
