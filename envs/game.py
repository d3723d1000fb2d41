"""The game of any roles, turn by turn; :mod:`codeduet.envs.humaneval` describes it to its players."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, get_args

from gymnasium.spaces import Dict as DictSpace
from gymnasium.spaces import Discrete, Space
from gymnasium.utils import seeding
from pettingzoo import AECEnv

from codeduet.envs.answers.statements import defines, scan
from codeduet.envs.episode import Resumable
from codeduet.envs.execution import Executor, Outcome, Part, Program, shared_executor
from codeduet.envs.feedback import (
    Feedback,
    Judged,
    ends_after_one,
    feedback_for,
    judge_turn,
    numbers_of,
    verdict_line,
)
from codeduet.envs.problems import Problem, Split, find_problem, load_problems
from codeduet.envs.rewards import Payment, Reward
from codeduet.envs.roles import DUET, HELPER, SHORTHANDS, Role, agents_of, as_roles, by_agent, check_read, target_agent
from codeduet.envs.spaces import MAX_TEXT, Unicode
from codeduet.envs.text import extract_helper, extract_main, extract_text, without_definition
from codeduet.errors import InputError

Observation: TypeAlias = dict[str, Any]

_LONGEST_READ = 10 * MAX_TEXT  # characters at an answer's end: reading takes time, and a thousand pages hold no program

_TOO_LONG = f"an answer whose code has more than {MAX_TEXT:,} characters counts as none"

_IDLE: dict[str, float] = {
    "turn": 0,
    "score": 0.0,
    "syntax_ok": 0,
    "runnable": 0,
    "passed": 0,
    "total": 0,
    "timed_out": 0,
}

_GAP = {"code": "\n\n\n", "text": "\n\n"}
"""What stands between the answers of a role's agents."""


class _Pending(NamedTuple):
    """An action that completes a program, what was read of it, and the verdict that is on its way."""

    action: str
    answer: str
    program: Program
    judged: Future[Judged]


class Game(AECEnv[str, Observation, "str | None"], Resumable):
    """Agents of any roles write one program, turn by turn. Arguments and spaces are ``raw_env``'s."""

    metadata: dict[str, Any] = {  # noqa: RUF012  # PettingZoo's own form
        "name": "codeduet/humaneval-v0",
        "render_modes": ["human", "ansi"],
        "render_fps": 1,
        # Main must see helper's code of the same turn, which acting at once cannot give.
        "is_parallelizable": False,
    }

    EPISODE = frozenset(
        {
            "problem", "agents", "turn", "outcome", "rewards", "terminations", "truncations", "infos", "agent_selection",
            "_random", "_answers", "_previous", "_feedback", "_acted", "_too_long", "_left_out", "_transcript", "_printed",
            "_cumulative_rewards", "_skip_agent_selection",
        }
    )  # fmt: skip
    OWN = frozenset({"observation_spaces", "action_spaces", "state_space"})

    def __init__(
        self,
        problems: str | Path | Sequence[Problem] = "humaneval",
        split: Split = "train",
        reward: Reward = "magrpo",
        max_turns: int = 1,
        render_mode: str | None = None,
        executor: Executor | None = None,
        extract: bool = True,
        feedback: Feedback = "hidden",
        roles: Sequence[Role | Mapping[str, Any]] = DUET,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if isinstance(max_turns, bool) or not isinstance(max_turns, int) or max_turns < 1:
            raise InputError(f"max_turns must be a whole number from 1 on, not {max_turns!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"unknown render_mode {render_mode!r}: choose human, ansi or None")
        if feedback not in get_args(Feedback):
            raise InputError(f"unknown feedback {feedback!r}: choose {', '.join(get_args(Feedback))}")
        self.roles = as_roles(roles)
        check_read(self.roles, max_turns)
        self.problems = load_problems(problems, split) if isinstance(problems, str | Path) else tuple(problems)
        if not self.problems:
            raise InputError("problems is empty")
        self.possible_agents = list(agents_of(self.roles))
        self.agents = []
        self.payment = Payment(reward, self.possible_agents)
        self.max_turns = max_turns
        self.render_mode = render_mode
        self.executor = executor
        self.extract = extract
        self.feedback = feedback
        self._role = by_agent(self.roles)
        self._target = target_agent(self.roles)
        self._tells_left_out = self.roles not in SHORTHANDS
        terms = self.payment.terms if len(self.payment.terms) > 1 else ()
        told = {"target_left_out": 0} if self._tells_left_out else {}
        self._idle = {**_IDLE, **told, **{f"reward/{term}": 0.0 for term in terms}}
        self._make_spaces()
        self._random, _ = seeding.np_random(None)
        self._pending: _Pending | None = None

    def _make_spaces(self) -> None:
        text, turn = Unicode(), Discrete(self.max_turns + 1)
        read = {role.name: role for role in self.roles if any(role.name in other.reads for other in self.roles)}
        # Helper's code has its place in every team, as prompts and wrappers expect it.
        self._keys: dict[str, Role | None] = {HELPER.key: None, **{role.key: role for role in read.values()}}
        seen: dict[str, Space[Any]] = {
            "prompt": text,
            "entry_point": text,
            **{key: _room(role) if role and role.count > 1 else text for key, role in self._keys.items()},
            "previous_code": text,
            "feedback": text,
            "turn": turn,
        }
        # Independent spaces, so that seeding one agent's does not move the other's.
        self.observation_spaces = {agent: DictSpace(seen) for agent in self.possible_agents}
        self.action_spaces = {agent: Unicode() for agent in self.possible_agents}
        names = {name for problem in self.problems for name in problem.views}
        self._viewers = [role.name for role in self.roles if role.name in names]
        self.state_space = DictSpace(
            {
                "prompt": text,
                "entry_point": text,
                "turn": turn,
                **{f"{name}_prompt": text for name in self._viewers},
                **{
                    f"{agent}_{part}": text
                    for agent, role in self._role.items()
                    for part in (role.writes, "previous", "feedback")
                },
            }
        )

    @functools.cache  # noqa: B019  # one space an agent, as long as the environment lives
    def observation_space(self, agent: str) -> Space[Observation]:
        """Return the observation space of ``agent``."""
        return self.observation_spaces[agent]

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> Space[str | None]:
        """Return the action space of ``agent``."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode: ``options["task_id"]`` names the problem, else ``seed`` draws it.

        Raises:
            InputError: no problem of this set has that task id, or it is no text.
        """
        if seed is not None:
            self._random, _ = seeding.np_random(seed)
        task_id = (options or {}).get("task_id")
        if task_id is not None and not isinstance(task_id, str):
            raise InputError(f"options['task_id'] is text, such as {self.problems[0].task_id!r}, and not {task_id!r}")
        index = find_problem(self.problems, task_id) if task_id is not None else self._draw()
        self.problem = self.problems[index]
        self.agents = list(self.possible_agents)
        self.turn = 0
        self.outcome: Outcome | None = None
        self._answers = dict.fromkeys(self.agents, "")
        self._previous = dict.fromkeys(self.agents, "")
        self._feedback = dict.fromkeys(self.agents, "")
        self._acted: frozenset[str] = frozenset()  # in this turn
        self._too_long = dict.fromkeys(self.agents, False)
        self._left_out = dict.fromkeys(self.agents, False)
        self._transcript = [f"# {self.problem.task_id}\n{self.problem.prompt}"]
        self._printed = 0
        self._pending = None
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: dict(self._idle) for agent in self.agents}
        self.agent_selection = self.agents[0]
        self._skip_agent_selection = None  # type: ignore[assignment]  # PettingZoo does so too
        if self.render_mode == "human":
            self.render()

    def observe(self, agent: str) -> Observation:
        """Return what ``agent`` sees now (see the class's table)."""
        return {
            "prompt": self.problem.views.get(self._role[agent].name, self.problem.prompt),
            "entry_point": self.problem.entry_point,
            **{key: self._heard(agent, role) if role else "" for key, role in self._keys.items()},
            "previous_code": self._previous.get(agent, ""),
            "feedback": self._feedback.get(agent, ""),
            "turn": self.turn,
        }

    def _heard(self, agent: str, role: Role) -> str:
        """Return the latest answers of ``role`` to ``agent``, if its role reads it; never its own."""
        if role.name not in self._role[agent].reads:
            return ""
        behind = self.possible_agents[self.possible_agents.index(agent) + 1 :]
        latest = [
            self._answers[other] if other in self._acted else self._previous[other] if other in behind else ""
            for other in role.agents
            if other != agent
        ]
        return _GAP[role.writes].join(filter(None, latest))

    def state(self) -> Any:
        """Return the whole state (see ``state_space``): no observation holds what does not follow from it."""
        state: Observation = {
            "prompt": self.problem.prompt,
            "entry_point": self.problem.entry_point,
            "turn": self.turn,
            **{f"{name}_prompt": self.problem.views.get(name, self.problem.prompt) for name in self._viewers},
        }
        for agent, role in self._role.items():
            state[f"{agent}_{role.writes}"] = self._answers[agent]
            state[f"{agent}_previous"] = self._previous[agent]
            state[f"{agent}_feedback"] = self._feedback[agent]
        return state

    def program(self) -> Program:
        """Return the team's program as far as it is written in this turn, or as the last turn left it."""
        return self._program(self._answers)

    def _program(self, answers: Mapping[str, str]) -> Program:
        parts = (Part(agent, answers[agent]) for agent, role in self._role.items() if role.writes == "code")
        return Program(self.problem, tuple(parts))

    def submit(self, action: str) -> None:
        """Begin to judge the program that ``step(action)`` will complete, without waiting.

        A ``step`` with the same action takes the result up; any other step or reset drops it. Does nothing where
        the action ends no turn. :func:`codeduet.envs.step_many` calls it for a whole group first.
        """
        agent = self.agent_selection
        if agent != self.possible_agents[-1] or self.terminations[agent] or self.truncations[agent]:
            return
        answer = self._read(agent, action)
        program = self._program({**self._answers, agent: answer})
        last = self.turn + 1 == self.max_turns or ends_after_one(self.problem, self.feedback)
        judged = judge_turn(self.executor or shared_executor(), program, self.feedback, last)
        self._pending = _Pending(action, answer, program, judged)

    def step(self, action: str | None) -> None:
        """Let the selected agent act; when the last does, judge the program and pay all."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        if not isinstance(action, str):
            raise InputError(f"an action is text, not {type(action).__name__}")
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self._transcript.append(f"# turn {self.turn + 1}, {agent}\n{action}")
        if agent != self.possible_agents[-1]:
            self._answers[agent] = self._read(agent, action)
            self._acted |= {agent}
            self.agent_selection = self.possible_agents[self.possible_agents.index(agent) + 1]
        else:
            if self._pending is None or self._pending.action != action:
                self.submit(action)
            assert self._pending is not None
            judged = self._pending.judged.result()
            self._answers[agent] = self._pending.answer
            fault = next((outcome for outcome in judged if outcome is not None and outcome.worker_fault), None)
            if fault is not None:
                self._cut_off(fault)
            else:
                self._pay(judged, self._pending.program)
        self._pending = None
        self._accumulate_rewards()
        if self.render_mode == "human":
            self.render()

    def render(self) -> str | None:
        """Show the episode so far: ``ansi`` returns the transcript, ``human`` prints what is new in it."""
        if self.render_mode == "ansi":
            return "\n\n".join(self._transcript) + "\n"
        if self.render_mode == "human":
            new, self._printed = self._transcript[self._printed :], len(self._transcript)
            # A terminal need not know every character that a model can write.
            encoding = sys.stdout.encoding or "utf-8"
            text = "".join(f"{part}\n\n" for part in new)
            sys.stdout.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
            sys.stdout.flush()
        return None

    def close(self) -> None:
        """Let go of the episode. The executor stays: it is the process's, or the caller's."""
        self._pending = None

    def _draw(self) -> int:
        return int(self._random.integers(len(self.problems)))

    def _read(self, agent: str, action: str) -> str:
        """Return the code or text of an answer; nothing where it is too long for an observation."""
        answer = action
        if self.extract:
            end = action[-_LONGEST_READ:]  # what thoughts lead to stands behind them
            if self._role[agent].writes == "text":
                answer = extract_text(end)
            elif agent == self._target:
                answer = extract_main(end, self.problem)
            else:
                # Of helper's code main reads what it is to call, and that alone is judged. Helper's own try at the target
                # function, which small models write in every other answer, main would copy, mistakes and all.
                answer = without_definition(code := extract_helper(end, self.problem), self.problem.entry_point)
                self._left_out[agent] = self._tells_left_out and _has_definition(code, self.problem.entry_point)
        self._too_long[agent] = len(answer) > MAX_TEXT
        return "" if self._too_long[agent] else answer

    def _cut_off(self, outcome: Outcome) -> None:
        """Truncate the episode: nothing is known of its program, so no reward can be made of it."""
        self.outcome = outcome
        self.turn += 1
        self.truncations = dict.fromkeys(self.agents, True)
        self._transcript.append(f"# turn {self.turn}, no verdict: {outcome.error}")
        self._acted = frozenset()
        self._deads_step_first()

    def _pay(self, judged: Judged, program: Program) -> None:
        """Give all agents the turn's reward and feedback, and end the episode or begin the next turn."""
        hidden = judged.hidden
        scores = dict.fromkeys(self.agents, 0.0)
        terms: dict[str, dict[str, float]] = {}
        if hidden is not None:
            scores, terms = self.payment.pay(hidden, program, self.turn)  # before anything changes: it may be refused
        turns_paid = 1
        self.turn += 1
        over = hidden is not None
        if hidden is not None:
            self.outcome = hidden
            if self.feedback == "hidden":
                over = hidden.solved or self.turn == self.max_turns
                turns_paid = self.max_turns - self.turn + 1 if hidden.solved else 1
        examples = self.problem if self.feedback == "examples" else None
        for agent in self.agents:
            self.rewards[agent] = scores[agent] * turns_paid
            self.terminations[agent] = over
            said = f"{_TOO_LONG.capitalize()}.\n" if self._too_long[agent] else ""
            told = feedback_for(agent, judged.shown, examples, self.roles) if judged.shown else ""
            self._feedback[agent] = said + told
            self._previous[agent] = self._answers[agent]
            apart = {f"reward/{term}": paid[agent] for term, paid in terms.items() if len(terms) > 1}
            numbers = {"turn": self.turn, "score": scores[agent], **apart, **numbers_of(hidden or judged.shown)}
            if self._tells_left_out:
                numbers["target_left_out"] = int(self._left_out[agent])
            self.infos[agent] = {**self._idle, **numbers}
        self._transcript += [
            f"# turn {self.turn}, {agent}: {_TOO_LONG}" for agent in self.agents if self._too_long[agent]
        ]
        self._transcript += [
            f"# turn {self.turn}, {agent}: its {self.problem.entry_point} is left out, which is {self._target}'s to write"
            for agent in self.agents
            if self._left_out[agent]
        ]
        self._transcript.append(f"# turn {self.turn}, {verdict_line(judged, scores)}")
        self._acted = frozenset()
        if over:
            self._deads_step_first()
        else:
            self._answers = dict.fromkeys(self.possible_agents, "")
            self.agent_selection = self.possible_agents[0]


def _room(role: Role) -> Unicode:
    """Return the space of the answers of all agents of a role."""
    return Unicode(role.count * MAX_TEXT + (role.count - 1) * len(_GAP[role.writes]))


def _has_definition(text: str, name: str) -> bool:
    """Tell whether code defines ``name`` at its top level."""
    code = scan(text.split("\n"))
    return any(defines(code, part, name) for part in code.statements)
