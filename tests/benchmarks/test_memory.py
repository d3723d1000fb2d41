"""The memory plan against what autograd keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models import save_model

from codeduet.agents.config import TeamConfig
from codeduet.agents.team import load_team
from codeduet.algorithms.config import OptimConfig, TrainConfig
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.memory import MOST_TOKENS, MemoryPlan, saved_bytes
from codeduet.benchmarks.memory import Shape, shape_plan
from codeduet.envs import MAIN, InputError


def kept_bytes(folder: Path, shape: Shape, *, prompt: int, answer: int, answers: int) -> int:
    """Return the bytes that are kept in the learner's forward pass: bfloat16 weights, float32 adapters of rank 1."""
    save_model(folder, shape)
    team = load_team(str(folder), (MAIN,), config=TeamConfig(lora_rank=1, dtype="bfloat16", device="cpu"))
    model = team[MAIN].activate()
    assert {p.dtype for p in team[MAIN].parameters} == {torch.float32}
    prompts, completions = [list(range(prompt))] * answers, [[5] * answer] * answers
    return saved_bytes(model, lambda: completion_logprobs(model, prompts, completions, [0.8] * answers))


@pytest.mark.parametrize("feed_forward", [512, 1376])  # the 3B's is 5.375 of its width, as is 1376 of 256
def test_a_layer_keeps_what_the_plan_says(tmp_path: Path, feed_forward: int) -> None:
    shapes = [
        Shape(hidden=256, layers=layers, heads=4, kv_heads=2, feed_forward=feed_forward, vocabulary=258)
        for layers in (1, 3)
    ]
    # The difference of two depths: embeddings, the last norm and the logits are no layer's.
    shallow, deep = (
        kept_bytes(tmp_path / str(shape.layers), shape, prompt=64, answer=64, answers=6) for shape in shapes
    )
    computed, read = 64 + 6 * 63, 6 * 64  # of a completion all but the last token; the prompt by each completion
    layer = (shapes[0].kept.token * computed + shapes[0].kept.read * read) / shapes[0].layers
    assert deep - shallow == pytest.approx(2 * layer, rel=0.03)


SMALL = Shape(hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512, vocabulary=258)


def test_adapters_are_as_many_as_agents() -> None:
    one, two = (shape_plan(TrainConfig(team=TeamConfig(kind=kind)), SMALL, 40) for kind in ("single", "team"))
    assert one.trained == pytest.approx(SMALL.adapter_weights(16) * 3 * 4 / 2**30)
    assert two.trained == 2 * one.trained
    assert two.held - one.held == pytest.approx(SMALL.adapter_weights(16) * 4 / 2**30)


def test_a_plan_by_shape_is_chosen_as_the_one_of_a_loaded_model_is() -> None:
    def plan(gib: float, **optim: Any) -> MemoryPlan:
        return shape_plan(TrainConfig(team=TeamConfig(batch_size=4), optim=OptimConfig(**optim)), SMALL, gib)

    roomy = plan(40)
    needed = 16 * 2048  # tokens of the answers of a step
    assert (roomy.tokens, roomy.recompute, roomy.cap) == (min(needed, MOST_TOKENS["cuda"]), False, 40)
    # At the bytes that the test above measures, a layer's on top, and a chunk of 2**27 logits in float32, three times.
    prompt, answer = 2048 - 256, 256
    reads = needed * 4 * prompt / (prompt + 4 * answer)
    kept = (SMALL.kept.token * needed + SMALL.kept.read * reads) * 3 / 2
    assert roomy.learning == pytest.approx((kept + 2**27 // 258 * 258 * 12) / 2**30)
    # Keys and values of four rows of 2,048 tokens, twice, and their logits.
    assert roomy.generating == pytest.approx(4 * (2 * 2048 * SMALL.cache_bytes + 258 * 16) / 2**30)
    tight = plan(roomy.total - 0.05)
    assert (tight.tokens, tight.recompute) != (roomy.tokens, roomy.recompute)
    assert tight.total <= tight.cap
    assert plan(40, memory_gib=9).cap == 9
    with pytest.raises(InputError, match=r"it does not fit: set optim\.micro_batch_tokens=auto"):
        plan(1.5, micro_batch_tokens=8192)


def test_vllm_needs_room_for_one_sequence_beside_its_weights() -> None:
    config = TrainConfig(team=TeamConfig(engine="vllm", gpu_share=0.5, context=2048))
    assert shape_plan(config, SMALL, 4).generating == 2.0
    with pytest.raises(InputError, match=r"0 tokens of cache, where one sequence has 2048: raise team.gpu_share"):
        shape_plan(config, SMALL, 0.001)
