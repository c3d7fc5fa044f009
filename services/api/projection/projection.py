"""The projection of the log in Postgres: what is written for each event, and nothing of when or by whom.

A row of ``jobs`` holds the fold of a job's events up to ``last_sequence``, so applying an event again changes nothing.
The rows are only as good as the events are whole: whoever applies an event must have applied all earlier ones of its job.
The projector reads the log in order, so for it that is always so. Anyone else who wants to see a job's newest state in
the table uses :func:`refresh_job`, which reads all of the job's events; only ``created``, which is always the first, may
be applied alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from asyncpg import Record
from pydantic import ValidationError

from services.api.database.pool import Connection
from shared.bus.joblog import JobLog
from shared.deliveries import DeliveryAttempted
from shared.events import Created, Recorded
from shared.job import Job, apply

PRIORITIES = {"low": 0, "normal": 1, "high": 2}

# By their order, as all who lock several rows do, or they would wait for each other.
_LOAD = "select id, last_sequence, state from jobs where id = any($1::text[]) order by id for update"
_THERE = "select id from jobs where id = any($1::text[])"
_STORE_ROWS = """
    insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state, ended,
                      fetched, source_seconds, source_bytes, retry_of, rendition_seconds, encode_seconds, output_bytes)
    select rows.*
    from {beside} unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::boolean[], $6::smallint[],
                         $7::boolean[], $8::bigint[], $9::text[], $10::timestamptz[],
                         $11::timestamptz[], $12::double precision[], $13::bigint[], $14::text[],
                         $15::double precision[], $16::double precision[], $17::bigint[]) as rows
    on conflict (id) do update
    set status = excluded.status, admitted = excluded.admitted, last_sequence = excluded.last_sequence, state = excluded.state,
        ended = excluded.ended, fetched = excluded.fetched, source_seconds = excluded.source_seconds,
        source_bytes = excluded.source_bytes, rendition_seconds = excluded.rendition_seconds,
        encode_seconds = excluded.encode_seconds, output_bytes = excluded.output_bytes
    where jobs.last_sequence < excluded.last_sequence
"""
_STORE = _STORE_ROWS.format(beside="")
# Answers before the rows are on the disk: what a crash of Postgres takes away is in the log.
_STORE_AT_ONCE = _STORE_ROWS.format(
    beside="(select set_config('synchronous_commit', 'off', true)) as transaction_of_its_own,"
)
_RECORD_DELIVERIES = """
    insert into deliveries (sequence, org, job, hook, message_id, status, attempt, at, outcome, response_status, error,
                            duration_ms, next_attempt_at, response, test)
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
                         $8::timestamptz[], $9::text[], $10::integer[], $11::text[], $12::integer[], $13::timestamptz[],
                         $14::text[], $15::boolean[])
    on conflict (sequence) do nothing
    returning sequence
"""
_SAVE_OFFSET = """
    insert into offsets (stream, sequence) values ($1, $2)
    on conflict (stream) do update set sequence = greatest(offsets.sequence, excluded.sequence)
"""


@dataclass(frozen=True)
class Folded:
    """A job's state, and the place in the log of the newest event in it."""

    sequence: int
    job: Job


@dataclass(frozen=True)
class RecordedDelivery:
    """A fact about a delivery with its place in the stream of deliveries."""

    sequence: int
    hook: UUID
    delivery: DeliveryAttempted


async def apply_events(connection: Connection, events: Sequence[Recorded]) -> Mapping[str, Job]:
    """Bring events into the rows of their jobs, in one transaction (nested, if one is open).

    Args:
        events: in the log's order; of each job everything after what its row holds (see above).

    Returns:
        the state of each of the jobs afterwards, as far as it can be read; not of those that were new and had their rows already.
    """
    by_job: dict[str, list[Recorded]] = defaultdict(list)
    for recorded in events:
        by_job[recorded.event.job].append(recorded)
    async with connection.transaction():
        # Intake shows new jobs at once, so that most of these rows are there and need neither be read nor be locked.
        if new := [job for job, news in by_job.items() if len(news) == 1 and isinstance(news[0].event, Created)]:
            for row in await connection.fetch(_THERE, new):
                del by_job[row["id"]]
        if not by_job:
            return {}
        rows = await connection.fetch(_LOAD, list(by_job))
        before = {row["id"]: folded for row in rows if (folded := _folded(row))}
        unreadable = {row["id"] for row in rows} - before.keys()
        after = {job: fold(before.get(job), news) for job, news in by_job.items() if job not in unreadable}
        await _store(connection, [new for job, new in after.items() if new and new is not before.get(job)])
    return {job: folded.job for job, folded in after.items() if folded}


async def show_created(connection: Connection, created: Sequence[Recorded]) -> None:
    """Bring the first events of jobs into rows of their own, so that all can see them before the projector has come to them.

    Args:
        connection: in no transaction.
    """
    states = [folded for recorded in created if (folded := fold(None, [recorded]))]
    await connection.execute(_STORE_AT_ONCE, *_columns(states))


async def refresh_job(connection: Connection, log: JobLog, org: str, job: str, *, at_least: int = 0) -> Job | None:
    """Bring a job's row up to the log, if it lags behind.

    Args:
        at_least: a sequence that is known to be in the log, such as that of an event just appended.

    Returns:
        the job, or None if the log has no such job.
    """
    folded = fold(None, await log.read(org, job, at_least=at_least))
    if folded is None:
        return None
    async with connection.transaction():
        await _store(connection, [folded])
    return folded.job


def fold(known: Folded | None, events: Iterable[Recorded]) -> Folded | None:
    """The state after more events, the same object if they change nothing. An event that does not fit is left out."""
    folded = known
    for recorded in events:
        if folded and recorded.sequence <= folded.sequence:
            continue
        try:
            folded = Folded(recorded.sequence, apply(folded.job if folded else None, recorded.event))
        except Exception as error:
            # Whatever is wrong with one event must not keep all the others, of all jobs, from being seen.
            event = recorded.event
            structlog.get_logger().error(
                "event left out",
                sequence=recorded.sequence,
                organization=event.org,
                job=event.job,
                event_token=event.token(),
                error=repr(error),
            )
    return folded


async def record_deliveries(connection: Connection, deliveries: Sequence[RecordedDelivery]) -> list[DeliveryAttempted]:
    """List deliveries.

    Returns:
        those that were not listed before.
    """
    if not deliveries:
        return []
    columns = zip(*(_delivery_row(recorded) for recorded in deliveries), strict=True)
    rows = await connection.fetch(_RECORD_DELIVERIES, *(list(column) for column in columns))
    new = {row["sequence"] for row in rows}
    return [recorded.delivery for recorded in deliveries if recorded.sequence in new]


async def disable_hooks(connection: Connection, deliveries: Iterable[DeliveryAttempted]) -> set[str]:
    """Switch off the webhooks whose receivers said that they are gone.

    Returns:
        the organizations whose webhooks were changed.
    """
    gone = {(UUID(delivery.hook), delivery.org) for delivery in deliveries if delivery.outcome == "disabled"}
    if not gone:
        return set()
    hooks, orgs = zip(*sorted(gone), strict=True)
    rows = await connection.fetch(
        "update webhooks set enabled = false from unnest($1::uuid[], $2::text[]) as gone (id, org)"
        " where webhooks.id = gone.id and webhooks.org = gone.org and webhooks.enabled returning webhooks.org",
        list(hooks),
        list(orgs),
    )
    return {row["org"] for row in rows}


async def load_offset(connection: Connection, stream: str) -> int:
    """Sequence of the last message of a stream that is in the tables; 0 before the first."""
    return int(await connection.fetchval("select sequence from offsets where stream = $1", stream) or 0)


async def save_offset(connection: Connection, stream: str, sequence: int) -> None:
    """Remember it, in the transaction that brings the messages up to there into the tables."""
    await connection.execute(_SAVE_OFFSET, stream, sequence)


def _folded(row: Record) -> Folded | None:
    try:
        return Folded(row["last_sequence"], Job.model_validate_json(row["state"]))
    except ValidationError as error:
        # Written by a version of this code that is no longer understood.
        structlog.get_logger().critical("unreadable row: run the rebuild", job=row["id"], error=str(error)[:500])
        return None


async def _store(connection: Connection, states: list[Folded]) -> None:
    if not states:
        return
    await connection.execute(_STORE, *_columns(states))
    finished = [folded.job for folded in states if folded.job.finished]
    if finished:
        await connection.execute("delete from output_claims where job = any($1::text[])", [job.id for job in finished])
        # A completed job is at 100; the others are shown for good as far as they were seen to get.
        completed = [job.id for job in finished if job.status == "completed"]
        await connection.execute("delete from progress_shown where job = any($1::text[])", completed)


def _columns(states: Sequence[Folded]) -> Iterator[list[object]]:
    """The columns of the rows, by the order of their ids."""
    rows = [_job_row(folded) for folded in sorted(states, key=lambda folded: folded.job.id)]
    return (list(column) for column in zip(*rows, strict=True))


async def sweep_claims(connection: Connection) -> None:
    """Give up claims of jobs that never came to be, because intake died between the claim and the event."""
    await connection.execute(
        "delete from output_claims as claim where claimed < now() - interval '10 minutes'"
        " and not exists (select from jobs where jobs.id = claim.job)"
    )


def _job_row(folded: Folded) -> tuple[object, ...]:
    job = folded.job
    return (
        job.id,
        job.org,
        job.created,
        job.status,
        job.enable_drm,
        PRIORITIES[job.priority],
        job.admitted,
        folded.sequence,
        job.model_dump_json(),
        job.end_time,
        # The size is unknown of what version 0.1 saw being fetched.
        job.fetched_at if job.source_bytes is not None else None,
        job.video_duration,
        job.source_bytes,
        job.retry_of,
        job.rendition_seconds,
        job.encode_seconds,
        job.output_bytes,
    )


def _delivery_row(recorded: RecordedDelivery) -> tuple[object, ...]:
    delivery = recorded.delivery
    # Postgres has no NUL in its text; a receiver's words may.
    error = delivery.error.replace("\0", "") if delivery.error else delivery.error
    return (
        recorded.sequence,
        delivery.org,
        delivery.job,
        recorded.hook,
        delivery.message_id.replace("\0", ""),
        delivery.status,
        delivery.attempt,
        delivery.at,
        delivery.outcome,
        delivery.response_status,
        error,
        delivery.duration_ms,
        delivery.next_attempt_at,
        # Its NULs are escaped, as everything is that JSON does not take.
        delivery.response.model_dump_json() if delivery.response else None,
        delivery.test,
    )
