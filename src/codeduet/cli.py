"""The command line: ``codeduet train | eval | bench | judge | report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from codeduet.envs import Executor, InputError, load_problems

try:
    import typer
    from rich.console import Console
    from rich.progress import Progress
except ImportError as error:  # the environment alone installs no command line
    sys.exit(f"codeduet: {error.name} is missing: pip install 'codeduet[train]'")

if TYPE_CHECKING:
    from codeduet.algorithms.config import TrainConfig
    from codeduet.benchmarks.pass_at_k import BenchConfig

app = typer.Typer(
    help="Two language models write one program together.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="dotted config overrides")]
ConfigName = Annotated[
    str | None, typer.Option("--config", "-c", help="a YAML file, or single, multi_agent, grpo, magrpo, quickstart")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show config, first prompts and memory; do nothing")]


@app.command()
def train(
    overrides: Overrides = None,
    config: ConfigName = "magrpo",
    resume: Annotated[bool, typer.Option("--resume", help="go on from the run folder's newest checkpoint")] = False,
    dry_run: DryRun = False,
) -> None:
    """Train a team on the train split."""
    from codeduet.algorithms.config import TrainConfig
    from codeduet.algorithms.trainer import Trainer
    from codeduet.benchmarks.config import load_config, to_yaml

    resolved = load_config(TrainConfig, config, overrides or ())
    trainer = Trainer(resolved, console=console)
    if dry_run:
        show_plan(resolved, trainer.team, trainer.formatter, trainer.train_tasks[0])
        return
    trainer.open(resume=resume)
    (trainer.run / "config.yaml").write_text(to_yaml(resolved), encoding="utf-8")
    metrics = trainer.train()
    console.print(f"trained {trainer.step} steps: reward {metrics['reward']:.3f}; run folder {trainer.run}")


@app.command()
def bench(overrides: Overrides = None, config: ConfigName = None, dry_run: DryRun = False) -> None:
    """Measure pass@k of a team on the test split."""
    from codeduet.benchmarks import pass_at_k
    from codeduet.benchmarks.config import load_config

    resolved = load_config(pass_at_k.BenchConfig, config, overrides or ())
    if dry_run:
        show_bench_plan(resolved)
        return
    results = pass_at_k.bench(resolved, console=console)
    console.print(pass_at_k.results_table(results))
    console.print(f"run folder {resolved.out}")


@app.command(name="eval")
def evaluate(
    run: Annotated[Path, typer.Argument(help="run folder of a training")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="where results go; default RUN/eval")] = None,
) -> None:
    """Measure a trained run: bench with the team, game and sampling it was trained with."""
    from codeduet.algorithms.config import TrainConfig
    from codeduet.benchmarks import pass_at_k
    from codeduet.benchmarks.config import load_config

    if not (run / "config.yaml").is_file():
        raise InputError(f"{run} is no training run: config.yaml is missing")
    trained = load_config(TrainConfig, str(run / "config.yaml"))
    base = pass_at_k.BenchConfig(
        out=str(out or run / "eval"),
        seed=trained.seed,
        team=trained.team,
        checkpoint=str(run),
        env=trained.env,
        sampling=trained.sampling,
    )
    resolved = load_config(pass_at_k.BenchConfig, None, overrides or (), base=base)
    console.print(pass_at_k.results_table(pass_at_k.bench(resolved, console=console)))


@app.command()
def judge(
    samples: Annotated[Path, typer.Argument(help="JSONL of task_id and main_code/helper_code, or completion")],
    out: Annotated[Path, typer.Option(help="JSONL that gets every row with its outcome")],
    problems: Annotated[str, typer.Option(help="humaneval, or a HumanEval-format JSONL file")] = "humaneval",
    workers: Annotated[int | None, typer.Option(help="programs judged side by side; default one per core")] = None,
) -> None:
    """Judge saved samples; no model is loaded."""
    from codeduet.benchmarks.samples import judge_file

    with Executor(workers=workers) as executor, Progress(console=console) as progress:
        bar = progress.add_task("judge", total=None)
        passed, total = judge_file(
            samples,
            out,
            load_problems(problems),
            executor,
            lambda done, of: progress.update(bar, completed=done, total=of),
        )
    console.print(f"{passed} of {total} samples pass; outcomes in {out}")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="run folders")],
    out: Annotated[Path | None, typer.Option(help="PNG of the learning curves; default RUN/learning_curve.png")] = None,
) -> None:
    """Draw the learning curves of runs and print their results."""
    from codeduet.algorithms.metrics import read_metrics
    from codeduet.benchmarks import report as reporting

    for run in runs:
        reporting.check_run(run)
    trained = [run for run in runs if read_metrics(run)]
    if trained:
        picture = out or runs[0] / "learning_curve.png"
        reporting.learning_curve(trained, picture)
        console.print(f"learning curve in {picture}")
    for run in trained:
        gain = reporting.reward_gain(read_metrics(run))
        console.print(
            f"{run}: mean reward of the last tenth of training less the first: {gain.mean:+.3f} "
            f"(95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
        )
    results = {
        (name if len(runs) == 1 else f"{run.name}/{name}"): result
        for run in runs
        for name, result in reporting.results_of(run).items()
    }
    if results:
        console.print(reporting.comparison_table(results))


def show_plan(config: TrainConfig | BenchConfig, team: Any, formatter: Any, task_id: str) -> None:
    """Print the resolved config, the first prompt of every agent, and what memory the weights take."""
    from codeduet.agents.team import memory_estimate
    from codeduet.algorithms.trainer import make_envs
    from codeduet.benchmarks.config import to_yaml

    console.rule("config")
    console.print(to_yaml(config), markup=False, highlight=False)
    (env,) = make_envs(config.env, config.team.agents, 1)
    env.reset(options={"task_id": task_id})
    for agent in team:
        observation = env.observe(agent)
        console.rule(f"first prompt of {agent} ({len(formatter.encode(agent, observation))} tokens)")
        console.print(formatter.render(agent, observation), markup=False, highlight=False)
    console.rule("memory")
    for name, size in memory_estimate(team).items():
        console.print(f"{name}: {size:,.1f} MiB")


def show_bench_plan(config: BenchConfig) -> None:
    """Print what a benchmark would do."""
    from codeduet.algorithms.trainer import make_formatter, make_team

    team = make_team(config.team, config.seed)
    problems = load_problems(config.env.problems, config.split)
    show_plan(config, team, make_formatter(config.team, team), problems[0].task_id)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; bad input is one line and exit status 2."""
    words = sys.argv[1:] if arguments is None else [*arguments, *sys.argv[1:]]
    try:
        app(args=words, standalone_mode=True)
    except InputError as error:
        print(f"codeduet: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("codeduet: stopped", file=sys.stderr)
        sys.exit(130)
