"""More answers as models write them: tests and examples beside the code, helpers behind a body, calls of tools.

Each of ``BESIDE`` holds a right solution of ``tests.envs.odd_answers.PROBLEM``.
"""

from __future__ import annotations

import json
import textwrap

from tests.envs.odd_answers import BODY, CALLS, CODE, FENCED, IMPORT, RUNS, fence, module

ARGUMENTS = json.dumps({"code": CODE})
TESTED = "class Checks(unittest.TestCase):\n    def test_none(self):\n        self.assertEqual(longest_run([]), 0)"
BODY_CALLS = CALLS.partition("\n")[2]

TEST_BLOCKS = {
    name: f"{FENCED}\nTests:\n{fence(module(*parts))}"
    for name, parts in {
        "pytest's functions": (
            "from answer import longest_run",
            "def test_none():\n    assert longest_run([]) == 0",
        ),
        "unittest with its imports": ("import unittest\nfrom code import longest_run", TESTED, "unittest.main()"),
        "unittest without an import": (TESTED,),
        "an import and a print": ("from my_file import longest_run\nprint(longest_run([2, 2]))",),
        "a framework": (
            "import pytest\nfrom program import longest_run",
            "@pytest.mark.slow\ndef test_none():\n    assert longest_run([]) == 0",
        ),
    }.items()
} | {
    "an import of the block before": f"{fence(module(IMPORT, RUNS))}\n{fence(module('from runs_file import runs', CALLS))}",
}

BODIES = {
    "helpers of a body's helpers": module(
        "    return biggest(xs)", "def biggest(xs):\n    return max(runs(xs), default=0)", RUNS, f"{IMPORT}\n"
    ),
    "a constant behind a body": module(BODY_CALLS.replace("0)", "NONE)"), "NONE = 0", IMPORT, RUNS),
    "a body's helper in the next fence": f"{fence(BODY_CALLS)}\nwith\n{fence(module(IMPORT, RUNS))}",
    "a body whose program reads": module(BODY, "xs = list(map(int, input().split()))\nprint(longest_run(xs))"),
    "a body's first line one too deep": f" {BODY}",
    "a body's first line two too deep": f"  {BODY}\n",
}

CALLED = {
    "a check that nobody wrote": module(CODE, "check(longest_run)"),
    "a candidate that nobody has": fence(module(CODE, "check(candidate)")),
    "run_tests": module(CODE, "# Runs the tests.\nrun_tests(longest_run, verbose=True)"),
}

LIBRARIES = {
    "for a guard only": module(
        "import numpy as np", CODE, "if __name__ == '__main__':\n    print(longest_run(np.ones(3)))"
    ),
    "for a demo": module(
        "import numpy as np", CODE, "np.random.seed(1)\nys = np.random.randint(0, 2, 9)\nprint(longest_run(ys))"
    ),
    "behind the code": module(CODE, "import numpy\nys = numpy.zeros(4)\nzs = list(ys)\nprint(longest_run(zs))"),
    "that read a table": fence(
        module("import pandas as pd", CODE, "rows = pd.read_csv('runs.csv')\nprint(longest_run(rows))")
    ),
    "json from standard input": module("import json, sys", CODE, "xs = json.load(sys.stdin)\nprint(longest_run(xs))"),
    "standard input by name": module(
        "from sys import stdin", CODE, "xs = stdin.read().split()\nprint(longest_run(xs))"
    ),
}

ELIDED = {
    "a comment on what is there": fence(CODE.replace("best, run)", "best, len(xs))"))
    + "\nMended:\n"
    + fence(CODE.replace("    for", "    # the loop is the same as before\n    # same as above\n    for")),
    "a comment for the middle": f"{FENCED}\nWhat matters:\n```python\ndef longest_run(xs):\n    # ... the rest is as above ...\n    return best\n```",
    "dots for the middle": f"{FENCED}\nIn short:\n```python\ndef longest_run(xs):\n    ...\n    return best\n```",
    "same as before": f"{FENCED}\nSo:\n```python\ndef longest_run(xs):\n    # same as before\n    return best + 0\n```",
}

FENCES = {
    "its language on the next line": f"```\npython\n{CODE}\n```",
    "its language, a blank line": f"```\nPython3\n\n{CODE}\n```",
    "triple quotes alone": f"'''\n{CODE}\n'''",
    "triple quotes between words": f'Like so:\n"""\n{CODE}\n"""\nThat is all.',
    "triple quotes around what was": f"'''\ndef longest_run(xs):\n    return len(xs) + 7\n'''\n{CODE}",
    "escaped underscores": FENCED.replace("longest_run", "longest\\_run"),
    "escaped signs without a fence": CODE.replace("longest_run", "longest\\_run").replace("xs[i", "xs\\[i"),
    "a transcript's block without prompts": f">>> def longest_run(xs):\n{BODY}\n\n>>> longest_run([1])\n1",
}

PATCHES = {
    "a new file": "*** Begin Patch\n*** Add File: run.py\n" + textwrap.indent(CODE, "+") + "\n*** End Patch",
    "a file that was": "*** Begin Patch\n*** Update File: run.py\n@@ def longest_run\n-def longest_run(xs):\n-    pass\n"
    + textwrap.indent(CODE, "+")
    + "\n*** End Patch",
    "search and replace": f"run.py\n<<<<<<< SEARCH\ndef longest_run(xs):\n    pass\n=======\n{CODE}\n>>>>>>> REPLACE",
    "search and replace, fenced": fence(f"run.py\n<<<<<<< SEARCH\n=======\n{CODE}\n>>>>>>> REPLACE"),
    "a shell's here-document": fence(f"cat <<'END' > run.py\n{CODE}\nEND\npython run.py", "sh"),
    "a here-document behind the code": f"{CODE}\n\ncat > test.py << EOF\nfrom solution import longest_run\nEOF",
    "here-documents, then a fence": fence(
        "cat > a.py << EOF\ndef longest_run(xs):\n    return len(xs) + 7\nEOF", "bash"
    )
    + f"\nNo:\n{FENCED}",
}

TOOLS = {
    "a token in a string": fence(CODE.replace("best = run = 0", "best = run = len('<|tool_call_end|>') - 17")),
    "deepseek's": "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>run\n"
    f"```json\n{ARGUMENTS}\n```<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>",
    "deepseek's, without a fence": "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>run<\uff5ctool\u2581sep\uff5c>"
    f"{ARGUMENTS}<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>",
    "kimi's": "<|tool_calls_section_begin|><|tool_call_begin|>functions.run:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "glm's": f"<tool_call>run\n<arg_key>code</arg_key>\n<arg_value>{CODE}</arg_value>\n</tool_call>",
    "qwen's": f"<tool_call>\n<function=run>\n<parameter=code>\n{CODE}\n</parameter>\n</function>\n</tool_call>",
    "code to be run": f"<execute_python>{CODE}</execute_python>",
}

ENDS = {
    "a turn's end of gemma's": f"{CODE}<turn|>\n<|turn>user\nThanks",
    "a turn's end of exaone's": f"{CODE}[|endofturn|]",
    "a thought's end with a blank": f"<think>\ndef longest_run(xs):\n    return len(xs) + 7\n</think >\n{FENCED}",
}

BESIDE = {
    f"{kind}: {name}": text
    for kind, texts in {
        "test blocks": TEST_BLOCKS, "behind bodies": BODIES, "called": CALLED, "libraries": LIBRARIES,
        "elided": ELIDED, "fenced": FENCES, "patches": PATCHES, "tools": TOOLS, "ends": ENDS,
    }.items()
    for name, text in texts.items()
}  # fmt: skip
