"""What stands around the code in a model's answer: what it says without its thoughts, control tokens and answer tags."""

from __future__ import annotations

import re

from codeduet.envs.answers.statements import LITERAL, opens, scan
from codeduet.envs.answers.thoughts import before_on_line, final_channel, marks_outside_docstrings, without_thoughts
from codeduet.envs.answers.turns import first_turn
from codeduet.envs.answers.wrapped import as_fences, without_tool_calls

_NAMES = r"answer|final_answer|final|solution|response|code|python|output|result|conclusion|pre|execute_python|arg_value|parameter"
_TAGS = (
    rf"(?P<inside><(?i:{_NAMES})(?:[ \t]{{1,8}}[\w-]{{1,20}}=[^<>\n]{{0,80}}|=\w{{1,40}})?>|</(?i:{_NAMES})>"
    r"|(?<![\w\])])\[(?:PYTHON|ANSWER|CODE|SOLUTION|BEGIN)\]|\[/(?:PYTHON|ANSWER|CODE|SOLUTION)\]|(?<![\w\])])\[DONE\]"
    r"|<!\[CDATA\[|\]\]>(?=[ \t]{0,20}(?:</|\n|\Z)))"
)
_CLOSES = re.compile(r"</|\[/|\[DONE|\]\]")
_GIVEN = re.compile(r"[ \t]*(?:```|(?:return|yield)\b|\w+[ \t]*=[ \t]*lambda\b)")
_WRITTEN = re.compile(r"(?m)^[ \t]*(?:return|yield)\b|```|~~~")
_SAID_BEFORE = re.compile(r"(?m)^\W{0,3}[A-Z][\w ]{0,40}:\W{0,3}[ \t](?=(?:async[ \t]+)?def[ \t]+\w+[ \t]*\()")
_BOXED = re.compile(r"\\boxed[ \t]*\{\s{0,20}(?:\\text(?:tt)?\{)?")

_STRAY = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANKS = re.compile(
    rf"{LITERAL.pattern}|(?P<blank>[{_STRAY}])|(?P<none>[\u00ad\u200b-\u200f\u2028\u2029\u2060\ufeff])"
)


def spoken(text: str) -> str:
    """Return what an answer says: its thoughts, control tokens and tags gone, its line ends and indentation plain."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    rules = (
        final_channel,
        without_thoughts,
        without_tool_calls,
        first_turn,
        _tagged,
        _unboxed,
        as_fences,
        _plain_blanks,
        _on_its_own_line,
    )
    for rule in rules:
        text = rule(text)
    return text


def _tagged(text: str) -> str:
    """Return what stands inside of answer tags, where there are any with code inside, or none outside."""
    if "<" not in text and "[" not in text:
        return text
    inside: list[str] = []
    outside: list[str] = []
    position, open_at = 0, -1
    words_end = 0  # of a tag that is one of a sentence's words
    for mark in marks_outside_docstrings(text, _TAGS):
        closing = _CLOSES.match(mark.group()) is not None
        if mark.start() < words_end or before_on_line(text, mark.start()).lstrip().startswith("#"):
            continue
        if not closing:
            words_end = _words_end(text, mark)
            if words_end:
                continue
        piece = text[position : mark.start()]
        (outside if open_at < 0 else inside).append(piece)
        position, open_at = mark.end(), -1 if closing else mark.end()
    if not position:
        return text
    (outside if open_at < 0 else inside).append(text[position:])
    answer = [piece for piece in inside if piece.strip()]
    if answer and not any(map(_holds_code, answer)) and any(map(_holds_code, outside)):
        return text  # its output was tagged
    return "\n".join(answer or outside)


def _words_end(text: str, mark: re.Match[str]) -> int:
    """Return where the end tag ends of what is quoted within a line, ``Use <code>sorted</code>``; 0 if code is."""
    line = text[mark.end() : mark.end() + 300].partition("\n")[0]
    name = re.match(r"[<\[]\w+", mark.group())
    quoted, end, _ = line.partition(f"{name.group()[0]}/{name.group()[1:]}" if name else "\n")
    if not end or opens(quoted.lstrip()):
        return 0
    stands = before_on_line(text, mark.start()).strip(" \t>*_")
    if _GIVEN.match(quoted) and (not stands or stands[-1] in ".!?:>]"):
        return 0
    return mark.end() + len(quoted) + len(end) + 1


def _holds_code(text: str) -> bool:
    return _WRITTEN.search(text) is not None or any(opens(line.lstrip()) for line in text.split("\n", 3000)[:3000])


def _unboxed(text: str) -> str:
    """Return the code that mathematicians' models put into a box: ``\\boxed{def f(x): ...}``."""
    for box in _BOXED.finditer(text) if "\\boxed" in text else ():
        lines = text[box.end() :].lstrip().split("\n")
        if opens(lines[0]):
            return "\n".join(_up_to_brace(lines))
    return text


def _up_to_brace(lines: list[str]) -> list[str]:
    """Return ``lines`` up to a brace that nothing in them has opened."""
    open_braces = 0
    for number, bare in enumerate(scan(lines).bare):
        for sign in re.finditer(r"[{}]", bare):
            open_braces += 1 if sign.group() == "{" else -1
            if open_braces < 0:
                return [*lines[:number], lines[number][: sign.start()]]
    return lines


def _on_its_own_line(text: str) -> str:
    """Part a function from words before it: ``Answer: def f(x):``."""
    return _SAID_BEFORE.sub(lambda found: found.group() + "\n", text)


def _plain_blanks(text: str) -> str:
    """Turn odd blanks outside of strings into plain ones; what has no width goes."""
    if text.isascii():
        return text
    plain = {"blank": " ", "none": ""}
    return _BLANKS.sub(lambda found: plain.get(found.lastgroup or "", found.group()), text)
