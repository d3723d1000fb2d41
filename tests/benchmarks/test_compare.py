"""Comparisons of systems: figures worked out by hand, and the files a paper needs."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codeduet.benchmarks.compare import compare, read_systems
from codeduet.benchmarks.compare_shown import csv_rows, grids, latex, markdown, write_comparison
from codeduet.envs import InputError


def system(*correct: int, n: int = 4, start: int = 0) -> dict[str, Any]:
    return {"problems": {f"T/{start + i}": {"n": n, "correct": c} for i, c in enumerate(correct)}}


A = system(4, 4, 4, 4, 2, 0)
B = system(0, 0, 0, 2, 2, 1)


def test_a_difference_is_the_later_system_less_the_earlier_by_hand() -> None:
    made = compare({"b": B, "a": A})
    (found,) = made.differences
    assert (found.system, found.other) == ("a", "b")
    # At k = 1: 1, 1, 1, 1/2, 0, -1/4, of six.
    assert found.of_k[1].mean == pytest.approx(3.25 / 6)
    assert -1 <= found.of_k[1].low < found.of_k[1].mean < found.of_k[1].high <= 1
    assert (found.wins, found.losses, found.ties) == (4, 1, 1)
    assert found.p == found.p_holm == 2 * (1 + 5) / 2**5
    assert made.systems["a"][1].mean == pytest.approx(18 / 24)
    assert list(made.systems["a"]) == [1, 3]  # of 4 samples there is no pass@5


def test_problems_are_paired_by_name_and_those_not_in_all_are_told() -> None:
    other = system(0, 0, 0, 2, 2, 1, 4)
    shuffled = {"problems": dict(reversed(list(other["problems"].items())))}
    made = compare({"b": shuffled, "a": A})
    assert made.problems == 6
    assert made.differences[0].of_k[1].mean == pytest.approx(3.25 / 6)
    assert made.notes[0] == "b: 1 of 7 problems are not in all systems and left out"


def test_samples_need_not_be_equally_many() -> None:
    made = compare({"a": system(1, 2, n=2), "b": system(5, 10, n=10)})
    (found,) = made.differences
    assert (found.wins, found.losses, found.ties) == (0, 0, 2)  # 1 of 2 is 5 of 10
    assert found.p == 1.0
    assert list(made.systems["a"]) == [1]
    assert found.of_k[1].mean == 0
    assert found.of_k[1].low < 0 < found.of_k[1].high  # two ties prove nothing


def test_several_systems_are_compared_in_pairs_and_adjusted() -> None:
    never, always, half = system(*[0] * 8), system(*[4] * 8), system(*[4] * 4, *[0] * 4)
    made = compare({"never": never, "half": half, "always": always})
    told = {(found.system, found.other): (found.p, found.p_holm) for found in made.differences}
    # 8 of 8: 2 / 2**8; 4 of 4: 2 / 2**4, twice. Holm: three times the least, then twice, and never less than before.
    assert told == {
        ("half", "never"): (0.125, 0.25),
        ("always", "never"): (0.0078125, 3 * 0.0078125),
        ("always", "half"): (0.125, 0.25),
    }


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a comparison needs two systems"):
        compare({"a": A})
    with pytest.raises(InputError, match="a and b have no problem in common"):
        compare({"a": A, "b": system(1, start=9)})
    with pytest.raises(InputError, match="pass@9 cannot be estimated from 4 samples"):
        compare({"a": A, "b": B}, ks=[9])
    folder = tmp_path / "run"
    (folder / "magrpo" / "samples").mkdir(parents=True)
    for words in (f"{folder} holds no results.json: name the folder", "no run folder and no file"):
        with pytest.raises(InputError, match=words):
            read_systems([folder if words.startswith(str(folder)) else tmp_path / "nowhere", tmp_path])
    (folder / "magrpo" / "samples" / "results.json").write_text(json.dumps(A))
    with pytest.raises(InputError, match=r"no results\.json; magrpo/samples below it has: name the folder"):
        read_systems([folder])
    file = tmp_path / "rows.jsonl"
    file.write_text('{"task_id": "T/0", "completion": ""}\n')
    with pytest.raises(InputError, match=r"rows.jsonl line 1 has no verdict: codeduet judge .*rows.jsonl --out"):
        read_systems([file])
    with pytest.raises(InputError, match="is named twice"):
        read_systems([file, tmp_path / "run" / ".." / "rows.jsonl"])
    for bad in ("[", "[]", "{}", '{"problems": {"a": {"n": 1, "correct": 2}}}', '{"rows": {"grpo": 1}}'):
        (folder / "results.json").write_text(bad)
        with pytest.raises(InputError, match=r"results.json (cannot be read|holds no counts of problems)"):
            read_systems([folder])


def test_folders_and_judged_files_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    for name in ("x/run", "y/run"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "results.json").write_text(json.dumps(A))
    rows = [{"task_id": "T/0", "passed": passed} for passed in (True, False, None)]
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress((tmp_path / "judged.jsonl").read_bytes()))
    assert read_systems([tmp_path / "packed.jsonl.gz"]) == {"packed": {"problems": {"T/0": {"n": 2, "correct": 1}}}}
    read = read_systems([tmp_path / "x" / "run", tmp_path / "y" / "run", tmp_path / "judged.jsonl"])
    assert list(read) == ["x/run", "y/run", "judged"]
    assert read["judged"]["problems"] == {"T/0": {"n": 2, "correct": 1}}  # None: the machine's fault


def test_every_form_tells_the_same_figures() -> None:
    made = compare({"b_1 & co": B, "a|x": A})
    systems, differences = grids(made)
    assert systems.rows[1][:2] == ["a|x", "4"]
    assert differences.rows[0][0] == "a|x less b_1 & co"
    assert differences.rows[0][1].startswith("+54.2 (")
    assert differences.rows[0][-2:] == ["4 / 1 / 1", "0.375"]
    assert r"| a\|x less b_1 & co |" in markdown(made)
    assert r"a|x less b\_1 \& co & +54.2 (" in latex(made)
    assert latex(made).count(r"\hline") == 6
    rows = list(csv.DictReader(csv_rows(made).splitlines()))
    (of_one,) = [row for row in rows if row["less"] and row["k"] == "1"]
    assert float(of_one["mean"]) == pytest.approx(3.25 / 6)
    assert (of_one["more"], of_one["less often"], of_one["equal"], of_one["p"]) == ("4", "1", "1", "0.375")
    assert [row["system"] for row in rows if not row["less"]] == ["b_1 & co"] * 2 + ["a|x"] * 2


def test_pictures_are_of_the_kinds_asked_for_and_the_same_again(tmp_path: Path) -> None:
    made = compare({"b": B, "a": A})
    written = write_comparison(made, tmp_path / "out", ["png", "svg", "pdf"])
    assert {path.name for path in written} == {
        *(f"comparison.{kind}" for kind in ("md", "csv", "tex", "json")),
        *(f"{name}.{kind}" for name in ("pass_at_k", "differences") for kind in ("png", "svg", "pdf")),
    }
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for path in written:
        assert path.read_bytes().startswith(begins.get(path.suffix, b""))
    before = {path: path.read_bytes() for path in written}
    write_comparison(made, tmp_path / "out", ["png", "svg", "pdf"])
    assert {path for path in written if path.read_bytes() != before[path]} == set()
    with pytest.raises(InputError, match="unknown picture 'gif': choose png, svg, pdf"):
        write_comparison(made, tmp_path / "none", ["gif"])
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(tmp_path: Path) -> None:
    text = latex(compare({r"b_\&%$#{}~^": B, "a": A}))
    (tmp_path / "x.tex").write_text(r"\documentclass{article}\begin{document}" + text + r"\end{document}")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "x.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_two_sets_of_saved_samples_are_judged_and_compared(
    codeduet: Callable[..., Any], problem_file: Path, tmp_path: Path
) -> None:
    for name, body in (("worse", "return None"), ("better", "return 2 * x")):
        rows = [{"task_id": f"Toy/{i}", "completion": f"    {body}\n"} for i in range(4) for _ in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        ran = codeduet(
            "judge", tmp_path / f"{name}.jsonl", "--out", tmp_path / name / "x.jsonl", "--problems", problem_file
        )
        assert (ran.status, ran.err) == (0, "")
        assert "pass@1" in ran.out
        assert f"results in {tmp_path / name / 'x.results.json'}" in ran.out
    places = [tmp_path / "worse" / "x.jsonl", tmp_path / "better" / "x.results.json"]
    ran = codeduet("compare", *places, "--out", tmp_path / "paper", "--picture", "pdf", "--k", 1)
    assert (ran.status, ran.err) == (0, "")
    assert "1 / 0 / 3" in ran.out
    assert (tmp_path / "paper" / "differences.pdf").is_file()
    assert not (tmp_path / "paper" / "differences.png").exists()
    ran = codeduet("compare", places[0], tmp_path / "nowhere")
    assert (ran.status, ran.err) == (2, f"codeduet: no run folder and no file {tmp_path / 'nowhere'}\n")
