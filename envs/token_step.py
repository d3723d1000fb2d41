"""``TokenStep``: the game one token at a time, for MARL libraries that take numbers only."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from pettingzoo import AECEnv

from codeduet.envs.episode import Resumable
from codeduet.envs.humaneval import Env
from codeduet.errors import InputError


class Tokenizer(Protocol):
    """What ``TokenStep`` asks of a tokenizer; those of transformers fit."""

    eos_token_id: int

    def __len__(self) -> int:
        """Return the number of ids."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``."""

    def decode(self, ids: list[int]) -> str:
        """Return the text of ``ids``."""


class ByteTokenizer:
    """256 byte values, and 256 as the end-of-sequence id. Bytes that are no UTF-8 decode to the replacement sign."""

    eos_token_id = 256

    def __len__(self) -> int:
        return 257

    def encode(self, text: str) -> list[int]:
        """Return the UTF-8 bytes of ``text``."""
        return list(text.encode("utf-8", errors="replace"))

    def decode(self, ids: list[int]) -> str:
        """Return the text of ``ids``; the end-of-sequence id is nothing."""
        return bytes(i for i in ids if i < 256).decode("utf-8", errors="replace")


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of ``text`` alone: nothing before it and nothing behind."""
    if _of_transformers(tokenizer):
        return tokenizer.encode(text, add_special_tokens=False)  # type: ignore[call-arg]
    return tokenizer.encode(text)


def decode_ids(tokenizer: Tokenizer, ids: list[int]) -> str:
    """Return the text of ``ids`` to the letter: some tokenizers tidy blanks away, and ' '.join is not ''.join."""
    if _of_transformers(tokenizer):
        return tokenizer.decode(ids, clean_up_tokenization_spaces=False)  # type: ignore[call-arg]
    return tokenizer.decode(ids)


def _of_transformers(tokenizer: Tokenizer) -> bool:
    return hasattr(tokenizer, "clean_up_tokenization_spaces")


class TokenStep(AECEnv[str, np.ndarray[Any, Any], "int | None"], Resumable):
    """One action is one token; the same agent stays selected until it writes EOS or its budget is used up.

    The text of its tokens is then its action in the game underneath, which pays and passes the turn on as ever; all
    other steps pay nothing.

    | space       | is                                                                                          |
    |-------------|---------------------------------------------------------------------------------------------|
    | action      | `Discrete(V)`, V the tokenizer's number of ids                                              |
    | observation | `Box(0, V - 1, (L,), int64)`: the last L ids of what the agent sees and has written so far  |
    | state       | `Box(0, V - 1, (2 L,), int64)`: the last L ids of the whole state, then of the text so far  |

    Shorter sequences are padded on the left with the EOS id.

    Args:
        env: a ``codeduet/humaneval-v0`` environment.
        tokenizer: default :class:`ByteTokenizer`.
        max_tokens: budget of one action, in tokens.
        window: L.
    """

    EPISODE = frozenset(
        {
            "agents", "rewards", "terminations", "truncations", "infos", "agent_selection", "_written",
            "_cumulative_rewards", "_skip_agent_selection",
        }
    )  # fmt: skip
    OWN = frozenset({"env", "observation_spaces", "action_spaces", "state_space"})

    def __init__(
        self, env: Env, tokenizer: Tokenizer | None = None, *, max_tokens: int = 256, window: int = 512
    ) -> None:
        if max_tokens < 1 or window < 1:
            raise InputError(f"max_tokens and window must be at least 1, not {max_tokens} and {window}")
        Resumable.__init__(self, env, tokenizer, max_tokens=max_tokens, window=window)
        super().__init__()  # type: ignore[no-untyped-call]
        self.env = env
        self.tokenizer: Tokenizer = tokenizer or ByteTokenizer()
        self.max_tokens = max_tokens
        self.window = window
        self.metadata = {**env.metadata, "name": "codeduet/humaneval-tokens-v0"}
        self.render_mode = getattr(env, "render_mode", None)
        self.possible_agents = list(env.possible_agents)
        self.agents = []
        top = len(self.tokenizer) - 1
        self.observation_spaces = {agent: Box(0, top, (window,), np.int64) for agent in self.possible_agents}
        self.action_spaces: dict[str, Space[Any]] = {agent: Discrete(top + 1) for agent in self.possible_agents}
        self.state_space = Box(0, top, (2 * window,), np.int64)
        self._written: list[int] = []

    def observation_space(self, agent: str) -> Space[np.ndarray[Any, Any]]:
        """Return the observation space of ``agent``."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[int | None]:
        """Return the action space of ``agent``."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode; see ``raw_env.reset``."""
        self.env.reset(seed=seed, options=options)
        self._written = []
        self._follow()
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)

    def step(self, action: int | None) -> None:
        """Append one token to the selected agent's text."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            self.env.step(None)
            return
        if action is None or not 0 <= int(action) < len(self.tokenizer):
            raise InputError(f"an action is a token id below {len(self.tokenizer)}, not {action}")
        self._written.append(int(action))
        self._cumulative_rewards[agent] = 0.0
        if int(action) != self.tokenizer.eos_token_id and len(self._written) < self.max_tokens:
            self._clear_rewards()
            return
        ended = int(action) == self.tokenizer.eos_token_id
        text = decode_ids(self.tokenizer, self._written[:-1] if ended else self._written)
        self._written = []
        self.env.step(text)
        self._follow()
        self._accumulate_rewards()

    def observe(self, agent: str) -> np.ndarray[Any, Any]:
        """Return the last L ids of what ``agent`` sees and, when it is acting, has written."""
        seen = self.env.observe(agent)
        assert seen is not None
        others = [key for key in seen if key not in ("prompt", "entry_point", "previous_code", "feedback", "turn")]
        shown = ("previous_code", "feedback", *others, "prompt")
        text = "\n".join(str(seen[key]) for key in shown if seen[key])
        written = self._written if agent == self.agent_selection else []
        return self._last_ids(encode_text(self.tokenizer, text + "\n") + written)

    def state(self) -> np.ndarray[Any, Any]:
        """Return the last L ids of the game's state and of the text being written, one behind the other."""
        whole: Any = self.env.state()
        text = "\n".join(str(value) for value in whole.values())
        return np.concatenate([self._last_ids(encode_text(self.tokenizer, text)), self._last_ids(self._written)])

    def render(self) -> Any:
        """Show the episode so far; see ``raw_env.render``."""
        return self.env.render()

    def close(self) -> None:
        """Close the game underneath."""
        self.env.close()  # type: ignore[no-untyped-call]

    def _follow(self) -> None:
        """Take over the public state of the game underneath."""
        self.agents = list(self.env.agents)
        self.rewards = dict(self.env.rewards)
        self.terminations = dict(self.env.terminations)
        self.truncations = dict(self.env.truncations)
        self.infos = {agent: dict(info) for agent, info in self.env.infos.items()}
        self.agent_selection = self.env.agent_selection
        self._skip_agent_selection = None  # type: ignore[assignment]  # PettingZoo does so too

    def _last_ids(self, ids: list[int]) -> np.ndarray[Any, Any]:
        row = np.full(self.window, self.tokenizer.eos_token_id, dtype=np.int64)
        if ids:
            tail = ids[-self.window :]
            row[-len(tail) :] = tail
        return row
