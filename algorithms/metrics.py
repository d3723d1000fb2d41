"""Numbers of a batch of episodes, and where they are written."""

from __future__ import annotations

import math
import resource
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.credit import is_dead, siblings_of, values
from codeduet.envs import InputError, Outcome, raw_env
from codeduet.envs.execution import shared_executor
from codeduet.files import json_line, read_run_rows, write_whole


def episode_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Return means over all episodes, and the shares of groups and completions that say how learning goes.

    ``reward`` is the undiscounted team return; ``syntax``, ``runnable`` and ``solved`` are shares of programs,
    ``tests`` the mean share of tests passed; ``helper_nonempty`` and ``helper_called`` say how often a helper (whoever
    writes code but for main, who does so last) wrote a function and main calls one; of a sum of rewards each
    ``reward/<name>`` is its mean over agents in the last turn, before its weight; ``dead_groups`` is the share of groups
    that nobody learns from: no step is worth more or less than its siblings or, of trees, all returns are equal. Of each agent:
    ``tokens`` of a completion, ``entropy`` of a token in nats (at the temperature it was sampled at), the share
    ``truncated`` by the length limit, ``extracted`` (main: the code defines the target function; helpers: it defines one),
    ``repeated`` (another sample of the group is the same text) and, of trees, ``dead_groups`` among those it is compared
    with: helper answers by the means of their mains, mains by their siblings; and ``reward``, its own return, where agents are
    not all paid alike.

    """
    episodes = [trajectory for group in groups for trajectory in group.trajectories]
    returns = [[trajectory.team_return for trajectory in group.trajectories] for group in groups]
    metrics = {"reward": float(np.mean(returns)), "dead_groups": float(np.mean([_is_dead(group) for group in groups]))}
    agents = list(dict.fromkeys(step.agent for step in episodes[0].steps))
    if any(group.branches for group in groups):
        metrics |= _dead_among_siblings(groups, agents)
    metrics |= _paid(episodes, agents)
    outcomes = [episode.outcome for episode in episodes if episode.outcome is not None]
    if outcomes:
        metrics |= {
            "syntax": float(np.mean([o.syntax_ok for o in outcomes])),
            "runnable": float(np.mean([o.runnable for o in outcomes])),
            "tests": float(np.mean([o.passed / o.total for o in outcomes])),
            "solved": float(np.mean([o.solved for o in outcomes])),
            "timed_out": float(np.mean([o.timed_out for o in outcomes])),
        }
        if episodes[0].program is not None:
            metrics |= _extracted(outcomes, [part.agent for part in episodes[0].program.parts])
    for agent in agents:
        mine = [step.completion for episode in episodes for step in episode.steps if step.agent == agent]
        metrics[f"{agent}/tokens"] = float(np.mean([len(completion.token_ids) for completion in mine]))
        # On policy the mean of -log pi over sampled tokens is the entropy, unbiased and for nothing.
        logprobs = [logprob for completion in mine for logprob in completion.logprobs]
        metrics[f"{agent}/entropy"] = -float(np.mean(logprobs)) if logprobs else 0.0
        metrics[f"{agent}/truncated"] = float(np.mean([c.finish_reason == "length" for c in mine]))
        metrics[f"{agent}/repeated"] = float(np.mean([_repeated(group, agent) for group in groups]))
    return metrics


def _paid(episodes: Sequence[Trajectory], agents: Sequence[str]) -> dict[str, float]:
    """Return what each agent is paid, where not all are paid alike, and each term of a sum of rewards apart."""
    returns = {
        agent: [
            sum(reward for step, reward in zip(episode.steps, episode.rewards, strict=True) if step.agent == agent)
            for episode in episodes
        ]
        for agent in agents
    }
    paid = {}
    if any(of_agent != returns[agents[0]] for of_agent in returns.values()):
        paid = {f"{agent}/reward": float(np.mean(of_agent)) for agent, of_agent in returns.items()}
    terms = [key for key in next(iter(episodes[0].infos.values()), {}) if key.startswith("reward/")]
    return paid | {term: float(np.mean([i[term] for e in episodes for i in e.infos.values()])) for term in terms}


def _extracted(outcomes: Sequence[Outcome], writers: Sequence[str]) -> dict[str, float]:
    """Return how often each agent that writes code wrote what it is to, and main calls what the others wrote."""
    *helpers, main = writers
    shares = {f"{agent}/extracted": float(np.mean([bool(o.defines.get(agent)) for o in outcomes])) for agent in helpers}
    if helpers:
        nonempty = [any(o.defines.get(agent) for agent in helpers) for o in outcomes]
        called = [any(caller == main for caller, _ in o.calls) for o in outcomes]
        shares |= {"helper_nonempty": float(np.mean(nonempty)), "helper_called": float(np.mean(called))}
    return {**shares, f"{main}/extracted": float(np.mean([o.defines_target for o in outcomes]))}


def helper_gains(trajectories: Sequence[Trajectory], game: raw_env) -> list[float]:
    """Return by how much helpers raise each program's score: what it earned, less what main's code earns alone.

    Where a program runs and nobody calls anything of another's that is nothing, and is not judged again. It is NaN where
    the machine failed to judge. Where agents are paid apart, a score is their mean.
    """
    mattered = {
        i: (t.program, t.outcome)
        for i, t in enumerate(trajectories)
        if t.program is not None and t.outcome is not None and (t.outcome.calls or not t.outcome.runnable)
    }
    lonely = {i: program.without(*(part.agent for part in program.parts[:-1])) for i, (program, _) in mattered.items()}
    outcomes = (game.executor or shared_executor()).judge_many(lonely.values())
    gains = [0.0] * len(trajectories)
    for (i, (program, together)), alone in zip(mattered.items(), outcomes, strict=True):
        if together.worker_fault or alone.worker_fault:
            gains[i] = math.nan
            continue
        turn = int(trajectories[i].state["turn"]) - 1
        scores = [game.payment.pay(together, program, turn), game.payment.pay(alone, lonely[i], turn)]
        gains[i] = scores[0].mean - scores[1].mean
    return gains


def _is_dead(group: Group) -> bool:
    """Tell whether nobody learns from a group; one episode alone has nobody to be compared with."""
    if len(group.trajectories) == 1:
        return False
    return _equal([trajectory.team_return for trajectory in group.trajectories]) if group.branches else is_dead(group)


def _dead(returns: Iterable[Sequence[float] | np.ndarray]) -> float:
    """Return the share of groups whose returns are all equal: nobody learns from them."""
    return float(np.mean([_equal(of_group) for of_group in returns]))


def _equal(returns: Sequence[float] | np.ndarray) -> bool:
    return bool(np.ptp(returns) < 1e-6)


def _dead_among_siblings(groups: Sequence[Group], agents: Sequence[str]) -> dict[str, float]:
    """Return the share of dead groups among those each agent's steps are compared with in a tree."""
    compared: dict[str, list[list[float]]] = {agent: [] for agent in agents}
    for group in groups:
        worth = values(group)
        for members in siblings_of(worth).values():
            compared[members[0].agent].append([worth[step] for step in members])
    return {f"{agent}/dead_groups": _dead(of_agent) for agent, of_agent in compared.items()}


def generated_tokens(groups: Sequence[Group]) -> int:
    """Return the tokens that were sampled; a step that several episodes share was sampled once."""
    return sum(len(step.completion.token_ids) for group in groups for step in group.steps)


def _repeated(group: Group, agent: str) -> float:
    """Return the share of an agent's first answers in a group that another sample equals."""
    samples: dict[Step, str] = {}
    for trajectory in group.trajectories:
        step = next((step for step in trajectory.steps if step.agent == agent), None)
        if step is not None:
            samples[step] = step.completion.text
    counts = Counter(samples.values())
    return sum(count for count in counts.values() if count > 1) / max(len(samples), 1)


def completion_record(trajectory: Trajectory, advantages: Advantages | None = None) -> dict[str, Any]:
    """Return an episode as JSON types, for people and reports.

    Args:
        trajectory: the episode.
        advantages: of its steps, where they were credited.
    """
    credited = advantages or {}
    turns = [
        {
            "agent": step.agent,
            "prompt": step.prompt,
            "text": step.completion.text,
            "reward": reward,
            "advantage": credited.get(step),
        }
        for step, reward in zip(trajectory.steps, trajectory.rewards, strict=True)
    ]
    return {
        "task_id": trajectory.task_id,
        "reward": trajectory.team_return,
        "turns": turns,
        "outcome": trajectory.outcome.to_dict() if trajectory.outcome else None,
    }


def step_metrics(groups: Sequence[Group], judged: Sequence[Group], game: object) -> dict[str, float]:
    """Return the numbers of a step's episodes.

    Args:
        groups: what was played.
        judged: those of them that have a verdict.
        game: the environment; helper's gain is told of one that judges programs.
    """
    metrics = episode_metrics(judged) if judged else {"reward": math.nan}
    metrics["worker_faults"] = float(len(groups) - len(judged))
    if isinstance(game, raw_env) and "helper_called" in metrics:
        # Of one episode a group: judging all of them twice would take longer than learning from them.
        gains = helper_gains([group.trajectories[0] for group in judged], game)
        metrics["helper_gain"] = float(np.mean([gain for gain in gains if math.isfinite(gain)] or [math.nan]))
    return metrics


def peak_memory_mib() -> float:
    """Return the most memory held so far: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of a run's ``metrics.jsonl``.

    Raises:
        InputError: a line is no row of metrics.
    """
    path = folder / "metrics.jsonl"
    rows = _rows_with_steps(path)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("kind"), str) or (row["kind"] == "train" and "reward" not in row):
            raise InputError(f"{path} line {number} is no row of metrics: mend or delete it")
    return rows


def keep_until(path: Path, step: int) -> None:
    """Drop the rows of steps after ``step``, left by a run that was cut off after its last checkpoint."""
    write_whole(path, "".join(json_line(row) for row in _rows_with_steps(path) if row["step"] <= step))


def _rows_with_steps(path: Path) -> list[dict[str, Any]]:
    rows = read_run_rows(path)
    for number, row in enumerate(rows, start=1):
        if type(row.get("step")) is not int:
            raise InputError(f"{path} line {number} has no step: mend or delete it")
    return rows
