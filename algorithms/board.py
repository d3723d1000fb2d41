"""TensorBoard, where it is installed: a picture of ``metrics.jsonl`` that may fail without the run noticing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Board:
    """Writes scalars to ``tensorboard/`` in a run folder; the first thing that goes wrong ends it, in one line.

    Args:
        folder: the run folder.
        step: what stands there of later steps is dropped.
        say: gets that line.
    """

    def __init__(self, folder: Path, step: int, say: Callable[[str], None]) -> None:
        self._say = say
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            if error.name != "tensorboard":  # it is there, and broken
                self._fail(error)
            return
        except Exception as error:  # noqa: BLE001  # two libraries' worth of imports
            self._fail(error)
            return
        try:
            _cut_back(folder / "tensorboard", step)
            self._writer = SummaryWriter(folder / "tensorboard")
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def write(self, step: int, values: Mapping[str, float], kind: str) -> None:
        """Write the numbers of one step under ``kind/name``; what is not finite has no place in a picture."""
        if self._writer is None:
            return
        try:
            for name, value in values.items():
                if math.isfinite(value):
                    self._writer.add_scalar(f"{kind}/{name}", value, step)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def close(self) -> None:
        """Flush what is open."""
        try:
            if self._writer is not None:
                self._writer.close()
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._writer = None
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        self._say(f"TensorBoard does not work here ({told}): the run goes on without; metrics.jsonl has every number")


def _cut_back(folder: Path, step: int) -> None:
    """Write what event files hold up to ``step`` into one file, and delete them."""
    old = sorted(folder.glob("events.out.tfevents.*"))
    if not old:
        return
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    kept = [
        event
        for path in old
        for event in LegacyEventFileLoader(str(path)).Load()
        if event.HasField("summary") and event.step <= step
    ]
    if kept:
        # A name of its own: files are named by second, host and process, and this process opens another at once.
        writer = EventFileWriter(str(folder), filename_suffix=".kept")
        for event in kept:
            writer.add_event(event)
        writer.close()
    for path in old:
        path.unlink()
