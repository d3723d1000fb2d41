"""What a finished run is looked at with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.benchmarks.report import check_run, comparison_table, learning_curve, results_of, reward_gain
from codeduet.envs import InputError


def steps(rewards: list[float]) -> list[dict[str, Any]]:
    return [{"step": i + 1, "kind": "train", "reward": reward} for i, reward in enumerate(rewards)]


def write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def results(mean: float) -> dict[str, Any]:
    value = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    return {"pass@k": {"1": value}, "rates": {"reward": value, "helper_called": value}}


def test_the_gain_is_the_last_tenth_less_the_first() -> None:
    rows = steps([0.1, 0.1, *[0.9] * 16, 0.4, 0.4])
    assert reward_gain(rows) == pytest.approx((0.3, 0.3, 0.3))
    # 25 steps: a tenth is 2, rounded down.
    rows = steps([0.0, 0.2, *[9.0] * 21, 1.0, 1.2])
    mean, low, high = reward_gain(rows)
    assert (mean, low, high) == pytest.approx((1.0, 0.8, 1.2))


def test_evaluations_do_not_count_as_training() -> None:
    rows = steps([0.0] * 10 + [1.0] * 10)
    evaluations = [{"step": 20, "kind": "eval", "reward": 50.0}] * 5
    assert reward_gain(rows + evaluations) == (1.0, 1.0, 1.0)


def test_under_twenty_steps_there_is_no_gain_to_tell() -> None:
    assert all(math.isnan(value) for value in reward_gain(steps([0.0] * 10 + [1.0] * 9)))
    assert all(math.isnan(value) for value in reward_gain([]))


@pytest.mark.parametrize("count", [1, 3, 30])
def test_a_learning_curve_is_a_png_whatever_the_length(tmp_path: Path, count: int) -> None:
    rows = [{**row, "solved": 0.1, "syntax": float("nan")} for row in steps([0.1] * count)]
    runs = [write_run(tmp_path / name, rows) for name in ("one", "two")]
    out = tmp_path / "made" / "curve.png"
    learning_curve(runs, out)
    data = out.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) > 5_000


def test_results_are_found_in_a_run_and_below(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "before", tmp_path / "after", tmp_path / "magrpo" / "samples"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(json.dumps(results(0.5)))
    assert set(results_of(tmp_path)) == {tmp_path.name, "before", "after", "magrpo"}


def test_before_and_after_stand_side_by_side_in_per_cent() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    before = results(0.25)
    del before["rates"]["helper_called"]
    console.print(comparison_table({"before": before, "after": results(0.5)}))
    text = console.export_text()
    lines = {line.split("│")[1].strip(): line for line in text.splitlines() if line.count("│") >= 3}
    assert "25.0  (15.0 - 35.0)" in lines["pass@1"]
    assert "50.0  (40.0 - 60.0)" in lines["pass@1"]
    assert "0.250  (0.150 - 0.350)" in lines["reward"]
    assert lines["helper called"].split("│")[2].strip() == "-"


def test_a_folder_with_nothing_to_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run folder .*nowhere"):
        check_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds neither metrics\.jsonl nor results\.json: nothing to report"):
        check_run(tmp_path)
    (tmp_path / "results.json").write_text('{"pass@k": ')
    with pytest.raises(InputError, match=r"results\.json is not JSON: "):
        check_run(tmp_path)
