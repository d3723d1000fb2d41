"""The corpora of programs that forge, that exhaust, and that are odd but right, judged one by one."""

from __future__ import annotations

import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from codeduet.benchmarks.verdict.corpora import Case, channel, exhaustion, forged, odd, verdict
from codeduet.envs import Executor, Limits, Outcome, load_problems

PROBLEMS = {problem.task_id: problem for problem in load_problems()}
LIMITS = Limits(cpu_s=1, wall_s=6, memory_mb=128, check_cpu_s=1)
"""So little memory that no machine takes longer to fill it, page by page, than the processor limit."""


class Judged(NamedTuple):
    outcome: Outcome
    seconds: float
    next_is_right: bool
    """A right program that the same worker judged afterwards was solved."""
    same_worker: bool
    """No process of the pool was replaced meanwhile."""


Judge = Callable[[Case], Judged]


def judge_all(cases: tuple[Case, ...], limits: Limits) -> dict[str, Judged]:
    """Judge every case followed by a right program, in two pools of one worker."""
    easy = PROBLEMS["HumanEval/23"]
    pools = threading.local()
    opened = []

    def judge(case: Case) -> Judged:
        if not hasattr(pools, "executor"):
            pools.executor = Executor(workers=1, limits=limits)
            opened.append(pools.executor)
            pools.executor.start()
        before, began = pools.executor.worker_pids(), time.monotonic()
        outcome = pools.executor.judge(PROBLEMS[case.task_id], helper_code=case.helper, main_code=case.main)
        seconds = time.monotonic() - began
        next_is_right = pools.executor.judge(easy, main_code=easy.reference).solved
        return Judged(outcome, seconds, next_is_right, pools.executor.worker_pids() == before)

    with ThreadPoolExecutor(2) as threads:
        judged = dict(zip((case.name for case in cases), threads.map(judge, cases), strict=True))
    for executor in opened:
        executor.close()
    return judged


@pytest.fixture(scope="module")
def forgeries() -> dict[str, Judged]:
    return judge_all(forged.CASES, Limits())


@pytest.fixture(scope="module")
def talkers() -> dict[str, Judged]:
    return judge_all(channel.CASES, Limits())


@pytest.fixture(scope="module")
def exhausting() -> Iterator[dict[str, Judged]]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield judge_all(exhaustion.CASES, LIMITS)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 64, f"the caller grew by {grown:.0f} MiB"


@pytest.fixture(scope="module")
def odd_ones() -> dict[str, Judged]:
    return judge_all(odd.CASES, Limits())


def by_name(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@by_name(forged.CASES)
def test_a_forged_program_does_not_pass_and_earns_no_more_than_its_answers(
    forgeries: dict[str, Judged], case: Case
) -> None:
    outcome, _, next_is_right, _ = forgeries[case.name]
    assert not outcome.solved
    assert outcome.passed <= case.earns
    assert not outcome.worker_fault
    assert next_is_right


@by_name(channel.CASES)
def test_what_is_written_into_the_channel_earns_nothing_and_ends_no_worker(
    talkers: dict[str, Judged], case: Case
) -> None:
    outcome, _, next_is_right, same_worker = talkers[case.name]
    assert outcome.passed <= case.earns
    assert not outcome.worker_fault
    assert next_is_right
    assert same_worker


@by_name(exhaustion.CASES)
def test_what_exhausts_is_called_by_its_name_in_time(exhausting: dict[str, Judged], case: Case) -> None:
    outcome, seconds, next_is_right, _ = exhausting[case.name]
    assert verdict(outcome) in case.expects
    assert not outcome.worker_fault
    assert outcome.cpu_s < LIMITS.cpu_s + 1
    assert seconds < LIMITS.wall_s + 1
    assert next_is_right


@by_name(odd.CASES)
def test_what_is_odd_but_right_passes(odd_ones: dict[str, Judged], case: Case) -> None:
    outcome, _, next_is_right, _ = odd_ones[case.name]
    assert outcome.solved, outcome.error
    assert next_is_right


def test_the_corpora_are_as_large_and_varied_as_they_should_be() -> None:
    assert len(forged.CASES) >= 150
    assert len({case.task_id for case in forged.CASES}) >= 20
    assert len(exhaustion.CASES) >= 60
    assert len(odd.CASES) >= 50
    assert sum(case.earns > 0 for case in forged.CASES) < 20  # by luck, as a constant does
    assert len(channel.CASES) >= 60
    for cases in (forged.CASES, channel.CASES, exhaustion.CASES, odd.CASES):
        assert max(Counter(case.name for case in cases).values()) == 1
        assert max(Counter((case.task_id, case.helper, case.main) for case in cases).values()) == 1
