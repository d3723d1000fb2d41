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
    for tag in ("Python3", "python3.11", "{python}", "{.python .numberLines}", "python title=run.py", "solution.py", "code")
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
    "a lambda": fence("from itertools import groupby\nlongest_run = lambda xs: max((len(list(g)) for _, g in groupby(xs)), default=0)"),
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
    for opening in ("<think>", "<thinking>", "<reasoning>", "[THINK]", "\u25c1think\u25b7", "<|channel|>analysis<|message|>")
} | {
    "harmony cut off, without its tokens": f"analysisWe try\n{FENCED}\nbut",
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
    for token in ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "</s>", "<end_of_turn>", "<eos>", "<\uff5cend\u2581of\u2581sentence\uff5c>")
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

RIGHT = {
    f"{kind}: {name}": text
    for kind, texts in {
        "fences": FENCES, "tags": TAGS, "pieces": PIECES, "thoughts": THOUGHTS, "indented": INDENTED, "usage": USAGE,
        "tokens": TOKENS, "transcripts": TRANSCRIPTS, "prose": PROSE,
    }.items()
    for name, text in texts.items()
}  # fmt: skip
NONE = CUT_OFF
