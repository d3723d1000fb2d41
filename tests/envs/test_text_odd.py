"""Golden answers of odd kinds: what holds a right solution solves its problem, a cut-off thought holds nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.envs.odd_answers import NONE, PROBLEM
from tests.envs.odd_answers import RIGHT as ODD
from tests.envs.odd_neighbours import BESIDE
from tests.envs.odd_wrappings import WRAPPED

from codeduet.envs import Executor, Outcome, Program
from codeduet.envs.text import extract_helper, extract_main

RIGHT = ODD | WRAPPED | BESIDE


@pytest.fixture(scope="module")
def verdicts(executor: Executor) -> dict[str, Outcome]:
    programs = [Program.of(PROBLEM, main_0=extract_main(text, PROBLEM)) for text in RIGHT.values()]
    return dict(zip(RIGHT, executor.judge_many(programs), strict=True))


@pytest.mark.parametrize("name", RIGHT)
def test_an_odd_answer_is_read(name: str, verdicts: dict[str, Outcome]) -> None:
    assert verdicts[name].solved, extract_main(RIGHT[name], PROBLEM)


CALLED = replace(PROBLEM, prompt="def asked(xs):\n    ...\n", entry_point="asked")
BY_MAIN_ONLY = {name for name in RIGHT if "body" in name or "bodies" in name or "methods:" in name} | {
    "pieces: a constant as a default"
}
"""What holds no function of its own, or one that is made before what it needs."""


def test_helpers_odd_answers_are_read_as_mains_are(executor: Executor) -> None:
    answers = {name: text for name, text in RIGHT.items() if name not in BY_MAIN_ONLY}
    main = "def asked(xs):\n    return longest_run(xs)\n"
    outcomes = executor.judge_many(
        Program.of(CALLED, helper_0=extract_helper(text), main_0=main) for text in answers.values()
    )
    assert [name for name, outcome in zip(answers, outcomes, strict=True) if not outcome.solved] == []


@pytest.mark.parametrize("text", NONE.values(), ids=NONE.keys())
def test_a_thought_that_was_cut_off_is_no_answer(text: str) -> None:
    assert extract_main(text, PROBLEM) == ""
    assert extract_helper(text) == ""
