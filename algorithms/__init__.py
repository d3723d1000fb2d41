"""How does a team learn? Rollouts, advantages, losses, learner, trainer and its callbacks; GRPO and MAGRPO."""

from codeduet.algorithms.algorithm import Algorithm, load_algorithm
from codeduet.algorithms.callbacks import Callback, Tracker
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.grpo import GRPO
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.rollout import Group, Trajectory, rollout
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.training import make_trainer, train

__all__ = [
    "GRPO",
    "MAGRPO",
    "Algorithm",
    "Callback",
    "Group",
    "Tracker",
    "TrainConfig",
    "Trainer",
    "Trajectory",
    "load_algorithm",
    "make_trainer",
    "rollout",
    "train",
]
