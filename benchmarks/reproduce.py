"""The paper's table by one command: Single, Multi-Agent, GRPO and MAGRPO by pass@1, 3, 5 and 10.

    codeduet reproduce --preset embedded

What it consists of is planned in :mod:`codeduet.benchmarks.table_plan`.

The run folder holds ``config.yaml``, ``results.json`` and a folder for each row, with its training and its samples. All
of it can be cut off at any moment and goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from codeduet.agents.engine import engine_class
from codeduet.algorithms import make_trainer
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.resume import same_place
from codeduet.algorithms.show import WITHIN, make_progress
from codeduet.benchmarks.fingerprint import sha256_of
from codeduet.benchmarks.hours import hours_lines
from codeduet.benchmarks.paper_table import PAPER, ROWS, RowName, comparisons, differences
from codeduet.benchmarks.pass_at_k import bench, versions
from codeduet.benchmarks.table_plan import (
    Part,
    ReproduceConfig,
    Training,
    bench_config,
    is_done,
    memory_plans,
    plan,
    trained,
    training_of,
)
from codeduet.config import difference
from codeduet.envs import InputError
from codeduet.envs.config import EnvConfig, task_ids
from codeduet.files import locked, make_folder, write_whole
from codeduet.runs import check_free, read_config, write_config


def reproduce(config: ReproduceConfig, *, console: Console | None = None) -> dict[str, Any]:
    """Do what is left of the plan and return what ``results.json`` holds.

    Raises:
        InputError: the run folder holds a run of another config, or a part of it cannot be run.
    """
    console = console or Console(markup=False)
    parts = plan(config)
    rows: dict[RowName, dict[str, Any]] = {}
    make_folder(Path(config.out))
    with locked(Path(config.out)):
        config = open_run(config)
        with make_progress(console, PlanProgress) as progress:
            for line in (*hours_lines(config, parts), *memory_plans(config, progress.console)):
                progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            progress.begin(parts)
            for number, part in enumerate(parts):
                progress.start_part(number)
                _do(config, part, rows.setdefault(part.row.name, {}), progress)
            progress.start_part(len(parts))
        results = summarise(config, rows)
        write_whole(Path(config.out) / "results.json", json.dumps(results, indent=2) + "\n")
    return results


def open_run(config: ReproduceConfig) -> ReproduceConfig:
    """Begin in the run folder, whose lock the caller holds, or go on; return the config with its name as it was at the start.

    Raises:
        InputError: the folder holds samples or checkpoints of another config, or was begun elsewhere.
    """
    run = Path(config.out)
    make_folder(run)
    check_free(run, "reproduce")
    saved = run / "config.yaml"
    if saved.is_file() and any((*run.rglob("samples.jsonl"), *run.rglob("state.json"))):
        before = read_config(ReproduceConfig, run)
        if changed := difference(_as_free_as(before, config), config, same_place):
            raise InputError(f"{run} holds a run of another config ({changed}): choose another --out, or delete it")
        if Path(before.out).resolve() != run.resolve():
            raise InputError(
                f"{run} was begun as {before.out}: a run goes on only where it was begun{_where(before, run)}"
            )
        config = replace(config, out=before.out)
    write_config(run, config)
    return config


def _as_free_as(before: ReproduceConfig, config: ReproduceConfig) -> ReproduceConfig:
    """Return the config of a run with what may change as it is in another.

    Rows come and go, each in a folder of its own, and how gradients are computed changes none.
    """

    def as_free(training: Training, like: Training) -> Training:
        free = ("micro_batch_tokens", "gradient_checkpointing", "memory_gib")
        return replace(training, optim=replace(training.optim, **{name: getattr(like.optim, name) for name in free}))

    return replace(
        before,
        out=config.out,
        rows=config.rows,
        grpo=as_free(before.grpo, config.grpo),
        magrpo=as_free(before.magrpo, config.magrpo),
    )


def _where(before: ReproduceConfig, run: Path) -> str:
    """Return from which directory a run begun under a relative name can go on, if it was not moved."""
    begun, now = Path(before.out).parts, run.resolve().parts
    if Path(before.out).is_absolute() or now[-len(begun) :] != begun:
        return ""
    return f"; start it from {Path(*now[: -len(begun)])}"


class PlanProgress(Progress):
    """A display whose first bar, the plan's, moves with the bars of its parts; so it knows the time left over all."""

    def begin(self, parts: list[Part]) -> None:
        """Show the plan's bar."""
        self.parts = parts
        self.number = 0
        self.whole = self.add_task("plan", total=sum(part.weight for part in parts), shown="")

    def start_part(self, number: int) -> None:
        """Let the bars that follow be those of a part, counted from 0; the parts before it are done."""
        self.number = number
        super().update(self.whole, completed=sum(part.weight for part in self.parts[:number]))
        if number < len(self.parts):
            part = self.parts[number]
            shown = f"{number + 1}/{len(self.parts)} {part.row.name.replace('_', ' ')}: {part.what}"
            super().update(self.whole, shown=shown)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Update a part's bar, and the plan's with it."""
        super().update(task_id, **changes)
        task = self._tasks[task_id]
        if task.total and not task.fields.get(WITHIN):
            before = sum(part.weight for part in self.parts[: self.number])
            share = min(task.completed / task.total, 1.0)
            super().update(self.whole, completed=before + share * self.parts[self.number].weight)


def _do(config: ReproduceConfig, part: Part, row: dict[str, Any], progress: Progress) -> None:
    if part.what == "train":
        row["training"] = train(training_of(config, part.row), progress)
    else:
        row[part.what] = bench(bench_config(config, part.row, greedy=part.what == "greedy"), progress=progress)


def train(config: TrainConfig, progress: Progress) -> dict[str, Any]:
    """Train from wherever the run folder stands, and return what :func:`trained` does."""
    run = Path(config.out)
    done = trained(run)
    if not done and (run.parent / "samples" / "samples.jsonl").is_file():
        raise InputError(
            f"{run / 'checkpoints'} is gone, whose team wrote the samples beside it: put it back, or delete {run.parent}, "
            "to train and sample again"
        )
    if not done and run.is_dir():  # cut off before its first checkpoint: from the start
        with locked(run):
            for name in ("metrics.jsonl", "completions.jsonl"):
                (run / name).unlink(missing_ok=True)
    if not is_done(config):
        trainer = make_trainer(config, console=progress.console, progress=progress)
        with contextlib.closing(trainer.engine):
            trainer.open(resume=bool(done))
            trainer.train()
    return trained(run)


def summarise(config: ReproduceConfig, parts_of: dict[RowName, dict[str, Any]]) -> dict[str, Any]:
    """Return the table and the paired comparisons of rows whose samples are there."""
    table = {}
    tokens = config.sampling.max_new_tokens
    for name in (name for name in ROWS if name in parts_of):
        row, parts = ROWS[name], parts_of[name]
        results = parts["sample"]
        table[name] = {
            "title": row.title(tokens),
            "system": row.system,
            "head": row.head,
            "tokens an answer": row.budget(tokens).tokens,
            "answers a program": row.budget(tokens).answers,
            "pass@k": results["pass@k"],
            "greedy": parts["greedy"]["pass@k"]["1"] if "greedy" in parts else None,
            "greedy solved": _solved(parts["greedy"]) if "greedy" in parts else None,
            "rates": results["rates"],
            "problems": results["problems"],
            "generated tokens at evaluation": results["tokens"],
            "training": {key: parts["training"][key] for key in ("steps", "tokens")} if "training" in parts else None,
            "paper": {}
            if row.team_budget or row.best_of > 1
            else {str(k): value for k, value in PAPER[row.system].items()},
        }
    return {
        "protocol": config.protocol,
        "note": config.note,
        "seed": config.seed,
        "n": config.n,
        "test problems": len(next(iter(table.values()))["problems"]),
        "training problems": len(task_ids(EnvConfig(problems=config.problems), "train")),
        "temperature": config.sampling.temperature,
        "rows": table,
        "comparisons": [made._asdict() | {"names": list(made.names)} for made in comparisons({"rows": table})],
        **{f"pass@{k} differences": differences(table, k, config.seed) for k in dict.fromkeys([1, *config.k])},
        "seconds": {name: _seconds(parts) for name, parts in parts_of.items()},
        "weights": sha256_of(config.team.model),
        "versions": versions(*engine_class(config.team.engine).packages),
    }


def _solved(results: dict[str, Any]) -> list[str]:
    return [task for task, count in results["problems"].items() if count["correct"]]


def _seconds(parts: dict[str, Any]) -> dict[str, float]:
    """Return what a row's training and evaluation took, loading aside."""
    evaluating = sum(parts[what]["seconds"] for what in ("sample", "greedy") if what in parts)
    return {"train": parts.get("training", {}).get("seconds", 0.0), "evaluate": round(evaluating, 1)}
