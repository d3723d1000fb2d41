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

from codeduet.agents import Completion, MessageFormatter
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.engine import Engine
from codeduet.agents.own_network import NetworkPolicy
from codeduet.agents.steps import Group, Step, Trajectory
from codeduet.agents.team import Team, load_team
from codeduet.agents.tree import Tree
from codeduet.algorithms import MAGRPO, Algorithm, TrainConfig, load_algorithm, make_trainer
from codeduet.algorithms.actor_critic import IPPO, MAPPO, generalised
from codeduet.algorithms.algorithm import Advantages, credited
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.credit import is_dead, punished
from codeduet.algorithms.family import NAMES
from codeduet.algorithms.logprobs import Layout, score
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.reinforce import REINFORCE
from codeduet.algorithms.sample import Sample, advantages_of
from codeduet.envs import ByteTokenizer, InputError, load_problems
from codeduet.envs.config import EnvConfig
from codeduet.interrupt import Interrupted
from tests.episodes import episode, grown
from tests.letters import Letters


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


@pytest.mark.parametrize("kind", [IPPO, MAPPO])
def test_critics_first_weights_follow_the_runs_seed(config: TrainConfig, kind: type[IPPO]) -> None:
    def first(seed: int) -> list[torch.Tensor]:
        made = lettered(kind)
        make_trainer(replace(config, seed=seed), algorithm=made)
        return [critic.head[1].weight.clone() for critic in made.critics.values()]  # type: ignore[attr-defined]

    one, again, other = first(1), first(1), first(2)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert len({tuple(weights.flatten().tolist()) for weights in one}) == len(one)  # nor is one agent's another's


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
    batch = [
        Sample((65,), (66, 67, 68), (0.0,) * 3, (0.5, -1.0, 2.0), 1.0),
        Sample((65,), (66,), (0.0,), 3.0, 1.0),
    ]
    rows = advantages_of(batch, torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    assert rows.tolist() == [[0.5, -1.0, 2.0], [3.0, 0.0, 0.0]]


def test_advantages_may_be_tensors_and_are_floats_from_then_on() -> None:
    class Tensors(Algorithm):
        """Credits with what torch computes."""

        def advantages(self, groups: Sequence[Group]) -> Any:
            steps = [step for group in groups for step in group.steps]
            return {
                s: torch.tensor(0.5) if k % 2 else torch.ones(len(s.completion.token_ids)) for k, s in enumerate(steps)
            }

    group, steps = generic()
    found = credited(Tensors(), [group])
    assert found[steps[1]] == 0.5
    assert found[steps[0]] == (1.0,) * len(steps[0].completion.token_ids)


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
        (lambda groups: {groups[0].steps[0]: None}, "gives None to a step"),
        (lambda groups: {groups[0].steps[0]: ["a"]}, "to a step: one number, or one a token"),
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


def test_a_kl_term_of_whole_models_is_refused_before_anything_is_played(config: TrainConfig) -> None:
    whole = replace(config, team=replace(config.team, sharing="separate"))
    with pytest.raises(InputError, match=r"no adapter to leave off.*team.sharing=adapter"):
        make_trainer(whole, algorithm=lettered(MAGRPO, kl=0.1))


def test_a_step_that_is_broken_off_leaves_the_running_baseline_as_it_was(config: TrainConfig) -> None:
    algorithm = lettered(REINFORCE, baseline="running")
    trainer = make_trainer(config, algorithm=algorithm)
    trainer.train_step()
    before = str(algorithm.state_dict())

    def stop(*_: Any, **__: Any) -> Any:
        raise Interrupted(2)

    for learner in trainer.learners.values():
        learner.step = stop  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        trainer.train_step()
    assert str(algorithm.state_dict()) == before


def test_what_cannot_be_read_back_is_not_saved(config: TrainConfig) -> None:
    class Odd(MAGRPO):
        """Keeps an object of its own."""

        def state_dict(self) -> dict[str, Any]:
            return {"path": Path("x")}

    trainer = make_trainer(replace(config, steps=1, checkpoint_every=1), algorithm=Odd())
    with pytest.raises(InputError, match=r"state_dict\(\) holds what cannot be read back"):
        trainer.train()


def test_a_task_that_is_played_again_in_a_step_has_steps_of_its_own(config: TrainConfig) -> None:
    class Never(MAGRPO):
        """Keeps nothing."""

        def keep(self, group: Group) -> bool:
            return False

    trainer = make_trainer(config, algorithm=Never(refills=3), train_tasks=["HumanEval/0", "HumanEval/1"])
    metrics, groups = trainer.train_step()
    assert len(groups) == 8
    steps = [step for group in groups for step in group.steps]
    assert len(set(steps)) == len(steps)
    assert metrics["kept_groups"] == 0.0
    assert metrics["worker_faults"] == 0.0
    assert math.isfinite(metrics["reward"])


def test_a_group_is_dead_where_nobody_is_credited() -> None:
    alike = grown(Tree((2,)), 1.0, 1.0)
    assert is_dead(alike)
    for trajectory, paid in zip(alike.trajectories, ([1.0, 0.0], [0.0, 1.0]), strict=True):
        trajectory.rewards = paid  # the team earns 0.5 in both
    assert not is_dead(alike)


def test_importance_weights_are_truncated_and_carry_no_gradient() -> None:
    logprobs = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    batch = LossBatch(
        logprobs, logprobs.detach(), torch.ones(1, 2), torch.tensor([[2.0, 2.0]]), 1, 2,
        sampler=torch.tensor([[-1.5, -5.0]]),
    )  # fmt: skip
    value = MAGRPO(importance_cap=2.0).loss(batch)
    value.backward()
    # exp(0.5) stays, exp(3) becomes 2
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[pytest.approx(-2 * math.exp(0.5)), pytest.approx(-4.0)]]


def test_gspo_has_one_ratio_a_sequence_and_a_gradient_at_each_token() -> None:
    old = torch.tensor([[-1.0, -2.0, 0.0], [-1.0, -1.0, -1.0]])
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    moved = torch.tensor([[0.0002, 0.0004, 0.0], [0.03, 0.0, 0.0]])
    logprobs = (old + moved).requires_grad_()
    batch = LossBatch(logprobs, old, mask, torch.ones(2, 3) * mask, 2, 5)
    load_algorithm("gspo", {}).loss(batch).backward()
    ratio = math.exp(0.0003)
    # The first is within 4e-4, its tokens share; the second is beyond it and gains nothing.
    assert logprobs.grad is not None
    assert logprobs.grad[0].tolist() == pytest.approx([-ratio / 4, -ratio / 4, 0.0])
    assert logprobs.grad[1].tolist() == [0.0, 0.0, 0.0]


def test_entropy_and_its_gradient_are_those_of_the_whole_distribution(tiny_model: str) -> None:
    team = load_team(tiny_model, ("main_0",), config=TeamConfig(sharing="shared", lora_rank=0))
    policy = team["main_0"]
    model = policy.activate().double()
    prompts, answers = [(65, 66), (67,)], [(70, 71, 72), (73,)]
    found = {}
    for chunk in (10**9, 300):
        scored = score(model, prompts, answers, [0.7, 1.3], layout=Layout(chunk_elements=chunk), entropy=True)
        assert scored.entropy is not None
        weighed = (scored.entropy * torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])).sum() + scored.logprobs.sum()
        found[chunk] = (scored.entropy.detach(), torch.autograd.grad(weighed, policy.parameters))
    direct, total = [], torch.zeros((), dtype=torch.float64)
    for prompt, answer, heat, weights in zip(prompts, answers, (0.7, 1.3), ([1.0, 2.0, 3.0], [4.0]), strict=True):
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1] / heat
        logs = logits.log_softmax(-1)
        entropies = -(logs.exp() * logs).sum(-1)
        direct.append(entropies.detach())
        total = total + (entropies * torch.tensor(weights)).sum() + logs.gather(1, torch.tensor(answer)[:, None]).sum()
    gradients = torch.autograd.grad(total, policy.parameters)
    for entropies, made in found.values():
        assert torch.allclose(entropies[0], direct[0], atol=1e-5)
        assert torch.allclose(entropies[1, :1], direct[1], atol=1e-5)
        for mine, theirs in zip(made, gradients, strict=True):
            assert float((mine - theirs).abs().max()) < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_the_reference_is_the_base_with_adapters_off(config: TrainConfig) -> None:
    seen: list[LossBatch] = []

    class Spy(MAGRPO):
        """Keeps what its loss sees."""

        def loss(self, batch: LossBatch) -> torch.Tensor:
            seen.append(batch)
            return super().loss(batch)

    trainer = make_trainer(config, algorithm=lettered(Spy, kl=0.1))
    for _ in range(2):
        trainer.train_step()
    first, last = seen[0], seen[-1]
    assert first.reference is not None
    assert last.reference is not None
    assert torch.allclose(first.reference, first.old, atol=1e-5)  # new adapters change nothing
    assert float((last.reference - last.old).abs().max()) > 1e-3
    assert set(last.agents) == {"main_0"}
    assert last.longest == 12


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


class Table(torch.nn.Module):
    """A policy of one's own: a distribution over eight letters, whatever the prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(8))

    def logprobs(self, prompts: Any, completions: Any, temperatures: Any) -> torch.Tensor:
        longest = max(map(len, completions))
        ids = torch.tensor([[i - 65 for i in ids] + [0] * (longest - len(ids)) for ids in completions])
        scaled = self.logits[None] / torch.tensor(temperatures)[:, None]
        return scaled.log_softmax(-1).gather(1, ids)


class Draws(Engine):
    """An engine that draws letters from such tables."""

    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = tables

    def generate(self, requests: Sequence[Any]) -> list[list[Completion]]:
        return [[self._one(self.tables[r.policy], seed) for seed in r.seeds] for r in requests]

    def _one(self, table: Table, seed: int) -> Completion:
        with torch.no_grad():
            random = torch.Generator().manual_seed(seed)
            odds = table.logits.softmax(0)
            ids = [int(torch.multinomial(odds, 1, generator=random)) for _ in range(1 + seed % 3)]
            return Completion(
                tuple(65 + i for i in ids),
                tuple(odds[ids].log().tolist()),
                bytes(65 + i for i in ids).decode(),
                "eos",
                0,
            )

    def sync(self, policy: Any, version: int) -> None: ...


def test_a_network_of_ones_own_learns_and_resumes(config: TrainConfig, tmp_path: Path) -> None:
    class LikesA(MAGRPO):
        """Pays for the letter A."""

        def advantages(self, groups: Sequence[Group]) -> Advantages:
            for group in groups:
                for trajectory in group.trajectories:
                    trajectory.rewards = [step.text.count("A") / len(step.text) for step in trajectory.steps]
            return super().advantages(groups)

    def begin(out: Path, steps: int) -> Any:
        tables = {agent: Table() for agent in ("helper_0", "main_0")}
        team = Team({agent: NetworkPolicy(agent, table, ByteTokenizer()) for agent, table in tables.items()})
        settings = replace(config, out=str(out), steps=steps, optim=OptimConfig(lr=0.1), group_size=8)
        return make_trainer(
            settings, team=team, engine=Draws(tables), algorithm=LikesA(), formatter=MessageFormatter()
        ), tables

    whole, tables = begin(tmp_path / "whole", 12)
    whole.train()
    for table in tables.values():
        assert table.logits.softmax(0)[0] > 0.35  # an eighth before
    assert numbers(whole.run)[0]["main_0/mismatch_kl"] == pytest.approx(0.0, abs=1e-6)
    cut, _ = begin(tmp_path / "cut", 4)
    cut.train()
    resumed, again = begin(tmp_path / "cut", 12)
    resumed.open(resume=True)
    resumed.train()
    assert all(torch.equal(again[agent].logits, tables[agent].logits) for agent in tables)
    entropic, _ = begin(tmp_path / "entropic", 1)
    entropic.algorithm = MAGRPO(entropy=0.1)
    with pytest.raises(InputError, match="tells no entropy"):
        entropic.train_step()
