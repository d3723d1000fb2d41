"""Values between the trusted side and the jail: tagged data and nothing else.

One byte names the type, what follows is its content, so reading a message builds plain data and can run no code of the
sender's. Both sides use this module: the jail sends return values, the trusted side call arguments. What is here is the
tables: who writes a type, and who reads a tag; ``writing`` and ``reading`` go through values by them.

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

from codeduet.envs.execution.arrays import array_parts
from codeduet.envs.execution.kinds import (
    CLASSES,
    COMPLEX,
    FLOAT,
    FUNCTIONS,
    LENGTH,
    MOMENTS,
    SINGLES,
    VIEWS,
    moment_parts,
)
from codeduet.envs.execution.reading import READERS, Decoder, Reader
from codeduet.envs.execution.stand_ins import Opaque
from codeduet.envs.execution.writing import FINDERS, WRITERS, Encoder, Writer, short

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
        return _array
    if moments is not None and issubclass(kind, tuple(getattr(moments, name) for name in MOMENTS)):
        return _moment
    if array is not None and issubclass(kind, array.array):
        return _numbers
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


def _chain(encoder: Encoder, value: Any, depth: int) -> None:
    maps = [each if isinstance(each, dict) else dict(each) for each in value.maps]
    encoder.put_items(b"H", maps, len(maps), depth)


def _view(encoder: Encoder, value: Any, depth: int) -> None:
    encoder.write(b"v" + short(VIEWS[type(value)]))
    encoder.put(dict(value.mapping), depth - 1)


def _range(encoder: Encoder, value: range, depth: int) -> None:
    encoder.put_items(b"r", (value.start, value.stop, value.step), 3, depth)


def _slice(encoder: Encoder, value: slice, depth: int) -> None:
    encoder.put_items(b"l", (value.start, value.stop, value.step), 3, depth)


def _struct_time(encoder: Encoder, value: Any, depth: int) -> None:
    fields = (*tuple(value), value.tm_zone, value.tm_gmtoff)
    encoder.put_items(b"w", fields, len(fields), depth)


def _fraction(encoder: Encoder, value: Fraction, depth: int) -> None:
    encoder.put_items(b"q", Fraction.as_integer_ratio(value), 2, depth)


def _decimal(encoder: Encoder, value: Decimal, _depth: int) -> None:
    encoder.put_text(b"D", Decimal.__str__(value).encode("ascii"))


def _moment(encoder: Encoder, value: Any, depth: int) -> None:
    """A date, a time, both, a span or a fixed time zone."""
    kind, fields = moment_parts(value)
    encoder.write(b"t" + short(kind))
    encoder.put(fields, depth - 1)


def _array(encoder: Encoder, value: Any, depth: int) -> None:
    """A numpy array, or one of its scalars."""
    if value.dtype.kind == "O":
        encoder.put(value.tolist(), depth)
        return
    word, content = array_parts(value)
    if word[-1] != "," or not encoder.known(value):
        encoder.put_text(b"A" + short(word), content)


def _numbers(encoder: Encoder, value: Any, _depth: int) -> None:
    """An ``array.array``."""
    encoder.put_text(b"a" + short(value.typecode), value.tobytes())


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
    collections.ChainMap: _chain,
    collections.UserList: _wrapped(b"L", lambda value: value.data),
    collections.UserDict: _wrapped(b"M", lambda value: value.data),
    collections.UserString: _wrapped(b"S", lambda value: value.data),
    types.MappingProxyType: _wrapped(b"P", dict),
    types.GeneratorType: Encoder.put_stream,
    **dict.fromkeys(VIEWS, _view),
    range: _range,
    slice: _slice,
    time.struct_time: _struct_time,
    Fraction: _fraction,
    Decimal: _decimal,
    type: Encoder.put_class,
    type(len): Encoder.put_function,
}
WRITERS.update(_WRITERS)
FINDERS.append(_writer_of)


def _float(decoder: Decoder, _depth: int) -> float:
    (number,) = FLOAT.unpack_from(decoder.raw, decoder.at)
    decoder.at += FLOAT.size
    return float(number)


def _complex(decoder: Decoder, _depth: int) -> complex:
    parts = COMPLEX.unpack_from(decoder.raw, decoder.at)
    decoder.at += COMPLEX.size
    return complex(*parts)


def _named(decoder: Decoder, _depth: int) -> Any:
    name = decoder.word()
    if decoder.kept is not None and name in FUNCTIONS:  # in the jail
        return FUNCTIONS[name]
    return CLASSES[name] if name in CLASSES else SINGLES[name]


def _dict_view(decoder: Decoder, depth: int) -> Any:
    name = decoder.word()
    decoder.expect(name in ("keys", "values", "items"))
    return getattr(decoder.plain(dict, depth), name)()


_READERS: dict[bytes, Reader] = {
    b"N": lambda _decoder, _depth: None,
    b"T": lambda _decoder, _depth: True,
    b"F": lambda _decoder, _depth: False,
    b"i": lambda decoder, _depth: int.from_bytes(decoder.text(), "little", signed=True),
    b"d": _float,
    b"c": _complex,
    b"s": lambda decoder, _depth: decoder.text().decode("utf-8", "surrogatepass"),
    b"b": lambda decoder, _depth: decoder.text(),
    b"B": lambda decoder, _depth: decoder.keep(bytearray(decoder.text())),
    b"V": lambda decoder, _depth: memoryview(decoder.text()),
    b"D": lambda decoder, _depth: Decimal(decoder.text().decode("ascii")),
    b"@": lambda decoder, _depth: decoder.containers[decoder.number()],
    b"[": Decoder.take_list,
    b"(": lambda decoder, depth: tuple(decoder.items(depth)),
    b"n": Decoder.take_record,
    b"<": Decoder.take_set,
    b">": Decoder.take_frozenset,
    b"{": Decoder.take_dict,
    b"K": lambda decoder, depth: decoder.take_dict(depth, collections.Counter),
    b"O": lambda decoder, depth: decoder.take_dict(depth, collections.OrderedDict),
    b"E": Decoder.take_defaultdict,
    b"Q": Decoder.take_deque,
    b"H": lambda decoder, depth: collections.ChainMap(*decoder.mappings(depth)),
    b"L": lambda decoder, depth: decoder.wrapped(collections.UserList, list, depth),
    b"M": lambda decoder, depth: decoder.wrapped(collections.UserDict, dict, depth),
    b"S": lambda decoder, depth: collections.UserString(decoder.plain(str, depth)),
    b"P": lambda decoder, depth: types.MappingProxyType(decoder.plain(dict, depth)),
    b"v": _dict_view,
    b"r": lambda decoder, depth: range(*decoder.whole_numbers(depth, 3)),
    b"q": lambda decoder, depth: Fraction(*decoder.whole_numbers(depth, 2)),
    b"C": _named,
    b"e": Decoder.take_member,
    b"t": Decoder.take_moment,
    b"X": Decoder.take_exception,
    b"I": Decoder.take_instance,
    b"J": lambda decoder, depth: decoder.take_instance(depth, later=True),
    b"j": lambda decoder, _depth: decoder.instances[decoder.number()],
    b"l": lambda decoder, depth: slice(*decoder.items(depth)),
    b"w": lambda decoder, depth: time.struct_time(decoder.items(depth)),
    b"A": Decoder.take_array,
    b"a": Decoder.take_numbers,
    b"g": lambda decoder, depth: decoder.take_stream(depth, generator=True),
    b"y": Decoder.take_stream,
    b"o": Decoder.take_opaque,
    b"z": lambda decoder, depth: Opaque(decoder.byte() == b"1", decoder.items(depth), decoder.looked),
}
READERS[:] = [_READERS.get(bytes([number])) for number in range(256)]
