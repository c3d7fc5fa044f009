"""The use case of early playback: playlists that grow while the job runs. Whoever makes them longer finishes the job as well."""

import asyncio

import structlog

from services.uploader.bucket.buckets import Buckets
from services.uploader.finish import Finish, init_segments
from services.uploader.manifest.assembly import Mismatch
from services.uploader.manifest.growing import Grown, grown
from services.uploader.manifest.outputs import address
from services.uploader.record import edge_of
from services.uploader.results import read_record
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.errors import PermanentError
from shared.events import Event, Fetched, PartTranscoded, PartUploaded, Playable, PlaybackExtended
from shared.media.edge import Edge
from shared.media.layout import MULTIVARIANT
from shared.media.plan import Plan
from shared.media.result import PartRecord
from shared.parallel import in_parallel
from shared.workspace.space import WorkSpace


class EarlyPlayback:
    """Writes the playlists of jobs that can be played before they are complete.

    The log says who is to do it (:mod:`shared.media.edge`): the uploader of a certain part, whose message stays unsettled until
    it is done. So it is redelivered if he dies, and whoever takes it over does the same again; and nobody else writes meanwhile.

    Args:
        parallel: requests at the same time.
    """

    def __init__(self, log: JobLog, buckets: Buckets, space: WorkSpace, finish: Finish, *, parallel: int) -> None:
        self._log = log
        self._buckets = buckets
        self._space = space
        self._finish = finish
        self._parallel = parallel

    async def edge(self, org: str, job: str, plan: Plan) -> Edge:
        """How far a job has got: what its newest event says."""
        newest = [
            found
            for subject in (f"{PartUploaded.subject}.*", Playable.subject, f"{PlaybackExtended.subject}.*")
            if (found := await self._log.last(job_subject(org, job, subject)))
        ]
        edges = [(found.sequence, edge) for found in newest if (edge := _edge(found.event))]
        if len(edges) == len(newest):
            return max(edges, key=lambda told: told[0])[1] if edges else Edge()
        # An uploader of a version before has told of a part, without the edge.
        return edge_of(await self._log.read(org, job), plan)

    async def with_part(self, event: PartUploaded, plan: Plan) -> PartUploaded:
        """The event with the edge after it. To be made anew whenever another event has come before it."""
        edge = (await self.edge(event.org, event.job, plan)).with_part(plan.release_order.index(event.part))
        return event.model_copy(update={"edge": _given(edge, event.part, plan)})

    async def __call__(self, fetched: Fetched, part: str) -> None:
        """Do what the uploader of this part has to do for the playlists, if he has to do anything: it may be several steps.

        Raises: as :class:`Finish`.
        """
        org, job, plan = fetched.org, fetched.job, fetched.plan
        while (edge := await self.edge(org, job, plan)).lister == part:
            if edge.together == len(plan.release_order):
                await self._finish(org, job)
                return
            await self._extend(fetched, edge, part)

    async def _extend(self, fetched: Fetched, edge: Edge, part: str) -> None:
        """Write playlists of all that there is, and say so."""
        org, job, plan = fetched.org, fetched.job, fetched.plan
        try:
            records = await self._records(fetched, edge.together)
            made = await asyncio.to_thread(grown, plan, edge.together, records, fetched.protection)
        except Mismatch as error:
            raise PermanentError("internal_error", str(error)) from error
        master = await self._write(org, job, made, first=edge.listed == 0)

        async def following() -> Playable | PlaybackExtended:
            newest = await self.edge(org, job, plan)
            after = newest.model_copy(update={"listed": edge.together, "lister": None})
            common = {"org": org, "job": job, "segments": made.segments, "edge": _given(after, part, plan)}
            return PlaybackExtended(**common) if edge.listed else Playable(master=master, **common)

        await self._log.append(await following(), refine=following)
        await structlog.get_logger().ainfo("playlists extended", segments=made.segments, parts=edge.together)

    async def _records(self, fetched: Fetched, parts: int) -> dict[str, PartRecord]:
        """The records of the first parts of the release order, by name."""

        async def record(part: str) -> PartRecord:
            found = await self._log.last(job_subject(fetched.org, fetched.job, f"{PartTranscoded.subject}.{part}"))
            if found is None or not isinstance(found.event, PartTranscoded):
                raise PermanentError("internal_error", f"part {part} was uploaded and not transcoded")
            return await read_record(self._space, found.event)

        names = fetched.plan.release_order[:parts]
        return dict(zip(names, await in_parallel(names, record, limit=self._parallel), strict=True))

    async def _write(self, org: str, job: str, made: Grown, *, first: bool) -> str:
        """Bring the playlists to the bucket, each after what it leads to; the place of the multivariant one."""
        # That of a rendition may say more with further parts, where encoders of two kinds make them.
        documents = [init_segments(made.presentation), made.playlists]
        if first:
            documents.append(made.multivariant)
        async with self._buckets.of(org, job) as bucket:
            for bodies in documents:
                await in_parallel(bodies.items(), lambda item: bucket.put(*item, changes=True), limit=self._parallel)
            return address(bucket.location, MULTIVARIANT)


def _given(edge: Edge, part: str, plan: Plan) -> Edge:
    return edge.given_to(part, tracks=len(plan.audio) + len(plan.text), parts=len(plan.release_order))


def _edge(event: Event) -> Edge | None:
    return event.edge if isinstance(event, PartUploaded | Playable | PlaybackExtended) else None
