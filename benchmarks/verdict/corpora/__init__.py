"""Programs written to fool, break or leave the executor, and odd ones that are right.

``forged`` look right without being right, ``escapes`` try to touch what is outside, ``exhaustion`` use up what they are
given or are no programs at all, ``odd`` are right in unusual ways. Each of these modules holds a tuple ``CASES``. What
plays them stands beside them, since none of it is in the wheel: ``forgery``, ``determinism`` and ``soak``.
"""

from __future__ import annotations

from dataclasses import dataclass

from codeduet.envs.execution.outcome import Outcome


@dataclass(frozen=True)
class Case:
    """One program of a corpus.

    Attributes:
        name: unique in its corpus, lower-case words joined by hyphens.
        kind: the trick, a word or two that many cases share.
        task_id: the HumanEval problem it is judged on; ``""`` where the corpus brings a problem of its own.
        main: main's code.
        helper: helper's code.
        earns: forged programs: the number of tests an honest program with the same answers passes.
        expects: exhaustion: the verdicts that are right, as :func:`verdict` says them: a limit's name, an error's class,
            ``"died"``, ``"solved"`` or ``"wrong"``.
    """

    name: str
    kind: str
    task_id: str
    main: str
    helper: str = ""
    earns: int = 0
    expects: tuple[str, ...] = ()


def verdict(outcome: Outcome) -> str:
    """Return the one word for an outcome that :attr:`Case.expects` uses."""
    if outcome.limit:
        return outcome.limit
    if outcome.error.startswith("the process ended"):
        return "died"
    return outcome.error.split(":")[0] or ("solved" if outcome.solved else "wrong")
