"""Rows in every format that problem sets are published in, written by hand: the same five tasks in each."""

from __future__ import annotations

from typing import Any, NamedTuple


class Task(NamedTuple):
    """A task.

    Attributes:
        name: the function.
        arguments: of its signature.
        says: what it is to do.
        body: the reference's.
        partly: body of a program that is right on some inputs.
        cases: of each call, its arguments and its value.
        passes: which of ``cases`` the partly right program gives; worked out by hand.
    """

    name: str
    arguments: str
    says: str
    body: str
    partly: str
    cases: list[tuple[list[Any], Any]]
    passes: tuple[bool, ...]

    @property
    def code(self) -> str:
        """The reference as a whole program."""
        return f"def {self.name}({self.arguments}):\n{self.body}"

    @property
    def partly_right(self) -> str:
        """The program that is right on some inputs."""
        return f"def {self.name}({self.arguments}):\n{self.partly}"

    @property
    def asserts(self) -> list[str]:
        """A line for each case."""
        return [f"assert {self.name}({', '.join(map(repr, args))}) == {value!r}" for args, value in self.cases]


TASKS = [
    Task(
        "with_tax",
        "price, rate",
        "Return the price with a tax of rate per cent.",
        "    return price * (1 + rate / 100)\n",
        "    return price + 20.0\n",
        [([100, 20], 120.0), ([50, 50], 75.0), ([40.0, 50], 60.0), ([8, 25], 10.0)],
        (True, False, True, False),
    ),
    Task(
        "swap_words",
        "text",
        "Return the words of the text in reverse order.",
        "    return ' '.join(reversed(text.split()))\n",
        "    first, second = text.split()\n    return second + ' ' + first\n",
        [(["a b"], "b a"), (["one two three"], "three two one"), (["x"], "x"), (["up  down"], "down up")],
        (True, False, False, True),
    ),
    Task(
        "distinct",
        "items",
        "Return the items without repetition, sorted.",
        "    return sorted(set(items))\n",
        "    return sorted(items)\n",
        [([[3, 1, 2]], [1, 2, 3]), ([[2, 2]], [2]), ([[1]], [1]), ([[5, 4, 5]], [4, 5])],
        (True, False, True, False),
    ),
    Task(
        "vowels",
        "text",
        'Count the vowels of the text: a, e, i, o and u ("y" is none).',
        "    return sum(letter in 'aeiouAEIOU' for letter in text)\n",
        "    return sum(letter in 'aeiou' for letter in text)\n",
        [(["hello"], 2), (["EASY"], 2), ([""], 0), (["Otto"], 2)],
        (True, False, True, False),
    ),
    Task(
        "chunks",
        "items, size",
        "Cut the items into lists of the given size; the last may be shorter.",
        "    return [items[start : start + size] for start in range(0, len(items), size)]\n",
        "    return [items[:size], items[size:]]\n",
        [([[1, 2, 3], 2], [[1, 2], [3]]), ([[1], 1], [[1]]), ([[1, 2, 3, 4], 2], [[1, 2], [3, 4]]), ([[5], 3], [[5]])],
        (True, False, True, False),
    ),
]

_PLUS = """import numpy as np


def is_floats(x) -> bool:
    if isinstance(x, (list, tuple)):
        return all(isinstance(part, float) for part in x)
    return isinstance(x, float) or isinstance(x, np.ndarray) and x.dtype == np.float64


def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp, f"out: {out}, exp: {exp}"

"""


def _docstring(task: Task) -> str:
    shown, value = task.cases[0]
    return f'    """{task.says}\n\n    >>> {task.name}({", ".join(map(repr, shown))})\n    {value!r}\n    """\n'


def _prompt(task: Task) -> str:
    return f"from typing import List\n\n\ndef {task.name}({task.arguments}):\n{_docstring(task)}"


def humaneval() -> list[dict[str, Any]]:
    """Return the tasks in HumanEval's format."""
    return [
        {
            "task_id": f"Five/{number}",
            "prompt": _prompt(task),
            "entry_point": task.name,
            "canonical_solution": task.body,
            "test": "def check(candidate):\n"
            + "".join(f"    assert candidate{line[len('assert ') + len(task.name) :]}\n" for line in task.asserts),
        }
        for number, task in enumerate(TASKS)
    ]


def humanevalplus() -> list[dict[str, Any]]:
    """Return the tasks as HumanEval+ is published: inputs and results in lists, compared by a function with numpy.

    The last compares with a reference of its own, as some of them do.
    """
    rows = humaneval()
    for row, task in zip(rows, TASKS, strict=True):
        inputs = [args for args, _ in task.cases]
        check = f"def check(candidate):\n    inputs = {inputs!r}\n"
        if task is TASKS[-1]:
            reference = f"def ref_func({task.arguments}):\n{task.body}\n\n"
            loop = "    for i, inp in enumerate(inputs):\n        assertion(candidate(*inp), ref_func(*inp), 0)\n"
            row["test"] = f"{_PLUS}\n{reference}{check}{loop}"
        else:
            results = f"    results = {[value for _, value in task.cases]!r}\n"
            loop = "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
            row["test"] = f"{_PLUS}\n{check}{results}{loop}        assertion(candidate(*inp), exp, 0)\n"
    return rows


def humanevalpack() -> list[dict[str, Any]]:
    """Return the tasks in HumanEvalPack's format: the tests run themselves, and some are shown."""
    rows = humaneval()
    for row, task in zip(rows, TASKS, strict=True):
        lines = row["test"].replace("candidate", task.name).split("\n")
        row["task_id"] = row["task_id"].replace("Five", "Python")
        row["declaration"] = f"from typing import List\n\n\ndef {task.name}({task.arguments}):\n"
        row["import"], row["test_setup"] = "", ""
        row["buggy_solution"], row["instruction"] = task.partly, task.says
        row["test"] = "\n\n\n\n" + "\n".join(lines) + f"\ncheck({task.name})"
        row["example_test"] = "\n".join(lines[:2]) + f"\ncheck({task.name})\n"
    return rows


def mbpp() -> list[dict[str, Any]]:
    """Return the tasks in the format of the full MBPP."""
    return [
        {
            "text": f"Write a function: {task.says}",
            "code": task.code.replace("\n", "\r\n"),
            "task_id": 601 + number,
            "test_setup_code": "",
            "test_list": task.asserts,
            "challenge_test_list": [],
        }
        for number, task in enumerate(TASKS)
    ]


def sanitised_mbpp() -> list[dict[str, Any]]:
    """Return the tasks in the format of the sanitised MBPP; the first compares by a function of ``math``."""
    rows = [
        {
            "source_file": "by hand",
            "task_id": 11 + number,
            "prompt": f"Write a function: {task.says}",
            "code": f"import itertools\n\n{task.code}",
            "test_imports": [],
            "test_list": task.asserts,
        }
        for number, task in enumerate(TASKS)
    ]
    rows[0]["test_imports"] = ["import math"]
    rows[0]["test_list"] = [
        f"assert math.isclose(with_tax({args[0]!r}, {args[1]!r}), {value!r})" for args, value in TASKS[0].cases
    ]
    return rows


def mbppplus() -> list[dict[str, Any]]:
    """Return the tasks as MBPP+ is published: tests at the top level that call the function by its name."""
    rows = sanitised_mbpp()
    for row, task in zip(rows, TASKS, strict=True):
        lists = f"inputs = {[args for args, _ in task.cases]!r}\nresults = {[value for _, value in task.cases]!r}\n"
        loop = f"for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion({task.name}(*inp), exp, 0)\n"
        row["test"] = f"{_PLUS}\n{lists}{loop}"
    return rows


def evalplus_humaneval() -> list[dict[str, Any]]:
    """Return the tasks in EvalPlus's own format, as HumanEvalPlus has it; the last input breaks every contract."""
    types = ["isinstance(price, (int, float))", "isinstance(text, str)", "isinstance(items, list)"]
    checked = [types[0], types[1], types[2], types[1], types[2]]
    rows = []
    for number, (task, contract) in enumerate(zip(TASKS, checked, strict=True)):
        inputs = [args for args, _ in task.cases]
        rows.append(
            {
                "task_id": f"HumanEval/{number}",
                "prompt": _prompt(task),
                "contract": f'\n    assert {contract}, "invalid inputs" # $_CONTRACT_$\n',
                "canonical_solution": task.body,
                "base_input": inputs[:2],
                "plus_input": [*inputs[2:], [None, *inputs[0][1:]]],
                "atol": 1e-06 if number == 0 else 0,
                "entry_point": task.name,
            }
        )
    return rows


def evalplus_mbpp() -> list[dict[str, Any]]:
    """Return the tasks in EvalPlus's own format, as MbppPlus has it."""
    rows = evalplus_humaneval()
    for number, (row, task) in enumerate(zip(rows, TASKS, strict=True)):
        row["task_id"] = f"Mbpp/{number + 3}"
        row["prompt"] = f'"""\nWrite a function: {task.says}\n{task.asserts[0]}\n"""\n'
        row["canonical_solution"] = f"\n{task.code}"
        row["assertion"] = "\n".join(task.asserts)
    return rows


def own() -> list[dict[str, Any]]:
    """Return the tasks in forms of one's own, another kind of tests in each."""
    rows: list[dict[str, Any]] = [
        {"id": number, "text": task.says, "name": task.name, "code": task.code} for number, task in enumerate(TASKS)
    ]
    rows[0] |= {"tests": [{"input": args, "output": value} for args, value in TASKS[0].cases], "atol": 1e-6}
    rows[1]["tests"] = TASKS[1].asserts
    rows[2]["tests"] = humaneval()[2]["test"]
    rows[3]["tests"] = "\n".join(TASKS[3].asserts)
    rows[4] |= {"prompt": _prompt(TASKS[4]), "code": TASKS[4].body, "tests": TASKS[4].asserts, "split": "test"}
    del rows[4]["text"]
    return rows


FORMATS = {
    "HumanEval": humaneval,
    "HumanEval+": humanevalplus,
    "HumanEvalPack": humanevalpack,
    "MBPP": mbpp,
    "sanitised MBPP": sanitised_mbpp,
    "MBPP+": mbppplus,
    "EvalPlus, HumanEval": evalplus_humaneval,
    "EvalPlus, MBPP": evalplus_mbpp,
    "own": own,
}
"""What a format is called here -> its rows."""
