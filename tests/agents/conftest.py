"""A tiny random model, saved once as a transformers folder; teams of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from codeduet.agents.config import TeamConfig
from codeduet.agents.random_model import random_model
from codeduet.agents.team import Team, load_team
from codeduet.envs import HELPER, MAIN

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 over bytes: 2 layers, 32 wide."""
    return save_random_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def other_shape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is wider and deeper than ``model_dir``."""
    return save_random_model(tmp_path_factory.mktemp("models") / "other", hidden=48, layers=3)


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose heads are 32 wide, as vLLM wants them at least."""
    return save_random_model(tmp_path_factory.mktemp("models") / "wide", hidden=128)


@pytest.fixture
def make(model_dir: Path) -> Callable[..., Team]:
    """``load_team`` on the tiny model."""

    def load(agents: Sequence[str] = (HELPER, MAIN), *, seed: int = 0, **settings: Any) -> Team:
        config = TeamConfig(**{"lora_rank": 4, "lora_alpha": 8, **settings})
        return load_team(str(model_dir), agents, config, seed=seed)

    return load


def save_random_model(folder: Path, **shape: int) -> Path:
    model, tokenizer = random_model(**shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
