"""An executor that fails to judge some programs, as a machine does whose workers are killed again and again."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from codeduet.envs import Executor, Outcome, Program


def fail_on(monkeypatch: pytest.MonkeyPatch, mark: str) -> list[Program]:
    """Let every executor fail on programs whose main code holds ``mark``; return the list that gets them."""
    failed: list[Program] = []
    submit = Executor.submit

    def submit_or_fail(self: Executor, program: Program) -> Future[Outcome]:
        if mark not in program.parts[-1].code:
            return submit(self, program)
        failed.append(program)
        future: Future[Outcome] = Future()
        nothing = Outcome(False, False, 0, 2, (False, False), completed=False)
        future.set_result(replace(nothing, worker_fault=True, error="WorkerFault: status -9"))
        return future

    monkeypatch.setattr(Executor, "submit", submit_or_fail)
    return failed
