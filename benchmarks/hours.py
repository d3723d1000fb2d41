"""How long a reproduction is likely to take, from rates measured on one GPU and one CPU: told before it starts.

An estimate. What was measured is one model, Qwen2.5-Coder-0.5B with adapters of rank 16 in bfloat16, by the hf engine.
Another card is as much slower at generating as its stated memory bandwidth is less, at learning as its stated arithmetic is
less, and another model as its weights are more. For larger models and for vLLM that is rather too many hours than too few:
on a GPU much of a small model's step of decoding is the launching of its kernels, which does not grow with the weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from codeduet.algorithms.algorithm import load_algorithm
from codeduet.benchmarks.table_plan import Part, ReproduceConfig, bench_config, train_config

MEASURED_WEIGHTS = 0.494e9
"""Weights of the measured model."""

LIKELY = 0.5
"""An answer's likely length, as a share of the longest it may have: that of the measured model is 0.4 to 0.6."""

LEARNT = 2.0
"""Tokens a learner computes for each generated one, prompts included: a step of 20,000 to 39,000 took 0.85 to 1.0 s at 58,600
tokens a second."""


class Rates(NamedTuple):
    """What a machine does with the measured model.

    Attributes:
        step_s: seconds of a step of decoding, however few rows it has.
        token_s: seconds more for each row of it.
        play: seconds of play for each of decoding: judging, choosing, and going from one batch to the next.
        learn: tokens learnt from a second, prompts included.
    """

    step_s: float
    token_s: float
    play: float
    learn: float


class Card(NamedTuple):
    """A GPU, by its data sheet.

    Attributes:
        name: what it is called here.
        known_as: what is in its driver's name, each of them.
        bandwidth: of its memory, in TB/s.
        tflops: dense bfloat16 arithmetic, in TFLOP/s.
    """

    name: str
    known_as: tuple[str, ...]
    bandwidth: float
    tflops: float


class Work(NamedTuple):
    """What a part of the plan comes to.

    Attributes:
        steps: steps of decoding, one after the other.
        tokens: generated tokens, likely.
        most: generated tokens at most.
        learnt: generated tokens learnt from, likely.
    """

    steps: float
    tokens: float
    most: float
    learnt: float


def fitted(few: tuple[int, float], many: tuple[int, float]) -> tuple[float, float]:
    """Return the seconds of a step of decoding and of each of its rows, from (rows, tokens a second) at two batch sizes."""
    (few_rows, few_rate), (many_rows, many_rate) = few, many
    token_s = (many_rows / many_rate - few_rows / few_rate) / (many_rows - few_rows)
    return few_rows / few_rate - token_s * few_rows, token_s


H200 = Card("H200", ("H200",), 4.8, 989)
H100 = Card("H100", ("H100", "HBM3"), 3.35, 989)  # SXM
A100_40 = Card("A100-40", ("A100", "40GB"), 1.555, 312)
CARDS = (H100, A100_40, H200)

# Measured on an H200: 64 and 256 rows of plain generation; a step of 8 x 16 episodes of MAGRPO, 7.1 s of play, and 22 s for ten
# samples of each test problem by the team, where decoding by these figures is 3.2 and 11 s; learning in large micro-batches.
ON_H200 = Rates(*fitted((64, 10_100.0), (256, 32_000.0)), play=2.0, learn=58_600.0)

# Measured on two cores with AVX-512 and its bfloat16 instructions: 16 and 64 rows, and learning. Judging is little beside it.
ON_CPU = Rates(*fitted((16, 106.0), (64, 127.0)), play=1.0, learn=117.0)


def on_card(card: Card) -> Rates:
    """Return the rates of a card: the measured ones, scaled."""
    slower = H200.bandwidth / card.bandwidth
    return ON_H200._replace(
        step_s=ON_H200.step_s * slower,
        token_s=ON_H200.token_s * slower,
        learn=ON_H200.learn * card.tflops / H200.tflops,
    )


def work_of(config: ReproduceConfig, part: Part) -> Work:
    """Return what a part of a table's plan comes to."""
    row = part.row
    if part.what != "train":
        of_bench = bench_config(config, row, greedy=part.what == "greedy")
        longest = of_bench.sampling.max_new_tokens
        programs = part.weight / row.budget(1).program
        most = part.weight * config.sampling.max_new_tokens
        rounds = row.agents * math.ceil(programs * row.best_of / config.team.batch_size)
        return Work(rounds * longest, LIKELY * most, most, 0.0)
    of_row = train_config(config, row)
    longest = of_row.sampling.max_new_tokens
    tree = load_algorithm(row.system, of_row.options).tree(of_row.group_size)
    episodes = [tree.size] if row.agents == 1 else [tree.widths[0], tree.size]
    answers = [of_row.problems_per_step * many for many in episodes]
    rounds = sum(math.ceil(rows / config.team.batch_size) for rows in answers)
    if config.protocol == "sound" and config.token_budget:
        tokens = most = float(config.token_budget)
    else:  # the plan counts answers of one agent, and learning as much again
        most = part.weight / 2 * (config.training_tokens or config.sampling.max_new_tokens)
        tokens = LIKELY * most
    steps = tokens / (LIKELY * longest * sum(answers))
    return Work(steps * rounds * longest, tokens, most, tokens * of_row.optim.updates_per_batch)


def hours(work: Sequence[Work], rates: Rates, weights: float) -> float:
    """Return the hours that parts of a plan are likely to take.

    Args:
        work: of each part.
        rates: of the machine.
        weights: of the model, their number.
    """
    decoding = sum(of.steps * rates.step_s + of.tokens * rates.token_s for of in work)
    learning = LEARNT * sum(of.learnt for of in work) / rates.learn
    return (rates.play * decoding + learning) * weights / MEASURED_WEIGHTS / 3600


def tokens_line(work: Work) -> str:
    """Return how many tokens a part writes, and whether it learns from them."""
    learnt = " written and learnt from" if work.learnt else ""
    most = f", {work.most:,.0f} at most" if work.most > work.tokens else ""
    return f"about {work.tokens:,.0f} tokens{learnt}{most}"


def hours_lines(config: ReproduceConfig, parts: Sequence[Part]) -> list[str]:
    """Say how long a table is likely to take on an H100, an A100-40 and the machine at hand.

    Nothing is said of the embedded model, which takes minutes, of served ones, and of those whose size is not known.

    Args:
        config: the table.
        parts: its plan.
    """
    weights = weights_of(config)
    if not weights or config.team.engine == "openai":
        return []
    machines = {card.name: on_card(card) for card in (H100, A100_40)}
    on_gpu = torch.cuda.is_available() and config.team.device != "cpu"
    name = torch.cuda.get_device_name() if on_gpu else ""
    here = next((card for card in CARDS if name and all(word in name for word in card.known_as)), None)
    if here:
        machines = {f"this machine's {name}": on_card(here), **machines}
    elif not on_gpu and config.team.engine == "hf":
        machines["this machine's CPU, if it is like two cores with AVX-512 and bfloat16"] = ON_CPU
    work = [work_of(config, part) for part in parts]
    learning = [of for of in work if of.learnt]
    lines = [
        f"{machine}: about {_told(hours(work, rates, weights))} from start to end"
        + (f", {_told(hours(learning, rates, weights))} of it training" if learning else "")
        for machine, rates in machines.items()
    ]
    scaled = (
        f"these hours are an estimate for {weights / 1e9:.2g} billion weights and answers half as long as they may be, scaled "
        "from what a 0.5B was measured at on an H200 and on two CPU cores (hf engine); rather too many for larger models"
    )
    return [*lines, scaled]


def weights_of(config: ReproduceConfig) -> float | None:
    """Return the number of a model's weights: of its files, the preset's shape or its name; None where none of them tells.

    The embedded model's is None too.
    """
    model = config.team.model
    folder = Path(model).expanduser()
    if model == "embedded":
        return None
    if folder.is_dir():
        return _in_files(folder)
    if config.shape:
        return float(config.shape.weights)
    named = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-zA-Z])", folder.name)
    return 1e9 * float(named.group(1)) if named else None


def _in_files(folder: Path) -> float | None:
    from safetensors import SafetensorError, safe_open

    count = 0
    try:
        for path in folder.glob("*.safetensors"):
            with safe_open(path, framework="pt") as file:
                count += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):  # told where the model is loaded
        return None
    return float(count) or None


def _told(value: float) -> str:
    """Return hours in words, to about two digits."""
    if value < 0.01:
        return "under 0.01 hours"
    return f"{value:,.0f} hours" if value >= 10 else f"{value:.1f} hours" if value >= 1 else f"{value:.2f} hours"
