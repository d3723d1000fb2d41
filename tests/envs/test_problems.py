"""Problem sets: HumanEval, files of the user's, and what is said of malformed ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from codeduet.envs import InputError, find_problem, load_problems, raw_env

ROW = {
    "task_id": "Mine/0",
    "prompt": 'import math\n\n\ndef area(r):\n    """Area."""\n',
    "entry_point": "area",
    "canonical_solution": "    return math.pi * r * r\n",
    "test": "def check(candidate):\n    assert candidate(0) == 0\n",
}


def write(path: Path, *rows: Any) -> Path:
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_humaneval_has_164_problems_in_file_order() -> None:
    problems = load_problems("humaneval")
    assert [problem.task_id for problem in problems] == [f"HumanEval/{i}" for i in range(164)]


def test_the_split_is_124_to_40_in_file_order() -> None:
    train, test = load_problems("humaneval", "train"), load_problems("humaneval", "test")
    assert (len(train), len(test)) == (124, 40)
    assert train + test == load_problems("humaneval", "all")
    assert (train[-1].task_id, test[0].task_id) == ("HumanEval/123", "HumanEval/124")


def test_preamble_and_signature_are_the_two_parts_of_every_prompt() -> None:
    for problem in load_problems():
        assert problem.preamble + problem.signature == problem.prompt
        assert problem.signature.startswith(f"def {problem.entry_point}(")


@pytest.mark.parametrize(
    ("number", "function"), [(10, "is_palindrome"), (32, "poly"), (38, "encode_cyclic"), (50, "encode_shift")]
)
def test_the_prompts_own_functions_stand_in_its_preamble(number: int, function: str) -> None:
    assert f"def {function}(" in load_problems()[number].preamble


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.jsonl.gz"])
def test_a_users_file_is_a_problem_set(tmp_path: Path, name: str) -> None:
    rows = [{**ROW, "task_id": f"Mine/{i}", "extra": i} for i in range(33)]
    path = write(tmp_path / name, *rows, "\n")
    problems = load_problems(path)
    assert [problem.task_id for problem in problems] == [f"Mine/{i}" for i in range(33)]
    assert problems[0].preamble == "import math\n\n\n"
    assert problems[0].reference == 'def area(r):\n    """Area."""\n    return math.pi * r * r\n'
    assert (len(load_problems(path, "train")), len(load_problems(str(path), "test"))) == (25, 8)


def test_a_reference_solution_is_optional(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "canonical_solution"}
    assert load_problems(write(tmp_path / "mine.jsonl", row))[0].canonical_solution == ""


MALFORMED: dict[str, tuple[Any, str]] = {
    "no JSON": ("{'task_id'}\n", "line 2: not JSON"),
    "no object": ("[1]\n", "line 2: a row must be a JSON object"),
    "field missing": ({key: ROW[key] for key in ROW if key != "test"}, "line 2: field 'test' is missing"),
    "field of another type": ({**ROW, "prompt": 3}, "line 2: field 'prompt' must be text, not int"),
    "field empty": ({**ROW, "task_id": " "}, "line 2: field 'task_id' is empty"),
    "name that is none": ({**ROW, "entry_point": "a-b"}, "line 2: field 'entry_point' must be a function name"),
    "prompt without the target": ({**ROW, "entry_point": "volume"}, "line 2: field 'prompt' has no line 'def volume"),
    "task twice": (ROW, "line 2: field 'task_id' 'Mine/0' stands in line 1 too"),
    "tests that do not parse": ({**ROW, "task_id": "x", "test": "def check("}, "line 2: field 'test': x: its tests do"),
    "tests without check": (
        {**ROW, "task_id": "x", "test": "assert 1"},
        "line 2: field 'test': x: its tests define no",
    ),
    "tests that test nothing": (
        {**ROW, "task_id": "x", "test": "def check(candidate):\n    assert True"},
        "line 2: field 'test': x: no assert",
    ),
}


@pytest.mark.parametrize(("row", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_row_names_file_line_and_field(tmp_path: Path, row: Any, message: str) -> None:
    path = write(tmp_path / "mine.jsonl", ROW, row)
    with pytest.raises(InputError) as caught:
        load_problems(path)
    assert str(caught.value).startswith(f"{path}, {message}")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*none.jsonl"):
        load_problems(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"empty.jsonl holds no problem"):
        load_problems(write(tmp_path / "empty.jsonl"))
    plain = tmp_path / "plain.jsonl.gz"
    plain.write_bytes(b"\x1f\x8b" + json.dumps(ROW).encode())
    with pytest.raises(InputError, match=r"plain.jsonl.gz cannot be read"):
        load_problems(plain)
    broken = tmp_path / "broken.jsonl.gz"
    whole = gzip.compress(json.dumps(ROW).encode())
    broken.write_bytes(whole[:20] + bytes(20) + whole[40:])
    with pytest.raises(InputError, match=r"broken.jsonl.gz cannot be read"):
        load_problems(broken)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"task_id": "\xe9"}\n')
    with pytest.raises(InputError, match=r"latin.jsonl is not UTF-8 .*: save it as UTF-8"):
        load_problems(latin)


def test_an_empty_split_and_an_unknown_one_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", ROW)
    with pytest.raises(InputError, match=r"split 'train' of .* is empty: it has 1 problems"):
        load_problems(path, "train")
    with pytest.raises(InputError, match="unknown split 'tests': choose train, test or all; did you mean 'test'"):
        load_problems("humaneval", "tests")  # type: ignore[arg-type]


def test_a_problem_is_found_by_its_id_and_an_unknown_id_names_the_nearest() -> None:
    problems = load_problems()
    assert find_problem(problems, "HumanEval/77") == 77
    with pytest.raises(
        InputError, match=r"unknown task id 'HumanEvall/77' among 164 problems; did you mean 'HumanEval/77'"
    ):
        find_problem(problems, "HumanEvall/77")


def test_an_environment_plays_a_users_file(tmp_path: Path) -> None:
    env = raw_env(problems=str(write(tmp_path / "mine.jsonl", ROW)), split="all")
    env.reset(seed=0)
    assert env.observe("main_0")["entry_point"] == "area"
    env.step("")
    env.step("    return 0\n")
    assert env.rewards == {"helper_0": 0.6, "main_0": 0.6}
