"""One process in its cage: what it may touch, and the walls around it.

What can be done beforehand is done in the parent, since between fork and exec only little can go wrong unnoticed.
"""

import os
import re
import resource
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from shared.cage import CageMode, kernel, landlock, seccomp, user
from shared.cage.landlock import DEVICE, READ, WRITE, Access
from shared.cage.network import leave_network

Wall = Literal["landlock", "seccomp", "network", "user"]
"""What a cage is made of; ``network`` is the namespace."""

OPEN_FILES = 1024
"""That a program in the cage may have at the same time."""

_LIBRARIES = (
    *("/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64"),
    *("/usr/local/lib", "/usr/local/lib64"),
)
_SHARED = (
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"),
    *("/etc/fonts", "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/fontconfig", "/var/cache/fontconfig"),
    # How many processors there are, and how they lie to memory.
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
)
_GPU_DEVICES = ("nvidia*", "nvidia-caps/*", "nvhost*", "nvmap", "dxg")
_GPU_FACTS = (
    *("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/proc/sys/vm"),
    *("/sys/bus/pci", "/sys/devices", "/sys/module", "/etc/nvidia", "/usr/share/nvidia", "/usr/lib/wsl"),
)
_PT_INTERP = 3


@dataclass(frozen=True)
class Touches:
    """What one program may touch beyond itself, its libraries and fonts.

    Attributes:
        reads: files, and folders with what is in them.
        writes: files that exist, and folders in which it may make files. It may read them as well.
        gpu: the devices and Unix sockets of NVIDIA's driver.
    """

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    gpu: bool = False


class NoProgram(Exception):
    """What is to be run in the cage is a script, of which nobody knows what it starts. The text says what to do."""


@dataclass(frozen=True)
class Cage:
    """The cage of this machine.

    Attributes:
        walls: those that it has.
        missing: those that it should have as well.
    """

    mode: CageMode
    walls: frozenset[Wall]
    missing: frozenset[Wall] = frozenset()

    def around(self, program: str, touches: Touches | None) -> "Entrance":
        """Make everything ready for one process. May wait for a disk.

        Args:
            program: its path.
            touches: None for a process outside of the cage, which has limits and a network namespace alone.

        Raises:
            OSError: something cannot be looked at.
        """
        if self.mode == "off" or touches is None:
            return Entrance()
        path = Path(shutil.which(program) or program)
        ruleset = landlock.make_ruleset(_rules(path, touches)) if "landlock" in self.walls else None
        return Entrance(
            caged=True,
            own_user="user" in self.walls,
            privileged=_is_privileged(),
            threads_counted_alone="user" in self.walls or (os.geteuid() != 0 and _counts_by_namespace()),
            ruleset=ruleset,
            calls=seccomp.rules(unix_sockets=touches.gpu) if "seccomp" in self.walls else None,
            own_proc=touches.gpu,
        )


@dataclass
class Entrance:
    """What one process passes between fork and exec. To be closed by the parent afterwards."""

    caged: bool = False
    own_user: bool = False
    privileged: bool = False
    ruleset: int | None = None
    calls: seccomp.Rules | None = None
    own_proc: bool = False
    threads_counted_alone: bool = False
    threads: int = field(default_factory=lambda: max(1024, 64 * (os.cpu_count() or 1)))

    def enter(self, on_the_way: Callable[[], None]) -> bool:
        """Between fork and exec: put up the walls; whether there is no network any more.

        Args:
            on_the_way: what a change of user would undo, and the filter of system calls forbids.

        Raises:
            OSError: a wall that should stand does not: nothing may be executed then.
        """
        away = leave_network()
        if self.caged:
            _at_most(resource.RLIMIT_NOFILE, OPEN_FILES)
            if self.threads_counted_alone and away:
                # Elsewhere all threads of that user on the host are counted, those of other containers as well.
                _at_most(resource.RLIMIT_NPROC, self.threads)
            if self.own_user:
                user.become_another()
            elif self.privileged:
                user.drop_privileges()
        on_the_way()
        if self.caged:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            if self.ruleset is not None:
                if self.own_proc:
                    landlock.allow_own_process(self.ruleset)
                landlock.restrict_self(self.ruleset)
            if self.calls:
                self.calls.enforce()
        return away

    def close(self) -> None:
        """To be called when the process runs, or does not."""
        if self.ruleset is not None:
            os.close(self.ruleset)
            self.ruleset = None


def _at_most(kind: int, most: int) -> None:
    """Bound what a process may have, unless less is allowed already."""
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (bound, bound))


def detect(mode: CageMode = "on") -> Cage:
    """The cage as far as can be told without trying it. Whether there are network namespaces shows in each process."""
    walls: set[Wall] = {"network"}
    if landlock.abi():
        walls.add("landlock")
    if seccomp.available():
        walls.add("seccomp")
    if "landlock" in walls and user.can_change_user():
        walls.add("user")
    return Cage(mode, frozenset(walls), lacking(walls))


def lacking(walls: frozenset[Wall] | set[Wall]) -> frozenset[Wall]:
    """What a cage of these walls lacks.

    Without sockets nobody needs a namespace to be kept from the network, as in most containers, which have none. A service that
    is not root needs no other user.
    """
    wanted: set[Wall] = {"landlock", "seccomp"}
    wanted |= {"network"} if "seccomp" not in walls else set()
    wanted |= {"user"} if os.geteuid() == 0 else set()
    return frozenset(wanted - walls)


def all_walls() -> frozenset[Wall]:
    """The walls that this process could have at the most."""
    walls: set[Wall] = {"landlock", "seccomp", "network"}
    return frozenset(walls | {"user"} if os.geteuid() == 0 else walls)


class _Here:
    cage: Cage | None = None


def current() -> Cage:
    """The cage of this process's children: as it was set up, or as it is detected."""
    if _Here.cage is None:
        _Here.cage = detect()
    return _Here.cage


def use(cage: Cage | None) -> None:
    """Have all further children live in this one; None for the one that is detected."""
    _Here.cage = cage


def check_program(program: str) -> None:
    """Raises: NoProgram: it is a script."""
    with Path(program).open("rb") as file:
        if file.read(2) == b"#!":
            raise NoProgram(
                f"{program} is a script, and may start nothing in the cage: name the program itself, or set MILLRACE_CAGE=off"
            )


def _rules(program: Path, touches: Touches) -> Iterator[tuple[Path, Access]]:
    yield program, Access.EXECUTE | Access.READ_FILE
    loader = _loader(program)
    if loader:
        yield loader, Access.EXECUTE | Access.READ_FILE
    for path in _libraries(program):
        yield path, READ
    yield Path("/dev/null"), DEVICE
    if touches.gpu:
        for pattern in _GPU_DEVICES:
            for device in Path("/dev").glob(pattern):
                yield device, DEVICE
        for name in _GPU_FACTS:
            yield Path(name), READ
    for path in touches.reads:
        yield path, READ
    for path in touches.writes:
        yield path, WRITE


@cache
def _libraries(program: Path) -> tuple[Path, ...]:
    """Where libraries and fonts are, once each: many of these folders are links to each other."""
    folders = [*_LIBRARIES, *_SHARED, *filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))]
    if program.parent.name == "bin":
        # One that was built by hand brings its own along: /opt/ffmpeg/bin, /opt/ffmpeg/lib.
        folders += [str(program.parent.with_name(name)) for name in ("lib", "lib64")]
    return tuple(dict.fromkeys(Path(folder).resolve() for folder in folders if Path(folder).exists()))


@cache
def _loader(program: Path) -> Path | None:
    """What loads a program with its libraries, and is executed in its place. None for one without libraries."""
    with program.open("rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return None
        offset, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
        for number in range(count):
            file.seek(offset + number * size)
            kind, _, begin, _, _, length = struct.unpack("<IIQQQQ", file.read(40))
            if kind == _PT_INTERP:
                file.seek(begin)
                return Path(os.fsdecode(file.read(length).rstrip(b"\0")))
    return None


@cache
def _is_privileged() -> bool:
    return user.has_privileges()


@cache
def _counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC counts the processes of a user in its own user namespace alone: since Linux 5.14."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return release is not None and (int(release[1]), int(release[2])) >= (5, 14)
