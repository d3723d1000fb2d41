"""Pipelines: functions that take a list of integers through several steps, each stated in a line of the docstring.

They are what the embedded problem set (``load_problems("embedded")``) and the last stages of the embedded model's
pre-training are made of. A pipeline is a chain of steps from list to list and one that returns the result. Helper can
write the first steps as a function whose name says how many they are (``first_2``), and main go on from there, so that
two bounded answers reach deeper than one.

The documents are wrong in places on purpose, in a few ways that are the same for all steps (:class:`Habits`): numbers are
off by one, steps are left out or taken for another; helpers write nothing of use, and mains ignore them or go on at the
wrong step. So the model that comes out solves some problems and not most, and what reinforcement learning can mend is
known: carelessness, helpers of no use, and two agents that do not fit together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from codeduet.benchmarks.embedded.corpus import RESERVED, benchmark_grams, word_grams
from codeduet.benchmarks.embedded.words import NOUNS, VERBS, pseudo_word
from codeduet.envs.execution.instrument import run_trusted


class Kind(NamedTuple):
    """A kind of step; ``@`` stands for the list, ``#`` for a number from 2 to 9.

    Attributes:
        phrases: ways to state it.
        code: the expression that is right.
        misread: an expression that is wrong, and close.
    """

    phrases: tuple[str, ...]
    code: str
    misread: str


class Step(NamedTuple):
    """A step: its kind, by its place in the table, and its number."""

    kind: int
    number: int


Instance = tuple[tuple[Step, ...], int]


@dataclass(frozen=True)
class Pipeline:
    """A function to write.

    Attributes:
        name: of the function.
        argument: name of its list.
        steps: from list to list.
        last: what it returns, by its place in :data:`ENDS`.
        wording: seed of the phrases chosen.
    """

    name: str
    argument: str
    steps: tuple[Step, ...]
    last: int
    wording: int

    @property
    def instance(self) -> Instance:
        """What it computes, whatever it is called: two of one instance are the same problem."""
        return self.steps, self.last


def _kind(phrases: str, code: str, misread: str) -> Kind:
    return Kind(tuple(phrases.split("|")), code, misread)


KINDS: tuple[Kind, ...] = (
    _kind("keep the even ones|drop the odd ones", "[x for x in @ if x % 2 == 0]", "[x for x in @ if x % 2 == 1]"),
    _kind("keep the odd ones|drop the even ones", "[x for x in @ if x % 2 == 1]", "[x for x in @ if x % 2 == 0]"),
    _kind("keep those above #|keep what exceeds #", "[x for x in @ if x > #]", "[x for x in @ if x >= #]"),
    _kind("keep those below #|keep what is less than #", "[x for x in @ if x < #]", "[x for x in @ if x <= #]"),
    _kind("drop the multiples of #|remove what # divides", "[x for x in @ if x % # != 0]", "[x for x in @ if x % # == 0]"),
    _kind("keep the multiples of #|keep what # divides", "[x for x in @ if x % # == 0]", "[x for x in @ if x % # != 0]"),
    _kind("keep the positive ones|drop what is not positive", "[x for x in @ if x > 0]", "[x for x in @ if x >= 0]"),
    _kind("keep the negative ones|drop what is not negative", "[x for x in @ if x < 0]", "[x for x in @ if x <= 0]"),
    _kind("drop the zeros|remove every zero", "[x for x in @ if x != 0]", "[x for x in @ if x > 0]"),
    _kind("add # to each|raise each by #", "[x + # for x in @]", "[x * # for x in @]"),
    _kind("take # from each|lower each by #", "[x - # for x in @]", "[# - x for x in @]"),
    _kind("multiply each by #|make each # times as large", "[x * # for x in @]", "[x + # for x in @]"),
    _kind("square each|replace each by its square", "[x * x for x in @]", "[x + x for x in @]"),
    _kind("double each|make each twice as large", "[x + x for x in @]", "[x * x for x in @]"),
    _kind("negate each|flip the sign of each", "[-x for x in @]", "[abs(x) for x in @]"),
    _kind("take the absolute value of each|drop the sign of each", "[abs(x) for x in @]", "[-x for x in @]"),
    _kind("take the remainder of each by #|reduce each modulo #", "[x % # for x in @]", "[x // # for x in @]"),
    _kind("divide each by # without remainder|take how often # goes into each", "[x // # for x in @]", "[x % # for x in @]"),
    _kind("cap each at #|replace what exceeds # by #", "[min(x, #) for x in @]", "[max(x, #) for x in @]"),
    _kind("raise what is below # to #|let none be below #", "[max(x, #) for x in @]", "[min(x, #) for x in @]"),
    _kind("take each from #|subtract each from #", "[# - x for x in @]", "[x - # for x in @]"),
    _kind("add its place to each, from 0|add the index to each", "[x + i for i, x in enumerate(@)]", "[x * i for i, x in enumerate(@)]"),
    _kind("multiply each by its place, from 0|multiply each by its index", "[x * i for i, x in enumerate(@)]", "[x + i for i, x in enumerate(@)]"),
    _kind("sort them|put them in order", "sorted(@)", "sorted(@, reverse=True)"),
    _kind("sort them from large to small|put them in falling order", "sorted(@, reverse=True)", "sorted(@)"),
    _kind("reverse them|turn them around", "@[::-1]", "sorted(@)"),
    _kind("drop the repeated ones|keep one of each", "list(dict.fromkeys(@))", "list(set(@))"),
    _kind("keep the first #|take # from the front", "@[:#]", "@[#:]"),
    _kind("drop the first #|leave # out in front", "@[#:]", "@[:#]"),
    _kind("keep the last #|take # from the end", "@[-#:]", "@[:-#]"),
    _kind("drop the last #|leave # out at the end", "@[:-#]", "@[-#:]"),
    _kind("keep every second one|leave out every other one", "@[::2]", "@[1::2]"),
    _kind("drop every second one, starting with the first|keep the second, the fourth, and so on", "@[1::2]", "@[::2]"),
    _kind("move the first to the end|rotate them to the left", "@[1:] + @[:1]", "@[-1:] + @[:-1]"),
    _kind("move the last to the front|rotate them to the right", "@[-1:] + @[:-1]", "@[1:] + @[:1]"),
    _kind("append the sum|put the sum behind them", "@ + [sum(@)]", "[sum(@)] + @"),
    _kind("append the length|put their number behind them", "@ + [len(@)]", "[len(@)] + @"),
    _kind("put the sum in front|start with the sum", "[sum(@)] + @", "@ + [sum(@)]"),
    _kind("append #|put # behind them", "@ + [#]", "[#] + @"),
    _kind("put # in front|start with #", "[#] + @", "@ + [#]"),
    _kind("repeat the whole list|append a copy of all", "@ + @", "@ + @[::-1]"),
    _kind("append a mirrored copy|append all in reverse", "@ + @[::-1]", "@ + @"),
    _kind("drop the ends|leave out the first and the last", "@[1:-1]", "@[1:]"),
    _kind("swap both halves|put the second half in front", "@[len(@) // 2:] + @[:len(@) // 2]", "@[len(@) // 2:]"),
    _kind("take the differences of neighbors|replace them by what each adds to the one before", "[b - a for a, b in zip(@, @[1:])]", "[a - b for a, b in zip(@, @[1:])]"),
    _kind("add up neighbors|take the sums of neighbors", "[a + b for a, b in zip(@, @[1:])]", "[b - a for a, b in zip(@, @[1:])]"),
    _kind("multiply neighbors|take the products of neighbors", "[a * b for a, b in zip(@, @[1:])]", "[a + b for a, b in zip(@, @[1:])]"),
    _kind("take the larger of neighbors|keep the larger one of each pair of neighbors", "[max(a, b) for a, b in zip(@, @[1:])]", "[min(a, b) for a, b in zip(@, @[1:])]"),
)  # fmt: skip
"""Steps from list to list."""

ENDS: tuple[Kind, ...] = (
    _kind("return the sum|return the total", "sum(@)", "len(@)"),
    _kind("return how many there are|return the number of them", "len(@)", "sum(@)"),
    _kind("return the largest, or 0 for none|return the maximum, 0 if empty", "max(@, default=0)", "min(@, default=0)"),
    _kind("return the smallest, or 0 for none|return the minimum, 0 if empty", "min(@, default=0)", "max(@, default=0)"),
    _kind("return them|return the list", "@", "sorted(@)"),
    _kind("return them sorted|return the list in order", "sorted(@)", "@"),
    _kind("return them in reverse|return the list backwards", "@[::-1]", "@"),
    _kind("return how many different ones there are|count the different ones", "len(set(@))", "len(@)"),
    _kind("return the last digit of the sum|return the sum modulo 10", "sum(@) % 10", "sum(@)"),
    _kind("return the sum of the squares|add up the squares", "sum(x * x for x in @)", "sum(@) ** 2"),
    _kind("return the first two|return what the first two are", "@[:2]", "@[-2:]"),
    _kind("return the last two|return what the last two are", "@[-2:]", "@[:2]"),
)  # fmt: skip
"""Steps that return."""

TESTS = 6


class Slip(NamedTuple):
    """What goes wrong at a step.

    Attributes:
        misread: it is taken for another.
        off: what its number is off by.
        left_out: it is missing.
    """

    misread: bool = False
    off: int = 0
    left_out: bool = False


Slips = Mapping[int, Slip]
"""Step, from 0, -> what goes wrong there."""

NO_SLIPS: Slips = {}

ARGUMENTS = ("numbers", "values", "items", "data", "nums", "xs")
DEPTHS = (3, 4, 5, 6)
"""Lines of a problem, the returning one included; documents go one further on both sides."""


def draw(rng: random.Random, depth: int) -> Pipeline:
    """Draw a pipeline of ``depth`` steps, the last returns; no kind of step comes twice."""
    steps = tuple(Step(kind, rng.randint(2, 9)) for kind in rng.sample(range(len(KINDS)), depth - 1))
    # A number that its step does not use would make one problem look like two.
    steps = tuple(step if "#" in KINDS[step.kind].code else Step(step.kind, 0) for step in steps)
    name = f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}" if rng.random() < 0.7 else pseudo_word(rng)
    if name in RESERVED:
        name += "_all"
    return Pipeline(name, rng.choice(ARGUMENTS), steps, rng.randrange(len(ENDS)), rng.randrange(2**32))


def prompt(pipeline: Pipeline) -> str:
    """Return signature and docstring."""
    rng = random.Random(pipeline.wording)
    lines = [_filled(rng.choice(KINDS[step.kind].phrases), pipeline.argument, step.number) for step in pipeline.steps]
    lines.append(rng.choice(ENDS[pipeline.last].phrases))
    stated = "".join(f"    {place}. {line[0].upper()}{line[1:]}.\n" for place, line in enumerate(lines, start=1))
    return f'def {pipeline.name}({pipeline.argument}):\n    """Take {pipeline.argument} through these steps.\n\n{stated}    """\n'


def body(pipeline: Pipeline, start: int = 0, slips: Slips = NO_SLIPS) -> str:
    """Return the function's lines, with the ``slips`` made on the way."""
    return _indented(_lines(pipeline, start, len(pipeline.steps) + 1, pipeline.argument, slips))


def helper(pipeline: Pipeline, count: int, slips: Slips = NO_SLIPS, says: int = 0) -> str:
    """Return helper's function, which takes the first ``count`` steps and says so in its name, or that it is ``says``."""
    lines = _lines(pipeline, 0, count, pipeline.argument, slips)
    result = lines[-1].split(" = ")[0] if lines else pipeline.argument
    return f"def first_{says or count}({pipeline.argument}):\n{_indented([*lines, f'return {result}'])}"


def main(pipeline: Pipeline, count: int, start: int, slips: Slips = NO_SLIPS) -> str:
    """Return main's body, which calls ``first_count`` and goes on at step ``start``, from 0: right is ``count``."""
    call = f"s{count} = first_{count}({pipeline.argument})"
    return _indented([call, *_lines(pipeline, start, len(pipeline.steps) + 1, f"s{count}", slips)])


def _lines(pipeline: Pipeline, start: int, stop: int, before: str, slips: Slips) -> list[str]:
    """Return a line for each step, whose variable is named by the step's number; the last one returns."""
    lines = []
    for place in range(start, stop):
        slip = slips.get(place, Slip())
        if place == len(pipeline.steps):
            end = ENDS[pipeline.last]
            lines.append(f"return {_filled(end.misread if slip.misread else end.code, before, 0)}")
        elif not slip.left_out:
            step = pipeline.steps[place]
            kind = KINDS[step.kind]
            code = _filled(kind.misread if slip.misread else kind.code, before, step.number + slip.off)
            before = f"s{place + 1}"
            lines.append(f"{before} = {code}")
    return lines


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def write_check(pipeline: Pipeline, rng: random.Random, count: int) -> str | None:
    """Return ``check`` with ``count`` asserts, or None where the pipeline answers nearly the same to everything."""
    solve = run_trusted(prompt(pipeline) + body(pipeline))[pipeline.name]
    inputs = [[rng.randint(-9, 20) for _ in range(size)] for size in rng.sample(range(3, 10), count)]
    results = [solve(list(values)) for values in inputs]
    if len({repr(result) for result in results}) < count - 1 or max(map(len, map(repr, results))) > 100:
        return None
    asserts = "".join(
        f"    assert candidate({values!r}) == {result!r}\n" for values, result in zip(inputs, results, strict=True)
    )
    return f"def check(candidate):\n{asserts}"


def draw_distinct(rng: random.Random, count: int, depths: Sequence[int]) -> list[tuple[Pipeline, str]]:
    """Draw ``count`` pipelines with their tests, depths in turn.

    No two have the same steps, every step of each is needed, and none holds ten words in a row of HumanEval.
    """
    found: dict[Instance, tuple[Pipeline, str]] = {}
    while len(found) < count:
        pipeline = draw(rng, depths[len(found) % len(depths)])
        checked = write_check(pipeline, rng, TESTS)
        clean = benchmark_grams().isdisjoint(word_grams(prompt(pipeline) + body(pipeline)))
        if clean and pipeline.instance not in found and checked and _every_step_counts(pipeline, checked):
            found[pipeline.instance] = (pipeline, checked)
    return list(found.values())


def _every_step_counts(pipeline: Pipeline, checked: str) -> bool:
    """Tell whether the tests fail with any one slip."""
    length = len(pipeline.steps)
    slips = [(place, Slip(left_out=True)) for place in range(length)]
    slips += [(place, Slip(misread=True)) for place in range(length + 1)]
    slips += [(p, Slip(off=off)) for p in range(length) if pipeline.steps[p].number for off in (-1, 1)]
    return not any(_passes(pipeline, {place: slip}, checked) for place, slip in slips)


def _passes(pipeline: Pipeline, slips: Slips, checked: str) -> bool:
    program = prompt(pipeline) + body(pipeline, 0, slips) + "\n\n" + checked
    try:
        namespace = run_trusted(program)
        namespace["check"](namespace[pipeline.name])
    except (AssertionError, ArithmeticError, ValueError, IndexError):
        return False
    return True


class Habits(NamedTuple):
    """How often documents go wrong, and how.

    Attributes:
        off_by_one: a step's number is one too large or too small.
        misread: a step is taken for another.
        left_out: a step is missing.
        useless: helper writes the function of another pipeline.
        misnamed: the number in the helper's name is wrong.
        ignored: main writes every step itself.
        misplaced: main calls the helper and goes on a step early or late.
    """

    off_by_one: float = 0.45
    misread: float = 0.05
    left_out: float = 0.05
    useless: float = 0.08
    misnamed: float = 0.05
    ignored: float = 0.15
    misplaced: float = 0.15


HABITS = Habits()

FAULTLESS = Habits(*[0.0] * len(Habits._fields))


class Written(NamedTuple):
    """A document: what the model is given, what it should write, and the whole problem."""

    role: str
    prompt: str
    completion: str
    pipeline: Pipeline


def documents(
    seed: int,
    count: int,
    taken: frozenset[Instance] = frozenset(),
    avoid: frozenset[tuple[str, ...]] = frozenset(),
    habits: Habits = HABITS,
) -> Iterator[Written]:
    """Write documents, a third for each role.

    Args:
        seed: of the generator.
        count: how many.
        taken: instances that no document is about.
        avoid: ten-grams of words that no document contains.
        habits: what goes wrong between helper and main.
    """
    rng = random.Random(f"pipelines {seed}")
    depths = range(DEPTHS[0] - 1, DEPTHS[-1] + 2)
    for number in range(count):
        written = None
        while written is None or not avoid.isdisjoint(word_grams(written.prompt + written.completion)):
            pipeline = draw(rng, rng.choice(depths))
            if pipeline.instance not in taken:
                written = _document(rng, ("single", "helper", "main")[number % 3], pipeline, habits)
        yield written


def _document(rng: random.Random, role: str, pipeline: Pipeline, habits: Habits) -> Written:
    asked = prompt(pipeline)
    length = len(pipeline.steps)
    if role == "single":
        return Written(role, asked, body(pipeline, 0, _slips(rng, pipeline, habits)), pipeline)
    count = rng.randint(1, length)
    says = rng.randint(1, length) if rng.random() < habits.misnamed else count
    source = pipeline if rng.random() >= habits.useless else draw(rng, count + 1 + rng.randint(0, 1))
    code = helper(source, min(count, len(source.steps)), _slips(rng, source, habits), says)
    if role == "helper":
        return Written(role, f"{asked}    ...\n\n# Helper functions for {pipeline.name}:\n", code, pipeline)
    slips = _slips(rng, pipeline, habits)
    if rng.random() < habits.ignored:
        written = body(pipeline, 0, slips)
    else:
        off = rng.choice((-1, 1)) if rng.random() < habits.misplaced else 0
        written = main(pipeline, says, min(max(says + off, 0), length), slips)
    return Written(role, f"{code}\n\n{asked}", written, pipeline)


def _slips(rng: random.Random, pipeline: Pipeline, habits: Habits) -> Slips:
    return {
        place: Slip(
            misread=rng.random() < habits.misread,
            off=rng.choice((-1, 1)) if step.number and rng.random() < habits.off_by_one else 0,
            left_out=rng.random() < habits.left_out,
        )
        for place, step in enumerate([*pipeline.steps, Step(0, 0)])
    }


def _filled(template: str, name: str, number: int) -> str:
    return template.replace("@", name).replace("#", str(number))
