"""Reading the fields of a row: what is wrong with one is said in a line that names file, line and field."""

from __future__ import annotations

from typing import Any

from codeduet.envs.errors import InputError

Row = dict[str, Any]


def text(row: Row, name: str, where: str, *, required: bool = True) -> str:
    """Return a field that holds text; ``""`` where it is missing or null and need not be there.

    Raises:
        InputError: it is missing, empty, or no text.
    """
    value = row.get(name)
    if value is None and (name not in row or not required):
        if required:
            raise InputError(f"{where}: field {name!r} is missing")
        return ""
    if not isinstance(value, str):
        raise InputError(f"{where}: field {name!r} must be text, not {type(value).__name__}")
    if required and not value.strip():
        raise InputError(f"{where}: field {name!r} is empty")
    return value


def identity(row: Row, where: str, name: str = "task_id") -> str:
    """Return a row's id, which may be a number, as text.

    Raises:
        InputError: it is missing, empty, or neither.
    """
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(row, name, where)


def lines(row: Row, name: str, where: str, *, required: bool = True) -> list[str]:
    """Return a field that holds a list of texts.

    Raises:
        InputError: it is missing or empty and must not be, or holds something else.
    """
    value = row.get(name)
    if value is None and (name not in row or not required):
        if required:
            raise InputError(f"{where}: field {name!r} is missing")
        return []
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise InputError(f"{where}: field {name!r} must be a list of texts")
    if required and not value:
        raise InputError(f"{where}: field {name!r} is empty")
    return value


def function_name(row: Row, where: str, name: str = "entry_point") -> str:
    """Return the target function's name.

    Raises:
        InputError: it is missing or none.
    """
    value = text(row, name, where)
    if not value.isidentifier():
        raise InputError(f"{where}: field {name!r} must be a function name, not {value!r}")
    return value


def tolerance(row: Row, where: str) -> float:
    """Return how far numbers may be from the expected ones, field ``atol``; 0 where it is missing or null.

    Raises:
        InputError: it is no finite number from 0 on.
    """
    value = row.get("atol") or 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InputError(f"{where}: field 'atol' must be a number from 0 on, not {value!r}")
    return float(value)


def split(row: Row, where: str) -> Any:
    """Return the split a row says it belongs to: ``"train"``, ``"test"``, or ``""`` where it says nothing.

    Raises:
        InputError: it is another.
    """
    value = text(row, "split", where, required=False)
    if value not in ("", "train", "test"):
        raise InputError(f"{where}: field 'split' must be train or test, not {value!r}")
    return value
