"""One program's process: parses, loads and calls what the trusted side sends, and streams back what it returns.

It knows neither tests nor expected values, so what it sends can only be an answer, right or wrong. Whatever a program
raises is a finding, so every exception is caught. Nothing here may be trusted once the program has started: the program
can reach and change all of it.
"""

# ruff: noqa: BLE001, S102, TRY004  # running foreign code and reporting what it raises is what this file is for

from __future__ import annotations
import __future__

import ast
import errno
import gc
import opcode
import operator
import random
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution import wire
from codeduet.envs.execution.jail import structure
from codeduet.envs.execution.jail.script import Script
from codeduet.envs.execution.kinds import CLASSES, LENGTH, UNDESCRIBED, TooLargeError, attributes_of
from codeduet.envs.execution.reading import Decoder, decode
from codeduet.envs.execution.values import Encoder, encode

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import LimitName, Limits

PREAMBLE = "preamble"
JOB = ("module", "classes", PREAMBLE, "parts", "entry_point", "seed", "streams")
"""What a job is made of, in the order it is sent; ``parts`` are (agent, code)."""
_RAISE = opcode.opmap["RAISE_VARARGS"]
_FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names} - {0, 0x10})
"""The flags that ``from __future__ import`` sets; 0x10 is a nested function's."""


def run(channel: int, limits: Limits) -> None:
    """Do one program's job, as told on ``channel``, until the trusted side hangs up."""
    gc.disable()  # a syntax tree is thousands of objects and no garbage
    job = dict(zip(JOB, decode(wire.receive(channel)), strict=True))
    random.seed(job["seed"])
    compiled = _compile(channel, job)
    if compiled is None:
        return
    program = _Loaded(job["classes"], limits, list(compiled))
    target = program.load(channel, job, compiled)
    if target is None:
        return
    while True:
        calls = Decoder(wire.receive(channel), names=program.names, kept=[])
        calls.byte()
        for _ in range(calls.number()):
            wire.send(channel, program.answer(target, calls))


_Compiled = dict[str, "types.CodeType | BaseException"]


def _compile(channel: int, job: dict[str, Any]) -> _Compiled | None:
    """Compile the parts; tell which of the candidate's are no Python, and the program's shape.

    Returns:
        The code of each part, or why it is Python and does not compile; None for what is no Python.
    """
    parts: list[tuple[str, str]] = job["parts"]
    compiled: _Compiled = {}
    error: tuple[str, ...] = ()
    flags = 0
    for part, source in ((PREAMBLE, job[PREAMBLE]), *parts):
        try:
            # From its text, since a tree may be too deep where the text is not; under no flag of this file's, but those
            # that the prompt sets: it holds for all that follows it.
            code = compiled[part] = compile(source, f"<{part}>", "exec", flags, dont_inherit=True)
            if part == PREAMBLE:
                flags = code.co_flags & _FUTURES
        except BaseException as problem:  # SyntaxError, ValueError (null bytes), RecursionError, MemoryError
            compiled[part] = problem
            if not _parses(source, problem):
                error = error or (part, *_describe(problem))
    codes = [code if isinstance(code := compiled[agent], types.CodeType) else None for agent, _ in parts]
    shape: list[Any] = []
    try:
        shape = structure.read(codes, lambda place: _tree(parts[place][1]), job["entry_point"])
    except BaseException as problem:  # too deep to walk
        error = error or (parts[-1][0], *_describe(problem))
    wire.send(channel, encode(("parsed", not error, shape, error)))
    return None if error else compiled


def _parses(source: str, problem: BaseException) -> bool:
    """Tell whether what does not compile is Python: a ``return`` outside of any function, say."""
    if type(problem) is not SyntaxError:
        return False
    try:
        ast.parse(source)
    except BaseException:
        return False
    return True


def _tree(source: str) -> ast.Module | None:
    """Return a syntax tree; None if it would be too deep."""
    try:
        return ast.parse(source)
    except (RecursionError, MemoryError):
        return None


class _Loaded:
    """The program as a module.

    Args:
        own: names of the classes that the prompt defines.
        limits: what it may use.
        parts: what it is made of.
    """

    def __init__(self, own: list[str], limits: Limits, parts: list[str]) -> None:
        self.names: dict[str, Any] = {}
        self._own = own
        self._limits = limits
        self._files = {f"<{part}>": part for part in parts}
        self._streams: list[Iterator[Any]] = []  # what was returned and may be asked for more

    def load(self, channel: int, job: dict[str, Any], compiled: _Compiled) -> Any:
        """Run the parts as one module; return the target function, or None where it does not load.

        A program that reads and prints is run anew for each input, since it may be a script: the function returned then
        takes an input and gives what was printed.
        """
        # Registered, as any module is: dataclasses with text annotations and pickle look it up. Its name is no
        # identifier, so that no program can import from it by name what it could not elsewhere.
        module = types.ModuleType(job["module"])
        sys.modules[job["module"]] = module
        sys.modules["__main__"] = types.ModuleType("__main__")
        self.names = module.__dict__
        part = ""
        try:
            gc.enable()
            codes = []
            for part, code in compiled.items():
                if isinstance(code, BaseException):
                    raise code
                codes.append((part, code))
            if job["streams"]:
                script = Script([code for _, code in codes], job["entry_point"], self._limits)
                wire.send(channel, encode(("loaded",)))
                return script.run
            for part, code in codes:  # noqa: B007  # the handler says which one it was
                exec(code, self.names)
            target = self.names.get(job["entry_point"])
            if not callable(target):
                raise NameError(f"the program does not define {job['entry_point']}")
        except BaseException as problem:
            wire.send(channel, encode(("failed", part, *_describe(problem))))
            return None
        wire.send(channel, encode(("loaded",)))
        return target

    def answer(self, target: Any, calls: Decoder) -> bytes:
        """Make the next of ``calls``; return what it gave, or how it failed, as a message."""
        kept = calls.kept = calls.containers = []
        calls.instances = []
        call = calls.value()
        if type(call) is int:  # the number of an iterator, not a call
            return self._more(call)
        before = list(map(self._content, kept)) if kept else []
        try:
            answer, kind = target(*call[0], **call[1]), b"="
        except BaseException as problem:
            answer, kind = problem, b"!"
        encoder = self._encoder()
        try:
            changed = False
            if kept:
                changed = not all(map(_same, before, map(self._content, kept)))
                encoder.refer_to(kept)
            if kind == b"=":
                encoder.put_value(answer)
            else:
                self._put_failure(encoder, answer)
            if changed:
                encoder.write(LENGTH.pack(len(kept)))
                for container in kept:
                    encoder.put_content(container)
            return kind + b"".join(encoder.parts)
        except BaseException as problem:
            return self._not_sent(problem)

    def _encoder(self) -> Encoder:
        return Encoder(self._limits, own=self._own, names=self.names, streams=self._streams)

    def _content(self, container: Any) -> Any:
        """Return what a container holds: its items, not what those hold."""
        kind = type(container)
        if kind is list:
            return tuple(container)
        if kind is dict:
            return (*container, *container.values())
        if kind.__name__ in self._own and self.names.get(kind.__name__) is kind:
            held = attributes_of(container)
            return (*map(sys.intern, held), *held.values())
        encoder = Encoder(own=self._own, names=self.names)
        encoder.comparing = True
        try:
            return encoder.encode(container)
        except RecursionError:
            return object()  # the same as nothing

    def _more(self, number: int) -> bytes:
        """Return the next items of an iterator."""
        encoder = self._encoder()
        try:
            encoder.put_chunk(self._streams[number], encoder.depth)
            encoder.put_later()
            return b"+" + b"".join(encoder.parts)
        except BaseException as problem:
            return self._not_sent(problem)

    def _not_sent(self, problem: BaseException) -> bytes:
        """Return why what the program gave cannot be sent: the limit it passes, or ``UNDESCRIBED``."""
        encoder = self._encoder()
        self._put_reason(encoder, problem.limit if isinstance(problem, TooLargeError) else _limit_of(problem))
        return b"!" + b"".join(encoder.parts)

    def _put_failure(self, encoder: Encoder, problem: BaseException) -> None:
        """Write the limit that an exception stands for, whose code raised it, and the exception itself."""
        if isinstance(problem, TooLargeError):  # of a script's output
            self._put_reason(encoder, problem.limit)
            return
        encoder.put((_limit_of(problem), self._raised_in(problem)), encoder.depth)
        encoder.put_value(problem)

    def _put_reason(self, encoder: Encoder, limit: str) -> None:
        encoder.put((limit or UNDESCRIBED, ""), encoder.depth)
        encoder.put(None, encoder.depth)

    def _raised_in(self, problem: BaseException) -> str:
        """Return the part whose code raised ``problem``: the innermost frame that is one's."""
        part = ""
        trace = problem.__traceback__
        while trace is not None:
            part = self._files.get(trace.tb_frame.f_code.co_filename, part)
            trace = trace.tb_next
        return part


def _same(before: Any, after: Any) -> bool:
    """Tell whether a container holds what it held: the same objects, where its items are told."""
    if type(before) is tuple:
        return len(before) == len(after) and all(map(operator.is_, before, after))
    return bool(before == after)


def _describe(problem: BaseException) -> tuple[str, LimitName, str]:
    """Return the nearest built-in class, the limit it stands for, and its message in one line."""
    kinds = (kind.__name__ for kind in type(problem).__mro__ if CLASSES.get(kind.__name__) is kind)
    name = next(kinds, "Exception")
    try:
        message = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        message = str(message)[:1000].split("\n")[0][:160]
        if isinstance(problem, SyntaxError) and problem.lineno:
            message += f" (line {problem.lineno})"
    except BaseException:  # its own __str__ fails
        message = ""
    return name, _limit_of(problem), message


def _limit_of(problem: BaseException) -> LimitName:
    """Return the limit that an exception stands for, unless a ``raise`` made it: a program may mean its own memory."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    limit: LimitName = ""
    if isinstance(problem, MemoryError):
        limit = "memory"
    elif isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
        limit = "open_files"
    own = limit and trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE
    return "" if own else limit
