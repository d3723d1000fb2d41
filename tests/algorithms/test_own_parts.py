"""What a user's own algorithm or callback may get wrong, and what is then said, lost and kept."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from codeduet.agents import Completion, Engine, Request
from codeduet.agents.hf import HFEngine
from codeduet.agents.own_network import NetworkPolicy
from codeduet.agents.team import Team
from codeduet.algorithms import MAGRPO, REINFORCE, Algorithm, Callback, Group, Trainer, losses
from codeduet.algorithms.algorithm import Advantages, load_algorithm
from codeduet.algorithms.checkpoint import latest_checkpoint
from codeduet.algorithms.family import NAMES
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.probes.letters import letter_team, letter_tokenizer
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


class Table(torch.nn.Module):
    """Draws one of its letters, whatever it reads."""

    def __init__(self, learns: bool) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(10), requires_grad=learns)

    def logprobs(self, prompts: Any, completions: Any, temperatures: Any) -> torch.Tensor:
        return self.logits.log_softmax(0)[torch.tensor([list(ids) for ids in completions])]


class Draws(Engine):
    """Answers by such tables."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        return [[self._one(self.tables[request.policy], seed) for seed in request.seeds] for request in requests]

    def _one(self, table: Table, seed: int) -> Completion:
        odds = table.logits.detach().softmax(0)
        letter = int(torch.multinomial(odds, 1, generator=torch.Generator().manual_seed(seed)))
        return Completion((letter,), (float(odds[letter].log()),), "A", "length", 0)

    def sync(self, policy: Any, version: int) -> None: ...


def tables(out: Path, algorithm: Algorithm, helper_learns: bool, **settings: Any) -> Trainer:
    made = {"helper_0": Table(helper_learns), "main_0": Table(True)}
    team = Team({agent: NetworkPolicy(agent, table, letter_tokenizer()) for agent, table in made.items()})
    return letters(algorithm, out, team=team, engine=Draws(made), **settings)


def test_a_network_of_ones_own_that_does_not_learn_is_resumed_and_must_be_said_to_be_still(tmp_path: Path) -> None:
    tables(tmp_path / "run", Mine(), helper_learns=False, frozen=["helper_0"], steps=1).train()
    resumed = tables(tmp_path / "run", Mine(), helper_learns=False, frozen=["helper_0"], steps=2)
    resumed.open(resume=True)
    resumed.train()
    assert resumed.step == 2
    assert not resumed.team["helper_0"].parameters
    with pytest.raises(
        InputError, match=r"policy 'helper_0' has no weight that can be trained .* name its agents in fro"
    ):
        tables(tmp_path / "other", Mine(), helper_learns=False)


def test_a_callbacks_state_that_is_no_json_is_refused_before_the_first_step(tmp_path: Path) -> None:
    class Odd(Callback):
        steps = 0

        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            self.steps += 1

        def state_dict(self) -> dict[str, Any]:
            return {"x": np.float32(1)}

    odd = Odd()
    with pytest.raises(InputError, match=r"^callback Odd: its state_dict\(\) is no JSON") as refused:
        letters(Mine(), tmp_path / "run", callbacks=[odd]).train()
    assert odd.steps == 0
    assert "\n" not in str(refused.value)


def oops(trainer: Trainer, error: Exception) -> str:
    """Let a trainer break off on its error, which is raised as it is; return the newest checkpoint's name."""
    with pytest.raises(type(error)) as raised:
        trainer.train()
    assert raised.value is error
    assert raised.value.args == ("oops",)
    newest = latest_checkpoint(trainer.run)
    return newest.name if newest else ""


def test_a_callback_that_raises_loses_no_step(tmp_path: Path) -> None:
    class Raises(Callback):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def step(self, trainer: Trainer, groups: Sequence[Group], metrics: Mapping[str, float]) -> None:
            if trainer.step == 2:
                raise self.error

    class Unsaved(Raises):
        def state_dict(self) -> dict[str, Any]:
            return {"x": None if self.error.__traceback__ is None else self.error}

    error = KeyError("oops")
    told = Console(record=True, file=io.StringIO(), width=200)
    assert oops(letters(Mine(), tmp_path / "a", callbacks=[Raises(error)], console=told), error) == "step_000002"
    assert "broken off behind step 2, which is saved" in told.export_text()
    error = KeyError("oops")  # and where that cannot be saved, it is said and the error stays what it is
    assert oops(letters(Mine(), tmp_path / "b", callbacks=[Unsaved(error)], console=told), error) == ""
    assert "step 2 could not be saved: callback Unsaved: its state_dict() is no JSON" in told.export_text()


@pytest.mark.parametrize("name", ["update", "metrics"])
def test_an_algorithm_that_raises_behind_an_update_leaves_the_step_unsaved_as_weights_have_changed(
    tmp_path: Path, name: str
) -> None:
    for algorithm, saved in ((Mine(), ""), (Still(), "step_000001")):
        error = KeyError("oops")
        trainer = letters(algorithm, tmp_path / (saved or "none"))
        real = getattr(algorithm, name)

        def run(*groups: Any, of: Trainer = trainer, error: Exception = error, real: Any = real) -> Any:
            if of.step == 1:
                raise error
            return real(*groups)

        setattr(algorithm, name, run)
        assert oops(trainer, error) == saved


class Still(Mine):
    """Credits nothing, so that no weight changes."""

    def advantages(self, groups: Sequence[Group]) -> Advantages:
        return {}


def telling(**numbers: Any) -> Algorithm:
    class Tells(Mine):
        def metrics(self) -> dict[str, float]:
            return numbers

    return Tells()


def test_numbers_of_torch_and_numpy_are_floats_in_the_metrics(tmp_path: Path) -> None:
    trainer = letters(telling(a=torch.tensor(1.5), b=np.float32(2.5), c=np.int64(3), d=4), tmp_path / "run", steps=1)
    trainer.train()
    (row,) = read_metrics(trainer.run)
    assert [row[name] for name in "abcd"] == [1.5, 2.5, 3.0, 4.0]
    assert all(type(trainer.metrics[name]) is float for name in "abcd")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"step": 1.0}, r"^Tells\.metrics names a number 'step', as each row of metrics\.jsonl does itself"),
        ({"kind": 1.0}, "names a number 'kind'"),
        ({"a": "high"}, r"^Tells\.metrics gives 'high' as 'a': a number"),
        ({"a": torch.ones(2)}, r"gives tensor\(\[1\., 1\.\]\) as 'a'"),
    ],
)
def test_what_is_no_number_of_a_step_is_refused(tmp_path: Path, numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        letters(telling(**numbers), tmp_path / "run", steps=1).train()


def losing(value: Callable[[LossBatch], Any]) -> Algorithm:
    class Loses(Mine):
        def loss(self, batch: LossBatch) -> torch.Tensor:
            return value(batch)  # type: ignore[no-any-return]

    return Loses()


def test_a_loss_that_hangs_on_no_weight_teaches_nothing_and_the_others_do(tmp_path: Path) -> None:
    mains = losing(lambda b: losses.policy_gradient(b) if "main_0" in b.agents else torch.zeros(()))
    trainer = letters(mains, tmp_path / "run")
    before = [p.clone() for policy in trainer.team.policies for p in policy.parameters]
    after = [p for policy in trainer.team.policies for p in policy.parameters]
    trainer.train()
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    half = len(moved) // 2
    assert list(trainer.team) == ["helper_0", "main_0"]
    assert (any(moved[:half]), any(moved[half:])) == (False, True)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda b: -b.advantages * b.logprobs / b.sequences, r"loss gives a tensor \[\d+, 1\]: one scalar tensor"),
        (lambda b: 0.0, r"loss gives 0\.0: one scalar tensor"),
        (lambda b: None, "loss gives None: one scalar tensor"),
    ],
)
def test_a_loss_that_is_no_scalar_tensor_is_refused(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        letters(losing(value), tmp_path / "run").train()


def test_a_running_baseline_is_a_trainings_own_and_a_resumed_one_has_it_back(tmp_path: Path) -> None:
    algorithm = REINFORCE(baseline="running")
    letters(algorithm, tmp_path / "first", steps=2).train()
    left = dict(algorithm.averages)
    assert set(left) == {"helper_0", "main_0"}
    letters(algorithm, tmp_path / "second")
    assert algorithm.averages == {}
    letters(algorithm, tmp_path / "first", steps=3).open(resume=True)
    assert algorithm.averages == left


def test_groups_that_are_dropped_are_counted_and_said_once_where_none_is_left(tmp_path: Path) -> None:
    class Drops(Mine):
        def __init__(self, kept: Sequence[str]) -> None:
            self.kept = kept

        def keep(self, group: Group) -> bool:
            return group.task_id in self.kept

    told = Console(record=True, file=io.StringIO(), width=300)
    tasks = [problem.task_id for problem in PROBE.problems]
    none = letters(Drops([]), tmp_path / "none", console=told)
    none.train()
    assert [row["kept_groups"] for row in read_metrics(none.run)] == [0.0] * 3
    assert told.export_text().count("Drops.keep keeps none of 2 groups: nothing is learnt of it") == 1
    for kept, counted in ((tasks[1:], [1.0]), (tasks, [None])):
        trainer = letters(Drops(kept), tmp_path / str(len(kept)), console=told, steps=1)
        trainer.train()
        assert [row.get("kept_groups") for row in read_metrics(trainer.run)] == counted
    assert "keeps none" not in told.export_text()


def test_a_file_that_is_named_imports_what_lies_beside_it_and_leaves_no_path_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("beside_it", "named_file", "broken_file"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "beside_it.py").write_text("SIGN = 2.0\n")
    (tmp_path / "named_file.py").write_text(
        "from beside_it import SIGN\nfrom codeduet.algorithms import MAGRPO\n\n\nclass A(MAGRPO):\n    sign = SIGN\n"
    )
    (tmp_path / "broken_file.py").write_text("from beside_it import NOTHING\n")
    before = list(sys.path)
    assert load_algorithm(f"{tmp_path}/named_file.py:A", {}).sign == 2.0  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="cannot import name 'NOTHING'"):
        load_algorithm(f"{tmp_path}/broken_file.py:A", {})
    assert sys.path == before


def test_one_episode_a_problem_is_enough_where_none_is_compared_with_another(tmp_path: Path) -> None:
    for name in ("reinforce", "ippo", "mappo"):
        trainer = letters(NAMES[name](), tmp_path / name, group_size=1, steps=1)
        metrics, groups = trainer.train_step()
        assert [len(group.trajectories) for group in groups] == [1, 1]
        assert metrics["dead_groups"] == 0.0
    for name in NAMES.keys() - {"reinforce", "ippo", "mappo"}:
        with pytest.raises(InputError, match=r"^group_size=1: \w+ compares the episodes of a problem with each other"):
            letters(NAMES[name](), tmp_path / name, group_size=1)
    with pytest.raises(InputError, match="set group_size=2 or more"):
        letters(REINFORCE(refills=1), tmp_path / "refills", group_size=1)


def test_what_is_handed_over_and_is_no_algorithm_or_callback_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    class Told(Callback):
        pass

    class Loose:
        def step(self, trainer: Any, groups: Any, metrics: Any) -> None: ...

    class Text(Mine):
        needs = "reference"  # type: ignore[assignment]

    class Bare(Algorithm):
        pass

    refused: list[tuple[str, Callable[[], Any]]] = [
        (r"^callbacks names the class Told: hand over what it makes, Told\(\)$", lambda: trainer_of(Mine(), Told)),
        (r"^callback 'Loose' is no codeduet\.algorithms\.Callback: derive it", lambda: trainer_of(Mine(), Loose())),
        (r"^Text\.needs is a text: needs = frozenset\(\{'reference'\}\)$", lambda: trainer_of(Text())),
        (r"^algorithm 'Bare' has no advantages\(groups\)", lambda: trainer_of(Bare())),
        (
            r"^policy 'helper_0' is a network of its own, which has no base to compare it with: leave the KL term out",
            lambda: tables(tmp_path / "run", MAGRPO(kl=0.1), helper_learns=True),
        ),
    ]

    def trainer_of(algorithm: Algorithm, *callbacks: Any) -> Trainer:
        return letters(algorithm, tmp_path / "run", callbacks=callbacks)

    for words, make in refused:
        with pytest.raises(InputError, match=words) as told:
            make()
        assert "\n" not in str(told.value)
