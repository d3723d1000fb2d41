"""What is noted of play: steps, episodes, groups of episodes.

A step is its key: task, agent, turn, which copy of the task it is where that was played more than once, and the coordinates its
answer depends on. So steps that several episodes share are
equal, wherever they were sent in between, and a dictionary by steps joins what belongs together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from codeduet.agents.engine import Completion
from codeduet.envs import Outcome, Program
from codeduet.envs.text import opened_thought

Key: TypeAlias = tuple[Any, ...]
"""(task, agent, turn, copy of the task, coordinate...)."""


@dataclass(frozen=True, eq=False)
class Step:
    """One completion in its place.

    Attributes:
        key: task, agent, turn of the agent, copy of the task, and the coordinates of the tree that it depends on.
        prompt_ids: `[P]` token ids it continues.
        completion: what was written.
        temperature: what it was sampled at.
        prompt: what it continues, as text, for people.
        observation: what the agent saw before it acted.
        state: what the environment says of the whole game then, for a centralised critic.
    """

    key: Key
    prompt_ids: tuple[int, ...]
    completion: Completion
    temperature: float
    prompt: str = ""
    observation: Any = None
    state: Any = None

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.key == other.key

    @property
    def agent(self) -> str:
        """Who wrote it."""
        agent: str = self.key[1]
        return agent

    @property
    def turn(self) -> int:
        """The agent's how-manieth step of the episode, from 0."""
        turn: int = self.key[2]
        return turn

    @property
    def siblings(self) -> Key:
        """What it has in common with those it is compared with: all of the key but where it branched off last."""
        return self.key[:-1]

    @property
    def text(self) -> str:
        """What was answered: the completion, inside of the thought where the prompt has opened one."""
        # Where the template has opened a thought, the answer begins inside of it, and nothing else would tell.
        return opened_thought(self.prompt) + self.completion.text


@dataclass
class Trajectory:
    """One episode.

    Attributes:
        task_id: the problem.
        path: its coordinates in the tree of the task's episodes.
        steps: in the order they were taken.
        rewards: of each step, what its agent was paid between it and its next one.
        infos: per agent, the environment's numbers after its last step.
        state: the environment's global state at the end.
        program: the last program, where the environment judges programs.
        outcome: its verdict.
    """

    task_id: str
    path: tuple[int, ...] = (0,)
    steps: list[Step] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    infos: dict[str, dict[str, float]] = field(default_factory=dict)
    state: Any = None
    program: Program | None = None
    outcome: Outcome | None = None

    def note(self, step: Step) -> None:
        """Add a step, which is not paid yet."""
        self.steps.append(step)
        self.rewards.append(0.0)

    def pay(self, agent: str, reward: float) -> None:
        """Pay an agent for its latest step; one that has not acted gets nothing."""
        for k in reversed(range(len(self.steps))):
            if self.steps[k].agent == agent:
                self.rewards[k] += reward
                return

    def returns(self, discount: float = 1.0) -> list[float]:
        """Return ``R_t = sum over s >= t of discount^(s - t) r_s`` of each step, s and t the turns of its agent."""
        future: dict[str, float] = defaultdict(float)
        backwards = []
        for step, reward in zip(reversed(self.steps), reversed(self.rewards), strict=True):
            future[step.agent] = reward + discount * future[step.agent]
            backwards.append(future[step.agent])
        return backwards[::-1]

    @property
    def team_return(self) -> float:
        """Undiscounted sum of what one agent was paid, averaged over the agents that acted."""
        return sum(self.rewards) / max(len({step.agent for step in self.steps}), 1)

    @property
    def transcript(self) -> list[tuple[str, str, str]]:
        """Agent, prompt and completion of every step, for people."""
        return [(step.agent, step.prompt, step.completion.text) for step in self.steps]


@dataclass
class Group:
    """The episodes of one problem, which are each other's baseline."""

    task_id: str
    trajectories: list[Trajectory]

    @property
    def judged(self) -> bool:
        """Whether every episode has a verdict: there is no return of one that the machine failed to judge."""
        return not any(t.outcome is not None and t.outcome.worker_fault for t in self.trajectories)

    @property
    def steps(self) -> list[Step]:
        """Each different step once, in the order of episodes."""
        return list(dict.fromkeys(step for trajectory in self.trajectories for step in trajectory.steps))

    @property
    def branches(self) -> bool:
        """Whether episodes share steps."""
        return len(self.steps) < sum(len(trajectory.steps) for trajectory in self.trajectories)
