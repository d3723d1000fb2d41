"""The figures of README and of the pages in ``docs`` are those of the files in ``benchmarks/results``."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from codeduet.benchmarks.readme import COMMANDS, PLACES, SEEDS, draw, made_by, place_text, write_places

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {page: (ROOT / page).read_text(encoding="utf-8") for page in {place.page for place in PLACES.values()}}
FILES = sorted(path.relative_to(RESULTS).as_posix() for path in RESULTS.rglob("*") if path.is_file())


def text_of(name: str) -> str:
    page = PLACES[name].page
    found = re.search(
        f"<!-- {re.escape(name)}: written by `make readme` -->\n(.*?)\n<!-- end of ", PAGES[page], re.DOTALL
    )
    assert found, f"{page} has no place {name!r}"
    return found.group(1)


def results(seed: int) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((RESULTS / f"embedded/seed{seed}/results.json").read_text(encoding="utf-8"))
    return read


def cells(name: str) -> dict[str, list[str]]:
    """Return a place's table: first cell of a line -> the others."""
    lines = [line.strip("|").split("|") for line in text_of(name).splitlines() if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in others] for first, *others in lines}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_says_what_its_files_say(name: str) -> None:
    files = PLACES[name].files
    sources = "; ".join(f"{file}, made by {made_by(file)}" for file in files) or "benchmarks/paper_table.py"
    assert text_of(name) == place_text(name, RESULTS), (
        f"{PLACES[name].page} differs from {sources}. make readme writes it anew"
    )


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_results_has_one_command_that_makes_it(name: str) -> None:
    command = made_by(name).split(" (")[0]
    program = command.split()[0]
    if program == "make":
        assert f"\n{command.split()[1]}:" in (ROOT / "Makefile").read_text()
    elif program == "python":
        place = ROOT / command.split()[2].removeprefix("codeduet.").replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
    else:
        assert program == "codeduet"
    told = " ".join(" ".join(PAGES.values()).split())
    assert command in told, f"{command}, which makes {name}, is in no page"


def test_no_command_stands_for_a_file_that_is_not_there() -> None:
    assert [pattern for pattern in COMMANDS if not any(fnmatch(name, pattern) for name in FILES)] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_figure_of_a_result_stands_outside_a_place(page: str) -> None:
    rest = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    for name in (name for name, place in PLACES.items() if place.page == page):
        rest = rest.replace(text_of(name), "")
    if page != "docs/algorithms.md":  # whose names stand in a table
        assert [line for line in rest.splitlines() if line.startswith("|")] == []
    settings = (
        r"0\.5B|qwen-0\.5b|Qwen2\.5|qwen2\.5-coder-0\.5b|95 %|60 % of what is free|1\.2 million weights|2\.4 MB|temperature 0\.8|Python 3\.\d+|\d{4}\.\d{5}|"
        r"!\[.*?\]\(.*?\)|\]\(http.*?\)"
    )
    rest = re.sub(settings, "", rest.split("\n## Liberties")[0])
    assert re.findall(r"\d+\.\d+|\d+ %|\d+ times|\w+ times (?:as|what)|twice", rest) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_of_the_embedded_problems_figure_by_figure(seed: int) -> None:
    """Recomputed from each problem's counts, by none of the code that writes the tables."""
    rows = results(seed)["rows"]
    for place, names in (
        ("equal budget", ("single_team_budget", "multi_agent", "grpo_team_budget", "magrpo")),
        ("capped answers", ("single", "multi_agent", "grpo", "magrpo")),
    ):
        table = cells(place)
        share = {}
        for name in names:
            row = rows[name]
            counts = [of_problem["correct"] for of_problem in row["problems"].values()]
            share[name] = [count / 10 for count in counts]
            told = table[row["title"]][2 + seed].split(" / ")
            for k, figure in zip((1, 3, 5, 10), told, strict=True):
                # Of ten samples k are drawn: all fail in C(10 - c, k) of C(10, k) ways.
                solved = [1 - math.comb(10 - count, k) / math.comb(10, k) for count in counts]
                assert float(figure) == pytest.approx(100 * sum(solved) / len(solved), abs=0.0501)
            low, high = (table[row["title"]][1].split(" - ") * 2)[:2]
            assert int(low) <= round(sum(row["generated tokens at evaluation"].values()) / 1000) <= int(high)
            system = row["title"].split(",")[0]
            assert table[f"{system}, greedy pass@1"][2 + seed] == f"{100 * row['greedy']['mean']:.1f}"
            agents, tokens = (2, 64) if name in ("multi_agent", "magrpo") else (1, 128 if place[0] == "e" else 64)
            assert (row["answers a program"], row["tokens an answer"]) == (agents, tokens)
            assert f"{'two answers' if agents == 2 else 'one answer'} of {tokens} tokens" in row["title"]
            low, high = (table[row["title"]][0].split(" - ") * 2)[:2]
            trained = row["training"]["tokens"] if row["training"] else 0
            assert int(low) <= round(trained / 1000) <= int(high)
        titles = {"single": "Single Model", "multi_agent": "Multi-Agent", "grpo": "GRPO"}
        for name in names[:-1]:
            told = table[f"MAGRPO less {titles[name.removesuffix('_team_budget')]}, pass@1"][2 + seed]
            gap = [a - b for a, b in zip(share["magrpo"], share[name], strict=True)]
            low, high = (float(bound) for bound in re.findall(r"\((.*?) to (.*?)\)", told)[0])
            mean = 100 * sum(gap) / len(gap)
            error = 100 * statistics.stdev(gap) / math.sqrt(len(gap))
            # A bootstrap's 95 % are about two standard errors on either side.
            assert low == pytest.approx(mean - 1.96 * error, abs=0.2 * error + 0.1)
            assert high == pytest.approx(mean + 1.96 * error, abs=0.2 * error + 0.1)
            # Half a tenth, and the last bit of a sum that ends on it.
            assert float(told.split(" (")[0]) == pytest.approx(100 * sum(gap) / len(gap), abs=0.0501)


def test_the_first_sentence_about_results_says_who_is_better_at_equal_budget() -> None:
    first = README.split("\n## Results\n")[1].strip().splitlines()[1]
    rows = [results(seed)["rows"] for seed in SEEDS]
    pass_at_1 = {
        name: [of_seed[name]["pass@k"]["1"]["mean"] for of_seed in rows] for name in ("grpo_team_budget", "magrpo")
    }
    assert all(single > team for single, team in zip(pass_at_1["grpo_team_budget"], pass_at_1["magrpo"], strict=True))
    assert first.startswith("At equal budget one trained model is better than the trained team: ")
    for figures in pass_at_1.values():
        assert " / ".join(f"{100 * figure:.1f}" for figure in figures) in first


def test_no_capped_comparison_stands_without_its_name() -> None:
    for name in ("capped answers", "ablations"):
        assert "64 tokens an answer" in text_of(name).splitlines()[0]
    # Their rows stand nowhere else: a table with Single or GRPO at 64 tokens has the name in its title.
    elsewhere = "".join(PAGES.values()).replace(text_of("capped answers"), "")
    assert "one answer of 64 tokens" not in elsewhere


def test_every_page_is_named_in_readme() -> None:
    assert [page.name for page in (ROOT / "docs").iterdir() if f"(docs/{page.name})" not in README] == []


def test_a_place_that_is_missing_or_stands_twice_is_refused() -> None:
    assert write_places(README, RESULTS) == README
    with pytest.raises(ValueError, match="one place 'paper'"):
        write_places(README.replace("<!-- end of paper -->", ""), RESULTS)
    with pytest.raises(ValueError, match="one place 'paper'"):
        write_places(README + "<!-- end of paper -->", RESULTS)


def test_a_figure_that_changes_in_a_file_changes_the_page(tmp_path: Path) -> None:
    for seed in SEEDS:
        changed = results(seed)
        changed["rows"]["magrpo"]["pass@k"]["1"]["mean"] = 0.123
        (tmp_path / f"embedded/seed{seed}").mkdir(parents=True)
        (tmp_path / f"embedded/seed{seed}/results.json").write_text(json.dumps(changed))
    assert "12.3 / 12.3 / 12.3 %" in place_text("what holds at equal budget", tmp_path)
    draw(tmp_path)
    assert (tmp_path / "embedded/seed0/pass_at_k.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_another_folder(tmp_path: Path) -> None:
    import sys

    ran = subprocess.run(
        [sys.executable, "-m", "codeduet.benchmarks.readme"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "call it in the repository's root" in ran.stderr
