"""GRPO: MAGRPO with a team of one, and its descendants, which are settings of it.

The single agent writes the whole program; advantages, loss and settings are those of :mod:`codeduet.algorithms.magrpo`.

==============  ==============================================================================================
``dr_grpo``     Dr. GRPO (arXiv 2503.20783): no standard deviation, the loss divided by the longest answer
``dapo``        DAPO (arXiv 2503.14476): clip-higher, token mean, dead groups played anew
``gspo``        GSPO (arXiv 2507.18071): the ratio of whole sequences
==============  ==============================================================================================
"""

from __future__ import annotations

from typing import Any

from codeduet.agents.team import Team
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.envs import InputError


class GRPO(MAGRPO):
    """Group-relative policy optimisation of one agent."""

    def setup(self, team: Team) -> None:
        """Refuse a team of several agents.

        Raises:
            InputError: the team has more than one agent.
        """
        if len(team) != 1:
            raise InputError(f"grpo trains one agent, not {', '.join(team)}: set team.kind=single, or algorithm=magrpo")
        super().setup(team)


class DrGRPO(MAGRPO):
    """Dr. GRPO, of any team: ``aggregate="length"``, no standard deviation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"aggregate": "length", **options})


class DAPO(MAGRPO):
    """DAPO, of any team: ``clip=[0.2, 0.28]``, ``aggregate="token"``, ``scale="std"``, two refills of dead groups.

    Its overlong punishment is the option ``overlong``: ``[256, 51]`` for answers of 256 tokens.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"clip": (0.2, 0.28), "aggregate": "token", "scale": "std", "refills": 2, **options})


class GSPO(MAGRPO):
    """GSPO, of any team: ``clip=[3e-4, 4e-4]`` of the sequence's ratio, ``aggregate="mean"``, ``scale="std"``."""

    def __init__(self, **options: Any) -> None:
        defaults = {"clip": (3e-4, 4e-4), "level": "sequence", "aggregate": "mean", "scale": "std"}
        super().__init__(**{**defaults, **options})
