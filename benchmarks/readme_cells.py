"""Tables and figures as README has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def per_cent(value: Mapping[str, float]) -> str:
    """Return a mean in per cent."""
    return f"{100 * value['mean']:.1f}"


def with_interval(value: Mapping[str, float], scale: float = 100, digits: int = 1) -> str:
    """Return a mean and its interval."""
    mean, low, high = (f"{scale * value[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low} - {high})"
