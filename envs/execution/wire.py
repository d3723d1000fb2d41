"""Messages on a stream: four bytes of length, then the message."""

from __future__ import annotations

import os
import struct

_LENGTH = struct.Struct("<I")
MAX_MESSAGE = 64_000_000


class ClosedError(Exception):
    """The other side is gone."""


class OversizeError(Exception):
    """The other side announces a message that is larger than any it may send."""


def send(descriptor: int, message: bytes) -> None:
    """Write ``message``.

    Raises:
        ClosedError: nobody reads.
    """
    rest = memoryview(_LENGTH.pack(len(message)) + message)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except (BrokenPipeError, ConnectionResetError):
        raise ClosedError from None


def receive(descriptor: int, largest: int = MAX_MESSAGE) -> bytes:
    """Read one message.

    Raises:
        ClosedError: the stream ended.
        OversizeError: the message is longer than ``largest``, of which nothing was read.
    """
    (size,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size))
    if size > largest:
        raise OversizeError
    return _exactly(descriptor, size)


def _exactly(descriptor: int, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = os.read(descriptor, min(count, 1 << 20))
        except ConnectionResetError:
            raise ClosedError from None
        if not part:
            raise ClosedError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
