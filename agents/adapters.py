"""Which layers have an adapter, and LoRA layers that compute as one operation: y = W x + b + s B A x.

PEFT computes the adapter in the precision of its weights, float32, on a copy of the input in float32, which autograd keeps
beside the input itself: seven copies a layer, most of what learning holds, and four more kernels a layer and pass. Here the
products run in the precision of the base, adapters rounded to it, and what is kept is the input, once for all layers that
read it, and ``A x``. The weights that learn stay in float32, and so do their gradients' sums. In float32 both ways compute
the same.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn

from codeduet.agents.network import FAILURES, decoder_of
from codeduet.agents.quantised import method_of


def adapter_settings(model: Any) -> dict[str, Any]:
    """Return the settings of a LoRA config that put an adapter on every linear layer that can have one.

    Not on the towers that see or hear, which text never passes, nor where PEFT refuses one: the model reads that layer's
    weight and does not call it. Nor on a layer that is linear by its class and computes something else, as routers of
    experts do, which give back a choice: an adapter stands for a change of the weight in ``W x + b``.
    """
    inside = dict(model.named_modules())
    decoder = next((name for name, module in inside.items() if module is decoder_of(model)), "")
    outside = {
        name
        for name, module in inside.items()
        if decoder and isinstance(module, nn.Linear) and not name.startswith(f"{decoder}.")
    }
    if not method_of(model.config):  # packed weights are a quantiser's, whose layers PEFT knows
        outside |= {name for name, module in inside.items() if isinstance(module, nn.Linear) and not _linear(module)}
    if model.config.model_type in {"mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"}:
        outside |= {name for name in inside if name.endswith(".out_proj")}
    outside -= {name for name, module in inside.items() if module is model.get_output_embeddings()}
    return {"target_modules": "all-linear"} | ({"exclude_modules": sorted(outside)} if outside else {})


def _linear(layer: nn.Linear) -> bool:
    """Tell whether a layer computes ``W x + b``: one with a forward pass of its own is tried."""
    if type(layer).forward is nn.Linear.forward:
        return True
    weight = layer.weight
    x = torch.arange(2 * layer.in_features, device=weight.device).view(2, -1).cos().to(weight.dtype)
    try:
        with torch.no_grad():
            found, right = layer(x), F.linear(x, weight, layer.bias)
    except FAILURES:
        return False
    same_shape = isinstance(found, torch.Tensor) and found.shape == right.shape
    return same_shape and float((found - right).norm()) <= 0.05 * float(right.norm())  # half precision rounds by .004


def quicken(model: nn.Module) -> nn.Module:
    """Let every plain LoRA layer on a plain linear one compute as one operation, and return the model.

    Others (quantised or transposed bases, variants, dropout) compute as PEFT has it.
    """
    for module in model.modules():
        if type(module) is LoraLinear and type(module.base_layer) is nn.Linear:
            module.__class__ = _OneOperation
    return model


class _OneOperation(LoraLinear):  # type: ignore[misc]
    """A LoRA layer. Its state, its name in a checkpoint and its configuration are PEFT's."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the base's output and the active adapter's, in the input's precision."""
        base = self.get_base_layer()
        active = self.active_adapters
        name = active[0] if len(active) == 1 else ""
        plain = not (self.disable_adapters or self.merged or args or kwargs or self.lora_variant)
        if not plain or name not in self.lora_A or x.dtype != base.weight.dtype or self._drops(name):
            result: torch.Tensor = super().forward(x, *args, **kwargs)
            return result
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        halves = self._rounded(name, down, up, x.dtype)
        if torch.is_grad_enabled():
            adapted: torch.Tensor = _Lora.apply(  # type: ignore[no-untyped-call]
                x, base.weight, base.bias, down, up, *halves, self.scaling[name]
            )
            return adapted
        return _added(base(x), x, *halves, self.scaling[name])[0]

    def _drops(self, name: str) -> bool:
        return self.training and not isinstance(self.lora_dropout[name], nn.Identity)

    def _rounded(
        self, name: str, down: torch.Tensor, up: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both weights in ``dtype``: themselves, or copies that are made anew when the weights have changed."""
        if down.dtype == dtype:
            return down, up
        state = (down._version, up._version, down.data_ptr(), up.data_ptr(), dtype)
        copies: dict[str, Any] = self.__dict__.setdefault("_copies", {})
        if name not in copies or copies[name][0] != state:
            with torch.inference_mode(False), torch.no_grad():
                copies[name] = state, down.to(dtype), up.to(dtype)
        return copies[name][1:]  # type: ignore[no-any-return]


def _added(
    out: torch.Tensor,  # [.., E]
    x: torch.Tensor,  # [.., D]
    down: torch.Tensor,  # [R, D]
    up: torch.Tensor,  # [E, R]
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:  # [.., E], [tokens, R]
    """Add the adapter's output to the base's, in place."""
    low = x.reshape(-1, x.shape[-1]) @ down.T
    out.view(-1, out.shape[-1]).addmm_(low, up.T, alpha=scale)
    return out, low


class _Lora(torch.autograd.Function):
    """The same with gradients for the input and the adapter; the base is frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        down_rounded: torch.Tensor,
        up_rounded: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        out, low = _added(F.linear(x, weight, bias), x, down_rounded, up_rounded, scale)
        ctx.save_for_backward(x, low, weight, down_rounded, up_rounded)
        ctx.scale, ctx.dtype = scale, down.dtype
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, low, weight, down, up = ctx.saved_tensors
        of_out = gradients[0].reshape(-1, gradients[0].shape[-1])  # [tokens, E]
        of_low = (of_out @ up).mul_(ctx.scale)  # [tokens, R]
        of_x = of_down = of_up = None
        if ctx.needs_input_grad[0]:
            of_x = of_out @ weight
            of_x = of_x.addmm_(of_low, down).view_as(x)
        if ctx.needs_input_grad[3]:
            of_down = (of_low.T @ x.reshape(-1, x.shape[-1])).to(ctx.dtype)
        if ctx.needs_input_grad[4]:
            of_up = (of_out.T @ low).to(ctx.dtype).mul_(ctx.scale)
        return of_x, None, None, of_down, of_up, None, None, None
