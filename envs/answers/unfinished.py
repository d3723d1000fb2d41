"""Definitions that are no whole answer: stubs, what was cut off, what leaves its middle to an earlier one."""

from __future__ import annotations

import re

from codeduet.envs.answers.statements import Code, Statement, depth, header_end

_DONE = re.compile(r"(?:return|raise|yield)\b")
_CONSTANT = r"(?:None|True|False|NotImplemented|-?[\d.]+|\"*|\[\]|\{\}|\(\)|(?:list|dict|set|tuple|str|int)\(\))"
_HOLLOW = re.compile(
    rf"(?:pass|\.\.\.|return(?:[ \t]+{_CONSTANT})?|raise[ \t]+NotImplementedError\b.*|[furFUR]?\"*)[ \t]*;?[ \t]*"
)
_LEFT_OUT = re.compile(
    r"#[\W_]*(?:"
    r"(?:\.{3}|\u2026)\s*\Z"
    r"|(?=.*(?:\.{3}|\u2026))(?:the[ \t]+)?(?:same|rest|remain\w*|existing|previous|unchanged|omitted|original|other)\b)",
    re.IGNORECASE,
)
"""A comment in the place of code: ``# ... same as above ...``."""

_AS_BEFORE = re.compile(
    r"#[\W_]*(?:(?:same|unchanged)\b.*\b(?:above|before|previously|unchanged)\b"
    r"|(?:rest|remainder)[ \t]+of[ \t]+the[ \t]+(?:code|function|implementation|body)\b)",
    re.IGNORECASE,
)
"""One that may as well speak of the code behind it, where there is more of that."""

_FEW = 2
"""So many lines of code are no more than what is left beside such a comment."""


def is_stub(code: Code, statement: Statement) -> bool:
    """Tell whether a definition has no body worth the name: a docstring, ``pass``, ``...`` or one constant returned."""
    if statement.kind != "definition":
        return False
    body = _body(code, statement)
    written = [line.strip() for line in body if line.strip().strip('"')]
    return len(written) <= 1 and all(_HOLLOW.fullmatch(line) for line in written)


def is_whole(code: Code, statement: Statement, *, cut: bool) -> bool:
    """Tell whether a definition was written to its end; ``cut``: the text may break off behind it."""
    if statement.kind != "definition" or statement.end < len(code.lines):
        return True
    if not code.ended:
        return False
    start = header_end(code, statement)
    inner = [
        line
        for line, kind in zip(code.lines[start : statement.end], code.kinds[start:], strict=False)
        if kind == "code"
    ]
    if not inner:  # on one line
        return bool(_body(code, statement))
    last = code.bare[statement.start : statement.end]
    ending = next(line for line in reversed(last) if line.strip()).rstrip()
    if ending.endswith((":", ",", "\\", "=", "+", "-", "*", "/", "%", "(", "[", "{", " and", " or", " not", " in")):
        return False
    return not cut or (depth(inner[-1]) == depth(inner[0]) and _DONE.match(inner[-1].lstrip()) is not None)


def is_elided(code: Code, statement: Statement) -> bool:
    """Tell whether a definition leaves out a part of its body: ``...`` beside other lines, ``# same as above``."""
    start = header_end(code, statement)
    inner = [number for number in range(start, statement.end) if code.kinds[number] in ("code", "comment")]
    written = [number for number in inner if code.kinds[number] == "code"]
    comments = [code.lines[number].lstrip()[:200] for number in inner if code.kinds[number] == "comment"]
    margin = depth(code.lines[written[0]]) if written else 0
    return (
        any(depth(code.lines[number]) == margin and code.bare[number].strip() == "..." for number in written)
        or any(map(_LEFT_OUT.match, comments))
        or (len(written) <= _FEW and any(map(_AS_BEFORE.match, comments)))
    )


def _body(code: Code, statement: Statement) -> list[str]:
    """Return the masked lines of a definition's body; a body on the line of its ``def`` is one."""
    start = header_end(code, statement)
    header = "\n".join(code.bare[statement.start : start]).rstrip()
    inner = [line for line in code.bare[start : statement.end] if line.strip()]
    if inner or header.endswith(":"):
        return inner
    brackets = 0
    for position, sign in enumerate(header):
        brackets += (sign in "([{") - (sign in ")]}")
        if sign == ":" and not brackets:
            return [header[position + 1 :]]
    return []
