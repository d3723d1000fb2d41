"""Programs that harnesses were reported to judge wrongly, with their right verdicts; all are of ``HumanEval/42``."""

from __future__ import annotations

REPORTED: dict[str, tuple[str, str, bool]] = {
    "a module by the file's name": (
        "def plus(x):\n    return x + 1\n",
        "from solution import plus\n\n\ndef incr_list(l):\n    return [plus(x) for x in l]\n",
        False,
    ),
    "annotations are values": (
        "",
        (
            "def inc(x: int) -> int:\n    return x + 1\n\n\n"
            "def incr_list(l):\n    return [inc.__annotations__['x'](inc(x)) for x in l]\n"
        ),
        True,
    ),
    "a UserList": (
        "",
        "from collections import UserList\n\n\ndef incr_list(l: list):\n    return UserList([(e + 1) for e in l])\n",
        True,
    ),
    "a sum of 1,000 terms": (
        "",
        f"x = {' + '.join(['1'] * 1000)}\n\n\ndef incr_list(l):\n    return [v + 1 for v in l]\n",
        True,
    ),
    "a decorator by annotation": (
        "",
        (
            "def typed(f):\n    kinds = list(f.__annotations__.values())\n\n    def wrapper(*a):\n"
            "        if not isinstance(a[0], kinds[0]):\n            raise TypeError\n        return f(*a)\n\n    return wrapper\n\n\n"
            "@typed\ndef incr_list(l: list):\n    return [x + 1 for x in l]\n"
        ),
        True,
    ),
    "a dataclass with InitVar": (
        "",
        (
            "def incr_list(l):\n    from dataclasses import InitVar, dataclass\n\n    @dataclass\n    class A:\n"
            "        x: InitVar[int]\n\n        def __post_init__(self, x):\n            self.y = x + 1\n\n"
            "    return [A(x).y for x in l]\n"
        ),
        True,
    ),
}
"""Name -> helper's code, main's code, whether it is solved."""
