"""IPPO and MAPPO with a critic of whole answers (de Witt et al. 2020; Yu et al., arXiv 2103.01955).

The actions of an episode are its steps, a whole answer each. IPPO's critic of an agent sees what the agent saw, and an
agent's steps are a chain over turns; MAPPO's sees the state of the game before the step, and all steps of an episode are one
chain, in the order of play (AEC). With V_k the critic's value at step k of a chain, r_k what was paid behind it and before
the next,

    delta_k = r_k + gamma V_{k+1} - V_k,        A_k = sum over j >= k of (gamma lam)^(j - k) delta_j,

the last V being 0. gamma discounts from one turn to the next, and not within one. With ``lam = 1`` A is the return less V_k, and
the expected update the policy gradient whatever the critic says; with less it is biased as far as the critic is wrong, and
helper's credit is freed from main's luck: V_{k+1} - V_k is what its answer changed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from codeduet.agents.engine import derive_seed
from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.team import Team
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.critic import Critic
from codeduet.algorithms.options import check_number, check_whole
from codeduet.algorithms.policy_gradient import PolicyGradient
from codeduet.errors import InputError

Chain = list[tuple[Step, float]]
"""Steps one after another, each with what was paid behind it."""


class IPPO(PolicyGradient):
    """Independent PPO: a critic for each agent, on its observation.

    Args:
        lam: of generalised advantage estimation, 0 to 1.
        critic_lr: learning rate of the critics.
        critic_epochs: passes over a step's values to learn them.
        critic_width: of the critics' hidden layer.
        options: of :class:`~codeduet.algorithms.policy_gradient.PolicyGradient`.
    """

    CENTRAL: ClassVar[bool] = False

    def __init__(
        self,
        *,
        lam: float = 0.95,
        critic_lr: float = 1e-2,
        critic_epochs: int = 16,
        critic_width: int = 64,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_number("lam", lam, 0, 1)
        check_number("critic_lr", critic_lr, 0)
        check_whole("critic_epochs", critic_epochs, 1)
        check_whole("critic_width", critic_width, 1)
        self.lam = lam
        self.critics: dict[str, Critic] = {}
        self._make = functools.partial(
            Critic, central=self.CENTRAL, lr=critic_lr, epochs=critic_epochs, width=critic_width
        )
        self._told: dict[str, float] = {}
        self._targets: dict[str, list[tuple[torch.Tensor, float]]] = {}

    def setup(self, team: Team) -> None:
        """Make the critics: one for each agent that has a model here, or one for all.

        Raises:
            InputError: no agent has a model of transformers, whose base a critic reads by.
        """
        self.critics = {}
        readers = {agent: policy for agent, policy in team.items() if policy.model is not None}
        if not readers:
            raise InputError("a critic reads by the base of an agent's model, and no agent has one here")
        for agent, policy in [("critic", next(iter(readers.values())))] if self.CENTRAL else readers.items():
            self.critics[agent] = self._make(policy, seed=derive_seed(self.run_seed, "critic", agent))

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return generalised advantages, averaged over the episodes that hold a step; what the critics are to learn is kept."""
        chains = [chain for group in self.paid(groups) for t in group.trajectories for chain in self._chains(t)]
        steps = list(dict.fromkeys(step for chain in chains for step, _ in chain))
        of_critics: dict[str, list[Step]] = {}
        for step in steps:
            if (name := self._critic(step)) in self.critics:  # a served partner has none, and is not credited either
                of_critics.setdefault(name, []).append(step)
        worth: dict[Step, float] = {}
        features: dict[Step, torch.Tensor] = {}
        for name, mine in of_critics.items():
            seen = self.critics[name].features(mine)
            features |= dict(zip(mine, seen, strict=True))
            worth |= dict(zip(mine, self.critics[name].values(seen), strict=True))
        credited: dict[Step, list[float]] = {step: [] for step in steps}
        returns: dict[Step, list[float]] = {step: [] for step in steps}
        for chain in chains:
            for (step, _), advantage, value in zip(
                chain,
                generalised(chain, worth, self.discount, self.lam),
                generalised(chain, {}, self.discount, 1.0),
                strict=True,
            ):
                credited[step].append(advantage)
                returns[step].append(value)
        self._targets = {
            name: [(features[step], float(np.mean(returns[step]))) for step in mine]
            for name, mine in of_critics.items()
        }
        self._told = {}
        for name, mine in of_critics.items():
            targets = np.array([np.mean(returns[step]) for step in mine])
            left = targets - np.array([worth[step] for step in mine])
            spread = float(targets.var())
            prefix = name if name == "critic" else f"{name}/critic"
            self._told[f"{prefix}/explained_variance"] = 1 - float(left.var()) / spread if spread else float("nan")
            self._told[f"{prefix}/value"] = float(np.mean([worth[step] for step in mine]))
        return {step: float(np.mean(of_step)) for step, of_step in credited.items()}

    def update(self, groups: Sequence[Group]) -> None:
        """Let the critics learn the returns of the step."""
        for name, targets in self._targets.items():
            if targets:
                loss = self.critics[name].learn(
                    torch.stack([seen for seen, _ in targets]), [value for _, value in targets]
                )
                self._told[f"{name if name == 'critic' else f'{name}/critic'}/loss"] = loss
        self._targets = {}

    def metrics(self) -> dict[str, float]:
        """Return each critic's explained variance before the step's update, its mean value and its loss."""
        return dict(self._told)

    def state_dict(self) -> dict[str, Any]:
        """Return the critics' weights and optimisers."""
        return {name: critic.state_dict() for name, critic in self.critics.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the critics back."""
        for name, critic in self.critics.items():
            critic.load_state_dict(state[name])

    def _critic(self, step: Step) -> str:
        return "critic" if self.CENTRAL else step.agent

    def _chains(self, trajectory: Trajectory) -> list[Chain]:
        """Return the chains of an episode: one an agent."""
        pairs = list(zip(trajectory.steps, trajectory.rewards, strict=True))
        agents = dict.fromkeys(step.agent for step in trajectory.steps)
        return [[(step, reward) for step, reward in pairs if step.agent == agent] for agent in agents]


class MAPPO(IPPO):
    """MAPPO: one critic on the state of the game before each step, and one chain of all steps of an episode.

    What is paid behind a turn is the mean over the agents that acted in it.
    """

    CENTRAL: ClassVar[bool] = True

    def _chains(self, trajectory: Trajectory) -> list[Chain]:
        """Return the one chain of an episode, paid at the last step of each turn."""
        steps = trajectory.steps
        chain: Chain = []
        for k, step in enumerate(steps):
            last = all(later.turn != step.turn for later in steps[k + 1 :])
            turn = [r for other, r in zip(steps, trajectory.rewards, strict=True) if other.turn == step.turn]
            chain.append((step, sum(turn) / len(turn) if last else 0.0))
        return [chain]


def generalised(chain: Chain, worth: dict[Step, float], discount: float, lam: float) -> list[float]:
    """Return the generalised advantage of each step of a chain (Schulman et al., arXiv 1506.02438).

    Args:
        chain: the steps in their order, each with what was paid behind it.
        worth: the critic's value of a step; one that is not there is worth nothing, with ``lam=1`` that is the return.
        discount: from one turn to the next.
        lam: how far it looks beyond the critic's next value.
    """
    future, after = 0.0, 0.0
    backwards = []
    for k in reversed(range(len(chain))):
        step, reward = chain[k]
        gamma = discount if k + 1 < len(chain) and chain[k + 1][0].turn != step.turn else 1.0
        value = worth.get(step, 0.0)
        future = reward + gamma * after - value + gamma * lam * future
        after = value
        backwards.append(future)
    return backwards[::-1]
