"""A critic of whole answers: what a team may expect before a step, read off the policy's own base.

What the agent saw, or the state of the game, is one text; the base's hidden states of it, adapters off and without gradient,
are what a small network of its own learns values from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from codeduet.agents.padding import pad
from codeduet.agents.policy import Policy
from codeduet.agents.steps import Step
from codeduet.envs.token_step import encode_text

_ROWS = 64
"""Texts read side by side."""


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
        size = policy.activate().get_output_embeddings().weight.shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            last = nn.Linear(width, 1)
            self.network = nn.Sequential(nn.LayerNorm(2 * size), nn.Linear(2 * size, width), nn.Tanh(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network.to(policy.device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=lr, weight_decay=0.0)

    @torch.no_grad()
    def features(self, steps: Sequence[Step]) -> torch.Tensor:
        """Return `[N, 2 D]`: the base's hidden states of what each step is judged by, the last one and their mean."""
        read = [self._read(step) for step in steps]
        texts = sorted(set(read), key=len)  # the same is read once, and what is read together is of like length
        rows: list[torch.Tensor] = []
        with self.policy.bare() as model:
            for start in range(0, len(texts), _ROWS):
                part = texts[start : start + _ROWS]
                ids, mask = pad(part, "right", self.policy.device)
                states = model.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                for of_text, text in zip(states.float(), part, strict=True):
                    rows.append(torch.cat([of_text[len(text) - 1], of_text[: len(text)].mean(0)]))
        places = {text: place for place, text in enumerate(texts)}
        return torch.stack(rows)[[places[text] for text in read]]

    @torch.no_grad()
    def values(self, features: torch.Tensor) -> list[float]:
        """Return the expected return of each row of features."""
        found: list[float] = self.network(features)[:, 0].tolist()
        return found

    def learn(self, features: torch.Tensor, returns: Sequence[float]) -> float:
        """Learn the returns ``[N]`` and return the mean squared error of the last pass."""
        targets = torch.tensor(returns, device=features.device, dtype=features.dtype)
        loss = torch.zeros(())
        with torch.enable_grad():
            for _ in range(self.epochs):
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.network(features)[:, 0], targets)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Return its weights and its optimiser."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _read(self, step: Step) -> tuple[int, ...]:
        """Return the token ids of what a step is judged by."""
        if not self.central or not isinstance(step.state, dict):
            return step.prompt_ids
        # Always in the same order, and names would be the longer part of it.
        text = "\n".join(str(value) for value in step.state.values())
        return tuple(encode_text(self.policy.tokenizer, text)) or step.prompt_ids
