"""Programs that write into the channel of their answers what is none, or more than was asked for.

Each finds the channel among its descriptors and knows how messages are made. None may earn more than ``earns`` tests, end
the worker that judges it, or have an effect on the next program. All are of ``HumanEval/23``: the length of ``''``, of
``'x'`` and of ``'asdasnakj'``.
"""

from __future__ import annotations

import textwrap

from codeduet.benchmarks.verdict.corpora import Case

_TOOLS = """
import os
import socket
import stat
import struct


def _is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


CHANNEL = next(number for number in range(3, 64) if _is_socket(number))
LINE = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, os.dup(CHANNEL))


def say(content):
    rest = struct.pack("<I", len(content)) + content
    while rest:
        rest = rest[os.write(CHANNEL, rest):]


def sized(tag, count):
    return tag + struct.pack("<I", count)


def text(content):
    return sized(b"s", len(content)) + content


def whole(number):
    return sized(b"i", 9) + number.to_bytes(9, "little", signed=True)


"""


def _case(name: str, kind: str, deed: str, earns: int = 0, before: str = "") -> Case:
    """Return a program that does ``deed`` in its first call, before it answers right."""
    body = textwrap.indent(textwrap.dedent(deed).strip(), "        ")
    main = (
        f"{_TOOLS}{before}calls = []\n\n\ndef strlen(string):\n    calls.append(string)\n    if len(calls) == 1:\n{body}\n"
        "    return len(string)\n"
    )
    return Case(name=name, kind=kind, task_id="HumanEval/23", main=main, earns=earns)


_LEVELS = {
    "list": 'sized(b"[", 1)',
    "tuple": 'sized(b"(", 1)',
    "set": 'sized(b"<", 1)',
    "frozenset": 'sized(b">", 1)',
    "dict": 'sized(b"{", 2) + b"N"',
    "counter": 'sized(b"K", 2) + b"N"',
    "ordered-dict": 'sized(b"O", 2) + b"N"',
    "defaultdict": 'b"Elist\\n" + sized(b"{", 2) + b"N"',
    "defaultdict-sample": 'b"Esample\\n"',
    "deque": 'sized(b"QNone\\n", 1)',
    "chain": 'sized(b"H", 1)',
    "user-list": 'b"L"',
    "user-list-of-list": 'b"L" + sized(b"[", 1)',
    "user-dict": 'b"M"',
    "user-string": 'b"S"',
    "mappingproxy": 'b"P"',
    "record": 'b"n" + text(b"P") + sized(b"(", 1) + text(b"a") + sized(b"(", 1)',
    "member": 'b"e" + 3 * text(b"A")',
    "moment": 'b"tdate\\n"',
    "exception": 'b"X" + sized(b"(", 0)',
    "instance": 'b"INode\\n"',
    "generator": 'b"g1" + bytes(4) + struct.pack("<I", 1)',
    "iterator": 'b"y1" + bytes(4) + struct.pack("<I", 1)',
    "iterable": 'sized(b"z1", 1)',
    "view": 'b"vkeys\\n"',
    "range": 'sized(b"r", 3)',
}
"""What opens one level of each value that holds others."""

_NESTED = tuple(
    _case(f"nested-{name}-{depth}", "nesting", f'say({kind} + ({level}) * {depth} + b"N")')
    for name, level in _LEVELS.items()
    for kind, depth in (('b"="', 330), ('b"!"', 60_000))
)

_VALUES = {
    "no-tag": 'b"=\\xff"',
    "nothing": 'b""',
    "kind-alone": 'b"="',
    "unknown-kind": 'b"?N"',
    "items-unasked": 'b"+" + bytes(4) + b"."',
    "two-values": 'b"=NN"',
    "count-too-large": 'sized(b"=[", 2**32 - 1)',
    "text-too-long": 'sized(b"=s", 2**31)',
    "text-no-utf8": 'b"=" + text(b"\\xff\\xfe")',
    "word-without-end": 'b"=C" + b"a" * 100_000',
    "class-eval": 'b"=Ceval\\n"',
    "class-len": 'b"=Clen\\n"',
    "class-import": 'b"=C__import__\\n"',
    "factory-exec": 'b"=Eexec\\n" + sized(b"{", 0)',
    "dict-odd": 'sized(b"={", 1) + b"N"',
    "set-of-lists": 'sized(b"=<", 1) + sized(b"[", 0)',
    "chain-of-numbers": 'sized(b"=H", 1) + whole(1)',
    "user-list-of-text": 'b"=L" + text(b"a")',
    "range-step-nothing": 'sized(b"=r", 3) + whole(0) * 3',
    "fraction-of-nothing": 'sized(b"=q", 2) + whole(1) + whole(0)',
    "decimal-no-number": 'sized(b"=D", 3) + b"abc"',
    "deque-of-less": 'sized(b"=Q-1\\n", 0)',
    "month-13": 'b"=tdate\\n" + sized(b"(", 3) + whole(2024) + whole(13) + whole(1)',
    "moment-of-another-class": 'b"=tsys\\n" + sized(b"(", 0)',
    "zone-too-far": 'b"=ttimezone\\n" + sized(b"(", 1) + b"ttimedelta\\n" + sized(b"(", 3) + whole(99) + whole(0) * 2',
    "record-of-fewer": 'b"=n" + text(b"P") + sized(b"(", 2) + text(b"a") * 2 + sized(b"(", 1) + b"N"',
    "record-of-numbers": 'b"=n" + text(b"P") + sized(b"(", 1) + whole(1) + sized(b"(", 1) + b"N"',
    "member-of-list": 'b"=e" + text(b"A") * 3 + b"N" + sized(b"[", 0)',
    "array-of-objects": 'b"=A|O8 O 1,\\n" + struct.pack("<I", 8) + bytes(8)',
    "array-too-short": 'b"=A<i8 l 9,\\n" + struct.pack("<I", 8) + bytes(8)',
    "array-of-2-to-the-60": 'b"=A<i8 l 1099511627776,1048576,\\n" + struct.pack("<I", 8) + bytes(8)',
    "numbers-of-no-type": 'sized(b"=a?\\n", 4) + bytes(4)',
    "exception-of-text": 'b"=X" + text(b"ValueError") + sized(b"(", 0) + sized(b"{", 0)',
    "view-of-list": 'b"=vkeys\\n" + sized(b"[", 0)',
    "view-of-class": 'b"=v__class__\\n" + sized(b"{", 0)',
    "stream-that-ends-otherwise": 'b"=y1" + bytes(8) + b"?"',
    "stream-that-raises-nothing": 'b"=y1" + bytes(8) + b"!N"',
    "reference-to-nowhere": 'b"=@" + struct.pack("<I", 99)',
    "reference-to-2-to-the-32": 'b"=@\\xff\\xff\\xff\\xff"',
    "refill-of-none": 'b"=N" + struct.pack("<I", 0) + b"N"',
    "refill-of-others": 'b"=N" + struct.pack("<I", 3) + b"NNN"',
    "refill-cut-short": 'b"=N\\x01"',
    "failure-of-nothing": 'b"!"',
    "failure-of-a-number": 'b"!" + sized(b"(", 2) + text(b"") * 2 + whole(1)',
    "failure-without-place": 'b"!NN"',
    "many-nones": 'sized(b"=[", 900_000) + b"N" * 900_000',
}
_MALFORMED = tuple(_case(name, "no value", f"say({content})") for name, content in _VALUES.items())

_RAISED = tuple(
    _case(
        f"raises-{name}",
        "trusted exception",
        f"""
        say(b"!" + sized(b"(", 2) + text(b"") * 2 + b"X" + sized(b"(", 4) + text(b"{module}") + text(b"{name}")
            + text(b"builtins") + text(b"Exception") + sized(b"(", 0) + sized(b"{{", 0))
        """,
    )
    for module, name in (
        ("codeduet.envs.execution.candidate", "EndedError"),
        ("codeduet.envs.execution.candidate", "OtherCallError"),
        ("codeduet.envs.execution.jailer", "JailGoneError"),
        ("codeduet.envs.execution.wire", "ClosedError"),
        ("codeduet.errors", "InputError"),
        ("builtins", "SystemExit"),
        ("builtins", "KeyboardInterrupt"),
        ("builtins", "GeneratorExit"),
        ("builtins", "StopIteration"),
        ("builtins", "MemoryError"),
    )
)

_STREAM = (
    _case(
        "all-answers-at-once", "early answers", "for size in (0, 1, 9):\n    say(b'=' + whole(size))\nos._exit(0)", 3
    ),
    _case("answers-at-load", "early answers", "pass", 0, "say(b'=' + whole(0))\n"),
    _case("loaded-twice", "early answers", "pass", 0, 'say(sized(b"(", 1) + text(b"loaded"))\n'),
    _case(
        "failed-before-loaded",
        "early answers",
        "pass",
        0,
        'say(sized(b"(", 5) + text(b"failed") + text(b"main") + text(b"Solved") + text(b"") + text(b"\\x1b[2J"))\n',
    ),
    _case(
        "failed-with-a-list", "early answers", "pass", 0, 'say(sized(b"(", 5) + text(b"failed") + sized(b"[", 0) * 4)\n'
    ),
    _case("loaded-of-depth", "early answers", "pass", 0, 'say(sized(b"(", 1) * 400 + text(b"loaded"))\n'),
    _case(
        "parsed-again",
        "early answers",
        "pass",
        0,
        'say(sized(b"(", 4) + text(b"parsed") + b"T" + sized(b"{", 0) * 2)\n',
    ),
    _case("shut-down", "channel ended", "LINE.shutdown(socket.SHUT_WR)"),
    _case("shut-down-both", "channel ended", "LINE.shutdown(socket.SHUT_RDWR)"),
    _case("closed", "channel ended", "os.close(CHANNEL)"),
    _case("replaced-by-null", "channel ended", "os.dup2(os.open('/dev/null', os.O_WRONLY), CHANNEL)"),
    _case("announced-and-left", "channel ended", "os.write(CHANNEL, b'\\x05\\x00\\x00\\x00=')\nos._exit(0)"),
    _case("read-empty", "channel read", "os.set_blocking(CHANNEL, False)\nos.read(CHANNEL, 1 << 20)", 3),
    _case(
        "out-of-band",
        "out of band",
        """
        try:
            LINE.send(b"=", socket.MSG_OOB)
        except OSError:
            pass
        """,
        3,
    ),
    _case(
        "out-of-band-by-message",
        "out of band",
        """
        for _ in range(3):
            try:
                LINE.sendmsg([b"="], [], socket.MSG_OOB)
            except OSError:
                pass
        """,
        3,
    ),
    _case(
        "out-of-band-received",
        "out of band",
        """
        for ask in (LINE.recv, lambda *a: LINE.recvmsg(1, 0, socket.MSG_OOB)):
            try:
                ask(1, socket.MSG_OOB)
            except OSError:
                pass
        """,
        3,
    ),
    _case(
        "out-of-band-that-must-be-denied",
        "out of band",
        """
        for line in (*socket.socketpair(), LINE):
            line.send(b"=", socket.MSG_OOB)
        """,
        2,
    ),
    _case(
        "descriptors-with-an-answer",
        "sharing of descriptions",
        """
        socket.send_fds(LINE, [struct.pack("<I", 11) + b"=" + whole(0)[:10]], [CHANNEL, 0, 1])
        """,
    ),
    _case(
        "descriptors-in-a-ring",
        "sharing of descriptions",
        """
        for _ in range(20):
            pair = socket.socketpair()
            for one in pair:
                socket.send_fds(one, [b"x"], [pair[0].fileno(), pair[1].fileno()])
                socket.send_fds(one, [b"x"], [CHANNEL])
        """,
        3,
    ),
    _case(
        "descriptors-ahead-of-nothing",
        "sharing of descriptions",
        "socket.send_fds(LINE, [b'\\x01\\x00\\x00\\x00?'], [0] * 20)",
    ),
    _case(
        "flags-of-all-descriptors",
        "sharing of descriptions",
        """
        import fcntl
        for number in range(64):
            for flag in (os.O_APPEND, os.O_ASYNC, os.O_NONBLOCK, os.O_DIRECT, os.O_NOATIME):
                try:
                    fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | flag)
                except OSError:
                    pass
        """,
        3,
    ),
    _case(
        "locks-on-all-descriptors",
        "sharing of descriptions",
        """
        import fcntl
        for number in range(64):
            for lock in (fcntl.flock, fcntl.lockf):
                try:
                    lock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    pass
        """,
        3,
    ),
    _case(
        "positions-of-all-descriptors",
        "sharing of descriptions",
        """
        for number in range(64):
            try:
                os.lseek(number, 1 << 40, os.SEEK_SET)
            except OSError:
                pass
        """,
        3,
    ),
)

CASES: tuple[Case, ...] = (*_NESTED, *_MALFORMED, *_RAISED, *_STREAM)
