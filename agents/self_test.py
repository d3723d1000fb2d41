"""Which ways of computing are right for a model: they are tried, at load, beside its own forward pass.

On three prompts and two completions of each, at completion positions only, each way of :mod:`codeduet.agents.network`,
fastest first, is compared with the model's forward pass on each sequence alone, without padding or cache. The first that
agrees is taken, and a model by which none agrees is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from codeduet.agents.attention import group_queries, ungroup_queries
from codeduet.agents.network import (
    FAILURES,
    PADDED,
    Decoder,
    Decoding,
    Head,
    Paths,
    Prompts,
    context,
    decoder_of,
    forward,
    own_logits,
    repeated_states,
    shared_states,
    takes,
    text_config,
    vocabulary,
    windows,
)
from codeduet.agents.out_of_memory import is_out_of_memory
from codeduet.envs import InputError

T = TypeVar("T")

SCORING: tuple[tuple[Prompts, Head], ...] = (
    ("right", "fused"),
    ("left", "fused"),
    ("left", "own"),
    ("repeated", "fused"),
    ("repeated", "own"),
    ("repeated", "whole"),
)
"""Fastest first."""

DECODING: tuple[Decoding, ...] = ("fixed", "roomy", "own", "none")
"""Fastest first, on a GPU; elsewhere nothing is gained by a fixed cache."""

TOLERANCE = {torch.float64: 2e-4, torch.float32: 2e-4, torch.bfloat16: 0.25, torch.float16: 0.03}
"""Nats by which a way of computing may differ from the model's own forward pass, averaged over a prompt's completions.

In float32 the largest difference decides (:data:`_LARGEST`). Measured, where both are right: at most 1.1e-5 in float32 and .059 in bfloat16 on 24 layers of Qwen2.5-0.5B's sizes, random,
with logits that spread over 13 nats; 3e-6 and .009 on the tiny models of ``benchmarks/architectures.py``. There a wrong one
was .4 or more off for windows and caches, and .04 for a head without its softcap, for which :data:`_HEAD_TOLERANCE` is.
Half precision of 10 bits rounds eight times finer than one of 7.
"""

_LARGEST, _LARGEST_OF_STATES = 5e-5, 2.5e-5
"""Nats by which any token may differ in float32 and finer, so that none does by 1e-4 when a model is used.

Measured where both are right: 1.0e-5 on Qwen2.5-0.5B, and on 60 tiny models 3.6e-5 at most. What a model keeps in a cache of
its own is a state, as a rule, which rounds anew with each token: it is tried on longer completions, within half of that. There
caches that are used were at 2.2e-5 (Qwen3.5 and Granite 4, whose tokens then differed by up to 5.4e-5), those of Nemotron-H and
Zamba 2 at 3.2e-5 and more, and by 2.4e-4 when used.
"""

_TIMES_ROUNDING = 4
"""A model may differ by so many times what its own forward pass does between a batch and a sequence alone: random models of 24
layers whose logits spread over 13 nats differ so by 4.3e-5, and by 7.5e-5 with any cache."""

_HEAD_TOLERANCE = 1e-3
"""Nats between the head's logits and the model's own at the same states, which no rounding parts: even in half precision
a slight factor shows that would drown in the rounding of the layers."""

_PROBE_TOKENS, _PROBE_LENGTH, _PROBE_LENGTH_OF_STATES = 252, 8, 48
_REMEMBERED = "_codeduet_paths"


def paths(model: Any) -> Paths:
    """Return the ways of computing that are right for a model, tried once and remembered on it.

    Raises:
        InputError: not even the slowest agrees with the model's forward pass on a sequence alone.
    """
    found: Paths | None = getattr(model, _REMEMBERED, None)
    if found is None:
        with torch.no_grad():
            found = _tried(model)
        remember(model, found)
    return found


def remember(model: Any, chosen: Paths) -> None:
    """Compute by ``chosen`` from now on."""
    setattr(model, _REMEMBERED, chosen)


def check_adapted(model: Any, called: str) -> None:
    """Refuse adapters with which a model's forward pass fails, before anything is generated.

    Args:
        model: a PEFT model.
        called: its base's name, for the message.

    Raises:
        InputError: it does.
    """
    base = model.get_base_model()
    try:
        with torch.no_grad():
            forward(base, torch.ones(1, 2, dtype=torch.long, device=next(base.parameters()).device))
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"no adapters can be put on {called!r}: its forward pass fails with them ({_told(error)}); use "
            "team.sharing=separate, or another model"
        ) from None


@dataclass(frozen=True)
class _Probe:
    """Completions ``[N, L]``, two for each of three prompts, and their log-probabilities by the model's own forward pass."""

    prompts: list[tuple[int, ...]]
    ids: torch.Tensor
    alone: torch.Tensor


def _tried(model: Any) -> Paths:
    try:
        probe = _probe(model)
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        raise InputError(f"{type(model).__name__} cannot be used: its forward pass fails ({_told(error)})") from None
    if not torch.isfinite(probe.alone).all():
        raise InputError(f"{type(model).__name__} cannot be used: its logits are not finite")
    if not group_queries(model):
        return _chosen_ways(model, probe)
    try:
        return _chosen_ways(model, probe)
    except InputError:
        ungroup_queries(model)
        return _chosen_ways(model, probe)


def _chosen_ways(model: Any, probe: _Probe) -> Paths:
    exact = torch.finfo(model.dtype).eps <= torch.finfo(torch.float32).eps
    long = functools.cache(lambda: _probe(model, _PROBE_LENGTH_OF_STATES) if exact else probe)
    rounding = functools.cache(lambda: _rounding(model, probe))

    def first(ways: Sequence[T], compute: Callable[[T], torch.Tensor]) -> T:
        return _first(ways, compute, model, rounding if exact else None)

    # Padding on the right stands between the places of a prompt and its completion. A window counts it, and so does a model
    # that is not told positions (ALiBi); a window longer than the probe, or half precision, would not show it.
    counts = windows(model) or not takes(decoder_of(model), "position_ids")
    scoring = [way for way in SCORING if way[0] != "right" or not counts]
    prompts, head = first(scoring, lambda way: _scored(model, probe, *way) - probe.alone)
    on_gpu = next(model.parameters()).device.type == "cuda"
    # A mask for a fixed cache is handed over ready made, without the windows that the model would put into it.
    ways = [way for way in DECODING if way != "fixed" or (on_gpu and not windows(model))]

    def decoded(way: Decoding) -> torch.Tensor:
        tried = long() if way == "own" else probe
        return _decoded(model, tried, way) - tried.alone

    return Paths(prompts, head, first(ways, decoded))


def _first(
    ways: Sequence[T], compute: Callable[[T], torch.Tensor], model: Any, rounding: Callable[[], float] | None
) -> T:
    """Return the first way by which every token agrees; of those that agree on average, if none does, the nearest.

    Args:
        ways: fastest first.
        compute: gives the differences ``[N, L]`` in nats of a way.
        model: whose.
        rounding: gives what the model differs from itself by; None in half precision, where the average alone counts.
    """
    limit = TOLERANCE.get(model.dtype, TOLERANCE[torch.float32])
    told, near = "", []
    for way in ways:
        try:
            gaps = compute(way).abs()
        except FAILURES as error:
            if is_out_of_memory(error):
                raise
            told = _told(error)
            continue
        # A mean over each prompt's tokens: one expert that is chosen otherwise in half precision is no fault.
        gap, largest = gaps.view(3, -1).mean(1).max().item(), gaps.max().item()
        if not gap <= limit:  # so of NaN
            told = f"{gap:.2g} nats apart, {limit:g} allowed"
            continue
        allowed = _LARGEST_OF_STATES if way == "own" else _LARGEST
        if rounding is None or largest <= allowed or largest <= _TIMES_ROUNDING * rounding():
            return way
        near.append((largest, way))
    if near:
        return min(near, key=lambda pair: pair[0])[1]
    raise InputError(
        f"{type(model).__name__} cannot be used: its log-probabilities in a batch are not those of a sequence alone ({told})"
    )


def _rounding(model: Any, probe: _Probe) -> float:
    """Return by how many nats a model's own forward pass differs between a batch and a sequence alone."""
    try:
        return float((_scored(model, probe, "repeated", "whole") - probe.alone).abs().max())
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        return 0.0


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def _probe(model: Any, length: int = _PROBE_LENGTH) -> _Probe:
    longest = context(model)
    if longest is not None:
        length = max(1, min(length, longest // 2))
    sizes = _probe_sizes(windows(model), None if longest is None else longest - length)
    usable = torch.ones(vocabulary(model), dtype=torch.bool)
    usable[[i for i in _special_ids(model) if i < len(usable)]] = False
    allowed = usable.nonzero()[:, 0] if usable.any() else torch.arange(len(usable))
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return allowed[torch.randint(len(allowed), shape, generator=generator)]

    device = next(model.parameters()).device
    prompts = [prompt for size in sizes for prompt in [tuple(draw(size).tolist())] * 2]
    ids = draw(len(prompts), length).to(device)
    alone = []
    for k in range(0, len(prompts), 2):  # two of equal length, so without padding
        rows = torch.cat([torch.tensor(prompts[k : k + 2], device=device), ids[k : k + 2]], 1)
        logits = forward(model, rows, keep=length + 1).logits[:, -length - 1 : -1]
        alone.append(_chosen(logits, ids[k : k + 2]))
    return _Probe(prompts, ids, torch.cat(alone))


def _probe_sizes(named: list[int], longest: int | None) -> list[int]:
    """Return three prompts' lengths, unequal where there is room, one of them longer than every window of less than 300."""
    first = max([92, *(size + 16 for size in named if size < 300)])
    rest = max(_PROBE_TOKENS - first, 24)
    sizes = [first, rest - rest * 19 // 40, rest * 19 // 40]
    if longest is not None and first > longest:
        sizes = [max(1, size * longest // first) for size in sizes]
    return sizes


def _special_ids(model: Any) -> Iterator[int]:
    """Return the ids that stand for something else than text: an image's place, padding, the end."""
    for config in (model.config, text_config(model)):
        for name, value in config.to_dict().items():
            if name.endswith(("token_id", "token_index")):
                yield from (i for i in (value if isinstance(value, list) else [value]) if isinstance(i, int) and i >= 0)


def _chosen(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities of ``ids`` ``[..]`` by logits ``[.., V]``."""
    return logits.float().log_softmax(-1).gather(-1, ids[..., None])[..., 0]


def _scored(model: Any, probe: _Probe, prompts: Prompts, head: Head) -> torch.Tensor:
    written = torch.ones_like(probe.ids)
    if head == "whole":
        return _chosen(repeated_states(model, probe.prompts, probe.ids, written, logits=True), probe.ids)
    if prompts == "repeated":
        hidden = repeated_states(model, probe.prompts, probe.ids, written)
    else:
        hidden = shared_states(model, probe.prompts, probe.ids, written, prompts)
    hidden, ids = hidden.flatten(0, 1), probe.ids.flatten()
    if head == "own":
        return _chosen(own_logits(model, hidden), ids).view_as(probe.ids)
    fused = _chosen(model.get_output_embeddings()(hidden[None])[0], ids)
    try:
        own = _chosen(own_logits(model, hidden), ids)
    except FAILURES:  # a model whose decoder cannot be stood in for; it is compared as a whole below
        own = fused
    if not (own - fused).abs().mean() <= _HEAD_TOLERANCE:
        raise ValueError("the model's logits are not its head's")
    return fused.view_as(probe.ids)


def _decoded(model: Any, probe: _Probe, decoding: Decoding) -> torch.Tensor:
    found = torch.empty_like(probe.alone)
    rows = list(range(len(probe.prompts)))
    for batch in [rows] if decoding in PADDED else [rows[i : i + 2] for i in range(0, len(rows), 2)]:
        order = torch.tensor(batch, device=probe.ids.device)
        decoder = Decoder(model, [probe.prompts[i] for i in batch], probe.ids.shape[1], decoding)
        for step in range(probe.ids.shape[1]):
            if step == probe.ids.shape[1] // 2:  # rows change places when others end
                decoder.keep(torch.arange(len(batch), device=order.device).flip(0))
                order = order.flip(0)
            if step:
                decoder.step(probe.ids[order, step - 1])
            found[order, step] = _chosen(decoder.logits, probe.ids[order, step])
    return found
