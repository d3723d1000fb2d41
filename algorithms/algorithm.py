"""What an algorithm is: whom it compares with whom, what it credits, and what it minimises. Everything else is shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import torch

from codeduet.agents.steps import Group, Step
from codeduet.agents.team import Team
from codeduet.agents.tree import Tree
from codeduet.algorithms.losses import LossBatch, policy_gradient
from codeduet.envs import InputError
from codeduet.errors import nearest
from codeduet.named import load_named

Advantages: TypeAlias = Mapping[Step, float | Sequence[float]]
"""What each step is credited with: one number, or one for each token of its completion."""

Need = Literal["reference", "entropy", "sampler"]


class Algorithm:
    """How a team learns from groups of episodes: a subclass says what differs, at least :meth:`advantages`.

    Give an instance to the trainer, or name a class as ``"my_package.my_module:MyAlgorithm"``.

    Attributes:
        needs: of what costs time to compute, or is not always there, what the loss reads: ``reference`` (log-probabilities of
            the base, adapters off), ``entropy``, and ``sampler`` (the engine's own log-probabilities).
        linear: whether samples of zero advantage add nothing to the loss, so that they need not be computed. A KL or entropy
            term makes it False.
        on_policy: whether the loss is right only on fresh samples, so that one update a batch is all it allows.
        refills: how often a step plays further problems in place of groups that :meth:`keep` does not keep.
        run_seed: of the run, set before :meth:`setup`: what an algorithm draws of its own follows from it.
    """

    needs: frozenset[Need] = frozenset()
    linear: bool = True
    on_policy: bool = True
    refills: int = 0
    run_seed: int = 0

    def tree(self, group_size: int) -> Tree:
        """Return the episodes of a problem, and which of them share answers; by default none does.

        Raises:
            InputError: so many episodes make no tree.
        """
        return Tree((group_size,))

    def setup(self, team: Team) -> None:
        """Prepare for a team, with a critic and its optimiser, say; or refuse it."""

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return what each step of the groups is credited with; a step that is left out is credited with nothing.

        What a checkpoint keeps is not changed here but in :meth:`update`: a step may be broken off while policies learn.
        """
        raise NotImplementedError

    def loss(self, batch: LossBatch) -> torch.Tensor:
        """Return the scalar to minimise on a micro-batch, by default the policy gradient's."""
        return policy_gradient(batch)

    def update(self, groups: Sequence[Group]) -> None:
        """Learn from a step what is the algorithm's own, a critic; called behind the policies' update."""

    def keep(self, group: Group) -> bool:
        """Tell whether a group is learnt from; others are played in place of one that is not."""
        return True

    def metrics(self) -> dict[str, float]:
        """Return the numbers of the last step; none is named ``step`` or ``kind``."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training is to know, as ``torch.save`` writes and safely reads it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back, behind :meth:`setup`.

        Raises:
            InputError: there is one, of a subclass that has ``state_dict`` alone.
        """
        check_no_state(self, state)


def check_no_state(part: object, state: Mapping[str, Any]) -> None:
    """Check that an algorithm or callback that takes no state back has none.

    Raises:
        InputError: it has.
    """
    if state:
        raise InputError(
            f"{type(part).__name__} has a state_dict and no load_state_dict: give it one, or a resumed run begins without what "
            "was saved"
        )


def known_algorithms() -> dict[str, type[Algorithm]]:
    """Return the algorithms that have a name, by it."""
    from codeduet.algorithms import family

    return family.NAMES


def load_algorithm(name: str, options: Mapping[str, Any]) -> Algorithm:
    """Make the algorithm of a name, ``"module:Class"`` or ``"file.py:Class"`` with keyword ``options``.

    Raises:
        InputError: there is none of that name, or it does not take those options.
    """
    known = known_algorithms()
    if name in known:
        made: Any = known[name]
    elif ":" in name:
        made = load_named(name, "algorithm")
    else:
        raise InputError(f"unknown algorithm {name!r}: choose {', '.join(known)} or module:Class{nearest(name, known)}")
    try:
        algorithm = made(**options)
    except TypeError as error:
        raise InputError(f"algorithm {name!r}: {error}") from None
    check_algorithm(algorithm, name)
    return algorithm  # type: ignore[no-any-return]


def check_algorithm(algorithm: Any, name: str = "") -> None:
    """Check that something is an algorithm.

    Raises:
        InputError: it is not derived from :class:`Algorithm`, has no advantages, or needs what there is not.
    """
    if not isinstance(algorithm, Algorithm):
        raise InputError(
            f"algorithm {name or type(algorithm).__name__!r} is no codeduet.algorithms.Algorithm: derive it from that class, "
            "which has a default for all but advantages"
        )
    if type(algorithm).advantages is Algorithm.advantages:
        raise InputError(
            f"algorithm {name or type(algorithm).__name__!r} has no advantages(groups), which says what each step was worth: give "
            "it that method"
        )
    if isinstance(algorithm.needs, str):
        raise InputError(f"{type(algorithm).__name__}.needs is a text: needs = frozenset({{{algorithm.needs!r}}})")
    if odd := set(algorithm.needs) - set(get_args(Need)):
        raise InputError(
            f"{type(algorithm).__name__}.needs names {', '.join(map(repr, odd))}: there are {', '.join(get_args(Need))}"
        )


def credited(algorithm: Algorithm, groups: Sequence[Group]) -> Advantages:
    """Return an algorithm's advantages as floats, having checked what a user's may get wrong.

    Raises:
        InputError: they are no mapping of steps, or not one number or one a token.
    """
    found = algorithm.advantages(groups) if groups else {}
    name = f"{type(algorithm).__name__}.advantages"
    if not isinstance(found, Mapping):
        raise InputError(
            f"{name} returns a mapping of steps: {{step: number, or one a token}}, not {type(found).__name__}"
        )
    played = {step for group in groups for step in group.steps}
    told: dict[Step, float | Sequence[float]] = {}
    for step, value in found.items():
        if step not in played:
            raise InputError(f"{name} credits {str(step)[:80]!r}, which is no step of the groups")
        told[step] = _numbers(name, step, value)
    return told


def _numbers(name: str, step: Step, value: Any) -> float | tuple[float, ...]:
    """Return an advantage as a float, or as one a token; tensors and arrays are taken too."""
    size = len(step.completion.token_ids)
    try:
        plain = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(plain, list | tuple):
            return float(plain)
        numbers = tuple(map(float, plain))
    except (TypeError, ValueError):
        raise InputError(f"{name} gives {value!r:.80} to a step: one number, or one a token") from None
    if len(numbers) != size:
        raise InputError(f"{name} gives {len(numbers)} numbers to a step of {size} tokens: one, or one a token")
    return numbers


def own_metrics(algorithm: Algorithm) -> dict[str, float]:
    """Return an algorithm's numbers of the last step as floats, having checked what a user's may get wrong.

    Raises:
        InputError: one is no number, or has a name that a row of metrics has for itself.
    """
    name, told = f"{type(algorithm).__name__}.metrics", {}
    for key, value in algorithm.metrics().items():
        if key in ("step", "kind"):
            raise InputError(
                f"{name} names a number {key!r}, as each row of metrics.jsonl does itself: give it another name"
            )
        plain = value.tolist() if hasattr(value, "tolist") else value  # of a tensor, or of numpy
        if not isinstance(plain, int | float):
            raise InputError(f"{name} gives {value!r:.80} as {key!r}: a number, or a tensor of one")
        told[key] = float(plain)
    return told


def is_zero(advantage: float | Sequence[float]) -> bool:
    """Tell whether nothing is learnt from an advantage alone."""
    return advantage == 0.0 if isinstance(advantage, int | float) else not any(advantage)
