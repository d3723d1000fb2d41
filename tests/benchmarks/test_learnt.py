"""What a training changed: new problems and surer ones are told apart."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console

from codeduet.benchmarks import learnt
from codeduet.benchmarks.learnt import Moved


def row(system: str, correct: dict[str, int], greedy: list[str] | None, **rates: float) -> dict[str, Any]:
    mean = sum(correct.values()) / (10 * len(correct))
    return {
        "system": system,
        "pass@k": {"1": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}},
        "problems": {task: {"n": 10, "correct": c} for task, c in correct.items()},
        "greedy solved": greedy,
        "rates": {name: {"mean": value} for name, value in rates.items()},
        "generated tokens at evaluation": {"main_0": 4000 * len(greedy or "x")},
    }


RESULTS: dict[str, Any] = {
    "test problems": 4,
    "n": 10,
    "rows": {
        "single": row("single", {"a": 0, "b": 5, "c": 2, "d": 3}, ["b", "d"], syntax=0.8),
        "grpo": row("grpo", {"a": 1, "b": 7, "c": 0, "d": 1}, ["b", "a", "c"], syntax=0.95),
        "magrpo": row("magrpo", {"a": 1, "b": 1, "c": 1, "d": 1}, None),
    },
}


def test_new_lost_surer_and_less_sure_problems_are_counted_and_greedy_answers_beside_them() -> None:
    (found,) = learnt.learnt(RESULTS)  # MAGRPO's untrained team is not in the table
    assert (found.row, found.before) == ("grpo", "single")
    assert found.any == Moved(gained=("a",), lost=("c",))
    assert found.greedy == Moved(gained=("a", "c"), lost=("d",))
    assert (found.surer, found.less_sure) == (1, 1)


def test_the_table_tells_before_and_after_and_none_where_nothing_was_trained() -> None:
    shown = learnt.table(RESULTS)
    assert shown is not None
    console = Console(width=100, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(shown)
    text = console.export_text()
    assert "25.0 -> 22.5" in text
    assert re.search(r"\n *newly solved / lost +1 / 1 *\n", text)
    assert re.search(r"greedy: newly solved / lost +2 / 1 *\n", text)
    assert "200.0 -> 300.0" in text  # tokens of an answer
    assert "80.0 -> 95.0" in text
    assert "helper called" not in text
    assert learnt.table({**RESULTS, "rows": {"single": RESULTS["rows"]["single"]}}) is None


def test_rows_chosen_among_drawn_answers_have_no_greedy_ones() -> None:
    rows = {f"{name}_best_of_2": {**RESULTS["rows"][name], "greedy solved": None} for name in ("single", "grpo")}
    (found,) = learnt.learnt({**RESULTS, "rows": rows})
    assert found.greedy is None
    assert found.any.gained == ("a",)
