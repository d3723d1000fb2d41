"""Play: workflows of many episodes are advanced together, and an engine is asked once all of them wait for it.

A workflow is a generator that says what it wants and gets the answer back: :class:`Ask` lets an agent write,
:class:`Act` hands an answer to an environment, :class:`Judge` lets a program be judged. :func:`game` is the workflow of an
AEC environment; others may ask whom they want, as often as they want.

Episodes of a task are the leaves of a :class:`~codeduet.agents.tree.Tree`. What a step depends on is its key, its seed
follows from that, and episodes of equal keys share one answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from codeduet.agents.engine import Completion, Engine, Request, Sampling, derive_seed
from codeduet.agents.prompts import Formatter
from codeduet.agents.steps import Group, Key, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.envs import Outcome, Program, raw_env, step_many
from codeduet.envs.execution import Executor, shared_executor
from codeduet.envs.humaneval import Env
from codeduet.errors import InputError

JUDGE = "judge"
"""The phase of a step in which answers are judged; the others are the agents'."""


@dataclass(frozen=True)
class Seat:
    """Where an agent acts from.

    Attributes:
        policy: name of the policy that writes.
        formatter: observation -> prompt.
        sampling: how to draw; the stop strings are the formatter's.
        engine: who generates.
    """

    policy: str
    formatter: Formatter
    sampling: Sampling
    engine: Engine


@dataclass(frozen=True)
class Ask:
    """Let an agent write; the answer is a :class:`~codeduet.agents.steps.Step`.

    Attributes:
        agent: who.
        observation: what its seat's formatter makes a prompt of.
        state: what is known of the whole game, for a centralised critic.
    """

    agent: str
    observation: Mapping[str, Any]
    state: Any = None


@dataclass(frozen=True)
class Act:
    """Hand a text to the environment whose turn it is; the answer is None."""

    env: Env
    text: str


@dataclass(frozen=True)
class Judge:
    """Let a program be judged; the answer is an :class:`~codeduet.envs.Outcome`."""

    program: Program


Effect: TypeAlias = Ask | Act | Judge
Workflow: TypeAlias = Callable[[Trajectory], Generator[Effect, Any, None]]
"""Plays one episode, whose steps are noted in the trajectory as they are made; rewards and outcome are its own to note."""


@dataclass(frozen=True)
class Service:
    """What episodes are played with, besides agents.

    Attributes:
        executor: judges programs that workflows ask for; by default the one that all share.
        phase: called when an agent begins to write, with its name and the tokens that may be, and when answers are judged, with
            :data:`JUDGE` and their number.
    """

    executor: Executor | None = None
    phase: Callable[[str, int], None] = lambda name, size: None


def play(
    workflow: Workflow,
    tasks: Sequence[str],
    tree: Tree,
    seats: Mapping[str, Seat],
    *,
    seed_parts: tuple[object, ...],
    before: Mapping[str, int] | None = None,
    service: Service = Service(),
) -> list[Group]:
    """Play the episodes of a tree for every task, and return a group a task, in their order.

    Args:
        workflow: of each episode.
        tasks: their ids; a task that stands there twice gets new answers.
        tree: the episodes of a task, and which of them share an answer.
        seats: agent -> where it acts from.
        seed_parts: what tells this call from every other; seeds follow from it and from keys.
        before: task -> how often it was played already, where steps of both calls are to be told apart.
        service: who judges, and who is told.

    Raises:
        InputError: steps of one key have different prompts: the tree shares too much.
    """
    rows = []
    for place, task in enumerate(tasks):
        copy = tasks[:place].count(task) + (before or {}).get(task, 0)
        for path in tree.paths:
            trajectory = Trajectory(task, path)
            rows.append(_Row(trajectory, workflow(trajectory), copy, copy * tree.size + tree.number(path)))
    made: dict[Key, Step] = {}
    waiting = _advanced((row, None) for row in rows)
    while waiting:
        # Services first: engines are asked when every episode waits for an answer, so that batches are always the same.
        others = [(row, effect) for row, effect in waiting if not isinstance(effect, Ask)]
        if others:
            replies = _serve(others, service)
        else:
            asks = [(row, effect) for row, effect in waiting if isinstance(effect, Ask)]
            replies = _answer(asks, made, tree, seats, seed_parts, service)
        left = {id(row): effect for row, effect in waiting if id(row) not in replies}
        moved = {
            id(row): effect
            for row, effect in _advanced((row, replies[id(row)]) for row, _ in waiting if id(row) in replies)
        }
        effects = left | moved
        waiting = [(row, effects[id(row)]) for row, _ in waiting if id(row) in effects]
    size = len(tree.paths)
    played = [row.trajectory for row in rows]
    return [Group(task, played[i * size : (i + 1) * size]) for i, task in enumerate(tasks)]


class _Row(NamedTuple):
    """An episode that is played: what is noted of it, its workflow, its task's copy, and its number among all of the task."""

    trajectory: Trajectory
    generator: Generator[Effect, Any, None]
    copy: int
    number: int


def _advanced(rows: Iterable[tuple[_Row, Any]]) -> list[tuple[_Row, Effect]]:
    """Send each workflow what it waits for; return those that want something else, with what."""
    wanting = []
    for row, reply in rows:
        with contextlib.suppress(StopIteration):
            wanting.append((row, row.generator.send(reply)))
    return wanting


def _serve(wanted: Sequence[tuple[_Row, Effect]], service: Service) -> dict[int, Any]:
    """Let environments and judges answer; return id of an episode's row -> its answer."""
    service.phase(JUDGE, len(wanted))
    acts = [(row, effect) for row, effect in wanted if isinstance(effect, Act)]
    programs = [(row, effect.program) for row, effect in wanted if isinstance(effect, Judge)]
    if acts:
        step_many([act.env for _, act in acts], [act.text for _, act in acts])
    replies: dict[int, Any] = {id(row): None for row, _ in acts}
    if programs:
        outcomes: list[Outcome] = list(
            (service.executor or shared_executor()).judge_many(program for _, program in programs)
        )
        replies |= {id(row): outcome for (row, _), outcome in zip(programs, outcomes, strict=True)}
    return replies


class _Asked(NamedTuple):
    """A step that is to be written: how it is drawn, its prompt as text too, and what asked for it."""

    seat: Seat
    prompt_ids: tuple[int, ...]
    prompt: str
    seed: int
    sampling: Sampling
    ask: Ask


def _answer(
    asks: Sequence[tuple[_Row, Ask]],
    made: dict[Key, Step],
    tree: Tree,
    seats: Mapping[str, Seat],
    seed_parts: tuple[object, ...],
    service: Service,
) -> dict[int, Step]:
    """Let agents write; return id of an episode's row -> its step, which is noted in the trajectory and in ``made``."""
    wanted: dict[Key, _Asked] = {}
    keys: list[Key] = []
    order = tuple(seats)
    for row, ask in asks:
        trajectory = row.trajectory
        turn = sum(step.agent == ask.agent for step in trajectory.steps)
        place = tree.coordinates(order.index(ask.agent), turn, trajectory.path)
        key = (trajectory.task_id, ask.agent, turn, row.copy, *place)
        keys.append(key)
        seat = seats[ask.agent]
        ids = seat.formatter.encode(ask.agent, ask.observation)
        known = made.get(key) or wanted.get(key)
        if known is None:
            seed = derive_seed(*seed_parts, trajectory.task_id, ask.agent, row.number, turn)
            sampling = replace(seat.sampling, stop=seat.formatter.stop(ask.agent))
            wanted[key] = _Asked(seat, ids, seat.formatter.render(ask.agent, ask.observation), seed, sampling, ask)
        elif known.prompt_ids != ids:
            raise InputError(
                f"{ask.agent} would share an answer between episodes of {trajectory.task_id} that differ before it: the tree "
                "shares too much (credit=cross is for agents that do not read each other)"
            )
    if wanted:
        agents = dict.fromkeys(asked.ask.agent for asked in wanted.values())
        service.phase(" and ".join(agents), sum(asked.sampling.max_new_tokens for asked in wanted.values()))
    for (key, asked), completion in zip(wanted.items(), _generate(list(wanted.values())), strict=True):
        made[key] = Step(
            key=key,
            prompt_ids=asked.prompt_ids,
            completion=completion,
            temperature=asked.sampling.temperature,
            prompt=asked.prompt,
            observation=asked.ask.observation,
            state=asked.ask.state,
        )
    for (row, _), key in zip(asks, keys, strict=True):
        row.trajectory.note(made[key])
    return {id(row): made[key] for (row, _), key in zip(asks, keys, strict=True)}


def _generate(asked: Sequence[_Asked]) -> list[Completion]:
    """Ask each engine once; samples of equal prompts share a request."""
    completions: dict[int, Completion] = {}
    engines = {id(one.seat.engine): one.seat.engine for one in asked}
    for number, engine in engines.items():
        members: dict[tuple[str, tuple[int, ...], Sampling], list[int]] = {}
        for place, one in enumerate(asked):
            if id(one.seat.engine) == number:
                members.setdefault((one.seat.policy, one.prompt_ids, one.sampling), []).append(place)
        requests = [
            Request(policy, ids, tuple(asked[place].seed for place in places), sampling)
            for (policy, ids, sampling), places in members.items()
        ]
        for places, answers in zip(members.values(), engine.generate(requests), strict=True):
            completions.update(zip(places, answers, strict=True))
    return [completions[place] for place in range(len(asked))]


def game(envs: Sequence[Env], *, seed_parts: tuple[object, ...], blank: Sequence[str] = ()) -> Workflow:
    """Return the workflow of an AEC environment: who is selected sees its observation and writes, until the episode ends.

    Args:
        envs: one for each episode that will be played, with text observations and actions; ``reset(options={"task_id": ...})``
            chooses the task.
        seed_parts: what ``reset``'s seed follows from, besides the task.
        blank: observation keys that are emptied before an agent sees them, and agents whose answers count as empty, for
            ablations.
    """
    free = iter(envs)

    def workflow(trajectory: Trajectory) -> Generator[Effect, Any, None]:
        env = next(free, None)
        if env is None:
            raise ValueError(f"more episodes than the {len(envs)} environments there are for them")
        return _episode(env, trajectory, seed_parts, blank)

    return workflow


def _episode(
    env: Env, trajectory: Trajectory, seed_parts: tuple[object, ...], blank: Sequence[str]
) -> Generator[Effect, Any, None]:
    seed = derive_seed(*seed_parts, trajectory.task_id, "reset")
    env.reset(seed=seed % 2**31, options={"task_id": trajectory.task_id})
    inner = env.unwrapped if isinstance(env.unwrapped, raw_env) else None
    while not _over(env):
        agent = env.agent_selection
        observation = env.observe(agent)
        assert observation is not None
        seen = {key: "" if key in blank else value for key, value in observation.items()}
        step = yield Ask(agent, seen, inner.state() if inner else None)
        yield Act(env, "" if agent in blank else step.text)
        for paid, reward in env.rewards.items():
            trajectory.pay(paid, float(reward))
            trajectory.infos[paid] = dict(env.infos[paid])
    if inner:
        trajectory.state, trajectory.program, trajectory.outcome = inner.state(), inner.program(), inner.outcome


def _over(env: Env) -> bool:
    return not env.agents or any(env.terminations.values()) or any(env.truncations.values())
