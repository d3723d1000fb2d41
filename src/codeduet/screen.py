"""The terminal, and what the system says of files: neither is worth a run, nor a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from rich.console import Console

from codeduet.errors import InputError

_UsageError: Any = typer.BadParameter.__base__
"""An unknown option, command or value. Typer brings this class along under an address that moves."""

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors that say nothing of this program: no space, no permission."""

_OF_A_PATH = {
    errno.ENOENT: "was it, or its folder, moved or deleted meanwhile?",
    errno.EISDIR: "it is a folder where a file belongs: move it, or name another place",
    errno.ENOTDIR: "a file stands where a folder belongs: move it, or name another place",
    errno.EEXIST: "a file stands where a folder belongs: move it, or name another place",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ELOOP: "a link leads back to itself: name another place",
}
"""Errors of the path that was named, and what to do."""


class Screen(Console):
    """A console whose reader may leave, as ``head`` does: the work goes on, and is shown to nobody."""

    def say(self, *texts: str) -> None:
        """Print lines as they are, not wrapped, no square bracket or path taken for markup; an empty one is none."""
        for text in filter(None, texts):
            self.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Show nothing any more, in place of ending the process without a word."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is flushed when Python ends, too
        os.close(nowhere)


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a module's ``main`` as a program whose bad input is one line and exit status 2."""
    try:
        status = main()
    except Exception as error:
        if not (told := complaint(error)):
            raise
        print(f"codeduet: {told}", file=sys.stderr)
        status = 2
    sys.exit(status)


def complaint(error: Exception) -> str:
    """Return what to say of an error, in one line; empty where it is a mistake of ours, whose traceback is wanted."""
    text = ""
    if isinstance(error, InputError | FloatingPointError):  # the latter of a training that diverged
        text = str(error)
    elif isinstance(error, _UsageError):
        text = f"{error.format_message()} (see codeduet --help)"
    elif isinstance(error, OSError):
        text = explain(error)
    elif isinstance(error, RuntimeError | MemoryError):
        from codeduet.agents.out_of_memory import is_out_of_memory

        if is_out_of_memory(error):
            text = f"out of memory: take a smaller model, batch or answer ({str(error)[:200]})"
    return " ".join(text.split())


def explain(error: OSError) -> str:
    """Return what to say of an error of the machine's or of a path; empty where it is another."""
    if error.errno in _OF_THE_MACHINE:
        written = error.filename if error.filename2 is None else error.filename2  # a copy names what it reads first
        place = f" {written}" if written is not None else ""
        return f"cannot write{place}: {error.strerror}; what was written before is kept"
    if error.errno in _OF_A_PATH and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}; {_OF_A_PATH[error.errno]}"
    return ""
