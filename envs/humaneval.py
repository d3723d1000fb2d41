"""``codeduet/humaneval-v0``: the game of two agents that write one program, as a PettingZoo AEC environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, BaseWrapper, OrderEnforcingWrapper

from codeduet.envs.episode import Resumable
from codeduet.envs.execution import Executor
from codeduet.envs.feedback import Feedback
from codeduet.envs.game import Game, Observation
from codeduet.envs.problems import Problem, Split
from codeduet.envs.rewards import Reward
from codeduet.envs.roles import AT_ONCE, DUET, SINGLE, Role, Roles, as_roles
from codeduet.errors import InputError

HELPER = "helper_0"
MAIN = "main_0"

Env: TypeAlias = "AECEnv[str, Observation, str | None]"


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


class raw_env(Game):  # noqa: N801  # PettingZoo's name for it
    """Two language models write one program for a HumanEval problem.

    ## Description

    A *helper* sees a problem and writes auxiliary functions. The *main* agent sees the problem and the helper's code,
    and writes the target function. The joined program (the prompt's own imports and functions, helper's code, main's
    code) runs against the problem's tests and both agents are paid the same reward.

    | import               | `import codeduet.envs`                                  |
    |----------------------|---------------------------------------------------------|
    | make                 | `pettingzoo.make("aec", "codeduet/humaneval-v0")`       |
    | agents               | `helper_0`, `main_0` (acting in this order), or `roles` |
    | action               | text, as a model writes it                              |
    | observation          | a dictionary of text and a turn number                  |
    | parallel view        | `turn_based_aec_to_parallel(env)`                       |

    ## Other teams

    `roles` makes another game of it: agents in any number, who write code or text and see what they are to
    (:class:`codeduet.envs.Role`). A planner, two helpers who read it, and main who reads all:

        PLANNER = Role("planner", writes="text")
        env(roles=[PLANNER, Role("helper", reads=("planner",), count=2), Role("main", reads=("planner", "helper"))])

    In each turn every agent acts once, in that order. The program is all code in that order; the last agent that writes code is
    called main below and writes the target function, the others that do are helpers. An answer of text is a message to
    those who read it. Who reads a role that acts later sees its answer of the last turn. A problem's `views` give roles
    a text of their own in place of the prompt.

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
    | `previous_code` | `Unicode`         | the agent's own last answer as it was read; empty in the first turn   |
    | `feedback`      | `Unicode`         | what became of the last turn, fit for the agent's role; at first empty|
    | `turn`          | `Discrete(H + 1)` | turns completed                                                       |

    Of other roles that some role reads there are `<role>_code` or `<role>_text`: the answers of all its agents, empty for
    agents whose role does not read it. Nobody sees the tests. `state()` (space: `state_space`) holds at once what all have
    written in this turn and in the last, and their feedback, for a centralised critic.

    ## Rewards

    After the last agent acts the program is judged and all are paid the turn's score under the scheme `reward`:

    | `reward`                  | score of a turn                                                                    |
    |---------------------------|------------------------------------------------------------------------------------|
    | `"magrpo"`                | 0.2 syntactically valid + 0.3 runnable + 0.1 per passed test                       |
    | `"grpo"`                  | 0.5 runnable + 0.1 per passed test, at most 5                                      |
    | `"pass"`                  | 1 if all tests pass                                                                |
    | `"fraction"`              | share of tests passed                                                              |
    | `"collaboration"`         | structure, syntax, tests, cooperation (Liu et al., arXiv 2508.04652), at most 4.0  |
    | a function                | what it returns: one number, or a mapping agent -> number                          |
    | `"module:function"`       | such a function, found from the working directory                                  |
    | a mapping                 | the sum of such rewards, each times the weight it is mapped to                     |

    A function gets the `Outcome` first and may ask by name for `outcome`, `problem`, `parts` (the program's) and `turn` (from
    0): `def brief(outcome, parts): ...`. Of a sum, `infos` hold each reward apart, as `reward/<name>`.

    *Syntactically valid*: every part's code parses. *Runnable*: the program loads without an exception
    within its limits and defines the target. A *test* is one source assert that looks at the candidate.

    `infos[agent]` holds plain numbers under the same keys from reset on: `turn`, `score` (of the last turn alone),
    `syntax_ok`, `runnable`, `passed`, `total`, `timed_out`. In other teams also `target_left_out`: 1 where the agent wrote the
    target function, which is main's alone to write, so that its definition was taken out of its code; transcripts say so.

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
    | `max_turns`    | `1`                        | turns H of an episode; in a turn each agent acts once                |
    | `render_mode`  | `None`                     | `"human"` prints the transcript, `"ansi"` returns it                 |
    | `executor`     | `None`                     | who judges; by default one shared by the process                     |
    | `agents`       | `None`                     | `("main_0",)`: short for `roles=[Role("main")]`, one agent           |
    | `simultaneous` | `False`                    | short for roles that read nothing (as in Liu et al.)                 |
    | `extract`      | `True`                     | take code out of fences and prose, join bodies                       |
    | `feedback`     | `"hidden"`                 | what steers a second turn: `"hidden"` tests, `"examples"`, `"none"`  |
    | `roles`        | `None`                     | who plays: `Role` objects, or mappings of their fields; helper, main |

    ## Version history

    * v0: first version.
    """

    def __init__(
        self,
        problems: str | Path | Sequence[Problem] = "humaneval",
        split: Split = "train",
        reward: Reward = "magrpo",
        max_turns: int = 1,
        render_mode: str | None = None,
        executor: Executor | None = None,
        agents: Sequence[str] | None = None,
        simultaneous: bool = False,
        extract: bool = True,
        feedback: Feedback = "hidden",
        roles: Sequence[Role | Mapping[str, Any]] | None = None,
    ) -> None:
        Resumable.__init__(
            self,
            problems,
            split,
            reward,
            max_turns,
            render_mode,
            executor,
            agents,
            simultaneous,
            extract,
            feedback,
            roles,
        )
        team = _team(agents, simultaneous) if roles is None else as_roles(roles)
        if roles is not None and (agents is not None or simultaneous):
            raise InputError("agents and simultaneous are short for roles: give roles alone")
        super().__init__(problems, split, reward, max_turns, render_mode, executor, extract, feedback, team)


def _team(agents: Sequence[str] | None, simultaneous: bool) -> Roles:
    """Return the roles that the shorthands mean."""
    if agents is None or tuple(agents) == (HELPER, MAIN):
        return AT_ONCE if simultaneous else DUET
    if tuple(agents) == (MAIN,):
        return SINGLE
    raise InputError(
        f"agents must be ({HELPER!r}, {MAIN!r}) or ({MAIN!r},), not {tuple(agents)}: for other teams write "
        'roles=[Role("planner", writes="text"), Role("main", reads=("planner",))], say'
    )
