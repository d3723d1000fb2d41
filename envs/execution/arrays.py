"""numpy's arrays and scalars as data: their type, their shape and the bytes of their content.

numpy itself is not imported here: what holds no array needs none.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any

from codeduet.envs.execution.kinds import UndescribedError

PLAIN_KINDS = "biufcSUMm"
"""Kinds of numpy's types whose bytes are their content."""

_TYPE = re.compile(rf"[<>|=][{PLAIN_KINDS}]\d+(\[\d*\w+\])?")
"""As ``dtype.str`` writes them; moments and spans say their unit: ``<M8[25us]``."""


def array_parts(value: Any) -> tuple[str, bytes]:
    """Return a numpy array's type and shape in a word (a scalar has none), and its content.

    Raises:
        UndescribedError: there is more to it: a mask, fields with names.
    """
    numpy = sys.modules["numpy"]
    masked = "numpy.ma" in sys.modules and isinstance(value, numpy.ma.MaskedArray)
    if masked or value.dtype.kind not in PLAIN_KINDS:
        raise UndescribedError(f"a {type(value).__name__} of type {value.dtype} cannot be sent")
    shape = ",".join(map(str, value.shape)) + "," if isinstance(value, numpy.ndarray) else ""
    return f"{value.dtype.str} {value.dtype.char} {shape}", value.tobytes()


def as_array(kind: str, char: str, shape: tuple[int, ...], content: bytes) -> Any:
    """Return a numpy array, or, where numpy is not loaded, the same numbers and texts in lists.

    Raises:
        ValueError, TypeError: the content does not fit.
    """
    if not _TYPE.fullmatch(kind):
        raise ValueError("no type of numpy's")
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        dtype = numpy.dtype(kind)
        if not shape and not dtype.itemsize:  # an empty text, which says nonetheless that it has content
            return numpy.zeros((), dtype)
        if len(content) != math.prod(shape) * dtype.itemsize:
            raise ValueError("another shape")
        return numpy.ndarray(shape, dtype, content).copy()
    flat = _plain(kind, char, content, math.prod(shape))
    if math.prod(shape) != len(flat):
        raise ValueError("another shape")
    if not shape:
        return flat[0]
    for size in shape[:0:-1]:
        flat = [flat[start : start + size] for start in range(0, len(flat), size)]
    return flat


def _plain(kind: str, char: str, content: bytes, count: int) -> list[Any]:
    """Return an array's items one by one: numbers, texts, and the numbers that moments and spans are counted by."""
    if char in "SU":
        size = len(content) // count if count else 0
        items = [content[start : start + size] for start in range(0, len(content), size or 1)] or [b""] * count
        if char == "S":
            return [item.rstrip(b"\0") for item in items]
        order = "big" if kind[0] == ">" else "little"
        return [item.decode(f"utf-32-{order[0]}e").rstrip("\0") for item in items]
    if char in "FD":
        parts: list[float] = memoryview(content).cast(char.lower()).tolist()  # type: ignore[call-overload]
        return [complex(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    flat: list[Any] = memoryview(content).cast("q" if char in "Mm" else char).tolist()  # type: ignore[call-overload]
    return flat
