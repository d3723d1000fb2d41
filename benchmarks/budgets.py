"""At what budget results are compared: how many tokens the answers that make one program may hold.

A team of two writes two answers a program. Beside a single model whose only answer holds no more than one of theirs, it
has twice the room, and where room is what is missing it wins by that alone. So every table of results says which of two
things it compares: systems at an equal budget a program, or systems at equal answers, capped, under that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from codeduet.envs.roles import DUET, SINGLE, agents_of, as_roles, by_agent

K = TypeVar("K")
R = TypeVar("R", bound=Mapping[str, Any])


class Budget(NamedTuple):
    """What one program may cost.

    Attributes:
        tokens: generated tokens of an answer, at most.
        answers: answers that make one program: one an agent.
        turns: how often they may write anew, having read what became of it.
        beside: tokens that seats of their own may write more, or less, than these.
    """

    tokens: int
    answers: int
    turns: int = 1
    beside: int = 0

    @property
    def program(self) -> int:
        """Generated tokens of a program, at most."""
        return self.tokens * self.answers + self.beside


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


def compare(budgets: Mapping[str, Budget]) -> list[Comparison]:
    """Return what can be compared among results, name -> budget: equal budgets first, the largest first, then capped.

    Every name stands in some comparison, alone where there is nothing beside it: those of other turns are, since feedback
    is more than tokens. What stands wholly inside another comparison is left out.
    """
    equal = [
        Comparison(_equal_title(program, turns, len(names)), names, capped=False)
        for (turns, program), names in sorted(
            _classes(budgets, lambda budget: (budget.turns, budget.program)).items(), reverse=True
        )
    ]
    capped = [
        Comparison(capped_title(tokens) + _in_turns(turns), names, capped=True)
        for (turns, tokens), names in sorted(_classes(budgets, lambda budget: (budget.turns, budget.tokens)).items())
        if len({budgets[name].program for name in names}) > 1
    ]
    found = [*equal, *capped]
    return [made for made in found if not any(set(made.names) < set(other.names) for other in found)]


def by_budget(results: Mapping[str, R]) -> list[tuple[str, dict[str, R]]]:
    """Return benchmark results, name -> results, as what can be compared: (title, results of that comparison).

    The title is empty where all have one budget, so that nothing need be said, or hold no config that tells it.
    """
    budgets = {name: budget for name, result in results.items() if (budget := _budget_of(result))}
    made = compare(budgets)
    told = [(comparison.title, {name: results[name] for name in comparison.names}) for comparison in made]
    if untold := {name: result for name, result in results.items() if name not in budgets}:
        told.append(("Budget unknown", untold))
    return (
        [("", of) for _, of in told] if len(told) == 1 and not any(comparison.capped for comparison in made) else told
    )


def capped_title(tokens: int) -> str:
    """Return under which name systems are compared that may write unequally many answers of ``tokens`` tokens."""
    return f"{tokens} tokens an answer (an answer holds at most {tokens} tokens: what can two write that one cannot)"


def _equal_title(program: int, turns: int, count: int) -> str:
    title = f"at most {program} tokens a program{_in_turns(turns)}"
    return f"Equal budget: {title}" if count > 1 else title.capitalize()


def _in_turns(turns: int) -> str:
    return f", {turns} turns" if turns > 1 else ""


def _budget_of(results: Mapping[str, Any]) -> Budget | None:
    config = results.get("config")
    if not config:
        return None
    if given := config["env"].get("roles"):
        roles = as_roles(given)
    else:
        roles = DUET if config["team"]["kind"] == "team" else SINGLE
    heard = [
        agent for agent in agents_of(roles) if agent not in config.get("blank", ())
    ]  # who is silent writes nothing of it
    tokens, seats = config["sampling"]["max_new_tokens"], config["team"].get("seats", {})
    own = [(seats.get(by_agent(roles)[agent].name, {}).get("sampling") or {}).get("max_new_tokens") for agent in heard]
    beside = sum(limit - tokens for limit in own if limit is not None)
    tries = config.get("best_of", 1)
    return Budget(tokens, tries * len(heard), config["env"]["max_turns"], tries * beside)


def _classes(budgets: Mapping[str, Budget], key: Callable[[Budget], K]) -> dict[K, tuple[str, ...]]:
    classes: dict[K, tuple[str, ...]] = {}
    for name, budget in budgets.items():
        classes[key(budget)] = (*classes.get(key(budget), ()), name)
    return classes
