"""Learning-rate factors, worked out by hand."""

from __future__ import annotations

import pytest

from codeduet.algorithms.schedule import Schedule, lr_factor


def factors(schedule: Schedule, steps: int, warmup_steps: int = 0) -> list[float]:
    return [lr_factor(schedule, step, steps, warmup_steps=warmup_steps) for step in range(steps + 1)]


def test_a_constant_rate_is_the_rate_itself_to_the_bit() -> None:
    assert factors("constant", 3) == [1.0, 1.0, 1.0, 1.0]
    assert lr_factor("constant", 7, 3, tokens=10, token_budget=20) == 1.0


def test_a_line_falls_by_equal_parts_to_nothing() -> None:
    assert factors("linear", 4) == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 0])


def test_half_a_cosine_is_half_way_down_at_half_the_run() -> None:
    # (1 + cos x) / 2 at x = 0, 60, 90, 120 and 180 degrees.
    cosine = factors("cosine", 6)
    assert [cosine[k] for k in (0, 2, 3, 4, 6)] == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 0])


def test_a_warm_up_rises_to_the_whole_rate_and_the_rest_follows() -> None:
    assert factors("constant", 5, 4) == pytest.approx([1 / 4, 1 / 2, 3 / 4, 1, 1, 1])
    assert factors("linear", 6, 2) == pytest.approx([1 / 2, 1, 1, 3 / 4, 1 / 2, 1 / 4, 0])


def test_what_ends_the_run_sooner_counts() -> None:
    # Step 10 of 100, but 3 of 4 parts of the tokens are gone.
    assert lr_factor("linear", 10, 100, tokens=75, token_budget=100) == pytest.approx(0.25)
    assert lr_factor("linear", 50, 100, tokens=10, token_budget=100) == pytest.approx(0.5)
    assert lr_factor("linear", 60, 100, tokens=100, token_budget=100) == 0.0
    assert lr_factor("linear", 0, 100, tokens=0, token_budget=100) == 1.0
    # Two steps of warm-up took 20 of 60 tokens in 6 steps: of the 80 that are left, 40 are gone.
    assert lr_factor("linear", 6, 1000, warmup_steps=2, tokens=60, token_budget=100) == pytest.approx(0.5)
    # The first step after a warm-up has the whole rate, whatever it took.
    assert lr_factor("linear", 2, 1000, warmup_steps=2, tokens=60, token_budget=100) == pytest.approx(1.0)
