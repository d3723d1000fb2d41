"""The report page: what it holds, and that a browser shows, filters and expands it without an error."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import Team
from codeduet.benchmarks.pass_at_k import BenchConfig, bench
from codeduet.benchmarks.report import write_report
from codeduet.envs import HELPER, MAIN
from codeduet.envs.config import EnvConfig

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</script><script>window.stolen = 1</script><!-- "


def write(prompt: str, seed: int) -> str:
    """Helper writes something that a page must not take for its own; main is right every other time."""
    if "# Helper functions for" in prompt:
        return f"def aid(x):\n    return {HOSTILE!r}\n"
    return "    return x * 2\n" if seed % 2 else "    return aid(x)\n"


@pytest.fixture
def run(tmp_path: Path, problem_file: Path) -> Path:
    """A benchmark of scripted agents, and a training's metrics beside it."""
    tokenizer = byte_tokenizer()
    team = Team(dict.fromkeys((HELPER, MAIN), Policy("base", None, tokenizer, trainable=False)))
    config = BenchConfig(
        out=str(tmp_path / "run" / "team"),
        env=EnvConfig(problems=str(problem_file)),
        sampling=SamplingConfig(max_new_tokens=400),
        split="all",
        n=4,
        k=[1, 2],
    )
    engine = ScriptedEngine({"base": write}, tokenizer)
    bench(config, team=team, engine=engine, console=Console(quiet=True))
    bench(replace(config, out=str(tmp_path / "run" / "other"), seed=1), team=team, engine=engine)
    rows = [{"step": i, "kind": "train", "reward": 1 - i / 40, "solved": 0.5} for i in range(40)]
    training = tmp_path / "run" / "train"
    training.mkdir()
    (training / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "run"


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_the_page_holds_tables_curves_signs_and_transcripts(run: Path, tmp_path: Path) -> None:
    written = write_report([run], tmp_path / "out")
    assert {path.name for path in written} == {"pass_at_k.png", "learning_curve.png", "report.md", "report.html"}
    data = data_of((tmp_path / "out" / "report.html").read_text())
    titles = [section["title"] for section in data["sections"]]
    assert titles == [
        "pass@k",
        "pass@k and rates in %, 95 % intervals over problems",
        "Learning curves",
        "Signs of collapse",
    ]
    assert "made it worse" in data["sections"][-1]["signs"][0]["text"]
    samples = [json.loads(line) for line in (run / "team" / "samples.jsonl").read_text().splitlines()]
    shown = [row for row in data["samples"] if row["row"] == "team"]
    assert {row["row"] for row in data["samples"]} == {"team", "other"}
    assert len(shown) == sum(row["sample"] < 3 for row in samples)
    for row in shown:
        (saved,) = [s for s in samples if (s["task_id"], s["sample"]) == (row["task"], row["sample"])]
        assert row["turns"] == [[HELPER, saved["texts"][HELPER][0]], [MAIN, saved["texts"][MAIN][0]]]
        assert row["tests"] == saved["outcome"]["tests"]
        assert row["task"] in data["prompts"][row["problems"]]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| pass@1 |" in text
    assert "![Learning curves](learning_curve.png)" in text


def test_a_reward_that_is_no_number_is_json_all_the_same(run: Path, tmp_path: Path) -> None:
    path = run / "team" / "samples.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "reward": float("nan")}) + "\n" for row in rows))
    write_report([run], tmp_path / "out")
    assert (
        "NaN"
        not in (tmp_path / "out" / "report.html").read_text().split('type="application/json"')[1].split("</script>")[0]
    )
    assert {row["reward"] for row in rows_of(tmp_path / "out") if row["row"] == "team"} == {None}


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The transcripts a report holds."""
    rows: list[dict[str, Any]] = data_of((out / "report.html").read_text())["samples"]
    return rows


def test_transcripts_of_runs_whose_folders_have_one_name_are_told_apart(run: Path, tmp_path: Path) -> None:
    runs = [Path(shutil.copytree(run, tmp_path / seed / "run")) for seed in ("s0", "s1")]
    write_report(runs, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert {row["row"] for row in rows} == {f"{seed}/run/{name}" for seed in ("s0", "s1") for name in ("team", "other")}
    assert len({(row["row"], row["task"], row["sample"]) for row in rows}) == len(rows)


def test_the_page_shows_as_many_samples_as_it_is_asked_to(run: Path, tmp_path: Path) -> None:
    for samples, shown in ((0, 4), (1, 1), (9, 4)):
        write_report([run], tmp_path / "out", samples=samples)
        of_team = [row for row in rows_of(tmp_path / "out") if (row["row"], row["task"]) == ("team", "Toy/0")]
        assert [row["sample"] for row in of_team] == list(range(shown))


def test_a_sample_that_a_kill_cut_off_costs_no_other(run: Path, tmp_path: Path) -> None:
    lines = (run / "team" / "samples.jsonl").read_text().splitlines()
    (run / "team" / "samples.jsonl").write_text("\n".join([*lines[:5], lines[5][:40]]))
    said: list[str] = []
    write_report([run], tmp_path / "out", samples=0, say=said.append)
    assert sum(row["row"] == "team" for row in rows_of(tmp_path / "out")) == 5
    assert said == []


def test_samples_that_cannot_be_shown_are_left_out_in_a_line(run: Path, tmp_path: Path) -> None:
    def said() -> list[str]:
        lines: list[str] = []
        write_report([run], tmp_path / "out", say=lines.append)
        assert {row["row"] for row in rows_of(tmp_path / "out")} == {"other"}
        return lines

    path = run / "team" / "samples.jsonl"
    rows = path.read_text().splitlines()
    torn, other = "is not JSON: mend or delete it", "is no JSON object: mend or delete it"
    for line, words in ((rows[0][:40], torn), ("{}", "is no sample"), ("3", other)):
        path.write_text("\n".join([rows[0], line, rows[1]]))
        assert said() == [f"transcripts of {path} are left out: line 2 {words}"]
    (run / "team" / "config.yaml").write_text("env: {problems: nowhere.jsonl}\n")
    assert said() == [f"transcripts of {path} are left out: no such file: nowhere.jsonl"]
    (run / "team" / "config.yaml").unlink()
    (line,) = said()
    assert line == f"transcripts of {path} are left out: no config.yaml beside it says which problems it answers"
    assert f"## Left out\n\n- {line}\n" in (tmp_path / "out" / "report.md").read_text()


ACTIONS = """
<script>
  const wait = what => new Promise(done => setTimeout(done, what));
  (async () => {
    const said = {}, all = () => [...document.querySelectorAll("#list details")];
    const set = (name, value) => { field(name).value = value; field(name).dispatchEvent(new Event("input")); };
    await wait(50);
    said.images = [...document.images].map(image => image.complete && image.naturalWidth);
    said.tables = document.querySelectorAll("table").length;
    said.all = all().length;
    said.note = field("note").textContent;
    set("verdict", "pass"); said.passed = all().length;
    set("verdict", "fail"); said.failed = all().length;
    set("verdict", ""); set("row", "other"); said.other = all().length;
    set("row", ""); set("words", "toy/1"); said.task = all().length;
    set("words", "no such words"); said.none = all().length;
    set("words", "");
    const first = all()[0]; first.open = true; await wait(50);
    said.parts = [...first.querySelectorAll("h3")].map(node => node.textContent);
    said.marks = first.querySelectorAll(".tests span").length;
    said.stolen = String(window.stolen);
    document.title = JSON.stringify(said);
  })();
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_shows_filters_and_expands_it_without_an_error(run: Path, tmp_path: Path) -> None:
    write_report([run], tmp_path)
    page = tmp_path / "report.html"
    acted = tmp_path / "acted.html"
    acted.write_text(page.read_text().replace("</html>", f"{ACTIONS}</html>"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=4000"]
    done = subprocess.run(
        [str(BROWSER), *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"file://{acted}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title
    said = json.loads(title.group(1))
    samples = data_of(page.read_text())["samples"]
    passed = sum(row["passed"] for row in samples)
    assert 0 < passed < len(samples) <= 50
    assert all(width > 300 for width in said["images"])
    assert len(said["images"]) == 2
    assert said["tables"] == 1
    assert said["note"] == "At most 3 of each problem: codeduet report --samples shows more."
    assert (said["all"], said["passed"], said["failed"]) == (len(samples), passed, len(samples) - passed)
    assert said["other"] == sum(row["row"] == "other" for row in samples)
    assert said["task"] == sum(row["task"] == "Toy/1" for row in samples)
    assert said["none"] == 0
    assert said["parts"] == ["problem", HELPER, MAIN, "verdict per test"]
    assert said["marks"] == len(samples[0]["tests"])
    assert said["stolen"] == "undefined"
