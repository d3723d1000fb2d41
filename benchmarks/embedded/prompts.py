"""The prompts of the generated documents: imports, signature, docstring and examples."""

from __future__ import annotations

import random
import textwrap
from dataclasses import dataclass

from codeduet.benchmarks.embedded.words import KIND_WORDS, NOTES, OPENERS, STORIES, fill

ANNOTATIONS = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "ints": "List[int]",
    "floats": "List[float]",
    "strs": "List[str]",
    "dict": "Dict[str, int]",
    "table": "Dict[int, int]",
    "pair": "Tuple[int, int]",
}


@dataclass(frozen=True)
class Task:
    """A function to be written: names, words and code, all in final form."""

    stem: str
    name: str
    args: tuple[str, ...]
    ins: tuple[str, ...]
    out: str
    phrase: str
    body: str
    helper: str
    call_body: str


def _examples_text(rng: random.Random, examples: list[tuple[str, str]]) -> list[str]:
    """Write examples the way a docstring would, in one of several styles."""
    if not examples or rng.random() < 0.2:
        return []
    style = rng.random()
    lines = [rng.choice(("Example:", "Examples:", "For example:", "Some examples:", "E.g.", "Sample calls:"))]
    if style < 0.55:
        doctest = [line for call, result in examples for line in (f">>> {call}", result)]
        return doctest if rng.random() < 0.8 else lines + doctest
    arrow = rng.choice((" -> ", " => ", " == ", " ➞ ", " returns ", " = ", " should give ", " # "))
    pad = rng.choice(("", "", "    ", "* "))
    return [*lines, *(f"{pad}{call}{arrow}{result}" for call, result in examples)]


def _described(rng: random.Random, task: Task) -> list[str]:
    return [f"{rng.choice(KIND_WORDS[kind])} {arg}" for arg, kind in zip(task.args, task.ins, strict=True)]


def _summary(rng: random.Random, task: Task) -> str:
    """Write the sentence that says what the function does."""
    opener = rng.choice(OPENERS)
    if "{a}" in opener:
        *first, last = _described(rng, task)
        opener = opener.replace("{a}", f"{', '.join(first)} and {last}" if first else last)
    return opener.replace("{}", task.phrase)


def _prose(rng: random.Random, task: Task) -> list[str]:
    """Write the paragraphs of a docstring."""
    summary = _summary(rng, task)
    extra = rng.choice((0, 0, 0, 0, 1, 1, 2)) if rng.random() < 0.93 else rng.randint(4, 9)
    sentences = [
        fill(rng, rng.choice(NOTES if rng.random() < 0.5 else STORIES), rng.choice(task.args)) for _ in range(extra)
    ]
    before = rng.random() < 0.3
    sentences = [*sentences, summary] if before else [summary, *sentences]
    paragraphs = [" ".join(sentences)] if rng.random() < 0.7 else sentences
    if rng.random() < 0.08:
        paragraphs += [
            "Args:",
            *(f"    {text.split()[-1]}: {' '.join(text.split()[:-1])}" for text in _described(rng, task)),
        ]
    width = rng.choice((60, 72, 80, 90, 200))
    return [line for part in paragraphs for line in (textwrap.wrap(part, width) if part[0] != " " else [part])]


def _signature(rng: random.Random, task: Task) -> str:
    """Write the imports and the ``def`` line."""
    if rng.random() < 0.45:
        return f"def {task.name}({', '.join(task.args)}):\n"
    spell = (lambda text: text) if rng.random() < 0.75 else str.lower
    arguments = ", ".join(f"{arg}: {spell(ANNOTATIONS[kind])}" for arg, kind in zip(task.args, task.ins, strict=True))
    line = f"def {task.name}({arguments}) -> {spell(ANNOTATIONS[task.out])}:\n"
    needed = [name for name in ("Dict", "List", "Tuple") if name + "[" in line]
    if rng.random() < 0.1:
        return (
            rng.choice(("import math", "from typing import List, Tuple", "import re", "from typing import Any"))
            + "\n\n\n"
            + line
        )
    return (f"from typing import {', '.join(needed)}\n\n\n" if needed else rng.choice(("", "", "\n", "\n\n"))) + line


def write_prompt(rng: random.Random, task: Task, examples: list[tuple[str, str]]) -> str:
    """Write a prompt, four in ten times a terse one: most is learnt per token from those."""
    quotes = '"""' if rng.random() < 0.85 else "'''"
    if rng.random() < 0.4:
        return f"{_signature(rng, task)}    {quotes}{_summary(rng, task)}{quotes}\n"
    prose, shown = _prose(rng, task), _examples_text(rng, examples)
    gap = [""] if shown and rng.random() < 0.35 else []
    lines = [*prose, *gap, *shown]
    style = rng.random()
    if style < 0.4:
        text = f"    {quotes}{' ' if style < 0.2 else ''}{lines[0]}\n"
        lines = lines[1:]
    else:
        text = f"    {quotes}\n"
    text += "".join(f"    {line}".rstrip() + "\n" for line in lines)
    if len(text.splitlines()) == 1 and style < 0.1:
        return _signature(rng, task) + text.rstrip("\n") + f"{quotes}\n"
    return _signature(rng, task) + text + f"    {quotes}\n"
