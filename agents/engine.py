"""The engine protocol: token ids in, token ids and log-probabilities out.

Token ids are the truth. Text goes to the environment; the learner uses the ids an engine sampled and never encodes a
completion again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from codeduet.agents.policy import Policy

FinishReason = Literal["eos", "stop", "length", "refused"]


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


class Engine(Protocol):
    """Something that generates for the policies of a team."""

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds.

        Raises:
            KeyError: a request names a policy the engine has not.
        """

    def sync(self, policy: Policy, version: int) -> None:
        """Take over the policy's weights as they are now, under this version."""

    def sleep(self) -> None:
        """Give accelerator memory back, where the engine holds some of its own."""

    def wake(self) -> None:
        """Undo :meth:`sleep`."""

    def close(self) -> None:
        """End the engine."""


def cut(text: str, stop: Sequence[str]) -> str:
    """Return ``text`` without its first stop string and what follows it."""
    return text[: min((text.find(s) for s in stop if s in text), default=len(text))]


def derive_seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on all ``parts``: no two samples of a run share one, resumed or not."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
