"""Play what is missing of a benchmark, and save its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from codeduet.agents.play import Seat, game, play
from codeduet.agents.steps import Trajectory
from codeduet.agents.tree import Tree
from codeduet.algorithms.metrics import helper_gains
from codeduet.benchmarks.samples import sample_row
from codeduet.envs import Problem, raw_env
from codeduet.envs.config import make_envs
from codeduet.envs.execution import shared_executor
from codeduet.files import json_line, naming

if TYPE_CHECKING:
    from codeduet.benchmarks.pass_at_k import BenchConfig


def play_missing(
    config: BenchConfig,
    run: Path,
    problems: Sequence[Problem],
    rows: dict[str, list[dict[str, Any]]],
    seats: Mapping[str, Seat],
    progress: Progress,
) -> None:
    """Play what is missing of ``problems``, filling ``rows`` and the samples file.

    Always in the same batches: a run that was cut off samples to the bit what an unbroken one does.
    """
    drawn = config.n * config.best_of
    chunk = max(1, config.team.batch_size // drawn)
    envs = make_envs(config.env, config.roles, min(chunk, len(problems)) * drawn)
    judging = envs[0].unwrapped
    assert isinstance(judging, raw_env)
    seeds = (config.seed, "bench")
    bar = progress.add_task("bench", total=len(problems), completed=len(rows), shown="")
    for start in range(0, len(problems), chunk):
        batch = problems[start : start + chunk]
        if all(problem.task_id in rows for problem in batch):
            continue
        groups = play(
            game(envs, seed_parts=seeds, blank=config.blank),
            [problem.task_id for problem in batch],
            Tree((drawn,)),
            seats,
            seed_parts=seeds,
        )
        with naming(run / "samples.jsonl"), (run / "samples.jsonl").open("a", encoding="utf-8") as file:
            for problem, group in zip(batch, groups, strict=True):
                made = _rows(config, problem, group.trajectories, judging)
                if problem.task_id not in rows:
                    rows[problem.task_id] = made
                    file.writelines(map(json_line, made))
            file.flush()
        solved = [sum(bool(row["passed"]) for row in of_problem) / config.n for of_problem in rows.values()]
        progress.update(bar, completed=len(rows), shown=f"pass@1 {100 * sum(solved) / len(solved):.1f}")
    progress.remove_task(bar)


def _rows(
    config: BenchConfig, problem: Problem, played: Sequence[Trajectory], judging: raw_env
) -> list[dict[str, Any]]:
    size = config.best_of
    tries = [played[start : start + size] for start in range(0, len(played), size)]
    chosen = [best(of_sample, judging) for of_sample in tries]
    helped = any(t.program is not None and len(t.program.parts) > 1 for t in chosen)
    gains = helper_gains(chosen, judging) if helped else [0.0] * len(chosen)
    return [sample_row(problem, t, i, gains[i], drawn=tries[i]) for i, t in enumerate(chosen)]


def best(tries: Sequence[Trajectory], judging: raw_env) -> Trajectory:
    """Return of several tries the one that passes most of the examples that the prompt shows, the first of those.

    Where none is shown, or the machine fails to judge, they do not tell, and it is the first.
    """
    programs = [trajectory.program for trajectory in tries]
    if len(tries) == 1 or any(program is None or program.problem.examples is None for program in programs):
        return tries[0]
    seen = (program._replace(problem=program.problem.visible) for program in programs if program is not None)
    outcomes = list((judging.executor or shared_executor()).judge_many(seen))
    passed = [-1 if outcome.worker_fault else outcome.passed for outcome in outcomes]
    return tries[passed.index(max(passed))]
