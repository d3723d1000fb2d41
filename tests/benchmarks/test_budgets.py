"""What is compared with what, and under which name."""

from __future__ import annotations

from typing import Any

from codeduet.benchmarks.budgets import Budget, by_budget, capped_title, compare

ONE, TWICE, TEAM = Budget(64, 1), Budget(128, 1), Budget(64, 2)
EQUAL = "Equal budget: at most 128 tokens a program"
CAPPED = "64 tokens an answer (an answer holds at most 64 tokens: what can two write that one cannot)"


def told(**budgets: Budget) -> list[tuple[str, tuple[str, ...], bool]]:
    return [tuple(comparison) for comparison in compare(budgets)]


def result(kind: str, tokens: int, turns: int = 1) -> dict[str, Any]:
    return {"config": {"team": {"kind": kind}, "sampling": {"max_new_tokens": tokens}, "env": {"max_turns": turns}}}


def test_a_programs_budget_is_that_of_all_its_answers() -> None:
    assert (ONE.program, TWICE.program, TEAM.program) == (64, 128, 128)
    assert capped_title(64) == CAPPED


def test_equal_budget_comes_first_and_capped_answers_last_under_their_name() -> None:
    assert told(capped=ONE, whole=TWICE, team=TEAM, trained=TEAM) == [
        (EQUAL, ("whole", "team", "trained"), False),
        (CAPPED, ("capped", "team", "trained"), True),
    ]


def test_a_single_model_beside_a_team_at_equal_answers_is_capped() -> None:
    """And no table of one column, or of rows that stand in it already, is made besides."""
    assert told(single=ONE, team=TEAM) == [(CAPPED, ("single", "team"), True)]
    assert told(single=ONE, grpo=ONE, team=TEAM, magrpo=TEAM) == [(CAPPED, ("single", "grpo", "team", "magrpo"), True)]


def test_what_compares_with_nothing_stands_alone() -> None:
    assert told(before=TEAM, after=TEAM, other=Budget(100, 1)) == [
        (EQUAL, ("before", "after"), False),
        ("Equal budget: at most 100 tokens a program", ("other",), False),
    ]
    assert told() == []


def test_results_are_sorted_by_the_budget_of_their_config() -> None:
    results = {"single": result("single", 64), "whole": result("single", 128), "team": result("team", 64)}
    assert [(title, list(of)) for title, of in by_budget(results)] == [
        (EQUAL, ["whole", "team"]),
        (CAPPED, ["single", "team"]),
    ]
    turns = {"team": result("team", 64), "again": result("team", 64, turns=2)}
    assert by_budget(turns) == [(CAPPED, turns)]  # a second turn is more answers


def test_one_budget_needs_no_name_and_an_unknown_one_is_called_so() -> None:
    same = {"before": result("team", 96), "after": result("team", 96)}
    assert by_budget(same) == [("", same)]
    unknown: dict[str, dict[str, Any]] = {"old": {}, "older": {}}
    assert by_budget(unknown) == [("", unknown)]
    assert by_budget({}) == []
    mixed = by_budget({"single": result("single", 64), "team": result("team", 64), "old": {}})
    assert [(title, list(of)) for title, of in mixed] == [(CAPPED, ["single", "team"]), ("Budget unknown", ["old"])]
