"""What users name in configs: ``module:name`` from where they stand, or ``folder/file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from codeduet.errors import InputError


def load_named(name: str, what: str) -> Any:
    """Return what ``name`` names, imported from the working directory or wherever Python finds it.

    Args:
        name: ``package.module:attribute``, or a file's path in place of the module.
        what: it is, for people.

    Raises:
        InputError: it cannot be imported.
    """
    module, _, attribute = name.rpartition(":")
    try:
        return getattr(_of_file(Path(module)) if module.endswith(".py") else _of_name(module), attribute)
    except Exception as error:  # noqa: BLE001  # whatever a user's module raises while it loads
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{what} {name!r} cannot be imported: {reason}") from None


def _of_name(module: str) -> Any:
    if "" not in sys.path:  # a command's path begins with its own folder, and not with where it is typed
        sys.path.append("")
    return importlib.import_module(module)


def _of_file(path: Path) -> Any:
    """Import a file under its own name, so that what it pickles is found again; it may import what lies beside it."""
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    beside = str(path.resolve().parent)
    sys.path.insert(0, beside)
    try:
        spec.loader.exec_module(module)
    except BaseException:  # half of it would be found the next time
        if sys.modules.get(path.stem) is module:
            del sys.modules[path.stem]
        raise
    finally:
        if beside in sys.path:  # it may have put it elsewhere
            sys.path.remove(beside)
    return module
