"""The rebuild: makes the projection anew from the log alone, beside a running server.

It takes the leader's lock, which the leader gives up within a second when somebody waits in line for it; meanwhile
nothing is projected or admitted, while requests are served from the old rows. The log is replayed by the projector itself
into temporary tables that hide the real ones from this session. At the end, in one transaction, writers are held off, the
rest of the log is read, and the rows change places: readers see the old rows or the new ones, never half of either. A
rebuild that dies leaves everything as it was.

What is not in the log stays untouched: webhooks, idempotency keys, the progress that was shown. Claims of output
locations are put right: those of finished jobs go, those that unfinished jobs lack are made.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.contract.claims import claim_of
from services.api.database.pool import Connection
from services.api.projection.leader import LEADERSHIP
from services.api.projection.projection import apply_events, record_deliveries
from services.api.projection.projector import Projector, deliveries_in, events_in
from services.api.projection.usage import delete_keeping_usage
from shared.bus.topology import DELIVERIES, JOBS
from shared.job import Job

_PROJECTION = ("jobs", "deliveries", "offsets")
# What applying events writes besides, and must not write to the real tables while it replays the past.
_BESIDES = ("output_claims", "progress_shown")
_SESSION = {"application_name": "millrace-rebuild", "timezone": "UTC"}


async def rebuild(dsn: str, client: Client, report: Callable[[str], None] = print) -> None:
    """Make the projection anew.

    Args:
        dsn: address of the database; its migrations have run.
        report: is given a line now and then for the person who watches.

    Raises:
        nats.errors.Error, TailBroken, asyncpg.PostgresError, OSError: a server is out of reach; nothing was changed.
    """
    connection = await asyncpg.connect(dsn, timeout=10, server_settings=_SESSION)
    try:
        report("waiting for the leader to step aside")
        await connection.execute("select pg_advisory_lock($1, $2)", *LEADERSHIP)
        schema = await connection.fetchval(
            "select relnamespace::regnamespace::text from pg_class where oid = 'jobs'::regclass"
        )
        for table in (*_PROJECTION, *_BESIDES):
            await connection.execute(f"create temporary table {table} (like {schema}.{table} including all)")
        turn = asyncio.Lock()
        projectors = (
            Projector(client, JOBS, _apply_jobs, connection, turn),
            Projector(client, DELIVERIES, _apply_deliveries, connection, turn),
        )
        await _replay(projectors, report)
        async with connection.transaction():
            await connection.execute(
                f"lock table {', '.join(f'{schema}.{table}' for table in _PROJECTION)} in exclusive mode"
            )
            await _replay(projectors, report)
            # Jobs that were pruned from the log, by somebody who had not come to their rows.
            gone = "id not in (select id from pg_temp.jobs)"
            await connection.execute(delete_keeping_usage(gone, f"{schema}.jobs"))
            for table in _PROJECTION:
                real, new = f"{schema}.{table}", f"pg_temp.{table}"
                await connection.execute(f"delete from {real}; insert into {real} select * from {new}")  # noqa: S608 - our own names
        # Now the names mean the real tables again.
        await connection.execute(f"drop table {', '.join(f'pg_temp.{table}' for table in (*_PROJECTION, *_BESIDES))}")
        await _put_claims_right(connection)
        count = await connection.fetchval("select count(*) from jobs")
        report(f"{count} jobs are as the log tells them")
    finally:
        await connection.close()


async def _replay(projectors: Sequence[Projector], report: Callable[[str], None]) -> None:
    for projector in projectors:
        began = time.monotonic()
        count = await projector.replay(await projector.check_stream())
        seconds = time.monotonic() - began
        report(f"{projector.stream}: {count} events in {seconds:.1f} s, {count / max(seconds, 1e-3):.0f} a second")


async def _apply_jobs(connection: Connection, messages: Sequence[Msg]) -> None:
    await apply_events(connection, events_in(messages))


async def _apply_deliveries(connection: Connection, messages: Sequence[Msg]) -> None:
    # Hooks are not switched off again: their owners may have switched them on since.
    await record_deliveries(connection, deliveries_in(messages))


async def _put_claims_right(connection: Connection) -> None:
    """Apart from the exchange of the rows, since intake may hold a claim while it waits for its job's row."""
    await connection.execute(
        "delete from output_claims as claim using jobs where jobs.id = claim.job and jobs.status not in ('queued', 'transcoding')"
    )
    rows = await connection.fetch("select state from jobs where status in ('queued', 'transcoding')")
    jobs = [Job.model_validate_json(row["state"]) for row in rows]
    claims = []
    for job in jobs:
        # An address that is none cannot be claimed by anybody else either.
        with suppress(ValueError):
            claims.append((job.org, claim_of(job.output_path), job.id, job.created))
    await connection.executemany(
        "insert into output_claims (org, location, job, claimed) values ($1, $2, $3, $4) on conflict do nothing",
        claims,
    )
