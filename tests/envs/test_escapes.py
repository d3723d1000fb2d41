"""Programs that try to leave their jail: nothing is got from outside, and nothing outside changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from codeduet.benchmarks.verdict.corpora import Case
from codeduet.envs import Executor, InputError, Limits, Problem

if sys.platform != "linux":
    pytest.skip("the jail is Linux's", allow_module_level=True)

from codeduet.benchmarks.verdict.corpora.escapes import CASES, fill, problem
from codeduet.benchmarks.verdict.corpora.outside import Outside, descendants


class Watched(NamedTuple):
    """An executor, the world outside it, and where things are in that world."""

    executor: Executor
    outside: Outside
    tokens: dict[str, str]
    problem: Problem

    def solves(self) -> bool:
        """Tell whether a right program is judged solved."""
        return self.executor.judge(
            self.problem, main_code=f"def attempt():\n    return {self.outside.secret!r}\n"
        ).solved


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    isolation: Any = request.param
    with Outside() as outside:
        target = problem(outside.secret)
        before = set(descendants(os.getpid()))
        try:
            with Executor(workers=1, isolation=isolation, limits=Limits(cpu_s=1, wall_s=4)) as executor:
                right = f"def attempt():\n    return {outside.secret!r}\n"
                assert executor.judge(target, main_code=right).solved  # which starts the pool
                pool = set(descendants(os.getpid())) - before
                yield Watched(executor, outside, outside.tokens(pool), target)
        except InputError as error:
            pytest.skip(f"no isolation by {isolation} here: {error}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_escape_gets_and_changes_nothing(watched: Watched, case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = watched.executor.judge(watched.problem, main_code=fill(case, watched.tokens).main)
    assert outcome.passed == 0
    assert watched.outside.effects() == []
    assert watched.solves()
    assert capfd.readouterr() == ("", "")


def test_nothing_shows_up_late(watched: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    time.sleep(2)
    assert watched.outside.effects() == []
    assert watched.solves()
    assert capfd.readouterr() == ("", "")
