"""Who acts and how answers are drawn, as configs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from codeduet.agents.briefs import Prompt
from codeduet.agents.engine import ENGINES, Sampling, engine_class
from codeduet.agents.template import Style
from codeduet.config import STRICT
from codeduet.envs.config import EnvConfig
from codeduet.envs.roles import DUET, SINGLE, Role, Roles, as_roles
from codeduet.errors import InputError, nearest

Sharing = Literal["separate", "adapter", "shared"]
"""How the policies of a team relate to its model; see :mod:`codeduet.agents.team`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SamplingConfig:
    """How completions are drawn.

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
class SeatSampling:
    """How a seat's completions are drawn, where it is not as all are; the keys are those of :class:`SamplingConfig`."""

    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    max_new_tokens: int | None = Field(default=None, gt=0)

    def over(self, sampling: SamplingConfig) -> SamplingConfig:
        """Return ``sampling`` with what is set here in its place."""
        own = {field.name: getattr(self, field.name) for field in fields(SeatSampling)}
        return replace(sampling, **{name: value for name, value in own.items() if value is not None})


def _engine_name(name: str) -> str:
    """Check a name as far as it can be told without loading what it names: who only reads a config wants nothing of it."""
    if name not in ENGINES and ":" not in name:
        named = ", ".join(map(repr, ENGINES))
        raise PydanticCustomError("engine", f"input should be {named}, module:Class or file.py:Class")
    return name


EngineName: TypeAlias = Annotated[str, AfterValidator(_engine_name)]

Words: TypeAlias = str | dict[Literal["chat", "base"], str]
"""What a role reads, in words of one's own: for both styles, or for each."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SeatConfig:
    """How the agents of one role act, where it is not as the team does: what is left out is the team's.

    Attributes:
        model: ``embedded``, a transformers folder, a hub name, or a server's name for a model.
        engine: who generates; ``openai`` is a served partner, which does not learn.
        base_url: of its server, up to and with ``/v1``.
        api: of its server; left out, it is ``chat`` where the seat's words are for a chat alone and neither ``tokenizer`` nor a
            folder gives a tokenizer, else the team's.
        tokenizer: of a server's model, where ``model`` is no folder or hub name.
        dtype: of frozen weights.
        sharing: how the policies of this model relate to it.
        lora_rank: rank of its adapters.
        prompt: what the role reads, in words of one's own.
        sampling: how its completions are drawn.
        learns: off, the agents act and do not learn.
    """

    model: str | None = None
    engine: EngineName | None = None
    base_url: str | None = None
    api: Literal["completions", "chat"] | None = None
    tokenizer: str | None = None
    dtype: str | None = None
    sharing: Sharing | None = None
    lora_rank: int | None = Field(default=None, ge=0)
    prompt: Words | Prompt | None = None
    sampling: SeatSampling = SeatSampling()
    learns: bool = True

    def __post_init__(self) -> None:
        """Refuse a served model that is to learn, and a style where words are meant."""
        if self.prompt in get_args(Style):
            raise InputError(
                f"a seat's prompt is what its role reads, in words of one's own, and no style: not {self.prompt!r}"
            )
        if self.engine == "openai" and self.learns:
            raise InputError("a seat with engine=openai cannot learn: its weights are a server's; set learns: false")


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
        seats: roles that act by a model, server, sampling or words of their own: role -> any of ``model``, ``engine``,
            ``base_url``, ``api``, ``tokenizer``, ``dtype``, ``sharing``, ``lora_rank``, ``prompt`` (words), ``sampling`` and
            ``learns``; what a seat leaves out is the team's.
        prompts: what a role reads, in words of one's own: role -> a text with ``{prompt}``, ``{entry_point}`` and other keys of
            its observation, or one for each style: ``{chat: ..., base: ...}``.
        device: ``auto`` takes a GPU where there is one.
        dtype: of frozen weights; ``auto`` is bfloat16 on a GPU, else float32.
        batch_size: completions generated side by side, at most.
        engine: who generates: ``hf`` (transformers, with the very weights that train), ``vllm``, ``openai`` (a server,
            evaluation only), or an engine of one's own, ``module:Class`` or ``file.py:Class``.
        base_url: of the server, up to and with ``/v1``.
        models: of agents that answer by another model of a server than ``model``, its name: agent -> name.
        base_urls: of agents whose model another server has, its address: agent -> URL.
        timeout: seconds for one call of a server, and the longest that it may ask to wait.
        retries: further tries of a call where a server is busy, fails, or the line breaks. They are half a second apart at
            first and a minute at last, or as far as the server says.
        api: ``completions`` sends token ids, ``chat`` one user message.
        tokenizer: of a server's model: a transformers folder or hub name, where ``model``, the server's name, is none.
        context: tokens of a prompt and its completion under vLLM; 0 is as many as the model has positions.
        gpu_share: share of a GPU's memory that vLLM takes, or another engine with weights of its own.
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
    seats: dict[str, SeatConfig] = Field(default_factory=dict)
    prompts: dict[str, Words | Prompt] = Field(default_factory=dict)
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = Field(default=64, gt=0)
    engine: EngineName = "hf"
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
        """``prompts``, and what seats say, as the formatters take them."""
        told = self.prompts | {role: seat.prompt for role, seat in self.seats.items() if seat.prompt is not None}
        return {role: _prompt(text) for role, text in told.items()}

    def seat(self, role: str) -> TeamConfig:
        """Return how a role acts: the team's settings, with those of its seat in their place."""
        own = self.seats.get(role, SeatConfig())
        changed = {
            field.name: getattr(own, field.name)
            for field in fields(SeatConfig)
            if field.name not in ("prompt", "sampling", "learns") and getattr(own, field.name) is not None
        }
        if own.api is None and _for_chat_alone(own):
            changed["api"] = "chat"
        return replace(self, seats={}, prompts={}, **changed)


def _for_chat_alone(seat: SeatConfig) -> bool:
    """Whether a seat has nothing but a message for a server: a base model's words and a tokenizer would be for token ids."""
    if seat.engine != "openai" or not (seat.prompt and seat.model) or seat.tokenizer or Path(seat.model).is_dir():
        return False
    words = _prompt(seat.prompt)
    return bool(words.chat) and not words.base


def _prompt(words: Words | Prompt) -> Prompt:
    if isinstance(words, Prompt):
        return words
    return Prompt(words, words) if isinstance(words, str) else Prompt(**words)


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


def check_served(team: TeamConfig, agents: Sequence[str]) -> None:
    """Check whose models on servers are named.

    Raises:
        InputError: a name that is no agent's, or models of a server without one.
    """
    for key, named in (("models", team.models), ("base_urls", team.base_urls)):
        for agent in named:
            if agent not in agents:
                raise InputError(f"team.{key} names no agent: {agent!r}{nearest(agent, agents)}")
        if named and engine_class(team.engine).weights != "served":
            raise InputError(f"team.{key} is of a server's models: set team.engine=openai")


def check_seats(team: TeamConfig, roles: Sequence[Role]) -> None:
    """Check that seats are of roles, and that whoever is to generate for them can be had.

    Raises:
        InputError: one is of no role, or an engine is none.
    """
    names = [role.name for role in roles]
    for name in team.seats:
        if name not in names:
            raise InputError(f"team.seats names no role: {name!r}{nearest(name, names)}")
    for name in names:
        engine_class(team.seat(name).engine)


def sampling_of(team: TeamConfig, roles: Sequence[Role], sampling: SamplingConfig) -> dict[str, Sampling]:
    """Return how each agent's completions are drawn: as its seat says, or as all are."""
    seats = {role.name: team.seats.get(role.name, SeatConfig()) for role in roles}
    return {agent: seats[role.name].sampling.over(sampling).build() for role in roles for agent in role.agents}


def still(team: TeamConfig, roles: Sequence[Role]) -> list[str]:
    """Return the agents whose seats do not learn."""
    return [agent for role in roles for agent in role.agents if not team.seats.get(role.name, SeatConfig()).learns]
