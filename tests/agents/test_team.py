"""Teams: who shares what, and that what is saved is what is loaded."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from codeduet.agents.config import TeamConfig
from codeduet.agents.decoding import sample
from codeduet.agents.embedded import MODEL_DIR
from codeduet.agents.engine import Sampling
from codeduet.agents.fingerprint import fingerprint, sample_fingerprint
from codeduet.agents.models import base_name, dtype_named, finest_dtype, resolve_device, resolve_dtype
from codeduet.agents.policy import Policy
from codeduet.agents.quantised import check_quantised
from codeduet.agents.random_model import byte_tokenizer, random_model
from codeduet.agents.team import Team, load_team, load_untrained, load_weightless, memory_estimate
from codeduet.algorithms.checkpoint import load_checkpoint, read_state, save_checkpoint
from codeduet.envs import InputError

PROMPT = torch.tensor([[100, 101, 102, 32, 97]])


def logits(policy: Policy) -> torch.Tensor:
    with torch.no_grad():
        scores: torch.Tensor = policy.activate()(input_ids=PROMPT, use_cache=False).logits
    return scores


def weights(policy: Policy) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in policy.parameters]


def change(policy: Policy, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)


def test_adapters_share_one_base_and_no_trained_weight(make: Callable[..., Team]) -> None:
    team = make(sharing="adapter")
    helper, main = team["helper_0"], team["main_0"]
    assert helper.model is main.model
    assert not {id(p) for p in helper.parameters} & {id(p) for p in main.parameters}
    # Two matrices of rank 4 on each of 7 projections in 2 layers.
    assert len(helper.parameters) == len(main.parameters) == 2 * 7 * 2
    base = [p for name, p in helper.model.named_parameters() if "lora_" not in name]
    assert not any(p.requires_grad for p in base)


def test_separate_models_share_nothing_and_start_equal(make: Callable[..., Team]) -> None:
    team = make(sharing="separate")
    helper, main = team["helper_0"], team["main_0"]
    assert not {p.data_ptr() for p in helper.parameters} & {p.data_ptr() for p in main.parameters}
    assert weights(helper) == weights(main)
    assert all(p.requires_grad for p in helper.parameters)


@pytest.mark.parametrize(("rank", "adapter"), [(0, None), (4, "shared")])
def test_a_shared_policy_acts_for_both_agents(make: Callable[..., Team], rank: int, adapter: str | None) -> None:
    team = make(sharing="shared", lora_rank=rank)
    assert team["helper_0"] is team["main_0"]
    assert [policy.name for policy in team.policies] == ["shared"]
    assert team["main_0"].adapter == adapter
    assert list(team) == ["helper_0", "main_0"]


def test_a_team_of_one_has_one_policy(make: Callable[..., Team]) -> None:
    assert [policy.name for policy in make(agents=("main_0",)).policies] == ["main_0"]


def test_switching_adapters_changes_neither_list_nor_weights(make: Callable[..., Team]) -> None:
    team = make()
    lists = [[id(p) for p in policy.parameters] for policy in team.policies]
    before = [weights(policy) for policy in team.policies]
    for name in ("main_0", "helper_0", "main_0"):
        team[name].activate()
        assert all(p.requires_grad for p in team[name].parameters)
    assert [[id(p) for p in policy.parameters] for policy in team.policies] == lists
    assert [weights(policy) for policy in team.policies] == before


def test_adapters_start_as_the_base_and_part_when_trained(make: Callable[..., Team]) -> None:
    base = logits(make(sharing="shared", lora_rank=0)["main_0"])
    team = make()
    assert torch.equal(logits(team["helper_0"]), base)
    assert torch.equal(logits(team["main_0"]), base)
    change(team["main_0"])
    assert torch.equal(logits(team["helper_0"]), base)
    assert not torch.allclose(logits(team["main_0"]), base)


def test_the_seed_decides_the_adapters_first_weights_and_leaves_the_callers_stream_alone(
    make: Callable[..., Team],
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = make(seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert weights(first["main_0"]) == weights(make(seed=1)["main_0"])
    assert weights(first["main_0"]) != weights(make(seed=2)["main_0"])
    assert weights(first["main_0"]) != weights(first["helper_0"])


@pytest.mark.parametrize(
    "settings", [{"sharing": "adapter"}, {"sharing": "separate"}, {"sharing": "shared", "lora_rank": 0}]
)
def test_save_and_load_round_trip_byte_by_byte(
    make: Callable[..., Team], tmp_path: Path, settings: dict[str, object]
) -> None:
    saved = make(**settings)
    for seed, policy in enumerate(saved.policies):
        change(policy, seed)
        policy.save(tmp_path / policy.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(policy.name for policy in saved.policies)
    loaded = make(**settings, seed=9)
    for mine, theirs in zip(loaded.policies, saved.policies, strict=True):
        assert weights(mine) != weights(theirs)
        mine.load(tmp_path / mine.name)
    for mine, theirs in zip(loaded.policies, saved.policies, strict=True):
        assert weights(mine) == weights(theirs)
        assert torch.equal(logits(mine), logits(theirs))
        mine.save(tmp_path / "again" / mine.name)
        for name in ("model.safetensors", "adapter_model.safetensors"):
            if (tmp_path / mine.name / name).exists():
                again = (tmp_path / "again" / mine.name / name).read_bytes()
                assert again == (tmp_path / mine.name / name).read_bytes()


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's own
def test_a_saved_adapter_loads_with_peft_and_a_saved_model_with_transformers(
    make: Callable[..., Team], model_dir: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapters, whole = make(), make(sharing="separate")
    change(adapters["main_0"])
    change(whole["main_0"])
    adapters["main_0"].save(tmp_path / "adapter")
    whole["main_0"].save(tmp_path / "whole")
    base = AutoModelForCausalLM.from_pretrained(model_dir)
    with torch.no_grad():
        by_peft = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()(input_ids=PROMPT).logits
        by_transformers = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")(input_ids=PROMPT).logits
    assert torch.allclose(by_peft, logits(adapters["main_0"]), atol=1e-6)
    assert torch.allclose(by_transformers, logits(whole["main_0"]), atol=1e-6)
    assert AutoTokenizer.from_pretrained(tmp_path / "whole").encode("ab") == adapters.tokenizer.encode("ab")


@pytest.mark.parametrize("sharing", ["adapter", "separate"])
def test_weights_of_another_shape_are_refused_in_one_line(
    make: Callable[..., Team], other_shape: Path, tmp_path: Path, sharing: str
) -> None:
    make(sharing=sharing)["main_0"].save(tmp_path / "main_0")
    other = load_team(str(other_shape), config=TeamConfig(sharing=sharing, lora_rank=4))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"main_0 does not fit policy 'main_0': ") as caught:
        other["main_0"].load(tmp_path / "main_0")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_adapter_of_fewer_layers_is_refused_though_every_shape_fits(
    make: Callable[..., Team], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    team = make()
    team["main_0"].save(tmp_path / "main_0")
    path = tmp_path / "main_0" / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file({name: tensor for name, tensor in tensors.items() if ".layers.1." not in name}, path)
    with pytest.raises(InputError, match=r"14 weights differ in name, .*layers\.1\."):
        team["main_0"].load(tmp_path / "main_0")


def test_missing_and_broken_weights_are_refused(make: Callable[..., Team], tmp_path: Path) -> None:
    team = make()
    with pytest.raises(InputError, match=r"does not fit policy 'main_0': .*No such file"):
        team["main_0"].load(tmp_path / "nowhere")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match="does not fit policy 'main_0'"):
        team["main_0"].load(tmp_path)


def test_the_identity_tells_one_base_from_another_of_its_shape(make: Callable[..., Team], tmp_path: Path) -> None:
    model, tokenizer = random_model(seed=1)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    mine, again, other = (
        make(),
        make(dtype="bfloat16"),
        load_team(str(tmp_path), config=TeamConfig(lora_rank=4, lora_alpha=8)),
    )
    assert mine.identity == again.identity
    assert mine.identity != other.identity
    assert {**mine.identity, "base_weights": ""} == {**other.identity, "base_weights": ""}
    assert json.loads(json.dumps(mine.identity)) == mine.identity


def test_a_missing_folder_and_a_folder_that_is_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model folder .*nowhere: give 'embedded', a transformers folder"):
        load_team(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no model folder models/a/b"):
        load_team("models/a/b")
    with pytest.raises(InputError, match=r"is no model folder: config\.json is missing"):
        load_team(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded: ") as caught:
        load_team(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_settings_that_make_no_team_are_refused(make: Callable[..., Team]) -> None:
    with pytest.raises(InputError, match="needs lora_rank of at least 1, not 0"):
        make(sharing="adapter", lora_rank=0)
    with pytest.raises(InputError, match="unknown dtype 'float33': choose auto, float32 or bfloat16"):
        make(dtype="float33")
    with pytest.raises(InputError, match="unknown dtype 'int64'"):
        make(dtype="int64")
    with pytest.raises(InputError, match="small updates round away; use float32"):
        make(sharing="separate", dtype="bfloat16")
    with pytest.raises(InputError, match="device 'gpu' cannot be used here: "):
        make(device="gpu")


def test_precision_and_device_follow_where_training_happens() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert resolve_dtype("auto", cpu, whole=False) == torch.float32
    assert resolve_dtype("auto", gpu, whole=False) == torch.bfloat16
    assert resolve_dtype("auto", gpu, whole=True) == torch.float32
    assert resolve_device("cpu") == cpu
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_bfloat16_base_still_trains_its_adapters_in_float32(make: Callable[..., Team]) -> None:
    team = make(dtype="bfloat16")
    assert {p.dtype for p in team["main_0"].parameters} == {torch.float32}
    assert team["main_0"].model.get_base_model().get_input_embeddings().weight.dtype == torch.bfloat16


def test_the_memory_estimate_counts_weights_once_and_adamw_twice_a_trained_weight(make: Callable[..., Team]) -> None:
    # Width 32, feed-forward 64, 4 heads of 8, 2 of them keys' and values'; 258 ids; a layer has two norms.
    layer = (32 * 32 + 32) + 2 * (32 * 16 + 16) + 32 * 32 + 3 * 32 * 64 + 2 * 32
    model = 4 * (258 * 32 + 2 * layer + 32)
    # Rank 4 between the two sides of each projection: q, k, v, o, gate, up, down.
    adapter = 4 * 2 * 4 * (64 + 48 + 48 + 64 + 96 + 96 + 96)
    mib = 2**20
    assert memory_estimate(make(sharing="separate")) == pytest.approx(
        {"weights": 2 * model / mib, "gradients": 2 * model / mib, "optimiser": 4 * model / mib}
    )
    assert memory_estimate(make(sharing="shared", lora_rank=0))["weights"] == pytest.approx(model / mib)
    assert memory_estimate(make()) == pytest.approx(
        {"weights": (model + 2 * adapter) / mib, "gradients": 2 * adapter / mib, "optimiser": 4 * adapter / mib}
    )


def test_the_fingerprint_covers_every_tensor_and_the_place_of_every_weight() -> None:
    model, _ = random_model()
    before = fingerprint(model)
    assert fingerprint(random_model()[0]) == before
    for name, tensor in model.state_dict().items():
        flat = tensor.view(-1)
        for place in (0, len(flat) // 2, len(flat) - 1):
            kept = flat[place].clone()
            flat[place] = kept * 1.01 + 0.001  # more than bfloat16 rounds away
            assert fingerprint(model) != before, (name, place)
            flat[place] = kept
        if flat[0] != flat[1]:
            flat[[0, 1]] = flat[[1, 0]]
            assert fingerprint(model) != before, name
            flat[[0, 1]] = flat[[1, 0]]
    assert fingerprint(model) == before


def test_the_fingerprint_is_that_of_the_weights_in_bfloat16_and_covers_saved_buffers() -> None:
    model, _ = random_model()
    assert fingerprint(copy.deepcopy(model).to(torch.bfloat16)) == fingerprint(model)
    model.register_buffer("scale", torch.ones(3))
    model.register_buffer("scratch", torch.ones(3), persistent=False)
    before = fingerprint(model)
    model.scratch += 1  # type: ignore[operator]
    assert fingerprint(model) == before
    model.scale += 1  # type: ignore[operator]
    assert fingerprint(model) != before


@pytest.fixture
def other_matrices(model_dir: Path, tmp_path: Path) -> Path:
    """The tiny model with other matrices and the same embeddings and norms, as a merged adapter leaves it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(model_dir)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 5] += 0.1
    model.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(model_dir).save_pretrained(tmp_path / "merged")
    return tmp_path / "merged"


def test_adapters_are_refused_on_another_base(make: Callable[..., Team], other_matrices: Path, tmp_path: Path) -> None:
    team = make()
    saved = save_checkpoint(tmp_path / "run", 3, team, {}, keep=1)
    other = load_team(str(other_matrices), config=TeamConfig(lora_rank=4, lora_alpha=8))
    with pytest.raises(InputError, match=r"is a checkpoint of another model: base_weights is .* there and .* here"):
        load_checkpoint(saved, other)
    assert load_checkpoint(saved, make(dtype="bfloat16")) == (3, 0)


def test_checkpoints_from_before_are_judged_by_the_sample_of_weights_they_hold(
    make: Callable[..., Team], other_matrices: Path, tmp_path: Path
) -> None:
    team = make()
    saved = save_checkpoint(tmp_path / "run", 3, team, {}, keep=1)
    state = json.loads((saved / "state.json").read_text())
    model = team["main_0"].model.get_base_model()
    state["identity"]["base_weights"] = sample_fingerprint(model)
    (saved / "state.json").write_text(json.dumps(state))
    assert load_checkpoint(saved, make()) == (3, 0)
    load_checkpoint(
        saved, load_team(str(other_matrices), config=TeamConfig(lora_rank=4, lora_alpha=8))
    )  # a sample does not see it
    with torch.no_grad():
        model.model.norm.weight += 1
    with pytest.raises(InputError, match="of another model: base_weights"):
        load_checkpoint(saved, team)


def test_what_is_saved_names_the_base_and_no_path(make: Callable[..., Team], model_dir: Path, tmp_path: Path) -> None:
    for team, name in ((make(), model_dir.name), (load_team("embedded", config=TeamConfig(lora_rank=2)), "embedded")):
        saved = save_checkpoint(tmp_path / name, 1, team, {}, keep=1)
        assert read_state(saved)["base"] == name
        for agent in team:
            told = json.loads((saved / agent / "adapter_config.json").read_text())
            assert told["base_model_name_or_path"] == name


def test_a_base_is_called_by_a_name_that_holds_elsewhere(tmp_path: Path) -> None:
    cached = tmp_path / "models--owner--some-name" / "snapshots" / "0123abc"
    cached.mkdir(parents=True)
    assert base_name("owner/name") == "owner/name"
    assert base_name(str(cached)) == "owner/some-name"
    assert base_name(str(tmp_path)) == tmp_path.name
    assert base_name(str(MODEL_DIR)) == base_name("embedded") == "embedded"


def test_short_names_of_precisions_are_known_and_those_models_do_not_compute_in_are_refused() -> None:
    names = {"bf16": torch.bfloat16, "fp16": torch.float16, "half": torch.float16, "float16": torch.float16}
    for name, dtype in {**names, "fp32": torch.float32, "float": torch.float32, "bfloat16": torch.bfloat16}.items():
        assert dtype_named(name) == resolve_dtype(name, torch.device("cpu"), whole=False) == dtype
    for name in ("float8_e4m3fn", "int8", "bool", "nn", "Tensor", "complex64", "8", ""):
        with pytest.raises(InputError, match=r"unknown dtype .*: choose auto, float32 or bfloat16"):
            resolve_dtype(name, torch.device("cpu"), whole=False)


def test_a_macs_gpu_computes_in_float32() -> None:
    assert finest_dtype(torch.device("mps")) == torch.float32
    assert finest_dtype(torch.device("cpu")) == finest_dtype(torch.device("cuda", 1)) == torch.float64
    with pytest.raises(InputError, match="'mps' has no float64"):
        resolve_dtype("float64", torch.device("mps"), whole=True)


def test_nothing_is_sampled_or_scored_in_float64_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from codeduet.algorithms.logprobs import completion_logprobs

    model, _ = random_model()
    for module in ("codeduet.agents.decoding", "codeduet.agents.hf", "codeduet.algorithms.logprobs"):
        monkeypatch.setattr(f"{module}.finest_dtype", lambda _: torch.float32)
    logits = torch.randn(2, 300, generator=torch.Generator().manual_seed(0))
    with NoFloat64():
        sample(logits, torch.tensor([0.3, 0.9]), Sampling())
        completion_logprobs(model, [[1, 2], [3]], [[4, 5], [6]], [0.7, 1.0])


class NoFloat64(TorchFunctionMode):
    """Fails where a tensor of 64-bit floats is made."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), settings: Any = None) -> Any:
        made = function(*arguments, **(settings or {}))
        assert getattr(made, "dtype", None) != torch.float64, function
        return made


def save(folder: Path, tokenizer: Any, *, rows: int = 258) -> str:
    model, _ = random_model()
    model.resize_token_embeddings(rows)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_tokenizer_with_ids_beyond_the_embeddings_is_refused_at_load(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["<reason>"])
    with pytest.raises(InputError, match=r"has 258 embeddings and its tokenizer more ids, 258 \('<reason>'\) for one"):
        load_team(save(tmp_path / "added", tokenizer), config=TeamConfig(lora_rank=2))
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    assert load_untrained(save(tmp_path / "unused", tokenizer), ("main_0",))  # as of pictures in Gemma 3's
    tokenizer.chat_template = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    trained = save(tmp_path / "trained", tokenizer)
    for load in (load_team, load_untrained, load_weightless):
        with pytest.raises(InputError, match=re.escape("259 ('<|im_end|>') for one")):
            load(trained, ("main_0",))
        assert load(trained, ("main_0",), TeamConfig(prompt="base"))
    assert load_untrained(save(tmp_path / "resized", tokenizer, rows=264), ("main_0",))
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<|end|>"})
    with pytest.raises(InputError, match=re.escape("'<|end|>'")):
        load_team(save(tmp_path / "ending", tokenizer), config=TeamConfig(lora_rank=2))


QUANTISED = {
    "bitsandbytes_4bit": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    "bitsandbytes_8bit": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "gptq": {"quant_method": "gptq", "bits": 4},
    "awq": {"quant_method": "awq", "bits": 4, "zero_point": True},
    "compressed-tensors": {"quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": {}},
    "fp8": {"quant_method": "fp8", "weight_block_size": [16, 16]},
    "quip": {"quant_method": "quip"},
    "unknown": {"bits": 2},
}


@pytest.mark.parametrize("method", QUANTISED)
def test_a_quantised_base_that_cannot_be_had_is_refused_at_load(
    model_dir: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model_dir, tmp_path / "quantised")
    path = tmp_path / "quantised" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": QUANTISED[method]}))
    with pytest.raises(InputError, match=f"is quantised by {method}") as caught:
        load_team(str(path.parent), config=TeamConfig(lora_rank=2))
    told = str(caught.value)
    assert "\n" not in told
    library = {"bits": "bitsandbytes", "gptq": "optimum|gptqmodel", "awq": "gptqmodel", "comp": "compressed-tensors"}
    if wanted := next((name for start, name in library.items() if method.startswith(start)), None):
        assert re.search(wanted, told.partition("cannot be loaded here")[2]), told
    with pytest.raises(InputError, match=f"is quantised by {method}"):
        load_team(str(path.parent), config=TeamConfig(sharing="separate"))


def test_adapters_need_a_method_that_gradients_go_through(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Qwen2Config
    from transformers.quantizers.quantizer_bnb_4bit import Bnb4BitHfQuantizer

    monkeypatch.setattr(Bnb4BitHfQuantizer, "validate_environment", lambda self, **_: None)  # its library is here
    config = Qwen2Config(quantization_config=QUANTISED["bitsandbytes_4bit"])
    check_quantised("some", config, train=True, whole=False)
    with pytest.raises(InputError, match=r"cannot be trained whole: use team.sharing=adapter"):
        check_quantised("some", config, train=True, whole=True)
    monkeypatch.setattr(Bnb4BitHfQuantizer, "is_trainable", False)
    check_quantised("some", config, train=False, whole=False)
    with pytest.raises(InputError, match="through which no adapter can be trained"):
        check_quantised("some", config, train=True, whole=False)
    check_quantised("some", Qwen2Config(), train=True, whole=True)


def test_a_config_that_contradicts_itself_is_one_line(tmp_path: Path) -> None:
    model, tokenizer = random_model()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["layer_types"] = ["full_attention"] * 7
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="cannot be loaded") as told:
        load_team(str(tmp_path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("load", [load_team, load_untrained, load_weightless])
def test_a_folder_with_a_model_and_an_adapter_on_it_is_refused_in_one_line(
    load: Any, make: Callable[..., Team], model_dir: Path, tmp_path: Path
) -> None:
    """Transformers plays both, PEFT on top of it neither."""
    both = tmp_path / "both"
    shutil.copytree(model_dir, both)
    make()["main_0"].save(both)
    with pytest.raises(InputError, match=r"both holds a model and an adapter on it .*: merge it first") as told:
        load(str(both), ("main_0",))
    assert "\n" not in str(told.value)
