"""At what budget results are compared: how many tokens the answers that make one program may hold.

A team of two writes two answers a program. Beside a single model whose only answer holds no more than one of theirs, it
has twice the room, and where room is what is missing it wins by that alone. So every table of results says which of two
things it compares: systems at an equal budget a program, or systems at equal answers, capped, under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Budget(NamedTuple):
    """What one program may cost.

    Attributes:
        tokens: generated tokens of an answer, at most.
        answers: answers that make one program: one an agent and turn.
    """

    tokens: int
    answers: int

    @property
    def program(self) -> int:
        """Generated tokens of a program, at most."""
        return self.tokens * self.answers


class Comparison(NamedTuple):
    """Results that are set side by side.

    Attributes:
        title: what they have in common; a capped comparison says so.
        names: which results, in the order they came.
        capped: whether equal answers are compared, at unequal budgets a program.
    """

    title: str
    names: tuple[str, ...]
    capped: bool


def budget_of(results: Mapping[str, Any]) -> Budget | None:
    """Return the budget of a benchmark's results by the config they hold; None where they hold none."""
    config = results.get("config")
    if not config:
        return None
    agents = 2 if config["team"]["kind"] == "team" else 1
    return Budget(config["sampling"]["max_new_tokens"], agents * config["env"].get("max_turns", 1))


def compare(budgets: Mapping[str, Budget]) -> list[Comparison]:
    """Return what can be compared among results, name -> budget: equal budgets first, the largest first, then capped.

    Every name stands in some comparison, alone where there is nothing beside it. What stands wholly inside another
    comparison is left out.
    """
    equal = [
        Comparison(f"Equal budget: at most {program} tokens a program", names, capped=False)
        for program, names in sorted(_classes(budgets, lambda budget: budget.program).items(), reverse=True)
    ]
    capped = [
        Comparison(capped_title(tokens), names, capped=True)
        for tokens, names in sorted(_classes(budgets, lambda budget: budget.tokens).items())
        if len({budgets[name].program for name in names}) > 1
    ]
    found = [*equal, *capped]
    return [made for made in found if not any(set(made.names) < set(other.names) for other in found)]


def capped_title(tokens: int) -> str:
    """Return under which name systems are compared that may write unequally many answers of ``tokens`` tokens."""
    return f"{tokens} tokens an answer (an answer holds at most {tokens} tokens: what can two write that one cannot)"


def _classes(budgets: Mapping[str, Budget], key: Any) -> dict[int, tuple[str, ...]]:
    classes: dict[int, tuple[str, ...]] = {}
    for name, budget in budgets.items():
        classes[key(budget)] = (*classes.get(key(budget), ()), name)
    return classes
