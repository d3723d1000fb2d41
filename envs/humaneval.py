"""``codeduet/humaneval-v0``: the game of two agents that write one program, as a PettingZoo AEC environment."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
from gymnasium.spaces import Dict as DictSpace
from gymnasium.spaces import Discrete, Space
from gymnasium.utils import seeding
from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, BaseWrapper, OrderEnforcingWrapper

from codeduet.envs.episode import Resumable
from codeduet.envs.execution import Executor, Outcome, Program, shared_executor
from codeduet.envs.feedback import Feedback, Judged, ends_after_one, feedback_for, judge_turn
from codeduet.envs.problems import Problem, Split, find_problem, load_problems
from codeduet.envs.rewards import RewardFn, get_reward, paid
from codeduet.envs.spaces import MAX_TEXT, Unicode
from codeduet.envs.text import extract_helper, extract_main, without_definition
from codeduet.errors import InputError

HELPER = "helper_0"
MAIN = "main_0"

Observation: TypeAlias = dict[str, Any]
Env: TypeAlias = "AECEnv[str, Observation, str | None]"

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


def env(**kwargs: Any) -> Env:
    """Make the environment, checked: actions that are no text and calls out of order are refused.

    The arguments are those of :class:`raw_env`.
    """
    return OrderEnforcingWrapper(_AssertText(raw_env(**kwargs)))


class _AssertText(AssertOutOfBoundsWrapper):  # type: ignore[type-arg]  # not generic in every release
    """Refuses actions of other kinds than the space's; longer text than it holds is the game's to read."""

    def step(self, action: str | None) -> None:
        if isinstance(action, str):
            BaseWrapper.step(self, action)
        else:
            super().step(action)


class raw_env(AECEnv[str, Observation, "str | None"], Resumable):  # noqa: N801  # PettingZoo's name for it
    """Two language models write one program for a HumanEval problem.

    ## Description

    A *helper* sees a problem and writes auxiliary functions. The *main* agent sees the problem and the helper's code,
    and writes the target function. The joined program (the prompt's own imports and functions, helper's code, main's
    code) runs against the problem's tests and both agents are paid the same reward.

    | import               | `import codeduet.envs`                                  |
    |----------------------|---------------------------------------------------------|
    | make                 | `pettingzoo.make("aec", "codeduet/humaneval-v0")`       |
    | agents               | `helper_0`, `main_0` (acting in this order)             |
    | action               | text, as a model writes it                              |
    | observation          | a dictionary of text and a turn number                  |
    | parallel view        | `turn_based_aec_to_parallel(env)`                       |

    ## Action space

    `Unicode(100000)`: any text. Code is taken from a Markdown fence where there is one, else the text is the code; main
    may write a body alone, which is joined to the prompt's signature. `extract=False` takes the text as it is. A longer
    text ends nothing: of an answer that is long by its thoughts the code is read, and one whose code is longer than that
    counts as none, which transcript and feedback say.

    ## Observation space

    The same for both agents.

    | key             | space             | holds                                                                 |
    |-----------------|-------------------|-----------------------------------------------------------------------|
    | `prompt`        | `Unicode`         | the problem: imports, signature, docstring                            |
    | `entry_point`   | `Unicode`         | name of the target function                                           |
    | `helper_code`   | `Unicode`         | helper's code of this turn; for helper, and before it acted: empty    |
    | `previous_code` | `Unicode`         | the agent's own last code; empty in the first turn                    |
    | `feedback`      | `Unicode`         | what became of the last turn, fit for the agent's role; at first empty|
    | `turn`          | `Discrete(H + 1)` | turns completed                                                       |

    Nobody sees the tests. `state()` (space: `state_space`) holds both agents' code and feedback at once, for a
    centralised critic.

    ## Rewards

    After main acts the program is judged and both agents are paid the turn's score under the scheme `reward`:

    | `reward`                  | score of a turn                                                                    |
    |---------------------------|------------------------------------------------------------------------------------|
    | `"magrpo"`                | 0.2 syntactically valid + 0.3 runnable + 0.1 per passed test                       |
    | `"grpo"`                  | 0.5 runnable + 0.1 per passed test, at most 5                                      |
    | `"pass"`                  | 1 if all tests pass                                                                |
    | `"fraction"`              | share of tests passed                                                              |
    | `"collaboration"`         | structure, syntax, tests, cooperation (Liu et al., arXiv 2508.04652), at most 4.0  |
    | a function of `Outcome`   | what it returns                                                                    |

    *Syntactically valid*: helper's and main's code both parse. *Runnable*: the program loads without an exception
    within its limits and defines the target. A *test* is one source assert that looks at the candidate.

    `infos[agent]` holds plain numbers under the same keys from reset on: `turn`, `score` (of the last turn alone),
    `syntax_ok`, `runnable`, `passed`, `total`, `timed_out`.

    ## Starting state

    `reset(seed=...)` draws a problem; `reset(options={"task_id": "HumanEval/7"})` picks one. Without either the next
    draw follows from the last seed. Other options are ignored.

    ## Episode end

    Solving the problem terminates the episode and pays the turns that are left at full score as well, so that failing
    longer never earns more. So does the last of `max_turns`. A program that the machine fails to judge, again and
    again (`outcome.worker_fault`), truncates it and pays nothing.

    With `feedback="examples"` the hidden tests steer nothing: what is fed back, and when an episode stops, follows from the
    examples that the prompt shows (`Problem.examples`); the last program is judged by the hidden tests once, and paid
    once. A problem without examples has one turn. With `feedback="none"` nothing is fed back and all turns are played.

    ## Arguments

    | argument       | default                    | meaning                                                              |
    |----------------|----------------------------|----------------------------------------------------------------------|
    | `problems`     | `"humaneval"`              | problem set: a name, the path of a file, or `Problem` objects        |
    | `split`        | `"train"`                  | `"train"`, `"test"` or `"all"`; ignored for `Problem` objects        |
    | `reward`       | `"magrpo"`                 | reward scheme                                                        |
    | `max_turns`    | `1`                        | turns H of an episode; a turn is helper, then main                   |
    | `render_mode`  | `None`                     | `"human"` prints the transcript, `"ansi"` returns it                 |
    | `executor`     | `None`                     | who judges; by default one shared by the process                     |
    | `agents`       | `("helper_0", "main_0")`   | `("main_0",)` is the single-agent game                               |
    | `simultaneous` | `False`                    | main does not see helper's code of the turn (as in Liu et al.)       |
    | `extract`      | `True`                     | take code out of fences and prose, join bodies                       |
    | `feedback`     | `"hidden"`                 | what steers a second turn: `"hidden"` tests, `"examples"`, `"none"`  |

    ## Version history

    * v0: first version.
    """

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
            "_random", "_code", "_previous", "_feedback", "_acted", "_too_long", "_transcript", "_printed",
            "_cumulative_rewards", "_skip_agent_selection",
        }
    )  # fmt: skip
    OWN = frozenset({"observation_spaces", "action_spaces", "state_space"})

    def __init__(
        self,
        problems: str | Path | Sequence[Problem] = "humaneval",
        split: Split = "train",
        reward: str | RewardFn = "magrpo",
        max_turns: int = 1,
        render_mode: str | None = None,
        executor: Executor | None = None,
        agents: Sequence[str] = (HELPER, MAIN),
        simultaneous: bool = False,
        extract: bool = True,
        feedback: Feedback = "hidden",
    ) -> None:
        Resumable.__init__(
            self, problems, split, reward, max_turns, render_mode, executor, agents, simultaneous, extract, feedback
        )
        super().__init__()  # type: ignore[no-untyped-call]
        if tuple(agents) not in ((HELPER, MAIN), (MAIN,)):
            raise InputError(f"agents must be ({HELPER!r}, {MAIN!r}) or ({MAIN!r},), not {tuple(agents)}")
        if isinstance(max_turns, bool) or not isinstance(max_turns, int) or max_turns < 1:
            raise InputError(f"max_turns must be a whole number from 1 on, not {max_turns!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"unknown render_mode {render_mode!r}: choose human, ansi or None")
        if feedback not in get_args(Feedback):
            raise InputError(f"unknown feedback {feedback!r}: choose {', '.join(get_args(Feedback))}")
        self.problems = load_problems(problems, split) if isinstance(problems, str | Path) else tuple(problems)
        if not self.problems:
            raise InputError("problems is empty")
        self.reward_fn = get_reward(reward)
        self.max_turns = max_turns
        self.render_mode = render_mode
        self.executor = executor
        self.simultaneous = simultaneous
        self.extract = extract
        self.feedback = feedback
        self.possible_agents = list(agents)
        self.agents = []
        text = Unicode()
        seen: dict[str, Space[Any]] = {
            "prompt": text,
            "entry_point": text,
            "helper_code": text,
            "previous_code": text,
            "feedback": text,
            "turn": Discrete(max_turns + 1),
        }
        # Independent spaces, so that seeding one agent's does not move the other's.
        self.observation_spaces = {agent: DictSpace(seen) for agent in self.possible_agents}
        self.action_spaces = {agent: Unicode() for agent in self.possible_agents}
        self.state_space = DictSpace(
            {
                "prompt": text,
                "entry_point": text,
                "turn": Discrete(max_turns + 1),
                **{f"{agent}_{part}": text for agent in self.possible_agents for part in ("code", "feedback")},
            }
        )
        self._random, _ = seeding.np_random(None)
        self._pending: tuple[str, Future[Judged]] | None = None

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
        self._code = dict.fromkeys(self.agents, "")
        self._previous = dict.fromkeys(self.agents, "")
        self._feedback = dict.fromkeys(self.agents, "")
        self._acted = False  # helper, in this turn
        self._too_long = dict.fromkeys(self.agents, False)
        self._transcript = [f"# {self.problem.task_id}\n{self.problem.prompt}"]
        self._printed = 0
        self._pending = None
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: dict(_IDLE) for agent in self.agents}
        self.agent_selection = self.agents[0]
        self._skip_agent_selection = None  # type: ignore[assignment]  # PettingZoo does so too
        if self.render_mode == "human":
            self.render()

    def observe(self, agent: str) -> Observation:
        """Return what ``agent`` sees now (see the class's table)."""
        shown = agent == MAIN and self._acted and not self.simultaneous
        return {
            "prompt": self.problem.prompt,
            "entry_point": self.problem.entry_point,
            "helper_code": self._code.get(HELPER, "") if shown else "",
            "previous_code": self._previous.get(agent, ""),
            "feedback": self._feedback.get(agent, ""),
            "turn": self.turn,
        }

    def state(self) -> Any:
        """Return the whole state (see ``state_space``): both agents' last code and feedback."""
        state: Observation = {
            "prompt": self.problem.prompt,
            "entry_point": self.problem.entry_point,
            "turn": self.turn,
        }
        for agent in self.possible_agents:
            state[f"{agent}_code"] = self._code[agent]
            state[f"{agent}_feedback"] = self._feedback[agent]
        return state

    def submit(self, action: str) -> None:
        """Begin to judge the program that ``step(action)`` will complete, without waiting.

        A ``step`` with the same action takes the result up; any other step or reset drops it. Does nothing where
        the action completes no program. :func:`codeduet.envs.step_many` calls it for a whole group first.
        """
        if self.agent_selection != MAIN or self.terminations[MAIN] or self.truncations[MAIN]:
            return
        executor = self.executor or shared_executor()
        program = Program(self.problem, self._code.get(HELPER, ""), self._read(MAIN, action))
        last = self.turn + 1 == self.max_turns or ends_after_one(self.problem, self.feedback)
        self._pending = (action, judge_turn(executor, program, self.feedback, last))

    def step(self, action: str | None) -> None:
        """Let the selected agent act; when main does, judge the program and pay both."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        if not isinstance(action, str):
            raise InputError(f"an action is text, not {type(action).__name__}")
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self._transcript.append(f"# turn {self.turn + 1}, {agent}\n{action}")
        if agent == HELPER:
            self._code[HELPER] = self._read(HELPER, action)
            self._acted = True
            self.agent_selection = MAIN
        else:
            if self._pending is None or self._pending[0] != action:
                self.submit(action)
            assert self._pending is not None
            judged = self._pending[1].result()
            self._code[MAIN] = self._read(MAIN, action)
            fault = next((outcome for outcome in judged if outcome is not None and outcome.worker_fault), None)
            if fault is not None:
                self._cut_off(fault)
            else:
                self._pay(judged)
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
        """Return the code of an answer; nothing where it is too long for an observation."""
        code = action
        if self.extract:
            end = action[-_LONGEST_READ:]  # what thoughts lead to stands behind them
            # Of helper's code main reads what it is to call, and that alone is judged. Helper's own try at the target
            # function, which small models write in every other answer, main would copy, mistakes and all.
            code = (
                extract_main(end, self.problem)
                if agent == MAIN
                else without_definition(extract_helper(end, self.problem), self.problem.entry_point)
            )
        self._too_long[agent] = len(code) > MAX_TEXT
        return "" if self._too_long[agent] else code

    def _cut_off(self, outcome: Outcome) -> None:
        """Truncate the episode: nothing is known of its program, so no reward can be made of it."""
        self.outcome = outcome
        self.turn += 1
        self.truncations = dict.fromkeys(self.agents, True)
        self._transcript.append(f"# turn {self.turn}, no verdict: {outcome.error}")
        self._acted = False
        self._deads_step_first()

    def _pay(self, judged: Judged) -> None:
        """Give both agents the turn's reward and feedback, and end the episode or begin the next turn."""
        hidden = judged.hidden
        score = 0.0 if hidden is None else paid(self.reward_fn, hidden)  # before anything changes: it may be refused
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
            self.rewards[agent] = score * turns_paid
            self.terminations[agent] = over
            said = f"{_TOO_LONG.capitalize()}.\n" if self._too_long[agent] else ""
            self._feedback[agent] = said + (feedback_for(agent, judged.shown, examples) if judged.shown else "")
            self._previous[agent] = self._code[agent]
            self.infos[agent] = {**_IDLE, "turn": self.turn, "score": score, **_numbers(hidden or judged.shown)}
        self._transcript += [
            f"# turn {self.turn}, {agent}: {_TOO_LONG}" for agent in self.agents if self._too_long[agent]
        ]
        self._transcript.append(f"# turn {self.turn}, {self._said(judged, score)}")
        self._acted = False
        if over:
            self._deads_step_first()
        else:
            self._code = dict.fromkeys(self.possible_agents, "")
            self.agent_selection = self.possible_agents[0]

    def _said(self, judged: Judged, score: float) -> str:
        """Return a turn's verdict for the transcript."""
        outcome = judged.hidden or judged.shown
        if outcome is None:
            return "not judged"
        error = f", {outcome.error}" if outcome.error else ""
        if judged.hidden is None:
            return f"{outcome.passed}/{outcome.total} examples passed{error}"
        return f"verdict: score {np.round(score, 10):g}, {outcome.passed}/{outcome.total} tests passed{error}"


def _numbers(outcome: Outcome | None) -> dict[str, float]:
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
