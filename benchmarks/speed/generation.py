"""Time generation through the ``hf`` engine, prefill included, beside its bound."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from codeduet.agents import Request, Sampling
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary as vocabulary_of
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.benchmarks.speed.ceilings import Ceilings, Work, median_seconds, work_of


class Load(NamedTuple):
    """What is asked: ``problems`` prompts of ``prompt_tokens``, each answered ``samples`` times with ``new_tokens``."""

    problems: int
    samples: int
    prompt_tokens: int
    new_tokens: int

    @property
    def rows(self) -> int:
        """Completions."""
        return self.problems * self.samples

    def prompts(self, vocabulary: int) -> list[tuple[int, ...]]:
        """Return prompts of random ids, the same for the same load."""
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(1, min(vocabulary, 50_000), (self.problems, self.prompt_tokens), generator=generator)
        return [tuple(row) for row in ids.tolist()]


class Endless(Policy):
    """A policy whose completions end at no token, so that every run does the same work."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """No id."""
        return frozenset()


def endless(team: Team) -> Team:
    """Return the team with policies that never end an answer."""
    return Team({agent: Endless(p.name, p.model, p.tokenizer, p.adapter) for agent, p in team.items()})


def time_generation(team: Team, load: Load, ceilings: Ceilings, *, rounds: int) -> dict[str, Any]:
    """Return tokens a second of the team's first policy and their share of the bound."""
    policy = endless(team).policies[0]
    model = policy.activate()
    engine = HFEngine(Team({policy.name: policy}), batch_size=load.rows)
    vocabulary = vocabulary_of(model)
    sampling = Sampling(temperature=0.8, max_new_tokens=load.new_tokens)
    requests = [
        Request(policy.name, prompt, tuple(range(i * load.samples, (i + 1) * load.samples)), sampling)
        for i, prompt in enumerate(load.prompts(vocabulary))
    ]
    seconds = median_seconds(lambda: engine.generate(requests), policy.device, rounds=rounds)
    tokens = load.rows * load.new_tokens
    bound = bound_seconds(work_of(model), load, ceilings)
    return {
        **load._asdict(),
        "rows": load.rows,
        "seconds": round(seconds, 4),
        "tokens_per_second": round(tokens / seconds, 1),
        "ms_per_token_step": round(1000 * seconds / load.new_tokens, 2),
        "bound_tokens_per_second": round(tokens / bound, 1),
        "share_of_bound": round(bound / seconds, 4),
    }


def bound_seconds(work: Work, load: Load, ceilings: Ceilings) -> float:
    """Return the least seconds: each prompt computed once, then a step a token that reads weights, keys and values."""
    prompt_tokens = load.problems * load.prompt_tokens
    total = ceilings.seconds(2.0 * (work.layers * prompt_tokens + work.head * load.problems), work.bytes)
    for step in range(1, load.new_tokens):
        seen = load.rows * (load.prompt_tokens + step) * work.cache_bytes
        total += ceilings.seconds(2.0 * load.rows * (work.layers + work.head), work.bytes + seen)
    return total
