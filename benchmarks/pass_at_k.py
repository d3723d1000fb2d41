"""The benchmark: pass@k of a team on a problem set.

    codeduet bench --config multi_agent out=runs/bench
    python -m codeduet.benchmarks.pass_at_k --config multi_agent out=runs/bench

Each problem is played n times; pass@k is the unbiased estimate from how many of the n programs passed every test,
averaged over problems, with a 95 % bootstrap interval over problems. The run folder holds ``config.yaml``,
``samples.jsonl`` (which OpenAI's checker reads as well) and ``results.json``; a run cut off goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.progress import Progress

from codeduet.agents import Engine, Formatter
from codeduet.agents.briefs import check_prompts
from codeduet.agents.build import make_engine, make_formatter, make_team, make_untrained
from codeduet.agents.config import SamplingConfig, TeamConfig, check_seats, check_served, roles_in, sampling_of
from codeduet.agents.engine import check_engine, engine_class
from codeduet.agents.seats import seats_of, with_team
from codeduet.agents.team import Team
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint
from codeduet.algorithms.checks import check_blank
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.lengths import fitting
from codeduet.algorithms.resume import same_place
from codeduet.algorithms.show import make_progress
from codeduet.benchmarks.estimators import pass_at_k
from codeduet.benchmarks.fingerprint import fingerprints
from codeduet.benchmarks.playing import play_missing
from codeduet.benchmarks.results import of_rows, results_table, versions
from codeduet.benchmarks.samples import read_samples
from codeduet.benchmarks.unjudged import judge_again, told
from codeduet.config import STRICT, Seed, difference, load_config, plain
from codeduet.envs import InputError, Problem, load_problems, raw_env
from codeduet.envs.config import EnvConfig, make_envs
from codeduet.envs.execution import shared_executor
from codeduet.envs.problems import held_out
from codeduet.envs.rewards import Payment
from codeduet.envs.roles import Roles, agents_of, check_read
from codeduet.files import json_line, locked, make_folder, write_whole
from codeduet.runs import check_free, check_training_run, read_config, write_config

__all__ = [
    "BenchConfig", "Players", "bench", "choose_problems", "make_players", "results_table", "summarise",
    "versions",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BenchConfig:
    """A benchmark run.

    Attributes:
        out: run folder.
        seed: of every sample.
        team: who plays; ``team.kind`` is ``single`` or ``team``, unless ``env.roles`` says who.
        checkpoint: a run folder or checkpoint whose weights play; empty is the model as it is.
        env: the game.
        blank: observation keys that are emptied before agents see them, and agents whose answers count as empty, for
            ablations.
        sampling: how completions are drawn; temperature 0 with n = 1 is greedy pass@1.
        split: which problems; ``valid`` is every tenth of ``train``.
        limit: the first so many of them; 0 is all.
        n: samples of each problem.
        k: the k of pass@k, each at most n.
        best_of: answers that are drawn for each sample, of which the one counts that passes most of the prompt's visible
            examples; the first of them where several do, or where none is shown.
    """

    COMMAND: ClassVar[str] = "bench"

    out: str = "runs/bench"
    seed: Seed = 0
    team: TeamConfig = TeamConfig()
    checkpoint: str = ""
    env: EnvConfig = EnvConfig(reward="pass")
    blank: list[str] = Field(default_factory=list)
    sampling: SamplingConfig = SamplingConfig()
    split: Literal["train", "valid", "test", "all"] = "test"
    limit: int = Field(default=0, ge=0)
    n: int = Field(default=10, ge=1)
    k: list[int] = Field(default_factory=lambda: [1, 3, 5, 10], min_length=1)
    best_of: int = Field(default=1, ge=1)

    @property
    def roles(self) -> Roles:
        """Who plays."""
        return roles_in(self.team, self.env)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents, in the order they act."""
        return agents_of(self.roles)


def eval_config(run: Path, overrides: Sequence[str], out: Path | None) -> BenchConfig:
    """Return the benchmark of a trained run: with the team, game and sampling it was trained with.

    Args:
        run: folder of the training.
        overrides: ``"dotted.key=value"``.
        out: where results go; ``RUN/eval`` where it is None.

    Raises:
        InputError: the folder holds no training, or an override does not fit.
    """
    check_training_run(run)
    trained = read_config(TrainConfig, run)
    base = BenchConfig(
        out=str(out or run / "eval"),
        seed=trained.seed,
        team=trained.team,
        checkpoint=str(run),
        env=trained.env,
        blank=trained.blank,
        sampling=trained.sampling,
    )
    return load_config(BenchConfig, None, overrides, base=base)


def bench(
    config: BenchConfig,
    *,
    team: Team | None = None,
    engine: Engine | None = None,
    formatter: Formatter | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the benchmark and return what ``results.json`` holds.

    Args:
        config: the run.
        team: who plays; by default loaded as ``config.team`` and ``config.checkpoint`` say.
        engine: who generates; by default as ``config.team.engine`` says.
        formatter: observation -> prompt; by default as ``config.team.prompt`` says.
        console: where progress is shown.
        progress: gets a bar; by default one of this run's own is shown.

    Raises:
        InputError: some k exceeds n, the run folder holds a run of another config or of other weights, or a problem is
            too long for the model.
    """
    config = with_team(config, team)
    if engine is not None:
        check_engine(engine)
    problems = choose_problems(config)
    if config.checkpoint and (newest := latest_checkpoint(Path(config.checkpoint))):
        # By its own name: once training goes on, the samples in this folder are another team's.
        config = replace(config, checkpoint=str(newest))
    run = Path(config.out)
    check_free(run, "bench")
    begun = _begun(config, run)
    played_by = _same_players(config, run, begun=begun)
    problems = tuple(problem for problem in problems if problem.task_id not in played_by.left_out)
    if team is None and _missing(problems, _finished(run, config.n)):
        team = make_players(config)  # before the folder is made: a model that cannot be loaded leaves none
    make_folder(run)
    with locked(run):
        if _begun(config, run) and not begun:
            raise InputError(f"another process has begun a run in {run} meanwhile: start again to go on with it")
        write_config(run, config)
        rows = _finished(run, config.n)
        again = judge_again(rows, problems, Payment(config.env.reward, config.agents), shared_executor())
        began = time.perf_counter()
        played = bool(_missing(problems, rows))
        if played:
            assert team is not None
            if (run / "samples.jsonl").is_file():
                _write_rows(run / "samples.jsonl", rows)  # without what was cut off
            with contextlib.ExitStack() as stack:
                shown = progress or stack.enter_context(make_progress(console or Console(markup=False)))
                if engine is None:

                    def say(line: str) -> None:
                        shown.console.print(line, markup=False, highlight=False, soft_wrap=True)

                    engine = make_engine(config.team, team, config.roles, answers=run / "answers.jsonl", say=say)
                    stack.callback(engine.close)
                formatter = formatter or make_formatter(config.team, config.roles, team)
                problems = _fitting(config, run, problems, played_by, formatter, engine, shown.console)
                play_missing(config, run, problems, rows, seats_of(config, team, formatter, engine), shown)
        if played or again:
            # In the order of the problems: a run that was cut off and resumed leaves the same file as one that was not.
            _write_rows(run / "samples.jsonl", {problem.task_id: rows[problem.task_id] for problem in problems})
        results = summarise(config, [rows[problem.task_id] for problem in problems])
        if config.env.overlong == "skip":
            results["left_out"] = played_by.left_out
        results["seconds"] = round(time.perf_counter() - began, 1) if played else _seconds_before(run)
        if line := told([row for of_problem in rows.values() for row in of_problem]):
            (console or Console()).print(line, markup=False, highlight=False, soft_wrap=True)
        write_whole(run / "results.json", json.dumps(results, indent=2) + "\n")
    return results


def _begun(config: BenchConfig, run: Path) -> bool:
    """Tell whether a run folder holds samples of this config; what failed before its first sample is in nobody's way.

    Raises:
        InputError: they are of another.
    """
    if not ((run / "config.yaml").is_file() and (run / "samples.jsonl").is_file()):
        return False
    if changed := difference(_as_patient(read_config(BenchConfig, run), config), config, same_place):
        raise InputError(f"{run} holds a run of another config ({changed}): choose another out=, or delete it")
    return True


def _as_patient(before: BenchConfig, now: BenchConfig) -> BenchConfig:
    """Return a config with another's patience with its server: whoever gave up on one may be more patient."""
    return replace(before, team=replace(before.team, timeout=now.team.timeout, retries=now.team.retries))


@dataclass(kw_only=True, config=STRICT)
class Players:
    """What ``players.json`` holds of who plays in a run folder.

    Attributes:
        weights: hashes of the files they are loaded from, as far as there are any.
        left_out: problems too long for them.
    """

    weights: dict[str, str] = Field(default_factory=dict)
    left_out: list[str] = Field(default_factory=list)


def _same_players(config: BenchConfig, run: Path, *, begun: bool) -> Players:
    """Return who plays, having checked that it is who wrote the samples that are there.

    Raises:
        InputError: the files of a model or checkpoint have changed since.
    """
    path = run / "players.json"
    if not begun or not path.is_file():
        return Players(weights=fingerprints(config.team, config.checkpoint))
    try:
        before = TypeAdapter(Players).validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{path} is damaged ({error.errors()[0]['msg']}): choose another out=, or delete {run}"
        ) from None
    weights = fingerprints(config.team, config.checkpoint, before.weights)
    places = {"checkpoint": config.checkpoint, "model": config.team.model} | {
        f"model of {role}": seat.model for role, seat in config.team.seats.items() if seat.model
    }
    for what, place in places.items():
        if what in weights and before.weights.get(what, weights[what]) != weights[what]:
            raise InputError(
                f"{run} holds samples of other weights: {place} has changed since: choose another out=, or delete {run}"
            )
    return before


def _fitting(
    config: BenchConfig,
    run: Path,
    problems: Sequence[Problem],
    players: Players,
    formatter: Formatter,
    engine: Engine,
    console: Console,
) -> tuple[Problem, ...]:
    """Return the problems that are not too long for the players, and write down who these are."""
    (game,) = make_envs(config.env, config.roles, 1)
    assert isinstance(game.unwrapped, raw_env)
    fit = fitting(
        [problem.task_id for problem in problems],
        game.unwrapped,
        formatter,
        engine,
        max_new_tokens=max(
            of.max_new_tokens for of in sampling_of(config.team, config.roles, config.sampling).values()
        ),
        overlong=config.env.overlong,
        blank=config.blank,
    )
    if fit.left_out:
        console.print(fit.line(), markup=False, highlight=False, soft_wrap=True)
        players.left_out = sorted({*players.left_out, *fit.left_out})
    write_whole(run / "players.json", json.dumps(plain(players), indent=2) + "\n")
    return tuple(problem for problem in problems if problem.task_id in fit.kept)


def choose_problems(config: BenchConfig) -> tuple[Problem, ...]:
    """Return the problems of a run, having checked n, k and names: refused before hours of sampling, not after.

    Raises:
        InputError: some k exceeds n, a name to blank, of an agent or of a reward is unknown, or there is no such set.
    """
    for k in config.k:
        pass_at_k(config.n, 0, k)
    check_blank(config.blank, config.roles)
    check_served(config.team, config.agents)
    check_seats(config.team, config.roles)
    check_read(config.roles, config.env.max_turns)
    check_prompts(config.team.words, config.roles)
    Payment(config.env.reward, config.agents)
    if config.split == "valid":
        _, problems = held_out(load_problems(config.env.problems, "train", config.env.test_problems))
    else:
        problems = list(load_problems(config.env.problems, config.split, config.env.test_problems))
    return tuple(problems[: config.limit or None])


def summarise(config: BenchConfig, rows: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the results of samples ``rows[problem][sample]``."""
    return {
        "method": _method(config) + (" (trained)" if config.checkpoint else ""),
        "feedback": config.env.feedback_in(training=False),
        **of_rows(rows, config.k, config.agents, config.seed),
        "config": plain(config),
        "seed": config.seed,
        "versions": versions(*engine_class(config.team.engine).packages),
    }


def _method(config: BenchConfig) -> str:
    return ", ".join(config.agents) if config.env.roles else config.team.kind


def make_players(config: BenchConfig) -> Team:
    """Load the team that plays, with the weights of its checkpoint if it names one."""
    if not config.checkpoint:
        return make_untrained(config.team, config.roles)
    team = make_team(config.team, config.roles, config.seed)
    load_checkpoint(Path(config.checkpoint), team)
    return team


def _seconds_before(run: Path) -> float:
    """Return how long playing took, where nothing was left to play."""
    try:
        return float(json.loads((run / "results.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):  # cut off between the last sample and the results
        return 0.0


def _finished(run: Path, n: int) -> dict[str, list[dict[str, Any]]]:
    """Return the problems whose n samples are saved; a problem cut off half way is played again."""
    rows: dict[str, list[dict[str, Any]]] = {}
    try:
        saved = read_samples(run / "samples.jsonl")
    except InputError as error:
        raise InputError(f"{error}: delete that line, or the file, or choose another out=") from None
    for row in saved:
        rows.setdefault(row["task_id"], []).append(row)
    return {task_id: of_task for task_id, of_task in rows.items() if len(of_task) == n}


def _missing(problems: Sequence[Problem], rows: Mapping[str, Any]) -> list[Problem]:
    return [problem for problem in problems if problem.task_id not in rows]


def _write_rows(path: Path, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    write_whole(path, "".join(json_line(row) for group in rows.values() for row in group))


if __name__ == "__main__":
    from codeduet.cli import main

    main(["bench", *sys.argv[1:]])
