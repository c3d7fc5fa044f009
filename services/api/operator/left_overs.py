"""Rows, entries and files that belong to no job any more.

Whatever a job leaves is removed by itself, within minutes of its end or with its retention. What is found here was left by
something that nobody foresaw: it does no harm, and may be removed. A job that only the log or only the tables know is not called
gone: one of them may have been lost, and come back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, NotFoundError

from services.api.database.pool import Database
from services.api.projection.buckets import bucket_entries
from shared.bus.attempts import Attempts
from shared.bus.errors import bus_calls
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject, split_job_subject
from shared.bus.topology import ATTEMPTS_BUCKET, JOBS, QUEUES_BUCKET, SECRETS_BUCKET, WEBHOOK_ATTEMPTS
from shared.events import Created
from shared.workspace.space import WorkSpace

T = TypeVar("T")
Kind = Literal["files", "credentials", "attempts", "delivery queue", "output claim", "idempotency key", "progress"]

AGE = timedelta(minutes=10)
"""How old a thing must be to be called left over: many times what a request takes, or the removal after an end."""

_SECONDS = 5.0
_CLAIMS = "select org, job, location as place from output_claims where claimed < now() - $1::interval order by claimed"
_KEYS = "select org, job, key as place from idempotency_keys where created < now() - $1::interval order by created"
_PROGRESS = """
    select job, job as place from progress_shown where not exists (select from jobs where jobs.id = progress_shown.job)
"""


@dataclass(frozen=True)
class LeftOver:
    """Something that belongs to nobody. ``place`` tells where it is, ``why`` why nobody needs it."""

    kind: Kind
    place: str
    org: str
    job: str
    why: str


class LeftOvers:
    """Finds and removes what belongs to nobody. Calls raise ``BusUnavailable`` or ``DatabaseDown`` while one is out of reach.

    Costs three requests for each job of which something is there.

    Args:
        space: the work space, as far as it can be reached from here.
        age: how old a thing must be.
    """

    def __init__(
        self, client: Client, database: Database, log: JobLog, space: WorkSpace, *, age: timedelta = AGE
    ) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=_SECONDS)
        self._database = database
        self._log = log
        self._space = space
        self._age = age
        self._judged: dict[tuple[str, str], tuple[str, bool]] = {}

    async def find(self) -> list[LeftOver]:
        """All that is found, kind by kind."""
        self._judged = {}
        return [
            one
            for search in (
                self._files,
                self._credentials,
                self._attempts,
                self._queues,
                self._claims,
                self._keys,
                self._progress,
            )
            async for one in search()
        ]

    async def remove(self, one: LeftOver) -> None:
        """Remove one of them."""
        by_kind: dict[Kind, Callable[[LeftOver], Awaitable[object]]] = {
            "files": lambda one: self._space.remove_job(one.org, one.job),
            "credentials": lambda one: self._purge(SECRETS_BUCKET, one.place),
            "attempts": lambda one: self._purge(ATTEMPTS_BUCKET, one.place),
            "delivery queue": lambda one: self._purge(QUEUES_BUCKET, one.place),
            "output claim": lambda one: self._delete(
                "delete from output_claims where org = $1 and job = $2 and location = $3", one.org, one.job, one.place
            ),
            "idempotency key": lambda one: self._delete(
                "delete from idempotency_keys where org = $1 and job = $2 and key = $3", one.org, one.job, one.place
            ),
            "progress": lambda one: self._delete("delete from progress_shown where job = $1", one.job),
        }
        await by_kind[one.kind](one)

    async def _files(self) -> AsyncIterator[LeftOver]:
        for org, job in await self._space.jobs():
            if why := await self._why(org, job):
                yield LeftOver("files", f"{org}/{job}", org, job, why)

    async def _credentials(self) -> AsyncIterator[LeftOver]:
        for key in await self._entries(SECRETS_BUCKET):
            org, job = key.split(".")[:2]
            if (why := await self._why(org, job)) and await self._is_old(SECRETS_BUCKET, key):
                yield LeftOver("credentials", key, org, job, why)

    async def _queues(self) -> AsyncIterator[LeftOver]:
        for key in await self._entries(QUEUES_BUCKET):
            org, job = key.split(".")[:2]
            # Of an ended job deliveries go on for days. What begins with `gone` is of no job.
            why = None if org == "gone" else await self._why(org, job, ended_counts=False)
            if why and await self._is_old(QUEUES_BUCKET, key):
                yield LeftOver("delivery queue", key, org, job, why)

    async def _attempts(self) -> AsyncIterator[LeftOver]:
        for key in await self._entries(ATTEMPTS_BUCKET):
            opened = await self._call(self._js.key_value(ATTEMPTS_BUCKET))
            try:
                entry = await self._call(opened.get(key))
            except KeyNotFoundError:
                continue
            org, job, _ = split_job_subject(Attempts.model_validate_json(entry.value or b"").subject)
            consumer, _, sequence = key.rpartition(".")
            stream = WEBHOOK_ATTEMPTS.stream if consumer == WEBHOOK_ATTEMPTS.name else JOBS
            why = await self._why(org, job, ended_counts=stream == JOBS)
            if why is None and not await self._message_is_there(stream, int(sequence)):
                why = "its message is gone"
            if why and await self._is_old(ATTEMPTS_BUCKET, key):
                yield LeftOver("attempts", key, org, job, why)

    async def _claims(self) -> AsyncIterator[LeftOver]:
        async for org, job, place in self._rows(_CLAIMS):
            if why := await self._why(org, job):
                yield LeftOver("output claim", place, org, job, why)

    async def _keys(self) -> AsyncIterator[LeftOver]:
        async for org, job, place in self._rows(_KEYS):
            # That of an ended job still answers requests that come again.
            if why := await self._why(org, job, ended_counts=False):
                yield LeftOver("idempotency key", place, org, job, why)

    async def _progress(self) -> AsyncIterator[LeftOver]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PROGRESS)
        for row in rows:
            yield LeftOver("progress", row["place"], "", row["job"], "no such job")

    async def _why(self, org: str, job: str, *, ended_counts: bool = True) -> str | None:
        """Why nobody needs what is there of a job; None where somebody may."""
        if (org, job) not in self._judged:
            self._judged[org, job] = await self._judge(org, job)
        why, is_end = self._judged[org, job]
        return (why or None) if ended_counts or not is_end else None

    async def _judge(self, org: str, job: str) -> tuple[str, bool]:
        try:
            created = await self._log.last(job_subject(org, job, Created.subject))
            end = await self._log.end_of(org, job)
        except ValueError:
            return "", False
        if end is not None:
            old = datetime.now(UTC) - end.event.at >= self._age
            return ("the job has ended", True) if old else ("", True)
        if created is not None:
            return "", False
        async with self._database.connection() as connection:
            known = await connection.fetchval("select exists (select from jobs where id = $1)", job)
        return ("" if known else "no such job"), False

    async def _rows(self, sql: str) -> AsyncIterator[tuple[str, str, str]]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql, self._age)
        for row in rows:
            yield row["org"], row["job"], row["place"]

    async def _entries(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        return [key async for key, _ in bucket_entries(self._nc, bucket)]

    async def _is_old(self, bucket: str, key: str) -> bool:
        try:
            message = await self._call(self._js.get_last_msg(f"KV_{bucket}", f"$KV.{bucket}.{key}"))
        except NotFoundError:
            return False
        return message.time is not None and datetime.now(UTC) - message.time >= self._age

    async def _message_is_there(self, stream: str, sequence: int) -> bool:
        try:
            await self._call(self._js.get_msg(stream, sequence))
        except NotFoundError:
            return False
        return True

    async def _purge(self, bucket: str, key: str) -> None:
        opened = await self._call(self._js.key_value(bucket))
        await self._call(opened.purge(key))

    async def _delete(self, sql: str, *values: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(sql, *values)

    async def _call(self, call: Awaitable[T]) -> T:
        async with bus_calls():
            return await call
