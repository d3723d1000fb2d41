"""What a module does when it is loaded beyond defining things: examples, tests, a program's own input and output."""

from __future__ import annotations

import re

from codeduet.envs.answers.statements import Code, Statement, bound, defines, free, is_prose, words

_TAIL = re.compile(
    r"print\b|assert\b|>>>|#+[ \t]*(?:driver|example|test|usage|output|check|sample)|(?:example|usage|output)s?\b",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(
    r"\b(?:raw_)?input[ \t]*\(|\bsys[ \t]*\.[ \t]*(?:argv\b|exit[ \t]*\(|stdin[ \t]*\.[ \t]*\w+[ \t]*\()"
    r"|(?<![\w.])(?:open|exit|quit)[ \t]*\(|\bos[ \t]*\.[ \t]*_exit[ \t]*\(|\bfor\b[^\n]{1,80}\bin[ \t]+sys[ \t]*\.[ \t]*stdin\b"
    r"|\b(?:unittest|pytest)[ \t]*\.[ \t]*(?:main|TextTestRunner)[ \t]*\(|\bdoctest[ \t]*\.[ \t]*\w+[ \t]*\("
    r"|\bArgumentParser[ \t]*\(|\.[ \t]*read_(?:text|bytes)[ \t]*\(|\bos[ \t]*\.[ \t]*environ\b|\braise[ \t]+SystemExit\b"
)
_OUTSIDE_NAMES = {
    "input", "raw_input", "argv", "exit", "stdin", "open", "quit", "_exit", "main", "TextTestRunner", "doctest",
    "ArgumentParser", "read_text", "read_bytes", "environ", "SystemExit",
}  # fmt: skip
"""Of what the pattern finds each holds one: sets are quicker to look at."""

_FRAMEWORK = re.compile(r"(?:import|from)[ \t]+(?:pytest|hypothesis|nose|parameterized)\b")
_SHOWS = re.compile(r"(?:[ \t]|^)(?:print[ \t]*\(|assert\b)", re.MULTILINE)
_DRIVER = re.compile(r"(?:main|tests?|test_\w*|run_tests?|demo)\Z", re.IGNORECASE)
_DEFINES = re.compile(r"\b(?:def|class)\b")
_CALL = re.compile(r"(?<!\w)(\w+)[ \t]*\(")


def usage_of(code: Code, target: str | None, *, reads: bool = False) -> list[Statement]:
    """Return the statements of a module that only use it.

    They are ``if __name__`` guards; what reads input, arguments or files, or ends the process, and what uses its results;
    calls, asserts and loops that lead to the target, or show what a function returns; and behind the last definition
    everything from the first print, assert, bare call, line of prose or comment like ``# Example usage`` on, but for tables
    that a definition mentions. Tests that need a framework go with its import, and so does an import of the target itself.

    Args:
        code: a module.
        target: the function that the module is for, or ``None``.
        reads: whether the program is to read its input: then what reads some for a definition stays.
    """
    definitions = [part for part in code.statements if part.kind == "definition"]
    blocks = [part for part in code.statements if part.kind == "block" and _DEFINES.search(_text(code, part))]
    if not definitions and not blocks:
        return []
    usage = _Usage(code, target, {part: free(code, part) for part in (*definitions, *blocks)}, reads)
    changing = {name for part in code.statements if part.kind == "assignment" for name in bound(code, part)}
    usage.follow(definitions, changing)
    last = max(part.start for part in (*definitions, *blocks))
    dropped: list[Statement] = []
    tests = usage.tests()
    tail = False
    for part in code.statements:
        if part in tests:
            dropped.append(part)
        elif part.kind != "definition":
            gone, opens_tail = usage.judge(part, part.start > last, tail)
            tail = tail or opens_tail
            dropped += [part] if gone else []
    return dropped


class _Usage:
    """Decides statement by statement; what is bound by a dropped one is unknown to those behind it."""

    def __init__(self, code: Code, target: str | None, mentions: dict[Statement, set[str]], reads: bool) -> None:
        self.code = code
        self.target = target
        self.mentions = mentions  # of each definition, what it does not bind itself
        self.needed = {name for names in mentions.values() for name in names}
        self.reads = reads
        self.defined: set[str] = set()
        self.drivers = {target} if target else set()
        self.initialisers: set[str] = set()
        self.unknown: set[str] = set()

    def follow(self, definitions: list[Statement], changing: set[str]) -> None:
        """Find which functions lead to the target or the outside, and which fill a table of the module."""
        self.defined = {part.name for part in definitions} | self.drivers
        callers: dict[str, set[str]] = {}
        for part in definitions:
            mentions = self.mentions[part]
            for name in mentions & self.defined:
                callers.setdefault(name, set()).add(part.name)
            if self._reaches_out(part, mentions) or (_DRIVER.match(part.name) and not self.target):
                self.drivers.add(part.name)
            filled = mentions & changing
            if filled and filled & bound(self.code, part._replace(kind="block")):
                self.initialisers.add(part.name)
        waiting = list(self.drivers)
        while waiting:
            new = callers.get(waiting.pop(), set()) - self.drivers
            self.drivers |= new
            waiting += new

    def tests(self) -> set[Statement]:
        """Return imports of test frameworks and of what is defined here, with the definitions that they are for.

        They are loaded with the module, and the import fails. Where all definitions are for tests, none goes.
        """
        definitions = {part.name: names for part, names in self.mentions.items() if part.kind == "definition"}
        begun = {part.name: part.start for part in self.mentions if part.kind == "definition"}
        imports = {part: bound(self.code, part) for part in self.code.statements if part.kind == "import"}
        own = {
            part
            for part, names in imports.items()
            if (self.target in names and self.target in begun)
            or (names and all(begun.get(name, part.start) < part.start for name in names))
        }
        frameworks = {part for part in imports if _FRAMEWORK.match(self.code.bare[part.start])}
        waiting = [name for part in frameworks for name in imports[part]]
        users: dict[str, set[str]] = {}
        for name, mentions in definitions.items() if waiting else ():
            for mentioned in mentions:
                users.setdefault(mentioned, set()).add(name)
        names = set(waiting)
        while waiting:
            new = users.get(waiting.pop(), set()) - names
            names |= new
            waiting += new
        if not frameworks or self.target in names or (definitions and names >= definitions.keys()):
            return own
        self.unknown |= names
        return own | frameworks | {part for part in self.mentions if part.name in names}

    def judge(self, part: Statement, behind: bool, tail: bool) -> tuple[bool, bool]:
        """Tell whether a statement goes, and whether the tail begins with it.

        Args:
            part: no definition.
            behind: whether it stands behind the last definition.
            tail: whether the tail has begun before it.
        """
        first = self.code.bare[part.start] or self.code.lines[part.start]
        if part.kind == "guard":
            return True, behind
        text = _text(self.code, part)
        binds = bound(self.code, part)
        wanted = bool(binds & self.needed)
        if part.kind == "import":
            return tail and not wanted, False
        inner = self.target in binds and defines(self.code, part, str(self.target))
        mentioned = words(self.code, part)
        if (mentioned & self.unknown or self._reaches_out(part, mentioned)) and not (inner or (self.reads and wanted)):
            self.unknown |= binds - self.defined
            return True, behind
        calls = set(_CALL.findall(text))
        bare = _CALL.match(first)  # ``TABLE = build()`` is no tail, ``main()`` is
        shown = bool(calls & self.defined) and _SHOWS.search(text) is not None
        used = shown or bool(calls & self.drivers) or (bare is not None and bare.group(1) in self.defined and behind)
        if wanted and (part.kind != "other" or not used):
            return False, False
        if bare and bare.group(1) in self.initialisers - self.drivers:
            return False, False
        marked = behind and (_TAIL.match(first) is not None or (part.kind == "other" and is_prose(first)))
        gone = marked or tail or (used and not inner)
        if gone and part.kind == "assignment":
            self.unknown |= binds
        return gone, gone and behind

    def _reaches_out(self, part: Statement, names: set[str]) -> bool:
        return not names.isdisjoint(_OUTSIDE_NAMES) and _OUTSIDE.search(_text(self.code, part)) is not None


def _text(code: Code, part: Statement) -> str:
    return "\n".join(code.bare[part.start : part.end])
