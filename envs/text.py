"""From what a model wrote to the code that is judged. Nobody else extracts.

The rules, in order:

1. Where there is a Markdown fence, the code is inside it: of several fenced blocks the first that defines the target
   function, else the first. An opening fence without an end (the answer was cut off) runs to the end of the text.
2. Where there is none, the text is the code, less lines of prose before its first and after its last statement.
3. An ``Example usage`` tail (top-level ``print``, ``assert``, ``if __name__``...) behind the target function goes.
4. Main only: a body alone, as base models complete, is joined to the prompt's signature.

All of it looks at lines: candidate text is never parsed in the caller's process, since a parser can be crashed.
"""

from __future__ import annotations

import re

from codeduet.envs.problems import Problem

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_STATEMENT = re.compile(
    r"(?:from[ \t]+[.\w]+[ \t]+import\b|import[ \t]+\w|(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:]"
    r"|@\w|#|[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?:[ \t]*,[ \t]*\w+)*[ \t]*(?::[ \t]*[\w\[\], .|]+)?[ \t]*[-+*/%&|^]{0,2}=[^=]"
    r"|[A-Za-z_][\w.]*\(|(?:if|elif|for|while|with|try|except)\b.*:[ \t]*(?:#.*)?$|(?:else|finally|try)[ \t]*:"
    r"|(?:assert|del|global|raise|return)\b|pass[ \t]*$|[)\]}\"'])"
)
_OPENING = re.compile(r"(?:from[ \t]+[.\w]+[ \t]+import\b|import[ \t]+\w|(?:async[ \t]+)?def[ \t]|class[ \t]+\w|@\w|#)")
_TAIL = re.compile(
    r"(?:print[ \t]*\(|assert\b|if[ \t]+__name__\b|#+[ \t]*(?:example|test|usage|output|check)|(?:example|usage|output)s?\b)",
    re.IGNORECASE,
)


def extract_helper(text: str) -> str:
    """Return the code in the helper's ``text`` (``""`` where there is none)."""
    return _cut_tail(_code_of(text, None), None)


def extract_main(text: str, problem: Problem) -> str:
    """Return the code in main's ``text``; a body alone is joined to the signature of ``problem``."""
    code = _cut_tail(_code_of(text, problem.entry_point), problem.entry_point)
    return join_body(code, problem) if _is_body(code, problem.entry_point) else code


def join_body(body: str, problem: Problem) -> str:
    """Join a function body to the signature of ``problem``, indenting it where its writer did not.

    A body whose first line alone lost its indentation (a stripped answer) gets it back.
    """
    lines = body.strip("\n").split("\n")
    depths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    if depths and depths[0] == 0:
        if len(depths) > 1 and min(depths[1:]) > 0 and not lines[0].rstrip().endswith(":"):
            lines[0] = " " * min(depths[1:]) + lines[0]
        else:
            lines = ["    " + line if line.strip() else line for line in lines]
    return problem.signature.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def stop_strings() -> tuple[str, ...]:
    """Strings at which a base model that completes a body has left the function."""
    return ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\n#", "\n@", "\n```")


def _code_of(text: str, entry_point: str | None) -> str:
    text = text.replace("\r\n", "\n")
    blocks = [match.group(3) for match in _FENCE.finditer(text)]
    if blocks:
        defining = [block for block in blocks if entry_point and _definition(entry_point).search(block)]
        return (defining or blocks)[0]
    return _without_prose(text)


def _definition(name: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", re.MULTILINE)


def _without_prose(text: str) -> str:
    """Drop lines of prose around code that has a top-level definition; other text is returned as it is."""
    lines = text.split("\n")
    if not any(re.match(r"(?:async[ \t]+)?def[ \t]", line) for line in lines):
        return text
    if not lines[0].startswith((" ", "\t")):  # an indented first line is a body that top-level code follows
        first = next((i for i, line in enumerate(lines) if _STATEMENT.match(line)), 0)
        if not _OPENING.match(lines[first]):
            # "Answer (see below)" looks like a call: where prose precedes, trust only what surely opens code.
            prose = any(line.strip() and not _STATEMENT.match(line) for line in lines[:first])
            if prose or not lines[first].strip():
                first = next(i for i, line in enumerate(lines) if _OPENING.match(line))
        lines = lines[first:]
    for number in _top_level(lines):
        if not _STATEMENT.match(lines[number]):
            lines = lines[:number]
            break
    return "\n".join(lines)


def _cut_tail(code: str, entry_point: str | None) -> str:
    """Drop an example-usage tail: from a top-level line that opens one, if no definition follows it."""
    lines = code.split("\n")
    definitions = [i for i, line in enumerate(lines) if re.match(r"(?:async[ \t]+)?def[ \t]|class[ \t]", line)]
    if entry_point is not None:
        targets = [i for i in definitions if _definition(entry_point).match(lines[i])]
        after = targets[-1] if targets else (definitions[-1] if definitions else -1)
    else:
        after = definitions[-1] if definitions else -1
    if after < 0:
        return code
    for number in _top_level(lines):
        if number > after and _TAIL.match(lines[number]) and not any(d > number for d in definitions):
            return "\n".join(lines[:number]).rstrip("\n") + "\n"
    return code


def _top_level(lines: list[str]) -> list[int]:
    """Return the numbers of non-blank lines that start in column 0, outside triple-quoted strings."""
    numbers = []
    quote = ""
    for number, line in enumerate(lines):
        if not quote and line.strip() and not line.startswith((" ", "\t")):
            numbers.append(number)
        position = 0
        while position < len(line):
            if quote:
                end = line.find(quote, position)
                if end < 0:
                    break
                position, quote = end + 3, ""
            else:
                found = re.compile(r"\"\"\"|'''|#").search(line, position)
                if found is None or found.group() == "#":
                    break
                quote, position = found.group(), found.end()
    return numbers


def _is_body(code: str, entry_point: str) -> bool:
    """Tell whether ``code`` is a function's body and not a module: it does not define the target, and does not open
    as a module does."""
    if not code.strip() or _definition(entry_point).search(code):
        return False
    first = next(line for line in code.split("\n") if line.strip())
    if first.startswith((" ", "\t")):
        return True
    return re.search(r"^(?:async[ \t]+)?(?:def|class)[ \t]", code, re.MULTILINE) is None and bool(
        re.search(r"^[ \t]*return\b", code, re.MULTILINE)
    )
