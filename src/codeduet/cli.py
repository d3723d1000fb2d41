"""The command line: ``codeduet COMMAND``, to train, measure, compare, look, and take away. It parses, calls and prints."""

from __future__ import annotations

import shlex
import sys
from typing import Any

from codeduet import __version__, libraries
from codeduet.interrupt import Interrupted, goes_on, handled

try:
    import typer

    from codeduet import options as o
    from codeduet.screen import Screen, run_script
except ImportError as error:  # the environment alone installs no command line
    sys.exit(f"codeduet: {error.name} is missing: pip install 'codeduet[train]'")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Screen(markup=False)  # names of folders and tasks hold brackets
say = console.say

_words: list[str] = []  # what this process was started with


@app.callback(invoke_without_command=True)
def options(version: o.Version = False) -> None:
    """Two language models write one program together."""
    if version:
        say(f"codeduet {__version__}")
        raise typer.Exit


@app.command()
def train(
    overrides: o.RunAndOverrides = None,
    config: o.TrainConfigName = None,
    resume: o.Resume = False,
    dry_run: o.DryRun = False,
) -> None:
    """Train a team on the train split."""
    from codeduet.algorithms import resume as resuming
    from codeduet.algorithms import training
    from codeduet.algorithms.diagnostics import sign_lines
    from codeduet.benchmarks import measuring, plans

    libraries.quieten()
    resolved = resuming.training_config(overrides or [], config, resume=resume)
    if dry_run:
        plans.show_training(resolved, console, resume=resume)
        return
    say(*plans.set_lines(resolved.env))
    with goes_on(same_command()):
        trainer = training.train(resolved, resume=resume, console=console, callbacks=measuring.callbacks(resolved))
    reward = f"reward {trainer.metrics['reward']:.3f}; " if trainer.metrics else ""
    say(*sign_lines(trainer.run), f"trained {trainer.step} steps: {reward}run folder {trainer.run}")


@app.command()
def bench(overrides: o.Overrides = None, config: o.BenchConfigName = None, dry_run: o.DryRun = False) -> None:
    """Measure pass@k of a team on the test split."""
    from codeduet.benchmarks import pass_at_k, plans
    from codeduet.config import load_config

    resolved = load_config(pass_at_k.BenchConfig, config, overrides or ())
    if dry_run:
        libraries.quieten()
        plans.show_bench(resolved, console)
        return
    say(*plans.set_lines(resolved.env))
    measure(resolved)


@app.command()
def reproduce(
    overrides: o.Overrides = None,
    preset: o.Preset = "embedded",
    protocol: o.Protocol = None,
    out: o.TableOut = None,
    dry_run: o.DryRun = False,
) -> None:
    """Make the paper's table, at equal budget and as the paper has it. Started again, it goes on."""
    from codeduet.algorithms.diagnostics import sign_lines
    from codeduet.benchmarks import paper_table, plans, table_plan
    from codeduet.benchmarks import reproduce as reproducing

    libraries.quieten()
    config = table_plan.preset_config(preset, overrides or (), protocol=protocol, out=out)
    note = f". {config.note}" if config.note else ""
    say(f"protocol {config.protocol}, preset {preset}, run folder {config.out}{note}")
    if dry_run:
        plans.show_reproduction(config, console)
        return
    with goes_on(same_command()):
        results = reproducing.reproduce(config, console=console)
    say(paper_table.headline(results))
    for table in paper_table.tables(results):
        console.print(table)
    lines = [line for run in table_plan.trainings(config) for line in sign_lines(run)]
    say(*lines, f"protocol {config.protocol}; run folder {config.out}")


@app.command()
def ablate(run: o.Table) -> None:
    """Tell whether it is coordination: MAGRPO with helper or main frozen, and with helper silent at evaluation."""
    from codeduet.benchmarks import ablations

    libraries.quieten()
    with goes_on(same_command()):
        results = ablations.ablate(run, console=console)
    console.print(ablations.table(results))
    say(f"run folder {run / 'ablations'}")


@app.command(name="eval")
def evaluate(run: o.TrainedRun, overrides: o.Overrides = None, out: o.EvalOut = None) -> None:
    """Measure a trained run: bench with the team, game and sampling it was trained with."""
    from codeduet.benchmarks import pass_at_k

    measure(pass_at_k.eval_config(run, overrides or (), out))


@app.command(name="export")
def export_run(run: o.RunOrCheckpoint, out: o.ExportOut, merge: o.Merge = False) -> None:
    """Write what was trained for peft, transformers and vLLM: weights, tokenizer and card of each agent."""
    from codeduet.benchmarks.export import export

    libraries.quieten()
    say(*export(run, out, merge=merge).lines())


@app.command()
def judge(
    samples: o.Samples,
    out: o.JudgedOut,
    problems: o.ProblemSet = "humaneval",
    packages: o.Packages = None,
    workers: o.Workers = None,
) -> None:
    """Judge saved samples; no model is loaded. FILE.results.json beside the outcomes gets what a bench has."""
    from codeduet.benchmarks.judging import judge_shown
    from codeduet.benchmarks.plans import problem_lines
    from codeduet.benchmarks.results import results_table
    from codeduet.benchmarks.samples import judged_lines

    say(*problem_lines(problems))
    results = judge_shown(samples, out, problems, packages=packages or (), workers=workers, console=console)
    console.print(results_table(results))
    say(*judged_lines(results, out))


@app.command()
def compare(places: o.Systems, out: o.ComparisonOut = None, picture: o.Pictures = None, ks: o.Ks = None) -> None:
    """Compare systems problem by problem: differences of pass@k with intervals, and a sign test."""
    from codeduet.benchmarks import compare as comparing
    from codeduet.benchmarks import compare_shown

    comparison = comparing.compare(comparing.read_systems(places), ks=ks or ())
    for grid in compare_shown.grids(comparison):
        console.print(compare_shown.terminal_table(grid))
    say(*comparison.notes)
    if out:
        for path in compare_shown.write_comparison(comparison, out, picture or ("png",)):
            say(f"{path.stem.replace('_', ' ')} in {path}")


@app.command()
def probe(
    algorithm: o.AlgorithmName, overrides: o.AlgorithmOptions = None, sharing: o.SharingName = "separate"
) -> None:
    """Tell which of the probe games an algorithm solves, in a minute or two."""
    from codeduet.benchmarks.probes import told

    libraries.quieten()
    for line in told.lines(algorithm, overrides or (), sharing):
        say(line)


@app.command()
def doctor(problems: o.ProblemsToTry = None, packages: o.Packages = None) -> None:
    """Say what isolation this machine gives programs that are judged, and try it."""
    from codeduet.benchmarks.checkup import check_up

    if not check_up(problems, packages or (), say):
        raise typer.Exit(1)


@app.command()
def report(runs: o.Runs, out: o.ReportOut = None, samples: o.Transcripts = 3) -> None:
    """Make one page about runs: tables, curves, signs of collapse, transcripts; print the results."""
    from codeduet.benchmarks import report as reporting

    runs = reporting.each_once(runs)
    for path in reporting.write_report(runs, out or runs[0], samples=samples, say=say):
        say(f"{path.stem.replace('_', ' ')} in {path}")
    for part in reporting.told(runs, console.width):
        if isinstance(part, str):
            say(part)
        else:
            console.print(part)


@app.command(name="config")
def show_config(command: o.Command, config: o.AnyConfigName = None) -> None:
    """Print a command's config as YAML: keys, defaults, and what they mean."""
    from codeduet.benchmarks import plans

    say(plans.described(command, config))


def measure(config: Any) -> None:
    """Run a benchmark and show what it found."""
    from codeduet.benchmarks import pass_at_k

    libraries.quieten()
    with goes_on(same_command()):
        results = pass_at_k.bench(config, console=console)
    console.print(pass_at_k.results_table(results))
    say(f"run folder {config.out}")


def same_command() -> str:
    """Return the command this process runs, which goes on with what it left."""
    return shlex.join(["codeduet", *_words])


def main(arguments: list[str] | None = None) -> None:
    """Run the command line on ``arguments``, by default the process's; bad input is one line and exit status 2."""
    words = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _words[:] = words
    libraries.limit_caches()

    def run() -> int:
        try:
            with handled():
                # Not in Typer's standalone mode, which frames an error in a box of many lines.
                return app(args=words, prog_name="codeduet", standalone_mode=False) or 0
        except Interrupted as stop:
            print(f"codeduet: {stop.line()}", file=sys.stderr)
            return stop.status

    run_script(run)


if __name__ == "__main__":
    main()
