"""Problem sets in the formats people have: told apart, read, and judged as one would by hand."""

from __future__ import annotations

import gzip
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tests.envs.set_rows import FORMATS, TASKS, humaneval, mbpp, own, sanitised_mbpp

from codeduet.benchmarks.pass_at_k import BenchConfig, choose_problems
from codeduet.cli import main
from codeduet.envs import Executor, InputError, Problem, Program, load_problems, raw_env, shared_executor
from codeduet.envs.config import EnvConfig, make_envs, task_ids
from codeduet.envs.execution.instrument import instrument
from codeduet.envs.problems import numbered_rows, stub
from codeduet.envs.roles import SINGLE
from codeduet.envs.sets import _from_hub, load_set
from codeduet.envs.tests import Asserts, Cases, Streams

STDIN = {"input": "3\n1 2 3\n", "output": "6\n"}

SAID = {
    "HumanEval": "HumanEval",
    "HumanEval+": "HumanEval",
    "HumanEvalPack": "HumanEvalPack",
    "MBPP": "MBPP",
    "sanitised MBPP": "MBPP",
    "MBPP+": "MBPP",
    "EvalPlus, HumanEval": "EvalPlus",
    "EvalPlus, MBPP": "EvalPlus",
    "own": "own",
}


def write(path: Path, rows: list[Any], mark: bytes = b"") -> Path:
    """Write rows, a JSON object a line."""
    path.write_bytes(mark + "".join(json.dumps(row) + "\n" for row in rows).encode())
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_is_told_by_its_keys_and_its_tests_count_as_by_hand(
    executor: Executor, tmp_path: Path, form: str
) -> None:
    loaded = load_set(write(tmp_path / "five.jsonl", FORMATS[form]()))
    assert loaded.line() == f"loaded 5 problems, {SAID[form]} format"
    problems = loaded.problems
    assert [problem.entry_point for problem in problems] == [task.name for task in TASKS]
    assert [instrument(problem).total for problem in problems] == [4] * 5
    programs = [Program.of(problem, main_0=problem.reference) for problem in problems]
    assert [outcome.solved for outcome in executor.judge_many(programs)] == [True] * 5
    programs = [Program.of(problem, main_0=task.partly_right) for problem, task in zip(problems, TASKS, strict=True)]
    assert [outcome.tests for outcome in executor.judge_many(programs)] == [task.passes for task in TASKS]
    programs = [
        Program.of(problem, main_0=f"def {problem.entry_point}(*args):\n    return None\n") for problem in problems
    ]
    assert [outcome.passed for outcome in executor.judge_many(programs)] == [0] * 5


@pytest.mark.parametrize("form", FORMATS)
def test_a_prompt_ends_in_the_signature_and_a_body_continues_it(executor: Executor, tmp_path: Path, form: str) -> None:
    problems = load_problems(write(tmp_path / "five.jsonl", FORMATS[form]()))
    for problem, task in zip(problems, TASKS, strict=True):
        assert f"def {task.name}({task.arguments}):\n" in problem.signature
        assert task.says.split("(")[0].strip() in problem.prompt
        assert problem.prompt.endswith('"""\n')
    bodies = [
        Program.of(problem, main_0=problem.signature + task.body) for problem, task in zip(problems, TASKS, strict=True)
    ]
    assert all(outcome.solved for outcome in executor.judge_many(bodies))


def test_mbpps_prompt_is_its_references_signature_with_text_and_first_assert(tmp_path: Path) -> None:
    row = {
        **mbpp()[0],
        "text": 'Say "hi" \\ or """quote"""',
        "code": "from typing import List\nimport os\n\ndef aid(x):\n    return x\n\n"
        "def hi(names: List[str], end='!') -> str:\n    return aid(names[0]) + end\n",
        "test_list": ["assert hi(['a']) == 'a!'"],
    }
    (problem,) = load_problems(write(tmp_path / "mbpp.jsonl", [row]))
    assert problem.task_id == "601"
    assert problem.prompt == (
        "from typing import List\n\n\ndef hi(names: List[str], end='!') -> str:\n"
        '    """Say "hi" \\\\ or \\"\\"\\"quote\\"\\"\\"\n\n    assert hi([\'a\']) == \'a!\'\n    """\n'
    )
    compile(problem.prompt, "prompt", "exec")
    assert problem.reference == row["code"]
    assert problem.preamble == "from typing import List\n\n\n"
    assert problem.examples == Asserts(["assert hi(['a']) == 'a!'"])


def test_problems_made_by_hand_take_rows_as_they_are(executor: Executor) -> None:
    rows = [
        {"id": f"My/{n}", "name": task.name, "text": task.says, "code": task.code, "tests": task.asserts}
        for n, task in enumerate(TASKS)
    ]
    for row, task in zip(rows, TASKS, strict=True):
        tests = row["tests"]
        problem = Problem(
            row["id"], stub(row["name"], row["text"]), row["name"], row["code"], Asserts(tests), Asserts(tests[:1])
        )
        assert problem.prompt.startswith(f"def {task.name}(*args, **kwargs):\n    " + '"""')
        compile(problem.prompt, "prompt", "exec")
        assert executor.judge(problem, main_code=problem.reference).solved
        assert executor.judge(problem, main_code=task.partly_right).tests == task.passes


def test_a_byte_order_mark_nulls_and_numbers_as_ids_are_taken(executor: Executor, tmp_path: Path) -> None:
    rows = [{**row, "task_id": number, "canonical_solution": None} for number, row in enumerate(humaneval())]
    problems = load_problems(write(tmp_path / "five.jsonl", rows, b"\xef\xbb\xbf"))
    assert [problem.task_id for problem in problems] == ["0", "1", "2", "3", "4"]
    assert {problem.canonical_solution for problem in problems} == {""}
    assert executor.judge(problems[1], main_code=TASKS[1].code).solved


def test_a_json_file_holds_a_list(tmp_path: Path) -> None:
    path = tmp_path / "sanitized-mbpp.json"
    path.write_text(json.dumps(sanitised_mbpp(), indent=1))
    assert load_set(path).line() == "loaded 5 problems, MBPP format"
    path.write_text('["task_id"]')
    with pytest.raises(InputError, match="must hold a list of JSON objects"):
        numbered_rows(path)


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.jsonl.gz", "rows"])
def test_the_first_signs_tell_a_files_form_and_not_its_name(tmp_path: Path, name: str) -> None:
    rows = [{"a": 1}, {"b": "[2]"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    listed = b"\n" + json.dumps(rows, indent=1).encode()
    for held, numbers in (
        (lines, (1, 2)),
        (listed, (1, 2)),
        (b"\xef\xbb\xbf" + listed, (1, 2)),
        (b"\n" + lines, (2, 3)),
    ):
        for written in (held, gzip.compress(held)):
            (tmp_path / name).write_bytes(written)
            assert numbered_rows(tmp_path / name) == list(zip(numbers, rows, strict=True))


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("{}\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ('{"a": "\u00e9"}\n'.encode("latin-1"), "is not UTF-8 .*: save it as UTF-8"),
        (b'{\n "a": 1\n}\n', "line 1: not JSON .*: rows are JSON objects, one a line, or in one list"),
        (b"\n[{}\n, x]", "line 3: not JSON"),
        (b'{"data": [{"a": 1}]}', "must hold a list of JSON objects, or one a line, and not one object around them"),
        (b'{"one": {"a": 1}, "two": {"a": 2}}', "and not one object around them"),
    ],
)
def test_a_file_of_another_form_is_one_line_that_says_what_to_do(tmp_path: Path, held: bytes, said: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(held)
    with pytest.raises(InputError, match=said):
        numbered_rows(tmp_path / "rows.jsonl")


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    for read in (load_set, numbered_rows):
        with pytest.raises(InputError, match="is a folder: name the file in it"):
            read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": str.rstrip, "canonical_solution": str.rstrip},
        {"prompt": lambda text: text + "    "},
        {"canonical_solution": str.lstrip},
    ],
    ids=["no line's end", "blanks behind the prompt", "blanks gone before the reference"],
)
def test_a_reference_meets_its_prompt_as_a_body_does(
    executor: Executor, tmp_path: Path, change: dict[str, Any]
) -> None:
    rows = [row | {key: edit(row[key]) for key, edit in change.items()} for row in humaneval()]
    loaded = load_set(write(tmp_path / "five.jsonl", rows))
    assert loaded.unmet == ()
    programs = [Program.of(problem, main_0=problem.reference) for problem in loaded.problems]
    assert [outcome.solved for outcome in executor.judge_many(programs)] == [True] * 5


def test_a_blank_before_an_assert_is_no_error(executor: Executor) -> None:
    problem = Problem(
        "Own/0", "def f(x):\n", "f", "    return x\n", Asserts([" assert f(2) == 2", "  x = 1\n  assert f(x) == x"])
    )
    assert executor.judge(problem, main_code=problem.reference).passed == 2


def test_a_split_field_or_a_test_file_wins_over_the_order(tmp_path: Path) -> None:
    rows = [{**row, "split": "train" if number in (1, 4) else "test"} for number, row in enumerate(humaneval())]
    path = write(tmp_path / "split.jsonl", rows)
    assert [problem.task_id for problem in load_problems(path, "train")] == ["Five/1", "Five/4"]
    assert [problem.task_id for problem in load_problems(path, "test")] == ["Five/0", "Five/2", "Five/3"]
    other = write(tmp_path / "other.jsonl", own())
    assert len(load_problems(path, "train", other)) == 5
    assert [problem.task_id for problem in load_problems(path, "test", other)] == ["0", "1", "2", "3", "4"]
    assert len(load_problems(path, "all", other)) == 10
    with pytest.raises(InputError, match="both hold the problem 'Five/0'"):
        load_problems(path, "all", path)


def test_the_published_sets_come_from_a_folder_or_say_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEDUET_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name, file in {"humanevalplus": "HumanEvalPlus", "mbpp": "mbpp", "mbppplus": "MbppPlus"}.items():
        with pytest.raises(InputError) as caught:
            load_problems(name)
        assert str(caught.value) == (
            f"problems {name!r} are not here: put {file}.jsonl into the folder {tmp_path} (CODEDUET_DATA names another), "
            "or pip install datasets"
        )
    rows = mbpp()
    rows[0]["task_id"] = 11
    write(tmp_path / "mbpp.jsonl", rows)
    assert [problem.task_id for problem in load_problems("mbpp", "train")] == ["602", "603", "604", "605"]
    assert [problem.task_id for problem in load_problems("mbpp", "test")] == ["11"]
    write(tmp_path / "HumanEvalPlus.jsonl", FORMATS["EvalPlus, HumanEval"]())
    assert len(load_problems("humanevalplus")) == 5


def test_the_published_sets_come_through_datasets_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEDUET_DATA", str(tmp_path))
    asked: list[str] = []

    def load_dataset(name: str) -> dict[str, list[dict[str, Any]]]:
        asked.append(name)
        if name == "evalplus/mbppplus":
            raise ConnectionError("no hub\nhere")
        return {"test": FORMATS["HumanEval+"]()}

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    _from_hub.cache_clear()
    assert len(load_problems("humanevalplus")) == 5
    with pytest.raises(
        InputError, match=r"'mbppplus' cannot be had from evalplus/mbppplus: put MbppPlus.jsonl .*no hub here"
    ):
        load_problems("mbppplus")
    assert asked == ["evalplus/humanevalplus", "evalplus/mbppplus"]


def refused(path: Path, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_problems(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tests_that_can_run_for_no_program_are_refused_with_file_line_and_import(tmp_path: Path) -> None:
    good, bad = humaneval()[:2]
    path = tmp_path / "mine.jsonl"
    for test, message in {
        f"import no_such_package\n\n\n{bad['test']}": "its tests import no_such_package, which is not installed",
        f"from math import no_such_name\n\n\n{bad['test']}": "its tests import what is not there: cannot import name",
        bad["test"].replace(
            "assert", "import numpy.no_such\n    assert", 1
        ): "its tests import numpy.no_such, which is",
        bad["test"].replace("== 'b a'", "== ORDER"): "its tests use ORDER, which nothing defines",
        f"{bad['test']}\nSEEN = {{}}['x']\n": "its tests fail before they ask a program anything (KeyError: 'x')",
    }.items():
        write(path, [good, {**bad, "test": test}])
        refused(path, f"{path}, line 2: field 'test': Five/1: {message}")


def test_a_prompt_that_imports_what_is_not_there_is_refused(tmp_path: Path) -> None:
    row = humaneval()[0]
    path = write(tmp_path / "mine.jsonl", [{**row, "prompt": f"import no_such_package\n{row['prompt']}"}])
    refused(path, f"{path}, line 1: field 'test': Five/0: its tests import no_such_package, which is not installed")


def test_tests_that_pass_objects_of_their_own_are_left_out_and_said(tmp_path: Path) -> None:
    rows = mbpp()
    rows[2] = {
        **rows[2],
        "code": "class Node:\n    pass\ndef root(node):\n    return node\n",
        "test_setup_code": "class Node:\n    pass\ntop = Node()",
        "test_list": ["assert root(top) == top"],
    }
    path = write(tmp_path / "mbpp.jsonl", rows)
    loaded = load_set(path)
    assert loaded.line() == ("loaded 4 problems, MBPP format; left out 1 whose tests no program can be put to: 603")
    write(path, [rows[2]])
    refused(path, "603: a test cannot be put to a program: a Node cannot be sent into the jail")


def test_trees_of_the_programs_own_class_are_left_out(tmp_path: Path) -> None:
    rows = mbpp()
    rows[1] |= {
        "code": "class Node:\n    def __init__(self, x):\n        self.x = x\ndef value(node):\n    return node.x\n",
        "test_setup_code": "root = Node(1)\r\nroot.left = Node(2)",
        "test_list": ["assert (value(root)) == 1"],
    }
    loaded = load_set(write(tmp_path / "mbpp.jsonl", rows))
    assert loaded.left_out == (
        ("602", "602: a test cannot be put to a program: it uses Node, which only a program defines"),
    )


def test_functions_of_any_name_are_targets(executor: Executor, tmp_path: Path) -> None:
    # MBPP has functions called check and test_duplicate, bodies indented by one blank or by tabs, and a builtin's name as
    # a parameter's.
    rows = [
        {**mbpp()[0], "task_id": number, "code": code, "test_list": tests}
        for number, (code, tests) in enumerate(
            [
                (
                    "def rev(n):\r\n\treturn n\r\ndef check (n):    \r\n    return n == rev(n)  ",
                    ["assert check(70) == True"],
                ),
                (
                    "def test_duplicate(values):\n return len(values) != len(set(values))",
                    ["assert test_duplicate(([1, 1]))==True "],
                ),
                (
                    "def pos(list, str = '-'):\n#pos = 1\n  list.sort()\n  return list",
                    ["assert (pos([2, 1])) == ([1, 2])"],
                ),
                ("def main():\n  return 1", ["assert main() == 1"]),
            ]
        )
    ]
    problems = load_problems(write(tmp_path / "mbpp.jsonl", rows))
    assert [problem.entry_point for problem in problems] == ["check", "test_duplicate", "pos", "main"]
    for problem in problems:
        compile(problem.prompt, "prompt", "exec")
        assert executor.judge(problem, main_code=problem.reference).tests == (True,)
        assert not executor.judge(problem, main_code=f"def {problem.entry_point}(*args):\n    return None\n").passed
        assert executor.judge(problem, main_code=problem.reference, tests="examples").solved


MALFORMED: dict[str, tuple[Any, str]] = {
    "no format": ({"a": 1}, "the keys a are those of no known format (EvalPlus: "),
    "no code": ({"task_id": 1, "code": None, "test_list": ["assert f()"], "text": "x"}, "field 'code' must be text"),
    "code that does not parse": ({**mbpp()[0], "code": "def f(:"}, "field 'code' does not parse"),
    "code without the function": ({**mbpp()[0], "code": "x = 1"}, "field 'code' defines no function that the first"),
    "no tests": ({**mbpp()[0], "test_list": []}, "field 'test_list' is empty"),
    "tests that are no list": ({**mbpp()[0], "test_list": "assert f()"}, "field 'test_list' must be a list of texts"),
    "a split of another name": ({**humaneval()[0], "split": "dev"}, "field 'split' must be train or test, not 'dev'"),
    "no inputs": (
        {**FORMATS["EvalPlus, MBPP"]()[0], "base_input": [], "plus_input": {}},
        "field 'base_input' is empty",
    ),
    "a reference that does not run": (
        {**FORMATS["EvalPlus, HumanEval"]()[0], "canonical_solution": "    return 1 +\n"},
        "field 'canonical_solution' of HumanEval/0 does not run: SyntaxError",
    ),
    "a reference that raises": (
        {**FORMATS["EvalPlus, HumanEval"]()[0], "canonical_solution": "    return price / 0\n"},
        "the reference of HumanEval/0 raises ZeroDivisionError on input 0",
    ),
    "a contract that no input keeps": (
        {**FORMATS["EvalPlus, HumanEval"]()[0], "contract": "\n    assert False\n"},
        "every input of HumanEval/0 breaks its contract",
    ),
    "own tests of no kind": ({**own()[0], "tests": [1]}, "field 'tests' must be text, or a list of assert lines"),
    "no test": (
        {key: value for key, value in humaneval()[0].items() if key != "test"},
        "field 'test' is missing",
    ),
    "a tolerance without end": (
        {**FORMATS["EvalPlus, MBPP"]()[0], "atol": float("inf")},
        "field 'atol' must be a number",
    ),
    "texts that may be either": (
        {**own()[0], "code": None, "text": "x", "prompt": "x", "tests": [STDIN]},
        "field 'tests': its texts",
    ),
    "a test of another type": (
        {**own()[0], "tests": [{**STDIN, "testtype": "x"}]},
        "field 'tests': testtype 'x' is none",
    ),
    "tests of two types": (
        {**own()[0], "tests": [{**STDIN, "testtype": "stdin"}, {**STDIN, "testtype": "functional"}]},
        "field 'tests': some of its tests are streams",
    ),
    "a functional test that is no JSON": (
        {**own()[0], "tests": [{"input": "1", "output": "x y", "testtype": "functional"}]},
        "field 'tests': a functional test holds a JSON value a line, not 'x y'",
    ),
    "own tolerance": ({**own()[0], "atol": -1}, "field 'atol' must be a number from 0 on, not -1"),
}


@pytest.mark.parametrize(("row", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_row_is_one_line(tmp_path: Path, row: Any, message: str) -> None:
    path = write(tmp_path / "mine.jsonl", [row])
    refused(path, f"{path}, line 1: {message}")


def test_references_are_asked_in_the_jail(tmp_path: Path) -> None:
    row = FORMATS["EvalPlus, HumanEval"]()[1]
    mark = tmp_path / "mark"
    row["canonical_solution"] = f"    open({str(mark)!r}, 'w')\n"
    refused(write(tmp_path / "mine.jsonl", [row]), "the reference of HumanEval/1 raises ")
    assert not mark.exists()


def test_an_input_that_gives_more_than_a_program_may_return_is_no_test(executor: Executor, tmp_path: Path) -> None:
    row = FORMATS["EvalPlus, HumanEval"]()[1]
    row |= {"canonical_solution": "    return text * 100\n", "base_input": [["ab"]], "plus_input": [["a" * 20_000]]}
    (problem,) = load_problems(write(tmp_path / "mine.jsonl", [row]))
    assert executor.judge(problem, main_code=problem.reference).tests == (True,)


def test_an_infinite_value_of_a_reference_is_no_free_pass(executor: Executor, tmp_path: Path) -> None:
    row = FORMATS["EvalPlus, HumanEval"]()[0]
    row |= {"canonical_solution": "    return price * 1e300 * rate\n", "base_input": [[1e300, 2.0]], "plus_input": []}
    (problem,) = load_problems(write(tmp_path / "mine.jsonl", [row]))
    assert executor.judge(problem, main_code=problem.reference).solved
    assert not executor.judge(problem, main_code=f"def {problem.entry_point}(price, rate):\n    return 5.0\n").passed


def test_a_reference_in_the_tests_is_not_asked_what_the_program_made_of_the_arguments(
    executor: Executor, tmp_path: Path
) -> None:
    problem = load_problems(write(tmp_path / "plus.jsonl", FORMATS["HumanEval+"]()))[-1]
    assert "ref_func" in problem.source.text
    assert executor.judge(problem, main_code=problem.reference).solved
    forged = "def chunks(items, size):\n    items.clear()\n    return []\n"
    assert not executor.judge(problem, main_code=forged).passed


SCRIPT = "n = int(input())\nprint(sum(map(int, input().split())))\n"


@pytest.mark.parametrize(
    "row",
    [
        {"tests": [{**STDIN, "testtype": "stdin"}], "code": SCRIPT},
        {"tests": [{**STDIN, "type": "stdin_stdout"}]},
        {"tests": [STDIN], "code": SCRIPT},
        {"tests": [STDIN], "code": f"def solve():\n    {SCRIPT.replace(chr(10), '; ')}\n\nsolve()\n"},
        {"tests": json.dumps([{**STDIN, "testtype": "stdin"}]), "code": SCRIPT},
        {"tests": [STDIN], "text": "def main():\n    'Sum.'\n"},
        {"tests": [STDIN], "code": "def main():\n    input()\n    print(sum(map(int, input().split())))\n"},
    ],
)
def test_rows_of_streams_by_other_names_are_streams(executor: Executor, tmp_path: Path, row: dict[str, Any]) -> None:
    path = write(tmp_path / "own.jsonl", [{"id": "S/0", "name": "main", "text": "Sum.", **row}])
    loaded = load_set(path)
    assert (loaded.line(), type(loaded.problems[0].tests)) == ("loaded 1 problems, own format", Streams)
    assert executor.judge(loaded.problems[0], main_code=SCRIPT).solved
    assert not executor.judge(loaded.problems[0], main_code="print(7)").passed


def test_functional_rows_and_functions_of_texts_are_calls(executor: Executor, tmp_path: Path) -> None:
    tests = [{"input": '[1, 2]\n"a"\n', "output": '["a", 1, 2]', "testtype": "functional"}]
    code = "def f(x, y):\n    return [y, *x]\n"
    rows: list[dict[str, Any]] = [{"id": "C/0", "name": "f", "text": "Put y first.", "code": code, "tests": tests}]
    code = "def f(text):\n    return text[::-1]\n"
    tests = [{"input": "a\nb", "output": "b\na"}]
    rows.append({"id": "C/1", "name": "f", "text": "Reverse.", "code": code, "tests": tests})
    problems = load_problems(write(tmp_path / "own.jsonl", rows))
    assert [type(problem.tests) for problem in problems] == [Cases, Cases]
    assert [executor.judge(problem, main_code=problem.reference).solved for problem in problems] == [True, True]


def test_a_table_is_told_to_be_none_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("task_id,prompt\n1,x\n")
    refused(path, f"{path}: csv is not read: rows must be JSON objects, one a line, as in .jsonl")


def test_types_that_json_has_not_are_those_of_mbppplus(executor: Executor, tmp_path: Path) -> None:
    row = {
        **FORMATS["EvalPlus, MBPP"]()[0],
        "task_id": "Mbpp/2",
        "entry_point": "similar_elements",
        "canonical_solution": "def similar_elements(a, b):\n    return tuple(set(a + b))\n",
        "contract": "    assert isinstance(a, tuple)\n",
        "base_input": [[[3, 4], [4, 5]]],
        "plus_input": [],
        "atol": 0,
    }
    (problem,) = load_problems(write(tmp_path / "mbpp.jsonl", [row]))
    assert executor.judge(problem, main_code="def similar_elements(a, b):\n    return [5, 3, 4, 3]\n").solved
    assert not executor.judge(problem, main_code="def similar_elements(a, b):\n    return (3, 4)\n").solved


def test_a_function_of_ones_own_gives_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_problems")
    module.my_set = lambda: iter([Problem("My/0", stub("f", "x"), "f", "", Asserts(["assert f() == 1"]))])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_problems", module)
    assert [problem.task_id for problem in load_problems("my_problems:my_set")] == ["My/0"]
    with pytest.raises(InputError, match="problems 'my_problems:none' cannot be imported"):
        load_problems("my_problems:none")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(left.value.code or 0)


def test_judge_and_doctor_say_what_was_loaded_and_take_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = mbpp()[:1]
    rows[0]["code"] = rows[0]["code"].replace("    return", "    import numpy\r\n    return")
    path = write(tmp_path / "mbpp.jsonl", rows)
    samples = write(tmp_path / "samples.jsonl", [{"task_id": 601, "main_code": rows[0]["code"]}])
    out = str(tmp_path / "judged.jsonl")
    assert run("judge", str(samples), "--out", out, "--problems", str(path), "--workers", "1") == 0
    said = capsys.readouterr().out
    assert "loaded 1 problems, MBPP format" in said
    assert "0 of 1 samples pass" in said
    words = ("judge", str(samples), "--out", out, "--problems", str(path), "--workers", "1", "--packages", "numpy")
    assert run(*words) == 0
    assert "1 of 1 samples pass" in capsys.readouterr().out
    assert run("doctor", "--problems", str(path)) == 1
    assert run("doctor", "--problems", str(path), "--packages", "numpy") == 0


def test_a_configs_test_problems_and_packages_reach_the_game(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train.jsonl", humaneval()), write(tmp_path / "test.jsonl", own())
    config = EnvConfig(problems=str(train), test_problems=str(test), packages=["numpy"])
    assert len(task_ids(config, "train")) == len(task_ids(config, "test")) == 5
    (game,) = make_envs(config, SINGLE, 1)
    assert isinstance(game.unwrapped, raw_env)
    assert len(game.unwrapped.problems) == 10
    assert game.unwrapped.executor is shared_executor(["numpy"])
    bench = BenchConfig(env=config)
    assert [problem.task_id for problem in choose_problems(bench)] == ["0", "1", "2", "3", "4"]
