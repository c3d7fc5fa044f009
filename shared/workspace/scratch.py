"""The scratch folder of a host: what its workers need on a disk for as long as they work. It is bounded, and swept.

Layout below the root: ``arrivals/<org>/<job>/``, a source on its way; ``work/<org>/<job>/``, what of a source has been read here,
for all workers of the host, and their attempts. Whoever uses a job's folder has a lock on it, which the kernel takes back with
the process; what nobody uses may be removed at any time.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Literal

from shared.errors import Postponed
from shared.workspace.disk import full_disk_is_transient, inside, remove_unless_locked, size_and_blocks

Room = Literal["arrivals", "work"]
_ROOMS: tuple[Room, ...] = ("arrivals", "work")


class Scratch:
    """A folder that the workers of one host share.

    Args:
        most_bytes: what may be in it at the most.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        self.root = root
        self._most_bytes = most_bytes

    @asynccontextmanager
    async def using(self, room: Room, org: str, job: str) -> AsyncIterator[Path]:
        """A job's folder, which stays for as long as it is used."""
        folder = self.root / room / org / job
        with full_disk_is_transient():
            lock = await asyncio.to_thread(_used, folder)
            try:
                yield folder
            finally:
                os.close(lock)

    def jobs(self) -> list[tuple[str, str]]:
        """Organization and job of every job that anything is here of."""
        return sorted({(folder.parent.name, folder.name) for room in _ROOMS for folder in self._folders(room)})

    async def sweep(self, ended: Callable[[str, str], Awaitable[bool]]) -> None:
        """Remove what dead workers have left, and all of the jobs that have ended. What is in use stays."""
        for org, job in await asyncio.to_thread(self.jobs):
            over = await ended(org, job)
            await asyncio.to_thread(self._sweep, org, job, over=over)

    def remove(self, room: Room, org: str, job: str) -> None:
        """Remove a job's folder, unless somebody uses it."""
        folder = self.root / room / org / job
        if remove_unless_locked(folder):
            # Other jobs of the organization may be there.
            with suppress(OSError):
                folder.parent.rmdir()

    def make_room(self, size: int) -> None:
        """See to it that so many bytes can be written, by removing what has not been used for longest.

        Raises:
            Postponed: ``workspace_full``: all of it is in use.
        """
        if self.free_bytes() >= size:
            return
        idle = sorted(self._folders("work"), key=_last_used)
        for folder in idle:
            self.remove("work", folder.parent.name, folder.name)
            if self.free_bytes() >= size:
                return
        raise Postponed("workspace_full", f"no room for {size} bytes in the scratch folder")

    def free_bytes(self) -> int:
        """Bytes that can still be written, without those that files here have reserved by their length."""
        self.root.mkdir(parents=True, exist_ok=True)
        sizes = [size_and_blocks(path) for path in self._files()]
        missing = sum(size - here for size, here in sizes)
        return min(self._most_bytes - sum(size for size, _ in sizes), shutil.disk_usage(self.root).free - missing)

    def capacity_bytes(self) -> int:
        """Bytes that could be written if nothing was here."""
        self.root.mkdir(parents=True, exist_ok=True)
        used = sum(here for _, here in map(size_and_blocks, self._files()))
        return min(self._most_bytes, shutil.disk_usage(self.root).free + used)

    def check(self) -> None:
        """Raises: OSError: it cannot be written."""
        self.root.mkdir(parents=True, exist_ok=True)
        probe = self.root / f".ready-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()

    def _sweep(self, org: str, job: str, *, over: bool) -> None:
        work = self.root / "work" / org / job
        for left in chain.from_iterable(inside(work / kind) for kind in ("attempts", "reads")):
            if not left.name.startswith("."):
                remove_unless_locked(left)
        if over:
            for room in _ROOMS:
                self.remove(room, org, job)

    def _folders(self, room: Room) -> list[Path]:
        return [folder for org in inside(self.root / room) for folder in inside(org)]

    def _files(self) -> list[Path]:
        return [Path(place) / name for place, _, names in os.walk(self.root) for name in names]


def _used(folder: Path) -> int:
    """Descriptor of a folder with a lock that keeps others from removing it. It is made if it is missing."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        with suppress(FileNotFoundError):
            fcntl.flock(lock, fcntl.LOCK_SH)
            # It may have been removed between the two.
            if os.fstat(lock).st_ino == folder.stat().st_ino:
                os.utime(folder)
                return lock
        os.close(lock)


def _last_used(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0
