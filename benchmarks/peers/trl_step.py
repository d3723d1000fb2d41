"""Time TRL's GRPO step on the load of ``codeduet.benchmarks.grpo_step``: run by the Python of an environment that has TRL and PEFT.

    python trl_step.py --model FOLDER --problems 2 [--micro-batch 8] [--threads 2]

Adapters of rank 16 on every linear layer, bfloat16, no reference model, no gradient checkpointing, answers of 128 tokens
whatever the model would say. Takes a step for every line it reads, and answers with its seconds and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "disabled")

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


class OnDemand(TrainerCallback):
    """A step (generation, loss and update) for every line of input."""

    def on_step_begin(self, args, state, control, **kwargs):
        if not sys.stdin.readline():
            sys.exit()
        self.began = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        seconds = time.perf_counter() - self.began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"step_s": round(seconds, 3), "peak_memory_mib": round(peak, 1)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    for name, default in (
        ("problems", 2), ("group", 4), ("prompt-tokens", 250), ("new-tokens", 128), ("steps", 100), ("threads", 2),
        ("micro-batch", 8),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16)
    # One word of one token again and again: as many tokens as asked for.
    prompt = " the" * options.prompt_tokens
    assert len(tokenizer(prompt)["input_ids"]) == options.prompt_tokens
    rows = options.problems * options.group
    with tempfile.TemporaryDirectory() as out:
        config = GRPOConfig(
            output_dir=out,
            use_cpu=True,
            bf16=True,
            beta=0.0,
            temperature=1.0,
            learning_rate=1e-5,
            max_steps=options.steps,
            num_generations=options.group,
            per_device_train_batch_size=min(rows, options.micro_batch),
            gradient_accumulation_steps=max(1, rows // options.micro_batch),
            gradient_checkpointing=False,
            max_completion_length=options.new_tokens,
            generation_kwargs={"min_new_tokens": options.new_tokens},
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=lambda completions, **kwargs: [float(text.count("e")) for text in completions],
            args=config,
            train_dataset=Dataset.from_list([{"prompt": prompt}] * (options.problems * options.steps)),
            processing_class=tokenizer,
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
            callbacks=[OnDemand()],
        )
        trainer.train()


if __name__ == "__main__":
    main()
