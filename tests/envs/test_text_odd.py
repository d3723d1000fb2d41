"""Golden answers of odd kinds: what holds a right solution solves its problem, a cut-off thought holds nothing."""

from __future__ import annotations

import pytest
from tests.envs.odd_answers import NONE, PROBLEM, RIGHT

from codeduet.envs import Executor, Outcome, Program
from codeduet.envs.text import extract_helper, extract_main


@pytest.fixture(scope="module")
def verdicts(executor: Executor) -> dict[str, Outcome]:
    programs = [Program(PROBLEM, "", extract_main(text, PROBLEM)) for text in RIGHT.values()]
    return dict(zip(RIGHT, executor.judge_many(programs), strict=True))


@pytest.mark.parametrize("name", RIGHT)
def test_an_odd_answer_is_read(name: str, verdicts: dict[str, Outcome]) -> None:
    assert verdicts[name].solved, extract_main(RIGHT[name], PROBLEM)


@pytest.mark.parametrize("text", NONE.values(), ids=NONE.keys())
def test_a_thought_that_was_cut_off_is_no_answer(text: str) -> None:
    assert extract_main(text, PROBLEM) == ""
    assert extract_helper(text) == ""
