"""The use case at the end of a job: verify, write sprite and playlists, say that it is completed."""

import asyncio
from collections.abc import Mapping

import structlog

from services.uploader.bucket.bucket import Bucket
from services.uploader.bucket.buckets import Buckets
from services.uploader.bucket.parallel import in_parallel
from services.uploader.bucket.verify import verify_contents, verify_sizes
from services.uploader.compliance import check_compliance, not_compliant
from services.uploader.manifest.assembly import Mismatch, assemble
from services.uploader.manifest.dash import manifest
from services.uploader.manifest.outputs import outputs_of
from services.uploader.manifest.playlists import iframe_playlist, media_playlist, multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from services.uploader.manifest.sprite import sprite
from services.uploader.record import JobRecord
from shared.bus.joblog import JobLog
from shared.errors import PermanentError
from shared.events import Completed
from shared.media.layout import DASH, IFRAMES, INIT_SEGMENT, MULTIVARIANT, SHEET
from shared.media.plan import Plan
from shared.workspace import WorkSpace


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

    async def __call__(self, org: str, job: str, record: JobRecord) -> None:
        """Complete the job.

        Raises:
            PermanentError: the parts do not make up the plan, or something that was uploaded is not there.
            TransientError: the storage is in the way.
            JobEnded: the job has ended otherwise meanwhile.
        """
        try:
            presentation = assemble(record.plan, record.results, record.stills)
            # Compressing the sheet takes a moment of the processor.
            pictures = await asyncio.to_thread(self._sprite, org, job, record.plan)
        except Mismatch as error:
            raise PermanentError("internal_error", str(error)) from error
        documents = playlists(presentation, sheet_bytes=len(pictures.get(SHEET, b"")))
        master = {MULTIVARIANT: multivariant_playlist(presentation).encode()}
        compliance = await asyncio.to_thread(check_compliance, presentation, pictures | documents | master)
        async with self._buckets.of(org, job) as bucket:
            total = await self._publish(bucket, presentation, pictures, documents, master)
            outputs = outputs_of(presentation, bucket.location, total, compliance)
        warnings = not_compliant(compliance)
        if warnings:
            await structlog.get_logger().aerror("not compliant", violations=[one.rule for one in compliance.violations])
        await self._log.append(Completed(org=org, job=job, outputs=outputs, warnings=warnings))
        await structlog.get_logger().ainfo("completed", bytes=total, segments=outputs.segments)

    def _sprite(self, org: str, job: str, plan: Plan) -> dict[str, bytes]:
        """Sheet and cues by path, nothing where none are planned."""
        if plan.stills is None:
            return {}
        tiles = self._space.tiles(org, job, plan.stills.tiles.numbers)
        return sprite(plan.stills, plan.frames, plan.frame_rate, tiles)

    async def _publish(self, bucket: Bucket, presentation: Presentation, *documents: Mapping[str, bytes]) -> int:
        """Write and verify everything that is not there yet, so that no playlist ever leads nowhere; returns bytes in all.

        Args:
            documents: pictures, playlists and manifests by path; what leads to others comes after them.
        """
        await self._put(bucket, init_segments(presentation))
        media = {path: size for track in presentation.tracks for path, size in track.objects().items()}
        media |= {still.path: still.size for still in presentation.thumbnails}
        await verify_sizes(bucket, media, parallel=self._parallel)
        for bodies in documents:
            await self._put(bucket, bodies)
            await verify_contents(bucket, bodies, parallel=self._parallel)
            media |= {path: len(body) for path, body in bodies.items()}
        return sum(media.values())

    async def _put(self, bucket: Bucket, bodies: Mapping[str, bytes]) -> None:
        await in_parallel(bodies.items(), lambda item: bucket.put(*item), limit=self._parallel)


def init_segments(presentation: Presentation) -> dict[str, bytes]:
    """The init_segment of every track that has one, by path."""
    return {f"{track.folder}/{INIT_SEGMENT}": track.init_segment for track in presentation.tracks if track.init_segment}


def playlists(presentation: Presentation, *, sheet_bytes: int = 0) -> dict[str, bytes]:
    """Every playlist by path that the master leads to, and the DASH manifest.

    Args:
        sheet_bytes: size of the sheet of tiles; 0 where there is none.
    """
    target = presentation.target
    texts = {track.playlist: media_playlist(track, target) for track in presentation.tracks}
    texts |= {f"{one.folder}/{IFRAMES}": iframe_playlist(one) for one in presentation.renditions if one.iframes}
    texts[DASH] = manifest(presentation, sheet_bytes=sheet_bytes)
    return {path: text.encode() for path, text in texts.items()}
