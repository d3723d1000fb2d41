"""More answers as models write them: what stands around the code, what is said of it, and what it is wrapped in.

Each of ``WRAPPED`` holds a right solution of ``tests.envs.odd_answers.PROBLEM``.
"""

from __future__ import annotations

import html
import json
import textwrap

from tests.envs.odd_answers import BODY, CODE, FENCED, fence, module

WRONG = "def longest_run(xs):\n    n = len(xs)\n    return n + 7"
LESS = "def longest_run(xs):\n    best = run = 0\n    for i in range(len(xs)):\n        if i < 1 or xs[i - 1] != xs[i]:\n            run = 0\n        run += 1\n        if run > best and xs:\n            best = run\n    return best"
METHOD = "class Solution:\n" + textwrap.indent(CODE.replace("run(xs)", "run(self, xs)"), "    ")


def documented(text: str) -> str:
    """Return the solution with ``text`` as its docstring's second paragraph."""
    return CODE.replace(
        "    best = run = 0", f'    """Longest run.\n\n{textwrap.indent(text, "    ")}\n    """\n    best = run = 0'
    )


def remarked(comment: str) -> str:
    return CODE.replace("    best = run = 0", f"    {comment}\n    best = run = 0")


def doubted(ending: str) -> str:
    """Return the solution, and another that was cut off behind ``ending``."""
    return f"{FENCED}\nAlternatively:\n```python\ndef longest_run(xs):\n    be = len(xs)\n    best = be + 7\n{ending}"


INLINE = {
    "code in a sentence": f"Use <code>sorted</code> here:\n{FENCED}",
    "a call in a sentence": f"We call <code>enumerate(xs)</code> once.\n\n{CODE}",
    "a statement in a sentence": f"It starts with <code>best = run = 0</code> and ends so:\n{FENCED}",
    "a return in a sentence": f"Do not use <code>return 0</code> for all:\n{FENCED}",
    "code at a line's start": f"<code>groupby</code> is not needed.\n{FENCED}",
    "code in a list": f"- <code>best</code>: the longest\n- <code>run</code>: this one\n\n{CODE}",
    "the number as an answer": f"{FENCED}\nSo of [1, 1] it is <answer>2</answer>.",
    "output behind": f"{FENCED}\n<output>\n2\n</output>",
    "output behind, unfenced": f"{CODE}\n\n<output>\n2\n</output>",
    "a result before": f"<result>\n2\n</result>\nis what the example gives.\n{FENCED}",
    "output in a docstring": fence(documented("<output>\n5\n</output>")),
    "output in a docstring, unfenced": documented("<output>\n5\n</output>"),
    "a python mark in a docstring": documented("[PYTHON]\nlongest_run([])\n[/PYTHON]"),
    "an answer mark in a comment": fence(remarked("# <answer> goes here")),
    "an answer tag with attributes": f'Well.\n<answer lang="py">\n{CODE}\n</answer>',
    "code on the tag's line": f'<pre><code class="language-python">{CODE}</code></pre>',
    "what Python prints": f"{CODE}\n\n<code object longest_run at 0x7f, file 'a.py', line 1>",
    "pre": f"<pre>{CODE}</pre>",
    "cdata": f"<![CDATA[\n{CODE}\n]]>",
    "cdata in an answer": f"<answer><![CDATA[{CODE}]]></answer>",
    "brackets like cdata's end": CODE.replace("enumerate(xs)", "enumerate(xs[:[len(xs)][0]])"),
    "a body on the tag's line": "<answer>return max((sum(1 for _ in g) for _, g in __import__('itertools').groupby(xs)), default=0)</answer>",
}

DOUBTED = {
    "within a name": doubted("    return be"),
    "within a word": doubted("    ret"),
    "within a call": doubted("    return max(be"),
    "within a block": doubted("    if best:\n        return be"),
    "behind an operator": doubted("    return best +"),
    "behind a condition": doubted("    return be if be"),
    "within an error's name": doubted("    raise Val"),
    "behind a name, by chance": doubted("    return best"),
    "within a line's only word": f"{FENCED}\nOr:\n```python\ndef longest_run(xs): return xs.cou",
    "without a fence": f"{CODE}\n\nAlternatively:\n\ndef longest_run(xs):\n    best = len(xs) + 7\n    return be",
    "without a fence, in an expression": f"{CODE}\n\nOr:\n\ndef longest_run(xs):\n    best = len(xs)\n    return best + bes",
    "without a fence, the last is whole": f"{WRONG}\n\nBetter:\n\n{CODE}",
    "two of them": doubted("    return be") + "\n```\nOr:\n" + FENCED,
    "the last is whole, its line ended": f"{fence(WRONG)}\nBetter:\n```python\n{CODE}\n",
    "the last is whole, words behind": f"{fence(WRONG)}\nBetter:\n```python\n{CODE}\n\nThat is it.",
    "the only one": f"So:\n```python\n{CODE}",
    "a stub before": f"{fence('def longest_run(xs):' + chr(10) + '    pass')}\nFilled in:\n```python\n{CODE}",
}

TURNS = {
    f"{name}, {kind}": f"{code}\n\n{turn}"
    for kind, code, last in (("unfenced", CODE, WRONG), ("fenced", FENCED, fence(WRONG)), ("a body", BODY, WRONG))
    for name, turn in {
        "human": f"Human: now wrong\n\nAssistant:\n{last}",
        "user": f"User: Now in one line.\nAssistant: Sure!\n\n{last}",
        "instruction": f"### Instruction:\nx\n\n### Response:\n{last}",
        "instruction without a colon": f"### Instruction\nWrite it anew.\n\n### Response\n{last}",
        "input": f"### Input:\n[1, 2]\n\n### Response:\n{last}",
        "question": f"Question: and wrong?\nAnswer:\n{last}",
        "in capitals": f"USER: and wrong? ASSISTANT:\n{last}",
        "bold": f"**User:** and wrong?\n\n**Assistant:**\n{last}",
        "human, on lines of their own": f"Human:\nand wrong?\n\nAssistant:\n{last}",
    }.items()
} | {
    "a fence left open": f"```python\n{CODE}\n\nHuman: now wrong\n\nAssistant:\n{fence(WRONG)}",
    "the question first": f"### Instruction:\nCount runs.\n\n### Response:\n{FENCED}",
    "a turn named in a comment": fence(
        module("def one():\n    return 1", "### Input:\nZERO = 0", CODE.replace("= 0", "= ZERO"))
    ),
    "a turn named in a docstring": f'def longest_run(xs):\n    """Runs.\n\nHuman: counts by hand.\n\n    """\n{BODY}',
    "a stub, then a question": f"{fence('def longest_run(xs):' + chr(10) + '    pass')}\n\nQuestion: how?\n\nAnswer:\n{FENCED}",
}

WARNED = (
    {
        name: f"```python\n{CODE}```\n{words}\n{fence(WRONG)}"
        for name, words in {
            "do not": "Don't do this:",
            "do not, in full": "Do not write:",
            "never": "Never do it like this:",
            "avoid": "Avoid:",
            "not so": "Not like this:",
            "a common mistake": "A common mistake would be:",
            "pitfall": "One pitfall is this:",
            "that fails": "The following would fail for empty lists:",
            "that does not work": "Note that this doesn't work:",
            "wrong": "This is wrong:",
            "incorrect": "The following is incorrect!",
            "behind another sentence": "It takes one pass. A typical mistake:",
            "bold": "**Incorrect version:**",
            "buggy": "A buggy variant:",
            "what not to do": "Here is what not to do:",
            "a cross": "\u274c This one:",
        }.items()
    }
    | {
        f"{name}, unfenced": f"{CODE}\n\n{words}\n\n{WRONG}"
        for name, words in {
            "do not": "Don't do this:",
            "a common mistake": "A common mistake would be:",
            "wrong": "Wrong:",
            "an example": "Example of a wrong one:",
        }.items()
    }
    | {
        name: f"A try:\n{fence(WRONG)}\n{words}\n{FENCED}"
        for name, words in {
            "mended": "That is wrong. So:",
            "mended in the same sentence": "To avoid this mistake, write:",
            "the previous one was wrong": "The previous code was wrong:",
            "do not forget": "Don't forget empty lists:",
            "no need": "We don't need len here:",
            "corrected": "This corrects the mistake:",
            "without": "Without the wrong answer for empty lists:",
            "a wrong one first": "That would fail; this is better:",
            "wrong input": "Now with checks for wrong input:",
            "avoid something": "Avoid the second pass:",
            "not only": "Not only faster:",
            "never again": "Never sort twice:",
        }.items()
    }
)

MARKED = {
    "a token in a comment": fence(remarked("# <s> is a tag")),
    "a token at a comment's end": fence(remarked("# ends at <|im_end|>")),
    "a token in a comment, unfenced": remarked("# </s> and <s> are tags"),
    "tokens in two comments": remarked("# [INST] is a mark\n    # <pad> is one too"),
    "a token in a docstring": fence(documented("<|im_end|> token.")),
    "a token in a docstring, unfenced": documented("<|im_end|> token."),
    "a token in a docstring, one at the end": f"{documented('</s> ends it.')}\n<|endoftext|>def other(): pass",
    "a token in a string of lines": fence(f"MARKS = '''\n<s>\n</s>\n'''\n\n\n{CODE}"),
    "a token ends behind a comment": f"{CODE}\n# done <|im_end|>\n<|im_start|>user\n{WRONG}",
    "the question in marks": f"[INST] Write code [/INST]\nHere you go:\n{FENCED}</s>",
    "the question in marks, unfenced": f"<s>[INST] Write\ndef longest_run(xs):\n[/INST] {CODE}</s>",
    "the question and a system's words": f"<|im_start|>system\nYou code.<|im_end|>\n<|im_start|>user\nCount runs: {WRONG}<|im_end|>\n<|im_start|>assistant\n{FENCED}<|im_end|>",
    "the question behind headers": f"<|start_header_id|>user<|end_header_id|>\n\nCount runs.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{FENCED}<|eot_id|>",
    "the question behind a token": f"<|user|>\nCount runs.<|end|>\n<|assistant|>\n{CODE}<|end|>",
    "the question in wide marks": f"<\uff5cUser\uff5c>Count runs.<\uff5cAssistant\uff5c>{FENCED}",
    "the question in turns": f"<start_of_turn>user\nCount runs.<end_of_turn>\n<start_of_turn>model\n{CODE}<end_of_turn>",
    "a middle, body": f"<fim_middle>{BODY}<|endoftext|>",
    "another middle, body": f"<MID>{BODY}<EOT>",
    "a middle between pipes, body": f"<|fim_middle|>{BODY}<|endoftext|>",
    "a prompt before the middle, body": f"<fim_prefix>def longest_run(xs):\n<fim_suffix>\n\nprint(1)\n<fim_middle>{BODY}<|endoftext|>",
    "a whole middle": f"<fim_middle>{CODE}\n<|file_separator|>",
}

COMMANDS = {
    "a cell's magic": fence(f"%%time\n{CODE}"),
    "a shell's command": fence(f"!pip install numpy\n{CODE}"),
    "a magic of a line": fence(f"%matplotlib inline\n%load_ext autoreload\n\n{CODE}"),
    "pip without a mark": fence(f"pip install more-itertools\n\n{CODE}"),
    "a prompt of the shell": fence(f"$ pip install numpy\n{CODE}"),
    "a magic behind": fence(f"{CODE}\n\n%timeit longest_run([1])"),
    "a magic, unfenced": f"%%time\n{CODE}",
    "a magic before a body": fence(f"%%time\n{BODY}"),
    "a remainder at a line's start": fence(CODE.replace("max(best, run)", "(max(best, run)\n        % 10**9)")),
    "a percent sign in a string": fence(f"HELP = '''\n%time is magic\n!pip too\n'''\n\n\n{CODE}"),
    "a file's magic": fence(f"%%writefile solution.py\n{CODE}"),
}

ESCAPED = {
    "in a fence": fence(html.escape(LESS)),
    "in a fence, comparison only": fence(LESS.replace("<", "&lt;").replace(">", "&gt;")),
    "unfenced": html.escape(LESS),
    "in pre": f"<pre><code>{html.escape(LESS)}</code></pre>",
    "quotation marks": fence(html.escape(f"{LESS}\n\n\nNAME = \"runs\"\nOTHER = 'run'")),
    "numbers": fence(LESS.replace("<", "&#60;").replace(">", "&#x3e;")),
    "no-break spaces": fence(html.escape(LESS).replace("    ", "&nbsp;&nbsp;&nbsp;&nbsp;")),
    "entities in strings stay": fence(CODE.replace("best = run = 0", "best = run = len('&lt;') - 4")),
    "entities in a docstring stay": fence(documented("Writes &lt; for <.")),
}

METHODS = {
    "alone": fence(METHOD),
    "unfenced": f"Here is the class:\n\n{METHOD}\n\nIt counts runs.",
    "of an object": fence(METHOD.replace("Solution:", "Solution(object):")),
    "static": fence(
        METHOD.replace("(self, xs)", "(xs)").replace("    def longest", "    @staticmethod\n    def longest")
    ),
    "used below": fence(f"{METHOD}\n\n\nrunner = Solution()\nprint(runner.longest_run([1]))"),
    "with another method": fence(
        METHOD.replace("max(best, run)", "self.more(best, run)")
        + "\n\n    def more(self, a, b):\n        return a if a > b else b"
    ),
    "with a state": fence(
        METHOD.replace(
            "Solution:", "Solution:\n    def __init__(self, start=0):\n        self.start = start\n"
        ).replace("= 0\n", "= self.start\n")
    ),
    "a decorated class": fence(f"def plain(c):\n    return c\n\n\n@plain\n{METHOD}"),
    "an import in another block": f"{fence('from itertools import groupby')}\n{fence('class Solution:' + chr(10) + '    def longest_run(self, xs):' + chr(10) + '        return max((len(list(g)) for _, g in groupby(xs)), default=0)')}",
    "a function too": f"{fence(METHOD.replace('run + 1', 'run + 2'))}\nOr:\n{FENCED}",
}

WRAPPINGS = {
    "json": fence(json.dumps({"code": CODE}), "json"),
    "json, unfenced": json.dumps({"explanation": "One pass.", "solution": CODE}, indent=2),
    "a tool's call": f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': CODE}})}\n</tool_call>",
    "a tool's call, its arguments text": json.dumps({"name": "python", "arguments": json.dumps({"code": CODE})}),
    "json that holds a fence": json.dumps({"answer": f"Here:\n{FENCED}"}),
    "json with a body": json.dumps({"code": BODY}),
    "a table that looks like json": fence(f'TABLE = {{"a": "b\\n"}}\n\n\n{CODE}'),
    "a diff": fence(
        "--- a/run.py\n+++ b/run.py\n@@ -1,2 +1,6 @@\n-def longest_run(xs):\n-    pass\n" + textwrap.indent(CODE, "+"),
        "diff",
    ),
    "a diff, lines kept": fence(
        "@@ -1,3 +1,6 @@\n def longest_run(xs):\n-    return 7\n" + textwrap.indent(BODY, "+"), "diff"
    ),
    "a diff without a head": fence("-def longest_run(xs): ...\n" + textwrap.indent(CODE, "+"), "diff"),
    "a diff, unfenced": "--- a\n+++ b\n@@ -0,0 +1,6 @@\n" + textwrap.indent(CODE, "+"),
    "numbers and bars": fence("\n".join(f"{i:2} | {line}" for i, line in enumerate(CODE.split("\n"), 1))),
    "numbers and colons": fence("\n".join(f"{i}: {line}" for i, line in enumerate(CODE.split("\n"), 1))),
    "numbers and tabs": fence("\n".join(f"{i}\t{line}" for i, line in enumerate(CODE.split("\n"), 10))),
    "numbers and blanks": fence(
        "\n".join(f"{i:2}  {line}".rstrip() for i, line in enumerate(f"{CODE}\n\n\nN = 1".split("\n"), 1))
    ),
    "numbers, unfenced": "\n".join(f"{i:3} | {line}" for i, line in enumerate(CODE.split("\n"), 1)),
    "numbers of a table": fence(f"SMALL = {{\n1: 1,\n2: 2,\n3: 3,\n}}\n\n\n{CODE}"),
    "three quotes as a fence": f"'''python\n{CODE}\n'''",
    "three double quotes as a fence": f'Here:\n\n"""python\n{CODE}\n"""\n\nIt counts.',
    "three quotes, a docstring inside": f'"""py\n{documented("More.")}\n"""',
    "tildes around a fence": f"~~~\n{FENCED}\n~~~",
    "tildes with a language around a fence": f"~~~markdown\n{FENCED}\n~~~\nDone.",
    "a fence around tildes": f"````md\n~~~python\n{CODE}\n~~~\n````",
    "boxed": f"\\boxed{{{CODE}}}",
    "boxed, words behind": f"The answer is $\\boxed{{\n{CODE}\n}}$ with {{x}} set.",
    "boxed, braces inside": f"\\boxed{{\\text{{{CODE.replace('= 0', '= {0: 0}[0]')}}}}}",
    "trac": f"{{{{{{#!python\n{CODE}\n}}}}}}",
    "trac without a language": f"So:\n{{{{{{\n{CODE}\n}}}}}}\nDone.",
    "bulletin board": f"[code=python]\n{CODE}\n[/code]",
    "latex": f"\\begin{{lstlisting}}[language=Python]\n{CODE}\n\\end{{lstlisting}}\nThis is it.",
    "org": f"#+BEGIN_SRC python\n{CODE}\n#+END_SRC\nDone.",
    "one backtick": f"`{CODE}`",
    "one backtick, words around": f"Use this:\n\n`{CODE}`\n\nIt counts `runs`.",
    "an import in backticks": f"We need\n`from itertools import groupby`\nor not:\n\n{CODE}",
    "two backticks": f"``{CODE}``",
}

PARAMETRIZED = "@pytest.mark.parametrize('xs, n', [([1], 9)])\ndef test_run(xs, n):\n    assert longest_run(xs) == n"

TESTED = {
    "pytest below": fence(module(CODE, "import pytest", PARAMETRIZED)),
    "pytest above": fence(module("import pytest", CODE, PARAMETRIZED)),
    "pytest below, unfenced": module(CODE, "import pytest", PARAMETRIZED, "pytest.main()"),
    "pytest by name": fence(
        module(
            CODE,
            "from pytest import fixture, raises",
            "@fixture\ndef xs():\n    return [1]",
            "def test_it(xs):\n    with raises(TypeError):\n        longest_run(xs)",
        )
    ),
    "hypothesis": fence(
        module(
            CODE,
            "from hypothesis import given, strategies as st",
            "@given(st.lists(st.integers()))\ndef test_run(xs):\n    assert longest_run(xs) <= len(xs)",
        )
    ),
    "an import of itself": fence(
        module(CODE, "from solution import longest_run", "def test_run():\n    assert longest_run([]) == 0")
    ),
    "a mark of the module": fence(module("import pytest\n\npytestmark = pytest.mark.slow", CODE)),
    "a class of tests": fence(
        module(
            CODE,
            "import pytest",
            "class TestRun:\n    @pytest.mark.slow\n    def test_run(self):\n        assert longest_run([]) == 0",
        )
    ),
}

SHOWN = {
    "a transcript, then what it printed": "```\n>>> import itertools\n>>> def longest_run(xs):\n...     return max((len(list(g)) for _, g in itertools.groupby(xs)), default=0)\n```\nprints\n```\n2\n```",
    "a command alone in a block": f"```\npip install nothing\n```\n{FENCED}",
}

WRAPPED = {
    f"{kind}: {name}": text
    for kind, texts in {
        "inline": INLINE, "doubted": DOUBTED, "turns": TURNS, "warned": WARNED, "marked": MARKED, "commands": COMMANDS,
        "escaped": ESCAPED, "methods": METHODS, "wrappings": WRAPPINGS, "tested": TESTED, "shown": SHOWN,
    }.items()
    for name, text in texts.items()
}  # fmt: skip
