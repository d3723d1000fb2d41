"""``python -m codeduet.benchmarks.speed``: how fast this machine generates and learns, and what bounds it.

    python -m codeduet.benchmarks.speed --shape 0.5b --minutes 3 --out runs/speed
    python -m codeduet.benchmarks.speed --model FOLDER --minutes 9 --out runs/speed problems_per_step=8

One command, one card or CPU, one JSON file and one table: the rates of the device; log-probabilities of CPU and GPU
compared; generation and learning, each beside its bound; then MAGRPO steps until the minutes are used up. It needs no
network: ``--shape`` makes random weights. Started again with the same ``--out`` it trains on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from codeduet import libraries
from codeduet.agents.config import TeamConfig
from codeduet.agents.models import resolve_device, resolve_dtype
from codeduet.agents.random_model import random_model
from codeduet.agents.team import Team, load_team
from codeduet.algorithms.config import TrainConfig
from codeduet.benchmarks.speed import ceilings as measured
from codeduet.benchmarks.speed.generation import Load, time_generation
from codeduet.benchmarks.speed.learner import time_learner
from codeduet.benchmarks.speed.parity import compare_devices
from codeduet.benchmarks.speed.profiling import profile
from codeduet.benchmarks.speed.training import train_for, write_shards
from codeduet.config import load_config
from codeduet.errors import InputError
from codeduet.files import make_folder, write_whole
from codeduet.screen import run_script

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"hidden": 64, "layers": 2, "heads": (4, 2), "feed_forward": 128, "vocab_size": 512},
    "0.5b": {"hidden": 896, "layers": 24, "heads": (14, 2), "feed_forward": 4864, "vocab_size": 151936},
    "1.5b": {"hidden": 1536, "layers": 28, "heads": (12, 2), "feed_forward": 8960, "vocab_size": 151936},
    "3b": {"hidden": 2048, "layers": 36, "heads": (16, 2), "feed_forward": 11008, "vocab_size": 151936},
}
"""Of Qwen2.5's sizes, and of one for trying the command."""

PARTS = ("parity", "generation", "learner", "training")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write ``speed.json``."""
    began = time.perf_counter()
    options = _parse(arguments)
    libraries.quieten()
    console = Console(markup=False, highlight=False)
    out = Path(options.out)
    make_folder(out)
    device = resolve_device(options.device)
    on_gpu = device.type == "cuda"
    options.learns = options.learns or ([16, 8, 250, 256] if on_gpu else [2, 4, 250, 128])
    options.micro_batches = options.micro_batches or ([2048, 8192, 65536] if on_gpu else [1024, 2048])
    dtype = resolve_dtype(options.dtype, device, whole=False)
    model = options.model or random_folder(options.shape, out / f"random-{options.shape}", dtype)
    if not Path(model).is_dir():
        raise InputError(f"no folder {model}: --model is a transformers folder")
    config = load_config(
        TrainConfig,
        "magrpo",
        [f"team.model={model}", f"team.dtype={options.dtype}", f"team.device={options.device}",
         f"out={out / 'train'}", "steps=100000", *options.overrides],
    )  # fmt: skip
    ceilings = measured.measure(device, dtype)
    found: dict[str, Any] = {"model": (options.model and Path(options.model).name) or f"random {options.shape}"}
    found |= {"dtype": str(dtype).removeprefix("torch."), "torch": torch.__version__, "device": ceilings._asdict()}

    def do(part: str, run: Callable[[], Any]) -> None:
        if part not in options.parts:
            return
        started = time.perf_counter()
        found[part] = run()
        found.setdefault("seconds", {})[part] = round(time.perf_counter() - started, 1)
        console.print(f"{part}: {found['seconds'][part]} s", json.dumps(found[part]), soft_wrap=True)
        write_whole(out / "speed.json", json.dumps(found, indent=1) + "\n")

    if on_gpu:
        do("parity", lambda: compare_devices(model, device))
    if {"generation", "learner"} & set(options.parts):
        team = load_team(model, config=TeamConfig(device=str(device), dtype=options.dtype))
        found["ways"] = team.ways
        do("generation", lambda: generation(team, ceilings, options))
        do("learner", lambda: learner(team, ceilings, options))
        if options.profile:
            write_whole(out / "profile.txt", profile(team, Load(*options.loads[0]), options.micro_batches[-1]))
        del team
    if "training" in options.parts:

        def train() -> dict[str, Any]:
            left = 60 * options.minutes - (time.perf_counter() - began)
            trainer, told = train_for(config, left, console)
            for policy in trainer.team.policies:
                told.setdefault("adapters", []).extend(f.name for f in write_shards(policy, out / "adapters"))
            return told

        do("training", train)
    console.print(table(found))
    console.print(f"{out / 'speed.json'}", soft_wrap=True)


def generation(team: Team, ceilings: measured.Ceilings, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time every load with adapters and without."""
    rows = []
    for load in options.loads:
        for adapters in (True, False):
            asked = Load(*load)
            if adapters:
                row = time_generation(team, asked, ceilings, rounds=options.rounds)
            else:
                with team.policies[0].model.disable_adapter():
                    row = time_generation(team, asked, ceilings, rounds=options.rounds)
            rows.append({"adapters": adapters, **row})
    return rows


def learner(team: Team, ceilings: measured.Ceilings, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the largest load with every size of micro-batch, and the largest of them with layers computed again."""
    load = Load(*options.learns)
    settings = [(size, False) for size in options.micro_batches] + [(options.micro_batches[-1], True)]
    return [
        time_learner(
            team.policies[0], load, ceilings, micro_batch_tokens=size, recompute=recompute, rounds=options.rounds
        )
        for size, recompute in settings
    ]


def random_folder(shape: str, folder: Path, dtype: torch.dtype) -> str:
    """Save a model of random weights, once, and return its folder."""
    if not (folder / "config.json").is_file():
        model, tokenizer = random_model(**SHAPES[shape], positions=32768)
        model.to(dtype).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return str(folder)


def table(found: dict[str, Any]) -> Table:
    """Return what was measured, a line each."""
    made = Table(
        "what", "rate", "of its bound", title=f"{found['model']}, {found['dtype']}, {found['device']['device']}"
    )
    made.add_row("matrix products", f"{found['device']['gemm_tflops']:.2f} TFLOP/s", "")
    made.add_row("memory", f"{found['device']['copy_gb_s']:.0f} GB/s", "")
    if found.get("parity"):
        made.add_row("CPU and GPU apart", f"{found['parity']['largest_difference_nats']:.1e} nats", "")
    for row in found.get("generation", []):
        made.add_row(
            f"generate {row['rows']} rows of {row['prompt_tokens']}+{row['new_tokens']}"
            + ("" if row["adapters"] else ", no adapter"),
            f"{row['tokens_per_second']:.0f} tokens/s",
            f"{row['share_of_bound']:.1%}",
        )
    for row in found.get("learner", []):
        share = row["model_flop_utilisation"]
        made.add_row(
            f"learn, micro-batches of {row['micro_batch_tokens']}" + (", layers again" if row["recompute"] else ""),
            f"{row['tokens_per_second']:.0f} tokens/s, {row['peak_memory_mib'] / 1024:.1f} GiB",
            f"{row['share_of_gemm']:.1%}" + (f" ({share:.1%} of the stated rate)" if share else ""),
        )
    if row := found.get("training"):
        seconds = row["seconds"]
        made.add_row(
            f"MAGRPO, {row['steps_now']} steps",
            f"{seconds['rollout']:.2f} + {seconds['learn']:.2f} s a step",
            f"{row['peak_gib']:.2f} GiB, plan {row['plan_gib']:.2f}",
        )
    return made


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        found = [whole(part) for part in text.split(",")]
        if len(found) != len(Load._fields):
            raise argparse.ArgumentTypeError(f"{text!r} is not {', '.join(Load._fields)}")
        return found

    def sizes(text: str) -> list[int]:
        return [whole(part) for part in text.split(",")]

    def whole(text: str) -> int:
        if not text.isdecimal() or not int(text):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
        return int(text)

    def minutes(text: str) -> float:
        if not 0 <= float(text) < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes")
        return float(text)

    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.speed", description=(__doc__ or "").split("\n")[0]
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", default="", help="a transformers folder")
    what.add_argument("--shape", default="0.5b", choices=list(SHAPES), help="random weights of this shape")
    parser.add_argument("--out", default="runs/speed", help="folder of speed.json, the training and its adapters")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--minutes", type=minutes, default=9.0, help="of all of it; training takes what is left")
    parser.add_argument("--rounds", type=whole, default=3, help="of each timing, after one to warm up")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument(
        "--loads", type=numbers, nargs="*", default=[[4, 4, 250, 64], [16, 4, 250, 64]],
        help="to generate: problems,samples,prompt tokens,new tokens",
    )  # fmt: skip
    parser.add_argument(
        "--learns", type=numbers, help="to learn: the same four; default 16,8,250,256, on a CPU 2,4,250,128"
    )
    parser.add_argument("--micro-batches", type=sizes, help="default 2048,8192,65536, on a CPU 1024,2048")
    parser.add_argument("--profile", action="store_true", help="write profile.txt: where the time goes")
    parser.add_argument("overrides", nargs="*", help="key=value of the training's config")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_script(main)
