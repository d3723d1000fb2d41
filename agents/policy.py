"""A policy: weights that act for one agent or several."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from codeduet.errors import InputError

ADAPTER_FILE = "adapter_model.safetensors"
"""PEFT's name for an adapter's weights."""

TASK = "CAUSAL_LM"
"""PEFT's name for what such models do."""


class Policy:
    """Weights that act for one agent or several.

    Args:
        name: unique in its team.
        model: a transformers causal language model, or a PEFT model around one; None where the weights are elsewhere,
            as for an engine that loads them itself.
        tokenizer: its tokenizer.
        adapter: name of the LoRA adapter that is this policy, or None where the policy is the whole model.
        trainable: off, the policy acts and nothing of it can be trained.
        settings: the model's generation config, by default its own.
        turn_ends: ids by which the chat template closes an assistant's turn; none where the model is no chat model.

    Attributes:
        parameters: what training changes. The list is taken once: switching adapters flips ``requires_grad``, and an
            optimiser that asked afterwards would hold another policy's weights.
        version: number of updates so far.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        adapter: str | None = None,
        *,
        trainable: bool = True,
        settings: Any = None,
        turn_ends: frozenset[int] = frozenset(),
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.adapter = adapter
        self.version = 0
        self._settings = settings
        self._turn_ends = turn_ends
        self.parameters: list[nn.Parameter] = []
        if model is None:
            return
        if not trainable:
            model.requires_grad_(False)
        elif adapter is None:
            self.parameters = list(model.parameters())
        else:
            self.parameters = [p for n, p in model.named_parameters() if "lora_" in n and f".{adapter}." in n]
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def activate(self) -> Any:
        """Switch the model to this policy and return the causal language model to call."""
        if self.adapter is None:
            return self.model
        if self.model.active_adapter != self.adapter:
            self.model.set_adapter(self.adapter)
        return self.model.get_base_model()

    @property
    def has_weights(self) -> bool:
        """Whether its weights are here; those of a server are not."""
        return self.model is not None

    @contextlib.contextmanager
    def bare(self) -> Iterator[Any]:
        """Within it, the model computes without this policy's adapter; it is what to call. A whole model has none to leave."""
        model = self.activate()
        if self.adapter is None:
            yield model
            return
        with self.model.disable_adapter():
            yield model

    @property
    def eos_ids(self) -> frozenset[int]:
        """Every id that ends a completion: chat models name several in their generation config, and end turns."""
        settings = self._settings
        if settings is None and self.model is not None:
            settings = self.activate().generation_config
        named = getattr(settings, "eos_token_id", None)
        listed = named if isinstance(named, list) else [named]
        return frozenset({self.tokenizer.eos_token_id, *(i for i in listed if i is not None)}) | self._turn_ends

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def save(self, folder: Path) -> None:
        """Save as a transformers or a PEFT folder, which those libraries load again."""
        if self.adapter is None:
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        else:
            from peft import get_peft_model_state_dict
            from safetensors.torch import save_file

            # Not save_pretrained: it adds a folder level and a model card, and asks the hub about the base's vocabulary.
            weights = get_peft_model_state_dict(self.model, adapter_name=self.adapter, save_embedding_layers=False)
            config = copy.copy(self.model.peft_config[self.adapter])
            config.inference_mode = True
            config.task_type = TASK  # by which AutoPeftModelForCausalLM knows what to load
            config.save_pretrained(folder)
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / ADAPTER_FILE)

    def load(self, folder: Path) -> None:
        """Load what :meth:`save` saved.

        Raises:
            InputError: the folder is missing, or holds weights of another shape.
        """
        from safetensors import SafetensorError

        try:
            odd = self._load_model(folder) if self.adapter is None else self._load_adapter(folder)
            if odd:
                raise ValueError(f"{len(odd)} weights differ in name, {odd[0]} for one")
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise InputError(f"{folder} does not fit policy {self.name!r}: {brief(error)}") from None

    def _load_model(self, folder: Path) -> list[str]:
        """Read a whole model; return the weights that do not fit.

        By transformers: in files, weights have other names than in memory and experts are tensors of their own.
        """
        if not folder.is_dir():
            raise ValueError("there is no such folder")
        loaded, found = type(self.model).from_pretrained(folder, dtype=self.model.dtype, output_loading_info=True)
        odd = sorted(map(str, (*found["missing_keys"], *found["unexpected_keys"], *found["mismatched_keys"])))
        if not odd:
            self.model.load_state_dict(loaded.state_dict())
        return odd

    def _load_adapter(self, folder: Path) -> list[str]:
        """Read an adapter; return the weights that do not fit."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        weights = load_file(folder / ADAPTER_FILE, device=str(self.device))
        result = set_peft_model_state_dict(self.model, weights, adapter_name=self.adapter)
        # The base's weights are missing too, and rightly so.
        missing = [name for name in result.missing_keys if "lora_" in name and f".{self.adapter}." in name]
        return [*result.unexpected_keys, *missing]


def brief(error: Exception) -> str:
    """Return what another library says of an error, in a line of 200 characters at most."""
    return " ".join(str(error).split())[:200]
