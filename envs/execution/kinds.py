"""The kinds of values that pass between the trusted side and the jail, and how those of libraries are taken apart."""

from __future__ import annotations

import builtins
import collections
import struct
import sys
import types
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the jail goes without dataclasses: what its zygote holds, every fork pays for
    from codeduet.envs.execution.limits import LimitName

LENGTH = struct.Struct("<I")
FLOAT = struct.Struct("<d")
COMPLEX = struct.Struct("<dd")
UNBOUNDED = 1 << 62

FIRST_ITEMS = 256
"""Items of an iterator that are sent with it. The rest waits until it is asked for: it may be endless."""

CLASSES = {name: value for name, value in vars(builtins).items() if isinstance(value, type) and name[0] != "_"}
"""Built-in classes, which are sent by name."""

FUNCTIONS = {
    name: getattr(builtins, name)
    for name in [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "callable",
        "chr",
        "divmod",
        "format",
        "hash",
        "hex",
        "iter",
        "len",
        "max",
        "min",
        "next",
        "oct",
        "ord",
        "pow",
        "repr",
        "round",
        "sorted",
        "sum",
    ]
}
"""Built-in functions that a test may hand to a program, by name."""

MOST_ITEMS = 100_000
"""Items of an iterator that a test may hand to a program."""

SINGLES: dict[str, Any] = {"Ellipsis": ..., "NotImplemented": NotImplemented, "NoneType": type(None)}
FACTORIES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, complex, bool, str, bytes, list, tuple, set, frozenset, dict)},
    **{kind.__name__: kind for kind in (collections.deque, collections.Counter, collections.OrderedDict)},
}
"""Classes that a defaultdict makes its missing values of."""

VIEWS: dict[type, str] = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


MOMENTS = ("datetime", "date", "time", "timedelta", "timezone")


UNDESCRIBED = "value"
"""Stands where the name of a limit does: what a program gave cannot be described to the tests."""


class TooLargeError(Exception):
    """A value passes a limit; ``limit`` is its name."""

    def __init__(self, limit: LimitName) -> None:
        super().__init__(limit)
        self.limit = limit


class OpaqueError(TypeError):
    """An :class:`Opaque` cannot be sent back to where it came from."""


class UndescribedError(TypeError):
    """A value of a kind that cannot be described, and that would pass for another if it were sent as its content."""


def slots_of(kind: type) -> dict[str, Any]:
    """Return what reads and writes each of the ``__slots__`` of a class, by name."""
    parts = (part for each in kind.__mro__[-2::-1] for part in vars(each).items())
    return {name: member for name, member in parts if type(member) is types.MemberDescriptorType}


def attributes_of(value: Any) -> dict[str, Any]:
    """Return what an instance holds, in its slots too."""
    slots = slots_of(type(value))
    held = {str(name): part for name, part in getattr(value, "__dict__", {}).items()}
    for name, member in slots.items():
        try:
            held[name] = member.__get__(value)
        except AttributeError:  # not given yet
            continue
    return held


def give_attributes(made: Any, attributes: Mapping[str, Any]) -> None:
    """Have an instance hold ``attributes`` and nothing else, as far as its class has room for them.

    Past its own ``__setattr__``: a frozen class has one, and none of a class's code is run on what a program sent.
    """
    slots = slots_of(type(made))
    for name, member in slots.items():
        if name in attributes:
            member.__set__(made, attributes[name])
        elif hasattr(made, name):
            member.__delete__(made)
    if hasattr(made, "__dict__"):
        vars(made).clear()
        vars(made).update((name, part) for name, part in attributes.items() if name not in slots)


def moment_parts(value: Any) -> tuple[str, tuple[Any, ...]]:
    """Return the class of a date, a time, both, a span or a fixed time zone, and what makes one like it."""
    module = sys.modules["datetime"]
    kind = next(name for name in MOMENTS if isinstance(value, getattr(module, name)))
    fields: tuple[Any, ...] = ()
    if kind == "timedelta":
        fields = (value.days, value.seconds, value.microseconds)
    elif kind == "timezone":
        fields = value.__getinitargs__()
    if kind in ("date", "datetime"):
        fields = (value.year, value.month, value.day)
    if kind in ("time", "datetime"):
        zone = value.tzinfo
        if not isinstance(zone, module.timezone | None):  # of a place: what it is at this moment
            offset = value.utcoffset()
            zone = None if offset is None else module.timezone(offset, value.tzname() or str(offset))
        fields = (*fields, value.hour, value.minute, value.second, value.microsecond, zone, value.fold)
    return kind, fields


def member_parts(value: Any) -> tuple[str, str, str, Any, Any]:
    """Return class, name, text and value of a member of an enumeration, and the number or text that it is as well."""
    content: Any = int.__pos__(value) if isinstance(value, int) else None
    if isinstance(value, str):
        content = str.__str__(value)
    name = str(value) if value._name_ is None else str(value._name_)  # several flags have none of their own everywhere
    return type(value).__name__, name, str(value), value._value_, content


def exception_parts(
    value: BaseException, own: Collection[str], names: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[Any, ...], dict[str, Any]]:
    """Return an exception's classes up to the first built-in one, its arguments and its attributes.

    Args:
        value: the exception.
        own: names of the classes that the prompt defines.
        names: what they stand for here.

    Returns:
        Module and name of each class in turn, module ``""`` for one of the prompt's; arguments; attributes.
    """
    kinds: list[str] = []
    for kind in type(value).__mro__:
        is_own = kind.__name__ in own and names.get(kind.__name__) is kind
        kinds += ["" if is_own else str(kind.__module__), kind.__name__]
        if CLASSES.get(kind.__name__) is kind:
            break
    return tuple(kinds), tuple(value.args), {str(name): part for name, part in vars(value).items()}
