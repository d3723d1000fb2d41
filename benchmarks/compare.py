"""Two systems or more on the same problems: paired differences, their intervals and tests.

    codeduet compare runs/single runs/team judged.jsonl --out comparison

Of each run folder or judged file the counts of each problem are taken; problems that not all have are left out. A
difference is that of pass@k, problem by problem, with its 95 % bootstrap interval over problems. At k = 1 an exact sign
test tells whether one system solves a problem more often than the other on more problems than chance would have it, and
Holm's method adjusts the p-values of several.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from codeduet.benchmarks.budgets import by_budget
from codeduet.benchmarks.estimators import Interval, bootstrap_mean, holm, paired_difference, pass_at_k, sign_test
from codeduet.benchmarks.samples import KS
from codeduet.envs import InputError
from codeduet.envs.problems import numbered_rows
from codeduet.files import read_run_rows


class Difference(NamedTuple):
    """One system less another.

    Attributes:
        system: name of the first.
        other: name of the second.
        of_k: k -> paired difference of pass@k.
        wins: problems that the first solves more often, at k = 1.
        losses: problems that it solves less often.
        ties: the others.
        p: of the exact sign test, two-sided.
        p_holm: adjusted for all differences of the comparison.
    """

    system: str
    other: str
    of_k: dict[int, Interval]
    wins: int
    losses: int
    ties: int
    p: float
    p_holm: float


class Comparison(NamedTuple):
    """What is told of several systems.

    Attributes:
        problems: how many they are compared on.
        systems: name -> k -> pass@k on those problems.
        samples: name -> fewest samples of a problem.
        differences: each later system less each earlier one.
        notes: lines on what was left out, and at what budgets is compared.
    """

    problems: int
    systems: dict[str, dict[int, Interval]]
    samples: dict[str, int]
    differences: list[Difference]
    notes: list[str]


def compare(results: Mapping[str, Mapping[str, Any]], *, ks: Sequence[int] = (), seed: int = 0) -> Comparison:
    """Compare systems on the problems that all of them have.

    Args:
        results: name -> results, whose ``problems`` hold n and the correct of each.
        ks: the k of pass@k; by default 1, 3, 5 and 10, as far as there are samples.
        seed: of the bootstrap.

    Raises:
        InputError: there are fewer than two systems, no problem in common, or too few samples for some k.
    """
    if len(results) < 2:
        raise InputError("a comparison needs two systems: name two run folders or judged files")
    common = [
        task
        for task in next(iter(results.values()))["problems"]
        if all(task in result["problems"] for result in results.values())
    ]
    if not common:
        raise InputError(f"{' and '.join(results)} have no problem in common")
    shared: dict[str, dict[str, Any]] = {
        name: {**result, "problems": {task: result["problems"][task] for task in common}}
        for name, result in results.items()
    }
    samples = {name: min(counts["n"] for counts in result["problems"].values()) for name, result in shared.items()}
    chosen = list(ks) or [k for k in KS if k <= min(samples.values())]
    systems = {
        name: {
            k: bootstrap_mean(
                [pass_at_k(counts["n"], counts["correct"], k) for counts in result["problems"].values()],
                seed=seed,
                within=(0.0, 1.0),
            )
            for k in chosen
        }
        for name, result in shared.items()
    }
    found = [_difference(a, shared[a], b, shared[b], chosen, seed) for b, a in combinations(shared, 2)]
    adjusted = holm([difference.p for difference in found])
    differences = [difference._replace(p_holm=p) for difference, p in zip(found, adjusted, strict=True)]
    return Comparison(len(common), systems, samples, differences, _notes(results, len(common)))


def _difference(
    a: str, of_a: Mapping[str, Any], b: str, of_b: Mapping[str, Any], ks: Sequence[int], seed: int
) -> Difference:
    pairs = [(of_a["problems"][task], of_b["problems"][task]) for task in of_a["problems"]]
    # Shares as whole numbers: of equal ones no rounding makes a winner.
    leads = [mine["correct"] * theirs["n"] - theirs["correct"] * mine["n"] for mine, theirs in pairs]
    wins, losses = sum(lead > 0 for lead in leads), sum(lead < 0 for lead in leads)
    p = sign_test(wins, losses)
    of_k = {k: paired_difference(of_a, of_b, k, seed) for k in ks}
    return Difference(a, b, of_k, wins, losses, len(pairs) - wins - losses, p, p)


def _notes(results: Mapping[str, Mapping[str, Any]], common: int) -> list[str]:
    notes = [
        f"{name}: {len(result['problems']) - common} of {len(result['problems'])} problems are not in all systems and left out"
        for name, result in results.items()
        if len(result["problems"]) > common
    ]
    titles = [f"{title}: {', '.join(names)}" for title, names in by_budget(results) if title]
    return [*notes, *titles]


def read_systems(places: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return results by name, the shortest that tells each place from the others.

    Args:
        places: run folders of ``bench`` or ``eval``, their ``results.json``, or files of judged samples.

    Raises:
        InputError: a place is named twice, or holds no results.
    """
    paths = [place.expanduser().resolve() for place in places]
    bare = [
        path.with_name(path.name.removesuffix(".results.json").removesuffix(".gz").removesuffix(".jsonl"))
        for path in paths
    ]
    return {_name(path, bare): _read_system(place) for place, path in zip(places, bare, strict=True)}


def _name(path: Path, others: Sequence[Path]) -> str:
    for length in range(1, len(path.parts)):
        if sum(other.parts[-length:] == path.parts[-length:] for other in others) == 1:
            return "/".join(path.parts[-length:])
    raise InputError(f"{path} is named twice: a comparison with itself tells nothing")


def _read_system(place: Path) -> dict[str, Any]:
    if place.is_dir():
        file = place / "results.json"
        if not file.is_file():
            deeper = sorted(path.parent.relative_to(place) for path in place.rglob("results.json"))
            hint = f"; {', '.join(map(str, deeper[:5]))} below it has" if deeper else ""
            raise InputError(f"{place} holds no results.json{hint}: name the folder of a finished bench or eval")
        return read_results(file)
    if not place.is_file():
        raise InputError(f"no run folder and no file {place}")
    return read_results(place) if place.suffix == ".json" else _count(place)


def read_results(file: Path) -> dict[str, Any]:
    """Read what a benchmark or ``judge`` has written.

    Raises:
        InputError: it is no such file.
    """
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    problems = results.get("problems") if isinstance(results, dict) else None
    if not isinstance(problems, dict) or not problems or not all(map(_is_count, problems.values())):
        hint = ""
        if isinstance(results, dict) and "rows" in results:
            hint = f": name the folders of its rows, such as {file.parent / next(iter(results['rows']), 'magrpo') / 'samples'}"
        raise InputError(f"{file} holds no counts of problems{hint}")
    return {**results, "problems": {task: counts for task, counts in problems.items() if counts["n"]}}


def _is_count(counts: Any) -> bool:
    if not isinstance(counts, dict):
        return False
    n, correct = counts.get("n"), counts.get("correct")
    return isinstance(n, int) and isinstance(correct, int) and 0 <= correct <= n


def _count(file: Path) -> dict[str, Any]:
    """Return the counts of a file of judged samples."""
    problems: dict[str, dict[str, int]] = {}
    packed = file.suffix == ".gz"
    for number, row in numbered_rows(file) if packed else enumerate(read_run_rows(file), start=1):
        if not isinstance(row.get("task_id"), str) or "passed" not in row:
            raise InputError(
                f"{file} line {number} has no verdict: codeduet judge {file} --out judged.jsonl makes a file that has"
            )
        if row["passed"] is None:  # the machine failed, which says nothing of the program
            continue
        counts = problems.setdefault(row["task_id"], {"n": 0, "correct": 0})
        counts["n"] += 1
        counts["correct"] += bool(row["passed"])
    if not problems:
        raise InputError(f"{file} holds no judged sample")
    return {"problems": problems}
