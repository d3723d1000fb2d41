"""MAGRPO: multi-agent group-relative policy optimisation, as the paper has it.

For each problem G joint episodes are played. At each turn t every agent i of the team is credited with the return of
its episode less the group's mean,

    A_t = R_t - mean over the group of R_t,        R_t = sum over s >= t of discount^(s - t) r_s,

and each policy takes one step on its own tokens,

    L = - 1 / N sum over episodes and turns of A_t sum over tokens log pi(token),

N the completions the policy wrote in the step: with one turn, and a policy for each agent, the B G episodes.

Reward is shared, so with one turn all agents of an episode have the same advantage. No standard deviation, no KL term,
no clipping. Related: Liu et al., "LLM collaboration with multi-agent reinforcement learning" (arXiv 2508.04652).

With ``credit="nested"`` a group is a tree instead: K helper answers, each read by M mains (G = K M). With R_hm the return
of helper answer h and main answer m,

    A_h = mean over m of R_hm - mean over h and m of R_hm,        A_hm = R_hm - mean over m of R_hm,

so that main is compared with mains that read the same helper code, and a helper answer, of which there are M times
fewer to sample, is judged by several mains.

Settings beyond the paper: ``credit``; ``discount``; ``scale="std"`` divides by the group's standard deviation (GRPO as in
arXiv 2402.03300); ``aggregate="token"`` weighs tokens instead of sequences; ``clip`` sets the clipped ratio loss, which
several updates on one batch need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch

from codeduet.agents.team import Team
from codeduet.algorithms.advantages import Scale, group_advantages, returns_to_go
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.losses import Aggregate, LossBatch, clipped_ratio_loss, policy_gradient_loss
from codeduet.algorithms.rollout import Group
from codeduet.envs import InputError

Credit = Literal["joint", "nested"]


class MAGRPO:
    """MAGRPO.

    Args:
        credit: ``"joint"`` as in the paper, or ``"nested"``.
        mains: M of nested credit, at least 2: with one, main's advantage would always be zero.
        discount: of later turns' rewards, 0 to 1.
        scale: whether advantages are divided by the group's standard deviation.
        aggregate: whether the loss is averaged over sequences or tokens.
        clip: None for the paper's loss; else half the width of the clipped ratio's interval around 1.
    """

    def __init__(
        self,
        discount: float = 1.0,
        scale: Scale = "none",
        aggregate: Aggregate = "sequence",
        clip: float | None = None,
        credit: Credit = "joint",
        mains: int = 4,
    ) -> None:
        if not isinstance(discount, int | float) or not 0 <= discount <= 1:
            raise InputError(f"option discount must be a number from 0 to 1, not {discount!r}")
        for name, value, kind in (
            ("scale", scale, Scale),
            ("aggregate", aggregate, Aggregate),
            ("credit", credit, Credit),
        ):
            if value not in get_args(kind):
                raise InputError(f"option {name} must be one of {', '.join(get_args(kind))}, not {value!r}")
        if credit == "nested" and (not isinstance(mains, int) or mains < 2):
            raise InputError(
                f"option mains must be a whole number of at least 2, not {mains!r}: one main has no sibling"
            )
        if clip is not None and (not isinstance(clip, int | float) or not 0 < clip < 1):
            raise InputError(f"option clip must be a number between 0 and 1, or none, not {clip!r}")
        self.discount = discount
        self.scale = scale
        self.aggregate = aggregate
        self.clip = clip
        self.on_policy = clip is None
        self.mains = mains if credit == "nested" else 1

    def setup(self, team: Team) -> None:
        """Refuse what nested credit has no meaning for; there is no critic to prepare.

        Raises:
            InputError: nested credit, and other agents than a first and a second one, or both of one policy.
        """
        if self.mains > 1 and len(team) != 2:
            raise InputError(f"credit=nested is for a team of two, not {', '.join(team)}")
        if self.mains > 1 and len(team.policies) != 2:
            # One denominator for both would weigh helper's answers, of which there are fewer, too lightly.
            raise InputError("credit=nested needs a policy for each agent: team.sharing=adapter or separate")

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return ``A_t`` for every action: its return less the mean over its peers, of the same agent and turn."""
        return [self._nested(group) if self.mains > 1 else self._joint(group) for group in groups]

    def loss(self, batch: LossBatch) -> torch.Tensor:
        """Return the paper's loss, or the clipped ratio loss where ``clip`` is set."""
        if self.clip is None:
            return policy_gradient_loss(batch, aggregate=self.aggregate)
        return clipped_ratio_loss(batch, clip=self.clip, aggregate=self.aggregate)

    def _joint(self, group: Group) -> list[list[float]]:
        result = [[0.0] * len(trajectory.actions) for trajectory in group.trajectories]
        peers: dict[tuple[str, int], list[tuple[int, int, float]]] = {}
        for i, trajectory in enumerate(group.trajectories):
            for agent in {action.agent for action in trajectory.actions}:
                mine = [k for k, action in enumerate(trajectory.actions) if action.agent == agent]
                returns = returns_to_go([trajectory.actions[k].reward for k in mine], self.discount)
                for turn, (k, value) in enumerate(zip(mine, returns, strict=True)):
                    peers.setdefault((agent, turn), []).append((i, k, value))
        for members in peers.values():
            values = group_advantages([value for _, _, value in members], scale=self.scale)
            for (i, k, _), advantage in zip(members, values, strict=True):
                result[i][k] = advantage
        return result

    def _nested(self, group: Group) -> list[list[float]]:
        returns = np.array([trajectory.team_return for trajectory in group.trajectories]).reshape(-1, self.mains)
        of_helpers = group_advantages(returns.mean(1), scale=self.scale)
        return [
            [of_helper, of_main]
            for of_helper, siblings in zip(of_helpers, returns, strict=True)
            for of_main in group_advantages(siblings, scale=self.scale)
        ]
