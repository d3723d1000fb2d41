"""What the commands take, as Typer wants it told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="dotted config overrides")]
RunAndOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN] [KEY=VALUE]...", help="with --resume, a run folder to go on in; dotted config overrides"
    ),
]
TrainConfigName = Annotated[
    str | None,
    typer.Option(
        "--config", "-c", help="a YAML file, or grpo, magrpo (the default; a model of 3 billion weights), quickstart"
    ),
]
BenchConfigName = Annotated[
    str | None, typer.Option("--config", "-c", help="a YAML file, or single, multi_agent, quickstart_bench")
]
AnyConfigName = Annotated[
    str | None, typer.Option("--config", "-c", help="a YAML file, or the name of a config, instead of the defaults")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="go on from the newest checkpoint of RUN, or of the folder out= names")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show config, first prompts and memory; do nothing")]
Version = Annotated[bool, typer.Option("--version", help="say the version and end")]

Preset = Annotated[str, typer.Option(help="embedded, qwen-0.5b-cpu, qwen-0.5b, paper, smoke, or YAML")]
Protocol = Annotated[str | None, typer.Option(help="sound (default), or paper: to the letter of the paper")]
TableOut = Annotated[Path | None, typer.Option(help="run folder; default runs/reproduce-PRESET-PROTOCOL-seedSEED")]
Table = Annotated[Path, typer.Argument(help="run folder of a finished reproduce")]

TrainedRun = Annotated[Path, typer.Argument(help="run folder of a training")]
EvalOut = Annotated[Path | None, typer.Option(help="where results go; default RUN/eval")]
RunOrCheckpoint = Annotated[Path, typer.Argument(help="run folder of a training, or a checkpoint in it")]
ExportOut = Annotated[Path, typer.Option(help="folder that gets one for each agent")]
Merge = Annotated[bool, typer.Option("--merge", help="merge adapters into their base: whole models")]

Samples = Annotated[Path, typer.Argument(help="JSONL of task_id and main_code/helper_code, or completion")]
JudgedOut = Annotated[Path, typer.Option(help="JSONL that gets every row with its outcome")]
ProblemSet = Annotated[str, typer.Option(help="humaneval, embedded, mbpp..., a file of problems, or module:function")]
ProblemsToTry = Annotated[
    str | None,
    typer.Option(
        help="humaneval, embedded, mbpp..., a file or module:function: also judge each problem's own reference"
    ),
]
Packages = Annotated[
    list[str] | None, typer.Option("--packages", help="a package programs may import, such as numpy; may be repeated")
]
Workers = Annotated[int | None, typer.Option(min=1, help="programs judged side by side; default one per core")]

Systems = Annotated[list[Path], typer.Argument(help="run folders of bench or eval, or files of judged samples")]
ComparisonOut = Annotated[Path | None, typer.Option(help="folder for Markdown, CSV, LaTeX, JSON and pictures")]
Pictures = Annotated[list[str] | None, typer.Option(help="png (default), svg or pdf; may stand several times")]
Ks = Annotated[list[int] | None, typer.Option("--k", min=1, help="k of pass@k; may stand several times")]

AlgorithmName = Annotated[str, typer.Argument(metavar="ALGORITHM", help="a name, module:Class or file.py:Class")]
AlgorithmOptions = Annotated[
    list[str] | None, typer.Argument(metavar="[OPTION=VALUE]...", help="the algorithm's options, entropy=0.1 for one")
]
SharingName = Annotated[str, typer.Option(help="separate, adapter or shared")]

Runs = Annotated[list[Path], typer.Argument(help="run folders of train, bench or reproduce; several overlay")]
ReportOut = Annotated[Path | None, typer.Option(help="folder for the report; default the first run folder")]
Transcripts = Annotated[int, typer.Option(min=0, help="transcripts of each problem on the page; 0 is all")]

Command = Annotated[str, typer.Argument(metavar="COMMAND", help="train, bench or reproduce")]
