"""What is known of models, and the self-test that chooses how each is computed."""

from __future__ import annotations

import copy
import gc
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from codeduet.agents import Request, Sampling, adapters, network
from codeduet.agents.adapters import adapter_settings
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import (
    Decoder,
    Paths,
    context,
    forward,
    own_logits,
    shape,
    vocabulary,
    windows,
)
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.agents.self_test import DECODING, SCORING, TOLERANCE, _probe_sizes, paths, remember
from codeduet.agents.team import Team, load_team
from codeduet.algorithms.logprobs import Layout, completion_logprobs
from codeduet.benchmarks.architectures import _SIZES, KINDS, LIMIT, differences, drawn, tiny_model
from codeduet.envs import InputError

torch.set_num_threads(1)

PROMPTS = [tuple(range(60, 60 + n)) for n in (3, 40, 21, 40)]
COMPLETIONS = [(70, 71, 72, 73), (80,), (90, 91), (100, 101, 102)]
TEMPERATURES = [0.7, 1.0, 0.5, 1.3]


@pytest.fixture(scope="module")
def model() -> Any:
    """A tiny Qwen2 in float64, far from uniform."""
    made, _ = random_model()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3.0)
    return made.double()


def alone(model: Any, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Score each completion by the model's own forward pass on that sequence."""
    scored = []
    for prompt, ids, temperature in zip(prompts, completions, TEMPERATURES, strict=True):
        logits = model(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        scored.append((logits / temperature).log_softmax(-1).gather(-1, torch.tensor(ids)[:, None])[:, 0])
    return scored


def gap(model: Any, prompts: Sequence[tuple[int, ...]] = PROMPTS, **settings: Any) -> float:
    """Return how far ``completion_logprobs`` is from the model's own forward pass, in nats."""
    with torch.no_grad():
        rows, _ = completion_logprobs(model, prompts, COMPLETIONS, TEMPERATURES, **settings)
        right = alone(model, prompts, COMPLETIONS)
    return max(float((row[: len(own)] - own).abs().max()) for row, own in zip(rows, right, strict=True))


def set_paths(model: Any, chosen: Paths) -> Any:
    remember(model, chosen)
    return model


# Which way is taken.


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("qwen2", Paths("right", "fused", "roomy")),
        ("llama", Paths("right", "fused", "roomy")),
        ("mistral", Paths("left", "fused", "roomy")),
        ("bloom", Paths("left", "fused", "roomy")),
        ("gemma3", Paths("left", "fused", "roomy")),
        ("gemma2", Paths("left", "own", "roomy")),
        ("granite", Paths("left", "own", "roomy")),
        ("cohere2", Paths("left", "own", "roomy")),
        ("minicpm3", Paths("left", "own", "roomy")),
        ("lfm2", Paths("repeated", "fused", "own")),
        ("mamba2", Paths("repeated", "fused", "own")),
        ("falcon_h1", Paths("repeated", "own", "own")),
    ],
)
def test_each_kind_takes_the_fastest_way_that_is_right(kind: str, expected: Paths) -> None:
    tiny, _ = tiny_model(kind)
    assert paths(tiny) == expected
    assert gap(tiny) < 1e-4


@pytest.mark.parametrize("kind", ["granite", "gemma2", "cohere2"])
def test_a_head_run_by_hand_is_wrong_for_models_that_change_logits_behind_it(kind: str) -> None:
    tiny, _ = tiny_model(kind)
    assert gap(set_paths(tiny, Paths("left", "fused"))) > 1e-2


@pytest.mark.parametrize("kind", ["granite", "gemma2", "cohere2", "minicpm3"])
def test_a_head_run_by_hand_is_seen_through_the_rounding_of_bfloat16(kind: str) -> None:
    """A softcap that shifts a log-probability by less than what layers round to is found at equal states."""
    tiny, _ = tiny_model(kind)
    assert paths(tiny.bfloat16()).head == "own"


def test_padding_on_the_right_is_wrong_within_windows_that_the_self_test_cannot_see() -> None:
    """Windows longer than its 300 tokens: which side is right is known from the config."""
    torch.manual_seed(0)
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {**KINDS["mistral"], "sliding_window": 400, "max_position_embeddings": 1024}
    tiny = MistralForCausalLM(MistralConfig(vocab_size=258, **sizes)).eval()
    with torch.no_grad():
        for parameter in tiny.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    generator = torch.Generator().manual_seed(0)
    lengths = (450, 30, 410, 200)
    prompts = [tuple(torch.randint(1, 250, (n,), generator=generator).tolist()) for n in lengths]
    assert gap(tiny, prompts, layout=Layout(padding_side="right")) > 1e-2
    assert gap(tiny, prompts) < 1e-4


@pytest.mark.parametrize(
    ("named", "longest", "sizes"),
    [
        ([], None, [92, 84, 76]),
        ([16], None, [92, 84, 76]),
        ([150], None, [166, 46, 40]),
        ([299, 16], None, [315, 13, 11]),
        ([4096], None, [92, 84, 76]),
        ([], 8, [8, 7, 6]),
        ([], 1, [1, 1, 1]),
    ],
)
def test_the_probe_is_longer_than_short_windows_and_fits_short_contexts(
    named: list[int], longest: int | None, sizes: list[int]
) -> None:
    assert _probe_sizes(named, longest) == sizes


def test_the_choice_is_made_once_and_told_in_one_line(
    make: Callable[..., Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    from codeduet.agents import self_test

    tried: list[Any] = []
    real = self_test._tried
    monkeypatch.setattr(self_test, "_tried", lambda model: tried.append(model) or real(model))
    team = make(sharing="separate")  # two models, one copied from the other
    HFEngine(team).generate([Request("main_0", (65, 66), (1,), Sampling(max_new_tokens=2))])
    completion_logprobs(team["helper_0"].activate(), [(65,)], [(66,)], [1.0])
    assert len(tried) == 1
    assert team.ways == (
        "Qwen2ForCausalLM scores with shared prompts padded right and a fused head, decodes with a cache in place"
    )


# Every way is the same function, gradient included.


@pytest.mark.parametrize("way", SCORING)
def test_every_way_of_scoring_has_the_gradient_of_the_own_forward_pass(model: Any, way: tuple[Any, Any]) -> None:
    set_paths(model, Paths(*way))
    rows, mask = completion_logprobs(model, PROMPTS, COMPLETIONS, TEMPERATURES, layout=Layout(chunk_elements=258 * 3))
    right = alone(model, PROMPTS, COMPLETIONS)
    for row, own, kept in zip(rows, right, mask, strict=True):
        assert torch.allclose(row[kept.bool()], own, atol=1e-6)  # Qwen2's norms are in float32
    weights = [2.0, -1.0, 0.5, 3.0]
    slopes = [
        torch.autograd.grad(sum(w * r.sum() for w, r in zip(weights, scored, strict=True)), list(model.parameters()))
        for scored in (rows, right)
    ]
    assert max(float(slope.abs().max()) for slope in slopes[1]) > 1e-2
    for mine, own in zip(*slopes, strict=True):
        assert torch.allclose(mine, own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["gemma2", "granite", "falcon_h1", "mamba2", "qwen3_5", "bloom"])
def test_the_way_of_each_kind_has_the_gradient_of_the_own_forward_pass(kind: str) -> None:
    tiny, _ = tiny_model(kind)
    trained = [parameter for parameter in tiny.parameters() if parameter.requires_grad]
    rows, mask = completion_logprobs(tiny, PROMPTS, COMPLETIONS, TEMPERATURES)
    weights = torch.tensor([2.0, -1.0, 0.5, 3.0])
    mine = torch.autograd.grad((rows * mask * weights[:, None]).sum(), trained, allow_unused=True)
    right = sum(w * r.sum() for w, r in zip(weights, alone(tiny, PROMPTS, COMPLETIONS), strict=True))
    own = torch.autograd.grad(right, trained, allow_unused=True)
    size = max(float(slope.abs().max()) for slope in own if slope is not None)
    assert size > 1e-2
    for a, b in zip(mine, own, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert float((a - b).abs().max()) < 1e-4 * size


def test_two_threads_sum_a_shared_prompts_gradient_in_one_order() -> None:
    """Runs of one seed would part by rounding, and soon by what they sample."""
    made, _ = random_model()
    assert paths(made).prompts == "right"
    prompts = [tuple(range(60 + k, 160 + k)) for k in range(8)] * 8
    completions = [tuple(range(70 + k, 90 + k)) for k in range(64)]
    found = set()
    torch.set_num_threads(2)
    try:
        for _ in range(20):
            rows, _ = completion_logprobs(made, prompts, completions, [1.0] * 64)
            gradients = torch.autograd.grad(rows.sum(), [*made.parameters()])
            found.add(b"".join(gradient.numpy().tobytes() for gradient in gradients))
    finally:
        torch.set_num_threads(1)
    assert len(found) == 1


@pytest.mark.parametrize("decoding", DECODING)
def test_every_way_of_decoding_samples_the_same(make: Callable[..., Team], decoding: Any) -> None:
    team = make(sharing="separate")
    sampling = Sampling(temperature=0.7, max_new_tokens=24, stop=tuple("abcdefghijklmnop"))
    asked = [Request("main_0", prompt, tuple(range(6)), sampling) for prompt in PROMPTS[:3]]
    expected = HFEngine(team).generate(asked)
    assert len({len(answer.token_ids) for row in expected for answer in row}) > 3  # rows are dropped on the way
    set_paths(team["main_0"].model, Paths(decoding=decoding))
    for row, others in zip(HFEngine(team).generate(asked), expected, strict=True):
        for answer, other in zip(row, others, strict=True):
            assert answer.token_ids == other.token_ids
            assert answer.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("decoding", ["own", "none"])
def test_rows_of_unequal_length_are_not_decoded_together_without_padding(
    make: Callable[..., Team], monkeypatch: pytest.MonkeyPatch, decoding: Any
) -> None:
    team = make(sharing="separate")
    set_paths(team["main_0"].model, Paths(decoding=decoding))
    seen: list[set[int]] = []
    real = Decoder.__init__

    def init(self: Decoder, model: Any, prompts: Any, *rest: Any) -> None:
        seen.append({len(prompt) for prompt in prompts})
        real(self, model, prompts, *rest)

    monkeypatch.setattr(Decoder, "__init__", init)
    asked = [Request("main_0", prompt, (1, 2), Sampling(max_new_tokens=2)) for prompt in PROMPTS]
    HFEngine(team).generate(asked)
    assert seen == [{3}, {21}, {40}]


# Refusals.


class Noise(nn.Module):
    """A head that answers another thing each time."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(hidden)
        return logits + torch.randn_like(logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_no_way_is_right_for_is_refused_in_one_line(dtype: torch.dtype) -> None:
    broken, _ = random_model()
    broken.lm_head = Noise(broken.lm_head)
    with pytest.raises(
        InputError, match=r"^Qwen2ForCausalLM cannot be used: .* in a batch are not those of a sequence"
    ):
        paths(broken.to(dtype))


def test_a_model_whose_logits_are_not_finite_is_refused_at_load(tmp_path: Path) -> None:
    broken, tokenizer = random_model()
    with torch.no_grad():
        broken.model.layers[0].mlp.up_proj.weight.fill_(torch.inf)
    broken.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="Qwen2ForCausalLM cannot be used: its logits are not finite"):
        load_team(str(tmp_path))


def test_a_model_whose_forward_pass_fails_is_refused_in_one_line() -> None:
    tiny, _ = random_model()
    tiny.model.layers[0].mlp.up_proj = nn.Linear(7, 64)
    with pytest.raises(InputError, match=r"^Qwen2ForCausalLM cannot be used: its forward pass fails \(RuntimeError"):
        paths(tiny)


def test_tolerances_are_wider_than_what_right_ways_differ_by() -> None:
    """The tiny models' share of the measurement behind them: a tenth of each tolerance holds them."""
    from codeduet.agents import self_test

    for dtype in (torch.float32, torch.bfloat16):
        tiny, _ = tiny_model("qwen2")
        tiny = tiny.to(dtype)
        with torch.no_grad():
            probe = self_test._probe(tiny)
            found = self_test._scored(tiny, probe, "left", "fused")
        assert (found - probe.alone).abs().max().item() < TOLERANCE[dtype] / 10


# Facts.


def test_facts_are_found_below_the_text_config() -> None:
    tiny, _ = tiny_model("gemma3")
    assert (vocabulary(tiny), context(tiny), windows(tiny)) == (258, 512, [16])
    assert shape(tiny) == {"architecture": None, "vocab_size": 258, "hidden_size": 64, "layers": 2}


@pytest.mark.parametrize(("kind", "expected"), [("bloom", None), ("mamba2", None), ("gpt2", 512), ("mistral", 512)])
def test_positions_are_limited_only_where_they_are(kind: str, expected: int | None) -> None:
    tiny, _ = tiny_model(kind)
    assert context(tiny) == expected


def test_frequencies_that_change_with_the_length_limit_it() -> None:
    tiny, _ = tiny_model("phi3")
    factors = [1.0] * 8
    tiny.config.rope_parameters = {
        "rope_type": "longrope", "rope_theta": 1e4, "short_factor": factors, "long_factor": factors,
        "original_max_position_embeddings": 64,
    }  # fmt: skip
    assert context(tiny) == 64


def test_a_model_without_a_limit_decodes_past_any_prompt(tmp_path: Path) -> None:
    tiny, tokenizer = tiny_model("bloom")
    policy = Policy("main_0", tiny, tokenizer)
    team = Team({"main_0": policy})
    ((answer,),) = HFEngine(team).generate([Request("main_0", (65,) * 600, (1,), Sampling(max_new_tokens=2))])
    assert answer.token_ids


class Old(nn.Module):
    """Has the keywords of transformers before 5.24."""

    def forward(self, input_ids: Any, past_key_values: Any = None, use_cache: bool = False) -> Any:
        return past_key_values


class OldMamba(nn.Module):
    def forward(self, input_ids: Any, cache_params: Any = None, use_cache: bool = False) -> Any:
        return cache_params


class New(nn.Module):
    def forward(self, input_ids: Any, cache: Any = None, use_cache: bool = False, **rest: Any) -> Any:
        assert not rest
        return cache


@pytest.mark.parametrize("kind", [Old, OldMamba, New])
def test_the_cache_goes_by_the_keyword_that_the_model_names(kind: type[nn.Module]) -> None:
    ids = torch.tensor([[1]])
    # Positions, mask and the number of logits are not passed to a model that does not name them either.
    assert forward(kind(), ids, None, ids, "the cache", use_cache=True, keep=1) == "the cache"


class Silent(nn.Module):
    """Names no keyword of a cache."""

    def forward(self, input_ids: Any, **rest: Any) -> Any:
        return sorted(rest)


@pytest.mark.parametrize(
    ("version", "keyword"),
    [("5.20.2", "past_key_values"), ("5.24.0", "cache"), ("5.40.0.dev0", "cache"), ("6.1", "cache")],
)
def test_where_the_model_names_none_the_version_tells(
    version: str, keyword: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.__version__", version)
    monkeypatch.setattr(network, "_default_cache_name", network._default_cache_name.__wrapped__)
    assert forward(Silent(), torch.tensor([[1]]), cache="the cache", use_cache=True) == [keyword, "use_cache"]


def test_no_run_warns(make: Callable[..., Team]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        team = make()
        HFEngine(team).generate([Request("main_0", (65, 66), (1, 2), Sampling(max_new_tokens=3))])
        rows, _ = completion_logprobs(team["main_0"].activate(), PROMPTS, COMPLETIONS, TEMPERATURES)
        rows.sum().backward()  # type: ignore[no-untyped-call]


def test_own_logits_are_what_the_model_says_and_leave_it_as_it_was() -> None:
    tiny, _ = tiny_model("granite")
    ids = torch.tensor([[65, 66, 67]])
    with torch.no_grad():
        before = tiny(input_ids=ids).logits
        hidden = tiny.get_decoder()(input_ids=ids).last_hidden_state
        assert torch.allclose(own_logits(tiny, hidden[0]), before[0], atol=1e-5)
        assert torch.equal(tiny(input_ids=ids).logits, before)


# Adapters.


@pytest.mark.parametrize(("kind", "without"), [("falcon_h1", "out_proj"), ("mamba2", "out_proj"), ("gemma3", "vision")])
def test_adapters_leave_out_layers_that_cannot_have_or_need_one(kind: str, without: str, tmp_path: Path) -> None:
    tiny, tokenizer = tiny_model(kind)
    tiny.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    team = load_team(str(tmp_path), config=TeamConfig(lora_rank=2, lora_alpha=4))
    adapted = [name for name, _ in team["main_0"].model.named_parameters() if "lora_A" in name]
    assert adapted
    assert not [name for name in adapted if without in name]


def test_plain_models_get_adapters_on_every_linear_layer() -> None:
    tiny, _ = random_model()
    assert adapter_settings(tiny) == {"target_modules": "all-linear"}


def test_adapters_on_experts_are_apart(tmp_path: Path) -> None:
    tiny, tokenizer = tiny_model("qwen3_moe")
    tiny.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    team = load_team(str(tmp_path), config=TeamConfig(lora_rank=2, lora_alpha=4))
    helper, main = team["helper_0"], team["main_0"]
    ids = torch.tensor([[65, 66, 67]])
    with torch.no_grad():
        before = helper.activate()(input_ids=ids).logits
        for parameter in main.parameters:
            parameter.normal_(0, 0.1)
        assert torch.equal(helper.activate()(input_ids=ids).logits, before)
        assert not torch.allclose(main.activate()(input_ids=ids).logits, before)


def test_a_copy_of_a_model_is_computed_as_the_model_is(model: Any) -> None:
    set_paths(model, Paths("repeated", "own", "none"))
    assert paths(copy.deepcopy(model)) == Paths("repeated", "own", "none")


@pytest.mark.parametrize("kind", ["qwen2", "llama", "granite"])
def test_a_cache_of_fixed_size_decodes_what_a_growing_one_does(kind: str) -> None:
    """What a GPU records as a graph, run as it is: rows dropped on the way, prompts of unequal length."""
    tiny, _ = tiny_model(kind)
    found = []
    with torch.no_grad():
        for decoding in ("fixed", "roomy"):
            decoder = Decoder(tiny, [*PROMPTS, PROMPTS[0]], 9, decoding)
            logits = [decoder.logits]
            for step in range(9):
                if step == 4:
                    decoder.keep(torch.tensor([2, 0]))
                decoder.step(
                    torch.tensor([7 + step, 30 + step, 50 + step, 70 + step, 90 + step])[: len(decoder.logits)]
                )
                logits.append(decoder.logits)
            found.append(logits)
    for fixed, roomy in zip(*found, strict=True):
        torch.testing.assert_close(fixed, roomy, atol=2e-5, rtol=1e-4)


def test_a_model_that_asks_a_fixed_cache_for_its_length_is_not_decoded_so() -> None:
    """A graph would replay the length that it had when it was recorded."""
    tiny, _ = tiny_model("bloom")
    with torch.no_grad():
        decoder = Decoder(tiny, PROMPTS, 4, "fixed")
        with pytest.raises(ValueError, match="on its device"):
            decoder.step(torch.tensor([5, 6, 7, 8]))


def test_a_decoder_is_let_go_of_at_once() -> None:
    """Its cache is large: it must not wait for the collector of garbage."""
    tiny, _ = tiny_model("qwen2")
    with torch.no_grad():
        decoder = Decoder(tiny, PROMPTS, 4, "fixed")
        decoder.step(torch.tensor([5, 6, 7, 8]))
    gone = weakref.ref(decoder)
    gc.disable()
    try:
        del decoder
        assert gone() is None
    finally:
        gc.enable()


ROUTED = {
    "phimoe": {**_SIZES, "num_local_experts": 4},
    "llama4_text": {**_SIZES, "head_dim": 16, "num_local_experts": 4, "intermediate_size_mlp": 96},
}


@pytest.mark.parametrize("kind", ROUTED)
def test_routers_that_are_linear_by_their_class_alone_have_no_adapter(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, kind, ROUTED[kind])
    tiny, tokenizer = tiny_model(kind)
    routers = [
        name for name, module in tiny.named_modules() if name.endswith("router") and isinstance(module, nn.Linear)
    ]
    assert set(routers) == set(adapter_settings(tiny)["exclude_modules"])
    tiny.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    team = load_team(str(tmp_path), config=TeamConfig(lora_rank=2, lora_alpha=4))
    adapted = [name for name, _ in team["main_0"].model.named_parameters() if "lora_A" in name]
    assert len(adapted) > 8
    assert not [name for name in adapted if "router" in name]
    ((answer,),) = HFEngine(team).generate([Request("main_0", (65, 66), (1,), Sampling(max_new_tokens=2))])
    assert answer.token_ids


def test_a_layer_with_a_forward_pass_of_its_own_that_is_linear_has_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        KINDS, "falcon", {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "bias": True}
    )
    tiny, _ = tiny_model("falcon")
    own = [module for module in tiny.modules() if isinstance(module, nn.Linear) and type(module) is not nn.Linear]
    assert own
    assert "exclude_modules" not in adapter_settings(tiny)
    assert "exclude_modules" not in adapter_settings(tiny.bfloat16())


def test_adapters_with_which_the_forward_pass_fails_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: here routers that are taken for plain layers."""
    monkeypatch.setattr(adapters, "_linear", lambda layer: True)
    monkeypatch.setitem(KINDS, "phimoe", ROUTED["phimoe"])
    tiny, tokenizer = tiny_model("phimoe")
    tiny.save_pretrained(tmp_path / "odd")
    tokenizer.save_pretrained(tmp_path / "odd")
    with pytest.raises(
        InputError, match=r"^no adapters can be put on 'odd': its forward pass fails with them \(AttributeError: "
    ) as told:
        load_team(str(tmp_path / "odd"), config=TeamConfig(lora_rank=2))
    assert "\n" not in str(told.value)


def test_a_cache_that_rounds_coarsely_is_not_decoded_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zamba 2's: its tokens differ by more than 1e-4 nats, though on average they agree."""
    from codeduet.agents import self_test

    settings = {
        **_SIZES, "layers_block_type": ["mamba", "hybrid"], "mamba_d_state": 8, "n_mamba_heads": 4, "mamba_headdim": 32,
        "chunk_size": 16, "mamba_ngroups": 1, "num_mem_blocks": 1,
    }  # fmt: skip
    monkeypatch.setitem(KINDS, "zamba2", settings)
    tiny, tokenizer = tiny_model("zamba2", seed=2)
    with torch.no_grad():
        probe = self_test._probe(tiny, 48)
        gaps = (self_test._decoded(tiny, probe, "own") - probe.alone).abs()
    assert gaps.max() > 1e-4
    assert gaps[:, :8].mean() < TOLERANCE[torch.float32]
    assert paths(tiny) == Paths("repeated", "fused", "none")
    team = Team({"main_0": Policy("main_0", tiny, tokenizer)})
    assert differences(team, drawn(team))["sampler"] < LIMIT


@pytest.mark.parametrize(
    ("gaps", "rounding", "dtype", "taken"),
    [
        ({"fast": 6e-5, "slow": 1e-6}, 1e-6, torch.float32, "slow"),
        ({"fast": 4e-5, "slow": 1e-6}, 1e-6, torch.float32, "fast"),
        ({"fast": 6e-5, "slow": 1e-6}, 2e-5, torch.float32, "fast"),  # the model rounds as coarsely by itself
        ({"fast": 9e-5, "slow": 6e-5}, 1e-6, torch.float32, "slow"),  # the nearest, where none is near enough
        ({"fast": 6e-5, "slow": 9e-5}, 1e-6, torch.float32, "fast"),
        ({"fast": 0.5, "slow": 1e-3}, None, torch.bfloat16, "slow"),
        ({"fast": 0.2, "slow": 1e-3}, None, torch.bfloat16, "fast"),
        ({"own": 4e-5, "slow": 1e-6}, 1e-6, torch.float32, "slow"),  # a state, which rounds with each token
    ],
)
def test_one_token_decides_in_float32_and_the_average_in_half_precision(
    gaps: dict[str, float], rounding: float | None, dtype: torch.dtype, taken: str
) -> None:
    from codeduet.agents import self_test

    class Model:
        pass

    model: Any = Model()
    model.dtype = dtype

    def compute(way: str) -> torch.Tensor:
        found = torch.full((6, 8), gaps[way])
        if dtype == torch.float32:  # one token, so that the average is within its tolerance
            found.zero_()[3, 5] = -gaps[way]
        return found

    assert self_test._first(list(gaps), compute, model, None if rounding is None else lambda: rounding) == taken


def test_memory_that_runs_out_is_no_way_that_fails() -> None:
    from codeduet.agents import self_test

    tiny, _ = tiny_model("qwen2")

    def compute(way: str) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    with pytest.raises(RuntimeError, match="can't allocate"):
        self_test._first(["fast", "slow"], compute, tiny, None)
