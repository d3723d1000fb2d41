"""A critic of whole answers: what a team may expect before a step, read off the policy's own base.

What the agent saw, or the state of the game, is one text; the base's hidden states of it, adapters off and without gradient,
are what a small network of its own learns values from. Of a model that is trained whole they are those of the model as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from codeduet.agents import network
from codeduet.agents.padding import pad
from codeduet.agents.policy import Policy
from codeduet.agents.steps import Step
from codeduet.envs.token_step import encode_text

_TOKENS = 8192
"""Padded tokens read side by side, at most (one text at least)."""


class Critic:
    """Learns the return that is expected before a step.

    Args:
        policy: whose base reads.
        central: whether it reads the state, and not what the agent saw.
        lr: learning rate of its AdamW.
        epochs: passes over what is to be learnt.
        width: of its hidden layer.
        seed: of its first weights.
    """

    def __init__(self, policy: Policy, *, central: bool, lr: float, epochs: int, width: int, seed: int) -> None:
        self.policy = policy
        self.central = central
        self.epochs = epochs
        size = network.text_config(policy.activate()).hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            last = nn.Linear(width, 1)
            self.head = nn.Sequential(nn.LayerNorm(2 * size), nn.Linear(2 * size, width), nn.Tanh(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head.to(policy.device)
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=lr, weight_decay=0.0)

    @torch.no_grad()
    def features(self, steps: Sequence[Step]) -> torch.Tensor:
        """Return `[N, 2 D]`: the base's hidden states of what each step is judged by, the last one and their mean."""
        read = [self._read(step) for step in steps]
        texts = sorted(set(read), key=len)  # the same is read once, and what is read together is of like length
        rows: list[torch.Tensor] = []
        with self.policy.bare() as model:
            decoder = network.decoder_of(model)
            while len(rows) < len(texts):
                part = texts[len(rows) : len(rows) + 1]
                while len(rows) + len(part) < len(texts):
                    longer = texts[len(rows) + len(part)]
                    if (len(part) + 1) * len(longer) > _TOKENS:
                        break
                    part.append(longer)
                ids, mask = pad(part, "right", self.policy.device)
                states = network.forward(decoder, ids, mask).last_hidden_state
                for of_text, text in zip(states, part, strict=True):
                    rows.append(torch.cat([of_text[len(text) - 1], of_text[: len(text)].mean(0)]).float())
        places = {text: place for place, text in enumerate(texts)}
        return torch.stack(rows)[[places[text] for text in read]]

    @torch.no_grad()
    def values(self, features: torch.Tensor) -> list[float]:
        """Return the expected return of each row of features."""
        found: list[float] = self.head(features)[:, 0].tolist()
        return found

    def learn(self, features: torch.Tensor, returns: Sequence[float]) -> float:
        """Learn the returns ``[N]`` and return the mean squared error of the last pass."""
        targets = torch.tensor(returns, device=features.device, dtype=features.dtype)
        loss = torch.zeros(())
        with torch.enable_grad():
            for _ in range(self.epochs):
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.head(features)[:, 0], targets)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Return its weights and its optimiser."""
        return {"head": self.head.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back."""
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _read(self, step: Step) -> tuple[int, ...]:
        """Return the token ids of what a step is judged by."""
        if not self.central or not isinstance(step.state, dict):
            return step.prompt_ids
        # Always in the same order, and names would be the longer part of it.
        text = "\n".join(str(value) for value in step.state.values())
        ids = tuple(encode_text(self.policy.tokenizer, text)) or step.prompt_ids
        room = network.context(self.policy.activate())
        return ids if room is None else ids[-room:]  # the latest answers stand behind
