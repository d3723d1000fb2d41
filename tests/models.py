"""Models of a given shape, on disk."""

from __future__ import annotations

from pathlib import Path

from codeduet.agents.random_model import random_model
from codeduet.benchmarks.memory import Shape


def save_model(folder: Path, shape: Shape) -> None:
    """Save a random model of ``shape`` with its tokenizer."""
    model, tokenizer = random_model(
        vocab_size=shape.vocabulary,
        hidden=shape.hidden,
        layers=shape.layers,
        heads=(shape.heads, shape.kv_heads),
        feed_forward=shape.feed_forward,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
