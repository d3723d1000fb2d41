"""A tiny random model, and what its users need."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codeduet.agents.random_model import random_model

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random model over bytes."""
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    model, tokenizer = random_model()
    with torch.no_grad():  # far from uniform, so that temperature and padding would show
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
