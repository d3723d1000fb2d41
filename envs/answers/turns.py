"""Where an answer ends and where it begins, if a text holds more: the question before it, turns invented behind it."""

from __future__ import annotations

import bisect
import re

from codeduet.envs.answers.thoughts import before_on_line, marks_outside_docstrings

_CONTROL = (
    r"(?P<control><\|[\w. \u2581/-]{1,40}\|>|<\uff5c[^\uff5c\n]{1,40}\uff5c>|</?s>|\[/?INST\]|<\|turn>|<turn\|>|\[\|[a-z]{1,20}\|\]"
    r"|<(?i:eos|bos|pad|eot|eod|unk|end_of_\w{1,20}|start_of_turn|fim_\w{1,20})>|<(?:SUF|MID|EOM)>)"
)
_ROLE = re.compile(r"\s*(?:assistant|model|ai|bot)?[ \t]*(?::?[ \t]*\n|\Z)", re.IGNORECASE)
_ASKER = re.compile(r"\s*(?:user|system|human)[ \t]*(?::?[ \t]*\n|\Z)", re.IGNORECASE)
_ASKS = re.compile(
    r"\[INST\]|<[|\uff5c]?(?:user|system|human|fim[_\u2581](?:prefix|suffix|begin|hole))[|\uff5c]?>|<SUF>",
    re.IGNORECASE,
)
"""What opens somebody else's part: a question, or the code around the place to fill."""

_GOES_ON = re.compile(r"[ \t]{1,20}[A-Za-z(]|[ \t]{0,20}\n\s{0,80}?[ \t]+\S")
_INVENTED = (
    r"(?m:^(?P<turn>#{2,6}[ \t]*(?:Instruction|Input|User|Human|Question|Query|Problem|Task)s?\b[ \t\w]{0,20}:?[ \t]*$"
    r"|(?:\*\*)?(?:(?i:human|user|instruction|question|assistant)|Q)(?:[ \t]\d{1,3})?(?:\*\*)?[ \t]?:(?:\*\*)?(?=\s|\Z)))"
)
_ANSWERED = re.compile(r"(?m)^[ \t]*(?:(?:async[ \t]+)?def[ \t]+\w|class[ \t]+\w+[ \t]*[(:]|return\b)|```|~~~")
_FENCE = re.compile(r"(?:`{3,}|~{3,})(?P<info>[^\n`]*)")


def first_turn(text: str) -> str:
    """Return what stands before the control token that ends the turn, less the question and the roles before it."""
    start, asked = 0, False
    for mark in marks_outside_docstrings(text, _CONTROL) if "<" in text or "[" in text else ():
        if _is_remark(text, mark):
            continue
        piece = text[start : mark.start()]
        role = _ASKER.match(piece) if start else None
        if piece.strip() and not (asked or role or _ROLE.fullmatch(piece)):
            break
        asked = _ASKS.fullmatch(mark.group()) is not None or (role is not None and role.end() == len(piece))
        start = mark.end()
    else:
        piece = text[start:]
    role = _ROLE.match(piece) if start else None
    return piece[role.end() :] if role and role.group().strip() else piece


def _is_remark(text: str, mark: re.Match[str]) -> bool:
    """Tell whether a comment speaks of a token, and goes on behind it: ``# <s> is a tag``."""
    before = before_on_line(text, mark.start())
    return "#" in before and before[-1] in " \t#" and _GOES_ON.match(text, mark.end()) is not None


def turns(text: str) -> list[str]:
    """Cut ``text`` where its writer goes on to invent a question: ``Human:``, ``### Instruction:`` behind code."""
    if not re.search(_INVENTED, text):
        return [text]
    answered = _ANSWERED.search(text)
    if answered is None:
        return [text]
    fences = [(found.start(), not found.group("info").strip()) for found in _FENCE.finditer(text)]
    for mark in marks_outside_docstrings(text, _INVENTED):
        before = bisect.bisect(fences, (mark.start(),))
        inside = before % 2 == 1 and before < len(fences) and fences[before][1]  # a fence that has an end
        if mark.start() > answered.start() and not inside:
            return [text[: mark.start()], text[mark.start() :]]
    return [text]
