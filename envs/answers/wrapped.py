"""What wraps lines of code beside Markdown: other fences, JSON, HTML, diffs, line numbers, a notebook's commands."""

from __future__ import annotations

import html
import itertools
import json
import re

from codeduet.envs.answers.statements import DEFINITION, LITERAL, opens, scan
from codeduet.envs.answers.thoughts import marks_outside_docstrings

_OPENERS = {
    r"'''(?:python|py)3?": "'''",
    r"\"\"\"(?:python|py)3?": '"""',
    r"\{\{\{(?:[ \t]?#!\w{1,20})?": r"\}\}\}",
    r"\[code(?:=\w{1,20})?\]": r"\[/code\]",
    r"\\begin\{(?:verbatim|lstlisting|minted|python|code)\}[^\n]{0,80}": r"\\end\{\w{1,20}\}",
    r"#\+(?i:begin_src)\b[^\n]{0,80}": r"#\+(?i:end_src)",
}
"""Lines that open a block of code in other tongues -> the lines that close it."""

_OTHER_FENCES = [
    (re.compile(rf"(?m)^{opener}[ \t]{{0,8}}$"), re.compile(rf"(?m)^{closer}[ \t]{{0,8}}$"))
    for opener, closer in _OPENERS.items()
]
_TICKED = re.compile(
    r"(?m)^(?P<ticks>`{1,2})(?=(?:async |def |class |from |import |@\w))([^`\n]+\n[^`]+)(?P=ticks)[ \t]{0,8}$"
)
_FIELD = re.compile(r"\"\w{1,30}\"\s{0,20}:\s{0,20}(\"(?:[^\"\\\n]|\\.)*\")")
_CODES = re.compile(r"\b(?:n?def|n?class|n?import|n?from|return)\b|@")  # a line break's n stands before it
_QUOTES = re.compile(r"\\\"")
_RETURNS = re.compile(r"(?m)^[ \t]+return\b")

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d{2,3}|#x[0-9a-fA-F]{2});")
_NUMERIC = re.compile(r"&#\w{2,4};")
_NUMBERED = re.compile(r"[ \t]{0,8}(\d{1,5})(?:[ \t]{0,4}[|:\u2502](?: |(?=\t)|$)|[ \t]|$)")
_HUNK = re.compile(r"@@ -\d")
_NOT_NEW = re.compile(r"-|\+\+\+ |@@ |diff |index |\\ No newline")
_FILE = re.compile(r"\*\*\* (?:Add|Update) File:")
_FILE_ENDS = re.compile(r"\*\*\* (?:End Patch|(?:Add|Update|Delete) File:)")
_SEARCH = re.compile(r"<{5,9}[ \t]*(?:SEARCH|ORIGINAL)\b")
_REPLACES = re.compile(r"={5,9}[ \t]*$")
_REPLACED = re.compile(r">{5,9}[ \t]*(?:REPLACE|UPDATED)\b")
_PATH = re.compile(r"[ \t]*[\w./-]{1,200}\.py[ \t]*$")
_HEREDOC = re.compile(r"[ \t]*(?:sudo[ \t]+)?(?:cat|tee|python[\d.]*)\b[^\n<]{0,200}<<-?[ \t]*\\?(['\"]?)(\w{1,40})\1")
_LANGUAGE = re.compile(r"[ \t]*(?:python|py)[23]?[ \t]*$", re.IGNORECASE)
_ESCAPED = re.compile(rf"{LITERAL.pattern}|(?P<escaped>\\[_*\[\]])")
_ALONE = re.compile(r"(?m)^(?:\'\'\'|\"\"\")[ \t]{0,8}$")
_TOOL_CALL = (
    r"<[|\uff5c]tool[_\u2581]calls?(?:[_\u2581]section)?[_\u2581](?:begin|end)[|\uff5c]>"
    r"(?:(?<=begin[|\uff5c]>)[^<\n]{0,80}<[|\uff5c]tool[_\u2581](?:sep|call[_\u2581]argument[_\u2581]begin)[|\uff5c]>"
    r"(?m:\w{1,40}$)?)?"
)
"""The tokens around a call, with its tool's name: ``<|tool_call_begin|>functions.python:0<|tool_call_argument_begin|>``."""

_COMMAND = re.compile(r"[ \t]*(?:%{1,2}[A-Za-z]|![\w./~]|\$[ \t]\w|(?:pip3?|conda|apt-get)[ \t]+install\b)")


def without_tool_calls(text: str) -> str:
    """Part the arguments of a tool's call from the control tokens around them, which would end the answer."""
    if "tool" not in text:
        return text
    kept: list[str] = []
    position = 0
    for token in marks_outside_docstrings(text, _TOOL_CALL):
        kept += [text[position : token.start()], "\n"]
        position = token.end()
    return "".join([*kept, text[position:]])


def as_fences(text: str) -> str:
    """Write what other marks enclose as Markdown's fences enclose it; a text that has fences keeps its own."""
    if "```" in text or "~~~" in text:
        return text if "\\n" not in text else _from_json(text)
    for opener, closer in _OTHER_FENCES:
        opening = opener.search(text)
        if opening and opens(text[opening.end() :].lstrip()[:300].partition("\n")[0]):
            closing = closer.search(text, opening.end())
            end, rest = (closing.start(), "```" + text[closing.end() :]) if closing else (len(text), "")
            return f"{text[: opening.start()]}```python{text[opening.end() : end]}{rest}"
    text = _quoted_as_fence(text)
    if "`" in text:
        text = _TICKED.sub(r"```python\n\2\n```", text)
    return text if "\\n" not in text else _from_json(text)


def _quoted_as_fence(text: str) -> str:
    """Triple quotes on a line of their own are fences where all that is defined stands within them."""
    opening = _ALONE.search(text)
    if opening is None or text.count(opening.group().strip(), 0, opening.start()) % 2:  # it ends a string
        return text
    if not opens(text[opening.end() :].lstrip()[:300].partition("\n")[0]):
        return text
    mark = opening.group().strip()
    before, inside = text[: opening.start()], text[opening.end() :]
    closing = next((found for found in _ALONE.finditer(inside) if found.group().strip() == mark), None)
    behind = inside[closing.end() :] if closing else ""
    if any(DEFINITION.match(line.lstrip(" \t")) for line in f"{before}\n{behind}".split("\n")):
        return text
    return f"{before}```python{inside[: closing.start()]}```{behind}" if closing else f"{before}```python{inside}"


def _from_json(text: str) -> str:
    """Return the code in the fields of JSON, such as a tool's arguments, where no line of the text defines anything."""
    if '":' not in text.replace(" ", "") or any(DEFINITION.match(line.lstrip(" \t>+")) for line in text.split("\n")):
        return text
    found = _values(text) or _values("\n".join(_values(text, any_text=True)))
    return "\n".join(value if "```" in value else f"```python\n{value}\n```" for value in found) or text


def _values(text: str, *, any_text: bool = False) -> list[str]:
    """Return the values of fields that hold code, or any that hold JSON in turn (``any_text``)."""
    found = []
    for field in _FIELD.finditer(text):
        if not (_QUOTES if any_text else _CODES).search(field.group(1)):
            continue
        try:
            value = json.loads(field.group(1), strict=False)  # one string: nothing nests
        except ValueError:
            continue
        written = value.split("\n", 3000)[:3000]
        if ('":' in value) if any_text else (_RETURNS.search(value) or any(map(opens, written))):
            found.append(value)
    return found


def unwrapped(lines: list[str], tag: str) -> list[str]:
    """Return the lines of a block less what a browser, an editor, a diff or a notebook put beside its code.

    Args:
        lines: a block's, or a whole text's that has no fence.
        tag: what the fence calls its language.
    """
    for rule in (_unescaped, _unnumbered, _as_new_file, _replaced, _patched, _of_heredoc, _without_commands, _unmarked):
        lines = rule(lines, tag)
    return lines


def _unescaped(lines: list[str], tag: str) -> list[str]:
    """HTML: where an entity stands outside of strings, all of them are signs."""
    if not any(map(_ENTITY.search, lines)):
        return lines
    named = [_NUMERIC.sub("&amp;", line) for line in lines]  # of a number the sign before it would begin a comment
    if any(map(_ENTITY.search, scan(named).bare)):
        return html.unescape("\n".join(lines)).replace("\u00a0", " ").split("\n")
    return lines


def _unnumbered(lines: list[str], tag: str) -> list[str]:
    """``1 | def f(x):``, three lines at least, each number one more."""
    found = [_NUMBERED.match(line) for line in lines]
    if not any(found):
        return lines
    numbered = [match for match in found if match]
    numbers = [int(match.group(1)) for match in numbered]
    if len(numbers) < 3 or any(after - before != 1 for before, after in itertools.pairwise(numbers)):
        return lines
    if not any(opens(match.string[match.end() :].lstrip()) for match in numbered):
        return lines
    return [line[match.end() :] if match else line for line, match in zip(lines, found, strict=True)]


def _patched(lines: list[str], tag: str) -> list[str]:
    """A diff: what is there after it."""
    begins = next((number for number, line in enumerate(lines) if _HUNK.match(line)), None)
    if begins is None and not (tag in ("diff", "patch") and any(line.startswith("+") for line in lines)):
        return lines
    kept = [line for line in lines[begins or 0 :] if not _NOT_NEW.match(line)]
    shifted = all(line[:1] in ("+", " ", "") for line in kept)
    return [line[1:] if line.startswith("+") or shifted else line for line in kept]


def _as_new_file(lines: list[str], tag: str) -> list[str]:
    """``*** Add File: solution.py`` of a patch for a tool: what its last file is after it."""
    begins = [number for number, line in enumerate(lines) if _FILE.match(line)]
    if not begins:
        return lines
    behind = lines[begins[-1] + 1 :]
    end = next((number for number, line in enumerate(behind) if _FILE_ENDS.match(line)), len(behind))
    return [line[1:] for line in behind[:end] if line[:1] in ("+", " ", "")]


def _replaced(lines: list[str], tag: str) -> list[str]:
    """``<<<<<<< SEARCH``: what is there after the replacement; the name of the file before it goes."""
    if not any(map(_SEARCH.match, lines)):
        return lines
    kept: list[str] = []
    old = False
    for line in lines:
        if _SEARCH.match(line):
            old = True
            if kept and _PATH.match(kept[-1]):
                kept.pop()
        elif old:
            old = _REPLACES.match(line) is None
        elif not _REPLACED.match(line):
            kept.append(line)
    return kept


def _of_heredoc(lines: list[str], tag: str) -> list[str]:
    """A shell's ``cat > solution.py << 'EOF'``: what the files hold, where one is of Python."""
    if not any("<<" in line for line in lines):
        return lines
    held: list[str] = []
    end = ""
    for line in lines:
        if end:
            end = "" if line.strip() == end else end
            held += [line] if end else []
        elif found := _HEREDOC.match(line):
            end = found.group(2)
        elif opens(line):  # what is written out beside it is the answer
            return lines
    return held if any(map(opens, held)) else lines


def _unmarked(lines: list[str], tag: str) -> list[str]:
    """The language on the line behind a fence, and Markdown's escapes outside of strings: ``longest\\_run``."""
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is not None and _LANGUAGE.match(lines[first]):
        lines = lines[first + 1 :]
    if not any("\\" in line for line in lines):
        return lines
    plain = _ESCAPED.sub(lambda found: found.group()[1:] if found.group("escaped") else found.group(), "\n".join(lines))
    return plain.split("\n")


def _without_commands(lines: list[str], tag: str) -> list[str]:
    """A notebook's and a shell's commands: ``%%time``, ``!pip install numpy``."""
    if not any(map(_COMMAND.match, lines)):
        return lines
    kinds = scan(lines).kinds
    return [line for line, kind in zip(lines, kinds, strict=True) if not (kind == "code" and _COMMAND.match(line))]
