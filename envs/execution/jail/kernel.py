"""System calls that Python 3.10 has no function for, by ctypes.

A binding (pyseccomp, landlock, pyroute2) would need a C library or a compiler on the user's machine for what is a dozen
calls, so these are made by number; the numbers are the kernel's stable interface.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from typing import Any

_TABLE = """
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 close:3:57 close_range:436:436 lseek:8:62
open:2:- openat:257:56 stat:4:- fstat:5:80 lstat:6:- newfstatat:262:79 statx:332:291 access:21:- faccessat:269:48
faccessat2:439:439 readlink:89:- readlinkat:267:78 getdents64:217:61 getcwd:79:17 chdir:80:49 fcntl:72:25 dup:32:23
dup2:33:- dup3:292:24 pipe:22:- pipe2:293:59 poll:7:- ppoll:271:73 select:23:- pselect6:270:72 epoll_create1:291:20
epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441 eventfd2:290:19 mmap:9:222 mprotect:10:226
munmap:11:215 mremap:25:216 brk:12:214 madvise:28:233 mincore:27:232 futex:202:98 sched_yield:24:124
sched_getaffinity:204:123 sched_get_priority_max:146:125 sched_get_priority_min:147:126 rt_sigaction:13:134
rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigsuspend:130:133 rt_sigtimedwait:128:137
sigaltstack:131:132 pause:34:- alarm:37:- setitimer:38:103 getitimer:36:102 exit:60:93 exit_group:231:94
nanosleep:35:101 clock_nanosleep:230:115 clock_gettime:228:113 clock_getres:229:114 gettimeofday:96:169 time:201:-
times:100:153 getrusage:98:165 getrandom:318:278 getpid:39:172 gettid:186:178 getppid:110:173 getuid:102:174
geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150 getgroups:115:158 uname:63:160
sysinfo:99:179 getrlimit:97:163 set_robust_list:273:99 set_tid_address:218:96 rseq:334:293 membarrier:324:283
restart_syscall:219:128 umask:95:166 socketpair:53:199 sendto:44:206 recvfrom:45:207 recvmsg:47:212 sendmsg:46:211
shutdown:48:210 getsockname:51:204 ioctl:16:29 prlimit64:302:261 clone:56:220 clone3:435:435 fork:57:- vfork:58:-
wait4:61:260 kill:62:129 tkill:200:130 tgkill:234:131 prctl:157:167 seccomp:317:277 capset:126:91 mount:165:40
umount2:166:39 pivot_root:155:41 mount_setattr:442:442 setfsuid:122:151 landlock_create_ruleset:444:444
landlock_add_rule:445:445 landlock_restrict_self:446:446 fsync:74:82
"""
_COLUMN = {"x86_64": 1, "aarch64": 2}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

MACHINE = platform.machine()
AUDIT_ARCH = _AUDIT_ARCH.get(MACHINE, 0)
"""What the kernel calls this machine's system-call table in a seccomp filter; 0 where the table is not known here."""


def _numbers() -> dict[str, int]:
    column = _COLUMN.get(MACHINE)
    rows = [entry.split(":") for entry in _TABLE.split()] if column else []
    return {row[0]: int(row[column]) for row in rows if column and row[column] != "-"}


NUMBERS = _numbers()
"""Name -> number of the system calls spoken of in this package, as far as this machine has them."""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAP_SETUID = 7
_SIGKILL = 9

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_THREAD = 0x00010000

_libc = ctypes.CDLL(None, use_errno=True)


class UnsupportedError(Exception):
    """This machine or its kernel cannot do what an isolation level needs."""


def _checked(name: str, result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise UnsupportedError(f"{name}: {os.strerror(number)}")
    return result


def call(name: str, *arguments: Any) -> int:
    """Make the system call ``name``.

    Raises:
        UnsupportedError: it fails, or this machine's number is not known.
    """
    return prepared(name, *arguments)()


def prepared(name: str, *arguments: Any) -> Callable[[], int]:
    """Return a function that makes the system call ``name`` with these arguments: what can be done before is done."""
    if name not in NUMBERS:
        raise UnsupportedError(f"{name}: unknown on {MACHINE}")
    number, words = NUMBERS[name], [_word(argument) for argument in arguments]
    return lambda: _checked(name, _libc.syscall(number, *words))


def _word(argument: Any) -> Any:
    # A variadic call would pass a bare int as 32 bits.
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def prctl(option: int, *arguments: int) -> None:
    """Make the system call ``prctl``."""
    padded = (option, *arguments, 0, 0, 0, 0)[:5]
    _checked(f"prctl({option})", _libc.prctl(*map(ctypes.c_ulong, padded)))


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    prctl(PR_SET_PDEATHSIG, _SIGKILL)


def drop_capabilities() -> None:
    """Give up every capability for good: in the sets of this process, and in what it could regain."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except UnsupportedError:  # past the kernel's last, or not allowed to, which leaves nothing to regain either
            break
    try:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    except UnsupportedError:
        pass
    set_capabilities(0)


def set_capabilities(bits: int) -> None:
    """Hold the capabilities ``bits`` (of the first 32) and no other, permitted and effective."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(bits, bits)))


def hide() -> None:
    """Close this process and its forks to processes of the same user: memory, descriptors, all of /proc/PID."""
    prctl(PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """No program this process starts can gain rights it does not have; seccomp and Landlock ask for it."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
