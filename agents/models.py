"""One model: where it is, in which precision it is loaded, what ends its turns, and the adapters put on it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from codeduet.agents.embedded import MODEL_DIR
from codeduet.agents.network import contiguous_head
from codeduet.agents.policy import brief
from codeduet.agents.quantised import check_quantised, method_of
from codeduet.agents.self_test import check_adapted
from codeduet.agents.template import ChatTemplate, Style, resolve_style
from codeduet.agents.tokenizers import check_ids
from codeduet.errors import InputError

ADAPTER_CONFIG = "adapter_config.json"
"""PEFT's name for an adapter's settings."""

_TWO_MODELS = f"a model and an adapter on it ({ADAPTER_CONFIG}): merge it first (PEFT's merge_and_unload), or move the adapter out"
"""What would be played by either, as a library sees fit."""

_SHORT = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32", "float": "float32"}
"""Other names of precisions."""


def resolve_device(device: str) -> torch.device:
    """Return the device meant; ``"auto"`` is the first GPU, else the CPU.

    Raises:
        InputError: there is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA asserts
        raise InputError(f"device {device!r} cannot be used here: {brief(error)}") from None


def resolve_dtype(dtype: str, device: torch.device, *, whole: bool) -> torch.dtype:
    """Return the precision of the loaded weights (see :func:`load_team`).

    Raises:
        InputError: there is no such precision, or not for these weights on this device.
    """
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and not whole else torch.float32
    chosen = dtype_named(dtype)
    if chosen == torch.float64 != finest_dtype(device):
        raise InputError(f"dtype={dtype}: device {device.type!r} has no float64; use float32")
    if whole and chosen != torch.float32:
        raise InputError(f"dtype={dtype} with weights that train whole: small updates round away; use float32")
    return chosen


def dtype_named(dtype: str) -> torch.dtype:
    """Return the precision of a name, long or short.

    Raises:
        InputError: there is none of that name, or not one that a model computes in.
    """
    chosen = getattr(torch, _SHORT.get(dtype, dtype), None)
    if chosen not in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        raise InputError(f"unknown dtype {dtype!r}: choose auto, float32 or bfloat16, or float16 on a GPU")
    assert isinstance(chosen, torch.dtype)
    return chosen


def finest_dtype(device: torch.device) -> torch.dtype:
    """Return the finest precision a device computes in: a Mac's GPU has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def base_name(model: str) -> str:
    """Return a name of ``model`` that holds elsewhere too: its hub name where it has one, never a path.

    A folder in the hub's cache has the name it was fetched by; another folder is called by its own name.
    """
    if model == "embedded" or not Path(model).expanduser().is_dir():
        return model
    path = Path(model).expanduser().resolve()
    if path == MODEL_DIR:
        return "embedded"
    cached = next((part for part in path.parts if re.fullmatch(r"models--[^-].*?--.+", part)), None)
    return "/".join(cached.split("--")[1:]) if cached else path.name


def model_path(model: str) -> str:
    """Return where the weights of ``model`` are: the embedded folder, a folder, or a hub name as it is.

    Raises:
        InputError: it looks like a folder and is not there, or the folder holds a model and an adapter on it.
    """
    if model == "embedded":
        return str(MODEL_DIR)
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{path} is no model folder: config.json is missing")
        if (path / ADAPTER_CONFIG).is_file():
            raise InputError(f"{path} holds {_TWO_MODELS}")
        return str(path)
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise InputError(f"no model folder {model}: give 'embedded', a transformers folder, or a hub name owner/name")
    return model


def load_model(model: str, device: torch.device, dtype: torch.dtype, *, train: bool, whole: bool) -> tuple[Any, Any]:
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = load_tokenizer(model)
    try:
        config = AutoConfig.from_pretrained(model_path(model))
    except (OSError, ValueError, StrictDataclassError) as error:
        raise InputError(f"model {model!r} cannot be loaded: {brief(error)}") from None
    check_quantised(model, config, train=train, whole=whole)
    # Quantised weights are made on their device, and cannot be moved.
    place = {"device_map": {"": device}} if method_of(config) else {}
    try:
        network = AutoModelForCausalLM.from_pretrained(model_path(model), dtype=dtype, **place)
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise InputError(f"model {model!r} cannot be loaded: {brief(error)}") from None
    if getattr(network, "_hf_peft_config_loaded", False):  # a hub's: transformers has put it on
        raise InputError(f"model {model!r} holds {_TWO_MODELS}")
    contiguous_head(network)
    if device.type == "cuda":
        # Its backward pass makes NaN of finite numbers where a mask is given and keys end half way a tile (pytorch #196678):
        # 2 of 48 updates of a 0.5B on an H200 were lost to it.
        torch.backends.cuda.enable_cudnn_sdp(False)
    return (network if place else network.to(device)).eval(), tokenizer


def rows_of(network: Any) -> int:
    rows: int = network.get_input_embeddings().weight.shape[0]
    return rows


def turn_ends(
    model: str, tokenizer: Any, rows: int | None, prompt: Style, system: str, template: Mapping[str, Any] | None
) -> frozenset[int]:
    """Return the ids that end a chat's turn, and refuse a tokenizer or a template by which no prompt can be made."""
    is_chat = resolve_style(prompt, tokenizer) == "chat"
    chat = ChatTemplate(tokenizer, system, template) if is_chat else None
    if rows is not None:
        check_ids(model, tokenizer, rows, chat.written if chat else frozenset())
    return chat.turn_ends() if chat else frozenset()


def load_tokenizer(model: str) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path(model))
    except (OSError, ValueError, StrictDataclassError) as error:
        hint = "" if Path(model_path(model)).is_dir() else " ('embedded' or a folder needs no network)"
        raise InputError(f"model {model!r} cannot be loaded{hint}: {brief(error)}") from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer of {model!r} has no end-of-sequence token")
    return tokenizer


def adapt(base: Any, names: list[str], rank: int, alpha: int, seed: int, called: str) -> Any:
    from peft import LoraConfig, get_peft_model

    from codeduet.agents.adapters import adapter_settings, quicken

    base.requires_grad_(False)
    # Dropout would make the learner's log-probabilities differ from the sampled ones.
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, **adapter_settings(base))
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # PEFT asks transformers for a name that transformers gives up.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        # It looks for the settings of experts among layers, and does not find them there.
        warnings.filterwarnings("ignore", message="The following (alpha|rank)_pattern keys", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out")  # PEFT sees itself how GPT-2 lays out its weights
        torch.manual_seed(seed)
        try:
            adapted = get_peft_model(base, config, adapter_name=names[0])
        except ValueError as error:
            raise InputError(f"no adapters can be put on {called!r}: {brief(error)}") from None
        for name in names[1:]:
            adapted.add_adapter(name, config)
    for made in adapted.peft_config.values():
        made.base_model_name_or_path = called  # and not where it lies on this machine
    quicken(adapted).eval()
    check_adapted(adapted, called)
    return adapted
