"""One program's process: parses, loads and calls what the trusted side sends, and streams back what it returns.

It knows neither tests nor expected values, so what it sends can only be an answer, right or wrong. Whatever a program
raises is a finding, so every exception is caught. Nothing here may be trusted once the program has started: the program
can reach and change all of it.
"""

# ruff: noqa: BLE001, S102, TRY004  # running foreign code and reporting what it raises is what this file is for

from __future__ import annotations

import ast
import builtins
import errno
import gc
import io
import random
import sys
import types
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution import wire
from codeduet.envs.execution.jail import structure
from codeduet.envs.execution.values import TooLargeError, decode, encode

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import LimitName, Limits

UNITS = ("preamble", "helper", "main")
_FILES = {f"<{unit}>": unit for unit in UNITS}
_BUILTIN_ERRORS = {
    value: name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


def run(channel: int, limits: Limits) -> None:
    """Do one program's job, as told on ``channel``, until the trusted side hangs up."""
    gc.disable()  # a syntax tree is thousands of objects and no garbage
    job: dict[str, Any] = decode(wire.receive(channel))
    random.seed(job["seed"])
    trees = _parse(channel, job)
    if trees is None:
        return
    target = _load(channel, trees, job["entry_point"], job.get("streams", False))
    if target is None:
        return
    while True:
        for arguments, options in decode(wire.receive(channel)):
            wire.send(channel, _answer(target, arguments, options, limits))


def _parse(channel: int, job: dict[str, Any]) -> list[ast.Module] | None:
    """Parse the units; tell which of the candidate's do not parse, and the program's shape."""
    trees: dict[str, ast.Module | None] = {}
    error: tuple[str, ...] = ()
    for unit in UNITS:
        try:
            trees[unit] = ast.parse(job[unit], filename=f"<{unit}>")
        except BaseException as problem:  # SyntaxError, ValueError (null bytes), RecursionError, MemoryError
            trees[unit] = None
            error = error or (unit, *_describe(problem))
    helper, main = trees["helper"], trees["main"]
    try:
        shape = structure.read(helper, main, job["entry_point"])
    except BaseException as problem:  # too deep to walk
        shape = {}
        error = error or ("main", *_describe(problem))
    wire.send(channel, encode(("parsed", helper is not None and main is not None, shape, error)))
    return [tree for tree in trees.values() if tree is not None] if not error else None


def _load(channel: int, trees: list[ast.Module], entry_point: str, streams: bool) -> Any:
    """Run the units as one module; return the target function, or None where it does not load.

    A program that reads and prints is loaded anew for each input, since it may be a script: the function returned here
    takes an input and gives what was printed.
    """
    # Dataclasses with text annotations look their module up in sys.modules.
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    sys.modules["__main__"] = types.ModuleType("__main__")
    unit = ""
    try:
        compiled = []
        for unit, tree in zip(UNITS, trees, strict=True):
            compiled.append((unit, compile(tree, f"<{unit}>", "exec")))
        gc.enable()
        if streams:
            wire.send(channel, encode(("loaded",)))
            return lambda text: _run_on(text, [code for _, code in compiled], entry_point)
        for unit, code in compiled:  # noqa: B007  # the handler says which one it was
            exec(code, module.__dict__)
        target = module.__dict__.get(entry_point)
        if not callable(target):
            raise NameError(f"the program does not define {entry_point}")
    except BaseException as problem:
        wire.send(channel, encode(("failed", unit, *_describe(problem))))
        return None
    wire.send(channel, encode(("loaded",)))
    return target


def _run_on(text: str, units: list[types.CodeType], entry_point: str) -> str:
    """Run the units on a text as standard input; return what they print.

    A script prints as it is loaded; where nothing is printed then, the target is called.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    # Text streams over bytes, as programs may read and write ``sys.stdin.buffer`` too.
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass")), encoding="utf-8")
    output = io.BytesIO()
    sys.stdout = io.TextIOWrapper(output, encoding="utf-8", errors="surrogatepass", write_through=True)
    try:
        for code in units:
            exec(code, module.__dict__)
        if not output.tell() and callable(target := module.__dict__.get(entry_point)):
            target()
    except SystemExit as problem:  # a script's usual end
        if problem.code not in (None, 0):
            raise
    return output.getvalue().decode("utf-8", "surrogatepass")


def _answer(target: Any, arguments: list[Any], options: dict[str, Any], limits: Limits) -> bytes:
    """Call the target; return what it gave, or how it failed, as a message."""
    try:
        return b"=" + encode(target(*arguments, **options), limits)
    except TooLargeError as problem:
        return b"!" + encode((problem.limit, "", "", ""))
    except BaseException as problem:
        name, limit, message = _describe(problem)
        return b"!" + encode((limit, name, _raised_in(problem), message))


def _raised_in(problem: BaseException) -> str:
    """Return the unit whose code raised ``problem``: the innermost frame that is helper's or main's."""
    unit = ""
    trace = problem.__traceback__
    while trace is not None:
        unit = _FILES.get(trace.tb_frame.f_code.co_filename, unit)
        trace = trace.tb_next
    return unit


def _describe(problem: BaseException) -> tuple[str, LimitName, str]:
    """Return the nearest built-in class, the limit it stands for, and its message in one line."""
    name = next((_BUILTIN_ERRORS[kind] for kind in type(problem).__mro__ if kind in _BUILTIN_ERRORS), "Exception")
    limit: LimitName = ""
    if isinstance(problem, MemoryError):
        limit = "memory"
    elif isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
        limit = "open_files"
    try:
        message = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        message = str(message)[:1000].split("\n")[0][:160]
        if isinstance(problem, SyntaxError) and problem.lineno:
            message += f" (line {problem.lineno})"
    except BaseException:  # its own __str__ fails
        message = ""
    return name, limit, message
