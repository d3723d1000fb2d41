"""What a finished run is looked at with."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.benchmarks.report import (
    all_results,
    check_run,
    comparison_table,
    comparison_tables,
    learning_curve,
    results_of,
    reward_gain,
    write_report,
)
from codeduet.envs import InputError


def steps(rewards: list[float]) -> list[dict[str, Any]]:
    return [{"step": i + 1, "kind": "train", "reward": reward} for i, reward in enumerate(rewards)]


def write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def results(mean: float) -> dict[str, Any]:
    value = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    return {"n": 1, "pass@k": {"1": value}, "rates": {"reward": value, "helper_called": value, "helper_gain": value}}


def write_results(folder: Path, result: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(result))
    return folder


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
        write_results(folder, results(0.5))
    assert set(results_of(tmp_path)) == {tmp_path.name, "before", "after", "magrpo"}


def test_runs_whose_folders_have_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [write_results(tmp_path / seed / "run", results(mean)) for seed, mean in (("s0", 0.25), ("s1", 0.75))]
    write_results(runs[1] / "magrpo" / "samples", results(0.5))
    means = {name: result["pass@k"]["1"]["mean"] for name, result in all_results(runs).items()}
    assert means == {"s0/run": 0.25, "s1/run": 0.75, "s1/run/magrpo": 0.5}
    text = write_report(runs, tmp_path / "out")[0].read_text()
    assert "|  | s0/run | s1/run | s1/run/magrpo |" in text
    assert "| pass@1 | 25.0  (15.0 - 35.0) | 75.0  (65.0 - 85.0) | 50.0  (40.0 - 60.0) |" in text


def test_a_report_without_pictures_makes_its_folder(tmp_path: Path) -> None:
    run = write_results(tmp_path / "greedy", results(0.5))
    out = tmp_path / "made" / "here"
    assert write_report([run], out) == [out / "report.md", out / "report.html"]
    assert (out / "report.html").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        write_report([run], tmp_path / "file")


def test_ablations_of_a_reproduction_have_their_table(tmp_path: Path) -> None:
    write_results(tmp_path / "magrpo" / "samples", results(0.5))
    less = {"mean": -0.2, "low": -0.3, "high": -0.1}
    frozen = {"title": "helper frozen", **results(0.3), "pass@1 less MAGRPO's": less}
    write_results(tmp_path / "ablations", {"helper_frozen": frozen})
    text = write_report([tmp_path], tmp_path / "out")[0].read_text()
    section = text.split("## Ablations")[1]
    assert "|  | pass@1 | less MAGRPO's | called | gain |" in section
    row = "| helper frozen | 30.0 (20-40) | -20.0 (-30 to -10) | 30.0 | +0.300 |"
    assert row in section
    assert row.split("|")[1].strip() in (tmp_path / "out" / "report.html").read_text()
    write_results(tmp_path / "ablations" / "helper_frozen" / "samples", results(0.3))
    assert list(results_of(tmp_path)) == ["magrpo"]  # the ablation stands in the table, and there alone
    write_results(tmp_path / "ablations", results(0.5))  # a benchmark, in a folder of that name
    assert "## Ablations" not in write_report([tmp_path], tmp_path / "out")[0].read_text()
    (tmp_path / "ablations" / "results.json").write_text("{")
    with pytest.raises(InputError, match=r"ablations/results\.json is not JSON "):
        write_report([tmp_path], tmp_path / "out")


def measured(kind: str, tokens: int, mean: float) -> dict[str, Any]:
    config = {"team": {"kind": kind}, "sampling": {"max_new_tokens": tokens}, "env": {"max_turns": 1}}
    return {**results(mean), "n": 2, "config": config}


def test_one_model_and_a_team_are_set_side_by_side_at_their_budget_only(tmp_path: Path) -> None:
    for name, result in {
        "single": measured("single", 64, 0.3),
        "whole": measured("single", 128, 0.7),
        "team": measured("team", 64, 0.6),
    }.items():
        write_results(tmp_path / "run" / name, result)
    text = write_report([tmp_path / "run"], tmp_path / "out")[1].read_text()
    equal, capped = text.split("## 64 tokens an answer (an answer holds at most 64 tokens: what can two write that one")
    assert "## Equal budget: at most 128 tokens a program. pass@k and rates in %" in equal
    assert "|  | whole | team |" in equal
    assert "|  | single | team |" in capped
    picture = next(line for line in text.splitlines() if line.startswith("![pass@k"))
    assert "Equal budget" in picture
    assert "64 tokens an answer" in picture
    for line in text.splitlines():  # in no table, list or picture stands a capped row without the name
        assert not ("single" in line and "whole" in line)
    titles = [str(table.title) for table in comparison_tables(results_of(tmp_path / "run"), 80)]
    assert [title.split(" (")[0].split(". ")[0] for title in titles] == [
        "Equal budget: at most 128 tokens a program",
        "64 tokens an answer",
    ]


def test_a_table_of_before_budgets_is_left_out_in_a_line_and_costs_no_other(tmp_path: Path) -> None:
    write_results(tmp_path / "old" / "single" / "samples", measured("single", 64, 0.3))
    write_results(tmp_path / "old", {"rows": {"single": {"title": "Single Model"}}})
    write_results(tmp_path / "new", measured("team", 64, 0.6))
    said: list[str] = []
    written = write_report([tmp_path / "old", tmp_path / "new"], tmp_path / "out", say=said.append)
    (line,) = said
    assert line.startswith(f"the table of {tmp_path / 'old'} is left out: it was made before budgets were written down")
    text = next(path for path in written if path.name == "report.md").read_text()
    assert line in text
    assert "## 64 tokens an answer (" in text  # its results stand beside the others


def test_trainings_are_laid_over_each_other_at_their_budget_only(tmp_path: Path) -> None:
    for name, kind, tokens in (("grpo", "single", 64), ("whole", "single", 128), ("magrpo", "team", 64)):
        run = write_run(tmp_path / "run" / name, steps([0.1, 0.2]))
        (run / "config.yaml").write_text(
            f"algorithm: x\nteam: {{kind: {kind}}}\nsampling: {{max_new_tokens: {tokens}}}\nenv: {{max_turns: 1}}\n"
        )
    written = write_report([tmp_path / "run"], tmp_path / "out")
    assert [path.name for path in written if path.suffix == ".png"] == ["learning_curve.png", "learning_curve_2.png"]
    text = written[-2].read_text()
    assert "## Equal budget: at most 128 tokens a program. Learning curves" in text
    assert "what can two write that one cannot). Learning curves" in text


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


def test_rows_of_a_reproduction_come_in_the_tables_order_and_other_results_by_age(tmp_path: Path) -> None:
    for name in ("after", "grpo/samples", "before", "single/samples"):
        write_results(tmp_path / name, results(0.5))
    os.utime(tmp_path / "before" / "results.json", (0, 0))
    assert list(results_of(tmp_path)) == ["single", "grpo", "before", "after"]


@pytest.mark.parametrize(("width", "sizes"), [(10, [1, 1, 1]), (80, [2, 1]), (200, [3])])
def test_many_results_are_split_over_tables_as_wide_as_the_terminal(width: int, sizes: list[int]) -> None:
    tables = comparison_tables({name: results(0.5) for name in ("single", "grpo", "magrpo")}, width)
    assert [len(table.columns) - 1 for table in tables] == sizes
    assert all(Console(width=500).measure(table).maximum <= max(width, 80) for table in tables)


def test_a_folder_with_nothing_to_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run folder .*nowhere"):
        check_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds neither metrics\.jsonl nor results\.json: nothing to report"):
        check_run(tmp_path)
    for written in (b'{"pass@k": ', b"\xff"):
        (tmp_path / "results.json").write_bytes(written)
        with pytest.raises(InputError, match=r"results\.json is not JSON .*: delete it"):
            check_run(tmp_path)
    for written in (b"null", b'{"pass@k": {}}'):
        (tmp_path / "results.json").write_bytes(written)
        with pytest.raises(InputError, match=r"results\.json holds no results: delete it"):
            check_run(tmp_path)
