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
        ("At most 100 tokens a program", ("other",), False),
    ]
    assert told() == []


def test_results_are_sorted_by_the_budget_of_their_config() -> None:
    results = {"single": result("single", 64), "whole": result("single", 128), "team": result("team", 64)}
    assert [(title, list(of)) for title, of in by_budget(results)] == [
        (EQUAL, ["whole", "team"]),
        (CAPPED, ["single", "team"]),
    ]


def test_another_number_of_turns_is_no_comparison() -> None:
    """Two tries with feedback are more than tokens, and no team beside one model either."""
    turns = {"once": result("team", 64), "twice": result("team", 64, turns=2), "alone": result("single", 64, turns=2)}
    assert [(title, list(of)) for title, of in by_budget(turns)] == [
        ("At most 128 tokens a program", ["once"]),
        (f"{CAPPED}, 2 turns", ["twice", "alone"]),
    ]
    same = {"a": result("team", 64, turns=2), "b": result("single", 128, turns=2)}
    assert told(a=Budget(64, 2, 2), b=Budget(128, 1, 2)) == [(f"{EQUAL}, 2 turns", ("a", "b"), False)]
    assert by_budget(same) == [("", same)]


def test_who_is_silent_writes_no_answer() -> None:
    silent = result("team", 64)
    silent["config"]["blank"] = ["helper_0"]
    assert [title for title, _ in by_budget({"team": result("team", 64), "silent": silent})] == [CAPPED]


def test_one_budget_needs_no_name_and_an_unknown_one_is_called_so() -> None:
    same = {"before": result("team", 96), "after": result("team", 96)}
    assert by_budget(same) == [("", same)]
    unknown: dict[str, dict[str, Any]] = {"old": {}, "older": {}}
    assert by_budget(unknown) == [("", unknown)]
    assert by_budget({}) == []
    assert by_budget({"old": {}, "new": result("team", 64)}) == [
        ("At most 128 tokens a program", {"new": result("team", 64)}),
        ("Budget unknown", {"old": {}}),
    ]
    mixed = by_budget({"single": result("single", 64), "team": result("team", 64), "old": {}})
    assert [(title, list(of)) for title, of in mixed] == [(CAPPED, ["single", "team"]), ("Budget unknown", ["old"])]
