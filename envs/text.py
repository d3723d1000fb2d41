"""From what a model wrote to the code that is judged. Nobody else extracts.

The rules, in order:

1. What a reasoning model thought, all up to ``</think>``, goes.
2. Where there is a Markdown fence, the code is inside it: the blocks that define something, for main up to the first
   that defines the target function; where no block defines anything (or, for main, the target), the first block.
   An opening fence without an end (the answer was cut off) runs to the end of the text; where the text begins as code
   and then meets a bare fence, the prompt had opened it.
3. Where there is none, the text is the code, less lines of prose before its first and after its last statement.
   Helper's prose alone is no code at all; main's stays as it is, and fails to parse.
4. An ``Example usage`` tail (top-level ``print``, ``assert``, ``if __name__``...) behind the last definition goes.
5. Main only: a body alone, as base models complete, is joined to the prompt's signature. It ends at the first
   top-level line; functions behind it stay if it mentions them.

All of it looks at lines: candidate text is never parsed in the caller's process, since a parser can be crashed. No
pattern backtracks over more than a line's end, so a hostile text of any shape costs time in proportion to its length.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from codeduet.envs.problems import Problem

_PYTHON = ("", "python", "python3", "py")
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)")
_DEFINITION = re.compile(r"(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)")
_OPENING = re.compile(
    r"from[ \t]+[.\w]+[ \t]+import\b|import[ \t]+\w|(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:]|@\w"
)
_STATEMENT = re.compile(
    _OPENING.pattern
    + r"|\#|[)\]}\"']"
    + r"|(?:assert|break|continue|del|global|nonlocal|pass|raise|return|yield)\b"
    + r"|(?:else|finally|try)[ \t]*:|(?:if|elif|while|with|except|match|case)\b[^\n]*:|(?:async[ \t]+)?for\b[^\n]*\bin\b"
    # A call or an item (``seen.add(x)``), or an assignment: one or more targets, an annotation, an operator.
    + r"|[A-Za-z_][\w.]*[(\[]|\*?[A-Za-z_][\w.]*(?:[ \t]*,[ \t]*\*?[A-Za-z_][\w.]*)*[ \t]*(?::[^=\n]*)?[-+*/%&|^@<>]{0,2}=(?!=)"
)
_TAIL = re.compile(
    r"print[ \t]*\(|assert\b|if[ \t]+__name__\b|>>>|#+[ \t]*(?:driver|example|test|usage|output|check|sample)"
    r"|(?:example|usage|output)s?\b",
    re.IGNORECASE,
)
_IMPORT = re.compile(r"(?:from|import)\b")
_RETURN = re.compile(r"return\b")
_CALL = re.compile(r"(?<!\w)(\w+)[ \t]*\(")


def extract_helper(text: str) -> str:
    """Return the code in the helper's ``text`` (``""`` where there is none)."""
    return "\n".join(_code(text, None))


def extract_main(text: str, problem: Problem) -> str:
    """Return the code in main's ``text``; a body alone is joined to the signature of ``problem``."""
    lines = _code(text, problem.entry_point)
    code = "\n".join(lines)
    return join_body(code, problem) if _is_body(lines, problem.entry_point) else code


def join_body(body: str, problem: Problem) -> str:
    """Join a function body to the signature of ``problem``, indented as the signature's docstring is.

    Writers lose indentation in three ways: none is left, the first line alone lost it (a stripped answer), or its
    width is another one. What follows the body at top level is dropped, but for functions that the body mentions.
    """
    margin = _margin(problem.signature)
    lines = body.strip("\n").split("\n")
    kinds = _scan(lines)
    lines = [line if kind == "string" else _spaces(line) for line, kind in zip(lines, kinds, strict=True)]
    starts = [number for number, kind in enumerate(kinds) if kind == "code"] or [0]
    depths = [_depth(lines[number]) for number in starts]
    # The rest up to the next top-level statement shows which indentation the first line had, or lost.
    behind_first = _find(depths, 0, 1)
    block = depths[1:behind_first]
    if block:
        opens = _opens_block(lines[starts[0]]) and min(block) == block[0]
        lost = min(block) - (_depth(_spaces(margin + ".")) if opens else 0) - depths[0]
        if lost > 0:
            lines[starts[0]] = " " * lost + lines[starts[0]]
            depths[0] += lost
    if depths[0]:
        end = starts[behind_first] if behind_first < len(starts) else len(lines)
    else:  # fully dedented: nothing behind a return of depth 0 is reached
        done = [i for i, number in enumerate(starts) if _RETURN.match(lines[number])]
        end = starts[done[0] + 1] if done and done[0] + 1 < len(starts) else len(lines)
    inside = [
        line if kind == "string" or not line.strip() else _moved(line, depths[0], margin)
        for line, kind in zip(lines[:end], kinds[:end], strict=True)
    ]
    mentioned = set(re.findall(r"\w+", "\n".join(inside)))
    behind = _definitions(lines[end:], mentioned - {problem.entry_point})
    return "\n".join([problem.signature.rstrip("\n"), *_stripped(inside), *behind]) + "\n"


def _margin(signature: str) -> str:
    """Return the indentation of the first statement below a ``def``, its docstring as a rule; four blanks if there is none."""
    lines = signature.split("\n")
    indented = (line for line, kind in zip(lines, _scan(lines), strict=True) if kind == "code" and _depth(line))
    line = next(indented, "    .")
    return line[: _depth(line)]


def _moved(line: str, depth: int, margin: str) -> str:
    """Return ``line``, indented relative to ``depth``, indented relative to ``margin``."""
    further = _depth(line) - depth
    return (margin + " " * further if further >= 0 else margin[:further]) + line.lstrip(" ")


def stop_strings() -> tuple[str, ...]:
    """Strings at which a base model that completes a body has left the function."""
    return ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\n#", "\n@", "\n```")


def without_definition(code: str, name: str) -> str:
    """Return ``code`` less its top-level definitions of ``name``; ``""`` where only imports and comments are left."""
    lines = code.split("\n")
    kept: list[str] = []
    decorators: list[str] = []
    useful = dropping = False
    for line, kind in zip(lines, _scan(lines), strict=True):
        if kind == "code" and not _depth(line):
            if line.startswith("@"):
                decorators.append(line)
                continue
            match = _DEFINITION.match(line)
            dropping = match is not None and match.group(1) == name
            kept += [] if dropping else decorators
            decorators = []
            useful = useful or not (dropping or _IMPORT.match(line))
        if not dropping:
            kept.append(line)
    return "\n".join(_stripped(kept)) if useful else ""


def _code(text: str, entry_point: str | None) -> list[str]:
    """Return the lines of code in ``text`` (rules 1 to 4)."""
    text = text.rpartition("</think>")[2].replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    blocks = _blocks(lines)
    if not blocks:
        return _without_tail(_without_prose(_outdented(lines, entry_point), entry_point), entry_point)
    chosen = _chosen([block.lines for block in blocks if block.language in _PYTHON] or [blocks[0].lines], entry_point)
    return [line for block in chosen for line in _without_tail(_outdented(block, entry_point), entry_point)]


@dataclass
class _Block:
    """A fenced block: its opening mark with its indentation, its language, its lines."""

    indent: int
    mark: str
    language: str
    lines: list[str] = field(default_factory=list)


def _blocks(lines: list[str]) -> list[_Block]:
    """Return the fenced blocks of a Markdown text, the last one perhaps without an end."""
    blocks: list[_Block] = []
    inside: _Block | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is not None and "`" in line[fence.end() :]:  # ```code``` within a sentence
            fence = None
        if fence is None:
            if inside is not None:  # a fence in a list item is indented, and its lines with it
                inside.lines.append(line[min(inside.indent, _depth(line)) :])
            continue
        mark, language = fence.group(2), fence.group(3).lower()
        if inside is not None and not mark.startswith(inside.mark):
            inside.lines.append(line)
            continue
        if inside is None and not blocks and not language and _begins_as_code(lines[:number]):
            blocks.append(_Block(0, mark, "", lines[:number]))
        elif inside is not None and not language:
            inside = None
        else:  # a fence with a language opens a block even where the last one was left open
            inside = _Block(len(fence.group(1)), mark, language)
            blocks.append(inside)
    return [block for block in blocks if any(line.strip() for line in block.lines)]


def _begins_as_code(lines: list[str]) -> bool:
    """Tell whether the first line that is neither blank nor a comment (or a Markdown heading) is a statement."""
    first = next((line.lstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return _STATEMENT.match(first) is not None


def _chosen(blocks: list[list[str]], entry_point: str | None) -> list[list[str]]:
    """Return the blocks that make up the program (rule 2)."""
    defining = [block for block in blocks if any(_OPENING.match(line) for line in _outdented(block, entry_point))]
    if entry_point is None:
        return defining or blocks[:1]
    for number, block in enumerate(defining):
        if _defines(_outdented(block, entry_point), entry_point):
            return defining[: number + 1]
    return blocks[:1]


def _defines(lines: list[str], name: str) -> bool:
    found = (_DEFINITION.match(line) for line in lines)
    return any(match is not None and match.group(1) == name for match in found)


def _outdented(lines: list[str], entry_point: str | None) -> list[str]:
    """Move a module that is indented as a whole to column 0; a body keeps its indentation."""
    written = [line for line in lines if line.strip()]
    margin = min((_depth(line) for line in written), default=0)
    if margin:
        moved = [line[margin:] for line in lines]
        if _defines(moved, entry_point) if entry_point else any(_DEFINITION.match(line) for line in moved):
            return moved
    return lines


def _without_prose(lines: list[str], entry_point: str | None) -> list[str]:
    """Drop lines of prose before and after the code (rule 3)."""
    kinds = _scan(lines)
    top = [i for i, kind in enumerate(kinds) if kind in ("code", "comment") and _depth(lines[i]) == 0]
    opening = next((i for i, number in enumerate(top) if _OPENING.match(lines[number])), None)
    if opening is not None and not _is_body(lines, entry_point):
        # Only what surely opens code is trusted, and statements right before it, less calls: "Answer(s) below."
        while opening > 0 and _STATEMENT.match(before := lines[top[opening - 1]]) and not _CALL.match(before):
            opening -= 1
        start = top[opening]
    else:
        code = (i for i, line in enumerate(lines) if line.strip() and (_depth(line) or _STATEMENT.match(line)))
        start = next(code, len(lines))
        if start == len(lines):
            return [] if entry_point is None else lines
    end = next((number for number in top if number > start and not _STATEMENT.match(lines[number])), len(lines))
    return lines[start:end]


def _without_tail(lines: list[str], entry_point: str | None) -> list[str]:
    """Drop an example-usage tail: from the top-level line behind the last definition that opens one (rule 4)."""
    kinds = _scan(lines)
    top = [i for i, kind in enumerate(kinds) if kind in ("code", "comment") and _depth(lines[i]) == 0]
    matches = [(i, match) for i in top if (match := _DEFINITION.match(lines[i])) is not None]
    if not matches or _is_body(lines, entry_point):
        return lines
    names = {match.group(1) for _, match in matches}
    behind = [i for i in top if i > matches[-1][0]]
    for start, end in itertools.pairwise([*behind, len(lines)]):
        bare = _CALL.match(lines[start])  # ``TABLE = build()`` is no tail, ``main()`` is
        calls = {name for line in lines[start:end] for name in _CALL.findall(line)}
        if _TAIL.match(lines[start]) or (bare and bare.group(1) in names) or entry_point in calls:
            return _stripped(lines[:start])
    return lines


def _is_body(lines: list[str], entry_point: str | None) -> bool:
    """Tell whether main's ``lines`` are a function's body and not a module."""
    written = [line for line in lines if line.strip()]
    if entry_point is None or not written:
        return False
    defined = _defines(lines, entry_point)
    if _depth(written[0]):  # before the target's definition it may also be prose with a leading space
        return not defined or _STATEMENT.match(written[0].lstrip()) is not None
    if defined:
        return False
    rest = [_depth(line) for line in written[1:]]
    if rest and 0 < min(rest) < rest[0]:  # a nested def whose line alone lost its indentation
        return True
    owner = ""  # the last statement of column 0: a return below one that defines nothing is outside of any function
    for line, kind in zip(lines, _scan(lines), strict=True):
        if kind == "code":
            owner = line if not _depth(line) else owner
            if _RETURN.match(line.lstrip()) and not _DEFINITION.match(owner):
                return True
    return False


def _definitions(lines: list[str], names: set[str]) -> list[str]:
    """Return the lines of the top-level definitions of ``names``."""
    kept: list[str] = []
    keep = False
    for line, kind in zip(lines, _scan(lines), strict=True):
        if kind == "code" and not _depth(line):
            match = _DEFINITION.match(line)
            keep = match is not None and match.group(1) in names
        if keep:
            kept.append(line)
    return ["", "", *_stripped(kept)] if kept else []


_Kind = Literal["blank", "comment", "code", "inside", "string"]
"""A line is blank, a comment, the first of a statement, inside one, or begins inside a triple-quoted string."""

_TOKEN = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|#|[(\[{]|[)\]}]")


def _scan(lines: list[str]) -> list[_Kind]:
    """Classify lines without parsing them; text that is no Python gives some answer too."""
    kinds: list[_Kind] = []
    state = _State("", 0, False)
    for line in lines:
        if not state.quote and _OPENING.match(line):
            state = _State("", 0, False)  # no bracket of sane code is open here: it was prose's
        if state.quote:
            kinds.append("string")
        elif state.brackets or state.continued:
            kinds.append("inside")
        elif not line.strip():
            kinds.append("blank")
        else:
            kinds.append("comment" if line.lstrip().startswith("#") else "code")
        state = _after(line, state)
    return kinds


class _State(NamedTuple):
    """What is open at a line's end: a triple quote, brackets, a backslash."""

    quote: str
    brackets: int
    continued: bool


def _after(line: str, state: _State) -> _State:
    quote, brackets, position = state.quote, state.brackets, 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return _State(quote, brackets, False)
            position, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        sign = token.group()
        if sign == "#":
            return _State("", brackets, False)
        if sign in ('"""', "'''"):
            quote = sign
        elif sign in "([{":
            brackets += 1
        elif sign in ")]}":
            brackets = max(0, brackets - 1)
    return _State(quote, brackets, not quote and line.endswith("\\"))


def _opens_block(line: str) -> bool:
    return line.split("#")[0].rstrip().endswith(":")


def _spaces(line: str) -> str:
    """Return ``line`` with tabs in its indentation as four spaces each."""
    code = line.lstrip(" \t")
    return line[: len(line) - len(code)].replace("\t", "    ") + code


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _find(values: list[int], value: int, start: int) -> int:
    """Return the position of ``value`` in ``values`` from ``start`` on, or their number."""
    return next((i for i in range(start, len(values)) if values[i] == value), len(values))


def _stripped(lines: list[str]) -> list[str]:
    """Return ``lines`` without blank ones at the end."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]
