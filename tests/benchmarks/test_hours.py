"""Hours of a reproduction, told before it starts: as long as measured where it was, scaled as stated elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.benchmarks.conftest import Ran

from codeduet.benchmarks.hours import (
    A100_40,
    H100,
    H200,
    MEASURED_WEIGHTS,
    ON_CPU,
    ON_H200,
    Work,
    fitted,
    hours,
    hours_lines,
    on_card,
    tokens_line,
    weights_of,
    work_of,
)
from codeduet.benchmarks.table_plan import Part, ReproduceConfig, plan, preset_config

ONE = MEASURED_WEIGHTS


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def part_of(config: ReproduceConfig, row: str, what: str) -> Part:
    (part,) = [part for part in plan(config) if (part.row.name, part.what) == (row, what)]
    return part


def test_a_step_of_decoding_is_fitted_through_both_batch_sizes() -> None:
    step_s, token_s = fitted((10, 50.0), (30, 100.0))  # steps of 0.2 and 0.3 s
    assert (step_s, token_s) == pytest.approx((0.15, 0.005))
    for rates, rows, rate in ((ON_H200, 64, 10_100), (ON_H200, 256, 32_000), (ON_CPU, 16, 106), (ON_CPU, 64, 127)):
        assert rows / (rates.step_s + rows * rates.token_s) == pytest.approx(rate)


def test_generating_goes_by_bandwidth_learning_by_arithmetic_and_both_by_weights() -> None:
    play, learn = Work(1000, 20_000, 40_000, 0), Work(0, 0, 0, 50_000)
    for card, bandwidth, arithmetic in ((H200, 1, 1), (H100, 4.8 / 3.35, 1), (A100_40, 4.8 / 1.555, 989 / 312)):
        rates = on_card(card)
        assert hours([play], rates, ONE) == pytest.approx(bandwidth * hours([play], ON_H200, ONE))
        assert hours([learn], rates, ONE) == pytest.approx(arithmetic * 100_000 / 58_600 / 3600)
        assert hours([play, learn], rates, 3 * ONE) == pytest.approx(
            3 * (hours([play], rates, ONE) + hours([learn], rates, ONE))
        )


def test_what_a_part_writes_is_half_of_what_it_may_and_a_token_budget_is_met() -> None:
    config = preset_config("paper")
    # 155 steps of 4 problems, 2 answers of helper and 4 of main, of 400 tokens each; 40 problems, 10 samples.
    assert work_of(config, part_of(config, "magrpo", "train")) == (155 * 2 * 400, 744_000, 1_488_000, 744_000)
    assert work_of(config, part_of(config, "multi_agent", "sample")) == (2 * 4 * 400, 160_000, 320_000, 0)
    assert work_of(config, part_of(config, "single_team_budget", "greedy")) == (800, 16_000, 32_000, 0)
    assert tokens_line(work_of(config, part_of(config, "grpo", "greedy"))) == "about 8,000 tokens, 16,000 at most"
    config = preset_config("qwen-0.5b")
    work = work_of(config, part_of(config, "magrpo", "train"))
    assert (work.tokens, work.most, work.learnt) == (config.token_budget,) * 3
    # A step: 32 answers of helper, 128 of main, of 128 tokens; each in one batch of 256 tokens at most.
    assert work.steps == pytest.approx(config.token_budget / (160 * 128) * 512)
    assert tokens_line(work) == f"about {config.token_budget:,} tokens written and learnt from"
    best_of_2 = work_of(config, part_of(config, "single_best_of_2", "sample"))
    assert best_of_2 == (4 * 400, 160_000, 320_000, 0)


def test_the_measured_table_is_told_about_as_long_as_it_took() -> None:
    config = preset_config("qwen-0.5b", ["token_budget=640000"])
    # On an H200, with play, judging and learning: 230 s and 166 s of training, 22.5 s of sampling.
    for row, what, seconds in (("magrpo", "train", 230), ("grpo", "train", 166), ("multi_agent", "sample", 22.5)):
        told = 3600 * hours([work_of(config, part_of(config, row, what))], on_card(H200), ONE)
        assert 0.7 < told / seconds < 1.4


def hours_in(lines: list[str]) -> dict[str, float]:
    told = (
        re.fullmatch(r"(.+): about ([\d.,]+) hours from start to end(?:, [\d.,]+ hours of it training)?", line)
        for line in lines
    )
    return {found[1]: float(found[2].replace(",", "")) for found in told if found}


@pytest.mark.parametrize("preset", ["qwen-0.5b", "paper"])
def test_a_dry_run_shows_the_hours_of_both_cards(
    codeduet: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.setattr("codeduet.benchmarks.plans.memory_plans", lambda *_: iter(()))  # it loads the model
    ran = codeduet("reproduce", "--preset", preset, "--dry-run")
    assert (ran.status, ran.err) == (0, "")
    found = hours_in(ran.out.splitlines())
    assert 0 < found["H100"] < found["A100-40"] < math.inf
    assert "these hours are an estimate" in ran.out
    assert not re.search(r"\b(inf|nan)\b|-\d[\d.,]* hours", ran.out)
    # vLLM is for GPUs.
    assert len(found) == (3 if preset == "qwen-0.5b" else 2)


def test_a_gpu_that_is_known_is_the_machine_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    config = preset_config("qwen-0.5b")
    parts = plan(config)
    cards = hours_in(hours_lines(config, parts))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for name, known in (("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA A100-SXM4-40GB", "A100-40"), ("NVIDIA T4", None)):
        monkeypatch.setattr("torch.cuda.get_device_name", lambda name=name: name)
        found = hours_in(hours_lines(config, parts))
        assert found == {card: cards[card] for card in ("H100", "A100-40")} | (
            {f"this machine's {name}": cards[known]} if known else {}
        )


def test_weights_are_those_of_the_files_the_shape_or_the_name(model_dir: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    def weights(preset: str, model: str) -> float | None:
        return weights_of(preset_config(preset, [f"team.model={model}"]))

    assert weights("paper", "Qwen/Qwen2.5-Coder-3B") == pytest.approx(3.085e9, rel=0.01)
    assert weights("qwen-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct") == 0.5e9
    assert weights("qwen-0.5b", "org/unknown") is None
    assert weights("qwen-0.5b", "embedded") is None
    held = load_file(model_dir / "model.safetensors")
    assert weights("paper", str(model_dir)) == sum(of.numel() for of in held.values()) > 1000
    (tmp_path / "model.safetensors").write_text("torn")
    assert weights("paper", str(tmp_path)) is None


def test_nothing_is_said_of_models_of_no_known_size_or_of_the_embedded_one() -> None:
    for overrides in (["team.model=org/unknown"], ["team.model=embedded"]):
        config = preset_config("qwen-0.5b", overrides)
        assert hours_lines(config, plan(config)) == []
    config = preset_config("embedded")
    assert hours_lines(config, plan(config)) == []
