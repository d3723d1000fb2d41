"""How a server wants its settings: names, ranges and what it knows at all differ, and a refusal mostly says which."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from codeduet.agents.engine import Sampling

_STOPS = 4
"""Stop strings these interfaces take; the others cut the text here, once it has come."""

_OFF = ("top_k", "min_p", "repetition_penalty")
"""Settings beyond OpenAI's own interface, sent off so that no default of the model's or server's applies."""

_OPTIONAL = (*_OFF, "return_token_ids", "stop_token_ids", "stop")
"""What can be left out: the text is cut here as well, and a server need not know what is off."""


@dataclass(frozen=True)
class Dialect:
    """The form of each setting that a server takes; the defaults are what most do.

    Attributes:
        limit: its name of the token limit.
        seed_bits: of its seeds; 0 where it takes none.
        no_top_k: the top_k that means none.
        without: settings that it does not take, by name.
    """

    limit: str = "max_tokens"
    seed_bits: int = 63
    no_top_k: int = 0
    without: tuple[str, ...] = ()

    def settings(self, sampling: Sampling, seed: int, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is sent besides model and prompt.

        Args:
            sampling: how to draw.
            seed: of 63 bits.
            more: settings that only one of the two interfaces has.
        """
        settings: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or self.no_top_k,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            self.limit: sampling.max_new_tokens,
            **more,
        }
        if sampling.stop:
            settings["stop"] = list(sampling.stop[:_STOPS])
        if self.seed_bits:
            settings["seed"] = seed % 2**self.seed_bits
        return {name: value for name, value in settings.items() if name not in self.without}

    def after(self, named: Collection[str], reason: str, sampling: Sampling) -> Dialect | None:
        """Return what to try where the settings ``named`` were refused for ``reason``, or None: nothing is left to try."""
        better = self
        if self.limit in named and self.limit == "max_tokens":
            better = replace(better, limit="max_completion_tokens")
        if "seed" in named and self.seed_bits:
            better = replace(better, seed_bits=31 if self.seed_bits > 31 else 0)
        droppable = _droppable(sampling)
        if "top_k" in named and "top_k" in droppable and self.no_top_k == 0 and "-1" in reason:
            better = replace(better, no_top_k=-1)
            droppable.discard("top_k")
        dropped = [name for name in (*_OPTIONAL, "temperature", "top_p") if name in droppable and name in named]
        better = better.dropping(dropped)
        return None if better == self else better

    def others(self, sampling: Sampling) -> Iterator[Dialect]:
        """Yield what to try, in this order, where a server refuses and does not say what."""
        droppable = _droppable(sampling)
        for limit in dict.fromkeys((self.limit, "max_completion_tokens")):
            step = replace(self, limit=limit)
            for bits, dropped in (
                (self.seed_bits, ()),
                (31, ()),
                (31, (*_OFF, "return_token_ids")),
                (0, (*_OFF, "return_token_ids")),
                (0, (*_OPTIONAL, "temperature", "top_p")),
            ):
                step = replace(step, seed_bits=min(bits, self.seed_bits))
                step = step.dropping([name for name in dropped if name in droppable])
                if step != self:
                    yield step

    def dropping(self, names: Collection[str]) -> Dialect:
        """Return the dialect without these settings."""
        return replace(self, without=tuple(dict.fromkeys((*self.without, *names))))

    def line(self) -> str:
        """Say what it takes otherwise than most, and what follows from that; empty where nothing is."""
        told = []
        if self.limit != Dialect.limit:
            told.append(f"calls the token limit {self.limit}")
        if self.seed_bits == 0:
            told.append("takes no seed, so that only saved answers can be had again")
        elif self.seed_bits != Dialect.seed_bits:
            told.append(f"takes seeds of {self.seed_bits} bits")
        if self.no_top_k != Dialect.no_top_k:
            told.append(f"calls no top_k {self.no_top_k}")
        off = [name for name in self.without if name in _OFF]
        if off:
            told.append(f"takes no {', '.join(off)}: its own defaults apply, if it has any")
        if rest := [name for name in self.without if name not in _OFF]:
            told.append(f"takes no {', '.join(rest)}")
        return "; ".join(told)


def _droppable(sampling: Sampling) -> set[str]:
    """Return the settings that may stay unsent without measuring something else."""
    plain = {name for name in ("temperature", "top_p") if getattr(sampling, name) == 1.0}
    return {name for name in _OPTIONAL if name != "top_k" or not sampling.top_k} | plain


SETTINGS = frozenset({*_OPTIONAL, "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens"})
"""Names by which a refusal can name a setting."""
