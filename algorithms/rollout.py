"""Play groups of episodes: all environments of a step share one generation call per agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codeduet.agents import Completion, Engine, Formatter, Request, Sampling, derive_seed
from codeduet.envs import Outcome, Program, raw_env, step_many
from codeduet.envs.humaneval import Env
from codeduet.envs.text import opened_thought

JUDGE = "judge"
"""The phase of a step in which answers are judged; the others are the agents'."""


@dataclass
class Action:
    """One completion in an episode.

    Attributes:
        agent: who wrote it.
        turn: the agent's how-manieth action of the episode, from 0.
        prompt_ids: `[P]` token ids it continues.
        completion: what was written.
        temperature: what it was sampled at.
        reward: paid to the agent between this action and its next.
        observation: what the agent saw before it acted.
        state: the environment's global state then, for a centralised critic.
    """

    agent: str
    turn: int
    prompt_ids: tuple[int, ...]
    completion: Completion
    temperature: float
    reward: float = 0.0
    observation: Any = None
    state: Any = None


@dataclass
class Trajectory:
    """One episode.

    Attributes:
        task_id: the problem.
        actions: in the order they were taken.
        infos: per agent, the environment's numbers after its last action.
        state: the environment's global state at the end.
        program: the last program, where the environment judges programs.
        outcome: its verdict.
        transcript: (agent, prompt text, answer text) of every action, for people.
    """

    task_id: str
    actions: list[Action] = field(default_factory=list)
    infos: dict[str, dict[str, float]] = field(default_factory=dict)
    state: Any = None
    program: Program | None = None
    outcome: Outcome | None = None
    transcript: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def team_return(self) -> float:
        """Undiscounted sum of what one agent was paid, averaged over the agents that acted."""
        agents = {action.agent for action in self.actions}
        return sum(action.reward for action in self.actions) / max(len(agents), 1)


@dataclass
class Group:
    """The G episodes of one problem, which are each other's baseline."""

    task_id: str
    trajectories: list[Trajectory]

    @property
    def judged(self) -> bool:
        """Whether every episode has a verdict: there is no return of one that the machine failed to judge."""
        return not any(t.outcome is not None and t.outcome.worker_fault for t in self.trajectories)


def rollout(
    envs: Sequence[Env],
    task_ids: Sequence[str],
    *,
    group_size: int,
    engine: Engine,
    policy_of: Mapping[str, str],
    formatter: Formatter,
    sampling: Sampling,
    seed_parts: tuple[object, ...],
    blank: Sequence[str] = (),
    share: int = 1,
    phase: Callable[[str, int], None] = lambda name, size: None,
) -> list[Group]:
    """Play ``group_size`` episodes of every task.

    Args:
        envs: at least ``len(task_ids) * group_size`` environments with text observations and actions, and agents that
            act in the same order.
        task_ids: what ``reset(options={"task_id": ...})`` gets.
        group_size: G.
        engine: who generates.
        policy_of: agent -> name of the policy it acts by.
        formatter: observation -> prompt.
        sampling: how to draw; the stop strings are the formatter's.
        seed_parts: what tells this call from every other; each completion's seed is derived from it, the task, the
            agent, the sample and the turn.
        blank: observation keys that are emptied before an agent sees them, and agents whose answers count as empty,
            for ablations.
        share: so many episodes in a row, a divisor of G, get one and the same first answer: a tree that branches behind
            the first agent. Their actions hold the same completion object.
        phase: called when an agent begins to write, with its name and the tokens that may be, and when its answers are
            handed to the environments, with ``judge`` and their number.

    Returns:
        One group per task, in the order of ``task_ids``.
    """
    jobs = []
    for position, task_id in enumerate(task_ids):
        # A task that stands in the batch twice gets new samples: a sample's seed follows from its number.
        first = task_ids[:position].count(task_id) * group_size
        jobs += [(task_id, sample) for sample in range(first, first + group_size)]
    active = [_Episode(env, task_id, sample) for env, (task_id, sample) in zip(envs, jobs, strict=False)]
    if len(active) < len(jobs):
        raise ValueError(f"{len(jobs)} episodes need as many environments, not {len(envs)}")
    episodes = list(active)
    for episode in episodes:
        seed = derive_seed(*seed_parts, episode.task_id, "reset")
        episode.env.reset(seed=seed % 2**31, options={"task_id": episode.task_id})
    while active:
        agent = active[0].env.agent_selection
        acting = [episode for episode in active if episode.env.agent_selection == agent]
        first = not acting[0].trajectory.actions
        askers = acting[::share] if first else acting
        phase(agent, len(askers) * sampling.max_new_tokens)
        completions = _ask(askers, agent, engine, policy_of[agent], formatter, sampling, seed_parts, blank)
        if first:
            completions = _branch(acting, askers, share)
        # Where the template has opened a thought, the answer begins inside of it, and nothing else would tell.
        opened = [opened_thought(episode.trajectory.transcript[-1][1]) for episode in acting]
        texts = [
            "" if agent in blank else begun + completion.text
            for begun, completion in zip(opened, completions, strict=True)
        ]
        phase(JUDGE, len(acting))
        step_many([episode.env for episode in acting], texts)
        for episode in acting:
            episode.collect()
        active = [episode for episode in active if not episode.over()]
    trajectories = [episode.trajectory for episode in episodes]
    return [Group(task_id, trajectories[i * group_size : (i + 1) * group_size]) for i, task_id in enumerate(task_ids)]


def _branch(episodes: Sequence[_Episode], askers: Sequence[_Episode], share: int) -> list[Completion]:
    """Give each asker's only action to the episodes that share it."""
    for index, episode in enumerate(episodes):
        asker = askers[index // share]
        if episode is not asker:
            action = replace(asker.trajectory.actions[0])
            episode.trajectory.actions.append(action)
            episode.trajectory.transcript.append(asker.trajectory.transcript[0])
            episode.last[action.agent] = action
    return [episode.trajectory.actions[0].completion for episode in episodes]


class _Episode:
    """An environment with what was recorded of its episode."""

    def __init__(self, env: Env, task_id: str, sample: int) -> None:
        self.env = env
        self.task_id = task_id
        self.sample = sample
        self.trajectory = Trajectory(task_id)
        self.last: dict[str, Action] = {}

    def collect(self) -> None:
        """After a step: book what each agent was paid to its last action."""
        for agent, reward in self.env.rewards.items():
            if agent in self.last:
                self.last[agent].reward += float(reward)
            self.trajectory.infos[agent] = dict(self.env.infos[agent])

    def over(self) -> bool:
        """Tell whether the episode ended; if so, note how."""
        env = self.env
        if env.agents and not any(env.terminations.values()) and not any(env.truncations.values()):
            return False
        inner = env.unwrapped
        if isinstance(inner, raw_env):
            self.trajectory.state = inner.state()
            self.trajectory.program = inner.program()
            self.trajectory.outcome = inner.outcome
        return True


def _state(env: Env) -> Any:
    """Return the global state, where the environment has one."""
    inner = env.unwrapped
    return inner.state() if isinstance(inner, raw_env) else None


def _ask(
    episodes: Sequence[_Episode],
    agent: str,
    engine: Engine,
    policy: str,
    formatter: Formatter,
    sampling: Sampling,
    seed_parts: tuple[object, ...],
    blank: Sequence[str],
) -> list[Completion]:
    """Let ``agent`` write in every episode, in one call; episodes with equal prompts share a request."""
    prompts = []
    turns = []
    observations = []
    for episode in episodes:
        observation = episode.env.observe(agent)
        assert observation is not None
        seen = {key: "" if key in blank else value for key, value in observation.items()}
        observations.append(seen)
        prompts.append((formatter.encode(agent, seen), formatter.render(agent, seen)))
        turns.append(sum(action.agent == agent for action in episode.trajectory.actions))
    seeds = [
        derive_seed(*seed_parts, episode.task_id, agent, episode.sample, turn)
        for episode, turn in zip(episodes, turns, strict=True)
    ]
    sampling = replace(sampling, stop=formatter.stop(agent))
    members: dict[tuple[int, ...], list[int]] = {}
    for index, (ids, _) in enumerate(prompts):
        members.setdefault(ids, []).append(index)
    requests = [
        Request(policy, ids, tuple(seeds[index] for index in indices), sampling) for ids, indices in members.items()
    ]
    completions: dict[int, Completion] = {}
    for indices, answers in zip(members.values(), engine.generate(requests), strict=True):
        completions.update(zip(indices, answers, strict=True))
    for index, episode in enumerate(episodes):
        action = Action(
            agent,
            turns[index],
            prompts[index][0],
            completions[index],
            sampling.temperature,
            observation=observations[index],
            state=_state(episode.env),
        )
        episode.trajectory.actions.append(action)
        episode.trajectory.transcript.append((agent, prompts[index][1], completions[index].text))
        episode.last[agent] = action
    return [completions[index] for index in range(len(episodes))]
