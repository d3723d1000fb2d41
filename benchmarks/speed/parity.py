"""Compare the log-probabilities that two devices compute of the same model, in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from codeduet.agents import Request, Sampling
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary as vocabulary_of
from codeduet.agents.team import load_team
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.benchmarks.speed.generation import Load


@torch.no_grad()
def compare_devices(model: str, device: torch.device) -> dict[str, Any]:
    """Return the largest differences in nats: between the CPU and ``device``, and there between sampler and learner.

    Adapters are given random weights, since new ones change nothing.
    """
    scored = {}
    for place in ("cpu", str(device)):
        team = load_team(model, config=TeamConfig(sharing="adapter", device=place, dtype="float32"))
        policy = team.policies[0]
        generator = torch.Generator().manual_seed(0)
        for parameter in policy.parameters:
            parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
        network = policy.activate()
        load = Load(problems=3, samples=2, prompt_tokens=120, new_tokens=24)
        vocabulary = vocabulary_of(network)
        prompts = [prompt[: 120 - 20 * i] for i, prompt in enumerate(load.prompts(vocabulary)) for _ in range(2)]
        ids = torch.randint(1, min(vocabulary, 50_000), (load.rows, load.new_tokens), generator=generator).tolist()
        scored[place] = completion_logprobs(network, prompts, ids, [0.8] * load.rows)[0].double().cpu()
        ways = team.ways
    sampling = Sampling(temperature=0.8, max_new_tokens=load.new_tokens)
    requests = [Request(policy.name, prompt, (2 * i, 2 * i + 1), sampling) for i, prompt in enumerate(prompts[::2])]
    answers = [answer for row in HFEngine(team).generate(requests) for answer in row]
    learnt, mask = completion_logprobs(network, prompts, [answer.token_ids for answer in answers], [0.8] * load.rows)
    sampled = pad_sequence([torch.tensor(answer.logprobs) for answer in answers], batch_first=True)
    apart = (scored["cpu"] - scored[str(device)]).abs()
    return {
        "dtype": "float32",
        "largest_difference_nats": float(apart.max()),
        "sampler_and_learner_nats": float(((learnt.cpu() - sampled) * mask.cpu()).abs().max()),
        "mean_logprob": float(scored["cpu"].mean()),
        "ways": ways,
    }
