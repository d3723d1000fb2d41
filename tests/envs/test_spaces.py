"""The space of text: any character, at most so many, and given back by whatever flattens it."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import pytest
from gymnasium.spaces import Text, flatten, flatten_space, unflatten
from gymnasium.vector.utils import batch_space, create_shared_memory, read_from_shared_memory, write_to_shared_memory

from codeduet.envs.spaces import Unicode

TEXTS = ["", "abc", "ü 漢字 🐍\n\t\x00", "\ud800", "x" * 40]


def test_any_character_and_at_most_so_many() -> None:
    space = Unicode(40)
    assert all(space.contains(text) for text in TEXTS)
    assert not any(space.contains(other) for other in ("x" * 41, b"x", None, 3))
    assert all(char in space.character_set for char in "aü漢🐍")
    assert len(space.character_set) == len(space.character_list) == 0x110000
    assert space.character_list[int(space.character_index("漢"))] == "漢"
    assert all(space.contains(space.sample()) for _ in range(20))


@pytest.mark.parametrize("text", TEXTS)
def test_flattened_text_comes_back(text: str) -> None:
    space = Unicode(40)
    flat = flatten(space, text)
    assert flatten_space(space).contains(flat)
    assert unflatten(space, flat) == text


def test_shared_memory_holds_the_text_itself() -> None:
    space = Unicode(40)
    memory = create_shared_memory(space, n=len(TEXTS), ctx=multiprocessing)
    seen = read_from_shared_memory(space, memory, n=len(TEXTS))  # once, as vector environments do
    before = copy.deepcopy(seen)
    assert before == seen == ("",) * len(TEXTS)
    for text in ("y" * 40, None):  # what was longer before leaves nothing behind
        for index, own in enumerate(TEXTS):
            write_to_shared_memory(space, index, text or own, memory)
    assert copy.deepcopy(seen) == seen == tuple(TEXTS)
    assert (seen[1], list(seen[1:3]), len(seen)) == (TEXTS[1], TEXTS[1:3], len(TEXTS))
    assert before == ("",) * len(TEXTS)


def test_spaces_are_equal_by_their_length_and_are_copied() -> None:
    assert Unicode(3) == Unicode(3) == pickle.loads(pickle.dumps(Unicode(3)))
    assert Unicode(3) != Unicode(4)
    assert Unicode(3) != Text(3)
    assert len(batch_space(Unicode(3), 2)) == 2
    assert repr(Unicode(3)) == "Unicode(3)"
