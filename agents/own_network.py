"""A policy that is a network of one's own, no language model of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from codeduet.agents.policy import Policy, brief
from codeduet.envs import InputError

_FILE = "weights.pt"


class Network(Protocol):
    """What is asked of it; who generates by it is an engine of one's own."""

    def logprobs(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> torch.Tensor:
        """Return the log-probability ``[N, L]`` of each completion's tokens, with gradient; what stands beyond is not looked at."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what training changes."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take it back."""


class NetworkPolicy(Policy):
    """Acts and learns by a network of one's own.

    Args:
        name: unique in its team.
        network: the network.
        tokenizer: between its ids and text.
    """

    def __init__(self, name: str, network: Network, tokenizer: Any) -> None:
        super().__init__(name, None, tokenizer)
        self.network = network
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    @property
    def has_weights(self) -> bool:
        """Whether there is something to save."""
        return True

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        weights = next(iter(self.network.parameters()), None)  # of one that does not learn too
        return torch.device("cpu") if weights is None else weights.device

    def save(self, folder: Path) -> None:
        """Save the network's state."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.network.state_dict(), folder / _FILE)

    def load(self, folder: Path) -> None:
        """Load what :meth:`save` saved.

        Raises:
            InputError: the file is missing or damaged, or of another network.
        """
        try:
            self.network.load_state_dict(torch.load(folder / _FILE, map_location=self.device, weights_only=True))
        except Exception as error:  # noqa: BLE001  # damaged bytes and other networks raise anything
            raise InputError(f"{folder} does not fit policy {self.name!r}: {brief(error)}") from None
