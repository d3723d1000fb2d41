"""What code needs of the statements around it: those that bind what it mentions, and what those mention in turn."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from codeduet.envs.answers.statements import Code, Statement, bound, free, words
from codeduet.envs.answers.unfinished import is_stub

FUTURE = re.compile(r"from[ \t]+__future__[ \t]+import\b")


def taken_from(
    givers: Sequence[tuple[Code, Statement]], wanted: Collection[str], has: Collection[str | None]
) -> list[tuple[Code, Statement]]:
    """Return the statements that bind what is wanted, and what those want in turn, in the order of the text.

    Args:
        givers: statements, each with the code that it is of.
        wanted: names.
        has: names that are bound already.
    """
    by_name: dict[str, list[int]] = {}
    for index, (code, part) in enumerate(givers):
        for name in bound(code, part).difference(has):
            by_name.setdefault(name, []).append(index)
        if part.kind == "import" and FUTURE.match(code.lines[part.start]):
            by_name.setdefault("__future__", []).append(index)
    taken: set[int] = set()
    waiting = [*wanted, "__future__", "*"]
    asked = set(waiting)
    while waiting:
        for index in by_name.get(waiting.pop(), ()):
            code, part = givers[index]
            if index in taken or is_stub(code, part):
                continue
            taken.add(index)
            more = (free(code, part) if part.kind == "definition" else words(code, part)) - asked
            asked |= more
            waiting += more
    return [givers[index] for index in sorted(taken)]
