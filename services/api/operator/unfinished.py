"""Unfinished jobs that make no progress, and what each of them waits for."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, NotFoundError

from services.api.contract.quotas import in_force
from services.api.database.pool import Database
from services.api.jobs.waits import FRESH_SECONDS
from services.api.operator.dead_letters import DeadLetters, Wanted
from services.api.operator.drain import living_workers
from services.api.operator.reasons import (
    Line,
    Piece,
    Places,
    Reason,
    pieces_of,
    reason_for_piece,
    reason_for_queue,
    reason_for_wait,
)
from services.api.projection.leader import LEADERSHIP
from shared.bus.attempts import Attempts
from shared.bus.direct import direct_get
from shared.bus.errors import bus_calls
from shared.bus.joblog import JobLog
from shared.bus.roster import Worker
from shared.bus.subjects import job_subject, progress_subject, split_job_subject, waiting_subject
from shared.bus.topology import ATTEMPTS_BUCKET, FETCHER, JOBS, PROGRESS, TRANSCODER, UPLOADER
from shared.job import Job
from shared.waiting import Waiting

_SECONDS = 5.0
_MOST_LETTERS = 100
_WAITS_AT_ONCE = 128
_NO_ROOM = "workspace_full"

_UNFINISHED = """
    select jobs.org, jobs.state, jobs.admitted, organizations.max_active_jobs
    from jobs left join organizations on organizations.code = jobs.org
    where (not admitted and status = 'queued') or (admitted and status in ('queued', 'transcoding'))
    order by jobs.org, jobs.priority desc, jobs.created, jobs.id
"""
_LEADS = """
    select exists (
        select from pg_locks
        where locktype = 'advisory' and granted and classid = $1 and objid = $2 and objsubid = 2
          and database = (select oid from pg_database where datname = current_database()))
"""


@dataclass(frozen=True)
class Caps:
    """How many jobs may be under way: in all, and of one organization that has no limit of its own."""

    active: int
    active_per_organization: int


@dataclass(frozen=True)
class UnfinishedJob:
    """A job that has not ended.

    Attributes:
        since: when it last got on: an event, or progress within one.
        reasons: what it waits for.
    """

    org: str
    job: str
    stage: str
    since: datetime
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Told:
    """What a worker has told that a piece of work waits for. ``work``: the end of the subject of the event that is the work."""

    org: str
    job: str
    work: str
    waiting: Waiting


class UnfinishedJobs:
    """Looks at jobs that have not ended. All calls raise ``BusUnavailable`` or ``DatabaseDown`` while one is out of reach.

    Costs a few requests for each running job, and for one that makes no progress its events; of the queue, one statement.
    """

    def __init__(self, client: Client, database: Database, log: JobLog, caps: Caps) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=_SECONDS)
        self._database = database
        self._log = log
        self._caps = caps
        self._letters = DeadLetters(client)

    async def stuck(
        self, longer_than: timedelta, *, org: str | None = None, job: str | None = None
    ) -> list[UnfinishedJob]:
        """The jobs that have not got on for longer than a time: those under way first, then the queue, each in its order."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_UNFINISHED)
            leader = bool(await connection.fetchval(_LEADS, *LEADERSHIP))
        now = datetime.now(UTC)
        waits = await self._waits()
        queue = self._queued(rows, waits, leader=leader)
        running = [Job.model_validate_json(row["state"]) for row in rows if row["admitted"]]

        def wanted(one: Job) -> bool:
            return org in (None, one.org) and job in (None, one.id)

        found = await self._running([one for one in running if wanted(one)], waits, now - longer_than)
        waiting = [
            UnfinishedJob(one.org, one.id, one.stage, one.created, (reason_for_queue(places),))
            for one, places in queue
            if wanted(one) and one.created <= now - longer_than
        ]
        return sorted(found, key=lambda one: one.since) + waiting

    def _queued(self, rows: Sequence[Any], waits: Sequence[Told], *, leader: bool) -> list[tuple[Job, Places]]:
        """The jobs that wait for their admission, as the admission sees them."""
        active = Counter(row["org"] for row in rows if row["admitted"])
        queued = Counter(row["org"] for row in rows if not row["admitted"])
        held_back = {told.org for told in waits if told.waiting.code == _NO_ROOM}
        place: Counter[str] = Counter()
        found = []
        for row in rows:
            if row["admitted"]:
                continue
            org = row["org"]
            place[org] += 1
            limit = in_force(row["max_active_jobs"], self._caps.active_per_organization)
            places = Places(
                running=active.total(),
                most=self._caps.active,
                own=active[org],
                most_own=limit or 0,
                queued=queued[org],
                place=place[org],
                leader=leader,
                held_back=org in held_back,
            )
            found.append((Job.model_validate_json(row["state"]), places))
        return found

    @bus_calls()
    async def _running(self, jobs: Sequence[Job], waits: Sequence[Told], until: datetime) -> list[UnfinishedJob]:
        idle = [(job, since) for job in jobs if (since := await self._since(job)) <= until]
        if not idle:
            return []
        workers = await living_workers(self._nc)
        lines = {durable.name: await self._line(durable.name) for durable in (FETCHER, TRANSCODER, UPLOADER)}
        of_job: dict[str, list[Reason]] = defaultdict(list)
        for told in waits:
            of_job[told.job].append(reason_for_wait(told.waiting, told.work))
        return [
            UnfinishedJob(
                job.org,
                job.id,
                job.stage,
                since,
                (*of_job[job.id], *await self._reasons(job, lines, workers, of_job[job.id])),
            )
            for job, since in idle
        ]

    async def _reasons(
        self, job: Job, lines: dict[str, Line], workers: Sequence[Worker], told: Sequence[Reason]
    ) -> list[Reason]:
        """Where the pieces of a job's work are, but for those of which a worker has told what they wait for."""
        recorded = await self._log.read(job.org, job.id)
        if recorded and recorded[-1].event.token().startswith("end."):
            return [Reason("unknown", "it has ended, and the tables do not know of it yet")]
        letters = {
            split_job_subject(letter.subject)[2]: letter.reason
            for letter in await self._letters.newest(Wanted(job=job.id, org=job.org), _MOST_LETTERS)
            if letter.subject.startswith("jobs.")
        }
        now, known = datetime.now(UTC), {reason.work for reason in told}
        pieces = pieces_of(recorded)
        if not pieces:
            return [Reason("unknown", "nothing of it is left to be done, and it has not ended; cancel it")]
        return [
            reason_for_piece(piece, lines[piece.durable.name], workers, await self._attempts(piece), letters, now)
            for piece in pieces
            if piece.token not in known
        ]

    async def _since(self, job: Job) -> datetime:
        """When a job last got on."""
        moments = [job.created]
        for stream, subject in (
            (JOBS, job_subject(job.org, job.id, ">")),
            (PROGRESS, progress_subject(job.org, job.id, "*")),
        ):
            try:
                found = await self._js.get_last_msg(stream, subject)
            except NotFoundError:
                continue
            if found.time:
                moments.append(found.time)
        return max(moments)

    async def _line(self, consumer: str) -> Line:
        info = await self._js.consumer_info(JOBS, consumer)
        return Line(
            delivered=info.delivered.stream_seq if info.delivered else 0,
            settled=info.ack_floor.stream_seq if info.ack_floor else 0,
            waiting=info.num_pending or 0,
            idle=info.num_waiting or 0,
        )

    async def _attempts(self, piece: Piece) -> Attempts | None:
        bucket = await self._js.key_value(ATTEMPTS_BUCKET)
        try:
            entry = await bucket.get(f"{piece.durable.name}.{piece.sequence}")
        except KeyNotFoundError:
            return None
        return Attempts.model_validate_json(entry.value or b"")

    @bus_calls()
    async def _waits(self) -> list[Told]:
        """All that waits for an outage, as far as somebody has said so lately."""
        found: list[Told] = []
        start, oldest = 1, datetime.now(UTC) - timedelta(seconds=FRESH_SECONDS)
        while True:
            request = {"seq": start, "next_by_subj": waiting_subject("*", "*", ">"), "batch": _WAITS_AT_ONCE}
            messages, _ = await direct_get(self._nc, PROGRESS, request, seconds=_SECONDS)
            for message in messages:
                headers = message.headers or {}
                start = int(headers["Nats-Sequence"]) + 1
                # An empty one says that it waits no longer.
                if message.data and datetime.fromisoformat(headers["Nats-Time-Stamp"]) > oldest:
                    org, job, token = split_job_subject(headers["Nats-Subject"])
                    found.append(Told(org, job, token, Waiting.model_validate_json(message.data)))
            if len(messages) < _WAITS_AT_ONCE:
                return found
