"""Answers before and after a training on the report page: which, of whom, and that hostile ones stay text."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks.test_page import data_of

from codeduet.benchmarks.report import write_report
from codeduet.benchmarks.side_by_side import spread
from codeduet.envs import HELPER, MAIN, load_problems

NODE = shutil.which("node")
TASKS = [problem.task_id for problem in load_problems("humaneval", "test")]
HOSTILE = '</script><script>window.stolen = 1</script><!-- <img src=x onerror="stolen()">'
RATE = {"mean": 0.5, "low": 0.4, "high": 0.6}


def sample(task: str, number: int, passed: bool | None, texts: dict[str, str]) -> dict[str, Any]:
    outcome = {"syntax_ok": True, "runnable": True, "passed": 1, "total": 2, "tests": [True, bool(passed)], "error": ""}
    return {
        "task_id": task,
        "sample": number,
        "completion": "",
        "main_code": texts[MAIN],
        "helper_code": texts.get(HELPER, ""),
        "texts": {agent: [text] for agent, text in texts.items()},
        "tokens": dict.fromkeys(texts, 9),
        "truncated": {agent: "cut" in text for agent, text in texts.items()},
        "outcome": {**outcome, "defines": {}, "calls": ""},
        "passed": passed,
    }


def write_row(run: Path, row: str, rows: Sequence[dict[str, Any]]) -> Path:
    """A row of a table as its bench leaves it."""
    folder = run / row / "samples"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("command: bench\nenv: {problems: humaneval}\n")
    (folder / "results.json").write_text(json.dumps({"n": 2, "pass@k": {"1": RATE}, "rates": {}}))
    (folder / "samples.jsonl").write_text("".join(json.dumps(of) + "\n" for of in rows))
    return folder / "samples.jsonl"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A table of a team before and after, with two samples of each of HumanEval's test problems, the last task first."""
    run = tmp_path / "table"
    run.mkdir()
    (run / "config.yaml").write_text("command: reproduce\n")
    for row, passes in (("multi_agent", lambda i: i < 4), ("magrpo", lambda i: i % 4 == 0)):
        texts = [
            {
                HELPER: f"{row} aids {task} {HOSTILE}",
                MAIN: f"{row} solves {task}, cut" if passes(i) else f"{row} {task}",
            }
            for i, task in enumerate(TASKS)
        ]
        rows = [
            sample(task, number, passes(i) if number == 0 else None, texts[i])
            for i, task in reversed(list(enumerate(TASKS)))
            for number in (0, 1)
        ]
        write_row(run, row, rows)
    return run


def pairs_in(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Title -> the pairs of each part of a page that has some, with the samples themselves."""
    data = data_of((out / "report.html").read_text())
    return {
        section["title"]: [
            {**pair, **{side: data["samples"][pair[side]] for side in ("before", "after")}} for pair in section["pairs"]
        ]
        for section in data["sections"]
        if section["pairs"]
    }


def test_places_are_spread_evenly_and_all_where_there_are_few() -> None:
    assert spread(40) == list(range(0, 40, 2))
    assert spread(3) == [0, 1, 2]
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(0) == []


def test_the_page_holds_twenty_pairs_of_one_problem_before_and_after(run: Path, tmp_path: Path) -> None:
    write_report([run], tmp_path / "out")
    ((title, pairs),) = pairs_in(tmp_path / "out").items()
    assert title == "Before and after training: Multi-Agent beside MAGRPO"
    assert [pair["after"]["task"] for pair in pairs] == TASKS[::2]
    for place, pair in enumerate(pairs):
        task = TASKS[2 * place]
        for side, row, passed in (("before", "multi_agent", place < 2), ("after", "magrpo", place % 2 == 0)):
            shown = pair[side]
            assert (shown["row"], shown["task"], shown["sample"], shown["passed"]) == (row, task, 0, passed)
            assert shown["turns"][0] == [HELPER, f"{row} aids {task} {HOSTILE}"]
            assert shown["turns"][1][1].startswith(f"{row} ")
            assert shown["cut"] == ([MAIN] if passed else [])
    assert pairs[0]["line"] == f"{TASKS[0]}: passed -> passed"
    assert pairs[1]["line"] == f"{TASKS[2]}: passed -> failed"
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Sample 0 of 20 problems, spread evenly over the 40 test problems" in text
    assert "9 failed -> passed; 9 failed -> failed; 1 passed -> passed; 1 passed -> failed." in text
    assert f"\n- {TASKS[2]}: passed -> failed\n" in text


def test_hostile_answers_end_no_script_and_open_no_tag(run: Path, tmp_path: Path) -> None:
    write_report([run], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    start = page.index('<script type="application/json"')
    embedded = page[start : page.index("</script>", start)]
    assert json.loads(embedded.partition(">")[2])["sections"]  # up to the first end tag it is whole
    assert "<!--" not in page
    assert "window.stolen" not in page.replace(embedded, "")
    assert "onerror" not in page.replace(embedded, "")
    assert "innerHTML" not in page
    assert "<script src" not in page


def test_the_order_is_magrpo_first_and_a_row_without_its_untrained_one_has_no_pairs(run: Path, tmp_path: Path) -> None:
    lone = [sample(task, 0, True, {MAIN: "x"}) for task in TASKS[:3]]
    for row in ("single", "grpo", "grpo_best_of_2"):  # of the last, the untrained row is not there
        write_row(run, row, lone)
    write_report([run], tmp_path / "out")
    assert [(title.partition(": ")[2], len(pairs)) for title, pairs in pairs_in(tmp_path / "out").items()] == [
        ("Multi-Agent beside MAGRPO", 20),
        ("Single Model beside GRPO", 3),
    ]
    for row in ("multi_agent", "single"):
        shutil.rmtree(run / row)
    write_report([run], tmp_path / "out")
    assert pairs_in(tmp_path / "out") == {}
    assert "Before and after training" not in (tmp_path / "out" / "report.md").read_text()


def test_runs_of_other_commands_and_other_tables_are_not_mixed_up(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    write_report([run, other], tmp_path / "out")
    for title, pairs in pairs_in(tmp_path / "out").items():
        name = title[-7:].strip("() ")
        assert {pair[side]["row"] for pair in pairs for side in ("before", "after")} == {
            f"{name}/{row}" for row in ("multi_agent", "magrpo")
        }
    assert len(pairs_in(tmp_path / "out")) == 2
    (other / "config.yaml").write_text("command: bench\n")
    write_report([other], tmp_path / "out")
    assert pairs_in(tmp_path / "out") == {}


@pytest.mark.parametrize("broken", ["cut off", "no samples"])
def test_a_table_whose_samples_were_cut_off_still_reports_what_is_there(run: Path, tmp_path: Path, broken: str) -> None:
    path = run / "magrpo" / "samples" / "samples.jsonl"
    lines = path.read_text().splitlines()  # from the last task on
    path.write_text("\n".join([*lines[:12], lines[12][:40]]) if broken == "cut off" else "3\n" + lines[0])
    said: list[str] = []
    write_report([run], tmp_path / "out", say=said.append)
    shown = [pair["after"]["task"] for pairs in pairs_in(tmp_path / "out").values() for pair in pairs]
    assert (shown, len(said)) == ((TASKS[-6:], 0) if broken == "cut off" else ([], 1))


DOM = """
class Node {
  constructor(tag) { Object.assign(this, {tag, textContent: "", className: "", children: [], dataset: {}, heard: {}}); }
  append(...nodes) { this.children.push(...nodes); }
  replaceChildren() { this.children = []; }
  addEventListener(name, act) { this.heard[name] = act; }
  querySelectorAll(tag) { return this.children.flatMap(of => [...(of.tag === tag ? [of] : []), ...of.querySelectorAll(tag)]); }
}
const byId = {};
const document = {
  getElementById: id => (byId[id] ??= Object.assign(new Node(id), {value: ""})), createElement: tag => new Node(tag)
};
const Option = class extends Node {};
document.getElementById("data").textContent = require("fs").readFileSync(0, "utf8");
"""

ACTIONS = """
const [pairs] = byId.sections.querySelectorAll("div").filter(of => of.className === "pairs");
byId.sections.querySelectorAll("button")[0].heard.click();
const boxes = pairs.querySelectorAll("details");
boxes.forEach(box => box.heard.toggle());
const told = boxes.map(box => ["summary", "h3", "pre"].map(tag => box.querySelectorAll(tag).map(of => of.textContent)));
console.log(JSON.stringify(told.map(([lines, heads, texts]) => ({lines, heads, texts}))));
"""


@pytest.mark.skipif(NODE is None, reason="no node on this machine")
def test_the_pages_script_sets_each_answer_before_beside_the_one_after(run: Path, tmp_path: Path) -> None:
    write_report([run], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    data = data_of(page)
    (tmp_path / "page.js").write_text(f"{DOM}{{{script}}}\n{ACTIONS}")
    done = subprocess.run(
        [str(NODE), tmp_path / "page.js"],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown = json.loads(done.stdout)
    assert len(shown) == 20
    task = TASKS[2]
    prompt = data["prompts"]["humaneval"][task]
    assert shown[1]["lines"] == [f"{task}: passed -> failed"]
    sides = [f"{side}: {what}" for what in (HELPER, MAIN, "verdict") for side in ("before", "after")]
    assert shown[1]["heads"] == ["problem", *sides]
    assert shown[1]["texts"] == [
        prompt,
        *(f"{row} aids {task} {HOSTILE}" for row in ("multi_agent", "magrpo")),
        f"multi_agent solves {task}, cut",
        f"magrpo {task}",
    ]
