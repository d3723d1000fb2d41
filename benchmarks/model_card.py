"""The card of an exported agent: where it comes from, how it was made, what it reaches, and how it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.report import results_of
from codeduet.benchmarks.results import versions
from codeduet.benchmarks.serving import Kind, Served
from codeduet.config import plain
from codeduet.files import read_run_rows

_WHAT = {
    "adapter": "A LoRA adapter",
    "merged": "A whole model, the adapter merged into its base",
    "model": "A whole model",
}

_ADAPTER = """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained({folder!r}, dtype={dtype!r})
tokenizer = AutoTokenizer.from_pretrained({folder!r})
"""

_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained({folder!r}, dtype={dtype!r})
tokenizer = AutoTokenizer.from_pretrained({folder!r})
"""


@dataclass(frozen=True)
class Exported:
    """What one folder holds.

    Attributes:
        agent: whose weights they are.
        kind: in which form.
        run: run folder of the training.
        checkpoint: name of the checkpoint.
        state: what that says of itself.
        base: name of the model that the training began with, as other machines know it.
    """

    agent: str
    kind: Kind
    run: Path
    checkpoint: str
    state: dict[str, Any]
    base: str


def card(told: Exported, config: TrainConfig, served: Served) -> str:
    """Return the card as Markdown, with the header that the hub reads."""
    return (
        "\n\n".join(
            [
                _header(told, config),
                f"# {told.agent}, trained by {config.algorithm}",
                _origin(told, config, served),
                "## Use",
                _fenced(
                    (_ADAPTER if told.kind == "adapter" else _MODEL).format(folder=told.agent, dtype=served.dtype),
                    "python",
                ),
                "All agents behind vLLM, by their names, from where they were written; then what measures exactly that:",
                _fenced("\n".join([*served.commands(), served.bench_command()]), "sh"),
                "## Results",
                *_results(told),
                "## Prompts",
                *_prompts(told),
                "## Settings",
                _fenced(yaml.safe_dump(_settings(config, told), sort_keys=False, allow_unicode=True), "yaml"),
                "## Versions",
                "When it was exported: " + ", ".join(f"{name} {found}" for name, found in versions().items()) + ".",
            ]
        )
        + "\n"
    )


def _header(told: Exported, config: TrainConfig) -> str:
    tags = ["codeduet", "code", config.algorithm.rpartition(":")[2].lower()]
    header: dict[str, Any] = {
        # A name of one part is no model of the hub's.
        **({"base_model": told.base} if "/" in told.base else {}),
        "library_name": "peft" if told.kind == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": [*tags, "lora"] if told.kind == "adapter" else tags,
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---"


def _origin(told: Exported, config: TrainConfig, served: Served) -> str:
    agents = config.agents
    others = "" if len(agents) == 1 else f", which plays with {' and '.join(a for a in agents if a != told.agent)}"
    adapted = f" of rank {config.team.lora_rank}" if told.kind == "adapter" else ""
    came = f"after {told.state['step']:,} steps and {told.state['tokens']:,} generated tokens"
    version = versions()["codeduet"] or "(not installed)"
    game = f"problems `{_last(config.env.problems)}`, reward `{config.env.reward}`, {config.env.max_turns} turn(s)"
    lines = [
        f"{_WHAT[told.kind]}{adapted} of the agent `{told.agent}`{others} in `codeduet/humaneval-v0`.",
        "",
        f"* base model: `{told.base}`",
        f"* checkpoint: `{told.checkpoint}` of `{told.run.resolve().name}`, {came}",
        f"* environment: `codeduet/humaneval-v0` of codeduet {version}, {game}",
        f"* seed: {config.seed}",
        f"* precision of the weights in the run: {served.dtype}",
    ]
    if told.agent in config.frozen:
        lines.append("* it was frozen: these weights are those that the training began with")
    if served.base.startswith("/"):
        lines.append(
            "* the base is a folder of the machine it was exported on: elsewhere, set `base_model_name_or_path` in "
            "`adapter_config.json` to where it is, or export with `--merge`"
        )
    return "\n".join(lines)


def _results(told: Exported) -> list[str]:
    """Return what the run's folder holds of results: benchmarks, and the last step up to the checkpoint."""
    parts = []
    measured = results_of(told.run)
    if measured:
        ks = list(dict.fromkeys(k for result in measured.values() for k in result["pass@k"]))
        rows = ["| | checkpoint | problems | n | " + " | ".join(f"pass@{k} in %" for k in ks) + " |"]
        rows.append("| --- " * (4 + len(ks)) + "|")
        for name, result in measured.items():
            cells = [
                f"{100 * value['mean']:.1f} ({100 * value['low']:.1f} - {100 * value['high']:.1f})"
                if (value := result["pass@k"].get(k))
                else "-"
                for k in ks
            ]
            of = Path(result.get("config", {}).get("checkpoint", "")).name or "-"
            rows.append(f"| {name} | {of} | {len(result['problems'])} | {result['n']} | {' | '.join(cells)} |")
        parts.append("\n".join(rows))
        parts.append("Of the whole team, with intervals of 95 % over problems.")
    else:
        parts.append("Not measured: `codeduet eval` on the run folder, then export again.")
    steps = [row for row in read_metrics(told.run) if row["kind"] == "train" and row["step"] <= told.state["step"]]
    if steps:
        keys = ("reward", "syntax", "runnable", "tests", "solved")
        numbers = ", ".join(f"{key} {steps[-1][key]:.3f}" for key in keys if isinstance(steps[-1].get(key), float))
        parts.append(f"Training, step {steps[-1]['step']}: {numbers or 'no number'}.")
    return parts


def _prompts(told: Exported) -> list[str]:
    """Return the best episode of the last step that was kept: what each agent read and wrote."""
    kept = [row for row in read_run_rows(told.run / "completions.jsonl") if row.get("step", 0) <= told.state["step"]]
    last = [row for row in kept if row.get("turns") and row["step"] == kept[-1]["step"]]
    if not last:
        return ["The run folder keeps none."]
    parts = [f"An episode of the training ({last[0]['task_id']}, step {last[0]['step']}), control tokens shown:"]
    for turn in last[0]["turns"]:
        parts += [f"`{turn['agent']}` reads", _fenced(turn["prompt"]), "and writes", _fenced(turn["text"])]
    return parts


def _settings(config: TrainConfig, told: Exported) -> dict[str, Any]:
    """Return the config, without where things lay on the machine of the training."""
    tree = plain(config)
    tree["team"]["model"] = told.base
    for key in ("out", "init_from"):
        tree[key] = _last(tree[key])
    tree["env"]["problems"] = _last(tree["env"]["problems"])
    return tree


def _last(path: str) -> str:
    return Path(path).name


def _fenced(text: str, language: str = "") -> str:
    """Return text between fences that are longer than any in it."""
    fence = "`" * max(3, *(1 + len(ticks) for ticks in re.findall(r"`+", text) or [""]))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
