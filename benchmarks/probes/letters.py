"""A tiny random Qwen2 over letters, and prompts of a few of them: what plays the probe games."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from codeduet.agents.config import Sharing
from codeduet.agents.models import adapt
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.envs.roles import Role, agents_of, by_agent, policies_of

_SIGNS = "ABCD?|+-:"
_WIDTH = 32
"""Of the models, and the rank of their adapters: of what was tried over a random, frozen base it finds the chain most often."""


def letter_tokenizer() -> Any:
    """Return a tokenizer of single signs, with an EOS that no answer needs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({sign: i for i, sign in enumerate([*_SIGNS, "<eos>"])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>", unk_token="?")


def letter_team(roles: Sequence[Role], sharing: Sharing, seed: int) -> Team:
    """Return a team of tiny random models, shared as said."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = letter_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        base = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=len(tokenizer), hidden_size=_WIDTH, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False,
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id, bos_token_id=None,
                initializer_range=0.15,
            )
        ).eval()  # fmt: skip
    by_name = policies_of(roles)
    names = ["shared"] if sharing == "shared" else list(dict.fromkeys(by_name.values()))
    if sharing == "adapter":
        adapted = adapt(base, names, _WIDTH, 2 * _WIDTH, seed, "letters")
        policies = {name: Policy(name, adapted, tokenizer, adapter=name) for name in names}
    else:
        models = [base, *(copy.deepcopy(base) for _ in names[1:])]
        policies = {name: Policy(name, model, tokenizer) for name, model in zip(names, models, strict=True)}
    acting = {agent: policies["shared" if sharing == "shared" else by_name[agent]] for agent in agents_of(roles)}
    return Team(acting, {"sharing": sharing}, "letters")


class LetterFormatter:
    """Makes a prompt of a few signs: who acts, what is shown, what the roles that it reads wrote, and how the last turn went.

    Args:
        roles: the team.
    """

    def __init__(self, roles: Sequence[Role]) -> None:
        self.tokenizer = letter_tokenizer()
        self._roles = tuple(roles)
        self._by_agent = by_agent(roles)
        self._places = {agent: LETTERS_OF_AGENTS[place] for place, agent in enumerate(agents_of(roles))}

    def render(self, agent: str, observation: Mapping[str, Any]) -> str:
        """Return the prompt as text."""
        reads = self._by_agent[agent].reads
        read = [_one(observation.get(role.key, "")) for role in self._roles if role.name in reads]
        told = observation.get("feedback", "")
        went = "|" if not told else "-" if told.startswith("0 of") else "+"
        return "".join(
            [self._places[agent], observation["prompt"], *read, went, _one(observation["previous_code"]), ":"]
        )

    def encode(self, agent: str, observation: Mapping[str, Any]) -> tuple[int, ...]:
        """Return its ids."""
        return tuple(self.tokenizer.convert_tokens_to_ids(list(self.render(agent, observation))))

    def stop(self, agent: str) -> tuple[str, ...]:
        """Return no strings: an answer is one token."""
        return ()


LETTERS_OF_AGENTS = "ABCD"


def _one(text: str) -> str:
    """Return a teammate's letter; what is none is a question mark."""
    sign = text.strip()[:1]
    return sign if sign and sign in _SIGNS else "?"
