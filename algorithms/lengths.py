"""Which problems are too long for a model: told from the prompts, before anything is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from codeduet.agents import Engine, Formatter
from codeduet.envs import InputError, Problem, find_problem, raw_env
from codeduet.envs.feedback import longest_example
from codeduet.envs.roles import by_agent, target_agent

_CODE = "#"
"""Stands for an answer in a prompt, whose tokens are added apart: a prompt with code in it is another one."""

_MOVED, _LINES = ("a()\n", "    a()\n"), 32
"""Of the shortest lines that do something, with and without indentation: what that adds to an answer of many, at most."""

_FEEDBACK = "99 of 99 tests passed.\nYour code raised ValueError: " + 20 * "longest xx "


class Fit(NamedTuple):
    """Problems, sorted by whether they fit.

    Attributes:
        kept: task ids that do, in their order.
        left_out: those that do not.
        longest: tokens of a prompt and its answer among those kept, at most.
    """

    kept: list[str]
    left_out: list[str]
    longest: int

    def line(self) -> str:
        """Say what is left out."""
        return f"{len(self.left_out)} of {len(self.kept) + len(self.left_out)} problems are too long and left out: " + (
            ", ".join(self.left_out)
        )


def fitting(
    tasks: Sequence[str],
    game: raw_env,
    formatter: Formatter,
    engine: Engine,
    *,
    max_new_tokens: int,
    overlong: Literal["refuse", "skip"],
    blank: Sequence[str] = (),
) -> Fit:
    """Tell which problems leave room for every answer, whatever is answered before it.

    Args:
        tasks: their ids.
        game: an environment that holds them.
        formatter: observation -> prompt.
        engine: who generates, in its model's positions or its context.
        max_new_tokens: of each answer, at most.
        overlong: whether problems that do not fit are refused or left out.
        blank: what is emptied before agents see it.

    Raises:
        InputError: a problem does not fit and ``overlong`` is ``refuse``, or none does.
    """
    room = engine.room()
    needs = {
        task: max(
            _longest(game, game.problems[find_problem(game.problems, task)], agent, formatter, max_new_tokens, blank)
            for agent in game.possible_agents
        )
        for task in tasks
    }
    kept = [task for task in tasks if room is None or needs[task] <= room]
    left_out = [task for task in tasks if task not in kept]
    fit = Fit(kept, left_out, max((needs[task] for task in kept), default=0))
    if fit.left_out and (overlong == "refuse" or not fit.kept):
        longest = max(fit.left_out, key=needs.__getitem__)
        advice = "lower sampling.max_new_tokens" + (
            ", or set env.overlong=skip to leave them out" if fit.kept else ", or take other problems"
        )
        raise InputError(
            f"{len(fit.left_out)} of {len(tasks)} problems are too long for the {room} {engine.limit}: {longest} may take "
            f"{needs[longest]}, its longest prompt and an answer of max_new_tokens={max_new_tokens}; {advice}"
        )
    return fit


def _longest(
    game: raw_env, problem: Problem, agent: str, formatter: Formatter, max_new_tokens: int, blank: Sequence[str]
) -> int:
    """Return the tokens of an agent's longest possible prompt and its answer."""

    def tokens(**seen: Any) -> int:
        observation: Mapping[str, Any] = {
            **dict.fromkeys(("helper_code", *(role.key for role in game.roles), "previous_code", "feedback"), ""),
            "prompt": problem.views.get(by_agent(game.roles)[agent].name, problem.prompt),
            "entry_point": problem.entry_point,
            "turn": 0,
        } | seen
        shown = {key: "" if key in blank else value for key, value in observation.items()}
        return len(formatter.encode(agent, shown))

    answers, indentation = 1, 0  # its own
    longest: dict[str, Any] = {}
    roles, target = {role.name: role for role in game.roles}, target_agent(game.roles)
    for name in by_agent(game.roles)[agent].reads:
        read = [other for other in roles[name].agents if other != agent and other not in blank]
        if read and roles[name].key not in blank:
            longest[roles[name].key] = f"{problem.signature.rstrip()}\n{_CODE}" if target in read else _CODE
            answers += len(read)
    if game.max_turns > 1:
        longest |= {"feedback": _FEEDBACK + longest_example(problem), "turn": game.max_turns - 1}
        without = tokens(**longest)
        longest["previous_code"] = _CODE
        if tokens(**longest) > without:  # a base model does not read its last answer
            answers += 1
            if agent == target and game.extract:  # a body alone is joined to its signature and docstring, and indented
                bare, moved = (tokens(**longest | {"previous_code": line * _LINES}) - without for line in _MOVED)
                indentation = -(-max_new_tokens * (moved - bare) // bare)
                longest["previous_code"] = f"{problem.signature.rstrip()}\n{_CODE}"
    return tokens(**longest) + answers * max_new_tokens + indentation
