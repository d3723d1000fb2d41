"""A game in which main can only succeed if helper passes on a key.

Helper sees a digit and writes one sign; main sees that sign, as ``helper_code``, and nothing else, and writes one. Both
are paid 1 if main's sign is the digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium.spaces import Space
from pettingzoo import AECEnv
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.envs import HELPER, MAIN
from codeduet.envs.spaces import Unicode

KEYS = "012"


class KeyGame(AECEnv[str, dict[str, Any], "str | None"]):
    """The task id is the key."""

    metadata: dict[str, Any] = {"name": "key_game_v0"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.possible_agents = [HELPER, MAIN]
        self.agents = []
        self._space = Unicode(10)

    def observation_space(self, agent: str) -> Space[Any]:
        return self._space

    def action_space(self, agent: str) -> Space[Any]:
        return self._space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        assert options is not None
        self.key: str = options["task_id"]
        self.agents = list(self.possible_agents)
        self.sign = ""
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = HELPER

    def observe(self, agent: str) -> dict[str, Any]:
        return {"prompt": self.key if agent == HELPER else "", "helper_code": self.sign if agent == MAIN else ""}

    def step(self, action: str | None) -> None:
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        assert action is not None
        if self.agent_selection == HELPER:
            self.sign = action
            self.agent_selection = MAIN
            return
        for agent in self.agents:
            self.rewards[agent] = float(action == self.key)
            self.terminations[agent] = True
        self._accumulate_rewards()


class KeyFormatter:
    """Prompts of two or three signs: the role, and what it sees."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def render(self, agent: str, observation: Mapping[str, Any]) -> str:
        return f"{observation['prompt']}h" if agent == HELPER else f"m{observation['helper_code']}"

    def encode(self, agent: str, observation: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(self.tokenizer(self.render(agent, observation))["input_ids"])

    def stop(self, agent: str) -> tuple[str, ...]:
        return ()


def key_team(seed: int) -> Team:
    """Return two random models of 12,000 weights over seven signs.

    Tied embeddings make a model lean towards its last input: main, which reads helper's sign last, leans towards
    repeating it, and helper, which reads its role last, does not know the key from the start. Without that lean the
    game has many local optima in which two keys share a sign.
    """
    signs = [*KEYS, "h", "m", "<eos>", "<unk>"]
    made = Tokenizer(models.WordLevel({sign: i for i, sign in enumerate(signs)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>", unk_token="<unk>")
    policies = {}
    for index, agent in enumerate((HELPER, MAIN)):
        torch.manual_seed(2 * seed + index)
        config = Qwen2Config(
            vocab_size=len(signs), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=16, eos_token_id=5, pad_token_id=5, bos_token_id=None,
            tie_word_embeddings=True, initializer_range=0.1,
        )  # fmt: skip
        policies[agent] = Policy(agent, Qwen2ForCausalLM(config).eval(), tokenizer)
    return Team(policies)
