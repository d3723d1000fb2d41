"""Text without fences, cut at its lines of prose into stretches of code, each moved to where a module stands."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re

from codeduet.envs.answers.bodies import has_stray_blank, is_body
from codeduet.envs.answers.fences import announces_example
from codeduet.envs.answers.statements import Code, defines, depth, is_prose, scan

_RUNS = re.compile(r"\[[^\n]{1,200}?[ \t]for[ \t]|\([\w \t,*]{1,80}\)[ \t]*=")
"""Lines that a script may hold at the top level, and words hardly ever: ``[print(x) for x in xs]``."""

_LAST_NAME = re.compile(r"(?<![.\w])[^\W\d]\w*\Z")
_KNOWN = {*keyword.kwlist, *dir(builtins)}


def ends_within_a_word(code: Code) -> bool:
    """Tell whether the last line ends in a name that nothing before it says: ``return be``, of ``best``."""
    last = _LAST_NAME.search(code.bare[-1][-200:])
    if last is None or last.group() in _KNOWN:
        return False
    name = re.compile(rf"\b{last.group()}\b")
    return not any(map(name.search, code.bare[:-1])) and len(name.findall(code.bare[-1])) == 1


def straightened(code: Code, name: str | None) -> Code:
    """Move a module that is indented as a whole, or in its first line only, to column 0; a body keeps its indentation."""
    first = next((number for number, line in enumerate(code.lines) if line.strip()), None)
    if first is None or not depth(code.lines[first]):
        return code
    written = (line for line, kind in zip(code.lines, code.kinds, strict=True) if kind in ("code", "comment"))
    margin = min(map(depth, written), default=0)
    moved = [code.moved(margin)] if margin else []
    if has_stray_blank(code, name):
        moved.append(scan([*code.lines[:first], code.lines[first].lstrip(" \t"), *code.lines[first + 1 :]]))
    for straight in moved:
        if any((defines(straight, part, name) if name else part.kind == "definition") for part in straight.statements):
            return straight
    return code


def stretches(code: Code, name: str | None, *, script: bool = False) -> list[tuple[Code, bool]]:
    """Cut unfenced text at its lines of prose; a stretch begins where code surely does.

    Each comes with whether the words before it announce an example.

    Args:
        code: the text.
        name: the target function, or ``None``.
        script: whether a program may call and print at its top level.
    """
    top = [
        number
        for number, kind in enumerate(code.kinds)
        if kind in ("code", "comment") and not depth(code.lines[number])
    ]
    prose = [n for n, following in itertools.pairwise([*top, -1]) if _is_words(code, n, following, script)]
    found = []
    for before, end in itertools.pairwise([-1, *prose, len(code.lines)]):
        piece = _begun(code.part(before + 1, end), name, script)
        if piece is not None:
            found.append((piece, before >= 0 and announces_example(code.lines[before])))
    return found


def _is_words(code: Code, number: int, following: int, script: bool) -> bool:
    """Tell whether a line of column 0 is prose; ``with that in mind:`` has no block, whose place is before the next."""
    if code.kinds[number] == "comment":
        return False
    bare = code.bare[number].rstrip()
    if is_prose(bare):
        return not (script and _RUNS.match(bare))
    behind = (n for n in range(number + 1, following) if code.lines[n].strip())
    return bare.endswith(":") and following > 0 and next(behind, None) is None


def _begun(code: Code, name: str | None, script: bool) -> Code | None:
    """Return a stretch from where its code begins, straightened, or ``None`` where there is none."""
    written = [number for number, line in enumerate(code.lines) if line.strip()]
    if not written:
        return None
    code = straightened(code, name)
    parts = code.statements
    defined = name is not None and any(defines(code, part, name) for part in parts)
    if name is not None and is_body(code, defined=defined):
        start = next(n for n in written if depth(code.lines[n]) or code.kinds[n] == "code")
        return code.part(start, len(code.lines))
    # Calls and returns before it may be words: "Answer(s)", "return 0 and nothing else".
    opens = {"import", "definition", "assignment", "block"} | ({"other", "guard"} if script else set())
    opening = next((part for part in parts if part.kind in opens), None)
    if opening is None:
        if all(code.kinds[number] == "comment" for number in written):
            return code if name is None else None
        return code.part(written[0], len(code.lines))
    return code.part(opening.start, len(code.lines))
