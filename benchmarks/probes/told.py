"""What ``codeduet probe`` says: which games an algorithm solves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from codeduet.agents.config import Sharing
from codeduet.algorithms.algorithm import known_algorithms, load_algorithm
from codeduet.benchmarks.probes.games import PROBES
from codeduet.benchmarks.probes.matrix import Entry
from codeduet.benchmarks.probes.play import play_probe
from codeduet.config import parsed
from codeduet.errors import InputError, nearest


def lines(algorithm: str, overrides: Sequence[str], sharing: str) -> Iterator[str]:
    """Yield a line a game, as soon as it is played.

    Args:
        algorithm: a name that a config takes.
        overrides: ``"option=value"`` of it.
        sharing: how agents' policies relate to models.

    Raises:
        InputError: there is no such algorithm, option or sharing.
    """
    if sharing not in get_args(Sharing):
        raise InputError(
            f"sharing is one of {', '.join(get_args(Sharing))}, not {sharing!r}{nearest(sharing, get_args(Sharing))}"
        )
    options = dict(map(_option, overrides))
    ours = algorithm in known_algorithms()  # one's own takes what it says it takes
    entries = {
        probe.name: Entry(algorithm, algorithm, options).for_probe(probe) if ours else options
        for probe in PROBES.values()
    }
    made = load_algorithm(algorithm, next(iter(entries.values())))
    if "reference" in made.needs and sharing != "adapter":
        raise InputError(
            f"{algorithm} reads the base's log-probabilities: codeduet probe {algorithm} --sharing adapter"
        )
    for probe in PROBES.values():
        try:
            played = play_probe(probe, algorithm, entries[probe.name], sharing=sharing)  # type: ignore[arg-type]
        except InputError as error:
            yield f"{probe.name:12} not played: {error}"
            continue
        how = "solved" if played.solved else "not solved"
        yield f"{probe.name:12} {how:10} {played.episodes:6,} episodes, {100 * played.reward:3.0f} % right: {probe.asks}"


def _option(override: str) -> tuple[str, Any]:
    name, sign, value = override.partition("=")
    if not sign or not name:
        raise InputError(f"{override!r} is no option=value")
    return name, parsed(value, override)
