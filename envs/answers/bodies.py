"""A function that stands where it is not asked for: its body alone, as base models complete, or a class's method."""

from __future__ import annotations

import re

from codeduet.envs.answers.givers import FUTURE, taken_from
from codeduet.envs.answers.statements import (
    DEFINITION,
    OPENING,
    Code,
    Statement,
    depth,
    free,
    is_prose,
    scan,
    stripped,
)
from codeduet.envs.problems import Problem

_RETURN = re.compile(r"return\b")
_CLASS = re.compile(r"class\b")
_NEEDS_ARGUMENTS = re.compile(r"[ \t]+def[ \t]+__init__[ \t]*\([ \t]*\w+[ \t]*,[ \t]*[A-Za-z_][^=]*\Z")
_LEAVES = re.compile(r"(?:return|yield|raise)\b")

_STRAY = 2
"""A first line that is deeper than those behind it by so many blanks has them from what joined the tokens."""


def is_body(code: Code, *, defined: bool) -> bool:
    """Tell whether the lines of ``code`` are a function's body and not a module.

    Args:
        code: what main wrote.
        defined: whether the target is defined in it at the top level.
    """
    written = [line for line in code.lines if line.strip()]
    if not written:
        return False
    if depth(written[0]):
        return not defined or not is_prose(written[0].lstrip())
    if defined:
        return False
    rest = [depth(line) for line in written[1:]]
    if rest and 0 < min(rest) < rest[0]:  # a nested def whose line alone lost its indentation
        return True
    owner = ""  # the last statement of column 0: a return below one that defines nothing is outside of any function
    for line, kind in zip(code.lines, code.kinds, strict=True):
        if kind == "code":
            owner = line if not depth(line) else owner
            if _RETURN.match(line.lstrip()) and not DEFINITION.match(owner):
                return True
    return False


def has_stray_blank(code: Code, name: str | None) -> bool:
    """Tell whether the first line of a module, or of prose before one, is indented by mistake."""
    written = [number for number, line in enumerate(code.lines) if line.strip()]
    if len(written) < 2 or not depth(code.lines[written[0]]):
        return False
    first, second = (code.lines[number] for number in written[:2])
    if is_prose(code.bare[written[0]].lstrip()) and not depth(second):
        return True
    if not OPENING.match(first.lstrip()):
        return depth(first) == 1 and not depth(second) and not _LEAVES.match(first.lstrip())
    head = DEFINITION.match(first.lstrip())
    if head:
        return (head.group(1) == name and depth(first) < depth(second)) or (depth(first) == 1 and depth(second) != 1)
    return not depth(second)


def method_of(code: Code, statement: Statement, name: str) -> tuple[str, Code] | None:
    """Return the class that a statement defines, and the lines from its method ``name`` on as if it were a function.

    ``None`` where it is no class that can be made without arguments, or has no such method.
    """
    heads = (line for line in code.bare[statement.start : statement.end] if not line.startswith("@"))
    if statement.kind != "definition" or not _CLASS.match(next(heads, "")):
        return None
    inner = [n for n in range(statement.start, statement.end) if code.kinds[n] == "code" and depth(code.lines[n])]
    margin = depth(code.lines[inner[0]]) if inner else 0
    methods = [n for n in inner if depth(code.lines[n]) == margin and DEFINITION.match(code.lines[n].lstrip())]
    if any(_NEEDS_ARGUMENTS.match(code.bare[n]) for n in methods):
        return None
    named = (n for n in methods if (head := DEFINITION.match(code.lines[n].lstrip())) and head.group(1) == name)
    start = next(named, None)
    return None if start is None else (statement.name, code.part(start, len(code.lines)).moved(margin))


def join_body(body: str, problem: Problem) -> str:
    """Join a function body to the signature of ``problem``, indented as the signature's docstring is.

    Writers lose indentation in three ways: none is left, the first line alone lost it (a stripped answer), or its
    width is another one; or the first line has one or two blanks too many. What follows the body at top level is dropped,
    but for the functions, imports and constants that the body needs.
    """
    code = scan(body.strip("\n").split("\n"))
    lines = [line if kind == "string" else _spaces(line) for line, kind in zip(code.lines, code.kinds, strict=True)]
    starts = [number for number, kind in enumerate(code.kinds) if kind == "code"] or [0]
    depths = [depth(lines[number]) for number in starts]
    # The rest up to the next top-level statement shows which indentation the first line had, or lost.
    behind_first = _find(depths, 0, 1)
    block = depths[1:behind_first]
    if block:
        opens = code.bare[starts[0]].rstrip().endswith(":") and min(block) == block[0]
        lost = min(block) - (4 if opens else 0) - depths[0]
        if lost > 0:
            lines[starts[0]] = " " * lost + lines[starts[0]]
            depths[0] += lost
        elif 0 < depths[0] - min(block) <= _STRAY:
            depths[0] = min(block)
            lines[starts[0]] = " " * depths[0] + lines[starts[0]].lstrip(" ")
    if depths[0]:
        end = starts[behind_first] if behind_first < len(starts) else len(lines)
    else:  # fully dedented: nothing behind a return of depth 0 is reached
        done = [i for i, number in enumerate(starts) if _RETURN.match(lines[number])]
        end = starts[done[0] + 1] if done and done[0] + 1 < len(starts) else len(lines)
    margin = _margin(problem)
    inside = [
        line if kind == "string" or not line.strip() else _shifted(line, depths[0], margin)
        for line, kind in zip(lines[:end], code.kinds[:end], strict=True)
    ]
    head = problem.signature.rstrip("\n")
    behind = _needed(head.split("\n"), inside, code.part(end, len(lines)), problem.entry_point)
    return "\n".join([head, *stripped(inside), *behind]) + "\n"


def _margin(problem: Problem) -> str:
    """Return what the body of the target is indented by."""
    code = scan(problem.signature.rstrip("\n").split("\n"))
    first = (line for line, kind in zip(code.lines, code.kinds, strict=True) if kind in ("code", "comment"))
    margins = [line[: depth(line)] for line in first if depth(line)]
    return margins[0] if margins else "    "


def _shifted(line: str, old: int, margin: str) -> str:
    """Move a line of a body from a depth of ``old`` blanks to ``margin``; a comment of column 0 stays there."""
    inner = depth(line) - old
    before = margin + " " * inner if inner >= 0 else " " * max(0, len(margin) + inner)
    return before + line.lstrip(" ")


def _needed(head: list[str], inside: list[str], behind: Code, name: str) -> list[str]:
    """Return the lines of the top-level statements behind a body that its function needs.

    Of functions a mention is enough, within a string too; imports and constants must bind what the function does not.
    """
    function = scan([*head, *inside])
    target = next((part for part in function.statements if part.name == name), None)
    wanted = free(function, target) if target else set()
    mentioned = set(re.findall(r"\w+", "\n".join(inside)))
    wanted |= {part.name for part in behind.statements if part.name in mentioned}
    givers = [
        (behind, part)
        for part in behind.statements
        if part.kind in ("definition", "assignment")
        or (part.kind == "import" and not FUTURE.match(behind.lines[part.start]))
    ]
    kept = [line for _, part in taken_from(givers, wanted, {name}) for line in behind.lines[part.start : part.end]]
    return ["", "", *stripped(kept)] if kept else []


def _spaces(line: str) -> str:
    """Return ``line`` with tabs in its indentation as four spaces each."""
    code = line.lstrip(" \t")
    return line[: len(line) - len(code)].replace("\t", "    ") + code


def _find(values: list[int], value: int, start: int) -> int:
    """Return the position of ``value`` in ``values`` from ``start`` on, or their number."""
    return next((i for i in range(start, len(values)) if values[i] == value), len(values))
