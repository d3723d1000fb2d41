"""A tokenizer's chat template: what it needs, what it writes, and how it ends a turn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from codeduet.agents.tokenizers import control_tokens
from codeduet.envs import InputError

Style = Literal["auto", "chat", "base"]

_PROBE, _THOUGHT = "What is 19 + 23?", "Let me add."
"""Said to a template to see what becomes of it."""

_OWN = ("conversation", "tokenize", "add_generation_prompt", "continue_final_message", "return_dict")
"""Arguments of ``apply_chat_template`` that are not the user's to choose."""


def resolve_style(style: Style, tokenizer: Any) -> Style:
    """Return ``"chat"`` or ``"base"``: ``"auto"`` is chat where the tokenizer has a chat template.

    Raises:
        InputError: ``"chat"`` without a template.
    """
    templated = bool(getattr(tokenizer, "chat_template", None))
    if style == "chat" and not templated:
        raise InputError("team.prompt=chat, and the tokenizer has no chat template: set team.prompt=base")
    return style if style != "auto" else ("chat" if templated else "base")


TODAY = datetime(2024, 7, 26)
"""The date for templates that print today's, always the same: else a run that goes on, or is repeated, on another day would
read other prompts. It is the one that Llama 3.2's template prints where it cannot ask for today's."""


class ChatTemplate:
    """Puts a user's message into a tokenizer's chat template; one that prints today's date prints :data:`TODAY`.

    Args:
        tokenizer: a transformers tokenizer that has a chat template.
        system: a system message before the user's; empty is none.
        arguments: further keyword arguments of ``apply_chat_template``, as a template asks for them.

    Raises:
        InputError: the template cannot render one user message, or not with these settings.
    """

    def __init__(self, tokenizer: Any, system: str = "", arguments: Mapping[str, Any] | None = None) -> None:
        self.tokenizer = tokenizer
        self.system = system
        self.arguments = dict(arguments or {})
        if taken := next((name for name in self.arguments if name in _OWN), None):
            raise InputError(f"team.template cannot set {taken!r}: it is set for every prompt")
        self._in_parts = False
        if reason := self._trouble():
            # Some templates of models that see pictures read a content as a list of parts, and nothing of a string.
            self._in_parts = True
            if self._trouble():
                self._in_parts = False
                raise InputError(self._advice(reason))

    def render(self, message: str) -> str:
        """Return the prompt of a conversation in which the user has said ``message`` and the assistant is to answer."""
        return self._apply(self._conversation(message), add_generation_prompt=True)

    @cached_property
    def controls(self) -> dict[str, int]:
        """The tokens that are no text under this template, each with its id."""
        heard = [self._try(turns) for turns in (self._dialogue(), self._dialogue(thought=_THOUGHT))]
        return control_tokens(self.tokenizer, "\n".join([_literals(self._source()), self.render(_PROBE), *heard]))

    @property
    def written(self) -> set[str]:
        """The control tokens in a rendered prompt."""
        prompt = self.render(_PROBE)
        return {token for token in self.controls if token in prompt}

    def turn_ends(self) -> frozenset[int]:
        """Return the id by which the template closes an assistant's turn; none where it closes turns without one.

        It is read off a closed conversation. A token that also stands between a thought and its answer, as harmony's
        ``<|end|>``, closes a channel and not the turn.
        """
        closer = re.compile(r"\s*(" + "|".join(map(re.escape, sorted(self.controls, key=len, reverse=True))) + ")")
        thinking = self._try(self._dialogue(thought=_THOUGHT))
        inside = thinking.partition(_THOUGHT)[2].partition(_PROBE)[0]
        # Some templates leave the last turn open, and close it once another one follows.
        for turns in (self._dialogue(), [*self._dialogue(), self._said("user", "Thanks.")]):
            found = closer.match(self._try(turns).rpartition(_PROBE)[2]) if self.controls else None
            if found and found[1] not in inside:
                return frozenset({self.controls[found[1]]})
        return frozenset()

    @cached_property
    def _dated(self) -> dict[str, Any]:
        source = self._source()
        return {"chat_template": _dating() + source} if "strftime_now" in source else {}

    def _said(self, role: str, content: str) -> dict[str, Any]:
        return {"role": role, "content": [{"type": "text", "text": content}] if self._in_parts else content}

    def _conversation(self, message: str) -> list[dict[str, Any]]:
        first = [self._said("system", self.system)] if self.system else []
        return [*first, self._said("user", message)]

    def _dialogue(self, thought: str = "") -> list[dict[str, Any]]:
        answer = self._said("assistant", _PROBE)
        if thought:  # under each of the names by which templates ask for it
            answer |= dict.fromkeys(("reasoning_content", "thinking", "reasoning"), thought)
        return [*self._conversation("Hello."), answer]

    def _apply(self, turns: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = False) -> str:
        text: str = self.tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=add_generation_prompt, **(self.arguments | self._dated)
        )
        return text

    def _try(self, turns: Sequence[Mapping[str, Any]]) -> str:
        try:
            return self._apply(turns)
        except Exception:  # noqa: BLE001  # a template is a program of others, and may raise anything
            return ""

    def _trouble(self) -> str:
        """Return why the template renders no message, or nothing."""
        try:
            shown = self.render(_PROBE)
        except Exception as error:  # noqa: BLE001  # a template is a program of others, and may raise anything
            return " ".join(f"{type(error).__name__}: {error}".split())[:200]
        if self.system.strip() not in shown:
            return "it is missing from the prompt"
        return "" if _PROBE in shown else "it is missing from the prompt"

    def _advice(self, reason: str) -> str:
        alone = [self._said("user", _PROBE)]
        if self.system and _PROBE in self._try(alone):
            return f"the chat template takes no system message ({reason}): leave team.system empty"
        if not self.system and _PROBE in self._try([self._said("system", "You write programs."), *alone]):
            return f"the chat template needs a system message ({reason}): set team.system"
        return (
            f"the chat template cannot render a user's message ({reason}): set team.template to the arguments it needs, "
            "or team.prompt=base"
        )

    def _source(self) -> str:
        """Return the template's text, of several the one that is applied."""
        source: Any = self.arguments.get("chat_template") or self.tokenizer.chat_template
        if isinstance(self.tokenizer.chat_template, dict):
            named = self.tokenizer.chat_template
            source = named.get(self.arguments.get("chat_template", "default"), source)
        return source if isinstance(source, str) else ""


def _dating() -> str:
    """Return the beginning of a template in which ``strftime_now``, by which transformers tells today's date, tells :data:`TODAY`.

    A macro, since transformers passes on no function.
    """
    filled = "".join(
        f'|replace("%{flag}{sign}", "{TODAY.strftime(f"%{flag}{sign}")}")'
        for flag in ("-", "")
        for sign in "aAbBdHIjmMpSuwyY"
    )
    return f"{{% macro strftime_now(format) %}}{{{{ format{filled} }}}}{{% endmacro +%}}"


def _literals(source: str) -> str:
    """Return what stands in a template as text, and not as its program."""
    import jinja2

    try:
        return "\n".join(value for _, kind, value in jinja2.Environment().lex(source) if kind in ("data", "string"))
    except jinja2.TemplateError:
        return source
