"""What stands around the code in a model's answer: thoughts, control tokens, answer tags, Markdown fences.

Fences are read by hand and not by a Markdown parser: what models write is Markdown only in the main. They close a block
on a line of code or with a shorter mark, open it behind prose, quote fences in a docstring, and by the standard's rules
each of these loses the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from codeduet.envs.answers.statements import LITERAL, depth, is_prose, opens

_THOUGHT = (
    r"(?i:(?:inner_|internal_|self_|chain_of_)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflections?|monologue|analysis)"
    r"(?:_\w{1,20})?|cot|scratch_?pad|rationale|plan(?:ning)?|deliberation|brainstorm(?:ing)?|draft)"
)
_OPENED = (
    rf"<(?:\w{{1,20}}:)?{_THOUGHT}(?:[ \t][^<>\n]{{0,80}})?>|\[(?:THINK|REASON)(?:ING)?\]|\u25c1think\u25b7"
    rf"|<\|(?i:begin_of_|start_)?{_THOUGHT}\|>|<\|inner_prefix\|>|<\|channel>thought|\AThinking\.\.\.(?=\n)"
)
_CLOSED = (
    rf"</(?:\w{{1,20}}:)?{_THOUGHT}>|\[/(?:THINK|REASON)(?:ING)?\]|\u25c1/think\u25b7"
    rf"|<\|(?i:/|end_of_|end_){_THOUGHT}\|>|<\|inner_suffix\|>|<channel\|>|\.\.\.done thinking\."
)
_THOUGHTS = rf"(?P<opened>{_OPENED})|(?P<closed>{_CLOSED})"
_HARMONY = re.compile(r"<\|channel\|>[ \t]*(\w{1,20})(?:(?!<\|)[^\n]){0,200}(?:<\|constrain\|>\w{0,20})?<\|message\|>")
_HARMONY_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_CONTROL = r"(?P<control><\|[\w. \u2581/-]{1,40}\|>|<\uff5c[^\uff5c\n]{1,40}\uff5c>|</?s>|\[/?INST\]|<(?i:eos|bos|pad|eot|eod|unk|end_of_\w{1,20}|start_of_turn)>)"
_ROLE = re.compile(r"\s*(?:assistant|model|ai|bot)?[ \t]*(?::?[ \t]*\n|\Z)", re.IGNORECASE)
_TAGS = (
    r"(?P<inside></?(?i:answer|final_answer|final|solution|response|code|python|output|result|conclusion)>"
    r"|(?<![\w\])])\[(?:PYTHON|ANSWER|CODE|SOLUTION|BEGIN)\]|\[/(?:PYTHON|ANSWER|CODE|SOLUTION)\]|(?<![\w\])])\[DONE\])"
)
_SAID_BEFORE = re.compile(r"(?m)^\W{0,3}[A-Z][\w ]{0,40}:\W{0,3}[ \t](?=(?:async[ \t]+)?def[ \t]+\w+[ \t]*\()")
_QUOTED = r"(?P<quoted>(?<!\w)[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|(?<!`)`[^`\n]+`(?!`)))"

_PROMPT_OPENS = re.compile(rf"(?:{_OPENED}|<\|channel\|>(?:analysis|commentary)<\|message\|>)\s*\Z")
_STRAY = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANKS = re.compile(
    rf"{LITERAL.pattern}|(?P<blank>[{_STRAY}])|(?P<none>[\u00ad\u200b-\u200f\u2028\u2029\u2060\ufeff])"
)

_FENCE = re.compile(r"`{3,}|~{3,}")
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


def opened_thought(prompt: str) -> str:
    """Return the mark that opens a thought at the end of a rendered prompt, or nothing.

    A template that opens the thought itself leaves an answer in which only the end of it shows, and of one that was cut
    off not even that. Put before the answer, the mark says what the answer is.
    """
    found = _PROMPT_OPENS.search(prompt, max(0, len(prompt) - 400))
    return found.group() if found else ""


def spoken(text: str) -> str:
    """Return what an answer says: its thoughts, control tokens and tags gone, its line ends and indentation plain."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for rule in (_final_channel, _without_thoughts, _first_turn, _tagged, _plain_blanks, _on_its_own_line):
        text = rule(text)
    return text


def _marks(text: str, pattern: str) -> Iterator[re.Match[str]]:
    """Find a pattern in ``text`` outside of what stands in quotation marks."""
    if any(sign in text for sign in ("<", "[", "\u25c1", "...")) and re.search(pattern, text):
        found = re.finditer(f"{_QUOTED}|{pattern}", text)
        yield from (match for match in found if match.lastgroup != "quoted")


def _final_channel(text: str) -> str:
    """Harmony: the last final channel is the answer; a text of other channels only has none."""
    channels = list(_HARMONY.finditer(text))
    if channels:
        final = [channel for channel in channels if channel.group(1) == "final"]
        if not final:
            return text[: channels[0].start()] if opens(text.lstrip()) else ""
        end = _HARMONY_END.search(text, final[-1].end())
        return text[final[-1].end() : end.start() if end else len(text)]
    # Decoded without its control tokens only the channels' names are left.
    if re.match(r"\s*(?:analysis|commentary)(?=[A-Z])", text) or "assistantfinal" in text:
        return text.rpartition("assistantfinal")[2] if "assistantfinal" in text else ""
    return text


def _without_thoughts(text: str) -> str:
    kept: list[str] = []
    position, inside = 0, False
    for mark in _marks(text, _THOUGHTS):
        start, end = mark.span()
        if mark.lastgroup == "opened":
            if not inside and _begins_a_thought(text, start, end):
                kept.append(text[position:start])
                inside = True
        elif inside:
            position, inside = end, False
        elif _ends_a_thought(text, start, end):  # the template had opened it
            kept, position = [], end
    return "".join(kept) if inside else "".join(kept) + text[position:]


def _before(text: str, start: int) -> str:
    """Return what stands on the line before ``start``; no more than one looks at at a glance."""
    return text[max(0, start - 500) : start].rpartition("\n")[2]


def _begins_a_thought(text: str, start: int, end: int) -> bool:
    """Tell whether a mark stands where thoughts begin: at a line's start or end, or behind a sentence."""
    before = _before(text, start).strip(" \t>*_")
    return not before or before[-1] in ".!?:>]" or (text[end : end + 1] in ("", "\n") and before[0] not in "#\"'")


def _ends_a_thought(text: str, start: int, end: int) -> bool:
    """Tell whether a mark without an opening one ends the prompt's thought, and is not quoted within code."""
    before, behind = _before(text, start), text[end : end + 500].partition("\n")[0]
    return not before.strip() or not behind.strip() or before[0] not in " \t#"


def _first_turn(text: str) -> str:
    """Return what stands before the control token that ends the turn, less the names of roles before it."""
    start = 0
    for mark in _marks(text, _CONTROL):
        piece = text[start : mark.start()]
        if piece.strip() and not _ROLE.fullmatch(piece):
            break
        start = mark.end()
    else:
        piece = text[start:]
    role = _ROLE.match(piece) if start else None
    return piece[role.end() :] if role and role.group().strip() else piece


def _tagged(text: str) -> str:
    """Return what stands inside of answer tags, where there are any with something inside."""
    inside: list[str] = []
    outside: list[str] = []
    position, open_at = 0, -1
    for mark in _marks(text, _TAGS):
        closing = "/" in mark.group() or mark.group() == "[DONE]"
        piece = text[position : mark.start()]
        (outside if open_at < 0 else inside).append(piece)
        position, open_at = mark.end(), -1 if closing else mark.end()
    if not position:
        return text
    (outside if open_at < 0 else inside).append(text[position:])
    answer = [piece for piece in inside if piece.strip()]
    return "\n".join(answer or outside)


def _on_its_own_line(text: str) -> str:
    """Part a function from words before it: ``Answer: def f(x):``."""
    return _SAID_BEFORE.sub(lambda found: found.group() + "\n", text)


def _plain_blanks(text: str) -> str:
    """Turn odd blanks outside of strings into plain ones; what has no width goes."""
    if text.isascii():
        return text
    plain = {"blank": " ", "none": ""}
    return _BLANKS.sub(lambda found: plain.get(found.lastgroup or "", found.group()), text)


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
        self.inside = Block(
            "" if written or tag is None else tag.group(1), _announces_example(self.said), lines=written
        )
        self.blocks.append(self.inside)
        self.indent, self.mark, self.quote, self.said = indent, mark, "", ""

    def _within(self, number: int, line: str, block: Block) -> None:
        text = line[min(self.indent, depth(line)) :]  # a fence in a list item is indented, and its lines with it
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


def _announces_example(words: str) -> bool:
    return _EXAMPLE.match(words) is not None and _SOLVES.search(words) is None
