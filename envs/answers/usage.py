"""What a module does when it is loaded beyond defining things: examples, tests, a program's own input and output."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Collection

from codeduet.envs.answers.statements import Code, Statement, bound, defines, free, is_prose, words

_TAIL = re.compile(
    r"print\b|assert\b|>>>|#+[ \t]*(?:driver|example|test|usage|output|check|sample)|(?:example|usage|output)s?\b",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(
    r"\b(?:raw_)?input[ \t]*\(|\bsys[ \t]*\.[ \t]*(?:argv\b|exit[ \t]*\(|stdin[ \t]*\.[ \t]*\w+[ \t]*\()"
    r"|[(,][ \t]*(?:sys[ \t]*\.[ \t]*)?stdin[ \t]*[,)]|(?<![\w.])stdin[ \t]*\.[ \t]*read\w*[ \t]*\("
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
_TEST = re.compile(r"[Tt]est(?:s?\Z|_|s?[A-Z])")
_ASSERTS = re.compile(r"[ \t](?:assert\b|print[ \t]*\()|\.(?:assert\w+|raises|fail)[ \t]*\(")
_TEST_CASE = re.compile(r"class\b[^\n]*\bTestCase\b")
_IMPORTS = re.compile(r"(?:from[ \t]+(\w+)|import[ \t]+([^\n;#]+))")


def usage_of(
    code: Code,
    target: str | None,
    *,
    reads: bool = False,
    defined: Collection[str] = (),
    mentioned: Collection[str] = (),
) -> list[Statement]:
    """Return the statements of a module that only use it.

    They are ``if __name__`` guards; what reads input, arguments or files, or ends the process, and what uses its results;
    calls, asserts and loops that lead to the target, or show what a function returns; and behind the last definition
    everything from the first print, assert, bare call, line of prose or comment like ``# Example usage`` on, but for tables
    that a definition mentions. Tests that need a framework go with its import, and so does an import of the target itself.
    What stands behind the last definition and calls what nothing binds goes: ``check(candidate)``. With all that go imports
    of libraries that are not Python's own, where they serve nothing else.

    Args:
        code: a module.
        target: the function that the module is for, or ``None``.
        reads: whether the program is to read its input: then what reads some for a definition stays.
        defined: what the answer defines before the module.
        mentioned: what the answer mentions outside of the module.
    """
    definitions = [part for part in code.statements if part.kind == "definition"]
    blocks = [part for part in code.statements if part.kind == "block" and _DEFINES.search(_text(code, part))]
    if not definitions and not blocks:
        return []
    usage = _Usage(code, target, {part: free(code, part) for part in (*definitions, *blocks)}, reads)
    usage.elsewhere |= set(defined)
    usage.needed |= set(mentioned)
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
    return dropped + usage.feeding(dropped) if dropped else []


def only_tests(code: Code, defined: Collection[str], mentioned: Collection[str]) -> bool:
    """Tell whether a module only tests, or shows, what is defined outside of it.

    All that it defines are tests, and it imports or mentions what is defined there: ``from solution import f``.

    Args:
        code: a module.
        defined: what the answer defines outside of it.
        mentioned: what the answer mentions there.
    """
    definitions = [part for part in code.statements if part.kind == "definition"]
    bound_here = {name for part in code.statements if part.kind != "import" for name in bound(code, part)}
    if not all(_is_test(code, part) for part in definitions) or not bound_here.isdisjoint(mentioned):
        return False
    return bool(own_imports(code, defined)) or any(not free(code, part).isdisjoint(defined) for part in definitions)


def own_imports(code: Code, defined: Collection[str]) -> list[Statement]:
    """Return the imports of nothing but what the answer defines itself: ``from solution import f``."""
    imports = ((part, bound(code, part)) for part in code.statements if part.kind == "import")
    return [part for part, names in imports if names and names.issubset(defined) and _is_foreign(code, part)]


def _is_test(code: Code, part: Statement) -> bool:
    text = _text(code, part)
    return (_TEST.match(part.name) is not None and _ASSERTS.search(text) is not None) or (
        _TEST_CASE.search(text) is not None
    )


def _is_foreign(code: Code, part: Statement) -> bool:
    """Tell whether an import is of nothing that comes with Python."""
    found = _IMPORTS.match(code.bare[part.start])
    if found is None:  # from . import
        return False
    modules = [found.group(1)] if found.group(1) else re.findall(r"(?:\A|,)[ \t]*(\w+)", found.group(2))
    return bool(modules) and sys.stdlib_module_names.isdisjoint(modules)


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
        self.elsewhere: set[str] = set()
        self.bound = {name for part in code.statements for name in bound(code, part)}

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
        own = set(own_imports(self.code, self.elsewhere)) | {
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
        gone = marked or tail or (used and not inner) or (behind and bare is not None and self._is_unbound(part))
        if gone and part.kind == "assignment":
            self.unknown |= binds
        return gone, gone and behind

    def _is_unbound(self, part: Statement) -> bool:
        """Tell whether a call is of what nothing binds; main's may be of helper's, and so must be of the target or such."""
        if part.kind != "other" or "*" in self.bound:
            return False
        called, *given = re.findall(r"(?<![\w.])[^\W\d]\w*", _text(self.code, part))
        known = self.bound | self.elsewhere | set(dir(builtins))
        return called not in known and (
            self.target is None or any(name == self.target or name not in known for name in given)
        )

    def feeding(self, dropped: list[Statement]) -> list[Statement]:
        """Return what serves only what is dropped, of what imports from libraries give: the imports, and assignments."""
        needed = self.needed | {str(self.target)}
        kept = [
            part for part in self.code.statements if part not in dropped and part.kind not in ("definition", "comment")
        ]
        for part in reversed(kept):
            binds = bound(self.code, part)
            if part.kind != "import" and not binds.isdisjoint(needed):
                needed |= words(self.code, part)
        foreign = [
            part
            for part in kept
            if part.kind == "import" and _is_foreign(self.code, part) and bound(self.code, part).isdisjoint(needed)
        ]
        given = {name for part in foreign for name in bound(self.code, part)}
        for part in kept:
            if part.kind != "import" and not words(self.code, part).isdisjoint(given):
                given |= bound(self.code, part) - needed
        said = {word for part in dropped for word in words(self.code, part)}
        gone: list[Statement] = []
        for part in reversed(kept):
            binds, mentioned = bound(self.code, part), words(self.code, part)
            if part.kind == "import" or mentioned.isdisjoint(given):
                continue
            if part.kind == "assignment" and not binds <= said - needed:
                needed |= mentioned  # it is the module's own
            elif part.kind in ("assignment", "other"):
                said |= mentioned
                gone.append(part)
            else:
                needed |= mentioned
        spare = [part for part in foreign if bound(self.code, part) <= said - needed]
        return [*gone, *spare]

    def _reaches_out(self, part: Statement, names: set[str]) -> bool:
        return not names.isdisjoint(_OUTSIDE_NAMES) and _OUTSIDE.search(_text(self.code, part)) is not None


def _text(code: Code, part: Statement) -> str:
    return "\n".join(code.bare[part.start : part.end])
