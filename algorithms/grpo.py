"""GRPO: MAGRPO with a team of one.

The single agent writes the whole program; advantages, loss and settings are those of :mod:`codeduet.algorithms.magrpo`.
"""

from __future__ import annotations

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
