"""What an algorithm is: advantages of a batch of groups, and a loss on a micro-batch. Everything else is shared."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from codeduet.agents.team import Team
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.rollout import Group
from codeduet.envs import InputError
from codeduet.errors import nearest

Advantages = list[list[list[float]]]
"""``advantages[g][i][k]``: group g, episode i, its k-th action."""


class Algorithm(Protocol):
    """How a team learns from groups of episodes.

    Give an instance to the trainer, or name a class as ``"my_package.my_module:MyAlgorithm"``. An attribute ``mains``
    above 1 asks for trees: so many episodes of a group share each first answer.
    """

    on_policy: bool
    """Whether the loss is right only on fresh samples, so that one update a batch is all it allows."""

    def setup(self, team: Team) -> None:
        """Prepare for a team: add modules and optimisers (a critic on the global state, say), or refuse it."""

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return an advantage for every action."""

    def loss(self, batch: LossBatch) -> torch.Tensor:
        """Return the scalar to minimise on a micro-batch."""


def load_algorithm(name: str, options: Mapping[str, Any]) -> Algorithm:
    """Make the algorithm ``"grpo"``, ``"magrpo"`` or ``"module:Class"`` with keyword ``options``.

    Raises:
        InputError: there is none of that name, or it does not take those options.
    """
    from codeduet.algorithms.grpo import GRPO
    from codeduet.algorithms.magrpo import MAGRPO

    known: dict[str, Any] = {"grpo": GRPO, "magrpo": MAGRPO}
    if name in known:
        made = known[name]
    elif ":" in name:
        module, _, attribute = name.partition(":")
        try:
            made = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # noqa: BLE001  # whatever a user's module raises while it loads
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"algorithm {name!r} cannot be imported: {reason}") from None
    else:
        raise InputError(f"unknown algorithm {name!r}: choose grpo, magrpo or module:Class{nearest(name, known)}")
    try:
        algorithm: Algorithm = made(**options)
    except TypeError as error:
        raise InputError(f"algorithm {name!r}: {error}") from None
    missing = [part for part in ("on_policy", "setup", "advantages", "loss") if not hasattr(algorithm, part)]
    if missing:
        raise InputError(f"algorithm {name!r} has no {', '.join(missing)}")
    return algorithm
