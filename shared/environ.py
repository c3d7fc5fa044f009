"""Secrets leave the environment of a process once it has read them.

What a process was started with stays readable in ``/proc/<pid>/environ`` for as long as it lives: that file shows the memory
that the kernel has laid the variables in, whatever the process does with its variables afterwards. So they are moved
elsewhere, and that memory is wiped.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_PR_SET_DUMPABLE = 4
# Fields of /proc/<pid>/stat, counted from the one behind the command's name: where that memory begins and ends.
_ENV_START, _ENV_END = 47, 48

_libc = ctypes.CDLL(None, use_errno=True)


def keep_secrets(names: Iterable[str]) -> None:
    """Remove variables from the environment, wipe what ``/proc`` shows of all of it, and let nobody read this process's memory.

    The other variables keep their values, and are passed on to children as before. From then on this process dumps no core,
    and only root can attach a debugger to it or open its ``environ``, ``mem`` or ``maps``.

    Args:
        names: variables that have been read, and hold secrets.
    """
    for name in names:
        os.environ.pop(name, None)
    # Among the others may be secrets as well, such as keys of S3 or what else stands in an env file. Setting a variable has
    # the C library keep it in memory of its own, and nothing refers to the old place any more.
    for name, value in list(os.environ.items()):
        os.environ[name] = value
    begin, end = _initial_environment()
    if end > begin:
        ctypes.memset(begin, 0, end - begin)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _initial_environment() -> tuple[int, int]:
    """Addresses of the memory behind ``/proc/self/environ``; both are 0 where the kernel does not tell them."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[_ENV_START]), int(fields[_ENV_END])
