"""Starting the pool's processes: bare interpreters that load this package's modules and nothing else.

Importing ``codeduet.envs`` the usual way brings PettingZoo, Gymnasium and NumPy along, 60 MB and half a second for each
of many processes, and forking a large process is slow. The parent packages are stood in for by empty modules.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

from codeduet.errors import InputError

_HERE = Path(__file__).absolute().parent
_PACKAGES = {
    "codeduet": str(_HERE.parent.parent),
    "codeduet.envs": str(_HERE.parent),
    "codeduet.envs.execution": str(_HERE),
}
_BOOTSTRAP = """
import sys
sys.path = [path for path in sys.path if path]
import importlib, types
for name, folder in {packages!r}.items():
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder]
importlib.import_module({module!r}).main({descriptor})
"""
_OPTIONS = ("-X", "utf8", "-X", "no_debug_ranges")  # without the columns of every instruction, code is smaller
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")


def launch(module: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start ``module.main(descriptor)`` in a process of its own; return it and the other end of its descriptor.

    Raises:
        InputError: Python does not say which interpreter it is, as where it is embedded in another program.
    """
    if not sys.executable:
        raise InputError("sys.executable is empty: set it to a Python interpreter, which the executor's workers run on")
    ours, theirs = map(_above_standard_streams, socket.socketpair())
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        # Sets of text are iterated in the same order each time: the same program earns the same verdict.
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "MALLOC_ARENA_MAX": "1",  # an arena for each thread would use up the limit on address space
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    code = _BOOTSTRAP.format(packages=_PACKAGES, module=module, descriptor=theirs.fileno())
    try:
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", *_OPTIONS, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is the caller's
            env=environment,
            cwd="/",
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def _above_standard_streams(end: socket.socket) -> socket.socket:
    """Move a socket that took the place of a closed standard stream, which the new process gets a stream of its own in."""
    if end.fileno() > 2:
        return end
    moved = socket.socket(fileno=fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))
    end.close()
    return moved
