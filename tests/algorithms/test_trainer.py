"""The trainer: seeds, resume, sharing, what it writes, what it refuses."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from codeduet.agents import ScriptedEngine
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.team import Team
from codeduet.agents.tree import Tree
from codeduet.algorithms import Algorithm, Group, TrainConfig, Trainer, make_trainer
from codeduet.algorithms.algorithm import Advantages
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import episode_metrics, read_metrics
from codeduet.envs import HELPER, MAIN, InputError, load_problems
from codeduet.envs.config import EnvConfig
from codeduet.files import locked
from tests.episodes import grown
from tests.letters import LetterReward

LONG = SamplingConfig(max_new_tokens=2000)
TIMES = ("seconds/", "tokens_per_second", "peak_memory")


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=4),
        sampling=SamplingConfig(max_new_tokens=12),
        optim=OptimConfig(lr=1e-2),
        steps=4,
        problems_per_step=2,
        group_size=2,
        checkpoint_every=2,
    )


def numbers(trainer: Trainer) -> list[dict[str, Any]]:
    rows = read_metrics(trainer.run)
    return [{key: value for key, value in row.items() if not key.startswith(TIMES)} for row in rows]


def weights(team: Team) -> list[bytes]:
    return [p.detach().numpy().tobytes() for policy in team.policies for p in policy.parameters]


def trained(config: TrainConfig) -> Trainer:
    trainer = make_trainer(config, algorithm=LetterReward())
    trainer.open()
    trainer.train()
    return trainer


def test_two_runs_with_one_seed_are_identical_and_another_seed_is_not(config: TrainConfig, tmp_path: Path) -> None:
    first = trained(config)
    second = trained(replace(config, out=str(tmp_path / "again")))
    other = trained(replace(config, out=str(tmp_path / "other"), seed=1))
    assert numbers(first) == numbers(second)
    assert weights(first.team) == weights(second.team)
    assert weights(first.team) != weights(other.team)
    assert any(row[f"{MAIN}/updates"] for row in numbers(first))


def test_a_resumed_run_is_the_unbroken_run_bit_for_bit(config: TrainConfig, tmp_path: Path) -> None:
    unbroken = trained(config)
    broken = replace(config, out=str(tmp_path / "broken"))
    cut = make_trainer(broken, algorithm=LetterReward())
    cut.open()
    for _ in range(2):
        cut.train_step()
    cut.save()
    cut.train_step()  # lost: it came after the checkpoint
    resumed = make_trainer(broken, algorithm=LetterReward())
    resumed.open(resume=True)
    assert resumed.step == 2
    resumed.train()
    assert weights(resumed.team) == weights(unbroken.team)
    assert numbers(resumed) == [row for row in numbers(unbroken) if row["step"] > 2]
    assert resumed.team[MAIN].version == unbroken.team[MAIN].version


def test_rows_after_the_checkpoint_are_dropped_on_resume(config: TrainConfig) -> None:
    first = trained(config)
    path = first.run / "metrics.jsonl"
    path.write_text(path.read_text() + json.dumps({"step": 9, "kind": "train", "reward": 1.0}) + '\n{"step": 10, "ki')
    resumed = make_trainer(replace(config, steps=5), algorithm=LetterReward())
    resumed.open(resume=True)
    resumed.train()
    assert [row["step"] for row in read_metrics(first.run)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("sharing", ["adapter", "separate", "shared"])
def test_every_sharing_mode_trains(config: TrainConfig, sharing: Any) -> None:
    trainer = make_trainer(
        replace(config, team=replace(config.team, sharing=sharing), steps=1), algorithm=LetterReward()
    )
    before = weights(trainer.team)
    trainer.open()
    trainer.train()
    assert weights(trainer.team) != before
    assert len(trainer.learners) == (1 if sharing == "shared" else 2)


def test_both_agents_learn_and_a_frozen_one_does_not(config: TrainConfig) -> None:
    trainer = make_trainer(replace(config, frozen=[HELPER], steps=2), algorithm=LetterReward())
    before = {agent: [p.clone() for p in trainer.team[agent].parameters] for agent in (HELPER, MAIN)}
    trainer.open()
    trainer.train()
    same = {
        agent: all(torch.equal(a, b) for a, b in zip(before[agent], trainer.team[agent].parameters, strict=True))
        for agent in (HELPER, MAIN)
    }
    assert same == {HELPER: True, MAIN: False}


def test_a_frozen_agent_of_a_shared_policy_gives_no_samples(config: TrainConfig) -> None:
    shared = replace(config, team=replace(config.team, sharing="shared"), steps=1)
    both, one = (make_trainer(replace(shared, frozen=frozen), algorithm=LetterReward()) for frozen in ([], [HELPER]))
    live = [trainer.train_step()[0]["shared/live_samples"] for trainer in (both, one)]
    assert live[1] < live[0]


def test_a_task_that_stands_in_a_batch_twice_gets_new_samples(config: TrainConfig) -> None:
    task = load_problems()[0].task_id
    trainer = make_trainer(replace(config, steps=1), train_tasks=[task])
    _, groups = trainer.train_step()
    texts = [[step.completion.token_ids for t in group.trajectories for step in t.steps] for group in groups]
    assert len(groups) == 2
    assert not set(texts[0]) & set(texts[1])


def test_an_epoch_visits_every_problem_once_in_an_order_of_its_own(config: TrainConfig) -> None:
    trainer = make_trainer(replace(config, problems_per_step=31), envs=[])
    epochs = [[task for step in range(4 * e, 4 * e + 4) for task in trainer.batch_tasks(step)] for e in range(2)]
    assert sorted(epochs[0]) == sorted(problem.task_id for problem in load_problems("humaneval", "train"))
    assert sorted(epochs[1]) == sorted(epochs[0])
    assert epochs[0] != epochs[1]


def test_scripted_agents_are_paid_what_the_environment_pays(config: TrainConfig) -> None:
    problem = load_problems()[0]
    scripts = {
        HELPER: lambda prompt, seed: "def helper(x):\n    return x\n",
        MAIN: lambda prompt, seed: problem.canonical_solution,
    }
    trainer = make_trainer(
        replace(config, sampling=LONG),
        engine=ScriptedEngine(scripts),
        train_tasks=[problem.task_id],
    )
    metrics, groups = trainer.train_step()
    assert metrics["reward"] == pytest.approx(0.5 + 0.1 * 7)  # HumanEval/0 has 7 tests
    assert (metrics["solved"], metrics["helper_nonempty"], metrics["helper_called"]) == (1.0, 1.0, 0.0)
    assert metrics["dead_groups"] == 1.0
    assert metrics[f"{MAIN}/updates"] == 0.0
    assert [step.agent for step in groups[0].trajectories[0].steps] == [HELPER, MAIN]


def test_a_turn_that_fails_is_tried_again_with_feedback(config: TrainConfig) -> None:
    problem = load_problems()[0]
    prompts: list[str] = []

    def main(prompt: str, seed: int) -> str:
        prompts.append(prompt)
        return problem.canonical_solution if "tests passed" in prompt else "    return None\n"

    scripts = {HELPER: lambda prompt, seed: "", MAIN: main}
    trainer = make_trainer(
        replace(config, env=EnvConfig(max_turns=3), problems_per_step=1, sampling=LONG),
        engine=ScriptedEngine(scripts),
        train_tasks=[problem.task_id],
    )
    _, groups = trainer.train_step()
    trajectory = groups[0].trajectories[0]
    rewards = [r for step, r in zip(trajectory.steps, trajectory.rewards, strict=True) if step.agent == MAIN]
    # `return None` runs and passes none of the 7 tests; the second turn solves and takes the third along.
    assert rewards == pytest.approx([0.5, 2 * (0.5 + 0.7)])
    assert trajectory.team_return == pytest.approx(0.5 + 2 * 1.2)


class TwentyLines(Algorithm):
    """A user's own algorithm, whole: reinforce without a baseline."""

    def setup(self, team: Team) -> None:
        self.agents = list(team)

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        return {step: r for g in groups for t in g.trajectories for step, r in zip(t.steps, t.returns(), strict=True)}

    def loss(self, batch: LossBatch) -> torch.Tensor:
        return -(batch.advantages * batch.logprobs * batch.mask).sum() / batch.sequences


def test_a_users_algorithm_plugs_in(config: TrainConfig) -> None:
    algorithm = TwentyLines()
    trainer = make_trainer(replace(config, steps=1), algorithm=algorithm)
    trainer.open()
    trainer.train()
    assert algorithm.agents == [HELPER, MAIN]


def test_nested_credit_plays_trees_and_counts_a_shared_answer_once(config: TrainConfig) -> None:
    algorithm = LetterReward(credit="nested", mains=3)
    trainer = make_trainer(replace(config, group_size=6), algorithm=algorithm)
    metrics, groups = trainer.train_step()
    for group in groups:
        helpers = [trajectory.steps[0].completion for trajectory in group.trajectories]
        assert helpers == [helpers[0]] * 3 + [helpers[3]] * 3
        assert helpers[0] != helpers[3]
        assert len({trajectory.steps[1].completion.token_ids for trajectory in group.trajectories}) == 6
        for trajectory in group.trajectories:
            assert trajectory.transcript[0][2] == trajectory.steps[0].completion.text
    # Two problems: two helper answers each, six mains each.
    assert (metrics["helper_0/live_samples"], metrics["main_0/live_samples"]) == (4, 12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"credit": "nested", "mains": 1}}, "mains must be a whole number of at least 2"),
        ({"options": {"credit": "nested"}, "group_size": 6}, "makes no tree of 4 mains"),
        ({"options": {"credit": "nested"}, "group_size": 4}, "at least 8"),
        ({"options": {"credit": "nested"}, "group_size": 8, "env": EnvConfig(max_turns=2)}, "max_turns=1"),
        (
            {"options": {"credit": "nested"}, "group_size": 8, "team": TeamConfig(kind="single"), "algorithm": "grpo"},
            "team of 2 or more",
        ),
        ({"options": {"credit": "both"}}, "credit must be one of"),
        ({"optim": OptimConfig(updates_per_batch=2)}, "ratio loss"),
        ({"options": {"clip": 0.2}, "sampling": SamplingConfig(top_p=0.9)}, "top_p"),
        ({"sampling": SamplingConfig(temperature=0)}, "temperature"),
        ({"frozen": [HELPER, MAIN]}, "nothing would learn"),
        ({"options": {"scale": "sd"}}, "scale must be one of"),
        ({"options": {"discount": "abc"}}, "discount must be a number"),
        ({"frozen": ["helper_1"]}, "did you mean 'helper_0'"),
        ({"algorithm": "grpo"}, "grpo trains one agent"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_reason(
    config: TrainConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_trainer(replace(config, **changes))


def test_a_run_folder_in_use_is_not_overwritten(config: TrainConfig) -> None:
    trained(config)
    with pytest.raises(InputError, match="--resume"):
        make_trainer(config, algorithm=LetterReward()).open()


def test_a_run_cut_off_before_its_first_checkpoint_starts_over(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume: no run in"):
        make_trainer(config, algorithm=LetterReward()).open(resume=True)
    unbroken = trained(replace(config, out=str(tmp_path / "unbroken")))
    trained(config)
    shutil.rmtree(Path(config.out) / "checkpoints")
    again = make_trainer(config, algorithm=LetterReward())
    again.open(resume=True)
    again.train()
    assert numbers(again) == numbers(unbroken)


def test_a_run_folder_is_one_process_at_a_time(config: TrainConfig) -> None:
    trainer = make_trainer(config, algorithm=LetterReward())
    trainer.open()
    with locked(trainer.run), pytest.raises(InputError, match=r"another process is at work in .*run: wait for it"):
        trainer.train()
    trainer.train()
    assert trainer.step == 4


def test_what_another_process_has_trained_meanwhile_is_not_trained_over(config: TrainConfig) -> None:
    trainer, other = make_trainer(config), make_trainer(config)
    trainer.open()
    other.open()
    other.train()
    before = {path: path.read_bytes() for path in trainer.run.rglob("*") if path.is_file()}
    with pytest.raises(
        InputError, match=r"another process has trained in .*run meanwhile: go on with that by --resume"
    ):
        trainer.train()
    assert {path: path.read_bytes() for path in trainer.run.rglob("*") if path.is_file()} == before


def test_dead_groups_of_a_tree_are_told_for_each_agent() -> None:
    tree = Tree((2, 2), "agents")
    groups = [grown(tree, *returns) for returns in ((0, 0, 1, 1), (0, 1, 1, 0), (1, 1, 1, 1))]
    told = episode_metrics(groups)
    assert told["dead_groups"] == pytest.approx(1 / 3)
    # Helper's means differ in the first alone; main's siblings differ in the second alone.
    assert told["helper_0/dead_groups"] == pytest.approx(2 / 3)
    assert told["main_0/dead_groups"] == pytest.approx(4 / 6)
    assert "main_0/dead_groups" not in episode_metrics([grown(Tree((4,)), 0, 0, 1, 1)])


def test_a_group_is_not_dead_whose_agents_are_paid_apart_and_one_episode_is_compared_with_none() -> None:
    group = grown(Tree((2,)), 0, 1)
    for trajectory, paid in zip(group.trajectories, ([1.0, 0.0], [0.0, 1.0]), strict=True):
        trajectory.rewards = paid
    assert [trajectory.team_return for trajectory in group.trajectories] == [0.5, 0.5]
    assert episode_metrics([group])["dead_groups"] == 0.0
    assert episode_metrics([grown(Tree((2,)), 1, 1)])["dead_groups"] == 1.0
    assert episode_metrics([grown(Tree((1,)), 1)])["dead_groups"] == 0.0


def test_a_checkpoint_of_another_team_is_refused(config: TrainConfig) -> None:
    trained(config)
    other = make_trainer(replace(config, team=replace(config.team, lora_rank=8)), algorithm=LetterReward())
    with pytest.raises(InputError, match=r"config\.yaml has another team\.lora_rank: 4 there and 8 here"):
        other.open(resume=True)
    (other.run / "config.yaml").unlink()  # as in a folder of a training from Python, before
    with pytest.raises(InputError, match="another model: lora_rank is 4 there and 8 here"):
        other.open(resume=True)


def test_only_the_newest_checkpoints_are_kept_and_none_is_half(config: TrainConfig) -> None:
    trainer = trained(replace(config, steps=6, checkpoint_every=1, keep_checkpoints=2))
    assert sorted(p.name for p in (trainer.run / "checkpoints").iterdir()) == ["step_000005", "step_000006"]


@pytest.mark.parametrize("file", ["helper_0/adapter_model.safetensors", "helper_0.optimizer.pt"])
def test_a_checkpoint_that_finds_no_space_is_an_oserror_and_keeps_the_one_before(
    config: TrainConfig, file: str
) -> None:
    resource = pytest.importorskip("resource")
    trainer = trained(replace(config, steps=2))
    (before,) = (trainer.run / "checkpoints").iterdir()
    trainer.step += 1
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((before / file).stat().st_size - 1, hard))
    try:
        with pytest.raises(OSError, match=r"File too large.*step_000003") as raised:
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    assert list((trainer.run / "checkpoints").iterdir()) == [before]
