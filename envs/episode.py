"""Copies of an environment in mid-episode: each goes on where the original stands, and nothing they change is shared."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from gymnasium.utils import EzPickle


class Resumable(EzPickle):
    """Pickles an environment as its arguments, which make a new one, and its episode; copies it with its episode.

    Attributes:
        EPISODE: names of what an episode is, as far as it has begun.
        OWN: names of what else a copy does not share; an executor, problems and the like it does.
    """

    EPISODE: ClassVar[frozenset[str]]
    OWN: ClassVar[frozenset[str]]

    def __getstate__(self) -> dict[str, Any]:
        """Return the arguments and the episode."""
        episode = {name: value for name, value in vars(self).items() if name in self.EPISODE}
        return {**super().__getstate__(), "episode": episode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the environment of :meth:`__getstate__`."""
        super().__setstate__({name: value for name, value in state.items() if name != "episode"})
        vars(self).update(state["episode"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Resumable:
        """Return an environment that goes on from the same point."""
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        apart = self.EPISODE | self.OWN
        vars(made).update(
            {name: copy.deepcopy(value, memo) if name in apart else value for name, value in vars(self).items()}
        )
        return made
