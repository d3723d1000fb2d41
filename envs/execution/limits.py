"""What one program may use; each limit has an outcome of its own name (``Outcome.limit``)."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from codeduet.errors import InputError

LimitName = Literal[
    "cpu",
    "wall",
    "memory",
    "open_files",
    "source_bytes",
    "result_bytes",
    "result_nodes",
    "result_depth",
    "check_cpu",
    "check_memory",
    "",
]
"""The limit a program ran into, or ``""``."""


_BOUNDS: dict[str, tuple[float, float]] = {
    "cpu_s": (0.01, 86_400),
    "wall_s": (0.01, 86_400),
    "memory_mb": (64, 1 << 20),
    "open_files": (16, 1 << 20),
    "source_bytes": (1, 10_000_000),
    "result_bytes": (1_000, 50_000_000),
    "result_nodes": (10, 10_000_000),
    "result_depth": (10, 200),  # deeper values overflow the comparison's stack
    "check_cpu_s": (0.01, 86_400),
}
"""Least and most of each limit: no Python program loads in less, and messages and clocks hold no more."""


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        cpu_s: processor time in seconds, of all its threads. It decides over a slow program: wall-clock time depends on
            neighbours.
        wall_s: wall-clock time in seconds, for programs that wait.
        memory_mb: address space in MiB; the trusted side may take as much to compare its return values.
        open_files: file descriptors.
        source_bytes: length of helper's and main's code together, in UTF-8.
        result_bytes: length of one return value as it is sent.
        result_nodes: number of objects in one return value.
        result_depth: how deep they nest; chains of instances of the prompt's classes, as linked lists are, do not count.
        check_cpu_s: processor time in seconds the trusted side may spend on comparing the program's return values.

    Raises:
        InputError: a limit that is no positive number.
    """

    cpu_s: float = 2.0
    wall_s: float = 10.0
    memory_mb: int = 512
    open_files: int = 64
    source_bytes: int = 1_000_000
    result_bytes: int = 1_000_000
    result_nodes: int = 100_000
    result_depth: int = 100
    check_cpu_s: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value <= 0:
                raise InputError(f"limit {field.name} must be a positive number, not {value!r}")
            if field.type == "int" and value != int(value):
                raise InputError(f"limit {field.name} must be a whole number, not {value!r}")
            least, most = _BOUNDS[field.name]
            if not least <= value <= most:
                raise InputError(f"limit {field.name} must be between {least:,} and {most:,}, not {value:,}")

    def describe(self, name: LimitName) -> str:
        """Return one line that says which limit was passed, fit for feedback."""
        return {
            "cpu": f"TimeoutError: it used more than {self.cpu_s:g} s of processor time",
            "wall": f"TimeoutError: it took more than {self.wall_s:g} s",
            "memory": f"MemoryError: it asked for more than {self.memory_mb} MiB of memory",
            "open_files": f"OSError: it opened more than {self.open_files} files",
            "source_bytes": f"SourceTooLong: over {self.source_bytes:,} bytes",
            "result_bytes": f"ResultTooLarge: a return value over {self.result_bytes:,} bytes",
            "result_nodes": f"ResultTooLarge: a return value of over {self.result_nodes:,} objects",
            "result_depth": f"ResultTooLarge: a return value nested over {self.result_depth} deep",
            "check_cpu": f"ResultTooLarge: its return values took over {self.check_cpu_s:g} s to compare",
            "check_memory": f"ResultTooLarge: its return values took over {self.memory_mb} MiB to compare",
            "": "",
        }[name]
