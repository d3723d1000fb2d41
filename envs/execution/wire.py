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


class Reader:
    """Reads messages with as few system calls as may be: several lie ready where the sender is quicker."""

    def __init__(self, descriptor: int, largest: int = MAX_MESSAGE) -> None:
        self._descriptor = descriptor
        self._largest = largest
        self._ready = b""

    def receive(self) -> bytes:
        """Read one message; raises as :func:`receive` does."""
        self._fill(_LENGTH.size)
        (size,) = _LENGTH.unpack_from(self._ready)
        if size > self._largest:
            raise OversizeError
        end = _LENGTH.size + size
        self._fill(end)
        message, self._ready = self._ready[_LENGTH.size : end], self._ready[end:]
        return message

    def _fill(self, count: int) -> None:
        if len(self._ready) < count:
            parts, have = [self._ready], len(self._ready)
            while have < count:
                try:
                    part = os.read(self._descriptor, max(count - have, 1 << 16))
                except ConnectionResetError:
                    raise ClosedError from None
                if not part:
                    raise ClosedError
                parts.append(part)
                have += len(part)
            self._ready = b"".join(parts)


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
