"""How does a team learn? Rollouts, advantages, losses, learner, trainer; GRPO and MAGRPO."""

from codeduet.algorithms.algorithm import Algorithm, load_algorithm
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.grpo import GRPO
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.rollout import Group, Trajectory, rollout
from codeduet.algorithms.trainer import Trainer

__all__ = [
    "GRPO",
    "MAGRPO",
    "Algorithm",
    "Group",
    "TrainConfig",
    "Trainer",
    "Trajectory",
    "load_algorithm",
    "rollout",
]
