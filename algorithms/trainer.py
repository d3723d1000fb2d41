"""The training loop: play, credit, learn, and write down what happened.

Nothing random is stored: each problem order and each completion's seed follows from (run seed, step, problem, agent,
sample), so a resumed run continues bit for bit.
"""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from codeduet.agents import Engine, Formatter, MessageFormatter, PromptFormatter, derive_seed
from codeduet.agents.hf import HFEngine
from codeduet.agents.out_of_memory import ERRORS, is_out_of_memory
from codeduet.agents.team import Team, load_team
from codeduet.algorithms.algorithm import Algorithm, load_algorithm
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from codeduet.algorithms.checks import check_training, is_over, mains_of
from codeduet.algorithms.config import EnvConfig, TeamConfig, TrainConfig
from codeduet.algorithms.learner import Learner, Sample
from codeduet.algorithms.lengths import fitting
from codeduet.algorithms.memory import give_back, plan_memory
from codeduet.algorithms.metrics import (
    MetricsLog,
    completion_record,
    episode_metrics,
    generated_tokens,
    helper_gains,
    keep_until,
    read_metrics,
)
from codeduet.algorithms.resume import check_folder
from codeduet.algorithms.rollout import Group, rollout
from codeduet.algorithms.schedule import lr_factor
from codeduet.algorithms.show import (
    LEARN,
    Watch,
    completions_table,
    cut_line,
    is_drawn,
    make_progress,
    shown,
    step_line,
    time_left,
)
from codeduet.envs import InputError, env, load_problems, raw_env, shared_executor
from codeduet.envs.files import json_line, locked, make_folder
from codeduet.envs.humaneval import Env
from codeduet.envs.problems import Split
from codeduet.envs.roles import Role, policies_of
from codeduet.interrupt import Interrupted, allowed, check, put_off

GIVE_UP = 5
"""Steps in a row whose loss or gradient is not finite, after which a training ends."""


class Trainer:
    """Trains a team on a set of tasks.

    Args:
        config: the run.
        team: who learns; by default loaded as ``config.team`` says.
        envs: environments to play in, ``problems_per_step * group_size`` of them; by default
            ``codeduet/humaneval-v0`` as ``config.env`` says.
        train_tasks: task ids to learn from; by default the train split's.
        test_tasks: task ids to evaluate on; by default the test split's.
        formatter: observation -> prompt; by default as ``config.team.prompt`` says.
        algorithm: how to learn; by default as ``config.algorithm`` says.
        engine: who generates; by default as ``config.team.engine`` says.
        console: where progress is shown.

    Raises:
        InputError: settings that cannot work, or problems too long for the model.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        team: Team | None = None,
        envs: Sequence[Env] | None = None,
        train_tasks: Sequence[str] | None = None,
        test_tasks: Sequence[str] | None = None,
        formatter: Formatter | None = None,
        algorithm: Algorithm | None = None,
        engine: Engine | None = None,
        console: Console | None = None,
    ) -> None:
        self.config = config
        self.run = Path(config.out)
        self.console = console or Console(markup=False)
        self.algorithm = algorithm or load_algorithm(config.algorithm, config.options)
        check_training(config, self.algorithm)
        self.team = team or make_team(config.team, config.roles, config.seed)
        self.algorithm.setup(self.team)
        self.formatter = formatter or make_formatter(config.team, config.roles, self.team)
        self.engine = engine or make_engine(config.team, self.team)
        episodes = config.problems_per_step * config.group_size
        self.envs = list(envs) if envs is not None else make_envs(config.env, config.roles, episodes, training=True)
        self.train_tasks = list(train_tasks) if train_tasks is not None else task_ids(config.env, "train")
        self.test_tasks = list(test_tasks) if test_tasks is not None else task_ids(config.env, "test")
        self.longest = config.sampling.max_new_tokens  # tokens of a prompt and its answer, where they can be told
        self.train_tasks = self._fitting(self.train_tasks)
        if config.eval_every:
            self.test_tasks = self._fitting(self.test_tasks)
        learns = [
            policy
            for policy in self.team.policies
            if not all(agent in config.frozen for agent in self.team if self.team[agent] is policy)
        ]
        self.plan = plan_memory(config, longest=self.longest, learns=learns)
        self.learners = {
            policy.name: Learner(
                policy,
                lr=config.optim.lr,
                weight_decay=config.optim.weight_decay,
                max_grad_norm=config.optim.max_grad_norm,
                micro_batch_tokens=self.plan.tokens,
                recompute=self.plan.recompute,
                updates=config.optim.updates_per_batch,
            )
            for policy in learns
        }
        self.step = 0
        self.tokens = 0
        self._saved = 0  # the step of the newest checkpoint
        self._begun = 0  # updates when the last step was whole
        self._newest: Path | None = None  # that, as this process knows it
        self._told: set[str] = set()  # policies that were said to have skipped a step
        self.watch = Watch()
        if isinstance(self.engine, HFEngine):
            self.engine.heard = self.watch.tokens

    def open(self, *, resume: bool = False) -> None:
        """Make the run folder, or continue in it.

        Args:
            resume: continue from the run folder's newest checkpoint; a run cut off before its first starts over.

        Raises:
            InputError: the run folder holds a run and ``resume`` is off, or it is on and there is none, or a checkpoint is
                damaged or one of another model.
        """
        check_folder(self.run, resume=resume)
        make_folder(self.run)
        self._newest = newest = latest_checkpoint(self.run)
        if resume and newest:
            optimizers = {name: learner.optimizer for name, learner in self.learners.items()}
            self.step, self.tokens = load_checkpoint(newest, self.team, optimizers)
            self._saved = self.step
        elif self.config.init_from:
            load_checkpoint(Path(self.config.init_from), self.team)
            for policy in self.team.policies:
                policy.version = 0
        else:
            return
        for policy in self.team.policies:
            self.engine.sync(policy, policy.version)

    def over(self) -> bool:
        """Tell whether the steps or the tokens are used up."""
        return is_over(self.config, self.step, self.tokens)

    def train(self, progress: Progress | None = None, *, begin: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Run to the end and return the last step's metrics.

        Args:
            progress: gets a bar; by default one of this run's own is shown.
            begin: called once the run folder is this process's own, to write what else is to lie there.

        Raises:
            InputError: another process is at work in the run folder, or has saved a checkpoint there since it was opened.
            Interrupted: a signal came; the last whole step is saved.
            InputError: a step cannot be played or learnt, or memory ran out in it; the last whole step is saved.
            FloatingPointError: a policy's loss or gradient was not finite for too long, or its logits or weights are not.
        """
        make_folder(self.run)
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(self.run))
            if latest_checkpoint(self.run) != self._newest:
                raise InputError(f"another process has trained in {self.run} meanwhile: go on with that by --resume")
            begin()
            stack.enter_context(put_off())
            log = MetricsLog(self.run, self.step, self._say)
            stack.callback(log.close)
            keep_until(self.run / "completions.jsonl", self.step)
            progress = progress or stack.enter_context(make_progress(self.console))
            self.console = progress.console
            try:
                return self._train(log, progress)
            except Interrupted as stop:
                stop.place = "before the first step was whole"
                if self.step:
                    if self._saved != self.step:
                        self.save()
                    stop.place = f"at step {self.step}, which is saved"
                raise
            except (InputError, FloatingPointError, *ERRORS) as error:
                if not isinstance(error, InputError | FloatingPointError) and not is_out_of_memory(error):
                    raise
                traceback.clear_frames(error.__traceback__)  # of what they hold, memory is full
                told = self._broke_off(error)
            raise told

    def _broke_off(self, error: Exception) -> Exception:
        """Save the last whole step where weights are still as it left them, and return what there is to say."""
        text = " ".join(str(error).split())
        if is_out_of_memory(error):
            text = f"out of memory: a smaller team.batch_size or sampling.max_new_tokens takes less ({text[:120]})"
        kind = FloatingPointError if isinstance(error, FloatingPointError) else InputError
        if self.step == self._saved:
            return kind(text)
        if self._begun != self._updates():
            return kind(
                f"{text}; step {self.step + 1} had begun to change weights: --resume goes on from the last saved step"
            )
        try:
            self.save()
        except FloatingPointError as worse:
            return worse
        return kind(f"{text}; stopped at step {self.step}, which is saved")

    def _updates(self) -> int:
        return sum(learner.begun for learner in self.learners.values())

    def _train(self, log: MetricsLog, progress: Progress) -> dict[str, float]:
        metrics: dict[str, float] = {}
        budget = self.config.token_budget
        total, done = (budget, self.tokens) if budget else (self.config.steps, self.step)
        bar = progress.add_task("train", total=total, completed=done, shown="")
        evaluated = any((row["step"], row["kind"]) == (self.step, "eval") for row in read_metrics(self.run))
        self.watch.show_on(progress)
        began, first = perf_counter(), (self.step, self.tokens)
        if self.step and not evaluated:  # stopped between a step and its evaluation
            self._evaluate(log)
        while not self.over():
            started, cut_before = perf_counter(), cut_line(metrics)
            metrics, groups = self.train_step()
            log.write(self.step, metrics)
            self._keep_completions(groups)
            cut = cut_line(metrics)
            if not is_drawn(progress.console):
                limits = [
                    (first[0], self.step, self.config.steps),
                    *([(first[1], self.tokens, budget)] if budget else []),
                ]
                left = time_left(perf_counter() - began, limits)
                line = step_line(self.step, self.config.steps, metrics, perf_counter() - started, left)
                self._say("  ".join(filter(None, (line, cut))))
            elif cut and not cut_before:
                self._say(f"step {self.step}: {cut}")
            progress.update(bar, completed=self.tokens if budget else self.step, shown=shown(metrics))
            if self.config.show_every and self.step % self.config.show_every == 0:
                progress.console.print(completions_table(groups[0], self.step))
            self._evaluate(log)
            given_up = [name for name, learner in self.learners.items() if learner.skipped >= GIVE_UP]
            if self.step % self.config.checkpoint_every == 0 or self.over() or given_up:
                self.save()
            if given_up:
                raise FloatingPointError(
                    f"loss or gradient of policy {given_up[0]!r} was not finite in {GIVE_UP} steps in a row: stopped at step "
                    f"{self.step}, which is saved and holds no broken weight; --resume goes on, with a lower optim.lr, say"
                )
        progress.remove_task(bar)
        self.watch.hide()
        check()
        return metrics

    def train_step(self) -> tuple[dict[str, float], list[Group]]:
        """Play one batch, learn from it, and return its metrics and episodes.

        Raises:
            Interrupted: a signal came before any weight was changed; it is as if the step had not begun.
        """
        began = perf_counter()
        groups = self._play(
            self.batch_tasks(self.step), self.config.group_size, ("train", self.step), mains_of(self.algorithm)
        )
        played = perf_counter()
        judged = self._judged(groups)
        metrics = episode_metrics(judged, mains_of(self.algorithm)) if judged else {"reward": math.nan}
        metrics["worker_faults"] = float(len(groups) - len(judged))
        game = self.envs[0].unwrapped
        if isinstance(game, raw_env) and "helper_called" in metrics:
            # Of one episode a group: judging all of them twice would take longer than learning from them.
            gains = helper_gains([group.trajectories[0] for group in judged], game)
            metrics["helper_gain"] = float(np.mean([gain for gain in gains if math.isfinite(gain)] or [math.nan]))
        self.engine.sleep()
        give_back()
        metrics |= self._learn(judged) if judged else {}
        give_back()
        self.engine.wake()
        for name in self.learners:
            policy = next(policy for policy in self.team.policies if policy.name == name)
            self.engine.sync(policy, policy.version)
        tokens = generated_tokens(groups)
        self.tokens += tokens
        metrics |= self.watch.end() | {
            "seconds/rollout": played - began,
            "seconds/learn": perf_counter() - played,
            "tokens": float(self.tokens),
            "tokens_per_second": tokens / (perf_counter() - began),
            "peak_memory_mib": peak_memory_mib(),
        }
        self.step += 1
        self._begun = self._updates()
        return metrics, groups

    def evaluate(self) -> dict[str, float]:
        """Play the test tasks with the training's sampling and return the metrics."""
        metrics: list[dict[str, float]] = []
        faults = 0
        size = max(1, len(self.envs) // self.config.eval_samples)
        with self._measured():
            for start in range(0, len(self.test_tasks), size):
                tasks = self.test_tasks[start : start + size]
                groups = self._play(tasks, self.config.eval_samples, ("eval", self.step))
                judged = self._judged(groups)
                faults += len(groups) - len(judged)
                if judged:
                    metrics.append({**episode_metrics(judged), "weight": len(judged)})
        self.watch.end()
        weights = [row.pop("weight") for row in metrics]
        shared = [key for key in (metrics or [{}])[0] if all(key in row for row in metrics)]
        means = {key: float(np.average([row[key] for row in metrics], weights=weights)) for key in shared}
        return {"reward": math.nan, **means, "worker_faults": float(faults)}

    @contextlib.contextmanager
    def _measured(self) -> Iterator[None]:
        """Steer second turns as a measurement does, and then as before."""
        games = [game for game in (each.unwrapped for each in self.envs) if isinstance(game, raw_env)]
        before = [game.feedback for game in games]
        for game in games:
            game.feedback = self.config.env.feedback_in(training=False)
        try:
            yield
        finally:
            for game, feedback in zip(games, before, strict=True):
                game.feedback = feedback

    def batch_tasks(self, step: int) -> list[str]:
        """Return the tasks of a step: each epoch is a shuffle of its own, and batches go across its end."""
        first = step * self.config.problems_per_step
        order: list[str] = []
        for position in range(first, first + self.config.problems_per_step):
            epoch, index = divmod(position, len(self.train_tasks))
            shuffle = np.random.default_rng(derive_seed(self.config.seed, "epoch", epoch))
            order.append(self.train_tasks[int(shuffle.permutation(len(self.train_tasks))[index])])
        return order

    def save(self) -> Path:
        """Save a checkpoint of this step.

        Raises:
            FloatingPointError: weights are not finite; nothing is saved.
        """
        for name, learner in self.learners.items():
            if not all(bool(torch.isfinite(weights).all()) for weights in learner.policy.parameters):
                raise FloatingPointError(
                    f"weights of policy {name!r} are not finite after step {self.step}, which is not saved: --resume goes on "
                    "from the checkpoint before, with a lower optim.lr"
                )
        optimizers = {name: learner.optimizer for name, learner in self.learners.items()}
        folder = save_checkpoint(
            self.run, self.step, self.team, optimizers, keep=self.config.keep_checkpoints, tokens=self.tokens
        )
        self._saved, self._newest = self.step, folder
        return folder

    def _evaluate(self, log: MetricsLog) -> None:
        if self.config.eval_every and self.step % self.config.eval_every == 0:
            log.write(self.step, self.evaluate(), kind="eval")

    def _play(self, tasks: Sequence[str], group_size: int, parts: tuple[object, ...], share: int = 1) -> list[Group]:
        with allowed():  # nothing of this process is changed by it
            return rollout(
                self.envs,
                tasks,
                group_size=group_size,
                engine=self.engine,
                policy_of={agent: self.team[agent].name for agent in self.team},
                formatter=self.formatter,
                sampling=self.config.sampling.build(),
                seed_parts=(self.config.seed, *parts),
                blank=self.config.blank,
                share=share,
                phase=self.watch.begin,
            )

    def _learn(self, groups: Sequence[Group]) -> dict[str, float]:
        advantages = self.algorithm.advantages(groups)
        samples: dict[str, list[Sample]] = {name: [] for name in self.learners}
        mains = mains_of(self.algorithm)
        for group, of_group in zip(groups, advantages, strict=True):
            for number, (trajectory, of_episode) in enumerate(zip(group.trajectories, of_group, strict=True)):
                own = 0 if number % mains == 0 else 1  # a first answer that several episodes share is one sample
                for action, advantage in zip(trajectory.actions[own:], of_episode[own:], strict=True):
                    name = self.team[action.agent].name
                    if name in samples and action.agent not in self.config.frozen:
                        completion = action.completion
                        samples[name].append(
                            Sample(
                                action.prompt_ids,
                                completion.token_ids,
                                completion.logprobs,
                                advantage,
                                action.temperature,
                            )
                        )
        optim = self.config.optim
        factor = lr_factor(
            optim.schedule,
            self.step,
            self.config.steps,
            warmup_steps=optim.warmup_steps,
            tokens=self.tokens,
            token_budget=self.config.token_budget,
        )
        metrics = {"lr": optim.lr * factor}
        self.watch.begin(LEARN, sum(len(s.completion_ids) for of in samples.values() for s in of if s.advantage))
        changed = False  # from then on the step is finished
        for name, learner in self.learners.items():
            pause = (lambda: None) if changed else check
            told = learner.step(
                samples[name], self.algorithm.loss, lr_factor=factor, pause=pause, heard=self.watch.tokens
            )
            changed = changed or told["updates"] > 0
            metrics |= {f"{name}/{key}": value for key, value in told.items()}
            if learner.skipped and name not in self._told:
                self._told.add(name)
                self._say(
                    f"step {self.step + 1}: loss or gradient of policy {name!r} is not finite: its weights stay as they are, "
                    f"training goes on ({name}/skipped_updates in metrics.jsonl counts such steps)"
                )
        return metrics

    def _judged(self, groups: Sequence[Group]) -> list[Group]:
        """Return the groups whose programs all have a verdict; tell of the others."""
        left = [group for group in groups if not group.judged]
        if left:
            self._say(
                f"step {self.step + 1}: the machine failed to judge a program of {', '.join(g.task_id for g in left)}: left "
                "out of the step (worker_faults in metrics.jsonl counts them)"
            )
        return [group for group in groups if group.judged]

    def _fitting(self, tasks: list[str]) -> list[str]:
        """Return the tasks that are not too long for the model, as far as that can be told."""
        game = self.envs[0].unwrapped if self.envs else None
        if not isinstance(game, raw_env):
            return tasks
        fit = fitting(
            tasks,
            game,
            self.formatter,
            self.engine,
            max_new_tokens=self.config.sampling.max_new_tokens,
            overlong=self.config.env.overlong,
            blank=self.config.blank,
        )
        if fit.left_out:
            self._say(fit.line())
        self.longest = max(self.longest, fit.longest)
        return fit.kept

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _keep_completions(self, groups: Sequence[Group]) -> None:
        """Append the best and the worst episode of the step's first group to ``completions.jsonl``."""
        ordered = sorted(groups[0].trajectories, key=lambda trajectory: trajectory.team_return)
        with (self.run / "completions.jsonl").open("a", encoding="utf-8") as file:
            for trajectory in (ordered[-1], ordered[0]):
                file.write(json_line({"step": self.step, **completion_record(trajectory)}))


def make_team(config: TeamConfig, roles: Sequence[Role], seed: int) -> Team:
    """Load the team a config describes; ``seed`` is for the adapters' first weights."""
    use_threads(config)
    return load_team(
        config.model,
        policies_of(roles),
        config.sharing,
        lora_rank=config.lora_rank,
        lora_alpha=config.lora_alpha,
        device=config.device,
        dtype=config.dtype,
        seed=seed,
        prompt=config.prompt,
        system=config.system,
        template=config.template,
    )


def make_engine(
    config: TeamConfig, team: Team, *, answers: Path | None = None, say: Callable[[str], None] = print
) -> Engine:
    """Make the engine a config asks for.

    Args:
        config: of the team.
        team: who plays.
        answers: where a server's answers are saved.
        say: gets a line on each kind of trouble with a server.

    Raises:
        InputError: its library is missing, or it cannot generate for such a team.
    """
    if config.engine == "vllm":
        from codeduet.agents.vllm import VLLMEngine

        return VLLMEngine(
            team,
            config.model,
            context=config.context,
            batch_size=config.batch_size,
            gpu_share=config.gpu_share,
            dtype=config.dtype,
        )
    if config.engine == "openai":
        from codeduet.agents.openai import OpenAIEngine

        return OpenAIEngine(
            team,
            config.model,
            config.base_url,
            api=config.api,
            served={
                team[agent].name: (config.models.get(agent, ""), config.base_urls.get(agent, "")) for agent in team
            },
            timeout_s=config.timeout,
            retries=config.retries,
            batch_size=config.batch_size,
            system=config.system,
            template=config.template,
            answers=answers,
            say=say,
        )
    return HFEngine(team, config.batch_size)


def use_threads(config: TeamConfig) -> None:
    """Set the CPU threads of this process as a config says."""
    if config.threads:
        torch.set_num_threads(config.threads)


def make_formatter(config: TeamConfig, roles: Sequence[Role], team: Team) -> Formatter:
    """Make the formatter a config asks for."""
    if config.engine == "openai" and config.api == "chat":
        return MessageFormatter(team.tokenizer, roles=roles, prompts=config.words)
    return PromptFormatter(
        team.tokenizer,
        config.prompt,
        roles=roles,
        prompts=config.words,
        system=config.system,
        template=config.template,
    )


def make_envs(config: EnvConfig, roles: Sequence[Role], count: int, *, training: bool = False) -> list[Env]:
    """Make ``count`` environments over all problems of the set, so that they can play either split.

    Args:
        config: the game.
        roles: who plays.
        count: number of environments.
        training: whether a team learns in them, or is measured; see ``EnvConfig.feedback``.
    """
    problems = load_problems(config.problems, "all", config.test_problems)
    executor = shared_executor(config.packages) if config.packages else None
    return [
        env(
            problems=problems,
            reward=config.reward,
            max_turns=config.max_turns,
            roles=roles,
            executor=executor,
            feedback=config.feedback_in(training=training),
        )
        for _ in range(count)
    ]


def task_ids(config: EnvConfig, split: Split) -> list[str]:
    """Return the task ids of a split."""
    return [problem.task_id for problem in load_problems(config.problems, split, config.test_problems)]


def peak_memory_mib() -> float:
    """Return the most memory held so far: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB
