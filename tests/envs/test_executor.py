"""The executor: what it survives, what it says, and in which order."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codeduet.envs import Executor, InputError, Limits, Outcome, Part, Problem, Program, shared_executor

RIGHT = "def double(x):\n    return x + x\n"


def on_two(statement: str, unless: str = "x + x") -> str:
    """Return a solution of the toy problem that runs ``statement`` when asked to double 2, its second test of four."""
    return f"import os, sys, time\n\n\ndef double(x):\n    if x == 2:\n        {statement}\n    return {unless}\n"


def test_a_right_program_passes_every_test(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, main_code=RIGHT)
    assert outcome.syntax_ok
    assert outcome.runnable
    assert outcome.solved
    assert (outcome.passed, outcome.total, outcome.tests) == (4, 4, (True,) * 4)
    assert (outcome.error, outcome.error_part, outcome.timed_out) == ("", "", False)


def test_a_wrong_program_keeps_the_tests_it_passes(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, main_code="def double(x):\n    return abs(x) * 2\n")
    assert outcome.tests == (True, True, True, False)
    assert outcome.runnable
    assert not outcome.solved
    assert outcome.error == ""


def test_the_prompts_imports_are_part_of_the_program(executor: Executor, toy: Problem) -> None:
    assert executor.judge(toy, main_code="def double(x: int) -> List[int]:\n    return x + x\n").solved


def test_helpers_code_is_loaded_before_mains(executor: Executor, toy: Problem) -> None:
    helper = "def plus(a, b):\n    return a + b\n"
    assert executor.judge(toy, helper_code=helper, main_code="def double(x):\n    return plus(x, x)\n").solved


ENDINGS = {
    "sys.exit": ("sys.exit(0)", (True, False, True, True), "SystemExit", "main_0"),
    "raise": ("raise ValueError(x)", (True, False, True, True), "ValueError", "main_0"),
    "endless recursion": ("return double(x)", (True, False, True, True), "RecursionError", "main_0"),
    "input": ("input()", (True, False, True, True), "EOFError", "main_0"),
    "much memory": (
        "return len(bytearray(10**9))",
        (True, False, True, True),
        "MemoryError: it asked for more than 256 MiB of memory",
        "main_0",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", (True, False, True, True), "KeyboardInterrupt", "main_0"),
    "os._exit": ("os._exit(0)", (True, False, False, False), "the process ended early", ""),
    "os.abort": ("os.abort()", (True, False, False, False), "the process ended early (SIGABRT)", ""),
}


@pytest.mark.parametrize(("statement", "tests", "error", "unit"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_program_that_ends_itself_keeps_the_tests_it_passed(
    quick: Executor, toy: Problem, statement: str, tests: tuple[bool, ...], error: str, unit: str
) -> None:
    outcome = quick.judge(toy, main_code=on_two(statement))
    assert (outcome.tests, outcome.error, outcome.error_part) == (tests, error, unit)
    assert outcome.runnable
    assert not outcome.timed_out


ENDLESS = {
    "a loop": "while True: pass",
    "a loop that ignores signals": "import signal; [signal.signal(s, signal.SIG_IGN) for s in (10, 14, 15, 24)]\n"
    "        while True: pass",
    "one long call": "return 7 ** 10 ** 9",
    "sleep": "time.sleep(60)",
    "sleep in a thread it waits for": "import threading; t = threading.Thread(target=time.sleep, args=(60,)); t.start(); t.join()",
}


@pytest.mark.parametrize("statement", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_program_without_end_is_timed_out_and_keeps_the_tests_it_passed(
    quick: Executor, toy: Problem, statement: str
) -> None:
    began = time.monotonic()
    outcome = quick.judge(toy, main_code=on_two(statement))
    assert outcome.tests == (True, False, False, False)
    assert outcome.runnable
    assert outcome.timed_out
    assert outcome.limit in ("cpu", "wall")
    assert (outcome.error.split(":")[0], outcome.error_part) == ("TimeoutError", "")
    assert time.monotonic() - began < 20


def test_a_program_that_loads_without_end_is_not_runnable(quick: Executor, toy: Problem) -> None:
    outcome = quick.judge(toy, main_code=f"{RIGHT}while True:\n    pass\n")
    assert outcome.syntax_ok
    assert outcome.timed_out
    assert (outcome.runnable, outcome.passed) == (False, 0)


def test_threads_left_behind_hold_no_verdict(quick: Executor, toy: Problem) -> None:
    leave = "import threading; threading.Thread(target=time.sleep, args=(60,)).start()"
    began = time.monotonic()
    assert quick.judge(toy, main_code=on_two(leave)).solved
    assert time.monotonic() - began < 3


def test_a_program_starts_no_process_writes_no_file_and_prints_nothing(
    quick: Executor, toy: Problem, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert quick.judge(toy, main_code=on_two("os.fork()")).error == "PermissionError"
    write = f"print('out'); print('err', file=sys.stderr); open({str(tmp_path / 'out')!r}, 'w')"
    outcome = quick.judge(toy, main_code=on_two(write))
    assert outcome.tests == (True, False, True, True)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


UNREADABLE = {
    "wrong syntax": "def double(x:\n",
    "null byte": "x = '\0'\n",
    "lone surrogate": "x = '\ud800'\n",
    "deep brackets": "x = " + "(" * 5_000 + ")" * 5_000,
    "deep signs": "x = " + "-" * 200_000 + "1",
    "prose": "I think the answer is 2.",
    "byte order mark inside": "x = 1\n\ufeffy = 2",
}


@pytest.mark.parametrize("source", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("unit", ["helper", "main"])
def test_code_that_does_not_parse_is_said_to_be_so(quick: Executor, toy: Problem, source: str, unit: str) -> None:
    codes = {"helper_code": "", "main_code": RIGHT, f"{unit}_code": source}
    outcome = quick.judge(toy, **codes)
    assert (outcome.syntax_ok, outcome.runnable, outcome.passed) == (False, False, 0)
    assert outcome.error
    assert "\n" not in outcome.error
    json.dumps(outcome.to_dict()).encode("utf-8")
    assert quick.judge(toy, main_code=RIGHT).solved


def test_a_surrogate_written_as_an_escape_runs(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, main_code="raise ValueError('\\ud800')\n")
    assert outcome.error == "ValueError: \\ud800"
    json.dumps(outcome.to_dict(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\\x1b[2J\\x1b]0;title\\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\\rb\\u2028c\\u202ed", "a\\rb\\u2028c\\u202ed"),
        ("caf\\xe9 \\u4e2d", "caf\xe9 \u4e2d"),
        ("one\\ntwo", "one"),
    ],
)
def test_an_errors_text_is_fit_to_be_shown(executor: Executor, toy: Problem, text: str, shown: str) -> None:
    """As the program writes it, and as it arrives: what steers a terminal is written out, letters are not."""
    outcome = executor.judge(toy, main_code=f"raise ValueError('{text}')\n")
    assert outcome.error == f"ValueError: {shown}"


def test_a_huge_source_is_refused_and_a_large_one_judged(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, main_code=RIGHT + "#" * 1_000_001)
    assert (outcome.runnable, outcome.total, outcome.error) == (False, 4, "SourceTooLong: over 1,000,000 bytes")
    assert outcome.limit == "source_bytes"
    assert executor.judge(toy, main_code=RIGHT + "#" * 900_000).solved


ERRORS: dict[str, tuple[str, str, str, str]] = {
    "helper's syntax": ("x = = 1", RIGHT, "SyntaxError: invalid syntax (line 1)", "helper_0"),
    "helper as it loads": ("x = 1\ny = 1 / 0", RIGHT, "ZeroDivisionError: division by zero", "helper_0"),
    "main as it loads": ("", f"{RIGHT}undefined", "NameError: name 'undefined' is not defined", "main_0"),
    "main leaves as it loads": ("", f"{RIGHT}raise SystemExit", "SystemExit", "main_0"),
    "the target is missing": ("", "x = 1", "NameError: the program does not define double", "main_0"),
    "the target is no function": ("", "double = 3", "NameError: the program does not define double", "main_0"),
    "helper's function, called by main": (
        "def plus(a, b):\n    return a + c",
        "def double(x):\n    return plus(x, x)",
        "NameError",
        "helper_0",
    ),
    "main's function, called by helper's": (
        "def apply(f, x):\n    return f(x)",
        "def double(x):\n    return apply(lambda y: y.none, x)",
        "AttributeError",
        "main_0",
    ),
}


@pytest.mark.parametrize(("helper", "main", "error", "unit"), ERRORS.values(), ids=ERRORS.keys())
def test_the_first_error_is_told_with_the_part_it_came_from(
    executor: Executor, toy: Problem, helper: str, main: str, error: str, unit: str
) -> None:
    outcome = executor.judge(toy, helper_code=helper, main_code=main)
    assert (outcome.error, outcome.error_part, outcome.passed) == (error, unit, 0)


def test_an_unparsable_helper_fails_the_team_even_where_main_needs_none(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, helper_code="no code", main_code=RIGHT)
    assert (outcome.syntax_ok, outcome.runnable, outcome.passed) == (False, False, 0)
    assert outcome.defines_target


CALLED = frozenset({("main_0", "helper_0")})
SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "one calls the other": (
        "def plus(x):\n    return x + x\n",
        "def double(x):\n    y = x\n    return plus(y)\n",
        {"defines": {"helper_0": ("plus",), "main_0": ("double",)}, "calls": CALLED, "thin": False},
    ),
    "a thin one": (
        "def plus(x):\n    return x + x\n",
        "def double(x):\n    return plus(x)\n",
        {"calls": CALLED, "thin": True},
    ),
    "an idle call": (
        "def plus(x):\n    return x + x\n",
        "def double(x):\n    plus(x)\n    return x + x\n",
        {"calls": CALLED, "ignored": True},
    ),
    "a method is no function": (
        "class A:\n    def plus(self): ...\n\nf = lambda: 1\nx = [y for y in ()]\nasync def g(): ...\n",
        "def double(x):\n    def inner(): ...\n    return x + x\n",
        {"defines": {"helper_0": ("g",), "main_0": ("double",)}, "calls": frozenset()},
    ),
    "under a condition": (
        "",
        "if True:\n    def double(x):\n        return x + x\n",
        {"defines": {"helper_0": (), "main_0": ("double",)}, "defines_target": True},
    ),
}


@pytest.mark.parametrize(("helper", "main", "fields"), SHAPES.values(), ids=SHAPES.keys())
def test_the_shape_of_a_program_is_told(
    executor: Executor, toy: Problem, helper: str, main: str, fields: dict[str, Any]
) -> None:
    outcome = executor.judge(toy, helper_code=helper, main_code=main)
    assert outcome.solved
    assert {name: getattr(outcome, name) for name in fields} == fields


def test_what_parses_and_does_not_compile_is_python_that_does_not_run(executor: Executor, toy: Problem) -> None:
    outcome = executor.judge(toy, main_code=f"{RIGHT}return 1\n")
    assert (outcome.syntax_ok, outcome.runnable) == (True, False)
    assert (outcome.error, outcome.error_part) == ("SyntaxError: 'return' outside function (line 3)", "main_0")


def test_a_verdict_repeats_itself(executor: Executor, toy: Problem) -> None:
    """Text is hashed alike in every process, and random numbers of the tests are drawn alike."""
    program = Program.of(toy, main_0="raise ValueError(hash('a'), list({'a', 'b', 'c', 'd', 'e'}))")
    assert len({executor.submit(program).result().error for _ in range(4)}) == 1
    asserts = "    assert candidate() == (random.random() < 0.5)\n" * 20
    drawing = Problem("Draw/0", "def f():\n", "f", "", f"import random\n\n\ndef check(candidate):\n{asserts}")
    told = [executor.judge(drawing, main_code="def f():\n    return True\n").tests for _ in range(3)]
    assert told[0] == told[1] == told[2]
    assert 0 < sum(told[0]) < 20


def test_dataclasses_with_text_annotations_load(executor: Executor, toy: Problem) -> None:
    main = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n"
        f"@dataclass\nclass Pair:\n    a: int\n    b: Pair | None = None\n\n\n{RIGHT}"
    )
    assert executor.judge(toy, main_code=main).solved


SETS_FLAGS = (
    "import fcntl, os\nfor n in range(64):\n    try:\n        fcntl.fcntl(n, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)\n"
    "    except OSError:\n        pass\n"
)
READS_FLAGS = (
    "import fcntl, os\nflags = [fcntl.fcntl(n, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND) for n in range(3)]\n"
    "def double(x):\n    return x + x if not any(flags) else flags\n"
)


@pytest.mark.parametrize("isolation", ["namespaces", "landlock", "process"])
def test_open_files_are_each_programs_own(toy: Problem, isolation: Any) -> None:
    with Executor(workers=1, isolation=isolation) as executor:
        for _ in range(2):
            executor.judge(toy, main_code=SETS_FLAGS)
            assert executor.judge(toy, main_code=READS_FLAGS).solved


SEEN = {
    "no module by the file's name": "import solution",
    "no module of the judge's": "import sys\nassert not [m for m in sys.modules if m.startswith('codeduet')]",
    "its own module": "import sys\nassert sys.modules[__name__].__dict__ is globals()",
    "a name that cannot be imported": "assert not __name__.isidentifier() and '.' not in __name__",
    "no arguments": "import sys\nassert sys.argv == [''] and 'codeduet' not in str(sys.orig_argv)",
    "a module's globals": "assert set(globals()) == {'__name__', '__doc__', '__package__', '__loader__', '__spec__', "
    "'__builtins__', 'List'}, globals()",
    "no flag of ours": "def f(x: int): ...\nassert f.__annotations__ == {'x': int}",
    "nor in what it compiles": "d = {}\nexec('def f(x: int): ...', d)\nassert d['f'].__annotations__ == {'x': int}",
}


@pytest.mark.parametrize("unit", ["helper_code", "main_code"])
@pytest.mark.parametrize("code", SEEN.values(), ids=SEEN.keys())
def test_a_program_sees_what_a_plain_module_sees(executor: Executor, toy: Problem, code: str, unit: str) -> None:
    codes = {"helper_code": "", "main_code": RIGHT}
    outcome = executor.judge(toy, **{**codes, unit: f"{code}\n{codes[unit]}"})
    imports = code == "import solution"
    assert (outcome.solved, outcome.error) == (not imports, "ModuleNotFoundError: No module named 'solution'" * imports)


def test_a_module_has_the_same_name_each_time_and_another_program_another(executor: Executor, toy: Problem) -> None:
    names = [
        executor.judge(toy, helper_code=helper, main_code="raise ValueError(__name__)\n").error
        for helper in ("", "", "x = 1\n")
    ]
    assert names[0] == names[1] != names[2]


def test_a_main_guard_does_not_run(executor: Executor, toy: Problem) -> None:
    assert executor.judge(toy, main_code=f'{RIGHT}if __name__ == "__main__":\n    1 / 0\n').solved


class Counting(Executor):
    submitted = 0

    def submit(self, program: Program) -> Future[Outcome]:
        self.submitted += 1
        return super().submit(program)


def test_judge_many_keeps_the_order_and_judges_equal_programs_once(toy: Problem) -> None:
    slow_first = "import time\n\n\ntime.sleep(0.5)\n\n\n" + RIGHT
    wrong = "def double(x):\n    return 2\n"
    executor = Counting(workers=3)
    with executor:
        programs = [Program.of(toy, main_0=source) for source in (slow_first, wrong, RIGHT, wrong, slow_first)]
        assert [outcome.passed for outcome in executor.judge_many(iter(programs))] == [4, 1, 4, 1, 4]
        assert executor.submitted == 3
        assert list(executor.judge_many([])) == []


def test_it_is_used_from_several_threads(executor: Executor, toy: Problem) -> None:
    def judge(factor: int) -> int:
        return executor.judge(toy, main_code=f"def double(x):\n    return x * {factor}\n").passed

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(judge, [2, 3, 2, 3, 2, 3])) == [4, 0, 4, 0, 4, 0]


def _judge_in_fork(executor: Executor, toy: Problem, answers: Any) -> None:
    answers.send(executor.judge(toy, main_code=RIGHT).passed)


def test_it_is_used_after_a_fork(executor: Executor, toy: Problem) -> None:
    assert executor.judge(toy, main_code=RIGHT).solved  # its threads are there, and do not come along
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    process = context.Process(target=_judge_in_fork, args=(executor, toy, sender))
    process.start()
    try:
        assert receiver.poll(30)
        assert receiver.recv() == 4
    finally:
        process.kill()
        process.join()
    assert executor.judge(toy, main_code=RIGHT).solved


def test_a_pickled_executor_judges_under_the_same_limits(toy: Problem) -> None:
    with Executor(workers=3, limits=Limits(cpu_s=1, wall_s=4.0, memory_mb=128)) as original:
        assert original.judge(toy, main_code=RIGHT).solved
        with pickle.loads(pickle.dumps(original)) as copy:
            assert (copy.workers, copy.limits) == (3, original.limits)
            assert copy.judge(toy, main_code=RIGHT).solved


def test_a_closed_executor_says_so(toy: Problem) -> None:
    executor = Executor(workers=1)
    with executor:
        assert executor.judge(toy, main_code=RIGHT).solved
    executor.close()
    with pytest.raises(RuntimeError, match="the executor is closed"):
        executor.judge(toy, main_code=RIGHT)


def test_the_shared_executor_is_one_for_the_process() -> None:
    assert shared_executor() is shared_executor()
    assert shared_executor().workers > (os.cpu_count() or 1)  # one that waits must leave the others their core


def test_an_outcome_is_plain_json(executor: Executor, toy: Problem) -> None:
    record = executor.judge(toy, helper_code="def h(): ...", main_code=RIGHT).to_dict()
    assert json.loads(json.dumps(record)) == {
        "syntax_ok": True,
        "runnable": True,
        "passed": 4,
        "total": 4,
        "tests": [True] * 4,
        "error": "",
        "error_part": "",
        "completed": True,
        "limit": "",
        "isolation": "namespaces",
        "worker_fault": False,
        "defines": {"helper_0": ["h"], "main_0": ["double"]},
        "calls": [],
        "defines_target": True,
        "thin": False,
        "ignored": False,
    }


RAISES = "if isinstance(x, str):\n        raise ValueError\n    return x"


@pytest.mark.parametrize(
    ("test", "wrong", "right", "total"),
    [
        (
            "out = []\n    for i in (1, 2):\n        out.append(candidate(i))\n    assert out == [1, 2]",
            "return 1",
            "return x",
            2,
        ),
        (
            "try:\n        candidate('a')\n        assert False\n    except ValueError:\n        pass",
            "return 1",
            RAISES,
            2,
        ),
        ("candidate('a')", "return x + 0", "return x", 1),  # it fails all the same
    ],
)
def test_what_fails_beside_the_counted_tests_is_no_solution(
    executor: Executor, test: str, wrong: str, right: str, total: int
) -> None:
    tests = f"def check(candidate):\n    assert candidate(1) == 1\n    {test}\n"
    problem = Problem("T/0", "def f(x):\n", "f", "", tests)
    failed, solved = (executor.judge(problem, main_code=f"def f(x):\n    {body}\n") for body in (wrong, right))
    assert (failed.passed, failed.total, failed.solved) == (1, total, False)
    assert failed.completed == (total == 2)
    assert solved.solved


THREE = {"planner_0": "def one():\n    return 1\n", "helper_0": "def two():\n    return one() + one()\n"}


def test_a_program_has_parts_of_any_agents_in_the_order_they_are_loaded(executor: Executor, toy: Problem) -> None:
    program = Program.of(toy, **THREE, main_0="def double(x):\n    return x * two()\n")
    outcome = executor.submit(program).result()
    assert outcome.solved
    assert outcome.defines == {"planner_0": ("one",), "helper_0": ("two",), "main_0": ("double",)}
    assert outcome.calls == {("helper_0", "planner_0"), ("main_0", "helper_0")}
    lonely = executor.submit(program.without("planner_0")).result()
    assert (lonely.error, lonely.error_part, lonely.calls) == ("NameError", "helper_0", {("main_0", "helper_0")})
    swapped = Program(toy, program.parts[::-1])
    assert executor.submit(swapped).result().defines_target is False  # the last part is to define it


@pytest.mark.parametrize("agents", [("main_0", "main_0"), ("preamble", "main_0")])
def test_parts_have_names_of_their_own(executor: Executor, toy: Problem, agents: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="each part needs a name of its own, and none is 'preamble'"):
        executor.submit(Program(toy, tuple(Part(agent, RIGHT) for agent in agents)))
