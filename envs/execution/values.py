"""Values between the trusted side and the jail: tagged data and nothing else.

One byte names the type, what follows is its content, so reading a message builds plain data and can run no code of the
sender's. Both sides use this module: the jail sends return values, the trusted side call arguments. ``reading`` reads.

Sent by content, and read as the type they were: None, ``...``, NotImplemented, bool, int, float, complex, str, bytes,
bytearray, memoryview, list, tuple, namedtuples, set, frozenset, dict and its views, range, slice, Fraction, Decimal, the wrappers
of ``collections`` (UserList, UserDict, UserString, ChainMap, deque, Counter, OrderedDict, defaultdict), mappingproxy,
array, members of enumerations, dates and times, exceptions, built-in classes, numpy's arrays and scalars, and instances
of classes that the prompt defines. A subclass is reduced to the type it is derived from, so that its own ``__eq__`` stays
behind. An iterator arrives as one: its first items are sent, the rest when it is asked for. Any other object arrives as
``Opaque``: equal to nothing, with the truth value it had, and with its items if it was an iterable.

Lists and other containers that can be changed are told apart in a call's arguments: a list that stands in them twice is
one list on the other side too, and so one that a program changes in place, or returns, is known again.
"""

from __future__ import annotations

import collections
import enum
import sys
import time
import types
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution.kinds import LENGTH, MOMENTS, VIEWS
from codeduet.envs.execution.writing import FINDERS, WRITERS, Encoder, Writer

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

__all__ = ["Encoder", "encode", "join"]


def encode(value: object, limits: Limits | None = None, strict: bool = False) -> bytes:
    """Return ``value`` as bytes.

    Args:
        value: what to send.
        limits: how large it may be; default: any size.
        strict: refuse what could only be sent as :class:`Opaque`.

    Raises:
        TooLargeError: it passes one of ``limits``, by bytes, objects or depth.
        OpaqueError: it holds one.
        TypeError: ``strict``, and it holds another object that cannot be sent.
    """
    return Encoder(limits, strict).encode(value)


def join(encoded: list[bytes]) -> bytes:
    """Return the list of values that are encoded already, encoded."""
    return b"[" + LENGTH.pack(len(encoded)) + b"".join(encoded)


def _writer_of(kind: type) -> Writer:
    """Return who writes a type that is in no table: of a library that may not be loaded, or a class of somebody's own."""
    numpy, moments, array = (sys.modules.get(name) for name in ("numpy", "datetime", "array"))
    if numpy is not None and issubclass(kind, numpy.generic | numpy.ndarray):
        return Encoder.put_array
    if moments is not None and issubclass(kind, tuple(getattr(moments, name) for name in MOMENTS)):
        return Encoder.put_moment
    if array is not None and issubclass(kind, array.array):
        return Encoder.put_numbers
    if issubclass(kind, enum.Enum):
        return Encoder.put_member
    if issubclass(kind, BaseException):
        return Encoder.put_exception
    if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        return Encoder.put_record
    # A subclass is sent as what it is derived from.
    return next((_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), Encoder.put_object)


def _wrapped(tag: bytes, content: Callable[[Any], Any]) -> Writer:
    """Return who writes a wrapper: a tag, then what it wraps."""

    def write(encoder: Encoder, value: Any, depth: int) -> None:
        encoder.write(tag)
        encoder.put(content(value), depth - 1)

    return write


def _as_dict(tag: bytes, kind: type[dict[Any, Any]]) -> Writer:
    return lambda encoder, value, depth: encoder.put_dict(value, depth, tag, kind)


_WRITERS: dict[type, Writer] = {
    type(None): lambda encoder, _value, _depth: encoder.write(b"N"),
    type(...): Encoder.put_single,
    type(NotImplemented): Encoder.put_single,
    bool: lambda encoder, value, _depth: encoder.write(b"T" if value else b"F"),
    int: Encoder.put_int,
    float: Encoder.put_float,
    complex: Encoder.put_complex,
    str: Encoder.put_str,
    bytes: lambda encoder, value, _depth: encoder.put_text(b"b", bytes.__add__(value, b"")),
    bytearray: Encoder.put_bytearray,
    memoryview: lambda encoder, value, _depth: encoder.put_text(b"V", value.tobytes()),
    list: Encoder.put_list,
    tuple: Encoder.put_tuple,
    set: Encoder.put_set,
    frozenset: Encoder.put_frozenset,
    dict: Encoder.put_dict,
    collections.Counter: _as_dict(b"K", dict),
    collections.OrderedDict: _as_dict(b"O", collections.OrderedDict),
    collections.defaultdict: Encoder.put_defaultdict,
    collections.deque: Encoder.put_deque,
    collections.ChainMap: Encoder.put_chain,
    collections.UserList: _wrapped(b"L", lambda value: value.data),
    collections.UserDict: _wrapped(b"M", lambda value: value.data),
    collections.UserString: _wrapped(b"S", lambda value: value.data),
    types.MappingProxyType: _wrapped(b"P", dict),
    types.GeneratorType: Encoder.put_stream,
    **dict.fromkeys(VIEWS, Encoder.put_view),
    range: Encoder.put_range,
    slice: Encoder.put_slice,
    time.struct_time: Encoder.put_struct_time,
    Fraction: Encoder.put_fraction,
    Decimal: Encoder.put_decimal,
    type: Encoder.put_class,
    type(len): Encoder.put_function,
}
WRITERS.update(_WRITERS)
FINDERS.append(_writer_of)
