"""The update, enumerated over every group there can be, is the policy gradient.

A two-layer model over three tokens in float64. Its 7 completions (EOS ends one, two tokens are the limit) make 7^G
groups. Weighting each group's update by the group's probability gives the expected update, which must be (G - 1) / G
times the exact gradient of the expected return: the group's own mean as baseline takes 1 / G of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from codeduet.agents import Completion
from codeduet.agents.steps import Step
from codeduet.algorithms import MAGRPO, Group, Trajectory
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.losses import LossBatch
from codeduet.envs import HELPER, MAIN

EOS = 2
SEQUENCES = [(EOS,), (0, EOS), (1, EOS), (0, 0), (0, 1), (1, 0), (1, 1)]
REWARD = dict(zip(SEQUENCES, [0.3, 1.0, 0.0, 0.7, 0.2, 0.5, 0.9], strict=True))
PROMPT = (0, 1, 0)
TEMPERATURE = 0.8


@pytest.fixture(scope="module")
def model() -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=3, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=16, eos_token_id=EOS, pad_token_id=EOS, bos_token_id=None,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(15.0)  # far from uniform
    # Qwen2's own norm computes in float32, whose rounding would be larger than what is tested.
    decoder = model.get_decoder()
    for layer in decoder.layers:
        layer.input_layernorm = torch.nn.RMSNorm(8, eps=1e-6).double()
        layer.post_attention_layernorm = torch.nn.RMSNorm(8, eps=1e-6).double()
    decoder.norm = torch.nn.RMSNorm(8, eps=1e-6).double()
    return model


def sequence_logprobs(
    model: Qwen2ForCausalLM, completions: Sequence[tuple[int, ...]], prompts: Sequence[tuple[int, ...]] | None = None
) -> torch.Tensor:
    logprobs, _ = completion_logprobs(
        model, prompts or [PROMPT] * len(completions), completions, [TEMPERATURE] * len(completions)
    )
    return logprobs.sum(1)


def gradient(model: Qwen2ForCausalLM, scalar: torch.Tensor) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(scalar, list(model.parameters()), retain_graph=True)])


def step(agent: str, completion: tuple[int, ...], *place: int, prompt: tuple[int, ...] = PROMPT) -> Step:
    return Step(("task", agent, 0, *place), prompt, Completion(completion, (), "", "eos", 0), TEMPERATURE)


def update(model: Qwen2ForCausalLM, steps: Sequence[Step], advantages: Sequence[float]) -> torch.Tensor:
    """Return the gradient of the algorithm's loss on ``steps``."""
    logprobs, mask = completion_logprobs(
        model, [s.prompt_ids for s in steps], [s.completion.token_ids for s in steps], [TEMPERATURE] * len(steps)
    )
    credited = torch.tensor(advantages, dtype=torch.float64)[:, None].expand(mask.shape)
    batch = LossBatch(logprobs, logprobs.detach(), mask, credited, len(steps), int(mask.sum()))
    return gradient(model, MAGRPO().loss(batch))


def test_the_completions_are_all_there_are(model: Qwen2ForCausalLM) -> None:
    with torch.no_grad():
        probabilities = sequence_logprobs(model, SEQUENCES).exp()
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert probabilities.max().item() < 0.9


@pytest.mark.parametrize("size", [2, 3])
def test_expected_update_is_the_policy_gradient(model: Qwen2ForCausalLM, size: int) -> None:
    with torch.no_grad():
        probability = dict(zip(SEQUENCES, sequence_logprobs(model, SEQUENCES).exp().tolist(), strict=True))
    expected = torch.zeros(sum(p.numel() for p in model.parameters()), dtype=torch.float64)
    for chosen in itertools.product(SEQUENCES, repeat=size):
        steps = [step(MAIN, completion, i) for i, completion in enumerate(chosen)]
        played = [
            Trajectory("task", (i,), [s], [REWARD[c]]) for i, (s, c) in enumerate(zip(steps, chosen, strict=True))
        ]
        advantages = MAGRPO().advantages([Group("task", played)])
        if not any(advantages.values()):
            continue
        weight = torch.tensor([probability[c] for c in chosen], dtype=torch.float64).prod()
        expected += weight * update(model, steps, [float(advantages[s]) for s in steps])  # type: ignore[arg-type]
    rewards = torch.tensor([REWARD[c] for c in SEQUENCES], dtype=torch.float64)
    exact = gradient(model, -(sequence_logprobs(model, SEQUENCES).exp() * rewards).sum())
    assert exact.norm().item() > 1e-3
    assert (expected - (size - 1) / size * exact).abs().max().item() < 1e-9


# Two agents: helper writes a token, main sees it and writes one.
TOKENS = [(0,), (1,), (EOS,)]
JOINT = list(itertools.product(TOKENS, repeat=2))
JOINT_REWARD = dict(zip(JOINT, [1.0, 0.0, 0.4, 0.2, 0.8, 0.1, 0.6, 0.3, 0.9], strict=True))


def pair_logprobs(model: Qwen2ForCausalLM) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probabilities of helper's tokens, and of main's in the order of the pairs."""
    second = sequence_logprobs(model, [b for _, b in JOINT], [PROMPT + a for a, _ in JOINT])
    return sequence_logprobs(model, TOKENS), second


def test_expected_update_of_each_agent_is_its_policy_gradient(model: Qwen2ForCausalLM) -> None:
    """Two agents of one policy each: helper writes a token, main sees it and writes one; the reward is joint."""
    tokens, joint, reward = TOKENS, JOINT, JOINT_REWARD
    first, second = pair_logprobs(model)
    helper_log = {pair: first[tokens.index(pair[0])] for pair in joint}
    main_log = dict(zip(joint, second, strict=True))
    probability = {pair: (helper_log[pair] + main_log[pair]).exp().item() for pair in joint}
    size = sum(p.numel() for p in model.parameters())
    expected = {HELPER: torch.zeros(size, dtype=torch.float64), MAIN: torch.zeros(size, dtype=torch.float64)}
    for pairs in itertools.product(joint, repeat=2):
        played = [
            Trajectory("task", (i,), [step(HELPER, a, i), step(MAIN, b, i, prompt=PROMPT + a)], [reward[a, b]] * 2)
            for i, (a, b) in enumerate(pairs)
        ]
        advantages = MAGRPO().advantages([Group("task", played)])
        if not any(advantages.values()):
            continue
        weight = probability[pairs[0]] * probability[pairs[1]]
        for index, agent in enumerate((HELPER, MAIN)):
            steps = [trajectory.steps[index] for trajectory in played]
            expected[agent] += weight * update(model, steps, [float(advantages[s]) for s in steps])  # type: ignore[arg-type]
    for agent, log in ((HELPER, helper_log), (MAIN, main_log)):
        # The score-function gradient of this agent's policy alone, the other's held fixed.
        weighted = [probability[pair] * reward[pair] * log[pair] for pair in joint]
        exact = gradient(model, -torch.stack(weighted).sum())
        assert exact.norm().item() > 1e-3
        assert (expected[agent] - 0.5 * exact).abs().max().item() < 1e-9
