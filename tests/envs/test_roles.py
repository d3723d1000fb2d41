"""Teams of any roles: who acts when, who sees what, and what every team has of PettingZoo's games."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pettingzoo.test import api_test, parallel_api_test, seed_test
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

from codeduet.agents.config import TeamConfig
from codeduet.algorithms import TrainConfig, train
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.envs import Executor, InputError, Problem, Role, TokenStep, env, load_problems, raw_env
from codeduet.envs.config import EnvConfig
from codeduet.envs.roles import AT_ONCE, DUET, SINGLE, agents_of, as_data, as_roles, target_agent

PLANNER = Role("planner", writes="text")
REVIEWER = Role("reviewer", writes="text", reads=("main",))
TEAMS: dict[str, tuple[tuple[Role, ...], int]] = {
    "planner, helper, main": (
        (PLANNER, Role("helper", reads=("planner",)), Role("main", reads=("planner", "helper"))),
        1,
    ),
    "two helpers and main": ((Role("helper", reads=("helper",), count=2), Role("main", reads=("helper",))), 1),
    "a reviewer of two turns": ((Role("helper"), Role("main", reads=("helper", "reviewer")), REVIEWER), 2),
    "single": (SINGLE, 2),
    "all at once": ((Role("helper", count=2), Role("main")), 2),
}
"""Roles and turns."""

PLUS = "def plus(a, b):\n    return a + b\n"
MINUS = "def minus(a, b):\n    return a - b\n"
HALF = "def double(x):\n    return 2 * x if x in (1, 2) else None\n"


@pytest.fixture(params=TEAMS.values(), ids=TEAMS.keys())
def team(request: pytest.FixtureRequest) -> Any:
    return request.param


def game(toy: Problem, executor: Executor, roles: Any, turns: int = 1, **settings: Any) -> raw_env:
    made = raw_env(problems=[toy], roles=roles, max_turns=turns, executor=executor, **settings)
    made.reset(seed=0)
    return made


@pytest.mark.filterwarnings("ignore:Observation|Action space|State")
def test_every_team_passes_the_tests_of_pettingzoo(toy: Problem, executor: Executor, team: Any) -> None:
    roles, turns = team

    def make() -> Any:
        return env(problems=[toy], roles=roles, max_turns=turns, executor=executor)

    api_test(make(), num_cycles=15)
    seed_test(make, num_cycles=10)
    parallel_api_test(turn_based_aec_to_parallel(make()), num_cycles=15)


def answers() -> Iterator[str]:
    """Yield different answers without an end."""
    number = 0
    while True:
        number += 1
        yield f"def plus_{number}(a, b):\n    return a + b"


def test_the_state_is_never_less_than_the_observations_together(toy: Problem, executor: Executor, team: Any) -> None:
    roles, turns = team
    shown = replace(toy, views={"planner": "Secret of planners.", "main": "Main's own."})
    played = game(shown, executor, roles, turns, feedback="none")
    writes = answers()
    while not any(played.terminations.values()):
        held = set(map(str, played.state().values()))
        for agent in played.possible_agents:
            for key, value in played.observe(agent).items():
                parts = str(value).split("\n\n\n") if key.endswith(("_code", "_text")) else [str(value)]
                assert {part for part in parts if part} <= held, (agent, key)
        assert played.state_space.contains(played.state())
        played.step(next(writes))


def test_agents_act_in_the_order_of_roles_and_the_last_that_writes_code_writes_the_target() -> None:
    roles, _ = TEAMS["a reviewer of two turns"]
    assert agents_of(roles) == ("helper_0", "main_0", "reviewer_0")
    assert target_agent(roles) == "main_0"
    assert agents_of(TEAMS["two helpers and main"][0]) == ("helper_0", "helper_1", "main_0")


def test_a_message_is_seen_by_those_who_read_it_and_is_no_part_of_the_program(toy: Problem, executor: Executor) -> None:
    roles, _ = TEAMS["planner, helper, main"]
    played = game(toy, executor, roles)
    played.step("<think>so</think>\nAdd it to itself.\n")
    assert [played.observe(agent)["planner_text"] for agent in played.agents] == ["", *["Add it to itself."] * 2]
    played.step(PLUS)
    assert played.observe("main_0")["helper_code"] == PLUS
    played.step("    return plus(x, x)\n")
    assert [part.agent for part in played.program().parts] == ["helper_0", "main_0"]
    assert played.outcome is not None
    assert played.outcome.solved
    assert played.rewards == {"planner_0": 0.9, "helper_0": 0.9, "main_0": 0.9}


def test_helpers_of_one_role_see_each_other_only_if_it_reads_itself(toy: Problem, executor: Executor) -> None:
    reading, _ = TEAMS["two helpers and main"]
    for roles, seen in ((reading, PLUS), ((Role("helper", count=2), Role("main", reads=("helper",))), "")):
        played = game(toy, executor, roles)
        played.step(PLUS)
        assert played.observe("helper_1")["helper_code"] == seen
        played.step(MINUS)
        assert played.observe("helper_1")["helper_code"] == seen  # never its own
        assert played.observe("main_0")["helper_code"] == f"{PLUS}\n\n\n{MINUS}"
        played.step("def double(x):\n    return plus(x, minus(x, 0))\n")
        assert played.outcome is not None
        assert played.outcome.calls == {("main_0", "helper_0"), ("main_0", "helper_1")}


def test_who_reads_a_role_behind_it_sees_the_last_turn(toy: Problem, executor: Executor) -> None:
    roles, turns = TEAMS["a reviewer of two turns"]
    played = game(toy, executor, roles, turns)
    for answer in (PLUS, HALF):
        played.step(answer)
    assert played.observe("main_0")["reviewer_text"] == ""
    assert played.observe("reviewer_0")["main_code"] == HALF
    assert played.rewards == dict.fromkeys(played.agents, 0.0)  # judged when all have acted
    played.step("It doubles 1 and 2 alone.")
    assert played.rewards == {"helper_0": 0.7, "main_0": 0.7, "reviewer_0": 0.7}
    assert played.observe("main_0")["reviewer_text"] == "It doubles 1 and 2 alone."
    assert played.observe("reviewer_0")["main_code"] == ""  # of this turn there is none
    assert played.observe("reviewer_0")["previous_code"] == "It doubles 1 and 2 alone."
    played.step("")
    assert played.observe("main_0")["reviewer_text"] == "It doubles 1 and 2 alone."


def test_views_stand_in_place_of_the_prompt_for_their_roles_alone(toy: Problem, executor: Executor) -> None:
    shown = replace(toy, views={"helper": "Write plus(a, b).", "nobody": "!"})
    played = game(shown, executor, DUET)
    assert played.observe("helper_0")["prompt"] == "Write plus(a, b)."
    assert played.observe("main_0")["prompt"] == toy.prompt
    assert played.state()["helper_prompt"] == "Write plus(a, b)."
    played.step(PLUS)
    played.step("    return plus(x, x)\n")  # joined to the prompt's signature
    assert played.outcome is not None
    assert played.outcome.solved


def test_feedback_calls_agents_by_what_they_are(toy: Problem, executor: Executor) -> None:
    roles, _ = TEAMS["two helpers and main"]
    played = game(toy, executor, roles, turns=2)
    for answer in (PLUS, "def bad(a):\n    return a.none\n", "def double(x):\n    return bad(x)\n"):
        played.step(answer)
    told = {agent: played.observe(agent)["feedback"].split("\n")[1] for agent in played.agents}
    assert told == {
        "helper_0": "The helper_1 agent's code raised AttributeError.",
        "helper_1": "Your code raised AttributeError.",
        "main_0": "The helper_1 agent's code raised AttributeError.",
    }


def test_a_copy_in_mid_turn_goes_on_alone(toy: Problem, executor: Executor) -> None:
    roles, _ = TEAMS["planner, helper, main"]
    played = game(toy, executor, roles)
    played.step("Plan.")
    for copied in (deepcopy(played), pickle.loads(pickle.dumps(game_without_executor(played)))):
        copied.step(PLUS)
        assert copied.observe("main_0")["planner_text"] == "Plan."
        assert played.agent_selection == "helper_0"


def game_without_executor(played: raw_env) -> raw_env:
    made = raw_env(problems=played.problems, roles=played.roles)
    made.reset(seed=0)
    made.step("Plan.")
    return made


def test_tokens_show_what_is_read(toy: Problem, executor: Executor) -> None:
    roles, _ = TEAMS["planner, helper, main"]
    tokens = TokenStep(env(problems=[toy], roles=roles, executor=executor), window=400)
    tokens.reset(seed=0)
    for byte in (*b"Plan.", 256):
        tokens.step(byte)
    seen = bytes(int(i) for i in tokens.observe("helper_0") if i < 256).decode()
    assert seen == f"Plan.\n{toy.prompt}\n"


def test_roles_are_data(toy: Problem, executor: Executor) -> None:
    data = [{"name": "planner", "writes": "text"}, {"name": "main", "reads": ["planner"]}]
    assert as_roles(data) == (PLANNER, Role("main", reads=("planner",)))
    assert game(toy, executor, data).possible_agents == ["planner_0", "main_0"]


def test_the_shorthands_are_roles(toy: Problem) -> None:
    assert raw_env([toy]).roles == DUET
    assert raw_env([toy], simultaneous=True).roles == AT_ONCE
    assert raw_env([toy], agents=("main_0",)).roles == SINGLE
    with pytest.raises(InputError, match="short for roles: give roles alone"):
        raw_env([toy], simultaneous=True, roles=DUET)
    with pytest.raises(InputError, match=r"for other teams write roles=\[Role"):
        raw_env([toy], agents=("planner_0", "main_0"))


REFUSED: dict[str, tuple[Any, str]] = {
    "an unknown role is read": (
        [{"name": "helper"}, {"name": "main", "reads": ["helpr"]}],
        "no such role: .*did you mean 'helper'",
    ),
    "no code": ([PLANNER], "no role writes code"),
    "two targets": ([{"name": "main", "count": 2}], "'main' writes the target function, .*count must be 1"),
    "one name twice": ([Role("helper"), Role("helper"), Role("main")], "two roles are called 'helper'"),
    "no name": ([{"writes": "text"}], "a role is a name and"),
    "another key": ([{"name": "main", "read": []}], "has no 'read': .*did you mean 'reads'"),
    "other kinds": ([{"name": "main", "writes": "poems"}], "writes code or text, not 'poems'"),
    "no agents": ([{"name": "helper", "count": 0}, {"name": "main"}], "count must be a whole number from 1 on, not 0"),
    "a text for a list": ([{"name": "main", "reads": "helper"}], "reads is a list of names of roles, not 'helper'"),
    "a name of blanks": ([{"name": "main author"}], "small letters, digits and _, not 'main author'"),
    "a key of everybody's": ([{"name": "previous"}, {"name": "main"}], "previous_code is an agent's own"),
}


@pytest.mark.parametrize(("roles", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_makes_no_team_is_refused_in_one_line(toy: Problem, roles: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        raw_env([toy], roles=roles)


DRAFT = "def double(x):\n    return x + x\n"


def test_a_target_function_that_is_anothers_to_write_is_left_out_and_told(toy: Problem, executor: Executor) -> None:
    roles = (
        Role("draft"),
        Role("reviewer", writes="text", reads=("draft",)),
        Role("main", reads=("draft", "reviewer")),
    )
    for draft, left_out, seen in ((DRAFT, 1, ""), (f"{PLUS}\n\n{DRAFT}", 1, PLUS.rstrip()), (PLUS, 0, PLUS)):
        played = game(toy, executor, roles, render_mode="ansi")
        assert {info["target_left_out"] for info in played.infos.values()} == {0}
        played.step(draft)
        assert played.observe("reviewer_0")["draft_code"] == seen
        for answer in ("Fine.", "    return 2 * x\n"):
            played.step(answer)
        assert [played.infos[agent]["target_left_out"] for agent in played.agents] == [left_out, 0, 0]
        said = "# turn 1, draft_0: its double is left out, which is main_0's to write\n"
        assert (said in str(played.render())) == bool(left_out)


def test_a_draft_that_is_text_is_read_whole_and_joins_nothing(toy: Problem, executor: Executor) -> None:
    roles = (
        Role("draft", writes="text"),
        Role("reviewer", writes="text", reads=("draft",)),
        Role("main", reads=("draft", "reviewer")),
    )
    played = game(toy, executor, roles)
    played.step(DRAFT)
    assert played.observe("reviewer_0")["draft_text"] == played.observe("main_0")["draft_text"] == DRAFT.strip()
    for answer in ("Fine.", "    return 2 * x\n"):
        played.step(answer)
    assert [part.agent for part in played.program().parts] == ["main_0"]
    assert played.outcome is not None
    assert played.outcome.solved


UNREAD: dict[str, tuple[Any, int, str]] = {
    "behind its only reader": (
        (Role("helper"), Role("main", reads=("helper", "reviewer")), REVIEWER),
        1,
        "role 'reviewer' acts behind 'main', which reads it, and the episode ends before that acts again: "
        + "set max_turns=2, or let a role behind 'reviewer' read it",
    ),
    "by nobody": (
        (PLANNER, Role("helper"), Role("main", reads=("helper",))),
        2,
        "nobody reads the text of role 'planner': name it in the reads of another, reads: [helper, planner] of 'main', say",
    ),
    "by itself": (
        (Role("planner", writes="text", reads=("planner",), count=2), Role("main")),
        2,
        "nobody reads the text of role 'planner': name it in the reads of another, reads: [planner] of 'main', say",
    ),
}
"""Roles, turns, what is said."""


@pytest.mark.parametrize(("roles", "turns", "message"), UNREAD.values(), ids=UNREAD.keys())
def test_a_text_that_nobody_reads_in_time_is_refused_by_the_game_and_before_a_model_is_loaded(
    toy: Problem, tmp_path: Path, roles: tuple[Role, ...], turns: int, message: str
) -> None:
    settings: dict[str, Any] = {
        "out": str(tmp_path / "run"),
        "env": EnvConfig(problems="embedded", max_turns=turns, roles=as_data(roles)),
        "team": TeamConfig(model="?"),
    }
    for refusing in (
        lambda: raw_env([toy], roles=roles, max_turns=turns),
        lambda: train(TrainConfig(**settings)),
        lambda: bench(BenchConfig(**settings)),
    ):
        with pytest.raises(InputError) as refused:
            refusing()
        assert str(refused.value) == message


def test_code_that_nobody_reads_is_a_part_of_the_program(toy: Problem, executor: Executor) -> None:
    played = game(toy, executor, AT_ONCE)
    played.step(PLUS)
    played.step("    return plus(x, x)\n")
    assert played.outcome is not None
    assert played.outcome.solved


def test_views_are_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    row = {"id": "Toy/1", "name": "double", "text": "Twice x.", "code": "def double(x):\n    return 2 * x\n"}
    row |= {"tests": ["assert double(1) == 2"]}
    views = {"planner": "Say which number."}
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({**row, "id": f"Toy/{i}", "views": views}) + "\n" for i in range(4)))
    assert [problem.views for problem in load_problems(path)] == [views] * 4
    path.write_text(json.dumps({**row, "views": ["planner"]}) + "\n")
    with pytest.raises(InputError, match="line 1: field 'views' must be an object of texts"):
        load_problems(path)
