"""What passes between jail and evaluator: plain data by content, everything else as an object equal to nothing."""

from __future__ import annotations

import collections
import decimal
import fractions
import io
import math
import random
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from codeduet.envs import Executor, Limits, Problem
from codeduet.envs.execution.kinds import TooLargeError, UndescribedError
from codeduet.envs.execution.reading import MalformedError, decode
from codeduet.envs.execution.stand_ins import Opaque
from codeduet.envs.execution.values import encode, join

PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    127,
    128,
    -129,
    2**64,
    -(10**50),
    1.5,
    -0.0,
    math.inf,
    1j,
    "",
    "text",
    "\ud800 alone",
    "\N{GRINNING FACE}",
    b"",
    b"\x00\xff",
    bytearray(b"ab"),
    [],
    [1, [2, (3,)]],
    (),
    (1, "a"),
    {1, 2},
    frozenset({"a"}),
    {"a": 1, 2: [3], (4, 5): None},
    range(3, 10, 2),
    fractions.Fraction(-2, 3),
    decimal.Decimal("-1.50"),
    decimal.Decimal("Infinity"),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_data_arrives_as_it_was(value: Any) -> None:
    arrived = decode(encode(value))
    assert arrived == value
    assert type(arrived) is type(value)
    assert repr(arrived) == repr(value)  # -0.0, and the order of a dict
    assert decode(join([encode(value), encode(value)])) == [value, value]


def test_not_a_number_stays_that() -> None:
    assert math.isnan(decode(encode(math.nan)))


class AlwaysEqual(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Text(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__

    def encode(self, *_: Any) -> bytes:  # type: ignore[override]
        return b"other"


class OwnList(list[int]):
    def __eq__(self, other: object) -> bool:
        return True


class OwnCounter(collections.Counter[str]):
    def __missing__(self, key: str) -> int:
        return 5


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (AlwaysEqual(7), 7),
        (Text("own"), "own"),
        (OwnList([1]), [1]),
        (OwnCounter("aab"), collections.Counter("aab")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_subclass_arrives_as_what_it_is_derived_from(value: Any, content: Any) -> None:
    arrived = decode(encode([value]))[0]
    assert arrived == content
    assert type(arrived) is type(content)


def test_an_object_is_equal_to_nothing_and_keeps_its_truth() -> None:
    class Yes:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = object.__hash__

    class No(Yes):
        def __bool__(self) -> bool:
            return False

    yes, no = decode(encode(Yes())), decode(encode(No()))
    assert isinstance(yes, Opaque)
    assert not any((yes == yes, yes == 1, yes != 1 and False, yes == None))  # noqa: PLR0124
    assert yes != yes  # noqa: PLR0124
    assert (bool(yes), bool(no)) == (True, False)
    with pytest.raises(TypeError):
        list(yes)
    with pytest.raises(TypeError):
        len(yes)


def test_an_iterable_keeps_its_items_and_an_iterator_gives_them_once() -> None:
    def count() -> Iterator[int]:
        yield from (1, 2)

    once, again = decode(encode(count())), decode(encode({1: 2, 3: 4}.values()))
    assert (list(once), list(once)) == ([1, 2], [])
    assert (list(again), list(again), len(again)) == ([2, 4], [2, 4], 2)
    assert once != [1, 2]
    assert again != [2, 4]


MOMENT = np.datetime64("2024-01-02T03:04:05")
ARRAYS: list[Any] = [
    MOMENT,
    np.datetime64("NaT"),
    np.timedelta64(5, "m"),
    np.array(["2024-01-02", "NaT"], dtype="M8[D]"),
    np.array([[1, 2]], dtype="m8[25us]"),
    np.array([], dtype="M8[ns]"),
    np.zeros((2, 0, 3)),
    np.array(7),
    np.array([1, -2], dtype=">i4"),
    np.array([True, False]),
    np.float16(1.5),
    np.longdouble(1) / 3,
    np.array([1 + 2j], dtype="c8"),
    np.array([["a", "bcd"], ["", "\N{GRINNING FACE}"]]),
    np.array([b"ab", b""]),
    np.str_(""),
    np.str_("a"),
    np.bytes_(b""),
]


@pytest.mark.parametrize("value", ARRAYS, ids=repr)
def test_an_array_or_scalar_of_numpys_arrives_as_it_was(value: Any) -> None:
    arrived = decode(encode(value))
    assert type(arrived) is type(value)
    assert (arrived.dtype, arrived.shape) == (value.dtype, value.shape)
    np.testing.assert_array_equal(arrived, value)


def test_without_numpy_its_arrays_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [np.array([[1, 2]]), np.array([1.5j]), np.array([["a"], ["bc"]]), np.array([b"a", b""]), np.timedelta64(5)]
    sent = [encode(value) for value in [*values, np.zeros((0,)), np.array(["", ""])]]
    monkeypatch.delitem(sys.modules, "numpy")
    assert [decode(raw) for raw in sent] == [[[1, 2]], [1.5j], [["a"], ["bc"]], [b"a", b""], 5, [], ["", ""]]


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2, dtype="i4,f8"),
        np.zeros(2, dtype="i4,f8")[0],
        np.ma.masked_array([1, 2], [True, False]),
        np.void(b"ab"),
    ],
    ids=["fields", "one with fields", "mask", "bytes without a type"],
)
def test_an_array_that_is_more_than_its_numbers_is_not_sent(value: Any) -> None:
    for strict in (True, False):
        with pytest.raises(UndescribedError, match="cannot be sent"):
            encode([value], strict=strict)


def test_a_program_is_told_so_and_not_accused() -> None:
    """Of numpy's values, those that are described are right, and no other is taken for one that the channel was forged by."""
    tests = (
        "import numpy as np\n\n\ndef check(candidate):\n    assert candidate(0) == np.datetime64('2024-01-02')\n"
        "    assert (candidate(1) == np.array(['2024-01-02'], dtype='M8[D]')).all()\n    assert candidate(2)[0][0] == 1\n"
        "    try:\n        candidate(3)\n        assert False\n    except TypeError:\n        pass\n"
    )
    code = (
        "import numpy as np\n\n\ndef f(n):\n    moments = np.array(['2024-01-02'], dtype='M8[D]')\n"
        "    return [moments[0], moments, np.ones(2, dtype='i4,f8'), np.ma.masked_array([1], [True])][n]\n"
    )
    with Executor(workers=1, packages=["numpy"]) as executor:
        outcome = executor.judge(Problem("Array/0", "def f(n):\n", "f", "", tests), main_code=code)
    assert outcome.tests == (True, True, False, False), outcome
    assert outcome.error.startswith("ValueNotSent: ")


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("x" * 2000, "result_bytes"),
        (10**5000, "result_bytes"),
        (list(range(60)), "result_nodes"),
        (iter(int, 1), "result_nodes"),
        (nested(12), "result_depth"),
    ],
    ids=["text", "int", "list", "endless", "nest"],
)
def test_what_is_too_large_is_named(value: Any, limit: str) -> None:
    limits = Limits(result_bytes=1000, result_nodes=50, result_depth=10)
    with pytest.raises(TooLargeError) as sent:
        encode(value, limits)
    assert sent.value.limit == limit
    if not isinstance(value, Iterator):
        with pytest.raises(TooLargeError):
            decode(encode(value), limits)  # a sender that does not keep to them


def test_what_cannot_be_sent_into_the_jail_is_refused() -> None:
    with pytest.raises(TypeError, match="a function cannot be sent into the jail"):
        encode([lambda: 1], strict=True)
    with pytest.raises(TypeError, match="a StringIO cannot be sent into the jail"):
        encode(io.StringIO("1"), strict=True)  # its lines are no file


def test_no_bytes_but_a_value_are_taken_and_none_crash() -> None:
    rng = random.Random(0)
    samples = [encode(value) for value in PLAIN]
    limits = Limits()
    taken = 0
    for _ in range(20_000):
        raw = bytearray(rng.choice(samples))
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(raw) + 1)
            raw[place : place + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
        try:
            decode(bytes(raw), limits)
            taken += 1
        except (MalformedError, TooLargeError):
            continue
    assert 0 < taken < 20_000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"?",
        b"N" * 2,
        b"[" + struct.pack("<I", 2**32 - 1),
        b"s" + struct.pack("<I", 5) + b"abc",
        b"q" + struct.pack("<I", 2) + encode(1) + encode(0),
        b"r" + struct.pack("<I", 3) + encode(1) + encode("a") + encode(1),
        b"D" + struct.pack("<I", 3) + b"abc",
        b"{" + struct.pack("<I", 1) + b"N",
    ],
)
def test_malformed_bytes_are_called_so(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(raw)


def test_a_dict_with_keys_that_only_their_class_could_hash_is_an_object() -> None:
    class Key(list[int]):
        def __hash__(self) -> int:  # type: ignore[override]
            return 1

    assert isinstance(decode(encode({Key([1]): 2})), Opaque)
