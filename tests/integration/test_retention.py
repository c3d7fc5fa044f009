"""Retention: what ended long ago goes from the log and the tables, and nothing else does, wherever it is broken off."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.client import JetStreamContext

from services.api.database.pool import Connection
from services.api.projection.projection import load_offset
from services.api.projection.rebuild import rebuild
from services.api.projection.retention import Retention
from shared import events as ev
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, FETCHER, JOBS, QUEUES_BUCKET, SECRETS_BUCKET, WEBHOOKS
from shared.deliveries import DeliveryAttempted, WebhookAttempt
from shared.ids import new_job_id
from tests.support.bus import tell, until
from tests.support.leading import leading
from tests.support.samples import ORG, completed, created, whole_life
from tests.support.schema import dump

# The samples tell of jobs of 2024, so anything that is not told as of now is old.
KEEP = timedelta(days=90)


class Died(Exception):
    """What befalls a round in the middle."""


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def retention(url: str, client: Client, keep: timedelta | None = KEEP) -> Retention:
    return Retention(url, client, JobLog(client), keep_jobs=keep, ready=lambda: True)


async def an_old_job(client: Client, connection: Connection, *, end: ev.Event | None = None) -> str:
    """A job that ended long ago, with everything that may hang on one."""
    job, hook, js = new_job_id(), uuid4(), client.jetstream()
    await tell(JobLog(client), whole_life(job, end=end.model_copy(update={"job": job}) if end else None))
    for attempt in (1, 2):
        fact = DeliveryAttempted(
            org=ORG, job=job, hook=str(hook), message_id="msg", status="queued", sequence=1, attempt=attempt,
            outcome="delivered",
        )  # fmt: skip
        await js.publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)
    await connection.execute("insert into idempotency_keys (org, key, body, job) values ($1, $2, '', $2)", ORG, job)
    await connection.execute("insert into progress_shown values ($1, 42)", job)
    attempt_to_make = WebhookAttempt(org=ORG, job=job, hook=str(hook), status="completed", sequence=1)
    await js.publish(attempt_to_make.subject, attempt_to_make.model_dump_json().encode(), stream=WEBHOOKS)
    await (await js.key_value(SECRETS_BUCKET)).put(f"{ORG}.{job}", b"sealed")
    queues = await js.key_value(QUEUES_BUCKET)
    await queues.put(f"{ORG}.{job}", b"{}")
    await queues.put(f"{ORG}.{job}.{hook}", b"{}")
    return job


async def projected(url: str, client: Client, connection: Connection) -> None:
    """Everything of both streams is in the tables."""
    async with leading(url, client):

        async def caught_up() -> bool:
            for stream in (JOBS, DELIVERIES):
                info = await client.jetstream().stream_info(stream)
                if await load_offset(connection, stream) != info.state.last_seq:
                    return False
            # Whoever waits is let begin, which makes further events.
            waiting = await connection.fetchval("select count(*) from jobs where not admitted and status = 'queued'")
            return bool(waiting == 0)

        await until(caught_up)


async def on_the_bus(client: Client, job: str) -> set[str]:
    """Names of the streams and buckets that have anything of a job."""
    found = set()
    for stream in (JOBS, DELIVERIES, WEBHOOKS, f"KV_{SECRETS_BUCKET}", f"KV_{QUEUES_BUCKET}"):
        info = await client.jetstream().stream_info(stream, subjects_filter=">")
        if any(job in subject.split(".") for subject in info.state.subjects or {}):
            found.add(stream)
    return found


async def in_the_tables(connection: Connection, job: str) -> set[str]:
    """Names of the tables that have anything of a job."""
    return {table for table, rows in (await dump(connection)).items() if any(job in row for row in rows)}


async def test_an_old_job_goes_from_everywhere(url: str, client: Client, connection: Connection) -> None:
    old = await an_old_job(client, connection)
    await projected(url, client, connection)
    assert len(await on_the_bus(client, old)) == 5
    assert await in_the_tables(connection, old) >= {"jobs", "deliveries", "idempotency_keys"}
    assert not await retention(url, client).prune()
    assert await on_the_bus(client, old) == set()
    assert await in_the_tables(connection, old) == set()


@pytest.mark.parametrize("end", [ev.Cancelled(org=ORG, job=new_job_id()), None])
async def test_only_the_old_and_ended_go(
    url: str, client: Client, connection: Connection, end: ev.Event | None
) -> None:
    log = JobLog(client)
    old = await an_old_job(client, connection, end=end)
    running, waiting, young = new_job_id(), new_job_id(), new_job_id()
    await tell(log, whole_life(running)[:6])
    await tell(log, [created(waiting)])
    await tell(log, [*whole_life(young)[:-1], completed(young, at=ev.now())])
    before = {job: await log.read(ORG, job) for job in (running, young)}
    await projected(url, client, connection)
    await retention(url, client).prune()
    assert await in_the_tables(connection, old) == set()
    for job in (running, waiting, young):
        assert "jobs" in await in_the_tables(connection, job)
        assert JOBS in await on_the_bus(client, job)
    assert {job: await log.read(ORG, job) for job in (running, young)} == before


async def test_a_rebuild_afterwards_makes_the_same_tables(url: str, client: Client, connection: Connection) -> None:
    log = JobLog(client)
    for _ in range(3):
        await an_old_job(client, connection)
        await tell(log, whole_life(new_job_id())[:7])
    young = new_job_id()
    await tell(log, [created(young), ev.Cancelled(org=ORG, job=young, at=ev.now())])
    await projected(url, client, connection)
    await retention(url, client).prune()
    before = await dump(connection)
    assert len(before["jobs"]) == 4
    await rebuild(url, client, lambda _line: None)
    after = await dump(connection)
    for table in before:
        # A claim says when it was made anew; how far a stream is read has nothing to say where it is empty.
        if table not in ("output_claims", "offsets"):
            assert after[table] == before[table], table


@pytest.mark.parametrize("steps", range(8))
async def test_one_that_dies_anywhere_is_finished_by_the_next(
    url: str, client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """After some of the seven purges, or after all of them and before the rows are deleted."""
    old = [await an_old_job(client, connection) for _ in range(2)]
    running = new_job_id()
    await tell(JobLog(client), whole_life(running)[:6])
    await projected(url, client, connection)
    purge, left = JetStreamContext.purge_stream, steps

    async def dying(self: JetStreamContext, *args: Any, **kwargs: Any) -> bool:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        return bool(await purge(self, *args, **kwargs))

    async def die(*_: Any) -> None:
        raise Died

    monkeypatch.setattr(JetStreamContext, "purge_stream", dying)
    monkeypatch.setattr(Retention, "_delete_rows", die)
    with pytest.raises(Died):
        await retention(url, client).prune()
    monkeypatch.undo()
    for job in old:
        assert "jobs" in await in_the_tables(connection, job), "who should find it again?"
    await retention(url, client).prune()
    for job in old:
        assert await on_the_bus(client, job) == set()
        assert await in_the_tables(connection, job) == set()
    assert JOBS in await on_the_bus(client, running)
    before = await dump(connection)
    await rebuild(url, client, lambda _line: None)
    assert (await dump(connection))["jobs"] == before["jobs"]


async def test_a_purge_that_the_server_broke_off_is_finished(url: str, client: Client, connection: Connection) -> None:
    """Its first events are gone, its end is still there; or its end is gone and the middle is left."""
    first, second = [await an_old_job(client, connection) for _ in range(2)]
    await projected(url, client, connection)
    js = client.jetstream()
    await js.purge_stream(JOBS, subject=f"jobs.{ORG}.{first}.created")
    await js.purge_stream(JOBS, subject=f"jobs.{ORG}.{second}.created")
    await js.purge_stream(JOBS, subject=f"jobs.{ORG}.{second}.end.completed")
    await retention(url, client).prune()
    for job in (first, second):
        assert await on_the_bus(client, job) == set()
        assert await in_the_tables(connection, job) == set()


async def test_a_job_that_only_the_tables_call_ended_stays(
    url: str, client: Client, connection: Connection, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus was restored from a copy in which the job had not ended yet. It holds up no other."""
    monkeypatch.setattr("services.api.projection.retention.BATCH", 1)
    unsure, old = [await an_old_job(client, connection) for _ in range(2)]
    await projected(url, client, connection)
    await client.jetstream().purge_stream(JOBS, subject=f"jobs.{ORG}.{unsure}.end.completed")
    await connection.execute("update jobs set ended = ended - interval '1 day' where id = $1", unsure)
    pruning = retention(url, client)
    assert await pruning.prune(), "there is more to do"
    assert await pruning.prune()
    assert not await pruning.prune()
    assert "jobs" in await in_the_tables(connection, unsure)
    assert len(await JobLog(client).read(ORG, unsure)) == len(whole_life(unsure)) - 1
    assert await in_the_tables(connection, old) == set()
    assert len([entry for entry in logs if entry["event"] == "a job has ended in the tables only"]) == 1


async def test_rounds_are_small(
    url: str, client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.projection.retention.BATCH", 2)
    for _ in range(5):
        job = new_job_id()
        await tell(JobLog(client), [created(job), ev.Cancelled(org=ORG, job=job, at=created(job).at)])
    await projected(url, client, connection)
    pruning = retention(url, client)
    counts = []
    for _ in range(3):
        more = await pruning.prune()
        counts.append((await connection.fetchval("select count(*) from jobs where status = 'cancelled'"), more))
    assert counts == [(3, True), (1, True), (0, False)]


async def test_deliveries_go_with_their_messages(url: str, client: Client, connection: Connection) -> None:
    """The stream drops what is too old by itself; the list of deliveries follows, as a rebuild would have it."""
    await an_old_job(client, connection)
    await projected(url, client, connection)
    await client.jetstream().purge_stream(DELIVERIES, seq=2)
    await retention(url, client, keep=None).prune()
    rows = await connection.fetch("select sequence from deliveries")
    assert [row["sequence"] for row in rows] == [2]
    assert await connection.fetchval("select count(*) from jobs") == 1
    before = await dump(connection)
    await rebuild(url, client, lambda _line: None)
    assert (await dump(connection))["deliveries"] == before["deliveries"]


async def test_a_row_of_an_older_replica_is_kept_from_now_on(url: str, client: Client, connection: Connection) -> None:
    old = await an_old_job(client, connection)
    await projected(url, client, connection)
    await connection.execute("update jobs set ended = null")
    await retention(url, client).prune()
    assert "jobs" in await in_the_tables(connection, old)
    assert await connection.fetchval("select ended > now() - interval '1 minute' from jobs where id = $1", old)


async def test_the_leader_prunes_beside_its_work(url: str, client: Client, connection: Connection) -> None:
    old, new = await an_old_job(client, connection), new_job_id()
    async with leading(url, client, keep_jobs=KEEP):

        async def gone() -> bool:
            # Of the old one there was a row, because the offset is beyond it.
            return await load_offset(connection, JOBS) > 0 and await in_the_tables(connection, old) == set()

        await until(gone)
        await JobLog(client).append(created(new))

        async def there() -> bool:
            return "jobs" in await in_the_tables(connection, new)

        await until(there)
    assert await on_the_bus(client, old) == set()


async def test_consumers_pass_over_what_is_gone(url: str, client: Client, connection: Connection) -> None:
    """A fetcher that was away for months begins with the first job that is still there."""
    await an_old_job(client, connection)
    await projected(url, client, connection)
    await retention(url, client).prune()
    new = new_job_id()
    await tell(JobLog(client), [created(new), ev.Admitted(org=ORG, job=new)])
    subscription = await client.jetstream().pull_subscribe_bind(consumer=FETCHER.name, stream=JOBS)
    (message,) = await subscription.fetch(1, timeout=10)
    assert json.loads(message.data)["job"] == new
    await message.ack_sync()


async def test_a_bus_that_is_away_costs_nothing(
    url: str, client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await an_old_job(client, connection)
    await projected(url, client, connection)

    async def away(*_: Any, **__: Any) -> bool:
        raise NoRespondersError

    monkeypatch.setattr(JetStreamContext, "purge_stream", away)
    with pytest.raises(BusUnavailable):
        await retention(url, client).prune()
    assert "jobs" in await in_the_tables(connection, old)
