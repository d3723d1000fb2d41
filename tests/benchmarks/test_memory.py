"""The memory plan against what autograd keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.team import load_team
from codeduet.algorithms.config import OptimConfig, TeamConfig
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.memory import saved_bytes
from codeduet.benchmarks.memory import Shape, memory_plan
from codeduet.envs import MAIN


def kept_bytes(folder: Path, shape: Shape, *, prompt: int, answer: int, answers: int) -> float:
    """Return the bytes a token keeps in the learner's forward pass: bfloat16 weights, float32 adapters of rank 1."""
    made = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(made).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    team = load_team(str(folder), (MAIN,), lora_rank=1, dtype="bfloat16", device="cpu")
    model = team[MAIN].activate()
    assert {p.dtype for p in team[MAIN].parameters} == {torch.float32}
    prompts, completions = [list(range(prompt))] * answers, [[5] * answer] * answers
    saved = saved_bytes(model, lambda: completion_logprobs(model, prompts, completions, [0.8] * answers))
    return saved / (prompt + answers * answer)


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
    assert deep - shallow == pytest.approx(shapes[1].kept_bytes - shapes[0].kept_bytes, rel=0.03)


def test_adapters_are_as_many_as_agents() -> None:
    shape = Shape(hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512, vocabulary=258)
    one, two = (
        memory_plan(shape, TeamConfig(kind=kind), OptimConfig(), 40, 2048).adapters for kind in ("single", "team")
    )
    assert one == pytest.approx(shape.adapter_weights(16) * 16 / 2**30)
    assert two == 2 * one
