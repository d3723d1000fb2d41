"""``hf``: generation with transformers, on CPU or one GPU, from the very weights that are trained.

Prompts are prefilled once each and their cache repeated over the samples; rows that ended are dropped from the batch;
each row draws from a stream of its own, so that its sample does not depend on its neighbours.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from codeduet.agents.decoding import decode
from codeduet.agents.engine import Completion, Engine, FinishReason, Request, Sampling
from codeduet.agents.models import finest_dtype
from codeduet.agents.network import PADDED, Decoder, context
from codeduet.agents.packed import packed
from codeduet.agents.policy import Policy
from codeduet.agents.self_test import paths
from codeduet.agents.team import Team
from codeduet.agents.tokenizers import completion_text
from codeduet.envs import InputError

if TYPE_CHECKING:
    from codeduet.agents.config import TeamConfig


class HFEngine(Engine):
    """Generates with the policies of a team in this process.

    Args:
        team: whose policies answer; their weights are used as they are, so ``sync`` only notes the version.
        batch_size: completions decoded side by side, at most.
    """

    weights = "shared"

    def __init__(self, team: Team, batch_size: int = 64) -> None:
        self.policies: dict[str, Policy] = {policy.name: policy for policy in team.policies}
        self.batch_size = batch_size
        self.versions = {name: policy.version for name, policy in self.policies.items()}

    @classmethod
    def build(cls, config: TeamConfig, team: Team, answers: Path | None, say: Callable[[str], None]) -> Engine:
        """Make the engine that a config asks for."""
        return cls(team, config.batch_size)

    def room(self) -> int | None:
        """Return the positions of the model that has fewest."""
        contexts = [context(policy.activate()) for policy in self.policies.values()]
        return min((tokens for tokens in contexts if tokens is not None), default=None)

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds."""
        answers: list[list[Completion | None]] = [[None] * len(request.seeds) for request in requests]
        for name, sampling in dict.fromkeys((request.policy, request.sampling) for request in requests):
            policy = self.policies[name]
            mine = [i for i, r in enumerate(requests) if r.policy == name and r.sampling == sampling]
            rows = [_Row(i, j, seed) for i in mine for j, seed in enumerate(requests[i].seeds)]
            # Neighbours of like length pad little; rows of one prompt stay together and share its prefill.
            rows.sort(key=lambda row: (len(requests[row.request].prompt_ids), requests[row.request].prompt_ids))
            with packed(policy.activate(), sampling.max_new_tokens):
                for batch in self._batches(policy, rows, [len(requests[row.request].prompt_ids) for row in rows]):
                    self._decode(policy, batch, [requests[row.request].prompt_ids for row in batch], sampling)
                    for row in batch:
                        answers[row.request][row.sample] = self._completion(policy, row, sampling)
        return [[answer for answer in row if answer is not None] for row in answers]

    def sync(self, policy: Policy, version: int) -> None:
        """Note the version: the weights are the policy's own."""
        self.versions[policy.name] = version

    def _batches(self, policy: Policy, rows: list[_Row], lengths: list[int]) -> Iterator[list[_Row]]:
        """Cut the rows into what is decoded side by side: of equal length where the model bears no padding."""
        any_length = paths(policy.activate()).decoding in PADDED
        start = 0
        while start < len(rows):
            end = min(start + self.batch_size, len(rows))
            if not any_length:
                end = bisect.bisect_right(lengths, lengths[start], start, end)
            yield rows[start:end]
            start = end

    @torch.inference_mode()
    def _decode(self, policy: Policy, rows: list[_Row], prompts: list[tuple[int, ...]], sampling: Sampling) -> None:
        """Sample until every row ended, filling the rows in place."""
        model = policy.activate()
        limit, longest = context(model), max(map(len, prompts))
        if limit is not None and limit - longest < sampling.max_new_tokens:
            raise InputError(
                f"a prompt of {longest} tokens and max_new_tokens={sampling.max_new_tokens} exceed the "
                f"{limit} positions of policy {policy.name!r}"
            )
        decoder = Decoder(model, prompts, sampling.max_new_tokens, paths(model).decoding)
        draws = torch.stack([_stream(row.seed, sampling.max_new_tokens) for row in rows])
        draws = draws.to(finest_dtype(policy.device)).to(policy.device)
        eos = policy.eos_ids
        steps = decode(decoder, draws, sampling)
        drawn = next(steps, None)
        while drawn is not None:
            self.heard(sum(not rows[index].finish for index in drawn[0]))
            for index, token, logprob in zip(*drawn, strict=True):
                if not rows[index].finish:
                    rows[index].add(token, logprob, eos, sampling, policy.tokenizer)
            if all(row.finish for row in rows):
                break
            try:
                drawn = steps.send([not row.finish for row in rows])
            except StopIteration:
                break

    def _completion(self, policy: Policy, row: _Row, sampling: Sampling) -> Completion:
        return Completion(
            token_ids=tuple(row.ids),
            logprobs=tuple(row.logprobs),
            text=completion_text(policy.tokenizer, row.ids, policy.eos_ids, sampling.stop),
            finish_reason=row.finish or "length",
            policy_version=self.versions[policy.name],
        )


@dataclass
class _Row:
    """One completion while it is decoded."""

    request: int
    sample: int
    seed: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason | None = None

    def add(self, token: int, logprob: float, eos: frozenset[int], sampling: Sampling, tokenizer: Any) -> None:
        self.ids.append(token)
        self.logprobs.append(logprob)
        if token in eos:
            self.finish = "eos"
        elif sampling.stop:
            # A token adds a byte at least, so no stop string that ends here begins before this many tokens.
            window = max(len(stop.encode()) for stop in sampling.stop)
            tail = tokenizer.decode(self.ids[-window:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
            if any(stop in tail for stop in sampling.stop):
                self.finish = "stop"


def _stream(seed: int, length: int) -> torch.Tensor:
    """Return ``[length]`` uniform numbers in [0, 1) that depend on ``seed`` only."""
    return torch.rand(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
