"""The pieces of an answer: fenced blocks or stretches of code, how well each answers, and what they say of each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import NamedTuple

from codeduet.envs.answers.statements import Code, Statement, free

_WORDS = re.compile(r"[^\W\d]\w*")


class Rank(IntEnum):
    """How well a piece answers, from worst to best."""

    NOTHING = 0
    STUB = 1
    CUT_OFF = 2
    BODY = 3
    METHOD = 4
    EXAMPLE = 5
    UNCLOSED = 6  # perhaps whole, perhaps not: the text ends in its last line, within a fence or a word
    WHOLE = 7
    CONTINUATION = 8  # a body at the text's very beginning, where a base model completes the prompt


@dataclass(eq=False)
class Piece:
    """A fenced block or a stretch of unfenced code: its lines, its top-level statements, its rank for the target."""

    code: Code
    example: bool
    rank: Rank = Rank.NOTHING
    giver: str = ""  # the class whose method the target is
    unclosed: bool = False  # whether the text breaks off in it: within a fence, or a word

    @property
    def parts(self) -> list[Statement]:
        """Its statements."""
        return self.code.statements

    @property
    def opens(self) -> bool:
        """Whether it defines or imports something, or holds a table and nothing that uses it."""
        kinds = {part.kind for part in self.parts}
        return bool(kinds & {"import", "definition"}) or kinds in ({"assignment"}, {"assignment", "comment"})


class Neighbours(NamedTuple):
    """Of the names that a piece writes, those that others have too."""

    before: frozenset[str]
    """Functions and classes that are defined by pieces before it."""
    defined: frozenset[str]
    """Functions and classes that other pieces define."""
    mentioned: frozenset[str]
    """What functions and classes of other pieces mention."""


ALONE = Neighbours(frozenset(), frozenset(), frozenset())


def neighbours(pieces: Sequence[Piece]) -> list[Neighbours]:
    """Return for each piece what the others have of its names."""
    if len(pieces) == 1:
        return [ALONE]
    defined = [{part.name for part in piece.parts if part.name} for piece in pieces]
    mentioned = [
        {name for part in piece.parts if part.kind == "definition" for name in free(piece.code, part)}
        for piece in pieces
    ]
    definers, mentioners = Counter(chain(*defined)), Counter(chain(*mentioned))
    found = []
    before: set[str] = set()
    for piece, own, said in zip(pieces, defined, mentioned, strict=True):
        names = {word for line in piece.code.bare for word in _WORDS.findall(line)}
        found.append(
            Neighbours(
                before=frozenset(names & before),
                defined=frozenset(name for name in names if definers[name] > (name in own)),
                mentioned=frozenset(name for name in names if mentioners[name] > (name in said)),
            )
        )
        before |= own
    return found
