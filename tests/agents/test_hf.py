"""The transformers engine: what it samples is what a plain forward pass of the model says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest
import torch
from transformers import DynamicCache

from codeduet.agents import Request, Sampling
from codeduet.agents.decoding import decode, sample, truncate
from codeduet.agents.hf import HFEngine
from codeduet.agents.kv_cache import roomy_cache
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import Team
from codeduet.envs import InputError

SAMPLING = Sampling(temperature=0.7, max_new_tokens=16)
TOKENIZER = byte_tokenizer()


def ask(prompt: str, *seeds: int, policy: str = "main_0", sampling: Sampling = SAMPLING) -> Request:
    return Request(policy, tuple(TOKENIZER.encode(prompt)), seeds, sampling)


def plain_logprobs(policy: Policy, prompt: tuple[int, ...], ids: tuple[int, ...], temperature: float) -> list[float]:
    """Score ``ids`` in a forward pass of one row, without padding or cache."""
    with torch.no_grad():
        logits = policy.activate()(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0].float()
    scores = torch.log_softmax(logits[len(prompt) - 1 : -1] / temperature, -1)
    return [float(scores[k, token]) for k, token in enumerate(ids)]


def spread(team: Team) -> Team:
    """Make the adapters differ from the base and from each other, and the weights less flat."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for policy in team.policies:
            for parameter in policy.parameters:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return team


@pytest.mark.parametrize("sharing", ["adapter", "separate", "shared"])
def test_logprobs_are_those_of_a_plain_forward_pass(make: Callable[..., Team], sharing: str) -> None:
    team = spread(make(sharing=sharing))
    names = [policy.name for policy in team.policies]
    # Prompts of three lengths, one of them twice: left padding, shared prefill, rows that end early.
    asked = [
        ask(prompt, *seeds, policy=names[i % len(names)])
        for i, (prompt, seeds) in enumerate([("a", (1, 2)), ("def f(x):", (3,)), ("y" * 30, (4, 5)), ("a", (6,))])
    ]
    for request, answers in zip(asked, HFEngine(team).generate(asked), strict=True):
        policy = next(policy for policy in team.policies if policy.name == request.policy)
        for answer in answers:
            expected = plain_logprobs(policy, request.prompt_ids, answer.token_ids, 0.7)
            assert answer.logprobs == pytest.approx(expected, abs=1e-5)


def test_batch_size_and_neighbours_do_not_change_a_sample(make: Callable[..., Team]) -> None:
    team = spread(make())
    asked = [ask("def f(x):", 1, 2, 3), ask("x", 4), ask("z" * 40, 5, 6), ask("def g(x):", 7)]
    whole = HFEngine(team, batch_size=64).generate(asked)
    for size in (1, 2, 5):
        parts = HFEngine(team, batch_size=size).generate(asked)
        for left, right in zip(chain(*whole), chain(*parts), strict=True):
            assert left.token_ids == right.token_ids
            assert left.logprobs == pytest.approx(right.logprobs, abs=1e-5)


def test_rows_that_end_early_leave_the_others_as_they_were(make: Callable[..., Team]) -> None:
    team = spread(make())
    stop = tuple("abcdefghijklmnop")  # a token in sixteen ends its row
    sampling = replace(SAMPLING, max_new_tokens=40, stop=stop)
    asked = [ask("def f(x):", *range(8), sampling=sampling), ask("y", *range(8), sampling=sampling)]
    answers = HFEngine(team).generate(asked)
    assert len({len(answer.token_ids) for answer in chain(*answers)}) > 5
    for request, of_request in zip(asked, answers, strict=True):
        for seed, answer in zip(request.seeds, of_request, strict=True):
            ((alone,),) = HFEngine(team).generate([replace(request, seeds=(seed,))])
            assert (answer.token_ids, answer.finish_reason) == (alone.token_ids, alone.finish_reason)
            expected = plain_logprobs(team["main_0"], request.prompt_ids, answer.token_ids, 0.7)
            assert answer.logprobs == pytest.approx(expected, abs=1e-5)


def test_greedy_takes_the_most_likely_token_of_a_plain_forward_pass(make: Callable[..., Team]) -> None:
    team = spread(make())
    request = ask("def f(x):", 1, 2, sampling=replace(SAMPLING, temperature=0.0))
    ((answer, again),) = HFEngine(team).generate([request])
    assert answer == again
    assert set(answer.logprobs) == {0.0}
    ids = list(request.prompt_ids)
    for token in answer.token_ids:
        with torch.no_grad():
            assert int(team["main_0"].activate()(input_ids=torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_two_adapters_answer_with_their_own_weights_in_one_call(make: Callable[..., Team]) -> None:
    engine = HFEngine(spread(make()))
    helper, main = ask("def f(x):", 1, policy="helper_0"), ask("def f(x):", 1)
    together = engine.generate([helper, main])
    assert together[0][0].token_ids != together[1][0].token_ids
    assert together == [engine.generate([helper])[0], engine.generate([main])[0]]


def test_the_models_own_generation_config_does_not_leak(make: Callable[..., Team]) -> None:
    asked = [ask("def f(x):", 1, 2, 3)]
    plain = HFEngine(make(sharing="separate")).generate(asked)
    team = make(sharing="separate")
    for policy in team.policies:
        config = policy.model.generation_config
        config.do_sample, config.temperature, config.top_k, config.top_p = True, 1e-6, 1, 0.1
        config.min_p, config.repetition_penalty, config.max_new_tokens = 0.9, 5.0, 2
    assert HFEngine(team).generate(asked) == plain


def test_every_end_of_sequence_id_of_a_chat_model_ends_it(make: Callable[..., Team]) -> None:
    team = make(sharing="separate")
    ((free,),) = HFEngine(team).generate([ask("def f(x):", 1)])
    second = free.token_ids[3]
    team["main_0"].model.generation_config.eos_token_id = [TOKENIZER.eos_token_id, second]
    ((ended,),) = HFEngine(team).generate([ask("def f(x):", 1)])
    first = free.token_ids.index(second)
    assert ended.finish_reason == "eos"
    assert ended.token_ids == free.token_ids[: first + 1]


def test_a_prompt_too_long_for_the_model_is_refused_with_the_numbers(make: Callable[..., Team]) -> None:
    fits = replace(SAMPLING, max_new_tokens=2)
    engine = HFEngine(make())
    assert len(engine.generate([ask("x" * 2046, 1, sampling=fits)])[0]) == 1
    with pytest.raises(InputError, match=r"2047 tokens and max_new_tokens=2 exceed the 2048 positions of .*main_0"):
        engine.generate([ask("x" * 2047, 1, sampling=fits)])


def test_truncated_sampling_reports_the_renormalised_logprob(make: Callable[..., Team]) -> None:
    request = ask("def f(x):", 1, 2, 3, sampling=replace(SAMPLING, top_k=2, temperature=1.0))
    team = spread(make())
    for answer in HFEngine(team).generate([request])[0]:
        ids = torch.tensor([[*request.prompt_ids, *answer.token_ids]])
        with torch.no_grad():
            logits = team["main_0"].activate()(input_ids=ids).logits[0, len(request.prompt_ids) - 1 : -1]
        for row, token, logprob in zip(logits, answer.token_ids, answer.logprobs, strict=True):
            best, where = row.topk(2)
            assert token in where.tolist()
            assert logprob == pytest.approx(float(row[token] - best.logsumexp(0)), abs=1e-5)


# sample() and truncate() by hand: p = (1/2, 1/4, 0, 1/4).
QUARTERS = torch.tensor([0.5, 0.25, 0.0, 0.25]).log()


def test_inverting_the_distribution_gives_exact_frequencies_and_never_a_token_of_probability_zero() -> None:
    # 1/16, 3/16 ... 15/16: each token's share of them is its probability.
    draws = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    tokens, logprobs = sample(QUARTERS.expand(8, 4), draws, Sampling(temperature=1.0))
    assert tokens.tolist() == [0, 0, 0, 0, 1, 1, 3, 3]
    assert logprobs.tolist() == pytest.approx([math.log(0.5)] * 4 + [math.log(0.25)] * 4)


def test_the_smallest_and_the_largest_draw_take_tokens_that_have_a_probability() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf, -torch.inf]] * 2)
    draws = torch.tensor([0.0, 1 - 2.0**-53], dtype=torch.float64)
    tokens, logprobs = sample(logits, draws, Sampling(temperature=1.0))
    assert tokens.tolist() == [1, 2]
    assert logprobs.tolist() == pytest.approx([math.log(0.5)] * 2)


def test_logits_that_are_no_numbers_are_named() -> None:
    class Broken:
        logits = torch.tensor([[0.0, 1.0], [0.0, math.nan]])

    steps = decode(Broken(), torch.full((2, 4), 0.5, dtype=torch.float64), Sampling(temperature=1.0))  # type: ignore[arg-type]
    with pytest.raises(FloatingPointError, match="not finite"):
        next(steps)


def test_temperature_divides_the_logits_before_anything_else() -> None:
    # p^2 renormalised: (1/4, 1/16, 0, 1/16) * 16/6 = (2/3, 1/6, 0, 1/6).
    draws = torch.tensor([0.66, 0.67, 0.83, 0.84], dtype=torch.float64)
    tokens, logprobs = sample(QUARTERS.expand(4, 4), draws, Sampling(temperature=0.5))
    assert tokens.tolist() == [0, 1, 1, 3]
    assert logprobs.exp().tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6, 1 / 6])


def test_uniform_draws_of_many_seeds_reach_the_distribution() -> None:
    from codeduet.agents.hf import _stream

    draws = torch.cat([_stream(seed, 50) for seed in range(400)])
    tokens, _ = sample(QUARTERS.expand(len(draws), 4), draws, Sampling(temperature=1.0))
    shares = torch.bincount(tokens, minlength=4) / len(draws)
    # 20,000 draws: a standard error of 0.0035 at most; 5 of them.
    assert shares.tolist() == pytest.approx([0.5, 0.25, 0.0, 0.25], abs=0.0175)
    assert shares[2] == 0


@pytest.mark.parametrize("size", [100, 128, 1000, 32768])
def test_large_vocabularies_are_inverted_like_small_ones(size: int) -> None:
    """Summed block by block or token by token: the same token, and the same log-probability."""
    generator = torch.Generator().manual_seed(size)
    logits = 3 * torch.randn(50, size, generator=generator)
    logits[:, size // 3 : size // 2] = -torch.inf  # whole blocks of no weight among them
    draws = torch.rand(50, generator=generator, dtype=torch.float64)
    draws[:4] = torch.tensor([0.0, 2.0**-53, 1 - 2.0**-52, 1 - 2.0**-53], dtype=torch.float64)
    tokens, logprobs = sample(logits, draws, Sampling(temperature=1.0))
    exact = logits.double().log_softmax(-1)
    # The draw falls into the token's own share of [0, 1), up to the rounding of float32 weights.
    upper = exact.exp().cumsum(-1).gather(-1, tokens[:, None])[:, 0]
    chosen = exact.gather(-1, tokens[:, None])[:, 0]
    assert torch.isfinite(chosen).all()
    assert (draws < upper + 1e-6).all()
    assert (draws > upper - chosen.exp() - 1e-6).all()
    assert torch.allclose(logprobs.double(), chosen, atol=1e-5)


def test_the_cache_holds_what_transformers_own_would() -> None:
    """Through growth beyond its room, and rows that are repeated and dropped."""
    generator = torch.Generator().manual_seed(0)
    roomy, plain = roomy_cache(3), DynamicCache()
    for length, rows in ((5, None), (1, [0, 0, 1, 1]), (1, None), (1, None), (1, None), (2, [1, 3]), (1, [1])):
        if rows is not None:
            for cache in (roomy, plain):
                cache.batch_select_indices(torch.tensor(rows))
        batch = 2 if not len(plain) else len(plain.layers[0].keys)
        for layer in range(2):
            keys, values = torch.randn(2, batch, 4, length, 8, generator=generator)
            for mine, theirs in zip(roomy.update(keys, values, layer), plain.update(keys, values, layer), strict=True):
                assert torch.equal(mine, theirs)
        assert roomy.get_seq_length() == plain.get_seq_length()


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (0, 1.0, [0, 1, 2, 3]),
        (2, 1.0, [1, 3]),
        (9, 1.0, [0, 1, 2, 3]),
        (0, 0.39, [1]),  # the best alone reaches it
        (0, 0.41, [1, 3]),  # the token that crosses the threshold stays
        (0, 0.75, [1, 2, 3]),
        (0, 0.01, [1]),
        (3, 0.7, [1, 3]),  # of the three best, renormalised to 4/9, 3/9, 2/9: two reach 7/9
    ],
)
def test_top_k_and_top_p_keep_the_right_tokens(top_k: int, top_p: float, kept: list[int]) -> None:
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]], dtype=torch.float64).log()
    left = truncate(logits, Sampling(top_k=top_k, top_p=top_p))
    assert torch.isfinite(left)[0].nonzero()[:, 0].tolist() == kept
    assert torch.equal(left[0, kept], logits[0, kept])
