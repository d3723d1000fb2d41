"""Which system calls are left: an allowlist for the zygote, and fewer still for a program.

Filters are classic BPF over ``struct seccomp_data`` (linux/seccomp.h). What is not allowed fails with EPERM, so that
Python raises PermissionError and a program that merely tries goes on.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable

from codeduet.envs.execution.jail.kernel import AUDIT_ARCH, CLONE_THREAD, NUMBERS, UnsupportedError, prepared

_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_DENY = _ERROR | errno.EPERM
_NO_SUCH_CALL = _ERROR | errno.ENOSYS

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCH = 0, 4
_MSG_OOB = 1

_PLAIN = [
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "close",
    "close_range",
    "lseek",
    "open",
    "openat",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "chdir",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "mmap",
    "mprotect",
    "munmap",
    "mremap",
    "brk",
    "madvise",
    "mincore",
    "futex",
    "sched_yield",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sigaltstack",
    "pause",
    "alarm",
    "setitimer",
    "getitimer",
    "exit",
    "exit_group",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "getrusage",
    "getrandom",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "uname",
    "sysinfo",
    "getrlimit",
    "set_robust_list",
    "set_tid_address",
    "rseq",
    "membarrier",
    "restart_syscall",
    "umask",
    "shutdown",
    "getsockname",
    "fsync",
]
_ZYGOTE_ONLY = ["fork", "vfork", "wait4", "kill", "tgkill", "prctl", "seccomp"]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _argument(index: int) -> int:
    """Return the place of a call's argument in the data: its low half, which is all of an int."""
    return 16 + 8 * index


def _one_of(index: int, values: Iterable[int], mask: int = 0xFFFFFFFF) -> bytes:
    """Allow the call if its argument, masked, is one of ``values``."""
    values = list(values)
    code = _instruction(_LOAD, _argument(index)) + _instruction(_AND, mask)
    for position, value in enumerate(values):
        code += _instruction(_EQUAL, value, if_true=len(values) - position)
    return code + _instruction(_RETURN, _DENY) + _instruction(_RETURN, _ALLOW)


def _both(index: int, value: int, code: bytes) -> bytes:
    """Run ``code`` if an argument has ``value``; deny the call if not."""
    return (
        _instruction(_LOAD, _argument(index))
        + _instruction(_EQUAL, value, if_true=1)
        + _instruction(_RETURN, _DENY)
        + code
    )


def _is_null(index: int, code: bytes) -> bytes:
    """Run ``code`` if an argument is a null pointer; deny the call if not."""
    return (
        _instruction(_LOAD, _argument(index))
        + _instruction(_EQUAL, 0, if_false=2)
        + _instruction(_LOAD, _argument(index) + 4)
        + _instruction(_EQUAL, 0, if_true=1)
        + _instruction(_RETURN, _DENY)
        + code
    )


def _in_band(index: int) -> bytes:
    """Allow the call if the flags in an argument do not ask for out-of-band data: what a stream holds is its bytes."""
    return (
        _instruction(_LOAD, _argument(index))
        + _instruction(_ANY_BIT, _MSG_OOB, if_false=1)
        + _instruction(_RETURN, _DENY)
        + _instruction(_RETURN, _ALLOW)
    )


def _only_threads() -> bytes:
    return (
        _instruction(_LOAD, _argument(0))
        + _instruction(_ANY_BIT, CLONE_THREAD, if_true=1)
        + _instruction(_RETURN, _DENY)
        + _instruction(_RETURN, _ALLOW)
    )


_CHECKED = {
    "fcntl": _one_of(1, (0, 1, 2, 3, 4, 1030)),  # duplicate, and flags: no owner that a signal would go to, no lock
    "ioctl": _one_of(
        1, (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
    ),  # is a terminal, bytes to read, blocking, close-on-exec
    "prlimit64": _one_of(0, (0,)),  # its own limits, no other process's
    "sched_getaffinity": _one_of(0, (0,)),
    "socketpair": _both(0, 1, _one_of(1, (1, 5), mask=0xF)),  # Unix streams, which send to their other end alone
    "sendto": _is_null(4, _in_band(3)),
    "sendmsg": _in_band(2),
    "recvfrom": _in_band(3),
    "recvmsg": _in_band(2),
    "clone3": _instruction(_RETURN, _NO_SUCH_CALL),  # its flags lie in memory; the C library falls back to clone
    "clone": _instruction(_RETURN, _ALLOW),
}


def zygote_filter() -> bytes:
    """Return the filter a zygote puts on itself: the allowlist, with fork and what it takes to look after a child."""
    actions = {NUMBERS[name]: _instruction(_RETURN, _ALLOW) for name in (*_PLAIN, *_ZYGOTE_ONLY) if name in NUMBERS}
    actions |= {NUMBERS[name]: code for name, code in _CHECKED.items() if name in NUMBERS}
    deny = _instruction(_RETURN, _DENY)
    edges: list[tuple[int, bytes]] = []  # from this number on, this action
    for number in range(max(actions) + 2):
        action = actions.get(number, deny)
        if not edges or edges[-1][1] != action:
            edges.append((number, action))
    return (
        _instruction(_LOAD, _ARCH)
        + _instruction(_EQUAL, AUDIT_ARCH, if_true=1)
        + deny
        + _instruction(_LOAD, _NUMBER)
        + _search(edges)
    )


def _search(edges: list[tuple[int, bytes]]) -> bytes:
    """Return a binary search for the action: the kernel runs a new filter once for every call to cache its answers."""
    if len(edges) == 1:
        return edges[0][1]
    middle = len(edges) // 2
    low, high = _search(edges[:middle]), _search(edges[middle:])
    return _instruction(_AT_LEAST, edges[middle][0], if_true=len(low) // 8) + low + high


def program_filter(own_pid: int) -> bytes:
    """Return the filter a program gets on top: no process of its own, no signal but to itself, no filter, no prctl."""
    itself = _one_of(0, (own_pid,))
    actions = {"clone": _only_threads(), "kill": itself, "tgkill": itself}
    actions |= {name: _instruction(_RETURN, _DENY) for name in ("fork", "vfork", "prctl", "seccomp")}
    code = _instruction(_LOAD, _NUMBER)
    for name, action in actions.items():
        if name in NUMBERS:
            code += _instruction(_EQUAL, NUMBERS[name], if_false=len(action) // 8) + action
    return code + _instruction(_RETURN, _ALLOW)


class Filter:
    """A filter, ready to be installed: building it takes longer than the kernel's part.

    Args:
        code: its instructions.
        blank: an operand that stands for a number which is not known yet; see :meth:`fill`.

    Raises:
        UnsupportedError: this machine's calls are not known.
    """

    def __init__(self, code: bytes, blank: int = -1) -> None:
        if not AUDIT_ARCH:
            raise UnsupportedError("seccomp: the system calls of this machine are not known")
        self._instructions = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._instructions))
        self._program = ctypes.create_string_buffer(header)
        self._call = prepared("seccomp", 1, 0, self._program)

        operands = [(at, *struct.unpack_from("<I", code, at)) for at in range(4, len(code), 8)]
        self._blanks = [ctypes.c_uint32.from_buffer(self._instructions, at) for at, value in operands if value == blank]

    def fill(self, number: int) -> None:
        """Put ``number`` in the place of ``blank``."""
        for place in self._blanks:
            place.value = number

    def install(self) -> None:
        """Put it on this thread and all it starts, for good.

        Raises:
            UnsupportedError: the kernel refuses it.
        """
        self._call()
