"""Programs that are right in unusual ways: every one must pass all its tests.

They guard against an executor that keeps cheats out by turning honest programs away: odd types for plain values, parts
of the standard library that need threads, sockets or time, output, exits that are caught, names that are redefined.
"""

from __future__ import annotations

import sys

from codeduet.benchmarks.verdict.corpora import Case, odd_values


def _case(name: str, kind: str, number: int, main: str, helper: str = "") -> Case:
    return Case(name=name, kind=kind, task_id=f"HumanEval/{number}", main=main.lstrip("\n"), helper=helper.lstrip("\n"))


_CONCURRENCY = (
    _case(
        "asyncio-run",
        "asyncio",
        8,
        """
import asyncio

async def total(numbers):
    await asyncio.sleep(0)
    return sum(numbers)

async def product(numbers):
    result = 1
    for number in numbers:
        await asyncio.sleep(0)
        result *= number
    return result

def sum_product(numbers):
    async def both():
        return await asyncio.gather(total(numbers), product(numbers))
    return tuple(asyncio.run(both()))
""",
    ),
    _case(
        "asyncio-queue",
        "asyncio",
        42,
        """
import asyncio

def incr_list(l):
    async def work():
        queue = asyncio.Queue()
        async def produce():
            for item in l:
                await queue.put(item)
            await queue.put(None)
        async def consume():
            done = []
            while (item := await queue.get()) is not None:
                done.append(item + 1)
            return done
        _, done = await asyncio.gather(produce(), consume())
        return done
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(work(), 2))
    finally:
        loop.close()
""",
    ),
    _case(
        "threads-and-queue",
        "threads",
        28,
        """
import queue
import threading

def concatenate(strings):
    box = queue.Queue()
    def feed():
        for string in strings:
            box.put(string)
        box.put(None)
    feeder = threading.Thread(target=feed)
    feeder.start()
    joined = ""
    while True:
        item = box.get()
        if item is None:
            break
        joined += item
    feeder.join()
    return joined
""",
    ),
    _case(
        "thread-pool",
        "threads",
        152,
        """
def compare(game, guess):
    with ThreadPoolExecutor(max_workers=3) as pool:
        return list(pool.map(lambda pair: abs(pair[0] - pair[1]), zip(game, guess)))
""",
        "from concurrent.futures import ThreadPoolExecutor\n",
    ),
    _case(
        "daemon-thread-left-running",
        "threads",
        35,
        """
import threading
import time

def beat():
    while True:
        time.sleep(0.01)

threading.Thread(target=beat, daemon=True).start()

def max_element(l):
    return max(l)
""",
    ),
    _case(
        "thread-left-waiting",
        "threads",
        13,
        """
import threading

never = threading.Event()
threading.Thread(target=never.wait).start()

def greatest_common_divisor(a, b):
    return a if b == 0 else greatest_common_divisor(b, a % b)
""",
    ),
    _case(
        "deep-recursion-in-thread",
        "threads",
        60,
        """
import sys
import threading

def sum_to_n(n):
    sys.setrecursionlimit(10_000)
    found = []
    def down(k):
        return k + down(k - 1) if k else 0
    worker = threading.Thread(target=lambda: found.append(down(n)))
    worker.start()
    worker.join()
    return found[0]
""",
    ),
    _case(
        "contextvars-and-thread-local",
        "threads",
        41,
        """
import contextvars
import threading

size = contextvars.ContextVar("size")
local = threading.local()

def car_race_collision(n):
    size.set(n)
    local.cars = size.get()
    return contextvars.copy_context().run(lambda: size.get() * local.cars)
""",
    ),
)

_CLASSES = (
    _case(
        "dataclass",
        "classes",
        3,
        """
from dataclasses import dataclass, field

@dataclass
class Account:
    balance: int = 0
    history: list = field(default_factory=list)

    def apply(self, operation):
        self.balance += operation
        self.history.append(self.balance)

def below_zero(operations):
    account = Account()
    for operation in operations:
        account.apply(operation)
    return any(balance < 0 for balance in account.history)
""",
    ),
    _case(
        "dataclass-with-text-annotations",
        "classes",
        20,
        """
from dataclasses import dataclass
from typing import ClassVar

@dataclass(order=True, frozen=True, slots=True)
class Pair:
    gap: "float"
    low: "float"
    high: "typing.Any"
    count: "ClassVar[int]" = 2

def find_closest_elements(numbers: list[float]) -> tuple[float, float]:
    ordered = sorted(numbers)
    best = min(Pair(high - low, low, high) for low, high in zip(ordered, ordered[1:]))
    return best.low, best.high
""",
    ),
    _case(
        "type-hints-resolved",
        "classes",
        45,
        """
import typing

class Shape:
    base: "int"
    height: "int"

def triangle_area(a: "int", h: "int") -> "float":
    assert typing.get_type_hints(Shape) == {"base": int, "height": int}
    assert typing.get_type_hints(triangle_area)["return"] is float
    return a * h / 2
""",
    ),
    # OpenAI's checker fails this one, as it puts the prompt's open function before main's first line.
    _case(
        "future-annotations",
        "future import",
        157,
        """
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

@dataclass(frozen=True)
class Triangle:
    a: Side
    b: Side
    c: Side
    corners: ClassVar[int] = 3

    def is_right(self) -> Answer:
        *legs, longest = sorted(getattr(self, field.name) ** 2 for field in fields(self))
        return sum(legs) == longest

def right_angle_triangle(a: int, b: int, c: int) -> Answer:
    return Triangle(a, b, c).is_right()
""",
    ),
    _case(
        "named-tuple-result",
        "tuple subclass",
        155,
        """
from typing import NamedTuple

class Digits(NamedTuple):
    even: int
    odd: int

def even_odd_count(num):
    digits = [int(digit) % 2 for digit in str(abs(num))]
    return Digits(even=digits.count(0), odd=digits.count(1))
""",
    ),
    _case(
        "namedtuple-of-collections",
        "tuple subclass",
        107,
        """
from collections import namedtuple

Palindromes = namedtuple("Palindromes", "even odd")

def even_odd_palindrome(n):
    found = [k for k in range(1, n + 1) if str(k) == str(k)[::-1]]
    odd = sum(k & 1 for k in found)
    return Palindromes._make((len(found) - odd, odd))
""",
    ),
    _case(
        "int-enum-results",
        "int subclass",
        17,
        """
def parse_music(music_string):
    return [Note[NAMES[note]] for note in music_string.split()]
""",
        """
from enum import IntEnum

NAMES = {"o": "WHOLE", "o|": "HALF", ".|": "QUARTER"}

class Note(IntEnum):
    WHOLE = 4
    HALF = 2
    QUARTER = 1
""",
    ),
    _case(
        "str-enum-result",
        "str subclass",
        110,
        """
import enum

class Answer(str, enum.Enum):
    YES = "YES"
    NO = "NO"

def exchange(lst1, lst2):
    evens = sum(item % 2 == 0 for item in [*lst1, *lst2])
    return Answer.YES if evens >= len(lst1) else Answer.NO
""",
    ),
    _case(
        "str-subclass",
        "str subclass",
        27,
        """
class Text(str):
    __slots__ = ()

    def flipped(self):
        return Text("".join(c.lower() if c.isupper() else c.upper() for c in self))

def flip_case(string):
    return Text(string).flipped()
""",
    ),
    _case(
        "list-subclass",
        "list subclass",
        34,
        """
class SortedSet(list):
    def __init__(self, items=()):
        super().__init__()
        for item in items:
            self.add(item)

    def add(self, item):
        if item not in self:
            self.append(item)
            self.sort()

def unique(l):
    return SortedSet(l)
""",
    ),
    _case(
        "int-subclass-with-own-arithmetic",
        "int subclass",
        49,
        """
class Residue(int):
    def doubled(self, p):
        return Residue(2 * self % p)

    def __repr__(self):
        return "Residue"

def modp(n, p):
    result = Residue(1 % p)
    for _ in range(n):
        result = result.doubled(p)
    return result
""",
    ),
    _case(
        "metaclass",
        "classes",
        19,
        """
class Registry(type):
    order = {}

    def __new__(meta, name, bases, body, **options):
        made = super().__new__(meta, name, bases, body)
        if "value" in options:
            meta.order[name] = options["value"]
        return made

for value, name in enumerate("zero one two three four five six seven eight nine".split()):
    Registry(name, (), {}, value=value)

def sort_numbers(numbers):
    return " ".join(sorted(numbers.split(), key=Registry.order.__getitem__))
""",
    ),
    _case(
        "slots-and-property",
        "classes",
        71,
        """
class Triangle:
    __slots__ = ("sides",)

    def __init__(self, *sides):
        self.sides = sorted(sides)

    @property
    def valid(self):
        return self.sides[0] + self.sides[1] > self.sides[2]

    @property
    def area(self):
        half = sum(self.sides) / 2
        product = half
        for side in self.sides:
            product *= half - side
        return round(product ** 0.5, 2)

def triangle_area(a, b, c):
    triangle = Triangle(a, b, c)
    return triangle.area if triangle.valid else -1
""",
    ),
    _case(
        "operator-overloading",
        "classes",
        62,
        """
class Polynomial:
    def __init__(self, *terms):
        self.terms = list(terms)

    def __invert__(self):
        return Polynomial(*(power * term for power, term in enumerate(self.terms)))

    def __rshift__(self, count):
        return self.terms[count:]

def derivative(xs):
    return ~Polynomial(*xs) >> 1
""",
    ),
    _case(
        "abstract-class-and-protocol",
        "classes",
        56,
        """
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

@runtime_checkable
class Checks(Protocol):
    def holds(self, text): ...

class Rule(ABC):
    @abstractmethod
    def holds(self, text): ...

class Balanced(Rule):
    def holds(self, text):
        while "<>" in text:
            text = text.replace("<>", "")
        return not text

def correct_bracketing(brackets):
    rule = Balanced()
    assert isinstance(rule, Checks)
    return rule.holds(brackets)
""",
    ),
    _case(
        "descriptor-and-init-subclass",
        "classes",
        23,
        """
class Length:
    def __set_name__(self, owner, name):
        owner.names = [*getattr(owner, "names", []), name]

    def __get__(self, instance, owner=None):
        return sum(1 for _ in instance.text)

class Base:
    def __init_subclass__(cls, **options):
        cls.options = options

class Text(Base, strict=True):
    size = Length()

    def __init__(self, text):
        self.text = text

def strlen(string):
    return getattr(Text(string), Text.names[0])
""",
    ),
)

_VALUES = (
    _case(
        "counter-for-dict",
        "odd type of value",
        111,
        """
from collections import Counter

def histogram(test):
    counts = Counter(test.split())
    top = max(counts.values(), default=0)
    return Counter({letter: count for letter, count in counts.items() if count == top})
""",
    ),
    _case(
        "defaultdict-for-dict",
        "odd type of value",
        111,
        """
from collections import defaultdict

def histogram(test):
    counts = defaultdict(int)
    for letter in test.split():
        counts[letter] += 1
    for letter in [letter for letter in counts if counts[letter] < max(counts.values())]:
        del counts[letter]
    return counts
""",
    ),
    _case(
        "ordered-dict-for-dict",
        "odd type of value",
        111,
        """
from collections import OrderedDict

def histogram(test):
    letters = test.split()
    top = max(map(letters.count, letters), default=0)
    return OrderedDict((letter, top) for letter in reversed(letters) if letters.count(letter) == top)
""",
    ),
    _case(
        "fraction-for-float",
        "odd type of value",
        45,
        """
from fractions import Fraction

def triangle_area(a, h):
    return Fraction(a * h, 2)
""",
    ),
    _case(
        "fraction-near-float",
        "odd type of value",
        4,
        """
from fractions import Fraction

def mean_absolute_deviation(numbers):
    exact = [Fraction(number) for number in numbers]
    mean = sum(exact) / len(exact)
    return sum(abs(number - mean) for number in exact) / len(exact)
""",
    ),
    _case(
        "decimal-for-int",
        "odd type of value",
        41,
        """
from decimal import Decimal

def car_race_collision(n):
    return Decimal(n) ** 2
""",
    ),
    _case(
        "complex-for-int",
        "odd type of value",
        53,
        """
def add(x, y):
    return complex(x, 1) + complex(y, -1)
""",
    ),
    _case(
        "float-for-int",
        "odd type of value",
        55,
        """
def fib(n):
    a, b = 0.0, 1.0
    for _ in range(n):
        a, b = b, a + b
    return a
""",
    ),
    _case(
        "floats-in-list-for-ints",
        "odd type of value",
        163,
        """
def generate_integers(a, b):
    low, high = sorted((a, b))
    return [float(digit) for digit in (2, 4, 6, 8) if low <= digit <= high]
""",
    ),
    _case(
        "int-for-bool",
        "odd type of value",
        31,
        """
def is_prime(n):
    return int(n > 1 and all(n % k for k in range(2, int(n ** 0.5) + 1)))
""",
    ),
    _case(
        "bools-for-ints-in-list",
        "odd type of value",
        159,
        """
def eat(number, need, remaining):
    eaten = min(need, remaining)
    left = remaining - eaten
    return [number + eaten, False if left == 0 else True if left == 1 else left]
""",
    ),
    _case(
        "truthy-object-for-bool",
        "truth of an opaque value",
        56,
        """
import re

def correct_bracketing(brackets):
    before = None
    while before != brackets:
        before, brackets = brackets, brackets.replace("<>", "")
    return re.fullmatch("", brackets)
""",
    ),
    _case(
        "object-with-bool-method",
        "truth of an opaque value",
        61,
        """
class Verdict:
    def __init__(self, depths):
        self.depths = depths

    def __bool__(self):
        return min(self.depths) >= 0 and self.depths[-1] == 0

def correct_bracketing(brackets):
    depths = [0]
    for bracket in brackets:
        depths.append(depths[-1] + (1 if bracket == "(" else -1))
    return Verdict(depths)
""",
    ),
    _case(
        "frozensets-compared",
        "odd type of value",
        54,
        """
def same_chars(s0, s1):
    return frozenset(s0) == set(s1)
""",
    ),
    _case(
        "deque-converted",
        "odd type of value",
        70,
        """
from collections import deque

def strange_sort_list(lst):
    left = deque(sorted(lst))
    result = deque()
    while left:
        result.append(left.popleft())
        left.reverse()
    return list(result)
""",
    ),
    _case(
        "nan-and-infinity-on-the-way",
        "odd type of value",
        9,
        """
import math

def rolling_max(numbers):
    top, tops = -math.inf, []
    assert math.nan != math.nan
    for number in numbers:
        top = max(top, number)
        tops.append(top)
    return tops
""",
    ),
    _case(
        "generator-for-tuple-call",
        "odd type of value",
        37,
        """
def sort_even(l):
    def merged():
        evens = iter(sorted(l[::2]))
        for index, item in enumerate(l):
            yield item if index % 2 else next(evens)
    return [*merged()]
""",
    ),
    _case(
        "same-list-returned",
        "identity",
        100,
        """
pile = []

def make_a_pile(n):
    pile.clear()
    pile.extend(range(n, 3 * n, 2))
    return pile
""",
    ),
    _case(
        "argument-itself-returned",
        "identity",
        74,
        """
def total_match(lst1, lst2):
    return min(lst1, lst2, key=lambda words: len("".join(words)))
""",
    ),
    _case(
        "copy-changed-in-place",
        "identity",
        33,
        """
import copy

def sort_third(l):
    mine = copy.deepcopy(l)
    mine[::3] = sorted(mine[::3])
    return mine
""",
    ),
    _case(
        "argument-changed-in-place",
        "identity",
        120,
        """
def maximum(arr, k):
    arr.sort(reverse=True)
    del arr[k:]
    arr.reverse()
    return arr
""",
    ),
)

_CALLABLES = (
    _case(
        "instance-with-call",
        "odd callable",
        97,
        """
class Multiply:
    def __call__(self, a, b):
        return abs(a) % 10 * (abs(b) % 10) if a * b >= 0 else abs(a % 10) * abs(b % 10)

multiply = Multiply()
""",
    ),
    _case(
        "partial",
        "odd callable",
        29,
        """
from functools import partial

def starting(keep, strings, prefix):
    return [string for string in strings if keep(string, prefix)]

filter_by_prefix = partial(starting, str.startswith)
""",
    ),
    _case("lambda", "odd callable", 30, "get_positive = lambda l: [*filter((0).__lt__, l)]\n"),
    _case("builtin-alias", "odd callable", 35, "max_element = max\n"),
    _case("bound-method", "odd callable", 28, 'concatenate = "".join\n'),
    _case("unbound-method", "odd callable", 27, "flip_case = str.swapcase\n"),
    _case("imported-under-the-name", "odd callable", 13, "from math import gcd as greatest_common_divisor\n"),
    _case(
        "class-as-function",
        "odd callable",
        113,
        """
class odd_count(list):
    def __init__(self, lst):
        for digits in lst:
            n = len([digit for digit in digits if digit in "13579"])
            self.append(f"the number of odd elements {n}n the str{n}ng {n} of the {n}nput.")
""",
    ),
    _case(
        "class-with-new",
        "odd callable",
        89,
        """
class encrypt:
    def __new__(cls, s):
        return "".join(chr((ord(c) - 93) % 26 + 97) if "a" <= c <= "z" else c for c in s)
""",
    ),
    _case(
        "decorated-by-class",
        "decorator",
        63,
        """
class remembered:
    def __init__(self, function):
        self.function, self.known = function, {}

    def __call__(self, *args):
        if args not in self.known:
            self.known[args] = self.function(*args)
        return self.known[args]

@remembered
def fibfib(n):
    return (0, 0, 1)[n] if n < 3 else fibfib(n - 1) + fibfib(n - 2) + fibfib(n - 3)
""",
    ),
    _case(
        "decorated-twice",
        "decorator",
        51,
        """
@logged("first")
@logged("second")
def remove_vowels(text):
    return text.translate(dict.fromkeys(map(ord, "aeiouAEIOU")))
""",
        """
import functools

calls = []

def logged(tag):
    def decorate(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            calls.append(tag)
            return function(*args, **kwargs)
        return inner
    return decorate
""",
    ),
    _case(
        "single-dispatch",
        "decorator",
        22,
        """
import functools

@functools.singledispatch
def keep(value):
    return False

@keep.register
def _(value: int):
    return True

def filter_integers(values):
    return [value for value in values if keep(value)]
""",
    ),
    _case(
        "overloads",
        "decorator",
        137,
        """
from typing import Any, overload

@overload
def compare_one(a: int, b: int) -> int: ...
@overload
def compare_one(a: str, b: Any) -> Any: ...
def compare_one(a, b):
    x, y = (float(str(item).replace(",", ".")) for item in (a, b))
    return None if x == y else a if x > y else b
""",
    ),
    _case(
        "closure-with-nonlocal",
        "closure",
        130,
        """
def tri(n):
    previous = 3
    def item(index):
        nonlocal previous
        if index < 2:
            return (1, 3)[index]
        if index % 2 == 0:
            return 1 + index / 2
        previous += (index - 1) / 2 + 1 + 1 + (index + 1) / 2
        return previous
    return [item(index) for index in range(n + 1)]
""",
    ),
    _case(
        "positional-only-and-star-arguments",
        "arguments",
        92,
        """
def any_int(x, /, *others, flag=True, **rest):
    sides = (x, *others)
    whole = all(isinstance(side, int) for side in sides)
    return whole and flag and not rest and any(2 * side == sum(sides) for side in sides)
""",
    ),
    _case(
        "extra-default-arguments",
        "arguments",
        14,
        """
def all_prefixes(string, start=1, *, step=1, known={}):
    if string not in known:
        known[string] = [string[:end] for end in range(start, len(string) + 1, step)]
    return known[string]
""",
    ),
    _case(
        "entry-point-rebound-at-load",
        "rebinding",
        42,
        """
def incr_list(l):
    raise NotImplementedError

draft = incr_list

def better(l):
    return [-~item for item in l]

incr_list = better
del better
""",
    ),
)

_LIBRARY = (
    _case(
        "re-and-string",
        "standard library",
        64,
        """
import re
import string

def vowels_count(s):
    assert "a" in string.ascii_letters
    return len(re.findall("[aeiou]|y$", s, re.IGNORECASE))
""",
    ),
    _case(
        "json-and-copy",
        "standard library",
        12,
        """
import json

def longest(strings):
    ordered = json.loads(json.dumps(strings))
    return max(ordered, key=len, default=None)
""",
    ),
    _case(
        "heapq",
        "standard library",
        90,
        """
import heapq

def next_smallest(lst):
    two = heapq.nsmallest(2, set(lst))
    return two[1] if len(two) > 1 else None
""",
    ),
    _case(
        "bisect",
        "standard library",
        116,
        """
import bisect

def sort_array(arr):
    ordered = []
    for item in arr:
        bisect.insort(ordered, item, key=lambda number: (bin(number).count("1"), number))
    return ordered
""",
    ),
    _case("statistics", "standard library", 47, "from statistics import median\n"),
    _case(
        "datetime-and-calendar",
        "standard library",
        124,
        """
import calendar
import datetime

def valid_date(date):
    parts = date.split("-")
    if [len(part) for part in parts] != [2, 2, 4] or not all(map(str.isdigit, parts)):
        return False
    month, day, year = map(int, parts)
    try:
        datetime.date(2000, month, day)
    except ValueError:
        return False
    return calendar.monthrange(2000, month)[1] >= day
""",
    ),
    _case(
        "decimal-rounding",
        "standard library",
        99,
        """
from decimal import ROUND_HALF_UP, Decimal

def closest_integer(value):
    return int(Decimal(value).quantize(Decimal(1), rounding=ROUND_HALF_UP))
""",
    ),
    _case(
        "fractions",
        "standard library",
        144,
        """
from fractions import Fraction

def simplify(x, n):
    return (Fraction(x) * Fraction(n)).denominator == 1
""",
    ),
    _case(
        "itertools-and-operator",
        "standard library",
        121,
        """
import itertools
import operator

def solution(lst):
    evens = itertools.islice(lst, 0, None, 2)
    pairs = zip(evens, itertools.repeat(2))
    return sum(item for item, two in pairs if operator.mod(item, two))
""",
    ),
    _case(
        "functools-reduce",
        "standard library",
        8,
        """
import functools
import operator

def sum_product(numbers):
    return functools.reduce(operator.add, numbers, 0), functools.reduce(operator.mul, numbers, 1)
""",
    ),
    _case(
        "hashlib",
        "standard library",
        162,
        """
import hashlib

def string_to_md5(text):
    digest = hashlib.new("md5", usedforsecurity=False)
    digest.update(text.encode())
    return digest.digest().hex() if text else None
""",
    ),
    _case(
        "struct-base64-zlib",
        "standard library",
        44,
        """
import base64
import struct
import zlib

def change_base(x, base):
    packed = base64.b64encode(zlib.compress(struct.pack("<qq", x, base)))
    x, base = struct.unpack("<qq", zlib.decompress(base64.b64decode(packed)))
    digits = ""
    while x:
        x, digit = divmod(x, base)
        digits = str(digit) + digits
    return digits
""",
    ),
    _case(
        "sqlite-in-memory",
        "standard library",
        104,
        """
import sqlite3

def unique_digits(x):
    with sqlite3.connect(":memory:") as base:
        base.execute("create table numbers (n integer)")
        base.executemany("insert into numbers values (?)", [(item,) for item in x])
        rows = base.execute("select n from numbers where cast(n as text) not glob '*[02468]*' order by n")
        return [row[0] for row in rows]
""",
    ),
    _case(
        "csv-and-io",
        "standard library",
        101,
        """
import csv
import io

def words_string(s):
    rows = csv.reader(io.StringIO(s), delimiter=",", skipinitialspace=True)
    return [word for row in rows for cell in row for word in cell.split()]
""",
    ),
    _case(
        "literal-eval",
        "standard library",
        115,
        """
import ast

def max_fill(grid, capacity):
    return sum(-(-sum(row) // capacity) for row in ast.literal_eval(repr(grid)))
""",
    ),
    _case(
        "array-and-weakref",
        "standard library",
        85,
        """
import array
import weakref

class Box:
    def __init__(self, items):
        self.items = array.array("q", items)

def add(lst):
    box = Box(lst)
    link = weakref.ref(box)
    return sum(item for item in link().items[1::2] if not item & 1)
""",
    ),
    _case(
        "difflib-and-textwrap",
        "standard library",
        18,
        """
import difflib
import textwrap

def how_many_times(string, substring):
    assert textwrap.dedent("  x") == "x"
    assert difflib.get_close_matches("appel", ["apple"]) == ["apple"]
    return sum(string.startswith(substring, start) for start in range(len(string)))
""",
    ),
    _case(
        "inspect-and-types",
        "standard library",
        24,
        """
import inspect
import types

def largest_divisor(n):
    assert isinstance(largest_divisor, types.FunctionType)
    assert list(inspect.signature(largest_divisor).parameters) == ["n"]
    assert inspect.currentframe().f_code.co_name == "largest_divisor"
    return next(k for k in range(n // 2, 0, -1) if n % k == 0)
""",
    ),
    _case(
        "random-seeded-by-itself",
        "standard library",
        88,
        """
import random
import secrets
import uuid

random.seed(7)

def sort_array(array):
    mixed = list(array)
    random.shuffle(mixed)
    assert len(secrets.token_hex(4)) == 8
    assert uuid.uuid4() != uuid.uuid4()
    return sorted(mixed, reverse=bool(array) and (array[0] + array[-1]) % 2 == 0)
""",
    ),
    _case(
        "imports-of-many-modules",
        "standard library",
        53,
        """
import argparse, cmath, contextlib, html, locale, multiprocessing, numbers, pathlib, pickle, platform, pprint, queue
import shutil, socket, subprocess, tempfile, timeit, unittest, unicodedata, urllib.parse, xml.etree.ElementTree

def add(x, y):
    assert isinstance(x, numbers.Integral)
    return round(abs(cmath.sqrt((x + y) ** 2)))
""",
    ),
    _case(
        "unicodedata",
        "standard library",
        16,
        """
import unicodedata

def count_distinct_characters(string):
    return len({unicodedata.normalize("NFC", letter).casefold() for letter in string})
""",
    ),
    _case(
        "perf-counter-and-sleep",
        "time",
        138,
        """
import time

started = time.perf_counter()
time.sleep(0.3)

def is_equal_to_sum_even(n):
    assert time.perf_counter() - started >= 0.25
    return n in range(8, max(n, 8) + 1, 2)
""",
    ),
    _case(
        "lru-cache-and-deep-recursion",
        "recursion",
        60,
        """
import sys
from functools import lru_cache

sys.setrecursionlimit(10_000)

@lru_cache(maxsize=None)
def down(n):
    return n and n + down(n - 1)

assert down(400) == 80_200  # each level is two calls in C, of which Python 3.12 bears few

def sum_to_n(n):
    return down(n)
""",
    ),
    _case(
        "exec-eval-compile",
        "code that makes code",
        160,
        """
made = {}
exec(compile("def run(text):\\n    return eval(text)\\n", "<made>", "exec"), made)

def do_algebra(operator, operand):
    text = str(operand[0])
    for sign, number in zip(operator, operand[1:]):
        text = f"{text} {sign} {number}"
    return made["run"](text)
""",
    ),
    _case(
        "module-looked-up",
        "code that makes code",
        46,
        """
import sys

SEEDS = (0, 0, 2, 0)

def fib4(n):
    here = sys.modules[__name__]
    assert here.SEEDS is SEEDS and globals()["fib4"] is fib4
    window = list(here.SEEDS)
    for _ in range(n):
        window = [*window[1:], sum(window)]
    return window[0]
""",
    ),
    _case(
        "gc-and-del",
        "standard library",
        26,
        """
import gc

class Node:
    ended = 0

    def __del__(self):
        Node.ended += 1

def remove_duplicates(numbers):
    node = Node()
    node.self = node
    del node
    gc.collect()
    assert Node.ended
    return [number for number in numbers if numbers.count(number) == 1]
""",
    ),
    _case(
        "context-managers",
        "context manager",
        25,
        """
from contextlib import ExitStack, contextmanager, suppress

@contextmanager
def collecting():
    factors = []
    yield factors
    factors.sort()

def factorize(n):
    with ExitStack() as stack, suppress(ZeroDivisionError):
        factors = stack.enter_context(collecting())
        k = 2
        while n > 1:
            while n % k == 0:
                factors.append(k)
                n //= k
            k += 1
        1 / 0
    return factors
""",
    ),
)

_OUTPUT = (
    _case(
        "prints-to-both",
        "output",
        7,
        """
import sys

def filter_by_substring(strings, substring):
    print("looking for", substring, "in", strings, flush=True)
    print("\\ud800 alone", "caf\\u00e9", "\\U0001f600", file=sys.stderr)
    sys.stdout.write("done\\n")
    return [string for string in strings if string.find(substring) >= 0]
""",
    ),
    _case(
        "prints-lone-surrogates",
        "output",
        48,
        r"""
import sys

def is_palindrome(text):
    try:
        print("\udcff" * 3)
        sys.stdout.flush()
    except UnicodeEncodeError:
        pass
    return [*reversed(text)] == [*text]
""",
    ),
    _case(
        "stdout-redirected",
        "output",
        79,
        """
import contextlib
import io

def decimal_to_binary(decimal):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        print(f"db{decimal:b}db", end="")
    return text.getvalue()
""",
    ),
    _case(
        "logging-and-warnings",
        "output",
        139,
        """
import logging
import warnings

logging.basicConfig(level=logging.DEBUG)
log = logging.getLogger(__name__)

def special_factorial(n):
    warnings.warn("slow", stacklevel=2)
    warnings.warn("old", DeprecationWarning)
    result = factorial = 1
    for k in range(1, n + 1):
        factorial *= k
        result *= factorial
        log.debug("%d: %d", k, result)
    return result
""",
    ),
    _case(
        "pretty-print-and-traceback",
        "output",
        40,
        """
import itertools
import pprint
import sys
import traceback

def triples_sum_to_zero(l):
    pprint.pprint(l)
    try:
        raise LookupError(l)
    except LookupError:
        traceback.print_exc(file=sys.stdout)
    return any(sum(three) == 0 for three in itertools.combinations(l, 3))
""",
    ),
    _case(
        "print-redefined",
        "redefined builtins",
        36,
        """
def print(*args, **kwargs):
    raise RuntimeError("nobody prints here")

def str(number):
    return f"{number}"

def fizz_buzz(n):
    return sum(str(k).count("7") for k in range(n) if not k % 11 or not k % 13)
""",
    ),
    _case(
        "sorted-redefined",
        "redefined builtins",
        58,
        """
def sorted(items):
    items, done = [*items], []
    while items:
        low = min(items)
        items.remove(low)
        done.append(low)
    return done

def common(l1, l2):
    return sorted({*l1} & {*l2})
""",
        "len = sum = abs = list = set = None\n",
    ),
    _case(
        "input-caught",
        "input",
        15,
        """
def string_sequence(n):
    try:
        n = int(input("n? "))
    except EOFError:
        pass
    return " ".join(map(str, range(n + 1)))
""",
    ),
    _case(
        "standard-input-read",
        "input",
        80,
        """
import sys

def is_happy(s):
    assert sys.stdin.read() == ""
    return len(s) > 2 and all(len({*s[k:k + 3]}) == 3 for k in range(len(s) - 2))
""",
    ),
)

_CONTROL = (
    _case(
        "exceptions-as-control-flow",
        "exceptions",
        150,
        """
class Found(Exception):
    pass

def x_or_y(n, x, y):
    try:
        for k in range(2, n):
            if n % k == 0:
                raise Found(k)
    except Found:
        return y
    else:
        return x if n > 1 else y
    finally:
        n = None
""",
    ),
    _case(
        "system-exit-caught",
        "exceptions",
        135,
        """
import sys

def can_arrange(arr):
    try:
        for index in range(len(arr) - 1, 0, -1):
            if arr[index] < arr[index - 1]:
                sys.exit(index)
        raise SystemExit(-1)
    except SystemExit as leaving:
        return leaving.code
""",
    ),
    _case(
        "keyboard-interrupt-caught",
        "exceptions",
        102,
        """
def choose_num(x, y):
    try:
        if x > y or x == y and y % 2:
            raise KeyboardInterrupt
        return y - y % 2
    except KeyboardInterrupt:
        return -1
""",
    ),
    _case(
        "exception-group",
        "exceptions",
        141,
        """
def file_name_check(file_name):
    faults = []
    stem, dot, suffix = file_name.partition(".")
    if suffix not in ("txt", "exe", "dll"):
        faults.append(ValueError("suffix"))
    if not stem[:1].isalpha():
        faults.append(TypeError("start"))
    if sum(map(str.isdigit, stem)) > 3:
        faults.append(LookupError("digits"))
    answer = "Yes"
    try:
        if faults:
            raise ExceptionGroup("faults", faults)
    except* ValueError:
        answer = "No"
    except* Exception:
        answer = "No"
    return answer
""",
    ),
    _case(
        "recursion-error-caught",
        "exceptions",
        83,
        """
def endless():
    return endless()

def starts_one_ends(n):
    try:
        endless()
    except RecursionError:
        return 1 if n == 1 else 18 * 10 ** (n - 2)
""",
    ),
    _case(
        "atexit-registered",
        "process hooks",
        59,
        """
import atexit

atexit.register(print, "goodbye")

@atexit.register
def fail():
    raise RuntimeError("too late")

def largest_prime_factor(n):
    k = 2
    while k < n:
        if n % k:
            k += 1
        else:
            n //= k
    return n
""",
    ),
    _case(
        "signal-handler-set",
        "process hooks",
        72,
        """
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda number, frame: None)

def will_it_fly(q, w):
    return q == q[::-1] and sum(q) <= w
""",
    ),
    _case(
        "excepthook-and-trace",
        "process hooks",
        66,
        """
import sys

sys.excepthook = lambda *args: None
seen = []
sys.settrace(lambda frame, event, arg: seen.append(event))

def digitSum(s):
    return sum(ord(letter) for letter in s if letter.isupper())
""",
    ),
    _case(
        "state-across-calls",
        "state",
        75,
        """
known = None
calls = 0

def is_multiply_prime(a):
    global known, calls
    calls += 1
    if known is None:
        known = {x * y * z for x in PRIMES for y in PRIMES for z in PRIMES}
    return a in known
""",
        "PRIMES = [p for p in range(2, 60) if all(p % k for k in range(2, p))]\n",
    ),
    _case(
        "walrus-and-match",
        "syntax",
        81,
        """
def numerical_letter_grade(grades):
    def letter(gpa):
        match gpa:
            case 4.0:
                return "A+"
            case 0 | 0.0:
                return "E"
            case float() | int() if (below := [name for limit, name in STEPS if gpa > limit]):
                return below[0]
    return [letter(gpa) for gpa in grades]
""",
        """
STEPS = [(3.7, "A"), (3.3, "A-"), (3.0, "B+"), (2.7, "B"), (2.3, "B-"), (2.0, "C+"), (1.7, "C"), (1.3, "C-"),
         (1.0, "D+"), (0.7, "D"), (0.0, "D-")]
""",
    ),
    _case(
        "match-on-classes",
        "syntax",
        128,
        """
def prod_signs(arr):
    match arr:
        case []:
            return None
        case [*items] if 0 in items:
            return 0
        case [first, *rest]:
            sign = -1 if sum(item < 0 for item in arr) % 2 else 1
            return sign * (abs(first) + sum(map(abs, rest)))
""",
    ),
    _case(
        "helper-does-all",
        "division of labour",
        129,
        "def minPath(grid, k):\n    return solve(grid, k)\n",
        """
def neighbours(grid, row, column):
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        if 0 <= row + down < len(grid) and 0 <= column + right < len(grid):
            yield grid[row + down][column + right]

def solve(grid, k):
    row, column = next((i, line.index(1)) for i, line in enumerate(grid) if 1 in line)
    least = min(neighbours(grid, row, column))
    return [least if step % 2 else 1 for step in range(k)]
""",
    ),
    _case(
        "helper-is-a-class",
        "division of labour",
        156,
        """
def int_to_mini_roman(number):
    return Roman(number).text.lower()
""",
        """
class Roman:
    SIGNS = dict(M=1000, CM=900, D=500, CD=400, C=100, XC=90, L=50, XL=40, X=10, IX=9, V=5, IV=4, I=1)

    def __init__(self, number):
        self.text = ""
        for sign, value in self.SIGNS.items():
            count, number = divmod(number, value)
            self.text += sign * count
""",
    ),
    _case(
        "helper-defines-the-entry-point",
        "division of labour",
        148,
        "# The helper has said it all.\n",
        """
PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune")

def bf(planet1, planet2):
    if planet1 not in PLANETS or planet2 not in PLANETS:
        return ()
    low, high = sorted(map(PLANETS.index, (planet1, planet2)))
    return PLANETS[low + 1:high]
""",
    ),
    _case(
        "helper-calls-main",
        "division of labour",
        10,
        """
def reverse(text):
    return text[::-1]

def make_palindrome(string):
    return complete(string)
""",
        """
def complete(text):
    cut = next((k for k in range(len(text)) if text[k:] == reverse(text[k:])), 0)
    return text + reverse(text[:cut])
""",
    ),
    _case(
        "prompt-function-used",
        "division of labour",
        38,
        """
def decode_cyclic(s):
    return encode_cyclic(encode_cyclic(s))
""",
    ),
    _case(
        "main-guard-with-junk",
        "main guard",
        106,
        """
import math

def f(n):
    return [k * (k + 1) // 2 if k % 2 else math.factorial(k) for k in range(1, n + 1)]

if __name__ == "__main__":
    print(f(int(input())))
    raise SystemExit("no tests here")
""",
    ),
    _case(
        "unittest-and-doctest-aside",
        "main guard",
        93,
        '''
import doctest
import unittest

def encode(message):
    """
    >>> encode('test')
    'nonsense that nobody runs'
    """
    return message.swapcase().translate(str.maketrans("aeiouAEIOU", "cgkqwCGKQW"))

class TestEncode(unittest.TestCase):
    def test_nothing(self):
        self.fail("never run")

if __name__ == "__main__":
    unittest.main()
''',
    ),
)

_TEXT = (
    _case(
        "docstrings-with-emoji",
        "odd text",
        1,
        """
def separate_paren_groups(paren_string):
    '''Groups \U0001f600 with \\"\\"\\" inside, and \u201ccurly\u201d quotes.'''
    \"\"\"Another text, '''quoted'''.\"\"\"
    groups, depth = [""], 0
    for bracket in paren_string.replace(" ", ""):
        groups[-1] += bracket
        depth += 1 if bracket == "(" else -1
        if not depth:
            groups.append("")
    return groups[:-1]
""",
    ),
    _case(
        "unicode-names",
        "odd text",
        6,
        """
def \u0433\u043b\u0443\u0431\u0438\u043d\u0430(\u03c0\u03af\u03bd\u03b1\u03ba\u03b1\u03c2):
    depth = \u6700\u6df1 = 0
    for \u00fc in \u03c0\u03af\u03bd\u03b1\u03ba\u03b1\u03c2:
        depth += {"(": 1, ")": -1}[\u00fc]
        \u6700\u6df1 = max(\u6700\u6df1, depth)
    return \u6700\u6df1

def parse_nested_parens(paren_string):
    return [\u0433\u043b\u0443\u0431\u0438\u043d\u0430(group) for group in paren_string.split()]
""",
    ),
    _case(
        "carriage-return-line-ends",
        "odd text",
        112,
        """
def reverse_delete(s, c):
    kept = "".join(letter for letter in s if letter not in c)
    return kept, kept == kept[::-1]
""".replace("\n", "\r\n"),
    ),
    _case(
        "tabs-and-form-feeds",
        "odd text",
        98,
        "\fdef count_upper(s):\n\ttotal = 0\n\f\tfor letter in s[::2]:\n"
        "\t\ttotal += letter in {*'AEIOU'}\n\treturn total",
    ),
    _case(
        "semicolons-and-backslashes",
        "odd text",
        76,
        """
def is_simple_power(x, n):
    power = 1; steps = 0
    while power < x and \\
            steps < 64: power *= n; steps += 1
    return \\
        power == x""",
    ),
    _case(
        "no-newline-at-the-end",
        "odd text",
        11,
        "def string_xor(a, b): return ''.join('01'[x != y] for x, y in zip(a, b))",
        "# helper without newline",
    ),
    _case(
        "very-long-program",
        "long",
        96,
        """
def count_up_to(n):
    return [step for step in table() if step < n]
""",
        "def table():\n    found = []\n"
        + "".join(
            f"    if all({number} % k for k in range(2, {number})):\n        found.append({number})\n"
            for number in range(2, 1_000)
        )
        + "    return found\n",
    ),
    _case(
        "long-result",
        "long",
        14,
        """
def all_prefixes(string):
    work = ["x" * length for length in range(2_000)]
    assert sum(map(len, work)) == 1_999_000
    return [string[:end] for end, _ in enumerate(string, start=1)]
""",
    ),
    _case(
        "much-honest-work",
        "slow",
        147,
        """
def get_max_triples(n):
    rest = [(k * k - k + 1) % 3 for k in range(1, n + 1)]
    for _ in range(300_000):
        rest = sorted(rest, reverse=True)
    ones = sum(item == 1 for item in rest)
    zeros = len(rest) - ones
    return sum(k * (k - 1) * (k - 2) // 6 for k in (ones, zeros))
""",
    ),
    _case(
        "half-a-second-of-sieve",
        "slow",
        39,
        """
SIZE = 3_000_000
sieve = bytearray([1]) * SIZE
sieve[:2] = b"\\0\\0"
for k in range(2, int(SIZE ** 0.5) + 1):
    if sieve[k]:
        for multiple in range(k * k, SIZE, k) if k < 8 else ():
            sieve[multiple] = 0
        sieve[k * k::k] = bytes(len(range(k * k, SIZE, k)))

def prime_fib(n):
    a, b = 1, 2
    while n:
        n -= is_prime(b)
        a, b = b, a + b
    return a
""",
        """
def is_prime(number):
    if number < SIZE:
        return sieve[number]
    return all(number % k for k in range(2, int(number ** 0.5) + 1) if sieve[k])
""",
    ),
)

_ALL = (
    *_CONCURRENCY,
    *_CLASSES,
    *_VALUES,
    *_CALLABLES,
    *_LIBRARY,
    *_OUTPUT,
    *_CONTROL,
    *_TEXT,
    *odd_values.CASES,
)
_SINCE = {"exception-group": (3, 11)}
"""Name -> the version of Python whose syntax it is in."""

CASES: tuple[Case, ...] = tuple(case for case in _ALL if sys.version_info >= _SINCE.get(case.name, (3, 10)))
