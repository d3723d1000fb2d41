"""Reference solutions written another way: imports, annotations, decorators, class bodies, arguments changed in place,
and prompts in another form.

Some are right, some wrong, and of many only an interpreter can tell: two judges that compile, register or call a program
differently show it here. Only trusted text is parsed.
"""

from __future__ import annotations

import ast
import random
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from codeduet.benchmarks.verdict.trial import Trial
from codeduet.envs import Problem
from codeduet.envs.execution.instrument import parse_trusted
from codeduet.envs.text import join_body

IMPORTS = {
    "typing by name": "from typing import Any, Dict, List, Optional, Tuple, Union",
    "typing as a module": "import typing",
    "all of typing": "from typing import *",
    "all of math": "from math import *",
    "all of collections": "from collections import *",
    "another name": "import math as typing",
    "what is not there": "from math import no_such_name",
    "no such module": "import no_such_module",
    "of a package": "from . import helper",
    "the file's own name": "from solution import anything",
    "itself": "import sys\nsys.modules[__name__]",
    "the main module": "import __main__\n__main__.__dict__",
    "a name hidden": "sorted = reversed",
    "a name guarded": "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None",
    "by a call": "math = __import__('math')",
    "from the future": "from __future__ import annotations",
}
ANNOTATIONS = (
    "int",
    "list",
    "list[int]",
    "'anything at all'",
    "List[int]",
    "Dict[str, Any]",
    "Optional[int]",
    "Tuple[int, ...]",
    "typing.List[int]",
    "Unknown",
    "Unknown[int]",
    "1 / 0",
    "print()",
    "None",
    "lambda: Unknown",
    "int | None",
    "'Unknown' | None",
    "(int, str)",
    "{TARGET}",
)
DECORATORS = {
    "identity": "def keep(f):\n    return f\n@keep",
    "lambda": "@(lambda f: f)",
    "wrapper": "import functools\ndef wrapped(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n        return f(*a, **k)\n    return g\n@wrapped",
    "unknown": "@unknown",
    "called": "def keep(*a):\n    return lambda f: f\n@keep(1, 2)",
    "cache": "import functools\n@functools.lru_cache(maxsize=None)",
    "staticmethod": "@staticmethod",
    "classmethod": "@classmethod",
    "property": "@property",
    "dispatch": "import functools\n@functools.singledispatch",
    "by annotation": "def typed(f):\n    kinds = [k for k in f.__annotations__.values() if isinstance(k, type)]\n"
    "    def g(*a):\n        return f(*a)\n    g.kinds = [kind.__name__ for kind in kinds]\n    return g\n@typed",
    "needs its hints": "import typing\ndef hinted(f):\n    typing.get_type_hints(f)\n    return f\n@hinted",
    "by its module": "import sys\ndef placed(f):\n    assert sys.modules[f.__module__].__name__ == f.__module__\n    return f\n@placed",
    "by its name": "def named(f):\n    assert f.__qualname__ == {TARGET!r}\n    return f\n@named",
    "returns nothing": "def lose(f):\n    pass\n@lose",
    "returns a constant": "def constant(f):\n    return lambda *a: 0\n@constant",
    "a class": "class Called:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self, *a):\n        return self.f(*a)\n@Called",
    "partial": "import functools\n@functools.partial(lambda n, f: f, 1)",
    "of a context": "import contextlib\n@contextlib.contextmanager",
    "at exit": "import atexit\n@atexit.register",
    "not checked": "import typing\n@typing.no_type_check",
}
CLASSES = {
    "static method": "class Solution:\n{STATIC}\n{TARGET} = Solution.{TARGET}",
    "method of an object": "class Solution:\n{METHOD}\n{TARGET} = Solution().{TARGET}",
    "class method": "class Solution:\n    @classmethod\n{METHOD}\n{TARGET} = Solution.{TARGET}",
    "the class alone": "class Solution:\n{METHOD}",
    "annotated": "class Row:\n    x: int\n    y: Unknown = 1\n{FUNCTION}",
    "annotated by text": "class Row:\n    x: 'Unknown' = 1\n{FUNCTION}",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass Row:\n    x: int\n    y: list\n{FUNCTION}\nRow(1, [])",
    "dataclass by text": "from dataclasses import dataclass\n@dataclass\nclass Row:\n    x: 'int'\n    y: 'Row' = None\n{FUNCTION}\nRow(1)",
    "dataclass of unknown": "from dataclasses import dataclass\n@dataclass\nclass Row:\n    x: Unknown\n{FUNCTION}",
    "dataclass with InitVar": "from dataclasses import InitVar, dataclass\n@dataclass\nclass Row:\n    x: InitVar[int]\n"
    "    def __post_init__(self, x):\n        self.y = x\n{FUNCTION}\nassert Row(3).y == 3",
    "dataclass with ClassVar": "from dataclasses import dataclass, fields\nfrom typing import ClassVar\n@dataclass\nclass Row:\n"
    "    x: int\n    y: ClassVar[int] = 2\n{FUNCTION}\nassert len(fields(Row)) == 1",
    "dataclass, mutable default": "from dataclasses import dataclass\n@dataclass\nclass Row:\n    x: list = []\n{FUNCTION}",
    "named tuple": "from typing import NamedTuple\nclass Row(NamedTuple):\n    x: int\n    y: int = 2\n{FUNCTION}\nassert Row(1) == (1, 2)",
    "typed dict": "from typing import TypedDict\nclass Row(TypedDict):\n    x: int\n{FUNCTION}\nassert Row(x=1) == {{'x': 1}}",
    "hints of a class": "import typing\nclass Row:\n    x: int\n{FUNCTION}\nassert typing.get_type_hints(Row) == {{'x': int}}",
    "hints of unknown": "import typing\nclass Row:\n    x: 'Unknown'\n{FUNCTION}\ntyping.get_type_hints(Row)",
    "enumeration": "from enum import Enum\nclass Row(Enum):\n    A = 1\n    B = A\n{FUNCTION}\nassert Row.B is Row.A",
    "slots": "class Row:\n    __slots__ = ('x',)\n    x: int\n{FUNCTION}\nRow().x = 1",
    "slots in conflict": "class Row:\n    __slots__ = ('x',)\n    x = 1\n{FUNCTION}",
    "body that raises": "class Row:\n    1 / 0\n{FUNCTION}",
    "body that prints": "class Row:\n    print(__module__, __qualname__)\n{FUNCTION}",
    "body in its own scope": "class Row:\n    n = 3\n    squares = [n for _ in range(2)]\n{FUNCTION}",
    "metaclass": "class Meta(type):\n    def __new__(m, name, bases, body):\n        return super().__new__(m, name, bases, body)\n"
    "class Row(metaclass=Meta):\n    x: int = 1\n{FUNCTION}\nassert Row.__annotations__ == {{'x': int}}",
    "callable object": "class Solution:\n    def __call__(self, *a):\n        return answer(*a)\n{AS_ANSWER}\n{TARGET} = Solution()",
    "class as the target": "class {TARGET}:\n    def __new__(cls, *a):\n        return answer(*a)\n{AS_ANSWER}",
    "pickled": "import pickle\nclass Row:\n    pass\n{FUNCTION}\nassert isinstance(pickle.loads(pickle.dumps(Row())), Row)",
    "annotated at top level": "rows: list[int] = []\nmore: Unknown\n{FUNCTION}",
    "annotated local": "def use():\n    x: Unknown = 1\n    return x\n{FUNCTION}\nassert use() == 1",
}
MEDDLES = {
    "sorts": "{a}.sort()",
    "reverses": "{a}.reverse()",
    "clears": "{a}.clear()",
    "appends": "{a}.append({a}[0] if {a} else 0)",
    "appends nothing": "{a}.append(None)",
    "extends": "{a}.extend({a}[:1])",
    "pops": "{a} and {a}.pop()",
    "removes its first": "del {a}[:1]",
    "assigns itself": "{a}[:] = {a}[:]",
    "assigns a sorted copy": "{a}[:] = sorted({a})",
    "binds its name anew": "{a} = {a}[::-1]",
    "copies and sorts": "{a} = sorted({a})",
    "sets an item": "if {a}: {a}[0] = {a}[-1]",
    "goes into it": "for i in {a}:\n        if isinstance(i, list): i.append(0)",
    "puts it into itself": "{a}.append({a})",
    "leaves it alone": "pass",
}


def programs(problems: Sequence[Problem], count: int, seed: int = 0) -> list[Trial]:
    """Return ``count`` programs of changed imports, annotations, decorators and class bodies, each kind as often."""
    kinds: list[Callable[[Problem], Iterator[Trial]]] = [_imports, _annotations, _decorators, _class_bodies]
    pools = []
    for kind in kinds:
        pool = [trial for problem in problems for trial in kind(problem)]
        random.Random(f"{seed} {kind.__name__}").shuffle(pool)
        pools.append(pool[: -(-count // len(kinds))])
    return [trial for pool in pools for trial in pool][:count]


def _imports(problem: Problem) -> Iterator[Trial]:
    for name, line in IMPORTS.items():
        yield Trial(problem, f"import: {name}, before", f"{line}\n{problem.reference}")
        yield Trial(problem, f"import: {name}, behind", f"{problem.reference}\n{line}\n")
        if not line.startswith(("from __future__", "from math import *")) and " import *" not in line:
            inside = problem.signature + textwrap.indent(line, "    ") + "\n" + problem.canonical_solution
            yield Trial(problem, f"import: {name}, inside", inside)


def _annotations(problem: Problem) -> Iterator[Trial]:
    for text in ANNOTATIONS:
        annotation = text.format(TARGET=problem.entry_point) if "TARGET" in text else text
        for where in ("argument", "result", "both"):
            target = _target(problem)
            node = parse_trusted(annotation).body[0]
            assert isinstance(node, ast.Expr)
            if where != "result" and target.args.args:
                target.args.args[0].annotation = node.value
            if where != "argument":
                target.returns = node.value
            yield Trial(problem, f"annotation: {annotation}, {where}", ast.unparse(target) + "\n")


def _decorators(problem: Problem) -> Iterator[Trial]:
    for name, lines in DECORATORS.items():
        lines = lines.replace("{TARGET!r}", repr(problem.entry_point))
        yield Trial(problem, f"decorator: {name}", f"{lines}\n{problem.reference}")


def _class_bodies(problem: Problem) -> Iterator[Trial]:
    target = _target(problem)
    plain = ast.unparse(target)
    target.args.args.insert(0, ast.arg("self"))
    method = textwrap.indent(ast.unparse(target), "    ")
    static = "    @staticmethod\n" + textwrap.indent(plain, "    ")
    answer = plain + f"\nanswer = {problem.entry_point}"
    for name, lines in CLASSES.items():
        code = lines.format(TARGET=problem.entry_point, FUNCTION=plain, METHOD=method, STATIC=static, AS_ANSWER=answer)
        yield Trial(problem, f"class: {name}", code + "\n")


def in_place(problems: Sequence[Problem], count: int, seed: int = 0) -> list[Trial]:
    """Return ``count`` programs that do something to a list they are given, under tests that look at it again."""
    pool = []
    for problem in problems:
        for looks in ("used again", "compared with what it was", "compared with itself"):
            tests = _looking_again(problem, looks)
            if tests:
                names = [argument.arg for argument in _target(problem).args.args]
                looked = replace(problem, tests=tests)
                pool += [
                    Trial(looked, f"in place: {what} {name}, {looks}", _meddling(problem, line.format(a=name)))
                    for name in names[:1]
                    for what, line in MEDDLES.items()
                ]
    random.Random(seed).shuffle(pool)
    return pool[:count]


def _looking_again(problem: Problem, looks: str) -> str:
    """Return the tests, with every list that is the first argument of a call looked at again; ``""`` if there is none."""
    tree = parse_trusted(problem.source.text)
    check = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check")
    body: list[ast.stmt] = []
    for node in check.body:
        call = node.test.left if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) else None
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.List):
            given = ast.unparse(call.args[0])
            call.args[0] = ast.Name("given", ast.Load())
            again = {
                "used again": ast.unparse(node),
                "compared with what it was": f"assert candidate and given == {given}",
                "compared with itself": "assert candidate(given) == candidate(given)",
            }[looks]
            body += [*parse_trusted(f"given = {given}").body, node, *parse_trusted(again).body]
    if not body:
        return ""
    check.body = body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _meddling(problem: Problem, line: str) -> str:
    """Return the reference with ``line`` as the first of its body."""
    return f"{problem.signature}    {line}\n{problem.canonical_solution}"


def prompts(problems: Sequence[Problem], bodies: Sequence[tuple[Problem, str, str]]) -> list[Trial]:
    """Return bodies of functions, each behind its prompt in another form.

    Args:
        problems: their own references are among them.
        bodies: problem, what was changed in its body, and the body.
    """
    all_bodies = [(problem, "canonical", problem.canonical_solution) for problem in problems]
    trials = []
    for number, (problem, change, body) in enumerate([*all_bodies, *bodies]):
        form = list(FORMS)[number % len(FORMS)]
        changed, margin = FORMS[form](problem)
        moved = _reindented(body, margin)
        try:
            parse_trusted(changed.prompt + moved)
        except SyntaxError:  # lines of a text that may not be moved
            continue
        trials.append(Trial(changed, f"prompt {form}: {change}", join_body(moved, changed), continued=moved))
    return trials


def _indented_by(margin: str) -> Callable[[Problem], tuple[Problem, str]]:
    def change(problem: Problem) -> tuple[Problem, str]:
        prompt = problem.preamble + _reindented(problem.signature, margin)
        return replace(
            problem, prompt=prompt, canonical_solution=_reindented(problem.canonical_solution, margin)
        ), margin

    return change


def _behind(lines: str, *, at_top: bool = False) -> Callable[[Problem], tuple[Problem, str]]:
    def change(problem: Problem) -> tuple[Problem, str]:
        before = (lines, problem.preamble) if at_top else (problem.preamble, lines)
        return replace(problem, prompt="".join(before) + problem.signature), "    "

    return change


FORMS: dict[str, Callable[[Problem], tuple[Problem, str]]] = {
    "indented by 2": _indented_by("  "),
    "indented by 8": _indented_by(" " * 8),
    "indented by a tab": _indented_by("\t"),
    "with a decorator of its own": _behind("def kept(f):\n    return f\n\n\n@kept\n"),
    "with a library's decorator": _behind("import functools\n\n\n@functools.wraps(print)\n"),
    "with a future import": _behind("from __future__ import annotations\n", at_top=True),
}
"""What becomes of a prompt, and the indentation of its body then."""


def _reindented(text: str, margin: str) -> str:
    """Return ``text`` with ``margin`` for every four blanks that a line begins with."""
    lines = []
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(" "))
        lines.append(margin * (depth // 4) + " " * (depth % 4) + line.lstrip(" "))
    return "\n".join(lines)


def _target(problem: Problem) -> ast.FunctionDef:
    """Return the target function of the reference."""
    found = [node for node in parse_trusted(problem.reference).body if isinstance(node, ast.FunctionDef)]
    return next(node for node in found if node.name == problem.entry_point)
