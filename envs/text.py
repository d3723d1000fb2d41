"""From what a model wrote to the code that is judged. Nobody else extracts.

The rules, in order, each with an example:

1. Thoughts go: ``<think>maybe ...</think>``, ``<reasoning>``, ``[THINK]``, harmony's channels. Where only the end shows
   (``so be it.</think>``), the template had opened them, and all before it goes. What follows an opening mark without an
   end is no answer: ``<think>def f(x): ...`` is empty. Marks in quotation marks are text.
2. Control tokens end the answer: ``return x<|im_end|>``; a question in front of it goes: ``[INST] Write f [/INST]``. Of answer
   tags what is inside counts: ``[PYTHON]def f(x): ...[/PYTHON]``, ``<answer>``. Tokens and tags in strings, docstrings and
   comments (``# <s> is a tag``) are text, and so is a tag within a sentence: ``Use <code>sorted</code>``. What stands behind
   a question that the writer invents (``Human: shorter!`` behind code) is an example. Odd blanks before a line are plain ones:
   no-break spaces.
3. Where there is a Markdown fence, the code is inside of fences. One opens behind prose too (``Like so: ```python``) and
   closes behind code (``return x``` ``), with a mark of any length; one without an end runs to the end of the text, one
   within a docstring is text. Where the text begins as code and then meets a bare fence, the prompt had opened it. Where there
   is none, other wrappings are fences: ``'''python``, ``{{{``, ``\\begin{lstlisting}``, ``\\boxed{def f(x): ...}``, single
   backticks, ``{"code": "def f(x): ..."}``, a tool's call, ``<<<<<<< SEARCH``, ``cat > f.py << EOF``. What is no code on a
   line goes: ``1 | def f(x):``, ``+def f(x):`` of a diff, ``&lt;`` and ``\\_`` outside of strings, ``%%time`` and ``!pip
   install numpy``.
4. Where there is none, the text is the code, cut into pieces by lines of prose, which go: ``import the list first.``
   A module that is indented as a whole, or in its first line only, moves to column 0. ``>>> def f(x):`` is a transcript, which
   counts where nothing is defined outside of one.
5. Several pieces (or fenced blocks) that define the target: the last one that is written to its end wins; one in
   whose last line the text ends, within a fence or a word (``return be``), comes after those. One announced as an
   example (``Example usage:``) or a mistake (``Don't do this:``) comes next, then ``class Solution`` with a method of
   that name, which is made a function; what leaves out its middle (``# ... as above``) and a stub (``def f(x):
   pass``) come after all; a later stub within the same piece goes. A body that an answer without a fence begins with
   (rule 7) goes before all. A target may stand under a top-level ``if``. Of the other pieces come the functions,
   imports and constants that the winner mentions and does not have; ``from __future__`` moves to the top.
6. What only uses the code goes: ``if __name__ == ...``, ``n = int(input())``, ``sys.exit(main())``,
   ``unittest.main()``, calls and asserts that lead to the target; tests that need ``import pytest``, with it, and
   ``from solution import f``; ``import numpy`` where only what goes needs it, ``check(candidate)`` where nothing
   binds ``check``; and behind the last definition all from ``# Example usage`` or a ``print(f(1))`` on, but for
   tables that a function mentions. Where a program reads standard input and prints (``Streams``), all of that is the
   program, and stays: one that reads its input is as good as the target. Of helper's only the reading stays, and only
   where a function needs it.
7. Main only: a body alone, as base models complete (``    return x``), is joined to the prompt's signature, indented as
   that is. It ends at the first top-level line; functions, imports and constants behind it stay if it needs them.
8. Helper's pieces all count that define something and do not only test another, each less its stubs; prose alone is
   no code at all. Main's prose alone stays as it is, and fails to parse. Helper's own try at the target function is
   no code of the team: :func:`without_definition`.

All of it looks at lines, the first 3,000: candidate text is never parsed in the caller's process, since a parser can be
crashed. A Markdown parser (markdown-it-py) and a tolerant one of Python (tree-sitter) were tried in place of the rules for fences
and for statements: the first read fewer of the golden answers, the second no more, at several times the time.
"""

from __future__ import annotations

import re
from dataclasses import replace

from codeduet.envs.answers.bodies import is_body, join_body, method_of
from codeduet.envs.answers.fences import Block, fenced
from codeduet.envs.answers.givers import FUTURE, taken_from
from codeduet.envs.answers.markup import spoken
from codeduet.envs.answers.pieces import ALONE, Neighbours, Piece, Rank, neighbours
from codeduet.envs.answers.statements import (
    DEFINITION,
    Code,
    Statement,
    bound,
    defines,
    free,
    is_prose,
    opens,
    scan,
    stripped,
    words,
)
from codeduet.envs.answers.stretches import ends_within_a_word, straightened, stretches
from codeduet.envs.answers.thoughts import opened_thought
from codeduet.envs.answers.turns import turns
from codeduet.envs.answers.unfinished import is_elided, is_stub, is_whole
from codeduet.envs.answers.usage import only_tests, own_imports, usage_of
from codeduet.envs.answers.wrapped import unwrapped
from codeduet.envs.problems import Problem

__all__ = [
    "extract_helper", "extract_main", "extract_text", "join_body", "opened_thought", "stop_strings", "without_definition",
]  # fmt: skip

_MOST_LINES = 3_000
"""What stands behind them is not read, so that reading is quick; the action space has room for so many lines of code."""

_TRANSCRIPT = re.compile(r"[ \t]*(?:>>>|In[ \t]\[\d{1,5}\]:)[ \t](?=(?:async[ \t]+def|def|class|from|import|@)\b)")
_PROMPTED = re.compile(r"[ \t]*(?:>>>|\.\.\.|In[ \t]\[\d{1,5}\]:|\.\.\.:)(?: |(?=\t)|\Z)")
_READS = re.compile(r"\b(?:(?:raw_)?input|stdin|open|fileinput)\b|\bos\.read\b")


def extract_helper(text: str, problem: Problem | None = None) -> str:
    """Return the code in the helper's ``text`` (``""`` where there is none).

    Args:
        text: the answer.
        problem: what the team is to solve; of one that reads its input, what reads some for a function stays.
    """
    reads = problem is not None and problem.source.streams
    pieces = _pieces(spoken(text), None)
    opening = [piece for piece in pieces if piece.opens and not piece.example]
    near = zip(opening, neighbours(opening), strict=True)
    untried = [piece for piece, names in near if not only_tests(piece.code, names.defined, names.mentioned)]
    defining = untried or opening or pieces[:1]
    apart = set(pieces).difference(defining)
    others = [piece for piece in pieces if piece in apart]
    return "\n".join(_joined(_without_stubs(defining, None), others, None, reads=reads))


def extract_main(text: str, problem: Problem) -> str:
    """Return the code in main's ``text``; a body alone is joined to the signature of ``problem``."""
    name = problem.entry_point
    answer = spoken(text)
    script = problem.source.streams
    pieces = _pieces(answer, name, script=script)
    if not pieces:
        return answer
    best = max(piece.rank for piece in pieces)
    if best == Rank.NOTHING:
        return "\n".join(pieces[0].code.lines if script else _used(pieces[0], name))
    ranked = [piece for piece in pieces if piece.rank == best]
    # Of several bodies the first continues the prompt; of several definitions the last is what the writer settled on.
    winner = ranked[0] if best in (Rank.BODY, Rank.CONTINUATION) else ranked[-1]
    others = [piece for piece in pieces if piece is not winner]
    if best in (Rank.BODY, Rank.CONTINUATION):
        return join_body("\n".join(_joined([winner], others, name)), problem)
    if best == Rank.METHOD:
        return "\n".join([*_joined([winner], others, name), "", "", f"{name} = {winner.giver}().{name}"])
    lines = _joined(_without_stubs([winner], name), others, name, script=script)
    return "\n".join([*lines, *(_calls(winner, pieces) if script else ())])


def extract_text(text: str) -> str:
    """Return what is said in an answer that is no code: all but thoughts, control tokens and blanks around it."""
    return spoken(text).strip()


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


def _pieces(answer: str, name: str | None, *, script: bool = False) -> list[Piece]:
    """Return the pieces of code in what an answer says, in order; what turns invented behind it hold are examples."""
    lines = answer.split("\n", _MOST_LINES)[:_MOST_LINES]
    found: list[Piece] = []
    for turn in turns("\n".join(lines)):
        found += _pieces_of_turn(turn.split("\n"), name, script=script, later=any(map(_answers, found)))
    return found


def _answers(piece: Piece) -> bool:
    """Tell whether a piece is more than a question's stub."""
    return piece.rank >= Rank.BODY or any(
        part.kind == "definition" and not is_stub(piece.code, part) for part in piece.parts
    )


def _pieces_of_turn(lines: list[str], name: str | None, *, script: bool, later: bool) -> list[Piece]:
    blocks = fenced("\n".join(lines), begins_as_code=_begins_as_code(lines))
    fences = bool(blocks)
    if not fences:
        blocks = [Block("", lines=lines)]
    for block in blocks:
        block.lines = unwrapped(block.lines, block.tag)
    if any(_TRANSCRIPT.match(line) for block in blocks for line in block.lines) and not any(
        _has_definition(block.lines, name) for block in blocks
    ):
        for block in blocks:
            block.lines = _typed(block.lines)
    found: list[Piece] = []
    for block in _read(blocks, name):
        code = straightened(scan(block.lines or [""]), name)
        parts = [(code, False)] if block.closed else stretches(code, name, script=script)
        for part, example in parts:
            cut = not block.closed and part is parts[-1][0]
            piece = Piece(
                part, block.example or example or later, unclosed=cut and (fences or ends_within_a_word(part))
            )
            if name is not None:
                first = not (fences or found or later)
                _rank(piece, name, script=script, cut=cut, first=first)
            found.append(piece)
    return found


def _read(blocks: list[Block], name: str | None) -> list[Block]:
    """Return the blocks that may hold code of the answer: Python's own, and others if they look like it."""
    own = [block for block in blocks if block.python]
    if any(_has_definition(block.lines, name) for block in own):
        return [block for block in blocks if block.python or any(opens(line) for line in block.lines)]
    if any(_has_definition(block.lines, name) for block in blocks):
        return blocks
    return own or blocks[:1]


def _rank(piece: Piece, name: str, *, script: bool, cut: bool, first: bool) -> None:
    """Rank a piece, and find the class whose method the target is.

    Args:
        piece: changed.
        name: the target function.
        script: whether a program that reads its input is an answer.
        cut: whether the text may break off behind the piece.
        first: whether the text begins with the piece.
    """
    code = piece.code
    giving = [part for part in code.statements if defines(code, part, name)]
    if is_body(code, defined=bool(giving)):
        piece.rank = Rank.CONTINUATION if first else Rank.BODY
        return
    if script and any(map(_READS.search, code.bare)):
        giving = giving or code.statements[-1:]
    method = None if giving else next(filter(None, (method_of(code, part, name) for part in code.statements)), None)
    if method:
        piece.giver, code = method
        giving = code.statements[:1]
    whole = [
        part for part in giving if not (is_stub(code, part) or is_elided(code, part)) and is_whole(code, part, cut=cut)
    ]
    if whole:
        piece.rank = Rank.UNCLOSED if all(_ends_in(piece, code, part) for part in whole) else Rank.WHOLE
        piece.rank = Rank.METHOD if method else Rank.EXAMPLE if piece.example else piece.rank
    elif giving:
        piece.rank = Rank.STUB if all(is_stub(code, part) for part in giving) else Rank.CUT_OFF


def _ends_in(piece: Piece, code: Code, part: Statement) -> bool:
    """Tell whether the text breaks off in a statement's last line: what follows it there nobody knows."""
    return piece.unclosed and part.end == len(code.lines) and code.lines[-1].strip() != ""


def _begins_as_code(lines: list[str]) -> bool:
    """Tell whether the first line that is neither blank nor a comment (or a Markdown heading) is a statement."""
    first = next((line.lstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return not is_prose(scan([first.partition("```")[0]]).bare[0])


def _has_definition(lines: list[str], name: str | None) -> bool:
    """Tell whether a line defines ``name`` (or anything), at whatever depth."""
    found = (DEFINITION.match(line.lstrip()) for line in lines)
    return any(match is not None and name in (None, match.group(1)) for match in found)


def _typed(lines: list[str]) -> list[str]:
    """Return what was typed in a transcript of the interpreter; of a block the lines may stand without prompts."""
    typed: list[str] = []
    block = False  # whether one may go on
    for line in lines:
        prompt = _PROMPTED.match(line)
        if prompt:
            typed.append(line[prompt.end() :])
        elif block and (line[:1] in (" ", "\t") or not line.strip()):
            typed.append(line)
            continue
        block = prompt is not None and line.rstrip().endswith(":")
    return typed


def _without_stubs(pieces: list[Piece], name: str | None) -> list[Piece]:
    """Drop stubs of what the pieces define in full too, and what was cut off: of ``name``, or of anything."""
    again: dict[str, list[tuple[int, Statement]]] = {}
    for index, piece in enumerate(pieces):
        for part in piece.parts:
            if part.kind == "definition" and name in (None, part.name):
                again.setdefault(part.name, []).append((index, part))
    hollow: list[list[Statement]] = [[] for _ in pieces]
    for found in again.values():
        if len(found) > 1:
            poor = [(index, part) for index, part in found if _is_poor(pieces[index], part)]
            for index, part in poor if len(poor) < len(found) else []:
                hollow[index].append(part)
    return [_without(piece, gone) if gone else piece for piece, gone in zip(pieces, hollow, strict=True)]


def _is_poor(piece: Piece, part: Statement) -> bool:
    code = piece.code
    return (
        is_stub(code, part)
        or is_elided(code, part)
        or not is_whole(code, part, cut=False)
        or _ends_in(piece, code, part)
    )


def _without(piece: Piece, gone: list[Statement]) -> Piece:
    return replace(piece, code=piece.code.without(gone))


def _joined(
    chosen: list[Piece], others: list[Piece], name: str | None, *, script: bool = False, reads: bool = False
) -> list[str]:
    """Return the lines of the chosen pieces, with what they mention out of the other ones before and behind."""
    bodies = bool(chosen) and chosen[0].rank in (Rank.BODY, Rank.CONTINUATION)
    near = neighbours([*chosen, *others])
    if name and not bodies:  # main's winner may import what another block defines; helper's blocks follow each other
        chosen = [_without(piece, own_imports(piece.code, near[0].defined)) for piece in chosen]
    kept = [
        piece.code.lines if bodies or script else _used(piece, name, names, reads=reads)
        for piece, names in zip(chosen, near, strict=False)
    ]
    lines = [line for part in kept for line in part]
    if not others:
        return _hoisted(lines) if len(chosen) > 1 else lines
    has = {bound_name for piece in chosen for part in piece.parts for bound_name in bound(piece.code, part)} | {name}
    wanted = {word for piece in chosen for word in _mentioned(piece)} - has
    givers = [
        (piece.code, part)
        for piece in others
        for part in piece.parts
        if part.kind in ("import", "definition", "assignment")
    ]
    taken = taken_from(givers, wanted, has)
    behind = [line for code, part in taken for line in stripped(code.lines[part.start : part.end])]
    # What a definition needs when it is made (a constant as default, a decorator) stands before it.
    return _hoisted([*lines, *behind] if bodies else [*behind, *lines]) if taken else lines


def _calls(winner: Piece, pieces: list[Piece]) -> list[str]:
    """Return what a script that only defines its functions is started by in another block: ``solve()``."""
    if any(part.kind not in ("import", "definition", "assignment", "comment") for part in winner.parts):
        return []
    names = {part.name for part in winner.parts if part.kind == "definition"}
    found = (
        (piece, part)
        for piece in pieces
        if piece is not winner and piece.rank == Rank.NOTHING and not piece.example
        for part in piece.parts
        if part.kind in ("other", "guard") and words(piece.code, part) & names
    )
    piece, part = next(found, (winner, None))
    return stripped(piece.code.lines[part.start : part.end]) if part else []


def _used(piece: Piece, name: str | None, names: Neighbours = ALONE, *, reads: bool = False) -> list[str]:
    usage = usage_of(piece.code, name, reads=reads, defined=names.before, mentioned=names.mentioned)
    return stripped(piece.code.without(usage).lines) if usage else piece.code.lines


def _mentioned(piece: Piece) -> set[str]:
    if not piece.parts:  # a body
        return {word for line in piece.code.bare for word in re.findall(r"[^\W\d]\w*", line)}
    return {
        word
        for part in piece.parts
        for word in (free(piece.code, part) if part.kind == "definition" else words(piece.code, part))
    }


def _hoisted(lines: list[str]) -> list[str]:
    """Return ``lines`` with each ``from __future__ import`` at the top."""
    future = [line for line in lines if FUTURE.match(line)]
    return [*future, *(line for line in lines if not FUTURE.match(line))]
