"""Going on with a run: what may change, what is refused, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.embedded import MODEL_DIR
from codeduet.algorithms.config import EvalConfig, OptimConfig, TrainConfig
from codeduet.algorithms.resume import check_folder, check_same_run
from codeduet.envs import InputError
from codeduet.envs.config import EnvConfig

BEFORE = TrainConfig(out="runs/a", steps=10, options={"credit": "nested"})
SAVED = Path("runs/a/config.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optim": OptimConfig(micro_batch_tokens=1, lr=0.5, schedule="cosine", warmup_steps=3)},
        {"team": TeamConfig(threads=2, batch_size=1, device="cuda", gpu_share=0.3)},
        {"steps": 11, "out": "runs/b", "eval": EvalConfig(every=1, n=2), "checkpoint_every": 1},
        {"keep_checkpoints": 9, "show_every": 1, "env": EnvConfig(overlong="skip")},
    ],
)
def test_what_changes_neither_samples_nor_gradients_may_change(changes: dict[str, Any]) -> None:
    check_same_run(BEFORE, replace(BEFORE, **changes), SAVED)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "has another seed: 0 there and 1 here"),
        ({"optim": OptimConfig(weight_decay=0.1)}, r"has another optim\.weight_decay: 0\.0 there and 0\.1 here"),
        ({"team": TeamConfig(model="b")}, r"another team\.model: 'embedded' there and 'b' here"),
        ({"sampling": SamplingConfig(max_new_tokens=9)}, r"another sampling\.max_new_tokens: 256 there and 9 here"),
        ({"options": {}}, r"another options\.credit: 'nested' there and not set here"),
        ({"options": {"credit": "nested", "mains": 2}}, r"another options\.mains: not set there and 2 here"),
        ({"frozen": ["main_0"]}, r"another frozen: \[\] there and \['main_0'\] here"),
        ({"steps": 9}, "has steps=10, not 9: --resume can run longer, not shorter"),
        ({"token_budget": 9}, "has token_budget=0, not 9: --resume can run longer, not shorter"),
    ],
)
def test_what_makes_another_run_is_refused_by_its_key_and_both_values(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        check_same_run(BEFORE, replace(BEFORE, **changes), SAVED)
    assert "\n" not in str(refused.value)


def test_another_spelling_of_a_place_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model", "other"):
        Path(name).mkdir()
        Path(name, "config.json").write_text("{}")
    Path("rows.jsonl").write_text("")
    before = replace(BEFORE, team=TeamConfig(model="model"), env=EnvConfig(problems="rows.jsonl"))
    team, env = TeamConfig(model=f"{tmp_path}/model/"), EnvConfig(problems=str(tmp_path / "rows.jsonl"))
    check_same_run(before, replace(before, team=team, env=env), SAVED)
    check_same_run(BEFORE, replace(BEFORE, team=TeamConfig(model=str(MODEL_DIR))), SAVED)
    for changes in (
        {"team": TeamConfig(model="other")},
        {"env": EnvConfig(problems="none.jsonl")},
        {"env": EnvConfig()},
    ):
        with pytest.raises(InputError, match=r"has another (team\.model|env\.problems): "):
            check_same_run(before, replace(before, **changes), SAVED)


def test_a_token_budget_may_grow_and_go() -> None:
    budgeted = replace(BEFORE, token_budget=10)
    check_same_run(budgeted, replace(budgeted, token_budget=11), SAVED)
    check_same_run(budgeted, BEFORE, SAVED)


def test_a_folder_is_free_or_holds_a_run(tmp_path: Path) -> None:
    check_folder(tmp_path / "new", resume=False)
    with pytest.raises(InputError, match="nothing to resume: no run in"):
        check_folder(tmp_path, resume=True)
    (tmp_path / "config.yaml").write_text("")  # stopped while the model was loaded
    check_folder(tmp_path, resume=True)
    check_folder(tmp_path, resume=False)
    (tmp_path / "metrics.jsonl").write_text("")
    check_folder(tmp_path, resume=True)
    with pytest.raises(InputError, match="holds a run already: continue it with --resume"):
        check_folder(tmp_path, resume=False)
