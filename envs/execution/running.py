"""Run a test function or a method of a test class, as pytest and unittest would, or say that it cannot be done.

Only trusted code comes here: what stands in a problem's tests.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from codeduet.envs.execution.collecting import static_names

Row = tuple[bool, tuple[str, ...], Any]
"""A round of ``parametrize``: whether the item is the value itself, the names, the item."""

_SKIPPING = ("skip", "skipif", "xfail", "usefixtures", "parametrize")


class UnrunnableError(Exception):
    """A test would not be run as its author meant, which shows when it is to run; the message names it."""


def run_test(function: Any, name: str, *rows: Row) -> None:
    """Run a test function with the values of ``rows``; raises what it raises.

    Raises:
        UnrunnableError: it cannot be run.
    """
    if not callable(function):
        raise UnrunnableError(f"its test {name} is no function: a decorator made a {type(function).__name__} of it")
    _refuse_marks(function, name)
    _finish(function(**_values(name, rows)), name)


def run_method(kind: type, name: str, *rows: Row) -> None:
    """Run the test method ``name`` of a class; raises what it raises.

    Raises:
        UnrunnableError: it cannot be run, or is skipped.
    """
    import unittest  # here, as few tests need it

    full = f"{kind.__name__}.{name}"
    method = getattr(kind, name, None)
    if not callable(method):
        raise UnrunnableError(f"its test {full} is no method: a decorator made a {type(method).__name__} of it")
    _refuse_marks(kind, full)
    _refuse_marks(method, full)
    if not issubclass(kind, unittest.TestCase):  # pytest's kind of class
        _run_plain(kind, name, full, rows)
        return
    if rows:
        raise UnrunnableError(f"its test {full} is parametrized, which a TestCase does not know")
    if inspect.iscoroutinefunction(method) and not issubclass(kind, unittest.IsolatedAsyncioTestCase):
        raise UnrunnableError(f"its test {full} is async, which only an IsolatedAsyncioTestCase runs")

    class Result(unittest.TestResult):
        raised: BaseException | None = None

        def addError(self, test: object, err: Any) -> None:  # noqa: N802  # unittest's own names
            self.raised = self.raised or err[1]

        addFailure = addError  # noqa: N815

        def addSubTest(self, test: object, subtest: object, err: Any) -> None:  # noqa: N802
            if err is not None:
                self.raised = self.raised or err[1]

        def addUnexpectedSuccess(self, test: object) -> None:  # noqa: N802
            self.raised = self.raised or AssertionError("it was expected to fail")

    result = Result()
    unittest.TestSuite([kind(name)]).run(result)  # as a suite, for the fixtures of the class
    if result.raised is not None:
        raise result.raised
    if result.skipped or not result.testsRun:
        raise UnrunnableError(f"its test {full} is skipped, so that no program passes it: take it out")


def left_out(names: Mapping[str, Any], text: str, file: str) -> str:
    """Return the name of a test that the names of a file hold once it ran, and that its text does not show.

    Args:
        names: what they stand for.
        text: the file.
        file: what it is called in its functions' code.

    Returns:
        ``""`` if there is none. One made by a function, or defined under a condition, would not be run.
    """
    functions, methods = static_names(text)
    for name, value in names.items():
        if _is_test(name, value, file) and name not in functions:
            return name
        if isinstance(value, type) and value.__module__ == names.get("__name__") and _collected(name, value):
            for method in dir(value):
                if _is_test(method, getattr(value, method), file) and (name, method) not in methods:
                    return f"{name}.{method}"
    return ""


def _is_test(name: str, value: Any, file: str) -> bool:
    return name.startswith("test") and isinstance(value, types.FunctionType) and value.__code__.co_filename == file


def _collected(name: str, kind: type) -> bool:
    """Tell whether a test runner would look for tests in a class."""
    return name.startswith("Test") or any(base.__module__.startswith("unittest") for base in kind.__mro__)


def _run_plain(kind: type, name: str, full: str, rows: tuple[Row, ...]) -> None:
    """Run a method of a class that is no ``TestCase``, between what pytest calls around it."""
    instance = kind()
    for hook in ("setup_class", "setup_method"):
        _call_hook(instance, kind, hook, name)
    try:
        _finish(getattr(instance, name)(**_values(full, rows)), full)
    finally:
        for hook in ("teardown_method", "teardown_class"):
            _call_hook(instance, kind, hook, name)


def _call_hook(instance: Any, kind: type, hook: str, name: str) -> None:
    function: Callable[..., Any] | None = getattr(instance, hook, None)
    if function is None:
        return
    given = kind if hook.endswith("class") else getattr(instance, name)
    function(*[given] * bool(inspect.signature(function).parameters))


def _values(name: str, rows: tuple[Row, ...]) -> dict[str, Any]:
    """Return the arguments that the items of ``parametrize`` make."""
    arguments: dict[str, Any] = {}
    for single, names, item in rows:
        if type(item).__name__ == "ParameterSet":  # pytest.param(...)
            if item.marks:
                raise UnrunnableError(f"a parameter of its test {name} is marked, which is not run here: take it out")
            values = item.values
        else:
            values = (item,) if single else tuple(item)
        if len(values) != len(names):
            raise UnrunnableError(f"its test {name} is parametrized by {len(names)} names and {len(values)} values")
        arguments |= zip(names, values, strict=True)
    return arguments


def _finish(result: Any, name: str) -> None:
    """Wait for the end of a test that is ``async``."""
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise UnrunnableError(f"its test {name} is a generator, of which nothing would run")
    if inspect.isawaitable(result):
        import asyncio  # here, as few tests need it

        async def waited() -> None:
            await result

        asyncio.run(waited())


def _refuse_marks(value: Any, name: str) -> None:
    """Raise UnrunnableError where pytest would skip a test, or run it otherwise, by a mark that the text hides."""
    marks = getattr(value, "pytestmark", [])
    for mark in marks if isinstance(marks, list) else [marks]:
        if getattr(mark, "name", "") in _SKIPPING:
            raise UnrunnableError(f"its test {name} is marked {mark.name}, which is not run here")
