"""How does a team learn? Algorithms, losses, learner, trainer and its callbacks."""

from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.algorithms import credit, losses
from codeduet.algorithms.actor_critic import IPPO, MAPPO
from codeduet.algorithms.algorithm import Algorithm, load_algorithm
from codeduet.algorithms.callbacks import Callback, Tracker
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.grpo import GRPO
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.policy_gradient import PolicyGradient
from codeduet.algorithms.reinforce import REINFORCE, RLOO
from codeduet.algorithms.trainer import Trainer
from codeduet.algorithms.training import make_trainer, train

__all__ = [
    "GRPO",
    "IPPO",
    "MAGRPO",
    "MAPPO",
    "REINFORCE",
    "RLOO",
    "Algorithm",
    "Callback",
    "Group",
    "LossBatch",
    "PolicyGradient",
    "Step",
    "Tracker",
    "TrainConfig",
    "Trainer",
    "Trajectory",
    "Tree",
    "credit",
    "load_algorithm",
    "losses",
    "make_trainer",
    "train",
]
