"""Programs that use up what they are given, and texts that are hardly programs.

Each must end by itself or be ended, within the limits, with the verdict named in ``expects``; none may harm the
evaluator or the next program. The limits meant are 1 s of CPU, 3 s of wall clock, 256 MB, 1,000,000 result bytes,
100,000 result nodes, result depth 100, 1,000,000 source bytes and 64 open files. Verdicts of malformed sources are
those of Python 3.11, whose parser says MemoryError, told as the memory limit, where an expression is too deep for it.
"""

from __future__ import annotations

from codeduet.benchmarks.verdict.corpora import Case

TRUNCATE, STRLEN, UNIQUE, ADD, FIB = (f"HumanEval/{number}" for number in (2, 23, 34, 53, 55))

GOOD = "def strlen(string):\n    return len(string)\n"
"""A right answer to ``STRLEN``, for sources whose oddity lies elsewhere."""


def _strlen(body: str, before: str = "") -> str:
    """Return a program whose ``strlen`` runs ``body`` and then answers right."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    return f"{before}def strlen(string):\n{lines}    return len(string)\n"


def _case(name: str, kind: str, main: str, *expects: str, helper: str = "", task_id: str = STRLEN) -> Case:
    return Case(name=name, kind=kind, task_id=task_id, main=main, helper=helper, expects=expects)


def _one_call(name: str, body: str, before: str = "") -> Case:
    """Return a program that spends its CPU inside one C call, where no Python signal handler runs."""
    return _case(name, "cpu in one C call", _strlen(body, before), "cpu")


_ONE_C_CALL = (
    _one_call("pow-of-huge", "pow(3, 10**9)"),
    _one_call("modular-pow-of-huge", "pow(3, (1 << 200_000) - 1, (1 << 200_000) + 1)"),
    _one_call("str-of-huge-int", "str(1 << 4_000_000)", "import sys\nsys.set_int_max_str_digits(0)\n"),
    _one_call("int-of-huge-str", "int('9' * 3_000_000)", "import sys\nsys.set_int_max_str_digits(0)\n"),
    _one_call("power-tower", "10**10**8"),
    _one_call("factorial", "math.factorial(10**7)", "import math\n"),
    _one_call("binomial", "math.comb(10**8, 5 * 10**7)", "import math\n"),
    _one_call("regex-nested-plus", "re.match('(a+)+$', 'a' * 60 + 'b')", "import re\n"),
    _one_call("regex-alternation", "re.fullmatch('(a|a|aa)*c', 'a' * 80)", "import re\n"),
    _one_call("regex-sub-quadratic", "re.sub('a*b', '', 'a' * 300_000)", "import re\n"),
    _one_call("sum-of-range", "sum(range(10**12))"),
    _one_call("max-of-range", "max(range(10**12))"),
    _one_call("float-in-range", "10.5 in range(10**12)"),
    _one_call(
        "endless-iterator",
        "deque(repeat(0), maxlen=0)",
        "from collections import deque\nfrom itertools import repeat\n",
    ),
    _one_call(
        "product",
        "deque(product(range(100), repeat=9), maxlen=0)",
        "from collections import deque\nfrom itertools import product\n",
    ),
    _one_call("permutations", "max(permutations(range(14)))", "from itertools import permutations\n"),
    _one_call("rfind-worst-case", "(b'a' * 4_000_000).rfind(b'ab' + b'a' * 1_000_000)"),
    _one_call("count-in-list", "sum(map(([0] * 10**6).count, repeat(1)))", "from itertools import repeat\n"),
    _one_call(
        "substring-over-and-over",
        "any(map(('a' * 10**6).__contains__, repeat('ab')))",
        "from itertools import repeat\n",
    ),
    _one_call("hash-collisions-in-set", "set(range(0, 90_000 * ((1 << 61) - 1), (1 << 61) - 1))"),
    _one_call("hash-collisions-in-dict", "dict.fromkeys(range(0, 90_000 * ((1 << 61) - 1), (1 << 61) - 1))"),
    _one_call(
        "compress", "zlib.compress(bin(random.getrandbits(2 * 10**7)).encode(), 9)", "import random\nimport zlib\n"
    ),
    _one_call("bzip", "bz2.compress(random.randbytes(5 * 10**7))", "import bz2\nimport random\n"),
    _one_call("pbkdf2", "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)", "import hashlib\n"),
    _one_call(
        "json-of-many-strings",
        "sum(map(len, map(json.loads, repeat('[' + '\"a\",' * 10**5 + '0]'))))",
        "import json\nfrom itertools import repeat\n",
    ),
    _one_call(
        "random-bits",
        "any(map(random.getrandbits, repeat(0))) or all(map(random.getrandbits, repeat(10**7)))",
        "import random\nfrom itertools import repeat\n",
    ),
    _one_call(
        "sort-shared-pairs", "a = b = ()\nfor _ in range(60):\n    a, b = (a, a), (b, b)\nsorted([(a, 0), (b, 0)])"
    ),
    _one_call("compare-shared-lists", "a, b = [0], [0]\nfor _ in range(60):\n    a, b = [a, a], [b, b]\na == b"),
    _one_call("hash-shared-pairs", "a = ()\nfor _ in range(60):\n    a = (a, a)\nhash(a)"),
    _one_call("isinstance-shared-tuples", "a = (int,)\nfor _ in range(60):\n    a = (a, a)\nisinstance('', a)"),
    _one_call(
        "decimal-power",
        "decimal.Decimal(3) ** decimal.Decimal('0.3')",
        "import decimal\ndecimal.getcontext().prec = 10**6\n",
    ),
    _one_call(
        "difflib", "difflib.SequenceMatcher(None, 'ab' * 3000, 'ba' * 3000, autojunk=False).ratio()", "import difflib\n"
    ),
)

_LOOPS = (
    _case("loop-while-true", "loop", _strlen("while True:\n    pass"), "cpu"),
    _case("loop-at-load-of-main", "loop at load", GOOD + "while True:\n    pass\n", "cpu"),
    _case("loop-at-load-of-helper", "loop at load", GOOD, "cpu", helper="count = 0\nwhile True:\n    count += 1\n"),
    _case("loop-in-class-body", "loop at load", GOOD + "class Endless:\n    while True:\n        pass\n", "cpu"),
    _case(
        "loop-in-decorator",
        "loop at load",
        "def slow(function):\n    while True:\n        pass\n\n@slow\n" + GOOD,
        "cpu",
    ),
    _case(
        "loop-in-default-argument",
        "loop at load",
        "from itertools import count\ndef strlen(string, big=max(count())):\n    return len(string)\n",
        "cpu",
    ),
    _case(
        "loop-from-the-third-call",
        "loop",
        "calls = []\ndef strlen(string):\n    calls.append(string)\n"
        "    while len(calls) > 2:\n        pass\n    return len(string)\n",
        "cpu",
    ),
    _case(
        "loop-in-del",
        "loop in a hook",
        _strlen("Slow()", "class Slow:\n    def __del__(self):\n        while True:\n            pass\n"),
        "cpu",
    ),
    _case(
        "loop-in-generator",
        "loop",
        _strlen("for item in endless():\n    item", "def endless():\n    while True:\n        yield 1\n"),
        "cpu",
    ),
    _case(
        "loop-in-eq",
        "loop in a hook",
        _strlen(
            "Slow() == string", "class Slow:\n    def __eq__(self, other):\n        while True:\n            pass\n"
        ),
        "cpu",
    ),
    _case(
        "loop-in-hash",
        "loop in a hook",
        _strlen("{Slow(): 1}", "class Slow:\n    def __hash__(self):\n        while True:\n            pass\n"),
        "cpu",
    ),
    _case(
        "loop-in-getattr",
        "loop in a hook",
        _strlen("Slow().any", "class Slow:\n    def __getattr__(self, name):\n        while True:\n            pass\n"),
        "cpu",
    ),
    _case(
        "loop-in-bool-of-result",
        "loop in a hook",
        "class Slow:\n    def __bool__(self):\n        while True:\n"
        "            pass\ndef correct_bracketing(brackets):\n    return Slow()\n",
        "cpu",
        task_id="HumanEval/56",
    ),
    _case(
        "loop-in-eq-of-result",
        "hook never asked",
        "class Slow:\n    def __eq__(self, other):\n        while True:\n"
        "            pass\ndef strlen(string):\n    return Slow()\n",
        "wrong",
    ),
    _case(
        "loop-in-repr-of-result",
        "hook never asked",
        "class Slow:\n    def __repr__(self):\n        while True:\n"
        "            pass\n    __str__ = __repr__\ndef strlen(string):\n    return Slow()\n",
        "wrong",
    ),
    _case(
        "loop-in-iter-of-list-subclass",
        "hook never asked",
        "class Slow(list):\n    def __iter__(self):\n"
        "        while True:\n            yield 1\n    def __len__(self):\n        return 10**12\n"
        "def unique(l):\n    return Slow(sorted(set(l)))\n",
        "solved",
        task_id=UNIQUE,
    ),
    _case(
        "loop-in-module-getattr",
        "hook never asked",
        "def __getattr__(name):\n    while True:\n        pass\n",
        "NameError",
    ),
    _case(
        "loop-over-base-exceptions",
        "loop that catches all",
        _strlen(
            "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
        ),
        "cpu",
    ),
    _case(
        "loop-in-finally",
        "loop that catches all",
        _strlen("try:\n    raise KeyError\nfinally:\n    while True:\n        pass"),
        "cpu",
    ),
    _case(
        "loop-in-exception-handler",
        "loop",
        _strlen("try:\n    1 / 0\nexcept ZeroDivisionError:\n    while True:\n        pass"),
        "cpu",
    ),
    _case(
        "loop-with-signals-ignored",
        "loop that ignores signals",
        _strlen(
            "while True:\n    pass",
            "import signal\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
            "    except (OSError, ValueError):\n        pass\n",
        ),
        "cpu",
    ),
    _case(
        "loop-with-signals-blocked",
        "loop that ignores signals",
        _strlen(
            "sum(range(10**12))", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        ),
        "cpu",
    ),
    _case(
        "loop-with-timer-of-its-own",
        "loop that ignores signals",
        _strlen(
            "while True:\n    pass",
            "import signal\nsignal.signal(signal.SIGALRM, lambda *args: None)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n",
        ),
        "cpu",
    ),
    _case(
        "loop-in-joined-threads",
        "loop in threads",
        _strlen(
            "threads = [threading.Thread(target=spin) for _ in range(2)]\nfor thread in threads:\n    thread.start()\n"
            "for thread in threads:\n    thread.join()",
            "import threading\ndef spin():\n    while True:\n        pass\n",
        ),
        "cpu",
    ),
    _case(
        "loop-in-thread-left-behind",
        "loop in threads",
        "import threading\ndef spin():\n    while True:\n"
        "        pass\n" + GOOD + "threading.Thread(target=spin).start()\n",
        "solved",
    ),
    _case(
        "loop-in-pool-at-load",
        "loop in threads",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool:\n    pool.map(sum, [range(10**12)] * 2)\n" + GOOD,
        "cpu",
    ),
    _case(
        "loop-at-exit",
        "loop after the end",
        "import atexit\ndef spin():\n    while True:\n        pass\natexit.register(spin)\n" + GOOD,
        "solved",
    ),
    _case(
        "loop-in-del-of-global",
        "loop after the end",
        "class Slow:\n    def __del__(self):\n        while True:\n            pass\nkept = Slow()\n" + GOOD,
        "solved",
    ),
    _case(
        "loop-in-trace-function",
        "loop in a hook",
        "import sys\ndef trace(*args):\n    while True:\n        pass\nsys.setprofile(trace)\n" + GOOD,
        "cpu",
    ),
    _case("loop-of-lookups-in-eval", "loop", _strlen("eval('[0 for _ in iter(int, 1)]')"), "cpu", "memory"),
    _case(
        "naive-fibonacci",
        "loop",
        "def fib(n):\n    n += 40\n    return step(n)\n",
        "cpu",
        task_id=FIB,
        helper="def step(n):\n    return n if n < 2 else step(n - 1) + step(n - 2)\n",
    ),
    _case(
        "a-little-cpu-in-each-of-many-calls",
        "loop",
        "def add(x, y):\n    for _ in range(10**6):\n        pass\n    return x + y\n",
        "cpu",
        task_id=ADD,
    ),
)

_RECURSION = (
    _case("recursion", "recursion", "def strlen(string):\n    return strlen(string)\n", "RecursionError"),
    _case("recursion-at-load", "recursion", "def down():\n    return down()\ndown()\n" + GOOD, "RecursionError"),
    _case(
        "recursion-mutual",
        "recursion",
        "def strlen(string):\n    return other(string)\n",
        "RecursionError",
        helper="def other(string):\n    return strlen(string)\n",
    ),
    _case(
        "recursion-in-getattr",
        "recursion",
        _strlen("Deep().any", "class Deep:\n    def __getattr__(self, name):\n        return self.other\n"),
        "RecursionError",
    ),
    _case(
        "recursion-in-repr",
        "recursion",
        _strlen("repr(Deep())", "class Deep:\n    def __repr__(self):\n        return f'<{self!r}>'\n"),
        "RecursionError",
    ),
    _case(
        "recursion-in-property",
        "recursion",
        _strlen("Deep().size", "class Deep:\n    @property\n    def size(self):\n        return self.size\n"),
        "RecursionError",
    ),
    _case("recursion-in-json", "recursion", _strlen("json.loads('[' * 100_000)", "import json\n"), "RecursionError"),
    _case(
        "recursion-in-deepcopy",
        "recursion",
        _strlen("deep = []\nfor _ in range(100_000):\n    deep = [deep]\ncopy.deepcopy(deep)", "import copy\n"),
        "RecursionError",
    ),
    _case(
        "recursion-caught",
        "recursion",
        _strlen("try:\n    down()\nexcept RecursionError:\n    pass", "def down():\n    return down()\n"),
        "solved",
    ),
    _case(
        "recursion-in-finally",
        "recursion",
        _strlen("down()", "def down():\n    try:\n        down()\n    finally:\n        down()\n"),
        "cpu",
    ),
    _case(
        "recursion-without-limit",
        "recursion without limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef strlen(string):\n    return strlen(string) + 1\n",
        "memory",
        "cpu",
    ),
    _case(
        "recursion-holding-memory",
        "recursion without limit",
        "import sys\nsys.setrecursionlimit(10**9)\n"
        "def strlen(string):\n    held = bytearray(10**6)\n    return strlen(string) + len(held)\n",
        "memory",
    ),
    _case(
        "recursion-through-c-without-limit",
        "stack overflow",
        _strlen(
            "repr(Deep())",
            "import sys\nsys.setrecursionlimit(10**9)\n"
            "class Deep:\n    def __repr__(self):\n        return repr(self)\n",
        ),
        "died",
    ),
    _case(
        "recursion-in-hook-without-limit",
        "stack overflow",
        _strlen(
            "Deep().any",
            "import sys\nsys.setrecursionlimit(10**9)\nclass Deep:\n    def __getattr__(self, name):\n"
            "        return getattr(self, name + 'x')\n",
        ),
        "died",
    ),
    _case(
        "recursion-in-sort-key-without-limit",
        "stack overflow",
        "import sys\nsys.setrecursionlimit(10**9)\ndef unique(l):\n    return sorted(l, key=lambda item: unique(l))\n",
        "died",
        task_id=UNIQUE,
    ),
    _case(
        "chain-of-iterators",
        "stack overflow",
        _strlen("chained = iter(())\nfor _ in range(1_000_000):\n    chained = map(abs, chained)\nlist(chained)"),
        "died",
    ),
)

_SLEEP = "import time\n"
_WAITS = (
    _case("sleep", "waiting", _strlen("time.sleep(1000)", _SLEEP), "wall"),
    _case("sleep-at-load", "waiting", _SLEEP + "time.sleep(1000)\n" + GOOD, "wall"),
    _case("sleep-in-helper-at-load", "waiting", GOOD, "wall", helper=_SLEEP + "time.sleep(1e6)\n"),
    _case(
        "sleep-in-del",
        "waiting",
        _strlen("Slow()", _SLEEP + "class Slow:\n    def __del__(self):\n        time.sleep(1000)\n"),
        "wall",
    ),
    _case(
        "sleep-a-little-in-each-of-many-calls",
        "waiting",
        _SLEEP + "def add(x, y):\n    time.sleep(0.1)\n    return x + y\n",
        "wall",
        task_id=ADD,
    ),
    _case(
        "sleep-over-and-over",
        "waiting",
        _strlen("while True:\n    try:\n        time.sleep(100)\n    except BaseException:\n        pass", _SLEEP),
        "wall",
    ),
    _case("wait-for-event", "waiting", _strlen("threading.Event().wait()", "import threading\n"), "wall"),
    _case(
        "wait-for-lock-held",
        "waiting",
        _strlen("with lock, lock:\n    pass", "import threading\nlock = threading.Lock()\n"),
        "wall",
    ),
    _case("wait-for-queue", "waiting", _strlen("queue.Queue().get()", "import queue\n"), "wall"),
    _case("wait-in-select", "waiting", _strlen("select.select([], [], [])", "import select\n"), "wall"),
    _case("wait-for-pipe", "waiting", _strlen("os.read(os.pipe()[0], 1)", "import os\n"), "wall"),
    _case("wait-for-signal", "waiting", _strlen("signal.sigwait([signal.SIGUSR1])", "import signal\n"), "wall"),
    _case("wait-in-asyncio", "waiting", _strlen("asyncio.run(asyncio.sleep(1000))", "import asyncio\n"), "wall"),
    _case(
        "wait-for-each-other",
        "waiting",
        _strlen(
            "threads = [threading.Thread(target=take, args=pair) for pair in ((one, two), (two, one))]\n"
            "for thread in threads:\n    thread.start()\nfor thread in threads:\n    thread.join()",
            "import threading\nimport time\none, two = threading.Lock(), threading.Lock()\n"
            "def take(first, second):\n    with first:\n        time.sleep(0.05)\n"
            "        with second:\n            pass\n",
        ),
        "wall",
    ),
    _case(
        "sleep-in-thread-left-behind",
        "waiting",
        "import threading\nimport time\n" + GOOD + "threading.Thread(target=time.sleep, args=(1000,)).start()\n",
        "solved",
    ),
    _case(
        "sleep-at-exit", "waiting", "import atexit\nimport time\natexit.register(time.sleep, 1000)\n" + GOOD, "solved"
    ),
    _case("input-at-end-of-file", "input", _strlen("input()"), "EOFError"),
    _case(
        "input-loop",
        "input",
        _strlen("while True:\n    try:\n        input()\n    except EOFError:\n        pass"),
        "cpu",
    ),
    _case(
        "input-lines-until-quit",
        "input",
        "import sys\nwhile sys.stdin.readline().strip() != 'quit':\n    pass\n" + GOOD,
        "cpu",
    ),
)

_MEMORY = (
    _case("memory-bytearray", "memory", _strlen("bytearray(10**10)"), "memory"),
    _case("memory-at-load", "memory", GOOD, "memory", helper="TABLE = [0] * 10**9\n"),
    _case("memory-list-growth", "memory", _strlen("held = []\nwhile True:\n    held.append(bytes(10**5))"), "memory"),
    _case("memory-list-doubling", "memory", _strlen("held = [0]\nwhile True:\n    held += held"), "memory"),
    _case("memory-str-doubling", "memory", _strlen("held = 'x'\nwhile True:\n    held += held"), "memory"),
    _case("memory-dict", "memory", _strlen("{key: 'x' * 10_000 for key in range(10**9)}"), "memory"),
    _case(
        "memory-nested-lists", "memory", _strlen("held = []\nwhile True:\n    held = [held, bytes(80_000)]"), "memory"
    ),
    _case("memory-range-list", "memory", _strlen("list(range(10**8))"), "memory"),
    _case("memory-presized", "memory", _strlen("[0] * (1 << 60)"), "memory"),
    _case("memory-array", "memory", _strlen("array.array('q', [0]) * 10**9", "import array\n"), "memory"),
    _case("memory-big-int", "memory", _strlen("1 << 10**10"), "memory"),
    _case("memory-sample", "memory", _strlen("random.sample(range(10**9), 10**9)", "import random\n"), "memory"),
    _case("memory-format-width", "memory", _strlen("f'{string:>1000000000}'"), "memory"),
    _case(
        "memory-decompression",
        "memory",
        _strlen(
            "zlib.decompress(packed)",
            "import zlib\n"
            "packer = zlib.compressobj(1)\n"
            "packed = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)\n"
            "half = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)\npacked += half * 40\n",
        ),
        "memory",
    ),
    _case("memory-mmap", "memory", _strlen("mmap.mmap(-1, 1 << 32)", "import mmap\n"), "memory", "OSError"),
    _case(
        "memory-in-threads",
        "memory",
        _strlen(
            "threads = [threading.Thread(target=hoard) for _ in range(2)]\n"
            "for thread in threads:\n    thread.start()\nfor thread in threads:\n    thread.join()\nhoard()",
            "import threading\nheld = []\ndef hoard():\n    while True:\n        held.append(bytearray(10**6))\n",
        ),
        "memory",
    ),
    _case(
        "memory-many-threads",
        "memory",
        _strlen(
            "for _ in range(100_000):\n    threading.Thread(target=hold.wait, daemon=True).start()",
            "import threading\nhold = threading.Event()\n",
        ),
        "RuntimeError",
        "memory",
    ),
    _case(
        "memory-error-caught", "memory", _strlen("try:\n    bytearray(10**10)\nexcept MemoryError:\n    pass"), "solved"
    ),
    _case(
        "memory-error-caught-over-and-over",
        "memory",
        _strlen("while True:\n    try:\n        bytearray(10**10)\n    except MemoryError:\n        pass"),
        "cpu",
    ),
    _case(
        "memory-held-between-calls",
        "memory",
        "held = []\ndef add(x, y):\n    held.append(bytearray(10**7))\n    return x + y\n",
        "memory",
        task_id=ADD,
    ),
)

_OUTPUT = (
    _case("flood-print", "output", _strlen("while True:\n    print('x' * 1000)"), "cpu"),
    _case(
        "flood-stderr", "output", _strlen("while True:\n    print('x' * 1000, file=sys.stderr)", "import sys\n"), "cpu"
    ),
    _case(
        "flood-descriptors",
        "output",
        _strlen("while True:\n    os.write(1, b'x' * 65536)\n    os.write(2, b'x' * 65536)", "import os\n"),
        "cpu",
    ),
    _case(
        "flood-buffer",
        "output",
        _strlen("while True:\n    sys.stdout.buffer.write(b'x' * 10**6)", "import sys\n"),
        "cpu",
    ),
    _case("flood-logging", "output", _strlen("while True:\n    logging.error('x' * 1000)", "import logging\n"), "cpu"),
    _case(
        "flood-warnings",
        "output",
        _strlen("while True:\n    warnings.warn('x' * 1000)", "import warnings\nwarnings.simplefilter('always')\n"),
        "cpu",
    ),
    _case("flood-of-ten-megabytes", "output", _strlen("print('x' * 3_500_000)"), "solved"),
    _case("flood-without-line-ends", "output", "import sys\nsys.stdout.write('x' * 10**7)\n" + GOOD, "solved"),
    _case("output-closed", "output", _strlen("sys.stdout.close()\nprint('x')", "import sys\n"), "ValueError"),
)

_BUILD_DEEP = "deep = 1\nfor _ in range({}):\n    deep = [deep]\nreturn deep"
_COLLIDING = (
    "class Spread(int):\n    def __hash__(self):\n        return int(self) >> 61\n"
    "STEP = (1 << 61) - 1\nCOLLIDING = [Spread(STEP * i) for i in range(1, 30_000)]\n"
)
_RESULTS = (
    _case("result-bytes", "result", _strlen("return bytes(2_000_000)"), "result_bytes"),
    _case("result-str", "result", _strlen("return 'x' * 2_000_000"), "result_bytes"),
    _case("result-str-over-the-limit-in-utf8", "result", _strlen("return '\\U0001f600' * 300_000"), "result_bytes"),
    _case("result-int", "result", _strlen("return 1 << 20_000_000"), "result_bytes"),
    _case("result-int-within", "result", _strlen("return 10**100_000"), "wrong"),
    _case("result-negative-int-within", "result", _strlen("return -(10**100_000)"), "wrong"),
    _case(
        "result-fraction",
        "result",
        _strlen("return Fraction(1, 2**10_000_000)", "from fractions import Fraction\n"),
        "result_bytes",
    ),
    _case(
        "result-decimal",
        "result",
        _strlen("return Decimal('9' * 2_000_000)", "from decimal import Decimal\n"),
        "result_bytes",
    ),
    _case(
        "result-decimal-of-huge-exponent",
        "result",
        _strlen("return Decimal('1E+999999999')", "from decimal import Decimal\n"),
        "wrong",
    ),
    _case(
        "result-fraction-never-reduced",
        "trusted side",
        _strlen(
            "if string:\n    return len(string)\nhuge = object.__new__(Fraction)\n"
            "huge._numerator = 3**600_000\nhuge._denominator = 7**340_000\nreturn huge",
            "from fractions import Fraction\n",
        ),
        "wrong",
        "check_cpu",
    ),
    _case("result-many-nodes", "result", _strlen("return [None] * 150_000"), "result_nodes"),
    _case("result-many-tuples", "result", _strlen("return [()] * 150_000"), "result_nodes"),
    _case(
        "result-shared-list",
        "result",
        _strlen("shared = []\nfor _ in range(30):\n    shared = [shared] * 2\nreturn shared"),
        "result_nodes",
    ),
    _case("result-shared-str", "result", _strlen("return ['x' * 10_000] * 1_000"), "result_bytes"),
    _case(
        "result-dict-of-a-million",
        "result",
        _strlen("return dict.fromkeys(range(10**6))"),
        "result_nodes",
        "result_bytes",
    ),
    _case("result-set", "result", _strlen("return set(range(300_000))"), "result_nodes", "result_bytes"),
    _case("result-deep", "result", _strlen(_BUILD_DEEP.format(150)), "result_depth"),
    _case("result-very-deep", "result", _strlen(_BUILD_DEEP.format(100_000)), "result_depth"),
    _case("result-deep-within", "result", _strlen(_BUILD_DEEP.format(90)), "wrong"),
    _case(
        "result-deep-tuples", "result", _strlen(_BUILD_DEEP.format(10_000).replace("[deep]", "(deep,)")), "result_depth"
    ),
    _case(
        "result-deep-dicts",
        "result",
        _strlen(_BUILD_DEEP.format(10_000).replace("[deep]", "{0: deep}")),
        "result_depth",
    ),
    _case("result-list-in-itself", "result", _strlen("knot = []\nknot.append(knot)\nreturn knot"), "result_depth"),
    _case(
        "result-lists-in-themselves",
        "result",
        _strlen("knot = []\nknot += [knot, knot]\nreturn knot"),
        "result_depth",
        "result_nodes",
    ),
    _case("result-dict-in-itself", "result", _strlen("knot = {}\nknot[0] = knot\nreturn knot"), "result_depth"),
    _case(
        "result-tuple-in-itself",
        "result",
        _strlen("inner = []\nknot = (inner,)\ninner.append(knot)\nreturn knot"),
        "result_depth",
    ),
    _case("result-endless-generator", "result", _strlen("return iter(int, 1)"), "wrong"),
    _case("result-endless-range", "result", _strlen("return range(10**18)"), "wrong"),
    _case(
        "result-colliding-ints-in-set",
        "trusted side",
        _strlen("if not string:\n    return set(COLLIDING)", _COLLIDING),
        "check_cpu",
    ),
    _case(
        "result-colliding-ints-as-keys",
        "trusted side",
        _strlen("if not string:\n    return dict.fromkeys(COLLIDING)", _COLLIDING),
        "check_cpu",
    ),
    _case("result-nan-set", "trusted side", _strlen("return {float('nan') for _ in range(20_000)}"), "wrong"),
    _case("result-surrogate", "result", _strlen("return '\\ud800' * 1000"), "wrong"),
)

_FILES = (
    _case(
        "files-opened",
        "open files",
        _strlen("while True:\n    held.append(open('/dev/null'))", "held = []\n"),
        "open_files",
    ),
    _case(
        "files-opened-at-load",
        "open files",
        GOOD,
        "open_files",
        helper="HELD = [open('/dev/null') for _ in range(100)]\n",
    ),
    _case("files-dup", "open files", _strlen("while True:\n    os.dup(0)", "import os\n"), "open_files"),
    _case("files-pipes", "open files", _strlen("while True:\n    os.pipe()", "import os\n"), "open_files"),
    _case(
        "files-socket-pairs",
        "open files",
        _strlen("while True:\n    held.append(socket.socketpair())", "import socket\nheld = []\n"),
        "open_files",
    ),
    _case(
        "files-one-a-call",
        "open files",
        "held = []\ndef add(x, y):\n    held.append(open('/dev/null'))\n    return x + y\n",
        "open_files",
        task_id=ADD,
    ),
    _case(
        "files-caught-and-closed",
        "open files",
        _strlen(
            "held = []\ntry:\n    while True:\n        held.append(open('/dev/null'))\nexcept OSError:\n"
            "    for file in held:\n        file.close()"
        ),
        "solved",
    ),
    _case(
        "files-closed-each-time", "open files", _strlen("for _ in range(300):\n    open('/dev/null').close()"), "solved"
    ),
)

_ENDS = (
    _case("exit-at-once", "ends itself", _strlen("os._exit(0)", "import os\n"), "died"),
    _case("exit-at-load", "ends itself", GOOD, "died", helper="import os\nos._exit(0)\n"),
    _case(
        "exit-on-the-last-call",
        "ends itself",
        "import os\ndef strlen(string):\n    return len(string) if len(string) < 2 else os._exit(0)\n",
        "died",
    ),
    _case(
        "exit-in-thread",
        "ends itself",
        _strlen(
            "threading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(1)",
            "import os\nimport threading\nimport time\n",
        ),
        "died",
    ),
    _case("abort", "ends itself", _strlen("os.abort()", "import os\n"), "died"),
    _case("segfault-by-ctypes", "ends itself", _strlen("ctypes.string_at(0)", "import ctypes\n"), "died"),
    _case(
        "segfault-by-faulthandler", "ends itself", _strlen("faulthandler._sigsegv()", "import faulthandler\n"), "died"
    ),
    _case("sys-exit", "leaves by exception", _strlen("sys.exit(0)", "import sys\n"), "SystemExit"),
    _case("sys-exit-at-load", "leaves by exception", GOOD + "raise SystemExit(0)\n", "SystemExit"),
    _case("keyboard-interrupt", "leaves by exception", _strlen("raise KeyboardInterrupt"), "KeyboardInterrupt"),
    _case("generator-exit", "leaves by exception", _strlen("raise GeneratorExit"), "GeneratorExit"),
    _case(
        "exception-group",
        "leaves by exception",
        _strlen("raise ExceptionGroup('x', [KeyError('y')])"),
        "ExceptionGroup",
    ),
    _case(
        "exception-of-ten-megabytes", "leaves by exception", _strlen("raise ValueError('x' * 10**7)"), "result_bytes"
    ),
    _case(
        "exception-of-long-chain",
        "leaves by exception",
        _strlen(
            "last = None\nfor _ in range(10_000):\n    error = ValueError('x')\n    error.__cause__ = last\n"
            "    last = error\nraise last"
        ),
        "ValueError",
    ),
    _case(
        "exception-that-cannot-be-told",
        "leaves by exception",
        _strlen(
            "raise Mute",
            "class Mute(Exception):\n    def __str__(self):\n        raise KeyError\n    __repr__ = __str__\n",
        ),
        "Exception",
    ),
    _case("exception-with-surrogate", "leaves by exception", _strlen("raise ValueError('\\ud800')"), "ValueError"),
)

_IF = "".join(f"{'    ' * depth}if 1:\n" for depth in range(90))
_FUNCTIONS = "".join(f"{' ' * depth}def f():\n" for depth in range(90))
_NOT_CODE = (
    _case("empty-main", "no entry point", "", "NameError"),
    _case("both-empty-but-spaces", "no entry point", " \n\t\n   \n", "NameError", helper="\n\n"),
    _case("comments-only", "no entry point", "# strlen\n# return len(string)\n", "NameError"),
    _case("entry-point-misspelt", "no entry point", GOOD.replace("strlen", "str_len"), "NameError"),
    _case("entry-point-none", "no entry point", "strlen = None\n", "NameError", "TypeError"),
    _case("entry-point-text", "no entry point", "strlen = 'len'\n", "NameError", "TypeError"),
    _case("entry-point-deleted", "no entry point", GOOD + "del strlen\n", "NameError"),
    _case("prose", "no Python", "Sure! Here is the function you asked for:\n\n" + GOOD, "SyntaxError"),
    _case("code-fence", "no Python", f"```python\n{GOOD}```\n", "SyntaxError"),
    _case("markup", "no Python", "<think>It is len.</think>\n" + GOOD, "SyntaxError"),
    _case("one-letter-without-end", "no Python", "a" * 500_000 + " " + "b" * 400_000, "SyntaxError"),
    _case("unterminated-string", "no Python", "x = 'abc\n" + GOOD, "SyntaxError"),
    _case("unterminated-triple-string", "no Python", GOOD + '"""' + "x\n" * 10_000, "SyntaxError"),
    _case("unmatched-bracket", "no Python", GOOD + "x = (1, 2]\n", "SyntaxError"),
    _case("backslash-at-the-end", "no Python", GOOD + "x = 1 + \\", "SyntaxError"),
    _case("helper-malformed", "no Python", GOOD, "SyntaxError", helper="def size(:\n"),
    _case("return-outside", "no Python", GOOD + "return strlen\n", "SyntaxError"),
    _case("await-outside", "no Python", GOOD + "await strlen\n", "SyntaxError"),
    _case("duplicate-argument", "no Python", GOOD + "def f(a, a):\n    pass\n", "SyntaxError"),
    _case("nonlocal-at-module-level", "no Python", "nonlocal strlen\n" + GOOD, "SyntaxError"),
    _case("star-expression", "no Python", GOOD + "x = *strlen\n", "SyntaxError"),
    _case("two-stars-in-assignment", "no Python", GOOD + "*a, *b = 'xy'\n", "SyntaxError"),
    _case("future-unknown", "no Python", "from __future__ import braces\n" + GOOD, "SyntaxError"),
    _case("too-many-starred-targets", "no Python", GOOD + "x, " * 300 + "*y = z\n", "SyntaxError"),
    _case("unindented", "no Python", "def strlen(string):\nreturn len(string)\n", "IndentationError"),
    _case(
        "half-dedented", "no Python", "def strlen(string):\n        x = 1\n    return len(string)\n", "IndentationError"
    ),
    _case("tabs-and-spaces", "no Python", "def strlen(string):\n        x = 1\n\treturn len(string)\n", "TabError"),
)

_LETTERS = (
    _case("null-byte", "odd characters", GOOD + "\0", "ValueError", "SyntaxError"),
    _case("null-byte-in-helper-string", "odd characters", GOOD, "ValueError", "SyntaxError", helper="x = 'a\0b'\n"),
    _case("lone-surrogate", "odd characters", "x = '\ud800'\n" + GOOD, "UnicodeEncodeError"),
    _case("lone-surrogate-in-helper-comment", "odd characters", GOOD, "UnicodeEncodeError", helper="# \udfff\n"),
    _case("surrogates-in-wrong-order", "odd characters", "x = '\udc00\ud800'\n" + GOOD, "UnicodeEncodeError"),
    _case("bom-at-start", "odd characters", "\ufeff" + GOOD, "SyntaxError"),
    _case("bom-inside", "odd characters", GOOD + "\ufeffx = 1\n", "SyntaxError"),
    _case("zero-width-space", "odd characters", GOOD.replace("strlen", "str\u200blen"), "SyntaxError"),
    _case("no-break-space", "odd characters", GOOD.replace("    ", "\u00a0\u00a0\u00a0\u00a0"), "SyntaxError"),
    _case("curly-quotes", "odd characters", GOOD + "x = \u201cabc\u201d\n", "SyntaxError"),
    _case("right-to-left-override", "odd characters", GOOD + "# \u202e = x\n", "solved"),
    _case("coding-utf-16", "odd characters", "# -*- coding: utf-16 -*-\n" + GOOD, "solved"),
    _case("coding-unknown", "odd characters", "# coding: foo\n" + GOOD, "solved"),
    _case("form-feeds", "odd characters", "\f" + GOOD.replace("    ", "\f    "), "solved"),
    _case("carriage-returns", "odd characters", GOOD.replace("\n", "\r"), "solved"),
    _case("line-separators", "odd characters", GOOD.replace("\n", "\u2028"), "SyntaxError"),
    _case("control-characters", "odd characters", GOOD + "\x1b[31m\n", "SyntaxError"),
    _case(
        "name-that-normalises",
        "odd characters",
        "def \ufb01b(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
        "solved",
        task_id=FIB,
    ),
    _case("name-in-other-letters", "odd characters", GOOD.replace("strlen", "strl\u0435n"), "NameError"),
)

_BIG = (
    _case("brackets-deep", "deep source", GOOD + "x = " + "(" * 5_000, "SyntaxError"),
    _case("brackets-deep-and-closed", "deep source", GOOD + "x = " + "[" * 150 + "]" * 150 + "\n", "solved"),
    _case("braces-deep-unclosed", "deep source", GOOD + "x = " + "{1: " * 60, "SyntaxError", "cpu"),
    _case("minus-signs", "deep source", GOOD + "x = " + "-" * 50_000 + "1\n", "memory"),
    _case("nots", "deep source", GOOD + "x = " + "not " * 5_000 + "1\n", "RecursionError"),
    _case("sum-of-a-megabyte", "deep source", GOOD + "x = 1" + "+1" * 450_000 + "\n", "memory", "RecursionError"),
    _case("sum-of-ten-thousand", "deep source", GOOD + "x = 1" + "+1" * 10_000 + "\n", "RecursionError"),
    _case("attributes-of-attributes", "deep source", GOOD + "x = lambda: a" + ".b" * 20_000 + "\n", "RecursionError"),
    _case("calls-of-calls", "deep source", GOOD + "x = lambda: a" + "()" * 20_000 + "\n", "RecursionError"),
    _case("powers-of-powers", "deep source", GOOD + "x = 1" + "**1" * 5_000 + "\n", "memory"),
    _case("conditions-deep", "deep source", GOOD + "x = " + "1 if 1 else " * 5_000 + "1\n", "RecursionError"),
    _case("lambdas-deep", "deep source", GOOD + "x = " + "lambda: " * 5_000 + "1\n", "memory"),
    _case("elifs", "deep source", GOOD + "x = 1\nif x:\n    pass\n" + "elif x:\n    pass\n" * 5_000, "RecursionError"),
    _case("ifs-deep", "deep source", GOOD + _IF + "    " * 90 + "pass\n", "solved"),
    _case("functions-deep", "deep source", GOOD + _FUNCTIONS + " " * 90 + "pass\n", "solved"),
    _case(
        "indentation-over-100",
        "deep source",
        GOOD + "".join(f"{' ' * i}if 1:\n" for i in range(120)) + " " * 120 + "pass\n",
        "IndentationError",
    ),
    _case(
        "loops-over-20",
        "deep source",
        GOOD + "".join(f"{' ' * i}for i in ():\n" for i in range(25)) + " " * 25 + "pass\n",
        "SyntaxError",
    ),
    _case("f-strings-deep", "deep source", GOOD + "x = f'{1:{1:{1:{1}}}}'\n", "SyntaxError"),
    _case(
        "patterns-deep",
        "deep source",
        GOOD + "def f(x):\n    match x:\n        case " + "[" * 90 + "]" * 90 + ":\n            pass\n",
        "solved",
    ),
    _case(
        "comprehensions-deep",
        "deep source",
        GOOD + "x = lambda: " + "[" * 60 + "0" + " for a in b]" * 60 + "\n",
        "solved",
    ),
    _case("int-literal-over-4300-digits", "big source", GOOD + "x = " + "9" * 5_000 + "\n", "SyntaxError"),
    _case("int-literal-in-hexadecimal", "big source", GOOD + "x = 0x" + "f" * 500_000 + "\n", "solved"),
    _case("name-of-half-a-megabyte", "big source", GOOD + "x" * 500_000 + " = 1\n", "solved"),
    _case("string-of-900-kilobytes", "big source", GOOD + "x = '" + "x" * 900_000 + "'\n", "solved"),
    _case("tuple-of-50000", "big source", GOOD + "x = (" + "1, " * 50_000 + ")\n", "solved"),
    _case(
        "functions-10000",
        "big source",
        "".join(f"def f{number}(): pass\n" for number in range(10_000)) + GOOD,
        "solved",
        "cpu",
    ),
    _case("comment-lines-to-the-limit", "big source", GOOD + "#\n" * 499_000, "solved"),
    _case("statements-to-the-limit", "big source", GOOD + "0\n" * 499_000, "memory", "cpu"),
    _case("empty-lines-in-both", "big source", GOOD + "\n" * 490_000, "solved", helper="\n" * 500_000),
    _case("source-just-over", "big source", GOOD + "#" * 1_000_000, "source_bytes"),
    _case("source-just-over-together", "big source", GOOD + "#" * 600_000, "source_bytes", helper="#" * 400_000),
    _case("source-just-over-in-utf8", "big source", GOOD + "#" + "\u00e9" * 500_000, "source_bytes"),
    _case("source-of-ten-megabytes", "big source", GOOD + "x = '" + "y" * 10_000_000 + "'\n", "source_bytes"),
)

INCR, THIRD, HISTOGRAM = (f"HumanEval/{number}" for number in (42, 33, 111))


def _of(task_id: str, name: str, kind: str, main: str, *expects: str) -> Case:
    return _case(name, kind, main, *expects, task_id=task_id)


def _third(name: str, returned: str, *expects: str, before: str = "") -> Case:
    """Return a program for tests that make a tuple of what it returns."""
    return _of(THIRD, name, "iterator", f"{before}def sort_third(l):\n    return {returned}\n", *expects)


def _argument(name: str, deed: str, *expects: str) -> Case:
    """Return a program that does something to its argument and then answers right."""
    body = f"    found = [x + 1 for x in l]\n    {deed}\n    return found\n"
    return _of(INCR, name, "argument", f"def incr_list(l):\n{body}", *expects)


_ITERATORS = (
    _third("iterator-without-end", "itertools.count()", "result_nodes", before="import itertools\n"),
    _third("iterator-of-large-items", "('x' * 10_000 for _ in range(10**9))", "result_bytes"),
    _third("iterator-that-never-yields", "(x for x in iter(int, 1) if x)", "cpu"),
    _third(
        "iterator-of-itself",
        "itself()",
        "result_depth",
        before="def itself():\n    while True:\n        yield itself()\n",
    ),
    _third(
        "iterator-that-stops-late",
        "itertools.chain(range(300), iter(slow, 1))",
        "cpu",
        before="import itertools\n\n\ndef slow():\n    while True:\n        pass\n\n\n",
    ),
    _third(
        "iterator-that-exits-late",
        "itertools.chain(range(300), leave())",
        "died",
        before="import itertools\nimport os\n\n\ndef leave():\n    os._exit(0)\n    yield\n\n\n",
    ),
)
_ARGUMENTS = (
    _argument("argument-grown", "l.extend(range(10**6))", "result_nodes"),
    _argument("argument-of-large-text", "l.append('x' * 2_000_000)", "result_bytes"),
    _argument("argument-made-deep", "exec('for _ in range(300): l[:] = [l[:]]')", "result_depth"),
    _argument("argument-made-very-deep", "exec('for _ in range(100_000): l[:] = [l[:]]')", "result_depth"),
    _argument("argument-in-itself", "l.append(l)", "solved"),
    _argument("argument-of-endless-iterator", "l.append(iter(int, 1))", "solved"),
    _argument("argument-of-hostile-object", "l.append(type('T', (), {'__iter__': lambda s: 1 / 0})())", "ValueNotSent"),
)
_WRAPPERS = (
    _of(
        HISTOGRAM,
        "factory-that-loops",
        "wrapper",
        "from collections import defaultdict\n\n\ndef loop():\n    while True:\n        pass\n\n\n"
        "def histogram(test):\n    return defaultdict(loop)\n",
        "cpu",
    ),
    _of(
        HISTOGRAM,
        "factory-without-end",
        "wrapper",
        "from collections import defaultdict\n\n\ndef make(n=0):\n    return [defaultdict(lambda: make(n + 1))] * 2\n\n\n"
        "def histogram(test):\n    return defaultdict(lambda: make())\n",
        "wrong",
        "result_depth",
        "result_nodes",
    ),
    _of(
        HISTOGRAM,
        "chain-of-itself",
        "wrapper",
        "from collections import ChainMap\n\n\ndef histogram(test):\n    c = ChainMap()\n    c.maps.append(c)\n    return c\n",
        "ValueNotSent",
    ),
    _of(
        HISTOGRAM,
        "user-dict-of-itself",
        "wrapper",
        "from collections import UserDict\n\n\ndef histogram(test):\n    c = UserDict()\n    c.data = {'a': c}\n    return c\n",
        "result_depth",
    ),
    _case("exception-of-large-text", "exception", _strlen("raise ValueError('x' * 10**7, 1)"), "result_bytes"),
    _case("exception-in-itself", "exception", _strlen("e = ValueError()\ne.args = (e,)\nraise e"), "result_depth"),
    _case("exception-of-many", "exception", _strlen("raise ValueError(*range(200_000))"), "result_nodes"),
    _case(
        "exception-that-cannot-be-shown",
        "exception",
        _strlen("raise Bad", "class Bad(KeyError):\n    def __str__(self):\n        raise self\n\n\n"),
        "KeyError",
    ),
)

CASES: tuple[Case, ...] = (
    *_ONE_C_CALL,
    *_LOOPS,
    *_RECURSION,
    *_WAITS,
    *_MEMORY,
    *_OUTPUT,
    *_RESULTS,
    *_FILES,
    *_ENDS,
    *_NOT_CODE,
    *_LETTERS,
    *_BIG,
    *_ITERATORS,
    *_ARGUMENTS,
    *_WRAPPERS,
)
