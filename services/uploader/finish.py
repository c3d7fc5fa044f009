"""The use case at the end of a job: verify, write the playlists, say that it is completed."""

from collections.abc import Mapping

import structlog

from services.uploader.assembly import Mismatch, assemble
from services.uploader.bucket import Bucket
from services.uploader.buckets import Buckets
from services.uploader.dash import manifest
from services.uploader.layout import DASH, HEADER, IFRAMES, MASTER
from services.uploader.outputs import outputs_of
from services.uploader.parallel import in_parallel
from services.uploader.playlists import iframe_playlist, master_playlist, media_playlist
from services.uploader.presentation import Presentation
from services.uploader.record import JobRecord
from services.uploader.verify import verify_contents, verify_sizes
from shared.bus.joblog import JobLog
from shared.errors import PermanentError
from shared.events import Completed


class Finish:
    """Finishes jobs whose parts are all uploaded.

    Two may do it for the same job at once, after one has lost its lease: they write the same bytes, and the log takes one end.

    Args:
        parallel: requests at the same time.
    """

    def __init__(self, log: JobLog, buckets: Buckets, *, parallel: int) -> None:
        self._log = log
        self._buckets = buckets
        self._parallel = parallel

    async def __call__(self, org: str, job: str, record: JobRecord) -> None:
        """Complete the job.

        Raises:
            PermanentError: the parts do not make up the plan, or something that was uploaded is not there.
            TransientError: the storage is in the way.
            JobEnded: the job has ended otherwise meanwhile.
        """
        try:
            presentation = assemble(record.plan, record.results)
        except Mismatch as error:
            raise PermanentError("internal_error", str(error)) from error
        async with self._buckets.of(org, job) as bucket:
            total = await self._publish(bucket, presentation)
            outputs = outputs_of(presentation, bucket.location, total)
        await self._log.append(Completed(org=org, job=job, outputs=outputs))
        await structlog.get_logger().ainfo("completed", bytes=total, segments=outputs.segments)

    async def _publish(self, bucket: Bucket, presentation: Presentation) -> int:
        """Write and verify everything that is not there yet, so that no playlist ever leads nowhere; returns bytes in all."""
        await self._put(bucket, headers(presentation))
        media = {path: size for track in presentation.tracks for path, size in track.objects().items()}
        await verify_sizes(bucket, media, parallel=self._parallel)
        for documents in (playlists(presentation), {MASTER: master_playlist(presentation).encode()}):
            await self._put(bucket, documents)
            await verify_contents(bucket, documents, parallel=self._parallel)
            media |= {path: len(body) for path, body in documents.items()}
        return sum(media.values())

    async def _put(self, bucket: Bucket, bodies: Mapping[str, bytes]) -> None:
        await in_parallel(bodies.items(), lambda item: bucket.put(*item), limit=self._parallel)


def headers(presentation: Presentation) -> dict[str, bytes]:
    """The header of every track that has one, by path."""
    return {f"{track.folder}/{HEADER}": track.header for track in presentation.tracks if track.header}


def playlists(presentation: Presentation) -> dict[str, bytes]:
    """Every playlist by path that the master leads to, and the DASH manifest."""
    target = presentation.target
    texts = {track.playlist: media_playlist(track, target) for track in presentation.tracks}
    texts |= {f"{one.folder}/{IFRAMES}": iframe_playlist(one) for one in presentation.renditions if one.iframes}
    texts[DASH] = manifest(presentation)
    return {path: text.encode() for path, text in texts.items()}
