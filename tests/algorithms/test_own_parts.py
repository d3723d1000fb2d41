"""What a user's own algorithm or callback may get wrong, and what is then said, lost and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from codeduet.agents import Completion, Request
from codeduet.agents.hf import HFEngine
from codeduet.agents.own_network import NetworkPolicy
from codeduet.agents.team import Team
from codeduet.algorithms import MAGRPO, REINFORCE, Algorithm, Callback, Group, Trainer, losses
from codeduet.algorithms.checkpoint import latest_checkpoint, read_state
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.probes.letters import letter_team
from codeduet.errors import InputError
from tests.algorithms.own import PROBE, Mine, letters


def test_a_state_that_nothing_takes_back_is_refused_on_resume(tmp_path: Path) -> None:
    class Forgets(Mine):
        def state_dict(self) -> dict[str, Any]:
            return {"seen": 3}

    class Deaf(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"seen": 3}

    letters(Forgets(), tmp_path / "a", steps=1).train()
    with pytest.raises(InputError, match=r"^Forgets has a state_dict and no load_state_dict: ") as refused:
        letters(Forgets(), tmp_path / "a", steps=2).open(resume=True)
    assert "\n" not in str(refused.value)
    letters(Mine(), tmp_path / "b", steps=1, callbacks=[Deaf()]).train()
    with pytest.raises(InputError, match=r"^Deaf has a state_dict and no load_state_dict: "):
        letters(Mine(), tmp_path / "b", steps=2, callbacks=[Deaf()]).open(resume=True)
    Mine().load_state_dict({})
    Callback().load_state_dict({})


def test_two_policies_of_one_name_make_no_team() -> None:
    first, second = letter_team(PROBE.roles, "separate", 0).policies
    second.name = first.name
    with pytest.raises(InputError, match=r"two policies of this team are named 'helper_0', .* a name of its own"):
        Team({"helper_0": first, "main_0": second})
    assert Team({"helper_0": first, "main_0": first}).policies == [first]


class Silent(HFEngine):
    """Tells no log-probabilities."""

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        return [[replace(one, logprobs=()) for one in answers] for answers in super().generate(requests)]


def test_a_ratio_over_an_engine_that_tells_no_probabilities_is_refused_before_anything_is_learnt(
    tmp_path: Path,
) -> None:
    team = letter_team(PROBE.roles, "separate", 0)
    capped = letters(MAGRPO(importance_cap=2.0), tmp_path / "a", team=team, engine=Silent(team))
    before = weights(team)
    with pytest.raises(InputError, match=r"^engine Silent gives no log-probability of each token it samples"):
        capped.train()
    assert weights(team) == before

    class Weighs(Mine):
        """Says nothing of what it needs."""

        def loss(self, batch: LossBatch) -> torch.Tensor:
            return losses.policy_gradient(batch, cap=2.0)

    with pytest.raises(InputError, match="the engine gives none"):
        letters(Weighs(), tmp_path / "b", team=team, engine=Silent(team)).train()
    assert weights(team) == before
    letters(Mine(), tmp_path / "c", team=team, engine=Silent(team)).train()
    assert weights(team) != before


def weights(team: Team) -> list[bytes]:
    return [p.detach().numpy().tobytes() for policy in team.policies for p in policy.parameters]
