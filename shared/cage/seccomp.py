"""Which system calls a process may make: a program of classic BPF for seccomp.

What is dangerous is forbidden by name, and so is whatever is newer than the list. The other way round, what is allowed by name,
would have to know every encoder, driver and C library that an ffmpeg may be built with. See
https://docs.kernel.org/userspace-api/seccomp_filter.html for the mechanism.
"""

import ctypes
import errno
import os
from collections.abc import Iterable, Sequence
from functools import cache

from shared.cage import kernel, syscalls

_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_SECCOMP_SET_MODE_FILTER, _SECCOMP_GET_ACTION_AVAIL = 1, 2
# Without it, kernels before 5.16 slow the process down against an attack that has to run code in it in the first place.
_SPEC_ALLOW = 1 << 2

_RET_KILL_PROCESS, _RET_ERRNO, _RET_ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
_ALLOW, _REFUSE, _UNKNOWN = _RET_ALLOW, _RET_ERRNO | errno.EPERM, _RET_ERRNO | errno.ENOSYS

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
# A bit in the numbers of x32, a second table of system calls on x86-64.
_X32 = 0x4000_0000

_AF_UNIX = 1
_CLONE_THREAD = 0x0001_0000
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_CLONE_NEW = 0x7E02_0000
# What would let it outlive its worker, or name who may look into it.
_PR_SET_PDEATHSIG, _PR_SET_PTRACER = 1, 0x5961_6D61
# Of the signal that says that the time of processors is used up, ffmpeg would make an ordinary end.
_SIGXCPU = 24
# Typing into a terminal.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# In which argument these calls name a process; only 0 and the caller itself will do. As threads have ids of the same kind, a
# process may not name its further ones either.
_NAMES_A_PROCESS = {
    **dict.fromkeys(("kill", "tkill", "tgkill", "prlimit64"), 0),
    **dict.fromkeys(("sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity"), 0),
    **dict.fromkeys(("setpriority", "ioprio_set"), 1),
}

# Stands for the id of the process itself, which is known when there is one. No process has it.
_OWN_PID = 0x7FFF_FFFF

_Instruction = tuple[int, int, int, int]


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filters", ctypes.c_void_p))


@cache
def available() -> bool:
    """Whether this kernel has it, on a processor that is known here."""
    if kernel.MACHINE not in _ARCHITECTURES:
        return False
    action = ctypes.c_uint32(_RET_KILL_PROCESS)
    try:
        kernel.syscall(_own_number(), _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.addressof(action))
    except OSError:
        return False
    return True


class Rules:
    """The program, in memory, ready to be put in force between fork and exec.

    Args:
        unix_sockets: allow Unix sockets, which drivers of GPUs use among their own threads.
    """

    def __init__(self, *, unix_sockets: bool) -> None:
        program = assemble(kernel.MACHINE, unix_sockets=unix_sockets)
        self._filters = (_Filter * len(program))(*(_Filter(*one) for one in program))
        self._own = [place for place, (code, _, _, value) in enumerate(program) if (code, value) == (_EQUAL, _OWN_PID)]
        self._program = _Program(len(program), ctypes.addressof(self._filters))

    def enforce(self) -> None:
        """Hold this process, and all that come of it, to them. It must not be able to gain privileges any more.

        Raises:
            OSError: the kernel refuses.
        """
        for place in self._own:
            self._filters[place].k = os.getpid()
        kernel.syscall(_own_number(), _SECCOMP_SET_MODE_FILTER, _SPEC_ALLOW, ctypes.addressof(self._program))


@cache
def rules(*, unix_sockets: bool) -> Rules:
    """The same ones for all processes: in a child there is a copy of them to write its id into."""
    return Rules(unix_sockets=unix_sockets)


def assemble(machine: str, *, unix_sockets: bool) -> Sequence[_Instruction]:
    """The instructions for a processor. Pure; the id of the process itself is left open."""
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _RET_KILL_PROCESS)]
    program += [(_AT_LEAST, 0, 1, syscalls.NEWER), (_RETURN, 0, 0, _UNKNOWN)]
    for name, argument in _NAMES_A_PROCESS.items():
        program += _case(name, machine, [*_argument(argument), *_one_of(0, _OWN_PID)])
    no_namespace = [(_ANY_BIT, 0, 1, _CLONE_NEW), (_RETURN, 0, 0, _REFUSE)]
    a_thread = [(_ANY_BIT, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    program += _case("clone", machine, [*_argument(0), *no_namespace, *a_thread])
    # Its flags lie in memory, where no filter can look. C libraries go back to the older call.
    program += _case("clone3", machine, [(_RETURN, 0, 0, _UNKNOWN)])
    program += _case("prctl", machine, [*_argument(0), *_none_of(_PR_SET_PDEATHSIG, _PR_SET_PTRACER)])
    program += _case("rt_sigaction", machine, [*_argument(0), *_none_of(_SIGXCPU)])
    program += _case("ioctl", machine, [*_argument(1), *_none_of(_TIOCSTI, _TIOCLINUX)])
    forbidden = set(syscalls.FORBIDDEN)
    if unix_sockets:
        program += _case("socket", machine, [*_argument(0), *_one_of(_AF_UNIX)])
        forbidden -= {"socket", "socketpair"}
    for first, last in _runs(sorted(_numbers(forbidden, machine))):
        program += [(_AT_LEAST, 0, 2, first), (_AT_LEAST, 1, 0, last + 1), (_RETURN, 0, 0, _REFUSE)]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _case(name: str, machine: str, then: Sequence[_Instruction]) -> list[_Instruction]:
    """What is done about one call; it has to end with a return. Other calls go past it with their number still loaded."""
    number = syscalls.number(name, machine)
    return [] if number is None else [(_EQUAL, 0, len(then), number), *then]


def _argument(index: int) -> list[_Instruction]:
    """Load the lower half of an argument, all that the kernel heeds of ids and flags. Both processors are little-endian."""
    return [(_LOAD, 0, 0, _FIRST_ARGUMENT + 8 * index)]


def _one_of(*values: int) -> list[_Instruction]:
    """Allow where the loaded argument is one of these, else refuse."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]


def _none_of(*values: int) -> list[_Instruction]:
    """Refuse where the loaded argument is one of these, else allow."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]


def _numbers(names: Iterable[str], machine: str) -> list[int]:
    return [number for name in names if (number := syscalls.number(name, machine)) is not None]


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs of adjacent ones, first and last of each."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _own_number() -> int:
    return syscalls.SECCOMP[syscalls.PROCESSORS.index(kernel.MACHINE)]
