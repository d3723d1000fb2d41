"""What each role reads: an environment's observation becomes a prompt, and a prompt becomes token ids.

A chat model gets one user message through its own template; a base model gets the raw text it would continue. What a
prompt quotes (a problem, a teammate's code, feedback) is text to the tokenizer, whatever it spells. The
embedded model is pre-trained on documents of exactly the base forms, so changing them here means training it anew
(``codeduet.agents.embedded``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from codeduet.agents.template import ChatTemplate, Style, resolve_style
from codeduet.agents.tokenizers import PromptEncoder, control_tokens, own_prefix
from codeduet.envs import HELPER
from codeduet.envs.text import stop_strings
from codeduet.envs.token_step import ByteTokenizer, Tokenizer, encode_text

Observation = Mapping[str, Any]

_ANSWER = """Answer with the whole function `{entry_point}` in one Python code block and nothing else. Use the standard \
library only."""

_SINGLE = (
    """Complete the following Python function.

```python
{prompt}
```

"""
    + _ANSWER
)

_HELPER = """You and another programmer write one Python program together. You write auxiliary functions; the other \
programmer sees them and then writes `{entry_point}` below, calling what you wrote.

```python
{prompt}
```

Write one or two auxiliary functions that make `{entry_point}` easy to write. Do not write `{entry_point}` itself. \
Answer with one Python code block and nothing else."""

_MAIN = (
    """Complete the following Python function `{entry_point}`.

```python
{prompt}
```

Another programmer has written these auxiliary functions in the same file. Call them where they help; do not import them \
or write them again.

```python
{helper_code}
```

"""
    + _ANSWER
)
"""The task comes first: a small model that reads the auxiliary functions first copies them instead of solving it."""

_AFTER_HELPER = ("\nif __name__", "\nprint(", "\nassert ", "\n```")

_AGAIN = """

Your last answer was:

```python
{previous_code}
```

What became of it: {feedback}
Write a better one."""


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
        team: whether there is a helper: main alone reads the single-agent prompt.
        system: a chat's system message; empty is none.
        template: further keyword arguments of the tokenizer's ``apply_chat_template``.

    Raises:
        InputError: there is no chat template, or it cannot render a user's message with these settings.
    """

    def __init__(
        self,
        tokenizer: Any,
        style: Style = "auto",
        *,
        team: bool = True,
        system: str = "",
        template: Mapping[str, Any] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.style = resolve_style(style, tokenizer)
        self.team = team
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
        if self.style == "base":
            return base_prompt(agent, observation)
        return chat_message(agent, observation, team=self.team)

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return the strings that end an answer: a chat model ends by itself, a base model runs on into new code."""
        if self.style == "chat":
            return ()
        return _AFTER_HELPER if agent == HELPER else stop_strings()


class MessageFormatter:
    """Renders observations as the user message of a chat whose template and tokens are the server's.

    The server's tokenizer is not here, so nothing can be done about control tokens that a message quotes: whether
    ``<|im_end|>`` in a teammate's code ends the turn is the server's choice. With ``team.api=completions`` it is encoded
    here, as text.

    Args:
        tokenizer: turns the message into ids and back, as bytes by default.
        team: whether there is a helper.
    """

    def __init__(self, tokenizer: Tokenizer | None = None, *, team: bool = True) -> None:
        self.tokenizer = tokenizer or ByteTokenizer()
        self.team = team

    def render(self, agent: str, observation: Observation) -> str:
        """Return the message."""
        return chat_message(agent, observation, team=self.team)

    def encode(self, agent: str, observation: Observation) -> tuple[int, ...]:
        """Return the message as ids of the tokenizer."""
        return tuple(encode_text(self.tokenizer, self.render(agent, observation)))

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return no strings: a chat model ends by itself."""
        return ()


def base_prompt(agent: str, observation: Observation) -> str:
    """Return the text a base model continues: for helper with functions, for main with a body."""
    prompt, helper_code = str(observation["prompt"]), str(observation["helper_code"])
    again = "".join(f"# {line}\n" for line in str(observation["feedback"]).splitlines())
    if again and (previous := str(observation["previous_code"]).strip("\n")):
        # As code: commented out it would take more tokens than it was written with.
        again = f"{previous}\n\n\n{again}"
    if agent == HELPER:
        return f"{again}{prompt}    ...\n\n# Helper functions for {observation['entry_point']}:\n"
    before = helper_code.rstrip("\n") + "\n\n\n" if helper_code.strip() else ""
    return f"{again}{before}{prompt}"


def chat_message(agent: str, observation: Observation, *, team: bool) -> str:
    """Return the user message of ``agent`` for a chat model; main without anything to call reads what a single model does."""
    fields = {key: str(value).strip("\n") for key, value in observation.items()}
    template = _HELPER if agent == HELPER else _MAIN if team and fields["helper_code"].strip() else _SINGLE
    text = template.format(**fields)
    return text + _AGAIN.format(**fields) if fields["feedback"] else text
