"""What an engine is: token ids in, token ids and log-probabilities out; what it says of itself, and how one is named.

Token ids are the truth. Text goes to the environment; the learner uses the ids an engine sampled and never encodes a
completion again.
"""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from codeduet.errors import InputError
from codeduet.named import load_named

if TYPE_CHECKING:
    from codeduet.agents.config import TeamConfig
    from codeduet.agents.policy import Policy
    from codeduet.agents.team import Team

FinishReason = Literal["eos", "stop", "length", "refused"]

Weights = Literal["shared", "own", "served"]
"""Whose weights an engine generates by: those that train, in this process; its own, which follow them; a server's, which stay."""

ENGINES = {
    "hf": "codeduet.agents.hf:HFEngine",
    "vllm": "codeduet.agents.vllm:VLLMEngine",
    "openai": "codeduet.agents.openai:OpenAIEngine",
}
"""The engines that have a name, and the one place where they are listed; each is loaded when it is asked for."""


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn. Every field is passed to the engine; no model's own defaults apply.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        top_p: nucleus; 1 is off.
        top_k: 0 is off.
        max_new_tokens: tokens of a completion, at most.
        stop: strings that end a completion; its text ends before them, its ids with them.
    """

    temperature: float = 0.8
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether the sampled distribution is another than the policy's at this temperature."""
        return self.top_p < 1.0 or self.top_k > 0


@dataclass(frozen=True)
class Request:
    """Ask one policy for completions of one prompt.

    Attributes:
        policy: name of the policy.
        prompt_ids: token ids of the prompt.
        seeds: one for each completion wanted; equal request and seed give an equal completion.
        sampling: how to draw.
    """

    policy: str
    prompt_ids: tuple[int, ...]
    seeds: tuple[int, ...]
    sampling: Sampling


@dataclass(frozen=True)
class Completion:
    """One sampled completion.

    Attributes:
        token_ids: `[L]` sampled ids, the end-of-sequence id included where it was sampled.
        logprobs: `[L]` log-probability of each id under the distribution it was sampled from (temperature and
            truncation applied); zeros where greedy.
        text: decoded without special tokens, and without a stop string and what follows it.
        finish_reason: ``"eos"``, ``"stop"`` (a stop string), ``"length"``, or ``"refused"``: a server would not answer, and
            the text is empty.
        policy_version: version of the policy that wrote it.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...] = field(repr=False)
    text: str
    finish_reason: FinishReason
    policy_version: int


class Engine(ABC):
    """Something that generates for the policies of a team: a subclass has ``generate`` and ``sync``, and says what differs.

    Give an instance to a training or a benchmark; or name a class that has :meth:`build` as ``team.engine``, in this table or
    as ``"my_package.my_module:MyEngine"``.

    Attributes:
        weights: ``shared``: those of the team's policies as they are, so that a training's memory plan counts generation too.
            ``own``: a copy, in ``team.gpu_share`` of a GPU; a benchmark loads no other. ``served``: elsewhere and not to be
            changed, for evaluation only; what a config says of a server holds.
        limit: what :meth:`room` counts, for people.
        packages: names of the packages whose versions a result depends on.
        heard: called with the number of tokens that were drawn, whenever some were; who shows a bar sets it.
    """

    weights: ClassVar[Weights] = "own"
    limit: ClassVar[str] = "positions of the model"
    packages: ClassVar[tuple[str, ...]] = ()
    heard: Callable[[int], None] = staticmethod(lambda tokens: None)

    @classmethod
    def build(cls, config: TeamConfig, team: Team, answers: Path | None, say: Callable[[str], None]) -> Engine:
        """Make the engine that a config asks for.

        Args:
            config: how these agents act.
            team: they, and the policies that answer for them.
            answers: a file for what is paid for and must not be lost, such as a server's answers; None saves none.
            say: gets a line on each kind of trouble.

        Raises:
            InputError: a library is missing, or it cannot generate for such a team.
        """
        raise InputError(
            f"engine {cls.__name__} has no build: hand one over in Python (engine=...), or give it that method"
        )

    def room(self) -> int | None:
        """Return the tokens of a prompt and its completion, at most; None is no limit, or one that nobody here knows."""
        return None

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds.

        Raises:
            KeyError: a request names a policy the engine has not.
        """

    @abstractmethod
    def sync(self, policy: Policy, version: int) -> None:
        """Take over the policy's weights as they are now, under this version."""

    def sleep(self) -> None:  # noqa: B027  # nothing to do is the rule
        """Give accelerator memory back while others learn, where the engine holds some of its own."""

    def wake(self) -> None:  # noqa: B027
        """Undo :meth:`sleep`."""

    def close(self) -> None:  # noqa: B027
        """End the engine."""


def engine_class(name: str) -> type[Engine]:
    """Return the class of an engine by its name.

    Raises:
        InputError: there is none, or it is no engine.
    """
    found = load_named(ENGINES.get(name, name), "engine")
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise InputError(_no_engine(name))
    if lacking := sorted(found.__abstractmethods__):
        raise InputError(f"engine {name!r} has no {' and no '.join(lacking)}")
    if found.weights not in get_args(Weights):
        raise InputError(f"engine {name!r}: weights is one of {', '.join(get_args(Weights))}, not {found.weights!r}")
    try:
        inspect.signature(found.build).bind("config", "team", "answers", "say")
    except TypeError as error:
        raise InputError(f"engine {name!r}: build takes config, team, answers and say: {error}") from None
    return found


def check_engine(engine: Any) -> None:
    """Check that something is an engine.

    Raises:
        InputError: it is not derived from :class:`Engine`.
    """
    if not isinstance(engine, Engine):
        raise InputError(_no_engine(type(engine).__name__))


def _no_engine(name: str) -> str:
    return (
        f"engine {name!r} is no codeduet.agents.Engine: derive it from that class, which has a default for all but generate, "
        "sync and build"
    )


def cut(text: str, stop: Sequence[str]) -> str:
    """Return ``text`` without its first stop string and what follows it."""
    return text[: min((text.find(s) for s in stop if s in text), default=len(text))]


def derive_seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on all ``parts``: no two samples of a run share one, resumed or not."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
