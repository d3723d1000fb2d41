"""Models of many kinds train on the log-probabilities they sample by; all kinds are tried by ``make architectures``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch

from codeduet.benchmarks import architectures
from codeduet.envs import InputError

torch.set_num_threads(1)

MAY_BE_REFUSED = {"qwen3_next", "deepseek_v3", "bloom", "minicpm3", "lfm2", "falcon_h1", "mamba2"}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", ["gemma2", "granite", "mistral", "lfm2", "gpt_neox", "qwen3_moe"])
def test_sampler_learner_and_resume_agree_with_the_models_own_forward_pass(
    kind: str, whole: bool, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the cache's keyword is chosen by version
        warnings.filterwarnings("default", category=ResourceWarning)
        row = architectures.measure(kind, tmp_path, whole=whole)
    for part in ("sampler", "learner"):
        for time in ("before", "trained", "resumed", "slow"):
            assert row[f"{part}_{time}"] < architectures.LIMIT
    assert row["slow_paths"] == "scores with prompts repeated and its own forward pass, decodes with no cache"
    assert row["slow_paths"] != row["paths"]
    assert row["changed_by_speed"] < architectures.LIMIT
    assert row["moved_by_training"] > 1e-3
    assert row["lost_by_resume"] == 0.0


def test_logits_of_the_tiny_models_spread_over_five_nats() -> None:
    for kind in ("granite", "gemma2", "mamba2"):
        model, _ = architectures.tiny_model(kind)
        with torch.no_grad():
            logits = model(input_ids=torch.randint(1, 250, (1, 64))).logits[0]
        assert (logits.amax(-1) - logits.amin(-1)).mean().item() > 4.5


def test_the_committed_table_is_of_every_kind_and_within_the_limit() -> None:
    path = Path(architectures.__file__).parent / "results" / "architectures.json"
    rows = json.loads(path.read_text())["rows"]
    assert [(row["kind"], row["weights"]) for row in rows] == [
        (kind, weights) for kind in architectures.KINDS for weights in ("adapters", "whole")
    ]
    refused = {row["kind"] for row in rows if "refused" in row}
    assert refused <= MAY_BE_REFUSED
    assert len(refused) <= 5
    for row in rows:
        gaps = [gap for key, gap in row.items() if key.startswith(("sampler_", "learner_", "lost_", "changed_"))]
        assert max(gaps, default=0.0) < architectures.LIMIT


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown kind 'gpt5': choose from llama, qwen2"):
        architectures.main(["gpt5"])
