"""Reading values that ``values`` wrote: every message of a judged process comes through here, whatever it is.

Bytes, objects and depth are bounded, and what is no value raises :class:`MalformedError` and nothing else.
"""

from __future__ import annotations

import collections
import enum
import importlib
import struct
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from codeduet.envs.execution import arrays, kinds, stand_ins
from codeduet.envs.execution.kinds import LENGTH, TooLargeError
from codeduet.envs.execution.stand_ins import Looked, More, Opaque

if TYPE_CHECKING:
    from codeduet.envs.execution.limits import Limits

DEEPEST = 250
"""How deep a message nests at most, where no limit says less: reading it takes three calls a level, of a thousand."""


Reader = Callable[["Decoder", int], Any]

READERS: list[Reader | None] = [None] * 256
"""Who reads what stands behind a tag, by the tag's number; ``values`` fills it."""


class MalformedError(Exception):
    """The bytes are no value: the sender broke the protocol."""


def decode(raw: bytes, limits: Limits | None = None) -> Any:
    """Return the value that ``raw`` holds.

    Raises:
        MalformedError: ``raw`` is no value, or more than one.
        TooLargeError: the value passes one of ``limits``.
    """
    decoder = Decoder(raw, limits)
    value = decoder.value()
    if not decoder.done:
        raise MalformedError("bytes left over")
    return value


class Decoder:
    """Reads the values in a message.

    Args:
        raw: the message.
        limits: how large they may be, together.
        names: what the prompt defines, by name, on this side.
        more: asks for the rest of an iterator.
        kept: gets the containers that can be changed, in the order they are met.
        known: the containers that are referred to by number.
        looked: is told where the tests look into what was not sent.

    Raises:
        TooLargeError: the message is too long.
    """

    def __init__(
        self,
        raw: bytes,
        limits: Limits | None = None,
        names: Mapping[str, Any] = types.MappingProxyType({}),
        more: More | None = None,
        kept: list[Any] | None = None,
        known: list[Any] | None = None,
        looked: Looked = lambda error: error,
    ) -> None:
        if limits and len(raw) > limits.result_bytes:
            raise TooLargeError("result_bytes")
        self.raw = raw
        self.at = 0
        self.nodes_left = limits.result_nodes if limits else kinds.UNBOUNDED
        self.depth = limits.result_depth if limits else DEEPEST
        self.names = names
        self.more = more
        self.kept = kept
        self.containers = known if known is not None else kept if kept is not None else []
        self.looked = looked
        self.instances: list[Any] = []  # of the prompt's classes, as they were met
        self.later: list[Any] = []  # those of them whose content is yet to come
        self.factory: Callable[[], Any] | None = None  # of the defaultdict whose missing value is being read

    @property
    def done(self) -> bool:
        """Whether all bytes are read."""
        return self.at == len(self.raw)

    def value(self) -> Any:
        """Read the next value.

        Raises:
            MalformedError: there is none.
            TooLargeError: it passes a limit.
        """
        try:
            value = self.take(self.depth)
            if self.later:
                self.take_later()
            return value
        except (TooLargeError, MalformedError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever a class of the library thinks of what it is made of
            raise MalformedError(f"{type(error).__name__} in a message") from None

    def values(self, count: int) -> list[Any]:
        """Read the next ``count`` values; raises as :meth:`value` does."""
        return [self.value() for _ in range(count)]

    def number(self) -> int:
        """Read a whole number that is no value."""
        (number,) = LENGTH.unpack_from(self.raw, self.at)
        self.at += LENGTH.size
        return int(number)

    def chunk(self) -> tuple[list[Any], Any]:
        """Read some items of an iterator, and how they end; raises as :meth:`value` does."""
        try:
            chunk = self.take_chunk(self.depth)
            self.take_later()
            return chunk
        except (struct.error, IndexError, RecursionError) as error:
            raise MalformedError(str(error)) from None

    def byte(self) -> bytes:
        self.at += 1
        return self.raw[self.at - 1 : self.at]

    def word(self) -> str:
        """Read up to the line's end."""
        end = self.raw.index(b"\n", self.at, self.at + 200)
        start, self.at = self.at, end + 1
        return self.raw[start:end].decode()

    def text(self) -> bytes:
        (size,) = LENGTH.unpack_from(self.raw, self.at)
        start = self.at + LENGTH.size
        self.at = start + size
        if self.at > len(self.raw):
            raise MalformedError("cut short")
        return self.raw[start : self.at]

    def items(self, depth: int) -> list[Any]:
        count = self.number()
        if count > len(self.raw) - self.at:  # every item takes a byte at least
            raise MalformedError("cut short")
        items = []
        for _ in range(count):  # not in a comprehension, which is one call a level more
            items.append(self.take(depth - 1))
        return items

    def take(self, depth: int) -> Any:
        self.nodes_left -= 1
        if self.nodes_left < 0:
            raise TooLargeError("result_nodes")
        if depth <= 0:
            raise TooLargeError("result_depth")
        tag = self.raw[self.at]
        self.at += 1
        reader = READERS[tag]
        if reader is None:
            raise MalformedError(f"unknown tag {tag}")
        return reader(self, depth)

    def keep(self, container: Any) -> Any:
        if self.kept is not None:
            self.kept.append(container)
        return container

    def take_list(self, depth: int) -> list[Any]:
        made: list[Any] = self.keep([])
        made.extend(self.items(depth))
        return made

    def take_set(self, depth: int) -> Any:
        made: set[Any] = self.keep(set())
        return self.filled(made, self.items(depth))

    def filled(self, made: Any, items: list[Any]) -> Any:
        """Return a set or dict with its items in it; what only a class of the program's could hash makes it an object."""
        try:
            if isinstance(made, set):
                made.update(items)
            else:
                for key, value in zip(items[::2], items[1::2], strict=True):
                    made[key] = value
        except TypeError:
            return Opaque(bool(items), items, self.looked)
        return made

    def take_dict(self, depth: int, kind: Callable[[], Any] = dict) -> Any:
        made = self.keep(kind())
        return self.filled(made, self.items(depth))

    def take_defaultdict(self, depth: int) -> Any:
        word = self.word()
        made: Any = self.keep(collections.defaultdict(kinds.FACTORIES.get(word)))
        if word == "same":
            made.default_factory = self.factory
        elif word == "sample":
            made.default_factory = self.take_factory(depth)
        self.expect(self.byte() == b"{")
        return self.filled(made, self.items(depth))

    def take_factory(self, depth: int) -> Callable[[], Any]:
        """Read a value; return what makes it anew each time."""

        def make() -> Any:
            again = Decoder(raw, names=self.names, known=self.containers)
            again.factory, again.instances = make, [None] * before
            return again.value()

        outer, self.factory, start, before = self.factory, make, self.at, len(self.instances)
        self.take_apart(depth - 1)
        raw, self.factory = self.raw[start : self.at], outer
        return make

    def take_deque(self, depth: int) -> Any:
        word = self.word()
        made: Any = self.keep(collections.deque(maxlen=None if word == "None" else int(word)))
        made.extend(self.items(depth))
        return made

    def take_frozenset(self, depth: int) -> Any:
        made = self.filled(set(), self.items(depth))
        return frozenset(made) if isinstance(made, set) else made

    def take_record(self, depth: int) -> Any:
        name, fields = self.name(), self.take(depth - 1)
        self.expect(self.byte() == b"(" and type(fields) is tuple and all(type(field) is str for field in fields))
        items = self.items(depth)
        self.expect(len(items) == len(fields))
        kind = self.names.get(name)
        if isinstance(kind, type) and issubclass(kind, tuple) and getattr(kind, "_fields", None) == fields:
            return tuple.__new__(kind, items)
        return stand_ins.Record.made(name, fields, items)

    def take_member(self, depth: int) -> Any:
        kind, name, text = self.name(), self.name(), self.name()
        value, content = self.take(depth - 1), self.take(depth - 1)
        own = self.names.get(kind)
        if isinstance(own, enum.EnumMeta) and name in own.__members__:
            return own.__members__[name]
        if isinstance(own, enum.EnumMeta) and issubclass(own, enum.Flag) and type(value) is int:
            try:
                return own(value)  # several at once
            except ValueError:  # not of this one
                pass
        self.expect(content is None or type(content) in (int, str))
        return (
            stand_ins.Member(kind, name, value, text) if content is None else stand_ins.member_of(content, name, value)
        )

    def take_moment(self, depth: int) -> Any:
        kind = self.word()
        self.expect(kind in kinds.MOMENTS)
        fields = self.take(depth - 1)
        self.expect(type(fields) is tuple)
        module = importlib.import_module("datetime")  # loaded where it is used: the jail starts without it
        make = getattr(module, kind)
        if kind in ("datetime", "time"):
            *fields, fold = fields
            return make(*fields, fold=fold)
        return make(*fields)

    def take_exception(self, depth: int) -> BaseException:
        classes, args, attributes = (self.take(depth - 1) for _ in range(3))
        self.expect(type(classes) is tuple and type(args) is tuple and type(attributes) is dict)
        return stand_ins.exception_of(tuple(map(str, classes)), args, attributes, self.names)

    def take_instance(self, depth: int, later: bool = False) -> Any:
        kind: Any = self.names.get(self.word())
        plain = isinstance(kind, type) and getattr(kind, "__new__") is object.__new__  # noqa: B009  # mypy knows better
        made: Any = object.__new__(kind) if plain else Opaque(True, looked=self.looked)
        self.instances.append(self.keep(made))
        if later:
            self.later.append(made)
        else:
            self.take_attributes(made, depth - 1)
        return made

    def take_attributes(self, made: Any, depth: int) -> None:
        attributes = self.take(depth)
        self.expect(type(attributes) is dict)
        if not isinstance(made, Opaque):
            kinds.give_attributes(made, attributes)

    def take_later(self) -> None:
        """Read what the instances hold whose content stands behind the value."""
        for made in self.later:  # which grows meanwhile
            self.take_attributes(made, self.depth - 1)
        self.later.clear()

    def take_apart(self, depth: int) -> Any:
        """Read a value behind which the content of its own instances stands."""
        outer, self.later = self.later, []
        value = self.take(depth)
        self.take_later()
        self.later = outer
        return value

    def take_opaque(self, _depth: int) -> Opaque:
        kind = int(self.byte())
        self.expect(0 <= kind <= 3)
        return (stand_ins.OpaqueFunction if kind & 2 else Opaque)(bool(kind & 1), looked=self.looked)

    def take_array(self, _depth: int) -> Any:
        kind, char, shape = (*self.word().split(" "), "")[:3]
        made = arrays.as_array(kind, char, tuple(int(size) for size in shape.split(",") if size), self.text())
        return self.keep(made) if shape else made[()] if hasattr(made, "dtype") else made

    def take_numbers(self, _depth: int) -> Any:
        array = importlib.import_module("array")
        return array.array(self.word(), self.text())

    def take_stream(self, depth: int, generator: bool = False) -> Any:
        kind, number = int(self.byte()), self.number()
        source = stand_ins.stream(*self.take_chunk(depth), number, self.more)
        if generator:
            return source
        return stand_ins.Stream(bool(kind & 1), source, self.looked if kind & 2 else None)

    def take_chunk(self, depth: int) -> tuple[list[Any], Any]:
        items = [self.take_apart(depth - 1) for _ in range(self.number())] if self.names else self.items(depth)
        end = self.byte()
        if end == b"!":
            failure = self.take(depth - 1)
            self.expect(isinstance(failure, BaseException))
            return items, failure
        self.expect(end in (b".", b"+"))
        return items, stand_ins.END if end == b"." else stand_ins.MORE

    def wrapped(self, kind: Callable[[], Any], content: type, depth: int) -> Any:
        made = kind()
        made.data = self.take(depth - 1)
        self.expect(type(made.data) is content)
        return made

    def name(self) -> str:
        self.expect(self.byte() == b"s")
        return self.text().decode("utf-8", "surrogatepass")

    def whole_numbers(self, depth: int, count: int) -> list[int]:
        numbers = self.items(depth)
        self.expect(len(numbers) == count and all(type(number) is int for number in numbers))
        return numbers

    def mappings(self, depth: int) -> list[dict[Any, Any]]:
        made = self.items(depth)
        self.expect(all(isinstance(each, dict) for each in made))
        return made

    def expect(self, met: bool) -> None:
        if not met:
            raise MalformedError("another value was expected")

    def plain(self, kind: type, depth: int) -> Any:
        value = self.take(depth - 1)
        self.expect(type(value) is kind)
        return value
