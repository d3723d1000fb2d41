"""A game of tables, small enough to enumerate: agents answer with one of few letters, by a softmax over what they have seen.

Every group that a tree can grow is enumerated with its probability, so that expectations of updates are exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from codeduet.agents import Completion
from codeduet.agents.steps import Group, Key, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.algorithms import Algorithm
from codeduet.algorithms.losses import LossBatch

Context = tuple[int, ...]


@dataclass
class Game:
    """Agents answer one after another, in each turn; each sees all that was answered before it, or only before its turn.

    Attributes:
        agents: in their order.
        turns: how many.
        actions: letters to choose from.
        blind: whether agents do not see what is answered in their own turn.
        ends: courses behind which an episode is over, though turns are left.
    """

    agents: tuple[str, ...] = ("helper_0", "main_0")
    turns: int = 1
    actions: int = 2
    blind: bool = False
    ends: frozenset[Context] = frozenset()
    logits: dict[tuple[str, Context], torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = torch.Generator().manual_seed(3)
        for agent, context in dict.fromkeys(
            (agent, self.seen(place, turn, line))
            for line in self.lines
            for turn in range(self.turns)
            for place, agent in enumerate(self.agents)
        ):
            made = torch.randn(self.actions, generator=random, dtype=torch.float64)
            self.logits[agent, context] = made.requires_grad_()
        self.logs = {
            (agent, context, letter): float(value)
            for (agent, context), table in self.logits.items()
            for letter, value in enumerate(table.detach().log_softmax(0).tolist())
        }

    @property
    def lines(self) -> list[Context]:
        """Every course of an episode: answers in their order, those too that are not given where it ends before."""
        return list(itertools.product(range(self.actions), repeat=len(self.agents) * self.turns))

    def seen(self, place: int, turn: int, line: Context) -> Context:
        """What an agent has seen before it answers."""
        return line[: turn * len(self.agents) + (0 if self.blind else place)]

    def rewards(self, line: Context) -> list[float]:
        """What is paid for each turn that is played: different for every course up to it."""
        paid = []
        for turn in range(1, self.turns + 1):
            part = line[: turn * len(self.agents)]
            number = sum(letter * self.actions**k for k, letter in enumerate(part))
            paid.append(((7 * number + 3) % 11) / 10 + 0.05 * turn)
            if part in self.ends:
                break
        return paid

    def logprob(self, agent: str, context: Context, letter: int) -> torch.Tensor:
        """Log-probability of a letter, with gradient."""
        return self.logits[agent, context].log_softmax(0)[letter]

    def parameters(self, agent: str) -> list[torch.Tensor]:
        """The tables of an agent."""
        return [logits for (name, _), logits in self.logits.items() if name == agent]

    def gradient(self, scalar: torch.Tensor, agent: str) -> torch.Tensor:
        """The gradient over an agent's tables."""
        tables = self.parameters(agent)
        found = torch.autograd.grad(scalar, tables, retain_graph=True, allow_unused=True)
        return torch.cat([torch.zeros_like(t) if g is None else g for t, g in zip(tables, found, strict=True)])

    def exact(self, agent: str, turn: int, discount: float = 1.0) -> torch.Tensor:
        """The policy gradient of an agent at one turn: the mean of its return-to-go times the score of its answer."""
        place = self.agents.index(agent)
        total = torch.zeros((), dtype=torch.float64)
        for line in self.lines:
            paid = self.rewards(line)
            if turn >= len(paid):
                continue
            value = sum(discount**k * reward for k, reward in enumerate(paid[turn:]))
            score = self.logprob(agent, self.seen(place, turn, line), line[turn * len(self.agents) + place])
            total = total + self.probability(line) * value * score
        return self.gradient(total, agent)

    def probability(self, line: Context) -> float:
        """Probability of a course."""
        return math.exp(
            sum(
                self.logs[agent, self.seen(place, turn, line), line[turn * len(self.agents) + place]]
                for turn in range(self.turns)
                for place, agent in enumerate(self.agents)
            )
        )

    def groups(self, tree: Tree) -> Iterator[tuple[float, Group]]:
        """Yield every group that a tree can grow, with its probability."""
        order = [(turn, place) for turn in range(self.turns) for place in range(len(self.agents))]
        keys: dict[Key, list[tuple[int, ...]]] = {}
        for turn, place in order:
            for path in tree.paths:
                key = ("task", self.agents[place], turn, *tree.coordinates(place, turn, path))
                keys.setdefault(key, []).append(path)
        for letters in itertools.product(range(self.actions), repeat=len(keys)):
            chosen = dict(zip(keys, letters, strict=True))
            lines = {
                path: tuple(
                    chosen[("task", self.agents[place], turn, *tree.coordinates(place, turn, path))]
                    for turn, place in order
                )
                for path in tree.paths
            }
            steps = {key: self._step(key, letter, lines[keys[key][0]]) for key, letter in chosen.items()}
            log = sum(self.logs[step.agent, step.observation, step.completion.token_ids[0]] for step in steps.values())
            group = Group("task", [self._episode(tree, path, lines[path], steps) for path in tree.paths])
            yield math.exp(log), group

    def _step(self, key: Key, letter: int, line: Context) -> Step:
        seen = self.seen(self.agents.index(key[1]), key[2], line)
        completion = Completion((letter,), (0.0,), str(letter), "eos", 0)
        return Step(key, (0, *(1 + s for s in seen)), completion, 1.0, observation=seen, state=seen)

    def _episode(self, tree: Tree, path: tuple[int, ...], line: Context, steps: Mapping[Key, Step]) -> Trajectory:
        trajectory = Trajectory("task", path)
        for turn, reward in enumerate(self.rewards(line)):
            for place, agent in enumerate(self.agents):
                trajectory.note(steps[("task", agent, turn, *tree.coordinates(place, turn, path))])
                trajectory.pay(agent, reward)
        return trajectory

    def _log(self, step: Step) -> torch.Tensor:
        return self.logprob(step.agent, step.observation, step.completion.token_ids[0])

    def batch(self, steps: Sequence[Step], advantages: Mapping[Step, Any], **fields: Any) -> LossBatch:
        """What a loss sees of steps."""
        return _batch(torch.stack([self._log(step) for step in steps])[:, None], steps, advantages, **fields)

    def expected_update(
        self, algorithm: Algorithm, tree: Tree, agent: str, sequences: int | None = None
    ) -> torch.Tensor:
        """The mean over all groups of an agent's step downhill on the algorithm's loss.

        Args:
            algorithm: whose.
            tree: of each group.
            agent: whose answers are the samples.
            sequences: what the loss is divided by; by default the agent's samples, of which there are fewer where an episode ends.
        """
        weights: dict[tuple[Context, int], float] = {}
        for probability, group in self.groups(tree):
            credited = algorithm.advantages([group])
            mine = [step for step in group.steps if step.agent == agent]
            if not any(credited[step] for step in mine):
                continue
            places = [(step.observation, step.completion.token_ids[0]) for step in mine]
            logs = torch.tensor(
                [[self.logs[(agent, *place)]] for place in places], dtype=torch.float64, requires_grad=True
            )
            (slopes,) = torch.autograd.grad(algorithm.loss(_batch(logs, mine, credited, sequences)), logs)
            for place, slope in zip(places, slopes[:, 0].tolist(), strict=True):
                weights[place] = weights.get(place, 0.0) - probability * slope
        parts = [weight * self.logprob(agent, *place) for place, weight in weights.items()]
        return self.gradient(torch.stack(parts).sum(), agent)


def _batch(
    logprobs: torch.Tensor,
    steps: Sequence[Step],
    advantages: Mapping[Step, Any],
    sequences: int | None = None,
    **fields: Any,
) -> LossBatch:
    credited = torch.tensor([[advantages.get(step, 0.0)] for step in steps], dtype=torch.float64)
    agents, turns = tuple(step.agent for step in steps), tuple(step.turn for step in steps)
    return LossBatch(
        logprobs, logprobs.detach(), torch.ones_like(credited), credited, sequences or len(steps), len(steps),
        sampler=logprobs.detach(), agents=agents, turns=turns, longest=1, **fields,
    )  # fmt: skip
