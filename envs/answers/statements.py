"""The lines and statements of a Python text, told apart without parsing it.

A candidate's text may be anything, and a parser that fails in the caller's process takes the run along. What is asked
here, line by line, needs none: where strings, brackets and comments are, which statements of the top level there are,
what they bind and what they mention. Text that is no Python gets some answer too. No pattern backtracks over more than
a bounded stretch, so a hostile text of any shape costs time in proportion to its length.
"""

from __future__ import annotations

import functools
import itertools
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

DEFINITION = re.compile(r"(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)")
OPENING = re.compile(
    r"from[ \t]+[.\w]+[ \t]+import\b|import[ \t]+\w|(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:]|@\w"
)
"""What surely opens code, if it is not prose."""

_LETTER = r"[A-Za-z_\u00aa-\u024f\u0370-\u03ff]"  # not of scripts that write sentences without blanks
_ASSIGNED = (  # targets, an operator
    rf"\*?{_LETTER}[\w.]*(?:[ \t]*,[ \t]*\*?{_LETTER}[\w.]*)*[ \t]*(?::[^=\n]*)?[-+*/%&|^@<>]{{0,2}}=(?!=)"
)
_STATEMENT = re.compile(
    OPENING.pattern
    + r"|[)\]}\"']"
    + r"|(?:assert|break|continue|del|global|nonlocal|pass|raise|return|yield)\b"
    + r"|(?:else|finally|try)[ \t]*:|(?:if|elif|while|with|except|match|case)\b[^\n]*:|(?:async[ \t]+)?for\b[^\n]*\bin\b"
    + r"|[A-Za-z_][\w.]*[(\[]|"
    + _ASSIGNED
)
_NAMED = r"[\w.]+(?:[ \t]+as[ \t]+\w+)?"
_IMPORTED = re.compile(
    rf"import[ \t]+{_NAMED}(?:[ \t]*,[ \t]*{_NAMED})*[ \t]*(?:[;\\].*)?"
    rf"|from[ \t]+[.\w]+[ \t]+import[ \t]*(?:[(*\\].*|{_NAMED}(?:[ \t]*,[ \t]*{_NAMED})*[ \t]*,?[ \t]*(?:[;\\].*)?)"
)
_WORDS = re.compile(r"[^\W\d]\w*")
_TOKENS = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\w\s]")
_JOINING = {*keyword.kwlist, "match", "case", "type"} - {"False", "None", "True", "pass", "break", "continue"}
"""Words that stand beside another word in Python; two others in a row are prose."""

_CONTINUES = re.compile(r"(?:else|elif|except|finally)\b")
_MATCH = re.compile(r"match\b[^=\n]*:[ \t]*$|async\b")
_KINDS = {
    **dict.fromkeys(("def", "class", "async"), "definition"),
    **dict.fromkeys(("from", "import"), "import"),
    **dict.fromkeys(("if", "for", "while", "with", "try"), "block"),
}
_GUARD = re.compile(r"if\b[^\n]{0,20}\b__name__\b")
_IMPORT = re.compile(r"(?:from|import)\b")
_ASSIGNMENT = re.compile(r"[ \t]*(?:" + _ASSIGNED + ")")
_CHANGED = re.compile(r"[ \t]*([A-Za-z_]\w*)(?:[.\[])")
_INNER_DEFINITION = re.compile(r"[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)")
_LOCAL = re.compile(
    r"\bfor[ \t]+([\w, \t()*]{1,80}?)[ \t]+in\b|\bas[ \t]+(\w+)|\b(\w+)[ \t]*:=|\blambda[ \t]+([\w, \t*=]{1,80}):"
)
_PARAMETER = re.compile(r"[(,]\s*\*{0,2}([A-Za-z_]\w*)")
_GLOBAL = re.compile(r"\b(?:global|nonlocal)[ \t]+([\w, \t]{1,200})")
_RETURN = re.compile(r"return\b")
_LOOP = re.compile(r"(?:for|while)\b")

Kind = Literal["blank", "comment", "code", "inside", "string"]
"""A line is blank, a comment, the first of a statement, inside one, or begins inside a string of several lines."""

LITERAL = re.compile(
    r"(\"\"\"|''')(?:\\[\s\S]?|(?!\1)[^\\])*(?:\1|\Z)"
    r"|\"(?:\\[\s\S]?|[^\"\\\n])*\"?|'(?:\\[\s\S]?|[^'\\\n])*'?|\#[^\n]*"
)
"""A string, perhaps without an end, or a comment."""

_NO_BRACKET = re.compile(r"[^()\[\]{}\n]+")
_INNER = "\x01"  # begins a masked line that begins inside a string


@dataclass(frozen=True)
class Code:
    """Lines with what is known of them.

    Attributes:
        lines: as they were written.
        bare: the same, comments cut off and every character of a string a quotation mark.
        kinds: what each is.
        ended: whether no string and no bracket is left open at the end.
    """

    lines: list[str]
    bare: list[str]
    kinds: list[Kind]
    ended: bool

    @functools.cached_property
    def statements(self) -> list[Statement]:
        """The statements of the top level, in order; indented lines before the first belong to none."""
        return _statements(self)

    @functools.cached_property
    def returns(self) -> bool:
        """Whether there is a ``return`` of column 0."""
        return any(kind == "code" and _RETURN.match(line) for line, kind in zip(self.bare, self.kinds, strict=True))

    def part(self, start: int, end: int) -> Code:
        """Return the lines from ``start`` up to ``end``."""
        if (start, end) == (0, len(self.lines)):
            return self
        ended = self.ended or end < len(self.lines)
        return Code(self.lines[start:end], self.bare[start:end], self.kinds[start:end], ended)

    def without(self, dropped: Collection[Statement]) -> Code:
        """Return the lines that are in none of the statements."""
        gone = {number for statement in dropped for number in range(statement.start, statement.end)}
        kept = [number for number in range(len(self.lines)) if number not in gone]
        lines, bare = ([column[number] for number in kept] for column in (self.lines, self.bare))
        return Code(lines, bare, [self.kinds[number] for number in kept], self.ended)

    def moved(self, margin: int) -> Code:
        """Return the lines with up to ``margin`` blanks less before each, but for the insides of strings."""
        shifts = [
            0 if kind == "string" else min(margin, depth(line))
            for line, kind in zip(self.lines, self.kinds, strict=True)
        ]
        lines, bare = (
            [line[shift:] for line, shift in zip(column, shifts, strict=True)] for column in (self.lines, self.bare)
        )
        return Code(lines, bare, self.kinds, self.ended)


class Statement(NamedTuple):
    """A statement of the top level, with its decorators, its block and its ``else``: lines ``start`` up to ``end``."""

    kind: Literal["import", "definition", "assignment", "guard", "block", "comment", "other"]
    name: str
    """What a definition defines; else empty."""
    start: int
    end: int


def depth(line: str) -> int:
    """Return the number of blanks and tabs that ``line`` begins with."""
    return len(line) - len(line.lstrip(" \t"))


def stripped(lines: list[str]) -> list[str]:
    """Return ``lines`` without blank ones at the end."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def scan(lines: list[str]) -> Code:
    """Find the strings, brackets and comments of ``lines``."""
    open_string = False

    def masked(match: re.Match[str]) -> str:
        nonlocal open_string
        text, mark = match.group(), match.group(1)
        if text[0] == "#":
            return ""
        open_string = mark is not None and (len(text) < 6 or not text.endswith(mark))
        if "\n" not in text:
            return '"' * len(text)
        return ("\n" + _INNER).join('"' * len(part) for part in text.split("\n"))

    hidden = LITERAL.sub(masked, "\n".join(lines))
    bare = hidden.split("\n")
    kinds: list[Kind] = []
    brackets, continued = 0, False
    for line, code, signs in zip(lines, bare, _NO_BRACKET.sub("", hidden).split("\n"), strict=True):
        inside = brackets > 0 or continued
        if inside and OPENING.match(line) and not code.startswith(_INNER):
            inside, brackets = False, 0  # no bracket of sane code is open here: it was prose's
        if code.startswith(_INNER):
            kinds.append("string")
        elif inside:
            kinds.append("inside")
        elif code and not code.isspace():
            kinds.append("code")
        else:
            kinds.append("comment" if line and not line.isspace() else "blank")
        if signs:
            closing = signs.count(")") + signs.count("]") + signs.count("}")
            brackets = max(0, brackets + len(signs) - 2 * closing)
        continued = code.endswith("\\")
    return Code(lines, [code.lstrip(_INNER) for code in bare], kinds, not (open_string or brackets))


def is_prose(bare: str) -> bool:
    """Tell whether a line of column 0, strings and comments masked, is no Python: ``return the largest of them``."""
    if not _STATEMENT.match(bare):
        return True
    tokens = _TOKENS.findall(bare[:1000])  # enough to tell
    last = bare.rstrip()[-1]
    if last in "?!" or (last == "." and not bare.rstrip()[-2:-1].isdigit() and not bare.rstrip().endswith("...")):
        return True
    if tokens[0] in ("import", "from") and not _IMPORTED.fullmatch(bare.rstrip()):
        return True
    if (last == ":" and tokens[0] == "return") or ("->" in bare and tokens[0] not in ("def", "async")):
        return True
    pairs = itertools.pairwise(tokens)
    return "=>" in bare or any((left in (")", "]") or _word(left)) and _word(right) for left, right in pairs)


def _word(token: str) -> bool:
    """Tell whether a token is a name or a number, which Python parts from the next by a sign or a keyword."""
    return (token[0].isalnum() or token[0] == "_") and token not in _JOINING


def opens(bare: str) -> bool:
    """Tell whether a line surely opens code: an import, a definition, a decorator."""
    return OPENING.match(bare) is not None and not is_prose(bare)


def _statements(code: Code) -> list[Statement]:
    found: list[Statement] = []
    heads = [
        number
        for number, kind in enumerate(code.kinds)
        if kind in ("code", "comment") and code.lines[number][:1] not in (" ", "\t")
    ]
    deeper = _followed_by_block(code)
    begun: int | None = None  # by a decorator
    for head, following in itertools.pairwise([*heads, len(code.lines)]):
        bare = code.bare[head]
        comment = code.kinds[head] == "comment"
        if found and begun is None and (_CONTINUES.match(bare) or (comment and deeper[head])):
            found[-1] = found[-1]._replace(end=following)  # a comment of column 0 within a block ends nothing
        elif bare.startswith("@") or (comment and begun is not None):
            begun = head if begun is None else begun
        else:
            kind, name = ("comment", "") if comment else _kind(bare)
            found.append(Statement(kind, name, head if begun is None else begun, following))  # type: ignore[arg-type]
            begun = None
    return found


def _kind(bare: str) -> tuple[str, str]:
    """Return the kind and name of the statement that a line opens."""
    word = _WORDS.match(bare)
    kind = _KINDS.get(word.group(), "") if word else ""
    if kind == "definition" and (definition := DEFINITION.match(bare)):
        return kind, definition.group(1)
    if kind == "block" and _GUARD.match(bare):
        return "guard", ""
    if kind in ("import", "block"):
        return kind, ""
    return ("assignment" if _ASSIGNMENT.match(bare) else "block" if _MATCH.match(bare) else "other"), ""


def _followed_by_block(code: Code) -> list[bool]:
    """Return for each line whether the next line of code is indented."""
    found = [False] * len(code.lines)
    deeper = False
    for number in range(len(code.lines) - 1, -1, -1):
        found[number] = deeper
        if code.kinds[number] == "code":
            deeper = code.lines[number][:1] in (" ", "\t")
    return found


def words(code: Code, statement: Statement) -> set[str]:
    """Return the names in a statement; of an assignment, those it reads: its annotation, which is evaluated, and its value."""
    text = _text(code, statement)
    if statement.kind == "assignment":
        target, _, value = text.partition("=")
        text = f"{target.partition(':')[2]}\n{value}"
    return set(_WORDS.findall(text))


def bound(code: Code, statement: Statement) -> set[str]:
    """Return the names that a statement binds or changes in place, as far as lines tell."""
    if statement.kind == "definition":
        return {statement.name}
    if statement.kind == "import":
        named = _text(code, statement).rpartition("import")[2]
        return {part.split()[-1].partition(".")[0] for part in re.split(r"[,()\n;]", named) if part.split()}
    names: set[str] = set()
    for line in code.bare[statement.start : statement.end]:
        if _ASSIGNMENT.match(line):
            names.update(_WORDS.findall(line.partition("=")[0].partition(":")[0]))
        elif changed := _CHANGED.match(line):
            names.add(changed.group(1))
        elif inner := _INNER_DEFINITION.match(line):
            names.add(inner.group(1))
        elif _IMPORT.match(line.lstrip()):
            names.update(_WORDS.findall(line.rpartition("import")[2]))
    return names


def free(code: Code, statement: Statement) -> set[str]:
    """Return the names that a definition mentions and does not itself bind."""
    text = _text(code, statement)
    local: set[str] = set()
    for line in code.bare[statement.start : statement.end]:
        if _ASSIGNMENT.match(line) and line[:1] in (" ", "\t"):
            local.update(_WORDS.findall(line.partition("=")[0].partition(":")[0]))
        elif inner := _INNER_DEFINITION.match(line):
            local.update(_PARAMETER.findall(line))
            local.add(inner.group(1))
    header = code.part(statement.start, header_end(code, statement))
    local.update(_PARAMETER.findall("\n".join(header.bare)))
    for groups in _LOCAL.findall(text):
        local.update(name for group in groups for name in _WORDS.findall(group))
    for names in _GLOBAL.findall(text):
        local.difference_update(_WORDS.findall(names))
    return set(_WORDS.findall(text)) - local


def defines(code: Code, statement: Statement, name: str) -> bool:
    """Tell whether a statement defines or assigns ``name``, in a top-level ``if`` or ``try`` too.

    Beside a ``return`` of column 0, and in a loop, what is assigned is a variable, which may be called as the function is.
    """
    if statement.kind == "definition":
        return statement.name == name
    return (
        statement.kind in ("assignment", "block")
        and name in bound(code, statement)
        and _gives(code, statement, name, assigned=not (code.returns or _LOOP.match(code.bare[statement.start])))
    )


def _gives(code: Code, statement: Statement, name: str, *, assigned: bool) -> bool:
    assignment = rf"|{name}[ \t]*(?::[^=\n]*)?=(?!=)" if assigned else ""
    pattern = re.compile(rf"[ \t]*(?:(?:async[ \t]+)?def[ \t]+{name}\b{assignment})")
    return any(pattern.match(line) for line in code.bare[statement.start : statement.end])


def _text(code: Code, statement: Statement) -> str:
    return "\n".join(code.bare[statement.start : statement.end])


def header_end(code: Code, statement: Statement) -> int:
    """Return the number of the line behind a definition's ``def ...:``, decorators included."""
    number = statement.start
    while number < statement.end and not DEFINITION.match(code.bare[number]):
        number += 1
    number += 1
    while number < statement.end and code.kinds[number] == "inside":
        number += 1
    return min(number, statement.end)
