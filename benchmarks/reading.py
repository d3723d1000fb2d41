"""How long does reading an answer take at worst, and does it grow in proportion to the text?

    python -m codeduet.benchmarks.reading [--size 100000] [--limit-ms 100] [--out FILE]

Reads texts that are made to be slow to read, each at ``--size`` characters and at half of that: as main's answer, and as
helper's with its own try at the target cut out. A time is the least of three. Exits with status 1 where one is over
the limit, or more than trebles where the size doubles.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codeduet.benchmarks.verdict import save
from codeduet.envs import Problem
from codeduet.envs.text import extract_helper, extract_main, without_definition
from codeduet.screen import run_script

PROBLEM = Problem("Reading/0", 'def area(r):\n    """Area of a circle."""\n', "area", "    return 3 * r * r\n", "")

UNITS = {
    "backticks": "`", "fences": "```\n", "opened fences": "```python\n", "list items": "1. ```python\n",
    "block quotes": "> ```python\n> x = 1\n", "inline fences": "a ```b``` ", "blocks": "```python\ndef f(x):\n    return area(x)\n```\n",
    "fences and quotes": "```python\n\"\"\"\n", "fences in strings": "'```", "transcripts": ">>> def f(x): pass\n",
    "thoughts": "<think>", "closed thoughts": "<think>a</think>", "ends of thoughts": "\n    x </think> y", "tags": "<answer>a</answer>",
    "control tokens": "x<|im_end|>", "channels": "<|channel|>analysis<|message|>", "blanks": " ", "odd blanks": "\u00a0", "line breaks": "\n",
    "odd indentation": "\u00a0\u00a0x\n", "one-letter lines": "x\n", "statements": "x = 1\n", "assignments": "xs = area(xs)\n",
    "semicolons": "x=1;", "brackets": "a[", "nested": "([{", "braces": "{", "definitions": "def f(x):\n    return 1\n\n",
    "targets": "def area(r):\n", "open signatures": "def f(\n", "calls": "area(", "decorators": "@a\n", "branches": "else:\n",
    "bodies": "    return x\n", "prose": "This is a line of prose, which isn't code: (really) it isn't.\n", "commas": "a ,", "stars": "*a,",
    "prose and code": "def f(x):\n    return 1\nThis is prose.\n", "errors": "x = = 3 ) ]\n", "colons": ": ", "operators": "=", "words": "a",
    "mixed quotes": "'\"", "triple quotes": '"""', "two triple quotes": "\"\"\"''' ", "escaped quotes": '\\"', "quotes": "'\n",
    "backslashes": "\\", "continued lines": "\\\n", "comments": "#\n", "loops": "for a in ", "lambdas": "lambda x: ", "globals": "global ",
    "imports": "import a, ", "annotations": "a: ", "formatted": "f'{", "asynchronous": "async ", "letters": "\u00e9 ",
    "turns": "Human: x\n", "answered turns": "def f(x):\n    return 1\n\nHuman: x\n", "turns in fences": "```\nHuman: x\n```\n",
    "inline tags": "a <code>x</code> b ", "remarks": "# <s> a ", "lines of remarks": "# <s> a\n", "askers": "[INST] a ",
    "entities": "&lt;", "numbers of signs": "&#60; ", "fields": '"a": "b\\n", ', "fields of code": '"a": "\\ndef f(x):\\n  return 1", ',
    "fields in fields": '"a": "\\"a\\": \\"', "diffs": "@@ -1 +1 @@\n+x\n", "numbered lines": "1 | x\n", "commands": "%time x\n",
    "boxes": "\\boxed{def f(x):", "quotes as fences": "'''python\ndef f(x):\n", "escaped triple quotes": '\\"""', "equal docstrings": '= """\\',
    "other fences": "{{{\ndef f(x):\n", "ticks": "`def f(x):\n", "methods": "class A:\n    def area(self):\n        return 1\n",
    "hollow classes": "class A:\n", "frameworks": "import pytest\n", "tests": "import pytest\ndef f(x):\n    pytest\n", "ends of cdata": "]]>",
    "tildes and ticks": "~~~\n```\n", "warnings": "Don't do this:\n```python\nx\n```\n", "sentences": "a. ", "lists made": "[x for x in ",
}  # fmt: skip
"""What a text is made of, over and over."""

BEFORE = {
    "alone": "",
    "behind a body": "    x\n",
    "behind a function": "def area(r):\n    return r\n",
    "in a fence": "```python\n",
}


def milliseconds(text: str) -> float:
    """Return the processor time that reading ``text`` takes, as main's or helper's, whichever is longer."""
    began = time.process_time()
    extract_main(text, PROBLEM)
    main = time.process_time() - began
    began = time.process_time()
    without_definition(extract_helper(text), PROBLEM.entry_point)
    return 1000 * max(main, time.process_time() - began)


def measure(size: int) -> dict[str, tuple[float, float]]:
    """Return the name of each text -> milliseconds at ``size`` characters, and at half of that."""
    found = {}
    for place, before in BEFORE.items():
        for name, unit in UNITS.items():
            text = before + unit * (size // len(unit) + 1)
            found[f"{name}, {place}"] = (_least(text[:size]), _least(text[: size // 2]))
    return found


def _least(text: str) -> float:
    return min(milliseconds(text) for _ in range(3))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m codeduet.benchmarks.reading", description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=100_000, help="characters of a text (default: %(default)s)")
    parser.add_argument("--limit-ms", type=float, default=100.0, help="longest time allowed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the times to this JSON file")
    options = parser.parse_args(arguments)
    times = measure(options.size)
    slowest = sorted(times, key=lambda name: -times[name][0])
    # Below a tenth of the limit a ratio of two times is noise.
    steep = [name for name, (whole, half) in times.items() if whole > options.limit_ms / 10 and whole > 3 * half]
    for name in slowest[:5]:
        print(f"{name}: {times[name][0]:.1f} ms, half the text {times[name][1]:.1f} ms")
    for name in steep:
        print(f"{name} grows faster than the text: {times[name][0]:.1f} ms, half the text {times[name][1]:.1f} ms")
    record: dict[str, Any] = {
        "characters": options.size,
        "texts": len(times),
        "slowest": {name: round(times[name][0], 1) for name in slowest[:10]},
        "steep": steep,
        "python": platform.python_version(),
    }
    save(record, options.out)
    return int(times[slowest[0]][0] > options.limit_ms or bool(steep))


if __name__ == "__main__":
    run_script(main)
