"""What ``docs/probes.md`` says of the probe games: what they ask, and which algorithms solve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from codeduet.agents.config import Sharing
from codeduet.benchmarks.probes.games import PROBES
from codeduet.benchmarks.probes.matrix import cell_text
from codeduet.benchmarks.readme_cells import markdown_table

_SHARED: Mapping[str, str] = {
    "separate": "a model for each agent",
    "adapter": "one frozen base, an adapter for each agent",
    "shared": "one model for all agents",
}


def probes(record: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the games, a table for each sharing, and what the controls say."""
    cells, rows = record["cells"], record["rows"]
    games = [f"* `{probe.name}`: {probe.asks}" for probe in PROBES.values()]
    tables = [f"**`{kind}`**, {_SHARED[kind]}:\n\n{_table(cells, kind)}" for kind in get_args(Sharing)]
    controls = [row for row in rows if row["shuffled"] and row["solved"] is not None]
    told = f"With rewards that were another program's {sum(row['solved'] for row in controls)} of {len(controls)} games were solved."
    return "\n\n".join(("\n".join(games), *tables, told))


def _table(cells: Sequence[Mapping[str, Any]], kind: str) -> str:
    mine = {(row["algorithm"], row["probe"]): row for row in cells if row["sharing"] == kind and not row["shuffled"]}
    algorithms = dict.fromkeys(algorithm for algorithm, _ in mine)
    return markdown_table(
        ["", *PROBES],
        [[algorithm, *(cell_text(mine[algorithm, name]) for name in PROBES)] for algorithm in algorithms],
    )
