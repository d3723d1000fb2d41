"""What stands in README's places of a real model: its table, what training changed, and how settings were chosen."""

from __future__ import annotations

from typing import Any

from codeduet.benchmarks import learnt
from codeduet.benchmarks.paper_table import ROWS, comparisons, interval_cell, pairs
from codeduet.benchmarks.readme_cells import markdown_table, per_cent, with_interval


def real_first(of_seed: dict[str, Any], again: dict[str, Any], silent: dict[str, Any]) -> str:
    """Return in three sentences what holds for a real model, whichever way it falls."""
    rows = of_seed["rows"]
    best = max(("single_team_budget", "single_best_of_2", "multi_agent"), key=lambda name: _at_1(rows[name]))
    ratio = _at_1(rows["magrpo"]) / _at_1(rows[best])
    parted = [of_seed["pass@1 differences"][f"magrpo - {other}"] for other in (best, "grpo_best_of_2")]
    against = [
        "above" if part["low"] > 0 else "below" if part["high"] < 0 else "not told apart from" for part in parted
    ]

    alone = abs(_at_1(silent) - _at_1(rows["magrpo"])) < 0.01
    whose = ": what was gained is main's alone" if alone else ""
    seen = "is seen" if against[0] == "above" else "is not seen"

    def at_1(row: dict[str, Any]) -> str:
        return per_cent(row["pass@k"]["1"])

    return (
        f"Joint training takes the team from {at_1(rows['multi_agent'])} to {at_1(rows['magrpo'])} % at pass@1 ({at_1(again)} % with "
        f"another seed), and {at_1(silent)} % where helper is silenced{whose}. GRPO takes one model from "
        f"{at_1(rows['single'])} to {at_1(rows['grpo'])} %. With {rows[best]['tokens an answer'] * rows[best]['answers a program']} tokens "
        f"a program MAGRPO is {against[0]} the best untrained row ({rows[best]['title']}: {at_1(rows[best])} %, of which it has "
        f"{ratio:.2f} times), and {against[1]} GRPO's two answers, the better by the prompt's own examples ({at_1(rows['grpo_best_of_2'])} "
        f"%, {interval_cell(parted[1], sign='+')} points): what the paper claims for its 3B model {seen} in this one."
    )


def _at_1(row: dict[str, Any]) -> float:
    return float(row["pass@k"]["1"]["mean"])


def real_table(
    of_seed: dict[str, Any],
    again: dict[str, Any],
    again_greedy: dict[str, Any],
    silent: dict[str, Any],
    on_cpu: dict[str, Any],
) -> str:
    """Return the table of a real model: rows at the team's budget, then those at one answer's, and what is paired.

    Args:
        of_seed: results of the reproduction.
        again: results of MAGRPO trained with another seed.
        again_greedy: its greedy answers.
        silent: results of MAGRPO where helper's answers count as empty.
        on_cpu: results of the reproduction of MAGRPO's row alone by the preset for CPUs.
    """
    rows = of_seed["rows"]
    head = ["pass@k in %", *rows["magrpo"]["pass@k"], "greedy", "tokens an answer", "training, thousands"]
    lines: list[list[str]] = []

    def line(title: str, row: dict[str, Any], agents: int, training: int, greedy: str) -> list[str]:
        answers = sum(count["n"] for count in row["problems"].values()) * agents
        written = sum((row.get("generated tokens at evaluation") or row["tokens"]).values())
        return [
            title,
            *map(with_interval, row["pass@k"].values()),
            greedy,
            f"{written / answers:.0f}",
            f"{training / 1000:.0f}" if training else "",
        ]

    for made in comparisons(of_seed):
        lines.append([f"*{made.title.split('. ')[0]}*", *[""] * (len(head) - 1)])
        for name in made.names:
            row = rows[name]
            trained = (rows[ROWS[name].weights]["training"] or {}).get("tokens", 0)
            greedy = per_cent(row["greedy"]) if row["greedy"] else ""
            lines.append(line(row["title"], row, row["answers a program"], trained, greedy))
        if not made.capped:
            tokens, greedy = rows["magrpo"]["training"]["tokens"], per_cent(again_greedy["pass@k"]["1"])
            lines.append(line(f"MAGRPO, seed {again['seed']}", again, 2, tokens, greedy))
            lines.append(line("MAGRPO, helper silent", silent, 2, tokens, ""))
            mine = on_cpu["rows"]["magrpo"]
            greedy = per_cent(mine["greedy"])
            lines.append(line("MAGRPO, the preset for CPUs", mine, 2, mine["training"]["tokens"], greedy))
    told = [[_named(rows[name]) for name in pair] for pair in pairs(rows)]
    ks = ("1", "10")
    paired = [
        [f"{a} less {b}", *(interval_cell(of_seed[f"pass@{k} differences"][f"{x} - {y}"], sign="+") for k in ks)]
        for (a, b), (x, y) in zip(told, pairs(rows), strict=True)
    ]
    return (
        f"{markdown_table(head, lines)}\n\nPaired by problem, points with intervals of 95 %:\n\n"
        f"{markdown_table(['', *(f'pass@{k}' for k in ks)], paired)}"
    )


def _named(row: dict[str, Any]) -> str:
    """Return what a row is called among others of its system."""
    alone = row["answers a program"] == 1
    return f"{row['head']}, one answer of {row['tokens an answer']}" if alone else str(row["head"])


def real_learnt(of_seed: dict[str, Any], team: list[dict[str, Any]], single: list[dict[str, Any]]) -> str:
    """Return what training changed in a real model: on the test problems, and between the thirds of the training.

    Args:
        of_seed: results of the reproduction.
        team: MAGRPO's steps.
        single: GRPO's.
    """
    shown = learnt.table(of_seed)
    assert shown is not None
    columns = [list(column.cells) for column in shown.columns]
    head = [str(column.header) for column in shown.columns]
    thirds = [
        ["episodes solved, %", *(_thirds(rows, "solved", 100) for rows in (single, team))],
        *(
            [f"{words} of {agent}", *(_thirds(rows, f"{agent}/{name}", scale, digits) for rows in (single, team))]
            for agent in ("main_0", "helper_0")
            for words, name, scale, digits in (
                ("tokens", "tokens", 1, 0),
                ("answers cut, %", "truncated", 100, 0),
                ("entropy, nats a token,", "entropy", 1, 2),
            )
        ),
        ["programs that call helper, %", *(_thirds(rows, "helper_called", 100) for rows in (single, team))],
    ]
    test = [[str(cell) for cell in cells] for cells in zip(*columns, strict=True)]
    return (
        f"{markdown_table(head, test)}\n\nIn training, mean of the first third of the steps and of the last:\n\n"
        f"{markdown_table(['', 'GRPO', 'MAGRPO'], thirds)}"
    )


def _thirds(steps: list[dict[str, Any]], name: str, scale: float, digits: int = 0) -> str:
    steps = [row for row in steps if row["kind"] == "train"]
    if name not in steps[0] or (name == "helper_called" and "helper_0/tokens" not in steps[0]):
        return ""
    size = len(steps) // 3
    means = (sum(row[name] for row in part) / len(part) for part in (steps[:size], steps[-size:]))
    return " -> ".join(f"{scale * mean:.{digits}f}" for mean in means)


SEARCH = {
    "magrpo-1e-4": "MAGRPO, nested credit, `fraction`, lr 1e-4",
    "magrpo-2e-4": "MAGRPO, nested credit, `fraction`, lr 2e-4: **taken**",
    "magrpo-1e-4-joint": "MAGRPO, joint credit, `fraction`, lr 1e-4",
    "magrpo-1e-4-magrpo": "MAGRPO, nested credit, `magrpo`, lr 1e-4",
    "grpo-1e-4": "GRPO, `fraction`, lr 1e-4",
    "grpo-2e-4": "GRPO, `fraction`, lr 2e-4: **taken**",
}
"""The short trainings that settings were chosen by: file -> what it was."""


def search(*trainings: list[dict[str, Any]]) -> str:
    """Return what was tried before the table's trainings, in the order of :data:`SEARCH`, by episodes solved in training."""
    lines = []
    for title, rows in zip(SEARCH.values(), trainings, strict=True):
        steps = [row for row in rows if row["kind"] == "train"]
        parts = (steps[:3], steps[-4:])
        solved = (f"{100 * sum(row['solved'] for row in part) / len(part):.0f}" for part in parts)
        tokens = f"{steps[-1]['tokens'] / len(steps) / 1000:.0f}"
        lines.append([title, *solved, f"{100 * sum(row['syntax'] for row in parts[1]) / 4:.0f}", tokens])
    return markdown_table(
        [
            "ten steps of 8 training problems x 16 episodes",
            "solved, %, steps 1 to 3",
            "steps 7 to 10",
            "syntax, %",
            "thousand tokens a step",
        ],
        lines,
    )


def real_checker(*records: dict[str, Any]) -> str:
    """Return what OpenAI's checker says of the samples of several runs."""

    def total(name: str) -> int:
        return sum(record.get(name, 0) for record in records)

    different = total("problems with other counts")
    where = f"on all but {different} problems" if different else "on every problem"
    reasons = {
        "problems that another Python decides": "once ours judges by the checker's Python, 3.11, which lacks methods that 3.12 has",
        "problems that a package decides": "once programs see a package that was installed beside the checker",
    }
    told = "; ".join(f"on {total(name)} {why}" for name, why in reasons.items() if total(name))
    but = f" ({told})" if told else ""
    return (
        f"OpenAI's checker, run on all {total('samples'):,} saved samples, counts the same {where}{but}: "
        "`python -m codeduet.benchmarks.verdict.saved RUN --out FILE`."
    )
