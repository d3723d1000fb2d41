"""The real vLLM: adapters in one batch, versions, log-probabilities and gradients beside transformers'."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

pytest.importorskip("vllm", reason="vLLM comes with an environment of its own: make test-vllm")

from codeduet.agents import Completion, Request, Sampling, decoding
from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.agents.decoding import sample
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import Team, load_team, load_weightless
from codeduet.agents.vllm import VLLMEngine
from codeduet.algorithms import MAGRPO, TrainConfig, make_trainer
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.losses import LossBatch
from codeduet.algorithms.sample import Sample
from codeduet.envs import HELPER, MAIN, InputError

THREADS, CORES = torch.get_num_threads(), os.sched_getaffinity(0)
SAMPLING = Sampling(temperature=0.8, max_new_tokens=24)
PROMPT = tuple(byte_tokenizer().encode("def add(a, b):\n" * 4))


def adapted_team(model: Path, **settings: Any) -> Team:
    """Two adapters that do something, and something different each."""
    team = load_team(str(model), config=TeamConfig(lora_rank=8, lora_alpha=16, **settings))
    for number, policy in enumerate(team.policies):
        shake(policy, number)
    return team


def shake(policy: Any, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters:
            parameter.normal_(0, 0.2, generator=generator)


class Pair:
    """vLLM and transformers on the same team."""

    def __init__(self, model: Path) -> None:
        self.team = adapted_team(model)
        self.vllm = VLLMEngine(self.team, str(model), context=512, cache_gib=0.25)
        self.hf = HFEngine(self.team)

    def ask(self, agent: str, *seeds: int, sampling: Sampling = SAMPLING) -> list[Completion]:
        return self.vllm.generate([Request(agent, PROMPT, seeds, sampling)])[0]

    def gap(self, agent: str, answers: list[Completion]) -> float:
        """Return the largest difference between vLLM's log-probabilities and the learner's."""
        with torch.no_grad():
            logprobs, _ = completion_logprobs(
                self.team[agent].activate(),
                [PROMPT] * len(answers),
                [answer.token_ids for answer in answers],
                [SAMPLING.temperature] * len(answers),
            )
        return max(
            abs(float(logprobs[i, j]) - value)
            for i, answer in enumerate(answers)
            for j, value in enumerate(answer.logprobs)
        )


@pytest.fixture(scope="module")
def pair(wide_model: Path) -> Iterator[Pair]:
    made = Pair(wide_model)
    yield made
    made.vllm.close()


def test_the_learner_keeps_its_threads_and_cores(pair: Pair) -> None:
    assert torch.get_num_threads() == THREADS
    assert os.sched_getaffinity(0) == CORES
    torch.set_num_threads(1)  # vLLM's worker puts something in its place that does nothing
    assert torch.get_num_threads() == 1
    torch.set_num_threads(THREADS)


def test_two_adapters_in_one_batch_each_answer_with_their_own_weights(pair: Pair) -> None:
    helper, main = pair.vllm.generate([Request(agent, PROMPT, (1, 2, 3, 4), SAMPLING) for agent in (HELPER, MAIN)])
    assert [answer.token_ids for answer in helper] != [answer.token_ids for answer in main]
    assert pair.gap(HELPER, helper) < 1e-4
    assert pair.gap(MAIN, main) < 1e-4
    assert pair.gap(HELPER, main) > 1e-2  # the bound tells them apart


def test_new_weights_answer_after_sync_and_no_stale_prefix_does(pair: Pair) -> None:
    greedy = replace(SAMPLING, temperature=0)
    before = pair.ask(MAIN, 1, sampling=greedy)
    kept = pair.ask(HELPER, 1, 2)
    shake(pair.team[MAIN], 99)
    assert pair.ask(MAIN, 1, sampling=greedy) == before  # until it is told
    pair.vllm.sync(pair.team[MAIN], 1)
    answers = pair.ask(MAIN, 1, 2, 3)
    assert pair.gap(MAIN, answers) < 1e-4
    assert {answer.policy_version for answer in answers} == {1}
    assert (
        pair.ask(MAIN, 1, sampling=greedy)[0].token_ids
        == pair.hf.generate([Request(MAIN, PROMPT, (1,), greedy)])[0][0].token_ids
    )
    assert [a.token_ids for a in pair.ask(HELPER, 1, 2)] == [a.token_ids for a in kept]


def test_an_adapter_is_registered_once_a_version_and_old_ones_are_dropped(pair: Pair) -> None:
    for version in range(2, 8):
        pair.vllm.sync(pair.team[MAIN], version)
        pair.ask(MAIN, 1)
        assert len(pair.vllm.llm.llm_engine.list_loras()) == 2
        assert len(list(pair.vllm._folder.iterdir())) == 2


def test_seeded_prompts_of_more_tokens_than_a_batch_holds_are_not_cut_in_two(pair: Pair) -> None:
    # Different from the first token on, so that the prefix cache saves none of the 6,300.
    requests = [Request(HELPER, (97 + number, *PROMPT * 7), (number,), SAMPLING) for number in range(15)]
    assert sum(len(request.prompt_ids) for request in requests) > 4096
    together = pair.vllm.generate(requests)
    assert [answers[0].token_ids for answers in together] == [
        pair.vllm.generate([request])[0][0].token_ids for request in requests
    ]


def test_greedy_tokens_are_those_of_transformers(pair: Pair) -> None:
    greedy = replace(SAMPLING, temperature=0)
    for agent in (HELPER, MAIN):
        (theirs,) = pair.hf.generate([Request(agent, PROMPT, (1,), greedy)])
        (ours,) = pair.vllm.generate([Request(agent, PROMPT, (1,), greedy)])
        assert ours[0].token_ids == theirs[0].token_ids
        assert ours[0].logprobs == theirs[0].logprobs


def generate_again(pair: Pair, agent: str, answers: list[Completion], patch: pytest.MonkeyPatch) -> list[Completion]:
    """Let transformers generate the tokens of ``answers``: its own sampler, with draws that fall on them."""

    def draw(logits: torch.Tensor, _: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        weights = (logits.double() / sampling.temperature).softmax(-1)
        token = wanted.pop(0)
        return sample(logits, weights[:, : token + 1].sum(-1) - weights[:, token] / 2, sampling)

    patch.setattr(decoding, "sample", draw)
    again = []
    for answer in answers:
        wanted = list(answer.token_ids)
        again += pair.hf.generate([Request(agent, PROMPT, (0,), SAMPLING)])[0]
    return again


def loss_and_gradient(policy: Policy, answers: list[Completion], advantages: tuple[float, ...]) -> torch.Tensor:
    """Return the loss of the clipped ratio to what the engine said of its samples, and its gradient after it."""

    def loss(batch: LossBatch) -> torch.Tensor:
        sampled = pad_sequence([torch.tensor(answer.logprobs) for answer in answers], batch_first=True)
        return MAGRPO(clip=0.2).loss(replace(batch, old=sampled))

    found: list[torch.Tensor] = []
    learner = Learner(policy, OptimConfig(lr=1e-30))
    learner._clip = lambda: (  # type: ignore[method-assign]
        found.extend(p.grad.flatten() for p in policy.parameters) or torch.tensor(1.0)
    )
    samples = [
        Sample(PROMPT, a.token_ids, a.logprobs, advantage, SAMPLING.temperature)
        for a, advantage in zip(answers, advantages, strict=True)
    ]
    metrics = learner.step(samples, loss)
    return torch.cat([torch.tensor([metrics["loss"]]), *found])


def test_the_same_tokens_from_either_engine_give_the_same_loss_and_gradient(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longest first, as the learner orders them: rows of its one micro-batch are those of the answers.
    answers = sorted(pair.ask(MAIN, 1, 2, 3, 4), key=lambda answer: -len(answer.token_ids))
    again = generate_again(pair, MAIN, answers, monkeypatch)
    assert [a.token_ids for a in again] == [a.token_ids for a in answers]
    assert [a.text for a in again] == [a.text for a in answers]
    advantages = (1.0, -0.5, 0.25, -0.25)
    ours, theirs, colder = (
        loss_and_gradient(pair.team[MAIN], sampled, advantages)
        # The last are wrong by a tenth: what the bounds are for.
        for sampled in (answers, again, [replace(a, logprobs=tuple(0.9 * p for p in a.logprobs)) for a in again])
    )
    assert float(ours[0]) == pytest.approx(float(theirs[0]), rel=1e-3)
    assert float(ours[0]) != pytest.approx(float(colder[0]), rel=1e-3)
    gradient = ours[1:].norm()
    assert gradient > 0
    assert (ours - theirs)[1:].norm() < 1e-3 * gradient < (ours - colder)[1:].norm()


def test_three_steps_of_magrpo_change_both_adapters(wide_model: Path, tmp_path: Path) -> None:
    class ByLength(MAGRPO):
        def advantages(self, groups: Any) -> Any:
            for group in groups:
                for trajectory in group.trajectories:
                    told = float(sum(token % 7 for a in trajectory.steps for token in a.completion.token_ids))
                    trajectory.rewards = [told] * len(trajectory.steps)
            return super().advantages(groups)

    config = TrainConfig(
        out=str(tmp_path / "run"),
        team=TeamConfig(model=str(wide_model), lora_rank=8, engine="vllm", context=1024),
        sampling=SamplingConfig(max_new_tokens=12),
        optim=OptimConfig(lr=1e-2),
        steps=3,
        problems_per_step=2,
        group_size=2,
    )
    trainer = make_trainer(config, algorithm=ByLength(), train_tasks=["HumanEval/23", "HumanEval/28", "HumanEval/34"])
    first = {policy.name: [p.detach().clone() for p in policy.parameters] for policy in trainer.team.policies}
    trainer.open()
    for step in range(1, 4):
        metrics, groups = trainer.train_step()
        for agent in (HELPER, MAIN):
            assert metrics[f"{agent}/mismatch_kl"] < 1e-6
            assert metrics[f"{agent}/updates"] == 1
        versions = {a.completion.policy_version for g in groups for t in g.trajectories for a in t.steps}
        assert versions == {step - 1}
    for policy in trainer.team.policies:
        changed = [
            bool((p.detach() != old).any()) for p, old in zip(policy.parameters, first[policy.name], strict=True)
        ]
        assert all(changed)
    trainer.engine.close()


def test_an_untrained_model_needs_no_second_copy_of_its_weights(wide_model: Path) -> None:
    team = load_weightless(str(wide_model), (HELPER, MAIN))
    engine = VLLMEngine(team, str(wide_model), context=512, cache_gib=0.25)
    (answers,) = engine.generate([Request("base", PROMPT, (1, 2), SAMPLING)])
    assert len({answer.token_ids for answer in answers}) == 2
    assert engine._folder.is_dir()
    with pytest.raises(InputError, match="exceed the context of 512"):
        engine.generate([Request("base", PROMPT * 10, (1,), SAMPLING)])
    engine.close()
    assert not engine._folder.exists()


def test_a_chats_completion_ends_with_its_turn(wide_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chat"
    shutil.copytree(wide_model, folder)
    ends = "{% for m in messages %}{{ m.content }}<|pad|>{% endfor %}"
    (folder / "chat_template.jinja").write_text(ends)
    team = load_weightless(str(folder), (MAIN,))
    engine = VLLMEngine(team, str(folder), context=512, cache_gib=0.25, dtype="fp32")
    # Each of 258 tokens is about as likely: of 2,048 drawn, some are the turn's end.
    sampling = replace(SAMPLING, temperature=1.0, max_new_tokens=64)
    (answers,) = engine.generate([Request("base", (97,), tuple(range(32)), sampling)])
    ended = [answer for answer in answers if 257 in answer.token_ids]
    assert ended
    for answer in ended:
        assert answer.token_ids.index(257) == len(answer.token_ids) - 1
        assert answer.finish_reason == "eos"
    engine.close()


def test_what_it_cannot_do_is_refused_in_one_line(wide_model: Path) -> None:
    with pytest.raises(InputError, match="trains whole"):
        VLLMEngine(load_team(str(wide_model), config=TeamConfig(sharing="separate")), str(wide_model))
