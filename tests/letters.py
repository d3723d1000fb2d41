"""An algorithm under which a random model learns something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codeduet.algorithms import MAGRPO, Algorithm, Group


def letters(text: str) -> float:
    """A reward that random bytes get some of: how many of the first letters of the alphabet there are."""
    return sum(sign in "abcdefgh" for sign in text) / 4


class Letters(Algorithm):
    """Pays for letters before the algorithm beside it looks, since no random program earns anything."""

    def advantages(self, groups: Sequence[Group]) -> Any:
        for group in groups:
            for trajectory in group.trajectories:
                paid = sum(letters(text) for _, _, text in trajectory.transcript)
                trajectory.rewards = [paid] * len(trajectory.steps)
        return super().advantages(groups)


class LetterReward(Letters, MAGRPO):
    """MAGRPO that pays for letters."""
