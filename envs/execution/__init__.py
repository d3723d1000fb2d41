"""The verdict: run a program against its problem's tests and say what it earned.

The caller hands programs as text to **evaluators**, trusted processes that hold the tests. An evaluator has a **zygote**,
a bare interpreter in a jail that is closed once, and has a **child** forked from it for every program. The child parses,
loads and calls the program; all it knows are its own source and, once it has loaded, the arguments of the calls; all it
can send are return values, as tagged data. The evaluator replays the tests on those values.

Covered, at the isolation levels ``namespaces`` (with Landlock and seccomp) and ``landlock`` (with seccomp):

* Forging. The judged process has no test, no expected value and no channel for a verdict. What it sends is compared by
  the evaluator's own code and types: an object that claims to equal everything is equal to nothing, and a subclass is
  reduced to its content. What passes a limit, or cannot be described, raises in the tests, and fails the test that met it
  whatever that catches; where it was swallowed outside of any test, all that come later. Bytes that are no answer end the program, and no worker: every message is read under limits of
  bytes, objects and depth, and whatever reading it raises is that program's error. A program cannot reach into the next:
  each has a fresh process and open files of its own, and its source never passes through the zygote.
* Reading. The standard library and system libraries without installed packages (a data set may be among them), time
  zones, locales and ``/dev/null``; no other file, no environment, no other process's memory.
* Writing. ``/dev/null``. No file, no shared memory, no output of the caller's.
* Reaching out. No socket but pairs of streams within the program, no signal but to itself, no process, no program, no
  device, no kernel interface outside a short list; at most 64 threads as root (each jail has a user of its own), and
  512 more than there were otherwise.
* Exhaustion. Processor and wall-clock time, memory, open files, length of the source, and bytes, objects and depth of a
  return value have limits, each with an outcome of its own (``Outcome.limit``); the evaluator's own time for comparing
  values, and its memory, too. The zygote's clock enforces time, so nothing the program does to its own signals or timers matters.
* The same program gets the same verdict: text is hashed alike, and the random numbers of the tests and of the program
  are seeded alike. The tests' seed is drawn from their text, which the program does not have.

Not covered:

* Kernel bugs. All programs share the machine's kernel; a virtual machine around the caller closes that.
* Side channels: caches, timing, load.
* A program that knows the answers, because its author has seen the tests.
* At the level ``landlock``: existence, size and date of a file can be looked up by exact path (not listed, not read),
  and process numbers are visible. At the level ``process``: everything but the limits and the forging.
* What a program says of itself: the class of its errors, that memory or descriptors ran out, that it loaded. It can only
  claim ``runnable`` falsely where it also could have loaded.
* Verdicts that hang on wall-clock time, addresses of objects (``id``, and the order of sets of plain objects), process
  numbers or true randomness (``os.urandom``, ``secrets``).
* Tests that need more than values and what a call does to its arguments. Values are told in ``values``: plain data, the
  wrappers of the standard library, exceptions, iterators, and instances of classes that the prompt defines, which may be
  chained at any length. Outside are tests that pass functions of their own to the target, call a function that it returns,
  look into an object of the program's own class (its attributes, its ``==``, its ``str``), send values into a generator,
  expect an argument to change after its call has returned or to be the same object in two calls, expect a rest in an
  iterator that they pass (it is read to its end before the call), are given one of numpy's masked arrays or one whose
  items have fields, or read the program's source, its output or its module. Such a test fails for every program;
  ``codeduet doctor --problems FILE`` finds the problems whose own reference is not solved. Calls that hang on earlier
  answers may cost a program its limits twice.
* When an iterator is asked: its first items are made as the call returns, the others when the tests want them. A
  defaultdict's own factory is called once as it is returned, and stands for itself by what it made.
* Scripts that need more than standard input and output, by name or by number: a path such as ``/dev/stdin``, a file, a
  process of their own, or ``os._exit``, which ends the process that reads the other inputs too. Modules that a script
  imports are loaded once for all its inputs. A thread's stack is at most a quarter of the memory.
* A subclass's own behaviour: it is reduced to the type of the standard library that it is derived from.

Programs can import packages from outside the standard library where ``Executor(packages=...)`` names them, or where the
problem's own prompt imports them; what only the tests import is there for the tests. numpy arrays and scalars cross as
data with their type; a test's array reaches a program without numpy as lists.
"""

from codeduet.envs.execution.executor import Executor, Isolation, shared_executor
from codeduet.envs.execution.jailer import IsolationError
from codeduet.envs.execution.limits import LimitName, Limits
from codeduet.envs.execution.outcome import PREAMBLE, Outcome
from codeduet.envs.execution.program import Part, Program

__all__ = [
    "PREAMBLE",
    "Executor",
    "Isolation",
    "IsolationError",
    "LimitName",
    "Limits",
    "Outcome",
    "Part",
    "Program",
    "shared_executor",
]
