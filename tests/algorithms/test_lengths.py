"""Problems that are too long for a model are told before anything is generated."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from transformers import BloomConfig, BloomForCausalLM

from codeduet.agents import PromptFormatter
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import byte_tokenizer, random_model
from codeduet.agents.scripted import ScriptedEngine
from codeduet.agents.team import Team
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.algorithms.lengths import fitting
from codeduet.envs import HELPER, MAIN, InputError, Problem, raw_env
from codeduet.envs.config import EnvConfig

SHORT, LONG = "Toy/short", "Toy/long"


def problem(task_id: str, filling: int) -> Problem:
    prompt = f'def f(x):\n    """{filling * "a"}"""\n'
    return Problem(task_id, prompt, "f", "    return x\n", "def check(candidate):\n    assert candidate(1) == 1\n")


PROBLEMS = (problem(SHORT, 10), problem(LONG, 300))


def engine(positions: int) -> HFEngine:
    model, tokenizer = random_model(positions=positions)
    return HFEngine(team_of(model, tokenizer))


def team_of(model: Any, tokenizer: Any) -> Team:
    return Team(dict.fromkeys((HELPER, MAIN), Policy("base", model, tokenizer, trainable=False)))


def left_out(positions: int, blank: tuple[str, ...] = (), turns: int = 1) -> list[str]:
    """Problems left out where an answer holds 40 tokens; a token is a byte, and a base model reads raw text."""
    fit = fitting(
        [SHORT, LONG],
        raw_env(PROBLEMS, max_turns=turns),
        PromptFormatter(byte_tokenizer(), "base"),
        engine(positions),
        max_new_tokens=40,
        overlong="skip",
        blank=blank,
    )
    assert fit.kept == [task for task in (SHORT, LONG) if task not in fit.left_out]
    return fit.left_out


def test_what_just_fits_fits_and_one_token_less_does_not() -> None:
    # Main reads helper's answer, three line ends and the problem. A sign stands for the answer, for prompts with code are
    # others, and is one token too many.
    need = 40 + 3 + len(PROBLEMS[1].prompt) + 40 + 1
    assert left_out(need) == []
    assert left_out(need - 1) == [LONG]
    assert left_out(need - 1, blank=(HELPER,)) == []  # a silent helper's answer takes no room


def test_later_turns_read_what_became_of_the_turn_before() -> None:
    need = 40 + 3 + len(PROBLEMS[1].prompt) + 40 + 1
    # One's own last answer and three line ends too, and feedback of 200 to 300 signs. A body alone, in lines of four signs, is
    # indented by as many and joined to its signature and docstring.
    need += len(PROBLEMS[1].prompt) + 2 * 40 + 3
    assert left_out(need + 200, turns=2) == [LONG]
    assert left_out(need + 300, turns=2) == []


@pytest.mark.parametrize("style", ["base", "chat"])
@pytest.mark.parametrize("margin", ["    ", ""])
def test_a_body_alone_which_is_joined_to_its_signature_exceeds_nothing_in_the_next_turn(
    style: Any, margin: str
) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    formatter = PromptFormatter(tokenizer, style)
    game = raw_env(PROBLEMS, max_turns=2)
    helper, lines = "def h():\n    return 1\n", [*["f()"] * 9, "return x"]
    body = "".join(f"{margin}{line}\n" for line in lines)
    longest = max(len(helper), len(body))
    fit = fitting([LONG], game, formatter, ScriptedEngine({}), max_new_tokens=longest, overlong="refuse")
    game.reset(options={"task_id": LONG})
    for action in (helper, body, helper):
        game.step(action)
    seen = game.observe(MAIN)
    assert seen["previous_code"] == PROBLEMS[1].prompt + "".join(f"    {line}\n" for line in lines)
    assert seen["feedback"]
    needed = len(formatter.encode(MAIN, seen)) + longest
    assert needed <= fit.longest < needed + 400  # what may be fed back is longer than what was


def test_a_model_without_positions_and_an_engine_without_a_model_have_no_limit() -> None:
    unlimited = BloomForCausalLM(BloomConfig(vocab_size=258, hidden_size=8, n_layer=1, n_head=2))
    game = raw_env(PROBLEMS)
    formatter = PromptFormatter(byte_tokenizer(), "base")
    for engine in (HFEngine(team_of(unlimited, byte_tokenizer())), ScriptedEngine({})):
        fit = fitting([LONG], game, formatter, engine, max_new_tokens=10**6, overlong="refuse")
        assert fit.kept == [LONG]


@pytest.fixture
def config(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A model of 400 positions, and of four problems, three to train on, one too long for it."""
    folder = tmp_path_factory.mktemp("models") / "short"
    model, tokenizer = random_model(positions=400)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    rows = [problem(f"Toy/{i}", 300 if i == 1 else 10) for i in range(4)]
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json_row(row) for row in rows))
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=str(folder), lora_rank=2),
        env=EnvConfig(problems=str(file)),
        sampling=SamplingConfig(max_new_tokens=40),
        steps=2,
        problems_per_step=2,
        group_size=2,
    )


def json_row(row: Problem) -> str:
    fields = {"task_id": row.task_id, "prompt": row.prompt, "entry_point": row.entry_point}
    return json.dumps({**fields, "canonical_solution": row.canonical_solution, "test": row.tests}) + "\n"


def test_training_refuses_them_in_one_line_that_says_what_to_do(config: TrainConfig) -> None:
    words = r"1 of 3 problems are too long for the 400 positions of the model: Toy/1 may take \d+, .*env\.overlong=skip"
    with pytest.raises(InputError, match=words) as refused:
        make_trainer(config)
    assert "\n" not in str(refused.value)
    assert not Path(config.out).exists()


def test_training_leaves_them_out_where_that_is_set(config: TrainConfig) -> None:
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    trainer = make_trainer(replace(config, env=replace(config.env, overlong="skip")), console=console)
    assert trainer.train_tasks == ["Toy/0", "Toy/2"]
    assert "1 of 3 problems are too long and left out: Toy/1\n" in console.export_text()
    trainer.open()
    trainer.train()
    assert trainer.step == 2


def test_none_left_is_refused_whatever_is_set(config: TrainConfig) -> None:
    longer = replace(config, sampling=SamplingConfig(max_new_tokens=300), env=replace(config.env, overlong="skip"))
    with pytest.raises(InputError, match=r"3 of 3 problems are too long .* or take other problems"):
        make_trainer(longer)
