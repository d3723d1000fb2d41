"""The algorithms that have a name, and the one place where they are listed."""

from __future__ import annotations

from codeduet.algorithms.actor_critic import IPPO, MAPPO
from codeduet.algorithms.algorithm import Algorithm
from codeduet.algorithms.grpo import DAPO, GRPO, GSPO, DrGRPO
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.reinforce import C3, REINFORCE, RLOO

NAMES: dict[str, type[Algorithm]] = {
    "reinforce": REINFORCE,
    "rloo": RLOO,
    "grpo": GRPO,
    "dr_grpo": DrGRPO,
    "dapo": DAPO,
    "gspo": GSPO,
    "magrpo": MAGRPO,
    "c3": C3,
    "ippo": IPPO,
    "mappo": MAPPO,
}
