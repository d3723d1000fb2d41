"""What a user's own algorithm or callback may get wrong, and what is then said, lost and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codeduet.agents.team import Team
from codeduet.algorithms import Callback
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
