"""What stands on the trusted side for values that are no plain data.

Built from data alone, by classes of our own or of the standard library: no code of a program's is behind them.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from codeduet.envs.execution.kinds import CLASSES

Looked = Callable[[Exception], Exception]
"""Is told that the tests look into what was not sent, so that they fail whatever they make of it; gives what to raise."""


def _unnoticed(error: Exception) -> Exception:
    return error


class Opaque:
    """Stands for an object that was not sent.

    Args:
        truth: ``bool()`` of the object.
        items: what iterating over it gives, ``None`` if it cannot be iterated over.
        looked: is told where the tests ask for more than that.
    """

    __hash__ = object.__hash__

    def __init__(self, truth: bool, items: list[Any] | None = None, looked: Looked = _unnoticed) -> None:
        self._truth = truth
        self._items = items
        self._looked = looked

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return self._truth

    def __iter__(self) -> Iterator[Any]:
        if self._items is None:
            raise TypeError("the object the program returned is not iterable")
        return iter(self._items)

    def __len__(self) -> int:
        if self._items is None:
            raise self._looked(TypeError("the length of the object the program returned is not known"))
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        if self._items is None:
            raise self._looked(TypeError("what the object the program returned contains is not known"))
        return item in self._items

    def __getattr__(self, name: str) -> Any:
        # What a library tries on every object (copying, making an array of it) says nothing.
        looked = None if name.startswith("__") else self.__dict__.get("_looked")
        raise looked(AttributeError(name)) if looked else AttributeError(name)

    def __repr__(self) -> str:
        self._looked(TypeError("how the object the program returned shows itself is not known"))
        return "<an object that was not sent>"


def _ask(self: Opaque, *_: object) -> Any:
    raise self._looked(TypeError("what the object the program returned does is not known"))


for _name in [
    "getitem",
    "setitem",
    "delitem",
    "reversed",
    "lt",
    "le",
    "gt",
    "ge",
    "neg",
    "pos",
    "abs",
    "invert",
    "int",
    "float",
    "complex",
    "index",
    "round",
    "enter",
    "exit",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "divmod",
    "rdivmod",
    "pow",
    "rpow",
    "matmul",
    "rmatmul",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
    "lshift",
    "rlshift",
    "rshift",
    "rrshift",
]:
    setattr(Opaque, f"__{_name}__", _ask)


class OpaqueFunction(Opaque):
    """Stands for an object that was not sent and can be called."""

    __call__ = _ask


class Record(tuple[Any, ...]):
    """Stands for a namedtuple: a tuple whose items have names.

    Its class is made of no text of the program's, as ``collections.namedtuple`` would make it.
    """

    _fields: tuple[str, ...]
    _class: str

    @classmethod
    def made(cls, name: str, fields: tuple[str, ...], items: list[Any]) -> Record:
        """Return a record of ``items``, called ``fields``, as a class called ``name`` shows it."""
        record = cls(items)
        record._fields, record._class = fields, name
        return record

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("_fields", ())
        if name in fields:
            return self[fields.index(name)]
        raise AttributeError(name)

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changes: Any) -> Record:
        if unknown := changes.keys() - set(self._fields):
            raise ValueError(f"Got unexpected field names: {sorted(unknown)!r}")
        items = [changes.get(name, item) for name, item in zip(self._fields, self, strict=True)]
        return Record.made(self._class, self._fields, items)

    def __repr__(self) -> str:
        return f"{self._class}({', '.join(f'{name}={item!r}' for name, item in self._asdict().items())})"


class Member:
    """Stands for a member of an enumeration: equal to itself alone.

    Args:
        kind: name of its class.
        name: its own.
        value: its value.
        text: ``str()`` of it.
    """

    def __init__(self, kind: str, name: str, value: Any, text: str) -> None:
        self.kind, self.name, self.value, self._text = kind, name, value, text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and (self.kind, self.name) == (other.kind, other.name)

    def __hash__(self) -> int:
        return hash((self.kind, self.name))

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<{self.kind}.{self.name}: {self.value!r}>"


class _NumberMember(int):
    name: str
    value: Any


class _TextMember(str):
    name: str
    value: Any


def member_of(content: int | str, name: str, value: Any) -> Any:
    """Return what stands for a member that is a whole number or a text as well, equal to that."""
    made = _NumberMember(content) if isinstance(content, int) else _TextMember(content)
    made.name, made.value = name, value
    return made


More = Callable[[int], "tuple[list[Any], Any]"]
"""Asks the program for the next items of an iterator it returned, by number: the items, and how they end."""

END, MORE = "end", "more"


def stream(items: list[Any], end: Any, number: int, more: More | None) -> Generator[Any, None, None]:
    """Stand for a generator the program returned.

    Args:
        items: its first items.
        end: ``END``, ``MORE`` if it has others, or the exception that came behind ``items``.
        number: by which ``more`` knows it.
        more: asks for others.
    """
    while True:
        yield from items
        if end == END or (end == MORE and more is None):
            return
        if end != MORE or more is None:
            raise end
        items, end = more(number)


class Stream:
    """Stands for an iterator that is no generator.

    Args:
        truth: ``bool()`` of the iterator.
        source: its items.
        looked: is told where the tests ask for more than that; None where there is no more to it, as with a ``map``.
    """

    def __init__(self, truth: bool, source: Iterator[Any], looked: Looked | None = None) -> None:
        self._truth = truth
        self._source = source
        self._looked = looked

    def __getattr__(self, name: str) -> Any:
        looked = None if name.startswith("__") else self.__dict__.get("_looked")
        raise looked(AttributeError(name)) if looked else AttributeError(name)

    def __iter__(self) -> Stream:  # Self is newer than Python 3.10
        return self

    def __next__(self) -> Any:
        return next(self._source)

    def __bool__(self) -> bool:
        return self._truth


_RUNNERS = ("codeduet", "unittest", "pytest", "_pytest", "doctest")
"""Modules whose exceptions steer whoever runs tests: a program that raises one (to have a test skipped) has failed it."""


def exception_of(
    kinds: tuple[str, ...], args: tuple[Any, ...], attributes: dict[str, Any], names: Mapping[str, Any]
) -> BaseException:
    """Return an exception as a test that expects one can catch it.

    Args:
        kinds: modules and names of its classes in turn, up to a built-in one; module ``""`` is the prompt's own.
        args: its arguments.
        attributes: what it has beside them.
        names: what the prompt defines.
    """
    pairs = list(zip(kinds[::2], kinds[1::2], strict=True))
    known = [CLASSES.get(name) for module, name in pairs if module == "builtins"]
    builtin = next((kind for kind in known if kind is not None and issubclass(kind, BaseException)), Exception)
    kind: type[BaseException] = builtin
    for module, name in pairs:
        # Of a library that is loaded here, because the tests name it.
        found = vars(sys.modules.get(module, types)).get(name) if module else names.get(name)
        if isinstance(found, type) and issubclass(found, BaseException) and module.split(".")[0] not in _RUNNERS:
            kind = found
            break
    if issubclass(kind, StopIteration | StopAsyncIteration):
        # It would end a loop of the tests' (all(map(candidate, ...))) as if all had been well.
        kind = RuntimeError
    try:
        error = kind(*args) if kind is builtin else kind.__new__(kind, *args)
    except Exception:  # noqa: BLE001  # some want other arguments than they keep
        error = Exception(*args)
    error.args = args
    vars(error).update(attributes)
    error.codeduet_builtin = builtin.__name__  # type: ignore[attr-defined]
    return error
