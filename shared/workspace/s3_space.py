"""The work space in S3: for workers on hosts of their own, which share no file system.

Keys below the prefix: ``<org>/<job>/source/<file>``; ``<org>/<job>/parts/<part>/<digest>/…``, the files of one result of a part;
``<org>/<job>/records/<part>/<digest>``, its record, written last: a result is there when its record is. Two workers may make two
results of one part; the log says whose counts, by the digest. So nothing hangs on conditional writes, which many storages
take and do not heed.
"""

import asyncio
import json
import secrets
import time
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from shared.errors import Postponed
from shared.locations import S3Location
from shared.media.result import digest_of
from shared.parallel import in_parallel
from shared.workspace.disk import private_folder
from shared.workspace.keeps_nothing import KeepsNothing
from shared.workspace.objects import Found, Objects
from shared.workspace.pieces import with_holes
from shared.workspace.scratch import Scratch
from shared.workspace.space import MadePart, SourceInput, SourceRead

# Requests at the same time for the files of one part, and how many notes are written down together.
_AT_ONCE, _NOTES = 8, 16
# How often uploads are looked for that were cut off.
_LOOK_SECONDS = 3600.0


class S3Space(KeepsNothing):
    """A :class:`shared.workspace.space.WorkSpace`, with a scratch folder for what programs have to find on a disk."""

    def __init__(self, objects: Objects, scratch: Scratch) -> None:
        self._objects = objects
        self._scratch = scratch
        self._fetching: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
        self._next_look = 0.0
        self._notes: defaultdict[MadePart, list[str]] = defaultdict(list)

    @asynccontextmanager
    async def arrival(self, org: str, job: str) -> AsyncIterator[Path]:
        """A folder of the scratch. Another host begins anew."""
        async with self._scratch.using("arrivals", org, job) as folder:
            yield folder
        await asyncio.to_thread(self._scratch.remove, "arrivals", org, job)

    async def keep_source(self, org: str, job: str, file: Path) -> None:
        """Upload it."""
        await self._objects.put_file(_source(org, job, file.name), file)

    async def discard_source(self, org: str, job: str, file: str) -> None:
        """Nothing but what was kept is there."""

    @asynccontextmanager
    async def source(self, org: str, job: str, read: SourceRead) -> AsyncIterator[SourceInput]:
        """Copies of the spans, or of all of it where that is wanted or here already; what others read too stays for them."""
        key = _source(org, job, read.file)
        async with self._scratch.using("work", org, job) as folder:
            whole = folder / read.file
            if read.own is None or await asyncio.to_thread(whole.exists):
                await _tell(read, await self._fetch(key, 0, read.size, whole))
                yield SourceInput.of(whole)
                return
            with private_folder(folder / "reads", "read") as private:
                pieces = {span: folder / f"{read.file}.{span[0]}-{span[1]}" for span in read.common}
                pieces |= {span: private / f"{span[0]}" for span in read.own}
                copied = [await self._fetch(key, begin, end, file) for (begin, end), file in pieces.items()]
                await _tell(read, sum(copied))
                yield with_holes(sorted(pieces.items()), read.size, private)

    async def _fetch(self, key: str, begin: int, end: int, file: Path) -> int:
        """Have bytes of the source in a file, once for all of this process who want them; how many had to be copied."""
        async with self._fetching.setdefault(file, asyncio.Lock()):
            if await asyncio.to_thread(file.exists):
                return 0
            await asyncio.to_thread(self._scratch.make_room, end - begin)
            # Other processes of this host may be at the same.
            draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
            try:
                await self._objects.get_file(key, begin, end, draft)
                await asyncio.to_thread(draft.replace, file)
            finally:
                await asyncio.to_thread(draft.unlink, missing_ok=True)
            return end - begin

    @asynccontextmanager
    async def attempt(self, org: str, job: str, part: str) -> AsyncIterator[Path]:
        """A folder of the scratch."""
        async with self._scratch.using("work", org, job) as folder:
            with private_folder(folder / "attempts", part) as private:
                yield private

    async def finish(self, attempt: Path, org: str, job: str, part: str, record: str) -> str:
        """Upload its files, and then the record."""
        earlier = await self.finished(org, job, part)
        if earlier is not None:
            return earlier
        digest = await asyncio.to_thread(digest_of, record)
        files = await asyncio.to_thread(_files, attempt)
        place = _files_of(MadePart(org, job, part, digest))
        await in_parallel(files, lambda path: self._objects.put_file(f"{place}{path}", attempt / path), limit=_AT_ONCE)
        await self._objects.put(f"{_records(org, job, part)}{digest}", record.encode())
        return await self.finished(org, job, part) or record

    async def finished(self, org: str, job: str, part: str) -> str | None:
        """The oldest record."""
        records = [found async for found in self._objects.found(_records(org, job, part))]
        if not records:
            return None
        try:
            return (await self._objects.get(min(records, key=_age).key)).decode()
        except FileNotFoundError:
            return None

    async def record(self, made: MadePart) -> str | None:
        """The one with this digest."""
        try:
            return (await self._objects.get(f"{_records(made.org, made.job, made.part)}{made.digest}")).decode()
        except FileNotFoundError:
            return None

    async def read(self, made: MadePart, path: str) -> bytes:
        """The object."""
        return await self._objects.get(f"{_files_of(made)}{path}")

    def address(self, made: MadePart, path: str) -> S3Location | None:
        """Where the object lies."""
        where, key = self._objects.location, self._objects.key(f"{_files_of(made)}{path}")
        return S3Location(
            bucket=where.bucket, key=key, region=where.region, endpoint=where.endpoint, path_style=where.path_style
        )

    async def note_uploaded(self, made: MadePart, path: str, tag: str = "") -> None:
        """A few at a time, in an object: of what was not noted down yet, somebody else uploads the same once more."""
        self._notes[made].append(path)
        if len(self._notes[made]) >= _NOTES:
            await self._write_notes(made)

    async def _write_notes(self, made: MadePart) -> None:
        noted = self._notes.pop(made, [])
        if noted:
            await self._objects.put(f"{_notes_of(made)}{secrets.token_hex(8)}", "\n".join(noted).encode())

    async def uploaded(self, made: MadePart) -> frozenset[str]:
        """What is in those objects, and what this process knows besides."""
        found = [one.key async for one in self._objects.found(_notes_of(made))]
        texts = await in_parallel(found, self._objects.get, limit=_AT_ONCE)
        return frozenset(path for text in texts for path in text.decode().splitlines()) | {*self._notes.get(made, ())}

    async def keep_tiles(self, org: str, job: str, tiles: Mapping[int, bytes]) -> None:
        """An object for all of them together, named by the first one."""
        if tiles:
            body = json.dumps({number: b64encode(tile).decode() for number, tile in tiles.items()})
            await self._objects.put(f"{_job(org, job)}tiles/{min(tiles)}", body.encode())

    async def tiles(self, org: str, job: str, numbers: Iterable[int]) -> dict[int, bytes]:
        """Out of all such objects."""
        wanted = frozenset(numbers)
        found = [one.key async for one in self._objects.found(f"{_job(org, job)}tiles/")]
        bodies = await in_parallel(found, self._objects.get, limit=_AT_ONCE)
        return await asyncio.to_thread(_tiles, bodies, wanted)

    async def empty_part(self, org: str, job: str, part: str) -> None:
        """Remove the files and notes of all its results."""
        for made in [made for made in self._notes if (made.org, made.job, made.part) == (org, job, part)]:
            del self._notes[made]
        await self._objects.remove(f"{_job(org, job)}parts/{part}/")
        await self._objects.remove(f"{_job(org, job)}uploaded/{part}/")

    async def remove_job(self, org: str, job: str) -> None:
        """Remove all objects below its key."""
        for made in [made for made in self._notes if (made.org, made.job) == (org, job)]:
            del self._notes[made]
        await self._objects.remove(_job(org, job))

    async def keep_job(self, org: str, job: str, since: float) -> None:
        """Remove it."""
        await self.remove_job(org, job)

    def make_room(self, needed: int) -> bool:
        """Remove from the scratch folder what is not in use."""
        try:
            self._scratch.make_room(needed)
        except Postponed:
            return False
        return True

    async def jobs(self) -> list[tuple[str, str]]:
        """By the first two names in the keys."""
        orgs = await self._objects.folders("")
        jobs = await in_parallel(orgs, lambda org: self._objects.folders(f"{org}/"), limit=_AT_ONCE)
        return sorted((org, job) for org, found in zip(orgs, jobs, strict=True) for job in found)

    async def remove_leftovers(self) -> None:
        """Give up uploads that nobody goes on with. They are old when they are found, so looking now and then will do."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            await self._objects.remove_unfinished()

    async def sweep_scratch(self, ended: Callable[[str, str], Awaitable[bool]]) -> None:
        """Remove what this host alone has."""
        await self._scratch.sweep(ended)

    def free_bytes(self) -> int:
        """Of the scratch folder, which every source passes; S3 has no end."""
        return self._scratch.free_bytes()

    def capacity_bytes(self) -> int:
        """Of the scratch folder with nothing in it."""
        return self._scratch.capacity_bytes()

    async def check(self) -> None:
        """Ask the bucket, and write to the scratch folder."""
        await asyncio.to_thread(self._scratch.check)
        await self._objects.check()

    async def close(self) -> None:
        """Close connections."""
        await self._objects.close()


async def _tell(read: SourceRead, copied: int) -> None:
    await structlog.get_logger().ainfo("source copied", bytes=copied, of=read.size)


def _job(org: str, job: str) -> str:
    return f"{org}/{job}/"


def _source(org: str, job: str, file: str) -> str:
    return f"{_job(org, job)}source/{file}"


def _records(org: str, job: str, part: str) -> str:
    return f"{_job(org, job)}records/{part}/"


def _files_of(made: MadePart) -> str:
    return f"{_job(made.org, made.job)}parts/{made.part}/{made.digest}/"


def _notes_of(made: MadePart) -> str:
    return f"{_job(made.org, made.job)}uploaded/{made.part}/{made.digest}/"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _age(record: Found) -> tuple[float, str]:
    return record.written.timestamp(), record.key


def _tiles(bodies: Iterable[bytes], wanted: frozenset[int]) -> dict[int, bytes]:
    every = {int(number): tile for body in bodies for number, tile in json.loads(body).items()}
    return {number: b64decode(every[number]) for number in sorted(wanted & every.keys())}
