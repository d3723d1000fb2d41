"""What a server sends, read: a completion, or what is the matter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from codeduet.agents.dialect import SETTINGS

Api = Literal["completions", "chat"]
Kind = Literal["busy", "gone", "broken", "late", "refused", "ends"]

_REASON_CHARS = 2_000
"""A server's reason is shown whole, up to what no reason needs."""

_PAGE_CHARS = 300
"""Of what is no JSON so much is shown: a page of HTML is no reason."""

_TOO_LONG = ("length", "max_tokens", "max_output_tokens", "model_length")
_FILTERED = ("content_filter", "safety", "recitation")
_BROKEN_OFF = ("error", "abort")
"""Reasons why an answer ends, as servers call them, in small letters."""


@dataclass(frozen=True)
class Reply:
    """A server's answer to one request.

    Attributes:
        text: what was written, whole.
        token_ids: its ids, where the server says them.
        finish: ``length``, ``stop`` (a stop string) or ``eos``; ``refused``: there is no text.
        reason: of a refusal.
        read: tokens of the prompt that the server says it read, or None.
        wrote: tokens it says it wrote, or None.
    """

    text: str
    token_ids: tuple[int, ...] | None = None
    finish: Literal["eos", "stop", "length", "refused"] = "eos"
    reason: str = ""
    read: int | None = None
    wrote: int | None = None


class Trouble(Exception):  # noqa: N818  # most of it passes
    """No answer came.

    Args:
        kind: ``busy``: asked too often; ``gone``: nobody there, or somebody else; ``broken``: an error of the server's, or
            an answer that is none; ``late``: time has run out; ``refused``: it will not answer this; ``ends``: it will answer nothing.
        reason: one line, for people.
        wait_s: how long the server asks to wait, or None.
        named: settings that the reason names.
    """

    def __init__(
        self, kind: Kind, reason: str, wait_s: float | None = None, named: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.wait_s = wait_s
        self.named = named


def read_reply(body: bytes, api: Api) -> Reply:
    """Read what came with status 200.

    Raises:
        Trouble: it is no completion, or an error after all.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise Trouble("gone", f"its answer is no completion: {_line(_text(body))[:_PAGE_CHARS]}") from None
    if isinstance(answer, dict) and answer.get("error"):
        raise _error(answer)
    if isinstance(answer, dict) and answer.get("object") == "error":  # vLLM's of before, FastChat's
        raise _error({"error": answer})
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise Trouble("broken", f"its answer is no completion: {_line(_text(body))[:_REASON_CHARS]}")
    if choice.get("error"):
        raise _error(choice)
    message = choice.get("message") if api == "chat" else None
    text = choice.get("text") if api == "completions" else _content(message) if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise Trouble("broken", f"its answer is no completion: {_line(_text(body))[:_REASON_CHARS]}")
    finish = str(choice.get("finish_reason")).lower()
    if finish in _BROKEN_OFF:
        raise Trouble("broken", f"its answer was broken off (finish_reason {finish})")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    if (not text and refusal) or finish in _FILTERED:  # what is left of a filtered answer is no answer of the model's
        reason = refusal if isinstance(refusal, str) else "its content filter keeps the answer back"
        return Reply("", None, "refused", _line(reason)[:_REASON_CHARS])
    ids = choice.get("token_ids")
    known = tuple(ids) if isinstance(ids, list) and all(type(i) is int for i in ids) else ()
    usage = answer.get("usage")
    tokens = usage if isinstance(usage, dict) else {}
    return Reply(
        text,
        (known or None) if api == "completions" else None,
        "length" if finish in _TOO_LONG else "stop" if isinstance(choice.get("stop_reason"), str) else "eos",
        read=_count(tokens.get("prompt_tokens")),
        wrote=_count(tokens.get("completion_tokens")),
    )


def _content(message: Mapping[str, Any]) -> str | None:
    """Return a message's text, also where it comes in parts; None where it is neither."""
    content = message.get("content")
    if content is None:
        return _arguments(message)
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    # Parts of other types are thoughts, refusals, pictures: no text of the answer.
    texts = [
        part
        if isinstance(part, str)
        else part.get("text")
        if isinstance(part, dict) and part.get("type", "text") in ("text", "output_text")
        else ""
        for part in content
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _count(tokens: Any) -> int | None:
    return tokens if type(tokens) is int else None


def _arguments(message: Mapping[str, Any]) -> str:
    """Return what a model calls tools with, in which its code may be; nothing where it thought until its tokens were used up."""
    calls = message.get("tool_calls")
    functions = (call.get("function") for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()
    given = (function.get("arguments") for function in functions if isinstance(function, dict))
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in given if each)


def _error(answer: Mapping[str, Any]) -> Trouble:
    """Return what is the matter in an answer of status 200 that holds an error."""
    error = answer["error"]
    told = error if isinstance(error, dict) else {}
    code = told.get("code") or answer.get("code")
    if (isinstance(code, str) and code.isdecimal()) or type(code) is int:
        # FastChat's are of five digits, HTTP's before two more: 40303.
        return of_status(int(str(code)[:3]), json.dumps(answer).encode())
    kind: Kind = "broken"
    words = f"{code} {told.get('type')}".lower()
    if "rate_limit" in words or "overloaded" in words:
        kind = "busy"
    elif "invalid" in words or "content" in words:
        kind = "refused"
    return Trouble(kind, _reason(answer), None, _named(answer))


def of_status(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Trouble:
    """Return what is the matter where the status is none of success.

    Args:
        status: of HTTP.
        body: what came with it.
        headers: what it says of waiting, in the names of HTTP (in any case).
    """
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    text = _reason(told) if told is not None else _line(_text(body))[:_PAGE_CHARS]
    reason = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    kind: Kind = "ends"
    if status == 429:
        kind = "ends" if "insufficient_quota" in _text(body) else "busy"
    elif status in (503, 529):
        kind = "busy"
    elif status in (408, 409, 425) or status >= 500:
        kind = "broken"
    elif status in (400, 403, 413, 422, 451):
        kind = "refused"
    return Trouble(kind, reason, _wait(headers or {}), _named(told) or _words(text))


def _wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait."""
    from email.utils import parsedate_to_datetime
    from time import time

    said = headers.get("retry-after", "")
    with_ms = headers.get("retry-after-ms", "")
    try:
        return max(0.0, float(with_ms) / 1000 if with_ms else float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except (ValueError, TypeError, IndexError):
        return None


def _reason(told: Any) -> str:
    """Return the message of an error in JSON, or all of it where it has no message."""
    error = told.get("error") or told if isinstance(told, dict) else told
    message = error.get("message") if isinstance(error, dict) else error
    if isinstance(message, str) and message.strip():
        param = error.get("param") if isinstance(error, dict) else None
        named = f" (param: {param})" if isinstance(param, str) and param and param not in message else ""
        return _line(message + named)[:_REASON_CHARS]
    return _line(json.dumps(told, ensure_ascii=False))[:_REASON_CHARS]


def _named(told: Any) -> frozenset[str]:
    """Return the settings that an error names in its fields: OpenAI's ``param``, FastAPI's ``loc``."""
    found: set[str] = set()
    stack = [told]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            for key, value in item.items():
                if key == "param" and isinstance(value, str):
                    found |= _words(value)
                elif key == "loc" and isinstance(value, list):
                    found |= {part for part in value if isinstance(part, str)} & SETTINGS
                elif key != "input":  # what FastAPI was sent
                    stack.append(value)
    return frozenset(found & SETTINGS)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text)) & SETTINGS


def _text(body: bytes) -> str:
    return body.decode("utf-8", errors="replace")


def _line(text: str) -> str:
    """Return text as one line without signs that a terminal obeys."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
