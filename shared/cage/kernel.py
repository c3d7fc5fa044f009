"""Calls of the kernel that Python has no words for, ready for use between fork and exec."""

import ctypes
import errno
import os
import platform


def _missing(*_: object) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Looked up beforehand, since a child between fork and exec should do little. Other systems have no such names, and no service
# starts there; what only imports this module may.
_syscall, _prctl, _unshare = (getattr(_libc, name, _missing) for name in ("syscall", "prctl", "unshare"))

MACHINE = platform.machine()
"""The processor as ``uname`` names it: x86_64, aarch64."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 28, 38, 47


def syscall(number: int, *arguments: "int | ctypes.c_void_p") -> int:
    """Call the kernel.

    Raises:
        OSError: it refuses.
    """
    result = int(_syscall(ctypes.c_long(number), *(ctypes.c_void_p(a) if isinstance(a, int) else a for a in arguments)))
    return _checked(result)


def prctl(option: int, *arguments: int) -> int:
    """Raises: OSError: the kernel refuses."""
    given = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(int(_prctl(option, *(ctypes.c_ulong(argument) for argument in given))))


def unshare(flags: int) -> bool:
    """Enter new namespaces; whether the kernel lets us."""
    return bool(_unshare(flags) == 0)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
