"""Does every architecture train on the log-probabilities that it samples by?

Tiny random models of each kind, scaled so that logits spread over 5 nats and every factor of theirs bites; attention
windows shorter than the prompts, prompts of unequal length, advantages of +-1. Each is trained for two steps, saved and
loaded again, with adapters and whole. Told is the largest difference, in nats and float32, between the sampler's (and the
learner's) log-probability of a token and that by the model's own forward pass on that one sequence alone; and the same with
everything that makes us faster switched off.

    python -m codeduet.benchmarks.architectures [--out FILE] [KIND ...]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from codeduet.agents import Request, Sampling, adapters, packed, self_test
from codeduet.agents.config import TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.network import vocabulary
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import byte_tokenizer
from codeduet.agents.self_test import paths
from codeduet.agents.team import Team, load_team
from codeduet.algorithms import MAGRPO
from codeduet.algorithms.checkpoint import load_checkpoint, save_checkpoint
from codeduet.algorithms.config import OptimConfig
from codeduet.algorithms.learner import Learner
from codeduet.algorithms.logprobs import completion_logprobs
from codeduet.algorithms.sample import Sample
from codeduet.envs import MAIN, InputError
from codeduet.screen import run_script

LIMIT = 1e-4
"""Nats that are allowed."""

PROMPTS = ("ab", "def f(x):\n    return x + 1\n\n", "# " + "the quick brown fox jumps over " * 2)
"""Of 2, 29 and 64 tokens."""

SAMPLING = Sampling(temperature=0.8, max_new_tokens=12)
SEEDS = (1, 2, 3)

_WINDOW = 16
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_WINDOWED = {**_SIZES, "sliding_window": _WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_DELTA = {
    "head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
_LATENT = {"q_lora_rank": 24, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16}
_GEMMA3 = {**_WINDOWED, "head_dim": 16, "query_pre_attn_scalar": 8, "final_logit_softcapping": 6.0}
_VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}

KINDS: dict[str, dict[str, Any]] = {
    "llama": _SIZES,
    "qwen2": _SIZES,
    "qwen3": {**_SIZES, "head_dim": 16},
    "qwen3_moe": {**_SIZES, **_EXPERTS, "head_dim": 16},
    "qwen3_5": {"text_config": {**_SIZES, **_DELTA}},
    "qwen3_next": {**_SIZES, **_DELTA, **_EXPERTS, "shared_expert_intermediate_size": 32},
    "mistral": {**_SIZES, "sliding_window": _WINDOW},
    "gemma2": {
        **_WINDOWED,
        "head_dim": 16,
        "query_pre_attn_scalar": 8,
        "final_logit_softcapping": 6.0,
        "attn_logit_softcapping": 2.0,
    },
    "gemma3_text": _GEMMA3,
    "gemma3": {"text_config": _GEMMA3, "vision_config": _VISION, "mm_tokens_per_image": 4, "image_token_index": 255},
    "granite": {
        **_SIZES,
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.4,
        "attention_multiplier": 0.4,
        "logits_scaling": 4.0,
    },
    "cohere2": {**_WINDOWED, "logit_scale": 0.25},
    "phi3": {**_SIZES, "sliding_window": _WINDOW},
    "starcoder2": {**_SIZES, "sliding_window": _WINDOW},
    "olmo2": _SIZES,
    "smollm3": {**_SIZES, "no_rope_layers": [1, 0]},
    "gpt_oss": {**_WINDOWED, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2},
    "glm4": {**_SIZES, "head_dim": 16},
    "minicpm3": {
        **_SIZES,
        **_LATENT,
        "num_key_value_heads": 4,
        "scale_emb": 3.0,
        "scale_depth": 0.7,
        "dim_model_base": 16,
    },
    "deepseek_v3": {
        **_SIZES,
        **_LATENT,
        "num_key_value_heads": 4,
        "moe_intermediate_size": 32,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
    },
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gpt_neox": {**_SIZES, "rotary_pct": 0.5},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4},
    "lfm2": {**_SIZES, "layer_types": ["conv", "full_attention"], "block_multiple_of": 16},
    "falcon_h1": {
        **_SIZES,
        "mamba_d_ssm": 64,
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 8,
        "mamba_chunk_size": 16,
        "lm_head_multiplier": 0.5,
        "embedding_multiplier": 2.0,
        "key_multiplier": 0.7,
        "attention_out_multiplier": 0.8,
        "ssm_out_multiplier": 0.6,
    },
    "mamba2": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_heads": 4,
        "head_dim": 16,
        "state_size": 8,
        "n_groups": 2,
        "chunk_size": 16,
    },
}


def tiny_model(kind: str, seed: int = 0, spread: float = 5.0) -> tuple[Any, Any]:
    """Return a random model of a kind, the logits of which spread over ``spread`` nats, and its byte tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    settings = KINDS[kind]
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    text = settings.get("text_config", settings)
    text = {**text, "vocab_size": len(tokenizer), **ids}
    config = AutoConfig.for_model(kind, **({**settings, "text_config": text} if "text_config" in settings else text))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() < 2:  # norms, biases and factors are one or zero at first, which hides them
                    parameter.add_(0.2 * torch.randn_like(parameter))
            probe = torch.randint(1, 250, (1, 64))
            for _ in range(60):
                logits = model(input_ids=probe, use_cache=False).logits[0]
                if (logits.amax(-1) - logits.amin(-1)).mean() > spread:
                    break
                for parameter in model.parameters():
                    if parameter.dim() > 1:
                        parameter.mul_(1.1)
    return model, tokenizer


def alone(policy: Policy, prompt: Sequence[int], ids: Sequence[int], temperature: float) -> torch.Tensor:
    """Return the log-probabilities ``[L]`` of a completion by the model's own forward pass on that sequence."""
    with torch.no_grad():
        logits = policy.activate()(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0]
    scores = torch.log_softmax(logits[len(prompt) - 1 : -1].float() / temperature, -1)
    return scores.gather(-1, torch.tensor(ids)[:, None])[:, 0]


def scored(team: Team, samples: Sequence[Sample]) -> list[torch.Tensor]:
    """Return the learner's log-probabilities of each completion, by main's policy."""
    prompts, completions = [s.prompt_ids for s in samples], [s.completion_ids for s in samples]
    with torch.no_grad():
        rows, _ = completion_logprobs(team[MAIN].activate(), prompts, completions, [s.temperature for s in samples])
    return [row[: len(ids)] for row, ids in zip(rows, completions, strict=True)]


def differences(team: Team, samples: Sequence[Sample]) -> dict[str, float]:
    """Return by how many nats the sampler's and the learner's log-probabilities differ from those of a sequence alone."""
    expected = [alone(team[MAIN], s.prompt_ids, s.completion_ids, s.temperature) for s in samples]
    gaps = {"sampler": 0.0, "learner": 0.0}
    for sample, right, row in zip(samples, expected, scored(team, samples), strict=True):
        for name, found in (("sampler", torch.tensor(sample.sampled_logprobs)), ("learner", row)):
            gap = float((found - right).abs().max())
            gaps[name] = max(gaps[name], gap) if math.isfinite(gap) else math.inf
    return gaps


def drawn(team: Team, seed: int = 0) -> list[Sample]:
    """Sample completions of :data:`PROMPTS` by main's policy, with advantages of +-1 in turn."""
    policy = team[MAIN]
    requests = [
        Request(policy.name, tuple(policy.tokenizer.encode(prompt)), tuple(seed + s for s in SEEDS), SAMPLING)
        for prompt in PROMPTS
    ]
    answers = HFEngine(team).generate(requests)
    return [
        Sample(request.prompt_ids, answer.token_ids, answer.logprobs, (-1.0) ** number, SAMPLING.temperature)
        for request, row in zip(requests, answers, strict=True)
        for number, answer in enumerate(row)
    ]


@contextlib.contextmanager
def slow() -> Iterator[None]:
    """Within it, models that are loaded compute as if no probe of a faster way had passed."""
    with (
        mock.patch.object(adapters, "quicken", lambda model: model),
        mock.patch.object(packed, "usable", return_value=False),
        mock.patch.object(self_test, "group_queries", return_value=False),
        mock.patch.object(self_test, "SCORING", (("repeated", "whole"),)),
        mock.patch.object(self_test, "DECODING", ("none",)),
    ):
        yield


def measure(kind: str, folder: Path, *, whole: bool, lr: float = 1e-3) -> dict[str, Any]:
    """Train, save, load and score a model of one kind in ``folder``; return its row of the table.

    Raises:
        InputError: the kind is refused.
    """
    model, tokenizer = tiny_model(kind)
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")

    def team() -> Team:
        config = TeamConfig(sharing="separate" if whole else "adapter", lora_rank=4, lora_alpha=16, device="cpu")
        return load_team(str(folder / "base"), config=config)

    trained = team()
    learner = Learner(trained[MAIN], OptimConfig(lr=lr))
    loss = MAGRPO().loss
    first = drawn(trained)
    gaps = [differences(trained, first)]
    before = [alone(trained[MAIN], s.prompt_ids, s.completion_ids, s.temperature) for s in first]
    for step in range(2):
        learner.step(drawn(trained, 10 * step), loss)
    gaps.append(differences(trained, drawn(trained)))
    save_checkpoint(folder, 2, trained, {MAIN: learner.optimizer}, keep=1)
    resumed = team()
    load_checkpoint(folder, resumed, {MAIN: Learner(resumed[MAIN], OptimConfig(lr=lr)).optimizer})
    gaps.append(differences(resumed, drawn(resumed)))
    now = [alone(trained[MAIN], s.prompt_ids, s.completion_ids, s.temperature) for s in first]
    again = [alone(resumed[MAIN], s.prompt_ids, s.completion_ids, s.temperature) for s in first]
    with slow():
        bare = team()
        load_checkpoint(folder, bare, {MAIN: Learner(bare[MAIN], OptimConfig(lr=lr)).optimizer})
        gaps.append(differences(bare, drawn(bare)))
        plain = scored(bare, first)
    times = ("before", "trained", "resumed", "slow")
    return {
        "kind": kind,
        "weights": "whole" if whole else "adapters",
        "paths": str(paths(trained[MAIN].activate())),
        "vocabulary": vocabulary(trained[MAIN].activate()),
        **{f"{name}_{time}": gap[name] for time, gap in zip(times, gaps, strict=True) for name in gap},
        "moved_by_training": _largest(before, now),
        "lost_by_resume": _largest(now, again),
        "slow_paths": str(paths(bare[MAIN].activate())),
        "changed_by_speed": _largest(scored(resumed, first), plain),
    }


def _largest(rows: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> float:
    return max(float((row - other).abs().max()) for row, other in zip(rows, others, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a kind that was not refused exceeds :data:`LIMIT`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="these only")
    parser.add_argument("--out", type=Path, help="write JSON here too")
    given = parser.parse_args(arguments)
    if unknown := set(given.kinds) - set(KINDS):
        raise InputError(f"unknown kind {min(unknown)!r}: choose from {', '.join(KINDS)}")
    rows, bad = [], 0
    print(f"{'kind':14}{'weights':10}{'sampler':>10}{'learner':>10}{'resume':>10}{'speed':>10}  way")
    for kind in given.kinds or KINDS:
        for whole in (False, True):
            name = f"{kind:14}{'whole' if whole else 'adapters':10}"
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("error", FutureWarning)
                try:
                    row = measure(kind, Path(folder), whole=whole)
                except InputError as error:
                    rows.append({"kind": kind, "weights": "whole" if whole else "adapters", "refused": str(error)})
                    print(f"{name}refused: {error}")
                    continue
            worst = {
                part: max(row[key] for key in row if key.startswith(f"{part}_")) for part in ("sampler", "learner")
            }
            rows.append(row)
            all_of_them = (*worst.values(), row["lost_by_resume"], row["changed_by_speed"])
            bad += not max(all_of_them) < LIMIT
            told = "".join(f"{gap:10.1e}" for gap in all_of_them)
            print(f"{name}{told}  {row['paths']}", flush=True)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps({"limit": LIMIT, "torch": torch.__version__, "rows": rows}, indent=1) + "\n")
    return int(bad > 0)


if __name__ == "__main__":
    run_script(main)
