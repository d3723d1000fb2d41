"""What fits, what is chosen, and what becomes of a micro-batch for which memory runs out."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from codeduet.agents.config import TeamConfig
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team, load_team
from codeduet.algorithms import memory
from codeduet.algorithms.config import OptimConfig, TrainConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.losses import clipped, policy_gradient
from codeduet.algorithms.memory import MOST_TOKENS, kept_bytes, plan_memory
from codeduet.algorithms.sample import Sample
from codeduet.benchmarks.memory import Shape
from codeduet.envs import MAIN, InputError
from tests.models import save_model

SHAPE = Shape(hidden=256, layers=3, heads=4, kv_heads=2, feed_forward=512, vocabulary=258)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A model of known shape in bfloat16, with adapters in float32."""
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, SHAPE)
    return load_team(str(folder), (MAIN,), config=TeamConfig(lora_rank=1, dtype="bfloat16", device="cpu"))


def plan(
    team: Team, gib: float, monkeypatch: pytest.MonkeyPatch, longest: int = 300, **optim: Any
) -> memory.MemoryPlan:
    monkeypatch.setattr(memory, "_held", lambda device: 0.0)
    config = TrainConfig(optim=OptimConfig(memory_gib=gib, **optim))
    return plan_memory(config, longest=longest, learns=[team[MAIN]])


def test_what_a_token_keeps_is_measured(team: Team) -> None:
    model = team[MAIN].activate()
    kept = kept_bytes(model)
    assert kept.layers == 3
    # Hidden states of three layers, and keys and values of two heads of 64, in two bytes.
    assert kept.input == 3 * 256 * 2 + 3 * 2 * 128 * 2
    assert kept.read_input == 3 * 2 * 128 * 2
    # Keys and values of a prompt are copied beside each completion, for each of the four heads.
    assert kept.read == pytest.approx(3 * 2 * 256 * 2, rel=0.05)
    prompts, answers = [list(range(100)), list(range(50, 150))] * 3, [[5] * 30] * 5 + [[5] * 20]
    whole = memory.saved_bytes(model, lambda: completion_logprobs(model, prompts, answers, [1.0] * 6))
    computed = 2 * 100 + 6 * 29  # of a completion all but the last token
    # A layer's gradients come on top of the three layers.
    assert kept.of(computed, 600, recompute=False) == pytest.approx(whole * 4 / 3, rel=0.05)
    assert kept.of(computed, 600, recompute=True) < 0.75 * kept.of(computed, 600, recompute=False)
    # The formula for models that are not at hand; the head's input is on top.
    assert kept.token == pytest.approx(SHAPE.kept.token, rel=0.1)
    assert kept.read == pytest.approx(SHAPE.kept.read, rel=0.05)
    assert kept[2:] == SHAPE.kept[2:]


def test_layers_are_kept_where_they_fit_and_computed_again_where_they_do_not(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = MOST_TOKENS["cpu"]
    roomy = plan(team, 100, monkeypatch)
    assert (roomy.tokens, roomy.recompute) == (most, False)
    kept_only = {"gradient_checkpointing": "never"}
    sizes = {
        tokens: plan(team, 100, monkeypatch, micro_batch_tokens=tokens, **kept_only).total
        for tokens in (1024, 1500, 700)
    }
    fits = plan(team, sizes[1500], monkeypatch)
    assert (fits.tokens, fits.recompute) == (1024, False)
    # As many as fit, computed again: more than would fit kept.
    tight = plan(team, sizes[700], monkeypatch)
    assert tight.recompute
    assert tight.tokens in (512, 1024)
    assert fits.total <= fits.cap
    assert tight.total <= tight.cap
    assert plan(team, 100, monkeypatch, longest=5000).tokens == most


def test_no_more_is_planned_for_than_a_step_has(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"micro_batch_tokens": 100_000}
    assert plan(team, 100, monkeypatch, **large).total == plan(team, 100, monkeypatch, micro_batch_tokens=4800).total


def test_settings_are_followed_and_what_cannot_fit_names_the_one_that_would(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan(team, 100, monkeypatch, micro_batch_tokens=77).tokens == 77
    assert plan(team, 100, monkeypatch, gradient_checkpointing="always").recompute
    small = plan(team, 100, monkeypatch, gradient_checkpointing="always", micro_batch_tokens=300).total
    for settings, words in (
        ({"gradient_checkpointing": "never"}, "set optim.gradient_checkpointing=auto"),
        ({"micro_batch_tokens": 8192}, "set optim.micro_batch_tokens=auto, or a smaller one"),
        ({}, "lower team.batch_size or sampling.max_new_tokens"),
    ):
        with pytest.raises(InputError, match=rf"memory plan in GiB: .* it does not fit: {words}") as told:
            plan(team, 0.2 * small, monkeypatch, longest=4096, **settings)
        assert "\n" not in str(told.value)


def samples() -> list[Sample]:
    """Completions of three prompts, of unequal lengths and advantages."""
    made = []
    for k, (prompt, length) in enumerate([((1, 2, 3), 9), ((1, 2, 3), 4), ((7,), 6), ((9, 8, 7, 6), 11), ((7,), 2)]):
        ids = tuple((k + i) % 200 for i in range(length))
        made.append(Sample(prompt, ids, (0.0,) * length, (-1.0) ** k * (k + 1), 0.8))
    return made


@pytest.fixture
def policy(tiny_model: str) -> Policy:
    """One that trains an adapter that is not zero."""
    made = load_team(tiny_model, config=TeamConfig(lora_rank=4))[MAIN]
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return made


def gradient(policy: Policy, score: Any = None, **settings: Any) -> tuple[torch.Tensor, dict[str, float]]:
    """The gradient of a step that changes nothing, and its metrics."""
    learner = Learner(policy, OptimConfig(lr=1e-30, max_grad_norm=0), **settings)
    found: list[torch.Tensor] = []
    learner.optimizer.step = lambda: found.append(torch.cat([p.grad.flatten() for p in policy.parameters]))
    if score:
        learner._score = score(learner)
    metrics = learner.step(samples(), policy_gradient)
    (value,) = found
    return value, metrics


@pytest.mark.parametrize(
    "settings", [{"recompute": True}, {"micro_batch_tokens": 1}, {"micro_batch_tokens": 20, "recompute": True}]
)
def test_the_gradient_is_the_same_however_it_is_computed(policy: Policy, settings: dict[str, Any]) -> None:
    whole, _ = gradient(policy)
    cut, _ = gradient(policy, **settings)
    assert float(whole.abs().max()) > 0.01
    assert float((cut - whole).norm() / whole.norm()) < 1e-5


MEMORY_ERRORS = {
    "a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "a driver": RuntimeError("CUDA error: out of memory"),
    "a Mac": RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)"),
    "Linux": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
        "99 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "Windows": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried"
    ),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "C++": RuntimeError("std::bad_alloc"),
    "Python": MemoryError(),
}


def run_out(error: BaseException, above: int, asked: list[int]) -> Any:
    """Score as before, but batches of more than ``above`` completions, for which memory runs out."""

    def score(learner: Learner) -> Any:
        real = learner._score

        def run(batch: list[Sample], **settings: Any) -> Any:
            asked.append(len(batch))
            if len(batch) > above:
                raise error
            return real(batch, **settings)

        return run

    return score


@pytest.mark.parametrize("of", MEMORY_ERRORS)
def test_memory_that_runs_out_halves_a_micro_batch_and_changes_no_gradient(policy: Policy, of: str) -> None:
    asked: list[int] = []
    whole, _ = gradient(policy)
    halved, metrics = gradient(policy, run_out(MEMORY_ERRORS[of], 2, asked))
    assert asked == [5, 2, 3, 1, 2]
    assert metrics["out_of_memory"] == 2
    assert float((halved - whole).norm() / whole.norm()) < 1e-5


def test_so_it_does_in_the_pass_before_several_updates(policy: Policy) -> None:
    asked: list[int] = []
    error = MEMORY_ERRORS["Linux"]
    settings = OptimConfig(updates_per_batch=2, lr=1e-3, max_grad_norm=0)
    found = []
    for score in (None, run_out(error, 2, asked)):
        made = copy.deepcopy(policy.model)
        own = Policy("one", made, policy.tokenizer, adapter=policy.adapter)
        learner = Learner(own, settings)
        if score:
            learner._score = score(learner)  # type: ignore[method-assign]
        metrics = learner.step(samples(), functools.partial(clipped, low=0.2, high=0.2))
        found.append(torch.cat([parameter.detach().flatten() for parameter in own.parameters]))
    assert asked[:5] == [5, 2, 3, 1, 2]  # before there is anything to learn from
    assert max(asked[5:]) <= 2  # and no larger ones are tried again
    assert metrics["out_of_memory"] == 2
    before = torch.cat([parameter.detach().flatten() for parameter in policy.parameters])
    assert float((found[1] - found[0]).norm()) < 1e-3 * float((found[0] - before).norm())


def test_another_error_is_not_taken_for_memory_that_runs_out(policy: Policy) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradient(policy, run_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"), 2, []))


@pytest.mark.parametrize("of", MEMORY_ERRORS)
def test_an_update_for_which_memory_runs_out_is_told_in_a_line(policy: Policy, of: str) -> None:
    learner = Learner(policy, OptimConfig(lr=1e-3))
    learner.optimizer.step = fail(MEMORY_ERRORS[of])  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"^out of memory for the optimiser of policy 'main_0': set team\.sharing"):
        learner.step(samples(), policy_gradient)


def test_memory_for_an_update_is_asked_for_before_it_changes_anything(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(policy, OptimConfig(lr=1e-3))
    before = [parameter.detach().clone() for parameter in policy.parameters]
    with monkeypatch.context() as patched:
        patched.setattr(torch, "empty_like", fail(MEMORY_ERRORS["a GPU"]))
        with pytest.raises(InputError, match="out of memory for the optimiser"):
            learner._update()
    assert learner.begun == 0
    assert not learner.optimizer.state
    assert all(map(torch.equal, before, policy.parameters))
    learner.step(samples(), policy_gradient)
    assert learner.begun == 1


def fail(error: BaseException) -> Any:
    def run(*_: Any, **__: Any) -> Any:
        raise error

    return run


def test_memory_that_runs_out_in_the_backward_pass_leaves_no_half_gradient(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = gradient(policy)
    real, calls = torch.autograd.grad, []

    def grad(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        found = real(*arguments, **options)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return found

    monkeypatch.setattr(torch.autograd, "grad", grad)
    halved, metrics = gradient(policy)
    assert (len(calls), metrics["out_of_memory"]) == (3, 1)
    assert float((halved - whole).norm() / whole.norm()) < 1e-5


def test_one_completion_for_which_memory_runs_out_is_told_in_a_line(policy: Policy) -> None:
    def score(learner: Learner) -> Any:
        def run(batch: list[Sample], **settings: Any) -> Any:
            raise torch.OutOfMemoryError("out of memory")

        return run

    with pytest.raises(
        InputError, match=r"one completion of 15 tokens with its prompt: set optim.gradient_checkpointing=always"
    ):
        gradient(policy, score)


def test_a_smaller_micro_batch_is_kept_once_memory_ran_out(policy: Policy) -> None:
    learner = Learner(policy, OptimConfig(lr=1e-30))
    indices = [0, 1, 2, 3, 4]
    halves = learner._halves(indices, samples())
    assert halves == [[0, 1], [2, 3, 4]]
    assert learner.micro_batch_tokens < 64


def test_freed_memory_goes_back_to_the_system() -> None:
    status = Path("/proc/self/statm")
    if not status.is_file() or not hasattr(memory.ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("needs glibc on Linux")

    def resident() -> int:
        return int(status.read_text().split()[1]) * 4096

    pieces = [bytearray(b"x" * 60_000) for _ in range(3000)]  # under the size from which each is mapped apart
    held = pieces[::100]
    full = resident()
    pieces.clear()
    memory.give_back()
    assert len(held) == 30
    assert resident() < full - 100_000_000
