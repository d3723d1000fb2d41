"""Problems that are too long for a model are told before anything is generated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from codeduet.agents import PromptFormatter
from codeduet.agents.hf import HFEngine
from codeduet.agents.random_model import byte_tokenizer, random_model
from codeduet.agents.scripted import ScriptedEngine
from codeduet.agents.team import Policy, Team
from codeduet.algorithms import TrainConfig, Trainer
from codeduet.algorithms.config import EnvConfig, SamplingConfig, TeamConfig
from codeduet.algorithms.lengths import fitting
from codeduet.envs import HELPER, MAIN, InputError, Problem, raw_env

SHORT, LONG = "Toy/short", "Toy/long"


def problem(task_id: str, filling: int) -> Problem:
    prompt = f'def f(x):\n    """{filling * "a"}"""\n'
    return Problem(task_id, prompt, "f", "    return x\n", "def check(candidate):\n    assert candidate(1) == 1\n")


PROBLEMS = (problem(SHORT, 10), problem(LONG, 300))


def engine(positions: int | None) -> HFEngine:
    model, tokenizer = random_model(positions=positions or 64)
    if positions is None:
        del model.config.max_position_embeddings
    policy = Policy("base", model, tokenizer, trainable=False)
    return HFEngine(Team(dict.fromkeys((HELPER, MAIN), policy)))


def longest_main_prompt(task: Problem, answer: int) -> int:
    """Bytes of main's prompt behind a helper's answer of so many bytes, which three line ends part from it."""
    return answer + 3 + len(task.prompt.encode())


@pytest.mark.parametrize("turns", [1, 2])
def test_what_just_fits_fits_and_one_token_less_does_not(turns: int) -> None:
    game = raw_env(PROBLEMS, max_turns=turns)
    formatter = PromptFormatter(byte_tokenizer(), "base")

    def left_out(positions: int, blank: tuple[str, ...] = ()) -> list[str]:
        fit = fitting(
            [SHORT, LONG], game, formatter, engine(positions), max_new_tokens=20, overlong="skip", blank=blank
        )
        assert fit.kept == [task for task in (SHORT, LONG) if task not in fit.left_out]
        return fit.left_out

    need = longest_main_prompt(PROBLEMS[1], answer=20) + 20
    if turns > 1:  # what became of the last turn is read too, in lines of comment
        assert left_out(need + 1) == [LONG]
        assert left_out(need + 400) == []
        return
    # A body is shorter than helper's prompt, which holds no answer but two lines of its own.
    helper = len(formatter.encode(HELPER, game_observation(PROBLEMS[1]))) + 20
    need = max(need + 1, helper)  # a sign stands for helper's answer
    assert left_out(need) == []
    assert left_out(need - 1) == [LONG]
    assert left_out(need - 1, blank=(HELPER,)) == ([LONG] if helper > need - 1 else [])


def game_observation(task: Problem) -> dict[str, object]:
    return {"prompt": task.prompt, "entry_point": "f", "helper_code": "", "previous_code": "", "feedback": "", "turn": 0}


def test_a_model_without_positions_and_an_engine_without_a_model_have_no_limit() -> None:
    game = raw_env(PROBLEMS)
    formatter = PromptFormatter(byte_tokenizer(), "base")
    for unlimited in (engine(None), ScriptedEngine({})):
        fit = fitting([LONG], game, formatter, unlimited, max_new_tokens=10**6, overlong="refuse")
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
    import json

    fields = {
        "task_id": row.task_id,
        "prompt": row.prompt,
        "entry_point": "f",
        "canonical_solution": row.canonical_solution,
        "test": row.tests,
    }
    return json.dumps(fields) + "\n"


def test_training_refuses_them_in_one_line_that_says_what_to_do(config: TrainConfig) -> None:
    words = r"1 of 3 problems are too long for the 400 positions of the model: Toy/1 may take \d+, .*env\.overlong=skip"
    with pytest.raises(InputError, match=words) as refused:
        Trainer(config)
    assert "\n" not in str(refused.value)
    assert not Path(config.out).exists()


def test_training_leaves_them_out_where_that_is_set(config: TrainConfig) -> None:
    console = Console(record=True, width=200, quiet=False, file=Path("/dev/null").open("w"))  # noqa: SIM115
    trainer = Trainer(replace(config, env=replace(config.env, overlong="skip")), console=console)
    assert trainer.train_tasks == ["Toy/0", "Toy/2"]
    assert "1 of 3 problems are too long and left out: Toy/1\n" in console.export_text()
    trainer.open()
    trainer.train()
    assert trainer.step == 2


def test_none_left_is_refused_whatever_is_set(config: TrainConfig) -> None:
    longer = replace(config, sampling=SamplingConfig(max_new_tokens=300), env=replace(config.env, overlong="skip"))
    with pytest.raises(InputError, match=r"3 of 3 problems are too long .* or take other problems"):
        Trainer(longer)


