"""What each role reads: an environment's observation becomes a prompt, and a prompt becomes token ids.

A chat model gets one user message through its own template; a base model gets the raw text it would continue. What a
prompt quotes (a problem, a teammate's code, feedback) is text to the tokenizer, whatever it spells. The words are in
:mod:`codeduet.agents.briefs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from codeduet.agents.briefs import Observation, Prompt, base_prompt, base_stop, chat_message, check_prompts
from codeduet.agents.template import ChatTemplate, Style, resolve_style
from codeduet.agents.tokenizers import PromptEncoder, control_tokens, own_prefix
from codeduet.envs.roles import DUET, Role
from codeduet.envs.token_step import ByteTokenizer, Tokenizer, encode_text


class Formatter(Protocol):
    """Anything that turns an agent's observation into the prompt its policy continues."""

    def render(self, agent: str, observation: Observation) -> str:
        """Return the whole prompt as text, template included."""

    def encode(self, agent: str, observation: Observation) -> tuple[int, ...]:
        """Return the prompt's token ids."""

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return the strings that end an answer of ``agent``."""


class PromptFormatter:
    """Renders the observations of ``codeduet/humaneval-v0`` for one tokenizer.

    Args:
        tokenizer: a transformers tokenizer.
        style: ``"chat"`` or ``"base"``; ``"auto"`` is chat where the tokenizer has a chat template.
        roles: the team.
        prompts: words of one's own, by roles' names.
        system: a chat's system message; empty is none.
        template: further keyword arguments of the tokenizer's ``apply_chat_template``.

    Raises:
        InputError: there is no chat template, it cannot render a user's message with these settings, or words are of no role
            or name what no observation has.
    """

    def __init__(
        self,
        tokenizer: Any,
        style: Style = "auto",
        *,
        roles: Sequence[Role] = DUET,
        prompts: Mapping[str, Prompt] | None = None,
        system: str = "",
        template: Mapping[str, Any] | None = None,
    ) -> None:
        check_prompts(prompts or {}, roles)
        self.tokenizer = tokenizer
        self.style = resolve_style(style, tokenizer)
        self.roles = tuple(roles)
        self.prompts = dict(prompts or {})
        # A chat template writes the special tokens itself: adding them again would double the BOS.
        if self.style == "chat":
            chat = ChatTemplate(tokenizer, system, template)
            self._before: tuple[int, ...] = ()
            self._encoder = PromptEncoder(tokenizer, chat.controls, chat.render)
        else:
            self._before = own_prefix(tokenizer)
            self._encoder = PromptEncoder(tokenizer, control_tokens(tokenizer))

    def render(self, agent: str, observation: Observation) -> str:
        """Return the whole prompt as text, template included."""
        return self._encoder.shown(self._text(agent, observation))

    def encode(self, agent: str, observation: Observation) -> tuple[int, ...]:
        """Return the prompt's token ids: the template's control tokens, and text."""
        return self._before + self._encoder.encode(self._text(agent, observation))

    def _text(self, agent: str, observation: Observation) -> str:
        words = base_prompt if self.style == "base" else chat_message
        return words(agent, observation, self.roles, self.prompts)

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return the strings that end an answer: a chat model ends by itself, a base model runs on into new code."""
        return () if self.style == "chat" else base_stop(agent, self.roles)


class MessageFormatter:
    """Renders observations as the user message of a chat whose template and tokens are the server's.

    The server's tokenizer is not here, so nothing can be done about control tokens that a message quotes: whether
    ``<|im_end|>`` in a teammate's code ends the turn is the server's choice. With ``team.api=completions`` it is encoded
    here, as text.

    Args:
        tokenizer: turns the message into ids and back, as bytes by default.
        roles: the team.
        prompts: words of one's own, by roles' names.

    Raises:
        InputError: words are of no role, or name what no observation has.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | None = None,
        *,
        roles: Sequence[Role] = DUET,
        prompts: Mapping[str, Prompt] | None = None,
    ) -> None:
        check_prompts(prompts or {}, roles)
        self.tokenizer = tokenizer or ByteTokenizer()
        self.roles = tuple(roles)
        self.prompts = dict(prompts or {})

    def render(self, agent: str, observation: Observation) -> str:
        """Return the message."""
        return chat_message(agent, observation, self.roles, self.prompts)

    def encode(self, agent: str, observation: Observation) -> tuple[int, ...]:
        """Return the message as ids of the tokenizer."""
        return tuple(encode_text(self.tokenizer, self.render(agent, observation)))

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return no strings: a chat model ends by itself."""
        return ()
