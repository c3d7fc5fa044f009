"""Retention: jobs that ended long ago go, from the log and from the tables.

A job's events go first and its rows last: the rows are what says which job is next, so whoever dies in between leaves a job
that the next round finds again, and every step may be repeated. A rebuild after it makes the same tables. That there is
only one who prunes is not needed, only thrifty: it is the leader, over a session of its own, beside everything else it does.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import structlog
from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.projection.usage import DRAW_USAGE_TOGETHER, delete_keeping_usage
from shared.bus.errors import bus_calls
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.topology import DELIVERIES, JOBS, QUEUES_BUCKET, SECRETS_BUCKET, WEBHOOKS
from shared.events import Created

BATCH = 100
"""Jobs of one round."""

_BATCH_OF_DELIVERIES = 5000
_ROUND_SECONDS = 60.0
_BUSY_SECONDS = 1.0
_SESSION = {"application_name": "millrace-retention", "timezone": "UTC"}
_FINISHED = "status in ('completed', 'error', 'cancelled')"
# A replica of an older version has written these; keeping them a little longer harms nobody.
_HEAL = f"update jobs set ended = now() where ended is null and {_FINISHED}"  # noqa: S608 - our own text
_OLD = f"""
    select id, org from jobs
    where {_FINISHED} and ended < now() - $1::interval and id <> all($2::text[]) order by ended limit $3
"""  # noqa: S608 - our own text
_HANGING_ON_A_JOB = ("deliveries", "idempotency_keys", "progress_shown", "output_claims")
_AGED_DELIVERIES = """
    delete from deliveries where sequence = any(array(
        select sequence from deliveries where sequence < $1 order by sequence limit $2))
"""
# The sums stay what they are, so it may happen at any time, and twice at once.
_DRAW_COUNTS_TOGETHER = """
    with drawn as (
        delete from job_counts
        where org in (select org from job_counts group by org having count(*) > $1) returning org, status, enable_drm, jobs
    )
    insert into job_counts
    select org, status, enable_drm, sum(jobs) from drawn group by org, status, enable_drm having sum(jobs) <> 0
"""
_DRAW_CLAIMS_TOGETHER = """
    with drawn as (
        delete from claim_counts
        where org in (select org from claim_counts group by org having count(*) > $1) returning org, claims
    )
    insert into claim_counts select org, sum(claims) from drawn group by org having sum(claims) <> 0
"""
_DRAW_SOURCES_TOGETHER = """
    with drawn as (
        delete from source_counts
        where day < (now() at time zone 'UTC')::date - 1
           or org in (select org from source_counts group by org having count(*) > $1) returning org, day, seconds, bytes
    )
    insert into source_counts
    select org, day, sum(seconds), sum(bytes) from drawn where day >= (now() at time zone 'UTC')::date - 1 group by org, day
"""
# An organization has ten rows at most when they have been drawn together.
_MANY_COUNTS = 50


class Retention:
    """Prunes what is older than it is to be kept.

    Args:
        keep_jobs: how long after its end a job stays; None for ever.
        ready: whether the tables are to be trusted now.
    """

    def __init__(
        self, dsn: str, client: Client, log: JobLog, *, keep_jobs: timedelta | None, ready: Callable[[], bool]
    ) -> None:
        self._dsn = dsn
        self._js = client.jetstream(timeout=10)
        self._log = log
        self._keep_jobs = keep_jobs
        self._ready = ready
        self._spared: set[str] = set()

    async def run(self) -> None:
        """Prune in small rounds until cancelled, whatever happens."""
        while True:
            more = not self._ready()
            try:
                if not more:
                    more = await self.prune()
            except Exception as error:
                await structlog.get_logger().awarning("old jobs not pruned", error=repr(error))
            await asyncio.sleep(_BUSY_SECONDS if more else _ROUND_SECONDS)

    async def prune(self) -> bool:
        """One round.

        Returns:
            whether there may be more to do at once.

        Raises:
            BusUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError: not done, or not for all.
        """
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=30, server_settings=_SESSION)
        try:
            await connection.execute(_DRAW_COUNTS_TOGETHER, _MANY_COUNTS)
            await connection.execute(_DRAW_CLAIMS_TOGETHER, _MANY_COUNTS)
            await connection.execute(_DRAW_SOURCES_TOGETHER, _MANY_COUNTS)
            await connection.execute(DRAW_USAGE_TOGETHER)
            full = await self._prune_deliveries(connection)
            if self._keep_jobs is not None:
                full = await self._prune_jobs(connection, self._keep_jobs) or full
            return full
        finally:
            await connection.close(timeout=5)

    async def _prune_jobs(self, connection: Connection, keep: timedelta) -> bool:
        await connection.execute(_HEAL)
        old = await connection.fetch(_OLD, keep, list(self._spared), BATCH)
        gone = [row["id"] for row in old if await self._purge(row["org"], row["id"])]
        if gone:
            await self._delete_rows(connection, gone)
            await structlog.get_logger().ainfo("old jobs pruned", jobs=len(gone))
        return len(old) == BATCH

    @bus_calls(30)
    async def _purge(self, org: str, job: str) -> bool:
        """Take a job off the bus. Returns False if the log does not say that it has ended."""
        # A log that was restored from a copy may know less than the tables. Where even the beginning is gone, an earlier
        # round was broken off in the middle.
        if await self._log.end_of(org, job) is None and await self._log.last(job_subject(org, job, Created.subject)):
            self._spared.add(job)
            await structlog.get_logger().aerror("a job has ended in the tables only", organization=org, job=job)
            return False
        for stream, subject in (
            (WEBHOOKS, f"webhooks.attempt.{org}.{job}.>"),
            (WEBHOOKS, f"webhooks.schedule.{org}.{job}.>"),
            (JOBS, job_subject(org, job, ">")),
            (DELIVERIES, f"deliveries.{org}.{job}.>"),
            (f"KV_{SECRETS_BUCKET}", f"$KV.{SECRETS_BUCKET}.{org}.{job}"),
            (f"KV_{SECRETS_BUCKET}", f"$KV.{SECRETS_BUCKET}.{org}.{job}.>"),
            (f"KV_{QUEUES_BUCKET}", f"$KV.{QUEUES_BUCKET}.{org}.{job}"),
            (f"KV_{QUEUES_BUCKET}", f"$KV.{QUEUES_BUCKET}.{org}.{job}.>"),
        ):
            await self._js.purge_stream(stream, subject=subject)
        return True

    async def _delete_rows(self, connection: Connection, jobs: list[str]) -> None:
        async with connection.transaction():
            for table in _HANGING_ON_A_JOB:
                await connection.execute(f"delete from {table} where job = any($1::text[])", jobs)  # noqa: S608 - our own names
            await connection.execute(delete_keeping_usage("id = any($1::text[])"), jobs)

    async def _prune_deliveries(self, connection: Connection) -> bool:
        """Drop the rows of deliveries whose messages the stream has dropped, by their age."""
        async with bus_calls(10):
            first = int((await self._js.stream_info(DELIVERIES)).state.first_seq)
        done = await connection.execute(_AGED_DELIVERIES, first, _BATCH_OF_DELIVERIES)
        return done == f"DELETE {_BATCH_OF_DELIVERIES}"
