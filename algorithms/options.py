"""Checks of algorithms' keyword options, each with a line that names the option."""

from __future__ import annotations

import math
from collections.abc import Sequence

from codeduet.errors import InputError


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that an option is one of the choices.

    Raises:
        InputError: it is not.
    """
    if value not in choices:
        raise InputError(f"option {name} must be one of {', '.join(choices)}, not {value!r}")


def check_number(name: str, value: object, least: float, most: float = math.inf) -> None:
    """Check that an option is a number from ``least`` to ``most``.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most or math.isinf(value):
        bounds = f"from {least:g} to {most:g}" if math.isfinite(most) else f"of at least {least:g}"
        raise InputError(f"option {name} must be a number {bounds}, not {value!r}")


def check_whole(name: str, value: object, least: int, why: str = "") -> None:
    """Check that an option is a whole number of at least ``least``.

    Raises:
        InputError: it is not.
    """
    if type(value) is not int or value < least:
        raise InputError(f"option {name} must be a whole number of at least {least}, not {value!r}{why}")


def check_list(name: str, value: object) -> None:
    """Check that an option is a list.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, list | tuple):
        raise InputError(f"option {name} must be a list, not {value!r}")
