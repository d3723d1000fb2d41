"""What the messages of a judged process say, and what is learnt of a program from them.

Text in them is cleaned here, once: an error's message may hold whatever a program put there.
"""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass, field
from typing import Any, cast, get_args

from codeduet.envs.execution.instrument import Findings
from codeduet.envs.execution.jail.zygote import OUT_OF_MEMORY, Report
from codeduet.envs.execution.kinds import CLASSES, UNDESCRIBED, attributes_of, give_attributes
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import Structure, Unit
from codeduet.envs.execution.reading import Decoder, MalformedError, decode

FORGED = "ChannelError: the program wrote into the channel of its answers"
NOT_SENT = "ValueNotSent: what it gave cannot be described to the tests, or they look into an object of its own class"
_MESSAGE_LENGTH = 160
_UNITS = get_args(Unit)
_LIMITS = get_args(LimitName)[:-1]
_SHAPE = {name: type(value) for name, value in asdict(Structure()).items()}


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
class Facts:
    """What is learnt of one program as it goes; most of it goes into its outcome as it stands."""

    limits: Limits
    syntax_ok: bool = False
    runnable: bool = False
    structure: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    error_unit: str = ""
    limit: str = ""
    ended: bool = False
    forged: bool = False

    def fail(self, unit: str, name: str, limit: str, message: str = "") -> None:
        """Take down an error of the program's, in one line."""
        self.limit = limit if limit in _LIMITS else ""
        name = name if name in CLASSES else "Exception"
        text = f"{name}: {message}".removesuffix(": ")
        self.error = self.limits.describe(cast(LimitName, limit)) if self.limit else clean(text)
        self.error_unit = unit if unit in _UNITS else ""

    def close(self, findings: Findings, report: Report) -> None:
        """Say which error counts: the limit that ended the program, else the first error, else how it ended."""
        limit = _limit_that_ended(report, self.limits) if self.ended else ""
        origins = [error.codeduet_origin for error in findings.errors if hasattr(error, "codeduet_origin")]
        if limit:
            self.fail("", "", limit)
        elif self.error:
            pass
        elif origins:
            name, unit, limit = origins[0]
            self.fail(unit, name, limit)
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
            facts.structure = dict(
                zip(_SHAPE, shape, strict=False)
            )  # which is empty where a program is too deep to walk
            if not all(_is_shape(name, value) for name, value in facts.structure.items()):
                raise MalformedError("no shape of a program")
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
        case b"!", (str(limit), str(unit)) if error is None or isinstance(error, BaseException):
            return origin(error or Exception(), unit, limit)
    raise MalformedError("no failure")


def origin(error: BaseException, unit: str, limit: str) -> BaseException:
    """Return ``error`` with what is told of it: its built-in class, the unit it came from, the limit it stands for."""
    error.codeduet_origin = (getattr(error, "codeduet_builtin", "Exception"), unit, limit)  # type: ignore[attr-defined]
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


def _is_shape(name: Any, value: Any) -> bool:
    """Tell whether ``Structure`` has such a field: a truth value, or names."""
    if _SHAPE.get(name) is tuple:
        return type(value) is list and all(type(item) is str for item in value)
    return _SHAPE.get(name) is bool and type(value) is bool


def _failed(error: tuple[Any, ...], facts: Facts) -> bool:
    match error:
        case ():
            return False
        case (str(unit), str(name), str(limit), str(message)):
            facts.fail(unit, name, limit, message)
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
