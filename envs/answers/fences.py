"""Markdown fences, read by hand and not by a Markdown parser: what models write is Markdown only in the main.

They close a block on a line of code or with a shorter mark, open it behind prose, quote fences in a docstring, and by the
standard's rules each of these loses the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from codeduet.envs.answers.statements import depth, is_prose, opens

_FENCE = re.compile(r"`{3,}|~{3,}")
_NESTED = re.compile(r"[ \t]*(`{3,}(?=[\w ]*$)|~{3,}(?=[\w ]*$))")
_LISTED = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_QUOTE_MARK = re.compile(r"(?m)^[ \t]*>(?!>>)[ \t]?")
_QUOTED_FENCE = re.compile(r"(?m)^[ \t]*>[ \t]?(?:`{3,}|~{3,})")
_TAG = re.compile(r"\{?[ \t]*\.?([\w+#./-]*)")
_TRIPLE = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|#")
_PYTHON = re.compile(r"(?:i?py(?:thon)?[\d.]*|pycon|python-repl|sage|code|[\w/-]+\.py)?", re.IGNORECASE)
_EXAMPLE = re.compile(
    r"\W*(?:here(?:'s| is| are)[ \t]+)?(?:for[ \t]+)?(?:an?[ \t]+|some[ \t]+|the[ \t]+)?"
    r"(?:example|usage|sample|test|expected|output|wrong|incorrect|bad|how[ \t]+(?:not[ \t]+)?to[ \t]+(?:use|call|run|test))",
    re.IGNORECASE,
)
_WARNS = re.compile(
    r"\W*(?:(?:but|and|so|please|you|one|should|must)\W+){0,3}(?:do[ \t]+not|don['\u2019]?t|never|avoid|not)\b"
    r"(?:\W*\Z|[ \t]+(?:ever[ \t]+)?(?:do|doing|write|writing|try|like|this|that|these|so|such|it|the[ \t]+following|code"
    r"|use[ \t]+(?:this|that|the[ \t]+following|it|code))\b)"
    r"|.*(?:[\u274c\u2717\u2718]|\bwhat[ \t]+not[ \t]+to\b)|.*\b(?:mistakes?|pitfalls?|wrong|incorrect|incorrectly|buggy|broken|faulty|anti-?patterns?|(?:would|will)[ \t]+fail"
    r"|(?:won['\u2019]?t|will[ \t]+not|would[ \t]+not|wouldn['\u2019]?t|doesn['\u2019]?t|does[ \t]+not)[ \t]+work)\b",
    re.IGNORECASE,
)
_MENDS = re.compile(
    r"\b(?:avoid(?:s|ed|ing)|to[ \t]+avoid|without|instead|better|rather|corrects?|corrected|correcting|correction|correctly|fix\w*"
    r"|mend\w*|repair\w*|was|were|previous|earlier|above|first|before|handl\w+|check\w*|input|now|final|updated?|improved?|new"
    r"|faster|simpler|cleaner|robust|safe\w*|proper\w*)\b",
    re.IGNORECASE,
)
_SOLVES = re.compile(r"\b(?:solution|implementation|implement|function|fixed|correct)\b", re.IGNORECASE)


@dataclass
class Block:
    """A fenced block.

    Attributes:
        tag: what the fence calls its language.
        example: whether the words before it announce an example.
        closed: whether the fence has an end.
        lines: what is inside.
    """

    tag: str
    example: bool = False
    closed: bool = False
    lines: list[str] = field(default_factory=list)

    @property
    def python(self) -> bool:
        """Whether the tag is none, or one of Python's."""
        return _PYTHON.fullmatch(self.tag) is not None


def fenced(text: str, *, begins_as_code: bool = False) -> list[Block]:
    """Return the fenced blocks of a text, the last one perhaps without an end.

    Args:
        text: see :func:`spoken`.
        begins_as_code: whether the text begins as code: then a bare fence behind it ends what the prompt had opened.
    """
    if _QUOTED_FENCE.search(text):
        text = _QUOTE_MARK.sub("", text)
    reader = _Reader(text.split("\n"), begins_as_code)
    return [block for block in reader.blocks if any(line.strip() for line in block.lines)]


class _Reader:
    """Reads fences line by line."""

    def __init__(self, lines: list[str], begins_as_code: bool) -> None:
        self.lines = lines
        self.begins_as_code = begins_as_code
        self.blocks: list[Block] = []
        self.inside: Block | None = None
        self.indent = 0
        self.mark = ""
        self.quote = ""  # the triple quote that is open in the block
        self.said = ""  # the last words outside of blocks
        self.quote_ends = _quote_ends(lines)
        for number, line in enumerate(lines):
            if self.inside is None:
                self._outside(number, line)
            else:
                self._within(number, line, self.inside)

    def _outside(self, number: int, line: str) -> None:
        fence = _FENCE.search(line)
        if self.begins_as_code and not self.blocks:
            if fence and self.quote and self.quote_ends[number]:
                return  # in a docstring of code without a fence
            self.quote = _quote_after(line, self.quote)
        before = line[: fence.start()] if fence else line
        if fence is None or (fence.group()[0] == "~" and before.strip()):
            self.said = line if line.strip() else self.said
            return
        info = line[fence.end() :].strip()
        if not self.blocks and not info and self.begins_as_code:
            code = [*self.lines[:number], before]
            self.blocks.append(Block("", closed=True, lines=code))
            self.begins_as_code = False
            return
        if fence.group() in info:  # ```code``` within a sentence, or a block of one line
            content = _without_tag(info.partition(fence.group())[0])
            if opens(content):
                self.blocks.append(Block("", closed=True, lines=[content]))
            return
        listed = _LISTED.fullmatch(before)
        if before.strip() and not listed:
            self.said = before
        self._open(fence.group(), info, len(before) if listed or not before.strip() else 0)

    def _open(self, mark: str, info: str, indent: int) -> None:
        code = _without_tag(info)
        written = [code] if code and opens(code) else []
        tag = _TAG.match(info)
        self.inside = Block("" if written or tag is None else tag.group(1), announces_example(self.said), lines=written)
        self.blocks.append(self.inside)
        self.indent, self.mark, self.quote, self.said = indent, mark, "", ""

    def _within(self, number: int, line: str, block: Block) -> None:
        text = line[min(self.indent, depth(line)) :]  # a fence in a list item is indented, and its lines with it
        if not any(block.lines) and (nested := _NESTED.match(line)) and self.mark[0] != nested.group(1)[0]:
            self.blocks.pop()  # a fence around the fence
            self._open(nested.group(1), line[nested.end() :].strip(), depth(line))
            return
        if self.mark[0] not in line or self.mark[:3] not in line:
            self._write(block, text)
            return
        fence = _FENCE.match(line.lstrip(" \t"))
        if fence is None or fence.group()[0] != self.mark[0]:
            end = _closes_on_code(text, self.mark[:3]) if not self.quote else -1
            if end < 0:
                self._write(block, text)
            else:
                self._write(block, text[:end])
                self._close(number, block, text[end:].lstrip(self.mark[0]))
            return
        info = line.lstrip(" \t")[fence.end() :].strip()
        if self.quote and (depth(line) > self.indent or self.quote_ends[number]):
            block.lines.append(text)
        elif not info or fence.group() in info or (is_prose(info) and not _TAG.fullmatch(info)):
            self._close(number, block, info)
        else:  # a fence with a language opens a block even where the last one was left open
            self._open(fence.group(), info, depth(line))

    def _write(self, block: Block, text: str) -> None:
        block.lines.append(text)
        self.quote = _quote_after(text, self.quote)

    def _close(self, number: int, block: Block, rest: str) -> None:
        block.closed = True
        self.inside = None
        if rest:
            self._outside(number, rest)


def _quote_ends(lines: list[str]) -> list[bool]:
    """Return for each line whether a triple quote follows it before a fence with a language does."""
    found = [False] * len(lines)
    ends = False
    for number in range(len(lines) - 1, -1, -1):
        found[number] = ends
        line = lines[number].lstrip(" \t")
        if line.startswith(("```", "~~~")) and line.strip("`~ \t"):
            ends = False
        elif '"""' in line or "'''" in line:
            ends = True
    return found


def _quote_after(line: str, quote: str) -> str:
    """Return the triple quote that is open behind ``line``, if one (``quote``) was open before it."""
    if '"""' not in line and "'''" not in line:
        return quote
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return quote
            position, quote = end + 3, ""
            continue
        token = _TRIPLE.search(line, position)
        if token is None or token.group() == "#":
            return ""
        position = token.end()
        quote = token.group() if token.group() in ('"""', "'''") else ""
    return quote


def _closes_on_code(line: str, mark: str) -> int:
    """Return where a fence closes a block behind code on the same line, or -1."""
    if line.lstrip().startswith("#"):
        return -1
    literal = re.compile(rf"\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|({mark}+)")
    return next((found.start() for found in literal.finditer(line) if found.group(1)), -1)


def _without_tag(info: str) -> str:
    """Return a fence's line without the language before it: ``python def f(x): ...``."""
    tag, _, rest = info.partition(" ")
    return rest.strip() if tag and _PYTHON.fullmatch(tag) else info


def announces_example(words: str) -> bool:
    """Tell whether words announce an example, or in their last sentence a mistake."""
    words = words[-1000:]
    if _SOLVES.search(words):
        return False
    last = next((part for part in reversed(re.split(r"[.;!?](?=\s|\Z)", words)) if part.strip(" *_:")), "")
    return _EXAMPLE.match(words) is not None or (_WARNS.match(last) is not None and _MENDS.search(last) is None)
