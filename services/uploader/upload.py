"""The use case: bring a transcoded part to the bucket, and finish the job after the last one."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.uploader.bucket.bucket import Bucket
from services.uploader.bucket.buckets import Buckets
from services.uploader.bucket.parallel import in_parallel
from services.uploader.finish import Finish
from services.uploader.record import record_of
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.events import Fetched, PartTranscoded, PartUploaded
from shared.media.layout import WHOLE_TEXT, Kind, segment_name
from shared.media.plan import Plan
from shared.workspace import WorkSpace


class WrongFile(Exception):
    """A file of the work space is not what the transcoder said it is."""


@dataclass(frozen=True)
class UploadObject:
    """What is uploaded of a part: its file, path below the output prefix, and size in bytes as the transcoder told it."""

    file: Path
    path: str
    size: int


class Upload:
    """Uploads parts.

    Args:
        parallel: requests at the same time, for each part.
    """

    def __init__(self, log: JobLog, buckets: Buckets, space: WorkSpace, finish: Finish, *, parallel: int) -> None:
        self._log = log
        self._buckets = buckets
        self._space = space
        self._finish = finish
        self._parallel = parallel

    async def __call__(self, event: PartTranscoded) -> None:
        """Upload the part, unless that has been done, and finish the job if it was the last."""
        org, job, part = event.org, event.job, event.part
        if await self._log.end_of(org, job):
            return
        sequence = await self._recorded(event)
        if sequence is None:
            sequence = await self._upload(event)
        # Only now: had the files gone before the fact was recorded, a crash in between would have lost them.
        await asyncio.to_thread(self._space.remove_part, org, job, part)
        record = record_of(await self._log.read(org, job, at_least=sequence))
        if record.closed_by(part) and not record.completed:
            await self._finish(org, job, record)

    async def _upload(self, event: PartTranscoded) -> int:
        """Returns the place in the log where the upload stands."""
        org, job, part = event.org, event.job, event.part
        fetched = await self._log.fact(org, job, Fetched)
        if fetched is None:
            raise WrongFile(f"part {part} was transcoded before the source was fetched")
        folder = self._space.part(org, job, part)
        pieces = segments_of(event, fetched.plan, folder) + thumbnails_of(event, folder)
        try:
            async with self._buckets.of(org, job) as bucket:
                await in_parallel(pieces, lambda piece: _put(bucket, piece), limit=self._parallel)
            await asyncio.to_thread(self._keep_tiles, event)
        except FileNotFoundError as error:
            # A duplicate worker that took this part over may have been faster: then the files are gone because they are uploaded.
            sequence = await self._recorded(event)
            if sequence is None:
                raise WrongFile(f"{error.filename} is missing") from error
            return sequence
        total = sum(piece.size for piece in pieces)
        uploaded = PartUploaded(org=org, job=job, part=part, objects=len(pieces), bytes=total)
        await structlog.get_logger().ainfo("part uploaded", objects=len(pieces), bytes=total)
        return (await self._log.append(uploaded)).recorded.sequence

    def _keep_tiles(self, event: PartTranscoded) -> None:
        """Copy a part's tiles to where they outlive the part. A second time changes nothing."""
        folder = self._space.part(event.org, event.job, event.part)
        for still in event.stills:
            if still.kind == "tile":
                body = _content(folder / still.path, still.path, still.size)
                self._space.keep_tile(event.org, event.job, still.number, body)

    async def _recorded(self, event: PartTranscoded) -> int | None:
        found = await self._log.last(job_subject(event.org, event.job, f"{PartUploaded.subject}.{event.part}"))
        return found.sequence if found else None


def segments_of(event: PartTranscoded, plan: Plan, folder: Path) -> list[UploadObject]:
    """Every segment of a part, track by track in order of time; after those of a text, the file with all of it.

    Args:
        folder: of the part in the work space.
    """
    kind: Kind = "audio" if plan.audio_part(event.part) else "text" if plan.text_part(event.part) else "video"
    sizes: dict[str, int] = {}
    for track in event.tracks:
        for number, size in enumerate(track.sizes, start=track.first_segment):
            sizes[f"{track.folder}/{segment_name(kind, number)}"] = size
        if track.whole:
            sizes[f"{track.folder}/{WHOLE_TEXT}"] = track.whole
    return [UploadObject(folder / path, path, size) for path, size in sizes.items()]


def thumbnails_of(event: PartTranscoded, folder: Path) -> list[UploadObject]:
    """Every thumbnail of a part.

    Args:
        folder: of the part in the work space.
    """
    thumbnails = [still for still in event.stills if still.kind == "thumbnail"]
    return [UploadObject(folder / still.path, still.path, still.size) for still in thumbnails]


async def _put(bucket: Bucket, piece: UploadObject) -> None:
    await bucket.put(piece.path, await asyncio.to_thread(_content, piece.file, piece.path, piece.size))


def _content(file: Path, path: str, size: int) -> bytes:
    """What is in a file, if it has as many bytes as the transcoder said."""
    body = file.read_bytes()
    if len(body) != size:
        raise WrongFile(f"{path} has {len(body)} bytes instead of {size}")
    return body
