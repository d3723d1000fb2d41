"""Scripts read and print in the usual ways: what plain Python does with a pipe is done here."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from codeduet.envs import Executor, Problem
from codeduet.envs.problems import stub
from codeduet.envs.tests import Streams

PAIRS = [("3\n1 2 3\n", "6\n"), ("2\n10 20\n", "30\n"), ("1\n5\n", "5\n")]


def script_problem(pairs: list[tuple[str, str]]) -> Problem:
    return Problem("Script/0", stub("solve", "Add.", "def solve():"), "solve", "", Streams(pairs))


def in_plain_python(code: str, text: str) -> str:
    """Return what a script prints in a process of its own, between pipes."""
    return subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=False, timeout=60
    ).stdout


SUM = "input()\ns = sum(map(int, input().split()))\n"
FAST = """
import io, os, sys


class FastIO(io.IOBase):
    newlines = 0

    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = io.BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None

    def readline(self):
        while self.newlines == 0:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            self.newlines = b.count(b"\\n") + (not b)
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        self.newlines -= 1
        return self.buffer.readline()

    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)


class IOWrapper(io.IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode("ascii"))
        self.readline = lambda: self.buffer.readline().decode("ascii")


sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)
input = lambda: sys.stdin.readline().rstrip("\\r\\n")
"""
IDIOMS = {
    "open(0)": "d = open(0).read().split()\nprint(sum(map(int, d[1:])))",
    "open(0), lines": "n, *rest = open(0)\nprint(sum(map(int, rest[0].split())))",
    "open(0, 'rb')": "d = open(0, 'rb').read().split()\nprint(sum(map(int, d[1:])))",
    "sys.stdin": "import sys\nnext(sys.stdin)\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
    "sys.stdin.buffer": "import sys\nd = sys.stdin.buffer.read().split()\nprint(sum(map(int, d[1:])))",
    "peek": "import sys\nassert sys.stdin.buffer.peek()\n" + SUM + "print(s)",
    "the number of sys.stdin": "import os, sys\nd = os.read(sys.stdin.fileno(), 999).split()\nprint(sum(map(int, d[1:])))",
    "fileinput": "import fileinput\nd = ' '.join(fileinput.input()).split()\nprint(sum(map(int, d[1:])))",
    "os.read": "import os\nd = os.read(0, 9999).split()\nprint(sum(map(int, d[1:])))",
    "os.read to the end": (
        "import os\nd = b''\nwhile part := os.read(0, 3):\n    d += part\nprint(sum(map(int, d.split()[1:])))"
    ),
    "select": "import select, sys\nassert select.select([sys.stdin], [], [], 1)[0]\n" + SUM + "print(s)",
    "os.write": f"import os\n{SUM}os.write(1, str(s).encode())",
    "os.write behind print": f"import os\n{SUM}print('', end='', flush=True)\nos.write(1, b'%d' % s)\nprint()",
    "open(1, 'w')": f"{SUM}with open(1, 'w') as out:\n    out.write(str(s))",
    "open(1, 'w'), not closed": f"{SUM}out = open(1, 'w')\nout.write(str(s))",
    "open(1, 'w'), in a knot": f"{SUM}class Out:\n    pass\no = Out()\no.o, o.out = o, open(1, 'w')\nprint(s, file=o.out, flush=True)",
    "os.fdopen": f"import os\n{SUM}os.fdopen(1, 'w').write(str(s))",
    "print(file=)": f"import sys\n{SUM}print(s, file=sys.__stdout__)",
    "sys.stdout.buffer": f"import sys\n{SUM}sys.stdout.buffer.write(b'%d' % s)",
    "stdout that is closed": f"import sys\n{SUM}print(s)\nsys.stdout.close()",
    "exit": f"{SUM}print(s)\nexit()\n1 / 0",
    "quit": f"def main():\n    {SUM.replace(chr(10), chr(10) + '    ')}print(s)\n    quit(0)\nmain()\n1 / 0",
    "sys.exit": f"import sys\n{SUM}print(s)\nsys.exit()",
    "SystemExit": f"{SUM}print(s)\nraise SystemExit",
    "atexit": f"import atexit\n{SUM}atexit.register(print, s)",
    "atexit, in a function": f"import atexit\n\n\n@atexit.register\ndef end():\n    print(s)\n\n\ndef solve():\n    1 / 0\n\n\n{SUM}",
    "a buffer that is written at the end": (
        f"import atexit, io, sys\nsys.stdout = out = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(out.getvalue()))\n"
        f"{SUM}print(s)"
    ),
    "input that is closed": f"import sys\n{SUM}sys.stdin.close()\nprint(s)",
    "a thread with a large stack": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**28)\n\n\ndef add(n):\n    return 0 if not n else 1 + add(n - 1)\n\n\n"
        f"def main():\n    {SUM.replace(chr(10), chr(10) + '    ')}print(s + add(20000) - 20000)\n\n\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()"
    ),
    "a thread that is not waited for": (
        f"import threading, time\n\n\ndef solve():\n    time.sleep(0.05)\n    {SUM.replace(chr(10), chr(10) + '    ')}print(s)\n\n\n"
        "threading.Thread(target=solve).start()"
    ),
    "a pool that is not closed": (
        f"from concurrent.futures import ThreadPoolExecutor\n{SUM}ThreadPoolExecutor(2).submit(lambda: print(s))"
    ),
    "a main guard": f"def solve():\n    {SUM.replace(chr(10), chr(10) + '    ')}print(s)\n\n\nif __name__ == '__main__':\n    solve()",
    "fast input and output": f"{FAST}{SUM}print(s)",
    "a deep recursion": "import sys\nassert sys.getrecursionlimit() < 10**5\nsys.setrecursionlimit(10**6)\n" + SUM + "print(s)",
}  # fmt: skip


@pytest.mark.parametrize("code", IDIOMS.values(), ids=IDIOMS.keys())
def test_a_script_does_what_it_does_in_plain_python(executor: Executor, code: str) -> None:
    assert in_plain_python(code, PAIRS[0][0]).split() == PAIRS[0][1].split()
    outcome = executor.judge(script_problem(PAIRS), main_code=code)
    assert (outcome.tests, outcome.error) == ((True, True, True), "")


MUCH = 150_000
LARGE = {
    "read and printed": "import sys\nd = sys.stdin.read()\nprint(d, end='')",
    "by number": "import os\nd = b''\nwhile part := os.read(0, 1 << 20):\n    d += part\nos.write(1, d)",
    "line by line": "for line in open(0):\n    print(line, end='')",
    "line by line, by number": "import os\nfor line in open(0, 'rb'):\n    os.write(1, line)",
    "in a thread": (
        "import sys, threading\n\n\ndef main():\n    sys.stdout.write(sys.stdin.read())\n\n\nthreading.Thread(target=main).start()"
    ),
}


@pytest.mark.parametrize("code", LARGE.values(), ids=LARGE.keys())
def test_more_than_a_pipe_holds_goes_through(executor: Executor, code: str) -> None:
    texts = ["".join(f"{sign}{number}\n" for number in range(MUCH // 5)) for sign in "ab"]
    outcome = executor.judge(script_problem([(text, text) for text in texts]), main_code=code)
    assert (outcome.tests, outcome.error) == ((True, True), "")


def test_large_input_need_not_be_read(executor: Executor) -> None:
    pairs = [("1\n" * MUCH, "1\n"), ("2\n" * MUCH, "2\n")]
    outcome = executor.judge(script_problem(pairs), main_code="print(input())\n")
    assert (outcome.tests, outcome.error) == ((True, True), "")


@pytest.mark.parametrize(
    "code", ["while True:\n    print(7)", "print('7' * 10**7)", "import os\nos.write(1, b'7' * 10**7)"]
)
def test_output_without_end_is_a_limit_and_keeps_the_other_tests(executor: Executor, code: str) -> None:
    began = time.monotonic()
    body = f"n = input()\nif n == '1':\n    print(1)\nelse:\n    {code.replace(chr(10), chr(10) + '    ')}\n"
    pairs = [("1\n", "1\n"), ("2\n", "7\n"), ("1\n", "1\n")]
    outcome = executor.judge(script_problem(pairs), main_code=body)
    assert (outcome.tests, outcome.limit) == ((True, False, True), "result_bytes")
    assert time.monotonic() - began < 10


def test_what_one_text_leaves_behind_is_not_the_next_ones(executor: Executor) -> None:
    fails = "import sys\nn = int(input())\nsys.stdout.write(f'{n}')\nif n == 2:\n    raise ValueError\n"
    outcome = executor.judge(script_problem([("1", "1"), ("2", "2"), ("3", "3")]), main_code=fails)
    assert (outcome.tests, outcome.error) == ((True, False, True), "ValueError")
    closes = "import os\nn = input()\nos.write(1, n.encode())\nfor number in (0, 1, 2):\n    os.close(number)\n"
    assert executor.judge(script_problem([("1", "1"), ("2", "2")]), main_code=closes).solved


OUTSIDE = {
    "a device of the streams": "d = open('/dev/stdin').read().split()\nprint(sum(map(int, d[1:])))",
    "os._exit": f"import os\n{SUM}print(s, flush=True)\nos._exit(0)",
    "a process": f"import subprocess, sys\n{SUM}subprocess.run([sys.executable, '-c', f'print({{s}})'])",
    "a fork": f"import os\n{SUM}pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nelse:\n    print(s)",
    "a file": f"import tempfile\n{SUM}with tempfile.TemporaryFile('w+') as f:\n    f.write(str(s))\n    f.seek(0)\n    print(f.read())",
}  # fmt: skip


@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_it_works_in_plain_python_and_is_outside_here(executor: Executor, code: str) -> None:
    assert in_plain_python(code, PAIRS[0][0]).split() == PAIRS[0][1].split()
    outcome = executor.judge(script_problem(PAIRS), main_code=code)
    assert (outcome.passed, outcome.solved, outcome.worker_fault) == (0, False, False)


def test_functions_have_exit_too(executor: Executor) -> None:
    made = Problem("Script/1", "def f(x):\n", "f", "", "def check(candidate):\n    assert candidate(1) == 1\n")
    outcome = executor.judge(made, main_code="def f(x):\n    exit()\n")
    assert (outcome.solved, outcome.error) == (False, "SystemExit")
