"""Runs inside a program's own process: ``python -s -S child.py``, never imported by the package.

Reads one JSON job from standard input, lowers its own limits, loads the program and runs the instrumented tests on it.
Findings go out as JSON lines on the descriptor the job names, each as soon as it is known, so that a program ended
half way keeps what it earned. Whatever the program raises is a finding, so every exception is caught.
"""

# ruff: noqa: BLE001, S102  # running foreign code and reporting what it raises is what this file is for

from __future__ import annotations

import ast
import builtins
import json
import os
import random
import resource
import sys
import types
from typing import Any


def main() -> None:
    del sys.path[0]  # this file's folder, whose modules are no business of the program's
    job = json.loads(sys.stdin.buffer.read())
    limits = job["limits"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    memory = limits["memory_mb"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 1))
    channel = os.fdopen(job["fd"], "wb", buffering=0)

    def send(**finding: Any) -> None:
        channel.write(json.dumps(finding).encode() + b"\n")

    trees = parse(job, send)
    if all(tree is not None for tree in trees.values()):
        program = load(trees, job, send)
        if program is not None:
            run_tests(program[job["entry_point"]], job, send)
    send(done=True)
    os._exit(0)  # threads and atexit handlers of the program must not hold the verdict


def parse(job: dict[str, Any], send: Any) -> dict[str, ast.Module | None]:
    """Parse the three units; report which of the candidate's do not parse, and the program's shape."""
    trees: dict[str, ast.Module | None] = {}
    for unit in ("preamble", "helper", "main"):
        try:
            trees[unit] = ast.parse(job[unit], filename=f"<{unit}>")
        except BaseException as error:  # SyntaxError, ValueError (null bytes), RecursionError, MemoryError
            trees[unit] = None
            send(error=describe(error), unit=unit)
    send(syntax_ok=trees["helper"] is not None and trees["main"] is not None)
    send(structure=shape(trees["helper"], trees["main"], job["entry_point"]))
    return trees


def load(trees: dict[str, Any], job: dict[str, Any], send: Any) -> dict[str, Any] | None:
    """Run the units as one module; return its globals, or None where it does not load."""
    # Dataclasses with text annotations look their module up in sys.modules.
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    for unit in ("preamble", "helper", "main"):
        try:
            exec(compile(trees[unit], f"<{unit}>", "exec"), module.__dict__)
        except BaseException as error:
            send(error=describe(error), unit=unit)
            return None
    if not callable(module.__dict__.get(job["entry_point"])):
        send(error=f"NameError: the program does not define {job['entry_point']}", unit="main")
        return None
    send(runnable=True)
    return module.__dict__


def run_tests(candidate: Any, job: dict[str, Any], send: Any) -> None:
    """Run the instrumented ``check`` in a namespace of its own, which the program's redefinitions do not reach."""
    held: dict[int, bool] = {}
    touched: set[int] = set()  # tests asked inside the guarded statement that runs now
    told: list[bool] = []
    broken: list[BaseException] = []  # what stopped a statement that is no counted assert

    def tell(error: BaseException) -> None:
        unit = raised_in(error)
        if unit and not told:  # the class only: a message can carry a test's arguments
            told.append(True)
            send(error=type(error).__name__[:200], unit=unit)

    def record(index: int, thunk: Any) -> None:
        touched.add(index)
        try:
            held[index] = bool(thunk()) and held.get(index, True)
        except BaseException as error:
            held[index] = False
            tell(error)
        if not guarded:
            send(test=index, held=held[index])

    guarded: list[bool] = []

    class Guard:
        def __enter__(self) -> None:
            touched.clear()
            guarded.append(True)

        def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
            guarded.pop()
            if error is not None:
                broken.append(error)
                tell(error)
            for index in sorted(touched):
                # A loop that an exception cut short has not shown that its asserts hold every time.
                send(test=index, held=held[index] and error is None)
            return True

    namespace: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
    exec(compile(job["preamble"], "<prompt>", "exec"), namespace)
    # HumanEval/33 asks the global of that name, which must be the candidate as it is in OpenAI's harness.
    namespace[job["entry_point"]] = candidate
    namespace.update({job["record"]: record, job["guard"]: Guard})
    random.seed(job["seed"])
    try:
        exec(compile(job["tests"], "<tests>", "exec"), namespace)
        namespace["check"](candidate)
    except BaseException as error:
        broken.append(error)
        tell(error)
    if broken and not told:  # an assert that is no counted test, say
        send(error=type(broken[0]).__name__[:200], unit="")
    send(completed=not broken)


def raised_in(error: BaseException) -> str:
    """Return the unit whose code raised ``error``: the innermost frame that is helper's or main's."""
    unit = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name in ("<helper>", "<main>", "<preamble>"):
            unit = name[1:-1]
        trace = trace.tb_next
    return unit


def describe(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {message}".split("\n")[0].removesuffix(": ")
    if isinstance(error, SyntaxError) and error.lineno:
        text += f" (line {error.lineno})"
    return text[:200]


def shape(helper: ast.Module | None, main: ast.Module | None, entry_point: str) -> dict[str, Any]:
    """Read the program's structure (see ``Structure``) from the parts that parse."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    helpers = [node.name for node in helper.body if isinstance(node, functions)] if helper else []
    mains = [node for node in main.body if isinstance(node, functions)] if main else []
    # A function that main defines anew is main's: calling it is no cooperation.
    names = set(helpers) - {node.name for node in mains}
    calls = [node for node in ast.walk(main) if is_call(node, names)] if main else []
    statements = [node.value for node in ast.walk(main) if isinstance(node, ast.Expr)] if main else []
    targets = [node for node in mains if node.name == entry_point]
    return {
        "helper_functions": helpers,
        "main_functions": [node.name for node in mains],
        "defines_entry_point": bool(targets),
        "calls_helper": bool(calls),
        "thin_wrapper": bool(targets) and is_thin(targets[-1], names),
        "ignores_result": bool(calls) and all(call in statements for call in calls),
    }


def is_call(node: Any, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def is_idle(node: Any) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def is_thin(function: Any, names: set[str]) -> bool:
    """Tell whether, docstring and imports aside, the function only returns one helper call on its own arguments."""
    body = [node for node in function.body if not is_idle(node)]
    if len(body) == 2 and isinstance(body[0], ast.Assign) and isinstance(body[1], ast.Return):
        target = body[0].targets[0]
        value = body[1].value
        if isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id:
            body = [ast.Return(value=body[0].value)]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or not is_call(body[0].value, names):
        return False
    call: Any = body[0].value
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    own = {argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    return all(isinstance(argument, ast.Name) and argument.id in own for argument in arguments)


if __name__ == "__main__":
    main()
