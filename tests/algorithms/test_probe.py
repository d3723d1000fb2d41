"""MAGRPO through the ordinary trainer learns to pass on a key, and cannot where the channel is cut."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeduet.agents.config import SamplingConfig
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.algorithms.config import OptimConfig
from codeduet.envs import HELPER
from tests.algorithms.probe import KEYS, KeyFormatter, KeyGame, key_team


def success(folder: Path, seed: int = 0, **changes: Any) -> float:
    """Train on the key game and return the share of successes in the last 20 of 150 steps."""
    team = key_team(seed)
    config = TrainConfig(
        out=str(folder),
        seed=seed,
        steps=150,
        problems_per_step=3,
        group_size=16,
        sampling=SamplingConfig(temperature=1.0, max_new_tokens=1),
        optim=OptimConfig(lr=3e-3),
        checkpoint_every=1000,
        **changes,
    )
    trainer = make_trainer(
        config,
        team=team,
        envs=[KeyGame() for _ in range(48)],
        train_tasks=list(KEYS),
        formatter=KeyFormatter(team.tokenizer),
    )
    rewards = [trainer.train_step()[0]["reward"] for _ in range(config.steps)]
    return float(np.mean(rewards[-20:]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_team_learns_to_pass_on_the_key(tmp_path: Path, seed: int) -> None:
    assert success(tmp_path, seed) > 0.95


# Without a channel main's best is one fixed answer, right for 1 of 3 keys; 960 episodes put 0.34 + 4 sigma below 0.5.
CHANCE = 1 / len(KEYS) + 4 * math.sqrt(2 / 9 / 960)


def test_it_does_not_when_helpers_message_is_blanked(tmp_path: Path) -> None:
    assert success(tmp_path, blank=["helper_code"]) < CHANCE


def test_it_does_not_when_helper_is_frozen(tmp_path: Path) -> None:
    # An untrained helper's signs depend a little on the key, by chance; main may use what little they do.
    assert success(tmp_path, frozen=[HELPER]) < 0.6
