"""The self-test of a jail: a program that tries what must fail. A jail that lets it through is not used."""

from __future__ import annotations

from codeduet.envs.execution.jailer import IsolationError, Jail
from codeduet.envs.execution.reading import decode
from codeduet.envs.execution.values import encode, join
from codeduet.envs.execution.wire import ClosedError

_PROGRAM = """
import os, socket, threading

def attempt(name, action, found):
    try:
        action()
    except OSError:
        return
    found.append(name)

def probe(own_file, pid):
    import decimal, json, typing
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    found = []
    if pid is None:
        return found
    attempt("read a file", lambda: open(own_file).read(1), found)
    attempt("list a folder", lambda: os.listdir(os.path.dirname(own_file)), found)
    attempt("write a file", lambda: open("/tmp/codeduet-probe", "x"), found)
    attempt("make a folder", lambda: os.mkdir("/tmp/codeduet-probe-folder"), found)
    attempt("open a socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), found)
    attempt("signal a process", lambda: os.kill(pid, 0), found)
    attempt("start a program", lambda: os.execv("/bin/sh", ["sh", "-c", "exit 1"]), found)
    attempt("read the environment", lambda: open("/proc/self/environ").read(1), found)
    attempt("start a process", lambda: os.fork() or os._exit(0), found)
    if os.geteuid() == 0 or os.getegid() == 0:
        found.append("be root")
    return found
"""


def self_test(jail: Jail, jailed: bool) -> None:
    """Run the probe.

    Args:
        jail: the jail to try.
        jailed: it is meant to hold; if not, the test only shows that programs run.

    Raises:
        IsolationError: it could do something, or did not run.
    """
    job = ["self-test", [], "", [("probe", _PROGRAM)], "probe", "", False]
    arguments = (__file__, jail.process.pid if jailed else None)
    found: list[str] = []
    error: object = "it ended early"
    with jail.fork() as conversation:
        try:
            conversation.send(encode(job))
            conversation.receive()
            kind, *error = decode(conversation.receive())
            if kind == "loaded":
                conversation.send(join([encode((arguments, {}))]))
                message = conversation.receive()
                error = "it raises"
                if message[:1] == b"=":
                    error, found = "", decode(message[1:])
        except ClosedError:
            pass
    if error:
        raise IsolationError(
            f"the self-test does not run ({error}); the interpreter's standard library may be unreadable"
        )
    if found:
        raise IsolationError(f"the self-test could {', '.join(found)}")
