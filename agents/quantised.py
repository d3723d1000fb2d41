"""Quantised bases: whether their weights can be had here, and whether adapters can be trained on them.

transformers knows the methods and what each needs; what it says is asked before any weight is read.
"""

from __future__ import annotations

from typing import Any

from codeduet.envs import InputError


def method_of(config: Any) -> str:
    """Return by which method a model's weights are quantised, from its transformers config; ``""`` is none."""
    settings = _settings(config)
    if settings is None:
        return ""
    if settings.get("load_in_4bit") or settings.get("load_in_8bit"):
        return f"bitsandbytes_{4 if settings.get('load_in_4bit') else 8}bit"
    return str(settings.get("quant_method") or "unknown")


def check_quantised(model: str, config: Any, *, train: bool, whole: bool) -> None:
    """Refuse a quantised model that cannot be loaded here, or not trained.

    Args:
        model: its name, for the message.
        config: its transformers config.
        train: whether it is to be trained, or to act as it is.
        whole: whether its own weights are trained, and not adapters on them.

    Raises:
        InputError: the method is unknown, its library is missing, or nothing can be trained through it.
    """
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING, AutoHfQuantizer

    method = method_of(config)
    if not method:
        return
    told = f"model {model!r} is quantised by {method}"
    if method not in AUTO_QUANTIZER_MAPPING:
        raise InputError(f"{told}, which transformers does not know: use the model before its quantisation")
    if whole:
        raise InputError(f"{told} and cannot be trained whole: use team.sharing=adapter, or another model")
    try:
        quantizer = AutoHfQuantizer.from_config(_settings(config), pre_quantized=True)
        quantizer.validate_environment(device_map=None, weights_only=True)
    except Exception as error:  # noqa: BLE001  # each method complains in its own way of what it lacks
        raise InputError(f"{told} and cannot be loaded here: {' '.join(str(error).split())[:300]}") from None
    # Its matrix products have no backward pass, whatever is_trainable says of it.
    if train and (method in ("fp8", "mxfp8") or not quantizer.is_trainable):
        raise InputError(f"{told}, through which no adapter can be trained: use the model before its quantisation")


def _settings(config: Any) -> dict[str, Any] | None:
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        settings = getattr(config.get_text_config(), "quantization_config", None)
    if settings is None or isinstance(settings, dict):
        return settings
    made: dict[str, Any] = settings.to_dict()
    return made
