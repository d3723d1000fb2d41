"""The probe games: what is asked in them, who can play, and that the right answer and nothing else is paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codeduet.benchmarks.probes.games import PROBES
from codeduet.benchmarks.probes.letters import LetterFormatter, letter_tokenizer
from codeduet.benchmarks.probes.matrix import ENTRIES, Cell, cell_text, play_cell, summed_up
from codeduet.benchmarks.probes.play import play_probe
from codeduet.envs.roles import agents_of
from codeduet.errors import InputError

SOLUTIONS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "constant": lambda agent, seen: {"helper_0": "B", "main_0": "C"}[agent],
    "conditional": lambda agent, seen: seen["prompt"],
    "key": lambda agent, seen: seen["prompt"] if agent == "helper_0" else seen["helper_code"],
    "blame": lambda agent, seen: "A" if agent == "helper_0" else seen["prompt"],
    "repair": lambda agent, seen: "B" if seen["feedback"] else "A",
    "chain": lambda agent, seen: {"planner_0": seen["prompt"], "helper_0": seen.get("planner_text"), "main_0": seen["helper_code"]}[agent],
}  # fmt: skip


@pytest.mark.parametrize("name", PROBES)
def test_a_team_that_knows_earns_all_there_is_and_one_that_does_not_earns_less(name: str) -> None:
    probe = PROBES[name]
    (env,) = probe.envs(probe.roles, 1)
    for problem in probe.problems:
        scores = []
        for act in (SOLUTIONS[name], lambda agent, seen: "D"):
            env.reset(options={"task_id": problem.task_id})
            while env.agents and not any(env.terminations.values()) and not any(env.truncations.values()):
                agent = env.agent_selection
                env.step(act(agent, dict(env.observe(agent) or {})))
            scores.append(probe.score(env.program()))
        assert scores[0] == 1.0
        assert scores[1] < 1.0 or problem.canonical_solution == "D"


def test_what_is_hidden_is_hidden() -> None:
    for name, blind in (("key", ["main_0"]), ("blame", ["helper_0"]), ("chain", ["helper_0", "main_0"])):
        probe = PROBES[name]
        (env,) = probe.envs(probe.roles, 1)
        formatter = LetterFormatter(probe.roles)
        prompts: dict[str, set[str]] = {agent: set() for agent in agents_of(probe.roles)}
        for problem in probe.problems:
            env.reset(options={"task_id": problem.task_id})
            for agent, seen in prompts.items():
                seen.add(formatter.render(agent, env.observe(agent) or {}))
        assert all((len(prompts[agent]) == 1) == (agent in blind) for agent in prompts)


def test_prompts_are_a_few_tokens_none_unknown() -> None:
    tokenizer = letter_tokenizer()
    probe = PROBES["chain"]
    (env,) = probe.envs(probe.roles, 1)
    env.reset(options={"task_id": "chain/A"})
    formatter = LetterFormatter(probe.roles)
    text = formatter.render("planner_0", env.observe("planner_0") or {})
    ids = formatter.encode("planner_0", env.observe("planner_0") or {})
    assert text == "AA|?:"
    assert tokenizer.decode(list(ids)).replace(" ", "") == text


def test_a_shuffled_reward_says_nothing_of_the_program() -> None:
    probe = PROBES["conditional"]
    (env,) = probe.envs(probe.roles, 1, shuffled=True)
    earned = {"right": 0.0, "wrong": 0.0}
    for number in range(400):
        problem = probe.problems[number % 4]
        kind = "right" if number % 2 else "wrong"
        env.reset(options={"task_id": problem.task_id})
        for _ in range(2):
            env.step(problem.canonical_solution if kind == "right" else "?")
        earned[kind] += env.rewards["main_0"] / 200
    assert abs(earned["right"] - earned["wrong"]) < 0.2


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.title)
def test_every_algorithm_solves_the_constant_target(entry: Any) -> None:
    probe = PROBES["constant"]
    played = play_probe(probe, entry.algorithm, entry.for_probe(probe), sharing="separate", seed=0)
    assert played.solved, played
    assert played.episodes < 8000


def test_nobody_solves_it_with_shuffled_rewards() -> None:
    assert not play_probe(PROBES["constant"], "magrpo", {"entropy": 0.05}, shuffled=True, steps=60).solved


def test_a_cell_that_cannot_be_played_says_why() -> None:
    by_title = {entry.title: entry for entry in ENTRIES}
    rows = [play_cell(Cell(by_title["grpo"], "key", "separate", seed)) for seed in range(2)]
    (told,) = summed_up(rows)
    assert (told["seeds"], cell_text(told)) == (0, "-")
    assert "grpo trains one agent" in told["why"]
    with pytest.raises(InputError, match="do not read each other"):
        play_probe(PROBES["key"], "magrpo", {"credit": "cross", "widths": [4, 4]})


def test_the_command_tells_a_line_a_game(codeduet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from codeduet.benchmarks.probes import told

    monkeypatch.setattr(told, "PROBES", {name: PROBES[name] for name in ("constant", "key")})
    ran = codeduet("probe", "grpo", "entropy=5e-2")
    assert ran.status == 0
    assert ran.out.splitlines()[0].startswith("constant     solved")
    assert "key          not played: key is a game of several" in ran.out
    for words, message in (
        (("probe", "magrp"), "did you mean 'magrpo'"),
        (("probe", "magrpo", "entropy"), "is no option=value"),
        (("probe", "magrpo", "clip=[0.2"), "is not YAML"),
        (("probe", "magrpo", "--sharing", "seperate"), "did you mean 'separate'"),
        (("probe", "magrpo", "kl=0.1"), "--sharing adapter"),
    ):
        ran = codeduet(*words)
        assert (ran.status, ran.err.count("\n")) == (2, 1)
        assert message in ran.err
