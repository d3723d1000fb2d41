"""The recorded comparison with TRL's losses: all that both have, and no further apart than rounding."""

from __future__ import annotations

import json
from pathlib import Path

from codeduet.benchmarks.trl_losses import PAIRS

RECORD = Path(__file__).parents[2] / "benchmarks" / "results" / "trl_losses.json"


def test_every_loss_that_both_have_was_the_same_to_1e_5() -> None:
    found = json.loads(RECORD.read_text(encoding="utf-8"))["differences"]
    assert found.keys() == PAIRS.keys()
    for apart in found.values():
        assert max(apart["loss"], apart["gradient"]) < 1e-5
        assert apart["largest gradient"] > 1e-2  # there is something to differ
