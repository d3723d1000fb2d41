"""Judge a file of samples behind a bar, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from codeduet.benchmarks.compare import read_results
from codeduet.benchmarks.samples import judge_file, results_path
from codeduet.envs import Executor, load_problems


def judge_shown(
    samples: Path, out: Path, problems: str, *, packages: Sequence[str], workers: int | None, console: Console
) -> dict[str, Any]:
    """Judge a file and return the results beside its outcomes; see :func:`~codeduet.benchmarks.samples.judge_file`.

    Args:
        samples: the file.
        out: gets every row with its outcome.
        problems: name or file of the set.
        packages: what programs may import besides the standard library.
        workers: programs judged side by side; None is one a core.
        console: where the bar is shown.
    """
    with Executor(workers=workers, packages=packages) as executor, Progress(console=console) as progress:
        bar = progress.add_task("judge", total=None, visible=False)

        def show(done: int, of: int) -> None:
            progress.update(bar, completed=done, total=of, visible=True)

        judge_file(samples, out, load_problems(problems), executor, show)
    return read_results(results_path(out))
