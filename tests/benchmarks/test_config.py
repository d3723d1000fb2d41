"""Configs: what is read, what is refused, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.algorithms.config import EvalConfig, OptimConfig, TrainConfig
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.benchmarks.table_plan import ReproduceConfig
from codeduet.config import FIRST, LAST, describe, load_config, packaged_configs, plain, to_yaml
from codeduet.envs import InputError
from codeduet.envs.config import EnvConfig
from codeduet.runs import read_config, write_config

KINDS: dict[str, Any] = {
    "grpo": TrainConfig,
    "magrpo": TrainConfig,
    "quickstart": TrainConfig,
    "single": BenchConfig,
    "multi_agent": BenchConfig,
}


def refusal(kind: Any, source: str | None, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load_config(kind, source, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_packaged_config_loads_as_its_kind_and_no_other() -> None:
    assert set(packaged_configs()) >= set(KINDS)
    for name, kind in KINDS.items():
        assert isinstance(load_config(kind, name), kind)
        other = BenchConfig if kind is TrainConfig else TrainConfig
        mine, theirs = ("bench", "train") if other is BenchConfig else ("train", "bench")
        assert refusal(other, name) == f"{name} is a config of codeduet {theirs}, not of codeduet {mine}"


def test_the_papers_four_rows_are_what_the_paper_states() -> None:
    for name, kind, reward in (("grpo", "single", "grpo"), ("magrpo", "team", "magrpo")):
        config = load_config(TrainConfig, name)
        assert (config.algorithm, config.team.kind, config.env.reward) == (name, kind, reward)
        assert (config.group_size, config.sampling.temperature) == (4, 0.8)
        assert (config.sampling.top_p, config.sampling.top_k, config.optim.updates_per_batch) == (1.0, 0, 1)
        assert config.team.model == "Qwen/Qwen2.5-Coder-3B"
    for name, kind in (("single", "single"), ("multi_agent", "team")):
        bench = load_config(BenchConfig, name)
        assert (bench.team.kind, bench.n, bench.k, bench.split) == (kind, 10, [1, 3, 5, 10], "test")


def test_without_a_source_the_defaults_hold() -> None:
    assert load_config(TrainConfig, None) == TrainConfig()


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(
            out="runs/ä b",
            options={"clip": 0.2, "deep": {"x": [1, None]}},
            team=TeamConfig(kind="single", sharing="shared", lora_rank=0),
            optim=OptimConfig(lr=1e-7),
            frozen=["main_0"],
        ),
        BenchConfig(
            out="1e5", k=[1, 2], n=2, env=EnvConfig(problems="a.jsonl"), sampling=SamplingConfig(temperature=0.0)
        ),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, config: Any) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(type(config), str(path)) == config


def test_overrides_go_over_the_file_and_the_last_one_holds() -> None:
    config = load_config(TrainConfig, "magrpo", ["team.model=embedded", "steps=3", "steps=4", "frozen=[helper_0]"])
    assert (config.team.model, config.steps, config.frozen) == ("embedded", 4, ["helper_0"])
    assert config.sampling.max_new_tokens == 400  # a neighbour of nothing that was overridden


def test_a_section_given_whole_changes_the_keys_in_it_alone() -> None:
    base = TrainConfig(options={"clip": 0.2}, sampling=SamplingConfig(temperature=0.5, max_new_tokens=9))
    config = load_config(TrainConfig, None, ["sampling={max_new_tokens: 8}", "options={x: 1}"], base=base)
    assert config.sampling == SamplingConfig(temperature=0.5, max_new_tokens=8)
    assert config.options == {"x": 1}  # these are a value, which could not be taken away else


RUNS: list[Any] = [TrainConfig(options={"x": 1}, frozen=["main_0"]), BenchConfig(), ReproduceConfig(note="# end")]


@pytest.mark.parametrize("config", RUNS, ids=lambda config: type(config).__name__)
def test_a_run_folders_config_that_was_cut_off_is_refused_by_what_is_missing(config: Any, tmp_path: Path) -> None:
    write_config(tmp_path, config)
    saved = tmp_path / "config.yaml"
    assert read_config(type(config), tmp_path) == load_config(type(config), str(saved)) == config
    lines = saved.read_text().splitlines(keepends=True)
    for count in range(1, len(lines)):
        saved.write_text("".join(lines[:count]))
        for read in (lambda: read_config(type(config), tmp_path), lambda: load_config(type(config), str(saved))):
            with pytest.raises(InputError, match=rf"^{saved} was cut off") as refused:
                read()
            assert "\n" not in str(refused.value)
    saved.write_text("".join(lines[: [line.startswith("sampling:") for line in lines].index(True)]))
    with pytest.raises(
        InputError, match=r"was cut off, without sampling, (optim, steps|split|training_tokens), .*: put these back"
    ):
        read_config(type(config), tmp_path)


@pytest.mark.parametrize("config", RUNS, ids=lambda config: type(config).__name__)
def test_a_run_folders_config_of_an_earlier_version_is_read_unless_its_last_key_is_missing(
    config: Any, tmp_path: Path
) -> None:
    saved = tmp_path / "config.yaml"
    tree = plain(config)
    for name in (
        "init_from",
        "token_budget",
        "blank",
        "gpu_gib",
        "shape",
        "log",
        "keep_completions",
    ):  # they came later
        tree.pop(name, None)
    saved.write_text(yaml.dump(tree, sort_keys=False))
    assert read_config(type(config), tmp_path) == config
    for count in range(len(tree) - 1):
        saved.write_text(yaml.dump(dict(list(tree.items())[:count]), sort_keys=False))
        with pytest.raises(InputError, match=rf"{saved} was cut off, without .*(show_every|k)"):
            read_config(type(config), tmp_path)


def test_a_base_holds_where_neither_file_nor_override_speaks(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("sampling: {top_k: 5}\n")
    base = TrainConfig(steps=7, sampling=SamplingConfig(temperature=0.5, max_new_tokens=9))
    config = load_config(TrainConfig, str(path), ["sampling.max_new_tokens=8"], base=base)
    assert config == replace(base, sampling=SamplingConfig(temperature=0.5, top_k=5, max_new_tokens=8))


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("1E-5", 1e-5), ("2.5e-3", 0.0025), (".5e1", 5.0), ("3", 3.0), ("+1e2", 100.0)]
)
def test_numbers_may_be_written_with_an_exponent_alone(tmp_path: Path, text: str, value: float) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"optim:\n  lr: {text}\noptions: {{clip: {text}}}\n")
    for config in (
        load_config(TrainConfig, str(path)),
        load_config(TrainConfig, None, [f"optim.lr={text}", f"options.clip={text}"]),
    ):
        assert (config.optim.lr, config.options) == (value, {"clip": value})


def test_what_only_looks_like_a_number_stays_text() -> None:
    config = load_config(TrainConfig, None, ["out=1e-5-run", "algorithm='1e5'"])
    assert (config.out, config.algorithm) == ("1e-5-run", "1e5")


@pytest.mark.parametrize(
    "text",
    [
        "7e3",
        "2024_10_01",
        "2024-10-01",
        "on",
        "null",
        "010",
        "1:30",
        "a: b",
        "[x",
        "{x}",
        "# x",
        " x ",
        "~",
        "x # y",
        "*a",
    ],
)
def test_a_text_key_takes_what_was_typed(text: str, tmp_path: Path) -> None:
    words = [f"out={text}", f"team.model={text}", f"env.problems={text}", f"team.models.main_0={text}"]
    config = load_config(BenchConfig, None, words)
    assert (config.out, config.team.model, config.env.problems, config.team.models) == (
        text,
        text,
        text,
        {"main_0": text},
    )
    saved = tmp_path / "config.yaml"
    saved.write_text(to_yaml(config))
    assert load_config(BenchConfig, str(saved)) == config


def test_texts_in_a_list_or_a_mapping_are_what_was_typed() -> None:
    config = load_config(BenchConfig, None, ["team.models={main_0: 1e3, helper_0: on}"])
    assert config.team.models == {"main_0": "1e3", "helper_0": "on"}
    assert load_config(TrainConfig, None, ["frozen=[010, no]"]).frozen == ["010", "no"]


def test_a_path_from_home_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(BenchConfig, None, ["out=~/runs/a", "checkpoint=~/b", "env.problems=c~/d"])
    assert (config.out, config.checkpoint) == (f"{tmp_path}/runs/a", f"{tmp_path}/b")
    assert config.env.problems == "c~/d"


@pytest.mark.parametrize(("text", "number"), [("010", 10), ("0x1F", 31), ("0o17", 15), ("7", 7), ("+3", 3)])
def test_a_number_is_read_as_people_write_it(text: str, number: int, tmp_path: Path) -> None:
    assert load_config(BenchConfig, None, [f"seed={text}"]).seed == number
    (tmp_path / "config.yaml").write_text(f"seed: {text}\n")
    assert load_config(BenchConfig, str(tmp_path / "config.yaml")).seed == number


@pytest.mark.parametrize("text", ["1:30", "on", "2024-10-01"])
def test_what_is_no_number_is_refused_where_one_belongs(text: str) -> None:
    assert refusal(BenchConfig, None, f"seed={text}").startswith("config key 'seed': input should be a valid integer")


@pytest.mark.parametrize("out", ["runs/x\n", "runs\nx", "runs/\x1b[31m", "a\tb"])
def test_a_folder_with_a_line_break_is_refused(out: str) -> None:
    assert "holds a line break or another control character" in refusal(BenchConfig, None, f"out={out}")


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    assert refusal(TrainConfig, None, "setps=3") == "unknown config key 'setps'; did you mean 'steps'?"
    assert refusal(TrainConfig, None, "optim.lrr=3") == "unknown config key 'optim.lrr'; did you mean 'lr'?"
    assert refusal(TrainConfig, None, "tem.kind=team") == "unknown config key 'tem'; did you mean 'team'?"
    assert refusal(BenchConfig, None, "zzz=1") == "unknown config key 'zzz'"
    assert refusal(TrainConfig, None, "lr=1e-3") == "unknown config key 'lr'; did you mean 'optim.lr'?"
    assert refusal(TrainConfig, None, "optim.top_k=1").endswith("'optim.top_k'; did you mean 'sampling.top_k'?")
    assert refusal(ReproduceConfig, None, "lr=1e-3").endswith("did you mean 'grpo.optim.lr' or 'magrpo.optim.lr'?")
    path = tmp_path / "mine.yaml"
    path.write_text("sampling:\n  temprature: 1\n")
    expected = f"unknown config key 'sampling.temprature' in {path}; did you mean 'temperature'?"
    assert refusal(TrainConfig, str(path)) == expected
    path.write_text("steps: 3\n")  # the override is wrong then, and not the file
    assert refusal(TrainConfig, str(path), "optim.x=3") == "unknown config key 'optim.x'"
    assert refusal(TrainConfig, str(path), "steps=0").startswith("config key 'steps': ")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps=many", "config key 'steps': input should be a valid integer"),
        ("steps=0", "config key 'steps': input should be greater than 0, not 0"),
        ("optim.lr=-1e-5", "config key 'optim.lr': input should be greater than 0, not -1e-05"),
        ("team.kind=duo", "config key 'team.kind': input should be 'team' or 'single', not 'duo'"),
        ("team.prompt=caht", "config key 'team.prompt': input should be 'auto', 'chat' or 'base', not 'caht'"),
        ("team=3", "config key 'team': "),
        ("k=3", "unknown config key 'k'"),
        ("group_size=0", "config key 'group_size': input should be greater than or equal to 1, not 0"),
        ("frozen=main_0", "config key 'frozen': input should be a valid list, not 'main_0'"),
        ("frozen=[[a]]", "config key 'frozen.0': input should be a valid string, not ['a']"),
        (
            "optim.micro_batch_tokens=0",
            "config key 'optim.micro_batch_tokens': input should be greater than 0 or input should be 'auto', not 0",
        ),
        (f"seed={10**23}", "config key 'seed': input should be less than 9223372036854775808, not 1000"),
        (
            f"seed=-{10**23}",
            "config key 'seed': input should be greater than or equal to -9223372036854775808, not -1000",
        ),
        (f"team.threads={10**11}", "config key 'team.threads': input should be less than or equal to 1024, not 1000"),
    ],
)
def test_a_value_that_does_not_fit_names_key_and_value(override: str, words: str) -> None:
    assert refusal(TrainConfig, None, override).startswith(words)


def test_overrides_that_are_none_are_refused() -> None:
    assert refusal(TrainConfig, None, "steps") == "an override is dotted.key=value, not 'steps'"
    assert refusal(TrainConfig, None, "=3") == "an override is dotted.key=value, not '=3'"
    assert refusal(TrainConfig, None, "k=[1, 2") == "the value of 'k=[1, 2' is not YAML"
    assert "steps is a value and holds no keys" in refusal(TrainConfig, "magrpo", "steps.x=3")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    assert refusal(TrainConfig, "magrop") == (
        f"no config 'magrop': give a YAML file or one of {', '.join(packaged_configs())}; did you mean 'magrpo'?"
    )
    path = tmp_path / "bad.yaml"
    path.write_text("steps: [1, 2\nout: x\n")
    assert refusal(TrainConfig, str(path)).startswith(f"{path} is not YAML: ")
    path.write_text("- steps\n")
    assert refusal(TrainConfig, str(path)) == f"{path} must hold keys and values"
    path.write_text("1: 2\n")
    assert str(path) in refusal(TrainConfig, str(path))
    assert refusal(TrainConfig, str(tmp_path)).startswith(f"no config '{tmp_path}'")
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(TrainConfig, str(path)).startswith(f"{path} is not YAML: ")


@pytest.mark.parametrize("kind", [TrainConfig, BenchConfig, ReproduceConfig])
def test_a_described_config_has_every_key_with_its_meaning_and_is_read_again(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "described.yaml"
    path.write_text(describe(kind()))
    assert load_config(kind, str(path)) == kind()
    command, *lines = path.read_text().splitlines()
    assert command == f"command: {kind.COMMAND}"
    keys = [i for i, line in enumerate(lines) if not line.lstrip().startswith("#")]
    assert len(keys) > 15
    for i in keys:
        indent = len(lines[i]) - len(lines[i].lstrip())
        assert lines[i - 1].startswith(" " * indent + "# "), f"nothing says what {lines[i]!r} means"


def test_a_described_config_shows_values_as_they_would_be_written() -> None:
    text = describe(BenchConfig(out="a: b", k=[1, 2], n=2, team=TeamConfig(models={"main_0": "on"})))
    assert "\n# run folder.\nout: 'a: b'\n" in text
    assert "\nk: [1, 2]\n" in text
    assert "\n  models: {main_0: on}\n" in text


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(BenchConfig, str(tmp_path / "empty.yaml")) == BenchConfig()


INSTEAD = "write eval: {every: N, n: M, split: test} in its place"


def test_what_evaluated_before_is_refused_with_what_to_write_instead(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for key, value in (("eval_every", 5), ("eval_samples", 2)):
        path.write_text(f"steps: 3\n{key}: {value}\n")
        assert refusal(TrainConfig, str(path)) == f"config key '{key}' in {path} is gone: {INSTEAD}"
        assert refusal(TrainConfig, None, f"{key}={value}") == f"config key '{key}' is gone: {INSTEAD}"


def test_a_run_folder_of_before_is_read_and_measures_as_it_evaluated(tmp_path: Path) -> None:
    def saved(every: int, own: EvalConfig) -> TrainConfig:
        text = to_yaml(TrainConfig(steps=3, eval=own)).replace("eval:", f"eval_every: {every}\neval_samples: 2\neval:")
        (tmp_path / "config.yaml").write_text(f"{FIRST}{text}{LAST}")
        return read_config(TrainConfig, tmp_path)

    assert saved(0, EvalConfig()) == TrainConfig(steps=3)
    assert load_config(TrainConfig, str(tmp_path / "config.yaml")) == TrainConfig(steps=3)
    assert saved(5, EvalConfig()).eval == EvalConfig(every=5, n=2, split="test")
    assert saved(5, EvalConfig(every=7)).eval == EvalConfig(every=7)
