"""What a program returns, or does to its arguments, looks to the tests as it does in plain Python."""

from __future__ import annotations

from typing import Any

import pytest

from codeduet.envs import Executor, Problem
from codeduet.envs.execution.instrument import run_trusted


def problem_of(test: str, preamble: str = "") -> Problem:
    """Return a problem of one test: the statements ``test`` of ``check``, whose last is an assert on the candidate."""
    body = "".join(f"    {line}\n" for line in test.split("\n"))
    imports = "import collections, datetime, decimal, enum, fractions, itertools, json, types\n\n\n"
    return Problem("Value/0", f"{preamble}def f(x=None):\n", "f", "", f"{imports}def check(candidate):\n{body}")


def in_plain_python(problem: Problem, main: str) -> bool:
    """Tell whether the tests pass in one process, as prompt, program and tests in one module."""
    namespace = run_trusted(f"{problem.prompt}    pass\n\n\n{main}\n{problem.tests}")
    try:
        namespace["check"](namespace["f"])
    except Exception:  # noqa: BLE001  # whatever it is, it has not passed
        return False
    return True


IMPORTS = (
    "import array, collections, datetime, decimal, enum, fractions, itertools, json, types\nfrom collections import *\n"
)

RETURNED: dict[str, tuple[str, str]] = {
    "UserList equals a list": ("UserList([1, 2])", "assert candidate() == [1, 2]"),
    "UserList equals another": ("UserList([1, 2])", "assert candidate() == candidate()"),
    "UserList is no list": ("UserList([1])", "assert not isinstance(candidate(), list)"),
    "UserList nested": ("[UserList([UserList([1])])]", "assert candidate() == [[[1]]]"),
    "UserList is sorted": ("UserList([2, 1])", "assert sorted(candidate()) == [1, 2] and candidate()[0] == 2"),
    "UserDict equals a dict": ("UserDict(a=1)", "assert candidate() == {'a': 1} and candidate()['a'] == 1"),
    "UserString equals text": ("UserString('ab')", "assert candidate() == 'ab' and candidate().upper() == 'AB'"),
    "ChainMap equals a dict": ("ChainMap({'a': 1}, {'b': 2})", "assert candidate() == {'a': 1, 'b': 2}"),
    "ChainMap keeps its maps": ("ChainMap({'a': 1}, {'a': 2})", "assert candidate().maps == [{'a': 1}, {'a': 2}]"),
    "mappingproxy equals a dict": ("types.MappingProxyType({'a': 1})", "assert candidate() == {'a': 1}"),
    "mappingproxy of a class": ("type('T', (), {'a': 1}).__dict__", "assert candidate()['a'] == 1"),
    "deque equals no list": ("deque([1])", "assert candidate() != [1] and list(candidate()) == [1]"),
    "deque equals a deque": (
        "deque([1], 3)",
        "assert candidate() == collections.deque([1]) and candidate().maxlen == 3",
    ),
    "Counter gives 0 for what is missing": ("Counter('aab')", "assert candidate()['z'] == 0"),
    "Counter equals a dict": ("Counter('aab')", "assert candidate() == {'a': 2, 'b': 1}"),
    "Counter counts": ("Counter('aab')", "assert candidate().most_common(1) == [('a', 2)]"),
    "OrderedDict minds its order": (
        "OrderedDict([(1, 2), (3, 4)])",
        "assert candidate() != collections.OrderedDict([(3, 4), (1, 2)]) and candidate() == {3: 4, 1: 2}",
    ),
    "defaultdict makes what is missing": ("defaultdict(list)", "assert candidate()['x'] == [] and candidate() == {}"),
    "defaultdict of a function": ("defaultdict(lambda: [0, 0])", "assert candidate()['x'] == [0, 0]"),
    "defaultdict of a function, each anew": (
        "defaultdict(lambda: [0])",
        "d = candidate()\nd[1].append(1)\nassert d[2] == [0] and d[1] == [0, 1]",
    ),
    "defaultdict of itself": (
        "(lambda tree: tree(tree))(lambda tree: defaultdict(lambda: tree(tree)))",
        "assert candidate()[1] == {}",
    ),
    "defaultdict of defaultdicts": ("defaultdict(lambda: defaultdict(int))", "assert candidate()[1][2] == 0"),
    "namedtuple's attributes": ("namedtuple('P', 'x y')(1, 2)", "assert candidate().x == 1 and candidate() == (1, 2)"),
    "namedtuple shown": ("namedtuple('P', 'x y')(1, 2)", "assert repr(candidate()) == 'P(x=1, y=2)'"),
    "namedtuple's methods": (
        "namedtuple('P', 'x y')(1, 2)",
        "assert candidate()._asdict() == {'x': 1, 'y': 2} and candidate()._replace(y=3) == (1, 3)",
    ),
    "a member's name and value": (
        "enum.Enum('C', 'RED BLUE').BLUE",
        "assert candidate().name == 'BLUE' and candidate().value == 2 and candidate() != 2",
    ),
    "a member shown": ("enum.Enum('C', 'RED').RED", "assert str(candidate()) == 'C.RED'"),
    "a member that is a number": (
        "enum.IntEnum('C', 'RED').RED",
        "assert candidate() == 1 and candidate().name == 'RED' and candidate() + 1 == 2",
    ),
    "a member that is a text": (
        "enum.Enum('C', {'RED': 'r'}, type=str).RED",
        "assert candidate() == 'r' and candidate().value == 'r'",
    ),
    "Decimal": (
        "decimal.Decimal('1.50')",
        "assert candidate() == decimal.Decimal('1.5') and str(candidate()) == '1.50'",
    ),
    "Fraction": ("fractions.Fraction(6, 4)", "assert candidate() == fractions.Fraction(3, 2) and candidate() == 1.5"),
    "a date": ("datetime.date(2024, 2, 29)", "assert candidate() == datetime.date(2024, 2, 29)"),
    "a moment": (
        "datetime.datetime(2024, 1, 2, 3, 4, 5, 6)",
        "assert candidate() == datetime.datetime(2024, 1, 2, 3, 4, 5, 6) and candidate().hour == 3",
    ),
    "a moment in a zone": (
        "datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)",
        "assert candidate().isoformat() == '2024-01-02T00:00:00+00:00'",
    ),
    "a span": ("datetime.timedelta(days=1, seconds=5)", "assert candidate().total_seconds() == 86405"),
    "a time": ("datetime.time(1, 2)", "assert candidate() == datetime.time(1, 2)"),
    "a time zone": (
        "datetime.timezone(datetime.timedelta(hours=2))",
        "assert candidate() == datetime.timezone(datetime.timedelta(hours=2))",
    ),
    "a range": ("range(0, 10, 3)", "assert candidate() == range(0, 12, 3) and candidate()[1] == 3"),
    "next of a generator": ("(i for i in (1, 2))", "assert next(candidate()) == 1"),
    "list of a generator": ("(i for i in range(1000))", "assert list(candidate()) == list(range(1000))"),
    "sum of a generator, once": ("(i for i in (1, 2))", "g = candidate()\nassert sum(g) == 3 and list(g) == []"),
    "next of one without end": ("itertools.count(5)", "assert next(candidate()) == 5"),
    "much of one without end": (
        "itertools.count()",
        "assert list(itertools.islice(candidate(), 3000)) == list(range(3000))",
    ),
    "two of them by turns": (
        "[itertools.count(), itertools.count(100)]",
        "a, b = candidate()\nassert [next(x) for _ in range(700) for x in (a, b)][-2:] == [699, 799]",
    ),
    "a generator is one": ("(i for i in ())", "assert isinstance(candidate(), types.GeneratorType)"),
    "next of an iterator": ("iter([1, 2])", "assert next(candidate()) == 1 and next(iter([3])) == 3"),
    "an iterator is not what it gives": ("iter([1])", "assert candidate() != [1]"),
    "map, zip and filter": (
        "[map(str, [1]), zip([1], [2])]",
        "assert [list(i) for i in candidate()] == [['1'], [(1, 2)]]",
    ),
    "groups while they are read": (
        "itertools.groupby('aab')",
        "assert [(k, list(g)) for k, g in candidate()] == [('a', ['a', 'a']), ('b', ['b'])]",
    ),
    "what raises in the middle": (
        "map(int, ['1', 'x'])",
        (
            "got = []\ntry:\n    for i in candidate():\n        got.append(i)\nexcept ValueError:\n    got.append('error')\n"
            "assert candidate and got == [1, 'error']"
        ),
    ),
    "an iterator has no other methods": (
        "map(str, [1])",
        "got = candidate()\nassert not hasattr(got, 'tolist') and list(got) == ['1']",
    ),
    "keys are a set": ("{1: 2}.keys()", "assert candidate() == {1} and 1 in candidate()"),
    "items are a set": ("{1: 2}.items()", "assert candidate() == {(1, 2)}"),
    "values are a sequence": ("{1: 2}.values()", "assert list(candidate()) == [2] and candidate() != [2]"),
    "a memoryview": ("memoryview(b'ab')", "assert candidate() == b'ab'"),
    "an array": ("array.array('i', [1, 2])", "assert list(candidate()) == [1, 2] and candidate().typecode == 'i'"),
    "a class": ("int", "assert candidate() is int"),
    "the class of None": ("type(None)", "assert candidate() is type(None)"),
    "a slice": ("slice(1, 5, 2)", "assert candidate() == slice(1, 5, 2) and candidate().stop == 5"),
    "a moment by its parts": (
        "__import__('time').struct_time((2024, 1, 2, 3, 4, 5, 6, 7, 0))",
        "assert candidate().tm_year == 2024 and candidate()[:3] == (2024, 1, 2)",
    ),
    "several flags of its own": (
        "(lambda c: [c.A | c.B, c.A | c.B, c.B])(enum.Flag('C', 'A B'))",
        "both, again, one = candidate()\nassert both == again != one and both.value == 3",
    ),
    "an ellipsis": ("...", "assert candidate() is ..."),
    "an exception": ("KeyError('a')", "assert isinstance(candidate(), KeyError) and candidate().args == ('a',)"),
}
LINES = {
    "its arguments": ("raise KeyError('a')", "KeyError", "str(e) == \"'a'\" and e.args == ('a',)"),
    "its text": ("raise ValueError('no')", "ValueError", "str(e) == 'no'"),
    "a library's class": ("json.loads('{')", "json.JSONDecodeError", "True"),
    "its base": ("json.loads('{')", "ValueError", "True"),
    "a class of arithmetic": ("decimal.Decimal(1) / decimal.Decimal(0)", "decimal.DivisionByZero", "True"),
    "a number of the system's": ("open('/none')", "FileNotFoundError", "e.errno == 2"),
    "an exit": ("raise SystemExit(3)", "SystemExit", "e.code == 3"),
    "an attribute": ("e = ValueError(); e.code = 7; raise e", "ValueError", "e.code == 7"),
}
PREAMBLE = (
    "import enum\nfrom dataclasses import dataclass\nfrom typing import NamedTuple\n\n\n"
    "class Broken(Exception):\n    def __init__(self, code):\n        super().__init__(f'code {code}')\n        self.code = code\n\n\n"
    "class Worse(Broken):\n    pass\n\n\n"
    "class Colour(enum.Enum):\n    RED = 1\n\n\n"
    "class Pair(NamedTuple):\n    x: int\n    y: int\n\n\n"
    "@dataclass\nclass Node:\n    value: int\n    rest: 'Node | None' = None\n\n\n"
    "@dataclass(slots=True)\nclass Slim:\n    value: int\n    rest: 'Slim | None' = None\n\n\n"
    "@dataclass(frozen=True, slots=True)\nclass Key:\n    name: str\n    of: tuple = ()\n\n\n"
    "class Half:\n    __slots__ = ('a', 'b')\n\n\n"
    "class Whole(Half):\n    pass\n\n\n"
    "class Access(enum.Flag):\n    READ = 1\n    WRITE = 2\n\n\n"
    "def chain(kind, length):\n    made = None\n    for number in range(length):\n        made = kind(number, made)\n    return made\n\n\n"
    "def values(node):\n    found = []\n    while node:\n        found.append(node.value)\n        node = node.rest\n    return found\n\n\n"
)
OWN: dict[str, tuple[str, str]] = {
    "its exception": (
        "raise Worse(3)",
        (
            "try:\n    candidate()\nexcept Broken as e:\n    got = (type(e).__name__, e.code, str(e))\n"
            "assert candidate and got == ('Worse', 3, 'code 3')"
        ),
    ),
    "another is none of its": (
        "raise ValueError(3)",
        "try:\n    got = candidate()\nexcept ValueError:\n    got = 1\nassert candidate and got == 1",
    ),
    "its member": ("return Colour.RED", "assert candidate() is Colour.RED"),
    "its namedtuple": ("return Pair(1, 2)", "assert isinstance(candidate(), Pair) and candidate().y == 2"),
    "its dataclass": ("return Node(1, Node(2))", "assert candidate() == Node(1, Node(2))"),
    "its dataclass as an argument": ("return x.rest.value", "assert candidate(Node(1, Node(5))) == 5"),
    "its member as an argument": ("return x is Colour.RED", "assert candidate(Colour.RED)"),
    "its dataclass changed in place": (
        "x.rest = Node(7)",
        "n = Node(1)\ncandidate(n)\nassert candidate and n.rest.value == 7",
    ),
}
REVERSE = "last = None\n    while x:\n        x.rest, last, x = last, x, x.rest\n    return last"
SLOTS_AND_CHAINS: dict[str, tuple[str, str]] = {
    "its slim dataclass": ("return Slim(1, Slim(2))", "assert candidate() == Slim(1, Slim(2))"),
    "its slim dataclass as an argument": ("return x.rest.value", "assert candidate(Slim(1, Slim(5))) == 5"),
    "its slim dataclass changed in place": (
        "x.rest = Slim(7)",
        "n = Slim(1)\ncandidate(n)\nassert candidate and n.rest.value == 7",
    ),
    "its slim dataclass left alone": ("return 1", "n = Slim(1)\nassert candidate(n) == 1 and n == Slim(1)"),
    "its slots, some empty": (
        "h = Half()\n    h.a = x.a + 1\n    return h",
        "h = Half()\nh.a = 1\ngot = candidate(h)\nassert got.a == 2 and not hasattr(got, 'b')",
    ),
    "its slots, one emptied": ("del x.a", "h = Half()\nh.a = 1\ncandidate(h)\nassert candidate and not hasattr(h, 'a')"),
    "its slots and more": (
        "x.a, x.c = 5, x.a\n    return x",
        "w = Whole()\nw.a = 1\ngot = candidate(w)\nassert got is w and (w.a, w.c) == (5, 1)",
    ),
    "its frozen ones in a set": (
        "return {Key('a'), Key('b', (Key('c'),))}",
        "assert candidate() == {Key('a'), Key('b', (Key('c'),))} and Key('a') in candidate()",
    ),
    "its frozen ones as keys": ("return {Key('a'): x[Key('b')]}", "assert candidate({Key('b'): 1}) == {Key('a'): 1}"),
    "its frozen ones in a set, deep": (
        "k, n = Key('a'), None\n    for i in range(60):\n        n = Node([k, {k, Key(str(i))}, {k: k}], n)\n    return n",
        "n = candidate()\nwhile n.rest:\n    n = n.rest\nassert n.value == [Key('a'), {Key('a'), Key('0')}, {Key('a'): Key('a')}]",
    ),
    "both of its flags": ("return Access.READ | x", "assert candidate(Access.WRITE) == Access.READ | Access.WRITE"),
    "both of its flags as an argument": (
        "return x is Access.READ | Access.WRITE",
        "assert candidate(Access.READ | Access.WRITE)",
    ),
    "none of its flags": ("return x & Access.READ", "assert candidate(Access.WRITE) is Access(0)"),
    "a long chain as an argument": ("return values(x)", "assert candidate(chain(Node, 3000)) == list(range(3000))[::-1]"),
    "a long chain given": ("return chain(Node, 3000)", "assert values(candidate()) == list(range(3000))[::-1]"),
    "a long slim chain, there and back": (REVERSE, "assert values(candidate(chain(Slim, 400))) == list(range(400))"),
    "a long chain turned round in place": (
        REVERSE,
        "n = chain(Node, 400)\nlast = candidate(n)\nassert n.rest is None and last is not n and values(last)[-1] == n.value == 399",
    ),
    "a chain that ends in itself": ("n = Node(1)\n    n.rest = n\n    return n", "n = candidate()\nassert n.rest is n"),
    "a chain that ends in itself as an argument": (
        "return x.rest.rest is x",
        "n = Node(1, Node(2))\nn.rest.rest = n\nassert candidate(n)",
    ),
    "a tree whose children know it": (
        "root = Node([], None)\n    root.value += [Node(1, root), Node(2, root)]\n    return root",
        "root = candidate()\nassert [c.value for c in root.value] == [1, 2] and all(c.rest is root for c in root.value)",
    ),
    "one in two places": ("n = Node(1)\n    return [n, n, Node(1)]", "a, b, c = candidate()\nassert a is b and a is not c and a == c"),
    "one that a generator gives as it changes": (
        "def g():\n        n = Node(0)\n        for _ in range(3):\n            n.value += 1\n            yield n\n    return g()",
        "g = candidate()\nassert [next(g).value, next(g).value] == [1, 2]",
    ),
    "long chains that a generator gives": (
        "return (chain(Node, n) for n in (50, 100))",
        "assert [len(values(n)) for n in candidate()] == [50, 100]",
    ),
    "a long chain in a generator in a long chain": (
        "return chain(lambda v, r: Node(v, r or (chain(Node, 60) for _ in range(2))), 60)",
        "n = candidate()\nwhile isinstance(n, Node):\n    n = n.rest\nassert [len(values(m)) for m in n] == [60, 60]",
    ),
    "a long chain that a factory gives": (
        "import collections\n    return [chain(Node, 60), collections.defaultdict(lambda: [chain(Node, 60)] * 2), chain(Node, 30)]",
        "a, d, b = candidate()\none, two = d['x']\nassert [len(values(n)) for n in (a, one, b)] == [60, 60, 30] and one is two",
    ),
    "a long chain in an exception": (
        "raise Broken(chain(Node, 100))",
        "try:\n    candidate()\nexcept Broken as e:\n    got = e.code\nassert candidate and len(values(got)) == 100",
    ),
}  # fmt: skip
CHANGED: dict[str, tuple[str, str]] = {
    "a list sorted in place": ("x.sort()", "l = [3, 1, 2]\ncandidate(l)\nassert candidate and l == [1, 2, 3]"),
    "a list sorted, and used again": ("x.sort(); return x", "l = [3, 1]\nassert candidate(l) == l"),
    "a list that is left alone": ("return sorted(x)", "l = [3, 1]\nassert candidate(l) != l and l == [3, 1]"),
    "a list given back": ("return x", "l = [1]\nassert candidate(l) is l"),
    "a copy given back": ("return x[:]", "l = [1]\nassert candidate(l) is not l and candidate(l) == l"),
    "an inner list": ("x[0].append(9)", "i = [1]\nl = [i, i]\ncandidate(l)\nassert candidate and i == [1, 9] == l[1]"),
    "one list in two places": ("x[0][0] = 5; return x", "assert candidate([[0]] * 2) == [[5], [5]]"),
    "a list put in": ("y = [1]; x.append(y)", "l = []\ncandidate(l)\nassert candidate and l == [[1]]"),
    "a list in itself": ("x.append(x)", "l = []\ncandidate(l)\nassert candidate and l[0] is l"),
    "a dict": ("x['b'] = 2; del x['a']", "d = {'a': 1}\ncandidate(d)\nassert candidate and d == {'b': 2}"),
    "a set": ("x.discard(1); x.add(5)", "s = {1, 2}\ncandidate(s)\nassert candidate and s == {2, 5}"),
    "a bytearray": ("x.extend(b'c')", "b = bytearray(b'ab')\ncandidate(b)\nassert candidate and b == b'abc'"),
    "a deque": (
        "x.rotate(1)",
        "d = collections.deque([1, 2, 3])\ncandidate(d)\nassert candidate and list(d) == [3, 1, 2]",
    ),
    "a Counter": ("x['a'] += 1", "c = collections.Counter('a')\ncandidate(c)\nassert candidate and c['a'] == 2"),
    "an OrderedDict": (
        "x.move_to_end(1)",
        "d = collections.OrderedDict([(1, 1), (2, 2)])\ncandidate(d)\nassert candidate and list(d) == [2, 1]",
    ),
    "a defaultdict": (
        "x['k'].append(1)",
        "d = collections.defaultdict(list)\ncandidate(d)\nassert candidate and d == {'k': [1]}",
    ),
    "a UserList": ("x.append(1)", "u = collections.UserList()\ncandidate(u)\nassert candidate and u == [1]"),
    "in a tuple": ("x[0].append(1)", "t = ([],)\ncandidate(t)\nassert candidate and t == ([1],)"),
    "before it raises": (
        "x.append(1); raise ValueError",
        "l = []\ntry:\n    candidate(l)\nexcept ValueError:\n    pass\nassert candidate and l == [1]",
    ),
    "again and again": (
        "x.append(len(x)); return len(x)",
        "l = []\nfor _ in range(5):\n    candidate(l)\nassert candidate(l) == 6 and l == [0, 1, 2, 3, 4, 5]",
    ),
    "an iterator": ("return list(x)", "assert candidate(iter([1, 2])) == [1, 2]"),
    "an argument that waits in a generator": ("return (i for i in x)", "assert list(candidate([1, 2])) == [1, 2]"),
    "a function that is built in": ("return x('abc')", "assert candidate(len) == 3"),
}


def cases() -> list[Any]:
    made = [
        (name, test, f"{IMPORTS}def f(x=None):\n    return {value}\n", "") for name, (value, test) in RETURNED.items()
    ]
    made += [
        (
            f"raises: {name}",
            f"try:\n    candidate()\nexcept {kind} as e:\n    got = {held}\nassert candidate and got",
            f"{IMPORTS}def f(x=None):\n    {line}\n",
            "",
        )
        for name, (line, kind, held) in LINES.items()
    ]
    made += [
        (f"the prompt's: {name}", test, f"def f(x=None):\n    {line}\n", PREAMBLE)
        for name, (line, test) in (OWN | SLOTS_AND_CHAINS).items()
    ]
    made += [(f"in place: {name}", test, f"def f(x=None):\n    {line}\n", "") for name, (line, test) in CHANGED.items()]
    return [pytest.param(test, main, preamble, id=name) for name, test, main, preamble in made]


@pytest.mark.parametrize(("test", "main", "preamble"), cases())
def test_a_value_behaves_as_in_plain_python(executor: Executor, test: str, main: str, preamble: str) -> None:
    problem = problem_of(test, preamble)
    assert in_plain_python(problem, main)
    outcome = executor.judge(problem, main_code=main)
    assert outcome.solved, outcome.error
