"""The paper's table by one command: Single, Multi-Agent, GRPO and MAGRPO by pass@1, 3, 5 and 10.

    codeduet reproduce --preset embedded

Two protocols. ``paper`` follows the paper to the letter: raw prompts, the ``grpo`` reward for GRPO and the ``magrpo``
reward for MAGRPO, joint credit, equal steps, four rows. ``sound``, the default, is what a careful evaluator wants: Single
and GRPO at the budget of the team as well as at one agent's, a chat model's own template, one reward for all trainings,
equal generated tokens, greedy pass@1 and extraction rate beside pass@k, and every comparison paired by problem.

The run folder holds ``config.yaml``, ``results.json`` and a folder for each row, with its training and its samples. All
of it can be cut off at any moment and goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.progress import Progress, TaskID

from codeduet.algorithms import Trainer
from codeduet.algorithms.algorithm import load_algorithm
from codeduet.algorithms.checkpoint import latest_checkpoint, read_state
from codeduet.algorithms.checks import check_training, is_over, mains_of
from codeduet.algorithms.config import STRICT, EnvConfig, OptimConfig, SamplingConfig, Seed, TeamConfig, TrainConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.resume import same_place
from codeduet.algorithms.show import WITHIN, make_progress
from codeduet.algorithms.trainer import task_ids
from codeduet.benchmarks.config import check_free, difference, read_config, write_config
from codeduet.benchmarks.memory import Shape, loaded_plan, shape_plan
from codeduet.benchmarks.paper_table import PAPER, ROWS, TITLES, Row, RowName, comparisons, differences
from codeduet.benchmarks.pass_at_k import BenchConfig, bench, choose_problems, versions
from codeduet.envs import InputError
from codeduet.envs.files import locked, make_folder, write_whole

Protocol = Literal["sound", "paper"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Training:
    """How one of the trained rows is trained.

    Attributes:
        options: keyword arguments of the algorithm, under the protocol ``sound``; ``paper`` has its own.
        optim: how weights change.
        steps: batches of episodes; under ``sound`` every GRPO stops at MAGRPO's number of generated tokens instead.
        problems_per_step: problems of a batch.
        group_size: episodes of each.
        checkpoint_every: steps between checkpoints.
    """

    options: dict[str, Any] = Field(default_factory=dict)
    optim: OptimConfig = OptimConfig()
    steps: int = Field(default=155, gt=0)
    problems_per_step: int = Field(default=4, gt=0)
    group_size: int = Field(default=4, ge=2)
    checkpoint_every: int = Field(default=20, gt=0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReproduceConfig:
    """A whole table.

    Attributes:
        out: run folder.
        seed: everything random follows from it.
        protocol: ``sound`` or ``paper``.
        rows: what the table holds under ``sound``; ``paper`` has the paper's four. A row named ``..._team_budget`` is one
            agent whose answer holds as many tokens as all of the team's.
        note: what the output says about the preset.
        team: who plays; ``team.kind`` is each row's own.
        problems: the problem set.
        reward: what both trainings are paid under ``sound``, and what evaluations report; ``paper`` has its own.
        sampling: how completions are drawn, in training and evaluation; its tokens are those of one agent's answer.
        grpo: how the rows GRPO are trained.
        magrpo: how the row MAGRPO is trained.
        limit: test problems, at most; 0 is all.
        n: samples of each test problem.
        k: the k of pass@k.
        gpu_gib: memory of the GPU the preset is made for, in GiB; 0 is none.
        shape: the model's shape, for the memory plan.
    """

    out: str = "runs/reproduce"
    seed: Seed = 0
    protocol: Protocol = "sound"
    rows: list[RowName] = Field(default_factory=lambda: list(get_args(RowName)), min_length=1)
    note: str = ""
    team: TeamConfig = TeamConfig()
    problems: str = "humaneval"
    reward: str = "magrpo"
    sampling: SamplingConfig = SamplingConfig(max_new_tokens=400)
    grpo: Training = Training()
    magrpo: Training = Training()
    limit: int = Field(default=0, ge=0)
    n: int = Field(default=10, ge=1)
    k: list[int] = Field(default_factory=lambda: [1, 3, 5, 10], min_length=1)
    gpu_gib: float = Field(default=0.0, ge=0)
    shape: Shape | None = None


class Part(NamedTuple):
    """A step of the plan.

    Attributes:
        row: the row of the table it is for.
        what: ``"train"``, ``"sample"`` or ``"greedy"``.
        weight: its share of the work, in answers of one agent.
    """

    row: Row
    what: Literal["train", "sample", "greedy"]
    weight: float


def rows_of(config: ReproduceConfig) -> list[Row]:
    """Return the rows of the table under the protocol as they are made: each GRPO after MAGRPO, its token budget.

    Raises:
        InputError: GRPO without MAGRPO.
    """
    names = list(TITLES) if config.protocol == "paper" else config.rows
    if config.protocol == "sound" and "magrpo" not in names and any(ROWS[name].trained for name in names):
        raise InputError("rows has GRPO without MAGRPO, whose generated tokens are its budget: add magrpo")
    return sorted((row for row in ROWS.values() if row.name in names), key=lambda row: row.system == "grpo")


def plan(config: ReproduceConfig) -> list[Part]:
    """Return what is to be done, in order.

    Raises:
        InputError: a part of it cannot be done; said before the first one is begun.
    """
    rows = rows_of(config)
    problems = len(choose_problems(bench_config(config, rows[0])))
    mains = {}
    for row in filter(lambda row: row.trained, rows):
        of_row = train_config(config, row)
        algorithm = load_algorithm(row.system, of_row.options)
        check_training(of_row, algorithm)
        mains[row.system] = mains_of(algorithm)
    parts = []
    for row in rows:
        length = row.budget(1).program
        if row.trained:
            like_magrpo = row.system == "magrpo" or config.protocol == "sound"  # GRPO at equal tokens
            training = config.magrpo if like_magrpo else config.grpo
            completions = training.steps * training.problems_per_step * training.group_size
            if like_magrpo:
                completions += completions // mains["magrpo"]
            # Learning costs about as much as generating.
            parts.append(Part(row, "train", 2.0 * completions))
        parts.append(Part(row, "sample", float(problems * config.n * length)))
        if config.protocol == "sound":
            parts.append(Part(row, "greedy", float(problems * length)))
    return parts


def memory_plans(config: ReproduceConfig, console: Console) -> Iterator[str]:
    """Say in a line each what the trainings that are left hold at most; their models are loaded for it.

    Of two GRPO it is the one with longer answers. Where the preset is for a GPU that this machine has not, it is computed
    from the model's shape.

    Raises:
        InputError: one of them cannot be begun or does not fit.
    """
    left = [row for row in rows_of(config) if row.trained and not _is_done(_training(config, row))]
    largest = {row.system: row for row in sorted(left, key=lambda row: row.budget(1).tokens)}
    for row in (row for row in left if row in largest.values()):
        of_row = _training(config, row)
        try:
            if config.shape and config.gpu_gib and not torch.cuda.is_available():
                made, where = shape_plan(of_row, config.shape, config.gpu_gib), f"a GPU of {config.gpu_gib:g} GiB, "
            else:
                made, where = loaded_plan(of_row, console), ""
        except InputError as error:  # in a preset the settings of a training stand below its row's name
            raise InputError(
                f"{row.system}: {re.sub(r'(?<![.])optim[.]', f'{row.system}.optim.', str(error))}"
            ) from None
        yield f"{row.title(config.sampling.max_new_tokens)}: {where}{made.line()}"


def _training(config: ReproduceConfig, row: Row) -> TrainConfig:
    """Return the training of a row as it stands: GRPO's budget is what MAGRPO has come to."""
    budget = 0
    if row.system == "grpo" and config.protocol == "sound":
        budget = trained(Path(train_config(config, ROWS["magrpo"]).out)).get("tokens", 0)
    return train_config(config, row, budget)


def _is_done(config: TrainConfig) -> bool:
    done = trained(Path(config.out))
    return is_over(config, done.get("steps", 0), done.get("tokens", 0))


def team_config(config: ReproduceConfig, row: Row) -> TeamConfig:
    """Return the team of a row."""
    kind: Literal["team", "single"] = "single" if row.agents == 1 else "team"
    return replace(config.team, kind=kind, prompt="base" if config.protocol == "paper" else config.team.prompt)


def sampling_config(config: ReproduceConfig, row: Row) -> SamplingConfig:
    """Return how a row's answers are drawn: alike but for their length."""
    return replace(config.sampling, max_new_tokens=row.budget(config.sampling.max_new_tokens).tokens)


def train_config(config: ReproduceConfig, row: Row, token_budget: int = 0) -> TrainConfig:
    """Return the training of a trained row under the protocol."""
    training = config.grpo if row.system == "grpo" else config.magrpo
    sound = config.protocol == "sound"
    budgeted = bool(token_budget)
    return TrainConfig(
        out=str(Path(config.out) / row.name / "train"),
        seed=config.seed,
        algorithm=row.system,
        options=training.options if sound else {},
        team=team_config(config, row),
        env=EnvConfig(problems=config.problems, reward=config.reward if sound else row.system),
        sampling=sampling_config(config, row),
        optim=training.optim,
        # An episode of one agent has half the tokens or less: the budget ends it, not the steps.
        steps=training.steps * (20 if budgeted else 1),
        token_budget=token_budget,
        problems_per_step=training.problems_per_step,
        group_size=training.group_size,
        checkpoint_every=training.checkpoint_every,
        keep_checkpoints=1,
    )


def bench_config(config: ReproduceConfig, row: Row, *, greedy: bool = False) -> BenchConfig:
    """Return the evaluation of a row: n samples of each test problem, or one greedy answer."""
    folder = Path(config.out) / row.name
    sampling = sampling_config(config, row)
    return BenchConfig(
        out=str(folder / ("greedy" if greedy else "samples")),
        seed=config.seed,
        team=team_config(config, row),
        checkpoint=str(folder / "train") if row.trained else "",
        env=EnvConfig(problems=config.problems, reward=config.reward if config.protocol == "sound" else "magrpo"),
        sampling=replace(sampling, temperature=0.0) if greedy else sampling,
        limit=config.limit,
        n=1 if greedy else config.n,
        k=[1] if greedy else config.k,
    )


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
            for line in memory_plans(config, progress.console):
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

    def trained(training: Training, like: Training) -> Training:
        free = ("micro_batch_tokens", "gradient_checkpointing", "memory_gib")
        return replace(training, optim=replace(training.optim, **{name: getattr(like.optim, name) for name in free}))

    return replace(
        before,
        out=config.out,
        rows=config.rows,
        grpo=trained(before.grpo, config.grpo),
        magrpo=trained(before.magrpo, config.magrpo),
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
        row["training"] = train(_training(config, part.row), progress)
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
    if not _is_done(config):
        trainer = Trainer(config)
        with contextlib.closing(trainer.engine):
            progress.console.print(trainer.plan.line(), markup=False, highlight=False, soft_wrap=True)
            trainer.open(resume=bool(done))
            trainer.train(progress, begin=lambda: write_config(run, config))
    return trained(run)


def trained(run: Path) -> dict[str, Any]:
    """Return how far a training has come, by its newest checkpoint: steps, tokens, seconds; nothing without one."""
    newest = latest_checkpoint(run)
    if newest is None:
        return {}
    state = read_state(newest)
    rows = [row for row in read_metrics(run) if row["kind"] == "train" and row["step"] <= state["step"]]
    seconds = sum(row["seconds/rollout"] + row["seconds/learn"] for row in rows)
    return {"steps": state["step"], "tokens": state["tokens"], "seconds": round(seconds, 1)}


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
            "tokens an answer": row.budget(tokens).tokens,
            "answers a program": row.budget(tokens).answers,
            "pass@k": results["pass@k"],
            "greedy": parts["greedy"]["pass@k"]["1"] if "greedy" in parts else None,
            "rates": results["rates"],
            "problems": results["problems"],
            "generated tokens at evaluation": results["tokens"],
            "training": {key: parts["training"][key] for key in ("steps", "tokens")} if "training" in parts else None,
            "paper": {} if row.team_budget else {str(k): value for k, value in PAPER[row.system].items()},
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
        "versions": versions(config.team.engine),
    }


def _seconds(parts: dict[str, Any]) -> dict[str, float]:
    """Return what a row's training and evaluation took, loading aside."""
    evaluating = sum(parts[what]["seconds"] for what in ("sample", "greedy") if what in parts)
    return {"train": parts.get("training", {}).get("seconds", 0.0), "evaluate": round(evaluating, 1)}
