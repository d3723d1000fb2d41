"""The pool: its processes come and go, and no verdict is lost with them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codeduet.envs import Executor, InputError, Limits, Problem, Program, load_problems, raw_env
from codeduet.envs.execution import IsolationError, Outcome
from codeduet.envs.execution.worker import Worker, WorkerGoneError

RIGHT = "def double(x):\n    return x + x\n"
PROGRAMS = [Program.of(problem, main_0=problem.reference) for problem in load_problems()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_workers_start_when_they_are_needed_and_end_with_the_executor(toy: Problem) -> None:
    with Executor(workers=3) as executor:
        assert executor.worker_pids() == []
        assert executor.judge(toy, main_code=RIGHT).solved
        one = executor.worker_pids()
        assert executor.judge(toy, main_code=RIGHT).solved
        assert executor.worker_pids() == one  # one after the other needs one worker
        list(executor.judge_many(PROGRAMS[:30]))
        several = executor.worker_pids()
        assert len(several) == 3 * len(one)
        assert all(map(alive, several))
    assert gone(several)
    assert executor.worker_pids() == []


@pytest.mark.parametrize("isolation", ["namespaces", "landlock", "process"])
def test_workers_killed_at_random_cost_no_verdict(isolation: Any) -> None:
    rng = random.Random(0)
    stop = threading.Event()
    killed = 0
    with Executor(workers=2, isolation=isolation) as executor:
        executor.start()

        def kill() -> None:
            nonlocal killed
            while not stop.wait(0.25):
                pids = executor.worker_pids()
                if pids:
                    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                        os.kill(rng.choice(pids), signal.SIGKILL)
                        killed += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            outcomes = list(executor.judge_many(PROGRAMS))
        finally:
            stop.set()
            killer.join()
        assert killed >= 2
        assert all(outcome.solved for outcome in outcomes)
        assert not any(outcome.worker_fault for outcome in outcomes)
        last = executor.worker_pids()
    assert gone(last)


def test_a_worker_that_never_comes_up_is_a_fault_and_no_verdict(monkeypatch: pytest.MonkeyPatch, toy: Problem) -> None:
    def fail(self: Worker, *_: Any) -> None:
        raise WorkerGoneError("status 1")

    monkeypatch.setattr(Worker, "__init__", fail)
    with Executor(workers=1) as executor:
        outcome = executor.judge(toy, main_code=RIGHT)
        assert (outcome.worker_fault, outcome.solved, outcome.total) == (True, False, 4)
        assert outcome.error == "WorkerFault: status 1"
        with pytest.raises(IsolationError, match="a worker does not work"):
            executor.start()
        env = raw_env(executor=executor)
        env.reset(seed=0)
        env.step("")
        env.step("def f(): ...")
        assert env.truncations == dict.fromkeys(env.possible_agents, True)
        assert env.terminations == dict.fromkeys(env.possible_agents, False)
        assert env.rewards == dict.fromkeys(env.possible_agents, 0.0)
        for _ in env.possible_agents:
            env.step(None)
        assert env.agents == []
        env.reset(seed=0)
        assert env.truncations == dict.fromkeys(env.possible_agents, False)


def test_a_fault_of_a_workers_own_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch, toy: Problem) -> None:
    tried = []

    def judge(self: Worker, program: Program) -> Outcome:
        tried.append(self)
        raise WorkerGoneError("KeyError in values.py, line 1", told=True)

    monkeypatch.setattr(Worker, "judge", judge)
    with Executor(workers=1) as executor:
        outcome = executor.judge(toy, main_code=RIGHT)
    assert (outcome.worker_fault, outcome.error, len(tried)) == (True, "WorkerFault: KeyError in values.py, line 1", 3)


def test_a_worker_says_what_went_wrong_without_a_path(monkeypatch: pytest.MonkeyPatch, toy: Problem) -> None:
    with Executor(workers=1) as executor:
        executor.start()
        (worker,) = executor._workers
        with pytest.raises(WorkerGoneError, match=r"^KeyError in evaluator\.py, line \d+$"):
            worker._ask({"key": 99, "helper": "", "main": ""})
        assert executor.judge(toy, main_code=RIGHT).solved


def test_a_jail_that_cannot_be_closed_is_refused_unless_it_is_done_without_by_name(
    monkeypatch: pytest.MonkeyPatch, toy: Problem
) -> None:
    monkeypatch.setattr(Worker, "_ask", lambda self, request: {"refused": "no Landlock here"})
    with Executor(workers=1) as executor, pytest.raises(InputError, match=r"no Landlock here.*codeduet doctor"):
        executor.judge(toy, main_code=RIGHT)
    monkeypatch.undo()
    monkeypatch.setenv("CODEDUET_ISOLATION", "process")
    with Executor(workers=1) as executor:
        outcome = executor.judge(toy, main_code=RIGHT)
        assert (outcome.solved, outcome.isolation) == (True, "process")


LEAVE = """
import sys
from codeduet.envs import Executor, Problem
executor = Executor(workers=2)
executor.start()
print(*executor.worker_pids(), flush=True)
{rest}
"""


@pytest.mark.parametrize("rest", ["pass", "sys.exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_nothing_outlives_the_caller(rest: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEAVE.format(rest=rest)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert gone([int(pid) for pid in done.stdout.split()])


INTERRUPTED = """
import signal, threading, os
from codeduet.envs import Executor, Limits, Problem, Program
problem = Problem("T/0", "def f():\\n", "f", "", "def check(candidate):\\n    assert candidate() == 1\\n")
with Executor(workers=2) as executor:
    executor.start()
    print(*executor.worker_pids(), flush=True)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        list(executor.judge_many(Program.of(problem, main_0=f"def f():\\n    while {n}: pass\\n") for n in range(1, 9)))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise SystemExit(0)
"""


def test_ctrl_c_stops_at_once_and_leaves_nothing() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    pids, said = done.stdout.splitlines()
    assert (done.returncode, done.stderr, said) == (0, "", "interrupted")
    assert time.monotonic() - began < 12  # eight loops of 2 s in two workers
    assert gone([int(pid) for pid in pids.split()])


def _judge_in_process(executor: Executor, problem: Problem) -> tuple[int, list[int]]:
    return executor.judge(problem, main_code=RIGHT).passed, executor.worker_pids()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_the_callers_have_workers_of_their_own(toy: Problem, method: str) -> None:
    with Executor(workers=2) as executor:
        executor.start()
        ours = executor.worker_pids()
        with ProcessPoolExecutor(
            2, multiprocessing.get_context(method)
        ) as pool:  # unlike Pool, raises for a lost child
            judged = list(pool.map(_judge_in_process, [executor] * 4, [toy] * 4))
        assert [passed for passed, _ in judged] == [4] * 4
        assert not set(ours) & {pid for _, pids in judged for pid in pids}
        assert executor.judge(toy, main_code=RIGHT).solved
        assert executor.worker_pids() == ours


def test_values_that_take_long_to_compare_are_ended_by_their_own_limit(toy: Problem) -> None:
    """Ints whose hashes are equal make a set of them take quadratic time, inside one call in C."""
    problem = Problem("Set/0", "def f():\n", "f", "", "def check(candidate):\n    assert len(set(candidate())) == 1\n")
    colliding = "def f():\n    return [n * (2**61 - 1) for n in range(60_000)]\n"
    with Executor(workers=1, limits=Limits(check_cpu_s=0.5)) as executor:
        began = time.monotonic()
        outcome = executor.judge(problem, main_code=colliding)
        assert (outcome.limit, outcome.passed, outcome.worker_fault) == ("check_cpu", 0, False)
        assert time.monotonic() - began < 5
        assert executor.judge(toy, main_code=RIGHT).solved


def test_a_part_of_a_second_is_a_limit_too(toy: Problem) -> None:
    loop = "def double(x):\n    while True:\n        pass\n"
    with Executor(workers=1, limits=Limits(cpu_s=0.2)) as executor:
        outcome = executor.judge(toy, main_code=loop)
        assert (outcome.limit, outcome.error) == ("cpu", "TimeoutError: it used more than 0.2 s of processor time")
        assert 0.15 < outcome.cpu_s < 0.6


@pytest.mark.parametrize(
    ("name", "value"),
    [("cpu_s", 0), ("cpu_s", -1), ("wall_s", float("nan")), ("memory_mb", 1.5), ("memory_mb", 8), ("open_files", "9")],
)
def test_a_limit_that_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"limit {name} must be"):
        Limits(**{name: value})


@pytest.mark.parametrize("workers", [0, -1, 1.5])
def test_a_pool_of_no_workers_is_refused(workers: Any) -> None:
    with pytest.raises(InputError, match="workers must be a whole number from 1 on"):
        Executor(workers)


def test_an_unknown_isolation_is_refused() -> None:
    wrong: Any = "namespace"
    with pytest.raises(InputError, match=r"unknown isolation 'namespace'.*namespaces"):
        Executor(isolation=wrong)


def test_packages_can_be_allowed_by_name(toy: Problem) -> None:
    main = "import numpy as np\nfrom numpy import linalg\n\n\ndef double(x):\n    return np.int64(x) * 2\n"
    with Executor(workers=1) as executor:
        assert executor.judge(toy, main_code=main).error.startswith("ModuleNotFoundError")
    with Executor(workers=1, packages=["numpy"]) as executor:
        outcome: Outcome = executor.judge(toy, main_code=main)
        assert outcome.solved, outcome.error


NUMPY_TESTS = (
    "import numpy as np\n\n\ndef check(candidate):\n"
    "    assert np.array_equal(candidate(np.array([3, 1, 2])), np.array([1, 2, 3]))\n"
    "    made = candidate(np.array([3.5, 1]))\n    assert isinstance(made, np.ndarray) and made.dtype == np.float64\n"
    "    table = np.array([[2, 1]])\n    candidate(table)\n    assert candidate and (table == [[1, 2]]).all()\n"
    "    assert isinstance(candidate(np.int64(3)), np.int64)\n"
)


def test_numpys_values_travel_with_their_type_where_it_is_allowed() -> None:
    body = "    if x.ndim:\n        x.sort()\n    return x\n"
    problem = Problem("N/0", "import numpy as np\n\n\ndef f(x):\n", "f", body, NUMPY_TESTS)
    with Executor(workers=1, packages=["numpy"]) as executor:
        outcome = executor.judge(problem, main_code=problem.reference)
        assert (outcome.solved, outcome.passed) == (True, 4), outcome.error


def test_tests_import_what_is_installed_and_programs_do_not() -> None:
    tests = "import numpy as np\n\n\ndef check(candidate):\n    assert np.allclose(candidate([3, 1]), [1, 3])\n"
    problem = Problem("N/1", "def f(x):\n", "f", "    return sorted(x)\n", tests)
    with Executor(workers=1) as executor:
        assert executor.judge(problem, main_code=problem.reference).solved
        outcome = executor.judge(problem, main_code=f"import numpy\n{problem.reference}")
        assert outcome.error == "ModuleNotFoundError: No module named 'numpy'"


def test_the_check_compares_humaneval_33_with_its_reference(executor: Executor) -> None:
    """Three of its asserts compare the candidate with the global of its name, in OpenAI's harness itself."""
    problem = load_problems()[33]
    outcome = executor.judge(problem, main_code="def sort_third(l):\n    return ()\n")
    assert outcome.passed == 0


def test_calls_that_hang_on_answers_are_asked_one_by_one(executor: Executor) -> None:
    """Calls are counted by the programs: none comes that their own answers did not lead to."""
    tests = (
        "def check(candidate):\n    x = 1\n    while x < 50:\n        y = candidate(x)\n        assert y == 2 * x\n"
        "        x = y\n    assert candidate(-1) == -2\n"
    )
    problem = Problem("Chain/0", "def f(x):\n", "f", "", tests)
    counting = "calls = []\ndef f(x):\n    calls.append(x)\n    return 2 * x if len(calls) < 99 else None\n"
    threefold = (
        "calls = []\ndef f(x):\n    calls.append(x)\n    return 3 * x if x > 0 else (-2 if len(calls) == 5 else 0)\n"
    )
    for _ in range(3):
        assert executor.judge(problem, main_code=counting).solved
        # 1, 3, 9, 27 and then -1, which is the fifth call if nothing else was asked before.
        outcome = executor.judge(problem, main_code=threefold)
        assert outcome.tests == (False, True)


def problem_of(tests: str, name: str = "T/0") -> Problem:
    return Problem(name, "def f(x):\n", "f", "", f"def check(candidate):\n{tests}")


GREEDY = {
    "sorted of a range": ("assert sorted(candidate(1)) == []", "range(10**9)"),
    "tuple of a range": ("assert tuple(candidate(1)) == ()", "range(10**9)"),
    "text times an answer": ("assert 'a' * candidate(1) == ''", "4_000_000_000"),
    "power of an answer": ("assert candidate(1) ** candidate(1) == 0", "10**7"),
}


@pytest.mark.parametrize(("test", "answer"), GREEDY.values(), ids=GREEDY.keys())
def test_what_an_answer_makes_the_tests_take_is_bounded(test: str, answer: str, toy: Problem) -> None:
    with Executor(workers=1, limits=Limits(check_cpu_s=1, memory_mb=256)) as executor:
        executor.start()
        began = time.monotonic()
        outcome = executor.judge(problem_of(f"    {test}\n"), main_code=f"def f(x):\n    return {answer}\n")
        assert outcome.limit in ("check_cpu", "check_memory")
        assert (outcome.passed, outcome.worker_fault) == (0, False)
        assert time.monotonic() - began < 6
        assert executor.judge(toy, main_code=RIGHT).solved


def test_no_answer_of_one_program_reaches_another() -> None:
    """Calls made of answers are not sent ahead: neither another program's nor the reference's."""
    tests = "    a = candidate('question')\n    assert a == 'secret-4711'\n    assert candidate(a) == 'secret-4712'\n"
    right = "def f(x):\n    return {'question': 'secret-4711', 'secret-4711': 'secret-4712'}[x]\n"
    peek = (  # the list of calls that were sent, each a pair of arguments and options
        "import gc\ndef f(x):\n    for o in gc.get_objects():\n"
        "        if type(o) is list and o and type(o[0]) is tuple and len(o[0]) == 2 and type(o[0][0]) is tuple:\n"
        "            for c in o:\n"
        "                if c[0] and str(c[0][0]).startswith('secret'):\n                    return c[0][0]\n"
    )
    problem = problem_of(tests)
    with Executor(workers=1) as executor:
        for program in (right, peek, right):
            assert executor.judge(problem, main_code=program).passed == (2 if program is right else 0)


def test_an_answer_that_is_passed_on_fails_the_test_and_no_more(executor: Executor) -> None:
    problem = problem_of("    y = candidate(1)\n    assert y == 2\n    assert candidate(y) == 3\n")
    outcome = executor.judge(problem, main_code="def f(x):\n    return [object()]\n")
    assert (outcome.passed, outcome.total) == (0, 2)


PASSED_ON = {
    "an endless iterator": "import itertools\n    return itertools.count()",
    "a member": "import enum\n    return enum.Enum('C', 'A').A",
    "a class": "return type('T', (), {})",
    "a function": "return len",
    "a nest that grows": "x[:] = [x[:]] if x else []\n    exec('for _ in range(90): x[:] = [x[:]]')\n    return x",
}


@pytest.mark.parametrize("body", PASSED_ON.values(), ids=PASSED_ON.keys())
def test_no_answer_that_is_passed_on_is_the_problems_error(executor: Executor, body: str) -> None:
    test = "    y = [1]\n    for _ in range(12):\n        y = candidate(y)\n    assert y == 2\n"
    outcome = executor.judge(problem_of(test), main_code=f"def f(x):\n    {body}\n")
    assert (outcome.passed, outcome.total, outcome.worker_fault) == (0, 1, False)


def test_a_stop_iteration_does_not_end_the_tests_own_loops(executor: Executor) -> None:
    problem = problem_of("    assert all(map(lambda x: candidate(x) == x, [1, 2]))\n")
    outcome = executor.judge(problem, main_code="def f(x):\n    raise StopIteration\n")
    assert (outcome.passed, outcome.error) == (0, "StopIteration")


def test_tests_that_pass_what_cannot_be_sent_are_the_problems_error(executor: Executor) -> None:
    problem = problem_of("    assert candidate(lambda: 1) == 1\n")
    with pytest.raises(InputError, match="T/0: a test cannot be put to a program: a function cannot be sent"):
        executor.judge(problem, main_code="def f(x):\n    return x()\n")


def test_a_signal_of_its_own_is_no_time_out(executor: Executor, toy: Problem) -> None:
    main = "import os, signal\ndef double(x):\n    os.kill(os.getpid(), signal.SIGXCPU)\n"
    outcome = executor.judge(toy, main_code=main)
    assert (outcome.timed_out, outcome.error) == (False, "the process ended early (SIGXCPU)")


@pytest.mark.parametrize("isolation", ["namespaces", "landlock"])
def test_installed_packages_can_be_neither_read_nor_listed(isolation: Any) -> None:
    main = (
        "import os\nstdlib = os.path.dirname(os.__file__)\nfound = []\n"
        "for folder in (stdlib, stdlib + '/site-packages', stdlib + '/dist-packages', '/usr/lib/python3/dist-packages'):\n"
        "    for _, folders, files in os.walk(folder):\n        found += folders + files\n"
        "def f(x):\n    return found\n"
    )
    with Executor(workers=1, isolation=isolation) as executor:
        assert executor.judge(problem_of("    assert candidate(1) == []\n"), main_code=main).solved


CLOSED = """
import os, sys
for number in {numbers}:
    os.close(number)
from codeduet.envs import Executor, Problem
problem = Problem("T/0", "def f():\\n", "f", "", "def check(candidate):\\n    assert candidate() == 1\\n")
with Executor(workers=1) as executor:
    outcome = executor.judge(problem, main_code="def f():\\n    return 1\\n")
os._exit(0 if outcome.solved else 1)
"""


@pytest.mark.parametrize("numbers", [(0,), (0, 1), (0, 1, 2)])
def test_a_caller_without_standard_streams_gets_its_verdicts(numbers: tuple[int, ...]) -> None:
    assert subprocess.run([sys.executable, "-c", CLOSED.format(numbers=numbers)], check=False).returncode == 0


def test_a_stopped_jail_ends_with_its_executor(toy: Problem) -> None:
    executor = Executor(workers=1)
    assert executor.judge(toy, main_code=RIGHT).solved
    pids = executor.worker_pids()
    os.kill(pids[-1], signal.SIGSTOP)
    executor.close(wait=False)
    assert gone(pids)


def test_closing_without_waiting_does_not_wait_and_says_so(toy: Problem) -> None:
    for pause in (0.02, 0.6):  # while the worker starts, and while the program runs
        executor = Executor(workers=1)
        future = executor.submit(Program.of(toy, main_0="import time\ntime.sleep(60)\n"))
        queued = executor.submit(Program.of(toy, main_0=RIGHT))
        time.sleep(pause)
        began = time.monotonic()
        executor.close(wait=False)
        assert time.monotonic() - began < 3
        for ended in (future, queued):
            with pytest.raises(RuntimeError, match="the executor is closed"):
                ended.result(timeout=5)


KILLED = """
from codeduet.envs import Executor, Problem, Program
problem = Problem("T/0", "def f():\\n", "f", "", "def check(candidate):\\n    assert candidate() == 1\\n")
executor = Executor(workers=1)
executor.start()
executor.submit(Program.of(problem, main_0="import time\\ntime.sleep(60)\\n"))
print(*executor.worker_pids(), flush=True)
import os, signal, time
time.sleep(0.5)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_caller_leaves_no_running_program() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert gone([int(pid) for pid in done.stdout.split()], seconds=3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"packages": ["no_such_package"]}, "packages cannot be imported: No module named 'no_such_package'"),
        ({"packages": "numpy"}, "packages must be a list of names"),
        ({"limits": {"cpu_s": 1}}, "limits must be Limits"),
        ({"isolation": 3}, "unknown isolation 3"),
        ({"workers": True}, "workers must be a whole number"),
    ],
)
def test_wrong_arguments_are_said_to_be_wrong(arguments: dict[str, Any], said: str, toy: Problem) -> None:
    with pytest.raises(InputError, match=said), Executor(**arguments) as executor:
        executor.judge(toy, main_code=RIGHT)


def test_code_that_is_no_text_is_refused(executor: Executor, toy: Problem) -> None:
    nothing: Any = None
    with pytest.raises(InputError, match="code must be text, not NoneType"):
        executor.judge(toy, main_code=nothing)


def test_a_small_limit_of_the_callers_is_kept_to() -> None:
    code = CLOSED.format(numbers=())
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n{code}"
    assert subprocess.run([sys.executable, "-c", limited], check=False).returncode == 0
