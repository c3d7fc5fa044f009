"""Live progress: heard from the bus, shown as a percentage that never falls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import reduce

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.jobs.live import LiveProgress
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.progress import ProgressReporter
from shared.bus.subjects import progress_subject, waiting_subject
from shared.bus.topology import PROGRESS
from shared.ids import new_job_id
from shared.job import Job, apply
from shared.waiting import Waiting
from tests.support.bus import tell, until
from tests.support.samples import ORG, completed, created, failed, fetched, plan, requested, transcoded
from tests.support.schema import migrated


@pytest.fixture
async def live(client: Client) -> AsyncIterator[LiveProgress]:
    live = LiveProgress(client)
    await live.start()
    yield live
    await live.stop()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(await migrated(database_url))
    yield connection
    await connection.close()


def job_after(*events: ev.Event) -> Job:
    job = reduce(apply, events, None)
    assert job is not None
    return job


def encoding(job: str) -> Job:
    """A job with two equal parts to encode, both of them requested, and nothing else."""
    encode = plan(2, audio=0)
    requests = [requested(job, part, encode) for part in encode.release_order]
    return job_after(created(job), ev.Started(org=ORG, job=job), fetched(job, encode=encode), *requests)


def heard(live: LiveProgress, job: str, fractions: dict[str, float]) -> Callable[[], Awaitable[bool]]:
    async def as_expected() -> bool:
        return live.fractions(job) == fractions

    return as_expected


async def test_the_newest_fraction_of_each_piece_counts(client: Client, live: LiveProgress) -> None:
    job = new_job_id()
    for what, fraction in (
        ("fetch", "0.5"),
        ("v0000", "0.25"),
        ("v0000", "0.75"),
        ("v0001", "0.1"),
        ("v0001", "0.0500"),
    ):
        await client.publish(progress_subject(ORG, job, what), fraction.encode())
    await until(heard(live, job, {"fetch": 0.5, "v0000": 0.75, "v0001": 0.05}))


async def test_nonsense_is_not_heard(client: Client, live: LiveProgress) -> None:
    job = new_job_id()
    for what, fraction in (("a", "nan"), ("b", "inf"), ("c", "lots"), ("d", ""), ("e", "-3"), ("f", "7"), ("g", "0.5")):
        await client.publish(progress_subject(ORG, job, what), fraction.encode())
    await until(heard(live, job, {"e": 0.0, "f": 1.0, "g": 0.5}))


async def test_what_was_told_before_the_start_is_read(client: Client) -> None:
    jobs = [new_job_id() for _ in range(700)]
    for job in jobs:
        await client.jetstream().publish(progress_subject(ORG, job, "fetch"), b"0.1", stream=PROGRESS)
    await client.jetstream().publish(progress_subject(ORG, jobs[0], "fetch"), b"0.4", stream=PROGRESS)
    live = LiveProgress(client)
    await live.start()
    try:
        assert live.fractions(jobs[0]) == {"fetch": 0.4}
        assert all(live.fractions(job) == {"fetch": 0.1} for job in jobs[1:])
    finally:
        await live.stop()


async def test_a_worker_is_heard(client: Client, live: LiveProgress) -> None:
    job, told = new_job_id(), []
    live.listen(lambda org, job: told.append((org, job)))
    clock = iter([0.0, 0.1, 1.0, 2.0])
    reporter = ProgressReporter(client, ORG, job, "v0000", clock=lambda: next(clock))
    for fraction in (0.2, 0.3, 0.1, 0.4):
        await reporter.tell(fraction)
    await until(heard(live, job, {"v0000": 0.4}))
    assert told == [(ORG, job)] * 2, "more than two a second, or one that goes back, was told"


async def test_what_is_waited_for_is_read_after_a_start_too(client: Client) -> None:
    waits, other = job_after(created(new_job_id())), job_after(created(new_job_id()))
    now = datetime.now(UTC)
    told = Waiting(code="input_timeout", message="It is out.", service="fetcher", since=now, until=now)
    for job, body in ((waits, told.model_dump_json().encode()), (other, b"")):
        await client.jetstream().publish(waiting_subject(ORG, job.id, "admitted"), body, stream=PROGRESS)
    live = LiveProgress(client)
    await live.start()
    try:
        assert live.waiting(waits) == told
        assert live.waiting(other) is None
        assert live.waiting(apply(waits, failed(waits.id))) is None, "a job that has ended waits for nothing"
    finally:
        await live.stop()


async def test_pieces_and_jobs_that_are_done_are_forgotten(client: Client, live: LiveProgress) -> None:
    job, other = new_job_id(), new_job_id()
    log = JobLog(client)
    await tell(log, [created(job), created(other)])
    for name in (job, other):
        for what in ("v0000", "v0001"):
            await client.publish(progress_subject(ORG, name, what), b"0.5")
    await until(heard(live, other, {"v0000": 0.5, "v0001": 0.5}))
    await log.append(transcoded(job, "v0000"))
    await until(heard(live, job, {"v0001": 0.5}))
    await log.append(ev.Cancelled(org=ORG, job=job))
    await until(heard(live, job, {}))
    assert live.fractions(other) == {"v0000": 0.5, "v0001": 0.5}


async def test_memory_is_bounded(client: Client, live: LiveProgress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.jobs.live.MOST_JOBS", 10)
    monkeypatch.setattr("services.api.jobs.live.MOST_PARTS", 5)
    jobs = [new_job_id() for _ in range(30)]
    for job in jobs:
        for number in range(8):
            await client.publish(progress_subject(ORG, job, f"v{number:04d}"), b"0.5")
        # The first one stays because it is still being told of.
        await client.publish(progress_subject(ORG, jobs[0], "v0000"), b"0.6")
    await until(lambda: _true_when(len(live.fractions(jobs[-1])) == 5))
    kept = [job for job in jobs if live.fractions(job)]
    assert len(kept) == 10
    assert jobs[0] in kept
    assert all(len(live.fractions(job)) <= 5 for job in kept)


async def _true_when(condition: bool) -> bool:
    return condition


async def test_percent_adds_what_is_heard_to_what_is_known(
    client: Client, live: LiveProgress, connection: Connection
) -> None:
    job, other = encoding(new_job_id()), encoding(new_job_id())
    assert await live.percent(connection, [job, other]) == {job.id: 10, other.id: 10}
    await client.publish(progress_subject(ORG, job.id, "v0000"), b"0.5")
    await until(heard(live, job.id, {"v0000": 0.5}))
    assert await live.percent(connection, [job, other]) == {job.id: 30, other.id: 10}
    assert await live.percent(connection, []) == {}


async def test_percent_never_falls(client: Client, live: LiveProgress, connection: Connection) -> None:
    """A part fails at 80 % and begins anew; a replica that has heard nothing answers next; the job ends in error."""
    job = encoding(new_job_id())
    await client.publish(progress_subject(ORG, job.id, "v0000"), b"0.8")
    await until(heard(live, job.id, {"v0000": 0.8}))
    assert await live.percent(connection, [job]) == {job.id: 42}
    await client.publish(progress_subject(ORG, job.id, "v0000"), b"0.1")
    await until(heard(live, job.id, {"v0000": 0.1}))
    assert await live.percent(connection, [job]) == {job.id: 42}
    deaf = LiveProgress(client)
    assert await deaf.percent(connection, [job]) == {job.id: 42}
    for end in (failed(job.id), ev.Cancelled(org=ORG, job=job.id)):
        assert await deaf.percent(connection, [apply(job, end)]) == {job.id: 42}
    assert await deaf.percent(connection, [apply(job, completed(job.id))]) == {job.id: 100}


async def test_replicas_agree_on_the_highest(client: Client, connection: Connection, database_url: str) -> None:
    job = encoding(new_job_id())
    replicas = [LiveProgress(client) for _ in range(5)]
    connections = [await asyncpg.connect(database_url) for _ in replicas]
    try:
        for number, replica in enumerate(replicas):
            replica._fractions[job.id] = {"v0000": number / 10}
        shown = await asyncio.gather(
            *(replica.percent(each, [job]) for replica, each in zip(replicas, connections, strict=True))
        )
        assert max(percent[job.id] for percent in shown) == 26
        assert {(await replica.percent(connection, [job]))[job.id] for replica in replicas} == {26}
    finally:
        for each in connections:
            await each.close()


async def test_nothing_is_written_where_nothing_is_new(
    client: Client, live: LiveProgress, connection: Connection
) -> None:
    job = encoding(new_job_id())
    await live.percent(connection, [job])
    before = await connection.fetchval("select xmin::text from progress_shown where job = $1", job.id)
    for _ in range(3):
        await live.percent(connection, [job])
    assert await connection.fetchval("select xmin::text from progress_shown where job = $1", job.id) == before
    queued = job_after(created(new_job_id()))
    assert await live.percent(connection, [queued]) == {queued.id: 0}
    assert await connection.fetchval("select count(*) from progress_shown where job = $1", queued.id) == 0
