"""From what a model wrote to the code that is judged. Nobody else extracts.

The rules, in order, each with an example:

1. Thoughts go: ``<think>maybe ...</think>``, ``<reasoning>``, ``[THINK]``, harmony's channels. Where only the end shows
   (``so be it.</think>``), the template had opened them, and all before it goes. What follows an opening mark without an
   end is no answer: ``<think>def f(x): ...`` is empty. Marks in quotation marks are text.
2. Control tokens end the answer: ``return x<|im_end|>``. Of answer tags what is inside counts: ``[PYTHON]def f(x): ...
   [/PYTHON]``, ``<answer>``. Odd blanks before a line are plain ones: no-break spaces.
3. Where there is a Markdown fence, the code is inside of fences. One opens behind prose too (``Like so: ```python``) and
   closes behind code (``return x``` ``), with a mark of any length; one without an end runs to the end of the text, one
   within a docstring is text. Where the text begins as code and then meets a bare fence, the prompt had opened it.
4. Where there is none, the text is the code, cut into pieces by lines of prose, which go: ``import the list first.``
   A module that is indented as a whole, or in its first line only, moves to column 0. ``>>> def f(x):`` is a transcript, which
   counts where nothing is defined outside of one.
5. Several pieces (or fenced blocks) that define the target: the last one that is written to its end wins. One announced
   as an example (``Example usage:``) comes after those, a stub (``def f(x): pass``) after all; a later stub within the same
   piece goes. A body that an answer without a fence begins with (rule 7) goes before all. A target may stand under a
   top-level ``if``. Of the other pieces come the functions, imports and constants
   that the winner mentions and does not have; ``from __future__`` moves to the top.
6. What only uses the code goes: ``if __name__ == ...``, ``n = int(input())``, ``sys.exit(main())``, ``unittest.main()``, calls
   and asserts that lead to the target; and behind the last definition all from ``# Example usage`` or a ``print(f(1))`` on,
   but for tables that a function mentions.
7. Main only: a body alone, as base models complete (``    return x``), is joined to the prompt's signature, indented as that
   is. It ends at the first top-level line; functions behind it stay if it mentions them.
8. Helper's pieces all count that define something, each less its stubs; prose alone is no code at all. Main's prose alone
   stays as it is, and fails to parse. Helper's own try at the target function is no code of the team:
   :func:`without_definition`.

All of it looks at lines, the first 3,000: candidate text is never parsed in the caller's process, since a parser can be
crashed. A Markdown parser (markdown-it-py) and a tolerant one of Python (tree-sitter) were tried in place of the rules for fences
and for statements: the first read fewer of the golden answers, the second no more, at several times the time.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import IntEnum

from codeduet.envs.answers.bodies import has_stray_blank, is_body, join_body
from codeduet.envs.answers.markup import Block, fenced, opened_thought, spoken
from codeduet.envs.answers.statements import (
    DEFINITION,
    Code,
    Statement,
    bound,
    defines,
    depth,
    free,
    is_prose,
    is_stub,
    is_whole,
    opens,
    scan,
    stripped,
    words,
)
from codeduet.envs.answers.usage import usage_of
from codeduet.envs.problems import Problem

__all__ = ["extract_helper", "extract_main", "join_body", "opened_thought", "stop_strings", "without_definition"]

_MOST_LINES = 3_000
"""What stands behind them is not read, so that reading is quick; the action space has room for so many lines of code."""

_TRANSCRIPT = re.compile(r"[ \t]*(?:>>>|In[ \t]\[\d{1,5}\]:)[ \t](?=(?:async[ \t]+def|def|class|from|import|@)\b)")
_PROMPTED = re.compile(r"[ \t]*(?:>>>|\.\.\.|In[ \t]\[\d{1,5}\]:|\.\.\.:)(?: |(?=\t)|\Z)")
_FUTURE = re.compile(r"from[ \t]+__future__[ \t]+import\b")


def extract_helper(text: str) -> str:
    """Return the code in the helper's ``text`` (``""`` where there is none)."""
    pieces = _pieces(spoken(text), None)
    defining = [piece for piece in pieces if piece.opens and not piece.example] or pieces[:1]
    apart = set(pieces).difference(defining)
    others = [piece for piece in pieces if piece in apart]
    return "\n".join(_joined(_without_stubs(defining, None), others, None))


def extract_main(text: str, problem: Problem) -> str:
    """Return the code in main's ``text``; a body alone is joined to the signature of ``problem``."""
    name = problem.entry_point
    answer = spoken(text)
    pieces = _pieces(answer, name)
    if not pieces:
        return answer
    best = max(piece.rank for piece in pieces)
    if best == _Rank.NOTHING:
        return "\n".join(_used(pieces[0], name))
    ranked = [piece for piece in pieces if piece.rank == best]
    # Of several bodies the first continues the prompt; of several definitions the last is what the writer settled on.
    winner = ranked[0] if best in (_Rank.BODY, _Rank.CONTINUATION) else ranked[-1]
    others = [piece for piece in pieces if piece is not winner]
    if best in (_Rank.BODY, _Rank.CONTINUATION):
        return join_body("\n".join(_joined([winner], others, name)), problem)
    return "\n".join(_joined(_without_stubs([winner], name), others, name))


def stop_strings() -> tuple[str, ...]:
    """Strings at which a base model that completes a body has left the function."""
    return ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\n#", "\n@", "\n```")


def without_definition(code: str, name: str) -> str:
    """Return ``code`` less its top-level definitions of ``name`` and what calls them there.

    ``""`` where only imports and comments are left.
    """
    scanned = scan(code.split("\n"))
    gone = {part for part in scanned.statements if defines(scanned, part, name)}
    if gone:
        gone.update(usage_of(scanned, name))
        code = "\n".join(stripped(scanned.without(gone).lines))
    left = [part.kind for part in scanned.statements if part not in gone]
    return "" if scanned.statements and all(kind in ("import", "comment") for kind in left) else code


class _Rank(IntEnum):
    """How well a piece answers, from worst to best."""

    NOTHING = 0
    STUB = 1
    CUT_OFF = 2
    BODY = 3
    EXAMPLE = 4
    WHOLE = 5
    CONTINUATION = 6  # a body at the text's very beginning, where a base model completes the prompt


@dataclass(eq=False)
class _Piece:
    """A fenced block or a stretch of unfenced code: its lines, its top-level statements, its rank for the target."""

    code: Code
    example: bool
    rank: _Rank = _Rank.NOTHING

    @property
    def parts(self) -> list[Statement]:
        """Its statements."""
        return self.code.statements

    @property
    def opens(self) -> bool:
        """Whether it defines or imports something, or holds a table and nothing that uses it."""
        kinds = {part.kind for part in self.parts}
        return bool(kinds & {"import", "definition"}) or kinds in ({"assignment"}, {"assignment", "comment"})


def _pieces(answer: str, name: str | None) -> list[_Piece]:
    """Return the pieces of code in what an answer says, in order."""
    lines = answer.split("\n", _MOST_LINES)[:_MOST_LINES]
    blocks = fenced("\n".join(lines), begins_as_code=_begins_as_code(lines))
    fences = bool(blocks)
    if not fences:
        blocks = [Block("", lines=lines)]
    if any(_TRANSCRIPT.match(line) for block in blocks for line in block.lines) and not any(
        _has_definition(block.lines, name) for block in blocks
    ):
        for block in blocks:
            block.lines = _typed(block.lines)
    found: list[_Piece] = []
    for block in _read(blocks, name):
        code = _straight(scan(block.lines), name)
        stretches = [code] if block.closed else _stretches(code, name)
        for stretch in stretches:
            cut = not block.closed and stretch is stretches[-1]
            found.append(_ranked(stretch, name, example=block.example, cut=cut, first=not fences and not found))
    return found


def _read(blocks: list[Block], name: str | None) -> list[Block]:
    """Return the blocks that may hold code of the answer: Python's own, and others if they look like it."""
    own = [block for block in blocks if block.python]
    if any(_has_definition(block.lines, name) for block in own):
        return [block for block in blocks if block.python or any(opens(line) for line in block.lines)]
    if any(_has_definition(block.lines, name) for block in blocks):
        return blocks
    return own or blocks[:1]


def _ranked(code: Code, name: str | None, *, example: bool, cut: bool, first: bool) -> _Piece:
    piece = _Piece(code, example)
    if name is None:
        return piece
    giving = [part for part in code.statements if defines(code, part, name)]
    if is_body(code, defined=bool(giving)):
        piece.rank = _Rank.CONTINUATION if first else _Rank.BODY
    elif any(not is_stub(code, part) and is_whole(code, part, cut=cut) for part in giving):
        piece.rank = _Rank.EXAMPLE if example else _Rank.WHOLE
    elif giving:
        piece.rank = _Rank.STUB if all(is_stub(code, part) for part in giving) else _Rank.CUT_OFF
    return piece


def _begins_as_code(lines: list[str]) -> bool:
    """Tell whether the first line that is neither blank nor a comment (or a Markdown heading) is a statement."""
    first = next((line.lstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return not is_prose(scan([first.partition("```")[0]]).bare[0])


def _has_definition(lines: list[str], name: str | None) -> bool:
    """Tell whether a line defines ``name`` (or anything), at whatever depth."""
    found = (DEFINITION.match(line.lstrip()) for line in lines)
    return any(match is not None and name in (None, match.group(1)) for match in found)


def _typed(lines: list[str]) -> list[str]:
    """Return what was typed in a transcript of the interpreter."""
    prompts = ((line, _PROMPTED.match(line)) for line in lines)
    return [line[prompt.end() :] for line, prompt in prompts if prompt]


def _straight(code: Code, name: str | None) -> Code:
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


def _stretches(code: Code, name: str | None) -> list[Code]:
    """Cut unfenced text at its lines of prose; a stretch begins where code surely does."""
    top = [
        number
        for number, kind in enumerate(code.kinds)
        if kind in ("code", "comment") and not depth(code.lines[number])
    ]
    prose = [n for n, following in itertools.pairwise([*top, -1]) if _is_prose(code, n, following)]
    found = []
    for before, end in itertools.pairwise([-1, *prose, len(code.lines)]):
        piece = _begun(code.part(before + 1, end), name)
        if piece is not None:
            found.append(piece)
    return found


def _is_prose(code: Code, number: int, following: int) -> bool:
    """Tell whether a line of column 0 is prose; ``with that in mind:`` has no block, whose place is before the next."""
    if code.kinds[number] == "comment":
        return False
    bare = code.bare[number].rstrip()
    if is_prose(bare):
        return True
    behind = (n for n in range(number + 1, following) if code.lines[n].strip())
    return bare.endswith(":") and following > 0 and next(behind, None) is None


def _begun(code: Code, name: str | None) -> Code | None:
    """Return a stretch from where its code begins, straightened, or ``None`` where there is none."""
    written = [number for number, line in enumerate(code.lines) if line.strip()]
    if not written:
        return None
    code = _straight(code, name)
    parts = code.statements
    defined = name is not None and any(defines(code, part, name) for part in parts)
    if name is not None and is_body(code, defined=defined):
        start = next(n for n in written if depth(code.lines[n]) or code.kinds[n] == "code")
        return code.part(start, len(code.lines))
    # Calls and returns before it may be words: "Answer(s)", "return 0 and nothing else".
    opening = next((part for part in parts if part.kind in ("import", "definition", "assignment", "block")), None)
    if opening is None:
        if all(code.kinds[number] == "comment" for number in written):
            return code if name is None else None
        return code.part(written[0], len(code.lines))
    return code.part(opening.start, len(code.lines))


def _without_stubs(pieces: list[_Piece], name: str | None) -> list[_Piece]:
    """Drop stubs of what the pieces define in full too, and what was cut off: of ``name``, or of anything."""
    again: dict[str, list[tuple[int, Statement]]] = {}
    for index, piece in enumerate(pieces):
        for part in piece.parts:
            if part.kind == "definition" and name in (None, part.name):
                again.setdefault(part.name, []).append((index, part))
    hollow: list[list[Statement]] = [[] for _ in pieces]
    for found in again.values():
        if len(found) > 1:
            poor = [(index, part) for index, part in found if _is_poor(pieces[index].code, part)]
            for index, part in poor if len(poor) < len(found) else []:
                hollow[index].append(part)
    return [_without(piece, gone) if gone else piece for piece, gone in zip(pieces, hollow, strict=True)]


def _is_poor(code: Code, part: Statement) -> bool:
    return is_stub(code, part) or not is_whole(code, part, cut=False)


def _without(piece: _Piece, gone: list[Statement]) -> _Piece:
    return _Piece(piece.code.without(gone), piece.example, piece.rank)


def _joined(chosen: list[_Piece], others: list[_Piece], name: str | None) -> list[str]:
    """Return the lines of the chosen pieces, with what they mention out of the other ones before and behind."""
    bodies = bool(chosen) and chosen[0].rank in (_Rank.BODY, _Rank.CONTINUATION)
    kept = [piece.code.lines if bodies else _used(piece, name) for piece in chosen]
    lines = [line for part in kept for line in part]
    if not others:
        return _hoisted(lines) if len(chosen) > 1 else lines
    has = {bound_name for piece in chosen for part in piece.parts for bound_name in bound(piece.code, part)} | {name}
    wanted = {word for piece in chosen for word in _mentioned(piece)} - has
    givers = [
        (piece, part)
        for piece in others
        for part in piece.parts
        if part.kind in ("import", "definition", "assignment") and not (bodies and part.kind != "definition")
    ]
    taken = _taken(givers, wanted, has)
    behind = [line for piece, part in taken for line in stripped(piece.code.lines[part.start : part.end])]
    # What a definition needs when it is made (a constant as default, a decorator) stands before it.
    return _hoisted([*lines, *behind] if bodies else [*behind, *lines]) if taken else lines


def _used(piece: _Piece, name: str | None) -> list[str]:
    usage = usage_of(piece.code, name)
    return stripped(piece.code.without(usage).lines) if usage else piece.code.lines


def _mentioned(piece: _Piece) -> set[str]:
    if not piece.parts:  # a body
        return {word for line in piece.code.bare for word in re.findall(r"[^\W\d]\w*", line)}
    return {
        word
        for part in piece.parts
        for word in (free(piece.code, part) if part.kind == "definition" else words(piece.code, part))
    }


def _taken(
    givers: list[tuple[_Piece, Statement]], wanted: set[str], has: set[str | None]
) -> list[tuple[_Piece, Statement]]:
    """Return the statements that bind what is wanted, and what those want in turn, in the order of the text."""
    by_name: dict[str, list[int]] = {}
    for index, (piece, part) in enumerate(givers):
        for bound_name in bound(piece.code, part) - has:
            by_name.setdefault(bound_name, []).append(index)
        if part.kind == "import" and _FUTURE.match(piece.code.lines[part.start]):
            by_name.setdefault("__future__", []).append(index)
    taken: set[int] = set()
    waiting = [*wanted, "__future__", "*"]
    asked = set(waiting)
    while waiting:
        for index in by_name.get(waiting.pop(), ()):
            piece, part = givers[index]
            if index in taken or is_stub(piece.code, part):
                continue
            taken.add(index)
            more = (free(piece.code, part) if part.kind == "definition" else words(piece.code, part)) - asked
            asked |= more
            waiting += more
    return [givers[index] for index in sorted(taken)]


def _hoisted(lines: list[str]) -> list[str]:
    """Return ``lines`` with each ``from __future__ import`` at the top."""
    future = [line for line in lines if _FUTURE.match(line)]
    return [*future, *(line for line in lines if not _FUTURE.match(line))]
