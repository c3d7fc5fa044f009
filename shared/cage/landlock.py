"""Landlock: which files a process may touch, by the folders that they lie in (Linux 5.13 and newer).

Numbers and structures are those of linux/landlock.h. Each version (ABI) of Landlock knows more accesses than the one before;
what this kernel does not know is left out, since it would refuse all of it. See https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from enum import IntFlag
from functools import cache
from pathlib import Path

from shared.cage import kernel

# The same on all processors, as are all system calls since Linux 5.1.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
# Of processes outside: their abstract Unix sockets, and themselves as targets of signals. TCP ports: to bind and to connect to.
_SCOPES = 0b11
_TCP = 0b11


class Access(IntFlag):
    """What may be done with a file or in a folder."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    MAKE_REG = 1 << 8
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
WRITE = READ | Access.WRITE_FILE | Access.TRUNCATE | Access.MAKE_REG
"""Make files in a folder and fill them; nothing else is made there, and nothing removed or renamed."""
DEVICE = Access.READ_FILE | Access.WRITE_FILE | Access.IOCTL_DEV

_OF_FILES = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
# How many accesses the versions know: 13 from the beginning, then links across folders, truncating, and ioctl on devices.
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@cache
def abi() -> int:
    """The version that this kernel has, 0 where it has none, or forbids to use it."""
    try:
        return kernel.syscall(_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def make_ruleset(rules: Iterable[tuple[Path, Access]]) -> int:
    """A file descriptor of what these rules allow; everything else is forbidden that Landlock knows of.

    Args:
        rules: files, and folders with all that is in them. What does not exist or cannot be reached is left out.

    Raises:
        OSError: the kernel refuses; one of the paths may not be opened.
    """
    version = abi()
    handled = (1 << _KNOWN[min(version, max(_KNOWN))]) - 1
    attributes = _Attributes(handled, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    # A kernel takes a structure that it knows less of, as long as the rest is zero.
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.addressof(attributes), ctypes.sizeof(attributes), 0)
    try:
        for path, access in rules:
            # What this process cannot get to either is nothing to allow.
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, access & handled)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _allow(ruleset: int, path: Path, access: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        rule = _Beneath(access, place)
        kernel.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.addressof(rule), 0)
    finally:
        os.close(place)


def allow_own_process(ruleset: int) -> None:
    """Between fork and exec: also allow what ``/proc`` tells of this process. It is nobody's path before it exists."""
    _allow(ruleset, Path("/proc/self"), READ)


def restrict_self(ruleset: int) -> None:
    """Hold this process, and all that come of it, to a ruleset. It must not be able to gain privileges any more."""
    kernel.syscall(_RESTRICT_SELF, ruleset, 0)
