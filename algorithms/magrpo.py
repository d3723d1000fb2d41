"""MAGRPO: multi-agent group-relative policy optimisation, as the paper has it.

For each problem G joint episodes are played. At each turn t every agent i of the team is credited with the return of
its episode less the group's mean,

    A_t = R_t - mean over the group of R_t,        R_t = sum over s >= t of discount^(s - t) r_s,

and each policy takes one step on its own tokens,

    L = - 1 / N sum over episodes and turns of A_t sum over tokens log pi(token),

N the completions the policy wrote in the step: with one turn, and a policy for each agent, the B G episodes. The group's
mean at turn t is over the n episodes that still play: where some may end early, the expected update at that turn (the sum over
samples divided by B G) is the policy gradient times E[(n - 1) / n], n counted with the episode that is credited.

Reward is shared, so with one turn all agents of an episode have the same advantage. No standard deviation, no KL term,
no clipping.

With ``credit="nested"`` a group is a tree instead: K helper answers, each read by M mains (G = K M). With R_hm the return
of helper answer h and main answer m,

    A_h = mean over m of R_hm - mean over h and m of R_hm,        A_hm = R_hm - mean over m of R_hm,

so that main is compared with mains that read the same helper code, and a helper answer, of which there are M times
fewer to sample, is judged by several mains.

Left out of its own baseline (``leave_one_out``, C3, arXiv 2603.06859), each advantage is n / (n - 1) times that, n its
siblings, and the expected update is each agent's own policy gradient.

With ``credit="turns"`` the tree branches at each turn, as in Liu et al., "LLM collaboration with multi-agent reinforcement
learning" (arXiv 2508.04652): V(node) = r + discount * mean of V over its children, less the mean over the node's siblings.
With ``credit="cross"`` each answer of an agent meets each of the others' in its turn: for agents that do not read each other.

Settings beyond the paper: ``credit``, ``widths`` and ``leave_one_out``; ``scale="std"`` divides by the siblings' standard
deviation (GRPO as in arXiv 2402.03300); and what :mod:`codeduet.algorithms.policy_gradient` has.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, get_args

from codeduet.agents.steps import Group
from codeduet.agents.team import Team
from codeduet.agents.tree import Branch, Tree
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.credit import Scale, siblings
from codeduet.algorithms.options import check_choice, check_list, check_whole
from codeduet.algorithms.policy_gradient import PolicyGradient
from codeduet.envs import InputError

Credit = Literal["joint", "nested", "turns", "cross"]

_BRANCH: dict[str, Branch] = {"joint": "joint", "nested": "agents", "turns": "turns", "cross": "cross"}


class MAGRPO(PolicyGradient):
    """MAGRPO.

    Args:
        credit: ``"joint"`` as in the paper; ``"nested"`` (a level of the tree an agent), ``"turns"`` (a level a turn) or
            ``"cross"`` (all answers of a turn with each other).
        mains: M of nested credit with two levels, at least 2: with one, main's advantage would always be zero.
        widths: of the tree's levels, whose product is ``group_size``, in place of ``mains``; the last level of nested credit is
            that of all agents from there on.
        scale: whether advantages are divided by the siblings' standard deviation.
        leave_one_out: whether a step is left out of its own baseline.
        options: of :class:`~codeduet.algorithms.policy_gradient.PolicyGradient`.
    """

    def __init__(
        self,
        *,
        credit: Credit = "joint",
        mains: int = 4,
        widths: Sequence[int] = (),
        scale: Scale = "none",
        leave_one_out: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_choice("credit", credit, get_args(Credit))
        check_choice("scale", scale, get_args(Scale))
        check_list("widths", widths)
        for width in widths:
            check_whole("widths", width, 2, ": one has no sibling")
        if credit == "nested" and not widths:
            check_whole("mains", mains, 2, ": one main has no sibling")
        if credit in ("turns", "cross") and not widths:
            raise InputError(f"credit={credit} needs widths, those of the tree's levels: widths=[4, 2]")
        if credit == "joint" and widths:
            raise InputError("credit=joint has no tree: leave out widths")
        self.credit = credit
        self.mains = mains
        self.widths = tuple(widths)
        self.scale: Scale = scale
        self.leave_one_out = leave_one_out
        self._levels = 1

    def tree(self, group_size: int) -> Tree:
        """Return the tree of a group, joint credit's being flat.

        Raises:
            InputError: so many episodes make no such tree.
        """
        if group_size < 2:
            raise InputError(
                f"group_size={group_size}: {type(self).__name__.lower()} compares the episodes of a problem with each other: set 2 "
                "or more, or algorithm=reinforce"
            )
        if self.credit == "joint":
            return Tree((group_size,))
        if self.widths:
            if prod(self.widths) != group_size:
                raise InputError(
                    f"group_size={group_size} makes no tree of widths={list(self.widths)}: it must be {prod(self.widths)}"
                )
            return Tree(self.widths, _BRANCH[self.credit], self._levels)
        if group_size % self.mains or group_size // self.mains < 2:
            raise InputError(
                f"group_size={group_size} makes no tree of {self.mains} mains a helper: choose a multiple of {self.mains}, "
                f"at least {2 * self.mains}"
            )
        return Tree((group_size // self.mains, self.mains), "agents")

    def setup(self, team: Team) -> None:
        """Refuse what a tree has no meaning for.

        Raises:
            InputError: nested credit, and one agent, or one policy at several levels; or a cross table of other agents.
        """
        agents = list(team)
        self._levels = len(agents)
        if self.credit == "nested":
            self._check_levels(team, agents)
        if self.credit == "cross" and len(self.widths) % len(agents):
            raise InputError(
                f"credit=cross needs a width for each of {', '.join(agents)} in each turn, not {list(self.widths)}"
            )

    def _check_levels(self, team: Team, agents: Sequence[str]) -> None:
        last = (len(self.widths) or 2) - 1
        if len(agents) <= last:
            raise InputError(f"credit=nested is for a team of {last + 1} or more, not {', '.join(agents)}")
        levels: dict[str, set[int]] = {}
        for place, agent in enumerate(agents):
            levels.setdefault(team[agent].name, set()).add(min(place, last))
        if any(len(of_policy) > 1 for of_policy in levels.values()):
            # One denominator for both would weigh helper's answers, of which there are fewer, too lightly.
            raise InputError(
                "credit=nested needs a policy for each agent: team.sharing=adapter or separate, and the agents of a role with "
                "count > 1 at one level (widths)"
            )

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        """Return for every step what it was worth, less the mean over its siblings."""
        return {
            step: advantage
            for group in self.paid(groups)
            for step, advantage in siblings(
                group, discount=self.discount, scale=self.scale, leave_one_out=self.leave_one_out
            ).items()
        }
