"""Attention of a token that is decoded: the query heads that share keys are handed over as one block of queries.

Kernels take their time over one query a head, and most of them want the keys of a group repeated for each of its heads, at
every token. A group's queries see the same keys and the same mask, so they can be the positions of one head.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

NAME = "codeduet_grouped"
"""Of the attention, among those of transformers."""

_OWN = "sdpa"
"""The attention it stands for."""

_REFUSED = ("position_bias", "softcap", "s_aux", "output_attentions", "cache")
"""Arguments that the attention of transformers must see."""


def group_queries(model: Any) -> bool:
    """Let a model attend so; return whether it does, which only one that uses torch's attention can."""
    if getattr(model.config, "_attn_implementation", "") != _OWN:
        return False
    _register()
    try:
        model.set_attn_implementation(NAME)
    except (ValueError, AttributeError, NotImplementedError):
        return False
    return bool(model.config._attn_implementation == NAME)


def ungroup_queries(model: Any) -> None:
    """Let it attend as transformers has it."""
    model.set_attn_implementation(_OWN)


@functools.cache
def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _attend(
    module: Any,
    query: torch.Tensor,  # [N, H, L, D]
    key: torch.Tensor,  # [N, K, S, D]
    value: torch.Tensor,  # [N, K, S, E]
    attention_mask: torch.Tensor | None,  # [N, 1, L, S]
    dropout: float = 0.0,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:  # [N, L, H, E]
    heads, groups = key.shape[1], query.shape[1] // key.shape[1]
    plain = attention_mask is None or (attention_mask.ndim == 4 and attention_mask.shape[1] == 1)
    if query.shape[2] != 1 or groups == 1 or not plain or any(settings.get(name) is not None for name in _REFUSED):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **settings
        )
        return found
    queries = query.reshape(len(query), heads, groups, query.shape[-1])
    out = torch.nn.functional.scaled_dot_product_attention(
        queries, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scaling
    )
    return out.reshape(len(query), 1, heads * groups, value.shape[-1]), None
