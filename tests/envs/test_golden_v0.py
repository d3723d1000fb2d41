"""``codeduet/humaneval-v0`` plays as it did when its roles were fixed: what is seen, paid and shown of 60 episodes.

``python -m tests.envs.test_golden_v0`` writes the file anew, which only a new version of the environment asks for.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codeduet.envs import HELPER, MAIN, Executor, load_problems, raw_env

GOLDEN = Path(__file__).parent / "golden" / "v0.json"

KINDS: dict[str, dict[str, Any]] = {
    "one turn": {},
    "three turns": {"max_turns": 3, "reward": "collaboration"},
    "simultaneous": {"max_turns": 2, "simultaneous": True, "reward": "grpo"},
    "single": {"agents": (MAIN,), "max_turns": 2, "reward": "fraction"},
    "examples": {"max_turns": 3, "feedback": "examples", "reward": "pass"},
    "as written": {"max_turns": 2, "extract": False, "feedback": "none"},
}
SEEDS = range(10)

STATE = ("prompt", "entry_point", "turn", "helper_0_code", "helper_0_feedback", "main_0_code", "main_0_feedback")
"""What the state held then; more of it may be there now."""


def answers(game: raw_env, agent: str, draw: random.Random) -> str:
    """Return an answer of any kind: right, wrong, no code, too long, of either agent's sort."""
    problem = game.problem
    name = problem.entry_point
    choices = [
        f"Sure:\n```python\n{problem.reference}\n```\nThat is all.",
        problem.canonical_solution,
        "    return None\n",
        f"def {name}(*args):\n    return help_with(*args)\n",
        f"def {name}(*args):\n    help_with(*args)\n    return undefined\n",
        f"def {name}(*args):\n    return 1 / 0\n",
        f"def {name}(",
        "nothing to say",
        "x" * 200_000,
        "",
    ]
    helps = [
        "def help_with(*args):\n    return args[0]\n",
        "<think>hm</think>\n```\ndef help_with(*args):\n    raise KeyError('of helper')\n```",
        f"import math\n\n\ndef help_with(a):\n    return a\n\n\ndef {name}(*args):\n    return 3\n",
        "return return",
    ]
    return draw.choice(choices if agent == MAIN else helps + choices)


def played(executor: Executor, kind: str, seed: int) -> Iterator[Any]:
    """Yield all that can be seen of an episode, step by step, and its transcript at last."""
    game = raw_env(problems="humaneval", render_mode="ansi", executor=executor, **KINDS[kind])
    game.reset(seed=seed)
    draw = random.Random(f"{kind} {seed}")

    def seen() -> Any:
        state = game.state()
        return [
            game.agent_selection,
            {agent: game.observe(agent) for agent in game.possible_agents},
            {key: state[key] for key in STATE if key in state},
            game.rewards,
            game.infos,
            game.terminations,
            game.truncations,
        ]

    yield seen()
    while game.agents and not any(game.terminations.values()):
        game.step(answers(game, game.agent_selection, draw))
        yield seen()
    while game.agents:
        game.step(None)
        yield [game.agents, game.agent_selection]
    yield game.render()


def traced(executor: Executor, kind: str) -> list[dict[str, str]]:
    """Return of each episode the transcript's lines, for people, and a hash of everything."""
    made = []
    for seed in SEEDS:
        *steps, transcript = played(executor, kind, seed)
        whole = json.dumps([steps, transcript], sort_keys=True)
        lines = transcript if len(transcript) < 4_000 else f"{transcript[:2_000]} ... {transcript[-1_000:]}"
        made.append({"transcript": lines, "hash": hashlib.sha256(whole.encode()).hexdigest()})
    return made


def spaces(kind: str) -> dict[str, Any]:
    """Return what the spaces are, and what they give from a seed."""
    game = raw_env(problems="humaneval", **KINDS[kind])
    made: dict[str, Any] = {}
    for agent in game.possible_agents:
        observation, action = game.observation_space(agent), game.action_space(agent)
        observation.seed(3)
        action.seed(3)
        drawn = json.dumps([observation.sample(), action.sample()], sort_keys=True, default=int)
        made[agent] = [repr(observation), repr(action), hashlib.sha256(drawn.encode()).hexdigest()]
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_episodes_are_what_they_were(executor: Executor, kind: str) -> None:
    before = json.loads(GOLDEN.read_text(encoding="utf-8"))["episodes"][kind]
    for was, now in zip(before, traced(executor, kind), strict=True):
        assert now["transcript"] == was["transcript"]
        assert now["hash"] == was["hash"]


@pytest.mark.parametrize("kind", KINDS)
def test_spaces_are_what_they_were(kind: str) -> None:
    assert spaces(kind) == json.loads(GOLDEN.read_text(encoding="utf-8"))["spaces"][kind]


def test_the_episodes_hold_both_ends_and_all_kinds_of_verdicts() -> None:
    episodes = json.loads(GOLDEN.read_text(encoding="utf-8"))["episodes"]
    text = json.dumps(episodes)
    assert load_problems()  # the set that they are of
    for said in ("SyntaxError", "NameError", "ZeroDivisionError", "KeyError", "counts as none", "tests passed", "not judged",
                 "examples passed"):  # fmt: skip
        assert said in text
    assert all(f"turn {turn}, {agent}" in text for turn in (1, 2, 3) for agent in (HELPER, MAIN))


if __name__ == "__main__":
    with Executor() as own:
        record = {
            "episodes": {kind: traced(own, kind) for kind in KINDS},
            "spaces": {kind: spaces(kind) for kind in KINDS},
        }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
