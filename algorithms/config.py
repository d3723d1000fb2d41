"""Everything a training run is made of, as frozen dataclasses that check themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from codeduet.agents import Sampling
from codeduet.agents.briefs import Prompt
from codeduet.agents.team import Sharing
from codeduet.agents.template import Style
from codeduet.algorithms.schedule import Schedule
from codeduet.envs import InputError
from codeduet.envs.feedback import Feedback
from codeduet.envs.roles import DUET, SINGLE, Roles, agents_of, as_roles

STRICT = ConfigDict(extra="forbid")
"""Pydantic's setting for every config: an unknown key is an error, never ignored."""


Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that every generator of random numbers takes."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TeamConfig:
    """Who acts.

    Attributes:
        kind: ``team`` is helper and main, ``single`` is main alone; other teams are ``env.roles``.
        model: ``embedded``, a transformers folder, or a hub name.
        sharing: ``adapter`` (one frozen base, a LoRA adapter per agent), ``separate`` or ``shared``.
        lora_rank: rank of the adapters; 0 with ``shared`` trains the whole model.
        lora_alpha: scale of the adapters.
        prompt: ``auto`` is chat where the tokenizer has a chat template, else base.
        system: a chat's system message, before the user's; empty is none.
        template: further keyword arguments of the tokenizer's ``apply_chat_template``, such as ``enable_thinking: false``.
        prompts: what a role reads, in words of one's own: role -> a text with ``{prompt}``, ``{entry_point}`` and other keys of
            its observation, or one for each style: ``{chat: ..., base: ...}``.
        device: ``auto`` takes a GPU where there is one.
        dtype: of frozen weights; ``auto`` is bfloat16 on a GPU, else float32.
        batch_size: completions generated side by side, at most.
        engine: who generates: ``hf`` (transformers, with the very weights that train), ``vllm``, or ``openai`` (a server,
            evaluation only).
        base_url: of the server, up to and with ``/v1``.
        models: of agents that answer by another model of a server than ``model``, its name: agent -> name.
        base_urls: of agents whose model another server has, its address: agent -> URL.
        timeout: seconds for one call of a server, and the longest that it may ask to wait.
        retries: further tries of a call where a server is busy, fails, or the line breaks. They are half a second apart at
            first and a minute at last, or as far as the server says.
        api: ``completions`` sends token ids, ``chat`` one user message.
        tokenizer: of a server's model: a transformers folder or hub name, where ``model``, the server's name, is none.
        context: tokens of a prompt and its completion under vLLM; 0 is as many as the model has positions.
        gpu_share: share of a GPU's memory that vLLM takes.
        threads: CPU threads of the model; 0 is torch's choice. For small models 1 is best: several wait for each other,
            and far longer where programs are judged beside them.
    """

    kind: Literal["team", "single"] = "team"
    model: str = "embedded"
    sharing: Sharing = "adapter"
    lora_rank: int = Field(default=16, ge=0)
    lora_alpha: int = Field(default=32, gt=0)
    prompt: Style = "auto"
    system: str = ""
    template: dict[str, Any] = Field(default_factory=dict)
    prompts: dict[str, str | dict[Literal["chat", "base"], str]] = Field(default_factory=dict)
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = Field(default=64, gt=0)
    engine: Literal["hf", "vllm", "openai"] = "hf"
    base_url: str = ""
    models: dict[str, str] = Field(default_factory=dict)
    base_urls: dict[str, str] = Field(default_factory=dict)
    timeout: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    retries: int = Field(default=8, ge=0)
    api: Literal["completions", "chat"] = "completions"
    tokenizer: str = ""
    context: int = Field(default=0, ge=0)
    gpu_share: float = Field(default=0.5, gt=0, lt=1)
    threads: int = Field(default=0, ge=0, le=1024)

    @property
    def words(self) -> dict[str, Prompt]:
        """``prompts`` as the formatters take them."""
        return {
            role: Prompt(text, text) if isinstance(text, str) else Prompt(**text) for role, text in self.prompts.items()
        }


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EnvConfig:
    """The game.

    Attributes:
        problems: ``humaneval``, ``embedded``, ``humanevalplus``, ``mbpp``, ``mbppplus``, the path of a file in one of the
            formats of ``codeduet.envs.sets``, or ``module:function``.
        test_problems: another such set, whose problems are the test split; those of ``problems`` are then all for training.
        packages: packages from outside the standard library that programs may import, such as ``numpy``.
        reward: reward scheme, ``module:function``, or a weighted sum: reward -> weight.
        max_turns: turns H of an episode.
        roles: who plays, if not helper and main (or main alone, by ``team.kind``): a list of ``name``, ``writes`` (``code``
            or ``text``), ``reads`` (names of roles) and ``count``, in the order they act.
        feedback: what steers a second turn: ``hidden`` tests, the ``examples`` that the prompt shows, or ``none``. ``auto`` is
            hidden where a team learns, and examples where it is measured: a hidden verdict that steers an answer would turn
            pass@k into retries with an oracle.
        overlong: what becomes of problems whose longest possible prompt leaves no room for an answer: ``refuse`` says so
            before the first step, ``skip`` leaves them out.
    """

    problems: str = "humaneval"
    test_problems: str = ""
    packages: list[str] = Field(default_factory=list)
    reward: str | dict[str, float] = "magrpo"
    max_turns: int = Field(default=1, ge=1)
    roles: list[dict[str, Any]] = Field(default_factory=list)
    feedback: Literal["auto", "hidden", "examples", "none"] = "auto"
    overlong: Literal["refuse", "skip"] = "refuse"

    def __post_init__(self) -> None:
        """Check the roles, before anything is loaded."""
        if self.roles:
            as_roles(self.roles)

    def feedback_in(self, *, training: bool) -> Feedback:
        """Return what steers a second turn in training, or in a measurement."""
        if self.feedback == "auto":
            return "hidden" if training else "examples"
        return self.feedback


def roles_in(team: TeamConfig, env: EnvConfig) -> Roles:
    """Return who plays.

    Raises:
        InputError: both configs say so.
    """
    if not env.roles:
        return DUET if team.kind == "team" else SINGLE
    if team.kind != "team":
        raise InputError(f"team.kind={team.kind} and env.roles both say who plays: leave out team.kind")
    return as_roles(env.roles)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SamplingConfig:
    """How completions are drawn while training.

    Attributes:
        temperature: divides the logits, for the sampler and the learner alike.
        top_p: 1 is off.
        top_k: 0 is off.
        max_new_tokens: tokens of a completion, at most.
    """

    temperature: float = Field(default=0.8, ge=0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=256, gt=0)

    def build(self) -> Sampling:
        """Return the engine's form."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_new_tokens)


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
class TrainConfig:
    """A training run.

    Attributes:
        out: run folder.
        init_from: a run folder or checkpoint whose weights a new run begins with; its optimisers and steps stay there.
        seed: everything random follows from it.
        algorithm: ``magrpo``, ``grpo`` or ``module:Class``.
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
        eval_every: steps between evaluations on the test split; 0 is never.
        eval_samples: episodes of each test problem in an evaluation.
        checkpoint_every: steps between checkpoints; the last step always makes one.
        keep_checkpoints: the newest so many are kept.
        show_every: steps between tables of completions on the screen; 0 is never.
    """

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
    group_size: int = Field(default=4, ge=2)
    frozen: list[str] = Field(default_factory=list)
    blank: list[str] = Field(default_factory=list)
    eval_every: int = Field(default=0, ge=0)
    eval_samples: int = Field(default=1, gt=0)
    checkpoint_every: int = Field(default=50, gt=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    show_every: int = Field(default=0, ge=0)

    @property
    def roles(self) -> Roles:
        """Who plays."""
        return roles_in(self.team, self.env)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents, in the order they act."""
        return agents_of(self.roles)
