"""Writing values, one by one; ``values`` says which there are."""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Collection, Iterator, Mapping
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
    SINGLES,
    UNBOUNDED,
    OpaqueError,
    TooLargeError,
    attributes_of,
    exception_parts,
    member_parts,
)
from codeduet.envs.execution.stand_ins import Opaque

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

_NESTED = 20
"""Levels from which an instance's content stands behind the value it is part of: a linked list has no depth then."""

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
        # Instances of the prompt's classes: their number, themselves, and whether their content is yet to come.
        self._instances: dict[int, tuple[int, Any, bool]] = {}
        self._count = 0
        self._later: list[Any] = []  # those of them whose content is yet to come
        self._hashing = 0  # above 0 in what a set or dict is hashed by, which has to be whole when it is read
        self._opened: Any = None  # the container whose content is being written
        self._factory: Any = None  # of the defaultdict whose missing value is being written

    def begin(self, names: Mapping[str, Any], kept: list[Any]) -> None:
        """Begin a message of its own, with these names, and keep its containers in ``kept``."""
        self.names, self.kept = names, kept
        self.parts, self._places = [], {}
        self.forget()

    def forget(self) -> None:
        """Begin anew in the middle of a message, after what went wrong and is not sent."""
        self._instances, self._count, self._later, self._hashing = {}, 0, [], 0
        self._opened = self._factory = None

    def encode(self, value: object) -> bytes:
        """Return ``value``, behind what was written before it."""
        self.put_value(value)
        return b"".join(self.parts)

    def put_value(self, value: Any) -> None:
        """Write a value, and behind it what its instances hold that nest too deep in it."""
        self.put(value, self.depth)
        if self._later:
            self.put_later()

    def put_later(self) -> None:
        for instance in self._later:  # which grows meanwhile
            self.put(attributes_of(instance), self.depth - 1)
        self._later.clear()

    def put_apart(self, value: Any, depth: int) -> None:
        """Write a value that refers to no instance outside it, since it is read by itself, or at another time."""
        outer = self._instances, self._later
        self._instances, self._later = {}, []
        self.put(value, depth)
        self.put_later()
        self._instances, self._later = outer

    def refer_to(self, containers: list[Any]) -> None:
        """Write these by their number from now on, where they are met again."""
        self._places = {id(container): number for number, container in enumerate(containers)}

    def put_content(self, container: Any) -> None:
        """Write what a container holds by now, which is otherwise referred to."""
        self._opened = container
        self.put_value(container)

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
            self._hashing += 1
            self.put_items(b"<", set.__iter__(value), set.__len__(value), depth)
            self._hashing -= 1

    def put_frozenset(self, value: frozenset[Any], depth: int) -> None:
        self._hashing += 1
        self.put_items(b">", frozenset.__iter__(value), frozenset.__len__(value), depth)
        self._hashing -= 1

    def put_pairs(self, tag: bytes, pairs: Any, count: int, depth: int) -> None:
        """A dict's."""
        if not self.own:
            self.put_items(tag, (part for pair in pairs for part in pair), 2 * count, depth)
            return
        if 2 * count > self.nodes_left:
            raise TooLargeError("result_nodes")
        self.write(tag + LENGTH.pack(2 * count))
        for key, value in pairs:
            self._hashing += 1
            self.put(key, depth - 1)
            self._hashing -= 1
            self.put(value, depth - 1)

    def put_dict(self, value: dict[Any, Any], depth: int, tag: bytes = b"{", kind: type[dict[Any, Any]] = dict) -> None:
        """A dict, in the order that its class ``kind`` gives it."""
        if not self.known(value):
            self.put_pairs(tag, kind.items(value), dict.__len__(value), depth)

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
            self.put_apart(sample, depth - 1)
            self._factory = outer
        self.put_pairs(b"{", dict.items(value), dict.__len__(value), depth)

    def put_deque(self, value: Any, depth: int) -> None:
        if not self.known(value):
            deque = collections.deque
            self.put_items(b"Q" + short(str(value.maxlen)), deque.__iter__(value), deque.__len__(value), depth)

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

    def put_exception(self, value: BaseException, depth: int) -> None:
        """An exception, with what it carries."""
        self.write(b"X")
        for part in exception_parts(value, self.own, self.names):
            self.put(part, depth - 1)

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
        own = type(value).__module__ == self.names.get("__name__")
        self.write((b"g" if generator else b"y") + b"%d" % (truth + 2 * own) + LENGTH.pack(number))
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
            except MemoryError:  # a limit
                raise
            except BaseException as error:  # noqa: BLE001  # told where the item would have been
                failure, end = error, b"!"
                break
            if self.own:
                self.put_apart(item, depth - 1)
            else:
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
        if self.known(value):
            return
        number, _, waits = self._instances.get(id(value), (-1, None, False))
        if number >= 0 and not (waits and self._hashing):
            self.write(b"j" + LENGTH.pack(number))
            return
        waits = not self._hashing and self.depth - depth >= _NESTED
        if number < 0:
            self._instances[id(value)] = self._count, value, waits
        self._count += 1
        self.write((b"J" if waits else b"I") + short(type(value).__name__))
        if waits:
            self._later.append(value)
        else:
            self.put(attributes_of(value), depth - 1)

    def put_object(self, value: Any, depth: int) -> None:
        kind = type(value)
        if isinstance(value, Opaque):
            raise OpaqueError("an object that was not sent cannot be sent back")
        is_own = kind.__name__ in self.own and self.names.get(kind.__name__) is kind
        if is_own and (hasattr(value, "__dict__") or "__slots__" in vars(kind)):  # and not a library's by another name
            self.put_instance(value, depth)
            return
        is_file = self.strict and hasattr(value, "readline")  # which is more than its lines
        if isinstance(value, Iterator) and not is_file:
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
            self.write(b"o%d" % (int(truth) + 2 * callable(value)))
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
        self.write(b"o3")


def _code(factory: Any) -> Any:
    """Return what a function does, if it is one: each round of a recursion makes another."""
    return getattr(factory, "__code__", factory)


def short(text: str) -> bytes:
    """Return a word behind a tag, ended by a line's end."""
    return text.encode("utf-8", "surrogatepass") + b"\n"
