"""Make the embedded model: corpus, decontamination, tokenizer, training, files.

Run as ``python -m codeduet.benchmarks.embedded.pretrain --out DIR``; ``--smoke`` makes a useless model in seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from rich.progress import Progress, TextColumn
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from codeduet.benchmarks.embedded import pipelines
from codeduet.benchmarks.embedded.corpus import LEANING, PLAIN, benchmark_grams, generate, word_grams
from codeduet.benchmarks.embedded.problem_set import embedded_pipelines

PAD = "<|pad|>"
SHORT = 90  # tokens of a document that teaches copying first


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what model comes out.

    Attributes:
        plain: documents of the first stage.
        leaning: documents of the second, in which main leans on the helper.
        pipelines: documents of the third.
        more_pipelines: documents of the fourth.
        reminders: documents of the second stage's kind among those of the last two, so that what was learnt is kept.
        minutes: limit of a stage; its learning rate falls towards whichever end comes first.
    """

    seed: int = 0
    plain: int = 48_000
    leaning: int = 26_000
    pipelines: int = 24_000
    more_pipelines: int = 32_000
    reminders: int = 6_000
    minutes: float = 20.0
    threads: int = 2
    vocabulary: int = 1024
    hidden: int = 128
    layers: int = 5
    heads: int = 4
    feed_forward: int = 384
    max_tokens: int = 768
    batch_tokens: int = 3072
    matrix_rate: float = 0.01
    vector_rate: float = 0.004


class Text(Protocol):
    """A document: a prompt, and the completion to learn."""

    @property
    def prompt(self) -> str: ...
    @property
    def completion(self) -> str: ...


@dataclass(frozen=True)
class Example:
    """A tokenised document and the number of tokens of its prompt."""

    tokens: list[int]
    prompt: int


def assert_clean(documents: Iterable[Text], grams: frozenset[tuple[str, ...]]) -> None:
    """Raise if a document shares a ten-gram with the benchmark."""
    for document in documents:
        shared = grams.intersection(word_grams(document.prompt + document.completion))
        if shared:
            raise AssertionError(f"the corpus holds benchmark text: {min(shared)}")


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Qwen2Tokenizer:
    """Train a byte-level BPE tokenizer that gives back every text exactly.

    It splits texts as Qwen2's does, because every loader takes that class for a Qwen2 model, whatever the files say.
    """
    return Qwen2Tokenizer(pad_token=PAD).train_new_from_iterator(texts, vocabulary)


def encode(tokenizer: Qwen2Tokenizer, documents: Sequence[Text], max_tokens: int) -> list[Example]:
    """Tokenise prompts and completions apart, as they will be at use; leave out documents that are too long."""
    prompts = tokenizer([document.prompt for document in documents], add_special_tokens=False)["input_ids"]
    completions = tokenizer([document.completion for document in documents], add_special_tokens=False)["input_ids"]
    examples = [
        Example([*prompt, *completion, tokenizer.eos_token_id], len(prompt))
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    return [example for example in examples if len(example.tokens) <= max_tokens]


def batches(examples: list[Example], batch_tokens: int, rng: random.Random) -> list[list[Example]]:
    """Group examples of similar length; most short ones come first, since they teach copying the fastest."""
    examples = sorted(examples, key=lambda _: rng.random())
    short = [example for example in examples if len(example.tokens) <= SHORT]
    cut = len(short) * 2 // 3
    rest = short[cut:] + [example for example in examples if len(example.tokens) > SHORT]
    return [*_grouped(short[:cut], batch_tokens, rng), *_grouped(rest, batch_tokens, rng)]


def _grouped(examples: list[Example], batch_tokens: int, rng: random.Random) -> list[list[Example]]:
    groups: list[list[Example]] = []
    current: list[Example] = []
    for example in sorted(examples, key=lambda item: len(item.tokens)):
        if current and (len(current) + 1) * len(example.tokens) > batch_tokens:
            groups.append(current)
            current = []
        current.append(example)
    if current:
        groups.append(current)
    rng.shuffle(groups)
    return groups


def loss_of(model: Qwen2ForCausalLM, batch: list[Example], pad: int, prompt_weight: float) -> torch.Tensor:
    """Return the cross-entropy, in which a prompt's tokens weigh less than a completion's."""
    width = max(len(example.tokens) for example in batch)
    tokens = torch.tensor([example.tokens + [pad] * (width - len(example.tokens)) for example in batch])
    weights = torch.tensor(
        [
            [prompt_weight] * (example.prompt - 1)
            + [1.0] * (len(example.tokens) - example.prompt)
            + [0.0] * (width - len(example.tokens))
            for example in batch
        ]
    )
    # Padding stands on the right, where the causal mask hides it from every real token.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    losses = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def completion_loss(model: Qwen2ForCausalLM, examples: list[Example], pad: int) -> float:
    """Return the mean loss over the completions' tokens of held-out examples."""
    with torch.no_grad():
        groups = _grouped(examples, 4096, random.Random(0))
        total = sum(loss_of(model, group, pad, 0.0).item() * len(group) for group in groups)
    return total / len(examples)


def build_model(recipe: Recipe, tokenizer: Qwen2Tokenizer) -> Qwen2ForCausalLM:
    """Return an untrained model."""
    torch.manual_seed(recipe.seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            intermediate_size=recipe.feed_forward,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.set_attn_implementation("eager")  # twice as fast as the fused kernels on texts as short as these
    return model


def train(
    model: Qwen2ForCausalLM, examples: list[Example], recipe: Recipe, pad: int, scale: float, prompt_weight: float
) -> tuple[int, list[float]]:
    """Train for one pass, or until the time is up; return the steps taken and the smoothed losses on the way."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=recipe.vector_rate, weight_decay=0.0, betas=(0.9, 0.95)),
    ]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    order = batches(examples, recipe.batch_tokens, random.Random(recipe.seed))
    smooth, curve, begin, step = 0.0, [], time.monotonic(), 0
    with Progress(*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}")) as progress:
        bar = progress.add_task("training", total=len(order), loss=math.nan)
        for step, batch in enumerate(order, start=1):
            done = max(step / len(order), (time.monotonic() - begin) / (60 * recipe.minutes))
            if done > 1:
                break
            factor = scale * min(step / 40, 1.0) * min(1.0, 1.6 * (1 - done) + 0.01)
            for optimizer, rate in zip(optimizers, rates, strict=True):
                optimizer.param_groups[0]["lr"] = rate * factor
            loss = loss_of(model, batch, pad, prompt_weight)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            smooth = loss.item() if step == 1 else 0.97 * smooth + 0.03 * loss.item()
            if step % max(1, len(order) // 20) == 0:
                curve.append(round(smooth, 4))
                progress.console.print(f"step {step}/{len(order)}: loss {smooth:.4f}, {time.monotonic() - begin:.0f} s")
            progress.update(bar, completed=step, loss=smooth)
    return step, curve


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, folder: Path, report: dict[str, Any]) -> None:
    """Write the model's files and ``recipe.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = (folder / "model.safetensors").read_bytes()
    report |= {"weights_bytes": len(weights), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "recipe.json").write_text(json.dumps(report, indent=2) + "\n")


def run_stage(
    model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, documents: Sequence[Text], recipe: Recipe, stage: int
) -> dict[str, Any]:
    """Train on the documents of a stage and return the stage's figures; the last ones are held out."""
    kept = max(20, len(documents) // 200)
    examples = encode(tokenizer, documents[:-kept], recipe.max_tokens)
    pad, begin = int(tokenizer.pad_token_id), time.monotonic()
    steps, curve = train(model, examples, recipe, pad, RATES[stage], PROMPT_WEIGHTS[stage])
    return {
        "documents": len(documents),
        "tokens": sum(len(example.tokens) for example in examples),
        "steps": steps,
        "seconds": round(time.monotonic() - begin),
        "loss_curve": curve,
        "held_out_completion_loss": round(
            completion_loss(model, encode(tokenizer, documents[-kept:], recipe.max_tokens), pad), 4
        ),
    }


def stage_documents(recipe: Recipe, stage: int) -> list[Text]:
    """Generate the documents of a stage, from 0, and make sure that they hold nothing of the benchmark."""
    grams = benchmark_grams()
    documents: list[Text]
    if stage == 0:
        documents = [*generate(recipe.seed, recipe.plain, grams, PLAIN)]
    elif stage == 1:
        documents = [*generate(recipe.seed + 1, recipe.leaning, grams, LEANING)]
    else:
        taken = frozenset(pipeline.instance for pipeline, _ in embedded_pipelines())
        documents = [
            *pipelines.documents(
                recipe.seed + stage, recipe.pipelines if stage == 2 else recipe.more_pipelines, taken, grams
            ),
            *generate(recipe.seed + stage, recipe.reminders, grams, LEANING),
        ]
        random.Random(recipe.seed).shuffle(documents)
    assert_clean(documents, grams)
    return documents


RATES = (1.0, 0.5, 0.5, 0.5)
"""What the learning rates are multiplied by in each stage."""

PROMPT_WEIGHTS = (0.2, 0.2, 0.2, 0.0)
"""What a prompt's token weighs beside a completion's in each stage. In the last nothing: helper's prompts go on behind the
docstring, and a model that learns them writes what stands there into main's answers."""


def pretrain(recipe: Recipe, out: Path, start: Path | None = None) -> dict[str, Any]:
    """Make the model in four stages and return what ``recipe.json`` says about it.

    Args:
        recipe: what to make.
        out: folder for the files; every stage's result is written there and replaced by the next one's.
        start: folder with an earlier stage's result, to go on from there.
    """
    torch.set_num_threads(recipe.threads)
    if start is None:
        texts = [
            text
            for documents in (
                stage_documents(recipe, 0)[:8000],
                pipelines.documents(0, 4000, habits=pipelines.FAULTLESS),
            )
            for document in documents
            for text in (document.prompt, document.completion)
        ]
        tokenizer = train_tokenizer(texts, recipe.vocabulary)
        model = build_model(recipe, tokenizer)
        report: dict[str, Any] = {
            **asdict(recipe),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "stages": [],
        }
    else:
        tokenizer = Qwen2Tokenizer.from_pretrained(start)
        model = Qwen2ForCausalLM.from_pretrained(start, dtype=torch.float32, attn_implementation="eager")
        report = {**json.loads((start / "recipe.json").read_text()), **asdict(recipe)}
    for stage in range(len(report["stages"]), len(RATES)):
        report["stages"].append(run_stage(model, tokenizer, stage_documents(recipe, stage), recipe, stage))
        save(model, tokenizer, out, report)
        model.float()
    return report


def main() -> None:
    """Parse the command line, make the model, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model's files")
    parser.add_argument("--start", type=Path, help="folder with an earlier stage's result: go on from there")
    for field in fields(Recipe):
        if field.name in ("seed", "plain", "leaning", "pipelines", "more_pipelines", "reminders", "minutes", "threads"):
            parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    parser.add_argument("--smoke", action="store_true", help="make a tiny, useless model in seconds")
    options = vars(parser.parse_args())
    out, start, smoke = options.pop("out"), options.pop("start"), options.pop("smoke")
    recipe = Recipe(**options)
    if smoke:
        recipe = replace(recipe, plain=80, leaning=40, pipelines=60, more_pipelines=60, reminders=20)
        recipe = replace(recipe, vocabulary=320, hidden=32, layers=1, heads=2, feed_forward=64)
    report = pretrain(recipe, out, start)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
