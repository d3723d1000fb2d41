"""What each role is told, in words: an observation as a chat model's message, or as text that a base model continues.

The paper's helper and main, the single agent and every other role have words of their own here; :class:`Prompt` gives a role
others. The embedded model is pre-trained on documents of exactly the base forms of helper and main, so changing them here
means training it anew (``codeduet.agents.embedded``).
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeduet.envs import InputError
from codeduet.envs.roles import DUET, Role, by_agent, target_agent
from codeduet.envs.text import stop_strings
from codeduet.errors import nearest

Observation = Mapping[str, Any]

_ANSWER = """Answer with the whole function `{entry_point}` in one Python code block and nothing else. Use the standard \
library only."""

_SINGLE = """Complete the following Python function.

```python
{prompt}
```

"""

_HELPER = """You and another programmer write one Python program together. You write auxiliary functions; the other \
programmer sees them and then writes `{entry_point}` below, calling what you wrote.

```python
{prompt}
```

"""

_HELPS = """Write one or two auxiliary functions that make `{entry_point}` easy to write. Do not write `{entry_point}` itself. \
Answer with one Python code block and nothing else."""

_MAIN = """Complete the following Python function `{entry_point}`.

```python
{prompt}
```

"""
"""The task comes first: a small model that reads the auxiliary functions first copies them instead of solving it."""

_CODE = """Another programmer has written these auxiliary functions in the same file. Call them where they help; do not import \
them or write them again.

```python
{code}
```

"""

_WRITER = """You are the {role} of a team that writes one Python program: the function `{entry_point}` below. You write no \
code, but a message to {readers}.

```python
{prompt}
```

"""

_SEEN = """The team has written this code:

```python
{code}
```

"""

_WRITES = """Write a short message that helps to write a program that is right. Answer with the message alone."""

_MESSAGE = """The {role} of your team says:

{text}

"""

_AGAIN = """

Your last answer was:

{previous}

What became of it: {feedback}
Write a better one."""

_AFTER_HELPER = ("\nif __name__", "\nprint(", "\nassert ", "\n```")
_AFTER_TEXT = ("\n\n", "\ndef ", "\nclass ", "\n```")

_ALWAYS = ("prompt", "entry_point", "previous_code", "feedback", "turn")
"""Keys of every observation."""


@dataclass(frozen=True)
class Prompt:
    """Words of one's own for a role: templates that name keys of its observations in braces.

    In a later turn the agent's last answer and the feedback follow, unless a template has ``{feedback}`` itself.

    Attributes:
        chat: a chat model's message, such as ``"Plan `{entry_point}` in five steps.\\n\\n{prompt}"``; empty is the role's own.
        base: what a base model continues; empty is the role's own.
    """

    chat: str = ""
    base: str = ""


def check_prompts(prompts: Mapping[str, Prompt], roles: Sequence[Role]) -> None:
    """Check words of one's own.

    Raises:
        InputError: they are of no role, or name what no observation has.
    """
    names = [role.name for role in roles]
    keys = [*_ALWAYS, *dict.fromkeys(role.key for role in roles)]
    for name, prompt in prompts.items():
        if name not in names:
            raise InputError(f"a prompt is of no role: {name!r}{nearest(name, names)}")
        for template in (prompt.chat, prompt.base):
            try:
                fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
            except ValueError as error:
                raise InputError(f"the prompt of role {name!r}: {error}; write {{{{ and }}}} for braces") from None
            for field in fields:
                if field not in keys:
                    raise InputError(
                        f"the prompt of role {name!r} names {field!r}: choose {', '.join(keys)}{nearest(field, keys)}; write "
                        "{{ and }} for braces"
                    )


def chat_message(
    agent: str, observation: Observation, roles: Sequence[Role] = DUET, prompts: Mapping[str, Prompt] | None = None
) -> str:
    """Return the user message of ``agent`` for a chat model; main without anything to call reads what a single model does."""
    role = by_agent(roles)[agent]
    fields = {key: str(value).strip("\n") for key, value in observation.items()}
    template = (prompts or {}).get(role.name, Prompt()).chat
    text = template.format(**_all(fields, roles)) if template else _chat(agent, role, fields, roles)
    if not fields["feedback"] or "{feedback}" in template:
        return text
    previous = fields["previous_code"] if role.writes == "text" else f"```python\n{fields['previous_code']}\n```"
    return text + _AGAIN.format(previous=previous, feedback=fields["feedback"])


def _chat(agent: str, role: Role, fields: Mapping[str, str], roles: Sequence[Role]) -> str:
    code = _code(role, fields, roles)
    messages = "".join(_MESSAGE.format(role=name, text=text) for name, text in _messages(role, fields, roles))
    if role.writes == "text":
        first = _WRITER.format(role=role.name, readers=_readers(role, roles), **_task(fields))
        return first + (_SEEN.format(code=code) if code else "") + messages + _WRITES
    if agent == target_agent(roles):
        first = (_MAIN if code else _SINGLE).format(**_task(fields)) + (_CODE.format(code=code) if code else "")
        return first + messages + _ANSWER.format(**_task(fields))
    first = _HELPER.format(**_task(fields)) + (_CODE.format(code=code) if code else "")
    return first + messages + _HELPS.format(**_task(fields))


def base_prompt(
    agent: str, observation: Observation, roles: Sequence[Role] = DUET, prompts: Mapping[str, Prompt] | None = None
) -> str:
    """Return the text a base model continues: for helper with functions, for main with a body, else with a message."""
    role = by_agent(roles)[agent]
    fields = {key: str(value) for key, value in observation.items()}
    template = (prompts or {}).get(role.name, Prompt()).base
    again = "" if "{feedback}" in template else _comments(fields["feedback"])
    if again and (previous := fields["previous_code"].strip("\n")):
        # As code: commented out it would take more tokens than it was written with.
        last = _comments(previous).strip("\n") if role.writes == "text" else previous
        again = f"{last}\n\n\n{again}"
    if template:
        return again + template.format(**_all(fields, roles))
    prompt, code = fields["prompt"], _code(role, fields, roles)
    before = "".join(_comments(f"{name}: {text}") for name, text in _messages(role, fields, roles))
    if code:
        before += code.rstrip("\n") + "\n\n\n"
    if role.writes == "text":
        return f"{again}{before}{prompt}    ...\n\n# The {role.name}'s message on {fields['entry_point']}:\n#"
    if agent == target_agent(roles):
        return f"{again}{before}{prompt}"
    return f"{again}{before}{prompt}    ...\n\n# Helper functions for {fields['entry_point']}:\n"


def base_stop(agent: str, roles: Sequence[Role] = DUET) -> tuple[str, ...]:
    """Return the strings that end an answer of a base model, which runs on into new code."""
    if by_agent(roles)[agent].writes == "text":
        return _AFTER_TEXT
    return stop_strings() if agent == target_agent(roles) else _AFTER_HELPER


def _task(fields: Mapping[str, str]) -> dict[str, str]:
    return {"prompt": fields["prompt"], "entry_point": fields["entry_point"]}


def _all(fields: Mapping[str, str], roles: Sequence[Role]) -> dict[str, str]:
    """Return an observation's texts, empty where nobody reads a role."""
    return {**dict.fromkeys((role.key for role in roles), ""), **fields}


def _read(role: Role, roles: Sequence[Role], writes: str) -> Iterable[Role]:
    return (other for other in roles if other.name in role.reads and other.writes == writes)


def _code(role: Role, fields: Mapping[str, str], roles: Sequence[Role]) -> str:
    """Return the code that a role is shown; empty where there is none but blanks."""
    shown = [fields.get(other.key, "") for other in _read(role, roles, "code")]
    return "\n\n\n".join(code for code in shown if code.strip())


def _messages(role: Role, fields: Mapping[str, str], roles: Sequence[Role]) -> list[tuple[str, str]]:
    """Return (who, what) of the messages that a role is shown."""
    shown = [(other.name, fields.get(other.key, "").strip()) for other in _read(role, roles, "text")]
    return [(name, text) for name, text in shown if text]


def _readers(role: Role, roles: Sequence[Role]) -> str:
    names = [f"the {other.name}" for other in roles if role.name in other.reads and other is not role]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "the others"


def _comments(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
