"""What every engine promises, asked of each that generates here; a new one joins by its name in ENGINES and a case of ``rig``."""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from codeduet.agents import Completion, Engine, Request, Sampling, ScriptedEngine
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import Team, load_team

SAMPLING = Sampling(temperature=1.0, max_new_tokens=12)
POLICIES = ("helper_0", "main_0")


@dataclass
class Rig:
    """An engine with what a test needs to talk to it."""

    engine: Engine
    tokenizer: Any
    team: Team

    def ask(self, prompt: str, *seeds: int, policy: str = "main_0", sampling: Sampling = SAMPLING) -> Request:
        return Request(policy, tuple(self.tokenizer.encode(prompt)), seeds, sampling)


def scripted_answer(prompt: str, seed: int) -> str:
    return f"{prompt[:1]}{seed}:x = 1\n\nabc{'.' * (seed % 5)}"


def assert_same(left: list[Completion], right: list[Completion]) -> None:
    """Compare completions; batches of another size round log-probabilities in another way."""
    blank = [[replace(completion, logprobs=()) for completion in side] for side in (left, right)]
    assert blank[0] == blank[1]
    for a, b in zip(left, right, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


ENGINES = ["scripted", "hf", "docs", *(["vllm"] if importlib.util.find_spec("vllm") else [])]
"""vLLM comes with an environment of its own: ``make test-vllm``."""


@functools.cache
def vllm_rig(model: Path) -> Rig:
    """One engine for all tests: it takes seconds to start."""
    from codeduet.agents.vllm import VLLMEngine

    team = load_team(str(model), config=TeamConfig(lora_rank=4, lora_alpha=8))
    return Rig(VLLMEngine(team, str(model), context=1024, cache_gib=0.25), byte_tokenizer(), team)


@pytest.fixture(params=ENGINES)
def rig(request: pytest.FixtureRequest, make: Callable[..., Team], wide_model: Path) -> Iterator[Rig]:
    if request.param == "vllm":
        shared = vllm_rig(wide_model)
        yield shared
        for name in POLICIES:
            shared.engine.sync(shared.team[name], 0)
        return
    team = make()
    tokenizer = byte_tokenizer()
    engine: Engine
    if request.param == "scripted":
        engine = ScriptedEngine(dict.fromkeys(POLICIES, scripted_answer), tokenizer)
    elif request.param == "docs":
        names: dict[str, Any] = {}
        page = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
        exec(page.split("```python\n")[1].split("```")[0], names)  # noqa: S102  # our own page
        engine = names["Plain"](team)
    else:
        engine = HFEngine(team)
    yield Rig(engine, tokenizer, team)
    engine.close()


def test_answers_follow_the_order_of_requests_and_of_their_seeds(rig: Rig) -> None:
    asked = [rig.ask("a long prompt", 5, 3), rig.ask("b", 9), rig.ask("c", 1, 2, 4, policy="helper_0")]
    together = rig.engine.generate(asked)
    assert [len(answers) for answers in together] == [2, 1, 3]
    for request, answers in zip(asked, together, strict=True):
        for seed, answer in zip(request.seeds, answers, strict=True):
            assert_same([answer], rig.engine.generate([replace(request, seeds=(seed,))])[0])


def test_a_completion_depends_on_request_and_seed_alone(rig: Rig) -> None:
    request = rig.ask("def f(x):", 7)
    (alone,) = rig.engine.generate([request])
    neighbours = [rig.ask("x" * length, 7, length) for length in (1, 30, 9)]
    assert_same(rig.engine.generate([*neighbours, request])[-1], alone)
    for answers in rig.engine.generate([request, request]):
        assert_same(answers, alone)


def test_equal_prompts_in_separate_requests_around_another_of_their_length(rig: Rig) -> None:
    # The first and the last share a prefill although they are not neighbours.
    asked = [rig.ask("aaaa", 1, 2), rig.ask("bbbb", 3), rig.ask("aaaa", 4)]
    for request, answers in zip(asked, rig.engine.generate(asked), strict=True):
        assert_same(answers, rig.engine.generate([request])[0])


def test_other_seeds_give_other_completions(rig: Rig) -> None:
    (answers,) = rig.engine.generate([rig.ask("def f(x):", *range(8))])
    assert len({answer.token_ids for answer in answers}) == 8


def test_ids_decode_to_the_text_and_have_a_logprob_each(rig: Rig) -> None:
    (answers,) = rig.engine.generate([rig.ask("def f(x):", *range(8), sampling=replace(SAMPLING, max_new_tokens=40))])
    for answer in answers:
        assert answer.text == rig.tokenizer.decode(list(answer.token_ids), skip_special_tokens=True)
        assert len(answer.logprobs) == len(answer.token_ids) <= 40
        assert all(logprob <= 0 for logprob in answer.logprobs)


def test_the_end_of_sequence_id_is_part_of_the_ids(rig: Rig) -> None:
    # A random model ends within 600 of 258 ids with probability 1 - (257/258)^600 = 0.90 a seed.
    (answers,) = rig.engine.generate([rig.ask("a", *range(4), sampling=replace(SAMPLING, max_new_tokens=600))])
    ended = [answer for answer in answers if answer.finish_reason == "eos"]
    assert ended
    for answer in ended:
        assert answer.token_ids[-1] == rig.tokenizer.eos_token_id
        assert rig.tokenizer.eos_token_id not in answer.token_ids[:-1]
        assert "<|eos|>" not in answer.text


def test_a_length_limit_ends_a_completion_without_the_end_of_sequence_id(rig: Rig) -> None:
    ((answer,),) = rig.engine.generate([rig.ask("def f(x):", 3, sampling=replace(SAMPLING, max_new_tokens=5))])
    assert answer.finish_reason == "length"
    assert len(answer.token_ids) == 5
    assert rig.tokenizer.eos_token_id not in answer.token_ids


def test_a_stop_string_cuts_the_text_and_stays_in_the_ids(rig: Rig) -> None:
    long = replace(SAMPLING, max_new_tokens=60)
    ((whole,),) = rig.engine.generate([rig.ask("def f(x):", 3, sampling=long)])
    # Not half a sign of several bytes, which engines that decode token by token hold back.
    stop = next(a + b for a, b in itertools.pairwise(whole.text[1:]) if (a + b).isascii())
    start = whole.text.find(stop)
    sampling = replace(long, stop=("never written", stop))
    ((answer,),) = rig.engine.generate([rig.ask("def f(x):", 3, sampling=sampling)])
    assert answer.finish_reason == "stop"
    assert answer.text == whole.text[:start]
    assert answer.token_ids == whole.token_ids[: len(answer.token_ids)]
    assert rig.tokenizer.decode(list(answer.token_ids)).endswith(stop)


def test_a_stop_string_longer_than_the_tokens_of_a_line_is_found(rig: Rig) -> None:
    sampling = replace(SAMPLING, max_new_tokens=60)
    ((whole,),) = rig.engine.generate([rig.ask("def f(x):", 3, sampling=sampling)])
    stop = whole.text[1:]
    ((answer,),) = rig.engine.generate([rig.ask("def f(x):", 3, sampling=replace(sampling, stop=(stop,)))])
    assert (answer.finish_reason, answer.text) == ("stop", whole.text[:1])


def test_an_unknown_policy_is_a_key_error(rig: Rig) -> None:
    with pytest.raises(KeyError, match="critic"):
        rig.engine.generate([rig.ask("a", 1, policy="critic")])


def test_sync_sets_the_version_of_that_policy_alone(rig: Rig) -> None:
    rig.engine.sync(rig.team["main_0"], 17)
    (main,), (helper,) = rig.engine.generate([rig.ask("a", 1), rig.ask("a", 1, policy="helper_0")])
    assert (main.policy_version, helper.policy_version) == (17, 0)


def test_sleeping_and_waking_change_nothing(rig: Rig) -> None:
    request = rig.ask("def f(x):", 1, 2)
    before = rig.engine.generate([request])
    rig.engine.sleep()
    rig.engine.wake()
    assert rig.engine.generate([request]) == before


def test_nothing_asked_is_nothing_answered(rig: Rig) -> None:
    assert rig.engine.generate([]) == []
    assert rig.engine.generate([rig.ask("a")]) == [[]]
