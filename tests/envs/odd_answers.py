"""Answers as models write them, by kind: each holds a right solution of ``PROBLEM`` (``RIGHT``) or no answer (``NONE``)."""

from __future__ import annotations

import textwrap

from codeduet.envs import Problem

PROBLEM = Problem(
    task_id="Odd/0",
    prompt=(
        "from typing import List\n\n\n"
        "def longest_run(xs: List[int]) -> int:\n"
        '    """Length of the longest run of equal neighbours.\n'
        "    >>> longest_run([1, 1, 2])\n"
        "    2\n"
        '    """\n'
    ),
    entry_point="longest_run",
    canonical_solution="    from itertools import groupby\n    return max((len(list(g)) for _, g in groupby(xs)), default=0)\n",
    tests=(
        "def check(candidate):\n"
        "    assert candidate([1, 1, 2]) == 2\n"
        "    assert candidate([]) == 0\n"
        "    assert candidate([3, 1, 3]) == 1\n"
        "    assert candidate([2, 5, 5, 5]) == 3\n"
    ),
)

BODY = """\
    best = run = 0
    for i, x in enumerate(xs):
        run = run + 1 if i and xs[i - 1] == x else 1
        best = max(best, run)
    return best"""
CODE = f"def longest_run(xs):\n{BODY}"
DRAFT = "def longest_run(xs):\n    return len(xs) if xs else 1"
STUB = "def longest_run(xs):\n    pass"
CALLS = "def longest_run(xs):\n    return max(runs(xs), default=0)"
RUNS = "def runs(xs):\n    return [len(list(group)) for _, group in groupby(xs)]"
IMPORT = "from itertools import groupby"
FENCED = f"```python\n{CODE}\n```"
QUOTED = f'def longest_run(xs):\n    """Longest run.\n\n    ```\n    longest_run([1, 1])\n    ```\n    """\n{BODY}'
TABLED = f"def longest_run(xs):\n    if len(xs) in SMALL:\n        return SMALL[len(xs)]\n{BODY}"
TABLE = "SMALL = {0: 0, 1: 1}"
ZERO = "def longest_run(xs):\n    # to do\n    return 0"
MISSING = "def longest_run(xs):\n    raise NotImplementedError()"
STARTED = CODE.replace("(xs)", "(xs, start=START)").replace("= 0", "= start")
ARRAYS = f"try:\n    import numpy_that_is_missing\nexcept ImportError:\n{textwrap.indent(CODE, '    ')}"
ASKED = CODE.replace("max(best, run)", "bigger(best, run)")
BIGGER = "def bigger(a, b):\n    return a if a > b else b"


def fence(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}\n```"


def module(*parts: str) -> str:
    return "\n\n\n".join(parts)


def wide(code: str, blank: str) -> str:
    """Return ``code`` with each pair of blanks before a line led by an odd one."""
    return "\n".join(
        line if line == line.lstrip() else (blank + " ") * ((len(line) - len(line.lstrip())) // 2) + line.lstrip()
        for line in code.split("\n")
    )


FENCES = {
    "closed on the last line": f"```python\n{CODE}```",
    "closed on the last line, prose on it": f"```python\n{CODE}``` This counts runs.",
    "closed behind a comment": f"```python\n{CODE}  # done```\nIt works.",
    "closed on code, another block behind": f"```python\n{CODE}```\n```python\nprint(longest_run([1]))```",
    "opened behind prose": f"Here you go: ```python\n{CODE}\n```",
    "opened bare behind prose": f"The code is:```\n{CODE}\n```",
    "opened in a list item's line": f"1. ```python\n{textwrap.indent(CODE, '   ')}\n   ```\n2. Done.",
    "opened by five, closed by three": f"`````python\n{CODE}\n```\nThat's it.",
    "opened by three, closed by four": f"```python\n{CODE}\n````\nThat's it.",
    "an unclosed plan before": f"A plan:\n````python\n# count\n# compare\n\nNow:\n```python\n{CODE}\n```",
    "tilde, closed by four": f"~~~~\n{CODE}\n~~~~",
    "in a block quote": "\n".join(f"> {line}" for line in f"```python\n{CODE}\n```".split("\n")),
    "fence in a docstring": fence(QUOTED),
    "fence with a language in a docstring": fence(QUOTED.replace("```\n    longest", "```python\n    longest")),
    "fence at column 0 in a docstring": fence(QUOTED.replace("    ```", "```")),
    "fence in a docstring, unfenced": QUOTED,
    "fence in a string": fence(f"MARK = '```'\n\n\n{CODE}"),
    "code on the fence's line": f"```def longest_run(xs):\n{BODY}\n```",
    "language and code on the fence's line": f"```python def longest_run(xs):\n{BODY}\n```",
    "never closed, prose behind": f"```python\n{CODE}\n\nThis function counts the runs.",
    "one line, inline": "Use ```def longest_run(xs): return max((sum(1 for _ in g) for _, g in "
    "__import__('itertools').groupby(xs)), default=0)``` for this.",
}

TAGS = {
    tag: fence(CODE, tag)
    for tag in (
        "Python3",
        "python3.11",
        "{python}",
        "{.python .numberLines}",
        "python title=run.py",
        "solution.py",
        "code",
    )
} | {
    "an unknown tag": fence(CODE, "solution"),
    "text": fence(CODE, "text"),
    "plaintext behind a shell block": f"{fence('pip install nothing', 'sh')}\n{fence(CODE, 'plaintext')}",
    "python output first": f"{fence('2', 'output')}\n{FENCED}",
    "java before": f"{fence('class A { int longest_run(int[] xs) { return 0; } }', 'java')}\n{FENCED}",
}

PIECES = {
    "a stub first": f"The signature:\n{fence(STUB)}\nFilled in:\n{FENCED}",
    "dots first": f"{fence('def longest_run(xs): ...')}\n{FENCED}",
    "a constant returned first": f"{fence(ZERO)}\n{FENCED}",
    "not implemented, behind": f"{FENCED}\nTemplate:\n{fence(MISSING)}",
    "the problem restated": f"We are given:\n{fence(PROBLEM.prompt)}\nMy answer:\n{FENCED}",
    "the problem restated, then a body": f"We are given:\n{fence(PROBLEM.prompt)}\nThe body:\n{fence(BODY)}",
    "two versions": f"A first try:\n{fence(DRAFT)}\nThat is wrong for []. Fixed:\n{FENCED}",
    "two versions, unfenced": f"A first try:\n\n{DRAFT}\n\nThat is wrong. Better so:\n\n{CODE}",
    "three versions": f"{fence(DRAFT)}\nHmm.\n{fence(DRAFT)}\nNo:\n{FENCED}",
    "the last was cut off": f"{FENCED}\nOr with itertools:\n```python\ndef longest_run(xs):\n    for _, g in groupby(",
    "the last was cut off between lines": f"{FENCED}\nOr:\n```python\ndef longest_run(xs):\n    best = 0\n    for x in xs:",
    "an example of a mistake behind": f"{FENCED}\nWrong would be:\n{fence(DRAFT)}",
    "an example behind": f"{FENCED}\nExample usage:\n{fence(module(DRAFT, 'print(longest_run([1]))'))}",
    "a later stub in one block": fence(f"{CODE}\n\n\n{STUB}"),
    "function in the second block": f"{fence(CALLS)}\nwhere\n{fence(module(IMPORT, RUNS))}",
    "import in a block of its own": f"Import:\n{fence(IMPORT)}\nthen\n{fence(module(RUNS, CALLS))}",
    "import in a block behind": f"{fence(module(RUNS, CALLS))}\nwith\n{fence(IMPORT)}",
    "three blocks": f"{fence(IMPORT)}\n{fence(CALLS)}\n{fence(RUNS)}",
    "a constant in another block": f"{fence(TABLED)}\nThe table:\n{fence(TABLE)}",
    "a constant as a default": f"{fence(STARTED)}\n{fence('START = 0')}",
    "future import in another block": f"{fence(CODE)}\nAt the top:\n{fence('from __future__ import annotations')}",
    "imports under an odd tag": f"{fence(IMPORT, 'imports')}\n{fence(module(RUNS, CALLS))}",
    "functions between prose": f"First:\n\n{IMPORT}\n\n{RUNS}\n\nand then the function itself:\n\n{CALLS}\n\nThat's all.",
    "under a top-level if": f"import sys\nif sys.version_info >= (3, 0):\n{textwrap.indent(CODE, '    ')}\nelse:\n    longest_run = None",
    "under a try": fence(ARRAYS),
    "a lambda": fence(
        "from itertools import groupby\nlongest_run = lambda xs: max((len(list(g)) for _, g in groupby(xs)), default=0)"
    ),
    "another name, assigned": fence(f"{CODE.replace('longest_run', 'solve')}\n\n\nlongest_run = solve"),
}

THOUGHTS = {
    f"between {opening}": f"{opening}\nPerhaps:\n{fence(DRAFT)}\nNo.\n{closing}\n{FENCED}"
    for opening, closing in (
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<Thinking>", "</Thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<thought>", "</thought>"),
        ("<scratchpad>", "</scratchpad>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel>thought", "<channel|>"),
    )
} | {
    "only the end shows": f"So a draft:\n{fence(DRAFT)}\nNo, so be it.</think>\n\n{FENCED}",
    "only the end shows, code on its line": f"Fine, I'm done.\n</think>{CODE}",
    "only the end of another mark": f"{DRAFT}\nNot so.\n[/THINK]{FENCED}",
    "unfenced draft": f"<think>\n{DRAFT}\n</think>\n{CODE}",
    "twice": f"<think>one</think>\n{FENCED}\n<think>Is it right? {DRAFT}</think>",
    "harmony": f"<|channel|>analysis<|message|>{fence(DRAFT)}<|end|><|start|>assistant<|channel|>final<|message|>{FENCED}<|return|>",
    "harmony without its tokens": f"analysisWe try {fence(DRAFT)}assistantfinal{FENCED}",
    "marks in a string": fence(f"OPEN, CLOSE = '<think>', '</think>'\n\n\n{CODE}"),
    "mark in a docstring": f'def longest_run(xs):\n    """Ignores </think> marks."""\n{BODY}',
    "an answer, then a thought cut off": f"{FENCED}\n<think>\nLet me check [1, 1",
}

CUT_OFF = {
    f"cut off behind {opening}": f"{opening}\nPerhaps\n{FENCED}\nLet me check [1, 1"
    for opening in (
        "<think>",
        "<thinking>",
        "<reasoning>",
        "[THINK]",
        "\u25c1think\u25b7",
        "<|channel|>analysis<|message|>",
    )
} | {
    "harmony cut off, without its tokens": f"analysisWe try\n{FENCED}\nbut",
    "the mark at a line's end": f"<|im_start|>assistant<think>\n{FENCED}",
    "another mark": f"<cot>{FENCED}",
    "in plain words": f"Thinking...\n{FENCED}\nbut",
    "a control token": f"<|START_THINKING|>{FENCED}",
    "a channel": f"<|channel>thought\n{FENCED}",
    "nothing behind the thought": f"<think>\n{FENCED}\n</think>",
}

INDENTED = {
    "one blank before a module": f" {IMPORT}\n\n{RUNS}\n\n{CALLS}",
    "one blank before the function": f" {CODE}",
    "one blank before a constant": f" {TABLE}\n\n\n{TABLED}",
    "two blanks before an import": f"  {IMPORT}\n\n{RUNS}\n\n{CALLS}",
    "prose, then an indented block": f"So:\n\n{textwrap.indent(CODE, '    ')}\n\nDone.",
    "no-break spaces": wide(CODE, "\u00a0"),
    "ideographic spaces, fenced": fence(wide(CODE, "\u3000")),
    "narrow no-break spaces in a body": wide(BODY, "\u202f"),
    "zero-width space before": f"\u200b{CODE}",
    "byte order mark before": f"\ufeff{FENCED}",
}

USAGE = {
    "input": f"{CODE}\n\nxs = list(map(int, input().split()))\nprint(longest_run(xs))",
    "input first": f"n = int(input())\n\n{CODE}\n\nprint(longest_run([n]))",
    "argv": f"import sys\n\n{CODE}\n\nxs = [int(x) for x in sys.argv[1:]]\nif not xs:\n    sys.exit(2)\nprint(longest_run(xs))",
    "stdin": f"import sys\n\n{CODE}\n\nlines = sys.stdin.read().split()\nfor line in lines:\n    print(longest_run(line))",
    "a file": f"{CODE}\n\nwith open('input.txt') as file:\n    xs = file.read().split()\nprint(longest_run(xs))",
    "sys.exit of main": f"import sys\n\n{CODE}\n\ndef main():\n    print(longest_run([1]))\n    return 0\n\nsys.exit(main())",
    "exit of main, main first": f"def main():\n    print(longest_run([1]))\n\n{CODE}\n\nmain()\nexit(0)",
    "unittest": f"import unittest\n\n{CODE}\n\n\nclass TestRun(unittest.TestCase):\n    def test_it(self):\n"
    "        self.assertEqual(longest_run([]), 1)\n\nunittest.main()",
    "doctest": f"{CODE}\n\nimport doctest\ndoctest.testmod()",
    "wrong asserts before a later function": module(ASKED, "assert longest_run([1]) == 7", BIGGER),
    "a call before a later function": f"{CODE}\n\nprint(longest_run(None))\n\ndef unused():\n    pass",
    "a test function that is called": f"{CODE}\n\ndef test():\n    assert longest_run([]) == 1\n\ntest()\n\ndef unused():\n    pass",
    "guard before a later function": f"{CODE}\n\nif __name__ == '__main__':\n    print(longest_run(input()))\n\ndef unused():\n    pass",
    "a table behind an example's mark": fence(f"{TABLED}\n\n# Example table\n{TABLE}"),
    "a table behind the example": fence(f"{TABLED}\n\n# Example usage\nprint(longest_run([1]))\n\n{TABLE}"),
    "a table that a function fills": f"SMALL = {{}}\n\ndef fill():\n    SMALL[0] = 0\n    SMALL[1] = 1\n\nfill()\n\n{TABLED}",
    "a table filled behind": f"SMALL = {{}}\n\n{TABLED}\n\ndef fill():\n    SMALL[0] = 0\n\nfill()",
}

TOKENS = {
    f"{token} on the last line": f"{CODE}{token}"
    for token in (
        "<|endoftext|>",
        "<|im_end|>",
        "<|eot_id|>",
        "</s>",
        "<end_of_turn>",
        "<eos>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    )
} | {
    "the next turn invented": f"{FENCED}<|im_end|>\n<|im_start|>user\nThanks!\n<|im_start|>assistant\n{fence(DRAFT)}",
    "the role first": f"<|im_start|>assistant\n{CODE}<|im_end|>",
    "header tokens first": f"<|start_header_id|>assistant<|end_header_id|>\n\n{FENCED}<|eot_id|>",
    "behind a body": f"{BODY}<|endoftext|>def other(): pass",
    "in a string": fence(f"END = '<|endoftext|>'\n\n\n{CODE}"),
    "an answer tag on the code's line": f"<answer>{CODE}</answer>",
    "an answer tag around a fence": f"I thought.\n<answer>\n{FENCED}\n</answer>",
    "a draft outside of the answer": f"{fence(DRAFT)}\n<answer>{FENCED}</answer>",
    "python marks": f"[PYTHON]{CODE}[/PYTHON]",
    "python mark, not closed": f"[PYTHON]\n{CODE}",
    "begin and done": f"[BEGIN]\n{CODE}\n[DONE]\nMore of it.",
    "code tag": f"<code>{CODE}</code>",
    "solution tag": f"<solution>\n{CODE}\n</solution>",
}

TRANSCRIPTS = {
    "of the interpreter": "\n".join(f"{'...' if i else '>>>'} {line}" for i, line in enumerate(CODE.split("\n")))
    + "\n...\n>>> longest_run([1, 1])\n2",
    "fenced": "```pycon\n>>> from itertools import groupby\n>>> def longest_run(xs):\n"
    "...     return max((len(list(g)) for _, g in groupby(xs)), default=0)\n...\n>>> longest_run([])\n0\n```",
    "of a notebook": "In [1]: def longest_run(xs):\n"
    + "\n".join(f"   ...: {line}" for line in BODY.split("\n"))
    + "\n   ...:\n\nIn [2]: longest_run([])\nOut[2]: 0",
}

PROSE = {
    "import the": f"import the list first, then count.\n\n{CODE}",
    "import, colon": f"import the following:\n\n{IMPORT}\n\n{RUNS}\n\n{CALLS}",
    "return the": f"return the longest of all runs.\n\n{CODE}",
    "from the": f"from the docstring we see that it counts.\n\n{CODE}\n\nreturn values are numbers.",
    "for each": f"for each number in the list: compare it.\n\n{CODE}",
    "while that": f"{CODE}\n\nwhile this is right, it is slow: O(n) time.",
    "with a colon": f"with that in mind:\n\n{CODE}",
    "a keyword first": f"pass it on.\nassert that the list is sorted\n\n{CODE}\n\nyield nothing else.",
    "an arrow": f"longest_run([1, 1]) -> 2\n\n{CODE}\n\nlongest_run([]) => 0",
    "at sign": f"@param xs the list\n\n{CODE}",
    "a definition in words": f"def of the function:\nclass of problems (easy):\n\n{CODE}",
    "before a body": f"return the longest run.\n\n{BODY}",
    "headings": f"# Solution\n\n## Code\n\n{CODE}\n\n## Notes\n\n* fast\n* short",
}


USAGE |= {
    "main guard nested": f"{CODE}\n\ndef main():\n    xs = list(map(int, input().split()))\n    print(longest_run(xs))\n\nif __name__ == '__main__':\n    main()",
    "main() bare": f"{CODE}\n\ndef main():\n    xs = list(map(int, input().split()))\n    print(longest_run(xs))\n\nmain()",
    "t = int(input()); loop": f"{CODE}\n\nt = int(input())\nfor _ in range(t):\n    n = int(input())\n    a = list(map(int, input().split()))\n    print(longest_run(a))",
    "while true input": f"{CODE}\n\nwhile True:\n    try:\n        xs = eval(input())\n    except EOFError:\n        break\n    print(longest_run(xs))",
    "argparse": f"import argparse\n\n{CODE}\n\nparser = argparse.ArgumentParser()\nparser.add_argument('xs', nargs='+')\nargs = parser.parse_args()\nprint(longest_run(args.xs))",
    "pytest": f'import unittest\n{CODE}\n\nif __name__ == "__main__":\n    unittest.main()',
    "suite runner": f"import unittest\n{CODE}\n\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(longest_run([]), 3)\n\nsuite = unittest.TestLoader().loadTestsFromTestCase(T)\nunittest.TextTestRunner().run(suite)",
    "assert in for": f"{CODE}\n\nfor a, b in [([1], 5)]:\n    assert longest_run(a) == b\n\ndef z():\n    pass",
    "test cases table mid": f"{CODE}\n\ntests = [([1], 5)]\nfor a, b in tests:\n    assert longest_run(a) == b, a\nprint('ok')",
    "try call": f"{CODE}\n\ntry:\n    print(longest_run(5))\nexcept TypeError as e:\n    print(e)\n    raise",
    "with open": f"{CODE}\n\nwith open('in.txt') as f:\n    for line in f:\n        print(longest_run(line))",
    "pathlib": f"from pathlib import Path\n{CODE}\n\ndata = Path('input.txt').read_text()\nprint(longest_run(data.split()))",
    "os.environ": f"import os\n{CODE}\n\nn = os.environ['N']\nprint(n)",
    "sys.stdin iter": f"import sys\n{CODE}\n\nfor line in sys.stdin:\n    print(longest_run(line.split()))",
    "from sys import argv": f"from sys import argv\n{CODE}\n\nprint(longest_run(argv[1]))",
    "raise SystemExit": f"{CODE}\n\nraise SystemExit(longest_run([]))",
    "raise SystemExit main": f"def main():\n    return 0\n\n{CODE}\n\nraise SystemExit(main())",
    "os._exit": f"import os\n{CODE}\n\nos._exit(0)",
    "quit()": f"{CODE}\n\nquit()",
    "time": f"import time\n{CODE}\n\nstart = time.time()\nlongest_run([1]*10)\nprint(time.time() - start)",
    "semi": f"{CODE}\n\nxs = [1]; print(longest_run(xs))",
    "async main": f"import asyncio\n{CODE}\n\nasync def main():\n    print(longest_run([1]))\n\nasyncio.run(main())",
    "lambda driver": f"{CODE}\n\nshow = lambda xs: print(longest_run(xs))\nshow(5)",
    "assert before def": f"assert True\n{CODE}",
    "wrong assert other fn": "def same(a, b):\n    return a == b\n\nassert same(1, 2)\n\n"
    + CODE.replace("xs[i - 1] == x", "same(xs[i - 1], x)"),
}

FENCES |= {
    "html pre": f'<pre><code class="language-python">\n{CODE}\n</code></pre>',
    "code fence w spaces close": f"``` python\n{CODE}\n   ```\n\nExplanation.",
    "backtick close + text": f"```python\n{CODE}\n```Explanation: fine.",
    "quad in triple": f"````markdown\n```python\n{CODE}\n```\n````",
    "nested bullets": f"- First:\n  - ```python\n{textwrap.indent(CODE, '    ')}\n    ```",
    "prose fence same line no colon": f"Solution ```python\n{CODE}\n```",
    "prose fence; twice": f"Draft: ```python\n{DRAFT}\n``` and final: ```python\n{CODE}\n```",
    "fence with no newline at close + next": f"```python\n{DRAFT}``` no good. Better: ```python\n{CODE}```",
    "tilde with lang": f"~~~ python\n{CODE}\n~~~~~",
    "unfenced stub then fenced": f"def longest_run(xs):\n    pass\n\nFilled in:\n{FENCED}",
    "if True unfenced prose": f"Here:\n\nif True:\n{textwrap.indent(CODE, '    ')}\n\nDone.",
    "chinese fence": f"代码如下：```python\n{CODE}\n```",
}

TAGS |= {
    "lang uppercase PYTHON": fence(CODE, "PYTHON"),
    "py3 tag": fence(CODE, "py3"),
    "python:path": fence(CODE, "python:src/run.py"),
    "python,linenos": fence(CODE, "python,linenos"),
    "tag # comment": fence(CODE, "python # solution"),
    "tag {code-block}": fence(CODE, "{code-block} python"),
    "tag python {cmd}": fence(CODE, "python {cmd=true}"),
    "tag none": fence(CODE, "none"),
    "tag javascript mislabel": fence(CODE, "javascript"),
}

PIECES |= {
    "helper in bash-tag": fence(IMPORT) + "\n" + fence(RUNS, "txt") + "\n" + fence(CALLS),
    "from x import * other block": fence("from itertools import *") + "\n" + fence(module(RUNS, CALLS)),
    "import as": fence("import itertools as it") + "\n" + fence(module(RUNS.replace("groupby", "it.groupby"), CALLS)),
    "const annotated other block": fence("from typing import Dict\nSMALL: Dict[int, int] = {\n    0: 0,\n    1: 1,\n}")
    + "\n"
    + fence(TABLED),
    "class in other block": fence(
        "class Counter:\n    def __init__(self):\n        self.best = 0\n    def see(self, n):\n        self.best = max(self.best, n)"
    )
    + "\n"
    + fence(
        "def longest_run(xs):\n    c = Counter()\n    run = 0\n    for i, x in enumerate(xs):\n        run = run + 1 if i and xs[i-1] == x else 1\n        c.see(run)\n    return c.best"
    ),
    "decorator in other block": fence("def plain(f):\n    return f") + "\n" + fence("@plain\n" + CODE),
    "future first other block": fence("from __future__ import annotations") + "\n" + FENCED,
    "future + doc": fence('"""Module."""\nfrom __future__ import annotations\n' + CODE),
    "future mid-block": fence(TABLE) + "\n" + fence("from __future__ import annotations\n" + TABLED),
    "stub with docstring first, same block": fence('def longest_run(xs):\n    """Doc."""\n\n\n' + CODE),
    "stub todo": fence("def longest_run(xs):\n    # TODO: implement\n    ...") + "\n" + FENCED,
    "stub your code here pass after": FENCED
    + "\n\nNow you:\n"
    + fence('def longest_run(xs: list) -> int:\n    """Doc.\n\n    More.\n    """\n    # your code here\n    pass'),
    "target nested in try/else": fence(
        "try:\n    from itertools import groupby\nexcept ImportError:\n    longest_run = None\nelse:\n    def longest_run(xs):\n        return max((len(list(g)) for _, g in groupby(xs)), default=0)"
    ),
    "if TYPE_CHECKING": fence(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from typing import List\n\n" + CODE
    ),
    "for loop def": fence("for _ in range(1):\n" + textwrap.indent(CODE, "    ")),
    "with def": fence("import contextlib\nwith contextlib.suppress(Exception):\n" + textwrap.indent(CODE, "    ")),
    "prose from x import y words": f"from itertools import groupby would also work\n\n{CODE}",
}

THOUGHTS |= {
    "doc think open only in code comment": fence("# handles <think> marks\n" + CODE),
    "details": f"<details><summary>Thoughts</summary>\n{fence(DRAFT)}\n</details>\n\n{FENCED}",
    "think w/ attr": f'<think time="3">\n{DRAFT}\n</think>\n{CODE}',
    "reflection": f"<reflection>\n{DRAFT}\n</reflection>\n{CODE}",
    "harmony commentary": f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final <|constrain|>python<|message|>{CODE}<|return|>",
    "kimi k2": f"<think>\n{DRAFT}\n</think>{CODE}<|im_end|>",
    "think, mid-line end": f"I see, {DRAFT}\nall done.</think>Here it is:\n{FENCED}",
    "</thinking> only": f"{fence(DRAFT)}\n</thinking>\n{FENCED}",
    "</reasoning> only": f"{fence(DRAFT)}\n</reasoning>\n{CODE}",
    "harmony end only": f"{fence(DRAFT)}<|end|><|start|>assistant<|channel|>final<|message|>{FENCED}",
    "think in backticks prose": f"I will not use `<think>` here.\n{FENCED}",
    "granite": f"Here is my thought process:\n{fence(DRAFT)}\n\nHere is my response:\n{FENCED}",
}

TOKENS |= {
    "eos fullwidth": CODE + "<｜end▁of▁sentence｜>",
    "eos newline junk": f"{CODE}\n<|endoftext|>Human: thanks\n\nAssistant: def longest_run(xs): return 0",
    "fim": f"{CODE}<|fim_middle|>",
    "file_sep": f"{CODE}\n<|file_sep|>tests.py\nassert 0",
    "<|end|>": f"{CODE}<|end|>",
    "[/INST]": f"{CODE}[/INST]",
    "</code>": f"{CODE}</code>",
    "</answer>": f"{CODE}</answer>",
    "[/PYTHON] alone": f"{CODE}\n[/PYTHON]",
    "<python>": f"<python>{CODE}</python>",
    "<result>": f"<result>\n{CODE}\n</result>",
    "[SOLUTION]": f"[SOLUTION]\n{CODE}\n[/SOLUTION]",
    "boxed": f"\\boxed{{\n{FENCED}\n}}",
    "<answer> with fence mid": f"Reasoning here. <answer>```python\n{CODE}\n```</answer>",
}

TRANSCRIPTS |= {
    "transcript no space cont": ">>> def longest_run(xs):\n...     return max((sum(1 for _ in g) for _, g in groupby(xs)), default=0)\n... \n>>> from itertools import groupby\n>>> longest_run([])\n0\n>>>",
    "transcript with prose": "Let me try it:\n\n" + TRANSCRIPTS["of the interpreter"] + "\n\nIt works.",
    "transcript indented": textwrap.indent(TRANSCRIPTS["of the interpreter"], "    "),
    "transcript import separate": "```\n>>> import itertools\n>>> def longest_run(xs):\n...     return max((len(list(g)) for _, g in itertools.groupby(xs)), default=0)\n```",
    "transcript tabs": ">>> def longest_run(xs):\n"
    + "\n".join("...\t" + l[4:].replace("    ", "\t") for l in BODY.split("\n")),
}

INDENTED |= {
    "nbsp prose+fence": f"Voil\u00e0\u00a0:\n\n```python\n{wide(CODE, chr(0xA0))}\n```",
    "nbsp mid line": CODE.replace("best = run", "best\u00a0= run"),
    "nbsp after def": CODE.replace("def longest", "def\u00a0longest"),
    "tabs mixed": CODE.replace("    ", "\t"),
}

PROSE |= {
    "bold headings": f"**Solution:**\n\n{CODE}\n\n**Explanation:**\n\nIt counts runs.",
    "numbered explanation behind": f"{CODE}\n\n1. We keep `best`.\n2. We return it.",
    "import in prose behind": f"{CODE}\n\nimport groupby if you want.",
    "def+doctest tail": f"{CODE}\n\n>>> longest_run([1])\n1\n",
    "prose return colon": f"return value: the number\n\n{CODE}",
    "prose import numpy": f"import nothing is needed.\n{CODE}",
    "prose print": f"print is not needed, we return.\n\n{CODE}",
    "prose if": f"if the list is empty, the answer is 0.\n\n{CODE}",
    "prose assert": f"{CODE}\n\nassert statements would follow here",
    "prose try": f"try this:\n\n{CODE}",
    "prose class": f"class assignment 3: runs\n\n{CODE}",
    "prose def": f"def: longest_run, a function\n\n{CODE}",
    "prose global": f"global idea: count.\n\n{CODE}",
    "prose not": f"not much to say\n\n{CODE}\n\nNothing else",
    "prose lambda": f"lambda functions are avoided\n\n{CODE}",
    "prose with": f"with one pass over the list we get it:\n\n{CODE}",
    "prose return x": f"{CODE}\n\nreturn best is the last line",
    "prose X = Y": f"{CODE}\n\nTime complexity = O(n)\nSpace complexity: O(1)",
    "prose n = len": f"{CODE}\n\nwhere n = len(xs).",
    "quote prose": f'"Longest run" is easy.\n\n{CODE}',
    "paren prose": f"(This is easy)\n\n{CODE}\n\n(Really)",
    "chinese prose": f"下面是代码：\n\n{CODE}\n\n说明：这个函数返回最长的连续段。",
    "table md": f"{CODE}\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "hr": f"---\n{CODE}\n---",
    "Answer:": f"Answer:\n{CODE}",
    "Answer: same line": f"Answer: {CODE}",
    "python word first": f"python\n{CODE}",
    "Python 3 word": f"Python3:\n{CODE}",
}

BODIES = {
    "body with imports at col 0": "    from itertools import groupby\n    return max((len(list(g)) for _, g in groupby(xs)), default=0)\n\n\n# test\nprint(longest_run([1]))",
    "body then fence": f"{BODY}\n```\nThis is right.\n```python\nprint(longest_run([1]))\n```",
    "body docstring continues": f'    """More."""\n{BODY}',
    "body with prose that starts it": f"The body is:\n\n{BODY}",
    "body 2 space": BODY.replace("    ", "  "),
    "body in answer tag": f"<answer>\n{BODY}\n</answer>",
}

LOADED = {
    "prec": "from decimal import getcontext, Decimal\ngetcontext().prec = 50\n" + CODE,
    "seed": "import random\nrandom.seed(0)\n" + CODE,
    "limit": CODE + "\n\nimport sys\nsys.setrecursionlimit(10**4)",
    "cachewrap": CODE + "\n\nimport functools\n_old = longest_run\nlongest_run = lambda xs: _old(list(xs))",
    "lru": "import functools\n" + CODE + "\n\nlongest_run = functools.wraps(longest_run)(longest_run)",
    "fnattr": CODE.replace("best = run = 0", "best = run = longest_run.start") + "\n\nlongest_run.start = 0",
    "fnattr after print": CODE.replace("best = run = 0", "best = run = longest_run.start")
    + "\n\nprint('x')\nlongest_run.start = 0",
    "loop table": "T = []\nfor i in range(2):\n    T.append(i)\n" + CODE.replace("= 0", "= T[0]"),
    "loop table behind": CODE.replace("= 0", "= T[0]") + "\n\nT = []\nfor i in range(2):\n    T.append(i)",
    "while table": "T = []\nwhile len(T) < 2:\n    T.append(len(T))\n" + CODE.replace("= 0", "= T[0]"),
    "globals": "for n in ('Z',):\n    globals()[n] = 0\n" + CODE.replace("= 0", "= Z"),
    "build call": "def build():\n    return [0, 1]\n\nT = build()\n" + CODE.replace("= 0", "= T[0]"),
    "build call behind": CODE.replace("= 0", "= T[0]") + "\n\ndef build():\n    return [0, 1]\n\nT = build()",
    "init global": "T = None\ndef init():\n    global T\n    T = [0, 1]\ninit()\n" + CODE.replace("= 0", "= T[0]"),
    "init global behind": CODE.replace("= 0", "= T[0]")
    + "\n\nT = None\ndef init():\n    global T\n    T = [0, 1]\ninit()",
    "init no table line": "def init():\n    global T\n    T = [0, 1]\ninit()\n" + CODE.replace("= 0", "= T[0]"),
    "class attr": "class S:\n    pass\nS.zero = 0\n" + CODE.replace("= 0", "= S.zero"),
    "class attr behind": CODE.replace("= 0", "= S.zero") + "\n\nclass S:\n    pass\n\nS.zero = 0",
    "register": "REG = []\ndef register(f):\n    REG.append(f)\n    return f\n\n@register\n" + CODE,
    "instance": "class Runner:\n    def run(self, xs):\n        best = run = 0\n        for i, x in enumerate(xs):\n            run = run + 1 if i and xs[i-1] == x else 1\n            best = max(best, run)\n        return best\n\nrunner = Runner()\n\ndef longest_run(xs):\n    return runner.run(xs)",
    "bound method": "class Runner:\n    def run(self, xs):\n        best = run = 0\n        for i, x in enumerate(xs):\n            run = run + 1 if i and xs[i-1] == x else 1\n            best = max(best, run)\n        return best\n\nlongest_run = Runner().run",
    "namedtuple": "from collections import namedtuple\nState = namedtuple('State', 'best run')\n" + CODE,
    "test-named helper": "def test(a, b):\n    return a == b\n\n"
    + CODE.replace("xs[i - 1] == x", "test(xs[i - 1], x)"),
    "main-named helper": "def main(a, b):\n    return a == b\n\n"
    + CODE.replace("xs[i - 1] == x", "main(xs[i - 1], x)"),
    "usage name var": "output = 0\n" + CODE.replace("= 0", "= output"),
    "example var behind": CODE.replace("= 0", "= example") + "\n\nexample = 0",
    "input param": "def longest_run(input):\n    xs = input\n" + BODY,
    "open param": "def longest_run(xs, open=0):\n" + BODY,
    "local input fn": "def input():\n    return 0\n\n" + CODE.replace("= 0", "= input()"),
    "print debugging inside": CODE.replace("    return best", "    print(best)\n    return best"),
    "doc >>>": 'def longest_run(xs):\n    """\n    >>> longest_run([])\n    0\n    """\n' + BODY,
    "comment example inside": CODE.replace("    best = run", "    # Example: [1, 1] -> 2\n    best = run"),
    "col0 comment in body": CODE.replace("    for i", "# Example usage\n    for i"),
    "string col0": "HELP = '''\nprint(longest_run([1]))\nExample usage:\n```\n'''\n" + CODE,
    "nested def same name": "def longest_run(xs):\n    def longest_run(ys):\n        pass\n" + BODY,
    "short def then real use": "def eq(a, b): return a == b\n" + CODE.replace("xs[i - 1] == x", "eq(xs[i - 1], x)"),
    "const fn stub helper": "def zero():\n    return 0\n\n" + CODE.replace("= 0", "= zero()"),
    "long if chain": "import sys\nif sys.version_info < (3,):\n    range = xrange\n" + CODE,
    "del temp": "tmp = 0\nZ = tmp\ndel tmp\n" + CODE.replace("= 0", "= Z"),
    "assert const": "Z = 0\nassert Z == 0\n" + CODE.replace("= 0", "= Z"),
    "walrus": CODE.replace("best = run = 0", "best = (run := 0)"),
    "match stmt": CODE.replace(
        "    best = run = 0", "    match xs:\n        case []:\n            return 0\n    best = run = 0"
    ),
    "async helper": "async def a():\n    return 1\n" + CODE,
    "lambda default": "key = lambda x, z=0: z\n" + CODE.replace("= 0", "= key(1)"),
    "star expr": "Z, *rest = [0, 1]\n" + CODE.replace("= 0", "= Z"),
    "multi line const": "T = [\n    0,\n    1,\n]\n" + CODE.replace("= 0", "= T[0]"),
    "backslash const": "Z = \\\n    0\n" + CODE.replace("= 0", "= Z"),
    "annotated const": "Z: int = 0\n" + CODE.replace("= 0", "= Z"),
    "bare annotation": "Z: int\nZ = 0\n" + CODE.replace("= 0", "= Z"),
    "aug": "Z = -1\nZ += 1\n" + CODE.replace("= 0", "= Z"),
    "semicolon": "a = 0; Z = a\n" + CODE.replace("= 0", "= Z"),
    "with block": "import contextlib\nwith contextlib.suppress(Exception):\n    Z = 0\n" + CODE.replace("= 0", "= Z"),
    "print then table then fn": "print('hi')\nZ = 0\n" + CODE.replace("= 0", "= Z"),
    "pipe alias": "from itertools import groupby as gb\nlongest_run = lambda xs: max([len(list(g)) for _, g in gb(xs)] or [0])",
    "shadow in comprehension": "Z = [0]\n" + CODE.replace("= 0", "= [z for z in Z][0]"),
    "needed only as param name elsewhere": "n = 0\ndef other(n):\n    return n\n" + CODE.replace("= 0", "= n"),
    "unicode": "π = 0\n" + CODE.replace("= 0", "= π"),
    "cyrillic comment": "# Решение\n" + CODE,
    "numbers prose-like": "x = 1 if True else 2\n" + CODE,
    "tail class usage": CODE
    + "\n\nclass Solution:\n    def solve(self, xs):\n        return longest_run(xs)\n\nprint(Solution().solve([1]))",
    "return in try top fn": "def longest_run(xs):\n    try:\n        return _run(xs)\n    except IndexError:\n        return 0\n\n"
    + CODE.replace("longest_run", "_run"),
}
"""Modules whose loading matters: nothing of them goes but what only shows."""

MIXED = {
    "double opening": f"```python\n```python\n{CODE}\n```",
    "bare then python": f"```\n```python\n{CODE}\n```\n```",
    "prose return is": f"return max(xs), which is right\n\n{CODE}",
    "prose return x": f"return 0 for an empty list\n{CODE}",
    "prose return literal": f"return 0\n\n{CODE}",
    "prose import valid words": f"import math and itertools if needed:\n\n{CODE}",
    "prose from": f"from the list: take runs\n{CODE}",
    "print py2 tail": fence(f"{CODE}\n\nprint longest_run([1])"),
    "print py2 str": fence(f"{CODE}\n\nprint 'ok'"),
    "ollama": f"Thinking...\nWell:\n{fence(DRAFT)}\n...done thinking.\n\n{FENCED}",
    "cot": f"<cot>\n{fence(DRAFT)}\n</cot>\n{FENCED}",
    "chain_of_thought": f"<chain_of_thought>{DRAFT}</chain_of_thought>\n{CODE}",
    "planning": f"<planning>\n{STUB}\n</planning>\n\n<solution>\n{FENCED}\n</solution>",
    "REASONING/CONCLUSION": f"<REASONING>{fence(DRAFT)}</REASONING><CONCLUSION>{FENCED}</CONCLUSION>",
    "assistant<think>": f"assistant<think>\n{fence(DRAFT)}\n</think>\n{FENCED}",
    "think on one line": f"<think>short</think>{FENCED}",
    "think empty": f"<think>\n\n</think>\n\n{FENCED}",
    "think no newline code": f"<think>\n{DRAFT}\n</think>{CODE}",
    "close in backticks in thought": f"<think>\nI must end with `</think>`.\n{fence(DRAFT)}\n</think>\n{FENCED}",
    "prose mentions <think> tag": f"I do not use the <think> tag here.\n\n{FENCED}",
    "end think, prose after inline": f"hm {DRAFT}\n</think> Here:\n{FENCED}",
    "two fences, first main(), second fn": fence("def main():\n    print(longest_run([1]))") + "\n" + FENCED,
    "tests in second block redefining": FENCED
    + "\n\nTests:\n"
    + fence("def test_longest_run():\n    assert longest_run([]) == 0\n\ntest_longest_run()"),
    "complexity block": FENCED + "\n\n```\nO(n)\n```",
    "signature w/o body first": f"```python\ndef longest_run(xs):\n```\n{FENCED}",
    "stub return None": fence("def longest_run(xs):\n    return None") + FENCED,
    "stub return -1 after": FENCED + "\nOr leave it:\n" + fence("def longest_run(xs):\n    return -1"),
    "stub raise str": FENCED + "\n" + fence("def longest_run(xs):\n    raise NotImplementedError('to do')"),
    "overload": fence(
        "from typing import overload\n\n@overload\ndef longest_run(xs: list) -> int: ...\n@overload\ndef longest_run(xs: str) -> int: ...\n"
        + CODE
    ),
    "indented 3 first": f"   {IMPORT}\n\n{RUNS}\n\n{CALLS}",
    "tab first": f"\t{CODE}",
    "space comment": f" # solution\n{CODE}",
    "space docstring": f' """Module."""\n{CODE}',
    "all by one": textwrap.indent(f"{IMPORT}\n\n{RUNS}\n\n{CALLS}", " "),
    "prompt's import then body stub": PROBLEM.prompt + BODY,
    "prompt restated with code unfenced + explanation": f"Here's the completed function:\n\n{PROBLEM.prompt}{BODY}\n\nThe function works as follows:\n- it loops",
    "usage: example marker + import": f"{CODE}\n\n# Example usage\nimport numpy as np\nprint(longest_run(np.array([1])))",
    "usage: try int(input)": f"{CODE}\n\ntry:\n    n = int(input())\nexcept ValueError:\n    n = 0\nprint(longest_run([n]))",
    "usage: sys.stdin.readline": f"import sys\ninput = sys.stdin.readline\n{CODE}\n\nn = int(input())\nprint(n)",
    "usage: open lists": f"{CODE}\n\nlines = open('a.txt').readlines()\nxs = [int(l) for l in lines]\nprint(longest_run(xs))\n\ndef late():\n    return 1",
    "usage: main(sys.argv)": f"import sys\n{CODE}\n\ndef main(argv):\n    return 0\n\nsys.exit(main(sys.argv[1:]))",
    "usage: main() if": f"{CODE}\n\ndef main():\n    print(longest_run(list(map(int, input().split()))))\n\nif __name__ == '__main__': main()",
    "usage: exit()": f"{CODE}\n\nprint(longest_run([1]))\nexit()",
    "usage: assert chain": f"{CODE}\n\nassert longest_run([]) == 1, 'x'\nassert longest_run([1]) == 1\n\n\ndef helper():\n    return 2\n\nassert helper() == 3",
    "usage: unittest run": f"import unittest\n{CODE}\n\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(longest_run([]), 9)\n\nunittest.main(argv=[''], exit=False)",
    "table example dict comp": fence(
        f"{TABLED}\n\n# Example lookup table\nSMALL = {{k: k for k in range(2)}}\nprint(longest_run([1]))"
    ),
    "table update": fence(f"SMALL = {{}}\n\n{TABLED}\n\n# Sample values\nSMALL.update({{0: 0, 1: 1}})"),
    "if sys.platform": f"import sys\nif sys.platform == 'nowhere':\n    def longest_run(xs):\n        return 0\nelse:\n{textwrap.indent(CODE, '    ')}",
    "if else both real": fence(
        "try:\n    from itertools import groupby\n    def longest_run(xs):\n        return max((len(list(g)) for _, g in groupby(xs)), default=0)\nexcept ImportError:\n    def longest_run(xs):\n        return 0"
    ),
    "if in prose": f"Version check first:\n\nimport sys\nif sys.version_info[0] >= 3:\n{textwrap.indent(CODE, '    ')}\n\nThat's it.",
    "trans prose output": ">>> import itertools\n>>> def longest_run(xs):\n...     best = 0\n...     for _, g in itertools.groupby(xs):\n...         best = max(best, len(list(g)))\n...     return best\n...\n>>> longest_run([1, 1, 2])\n2\n>>> longest_run([])\n0\n\nAs you see, it works.",
    "special lone line": f"{CODE}\n<|endoftext|>\n<|endoftext|>",
    "special in middle comment": f"{CODE}  # end<|endoftext|>",
    "<s> first": f"<s> {CODE}</s>",
    "eom": f"{FENCED}<|eom_id|>",
    "python_tag": f"<|python_tag|>{CODE}<|eom_id|>",
    "unk": f"{CODE}<unk>",
    "answer colon bold": f"**Answer:** def longest_run(xs):\n{BODY}",
    "answer tag + lang": f"<answer>python\n{CODE}\n</answer>",
    "[PYTHON] w/ text": f"Sure!\n[PYTHON]\n{CODE}\n[/PYTHON]\n[TESTS]\nassert longest_run([]) == 5\n[/TESTS]",
    "begin solution marks": f"### BEGIN SOLUTION\n{CODE}\n### END SOLUTION",
    "code between dashes": f"-----\n{CODE}\n-----\nDone",
    "fence tildes inside code": fence(f"# ~~~\n{CODE}"),
    "fence 4 spaces indented": f"    ```python\n{textwrap.indent(CODE, '    ')}\n    ```",
    "fence close indented more": f"```python\n{CODE}\n      ```\nDone.",
    "fence prose colon code same block": f"The function is `longest_run`: ```py\n{CODE}\n``` Enjoy.",
    "fence closing with five on code": f"```python\n{CODE}`````",
    "quoted docstring fence unclosed doc prose": fence(
        'def longest_run(xs):\n    """\n    Example:\n    ```python\n    >>> longest_run([])\n    ```\n    """\n' + BODY
    )
    + "\nDone",
    "single quote doc fence": fence(
        "def longest_run(xs):\n    '''\n    ```\n    longest_run([])\n    ```\n    '''\n" + BODY
    ),
    "fence in comment": fence(f"# ```python\n# longest_run([])\n# ```\n{CODE}"),
    "fence with info then prose in block": f"```python\n{CODE}\n\nExplanation: it loops.\n```",
    "helper after, other text": fence("def longest_run(xs):\n    return biggest(lengths(xs))")
    + "\nHelper 1:\n"
    + fence("def lengths(xs):\n    return [len(list(g)) for _, g in groupby(xs)]")
    + "\nHelper 2:\n"
    + fence("def biggest(ls):\n    return max(ls, default=0)")
    + "\nImports:\n"
    + fence("from itertools import groupby"),
    "const tuple unpack": fence("ZERO, ONE = 0, 1")
    + fence(CODE.replace("else 1", "else ONE").replace("= 0", "= ZERO")),
    "enum class other block": fence(
        "from dataclasses import dataclass\n\n@dataclass\nclass State:\n    best: int = 0\n    run: int = 0"
    )
    + "\n"
    + fence(
        "def longest_run(xs):\n    s = State()\n    for i, x in enumerate(xs):\n        s.run = s.run + 1 if i and xs[i-1] == x else 1\n        s.best = max(s.best, s.run)\n    return s.best"
    ),
    "nbsp \\u2003": wide(CODE, "\u2003"),
    "nbsp only": CODE.replace("    ", "\u00a0\u00a0\u00a0\u00a0"),
    "nbsp in fence+tabs": fence(CODE.replace("    ", "\u00a0\t")),
    "zero width in middle": CODE.replace("def ", "def\u200b "),
    "line sep": CODE + "\u2028",
}

RIGHT = {
    f"{kind}: {name}": text
    for kind, texts in {
        "fences": FENCES, "tags": TAGS, "pieces": PIECES, "thoughts": THOUGHTS, "indented": INDENTED, "usage": USAGE,
        "tokens": TOKENS, "transcripts": TRANSCRIPTS, "prose": PROSE,
        "bodies": BODIES,
        "mixed": MIXED,
        "loaded": LOADED,
        "loaded, fenced": {name: fence(code) for name, code in LOADED.items()},
    }.items()
    for name, text in texts.items()
}  # fmt: skip
NONE = CUT_OFF
