"""What an agent is told of a failed turn: counts and its own code's error, never a hidden test's text.

What is fed back, and when an episode stops, follows from the hidden tests (training), or from the examples that the prompt
shows (evaluation): a hidden verdict that steers an answer would turn pass@k into retries with an oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Literal, NamedTuple

import numpy as np

from codeduet.envs.execution import PREAMBLE, Executor, Outcome, Program
from codeduet.envs.problems import Problem
from codeduet.envs.roles import DUET, Role, by_agent, names_of
from codeduet.envs.tests import Asserts

Feedback = Literal["hidden", "examples", "none"]
"""What an agent learns from: the hidden tests' verdict, the visible examples', or nothing."""

_LONGEST_EXAMPLE = 160


class Judged(NamedTuple):
    """What is known after a turn.

    Attributes:
        shown: the verdict that steers the episode; None where nothing does.
        hidden: the hidden tests' verdict; None where the episode goes on and they were not asked.
    """

    shown: Outcome | None
    hidden: Outcome | None


def judge_turn(executor: Executor, program: Program, feedback: Feedback, last: bool) -> Future[Judged]:
    """Begin to judge the program of a turn.

    Args:
        executor: who judges.
        program: the team's, for its problem with the hidden tests.
        feedback: what steers the episode.
        last: the episode ends with this turn in any case.

    Returns:
        The verdicts. Under ``examples`` a program that passes them, or comes last, is judged by the hidden tests, once;
        under ``none`` the last is. ``hidden`` is None exactly where the episode goes on without their verdict.
    """
    judged: Future[Judged] = Future()

    def told(shown: Outcome | None, hidden: Outcome | None) -> None:
        judged.set_result(Judged(shown, hidden))

    def ask_hidden(shown: Outcome | None) -> None:
        _when(executor.submit(program), judged, lambda hidden: told(hidden if feedback == "hidden" else shown, hidden))

    if feedback == "hidden" or last:
        ask_hidden(None)
    elif feedback == "none":
        told(None, None)
    else:
        seen = executor.submit(program._replace(problem=program.problem.visible))
        _when(seen, judged, lambda shown: ask_hidden(shown) if shown.solved else told(shown, None))
    return judged


def _when(done: Future[Outcome], judged: Future[Judged], go_on: Callable[[Outcome], None]) -> None:
    """Go on when an outcome is there; what fails on the way is raised to whoever waits for ``judged``."""

    def called(future: Future[Outcome]) -> None:
        try:
            go_on(future.result())
        except BaseException as error:  # noqa: BLE001
            judged.set_exception(error)

    done.add_done_callback(called)


def ends_after_one(problem: Problem, feedback: Feedback) -> bool:
    """Tell whether an episode has one turn only: there is nothing for a second one to go by."""
    return feedback == "examples" and problem.examples is None


def longest_example(problem: Problem) -> str:
    """Return the longest line that feedback may quote of a problem's examples."""
    lines = problem.examples.lines if isinstance(problem.examples, Asserts) else ()
    return max(map(_quoted, lines), key=len, default="")


def _quoted(line: str) -> str:
    return f"\nThis example failed: {' '.join(line.removeprefix('assert ').split())[:_LONGEST_EXAMPLE]}"


def feedback_for(agent: str, outcome: Outcome, examples: Problem | None = None, roles: Sequence[Role] = DUET) -> str:
    """Return the feedback on ``outcome`` for ``agent``.

    Every agent reads how many tests passed; the error's message goes to the agent whose code raised it, the others
    learn whose it was.

    Args:
        agent: who reads it.
        outcome: the verdict.
        examples: the problem, where the verdict is that of its examples: then the first that failed is quoted, but to a
            role that reads a text of its own in place of the prompt, which shows them.
        roles: the team.
    """
    lines = [f"{outcome.passed} of {outcome.total} {'examples' if examples else 'tests'} passed."]
    if outcome.timed_out:
        lines.append("The program ran out of time.")
    elif outcome.error:
        if outcome.error_part == agent:
            lines.append(f"Your code raised {outcome.error}.")
        elif outcome.error_part == PREAMBLE:
            lines.append(f"The problem's own code raised {outcome.error}.")
        elif outcome.error_part:
            lines.append(
                f"The {names_of(roles)[outcome.error_part]} agent's code raised {outcome.error.split(':')[0]}."
            )
        else:
            lines.append(f"{outcome.error[0].upper()}{outcome.error[1:]}.")
    elif not outcome.solved:
        lines.append("The program ran, but some results were wrong.")
    shown = examples.examples if examples and by_agent(roles)[agent].name not in examples.views else None
    if isinstance(shown, Asserts) and outcome.runnable and len(shown.lines) == outcome.total:
        failed = [line for line, passed in zip(shown.lines, outcome.tests, strict=True) if not passed]
        lines += [_quoted(line).strip() for line in failed[:1]]
    return "\n".join(lines)


def verdict_line(judged: Judged, scores: Mapping[str, float]) -> str:
    """Return a turn's verdict for the transcript."""
    outcome = judged.hidden or judged.shown
    if outcome is None:
        return "not judged"
    error = f", {outcome.error}" if outcome.error else ""
    if judged.hidden is None:
        return f"{outcome.passed}/{outcome.total} examples passed{error}"
    shown = {agent: f"{np.round(score, 10):g}" for agent, score in scores.items()}
    one = len(set(shown.values())) == 1
    score = next(iter(shown.values())) if one else ", ".join(f"{number} {agent}" for agent, number in shown.items())
    return f"verdict: score {score}, {outcome.passed}/{outcome.total} tests passed{error}"


def numbers_of(outcome: Outcome | None) -> dict[str, float]:
    """Return what ``infos`` say of an outcome."""
    if outcome is None:
        return {}
    return {
        "syntax_ok": int(outcome.syntax_ok),
        "runnable": int(outcome.runnable),
        "passed": outcome.passed,
        "total": outcome.total,
        "timed_out": int(outcome.timed_out),
    }
