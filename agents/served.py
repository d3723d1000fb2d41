"""One model of one server: asked, waited for, and asked in the dialect that it was found to speak."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codeduet.agents.dialect import Dialect
from codeduet.agents.engine import Sampling
from codeduet.agents.replies import Api, Reply, Trouble, of_status, read_reply
from codeduet.agents.saved_answers import SavedAnswers, key_of
from codeduet.envs import InputError

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
"""Between two tries, where the server does not say how long: most limits are by the minute."""

_FEW = 2
"""Further tries where more would hardly help: nobody has ever answered at this address, or time has run out."""

_BYTES_A_TOKEN = 10
"""More bytes than a prompt's tokens have on average; code has three or four."""

_HELLO = ({"role": "user", "content": "Say hello."},)

_POLL_S = 0.05


@dataclass(frozen=True)
class Calls:
    """How a server is called.

    Attributes:
        api: which of its two interfaces.
        timeout_s: for one call, and the longest wait that it may ask for.
        retries: further tries of one call, for each kind of trouble; where the server is busy or gone they count anew
            whenever another call was answered.
        at_once: calls under way, at most: each completion has a seed of its own, so each is a call.
        system: under ``api="chat"`` a system message before the user's; empty is none.
        template: under ``api="chat"`` further arguments of the server's chat template; vLLM and SGLang take them.
    """

    api: Api = "completions"
    timeout_s: float = 600.0
    retries: int = 8
    at_once: int = 64
    system: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What one call asks.

    Attributes:
        prompt: token ids, or a chat's messages.
        sampling: how to draw.
        seed: of 63 bits.
        more: settings that only one of the two interfaces has.
    """

    prompt: tuple[int, ...] | tuple[dict[str, str], ...]
    sampling: Sampling
    seed: int
    more: Mapping[str, Any]


class Served:
    """A model that a server has.

    The first call goes alone, until one was answered: by it the dialect is found, once. Where a call fails for good it is
    told whose fault that is, by whether the server answers another: then this prompt gets an empty answer, ``refused``;
    else the run ends, and what was saved is kept.

    Args:
        client: of the ``openai`` package.
        model: the server's name for it.
        calls: how it is called.
        free: held by each call under way.
        saved: where answers are kept.
        say: gets a line when something is told for the first time.
    """

    def __init__(
        self,
        client: Any,
        model: str,
        calls: Calls,
        *,
        free: asyncio.Semaphore,
        saved: SavedAnswers,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self.model = model
        self.base_url = str(client.base_url).rstrip("/")
        self._api, self._retries, self._timeout_s = calls.api, calls.retries, calls.timeout_s
        self._free = free
        self._saved = saved
        self._say = say
        self._key = key_of(self.base_url, model, calls.api)
        known = saved.dialect(self._key)
        self._dialect = known or Dialect()
        self._answered = int(known is not None)
        self._asking = self._given_up = 0
        self._opening, self._knocking = asyncio.Lock(), asyncio.Lock()
        self.under_way: set[asyncio.Task[Any]] = set()
        self.troubles: Counter[str] = Counter()

    async def ask(self, question: Question) -> Reply:
        """Return the reply: the one that was saved, or the server's, which is saved.

        Raises:
            InputError: the server is gone, stays busy, or refuses whatever it is asked.
        """
        key = key_of(self._key, question.prompt, vars(question.sampling), question.seed, question.more)
        reply = self._saved.reply(key)
        if reply is None:
            if not self._answered:
                async with self._opening:
                    reply = None if self._answered else await self._insist(question)
            reply = reply or await self._insist(question)
            self._saved.keep_reply(key, reply)
        if reply.finish == "refused":
            self._tell("prompts refused", f"a prompt is refused and counts as answered by nothing: {reply.reason}")
        self._check_usage(question, reply)
        return reply

    async def _insist(self, question: Question) -> Reply:
        """Return the reply, or an empty one where the trouble is this question's alone."""
        began = self._answered
        self._asking += 1
        try:
            return await self._patiently(question)
        except Trouble as trouble:
            if trouble.kind in ("refused", "broken", "late") and await self._answers_others(question, began):
                return Reply("", None, "refused", trouble.reason)
            raise self.refuse(trouble.reason) from None
        finally:
            self._asking -= 1

    async def _patiently(self, question: Question) -> Reply:
        """Ask again as long as there is hope.

        Raises:
            Trouble: there is none.
        """
        progress = self._answered
        # Each kind of trouble has its own count: one that passes says nothing of the next.
        tries: Counter[str] = Counter()
        fruitless: Counter[str] = Counter()
        while True:
            try:
                return await self._in_a_dialect(question)
            except Trouble as trouble:
                last = trouble
            if last.kind in ("busy", "gone") and self._answered > progress:
                progress, fruitless = self._answered, Counter()
            few = (last.kind == "gone" and not self._answered) or last.kind == "late"
            allowed = min(self._retries, _FEW) if few else self._retries
            if last.kind in ("refused", "ends") or fruitless[last.kind] >= allowed:
                raise last
            wait = last.wait_s
            if wait is None:
                wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries[last.kind], 10))
            if wait > self._timeout_s:
                asks = f"it asks to wait {wait:.0f} s, and team.timeout={self._timeout_s:g}"
                raise Trouble("ends", f"{last.reason}; {asks}")
            tries[last.kind] += 1
            fruitless[last.kind] += 1
            what = "waits for a busy server" if last.kind == "busy" else "calls made again"
            self._tell(what, f"{last.reason}; asked again in {wait:.1f} s, up to {self._retries} times (team.retries)")
            # Not all at once: calls that were turned away together would be so again.
            await asyncio.sleep(wait * (1 + random.random() / 4))

    async def _answers_others(self, question: Question, began: int) -> bool:
        """Tell whether anything was answered since ``began``; where nothing else is asked, ask something harmless."""
        self._given_up += 1
        try:
            while self._answered == began and self._asking > self._given_up:
                await asyncio.sleep(_POLL_S)
            async with self._knocking:
                if self._answered == began:
                    plain: Any = question.prompt[:8] if self._api == "completions" else _HELLO
                    short = replace(question.sampling, max_new_tokens=16)
                    await self._patiently(replace(question, prompt=plain, sampling=short))
        except Trouble:
            return False
        finally:
            self._given_up -= 1
        return True

    async def _in_a_dialect(self, question: Question) -> Reply:
        """Ask in the dialect known; where settings are refused, in others."""
        dialect = self._dialect
        others: Iterator[Dialect] | None = None
        first: Trouble | None = None
        while True:
            try:
                reply = await self._send(question, dialect)
            except Trouble as trouble:
                if trouble.kind != "refused":
                    raise
                better = dialect.after(trouble.named, trouble.reason, question.sampling)
                if better is None:
                    first = first or trouble
                    if others is None:
                        # What is said of no setting is guessed at once, and not of every prompt that is refused.
                        others = iter(()) if self._answered or trouble.named else dialect.others(question.sampling)
                    better = next(others, None)
                if better is None:
                    raise (first or trouble) from None
                dialect = better
            else:
                if dialect != self._dialect:
                    self._say(f"{self._name()} {dialect.line()}")
                if dialect != self._dialect or not self._answered:
                    self._dialect = dialect
                    self._saved.keep_dialect(self._key, dialect)
                self._answered += 1
                return reply

    async def _send(self, question: Question, dialect: Dialect) -> Reply:
        """Make one call.

        Raises:
            Trouble: it brought no answer.
        """
        import openai

        settings = dialect.settings(question.sampling, question.seed, question.more)
        async with self._free:
            task = asyncio.current_task()
            assert task is not None
            self.under_way.add(task)
            try:
                if self._api == "chat":
                    called = self._client.chat.completions.with_raw_response.create(
                        model=self.model, messages=list(question.prompt), extra_body=settings
                    )
                else:
                    called = self._client.completions.with_raw_response.create(
                        model=self.model, prompt=list(question.prompt), extra_body=settings
                    )
                raw = await asyncio.wait_for(called, self._timeout_s)
                body: bytes = raw.http_response.content
            except (asyncio.TimeoutError, openai.APITimeoutError):
                raise Trouble("late", f"no answer within {self._timeout_s:g} s (team.timeout)") from None
            except openai.APIStatusError as error:
                raise of_status(error.status_code, error.response.content, error.response.headers) from None
            except (openai.OpenAIError, ValueError) as error:  # ValueError: a key or address that cannot be sent
                raise Trouble("gone", " ".join(f"{error} {error.__cause__ or ''}".split())) from None
            finally:
                self.under_way.discard(task)
        return read_reply(body, self._api)

    def _check_usage(self, question: Question, reply: Reply) -> None:
        """Tell where the server says that it read less than it was sent, or wrote more than it may."""
        if self._api == "completions":
            least, sent = len(question.prompt), f"{len(question.prompt)} tokens"
        else:
            size = sum(
                len(str(message["content"]).encode()) for message in question.prompt if isinstance(message, dict)
            )
            least, sent = size // _BYTES_A_TOKEN, f"{size} bytes"
        if reply.read is not None and 0 < reply.read < least:
            self._tell(
                "prompts read in part", f"a prompt of {sent} was read as {reply.read} tokens: it is cut off there"
            )
        limit = question.sampling.max_new_tokens
        if reply.wrote is not None and reply.wrote > limit:
            self._tell("answers too long", f"an answer has {reply.wrote} tokens, where max_new_tokens={limit}")

    def _tell(self, what: str, line: str) -> None:
        """Count a trouble, and say so the first time."""
        self.troubles[what] += 1
        if self.troubles[what] == 1:
            self._say(f"{self._name()}: {line}")

    def summary(self) -> str:
        """Return how often what happened, or nothing."""
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.troubles.items()))
        return f"{self._name()}: {told}" if told else ""

    def refuse(self, reason: str) -> InputError:
        """Return the error by which a run ends."""
        return InputError(f"{self._name()}: {reason}")

    def _name(self) -> str:
        return f"server {self.base_url} ({self.model})"
