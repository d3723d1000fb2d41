"""``codeduet doctor``: what isolation this machine gives, and whether problems' own references pass their tests in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codeduet.benchmarks.plans import problem_lines
from codeduet.envs import Executor, load_problems
from codeduet.envs.execution.doctor import describe_machine, examine, unsolved_references


def check_up(problems: str | None, packages: Sequence[str], say: Callable[[str], None]) -> bool:
    """Say what isolation this machine gives programs that are judged; return whether all is well.

    Args:
        problems: a problem set whose references are judged too, or None.
        packages: that programs may import.
        say: gets the lines.

    Raises:
        InputError: there is no such problem set.
    """
    loaded = load_problems(problems) if problems else ()
    for line in problem_lines(problems or ""):
        say(line)
    for fact, value in describe_machine().items():
        say(f"{fact}: {value}")
    levels = examine()
    for level in levels:
        say(f"{level.name}: {'works' if level.works else 'DOES NOT WORK'} ({level.detail})\n    {level.meaning}")
    best = next(level for level in levels if level.works)
    if best.name == "process":
        say("no jail can be closed here: programs are refused unless isolation 'process' is asked for by name")
        return False
    say(f"programs are judged with isolation {best.name!r}; its self-test passes")
    if not loaded:
        return True
    with Executor(packages=packages) as executor:
        unsolved = unsolved_references(loaded, executor)
    for task_id, outcome in unsolved.items():
        say(f"{task_id}: its reference passes {outcome.passed} of {outcome.total} tests. {outcome.error}")
    say(f"{len(unsolved)} of {len(loaded)} problems have a reference that is not solved")
    return not unsolved
