"""Programs that are right by what they return, and by how they are written: the rest of ``odd``.

Their values are no plain data but equal to it, they change an argument and give it back, or they hang on how a module is
compiled and registered.
"""

from __future__ import annotations

from codeduet.benchmarks.verdict.corpora import Case


def _case(name: str, kind: str, number: int, main: str, helper: str = "") -> Case:
    return Case(name=name, kind=kind, task_id=f"HumanEval/{number}", main=main.lstrip("\n"), helper=helper.lstrip("\n"))


_HISTOGRAM = """
    words = test.split()
    most = max(map(words.count, words), default=0)
    found = {word: most for word in words if words.count(word) == most}
"""


def _histogram(name: str, imports: str, returned: str) -> Case:
    """A solution of HumanEval/111 that returns its dict as something equal to it."""
    return _case(name, "equal to a dict", 111, f"{imports}\n\ndef histogram(test):{_HISTOGRAM}    return {returned}\n")


def _incremented(name: str, kind: str, returned: str, before: str = "") -> Case:
    """A solution of HumanEval/42 that returns ``returned``, an expression of ``l``."""
    return _case(name, kind, 42, f"{before}\n\ndef incr_list(l):\n    return {returned}\n")


_DICTS = (
    _histogram("user-dict", "from collections import UserDict", "UserDict(found)"),
    _histogram("chain-map", "from collections import ChainMap", "ChainMap({}, found)"),
    _histogram("mapping-proxy", "from types import MappingProxyType", "MappingProxyType(found)"),
    _histogram("ordered-dict-returned", "from collections import OrderedDict", "OrderedDict(sorted(found.items()))"),
    _histogram("counter-returned", "from collections import Counter", "Counter(found)"),
    _histogram("defaultdict-of-function", "from collections import defaultdict", "defaultdict(lambda: 0, found)"),
    _histogram(
        "dict-of-user-strings", "from collections import UserString", "{UserString(k): v for k, v in found.items()}"
    ),
    _histogram(
        "own-dict-class",
        "class Table(dict):\n    def __missing__(self, key):\n        return 0",
        "Table(found)",
    ),
)
_LISTS = (
    _incremented("user-list", "equal to a list", "UserList(x + 1 for x in l)", "from collections import UserList"),
    _incremented(
        "user-list-of-own-class",
        "equal to a list",
        "Numbers(x + 1 for x in l)",
        "from collections import UserList\n\n\nclass Numbers(UserList):\n    pass",
    ),
    _incremented(
        "list-of-fractions", "equal to numbers", "[Fraction(x + 1) for x in l]", "from fractions import Fraction"
    ),
    _incremented("list-of-decimals", "equal to numbers", "[Decimal(x) + 1 for x in l]", "from decimal import Decimal"),
    _incremented(
        "list-of-members",
        "equal to numbers",
        "[IntEnum(f'N{x}', {'A': x + 1}).A for x in l]",
        "from enum import IntEnum",
    ),
    _incremented("list-of-complex", "equal to numbers", "[complex(x + 1) for x in l]"),
    _incremented("changed-in-place", "in place", "[l.__setitem__(i, x + 1) for i, x in enumerate(l)] and l or l"),
    _incremented("cleared-argument", "in place", "[x + 1 for x in l] + [l.clear()][:0]"),
    _incremented(
        "through-pickle",
        "of a module",
        "pickle.loads(pickle.dumps(Box([x + 1 for x in l]))).held",
        "import pickle\n\n\nclass Box:\n    def __init__(self, held):\n        self.held = held",
    ),
    _incremented(
        "through-its-own-module",
        "of a module",
        "[sys.modules[__name__].plus(x) for x in l]",
        "import sys\n\n\ndef plus(x):\n    return x + 1",
    ),
    _incremented("name-is-not-main", "of a module", "[x + (__name__ != '__main__') for x in l]"),
    _incremented("module-has-no-spec-of-ours", "of a module", "[x + ('codeduet' not in repr(globals())) for x in l]"),
    _incremented(
        "no-module-of-ours",
        "of a module",
        "[x + (not any('codeduet' in m for m in sys.modules)) for x in l]",
        "import sys",
    ),
    _incremented(
        "no-words-of-ours",
        "of a module",
        "[x + ('codeduet' not in f'{sys.argv} {sys.orig_argv}') for x in l]",
        "import sys",
    ),
)
_ANNOTATED = (
    _incremented(
        "annotations-are-values",
        "annotations",
        "[plus.__annotations__['x'](plus(x)) for x in l]",
        "def plus(x: int) -> int:\n    return x + 1",
    ),
    _incremented(
        "annotation-checked-by-a-decorator",
        "annotations",
        "list(map(plus, l))",
        """
def checked(f):
    kinds = list(f.__annotations__.values())
    def inner(*values):
        if not all(isinstance(value, kind) for value, kind in zip(values, kinds)):
            raise TypeError
        return f(*values)
    return inner

@checked
def plus(x: int):
    return x + 1""",
    ),
    _incremented(
        "annotation-with-an-effect",
        "annotations",
        "[x + len(seen) for x in l]",
        "seen = []\n\n\ndef f(x: seen.append(1)):\n    pass",
    ),
    _incremented(
        "singledispatch-by-annotation",
        "annotations",
        "[plus(x) for x in l]",
        """
from functools import singledispatch

@singledispatch
def plus(x):
    raise TypeError

@plus.register
def _(x: int):
    return x + 1""",
    ),
    _incremented(
        "dataclass-with-initvar",
        "annotations",
        "[Plus(x).y for x in l]",
        """
from dataclasses import InitVar, dataclass

@dataclass
class Plus:
    x: InitVar[int]
    def __post_init__(self, x):
        self.y = x + 1""",
    ),
    _incremented(
        "dataclass-with-classvar",
        "annotations",
        "[Plus(x).sum() for x in l]",
        """
from dataclasses import dataclass
from typing import ClassVar

@dataclass
class Plus:
    x: int
    one: ClassVar[int] = 1
    def sum(self):
        return self.x + self.one""",
    ),
    _incremented(
        "hints-of-a-typed-dict",
        "annotations",
        "[get_type_hints(Row)['x'](x + 1) for x in l]",
        "from typing import TypedDict, get_type_hints\n\n\nclass Row(TypedDict):\n    x: int",
    ),
)
_LONG = (
    _incremented("sum-of-2000-terms", "too deep for a tree", f"[x + ({' + '.join(['1'] * 2000)}) // 2000 for x in l]"),
    _incremented("600-chained-calls", "too deep for a tree", f"[int(str(x + 1){'.strip()' * 600}) for x in l]"),
    _incremented(
        "300-branches",
        "too deep for a tree",
        "[plus(x) for x in l]",
        "def plus(x):\n    if x == -1:\n        return 0\n"
        + "".join(f"    elif x == {1000 + i}:\n        return {1001 + i}\n" for i in range(300))
        + "    return x + 1",
    ),
)
_TUPLES = (
    _case(
        "namedtuple-returned",
        "equal to a tuple",
        8,
        """
from collections import namedtuple
from math import prod

Both = namedtuple("Both", "total product")

def sum_product(numbers):
    return Both(sum(numbers), prod(numbers))
""",
    ),
    _case(
        "typed-namedtuple-returned",
        "equal to a tuple",
        8,
        """
from typing import NamedTuple
from math import prod

class Both(NamedTuple):
    total: int
    product: int = 1

def sum_product(numbers):
    return Both(sum(numbers), prod(numbers))
""",
    ),
    _case(
        "user-string",
        "equal to text",
        28,
        """
from collections import UserString

def concatenate(strings):
    return sum(map(UserString, strings), UserString(""))
""",
    ),
    _case(
        "text-of-own-class",
        "equal to text",
        28,
        """
class Text(str):
    def __eq__(self, other):
        return str(self) == other

    __hash__ = str.__hash__

def concatenate(strings):
    return Text("".join(strings))
""",
    ),
    _case(
        "sorted-in-place-and-returned",
        "in place",
        34,
        """
def unique(l):
    seen = set(l)
    l[:] = seen
    l.sort()
    return l
""",
    ),
    _case(
        "memo-of-arguments",
        "in place",
        9,
        """
def rolling_max(numbers, memo={}):
    for i in range(1, len(numbers)):
        numbers[i] = max(numbers[i - 1], numbers[i])
    memo[id(numbers)] = numbers
    return memo[id(numbers)]
""",
    ),
)

CASES: tuple[Case, ...] = (*_DICTS, *_LISTS, *_ANNOTATED, *_LONG, *_TUPLES)
