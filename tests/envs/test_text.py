"""Golden tests of the extractor: what models write -> the code that is judged."""

from __future__ import annotations

import textwrap
import time

import pytest

from codeduet.envs import Problem, load_problems
from codeduet.envs.text import extract_helper, extract_main, join_body, stop_strings

PROBLEM = Problem(
    task_id="Golden/0",
    prompt='import math\n\n\ndef area(r):\n    """Area of a circle."""\n',
    entry_point="area",
    canonical_solution="    return math.pi * r**2\n",
    tests="def check(candidate):\n    assert candidate(0) == 0\n",
)
SIGNATURE = 'def area(r):\n    """Area of a circle."""\n'
WHOLE = "def area(r):\n    return math.pi * r * r"
HELPER = "def square(x):\n    return x * x"


def main_of(text: str) -> str:
    """Return what main's text comes to, blank lines at its end aside."""
    return extract_main(text, PROBLEM).rstrip("\n")


def helper_of(text: str) -> str:
    return extract_helper(text).rstrip("\n")


FENCED = {
    "python fence": f"```python\n{WHOLE}\n```",
    "plain fence": f"```\n{WHOLE}\n```",
    "py fence": f"```py\n{WHOLE}\n```",
    "capital language": f"```Python\n{WHOLE}\n```",
    "tilde fence": f"~~~python\n{WHOLE}\n~~~",
    "four backticks": f"````python\n{WHOLE}\n````",
    "space before the language": f"``` python\n{WHOLE}\n```",
    "unterminated": f"Sure!\n\n```python\n{WHOLE}",
    "unterminated, another opened": f"```python\n{WHOLE}\n\n```python\nprint(area(2))\n```",
    "prose around": f"Here's the function:\n\n```python\n{WHOLE}\n```\n\nThis squares the radius (see `math`).",
    "CRLF": f"Here:\r\n\r\n```python\r\n{WHOLE}\r\n```\r\n".replace("\n    ", "\r\n    "),
    "in a list item": f"1. Write it:\n\n   ```python\n{textwrap.indent(WHOLE, '   ')}\n   ```\n",
    "code indented in a flush fence": f"```python\n{textwrap.indent(WHOLE, '    ')}\n```",
    "target in the second block": f"```python\nprint('hello')\n```\nthen\n```python\n{WHOLE}\n```",
    "shell block first": f"```bash\npip install numpy\n```\n```python\n{WHOLE}\n```",
    "first of two versions": f"```python\n{WHOLE}\n```\nor\n```python\ndef area(r):\n    return 0\n```",
    "usage in a block of its own": f"```python\n{WHOLE}\n```\nUsage:\n```python\nprint(area(1))\n```\n",
    "expected output in a block": f"```python\n{WHOLE}\n```\nOutput:\n```\n3.14\n```\n",
    "usage tail inside": f"```python\n{WHOLE}\n\n# Example usage\nr = 2\nprint(area(r))\n```",
    "fence opened by the prompt": f"{WHOLE}\n```\n\nThis works for all r.",
    "fence opened by the prompt, more blocks": f"{WHOLE}\n```\n\nUse it:\n\n```python\nprint(area(1))\n```",
    "inline code at a line's start": f"```math``` is used.\n\n```python\n{WHOLE}\n```",
    "tilde within backticks": f"```python\n{WHOLE}\n```\n~~~\nnothing\n~~~",
    "reasoning first": f"<think>\nMaybe:\n```python\ndef area(r): pass\n```\n</think>\n```python\n{WHOLE}\n```",
}


@pytest.mark.parametrize("text", FENCED.values(), ids=FENCED.keys())
def test_the_code_is_inside_the_fence(text: str) -> None:
    assert main_of(text) == WHOLE


UNFENCED = {
    "code alone": WHOLE,
    "blank lines around": f"\n\n{WHOLE}\n\n",
    "prose before": f"Here is the function you asked for:\n\n{WHOLE}",
    "prose with a leading space before": f" Here is the function:\n\n{WHOLE}",
    "prose that looks like a call before": f"Answer(s) below.\n\n{WHOLE}",
    "prose after": f"{WHOLE}\n\nThis function squares the radius.",
    "bullets after": f"{WHOLE}\n\n- It squares the radius.\n- It multiplies by pi.",
    "prose with an apostrophe and a bracket around": f"It's easy :(\n\n{WHOLE}\n\nThat's it.",
    "print tail": f"{WHOLE}\n\nprint(area(1))",
    "assert tail": f"{WHOLE}\n\nassert area(0) == 0\nassert area(1) > 3",
    "main guard tail": f'{WHOLE}\n\n\nif __name__ == "__main__":\n    import doctest\n\n    doctest.testmod()',
    "comment tail": f"{WHOLE}\n\n# Test cases\ncases = [1, 2]",
    "call tail": f"{WHOLE}\n\nresult = area(3)\nprint(result)",
    "loop tail": f"{WHOLE}\n\nfor r in (1, 2):\n    print(area(r))",
    "doctest tail": f"{WHOLE}\n\n>>> area(0)\n0",
    "CR line ends": WHOLE.replace("\n", "\r"),
    "indented as a whole": textwrap.indent(WHOLE, "    "),
}


@pytest.mark.parametrize("text", UNFENCED.values(), ids=UNFENCED.keys())
def test_without_a_fence_prose_and_tail_go(text: str) -> None:
    assert main_of(text) == WHOLE


KEPT = {
    "imports and constants": f"import cmath\nfrom math import pi\n\nTAU = 2 * pi\nLIMIT: int = 3\n\n{WHOLE}",
    "a helper before": f"{HELPER}\n\n\n{WHOLE}",
    "a helper after": f"{WHOLE}\n\n\n{HELPER}",
    "print between definitions": f"{WHOLE}\n\nprint(1)\n\n{HELPER}",
    "decorator": f"@functools.cache\n{WHOLE}",
    "a guarded import": f"try:\n    import numpy\nexcept ImportError:\n    numpy = None\n\n{WHOLE}",
    "a table over several lines": f"TABLE = {{\n    1: 2,\n3: 4,\n}}\n\n{WHOLE}",
    "a table behind, used when called": f"{WHOLE}\n\nTABLE = [1, 2]",
    "the prompt repeated": PROBLEM.prompt + PROBLEM.canonical_solution.rstrip("\n"),
    "a class": f"class Circle:\n    pass\n\n\n{WHOLE}",
    "column 0 in a docstring": 'def area(r):\n    """\nSome text, with def inside:\ndef other\nprint(1)\n    """\n    return r',
    "column 0 in single quotes": "def area(r):\n    s = '''\nText # no comment\n'''\n    return r",
    "quotes in strings": "def area(r):\n    s = \"'''\"\n    t = '\"\"\"'  # '''\n    return r",
    "wrong syntax": "def area(r:\n    return r",
}


@pytest.mark.parametrize("fence", [False, True], ids=["bare", "fenced"])
@pytest.mark.parametrize("code", KEPT.values(), ids=KEPT.keys())
def test_a_module_stays_as_it_is(code: str, *, fence: bool) -> None:
    assert main_of(f"```python\n{code}\n```" if fence else code) == code


BODIES = {
    "as a base model writes": ("    y = r * r\n    return y\n", "    y = r * r\n    return y"),
    "line break first": ("\n    return r\n", "    return r"),
    "first line stripped": ("y = r * r\n    return y", "    y = r * r\n    return y"),
    "first line stripped, opening a block": (
        "if r:\n        return 1\n    return 2",
        "    if r:\n        return 1\n    return 2",
    ),
    "first line stripped, a call over lines": (
        "y = abs(\n        r)\n    return y",
        "    y = abs(\n        r)\n    return y",
    ),
    "first line stripped, a nested function": (
        "def g(x):\n        return x\n    return g(r)",
        "    def g(x):\n        return x\n    return g(r)",
    ),
    "fully dedented": ("y = r\nif y:\n    return 1\nreturn 2", "    y = r\n    if y:\n        return 1\n    return 2"),
    "dedented, a call over lines": ("y = abs(\n    r)\nreturn y", "    y = abs(\n        r)\n    return y"),
    "dedented, prose around": ("It is:\n\nreturn r\n\nThis is right.", "    return r"),
    "dedented, nothing behind the last return": ("return r\n\nprint(area(2))", "    return r"),
    "dedented, items and swaps": (
        "a, b = b, a\nd[0].add(1)\nseen.add(r)\nx: int = 1\nreturn r",
        "    a, b = b, a\n    d[0].add(1)\n    seen.add(r)\n    x: int = 1\n    return r",
    ),
    "one line": ("return r", "    return r"),
    "two spaces": ("  if r:\n    return 1\n  return 2", "    if r:\n      return 1\n    return 2"),
    "tabs": ("\tif r:\n\t\treturn 1\n\treturn 2", "    if r:\n        return 1\n    return 2"),
    "no return": ("    yield r", "    yield r"),
    "fenced": ("```python\n    y = r\n    return y\n```", "    y = r\n    return y"),
    "fenced and dedented": ("The body:\n```python\ny = r\nreturn y\n```\nDone.", "    y = r\n    return y"),
    "closing fence behind it": ("    return r\n```\n\nExplanation.", "    return r"),
    "comment in column 0 inside": ("    y = r\n# now\n    return y", "    y = r\n# now\n    return y"),
    "import inside": ("    import math\n    return math.pi", "    import math\n    return math.pi"),
    "prose behind": ("    return r\n\nExplanation: it is r.", "    return r"),
    "tests behind": ("    return r\n\n\nassert area(1) == 2\nprint(area(1))", "    return r"),
    "guard behind": ('    return r\n\nif __name__ == "__main__":\n    area(1)', "    return r"),
    "another function behind": ("    return r\n\n\ndef volume(r):\n    return", "    return r"),
    "the target anew behind": ("    return r\n\n\ndef area(r):\n    return 0", "    return r"),
    "a function behind that it calls": (
        "    return square(r)\n\n\ndef square(x):\n    return x * x\n\n\ndef other():\n    pass",
        "    return square(r)\n\n\ndef square(x):\n    return x * x",
    ),
    "column 0 in a string": ('    s = """\nreturn 1\n"""\n    return s', '    s = """\nreturn 1\n"""\n    return s'),
    "CRLF": ("    y = r\r\n    return y\r\n", "    y = r\n    return y"),
}


@pytest.mark.parametrize(("text", "body"), BODIES.values(), ids=BODIES.keys())
def test_a_body_is_joined_to_the_signature(text: str, body: str) -> None:
    assert extract_main(text, PROBLEM) == SIGNATURE + body + "\n"


HELPERS = {
    "fenced": (f"```python\n{HELPER}\n```", HELPER),
    "several functions": (f"{HELPER}\n\n\ndef cube(x):\n    return x\n", f"{HELPER}\n\n\ndef cube(x):\n    return x"),
    "a block for each function": (
        f"First:\n```python\n{HELPER}\n```\nand\n```python\nN = 1\ndef g(): ...\n```",
        f"{HELPER}\nN = 1\ndef g(): ...",
    ),
    "usage block": (f"```python\n{HELPER}\n```\n```python\nprint(square(2))\n```", HELPER),
    "usage tail": (f"{HELPER}\n\n# Example usage:\nprint(square(2))", HELPER),
    "bare call tail": (f"{HELPER}\n\nsquare(3)", HELPER),
    "a table built by a call stays": (f"{HELPER}\n\nNINE = square(3)", f"{HELPER}\n\nNINE = square(3)"),
    "prose around": (f"Sure, here it is:\n{HELPER}\nThis squares.", HELPER),
    "constants only": ("PRIMES = [2, 3, 5]", "PRIMES = [2, 3, 5]"),
    "imports only": ("```python\nimport math\n```", "import math"),
    "indented as a whole": (textwrap.indent(HELPER, "    "), HELPER),
    "no function, in words": ("No helper functions are needed for this problem.", ""),
    "empty": ("", ""),
    "blank": ("\n  \n", ""),
    "empty fence": ("```python\n```", ""),
}


@pytest.mark.parametrize(("text", "code"), HELPERS.values(), ids=HELPERS.keys())
def test_helper_code_is_found(text: str, code: str) -> None:
    assert helper_of(text) == code


@pytest.mark.parametrize("text", ["", "I cannot solve this.", "x y z", "\x00", "\ud800", "Use O(n) time; then return."])
def test_mains_text_without_code_is_left_alone(text: str) -> None:
    assert extract_main(text, PROBLEM) == text


def test_a_whole_canonical_program_is_its_own_extract() -> None:
    for problem in load_problems():
        program = problem.prompt + problem.canonical_solution
        assert extract_main(program, problem).strip("\n") == program.strip("\n"), problem.task_id
        assert extract_main(f"```python\n{program}```", problem).rstrip("\n") == program.rstrip("\n"), problem.task_id


def test_a_canonical_body_gives_the_reference_in_every_form_it_is_written() -> None:
    for problem in load_problems():
        body = problem.canonical_solution.strip("\n")
        for form in (body, body.lstrip(), textwrap.dedent(body), f"```python\n{textwrap.dedent(body)}\n```"):
            found = [line.rstrip() for line in extract_main(form, problem).splitlines() if line.strip()]
            wanted = [line.rstrip() for line in problem.reference.splitlines() if line.strip()]
            assert found == wanted, (problem.task_id, form)


def test_join_body_keeps_the_docstring_of_the_signature() -> None:
    assert join_body("return r", PROBLEM) == SIGNATURE + "    return r\n"


def test_a_body_holds_no_stop_string() -> None:
    for problem in load_problems():
        assert not any(stop in problem.canonical_solution for stop in stop_strings()), problem.task_id


HOSTILE = {
    "backticks": "`" * 100_000,
    "language": "```" + "a" * 99_997,
    "spaces": " " * 99_999 + "x",
    "def and spaces": "def " + " " * 99_996,
    "open brackets in signatures": "def f(\n" * 14_000,
    "targets in a row": "a ," * 33_000,
    "if and colons": "if " + ": " * 49_000,
    "escaped quotes": '"' + '\\"' * 49_000,
    "mixed quotes": "'\"" * 50_000,
    "line breaks": "\n" * 100_000,
    "fences": "```\n" * 25_000,
    "opened fences": "```python\n" * 10_000,
    "returns": "return x\n" * 11_000,
    "definitions": "".join(f"def f{i}():\n" for i in range(9_000)) + "f1()\n",
    "triple quotes": '"""' * 33_000,
    "brackets": "a[" * 50_000,
    "annotations": "a: " + " " * 99_000,
    "targets": "def area(r):\n" * 7_000,
    "calls": "area(" * 20_000,
    "words": "a" * 100_000,
    "async": "async " * 16_000,
    "thoughts": "</think>" * 12_000,
    "stairs": "".join(" " * i + "x\n" for i in range(440)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_less_than_a_second(text: str) -> None:
    for prefix in ("", "    x\n", "def area(r):\n    return r\n"):
        began = time.process_time()
        extract_main(prefix + text, PROBLEM)
        extract_helper(prefix + text)
        assert time.process_time() - began < 1
