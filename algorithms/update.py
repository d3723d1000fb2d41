"""What a step learns: from credited episodes to new weights of each policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from codeduet.agents.seats import Engines
from codeduet.agents.steps import Group
from codeduet.agents.team import Team
from codeduet.algorithms.algorithm import Advantages, credited, is_zero, own_metrics
from codeduet.algorithms.memory import give_back
from codeduet.algorithms.sample import Sample, has_logprobs
from codeduet.algorithms.schedule import lr_factor
from codeduet.algorithms.show import LEARN
from codeduet.errors import InputError
from codeduet.interrupt import check

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer

GIVE_UP = 5
"""Steps in a row whose loss or gradient is not finite, after which a training ends."""

_ALL_DROPPED = "all groups dropped"
"""Beside the policies' names, what is told once."""


def judged(trainer: Trainer, groups: Sequence[Group]) -> list[Group]:
    """Return the groups whose programs all have a verdict; tell of the others."""
    left = [group for group in groups if not group.judged]
    if left:
        trainer.say(
            f"step {trainer.step + 1}: the machine failed to judge a program of {', '.join(g.task_id for g in left)}: left "
            "out of the step (worker_faults in metrics.jsonl counts them)"
        )
    return [group for group in groups if group.judged]


def learn(trainer: Trainer, groups: Sequence[Group], judged: int) -> dict[str, float]:
    """Credit the episodes of a step, update every policy that learns, hand its weights to the engine; return the metrics.

    Args:
        trainer: whose step it is.
        groups: that are kept.
        judged: of how many.

    Raises:
        Interrupted: a signal came before any weight was changed.
    """
    trainer.engine.sleep()
    give_back()
    trainer.advantages = credited(trainer.algorithm, groups)
    metrics = _update(trainer, groups) if groups else {}
    if groups:
        trainer.algorithm.update(groups)
        metrics |= own_metrics(trainer.algorithm)
    if trainer.algorithm.refills or len(groups) < judged:
        metrics["kept_groups"] = float(len(groups))
    if judged and not groups and _ALL_DROPPED not in trainer.told:
        trainer.told.add(_ALL_DROPPED)
        trainer.say(
            f"step {trainer.step + 1}: {type(trainer.algorithm).__name__}.keep keeps none of {judged} groups: nothing is learnt of "
            "it, training goes on (kept_groups in metrics.jsonl counts those that are kept)"
        )
    give_back()
    trainer.engine.wake()
    for policy in trainer.team.policies:
        if policy.name in trainer.learners:
            trainer.engine.sync(policy, policy.version)
    return metrics


def given_up(trainer: Trainer) -> str:
    """Return the policy that has learnt nothing for too long, since loss or gradient was not finite; empty where none is."""
    return next((name for name, learner in trainer.learners.items() if learner.skipped >= GIVE_UP), "")


def check_learns(trainer: Trainer) -> None:
    """End a training that learns nothing any more.

    Raises:
        FloatingPointError: a policy's loss or gradient was not finite for too long.
    """
    if name := given_up(trainer):
        raise FloatingPointError(
            f"loss or gradient of policy {name!r} was not finite in {GIVE_UP} steps in a row: stopped at step {trainer.step}, "
            "which is saved and holds no broken weight; --resume goes on, with a lower optim.lr, say"
        )


def _update(trainer: Trainer, groups: Sequence[Group]) -> dict[str, float]:
    config, optim, team = trainer.config, trainer.config.optim, trainer.team
    agents = [agent for agent in team if agent not in config.still and team[agent].name in trainer.learners]
    samples = samples_of(groups, trainer.advantages, team, agents)
    if "sampler" in trainer.algorithm.needs:
        _check_sampled(trainer, samples)
    factor = lr_factor(
        optim.schedule,
        trainer.step,
        config.steps,
        warmup_steps=optim.warmup_steps,
        tokens=trainer.tokens,
        token_budget=config.token_budget,
    )
    metrics = {"lr": optim.lr * factor}
    linear = trainer.algorithm.linear
    live = [s for of in samples.values() for s in of if not (linear and is_zero(s.advantage))]
    trainer.watch.begin(LEARN, sum(len(sample.completion_ids) for sample in live))
    changed = False  # from then on the step is finished
    for name, learner in trainer.learners.items():
        pause = (lambda: None) if changed else check
        told = learner.step(
            samples[name],
            trainer.algorithm.loss,
            needs=trainer.algorithm.needs,
            linear=linear,
            lr_factor=factor,
            pause=pause,
            heard=trainer.watch.tokens,
        )
        changed = changed or told["updates"] > 0
        metrics |= {f"{name}/{key}": value for key, value in told.items()}
        if learner.skipped and name not in trainer.told:
            trainer.told.add(name)
            trainer.say(
                f"step {trainer.step + 1}: loss or gradient of policy {name!r} is not finite: its weights stay as they are, "
                f"training goes on ({name}/skipped_updates in metrics.jsonl counts such steps)"
            )
    return metrics


def _check_sampled(trainer: Trainer, samples: Mapping[str, Sequence[Sample]]) -> None:
    """Check that the engine gave the log-probabilities that an algorithm reads.

    Raises:
        InputError: it did not.
    """
    for name, of_policy in samples.items():
        if not all(map(has_logprobs, of_policy)):
            engine = trainer.engine.of[name] if isinstance(trainer.engine, Engines) else trainer.engine
            raise InputError(
                f"engine {type(engine).__name__} gives no log-probability of each token it samples, which the algorithm's ratio "
                f"is over (policy {name!r}): let it give them, or leave the ratio out (options.importance_cap=0)"
            )


def samples_of(
    groups: Sequence[Group], advantages: Advantages, team: Team, agents: Collection[str]
) -> dict[str, list[Sample]]:
    """Return policy name -> its completions with their credit; a step that several episodes share is one sample.

    Args:
        groups: what was played.
        advantages: of the steps; one that is not there is credited with nothing.
        team: who acted.
        agents: those that learn.
    """
    samples: dict[str, list[Sample]] = {team[agent].name: [] for agent in agents}
    for group in groups:
        for step in group.steps:
            if step.agent in agents:
                samples[team[step.agent].name].append(
                    Sample(
                        step.prompt_ids,
                        step.completion.token_ids,
                        step.completion.logprobs,
                        advantages.get(step, 0.0),
                        step.temperature,
                        step.agent,
                        step.turn,
                    )
                )
    return samples
