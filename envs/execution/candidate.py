"""What the tests call: it stands for a program's target function, and has the program's process answer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codeduet.envs.execution import wire
from codeduet.envs.execution.instrument import Check
from codeduet.envs.execution.jailer import Conversation
from codeduet.envs.execution.kinds import UNDESCRIBED, TooLargeError
from codeduet.envs.execution.limits import Limits
from codeduet.envs.execution.messages import has_limit, origin, read_failure, refill
from codeduet.envs.execution.reading import Decoder, MalformedError
from codeduet.envs.execution.values import Encoder, encode, join
from codeduet.envs.problems import Problem

NO_NAMES: Mapping[str, Any] = {}


class EndedError(Exception):
    """The program's process has ended, so that no answer will come."""


class OtherCallError(Exception):
    """The tests make another call than the one that was sent ahead."""


@dataclass
class Known:
    """A problem's tests, and the calls, encoded, that they are known to make.

    ``unsendable`` says which of their own values cannot be sent to any program.
    """

    problem: Problem
    check: Check
    classes: list[str]
    ahead: list[bytes] = field(default_factory=list)
    unsendable: str = ""
    job: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Encode what all its programs get alike."""
        problem = self.problem
        parts: dict[str, Any] = {
            "classes": self.classes,
            "preamble": problem.preamble,
            "entry_point": problem.entry_point,
        }
        parts |= {"seed": problem.task_id, "streams": problem.source.streams}
        self.job = {name: encode(part) for name, part in parts.items()}
        self.encoder = Encoder(strict=True, own=self.classes)  # of calls, one after the other

    @property
    def names(self) -> Mapping[str, Any]:
        """What the classes that the prompt defines are in the run of the tests that goes on."""
        return {name: self.check.names.get(name) for name in self.classes} if self.classes else NO_NAMES

    def encode(self, call: tuple[tuple[Any, ...], dict[str, Any]], kept: list[Any]) -> bytes:
        """Return a call's arguments and options as bytes; ``kept`` gets the containers in them.

        Raises:
            TypeError: something that cannot be sent is among them.
        """
        encoder = self.encoder
        encoder.begin(self.check.names, kept)
        try:
            return encoder.encode(call)
        except RecursionError:
            raise TypeError("a value nested so deep cannot be sent into the jail") from None


class Candidate:
    """Stands for the target function while ``check`` runs; its answers come from the program's process.

    Attributes:
        asked: the calls made so far, encoded.
        ended: the process ended, or broke the protocol, before it had answered all calls.
        passed_over: errors of this side's, in order: a limit that what it gave passes, or that it cannot be described.
            They are raised in the tests, but the test fails whatever it makes of them: the program raised none of them.
        forged: it broke the protocol.
        diverged: a call differs from the one that was sent ahead.
    """

    def __init__(self, conversation: Conversation, known: Known, ahead: list[bytes], limits: Limits) -> None:
        self._conversation = conversation
        self._known = known
        self._ahead = ahead
        self._limits = limits
        self._turn = threading.RLock()  # tests may ask from several threads
        self._items_left = limits.result_nodes  # of all iterators together, beside those that came with an answer
        self._early: deque[bytes] = deque()  # answers to calls that were sent ahead, read before they were asked for
        self.asked: list[bytes] = []
        self.passed_over: list[BaseException] = []
        self.ended = False
        self.forged = False
        self.diverged = False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        with self._turn:
            return self._ask(arguments, options)

    def _ask(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self.ended or self.diverged:
            raise EndedError
        kept: list[Any] = []
        try:
            call = self._known.encode((arguments, options), kept)
        except TypeError as error:  # an answer that cannot be sent is passed on
            raise self._looked(error) from None
        place = len(self.asked)
        self.asked.append(call)
        if place < len(self._ahead) and self._ahead[place] != call:
            self.diverged = True
            raise OtherCallError
        answer, failure = self._exchange(call if place >= len(self._ahead) else None, kept)
        if failure is not None:
            raise failure
        return answer

    def _exchange(self, call: bytes | None, kept: list[Any]) -> tuple[Any, BaseException | None]:
        """Send a call that was not sent ahead, and wait for its answer: what it gave, or what it raised."""
        try:
            if call is not None:
                self._conversation.send(join([call]))
            message = self._early.popleft() if self._early else self._conversation.receive()
            decoder = self._decoder(message, kept)
            answer: Any = None
            failure: BaseException | None = None
            if message[:1] == b"=":
                answer = decoder.value()
            else:
                failure = self._read_failure(decoder, message[:1])
            if not decoder.done:
                refill(decoder, kept)
            return answer, failure
        except BaseException as error:  # noqa: BLE001
            return None, self._fault(error)

    def _more(self, number: int) -> tuple[list[Any], Any]:
        """Ask for the next items of an iterator that the program returned."""
        if self.ended or self.diverged:
            raise EndedError
        try:
            self._conversation.send(join([encode(number)]))
            while len(self.asked) + len(self._early) < len(self._ahead):
                self._early.append(self._conversation.receive())
            message = self._conversation.receive()
            decoder = self._decoder(message, [])
            items, end = decoder.chunk() if message[:1] == b"+" else ([], self._read_failure(decoder, message[:1]))
            self._items_left -= len(items)
            if self._items_left < 0:
                raise TooLargeError("result_nodes")
            if not decoder.done:
                raise MalformedError("bytes left over")
        except BaseException as error:  # noqa: BLE001
            raise self._fault(error) from None
        return items, end

    def _decoder(self, message: bytes, kept: list[Any]) -> Decoder:
        names = self._known.names
        return Decoder(message[1:], self._limits, names, self._more, known=kept, looked=self._looked)

    def _read_failure(self, decoder: Decoder, kind: bytes) -> BaseException:
        error = read_failure(decoder, kind)
        if has_limit(error):
            self.passed_over.append(error)
        return error

    def _looked(self, error: Exception) -> Exception:
        """Take down that the tests ask for what was not sent; return ``error``, which they are to get."""
        self.passed_over.append(origin(error, "", UNDESCRIBED))
        return error

    def _fault(self, error: BaseException) -> BaseException:
        """Return what a message that was no answer raises in the tests: the program is to blame for it."""
        if isinstance(error, TooLargeError):
            self.passed_over.append(origin(Exception(), "", error.limit))
            return self.passed_over[-1]
        if isinstance(error, MemoryError):
            self.passed_over.append(error)
            return error
        if not isinstance(error, wire.ClosedError):
            self.forged = True
        self.ended = True
        return EndedError()
