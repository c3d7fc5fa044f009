"""Room in the work space for one source: reserved before it comes, or, where nobody tells its size, asked for as it comes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from shared.errors import MillraceError, PermanentError, Postponed

ASK_BYTES = 8 * 1024**2
"""A source of unknown size asks again after so many bytes."""


class Room:
    """What a download may take of the work space.

    The reservation is the file itself: it gets its whole length at once, and the work space counts what of such files is not
    on the disk yet as taken (:meth:`shared.workspace.folder.WorkFolder.free_bytes`). So it holds among processes, outlives a
    restart, and goes with the file.

    Args:
        file: the source. keep_free: bytes that are left free.
        free_bytes, capacity_bytes, make_room: see :class:`services.fetcher.download.download.Download`.
    """

    def __init__(
        self,
        file: Path,
        keep_free: int,
        free_bytes: Callable[[], int],
        capacity_bytes: Callable[[], int] | None,
        make_room: Callable[[int], bool],
    ) -> None:
        self._file = file
        self._keep_free = keep_free
        self._free_bytes = free_bytes
        self._capacity_bytes = capacity_bytes
        self._make_room = make_room
        self._asked_at = 0

    async def reserve(self, size: int | None) -> None:
        """Reserve what is missing of a source's size; None for a source that does not tell it.

        Raises:
            Postponed: ``workspace_full``: others take too much at present. PermanentError: ``input_too_large``: it can never fit.
        """
        if size is None and self._file.exists():
            # What has come of it before is of no use, since it begins anew.
            self._resize(0)
        before = self._file.stat().st_size if self._file.exists() else 0
        more = max(0, (size or 0) - before)
        if await self._free() < more:
            raise await self._refusal(size or 0)
        self._asked_at = 0
        if more:
            # Before it is reserved: what is kept for retries gives way to work, not work to it.
            await asyncio.to_thread(self._make_room, self._keep_free + more)
            self._resize(before + more)
            # Another download may have looked at the same moment: now both see it, and whoever comes again first gets the room.
            if await self._free() < 0:
                self._resize(before)
                raise await self._refusal(size or 0)

    async def grown(self, size: int) -> None:
        """A source of unknown size has come to so many bytes. If there is no room for more, what has come is given up.

        Raises:
            Postponed, PermanentError: as :meth:`reserve`.
        """
        if size - self._asked_at < ASK_BYTES:
            return
        self._asked_at = size
        if await self._free() < 0:
            # It cannot be resumed, and would be in the way of others.
            self._resize(0)
            raise await self._refusal(size)
        await asyncio.to_thread(self._make_room, self._keep_free + ASK_BYTES)

    async def _free(self) -> int:
        return await asyncio.to_thread(self._free_bytes) - self._keep_free

    async def _refusal(self, size: int) -> MillraceError:
        needed = f"the source needs {size} bytes" if size else "the source does not tell its size"
        if self._capacity_bytes:
            capacity = await asyncio.to_thread(self._capacity_bytes) - self._keep_free
            if size > capacity:
                return PermanentError("input_too_large", f"{needed}, the work space has room for {capacity}")
        return Postponed("workspace_full", needed)

    def _resize(self, size: int) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
