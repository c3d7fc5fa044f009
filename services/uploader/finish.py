"""The use case at the end of a job: verify, write sprite and playlists, publish that it is completed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from services.uploader.bucket.bucket import Bucket
from services.uploader.bucket.buckets import Buckets
from services.uploader.bucket.verify import verify_contents, verify_sizes
from services.uploader.compliance import check_compliance, not_compliant
from services.uploader.manifest.assembly import Mismatch, assemble
from services.uploader.manifest.dash import manifest
from services.uploader.manifest.outputs import outputs_of
from services.uploader.manifest.playlists import iframe_playlist, media_playlist, multivariant_playlist
from services.uploader.manifest.presentation import Presentation, init_segments_of
from services.uploader.manifest.protection import protected
from services.uploader.manifest.sprite import sprite
from services.uploader.metrics import FINISH_SECONDS, NOT_COMPLIANT
from services.uploader.record import JobRecord, record_of
from services.uploader.results import read_record
from shared.bus.joblog import JobLog
from shared.errors import PermanentError
from shared.events import Completed, Playable
from shared.media.layout import DASH, IFRAMES, MULTIVARIANT, SHEET
from shared.media.plan import Plan
from shared.media.result import Compliance, PartRecord
from shared.parallel import in_parallel
from shared.tracing.spans import span
from shared.workspace.space import WorkSpace


@dataclass(frozen=True)
class _Output:
    """A whole output, ready to be published.

    Attributes:
        media: bytes of everything that playlists lead to, by path. pictures: sheet and cues for the seek bar, by path.
        documents: by path; what leads to others comes after them.
    """

    presentation: Presentation
    media: Mapping[str, int]
    pictures: Mapping[str, bytes]
    documents: tuple[Mapping[str, bytes], ...]
    compliance: Compliance

    @property
    def bytes(self) -> int:
        """Size of all objects together."""
        return sum(self.media.values()) + sum(
            len(body) for bodies in (self.pictures, *self.documents) for body in bodies.values()
        )


class Finish:
    """Finishes jobs whose parts are all uploaded.

    Two may do it for the same job at once, after one has lost its lease: they write the same bytes, and the log takes one end.

    Args:
        parallel: requests at the same time.
    """

    def __init__(self, log: JobLog, buckets: Buckets, space: WorkSpace, *, parallel: int) -> None:
        self._log = log
        self._buckets = buckets
        self._space = space
        self._parallel = parallel

    async def __call__(self, org: str, job: str) -> None:
        """Complete the job, unless that has been done.

        Raises:
            PermanentError: the parts do not make up the plan, or something that was uploaded is not there.
            TransientError: the storage is in the way.
            JobEnded: the job has ended otherwise meanwhile.
        """
        with FINISH_SECONDS.time(), span("finish"):
            await self._complete(org, job)

    async def _complete(self, org: str, job: str) -> None:
        record = record_of(await self._log.read(org, job))
        if record.completed:
            return
        try:
            parts = await self._records(record)
            pictures = await self._sprite(org, job, record.plan)
            # Reckoning with every segment of a film takes seconds of the processor.
            output = await asyncio.to_thread(_prepare, record, parts, pictures)
        except Mismatch as error:
            raise PermanentError("internal_error", str(error)) from error
        async with self._buckets.of(org, job) as bucket:
            await self._publish(bucket, output)
            outputs = await asyncio.to_thread(
                outputs_of, output.presentation, bucket.location, output.bytes, output.compliance
            )
        warnings = not_compliant(output.compliance)
        if warnings:
            NOT_COMPLIANT.inc()
            violations = [one.rule for one in output.compliance.violations]
            await structlog.get_logger().aerror("not compliant", violations=violations)
        if record.to_be_told:
            # Too short to be playable any earlier.
            await self._log.append(Playable(org=org, job=job, master=outputs.master, segments=_length(output)))
        await self._log.append(Completed(org=org, job=job, outputs=outputs, warnings=warnings))
        await structlog.get_logger().ainfo("completed", bytes=output.bytes, segments=outputs.segments)

    async def _records(self, record: JobRecord) -> dict[str, PartRecord]:
        """The records of all parts, by name."""
        events = record.transcoded.values()
        found = await in_parallel(events, lambda event: read_record(self._space, event), limit=self._parallel)
        return dict(zip(record.transcoded, found, strict=True))

    async def _sprite(self, org: str, job: str, plan: Plan) -> dict[str, bytes]:
        """Sheet and cues by path, nothing where none are planned."""
        if plan.stills is None:
            return {}
        tiles = await self._space.tiles(org, job, plan.stills.tiles.numbers)
        return await asyncio.to_thread(sprite, plan.stills, plan.frames, plan.frame_rate, tiles)

    async def _publish(self, bucket: Bucket, output: "_Output") -> None:
        """Write and verify everything that is not there yet, so that no playlist ever leads nowhere.

        Each step is a round trip to a storage that may be far away, so what leads nowhere itself goes with the first.
        """
        await self._put(bucket, {**init_segments(output.presentation), **output.pictures})
        checks: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: verify_sizes(bucket, output.media, parallel=self._parallel),
            lambda: verify_contents(bucket, output.pictures, parallel=self._parallel),
        )
        await in_parallel(checks, lambda check: check(), limit=len(checks))
        for bodies in output.documents:
            await self._put(bucket, bodies)
            await verify_contents(bucket, bodies, parallel=self._parallel)

    async def _put(self, bucket: Bucket, bodies: Mapping[str, bytes]) -> None:
        await in_parallel(bodies.items(), lambda item: bucket.put(*item), limit=self._parallel)


def _length(output: _Output) -> int:
    """How many segments each rendition has."""
    return len(output.presentation.all_renditions[0].sizes)


def init_segments(presentation: Presentation) -> dict[str, bytes]:
    """The initialization segments of every rendition that has any, by path."""
    return {path: body for track in presentation.all_renditions for path, body in init_segments_of(track).items()}


def playlists(presentation: Presentation, *, sheet_bytes: int = 0) -> dict[str, bytes]:
    """Every playlist by path that the multivariant playlist leads to, and the DASH manifest where there is one.

    Args:
        sheet_bytes: size of the sheet of tiles; 0 where there is none.
    """
    target = presentation.target
    texts = {track.playlist: media_playlist(track, target) for track in presentation.all_renditions}
    texts |= {f"{one.folder}/{IFRAMES}": iframe_playlist(one) for one in presentation.with_iframes}
    if presentation.has_manifest:
        texts[DASH] = manifest(presentation, sheet_bytes=sheet_bytes)
    return {path: text.encode() for path, text in texts.items()}


def _prepare(record: JobRecord, parts: Mapping[str, PartRecord], pictures: Mapping[str, bytes]) -> _Output:
    """Everything that is written at the end, and what has to lie in the bucket already.

    Args:
        parts: the records of the parts by name. pictures: sheet and cues by path.
    """
    stills = [still for part in parts.values() for still in part.stills]
    made = assemble(record.plan, {name: part.tables for name, part in parts.items()}, stills)
    presentation = protected(made, record.protection)
    documents = playlists(presentation, sheet_bytes=len(pictures.get(SHEET, b"")))
    multivariant = {MULTIVARIANT: multivariant_playlist(presentation).encode()}
    media = {path: size for one in presentation.all_renditions for path, size in one.objects().items()}
    return _Output(
        presentation=presentation,
        media=media | {still.path: still.size for still in presentation.thumbnails},
        pictures=pictures,
        documents=(documents, multivariant),
        compliance=check_compliance(presentation, {**pictures, **documents, **multivariant}),
    )
