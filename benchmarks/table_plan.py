"""The plan of the paper's table: its config, its rows, what each of them is trained and measured by, and what memory that takes.

Two protocols. ``paper`` follows the paper to the letter: raw prompts, the ``grpo`` reward for GRPO and the ``magrpo``
reward for MAGRPO, joint credit, equal steps, four rows. ``sound``, the default, is what a careful evaluator wants: Single
and GRPO at the budget of the team as well as at one agent's, a chat model's own template, one reward for all trainings,
equal generated tokens, greedy pass@1 and extraction rate beside pass@k, and every comparison paired by problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.console import Console

from codeduet.agents.config import SamplingConfig, TeamConfig
from codeduet.algorithms.algorithm import load_algorithm
from codeduet.algorithms.checkpoint import latest_checkpoint, read_state
from codeduet.algorithms.checks import check_training, is_over
from codeduet.algorithms.config import OptimConfig, TrainConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.memory import Shape, loaded_plan, shape_plan
from codeduet.benchmarks.paper_table import ROWS, TITLES, Row, RowName
from codeduet.benchmarks.pass_at_k import BenchConfig, choose_problems
from codeduet.config import STRICT, Seed, load_config, packaged_configs, read_yaml
from codeduet.envs.config import EnvConfig
from codeduet.errors import InputError, nearest

Protocol = Literal["sound", "paper"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Training:
    """How one of the trained rows is trained.

    Attributes:
        options: keyword arguments of the algorithm, under the protocol ``sound``; ``paper`` has its own.
        optim: how weights change.
        steps: batches of episodes; under ``sound`` every GRPO stops at MAGRPO's number of generated tokens instead, and both
            at ``token_budget`` where it is given.
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
            agent whose answer holds as many tokens as all of the team's; ``..._best_of_2`` draws two and takes the one that
            passes more of the prompt's visible examples.
        note: what the output says about the preset.
        team: who plays; ``team.kind`` is each row's own.
        problems: the problem set.
        reward: what both trainings are paid under ``sound``, and what evaluations report; ``paper`` has its own.
        sampling: how completions are drawn, in training and evaluation; its tokens are those of one agent's answer.
        training_tokens: of one agent's answer in training, where they are fewer; 0 is as many as in evaluation.
        token_budget: generated tokens at which every training ends under ``sound``, so that none waits for another's count;
            with 0 MAGRPO ends by its steps and each GRPO at MAGRPO's number.
        grpo: how the rows GRPO are trained.
        magrpo: how the row MAGRPO is trained.
        limit: test problems, at most; 0 is all.
        n: samples of each test problem.
        k: the k of pass@k.
        gpu_gib: memory of the GPU the preset is made for, in GiB; 0 is none.
        shape: the model's shape, for the memory plan.
    """

    COMMAND: ClassVar[str] = "reproduce"

    out: str = "runs/reproduce"
    seed: Seed = 0
    protocol: Protocol = "sound"
    rows: list[RowName] = Field(
        default_factory=lambda: [row.name for row in ROWS.values() if row.best_of == 1], min_length=1
    )
    note: str = ""
    team: TeamConfig = TeamConfig()
    problems: str = "humaneval"
    reward: str = "magrpo"
    sampling: SamplingConfig = SamplingConfig(max_new_tokens=400)
    training_tokens: int = Field(default=0, ge=0)
    token_budget: int = Field(default=0, ge=0)
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


def preset_config(
    preset: str, overrides: Sequence[str] = (), *, protocol: str | None = None, out: Path | None = None
) -> ReproduceConfig:
    """Return the config of a table.

    Args:
        preset: the name of a packaged one, or a YAML file.
        overrides: ``"dotted.key=value"``.
        protocol: goes over both.
        out: the run folder; where nothing names one it is named by preset, protocol and seed.

    Raises:
        InputError: there is no such preset, or a value does not fit.
    """
    presets = packaged_configs("presets")
    if preset not in presets and not Path(preset).is_file():
        raise InputError(f"no preset {preset!r}: {', '.join(presets)}, or a YAML file{nearest(preset, presets)}")
    source = f"presets/{preset}" if preset in presets else preset
    config = load_config(ReproduceConfig, source, [*overrides, *([f"protocol={protocol}"] if protocol else [])])
    if out:
        return replace(config, out=str(out))
    if "out" in read_yaml(source) or any(override.startswith("out=") for override in overrides):
        return config
    name = preset if preset in presets else Path(preset).stem
    return replace(config, out=f"runs/reproduce-{name}-{config.protocol}-seed{config.seed}")


def trainings(config: ReproduceConfig) -> list[Path]:
    """Return the folders of a table's trainings."""
    return [Path(train_config(config, row).out) for row in rows_of(config) if row.trained and row.weights == row.name]


def rows_of(config: ReproduceConfig) -> list[Row]:
    """Return the rows of the table under the protocol as they are made: each GRPO after MAGRPO, its token budget.

    Raises:
        InputError: GRPO without MAGRPO, and no token budget.
    """
    names = list(TITLES) if config.protocol == "paper" else config.rows
    alone = "magrpo" not in names and any(ROWS[name].trained for name in names)
    if config.protocol == "sound" and alone and not config.token_budget:
        raise InputError(
            "rows has GRPO without MAGRPO, whose generated tokens are its budget: add magrpo, or token_budget=N"
        )
    chosen = [row for row in ROWS.values() if row.name in names]
    if lacking := [row for row in chosen if row.weights not in names]:
        raise InputError(
            f"rows has {lacking[0].name} without {lacking[0].weights}, by whose weights it plays: add {lacking[0].weights}"
        )
    return sorted(chosen, key=lambda row: (row.system == "grpo", row.weights != row.name))


def plan(config: ReproduceConfig) -> list[Part]:
    """Return what is to be done, in order.

    Raises:
        InputError: a part of it cannot be done; said before the first one is begun.
    """
    rows = rows_of(config)
    problems = len(choose_problems(bench_config(config, rows[0])))
    answers = {}  # that helper writes for each of main's
    for row in filter(lambda row: row.trained and row.weights == row.name, rows):
        of_row = train_config(config, row)
        algorithm = load_algorithm(row.system, of_row.options)
        check_training(of_row, algorithm)
        tree = algorithm.tree(of_row.group_size)
        answers[row.system] = tree.widths[0] / tree.size
    parts = []
    for row in rows:
        length = row.budget(1).program
        if row.trained and row.weights == row.name:
            like_magrpo = row.system == "magrpo" or config.protocol == "sound"  # GRPO at equal tokens
            training = config.magrpo if like_magrpo else config.grpo
            completions = training.steps * training.problems_per_step * training.group_size
            if like_magrpo:
                completions += round(completions * answers.get("magrpo", 0))
            if config.protocol == "sound" and config.token_budget:
                completions = config.token_budget // sampling_config(config, row, training=True).max_new_tokens
            # Learning costs about as much as generating.
            parts.append(Part(row, "train", 2.0 * completions))
        parts.append(Part(row, "sample", float(problems * config.n * length)))
        if config.protocol == "sound" and row.best_of == 1:  # greedy answers are all alike
            parts.append(Part(row, "greedy", float(problems * length)))
    return parts


def memory_plans(config: ReproduceConfig, console: Console) -> Iterator[str]:
    """Say in a line each what the trainings that are left hold at most; their models are loaded for it.

    Of two GRPO it is the one with longer answers. Where the preset is for a GPU that this machine has not, it is computed
    from the model's shape.

    Raises:
        InputError: one of them cannot be begun or does not fit.
    """
    own = [row for row in rows_of(config) if row.trained and row.weights == row.name]
    left = [row for row in own if not is_done(training_of(config, row))]
    largest = {row.system: row for row in sorted(left, key=lambda row: row.budget(1).tokens)}
    for row in (row for row in left if row in largest.values()):
        of_row = training_of(config, row)
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


def training_of(config: ReproduceConfig, row: Row) -> TrainConfig:
    """Return the training of a row as it stands: GRPO's budget is what MAGRPO has come to, where none is given."""
    budget = config.token_budget if config.protocol == "sound" else 0
    if row.system == "grpo" and config.protocol == "sound" and not budget:
        budget = trained(Path(train_config(config, ROWS["magrpo"]).out)).get("tokens", 0)
    return train_config(config, row, budget)


def trained(run: Path) -> dict[str, Any]:
    """Return how far a training has come, by its newest checkpoint: steps, tokens, seconds; nothing without one."""
    newest = latest_checkpoint(run)
    if newest is None:
        return {}
    state = read_state(newest)
    rows = [row for row in read_metrics(run) if row["kind"] == "train" and row["step"] <= state["step"]]
    seconds = sum(row["seconds/rollout"] + row["seconds/learn"] for row in rows)
    return {"steps": state["step"], "tokens": state["tokens"], "seconds": round(seconds, 1)}


def is_done(config: TrainConfig) -> bool:
    """Tell whether a training has used up its steps or tokens."""
    done = trained(Path(config.out))
    return is_over(config, done.get("steps", 0), done.get("tokens", 0))


def team_config(config: ReproduceConfig, row: Row) -> TeamConfig:
    """Return the team of a row."""
    kind: Literal["team", "single"] = "single" if row.agents == 1 else "team"
    return replace(config.team, kind=kind, prompt="base" if config.protocol == "paper" else config.team.prompt)


def sampling_config(config: ReproduceConfig, row: Row, *, training: bool = False) -> SamplingConfig:
    """Return how a row's answers are drawn: alike but for their length."""
    tokens = (training and config.training_tokens) or config.sampling.max_new_tokens
    return replace(config.sampling, max_new_tokens=row.budget(tokens).tokens)


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
        sampling=sampling_config(config, row, training=True),
        optim=training.optim,
        # How many tokens a step has is not known before: the budget ends it, not the steps.
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
        checkpoint=str(Path(config.out) / row.weights / "train") if row.trained else "",
        env=EnvConfig(problems=config.problems, reward=config.reward if config.protocol == "sound" else "magrpo"),
        sampling=replace(sampling, temperature=0.0) if greedy else sampling,
        limit=config.limit,
        n=1 if greedy else config.n,
        k=[1] if greedy else config.k,
        best_of=row.best_of,
    )
