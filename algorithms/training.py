"""Train as a config says: what it does not get is made of the config, and handed to the trainer."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import Progress

from codeduet.agents import Engine, Formatter
from codeduet.agents.build import make_engine, make_formatter, make_team, use_threads
from codeduet.agents.config import sampling_of, still
from codeduet.agents.engine import check_engine
from codeduet.agents.own_network import NetworkPolicy
from codeduet.agents.policy import Policy
from codeduet.agents.seats import with_team
from codeduet.agents.team import Team
from codeduet.algorithms.algorithm import Algorithm, check_algorithm, load_algorithm
from codeduet.algorithms.callbacks import Callback, Completions, Log, Save, Show, check_callbacks
from codeduet.algorithms.checks import check_training
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.lengths import Fit, fitting
from codeduet.algorithms.memory import MemoryPlan, plan_memory
from codeduet.algorithms.resume import check_run, handed_over, resume_call, resume_command
from codeduet.algorithms.tracking import make_tracker
from codeduet.algorithms.trainer import Trainer
from codeduet.envs import raw_env
from codeduet.envs.config import make_envs, task_ids
from codeduet.envs.humaneval import Env
from codeduet.envs.problems import held_out
from codeduet.errors import InputError
from codeduet.interrupt import Interrupted


def train(config: TrainConfig, *, resume: bool = False, **objects: Any) -> Trainer:
    """Train to the end and return the trainer, whose run folder is what ``codeduet train`` leaves, and whose engine is closed.

    Args:
        config: the run.
        resume: go on from where its run folder stands.
        objects: what :func:`make_trainer` is to take instead of making it, ``callbacks`` for one.

    Raises:
        InputError: settings that cannot work, or a run folder that is not free or, with ``resume``, not this run's; nothing is
            loaded before.
        Interrupted: a signal came; the last whole step is saved.
        FloatingPointError: the training diverged.
    """
    team = objects.get("team")
    config = with_team(config, team)
    check_run(config, resume=resume, handed=handed_over(objects))
    trainer = make_trainer(config, **objects)
    with contextlib.ExitStack() as stack:
        if objects.get("engine") is None:  # one that was given is its owner's to close
            stack.callback(trainer.engine.close)
        trainer.open(resume=resume)
        try:
            trainer.train()
        except Interrupted as stop:
            if (trainer.run / "config.yaml").is_file():
                stop.command = resume_call(trainer.handed) if trainer.handed else resume_command(trainer.run)
            raise
    return trainer


def make_trainer(
    config: TrainConfig,
    *,
    team: Team | None = None,
    envs: Sequence[Env] | None = None,
    train_tasks: Sequence[str] | None = None,
    formatter: Formatter | None = None,
    algorithm: Algorithm | None = None,
    engine: Engine | None = None,
    callbacks: Sequence[Callback] = (),
    console: Console | None = None,
    progress: Progress | None = None,
) -> Trainer:
    """Make a trainer of a config, and of what is given instead of what it says.

    Args:
        config: the run.
        team: who learns; by default loaded as ``config.team`` says.
        envs: environments to play in, ``problems_per_step * group_size`` of them; by default
            ``codeduet/humaneval-v0`` as ``config.env`` says.
        train_tasks: task ids to learn from, less those that ``eval.split=valid`` measures; by default the train split's.
        formatter: observation -> prompt; by default as ``config.team.prompt`` says.
        algorithm: how to learn; by default as ``config.algorithm`` says.
        engine: who generates; by default as ``config.team.engine`` says. One that generates by a team's weights comes with
            that team.
        callbacks: are told besides those that the config asks for.
        console: where things are told.
        progress: gets the bar; by default one of the training's own is shown on the console.

    Raises:
        InputError: settings that cannot work, or problems too long for the model.
    """
    console = console or Console(markup=False)
    config = with_team(config, team)
    handed = handed_over({"algorithm": algorithm, "engine": engine, "envs": envs})
    algorithm = algorithm or load_algorithm(config.algorithm, config.options)
    check_algorithm(algorithm)
    if engine is not None:
        check_engine(engine)
        if engine.weights == "shared" and team is None:
            raise InputError(
                f"engine {type(engine).__name__} generates by weights of a team, which is to be the one that trains: hand both "
                "over, team=team, engine=engine"
            )
    check_callbacks(callbacks)
    check_training(config, algorithm)
    if config.eval.every:
        _check_measured(callbacks, envs)
    # A user's may be interrupted, a measurement say, and what is saved has seen the whole step.
    callbacks = [*_first(config, progress), *callbacks, Save(config.checkpoint_every)]
    use_threads(config.team)
    team = team or make_team(config.team, config.roles, config.seed)
    algorithm.run_seed = config.seed
    algorithm.setup(team)
    formatter = formatter or make_formatter(config.team, config.roles, team)
    engine = engine or make_engine(config.team, team, config.roles)
    if envs is None:
        episodes = config.problems_per_step * config.group_size
        envs = make_envs(config.env, config.roles, episodes, training=True)
    learnt = train_tasks if train_tasks is not None else task_ids(config.env, "train")
    if config.eval.every and config.eval.split == "valid":
        learnt = _without_measured(config, learnt, console)
    longest = config.longest_answer  # tokens of a prompt and its answer, where they can be told
    game = envs[0].unwrapped if envs else None
    if isinstance(game, raw_env):
        fit = _fit(config, learnt, game, formatter, engine)
        if fit.left_out:
            console.print(fit.line(), markup=False, highlight=False, soft_wrap=True)
        learnt, longest = fit.kept, max(longest, fit.longest)
    learns = [
        policy for policy in team.policies if not all(agent in config.still for agent in team if team[agent] is policy)
    ]
    _check_policies(config, team, algorithm, learns)
    plan = plan_memory(config, longest=longest, learns=learns, acts=team.policies)
    return Trainer(
        config=config,
        team=team,
        envs=envs,
        train_tasks=list(learnt),
        formatter=formatter,
        algorithm=algorithm,
        engine=engine,
        learners={policy.name: _learner(config, team, policy, plan) for policy in learns},
        plan=plan,
        callbacks=callbacks,
        console=console,
        handed=handed,
    )


def _check_measured(callbacks: Sequence[Callback], envs: Sequence[Env] | None) -> None:
    """Check that what is asked to be measured can be.

    Raises:
        InputError: nothing measures it, or it would be measured in another game than it is learnt in.
    """
    if not any(callback.measures for callback in callbacks):
        raise InputError(
            "eval.every: the command line measures; in Python hand it over: "
            "callbacks=[codeduet.benchmarks.measuring.Measure()]"
        )
    if envs is not None:
        raise InputError(
            "eval.every measures in the game of the config, not in envs that are handed over: set eval.every=0, and measure in a "
            "callback of your own"
        )


def _without_measured(config: TrainConfig, tasks: Sequence[str], console: Console) -> list[str]:
    """Return the tasks without those that ``eval.split=valid`` measures, which are the same whatever is learnt from.

    Raises:
        InputError: none is left.
    """
    _, measured = held_out(task_ids(config.env, "train"))
    left = [task for task in tasks if task not in measured]
    if not left:
        raise InputError(
            "train_tasks names nothing but problems that eval.split=valid measures, which are not learnt from: name others"
        )
    if len(left) == len(tasks):
        line = f"eval.split=valid measures {len(measured)} problems of the train split, of which train_tasks names none"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return left


def _fit(config: TrainConfig, tasks: Sequence[str], game: raw_env, formatter: Formatter, engine: Engine) -> Fit:
    return fitting(
        tasks,
        game,
        formatter,
        engine,
        max_new_tokens=config.longest_answer,
        overlong=config.env.overlong,
        blank=config.blank,
    )


def _check_policies(config: TrainConfig, team: Team, algorithm: Algorithm, learns: Sequence[Policy]) -> None:
    """Check what is known of policies once they are loaded.

    Raises:
        InputError: an algorithm reads a base that a policy has not, a policy is to learn and has nothing that could, or an agent
            that stays as it is acts by one that learns.
    """
    for policy in learns:
        if not policy.parameters:
            raise InputError(
                f"policy {policy.name!r} has no weight that can be trained (none requires a gradient): name its agents in frozen"
            )
    if "reference" in algorithm.needs:
        for policy in learns:
            if isinstance(policy, NetworkPolicy):
                raise InputError(
                    f"policy {policy.name!r} is a network of its own, which has no base to compare it with: leave the KL term out "
                    '(options.kl=0, no "reference" in needs)'
                )
            if policy.adapter is None:
                raise InputError(
                    f"policy {policy.name!r} has no adapter to leave off, and its base is no reference: a KL term needs "
                    "team.sharing=adapter"
                )
    for agent in still(config.team, config.roles):
        if agent in team and team[agent] in learns:
            raise InputError(
                f"the seat of {agent} does not learn and acts by a policy that does: team.sharing=adapter keeps them apart"
            )


def _learner(config: TrainConfig, team: Team, policy: Policy, plan: MemoryPlan) -> Learner:
    drawn = sampling_of(config.team, config.roles, config.sampling)
    own = [drawn[agent] for agent in team if team[agent] is policy and agent in drawn and agent not in config.still]
    return Learner(
        policy,
        config.optim,
        micro_batch_tokens=plan.tokens,
        recompute=plan.recompute,
        longest=max((of.max_new_tokens for of in own), default=config.longest_answer),
    )


def _first(config: TrainConfig, progress: Progress | None) -> list[Callback]:
    """Return the callbacks that are told before a user's."""
    trackers = [make_tracker(name) for name in dict.fromkeys(config.log)]
    return [Log(), *trackers, Completions(config.keep_completions), Show(progress, config.show_every)]
