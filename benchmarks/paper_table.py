"""The paper's table: its rows, what is compared with what, and how it reads, in sentences and tables.

The paper has four systems. Under the protocol ``sound`` the two of one agent stand twice: with one agent's answer, and
with one answer as long as all of the team's together. What holds at equal budget comes first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from rich.box import SIMPLE_HEAD
from rich.table import Table

from codeduet.benchmarks.budgets import Budget, Comparison, compare
from codeduet.benchmarks.estimators import paired_difference

PAPER = {
    "single": {1: 29, 3: 53, 5: 63, 10: 73},
    "multi_agent": {1: 24, 3: 50, 5: 62, 10: 75},
    "grpo": {1: 15, 3: 31, 5: 41, 10: 55},
    "magrpo": {1: 44, 3: 65, 5: 72, 10: 80},
}
"""The paper's Table 1 in per cent: Qwen2.5-Coder-3B, 40 problems, 10 samples each."""

TITLES = {"single": "Single Model", "multi_agent": "Multi-Agent", "grpo": "GRPO", "magrpo": "MAGRPO"}
"""The paper's systems, in the order of its table."""

RowName = Literal[
    "single_team_budget", "single_best_of_2", "single", "multi_agent", "grpo_team_budget", "grpo_best_of_2", "grpo", "magrpo"
]  # fmt: skip

_BEST_OF_2 = "_best_of_2"


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        name: its folder in the run.
        system: which of the paper's.
        team_budget: whether one agent's answer holds as many tokens as all of the team's.
        best_of: answers of which one is chosen by the prompt's visible examples: so two of one agent cost what a team's two do.
    """

    name: RowName
    system: str
    team_budget: bool = False
    best_of: int = 1

    @property
    def agents(self) -> int:
        """How many write a program."""
        return 2 if self.system in ("multi_agent", "magrpo") else 1

    @property
    def trained(self) -> bool:
        """Whether its weights are not the model's own."""
        return self.system in ("grpo", "magrpo")

    @property
    def weights(self) -> RowName:
        """The row whose training it plays by: of two that differ in how answers are chosen, one is trained."""
        return "grpo" if self.name == "grpo_best_of_2" else self.name

    @property
    def head(self) -> str:
        """The system, and how its answer is chosen."""
        return TITLES[self.system] + (", best of 2" if self.best_of == 2 else "")

    def budget(self, tokens: int) -> Budget:
        """Return what a program may cost where an agent's answer holds ``tokens`` tokens."""
        return Budget(2 * tokens if self.team_budget else tokens, self.agents * self.best_of)

    def title(self, tokens: int) -> str:
        """Return system and budget in words."""
        answers = "two answers" if self.agents * self.best_of == 2 else "one answer"
        return f"{self.head}, {answers} of {self.budget(tokens).tokens} tokens"


ROWS = {
    name: Row(
        name,
        name.removesuffix("_team_budget").removesuffix(_BEST_OF_2),
        team_budget=name.endswith("_team_budget"),
        best_of=2 if name.endswith(_BEST_OF_2) else 1,
    )
    for name in get_args(RowName)
}


def pairs(rows: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return of which two rows a difference is told: MAGRPO less each other, and in each budget what one step adds."""
    others = [("magrpo", name) for name in rows if name != "magrpo"]
    steps = [(f"grpo{budget}", f"single{budget}") for budget in ("_team_budget", _BEST_OF_2, "")]
    steps += [("multi_agent", f"single{budget}") for budget in ("_team_budget", "")]
    return [(a, b) for a, b in [*others, *steps] if a in rows and b in rows]


def differences(rows: Mapping[str, Any], k: int, seed: int) -> dict[str, Any]:
    """Return the paired differences at one k: ``"magrpo - grpo"`` -> mean, low, high."""
    return {f"{a} - {b}": paired_difference(rows[a], rows[b], k, seed)._asdict() for a, b in pairs(rows)}


def comparisons(results: Mapping[str, Any]) -> list[Comparison]:
    """Return what the rows of a table are compared at."""
    rows = results["rows"]
    return compare({name: Budget(row["tokens an answer"], row["answers a program"]) for name, row in rows.items()})


def told_budgets(results: Mapping[str, Any]) -> bool:
    """Tell whether a table says at what budget its rows are, which those of earlier versions do not."""
    return all("tokens an answer" in row for row in results["rows"].values())


def headline(results: Mapping[str, Any]) -> str:
    """Return the sentences that come first: at equal budget, is one model better, or are two agents?"""
    rows = results["rows"]
    if len({row["answers a program"] for row in rows.values()}) < 2:
        return ""  # one model alone, or teams alone
    strongest = next((name for name in ("grpo_team_budget", "grpo_best_of_2") if name in rows), "single_team_budget")
    told: list[str] = []
    for made in comparisons(results):
        pairs_here = [
            pair
            for pair in (("magrpo", strongest), ("multi_agent", "single_team_budget"))
            if not made.capped and set(pair) <= set(made.names)
        ]
        for pair in pairs_here:
            told.append(_which_is_better(results, made.title, *pair))
            if pair == ("magrpo", "single_team_budget"):
                told.append("One model trained at this budget was not measured, which may reverse that.")
        if pairs_here:
            told.append(_greedy(results, made))
    return " ".join(filter(None, told)) or (
        "Nothing can be said: no row of one model has the team's budget, and what follows compares unequal budgets."
    )


def _greedy(results: Mapping[str, Any], comparison: Comparison) -> str:
    """Return the rows by their greedy pass@1, the best first: the simplest baseline is a model that draws nothing."""
    rows = [row for name in comparison.names if (row := results["rows"][name]).get("greedy") is not None]
    if not rows:  # answers that are chosen among two are drawn
        return ""
    best_first = sorted(rows, key=lambda row: row["greedy"]["mean"], reverse=True)
    told = ", ".join(f"{TITLES[row['system']]} {100 * row['greedy']['mean']:.1f}" for row in best_first)
    return f"Greedy pass@1 at this budget in %: {told}."


def _which_is_better(results: Mapping[str, Any], title: str, team: str, single: str) -> str:
    rows = results["rows"]
    ks = _ks(rows[team])
    of_k = {k: results[f"pass@{k} differences"][f"{team} - {single}"] for k in ks}
    where = {
        "one model is better": [k for k in ks if of_k[k]["high"] < 0],
        "two agents are better": [k for k in ks if of_k[k]["low"] > 0],
        "they are not told apart": [k for k in ks if not (of_k[k]["high"] < 0 or of_k[k]["low"] > 0)],
    }
    kind = " against ".join(
        dict.fromkeys("trained" if rows[name]["training"] else "untrained" for name in (team, single))
    ).capitalize()
    words = "; ".join(f"{words} at k = {', '.join(at)}" for words, at in where.items() if at)
    first = ks[0]
    return (
        f"{kind}, at {title[0].lower()}{title[1:]}, {words}: {_head(rows[single])} "
        f"{100 * rows[single]['pass@k'][first]['mean']:.1f} % and {TITLES[rows[team]['system']]} "
        f"{100 * rows[team]['pass@k'][first]['mean']:.1f} % at pass@{first}, a paired difference of "
        f"{interval_cell(of_k[first], sign='+')} points."
    )


def tables(results: Mapping[str, Any], *, capped: bool | None = None) -> Iterator[Table]:
    """Return for every comparison its rows with 95 % intervals, and their paired differences; equal budget first.

    Args:
        results: what ``results.json`` holds.
        capped: only comparisons of equal answers, or only those of equal budget.
    """
    for comparison in comparisons(results):
        if capped in (None, comparison.capped):
            yield _rows_table(results, comparison)
            if pairs(dict.fromkeys(comparison.names)):
                yield _differences_table(results, comparison)


def _head(row: Mapping[str, Any]) -> str:
    return str(row.get("head", TITLES[row["system"]]))  # earlier versions had one row a system


def _ks(row: Mapping[str, Any]) -> list[str]:
    return sorted(row["pass@k"], key=int)


def _rows_table(results: Mapping[str, Any], comparison: Comparison) -> Table:
    rows = [results["rows"][name] for name in comparison.names]
    notes = [results["note"]]
    if comparison.capped:  # as the paper compares
        notes.insert(0, "paper: Qwen2.5-Coder-3B on 40 problems of HumanEval")
    table = Table(
        title=f"{comparison.title}. {results['test problems']} test problems, n = {results['n']}, protocol "
        f"{results['protocol']}, seed {results['seed']}; in %, 95 % intervals over problems",
        caption=". ".join(filter(None, notes)),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for row in rows:
        table.add_column(_head(row), justify="right")
    for name in ("tokens an answer", "answers a program"):
        table.add_row(name, *(str(row[name]) for row in rows))
    table.add_row("training tokens", *(f"{(row['training'] or {}).get('tokens', 0):,}" for row in rows))
    table.add_row("evaluation tokens", *(f"{sum(row['generated tokens at evaluation'].values()):,}" for row in rows))
    table.add_section()
    for k in _ks(rows[0]):
        table.add_row(f"pass@{k}", *(interval_cell(row["pass@k"][k], digits=0) for row in rows))
        if comparison.capped and k in rows[0]["paper"]:
            table.add_row("  paper", *(str(row["paper"][k]) for row in rows), style="dim")
    table.add_section()
    if any(row["greedy"] is not None for row in rows):
        cells = (f"{100 * row['greedy']['mean']:.1f}" if row["greedy"] is not None else "" for row in rows)
        table.add_row("greedy pass@1", *cells)
    for name in ("extracted", "truncated"):
        table.add_row(name, *(f"{100 * row['rates'][name]['mean']:.1f}" for row in rows))
    return table


def _differences_table(results: Mapping[str, Any], comparison: Comparison) -> Table:
    table = Table(
        title=f"{comparison.title}. Paired by problem: points, 95 % bootstrap interval",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    rows = results["rows"]
    ks = list(dict.fromkeys(("1", _ks(rows[comparison.names[0]])[-1])))
    table.add_column("")
    for k in ks:
        table.add_column(f"pass@{k}", justify="right")
    for a, b in pairs(dict.fromkeys(comparison.names)):
        cells = [interval_cell(results[f"pass@{k} differences"][f"{a} - {b}"], sign="+") for k in ks]
        table.add_row(f"{_head(rows[a])} less {_head(rows[b])}", *cells)
    return table


def interval_cell(value: Mapping[str, float], sign: str = "", digits: int = 1) -> str:
    """Return a mean and its interval, with so many decimals, in per cent."""
    mean, low, high = (100 * value[name] for name in ("mean", "low", "high"))
    if math.isnan(low):  # of a single problem
        return f"{mean:{sign}.1f} (no interval)"
    return f"{mean:{sign}.1f} ({low:{sign}.{digits}f}{' to ' if sign else '-'}{high:{sign}.{digits}f})"
