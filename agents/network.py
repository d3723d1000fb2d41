"""What is known of transformers models: facts, heads, caches, and the ways of scoring and decoding.

Architectures differ in what stands behind the head or before it, in windows, in caches. Which way is right for a model is
not read off its name but tried (:mod:`codeduet.agents.self_test`).

Shapes: N completions, U different prompts, P and L tokens of the longest of either, K completion tokens in all, D hidden
size, V vocabulary.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from codeduet.agents.graphs import Recorded
from codeduet.agents.kv_cache import FixedCache, PromptCache, roomy_cache, take_rows
from codeduet.agents.padding import Side, pad, positions

FAILURES = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError, ImportError)
"""What models and layers raise of a cache, a keyword or a shape that they do not know."""

Prompts = Literal["right", "left", "repeated"]
"""How prompts are computed: once each, padded right or left, and continued; or anew before each of their completions."""

Head = Literal["fused", "own", "whole"]
"""Who makes logits: the head by hand, in chunks; the model's own code behind its decoder, in chunks; all of the model."""

Decoding = Literal["fixed", "roomy", "own", "none"]
"""The cache: of keys and values, written in place, prompts padded left, of a fixed size (for CUDA graphs) or growing; what
the model makes itself, no padding; none."""

PADDED: tuple[Decoding, ...] = ("fixed", "roomy")
"""Ways of decoding that bear prompts of unequal length side by side."""

_FIXED_MULTIPLE = 8
"""Tokens of a fixed cache come in multiples of it: kernels of attention want masks aligned."""

_CACHE_NAMES = ("cache", "past_key_values", "cache_params")
"""The cache's keyword: transformers 5.24 renamed the second and the third to the first."""


@dataclass(frozen=True)
class Paths:
    """The ways of computing that are right for a model, as :func:`codeduet.agents.self_test.paths` found them."""

    prompts: Prompts = "right"
    head: Head = "fused"
    decoding: Decoding = "roomy"

    def __str__(self) -> str:
        prompts = "prompts repeated" if self.prompts == "repeated" else f"shared prompts padded {self.prompts}"
        head = {"fused": "a fused head", "own": "the model's own logits", "whole": "its own forward pass"}[self.head]
        cache = {
            "fixed": "CUDA graphs",
            "roomy": "a cache in place",
            "own": "the model's own cache",
            "none": "no cache",
        }[self.decoding]
        return f"scores with {prompts} and {head}, decodes with {cache}"


def text_config(model: Any) -> Any:
    """Return the part of a model's config that describes the text model: multimodal configs hold it one level below."""
    return model.config.get_text_config(decoder=True)


def vocabulary(model: Any) -> int:
    """Return the number of token ids."""
    return int(text_config(model).vocab_size)


def context(model: Any) -> int | None:
    """Return the tokens a sequence may have, or None where there is no limit (ALiBi, recurrent models).

    Rotary frequencies that change once a sequence grows beyond a length would not fit the keys that are in the cache by
    then: that length is the limit.
    """
    config = text_config(model)
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [rope, *(kind for kind in rope.values() if isinstance(kind, dict))]
    limits = [getattr(config, "max_position_embeddings", None)]
    limits += [
        kind.get("original_max_position_embeddings")
        for kind in kinds
        if kind.get("rope_type") in {"dynamic", "longrope"}
    ]
    return min((limit for limit in limits if isinstance(limit, int) and limit > 0), default=None)


def shape(model: Any) -> dict[str, Any]:
    """Return what tells one architecture and size from another."""
    config = text_config(model)
    return {
        "architecture": model.config.architectures,
        "vocab_size": vocabulary(model),
        "hidden_size": config.hidden_size,
        "layers": config.num_hidden_layers,
    }


def windows(model: Any) -> list[int]:
    """Return the lengths in tokens of the attention windows and chunks that the config names."""
    config = text_config(model)
    names = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size", "local_attention")
    return [size for name in names if isinstance(size := getattr(config, name, None), int) and size > 0]


def decoder_of(model: Any) -> Any:
    """Return the part of a model that makes hidden states of ids."""
    from transformers import PreTrainedModel

    found = model.get_decoder()
    if found is model or not isinstance(
        found, PreTrainedModel
    ):  # some name it otherwise than transformers looks for it
        found = next((part for part in model.children() if isinstance(part, PreTrainedModel)), model)
    return found


def contiguous_head(model: Any) -> None:
    """Let the head see its input in one piece: for rows cut out of longer ones a CPU lays out the weights anew, each time."""
    head = model.get_output_embeddings()
    if isinstance(head, torch.nn.Module):
        head.register_forward_pre_hook(lambda _, given: (given[0].contiguous(), *given[1:]))


def cache_bytes(model: Any) -> int:
    """Return the bytes of keys and values a token takes in all layers, were all of them attention."""
    config = text_config(model)
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * kept * width * (torch.finfo(model.dtype).bits // 8))


def layers_of(model: Any) -> list[Any]:
    """Return the layers of a model's decoder, from the first; none where they do not stand in a list of their own."""
    number = text_config(model).num_hidden_layers
    lists = (part for part in decoder_of(model).children() if isinstance(part, torch.nn.ModuleList))
    return next((list(found) for found in lists if len(found) == number), [])


def forward(
    module: Any,
    ids: torch.Tensor,  # [N, T]
    mask: torch.Tensor | None = None,  # [N, tokens seen and these]
    places: torch.Tensor | None = None,  # [N, T]
    cache: Any = None,
    *,
    use_cache: bool = False,
    keep: int = 0,
) -> Any:
    """Call a model or its decoder by the keywords that it knows.

    Args:
        module: what is called.
        ids: token ids.
        mask: 1 where a token is; None where all are.
        places: each token's position in its row.
        cache: what was computed before, if anything.
        use_cache: whether to make or extend a cache.
        keep: the last positions of which logits are wanted; 0 is all.
    """
    settings: dict[str, Any] = {"input_ids": ids, "use_cache": use_cache}
    if mask is not None:
        settings["attention_mask"] = mask
    if places is not None and takes(module, "position_ids"):
        settings["position_ids"] = places
    if cache is not None:
        settings[next((name for name in _CACHE_NAMES if takes(module, name)), _default_cache_name())] = cache
    if keep and takes(module, "logits_to_keep"):
        settings["logits_to_keep"] = keep
    return module(**settings)


def takes(module: Any, keyword: str) -> bool:
    """Tell whether a model, or a part of one, names a keyword."""
    return keyword in _keywords(type(module).forward)


@functools.lru_cache
def _keywords(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


@functools.lru_cache
def _default_cache_name() -> str:
    import transformers

    return "cache" if tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 24) else "past_key_values"


# Scoring


def shared_states(
    model: Any, prompts: Sequence[tuple[int, ...]], ids: torch.Tensor, written: torch.Tensor, side: Side
) -> torch.Tensor:
    """Return ``[N, L, D]``: the hidden state that predicts each completion token, each prompt computed once.

    Completions continue its keys and values, gradient included.
    """
    decoder, device = decoder_of(model), ids.device
    place = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
    owner = torch.tensor([place[prompt] for prompt in prompts], device=device)
    prompt_ids, seen = pad(list(place), side, device)  # [U, P]
    cache = PromptCache()
    states = forward(decoder, prompt_ids, seen, positions(seen), cache, use_cache=True).last_hidden_state
    last = seen.shape[1] - 1 - seen.flip(1).argmax(1)  # [U] place of each prompt's last token
    first = take_rows(states[torch.arange(len(place), device=device), last], owner)[:, None]  # [N, 1, D]
    if ids.shape[1] == 1:
        return first
    places = seen.sum(1)[owner][:, None] + torch.arange(ids.shape[1] - 1, device=device)
    mask = torch.cat([seen[owner], written[:, :-1]], 1)
    rest = forward(decoder, ids[:, :-1], mask, places, cache.continued(owner), use_cache=True).last_hidden_state
    return torch.cat([first, rest], 1)


def repeated_states(
    model: Any, prompts: Sequence[tuple[int, ...]], ids: torch.Tensor, written: torch.Tensor, *, logits: bool = False
) -> torch.Tensor:
    """Return the same ``[N, L, D]``, each prompt computed anew before each of its completions, or logits ``[N, L, V]``."""
    lengths = written.sum(1).tolist()
    rows = [(*prompt, *row[:length]) for prompt, row, length in zip(prompts, ids.tolist(), lengths, strict=True)]
    row_ids, seen = pad([row[:-1] for row in rows], "right", ids.device)
    start = torch.tensor([len(prompt) - 1 for prompt in prompts], device=ids.device)
    at = (start[:, None] + torch.arange(ids.shape[1], device=ids.device)).clamp_max(row_ids.shape[1] - 1)  # [N, L]
    if logits:
        first = int(start.min())
        kept = row_ids.shape[1] - first
        found = forward(model, row_ids, seen, keep=kept).logits[:, -kept:]
        at = at - first
    else:
        found = forward(decoder_of(model), row_ids, seen).last_hidden_state
    return torch.take_along_dim(found, at[..., None], 1)


def own_logits(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return the logits ``[K, V]`` that the model itself makes of its decoder's states ``[K, D]``.

    The whole model is called, with a decoder that returns the states: what it does before the head and behind it is done.
    """
    decoder = decoder_of(model)
    before = vars(decoder).get("forward")
    decoder.forward = lambda *_, **__: _States(hidden[None])
    try:
        logits: torch.Tensor = forward(
            model, torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
        ).logits
    finally:
        if before is None:
            del decoder.forward
        else:  # hooks of accelerate
            decoder.forward = before
    return logits[0]


class _States:
    """Looks like any decoder's output that holds states ``[1, K, D]`` and nothing else."""

    def __init__(self, states: torch.Tensor) -> None:
        self.last_hidden_state = states

    def __getattr__(self, name: str) -> None:
        return None

    def __getitem__(self, index: Any) -> Any:
        return (self.last_hidden_state,)[index]


# Decoding


class Decoder:
    """Rows that grow by a token each.

    Args:
        model: a causal language model.
        prompts: N prompts; of equal length unless ``decoding`` pads.
        room: tokens that will be added.
        decoding: how.

    Attributes:
        logits: ``[N, V]`` of each row's next token.
    """

    def __init__(self, model: Any, prompts: Sequence[tuple[int, ...]], room: int, decoding: Decoding) -> None:
        self._model = model
        device = next(model.parameters()).device
        place = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
        ids, mask = pad(list(place), "left", device)
        self._decoding = decoding
        self._ids: torch.Tensor | None = ids if decoding == "none" else None
        self._mask: torch.Tensor | None = mask if decoding in PADDED else None
        self._end = torch.tensor([ids.shape[1]], device=device)  # where the next token stands
        self._cache: Any = None
        size = -(-(ids.shape[1] + room) // _FIXED_MULTIPLE) * _FIXED_MULTIPLE
        if decoding == "roomy":
            self._cache = roomy_cache(room)
        elif decoding == "fixed":
            self._cache = FixedCache(size, self._end)
        self._recorded = Recorded()
        self._places = mask.sum(1)
        # Without padding a model counts for itself, some from another number than 0.
        places = positions(mask) if decoding in PADDED else None
        output = forward(model, ids, self._mask, places, self._cache, use_cache=decoding != "none", keep=1)
        self.logits = output.logits[:, -1]
        if decoding == "own":
            self._cache = _cache_of(output)
        if decoding == "fixed":  # [N, 1, 1, S]: handed to a model as it is
            self._mask = torch.nn.functional.pad(mask, (0, size - mask.shape[1])).bool()[:, None, None]
        if len(place) < len(prompts):
            self.keep(torch.tensor([place[prompt] for prompt in prompts], device=device))

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows, in this order."""
        self._recorded.forget()
        self.logits, self._places = self.logits[rows], self._places[rows]
        if self._mask is not None:
            self._mask = self._mask[rows]
        if self._ids is not None:
            self._ids = self._ids[rows]
        elif self._decoding == "own":
            self._cache.reorder_cache(rows)  # batch_select_indices forgets recurrent states
        else:
            self._cache.batch_select_indices(rows)

    def step(self, tokens: torch.Tensor) -> None:
        """Add a token ``[N]`` to each row and compute what follows."""
        if self._decoding == "fixed":
            self.logits = self._recorded(self._step_in_place, tokens)
            return
        if self._ids is not None:
            self._ids = torch.cat([self._ids, tokens[:, None]], 1)
            self.logits = forward(self._model, self._ids, keep=1).logits[:, -1]
            return
        places = None
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], 1)
            places = self._places[:, None]
        output = forward(self._model, tokens[:, None], self._mask, places, self._cache, use_cache=True, keep=1)
        self.logits = output.logits[:, -1]
        self._places = self._places + 1

    def _step_in_place(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits after a token ``[N]`` more; the decoder's tensors stay where they are."""
        assert self._mask is not None
        self._mask.index_fill_(3, self._end, True)
        places = self._places[:, None]
        output = forward(self._model, tokens[:, None], self._mask, places, self._cache, use_cache=True, keep=1)
        self._places.add_(1)
        self._end.add_(1)
        logits: torch.Tensor = output.logits[:, -1]
        return logits


def _cache_of(output: Any) -> Any:
    for name in _CACHE_NAMES:
        if name in output:
            return output[name]
    raise LookupError("the model returns no cache")
