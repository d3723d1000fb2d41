"""The algorithms beside each other: what is theirs alone, what resumes, what is refused, what users write."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from codeduet.agents import Completion
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.tree import Tree
from codeduet.algorithms import MAGRPO, Algorithm, TrainConfig, load_algorithm, make_trainer
from codeduet.algorithms.actor_critic import IPPO, MAPPO, generalised
from codeduet.algorithms.algorithm import Advantages, credited
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.credit import punished
from codeduet.algorithms.family import NAMES
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.reinforce import REINFORCE
from codeduet.envs import InputError, load_problems
from codeduet.envs.config import EnvConfig
from tests.episodes import episode, grown
from tests.letters import letters


class Letters(Algorithm):
    """Pays for letters, which random bytes get some of, before the algorithm beside it looks."""

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        for group in groups:
            for trajectory in group.trajectories:
                paid = sum(letters(text) for _, _, text in trajectory.transcript)
                trajectory.rewards = [paid] * len(trajectory.steps)
        return super().advantages(groups)


def lettered(kind: type[Algorithm], **options: Any) -> Algorithm:
    """Return an algorithm of a kind that pays for letters."""
    made: Algorithm = type(f"Lettered{kind.__name__}", (Letters, kind), {})(**options)
    return made


@pytest.fixture
def config(tiny_model: str, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=tiny_model, lora_rank=4),
        sampling=SamplingConfig(max_new_tokens=12),
        optim=OptimConfig(lr=1e-2),
        steps=4,
        problems_per_step=2,
        group_size=4,
        checkpoint_every=2,
    )


def numbers(run: Path) -> list[dict[str, Any]]:
    times = ("seconds/", "tokens_per_second", "peak_memory")
    return [{key: value for key, value in row.items() if not key.startswith(times)} for row in read_metrics(run)]


STATEFUL: dict[str, tuple[type[Algorithm], dict[str, Any]]] = {
    "running baseline": (REINFORCE, {"baseline": "running"}),
    "ippo": (IPPO, {}),
    "mappo": (MAPPO, {"entropy": 0.01}),
    "kl": (MAGRPO, {"kl": 0.1}),
}


@pytest.mark.parametrize("name", STATEFUL)
def test_what_an_algorithm_learns_itself_resumes_bit_for_bit(config: TrainConfig, tmp_path: Path, name: str) -> None:
    kind, options = STATEFUL[name]
    unbroken = make_trainer(config, algorithm=lettered(kind, **options))
    unbroken.train()
    broken = replace(config, out=str(tmp_path / "broken"))
    cut = make_trainer(replace(broken, steps=2), algorithm=lettered(kind, **options))
    cut.train()
    resumed = make_trainer(broken, algorithm=lettered(kind, **options))
    resumed.open(resume=True)
    resumed.train()
    assert json.dumps(numbers(resumed.run)) == json.dumps(numbers(unbroken.run))
    for mine, theirs in zip(resumed.team.policies, unbroken.team.policies, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters, theirs.parameters, strict=True))
    assert has_state(resumed.algorithm) == (name != "kl")
    assert str(resumed.algorithm.state_dict()) == str(unbroken.algorithm.state_dict())


def has_state(algorithm: Algorithm) -> bool:
    return bool(algorithm.state_dict())


def test_a_damaged_state_of_an_algorithm_is_told_in_one_line(config: TrainConfig) -> None:
    make_trainer(replace(config, steps=2), algorithm=lettered(IPPO)).train()
    file = Path(config.out) / "checkpoints" / "step_000002" / "algorithm.pt"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match=r"algorithm.pt is damaged .*: delete .*step_000002; ") as refused:
        make_trainer(config, algorithm=lettered(IPPO)).open(resume=True)
    assert "\n" not in str(refused.value)


def test_critics_tell_how_well_they_see(config: TrainConfig) -> None:
    for kind, names in ((IPPO, ("helper_0/critic", "main_0/critic")), (MAPPO, ("critic",))):
        trainer = make_trainer(replace(config, out=f"{config.out}_{kind.__name__}"), algorithm=lettered(kind))
        told = [trainer.train_step()[0] for _ in range(3)]
        for name in names:
            assert told[0][f"{name}/value"] == 0.0  # before it has learnt
            assert told[2][f"{name}/value"] != 0.0
            assert told[0][f"{name}/explained_variance"] == pytest.approx(0.0)
            assert math.isfinite(told[2][f"{name}/explained_variance"])
            assert told[2][f"{name}/loss"] < told[0][f"{name}/loss"] * 2


def generic() -> tuple[Group, list[Step]]:
    """Two turns, unequal lengths, agents that are paid apart, in a group that is a tree over nothing."""
    tree, paid = Tree((4,)), iter([0.3, 1.0, 0.1, 0.9, 0.7, 0.2, 0.4, 0.8, 0.6, 0.0, 0.5, 1.1, 0.35, 0.15, 0.95, 0.45])
    trajectories = []
    for path in tree.paths:
        trajectory = Trajectory("task", path)
        for turn, (place, agent) in itertools.product(range(2), enumerate(("helper_0", "main_0"))):
            size = 1 + (path[0] + turn + place) % 3
            made = Completion(tuple(range(size)), (-1.0,) * size, "", "eos", 0)
            key = ("task", agent, turn, *path)
            trajectory.note(Step(key, (1, place), made, 1.0, state={"turn": turn, "who": agent}))
            trajectory.pay(agent, next(paid))
        trajectories.append(trajectory)
    group = Group("task", trajectories)
    return group, group.steps


class Seen:
    """A critic of no model: what it sees is the turn and the agent."""

    def features(self, steps: Sequence[Step]) -> torch.Tensor:
        return torch.tensor([[float(step.turn), float(step.agent == "main_0")] for step in steps])

    def values(self, features: torch.Tensor) -> list[float]:
        return [0.1 + 0.2 * turn + 0.3 * main for turn, main in features.tolist()]


PRESETS = {"grpo": {"magrpo"}, "rloo": {"c3"}}
"""Names of one class and its settings: the first differ in whom they take, the others in the tree that they grow."""


def test_no_two_algorithms_have_one_gradient_on_a_generic_batch() -> None:
    group, steps = generic()
    longest = max(len(step.completion.token_ids) for step in steps)
    mask = torch.tensor([[float(k < len(s.completion.token_ids)) for k in range(longest)] for s in steps])
    random = torch.Generator().manual_seed(0)
    old = -torch.rand(mask.shape, generator=random) * mask
    gradients: dict[str, torch.Tensor] = {}
    for name, kind in NAMES.items():
        algorithm = kind(**({"baseline": "running"} if name == "reinforce" else {}))
        if isinstance(algorithm, IPPO):
            algorithm.critics = {key: Seen() for key in ("critic", "helper_0", "main_0")}  # type: ignore[misc]
        found = credited(algorithm, [group])
        advantages = torch.tensor([[found[step]] for step in steps]).expand(mask.shape) * mask
        logprobs = (
            old + 0.3 * torch.randn(mask.shape, generator=torch.Generator().manual_seed(1)) * mask
        ).requires_grad_()
        batch = LossBatch(
            logprobs, old, mask, advantages, len(steps), int(mask.sum()), sampler=old, longest=longest + 2,
            agents=tuple(step.agent for step in steps), turns=tuple(step.turn for step in steps),
        )  # fmt: skip
        (gradients[name],) = torch.autograd.grad(algorithm.loss(batch), logprobs)
    for one, other in itertools.combinations(gradients, 2):
        same = torch.allclose(gradients[one], gradients[other], atol=1e-6)
        assert same == (other in PRESETS.get(one, ())), (one, other)


def test_c3_is_nested_credit_in_which_each_is_left_out_of_its_baseline() -> None:
    tree, returns = Tree((2, 2), "agents"), (0.1, 0.7, 0.4, 0.9)
    nested = MAGRPO(credit="nested", mains=2).advantages([grown(tree, *returns)])
    for step, advantage in load_algorithm("c3", {"mains": 2}).advantages([grown(tree, *returns)]).items():
        assert advantage == pytest.approx(2 * nested[step])  # type: ignore[operator]


def test_dr_grpo_is_the_policy_gradient_over_the_longest_answer() -> None:
    batch = LossBatch(torch.ones(2, 3) * -1, torch.zeros(2, 3), torch.ones(2, 3), torch.ones(2, 3), 4, 9, longest=6)
    assert float(load_algorithm("dr_grpo", {}).loss(batch)) == pytest.approx(float(MAGRPO().loss(batch)) / 6)


def test_overlong_answers_are_punished_as_dapo_says() -> None:
    group = Group("task", [episode(1.0, number=k, agents=("main_0",)) for k in range(4)])
    for trajectory, tokens in zip(group.trajectories, (6, 7, 8, 12), strict=True):
        made = Completion((1,) * tokens, (0.0,) * tokens, "", "eos", 0)
        trajectory.steps = [replace(trajectory.steps[0], completion=made)]
    # Of 10 tokens the last 4 are the cushion: nothing at 6, 1/4 at 7, 2/4 at 8, 1 beyond 10.
    assert [t.rewards[0] for t in punished(group, 10, 4).trajectories] == pytest.approx([1.0, 0.75, 0.5, 0.0])
    assert [t.rewards[0] for t in group.trajectories] == [1.0] * 4


def test_gae_of_lam_one_is_the_return_less_the_value_and_of_lam_zero_one_step() -> None:
    steps = episode(0.2, 0.8, agents=("main_0",)).steps
    chain = list(zip(steps, (0.2, 0.8), strict=True))
    worth = {steps[0]: 0.5, steps[1]: 0.3}
    assert generalised(chain, worth, 0.5, 1.0) == pytest.approx([0.2 + 0.5 * 0.8 - 0.5, 0.8 - 0.3])
    assert generalised(chain, worth, 0.5, 0.0) == pytest.approx([0.2 + 0.5 * 0.3 - 0.5, 0.8 - 0.3])


def test_groups_that_are_not_kept_are_played_anew(config: TrainConfig) -> None:
    class Every(MAGRPO):
        """Keeps a group of every problem but the first it sees."""

        refills = 2
        seen: list[str] = []  # noqa: RUF012  # of this test's only one

        def keep(self, group: Group) -> bool:
            self.seen.append(group.task_id)
            return len(self.seen) != 1

    trainer = make_trainer(config, algorithm=Every(refills=2))
    _, groups = trainer.train_step()
    assert len(groups) == 3
    assert len({group.task_id for group in groups}) == len(groups)
    assert Every.seen == [group.task_id for group in groups]
    assert {step.key[0] for step in trainer.advantages} == {group.task_id for group in groups[1:]}
    assert sum(len(step.completion.token_ids) for group in groups for step in group.steps) == trainer.tokens


def test_an_advantage_a_token_reaches_its_token() -> None:
    class Last(Algorithm):
        """Credits the last token alone."""

        def advantages(self, groups: Sequence[Group]) -> Advantages:
            return {s: [0.0] * (len(s.completion.token_ids) - 1) + [1.0] for g in groups for s in g.steps}

    group, _ = generic()
    found = credited(Last(), [group])
    assert all(value[-1] == 1.0 and sum(value) == 1.0 for value in found.values())  # type: ignore[index, arg-type]


class Wrong(MAGRPO):
    """Returns what it is made of."""

    def __init__(self, what: Any) -> None:
        super().__init__()
        self.what = what

    def advantages(self, groups: Sequence[Group]) -> Any:
        return self.what(groups)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda groups: [[[0.0]]], r"Wrong.advantages returns a mapping of steps: .*, not list"),
        (lambda groups: {"main_0": 1.0}, "credits 'main_0', which is no step"),
        (lambda groups: {groups[0].steps[0]: [1.0] * 9}, "gives 9 numbers to a step of"),
    ],
)
def test_advantages_of_another_form_are_told_in_one_line(what: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        credited(Wrong(what), [generic()[0]])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("magrpo", {"kl": -1}, "option kl must be a number of at least 0"),
        ("magrpo", {"kl_estimator": "k4"}, "option kl_estimator must be one of k1, k2, k3"),
        ("magrpo", {"clip": [0.2]}, "option clip must be"),
        ("magrpo", {"clip": True}, "option clip must be"),
        ("magrpo", {"level": "sequence"}, "level=sequence is of a ratio: set clip too"),
        ("magrpo", {"overlong": [10]}, "option overlong is two numbers"),
        ("magrpo", {"credit": "turns"}, "credit=turns needs widths"),
        ("magrpo", {"credit": "joint", "widths": [2, 2]}, "leave out widths"),
        ("magrpo", {"credit": "nested", "widths": [2, 1]}, "one has no sibling"),
        ("reinforce", {"baseline": "mean"}, "option baseline must be one of none, batch, running"),
        ("mappo", {"lam": 2}, "option lam must be a number from 0 to 1"),
        ("reinforc", {}, "did you mean 'reinforce'"),
        ("magrpo", {"refills": 1.5}, "option refills must be a whole number"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_algorithm(name, options)
    assert "\n" not in str(refused.value)


def test_a_kl_term_of_whole_models_is_refused(config: TrainConfig) -> None:
    whole = replace(config, team=replace(config.team, sharing="separate"))
    with pytest.raises(InputError, match=r"no adapter to leave off.*set team.sharing=adapter"):
        make_trainer(whole, algorithm=lettered(MAGRPO, kl=0.1)).train_step()


OWN = """
from codeduet.algorithms import Algorithm, credit


class Mine(Algorithm):
    def __init__(self, sign=1.0):
        self.sign = sign

    def advantages(self, groups):
        return {s: self.sign * a for group in groups for s, a in credit.siblings(group).items()}


class Bare:
    def advantages(self, groups):
        return {}
"""


@pytest.mark.parametrize("name", ["own_algorithms:Mine", "own_algorithms.py:Mine", "here/own_algorithms.py:Mine"])
def test_ones_own_is_named_by_module_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "here").mkdir()
    for place in (tmp_path, tmp_path / "here"):
        (place / "own_algorithms.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    made = load_algorithm(name, {"sign": -1.0})
    group = grown(Tree((2,)), 1.0, 0.0)
    assert list(made.advantages([group]).values()) == [-0.5, -0.5, 0.5, 0.5]
    with pytest.raises(InputError, match="derive it from that class"):
        load_algorithm(name.replace("Mine", "Bare"), {})
    with pytest.raises(InputError, match="cannot be imported"):
        load_algorithm(name.replace("own", "no"), {})


def test_a_tree_over_turns_needs_as_many_turns(config: TrainConfig) -> None:
    options = {"credit": "turns", "widths": [2, 2]}
    with pytest.raises(InputError, match=r"needs env\.max_turns=2, a level a turn"):
        make_trainer(replace(config, options=options))
    trainer = make_trainer(
        replace(config, env=EnvConfig(max_turns=2, overlong="skip")), algorithm=lettered(MAGRPO, **options)
    )
    metrics, groups = trainer.train_step()
    for group in groups:
        assert len({step.key for step in group.steps if step.turn == 0}) == 4
        assert len({step.key for step in group.steps if step.turn == 1}) == 8
    assert metrics["main_0/updates"] == 1.0
    assert load_problems()
