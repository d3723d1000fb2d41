"""REINFORCE (Williams 1992) with the baselines that need no group, and RLOO.

With V(step) the mean return-to-go of the episodes that hold a step,

    A(step) = V(step) - b,

b nothing (``none``), the mean over the batch of all steps of the agent and turn (``batch``), or an average over the steps
before, per agent, ``b <- decay b + (1 - decay) mean`` (``running``, as SPIRAL has it, arXiv 2506.24119), which does not
depend on the sample and so leaves the expected update as it is. RLOO (Kool et al. 2019; arXiv 2402.14740) takes the mean of
the other samples of the group that still play.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from codeduet.agents.steps import Group, Step
from codeduet.agents.team import Team
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.credit import group_advantages, values
from codeduet.algorithms.magrpo import MAGRPO
from codeduet.algorithms.options import check_choice, check_number
from codeduet.algorithms.policy_gradient import PolicyGradient

Baseline = Literal["none", "batch", "running"]


class REINFORCE(PolicyGradient):
    """REINFORCE.

    Args:
        baseline: ``none``, ``batch`` or ``running``.
        decay: of the running average, in each step.
        options: of :class:`~codeduet.algorithms.policy_gradient.PolicyGradient`.

    Attributes:
        averages: agent -> (running average, weight of what is in it, which 1 is at the end).
    """

    def __init__(self, *, baseline: Baseline = "none", decay: float = 0.95, **options: Any) -> None:
        super().__init__(**options)
        check_choice("baseline", baseline, get_args(Baseline))
        check_number("decay", decay, 0, 1)
        self.baseline = baseline
        self.decay = decay
        self.averages: dict[str, tuple[float, float]] = {}
        self._next: dict[str, tuple[float, float]] = {}

    def setup(self, team: Team) -> None:
        """Forget the running baselines of a training before."""
        self.averages, self._next = {}, {}

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return for every step what it was worth less the baseline."""
        self._next = {}
        worth = {step: value for group in self.paid(groups) for step, value in values(group, self.discount).items()}
        if self.baseline == "none":
            return worth
        members: dict[Any, list[Step]] = defaultdict(list)
        for step in worth:
            members[step.agent if self.baseline == "running" else (step.agent, step.turn)].append(step)
        credited: dict[Step, float] = {}
        for key, steps in members.items():
            of_steps = [worth[step] for step in steps]
            if self.baseline == "batch":
                credited |= dict(zip(steps, group_advantages(of_steps), strict=True))
                continue
            average, weight = self.averages.get(key, (0.0, 0.0))
            baseline = average / weight if weight else 0.0
            credited |= {step: worth[step] - baseline for step in steps}
            kept = self.decay
            self._next[key] = (kept * average + (1 - kept) * float(np.mean(of_steps)), kept * weight + 1 - kept)
        return {step: credited[step] for step in worth}

    def update(self, groups: Sequence[Group]) -> None:
        """Let the running average learn of the step, which is learnt from by now: one that was broken off leaves it as it was."""
        self.averages |= self._next

    def metrics(self) -> dict[str, float]:
        """Return the running baselines."""
        return {f"{agent}/baseline": average / weight for agent, (average, weight) in self.averages.items() if weight}

    def state_dict(self) -> dict[str, Any]:
        """Return the running baselines."""
        return {"averages": self.averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the running baselines back."""
        self.averages = {
            agent: (float(average), float(weight)) for agent, (average, weight) in state["averages"].items()
        }


class RLOO(MAGRPO):
    """RLOO, of any team: joint credit whose baseline leaves the sample itself out, so that the expected update is the gradient.

    Siblings of a later turn are the episodes that still play. One that plays alone is credited with nothing, so that where episodes
    may end early the update at turn t is the gradient times (1 - probability that all others have ended before t).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"leave_one_out": True, **options})


class C3(MAGRPO):
    """C3's credit (arXiv 2603.06859): nested, each step left out of its own baseline."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"credit": "nested", "leave_one_out": True, **options})
