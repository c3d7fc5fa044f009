"""A user of its own for a process that root starts.

The user is one that owns nothing and that nobody else is: another for each process, by its id, out of a range that no
distribution and no container uses. It keeps one privilege, to pass by the permissions of files (``CAP_DAC_OVERRIDE``), so that it
gets to folders that only root may enter, and can write into one of them. So it is only for a process that Landlock holds,
which decides instead. Everything else that root may do it may not: signals, other processes' memory, devices, owners of files.
"""

import ctypes
import os
from pathlib import Path

from shared.cage import kernel

# Between the ranges of systemd's list https://systemd.io/UIDS-GIDS, and below what is no signed number of 32 bits.
_FIRST_UID = 0x7000_0000
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID, _CAP_SETPCAP = 1, 6, 7, 8
_AMBIENT_RAISE, _AMBIENT_CLEAR = 2, 4
# To be root is to have no privileges, for good.
_NO_ROOT, _NO_ROOT_LOCKED = 1 << 0, 1 << 1
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


# Laid out beforehand, and not between fork and exec.
_HEADER = _Header(_VERSION_3, 0)
_THE_ONE = (_Sets * 2)(_Sets(*[1 << _CAP_DAC_OVERRIDE] * 3))
_NONE = (_Sets * 2)()


def has_privileges() -> bool:
    """Whether this process is root with privileges that it may lose; in a container it may be root without."""
    return os.geteuid() == 0 and kernel.MACHINE in _CAPSET and bool(_effective() & 1 << _CAP_SETPCAP)


def can_change_user() -> bool:
    """Whether this process is root with what it takes."""
    needed = sum(1 << bit for bit in (_CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID, _CAP_SETPCAP))
    return os.geteuid() == 0 and kernel.MACHINE in _CAPSET and _effective() & needed == needed


def become_another() -> None:
    """Between fork and exec: be another user, and keep the one privilege. No new ones are given to a process of the cage.

    Raises:
        OSError: the kernel refuses; such a user may not exist in this user namespace.
    """
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    uid = _FIRST_UID + os.getpid()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(_THE_ONE)
    kernel.prctl(kernel.PR_CAP_AMBIENT, _AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def drop_privileges() -> None:
    """Between fork and exec: stay who we are, and lose all privileges, also those that an exec by root would give again."""
    kernel.prctl(kernel.PR_SET_SECUREBITS, _NO_ROOT | _NO_ROOT_LOCKED)
    kernel.prctl(kernel.PR_CAP_AMBIENT, _AMBIENT_CLEAR)
    _set_capabilities(_NONE)


def _set_capabilities(sets: "ctypes.Array[_Sets]") -> None:
    kernel.syscall(_CAPSET[kernel.MACHINE], ctypes.addressof(_HEADER), ctypes.addressof(sets))


def _effective() -> int:
    for line in Path("/proc/thread-self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
