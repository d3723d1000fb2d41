"""What a model thinks before it answers, and how the marks of that, and others, are told from words within code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codeduet.envs.answers.statements import opens

_THOUGHT = (
    r"(?i:(?:inner_|internal_|self_|chain_of_)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflections?|monologue|analysis)"
    r"(?:_\w{1,20})?|cot|scratch_?pad|rationale|plan(?:ning)?|deliberation|brainstorm(?:ing)?|draft)"
)
_OPENED = (
    rf"<(?:\w{{1,20}}:)?{_THOUGHT}(?:[ \t][^<>\n]{{0,80}})?>|\[(?:THINK|REASON)(?:ING)?\]|\u25c1think\u25b7"
    rf"|<\|(?i:begin_of_|start_)?{_THOUGHT}\|>|<\|inner_prefix\|>|<\|channel>thought|\AThinking\.\.\.(?=\n)"
)
_CLOSED = (
    rf"</(?:\w{{1,20}}:)?{_THOUGHT}[ \t]{{0,4}}>|\[/(?:THINK|REASON)(?:ING)?\]|\u25c1/think\u25b7"
    rf"|<\|(?i:/|end_of_|end_){_THOUGHT}\|>|<\|inner_suffix\|>|<channel\|>|\.\.\.done thinking\."
)
_THOUGHTS = rf"(?P<opened>{_OPENED})|(?P<closed>{_CLOSED})"
_HARMONY = re.compile(r"<\|channel\|>[ \t]*(\w{1,20})(?:(?!<\|)[^\n]){0,200}(?:<\|constrain\|>\w{0,20})?<\|message\|>")
_HARMONY_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_PROMPT_OPENS = re.compile(rf"(?:{_OPENED}|<\|channel\|>(?:analysis|commentary)<\|message\|>)\s*\Z")

_QUOTED = r"(?P<quoted>(?<!\w)[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|(?<!`)`[^`\n]+`(?!`)))"
_DOCUMENTED = r"(?P<documented>\"\"\"(?:\\[\s\S]|(?!\"\"\")[^\\])*\"\"\"|'''(?:\\[\s\S]|(?!''')[^\\])*''')|(?P<endless>\"\"\"|''')"
_SIGNS = ("<", "[", "\u25c1", "...")


def opened_thought(prompt: str) -> str:
    """Return the mark that opens a thought at the end of a rendered prompt, or nothing.

    A template that opens the thought itself leaves an answer in which only the end of it shows, and of one that was cut
    off not even that. Put before the answer, the mark says what the answer is.
    """
    found = _PROMPT_OPENS.search(prompt, max(0, len(prompt) - 400))
    return found.group() if found else ""


def marks(text: str, pattern: str) -> Iterator[re.Match[str]]:
    """Find a pattern in ``text`` outside of what stands in quotation marks on one line."""
    if any(sign in text for sign in _SIGNS) and re.search(pattern, text):
        yield from _unquoted(text, pattern, 0)


def marks_outside_docstrings(text: str, pattern: str) -> Iterator[re.Match[str]]:
    """Find a pattern outside of strings of several lines too.

    Thoughts are not looked for so: they quote half a docstring, and all up to the answer's own would be a string.
    """
    if not re.search(pattern, text):
        return
    for found in re.finditer(f"{_DOCUMENTED}|{_QUOTED}|{pattern}", text):
        if found.lastgroup == "endless":  # of all behind it no end is known: looked for once only, or time is quadratic
            yield from _unquoted(text, pattern, found.end())
            return
        if found.lastgroup not in ("documented", "quoted"):
            yield found


def _unquoted(text: str, pattern: str, start: int) -> Iterator[re.Match[str]]:
    found = re.compile(f"{_QUOTED}|{pattern}").finditer(text, start)
    return (match for match in found if match.lastgroup != "quoted")


def before_on_line(text: str, start: int) -> str:
    """Return what stands on the line before ``start``; no more than one looks at at a glance."""
    return text[max(0, start - 500) : start].rpartition("\n")[2]


def final_channel(text: str) -> str:
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


def without_thoughts(text: str) -> str:
    kept: list[str] = []
    position, inside = 0, False
    for mark in marks(text, _THOUGHTS):
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


def _begins_a_thought(text: str, start: int, end: int) -> bool:
    """Tell whether a mark stands where thoughts begin: at a line's start or end, or behind a sentence."""
    before = before_on_line(text, start).strip(" \t>*_")
    return not before or before[-1] in ".!?:>]" or (text[end : end + 1] in ("", "\n") and before[0] not in "#\"'")


def _ends_a_thought(text: str, start: int, end: int) -> bool:
    """Tell whether a mark without an opening one ends the prompt's thought, and is not quoted within code."""
    before, behind = before_on_line(text, start), text[end : end + 500].partition("\n")[0]
    return not before.strip() or not behind.strip() or before[0] not in " \t#"
