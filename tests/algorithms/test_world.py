"""Several processes that learn together take the step that one takes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing

from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.sample import Sample
from codeduet.algorithms.world import World

ADVANTAGES = {
    "of both": [0.5, -0.5, 0.25, -0.25, 1.0, -1.0],
    "of one": [
        0.5,
        -0.5,
        0.0,
        0.0,
        1.0,
        -1.0,
    ],  # the second of two processes has the second group: nothing to learn from
}


def groups(kind: str) -> list[list[Sample]]:
    """Three groups of two samples, of unequal lengths."""
    made = [
        Sample((65, 66), tuple(70 + k + j for j in range(2 + k)), (0.0,) * (2 + k), advantage, 1.0, "main_0", 0)
        for k, advantage in enumerate(ADVANTAGES[kind])
    ]
    return [made[k : k + 2] for k in range(0, 6, 2)]


def learnt(kind: str, options: dict[str, Any]) -> tuple[torch.Tensor, dict[str, float]]:
    """The gradient of one step of this process's share, and its metrics."""
    torch.set_num_threads(1)
    world, algorithm = World(), MAGRPO(**options)
    model, tokenizer = random_model(seed=1)
    policy = Policy("main", model.double(), tokenizer)
    learner = Learner(policy, OptimConfig(lr=1e-2), world=world)
    mine = [sample for group in world.shard(groups(kind)) for sample in group]
    found: list[torch.Tensor] = []  # before AdamW, which makes as much of a gradient of 1e-9 as of one of 1
    learner.optimizer.step = lambda: found.append(torch.cat([p.grad.flatten() for p in policy.parameters]))  # type: ignore
    told = learner.step(mine, algorithm.loss, needs=algorithm.needs, linear=algorithm.linear)
    return found[0], told


def in_process(rank: int, size: int, kind: str, options: dict[str, Any], folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    gradient, told = learnt(kind, options)
    torch.save({"gradient": gradient, "told": told}, f"{folder}/{rank}.pt")
    distributed.barrier()  # whoever leaves first takes the connections with it that the other still reads
    distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("kind", "options"), [("of both", {}), ("of one", {}), ("of one", {"entropy": 0.1, "aggregate": "token"})]
)
def test_two_processes_take_the_step_of_one(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    multiprocessing.spawn(in_process, args=(2, kind, options, str(tmp_path)), nprocs=2)  # type: ignore[no-untyped-call]
    alone, told = learnt(kind, options)
    both = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert torch.equal(both[0]["gradient"], both[1]["gradient"])
    assert float((both[0]["gradient"] - alone).norm() / alone.norm()) < 1e-6  # its norms compute in float32
    for one in both:
        assert one["told"]["updates"] == 1.0
        assert one["told"]["loss"] == pytest.approx(told["loss"], abs=1e-6)
        assert one["told"]["grad_norm"] == pytest.approx(told["grad_norm"])


def test_where_nobody_has_anything_to_learn_from_nothing_is_changed() -> None:
    before = torch.cat([p.detach().flatten() for p in random_model(seed=1)[0].double().parameters()])
    model, tokenizer = random_model(seed=1)
    policy = Policy("main", model.double(), tokenizer)
    dead = [Sample((65,), (66, 67), (0.0, 0.0), 0.0, 1.0)]
    assert Learner(policy, OptimConfig(lr=1e-2)).step(dead, MAGRPO().loss)["updates"] == 0.0
    assert torch.equal(torch.cat([p.detach().flatten() for p in policy.parameters]), before)
