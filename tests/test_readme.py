"""The README's code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from codeduet.agents import PromptFormatter, ScriptedEngine
from codeduet.agents.config import TeamConfig
from codeduet.agents.random_model import byte_tokenizer, random_model
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.config import load_config, packaged_configs
from codeduet.envs import HELPER, MAIN, raw_env

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOOP, VERDICT, ALGORITHM = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(block: str, **names: Any) -> dict[str, Any]:
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102  # our own page
    return names


def test_the_agent_iter_loop_plays_an_episode() -> None:
    seen: list[str] = []

    def act(name: str) -> Any:
        return lambda observation: seen.append(name) or "    return []\n"

    names = run(LOOP, my_policies={HELPER: act(HELPER), MAIN: act(MAIN)})
    assert seen == [HELPER, MAIN]
    assert names["env"].agents == []


def test_the_verdict_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(VERDICT)
    assert capsys.readouterr().out == "True 7 7  \n"


def test_the_algorithm_trains(tmp_path: Path) -> None:
    model, tokenizer = random_model()
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    algorithm = run(ALGORITHM)["LeaveOneOut"]()
    config = TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=str(tmp_path / "model"), lora_rank=2),
        steps=1,
        problems_per_step=1,
        group_size=8,
    )
    scripts = {HELPER: lambda prompt, seed: "", MAIN: lambda prompt, seed: "    return []\n" if seed % 2 else "    ("}
    trainer = make_trainer(config, algorithm=algorithm, engine=ScriptedEngine(scripts))
    before = [parameter.clone() for parameter in trainer.team[MAIN].parameters]
    trainer.open()
    assert trainer.train()["main_0/updates"] == 1.0
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.team[MAIN].parameters, strict=True))


def test_the_team_it_writes_down_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "team.yaml").write_text(*re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
    (tmp_path / "my_rewards.py").write_text("def brief(parts):\n    return -sum(len(part.code) for part in parts)\n")
    monkeypatch.chdir(tmp_path)
    config = load_config(TrainConfig, "team.yaml")
    assert config.agents == ("planner_0", "helper_0", "helper_1", "main_0")
    game = raw_env(reward=config.env.reward, roles=config.roles)
    game.reset(options={"task_id": "HumanEval/0"})
    formatter = PromptFormatter(byte_tokenizer(), roles=config.roles, prompts=config.team.words)
    assert "in at most five steps.\n\nfrom typing" in formatter.render("planner_0", game.observe("planner_0"))
    for answer in ("Sort.", "", "", "    return None"):
        game.step(answer)
    assert game.infos["main_0"]["reward/my_rewards:brief"] < 0


@pytest.mark.parametrize("name", re.findall(r"--config (\w+)", README))
def test_the_configs_it_names_exist(name: str) -> None:
    assert name in packaged_configs()


def test_the_files_its_tree_names_exist() -> None:
    tree = README.split("## The house")[1]
    folder = ""
    named = 0
    for line in tree.splitlines():
        if match := re.match(r"(\w+)/ ", line):
            folder = match.group(1)
        for name in re.findall(r"\b(\w+\.py|execution/|embedded/|configs/|verdict/)", line):
            assert (ROOT / folder / name).exists(), f"{folder}/{name}"
            named += 1
    assert named > 15
