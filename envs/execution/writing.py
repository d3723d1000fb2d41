"""Writing values, one by one; ``values`` says which there are."""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution.kinds import (
    CLASSES,
    COMPLEX,
    FACTORIES,
    FIRST_ITEMS,
    FLOAT,
    FUNCTIONS,
    LENGTH,
    MOST_ITEMS,
    PLAIN_KINDS,
    SINGLES,
    UNBOUNDED,
    VIEWS,
    OpaqueError,
    TooLargeError,
    array_parts,
    exception_parts,
    member_parts,
    moment_parts,
)
from codeduet.envs.execution.stand_ins import Opaque

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

Writer = Callable[["Encoder", Any, int], None]

WRITERS: dict[type, Writer] = {}
"""Who writes a type; ``values`` fills it."""
FINDERS: list[Callable[[type], Writer]] = []
"""Finds who writes a type that is not in ``WRITERS``; ``values`` puts it in."""


class Encoder:
    """Writes values.

    Args:
        limits: how large they may be, together.
        strict: refuse what could only be sent as ``Opaque``.
        own: names of the classes that the prompt defines.
        names: what they stand for here.
        streams: gets the iterators whose rest can be asked for, in order; without it they are sent to their end.

    Attributes:
        kept: containers that can be changed, in the order they were met; None to keep none.
        comparing: what is written is only compared: no code of a program's is run for it.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        strict: bool = False,
        own: Collection[str] = (),
        names: Mapping[str, Any] = types.MappingProxyType({}),
        streams: list[Iterator[Any]] | None = None,
    ) -> None:
        self.strict = strict
        self.own = own
        self.names = names
        self.streams = streams
        self.bytes_left = limits.result_bytes if limits else UNBOUNDED
        self.nodes_left = limits.result_nodes if limits else UNBOUNDED
        self.depth = limits.result_depth if limits else UNBOUNDED
        self.parts: list[bytes] = []
        self.kept: list[Any] | None = None
        self.comparing = False
        self._places: dict[int, int] = {}
        self._opened: Any = None  # the container whose content is being written
        self._factory: Any = None  # of the defaultdict whose missing value is being written

    def begin(self, names: Mapping[str, Any], kept: list[Any]) -> None:
        """Begin a message of its own, with these names, and keep its containers in ``kept``."""
        self.names, self.kept = names, kept
        self.parts, self._places = [], {}
        self._opened = self._factory = None

    def encode(self, value: object) -> bytes:
        """Return ``value``, behind what was written before it."""
        self.put(value, self.depth)
        return b"".join(self.parts)

    def refer_to(self, containers: list[Any]) -> None:
        """Write these by their number from now on, where they are met again."""
        self._places = {id(container): number for number, container in enumerate(containers)}

    def put_content(self, container: Any) -> None:
        """Write what a container holds by now, which is otherwise referred to."""
        self._opened = container
        self.put(container, self.depth)

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
        writer = WRITERS.get(type(value)) or FINDERS[0](type(value))
        writer(self, value, depth)

    def known(self, container: Any) -> bool:
        """Write a container's number if it was met before; else remember it."""
        number = self._places.get(id(container))
        if container is self._opened:
            self._opened = None
        elif number is not None:
            self.write(b"@" + LENGTH.pack(number))
            return True
        elif self.kept is not None:
            self._places[id(container)] = len(self.kept)
            self.kept.append(container)
        return False

    def put_text(self, tag: bytes, content: bytes) -> None:
        self.write(tag + LENGTH.pack(len(content)) + content)

    def put_items(self, tag: bytes, items: Any, count: int, depth: int) -> None:
        if count > self.nodes_left:
            raise TooLargeError("result_nodes")
        self.write(tag + LENGTH.pack(count))
        for item in items:
            self.put(item, depth - 1)

    def put_int(self, value: int, _depth: int) -> None:
        size = value.bit_length() // 8 + 1
        if size > self.bytes_left:
            raise TooLargeError("result_bytes")
        self.put_text(b"i", int.to_bytes(value, size, "little", signed=True))

    def put_float(self, value: float, _depth: int) -> None:
        self.write(b"d" + FLOAT.pack(float.__pos__(value)))

    def put_complex(self, value: complex, _depth: int) -> None:
        plain = complex.__pos__(value)
        self.write(b"c" + COMPLEX.pack(plain.real, plain.imag))

    def put_str(self, value: str, _depth: int) -> None:
        self.put_text(b"s", str.encode(value, "utf-8", "surrogatepass"))

    def put_bytearray(self, value: bytearray, _depth: int) -> None:
        if not self.known(value):
            self.put_text(b"B", bytes(bytearray.__add__(value, b"")))

    def put_list(self, value: list[Any], depth: int) -> None:
        if not self.known(value):
            self.put_items(b"[", list.__iter__(value), list.__len__(value), depth)

    def put_tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self.put_items(b"(", tuple.__iter__(value), tuple.__len__(value), depth)

    def put_record(self, value: Any, depth: int) -> None:
        """A namedtuple."""
        self.write(b"n")
        self.put_name(type(value).__name__)
        self.put(tuple(map(str, type(value)._fields)), depth - 1)
        self.put_tuple(value, depth)

    def put_set(self, value: set[Any], depth: int) -> None:
        if not self.known(value):
            self.put_items(b"<", set.__iter__(value), set.__len__(value), depth)

    def put_frozenset(self, value: frozenset[Any], depth: int) -> None:
        self.put_items(b">", frozenset.__iter__(value), frozenset.__len__(value), depth)

    def put_dict(self, value: dict[Any, Any], depth: int, tag: bytes = b"{", kind: type[dict[Any, Any]] = dict) -> None:
        """A dict, in the order that its class ``kind`` gives it."""
        if not self.known(value):
            pairs = (part for pair in kind.items(value) for part in pair)
            self.put_items(tag, pairs, 2 * dict.__len__(value), depth)

    def put_defaultdict(self, value: Any, depth: int) -> None:
        """With its factory, by name, or else a value that the factory made."""
        if self.known(value):
            return
        factory = value.default_factory
        name = next((name for name, kind in FACTORIES.items() if kind is factory), "")
        if not name and factory is not None and not self.comparing:
            name = "same" if _code(factory) is _code(self._factory) else "sample"
        sample = None
        if name == "sample":
            try:
                sample = factory()
            except Exception:  # noqa: BLE001  # as it may, where nothing is missing
                name = ""
        self.write(b"E" + short(name))
        if name == "sample":
            outer, self._factory = self._factory, factory
            self.put(sample, depth - 1)
            self._factory = outer
        pairs = (part for pair in dict.items(value) for part in pair)
        self.put_items(b"{", pairs, 2 * dict.__len__(value), depth)

    def put_deque(self, value: Any, depth: int) -> None:
        if not self.known(value):
            deque = collections.deque
            self.put_items(b"Q" + short(str(value.maxlen)), deque.__iter__(value), deque.__len__(value), depth)

    def put_chain(self, value: Any, depth: int) -> None:
        maps = [each if isinstance(each, dict) else dict(each) for each in value.maps]
        self.put_items(b"H", maps, len(maps), depth)

    def put_view(self, value: Any, depth: int) -> None:
        self.write(b"v" + short(VIEWS[type(value)]))
        self.put(dict(value.mapping), depth - 1)

    def put_range(self, value: range, depth: int) -> None:
        self.put_items(b"r", (value.start, value.stop, value.step), 3, depth)

    def put_fraction(self, value: Fraction, depth: int) -> None:
        self.put_items(b"q", Fraction.as_integer_ratio(value), 2, depth)

    def put_decimal(self, value: Decimal, _depth: int) -> None:
        self.put_text(b"D", Decimal.__str__(value).encode("ascii"))

    def put_name(self, name: str) -> None:
        self.put_text(b"s", str(name).encode("utf-8", "surrogatepass"))

    def put_class(self, value: type, _depth: int) -> None:
        name: str = value.__name__
        if CLASSES.get(name) is value or SINGLES.get(name) is value:
            self.write(b"C" + short(name))
        else:
            self.put_opaque(value)

    def put_function(self, value: Any, depth: int) -> None:
        """A built-in one: into the jail alone."""
        name: str = value.__name__
        if self.strict and FUNCTIONS.get(name) is value:
            self.write(b"C" + short(name))
        else:
            self.put_object(value, depth)

    def put_single(self, value: Any, _depth: int) -> None:
        self.write(b"C" + short(next(name for name, single in SINGLES.items() if single is value)))

    def put_member(self, value: Any, depth: int) -> None:
        """A member of an enumeration."""
        self.write(b"e")
        *names, value, content = member_parts(value)
        for name in names:
            self.put_name(name)
        self.put(value, depth - 1)
        self.put(content, depth - 1)

    def put_moment(self, value: Any, depth: int) -> None:
        """A date, a time, both, a span or a fixed time zone."""
        kind, fields = moment_parts(value)
        self.write(b"t" + short(kind))
        self.put(fields, depth - 1)

    def put_exception(self, value: BaseException, depth: int) -> None:
        """An exception, with what it carries."""
        self.write(b"X")
        for part in exception_parts(value, self.own, self.names):
            self.put(part, depth - 1)

    def put_array(self, value: Any, depth: int) -> None:
        """A numpy array, or one of its scalars."""
        if value.dtype.kind not in PLAIN_KINDS:  # of objects, say
            self.put(value.tolist(), depth)
            return
        word, content = array_parts(value)
        if word[-1] != "," or not self.known(value):
            self.put_text(b"A" + short(word), content)

    def put_numbers(self, value: Any, _depth: int) -> None:
        """An ``array.array``."""
        self.put_text(b"a" + short(value.typecode), value.tobytes())

    def put_stream(self, value: Iterator[Any], depth: int) -> None:
        """An iterator: its first items, and a number by which to ask for others."""
        if self.comparing:
            self.write(b"y")
            return
        generator = type(value) is types.GeneratorType
        truth = generator or bool(value)
        number = 0
        if self.streams is not None:
            number = len(self.streams)
            self.streams.append(value)
        self.write((b"g" if generator else b"y") + (b"1" if truth else b"0") + LENGTH.pack(number))
        self.put_chunk(value, depth)

    def put_chunk(self, source: Iterator[Any], depth: int) -> None:
        """The next items of an iterator one by one: one that is taken may end the one before it."""
        place, count, end = len(self.parts), 0, b"."
        self.write(LENGTH.pack(0))
        failure: BaseException | None = None
        while True:
            if self.streams is not None and count >= FIRST_ITEMS:
                end = b"+"
                break
            try:
                item = next(source)
            except StopIteration:
                break
            except BaseException as error:  # noqa: BLE001  # told where the item would have been
                failure, end = error, b"!"
                break
            self.put(item, depth - 1)
            count += 1
            if self.strict and count > MOST_ITEMS:
                raise TypeError("an iterator without end cannot be sent into the jail")
        self.parts[place] = LENGTH.pack(count)
        self.write(end)
        if failure is not None:
            self.put(failure, depth - 1)

    def put_instance(self, value: Any, depth: int) -> None:
        """An instance of a class that the prompt defines."""
        if not self.known(value):
            self.write(b"I" + short(type(value).__name__))
            self.put({str(name): part for name, part in vars(value).items()}, depth - 1)

    def put_object(self, value: Any, depth: int) -> None:
        kind = type(value)
        if isinstance(value, Opaque):
            raise OpaqueError("an object that was not sent cannot be sent back")
        if kind.__name__ in self.own and self.names.get(kind.__name__) is kind and hasattr(value, "__dict__"):
            self.put_instance(value, depth)
            return
        if isinstance(value, Iterator):
            self.put_stream(value, depth)
            return
        if self.strict:
            raise TypeError(f"a {kind.__name__} cannot be sent into the jail")
        if self.comparing:
            self.write(b"o")
            return
        truth = b"1" if bool(value) else b"0"
        try:
            source = iter(value)
        except TypeError:
            self.write(b"o" + truth)
            return
        items: list[Any] = []
        for item in source:  # a sequence without end reaches the limit
            items.append(item)
            if len(items) > self.nodes_left:
                raise TooLargeError("result_nodes")
        self.put_items(b"z" + truth, items, len(items), depth)

    def put_opaque(self, value: Any) -> None:
        if self.strict:
            raise TypeError(f"the class {value.__name__} cannot be sent into the jail")
        self.write(b"o1")


def _code(factory: Any) -> Any:
    """Return what a function does, if it is one: each round of a recursion makes another."""
    return getattr(factory, "__code__", factory)


def short(text: str) -> bytes:
    """Return a word behind a tag, ended by a line's end."""
    return text.encode("utf-8", "surrogatepass") + b"\n"
