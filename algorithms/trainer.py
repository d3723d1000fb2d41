"""The training loop: play, credit, learn, and tell the callbacks.

Nothing random is stored: each problem order and each completion's seed follows from (run seed, step, problem, agent,
sample), so a resumed run continues bit for bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from rich.console import Console

from codeduet.agents import Engine, Formatter
from codeduet.agents.play import Service, game, play
from codeduet.agents.seats import seats_of
from codeduet.agents.steps import Group
from codeduet.agents.team import Team
from codeduet.agents.tree import Tree
from codeduet.algorithms import state
from codeduet.algorithms.algorithm import Advantages, Algorithm
from codeduet.algorithms.callbacks import Callback, Tracker
from codeduet.algorithms.checks import is_over
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.memory import MemoryPlan
from codeduet.algorithms.metrics import generated_tokens, peak_memory_mib, step_metrics
from codeduet.algorithms.order import batch_of
from codeduet.algorithms.refill import sample
from codeduet.algorithms.show import Watch
from codeduet.algorithms.update import check_learns, learn
from codeduet.envs.humaneval import Env
from codeduet.files import locked
from codeduet.interrupt import Interrupted, allowed, check, put_off
from codeduet.runs import write_config


@dataclass(kw_only=True, eq=False)
class Trainer:
    """Trains a team on a set of tasks. It takes objects; :func:`~codeduet.algorithms.training.make_trainer` makes them of a config.

    Attributes:
        config: the run.
        team: who acts and learns.
        envs: environments to play in, ``problems_per_step * group_size`` of them.
        train_tasks: task ids to learn from.
        formatter: observation -> prompt.
        algorithm: how to learn.
        engine: who generates.
        learners: policy name -> what trains it; a policy without one stays as it is.
        plan: what the training holds of memory.
        callbacks: are told of it, in this order.
        console: where things are told.
        handed: names of those that its config does not make.
        step: steps done.
        tokens: generated in them.
        metrics: the last one's numbers; empty before the first.
        advantages: of the steps of the last step's groups that were learnt from.
        stop: set by a callback, the training ends behind this step.
        ends: set by a callback that will do so, the reading of ``perf_counter`` at which it will.
        told: what was said once: policies that have skipped a step, that all groups were dropped.
        watch: sees a step from within.
        updates: of weights, when the last step was whole.
        newest: the newest checkpoint, as this process knows it.
        saved: the step of it.
    """

    config: TrainConfig
    team: Team
    envs: Sequence[Env]
    train_tasks: Sequence[str]
    formatter: Formatter
    algorithm: Algorithm
    engine: Engine
    learners: Mapping[str, Learner]
    plan: MemoryPlan
    callbacks: Sequence[Callback] = ()
    console: Console = field(default_factory=lambda: Console(markup=False))
    handed: Sequence[str] = ()
    step: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)
    metrics: dict[str, float] = field(default_factory=dict, init=False)
    advantages: Advantages = field(default_factory=dict, init=False)
    stop: bool = field(default=False, init=False)
    ends: float | None = field(default=None, init=False)
    told: set[str] = field(default_factory=set, init=False)
    watch: Watch = field(default_factory=Watch, init=False)
    updates: int = field(default=0, init=False)
    newest: Path | None = field(default=None, init=False)
    saved: int = field(default=0, init=False)
    _opened: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.run = Path(self.config.out)
        self.engine.heard = self.watch.tokens

    def open(self, *, resume: bool = False) -> None:
        """Begin in the run folder, or go on with what is in it; see :func:`~codeduet.algorithms.state.load_state`."""
        self.newest = state.load_state(self, resume=resume)
        self._opened, self.saved = True, self.step

    def over(self) -> bool:
        """Tell whether steps or tokens are used up, or a callback stopped the training."""
        return self.stop or is_over(self.config, self.step, self.tokens)

    def train(self) -> dict[str, float]:
        """Run to the end and return the last step's metrics; the run folder is begun if :meth:`open` was not called.

        Raises:
            Interrupted: a signal came; the last whole step is saved.
            InputError: the run folder is another process's, or was meanwhile; or a step broke off, and the one before is saved.
            FloatingPointError: a policy's loss or gradient was not finite for too long, or its logits or weights are not.
            Exception: whatever else a callback, algorithm or engine raises, as it is; the step before is saved where it can be.
        """
        if not self._opened:
            self.open()
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(self.run))
            state.check_not_trained_meanwhile(self)
            write_config(self.run, self.config)
            stack.enter_context(put_off())
            try:
                for callback in self.callbacks:
                    callback.begin(self)
                    stack.callback(callback.end, self)
                state.states_of(self.callbacks)  # what cannot be saved is refused before anything is learnt
                return self._loop()
            except Interrupted as stop:
                stop.place = state.keep_step(self)
                raise
            except Exception as error:  # noqa: BLE001  # a callback or an algorithm may raise anything
                told = state.broken_off(self, error)
            raise told

    def _loop(self) -> dict[str, float]:
        while not self.over():
            metrics, groups = self.train_step()
            for callback in self.callbacks:
                callback.step(self, groups, metrics)
            check_learns(self)
        check()
        return self.metrics

    def train_step(self) -> tuple[dict[str, float], list[Group]]:
        """Play one batch, learn from it, and return its metrics and episodes.

        Raises:
            Interrupted: a signal came before any weight was changed; it is as if the step had not begun.
        """
        began = perf_counter()
        groups, whole, kept = sample(self)
        played = perf_counter()
        metrics = step_metrics(groups, whole, self.envs[0].unwrapped) | learn(self, kept, len(whole))
        tokens = generated_tokens(groups)
        self.tokens += tokens
        metrics |= self.watch.end() | {
            "seconds/rollout": played - began,
            "seconds/learn": perf_counter() - played,
            "tokens": float(self.tokens),
            "tokens_per_second": tokens / (perf_counter() - began),
            "peak_memory_mib": peak_memory_mib(),
        }
        self.step, self.metrics, self.updates = self.step + 1, metrics, state.updates(self)
        return metrics, groups

    def play(
        self, tasks: Sequence[str], tree: Tree, parts: tuple[object, ...], before: Mapping[str, int] | None = None
    ) -> list[Group]:
        """Play a tree of episodes of each task; see :func:`~codeduet.agents.play.play`."""
        seeds = (self.config.seed, *parts)
        workflow = game(self.envs, seed_parts=seeds, blank=self.config.blank)
        seats = seats_of(self.config, self.team, self.formatter, self.engine)
        heard = Service(phase=self.watch.begin)
        with allowed():  # nothing of this process is changed by it
            return play(workflow, tasks, tree, seats, seed_parts=seeds, before=before, service=heard)

    def batch_tasks(self, step: int) -> list[str]:
        """Return the tasks of a step."""
        return batch_of(self.train_tasks, step, self.config.problems_per_step, self.config.seed)

    def save(self) -> Path:
        """Save a checkpoint of this step; see :func:`~codeduet.algorithms.state.save_state`."""
        self.newest, self.saved = state.save_state(self), self.step
        return self.newest

    def write(self, values: Mapping[str, float], kind: str) -> None:
        """Let the callbacks that write numbers write these, of this step."""
        for tracker in (callback for callback in self.callbacks if isinstance(callback, Tracker)):
            tracker.write(self.step, values, kind)

    def say(self, text: str) -> None:
        """Tell a line on the console, as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
