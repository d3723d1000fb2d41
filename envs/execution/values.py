"""Values between the trusted side and the jail: tagged data and nothing else.

One byte names the type, what follows is its content, so reading a message builds plain data and can run no code of the
sender's. Both sides use this module: the jail sends return values, the trusted side call arguments.

Sent by content: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range,
Fraction and Decimal; a subclass is reduced to the type it is derived from, so that its own ``__eq__`` stays behind. numpy
arrays and scalars are sent by type, shape and bytes, and arrive as such where numpy is loaded, else as lists and numbers.
Any other object arrives as :class:`Opaque`: equal to nothing, with the truth value it had, and with its items if it was an
iterable.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the jail goes without dataclasses: what its zygote holds, every fork pays for
    from codeduet.envs.execution.limits import LimitName, Limits

_LENGTH = struct.Struct("<I")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_UNBOUNDED = 1 << 62
_ARRAY_KINDS = "biufcSU"
_DTYPE = re.compile(r"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(?:8|16)|\|S[1-9]\d{0,5}|[<>]U[1-9]\d{0,5}")
_MOST_AXES = 32


class TooLargeError(Exception):
    """A value passes a limit; ``limit`` is its name."""

    def __init__(self, limit: LimitName) -> None:
        super().__init__(limit)
        self.limit = limit


class OpaqueError(TypeError):
    """An :class:`Opaque` cannot be sent back to where it came from."""


class MalformedError(Exception):
    """The bytes are no value: the sender broke the protocol."""


class Opaque:
    """Stands for an object that was not sent.

    Args:
        truth: ``bool()`` of the object.
        items: what iterating over it gives, ``None`` if it cannot be iterated over.
        once: it was an iterator, which gives its items once.
    """

    __hash__ = object.__hash__

    def __init__(self, truth: bool, items: list[Any] | None = None, once: bool = False) -> None:
        self._truth = truth
        self._items = items
        self._source = iter(items) if items is not None and once else None

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return self._truth

    def __iter__(self) -> Iterator[Any]:
        if self._items is None:
            raise TypeError("the object the program returned is not iterable")
        return iter(self._items) if self._source is None else self._source

    def __len__(self) -> int:
        if self._items is None or self._source is not None:
            raise TypeError("the object the program returned has no length")
        return len(self._items)


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
    return _Encoder(limits, strict).encode(value)


def join(encoded: list[bytes]) -> bytes:
    """Return the list of values that are encoded already, encoded."""
    return b"[" + _LENGTH.pack(len(encoded)) + b"".join(encoded)


class _Encoder:
    def __init__(self, limits: Limits | None, strict: bool = False) -> None:
        self.strict = strict
        self.bytes_left = limits.result_bytes if limits else _UNBOUNDED
        self.nodes_left = limits.result_nodes if limits else _UNBOUNDED
        self.depth = limits.result_depth if limits else _UNBOUNDED
        self.parts: list[bytes] = []

    def encode(self, value: object) -> bytes:
        self.put(value, self.depth)
        return b"".join(self.parts)

    def write(self, part: bytes) -> None:
        self.bytes_left -= len(part)
        if self.bytes_left < 0:
            raise TooLargeError("result_bytes")
        self.parts.append(part)

    def put(self, value: Any, depth: int) -> None:
        self.nodes_left -= 1
        if self.nodes_left < 0:
            raise TooLargeError("result_nodes")
        if depth <= 0:
            raise TooLargeError("result_depth")
        writer = _WRITERS.get(type(value))
        if writer is None and self.put_array(value, depth):
            return
        if writer is None:  # a subclass is sent as what it is derived from
            writer = next((_WRITERS[kind] for kind in type(value).__mro__ if kind in _WRITERS), _Encoder.put_object)
        writer(self, value, depth)

    def put_text(self, tag: bytes, content: bytes) -> None:
        self.write(tag + _LENGTH.pack(len(content)))
        self.write(content)

    def put_items(self, tag: bytes, items: Any, count: int, depth: int) -> None:
        if count > self.nodes_left:
            raise TooLargeError("result_nodes")
        self.write(tag + _LENGTH.pack(count))
        for item in items:
            self.put(item, depth - 1)

    def put_int(self, value: int, _depth: int) -> None:
        size = value.bit_length() // 8 + 1
        if size > self.bytes_left:
            raise TooLargeError("result_bytes")
        self.put_text(b"i", int.to_bytes(value, size, "little", signed=True))

    def put_float(self, value: float, _depth: int) -> None:
        self.write(b"d" + _FLOAT.pack(float.__pos__(value)))

    def put_complex(self, value: complex, _depth: int) -> None:
        plain = complex.__pos__(value)
        self.write(b"c" + _COMPLEX.pack(plain.real, plain.imag))

    def put_str(self, value: str, _depth: int) -> None:
        self.put_text(b"s", str.encode(value, "utf-8", "surrogatepass"))

    def put_list(self, value: list[Any], depth: int) -> None:
        self.put_items(b"[", list.__iter__(value), list.__len__(value), depth)

    def put_tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self.put_items(b"(", tuple.__iter__(value), tuple.__len__(value), depth)

    def put_set(self, value: set[Any], depth: int) -> None:
        self.put_items(b"<", set.__iter__(value), set.__len__(value), depth)

    def put_frozenset(self, value: frozenset[Any], depth: int) -> None:
        self.put_items(b">", frozenset.__iter__(value), frozenset.__len__(value), depth)

    def put_dict(self, value: dict[Any, Any], depth: int) -> None:
        pairs = (part for pair in dict.items(value) for part in pair)
        self.put_items(b"{", pairs, 2 * dict.__len__(value), depth)

    def put_range(self, value: range, depth: int) -> None:
        self.put_items(b"r", (value.start, value.stop, value.step), 3, depth)

    def put_fraction(self, value: Fraction, depth: int) -> None:
        self.put_items(b"q", Fraction.as_integer_ratio(value), 2, depth)

    def put_decimal(self, value: Decimal, _depth: int) -> None:
        self.put_text(b"D", Decimal.__str__(value).encode("ascii"))

    def put_array(self, value: Any, depth: int) -> bool:
        """Write a numpy array or scalar; tell whether it is one."""
        numpy = sys.modules.get("numpy")
        if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic):
            return False
        plain = numpy.asarray(value)  # a subclass's own __eq__ stays behind
        if plain.dtype.kind not in _ARRAY_KINDS:  # objects, records and times, element by element
            self.put(plain.tolist() if isinstance(value, numpy.ndarray) else value.item(), depth)
            return True
        if plain.size > self.nodes_left:
            raise TooLargeError("result_nodes")
        self.nodes_left -= plain.size
        self.write(b"A" if isinstance(value, numpy.ndarray) else b"G")
        self.put_text(b"s", plain.dtype.str.encode("ascii"))
        self.put_items(b"(", plain.shape, plain.ndim, depth)
        self.put_text(b"b", plain.tobytes())
        return True

    def put_object(self, value: Any, depth: int) -> None:
        if isinstance(value, Opaque):
            raise OpaqueError("an object that was not sent cannot be sent back")
        if self.strict:
            raise TypeError(f"a {type(value).__name__} cannot be sent into the jail")
        truth = b"1" if bool(value) else b"0"
        try:
            source = iter(value)
        except TypeError:
            self.write(b"o" + truth)
            return
        items: list[Any] = []
        for item in source:  # a generator without end reaches the limit
            items.append(item)
            if len(items) > self.nodes_left:
                raise TooLargeError("result_nodes")
        self.put_items((b"y" if source is value else b"z") + truth, items, len(items), depth)


_WRITERS: dict[type, Callable[[_Encoder, Any, int], None]] = {
    type(None): lambda encoder, _value, _depth: encoder.write(b"N"),
    bool: lambda encoder, value, _depth: encoder.write(b"T" if value else b"F"),
    int: _Encoder.put_int,
    float: _Encoder.put_float,
    complex: _Encoder.put_complex,
    str: _Encoder.put_str,
    bytes: lambda encoder, value, _depth: encoder.put_text(b"b", bytes.__add__(value, b"")),
    bytearray: lambda encoder, value, _depth: encoder.put_text(b"B", bytes(bytearray.__add__(value, b""))),
    list: _Encoder.put_list,
    tuple: _Encoder.put_tuple,
    set: _Encoder.put_set,
    frozenset: _Encoder.put_frozenset,
    dict: _Encoder.put_dict,
    range: _Encoder.put_range,
    Fraction: _Encoder.put_fraction,
    Decimal: _Encoder.put_decimal,
}


def decode(raw: bytes, limits: Limits | None = None) -> Any:
    """Return the value that ``raw`` holds.

    Raises:
        MalformedError: ``raw`` is no value, or more than one.
        TooLargeError: the value passes one of ``limits``.
    """
    if limits and len(raw) > limits.result_bytes:
        raise TooLargeError("result_bytes")
    decoder = _Decoder(raw, limits)
    try:
        value = decoder.take(limits.result_depth if limits else _UNBOUNDED)
    except (IndexError, struct.error, ArithmeticError, ValueError) as error:
        raise MalformedError(str(error)) from None
    if decoder.at != len(raw):
        raise MalformedError("bytes left over")
    return value


class _Decoder:
    def __init__(self, raw: bytes, limits: Limits | None) -> None:
        self.raw = raw
        self.at = 0
        self.nodes_left = limits.result_nodes if limits else _UNBOUNDED

    def text(self) -> bytes:
        (size,) = _LENGTH.unpack_from(self.raw, self.at)
        start = self.at + _LENGTH.size
        self.at = start + size
        if self.at > len(self.raw):
            raise MalformedError("cut short")
        return self.raw[start : self.at]

    def items(self, depth: int) -> list[Any]:
        (count,) = _LENGTH.unpack_from(self.raw, self.at)
        self.at += _LENGTH.size
        if count > len(self.raw) - self.at:  # every item takes a byte at least
            raise MalformedError("cut short")
        return [self.take(depth - 1) for _ in range(count)]

    def take(self, depth: int) -> Any:  # noqa: C901  # one case for each type
        self.nodes_left -= 1
        if self.nodes_left < 0:
            raise TooLargeError("result_nodes")
        if depth <= 0:
            raise TooLargeError("result_depth")
        tag = self.raw[self.at : self.at + 1]
        self.at += 1
        match tag:
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                return int.from_bytes(self.text(), "little", signed=True)
            case b"d":
                (number,) = _FLOAT.unpack_from(self.raw, self.at)
                self.at += _FLOAT.size
                return number
            case b"c":
                parts = _COMPLEX.unpack_from(self.raw, self.at)
                self.at += _COMPLEX.size
                return complex(*parts)
            case b"s":
                return self.text().decode("utf-8", "surrogatepass")
            case b"b":
                return self.text()
            case b"B":
                return bytearray(self.text())
            case b"D":
                return Decimal(self.text().decode("ascii"))
            case b"[":
                return self.items(depth)
            case b"(":
                return tuple(self.items(depth))
            case b"o":
                return Opaque(self.truth())
            case b"y" | b"z":
                truth = self.truth()
                return Opaque(truth, self.items(depth), once=tag == b"y")
            case b"r":
                return range(*self.whole_numbers(depth, 3))
            case b"q":
                return Fraction(*self.whole_numbers(depth, 2))
            case b"A" | b"G":
                return self.array(self.take(depth - 1), self.take(depth - 1), self.take(depth - 1), tag == b"G")
            case b"<" | b">" | b"{":
                items = self.items(depth)
                try:
                    if tag == b"{":
                        return dict(zip(items[::2], items[1::2], strict=True))
                    return set(items) if tag == b"<" else frozenset(items)
                except TypeError:  # a key that only its own class could hash
                    return Opaque(bool(items), items)
        raise MalformedError(f"unknown tag {tag!r}")

    def array(self, kind: Any, shape: Any, content: Any, scalar: bool) -> Any:
        if not (isinstance(kind, str) and _DTYPE.fullmatch(kind) and isinstance(content, bytes)):
            raise MalformedError("no array")
        if not isinstance(shape, tuple) or len(shape) > (0 if scalar else _MOST_AXES):
            raise MalformedError("no shape")
        if not all(type(size) is int and 0 <= size <= _UNBOUNDED for size in shape):
            raise MalformedError("no size")
        size = math.prod(shape)
        if size * _width(kind) != len(content):
            raise MalformedError("an array of another size")
        self.nodes_left -= size
        if self.nodes_left < 0:
            raise TooLargeError("result_nodes")
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return _as_lists(kind, shape, content)
        array = (
            numpy.frombuffer(content, numpy.dtype(kind)).reshape(shape).copy() if content else numpy.empty(shape, kind)
        )
        return array[()] if scalar else array

    def truth(self) -> bool:
        self.at += 1
        return self.raw[self.at - 1] == ord("1")

    def whole_numbers(self, depth: int, count: int) -> list[int]:
        numbers = self.items(depth)
        if len(numbers) != count or not all(type(number) is int for number in numbers):
            raise MalformedError("whole numbers expected")
        return numbers


def _width(kind: str) -> int:
    return int(kind[2:]) * (4 if kind[1] == "U" else 1)


def _as_lists(kind: str, shape: tuple[int, ...], content: bytes) -> Any:
    """Return an array as nested lists of numbers or texts, where there is no numpy to hold it."""
    width = _width(kind)
    items = [_as_item(kind, content[start : start + width]) for start in range(0, len(content), width)]
    for size in reversed(shape[1:]):
        items = [items[start : start + size] for start in range(0, len(items), size)] if size else []
    return items if shape else items[0]


def _as_item(kind: str, raw: bytes) -> Any:
    order: Any = "big" if kind[0] == ">" else "little"
    match kind[1]:
        case "b":
            return raw != b"\0"
        case "i" | "u":
            return int.from_bytes(raw, order, signed=kind[1] == "i")
        case "S":
            return raw.rstrip(b"\0")
        case "U":
            return raw.decode("utf-32-be" if order == "big" else "utf-32-le", "surrogatepass").rstrip("\0")
    letter = {2: "e", 4: "f", 8: "d"}[len(raw) // (2 if kind[1] == "c" else 1)]
    parts = struct.unpack(f"{kind[0]}{len(raw) // struct.calcsize(letter)}{letter}", raw)
    return complex(*parts) if kind[1] == "c" else parts[0]
