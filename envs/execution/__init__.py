"""The verdict: run a program against its problem's tests and say what it earned.

Threat model of this first version.

Covered: a program that crashes, exits, loops, sleeps, prints, recurses, asks for memory, starts processes or threads,
or redefines what the prompt defined. It runs in its own session with limits on CPU time, wall-clock time, address
space and file size, with no environment, empty standard input and no output; its process group is killed with it.

Packages from outside the standard library cannot be imported (numpy neither): programs are judged by the language.

Not covered: a program that attacks. The tests run in the judged process, so code that goes looking can read them, patch
them or write verdicts; it runs as the caller's user, with the caller's file system and network. Judge only code you
would run yourself, or run the whole caller inside a container.
"""

from codeduet.envs.execution.executor import Executor, Isolation, shared_executor
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import Outcome, Structure, Unit
from codeduet.envs.execution.worker import Program

__all__ = [
    "Executor",
    "Isolation",
    "IsolationError",
    "LimitName",
    "Limits",
    "Outcome",
    "Program",
    "Structure",
    "Unit",
    "shared_executor",
]
