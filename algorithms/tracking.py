"""Other places for a training's numbers: TensorBoard, Weights & Biases, trackio; each library is imported only when named.

What is named and not installed is refused before anything is loaded. From then on they are pictures of ``metrics.jsonl``, which
may fail without the run noticing: the first thing that goes wrong with one ends it, in one line.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeduet.algorithms.callbacks import Tracker
from codeduet.config import plain
from codeduet.errors import InputError

if TYPE_CHECKING:
    from codeduet.algorithms.trainer import Trainer

PROJECT = "codeduet"
"""Under which runs are gathered, unless the environment says otherwise (``WANDB_PROJECT``, ``TRACKIO_PROJECT``)."""


class Picture(Tracker):
    """A library that shows metrics.

    Attributes:
        title: what it is called.
        package: what is imported and, unless ``needs`` says otherwise, installed.
        needs: what is installed.
    """

    title = ""
    package = ""
    needs = ""

    def __init__(self) -> None:
        self.imported: Any = None
        self._works = True
        self._broken: Exception | None = None  # what went wrong as it was imported, told when there is a console
        self._say: Callable[[str], None] = print
        try:
            self.imported = importlib.import_module(self.package)
        except ModuleNotFoundError as error:
            name = self.needs or self.package
            if error.name != name:  # it is there, and what it needs is not
                self._broken = error
                return
            raise InputError(f"log names {self.title}, which is not installed: pip install {name}") from None
        except Exception as error:  # noqa: BLE001  # a library's worth of imports
            self._broken = error

    def begin(self, trainer: Trainer) -> None:
        """Begin to write, where the training is."""
        self._say = trainer.say
        if self._broken is not None:
            self._fail(self._broken)
        self._try(lambda: self._open(trainer))

    def write(self, step: int, values: Mapping[str, float], kind: str) -> None:
        """Write numbers as ``kind/name``; what is not finite has no place in a picture."""
        finite = {f"{kind}/{name}": value for name, value in values.items() if math.isfinite(value)}
        self._try(lambda: self._put(step, finite))

    def end(self, trainer: Trainer) -> None:
        """Write what is left, and close."""
        self._try(self._close)

    def _open(self, trainer: Trainer) -> None:
        raise NotImplementedError

    def _put(self, step: int, values: dict[str, float]) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def _try(self, do: Callable[[], None]) -> None:
        if self._works:
            try:
                do()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is no reason to end a training
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._works = False
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        self._say(f"{self.title} does not work here ({told}): the run goes on without; metrics.jsonl has every number")


class TensorBoard(Picture):
    """Writes event files into ``tensorboard/`` in the run folder; a resumed run drops what they hold of later steps."""

    title, package, needs = "TensorBoard", "torch.utils.tensorboard", "tensorboard"

    def _open(self, trainer: Trainer) -> None:
        folder = trainer.run / "tensorboard"
        _cut_back(folder, trainer.step)
        self._writer = self.imported.SummaryWriter(folder)

    def _put(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def _close(self) -> None:
        self._writer.close()


class _Run(Picture):
    """A library that gathers runs, each under a name that a resumed run goes on by."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""

    def state_dict(self) -> dict[str, Any]:
        return {"name": self._name}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._name = str(state["name"])

    def _put(self, step: int, values: dict[str, float]) -> None:
        self.imported.log(values, step=step)

    def _close(self) -> None:
        self.imported.finish()


class Wandb(_Run):
    """Writes to Weights & Biases, online or, with ``WANDB_MODE=offline``, into ``wandb/`` in the run folder."""

    title, package = "wandb", "wandb"

    def _open(self, trainer: Trainer) -> None:
        run = self.imported.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=trainer.run.name,
            dir=str(trainer.run),
            config=plain(trainer.config),
            id=self._name or None,
            resume="allow",
        )
        self._name = run.id


class Trackio(_Run):
    """Writes to trackio's local data base, for ``trackio show``."""

    title, package = "trackio", "trackio"

    def _open(self, trainer: Trainer) -> None:
        run = self.imported.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=self._name or None,
            config=plain(trainer.config),
            resume="allow",
        )
        self._name = run.name


def make_tracker(name: str) -> Tracker:
    """Return what writes to ``tensorboard``, ``wandb`` or ``trackio``.

    Raises:
        InputError: it is not installed.
    """
    return {"tensorboard": TensorBoard, "wandb": Wandb, "trackio": Trackio}[name]()


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
