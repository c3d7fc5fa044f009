"""Reading, listing and cancelling jobs."""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import structlog

from services.api.contract.errors import Conflict, NotFound
from services.api.contract.listing import JobFilter, Window
from services.api.database.pool import Connection, Database, DatabaseDown
from services.api.jobs.live import LiveProgress
from services.api.jobs.query import count_query, page_query, status_counts_query
from services.api.jobs.standing import standings
from services.api.jobs.timeline import Timeline, fold_timeline
from services.api.projection.projection import refresh_job
from shared.bus.joblog import JobEnded, JobLog
from shared.coalescing import Coalescer
from shared.events import Cancelled, Completed, Event, Failed
from shared.ids import JOB_PATTERN
from shared.job import Job, Status
from shared.payload import Standing, Surface, job_json
from shared.waiting import Waiting

_ID = re.compile(JOB_PATTERN)
# Each takes a connection to Postgres for a moment.
_CANCELLED_AT_ONCE = 4


@dataclass(frozen=True)
class JobSlice:
    """Part of a list of jobs: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class Jobs:
    """The jobs of all organizations, as the projection has them; where it lags behind, the log is asked."""

    def __init__(self, database: Database, log: JobLog, live: LiveProgress) -> None:
        self._database = database
        self._log = log
        self._live = live
        self._standing = Coalescer(self._standing_of_each, everybodys=(DatabaseDown,))

    async def retrieve(self, org: str, job: str, fields: Collection[str] | None = None) -> str:
        """A job as JSON text. ``fields``: the members to show; None for all.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            found = await self._find(connection, org, job)
            return await self._shown(connection, found, fields)

    async def timeline(self, org: str, job: str) -> Timeline:
        """What has happened to a job so far, by its events in the log.

        Raises:
            NotFound: it is not there. BusUnavailable: the log cannot be asked.
        """
        found = await self.require(org, job)
        events = await self._log.read(org, job)
        # A film of a day has thousands of events.
        folded = await asyncio.to_thread(fold_timeline, (recorded.event for recorded in events))
        # Pruned in this very moment.
        return folded or Timeline(found)

    def waiting(self, job: Job) -> Mapping[str, Waiting]:
        """What each piece of a job's work waits for at present, by its name."""
        return {} if job.finished else self._live.waits.each_of(job.id)

    async def shown(self, job: Job, *, new: bool = False) -> str:
        """A job that is known as JSON text, even where Postgres is down.

        Args:
            new: it was made just now, so that nobody has been shown any progress of it.
        """
        try:
            if new:
                return self._text(job, "detail", None, await self._standing.do(job), None)
            async with self._database.connection() as connection:
                return await self._shown(connection, job)
        except DatabaseDown:
            return job_json(job, "detail")

    async def shown_all(self, org: str, jobs: Sequence[Job]) -> list[str]:
        """Jobs of an organization that are known as JSON text, even where Postgres is down."""
        try:
            async with self._database.connection() as connection:
                percents = await self._live.percent(connection, jobs)
                standing = await standings(connection, org, jobs)
        except DatabaseDown:
            return [job_json(job, "detail") for job in jobs]
        return [self._text(job, "detail", percents.get(job.id), standing[job.id], None) for job in jobs]

    async def require(self, org: str, job: str) -> Job:
        """A job.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return await self._find(connection, org, job)

    async def require_ended(self, org: str, job: str) -> Job:
        """A job that has failed or was cancelled, and so can be run again.

        Raises:
            NotFound: it is not there. Conflict: it has not ended, or is completed.
            BusUnavailable: the projection does not know of its end, and the log cannot be asked.
        """
        async with self._database.connection() as connection:
            found = await self._find(connection, org, job)
            if not found.finished and await self._log.end_of(org, job):
                found = await refresh_job(connection, self._log, org, job) or found
        if not found.finished:
            raise Conflict(f"Job is still {found.status}. Cancel it, or wait for its end.")
        if found.status == "completed":
            raise Conflict("Job is completed. Create a job to make its output again.")
        return found

    async def list(
        self, org: str, wanted: JobFilter, window: Window, fields: Collection[str] | None = None
    ) -> JobSlice:
        """A page of the organization's jobs. ``fields``: the members to show of each; None for all."""
        counting, paging = count_query(org, wanted), page_query(org, wanted, window)
        async with self._database.connection() as connection:
            count = await connection.fetchval(counting.sql, *counting.values)
            rows = await connection.fetch(paging.sql, *paging.values)
            jobs = [Job.model_validate_json(row["state"]) for row in rows]
            percents = await self._live.percent(connection, jobs)
            standing = await standings(connection, org, jobs)
        shown = [self._text(job, "list", percents.get(job.id), standing[job.id], fields) for job in jobs]
        return JobSlice(count, shown)

    async def counts(self, org: str, wanted: JobFilter) -> dict[Status, int]:
        """How many of the organization's jobs have each status."""
        counting = status_counts_query(org, wanted)
        async with self._database.connection() as connection:
            rows = await connection.fetch(counting.sql, *counting.values)
        found = {row["status"]: row["jobs"] for row in rows}
        return {status: found.get(status, 0) for status in get_args(Status)}

    async def cancel(self, org: str, job: str) -> str:
        """Cancel a job, unless it has ended.

        Returns:
            the sentence that says what became of it.

        Raises:
            NotFound: it is not there.
            BusUnavailable: the bus is out of reach; cancelling again is safe.
        """
        found = await self.require(org, job)
        if found.finished:
            return _already(found.status)
        try:
            appended = await self._log.append(Cancelled(org=org, job=job))
        except JobEnded as ended:
            return _already(_status_after(ended.end))
        try:
            async with self._database.connection() as connection:
                await refresh_job(connection, self._log, org, job, at_least=appended.recorded.sequence)
        except DatabaseDown as error:
            # It is cancelled all the same; the projector will see to the row.
            await structlog.get_logger().awarning("a cancelled job is projected late", job=job, error=repr(error))
        return "Job cancelled successfully." if appended.new else _already("cancelled")

    async def cancel_all(self, org: str, jobs: Sequence[str]) -> Sequence[dict[str, str]]:
        """Cancel several jobs, each as :meth:`cancel` does: what became of each, in their order.

        Raises:
            BusUnavailable: the bus is out of reach; some may be cancelled, and cancelling all again is safe.
        """
        few = asyncio.Semaphore(_CANCELLED_AT_ONCE)

        async def cancelled(job: str) -> dict[str, str]:
            async with few:
                try:
                    return {"id": job, "message": await self.cancel(org, job)}
                except NotFound as error:
                    return {"id": job, **{name: str(text) for name, text in error.body.items()}}

        done = await asyncio.gather(*(cancelled(job) for job in jobs), return_exceptions=True)
        results = []
        for one in done:
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results

    async def _find(self, connection: "Connection", org: str, job: str) -> Job:
        if not _ID.match(job):
            raise NotFound()
        state = await connection.fetchval("select state from jobs where org = $1 and id = $2", org, job)
        if state:
            return Job.model_validate_json(state)
        # Accepted while Postgres was down, and not projected yet?
        late = await refresh_job(connection, self._log, org, job)
        if late is None:
            raise NotFound()
        return late

    async def _shown(self, connection: "Connection", job: Job, fields: Collection[str] | None = None) -> str:
        percents = await self._live.percent(connection, [job])
        standing = await standings(connection, job.org, [job])
        return self._text(job, "detail", percents.get(job.id), standing[job.id], fields)

    async def _standing_of_each(self, jobs: Sequence[Job]) -> Sequence[Standing]:
        found: dict[str, Standing] = {}
        async with self._database.connection() as connection:
            for org in {job.org for job in jobs}:
                found |= await standings(connection, org, [job for job in jobs if job.org == org])
        return [found[job.id] for job in jobs]

    def _text(
        self, job: Job, surface: Surface, percent: int | None, standing: Standing, fields: Collection[str] | None
    ) -> str:
        waiting = self._live.waiting(job)
        return job_json(job, surface, progress=percent, standing=standing, waiting=waiting, fields=fields)


def _already(status: str) -> str:
    return f"Job is already {status}."


def _status_after(end: Event) -> str:
    # By the subject, which also an end of a newer version has.
    return {Completed.subject: "completed", Failed.subject: "error", Cancelled.subject: "cancelled"}.get(
        end.token(), "ended"
    )
