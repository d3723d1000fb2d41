"""A training run as a config."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from codeduet.agents.config import SamplingConfig, TeamConfig, roles_in, sampling_of, still
from codeduet.algorithms.schedule import Schedule
from codeduet.config import STRICT, Seed
from codeduet.envs.config import EnvConfig
from codeduet.envs.roles import Roles, agents_of
from codeduet.errors import InputError


@dataclass(frozen=True, kw_only=True, config=STRICT)
class OptimConfig:
    """How weights change.

    Attributes:
        lr: learning rate of AdamW. The paper states none: 1e-5 suits adapters of rank 16 on a 0.5-3B model.
        schedule: what becomes of it: ``constant``, or ``linear`` or ``cosine`` down to 0 at the run's end, which is that of
            ``steps`` or of ``token_budget``, whichever is nearer.
        warmup_steps: steps over which it rises first.
        weight_decay: of AdamW.
        max_grad_norm: the gradient of a step is scaled down to this norm; 0 is off.
        updates_per_batch: optimiser steps on each batch of episodes; more than 1 needs a ratio loss.
        micro_batch_tokens: padded tokens of a forward pass, at most; the gradient does not depend on it. ``auto`` is as many
            as the memory plan has room for, and no more than pay in speed.
        gradient_checkpointing: whether layers are computed again in the backward pass instead of kept, which saves memory
            and costs a forward pass; ``auto`` does so where too few tokens fit without.
        memory_gib: what this process may hold, for the memory plan; 0 is 60 % of what is free on the machine or GPU.
    """

    lr: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    schedule: Schedule = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_grad_norm: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    updates_per_batch: int = Field(default=1, ge=1)
    micro_batch_tokens: Annotated[int, Field(gt=0)] | Literal["auto"] = "auto"
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    memory_gib: float = Field(default=0.0, ge=0, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EvalConfig:
    """How a training is measured on the way, as ``codeduet bench`` measures.

    Attributes:
        every: steps between measurements; 0 is never.
        n: samples of each problem.
        k: the k of pass@k, each at most n.
        greedy: whether a greedy answer of each problem is measured too.
        limit: the first so many problems of the split; 0 is all.
        split: ``valid`` is a tenth of the training problems, which the run then does not learn from; ``test`` shows how it goes
            and chooses nothing.
        best: a measure whose best checkpoint is kept in ``best``: ``pass@1`` and so on, ``greedy``, or a rate of ``results.json``.
        patience: measurements in a row that are no better than the best before, after which the training ends; 0 is any number.
    """

    every: int = Field(default=0, ge=0)
    n: int = Field(default=4, ge=1)
    k: list[int] = Field(default_factory=lambda: [1], min_length=1)
    greedy: bool = False
    limit: int = Field(default=0, ge=0)
    split: Literal["valid", "test"] = "valid"
    best: str = ""
    patience: int = Field(default=0, ge=0)

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, or would choose by what it must not see."""
        if any(k > self.n or k < 1 for k in self.k):
            raise InputError(f"eval.k={list(self.k)} must lie between 1 and eval.n={self.n}")
        if self.split == "test" and (self.best or self.patience):
            raise InputError(
                "eval.best and eval.patience choose by what they see, and nothing is chosen by test problems: set eval.split=valid"
            )
        if self.patience and not self.best:
            raise InputError("eval.patience waits for a measure to grow: name it, eval.best=pass@1")
        if self.best == "greedy" and not self.greedy:
            raise InputError("eval.best=greedy is not measured: set eval.greedy=true")
        if (of := re.fullmatch(r"pass@(\d+)", self.best)) and int(of[1]) not in self.k:
            raise InputError(f"eval.best={self.best} is not measured: eval.k={list(self.k)} has no {of[1]}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainConfig:
    """A training run.

    Attributes:
        out: run folder.
        init_from: a run folder or checkpoint whose weights a new run begins with; its optimisers and steps stay there.
        seed: everything random follows from it.
        algorithm: a name of ``docs/algorithms.md``, such as ``magrpo``, or ``module:Class`` or ``file.py:Class``.
        options: keyword arguments of the algorithm.
        team: who acts.
        env: the game.
        sampling: how completions are drawn.
        optim: how weights change.
        steps: batches of episodes to learn from, at most.
        token_budget: tokens generated to learn from, so that algorithms can be compared at equal cost; the step that
            reaches it is the last. 0 is no limit.
        problems_per_step: problems B of a batch; each epoch goes through the train split once, shuffled.
        group_size: episodes G of each problem.
        frozen: agents that act and do not learn.
        blank: observation keys that are emptied before agents see them, and agents whose answers count as empty, for
            ablations.
        eval: how it is measured on the way, with pass@k, and what that decides.
        checkpoint_every: steps between checkpoints; the last step always makes one.
        keep_checkpoints: the newest so many are kept.
        show_every: steps between tables of completions on the screen; 0 is never.
        log: where metrics are written besides ``metrics.jsonl``: any of ``tensorboard``, ``wandb`` and ``trackio``.
        keep_completions: episodes of each step that ``completions.jsonl`` keeps, with prompts, answers, rewards and advantages:
            ``all``, or so many, the best and the worst of each group first.
    """

    COMMAND: ClassVar[str] = "train"
    GONE: ClassVar[dict[str, str]] = dict.fromkeys(
        ("eval_every", "eval_samples"), "eval: {every: N, n: M, split: test}"
    )

    out: str = "runs/train"
    init_from: str = ""
    seed: Seed = 0
    algorithm: str = "magrpo"
    options: dict[str, Any] = Field(default_factory=dict)
    team: TeamConfig = TeamConfig()
    env: EnvConfig = EnvConfig()
    sampling: SamplingConfig = SamplingConfig()
    optim: OptimConfig = OptimConfig()
    steps: int = Field(default=100, gt=0)
    token_budget: int = Field(default=0, ge=0)
    problems_per_step: int = Field(default=4, gt=0)
    group_size: int = Field(default=4, ge=1)
    frozen: list[str] = Field(default_factory=list)
    blank: list[str] = Field(default_factory=list)
    eval: EvalConfig = EvalConfig()
    checkpoint_every: int = Field(default=50, gt=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    show_every: int = Field(default=0, ge=0)
    log: list[Literal["tensorboard", "wandb", "trackio"]] = Field(default_factory=list)
    keep_completions: Annotated[int, Field(ge=0)] | Literal["all"] = 2

    @staticmethod
    def of_before(tree: dict[str, Any], *, saved: bool) -> dict[str, Any]:
        """Return the keys of a file in those of now: never evaluating is no key, and what a run folder says is ``eval``'s.

        Args:
            tree: the file's keys and values.
            saved: whether it is a run folder's own; another's that asks for what is gone is left to be refused.
        """
        every = tree.get("eval_every")
        if every is None or (every and not saved):
            return tree
        now = {key: value for key, value in tree.items() if key not in TrainConfig.GONE}
        if every and ("eval" not in now or not now["eval"].get("every")):
            now["eval"] = {"every": every, "n": tree.get("eval_samples", 1), "split": "test"}
        return now

    @property
    def roles(self) -> Roles:
        """Who plays."""
        return roles_in(self.team, self.env)

    @property
    def still(self) -> list[str]:
        """The agents that act and do not learn."""
        return [*self.frozen, *still(self.team, self.roles)]

    @property
    def longest_answer(self) -> int:
        """Tokens that an answer may have, at most."""
        return max(of.max_new_tokens for of in sampling_of(self.team, self.roles, self.sampling).values())

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents, in the order they act."""
        return agents_of(self.roles)
