"""Observation and action spaces for text."""

from __future__ import annotations

import string
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Text
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

MAX_TEXT = 100_000
"""Characters an observation's or action's text may have: well above any completion, so that nothing is clipped."""

SAMPLE_LENGTH = 200
"""``sample`` draws at most this many characters: random text is for API checks, where length only costs time."""


class _Characters(Sequence[str]):
    """All characters there are, in the order of their numbers, none of them held in memory."""

    def __len__(self) -> int:
        return sys.maxunicode + 1

    def __getitem__(self, index: Any) -> Any:
        numbers = range(len(self))[index]
        return "".join(map(chr, numbers)) if isinstance(numbers, range) else chr(numbers)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, str) and len(item) == 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Characters)

    def __hash__(self) -> int:
        return hash(_Characters)


class Unicode(Text):
    """Any string of at most ``max_length`` characters.

    gymnasium's ``Text`` admits only the characters of its charset, and holds them all; ten of HumanEval's prompts have
    characters outside ``string.printable``. The charset of this space is every character, by its number, so that what
    flattens text gives it back. Asynchronous vector environments hand it over as it is, in shared memory too.
    """

    def __init__(self, max_length: int = MAX_TEXT, *, seed: int | None = None) -> None:
        super().__init__(max_length, min_length=0, charset="", seed=seed)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        length = int(self.np_random.integers(0, min(self.max_length, SAMPLE_LENGTH) + 1))
        return "".join(self.np_random.choice(list(string.printable), size=length))

    @property
    def character_set(self) -> Any:
        """All characters."""
        return _Characters()

    @property
    def character_list(self) -> Any:
        """All characters, by their numbers."""
        return _Characters()

    def character_index(self, char: str) -> np.int32:
        """Return the number of ``char``."""
        return np.int32(ord(char))

    @property
    def characters(self) -> Any:
        """All characters."""
        return _Characters()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode) and self.max_length == other.max_length

    def __hash__(self) -> int:
        return hash((Unicode, self.max_length))

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"


# Of each environment the length of its text, and the numbers of its characters. Gymnasium's own way reads the memory once,
# when the environments are made: of arrays that is a view, and of text what stood there then.


class _SharedTexts(Sequence[str]):
    """The texts that stand in shared memory now; a deep copy, as vector environments return it, is a tuple of them."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        row = self._rows[index]
        return row[1 : 1 + row[0]].tobytes().decode(_CODE, "surrogatepass")

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == other

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return repr(tuple(self))


@create_shared_memory.register(Unicode)
def _create(space: Unicode, n: int = 1, ctx: Any = None) -> Any:
    if ctx is None:
        import multiprocessing as ctx
    return ctx.Array("I", n * (space.max_length + 1))


@read_from_shared_memory.register(Unicode)
def _read(space: Unicode, shared_memory: Any, n: int = 1) -> _SharedTexts:
    return _SharedTexts(np.frombuffer(shared_memory.get_obj(), dtype=np.uint32).reshape(n, space.max_length + 1))


@write_to_shared_memory.register(Unicode)
def _write(space: Unicode, index: int, value: str, shared_memory: Any) -> None:
    row = np.frombuffer(shared_memory.get_obj(), dtype=np.uint32).reshape(-1, space.max_length + 1)[index]
    numbers = np.frombuffer(value.encode(_CODE, "surrogatepass"), dtype=np.uint32)
    row[0] = len(numbers)
    row[1 : 1 + len(numbers)] = numbers


_CODE = f"utf-32-{'le' if sys.byteorder == 'little' else 'be'}"
"""One number a character, as numpy holds it."""
