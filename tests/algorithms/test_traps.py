"""Named tests for the ways LLM training silently goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from codeduet.agents import Request, Sampling
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team, load_team
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.logprobs import Layout, completion_logprobs
from codeduet.algorithms.sample import Sample
from codeduet.envs import HELPER, MAIN

EOS = 256  # of the byte tokenizer


@pytest.fixture
def team(tiny_model: str) -> Team:
    return load_team(tiny_model, config=TeamConfig(lora_rank=4))


@pytest.fixture
def whole(tiny_model: str) -> Policy:
    """A policy that trains whole, in float64."""
    policy = load_team(tiny_model, (MAIN,), config=TeamConfig(sharing="separate"))[MAIN]
    policy.model.double()
    return policy


def sample(prompt: Sequence[int], completion: Sequence[int], advantage: float) -> Sample:
    return Sample(tuple(prompt), tuple(completion), (0.0,) * len(completion), advantage, 0.7)


def some_samples() -> list[Sample]:
    """Sequences of very different lengths; EOS is the padding id too."""
    return [
        sample([65] * 3, [10, 20, EOS], 0.5),
        sample([66] * 30, [30] * 12, -0.75),
        sample([67, 68], [EOS], 1.0),
        sample([69] * 11, [40, 50, 60, 70, EOS], -0.75),
        sample([70] * 5, [80, 81, 82], 0.0),
    ]


def bytes_of(policy: Policy) -> list[bytes]:
    return [parameter.detach().cpu().numpy().tobytes() for parameter in policy.parameters]


def gradient_of(policy: Policy, samples: Sequence[Sample], micro_batch_tokens: int) -> torch.Tensor:
    """Return the gradient the optimiser sees."""
    seen: list[torch.Tensor] = []
    learner = Learner(policy, OptimConfig(lr=1e-30, max_grad_norm=0), micro_batch_tokens=micro_batch_tokens)
    learner.optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([p.grad.flatten() for p in policy.parameters if p.grad is not None]))
    )
    learner.step(samples, MAGRPO().loss)
    assert len(seen) == 1
    return seen[0]


def test_eos_is_trained(whole: Policy) -> None:
    model = whole.activate()
    logprobs, mask = completion_logprobs(model, [[65, 66], [67]], [[70, EOS], [71, 72, EOS]], [0.7, 0.7])
    assert mask.tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    plain = model(torch.tensor([[65, 66, 70]])).logits[0, -1] / 0.7
    assert logprobs[0, 1].item() == pytest.approx(plain.log_softmax(-1)[EOS].item(), abs=1e-9)
    (slope,) = torch.autograd.grad(logprobs[0, 1], [model.get_input_embeddings().weight])
    assert slope[EOS].abs().max().item() > 0


def test_padding_is_not_trained_although_it_is_the_eos_id(whole: Policy) -> None:
    samples = some_samples()[:2]
    alone = [gradient_of(whole, [s, sample([1], [2], 0.0)], 10_000) for s in samples]
    together = gradient_of(whole, samples, 10_000)
    assert torch.allclose(together, alone[0] + alone[1], rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("micro_batch_tokens", [1, 40, 90])
def test_the_gradient_is_the_same_for_any_micro_batch_size(whole: Policy, micro_batch_tokens: int) -> None:
    one_batch = gradient_of(whole, some_samples(), 100_000)
    cut = gradient_of(whole, some_samples(), micro_batch_tokens)
    assert one_batch.norm().item() > 1e-3
    assert torch.allclose(cut, one_batch, rtol=1e-6, atol=1e-9)


def test_log_probabilities_are_the_same_for_any_padding_side_and_chunk(whole: Policy) -> None:
    model, samples = whole.activate(), some_samples()
    columns: tuple[Any, ...] = (
        [s.prompt_ids for s in samples],
        [s.completion_ids for s in samples],
        [s.temperature for s in samples],
    )
    right, mask = completion_logprobs(model, *columns, layout=Layout("right"))
    left, left_mask = completion_logprobs(model, *columns, layout=Layout("left"))
    chunked, _ = completion_logprobs(model, *columns, layout=Layout(chunk_elements=258 * 2))
    assert torch.equal(mask, left_mask)
    assert torch.allclose(right, left, atol=1e-9)
    assert torch.allclose(right, chunked, atol=1e-12)
    slopes = [torch.autograd.grad(x.sum(), list(model.parameters())) for x in (right, left, chunked)]
    for a, b, c in zip(*slopes, strict=True):
        assert torch.allclose(a, b, atol=1e-8)
        assert torch.allclose(a, c, atol=1e-10)


def generate(team: Team, temperature: float, agent: str = MAIN) -> tuple[list[Request], list[Any]]:
    sampling = Sampling(temperature=temperature, max_new_tokens=20)
    prompts = [tuple(range(65, 65 + n)) for n in (3, 17, 9)]
    requests = [Request(agent, prompt, (1, 2, 3, 4), sampling) for prompt in prompts]
    return requests, HFEngine(team).generate(requests)


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.0, 1.7])
def test_sampled_log_probabilities_equal_the_learners_on_policy(team: Team, temperature: float) -> None:
    """Temperature is on both sides, and the ratio is 1: batched, left-padded sampling against batched learning."""
    torch.manual_seed(0)
    with torch.no_grad():  # adapters that are not the base
        for parameter in team[MAIN].parameters:
            parameter.normal_(0, 0.05)
    requests, answers = generate(team, temperature)
    completions = [(r.prompt_ids, c) for r, row in zip(requests, answers, strict=True) for c in row]
    logprobs, mask = completion_logprobs(
        team[MAIN].activate(),
        [prompt for prompt, _ in completions],
        [c.token_ids for _, c in completions],
        [temperature] * len(completions),
    )
    assert mask.sum().item() == sum(len(c.token_ids) for _, c in completions)
    for row, (_, completion) in zip(logprobs, completions, strict=True):
        ratio = (row[: len(completion.token_ids)] - torch.tensor(completion.logprobs)).exp()
        assert (ratio - 1).abs().max().item() < 1e-5


def test_the_wrong_temperature_would_show(team: Team) -> None:
    requests, answers = generate(team, 0.5)
    completion = answers[1][0]
    logprobs, _ = completion_logprobs(team[MAIN].activate(), [requests[1].prompt_ids], [completion.token_ids], [1.0])
    ratio = (logprobs[0] - torch.tensor(completion.logprobs)).exp()
    assert (ratio - 1).abs().max().item() > 0.01


def test_the_learner_reports_the_mismatch_it_sees(team: Team) -> None:
    requests, answers = generate(team, 0.8)
    right = [
        Sample(r.prompt_ids, c.token_ids, c.logprobs, 1.0, 0.8)
        for r, row in zip(requests, answers, strict=True)
        for c in row
    ]
    off = [Sample(s.prompt_ids, s.completion_ids, tuple(v - 0.1 for v in s.sampled_logprobs), 1.0, 0.8) for s in right]
    learner = Learner(team[MAIN], OptimConfig(lr=1e-9))
    metrics = learner.step(right, MAGRPO().loss)
    assert metrics["mismatch_ratio_max"] < 1e-4
    assert metrics["mismatch_kl"] < 1e-6
    # Every sampled log-probability 0.1 lower: ratio exp(-0.1), k3 = exp(0.1) - 1 - 0.1.
    metrics = learner.step(off, MAGRPO().loss)
    assert metrics["mismatch_ratio_max"] == pytest.approx(0.0952, abs=1e-3)
    assert metrics["mismatch_kl"] == pytest.approx(0.00517, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(("dtype", "limit"), [("float32", 2e-8), ("bfloat16", 0.03125)])
def test_a_mismatch_that_rounding_explains_is_within_its_limit_and_another_is_not(
    tiny_model: str, dtype: str, limit: float, temperature: float
) -> None:
    """The limit is half the square of the self-test's tolerance, over that of the temperature."""
    team = load_team(tiny_model, config=TeamConfig(lora_rank=4, dtype=dtype, device="cpu"))
    requests, answers = generate(team, temperature)
    drawn = [
        Sample(r.prompt_ids, c.token_ids, c.logprobs, 1.0, temperature)
        for r, row in zip(requests, answers, strict=True)
        for c in row
    ]
    metrics = Learner(team[MAIN], OptimConfig(lr=1e-9)).step(drawn, MAGRPO().loss)
    assert metrics["mismatch_limit"] == pytest.approx(limit / temperature**2)
    assert abs(metrics["mismatch_kl"]) < 0.1 * metrics["mismatch_limit"]
    assert metrics["mismatch_kl"] >= 0.0
    wrong = [Sample(s.prompt_ids, s.completion_ids, s.sampled_logprobs, 1.0, temperature * 3) for s in drawn]
    metrics = Learner(team[MAIN], OptimConfig(lr=1e-9)).step(wrong, MAGRPO().loss)
    assert metrics["mismatch_kl"] > 5 * metrics["mismatch_limit"]


@pytest.mark.parametrize("sharing", ["adapter", "separate"])
@pytest.mark.parametrize(("trained", "kept"), [(MAIN, HELPER), (HELPER, MAIN)])
def test_updating_one_agent_leaves_the_other_byte_identical(
    tiny_model: str, sharing: Any, trained: str, kept: str
) -> None:
    team = load_team(tiny_model, config=TeamConfig(sharing=sharing, lora_rank=4))
    before = {agent: bytes_of(team[agent]) for agent in team}
    team[kept].activate()  # whatever was active last
    Learner(team[trained], OptimConfig(lr=1e-2, weight_decay=0.1)).step(some_samples(), MAGRPO().loss)
    assert bytes_of(team[kept]) == before[kept]
    assert bytes_of(team[trained]) != before[trained]
    assert team[trained].version == 1
    assert team[kept].version == 0


def test_a_step_without_advantage_changes_nothing_not_even_by_weight_decay(team: Team) -> None:
    before = bytes_of(team[MAIN])
    learner = Learner(team[MAIN], OptimConfig(lr=1e-2, weight_decay=0.1))
    metrics = learner.step([sample([65], [66, EOS], 0.0)] * 4, MAGRPO().loss)
    assert bytes_of(team[MAIN]) == before
    assert not learner.optimizer.state
    assert metrics["updates"] == 0


def test_dead_samples_count_in_the_denominator(whole: Policy) -> None:
    live = some_samples()[:1]
    alone = gradient_of(whole, live, 10_000)
    with_dead = gradient_of(whole, [*live, *[sample([65], [66, EOS], 0.0)] * 3], 10_000)
    assert torch.allclose(4 * with_dead, alone, rtol=1e-9, atol=1e-12)


def test_a_step_raises_the_probability_of_what_paid(whole: Policy) -> None:
    good, bad = sample([65, 66], [70, 71, EOS], 1.0), sample([65, 66], [80, 81, EOS], -1.0)

    def score(s: Sample) -> float:
        with torch.no_grad():
            return completion_logprobs(whole.activate(), [s.prompt_ids], [s.completion_ids], [0.7])[0].sum().item()

    before = score(good), score(bad)
    Learner(whole, OptimConfig(lr=1e-3)).step([good, bad], MAGRPO().loss)
    assert score(good) > before[0]
    assert score(bad) < before[1]


def test_several_updates_use_the_first_policy_as_the_old_one(whole: Policy) -> None:
    """With a clipped ratio, the second and third update are not the first again."""
    olds: list[torch.Tensor] = []
    algorithm = MAGRPO(clip=0.2)

    def spy(batch: Any) -> torch.Tensor:
        olds.append(batch.old.clone())
        return algorithm.loss(batch)

    learner = Learner(whole, OptimConfig(lr=1e-3, updates_per_batch=3))
    learner.step(some_samples(), spy)
    assert len(olds) == 3
    assert torch.equal(olds[0], olds[1])
    assert torch.equal(olds[0], olds[2])
    assert whole.version == 1
