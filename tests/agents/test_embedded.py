"""The embedded model: its files, its recipe, and that it cannot have seen HumanEval."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from codeduet.agents import PromptFormatter, Request, Sampling
from codeduet.agents.embedded import MODEL_DIR, WEIGHTS_SHA256
from codeduet.agents.hf import HFEngine
from codeduet.agents.team import load_team, load_untrained
from codeduet.benchmarks.embedded.corpus import PLAIN, benchmark_grams, generate
from codeduet.benchmarks.embedded.pretrain import Recipe, assert_clean, pretrain
from codeduet.envs import HELPER, MAIN, env, load_problems


def test_the_weights_are_those_of_the_recipe() -> None:
    weights = (MODEL_DIR / "model.safetensors").read_bytes()
    recipe = json.loads((MODEL_DIR / "recipe.json").read_text())
    assert hashlib.sha256(weights).hexdigest() == recipe["weights_sha256"] == WEIGHTS_SHA256
    assert asdict(Recipe()).items() <= recipe.items()
    assert len(recipe["stages"]) == 4
    assert sum(path.stat().st_size for path in MODEL_DIR.iterdir()) < 4_000_000


def test_the_decontamination_check_finds_benchmark_text() -> None:
    grams = benchmark_grams()
    clean = list(generate(0, 50, grams, PLAIN))
    assert_clean(clean, grams)
    problem = load_problems()[7]
    for text in (problem.prompt, problem.canonical_solution * 2, problem.tests):
        dirty = replace(clean[0], completion=clean[0].completion + text)
        with pytest.raises(AssertionError, match="benchmark text"):
            assert_clean([*clean, dirty], grams)


def test_the_corpus_follows_from_its_seed() -> None:
    grams = benchmark_grams()
    assert list(generate(3, 20, grams, PLAIN)) == list(generate(3, 20, grams, PLAIN))
    assert list(generate(3, 20, grams, PLAIN)) != list(generate(4, 20, grams, PLAIN))


def test_the_script_makes_a_model_that_loads(tmp_path: Path) -> None:
    size = {"vocabulary": 320, "hidden": 32, "layers": 1, "heads": 2, "feed_forward": 64}
    recipe = Recipe(threads=1, plain=80, leaning=40, pipelines=40, more_pipelines=40, reminders=20, **size)
    report = pretrain(recipe, tmp_path)
    assert len(report["stages"]) == 4
    team = load_untrained(str(tmp_path), (MAIN,))
    answers = HFEngine(team).generate([Request("base", (40, 41), (0, 1), Sampling(max_new_tokens=5))])
    assert [len(answer.token_ids) <= 5 for answer in answers[0]] == [True, True]


def test_every_loader_gets_the_tokenizer_it_was_trained_with() -> None:
    """Transformers loads Qwen2's own class for a Qwen2 model, whatever tokenizer.json says about splitting."""
    by_class = load_team("embedded").tokenizer
    by_file = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
    for problem in (*load_problems()[::9], *load_problems("embedded")[::99]):
        text = problem.prompt + problem.canonical_solution
        assert by_class(text)["input_ids"] == by_file.encode(text).ids


@pytest.mark.parametrize("text", ["def f(x):\n\treturn 'é➞€'\r\n", "  \n\n   0.5e-3 __name__ \u2028 \x00", ""])
def test_its_tokenizer_gives_every_text_back(text: str) -> None:
    tokenizer = load_team("embedded").tokenizer
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_its_team_writes_programs_that_run() -> None:
    """Not how good it is, which a benchmark says: that prompts, stop strings and extraction fit the model."""
    team = load_untrained("embedded", (HELPER, MAIN))
    formatter = PromptFormatter(team.tokenizer)
    engine = HFEngine(team)
    assert formatter.style == "base"
    runs = 0
    problems = load_problems("humaneval", "train")[:6]
    game = env(problems=problems)
    for problem in problems:
        game.reset(options={"task_id": problem.task_id})
        for agent in (HELPER, MAIN):
            ids = formatter.encode(agent, game.observe(agent) or {})
            sampling = Sampling(temperature=0.2, max_new_tokens=64, stop=formatter.stop(agent))
            game.step(engine.generate([Request("base", ids, (1,), sampling)])[0][0].text)
        runs += int(game.infos[MAIN]["runnable"])
    assert runs >= 2
