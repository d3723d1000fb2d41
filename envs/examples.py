"""The examples that a prompt shows, as assert lines a team may see and run.

Found in the docstring of the target, in the forms that HumanEval's prompts have them:

* doctest: ``>>> f(1)`` and what follows it, or ``>>> f(1) == 2``;
* a call and its value: ``f(1) == 2``, with ``=``, ``=>``, ``==>``, ``->``, an arrow, ``returns``, ``should return``...;
* ``Input: [1, 2], k = 3`` and ``Output: 4``;
* ``For n = 3 the output should be 4``.

Arguments and values have to be written out: a line that names what is not there (``f(abc)``) shows no example. What is
found is a guess about prose, so whoever loads a set has the reference confirm it.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.problems import Problem

_GIVES = re.compile(
    r"\s*(?:\#\s*)?(?:==>|=>|==|=|->|\u279e|\u2192|\u21d2|(?:(?:it\s+)?(?:should|must|would|will)\s+)?"
    r"(?:returns?|be|equals?|gives?|outputs?|is)\b)\s*"
)
"""What may stand between a call and its value."""

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_SUM = re.compile(rf"{_NUMBER.pattern}(?:[ ]*[-+*/]{{1,2}}[ ]*{_NUMBER.pattern})*")
_WORDS = {"True": "True", "true": "True", "False": "False", "false": "False", "None": "None", "null": "None"}
_WORD = re.compile(r"[A-Za-z]+\b")
_BEHIND_VALUE = re.compile(r"[ \t]*(?:[.,;\#=(]|\n|\Z|(?:since|because|as|for|and|but|where|which|if)\b)")
_QUIET = re.compile(
    r"[\s>*\-\u2022\d.):]*(?:(?:for|assert|example|examples|e\.g\.|i\.e\.|ex|then|and)\b[\s:,.]*)*\Z", re.IGNORECASE
)
"""What may stand before a call in its line: it is no part of a larger expression."""

_PLACES = re.compile(
    r"^[ \t]*Input[ \t]*:?(?P<given>.*?)^[ \t]*Output[ \t]*:?[ \t]*(?P<value>.*)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_FOR = re.compile(
    r"\bFor[ \t]+(?P<given>\w+[ \t]*=.*?)(?:\bthe\b.*?)?\b(?:output|result)[ \t]+(?:should|would|will)[ \t]+be[ \t]*",
    re.IGNORECASE,
)
_NAMED = re.compile(r"[ \t]*(?:and[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*[=:](?!=)[ \t]*")
_BUILDERS = frozenset({"set", "frozenset", "list", "tuple", "dict", "range", "float", "complex", "bytes"})
_LONGEST = 4000


def examples_of(problem: Problem) -> tuple[str, ...]:
    """Return the examples that a problem's prompt shows, each as one assert line, in their order and without repetition."""
    text = _docstring(problem)
    found = [*_doctests(text, problem.entry_point), *_calls(text, problem.entry_point), *_places(text, problem)]
    if not found and (other := _other_name(text)):  # two of HumanEval's prompts call their function by another name
        found = [(place, line.replace(f"{other}(", f"{problem.entry_point}(")) for place, line in _calls(text, other)]
    return tuple(dict.fromkeys(line for _, line in sorted(found)))


def _docstring(problem: Problem) -> str:
    """Return the target's docstring as it is written, escapes and all: ``"a\\nb"`` in it is no broken line."""
    text = problem.signature
    starts = [place for mark in ('"""', "'''") if (place := text.find(mark)) >= 0]
    if not starts:
        return ""
    start = min(starts)
    end = text.rfind(text[start : start + 3])
    return text[start + 3 : end if end > start else len(text)]


def _doctests(text: str, name: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    for number, line in enumerate(lines):
        if not line.strip().startswith(">>>"):
            continue
        asked, rest = [line.strip()[3:].strip()], number + 1
        while rest < len(lines) and lines[rest].strip().startswith("..."):
            asked.append(lines[rest].strip()[3:])
            rest += 1
        wanted = []
        while rest < len(lines) and lines[rest].strip() and not lines[rest].strip().startswith(">>>"):
            wanted.append(lines[rest].strip())
            rest += 1
        source = "\n".join(asked)
        if re.search(rf"(?<![\w.]){name}\s*\(", source) and _is_closed(source, name):
            value = next((v for n in range(len(wanted), 0, -1) if _is_closed(v := " ".join(wanted[:n]))), "")
            if not wanted and " == " in source:
                yield starts[number], f"assert {source}"
            elif value:
                yield starts[number], _line(source, value)


def _calls(text: str, name: str) -> Iterator[tuple[int, str]]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}[ ]*\(", text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        end = _balanced(text, match.end() - 1)
        call = text[match.start() : end]
        gives = _GIVES.match(text, end)
        # A doctest's value stands in the line below it.
        if not _QUIET.match(line) or not end or not gives or "\n" in gives.group() or not _is_closed(call, name):
            continue
        if value := _value(text, gives.end()):
            yield match.start(), _line(call, value)


def _places(text: str, problem: Problem) -> Iterator[tuple[int, str]]:
    """Find examples that give arguments apart from the call: by ``Input`` and ``Output``, or ``For x = ...``."""
    found = []
    starts = [match.start() for match in re.finditer(r"^[ \t]*Input[ \t]*:?", text, re.MULTILINE | re.IGNORECASE)]
    for start, end in itertools.pairwise([*starts, len(text)]):
        if match := _PLACES.search(text[start:end]):
            found.append((start, match["given"], text[start:end], match.start("value")))
    found += [(match.start(), match["given"], text, match.end()) for match in _FOR.finditer(text)]
    for start, given, within, place in found:
        value, call = _value(within, place), _call_with(given, problem)
        if value and call:
            yield start, _line(call, value)


def _call_with(given: str, problem: Problem) -> str:
    """Return a call with the arguments that ``given`` names (``x = 1, k = 2``) or lists; ``""`` where it is no such text."""
    try:
        (function,) = parse_trusted(problem.signature.rstrip() + "\n    pass\n").body
    except (SyntaxError, ValueError):
        return ""
    assert isinstance(function, ast.FunctionDef)
    names = [parameter.arg for parameter in function.args.args]
    values: dict[str, str] = {}
    given, place = given.strip(), 0
    while match := _NAMED.match(given, place):
        value, place = _value_and_end(given, match.end())
        if not value:
            return ""
        values[match["name"]] = value
        while place < len(given) and given[place] in ", \t\n":
            place += 1
    if not values:
        call = f"{problem.entry_point}({_in_one_line(given)})"
        return call if given and _is_closed(call, problem.entry_point) else ""
    if set(values) == set(names):
        return f"{problem.entry_point}({', '.join(values[name] for name in names)})"
    return f"{problem.entry_point}({', '.join(values.values())})" if len(values) == len(names) else ""


def _other_name(text: str) -> str:
    """Return the name of the function that all of a docstring's examples call, where that is one."""
    names = {match.group(1) for match in re.finditer(r"(?<![\w.])([A-Za-z_]\w*)\(", text)}
    shown = [name for name in sorted(names) if any(True for _ in _calls(text, name))]
    return shown[0] if len(shown) == 1 else ""


def _line(call: str, value: str) -> str:
    return f"assert {_in_one_line(call)} == {value}"


def _in_one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text)  # blanks within a line may stand in a string


def _value(text: str, place: int) -> str:
    """Return the value that is written at ``place``; ``""`` where none is, or another expression goes on behind it."""
    value, end = _value_and_end(text, place)
    return value if value and _BEHIND_VALUE.match(text, end) else ""


def _value_and_end(text: str, place: int) -> tuple[str, int]:
    while place < len(text) and text[place] in " \t\n":
        place += 1
    if place < len(text) and text[place] in "([{\"'":
        end = _balanced(text, place)
        value = _in_one_line(text[place:end])
        return (value, end) if end and _is_closed(value) else ("", place)
    if (word := _WORD.match(text, place)) and word.group() in _WORDS:
        return _WORDS[word.group()], word.end()
    if number := _SUM.match(text, place):
        value = number.group().rstrip(".")
        return (value, place + len(value)) if _is_closed(value) else ("", place)
    return "", place


def _balanced(text: str, place: int) -> int:
    """Return where the bracket or quotation that opens at ``place`` ends; 0 where it does not."""
    depth, quote = 0, ""
    limit = min(len(text), place + _LONGEST)
    while place < limit:
        letter = text[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
            elif letter == "\n":
                return 0
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
        place += 1
        if depth <= 0 and not quote:
            return place if depth == 0 else 0
    return 0


def _is_closed(text: str, name: str = "") -> bool:
    """Tell whether an expression names nothing but ``name`` and what builds plain data."""
    try:
        tree = parse_trusted(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names <= _BUILDERS | {name} and not any(
        isinstance(node, ast.Attribute | ast.Lambda) for node in ast.walk(tree)
    )
