"""The command line: ``codeduet COMMAND``, to train, measure, compare, look, and take away."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from codeduet import libraries
from codeduet.envs import Executor, InputError, load_problems
from codeduet.envs.errors import nearest
from codeduet.interrupt import Interrupted, goes_on, handled

try:
    import typer
    from rich.progress import Progress

    from codeduet.screen import Screen, explain
except ImportError as error:  # the environment alone installs no command line
    sys.exit(f"codeduet: {error.name} is missing: pip install 'codeduet[train]'")

if TYPE_CHECKING:
    from codeduet.algorithms.config import TrainConfig
    from codeduet.benchmarks.pass_at_k import BenchConfig
    from codeduet.benchmarks.reproduce import ReproduceConfig

app = typer.Typer(
    help="Two language models write one program together.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Screen(markup=False)  # names of folders and tasks hold brackets

_UsageError: Any = typer.BadParameter.__base__
"""An unknown option, command or value. Typer brings this class along under an address that moves."""

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="dotted config overrides")]
RunAndOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN] [KEY=VALUE]...", help="with --resume, a run folder to go on in; dotted config overrides"
    ),
]
_words: list[str] = []
"""What this process was started with."""

_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
"""Caches of oneDNN's kernels on a CPU, of 1,024 entries each unless told otherwise. Every micro-batch has shapes of its own:
six layers of a 0.5B grew by 120 MiB a step. With 64 they do not grow, and a step takes no longer."""

TrainConfigName = Annotated[
    str | None,
    typer.Option(
        "--config", "-c", help="a YAML file, or grpo, magrpo (the default; a model of 3 billion weights), quickstart"
    ),
]
BenchConfigName = Annotated[
    str | None, typer.Option("--config", "-c", help="a YAML file, or single, multi_agent, quickstart_bench")
]
Packages = Annotated[
    list[str] | None, typer.Option("--packages", help="a package programs may import, such as numpy; may be repeated")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show config, first prompts and memory; do nothing")]


@app.command()
def train(
    overrides: RunAndOverrides = None,
    config: TrainConfigName = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on from the newest checkpoint of RUN, or of the folder out= names")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Train a team on the train split."""
    from codeduet.algorithms.checkpoint import find_checkpoint
    from codeduet.algorithms.resume import check_folder
    from codeduet.algorithms.trainer import Trainer
    from codeduet.benchmarks.config import check_free, write_config

    libraries.quieten()
    resolved = training_config(overrides or [], config, resume=resume)
    run = Path(resolved.out)
    # Whatever can be told without a model is told before one is loaded.
    check_free(run, "train")
    if not dry_run:
        check_folder(run, resume=resume)
    if resume:
        check_resumed(resolved)
    elif resolved.init_from:
        find_checkpoint(Path(resolved.init_from))
    with contextlib.ExitStack() as stack:
        stack.enter_context(goes_on(same_command()))
        trainer = Trainer(resolved, console=console)
        stack.callback(trainer.engine.close)
        if dry_run:
            show_plan(resolved, trainer.team, trainer.formatter, trainer.train_tasks[0])
            say(trainer.plan.line())
            return
        say_problems(resolved.env.problems, resolved.env.test_problems)
        say(trainer.team.ways)
        say(trainer.plan.line())
        trainer.open(resume=resume)
        if resume and not trainer.step:
            say(f"{run} was cut off before its first checkpoint: from the start")
        with goes_on(resume_command(run)):
            metrics = trainer.train(begin=lambda: write_config(run, resolved))
    reward = f"reward {metrics['reward']:.3f}; " if metrics else ""
    say_signs(trainer.run)
    say(f"trained {trainer.step} steps: {reward}run folder {trainer.run}")


@app.command()
def bench(overrides: Overrides = None, config: BenchConfigName = None, dry_run: DryRun = False) -> None:
    """Measure pass@k of a team on the test split."""
    from codeduet.benchmarks import pass_at_k
    from codeduet.benchmarks.config import load_config

    libraries.quieten()
    resolved = load_config(pass_at_k.BenchConfig, config, overrides or ())
    if dry_run:
        show_bench_plan(resolved)
        return
    say_problems(resolved.env.problems, resolved.env.test_problems)
    with goes_on(same_command()):
        results = pass_at_k.bench(resolved, console=console)
    console.print(pass_at_k.results_table(results))
    say(f"run folder {resolved.out}")


@app.command()
def reproduce(
    overrides: Overrides = None,
    preset: Annotated[str, typer.Option(help="embedded, qwen-0.5b, paper, smoke, or a YAML file")] = "embedded",
    protocol: Annotated[str | None, typer.Option(help="sound (default), or paper: to the letter of the paper")] = None,
    out: Annotated[
        Path | None, typer.Option(help="run folder; default runs/reproduce-PRESET-PROTOCOL-seedSEED")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make the paper's table, at equal budget and as the paper has it. Started again, it goes on."""
    from dataclasses import replace

    from codeduet.benchmarks import paper_table
    from codeduet.benchmarks import reproduce as reproducing
    from codeduet.benchmarks.config import load_config, packaged_configs

    libraries.quieten()
    presets = packaged_configs("presets")
    if preset not in presets and not Path(preset).is_file():
        raise InputError(f"no preset {preset!r}: {', '.join(presets)}, or a YAML file{nearest(preset, presets)}")
    source = f"presets/{preset}" if preset in presets else preset
    extra = [f"protocol={protocol}"] if protocol else []
    config = load_config(reproducing.ReproduceConfig, source, [*(overrides or ()), *extra])
    if out:
        config = replace(config, out=str(out))
    elif config.out == reproducing.ReproduceConfig.out:  # neither the file nor an override names one
        name = preset if preset in presets else Path(preset).stem
        config = replace(config, out=f"runs/reproduce-{name}-{config.protocol}-seed{config.seed}")
    say(
        f"protocol {config.protocol}, preset {preset}, run folder {config.out}"
        + (f". {config.note}" if config.note else "")
    )
    if dry_run:
        show_reproduction(config)
        return
    with goes_on(same_command()):
        results = reproducing.reproduce(config, console=console)
    say(paper_table.headline(results))
    for table in paper_table.tables(results):
        console.print(table)
    for row in reproducing.rows_of(config):
        if row.trained:
            say_signs(Path(config.out) / row.name / "train")
    say(f"protocol {config.protocol}; run folder {config.out}")


@app.command()
def ablate(run: Annotated[Path, typer.Argument(help="run folder of a finished reproduce")]) -> None:
    """Tell whether it is coordination: MAGRPO with helper or main frozen, and with helper silent at evaluation."""
    from codeduet.benchmarks import ablations

    libraries.quieten()
    with goes_on(same_command()):
        results = ablations.ablate(run, console=console)
    console.print(ablations.table(results))
    say(f"run folder {run / 'ablations'}")


@app.command(name="eval")
def evaluate(
    run: Annotated[Path, typer.Argument(help="run folder of a training")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="where results go; default RUN/eval")] = None,
) -> None:
    """Measure a trained run: bench with the team, game and sampling it was trained with."""
    from codeduet.algorithms.config import TrainConfig
    from codeduet.benchmarks import pass_at_k
    from codeduet.benchmarks.config import command_of, load_config, read_config

    libraries.quieten()
    if (owner := command_of(run)) != "train":
        held = f"it holds a run of codeduet {owner}" if owner else "config.yaml is missing"
        raise InputError(f"{run} is no training run: {held}")
    trained = read_config(TrainConfig, run)
    base = pass_at_k.BenchConfig(
        out=str(out or run / "eval"),
        seed=trained.seed,
        team=trained.team,
        checkpoint=str(run),
        env=trained.env,
        blank=trained.blank,
        sampling=trained.sampling,
    )
    resolved = load_config(pass_at_k.BenchConfig, None, overrides or (), base=base)
    with goes_on(same_command()):
        results = pass_at_k.bench(resolved, console=console)
    console.print(pass_at_k.results_table(results))
    say(f"run folder {resolved.out}")


@app.command(name="export")
def export_run(
    run: Annotated[Path, typer.Argument(help="run folder of a training, or a checkpoint in it")],
    out: Annotated[Path, typer.Option(help="folder that gets one for each agent")],
    merge: Annotated[bool, typer.Option("--merge", help="merge adapters into their base: whole models")] = False,
) -> None:
    """Write what was trained for peft, transformers and vLLM: weights, tokenizer and card of each agent."""
    from codeduet.benchmarks.export import export

    libraries.quieten()
    served = export(run, out, merge=merge)
    if served.kind == "model":
        say("this run trained whole models and has no adapters: the models are written")
    for agent in served.agents:
        say(f"{served.kind} of {agent} in {out / agent}")
    for line in served.commands():
        say(f"serve: {line}")
    say(f"measure what is served: {served.bench_command()}")


@app.command()
def judge(
    samples: Annotated[Path, typer.Argument(help="JSONL of task_id and main_code/helper_code, or completion")],
    out: Annotated[Path, typer.Option(help="JSONL that gets every row with its outcome")],
    problems: Annotated[str, typer.Option(help="humaneval, embedded, mbpp..., or a file of problems")] = "humaneval",
    packages: Packages = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="programs judged side by side; default one per core")
    ] = None,
) -> None:
    """Judge saved samples; no model is loaded. FILE.results.json beside the outcomes gets what a bench has."""
    from codeduet.benchmarks.compare import read_results
    from codeduet.benchmarks.results import results_table
    from codeduet.benchmarks.samples import judge_file, results_path, unread_answers

    say_problems(problems)
    with Executor(workers=workers, packages=packages or ()) as executor, Progress(console=console) as progress:
        bar = progress.add_task("judge", total=None, visible=False)
        passed, total = judge_file(
            samples,
            out,
            load_problems(problems),
            executor,
            lambda done, of: progress.update(bar, completed=done, total=of, visible=True),
        )
    results = read_results(results_path(out))
    console.print(results_table(results))
    if unjudged := sum(results.get("unjudged", {}).values()):
        say(f"{unjudged} samples could not be judged and count as neither: judge the file again")
    if unread := unread_answers(out):
        say(
            f"{unread} of {total} samples are answers in Markdown fences, which do not parse: code is judged as it stands. "
            "codeduet.envs.text.extract_main(answer, problem) takes it out of an answer; save that as main_code"
        )
    say(f"{passed} of {total} samples pass; outcomes in {out}")
    say(f"results in {results_path(out)}")


@app.command()
def compare(
    places: Annotated[list[Path], typer.Argument(help="run folders of bench or eval, or files of judged samples")],
    out: Annotated[Path | None, typer.Option(help="folder for Markdown, CSV, LaTeX, JSON and pictures")] = None,
    picture: Annotated[
        list[str] | None, typer.Option(help="png (default), svg or pdf; may stand several times")
    ] = None,
    ks: Annotated[list[int] | None, typer.Option("--k", min=1, help="k of pass@k; may stand several times")] = None,
) -> None:
    """Compare systems problem by problem: differences of pass@k with intervals, and a sign test."""
    from codeduet.benchmarks import compare as comparing
    from codeduet.benchmarks import compare_shown

    comparison = comparing.compare(comparing.read_systems(places), ks=ks or ())
    for grid in compare_shown.grids(comparison):
        console.print(compare_shown.terminal_table(grid))
    for note in comparison.notes:
        say(note)
    if out:
        for path in compare_shown.write_comparison(comparison, out, picture or ("png",)):
            say(f"{path.stem.replace('_', ' ')} in {path}")


@app.command()
def doctor(
    problems: Annotated[
        str | None,
        typer.Option(help="humaneval, embedded, mbpp... or a file: also judge each problem's own reference"),
    ] = None,
    packages: Packages = None,
) -> None:
    """Say what isolation this machine gives programs that are judged, and try it."""
    from codeduet.envs.execution.doctor import describe_machine, examine, unsolved_references

    loaded = load_problems(problems) if problems else ()
    say_problems(problems or "")

    for fact, value in describe_machine().items():
        say(f"{fact}: {value}")
    levels = examine()
    for level in levels:
        say(f"{level.name}: {'works' if level.works else 'DOES NOT WORK'} ({level.detail})\n    {level.meaning}")
    best = next(level for level in levels if level.works)
    if best.name == "process":
        say("no jail can be closed here: programs are refused unless isolation 'process' is asked for by name")
        raise typer.Exit(1)
    say(f"programs are judged with isolation {best.name!r}; its self-test passes")
    if loaded:
        with Executor(packages=packages or ()) as executor:
            unsolved = unsolved_references(loaded, executor)
        for task_id, outcome in unsolved.items():
            say(f"{task_id}: its reference passes {outcome.passed} of {outcome.total} tests. {outcome.error}")
        say(f"{len(unsolved)} of {len(loaded)} problems have a reference that is not solved")
        if unsolved:
            raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="run folders of train, bench or reproduce; several overlay")],
    out: Annotated[Path | None, typer.Option(help="folder for the report; default the first run folder")] = None,
    samples: Annotated[int, typer.Option(min=0, help="transcripts of each problem on the page; 0 is all")] = 3,
) -> None:
    """Make one page about runs: tables, curves, signs of collapse, transcripts; print the results."""
    from codeduet.algorithms.metrics import read_metrics
    from codeduet.benchmarks import report as reporting
    from codeduet.benchmarks.standing import standing

    runs = list({run.resolve(): run for run in runs}.values())  # named twice, it is still one run
    for path in reporting.write_report(runs, out or runs[0], samples=samples, say=say):
        say(f"{path.stem.replace('_', ' ')} in {path}")
    for text in reporting.headlines(runs):
        say(text)
    for training in (training for run in runs for training in reporting.trainings_of(run)):
        say(standing(training))
        gain = reporting.reward_gain(read_metrics(training))
        told = f"{gain.mean:+.3f} (95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
        if gain.mean != gain.mean:  # NaN
            told = "cannot be told from under 20 steps"
        say(f"{training}: mean reward of the last tenth of training less the first: {told}")
        say_signs(training)
    for run, table in reporting.tables_of(runs):
        say(str(run))
        console.print(table)
    results = reporting.all_results([run for run in runs if not reporting.table_of(run)])
    for comparison in reporting.comparison_tables(results, console.width):
        console.print(comparison)


def training_config(words: list[str], source: str | None, *, resume: bool) -> TrainConfig:
    """Return the config of a training: of the packaged or own file, or of the run that ``words`` begins with.

    Raises:
        InputError: it cannot be made, or the run named is none.
    """
    from dataclasses import replace

    from codeduet.algorithms.config import TrainConfig
    from codeduet.benchmarks.config import command_of, load_config, read_config

    if not (resume and words and "=" not in words[0]):
        return load_config(TrainConfig, source or "magrpo", words)
    run, *overrides = words
    if (owner := command_of(Path(run))) != "train":
        held = f"{run} holds a run of codeduet {owner}" if owner else f"{Path(run) / 'config.yaml'} is missing"
        raise InputError(f"nothing to resume: {held}")
    # In the folder it was found in: it may have been moved since it was begun.
    base = replace(read_config(TrainConfig, Path(run)), out=run)
    config = load_config(TrainConfig, source, overrides, base=base)
    if Path(config.out).resolve() != Path(run).resolve():
        raise InputError(
            f"--resume goes on in {run}, not in out={config.out}: a new run begins from its weights by init_from={run}"
        )
    return config


def check_resumed(config: TrainConfig) -> None:
    """Check that a run can go on under this config, if its folder says under which it was begun.

    Raises:
        InputError: it cannot.
    """
    from codeduet.algorithms.config import TrainConfig
    from codeduet.algorithms.resume import check_same_run
    from codeduet.benchmarks.config import read_config

    saved = Path(config.out) / "config.yaml"
    if saved.is_file():
        check_same_run(read_config(TrainConfig, saved.parent), config, saved)


def resume_command(run: Path) -> str:
    """Return the command that goes on with a training."""
    if "=" in str(run):  # would be taken for an override
        return f"codeduet train --config {shlex.quote(str(run / 'config.yaml'))} {shlex.quote(f'out={run}')} --resume"
    return f"codeduet train --resume {shlex.quote(str(run))}"


def same_command() -> str:
    """Return the command this process runs, which goes on with what it left."""
    return shlex.join(["codeduet", *_words])


def show_plan(config: TrainConfig | BenchConfig, team: Any, formatter: Any, task_id: str) -> None:
    """Print the resolved config, the first prompt of every agent, and what memory the weights take."""
    from codeduet.agents.team import memory_estimate
    from codeduet.algorithms.trainer import make_envs
    from codeduet.benchmarks.config import to_yaml

    console.rule("config")
    say(to_yaml(config))
    (env,) = make_envs(config.env, config.roles, 1)
    env.reset(options={"task_id": task_id})
    for agent in team:
        observation = env.observe(agent)
        console.rule(f"first prompt of {agent} ({len(formatter.encode(agent, observation))} tokens)")
        say(formatter.render(agent, observation))
    console.rule("memory")
    for name, size in memory_estimate(team).items():
        say(f"{name}: {size:,.1f} MiB")


def show_reproduction(config: ReproduceConfig) -> None:
    """Print what a reproduction would do."""
    from codeduet.benchmarks.config import to_yaml
    from codeduet.benchmarks.reproduce import memory_plans, plan

    console.rule("config")
    say(to_yaml(config))
    console.rule("plan")
    parts = plan(config)
    whole = sum(part.weight for part in parts)
    for part in parts:
        title = part.row.title(config.sampling.max_new_tokens)
        say(f"{title}: {part.what}, {100 * part.weight / whole:.0f} % of the work")
    console.rule("memory")
    for line in memory_plans(config, console):
        say(line)


def show_bench_plan(config: BenchConfig) -> None:
    """Print what a benchmark would do."""
    from codeduet.algorithms.trainer import make_formatter
    from codeduet.benchmarks.pass_at_k import choose_problems, make_players

    problems = choose_problems(config)
    team = make_players(config)
    show_plan(config, team, make_formatter(config.team, config.roles, team), problems[0].task_id)


def say_problems(*sources: str) -> None:
    """Say what was loaded from sets that do not ship with this package."""
    from codeduet.envs.sets import is_packaged, load_set

    for source in sources:
        if source and not is_packaged(source):
            say(load_set(source).line())


def say(text: str) -> None:
    """Print ``text`` as it is: not wrapped, no square bracket or path taken for markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def say_signs(run: Path) -> None:
    """Print what looks like a collapse in a training's metrics."""
    from codeduet.algorithms.diagnostics import signs
    from codeduet.algorithms.metrics import read_metrics

    for sign in signs(read_metrics(run)):
        say(f"look at {run}: {sign.text}")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line on ``arguments``, by default the process's; bad input is one line and exit status 2."""
    words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _words[:] = words
    for name in _CACHES:  # read when torch is imported, which the commands do
        os.environ.setdefault(name, "64")
    try:
        with handled():
            # Not in Typer's standalone mode, which frames an error in a box of many lines.
            status = app(args=words, prog_name="codeduet", standalone_mode=False) or 0
    except Interrupted as stop:
        status = stop.status
        print(f"codeduet: {stop.line()}", file=sys.stderr)
    except InputError as error:
        status = _complain(str(error))
    except _UsageError as error:
        status = _complain(f"{error.format_message()} (see codeduet --help)")
    except FloatingPointError as error:  # a training that diverged
        status = _complain(str(error))
    except OSError as error:
        if not (told := explain(error)):
            raise
        status = _complain(told)
    except (RuntimeError, MemoryError) as error:
        from codeduet.agents.out_of_memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        status = _complain(f"out of memory: take a smaller model, batch or answer ({str(error)[:200]})")
    sys.exit(status)


def _complain(message: str) -> int:
    print(f"codeduet: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
