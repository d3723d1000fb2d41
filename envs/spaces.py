"""Observation and action spaces for text."""

from __future__ import annotations

import string
from typing import Any

from gymnasium.spaces import Text

MAX_TEXT = 100_000
"""Characters an observation's or action's text may have: well above any completion, so that nothing is clipped."""

SAMPLE_LENGTH = 200
"""``sample`` draws at most this many characters: random text is for API checks, where length only costs time."""


class Unicode(Text):
    """Any string of at most ``max_length`` characters.

    gymnasium's ``Text`` admits only the characters of its charset, and no charset at hand holds all HumanEval
    prompts (ten have characters outside ``string.printable``). This space checks type and length only.
    """

    def __init__(self, max_length: int = MAX_TEXT, *, seed: int | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        length = int(self.np_random.integers(0, min(self.max_length, SAMPLE_LENGTH) + 1))
        return "".join(self.np_random.choice(list(self.character_list), size=length))

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"
