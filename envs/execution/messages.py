"""What the messages of a judged process say, and what is learnt of a program from them.

Text in them is cleaned here, once: an error's message may hold whatever a program put there.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from codeduet.envs.execution.instrument import Findings
from codeduet.envs.execution.jail.zygote import OUT_OF_MEMORY, Report
from codeduet.envs.execution.kinds import CLASSES, UNDESCRIBED, attributes_of, give_attributes
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import PREAMBLE
from codeduet.envs.execution.reading import Decoder, MalformedError, decode

FORGED = "ChannelError: the program wrote into the channel of its answers"
NOT_SENT = "ValueNotSent: what it gave cannot be described to the tests, or they look into an object of its own class"
_MESSAGE_LENGTH = 160
_LIMITS = get_args(LimitName)[:-1]


def clean(text: str) -> str:
    """Return the first line of ``text``, cut to a length, with every sign that cannot be shown written out.

    Controls would steer the terminal that shows them, and a lone surrogate can be encoded nowhere.
    """
    line = text.split("\n")[0]
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in line[:_MESSAGE_LENGTH]
    )
    return shown[:_MESSAGE_LENGTH]


@dataclass
class Shape:
    """What a program's syntax shows: fields of its ``Outcome``."""

    defines: dict[str, list[str]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    defines_target: bool = False
    thin: bool = False
    ignored: bool = False


@dataclass
class Facts:
    """What is learnt of one program as it goes; most of it goes into its outcome as it stands."""

    limits: Limits
    agents: tuple[str, ...]
    syntax_ok: bool = False
    runnable: bool = False
    shape: Shape = field(default_factory=Shape)
    error: str = ""
    error_part: str = ""
    limit: str = ""
    ended: bool = False
    forged: bool = False

    def fail(self, part: str, name: str, limit: str, message: str = "") -> None:
        """Take down an error of the program's, in one line."""
        self.limit = limit if limit in _LIMITS else ""
        name = name if name in CLASSES else "Exception"
        text = f"{name}: {message}".removesuffix(": ")
        self.error = self.limits.describe(cast(LimitName, limit)) if self.limit else clean(text)
        self.error_part = part if part in (PREAMBLE, *self.agents) else ""

    def close(self, findings: Findings, report: Report) -> None:
        """Say which error counts: the limit that ended the program, else the first error, else how it ended."""
        limit = _limit_that_ended(report, self.limits) if self.ended else ""
        origins = [error.codeduet_origin for error in findings.errors if hasattr(error, "codeduet_origin")]
        if limit:
            self.fail("", "", limit)
        elif self.error:
            pass
        elif origins:
            name, part, limit = origins[0]
            self.fail(part, name, limit)
            if limit == UNDESCRIBED:
                self.error = NOT_SENT
        elif any(isinstance(error, MemoryError) for error in findings.errors):
            self.fail("", "", "check_memory")
        elif self.ended:
            self.error = FORGED if self.forged else f"the process ended early{_signal(report.status)}"
        elif findings.broken is not None:  # by an assert that is no counted test, say
            self.fail("", type(findings.broken).__name__, "")


def read_parsed(message: bytes, facts: Facts) -> bool:
    """Take down what came of parsing; tell whether the program is being loaded.

    Raises:
        MalformedError: the message says nothing.
    """
    match decode(message):
        case ("parsed", bool(syntax_ok), list(shape), tuple(error)):
            facts.syntax_ok = syntax_ok
            if shape:  # there is none where a program is too deep to walk
                facts.shape = _read_shape(shape, facts.agents)
            return not _failed(error, facts)
    raise MalformedError("no word on parsing")


def read_loaded(message: bytes, facts: Facts) -> bool:
    """Take down what came of loading; tell whether the program can be called.

    Raises:
        MalformedError: the message says nothing.
    """
    match decode(message):
        case ("loaded",):
            facts.runnable = True
            return True
        case ("failed", *error) if error:
            return not _failed(tuple(error), facts)
    raise MalformedError("no word on loading")


def read_failure(decoder: Decoder, kind: bytes) -> BaseException:
    """Return the exception that a call raised.

    Raises:
        MalformedError: the message is none of a failure.
        TooLargeError: it passes a limit.
    """
    where, error = decoder.value(), decoder.value()
    match kind, where:
        case b"!", (str(limit), str(part)) if error is None or isinstance(error, BaseException):
            return origin(error or Exception(), part, limit)
    raise MalformedError("no failure")


def origin(error: BaseException, part: str, limit: str) -> BaseException:
    """Return ``error`` with what is told of it: its built-in class, the part it came from, the limit it stands for."""
    error.codeduet_origin = (getattr(error, "codeduet_builtin", "Exception"), part, limit)  # type: ignore[attr-defined]
    return error


def has_limit(error: BaseException) -> bool:
    """Tell whether an error that :func:`origin` knows stands for a limit, and not for what a program raised."""
    return bool(getattr(error, "codeduet_origin", ("", "", ""))[2])


def refill(decoder: Decoder, kept: list[Any]) -> None:
    """Change a call's arguments in place as the program did, which stands behind its answer.

    Raises:
        MalformedError: it says something else.
        TooLargeError: they pass a limit.
    """
    if decoder.number() != len(kept):
        raise MalformedError("other arguments than the call's")
    contents = decoder.values(len(kept))
    if not decoder.done:
        raise MalformedError("bytes left over")
    for container, content in zip(kept, contents, strict=True):
        _fill(container, content)


def _fill(container: Any, content: Any) -> None:
    """Give ``container`` the content of another of its kind."""
    if isinstance(container, list | bytearray) and isinstance(content, list | bytearray):
        container[:] = content
    elif isinstance(container, dict) and isinstance(content, dict):
        container.clear()
        for key, value in content.items():
            container[key] = value
    elif isinstance(container, set) and isinstance(content, set):
        container.clear()
        container.update(content)
    elif hasattr(container, "popleft") and hasattr(content, "popleft"):
        container.clear()
        container.extend(content)
    elif hasattr(container, "shape") and getattr(content, "shape", None) == container.shape:
        container[...] = content
    elif type(container) is type(content):
        give_attributes(container, attributes_of(content))


def _read_shape(shape: list[Any], agents: tuple[str, ...]) -> Shape:
    """Return what a program's process says of the program's shape, by places of parts.

    Raises:
        MalformedError: it is no shape of a program of these parts.
    """
    match shape:
        case [list(defines), list(calls), bool(target), bool(thin), bool(ignored)] if (
            len(defines) == len(agents)
            and all(type(names) is list and all(type(name) is str for name in names) for names in defines)
            and all(map(_is_call, calls))
            and all(0 <= place < len(agents) for call in calls for place in call)
        ):
            called = [(agents[caller], agents[callee]) for caller, callee in calls]
            return Shape(dict(zip(agents, defines, strict=True)), called, target, thin, ignored)
    raise MalformedError("no shape of a program")


def _is_call(call: Any) -> bool:
    return type(call) is tuple and len(call) == 2 and all(type(place) is int for place in call)


def _failed(error: tuple[Any, ...], facts: Facts) -> bool:
    match error:
        case ():
            return False
        case (str(part), str(name), str(limit), str(message)):
            facts.fail(part, name, limit, message)
            return True
    raise MalformedError("no error")


def _limit_that_ended(report: Report, limits: Limits) -> str:
    if report.limit:
        return report.limit
    if report.status in (-signal.SIGXCPU, -signal.SIGKILL) and report.cpu_s >= limits.cpu_s:
        return "cpu"
    return "memory" if report.status == OUT_OF_MEMORY else ""


def _signal(status: int) -> str:
    """Name the signal a process ended by, if it is its own doing.

    Not its exit status: a program that closes its channel is killed, and whether it exits first is chance.
    """
    return f" ({signal.Signals(-status).name})" if status < 0 and status != -signal.SIGKILL else ""
