"""The rebuild: truncate and replay, with the same rows at the end."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.contract.claims import claim_of
from services.api.database.pool import Connection
from services.api.projection.projection import apply_events, load_offset, refresh_job
from services.api.projection.rebuild import rebuild
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, JOBS
from shared.deliveries import DeliveryAttempted
from shared.ids import new_job_id
from tests.support.bus import tell, until
from tests.support.leading import leading, leads, status_is
from tests.support.samples import ORG, created, failed, whole_life
from tests.support.schema import TABLES, dump

QUIET: list[str] = []


class Died(Exception):
    """What befalls a rebuild in the middle."""


async def tell_delivery(client: Client, job: str, **fields: Any) -> None:
    given: dict[str, Any] = {
        "hook": str(uuid4()),
        "message_id": "msg",
        "status": "queued",
        "sequence": 1,
        "attempt": 1,
        "outcome": "delivered",
    }
    fact = DeliveryAttempted(org=ORG, job=job, **(given | fields))
    await client.jetstream().publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)


async def lived_in(url: str, client: Client, connection: Connection) -> list[str]:
    """A server that has seen everything: all kinds of jobs, deliveries, claims, keys, shown progress, rubbish in the log."""
    log = JobLog(client)
    jobs = [new_job_id() for _ in range(6)]
    done, bad, gone, working, waiting, early = jobs
    await tell(log, whole_life(done, client_metadata='{"a":  1.0}'))
    await tell(log, [*whole_life(bad)[:6], failed(bad)])
    await tell(log, [created(gone), ev.Cancelled(org=ORG, job=gone)])
    await tell(log, whole_life(working)[:8])
    await client.jetstream().publish(f"jobs.{ORG}.{new_job_id()}.created", b"rubbish", stream=JOBS)
    await tell(log, [created(waiting, priority="high", retry_of=bad)])
    for job in (working, waiting):
        await connection.execute(
            "insert into output_claims (org, location, job) values ($1, $2, $3)",
            ORG,
            claim_of(created(job).output_path),
            job,
        )
    hook = uuid4()
    await connection.execute(
        "insert into webhooks (id, org, url, secret) values ($1, $2, 'https://h/', 'sealed')", hook, ORG
    )
    await connection.execute("insert into idempotency_keys (org, key, body, job) values ($1, 'key', '', $2)", ORG, done)
    await connection.execute("insert into progress_shown values ($1, 42)", working)
    await tell_delivery(client, done, hook=str(hook), outcome="disabled", response_status=410)
    await tell_delivery(client, bad, hook=str(hook), outcome="failed", error="no")
    async with leading(url, client, active=1):
        await until(status_is(connection, waiting, "queued"))

        async def caught_up() -> bool:
            return await load_offset(connection, DELIVERIES) == 2 and await load_offset(connection, JOBS) >= 1

        await until(caught_up)
        await tell(log, [created(early), ev.Cancelled(org=ORG, job=early)])
        await refresh_job(connection, log, ORG, early)

        async def projected() -> bool:
            info = await client.jetstream().stream_info(JOBS)
            return await load_offset(connection, JOBS) == info.state.last_seq

        await until(projected)
    # Its owner has switched it on again since; a replay must not switch it off.
    await connection.execute("update webhooks set enabled = true")
    return jobs


async def test_the_rows_are_the_same_afterwards(url: str, client: Client, connection: Connection) -> None:
    await lived_in(url, client, connection)
    before = await dump(connection)
    assert len(before["jobs"]) == 6
    lines: list[str] = []
    await rebuild(url, client, lines.append)
    assert await dump(connection) == before
    assert any("a second" in line for line in lines)


async def test_damage_is_undone(url: str, client: Client, connection: Connection) -> None:
    jobs = await lived_in(url, client, connection)
    before = await dump(connection)
    await connection.execute(
        "update jobs set state = 'rubbish', status = 'error', last_sequence = 10^9 where id = $1", jobs[0]
    )
    await connection.execute("delete from jobs where id = any($1::text[])", jobs[1:3])
    await connection.execute("insert into jobs values ('ghost', $1, now(), 'queued', false, 1, false, 1, '{}')", ORG)
    await connection.execute(
        "insert into output_claims (org, location, job) values ($1, 'left over', $2)", ORG, jobs[0]
    )
    await connection.execute("delete from output_claims where job = any($1::text[])", jobs[3:5])
    await connection.execute("delete from deliveries where sequence = 1")
    await connection.execute("update offsets set sequence = 10^9")
    await rebuild(url, client, QUIET.append)
    after = await dump(connection)
    for table in TABLES:
        if table != "output_claims":
            assert after[table] == before[table], table
    # All but when it was claimed is as it was.
    assert [claim[:3] for claim in after["output_claims"]] == [claim[:3] for claim in before["output_claims"]]


async def test_a_claim_of_a_job_to_come_is_kept(url: str, client: Client, connection: Connection) -> None:
    """Intake claims before the log knows of the job."""
    job = new_job_id()
    await connection.execute("insert into output_claims (org, location, job) values ($1, 'somewhere', $2)", ORG, job)
    await rebuild(url, client, QUIET.append)
    assert await connection.fetchval("select count(*) from output_claims where job = $1", job) == 1


async def test_it_runs_beside_a_server_that_is_used(url: str, client: Client, connection: Connection) -> None:
    """Replicas lead, jobs come, go on and are cancelled, and readers see every job all the time."""
    log = JobLog(client)
    stop = asyncio.Event()
    made: list[str] = []
    old = [new_job_id() for _ in range(100)]
    for job in old:
        await log.append(created(job))

    async def use() -> None:
        while not stop.is_set():
            job = new_job_id()
            recorded = (await log.append(created(job))).recorded
            second = await asyncpg.connect(url)
            await apply_events(second, [recorded])
            assert await status_is(connection, job, "queued")(), "not readable right after it was made"
            made.append(job)
            if len(made) % 3 == 0:
                appended = await log.append(ev.Cancelled(org=ORG, job=job))
                await refresh_job(second, log, ORG, job, at_least=appended.recorded.sequence)
                assert await status_is(connection, job, "cancelled")()
            await second.close()

    async def read() -> None:
        reader = await asyncpg.connect(url)
        while not stop.is_set():
            assert await reader.fetchval("select count(*) from jobs where id = any($1::text[])", old) == len(old)
            await asyncio.sleep(0.005)
        await reader.close()

    async with leading(url, client, active=20) as one, leading(url, client, active=20) as two:
        await until(status_is(connection, old[-1], "queued"))
        users = [asyncio.create_task(use()), asyncio.create_task(read())]
        await until(leads(one, two))
        for _ in range(3):
            await asyncio.wait_for(rebuild(url, client, QUIET.append), 30)
        stop.set()
        await asyncio.gather(*users)
        last = new_job_id()
        await log.append(created(last))
        await until(status_is(connection, last, "queued"))
    assert len(made) > 3
    for number, job in enumerate(made, 1):
        assert await status_is(connection, job, "cancelled" if number % 3 == 0 else "queued")(), number


async def test_one_that_dies_leaves_everything_as_it_was(
    url: str, client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived_in(url, client, connection)
    before = await dump(connection)

    async def die(*_: Any) -> None:
        raise Died

    for place in ("_apply_jobs", "_apply_deliveries", "_put_claims_right"):
        monkeypatch.setattr(f"services.api.projection.rebuild.{place}", die)
        with pytest.raises(Died):
            await rebuild(url, client, QUIET.append)
        monkeypatch.undo()
        assert await dump(connection) == before, place
    await rebuild(url, client, QUIET.append)
    assert await dump(connection) == before


async def test_a_lost_log_is_accepted_by_a_rebuild(url: str, client: Client, connection: Connection) -> None:
    """After the log was lost, and said so, this is how an operator gets going again."""
    await lived_in(url, client, connection)
    log, job = JobLog(client), new_job_id()
    await client.jetstream().purge_stream(JOBS)
    await connection.execute("update offsets set sequence = 10^9 where stream = $1", JOBS)
    await log.append(created(job))
    await rebuild(url, client, QUIET.append)
    async with leading(url, client):
        await log.append(ev.Started(org=ORG, job=job))
        await until(status_is(connection, job, "transcoding"))
    assert [found["id"] for found in await connection.fetch("select id from jobs")] == [job]


async def test_an_empty_log(url: str, client: Client, connection: Connection) -> None:
    await rebuild(url, client, QUIET.append)
    assert await connection.fetchval("select count(*) from jobs") == 0


async def test_events_are_replayed_many_at_a_time(
    url: str, client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement for each would take hours for the log of a year."""
    jobs = [new_job_id() for _ in range(300)]
    events = [event for step in zip(*(whole_life(job, parts=4) for job in jobs), strict=True) for event in step]
    js = client.jetstream(publish_async_max_pending=4000)
    for event in events:
        subject = f"jobs.{ORG}.{event.job}.{event.token()}"
        await js.publish_async(subject, event.model_dump_json().encode(), stream=JOBS)
    await js.publish_async_completed()
    batches = []

    async def counted(connection: Connection, news: Sequence[ev.Recorded]) -> None:
        batches.append(len(news))
        await apply_events(connection, news)

    monkeypatch.setattr("services.api.projection.rebuild.apply_events", counted)
    await rebuild(url, client, QUIET.append)
    assert await connection.fetchval("select count(*) from jobs where status = 'completed'") == 300
    assert sum(batches) == len(events)
    assert len(batches) < len(events) / 20
