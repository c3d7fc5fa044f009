"""The work space as a folder that all workers share: one host, or a network file system."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shared.locations import S3Location
from shared.workspace.disk import full_disk_is_transient
from shared.workspace.folder import WorkFolder
from shared.workspace.retries import InheritedPart, Kept
from shared.workspace.space import MadePart, SourceInput, SourceRead


class SharedFolder:
    """A :class:`shared.workspace.space.WorkSpace`, whose files every worker opens where they lie.

    Args:
        url: ``file:///an/absolute/folder``.

    Raises:
        ValueError: any other kind of address.
    """

    def __init__(self, url: str) -> None:
        self.folder = WorkFolder(url)

    @asynccontextmanager
    async def arrival(self, org: str, job: str) -> AsyncIterator[Path]:
        """The folder of the source itself: any fetcher goes on with what lies there."""
        with full_disk_is_transient(), self.folder.fetching(org, job) as folder:
            yield folder

    async def keep_source(self, org: str, job: str, file: Path) -> None:
        """It lies where it belongs."""

    async def discard_source(self, org: str, job: str, file: str) -> None:
        """Remove it."""
        await asyncio.to_thread((self.folder.source(org, job) / file).unlink, missing_ok=True)

    @asynccontextmanager
    async def source(self, org: str, job: str, read: SourceRead) -> AsyncIterator[SourceInput]:
        """The file itself."""
        yield SourceInput.of(self.folder.source(org, job) / read.file)

    @asynccontextmanager
    async def attempt(self, org: str, job: str, part: str) -> AsyncIterator[Path]:
        """A folder beside the finished parts, so that it becomes one by a rename."""
        with self.folder.attempt(org, job, part) as folder:
            yield folder

    async def finish(self, attempt: Path, org: str, job: str, part: str, record: str) -> str:
        """Rename it."""
        return await asyncio.to_thread(self.folder.finish, attempt, org, job, part, record)

    async def finished(self, org: str, job: str, part: str) -> str | None:
        """The record in its folder."""
        return await asyncio.to_thread(self.folder.finished, org, job, part)

    async def record(self, made: MadePart) -> str | None:
        """The record of the part: there is only one result, the first."""
        return await self.finished(made.org, made.job, made.part)

    async def read(self, made: MadePart, path: str) -> bytes:
        """The file's content."""
        return await asyncio.to_thread((self.folder.part(made.org, made.job, made.part) / path).read_bytes)

    def address(self, made: MadePart, path: str) -> S3Location | None:
        """Nowhere in S3."""
        return None

    async def note_uploaded(self, made: MadePart, path: str, tag: str = "") -> None:
        """A line in a file of the part."""
        await asyncio.to_thread(self.folder.note_uploaded, made.org, made.job, made.part, path, tag)

    async def uploaded(self, made: MadePart) -> frozenset[str]:
        """The lines of that file."""
        return await asyncio.to_thread(self.folder.uploaded, made.org, made.job, made.part)

    async def keep_tiles(self, org: str, job: str, tiles: Mapping[int, bytes]) -> None:
        """A file each."""
        await asyncio.to_thread(self._keep_tiles, org, job, tiles)

    def _keep_tiles(self, org: str, job: str, tiles: Mapping[int, bytes]) -> None:
        for number, body in tiles.items():
            self.folder.keep_tile(org, job, number, body)

    async def tiles(self, org: str, job: str, numbers: Iterable[int]) -> dict[int, bytes]:
        """Those that are there."""
        return await asyncio.to_thread(self.folder.tiles, org, job, numbers)

    async def empty_part(self, org: str, job: str, part: str) -> None:
        """Remove all but the record and the note of what was uploaded."""
        await asyncio.to_thread(self.folder.empty_part, org, job, part)

    async def remove_job(self, org: str, job: str) -> None:
        """Remove its folder."""
        await asyncio.to_thread(self.folder.remove_job, org, job)

    async def keep_job(self, org: str, job: str, since: float) -> None:
        """Rename its folder."""
        await asyncio.to_thread(self.folder.keep_job, org, job, since)

    async def kept(self) -> list[Kept]:
        """The folders with such names."""
        return await asyncio.to_thread(self.folder.kept.all)

    async def drop_kept(self, org: str, job: str) -> None:
        """Remove such a folder."""
        await asyncio.to_thread(self.folder.kept.drop, org, job)

    def make_room(self, needed: int) -> bool:
        """Remove such folders."""
        return self.folder.make_room(needed)

    async def take_over(self, org: str, before: str, job: str) -> None:
        """Rename the folder of the job before."""
        with full_disk_is_transient():
            await asyncio.to_thread(self.folder.take_over, org, before, job)

    async def inherited(self, org: str, job: str) -> list[InheritedPart] | None:
        """The folders below it."""
        return await asyncio.to_thread(self.folder.inheritance(org, job).parts)

    async def offer(
        self, org: str, job: str, part: InheritedPart, *, uploaded: Mapping[str, str], tiles: Mapping[int, str]
    ) -> None:
        """Rename one of them."""
        await asyncio.to_thread(self.folder.inheritance(org, job).offer, part, uploaded, tiles)

    async def close_inheritance(self, org: str, job: str) -> None:
        """Remove the folder of the job before."""
        await asyncio.to_thread(self.folder.inheritance(org, job).close)

    async def offered(self, org: str, job: str, part: str) -> str | None:
        """The record in the folder that is offered."""
        return await asyncio.to_thread(self.folder.inheritance(org, job).record, part)

    async def accept(self, org: str, job: str, part: str) -> str | None:
        """Rename that folder."""
        await asyncio.to_thread(self.folder.inheritance(org, job).accept, part, self.folder.part(org, job, part))
        return await self.finished(org, job, part)

    async def refuse(self, org: str, job: str, part: str) -> None:
        """Remove it."""
        await asyncio.to_thread(self.folder.inheritance(org, job).refuse, part)

    async def jobs(self) -> list[tuple[str, str]]:
        """A folder each."""
        return await asyncio.to_thread(self.folder.jobs)

    async def remove_leftovers(self) -> None:
        """Remove what removals that were cut off have left."""
        await asyncio.to_thread(self.folder.remove_leftovers)

    async def sweep_scratch(self, ended: Callable[[str, str], Awaitable[bool]]) -> None:
        """No host has anything for itself."""

    def free_bytes(self) -> int:
        """Of the file system, but for what downloads have reserved."""
        return self.folder.free_bytes()

    def capacity_bytes(self) -> int:
        """Of the file system, with the work space empty."""
        return self.folder.capacity_bytes()

    async def check(self) -> None:
        """Write a file. Raises: OSError."""
        await asyncio.to_thread(self.folder.check)

    async def close(self) -> None:
        """Nothing is open."""
