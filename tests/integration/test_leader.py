"""The leader: projecting, taking over, coming back after every fault, and admitting jobs."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import structlog
from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.jobs.waits import Waits
from services.api.projection.admission import _WAITING
from services.api.projection.leader import _SESSION, LEADERSHIP, Leader
from services.api.projection.projection import load_offset
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, JOBS, provision
from shared.deliveries import DeliveryAttempted
from shared.ids import new_job_id
from tests.support.bus import provisioned, tell, until
from tests.support.leading import Workers, leading, leads, status_is
from tests.support.samples import EPOCH, ORG, created, waiting_body, whole_life
from tests.support.schema import migrated
from tests.support.servers import nats_server, postgres_server


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def failing(leader: Leader) -> Callable[[], Awaitable[bool]]:
    async def raises() -> bool:
        try:
            await leader.check()
        except RuntimeError:
            return True
        return False

    return raises


async def test_events_reach_the_tables_at_once(url: str, client: Client, log: JobLog, connection: Connection) -> None:
    lags = []
    async with leading(url, client) as leader:
        await until(leads(leader))
        for _ in range(20):
            job = new_job_id()
            await log.append(created(job))
            stored = time.monotonic()
            await until(status_is(connection, job, "queued"))
            lags.append(time.monotonic() - stored)
        await leader.check()
    assert statistics.median(lags) < 0.25, lags


async def test_a_backlog_is_read_from_the_offset_on(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    jobs = [new_job_id() for _ in range(5)]
    await tell(log, whole_life(jobs[0]))
    async with leading(url, client):
        await until(status_is(connection, jobs[0], "completed"))
    before = await connection.fetchrow("select xmin::text, last_sequence from jobs where id = $1", jobs[0])
    events = [event for job in jobs[1:] for event in whole_life(job)]
    last = (await tell(log, events))[-1].sequence
    async with leading(url, client):
        await until(status_is(connection, jobs[-1], "completed"))
        assert await load_offset(connection, JOBS) == last
    assert await connection.fetchrow("select xmin::text, last_sequence from jobs where id = $1", jobs[0]) == before


async def test_what_is_no_event_holds_up_nothing(
    url: str, client: Client, log: JobLog, connection: Connection, logs: list[Any]
) -> None:
    js = client.jetstream()
    job, other = new_job_id(), new_job_id()
    await log.append(created(job))
    for subject, data in (
        (f"jobs.{ORG}.{job}.started", b"\xff\x00 not json"),
        (f"jobs.{ORG}.{job}.end.failed", b"{}"),
        (f"jobs.{ORG}.{job}.end.cancelled", ev.Cancelled(org=ORG, job=other).model_dump_json().encode()),
        ("jobs.x.y.z", b""),
    ):
        await js.publish(subject, data, stream=JOBS)
    await log.append(created(other))
    async with leading(url, client):
        await until(status_is(connection, other, "queued"))
    assert await connection.fetchval("select status from jobs where id = $1", job) == "queued"
    assert [entry["sequence"] for entry in logs if entry["event"] == "not an event"] == [2, 3, 4, 5]


async def test_what_postgres_refuses_holds_up_nothing(
    url: str, client: Client, connection: Connection, logs: list[Any]
) -> None:
    js = client.jetstream()
    job = new_job_id()
    for attempt in (1, 2**40, 3):
        fact = delivery(job, attempt=attempt)
        await js.publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)
    broken = delivery(job, hook="not a uuid")
    await js.publish(broken.subject.replace(" ", "-"), broken.model_dump_json().encode(), stream=DELIVERIES)
    last = delivery(job, attempt=4)
    await js.publish(last.subject, last.model_dump_json().encode(), stream=DELIVERIES)

    async def attempts() -> list[int]:
        return [
            found["attempt"] for found in await connection.fetch("select attempt from deliveries order by sequence")
        ]

    async def all_there() -> bool:
        return await attempts() == [1, 3, 4]

    async with leading(url, client):
        await until(all_there)
    assert [entry["sequence"] for entry in logs if entry["event"] == "message left out"] == [2]


async def test_gaps_in_the_stream_are_passed_over(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    jobs = [new_job_id() for _ in range(6)]
    recorded = await tell(log, [created(job) for job in jobs])
    for gone in (0, 2, 3):
        await client.jetstream().delete_msg(JOBS, recorded[gone].sequence)
    async with leading(url, client):
        await until(status_is(connection, jobs[5], "queued"))
        await client.jetstream().delete_msg(JOBS, recorded[5].sequence)
        job = new_job_id()
        await log.append(created(job))
        await until(status_is(connection, job, "queued"))
    assert await connection.fetchval("select count(*) from jobs") == 4


async def test_a_consumer_that_is_deleted_is_made_anew(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    js = client.jetstream()
    durables = {info.name for info in await js.consumers_info(JOBS)}
    async with leading(url, client) as leader:
        await until(leads(leader))
        for _ in range(2):
            job = new_job_id()
            await log.append(created(job))
            await until(status_is(connection, job, "queued"))
            ours = [info.name for info in await js.consumers_info(JOBS) if info.name not in durables]
            assert len(ours) == 1
            await js.delete_consumer(JOBS, ours[0])
        job = new_job_id()
        await log.append(created(job))
        await until(status_is(connection, job, "queued"))


async def test_it_leaves_no_consumer_behind(url: str, client: Client, log: JobLog, connection: Connection) -> None:
    js = client.jetstream()
    before = len(await js.consumers_info(JOBS))
    job = new_job_id()
    async with leading(url, client):
        await log.append(created(job))
        await until(status_is(connection, job, "queued"))

    async def gone() -> bool:
        return len(await js.consumers_info(JOBS)) == before

    await until(gone)


async def test_another_replica_takes_over(url: str, client: Client, log: JobLog, connection: Connection) -> None:
    async with leading(url, client) as one, leading(url, client) as two:
        await until(leads(one, two))
        for _ in range(2):
            first, second = (one, two) if one.leads else (two, one)
            await second.check()
            killed = time.monotonic()
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and classid = $1",
                LEADERSHIP[0],
            )

            async def taken_over(heir: Leader = second) -> bool:
                return heir.leads

            await until(taken_over, seconds=5)
            assert time.monotonic() - killed < 3

            # The former one writes through the session that is gone, so it can do no harm until it notices.
            async def stepped_down(former: Leader = first) -> bool:
                return not former.leads

            await until(stepped_down, seconds=5)
            job = new_job_id()
            await log.append(created(job))
            await until(status_is(connection, job, "queued"))


async def test_a_replica_that_stops_hands_over_at_once(url: str, client: Client) -> None:
    async with leading(url, client) as heir:
        async with leading(url, client) as first:
            await until(leads(first, heir))
        stopped = time.monotonic()
        await until(leads(heir))
        assert time.monotonic() - stopped < 2


async def test_a_leader_that_hangs_loses_its_place(url: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is alive and connected and does nothing: Postgres ends its session, and with that its leadership."""
    monkeypatch.setitem(_SESSION, "idle_session_timeout", "2s")
    async with leading(url, client) as first:
        await until(leads(first))
        assert first._term
        async with first._term._turn, leading(url, client) as second:
            await until(leads(second), seconds=10)


async def test_the_leader_steps_down_for_who_waits_in_line(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    job = new_job_id()
    async with leading(url, client) as one, leading(url, client) as two:
        await until(leads(one, two))
        await asyncio.wait_for(connection.execute("select pg_advisory_lock($1, $2)", *LEADERSHIP), 5)
        await log.append(created(job))
        await asyncio.sleep(1.5)
        assert not one.leads
        assert not two.leads
        await one.check()
        assert not await status_is(connection, job, "queued")()
        await connection.execute("select pg_advisory_unlock($1, $2)", *LEADERSHIP)
        await until(status_is(connection, job, "queued"))


async def test_the_bus_restarts(url: str, connection: Connection) -> None:
    async with nats_server() as server, provisioned(server) as client, leading(url, client) as leader:
        log = JobLog(client)
        first, second = new_job_id(), new_job_id()
        await log.append(created(first))
        await until(status_is(connection, first, "queued"))
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        await until(lambda: appended(log, created(second)), seconds=15)
        await until(status_is(connection, second, "queued"), seconds=15)
        await until(leads(leader))
        await leader.check()


async def test_a_leader_cut_off_from_the_bus_lets_another_lead(
    url: str, client: Client, log: JobLog, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.projection.leader._CUT_OFF_SECONDS", 1.0)
    async with nats_server() as lonely, provisioned(lonely) as cut_off, leading(url, cut_off) as first:
        await until(leads(first))
        async with leading(url, client) as second:
            await asyncio.to_thread(lonely.kill)

            async def taken_over() -> bool:
                return second.leads

            await until(taken_over, seconds=20)
            job = new_job_id()
            await log.append(created(job))
            await until(status_is(connection, job, "queued"))


async def test_postgres_restarts(client: Client, log: JobLog) -> None:
    async with postgres_server() as server:
        url = await migrated(server.new_database())
        async with leading(url, client) as leader:
            await until(leads(leader))
            job = new_job_id()
            await log.append(created(job))
            await asyncio.to_thread(server.kill)

            async def noticed() -> bool:
                return not leader.leads

            await until(noticed)
            second = new_job_id()
            await tell(log, [ev.Started(org=ORG, job=job), created(second)])
            await asyncio.to_thread(server.start)
            connection = await asyncpg.connect(url)
            try:
                await until(status_is(connection, second, "queued"), seconds=15)
                assert await status_is(connection, job, "transcoding")()
            finally:
                await connection.close()


async def test_a_lost_log_is_said_loudly_and_not_built_upon(
    url: str, client: Client, log: JobLog, connection: Connection, logs: list[Any]
) -> None:
    async with leading(url, client) as leader:
        old = new_job_id()
        await tell(log, whole_life(old))
        await until(status_is(connection, old, "completed"))
        await client.jetstream().delete_stream(JOBS)
        await provision(client.jetstream(), lease_seconds=30)
        new = new_job_id()
        await log.append(created(new))
        await until(failing(leader))
        said = time.monotonic()
        await asyncio.sleep(1.5)
        complaints = [entry for entry in logs if entry["log_level"] == "critical"]
        assert 1 <= len(complaints) <= 3, f"in {time.monotonic() - said:.1f} s"
        assert await status_is(connection, old, "completed")(), "what is known is kept"
        assert [item.event.token() for item in await log.read(ORG, new)] == ["created"], (
            "admitted what it cannot follow"
        )
    # Also when it starts like that.
    async with leading(url, client) as leader:
        await until(failing(leader))


async def appended(log: JobLog, event: ev.Event) -> bool:
    with suppress(Exception):
        await log.append(event)
        return True
    return False


def delivery(job: str, **fields: Any) -> DeliveryAttempted:
    given: dict[str, Any] = {
        "org": ORG, "job": job, "hook": str(uuid4()), "message_id": "msg_1", "status": "queued", "sequence": 1, "attempt": 1,
        "outcome": "delivered",
    }  # fmt: skip
    return DeliveryAttempted(**(given | fields))


async def test_a_receiver_that_is_gone_is_switched_off_and_told(
    url: str, client: Client, connection: Connection
) -> None:
    hook, told = uuid4(), []

    async def tell_hooks(org: str) -> None:
        told.append(org)
        if len(told) < 3:
            raise ConnectionError("not now")

    await connection.execute("insert into webhooks (id, org, url, secret) values ($1, $2, 'https://h/', '')", hook, ORG)
    fact = delivery(new_job_id(), hook=str(hook), outcome="disabled", response_status=410)
    await client.jetstream().publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)

    async def off_and_told() -> bool:
        return not await connection.fetchval("select enabled from webhooks where id = $1", hook) and len(told) == 3

    async with leading(url, client, on_hooks_changed=tell_hooks):
        await until(off_and_told)
        # Switched on again by its owner, it stays on.
        await connection.execute("update webhooks set enabled = true")
        await asyncio.sleep(1.5)
    async with leading(url, client, on_hooks_changed=tell_hooks) as leader:
        await until(leads(leader))
        await asyncio.sleep(0.5)
    assert await connection.fetchval("select enabled from webhooks where id = $1", hook)
    assert told == [ORG] * 3


async def test_two_hundred_jobs_of_two_organizations(url: str, client: Client, log: JobLog) -> None:
    """All of them are admitted, each once, and the caps hold all the time."""
    jobs = [("bigone", new_job_id()) for _ in range(190)] + [("little", new_job_id()) for _ in range(10)]
    async with leading(url, client, active=8, per_organization=6), Workers(client, takes=0.05) as workers:
        for org, job in jobs:
            await log.append(created(job, org))

        async def all_done() -> bool:
            return len(workers.done) == 200

        await until(all_done, seconds=60)
    assert sorted(workers.started) == sorted(jobs)
    assert workers.most_in_all <= 8
    assert workers.most["bigone"] <= 6


async def test_a_small_organization_does_not_wait_for_a_big_one(url: str, client: Client, log: JobLog) -> None:
    """190 of one, and behind them 10 of another: the small one's first starts before the big one's tenth is done."""
    for _ in range(190):
        await log.append(created(new_job_id(), "bigone"))
    for _ in range(10):
        await log.append(created(new_job_id(), "little"))
    async with Workers(client, takes=0.3) as workers, leading(url, client, active=8, per_organization=6):

        async def little_started() -> bool:
            return any(org == "little" for org, _ in workers.started)

        await until(little_started)
        assert sum(org == "bigone" for org, _ in workers.done) < 10


async def test_priority_and_age_decide_inside_one_organization(url: str, client: Client, log: JobLog) -> None:
    low, old, new, high = (new_job_id() for _ in range(4))
    await tell(log, [created(low, priority="low"), created(old), created(new), created(high, priority="high")])
    async with Workers(client, takes=0.02) as workers, leading(url, client, active=1, per_organization=1):

        async def all_done() -> bool:
            return len(workers.done) == 4

        await until(all_done)
    # `old` and `new` were created in the same instant of the samples' clock.
    started = [job for _, job in workers.started]
    assert (started[0], started[3]) == (high, low)
    assert set(started[1:3]) == {old, new}


async def test_who_waits_for_room_gets_no_further_job_admitted(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    waits, big = Waits(), new_job_id()
    waits.heard("bigone", big, "fetch", waiting_body("workspace_full", since=EPOCH, until=EPOCH))
    held, other = new_job_id(), new_job_id()
    await tell(log, [created(held, "bigone"), created(other, "little")])
    async with (
        Workers(client, takes=0) as workers,
        leading(url, client, active=1, waits=waits),
    ):
        # There is place for one at a time, and the older one would be first.
        await until(status_is(connection, other, "completed"))
        assert workers.started == [("little", other)]
        waits.ended(big)
        await until(status_is(connection, held, "completed"))


async def test_who_waits_for_a_server_leaves_his_place_to_others(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    hung, other = [new_job_id() for _ in range(4)], new_job_id()
    waits = Waits()
    await tell(log, [created(job, "hostil") for job in hung])

    async def admitted() -> set[str]:
        return {row["id"] for row in await connection.fetch("select id from jobs where admitted")}

    async def all_places_taken() -> bool:
        return len(await admitted()) == 2

    async def other_admitted() -> bool:
        return other in await admitted()

    async with leading(url, client, active=2, per_organization=3, waits=waits):
        await until(all_places_taken)
        for job in await admitted():
            waits.heard("hostil", job, "fetch", waiting_body(since=EPOCH, until=EPOCH))
        await tell(log, [created(other, "little")])
        await until(other_admitted)
    assert len(await admitted()) <= 4, "with its own limit reached, the one that waits gets no more"


async def test_admissions_of_a_leader_before_are_counted(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    """It died after admitting and before projecting that: the next one must not admit as many again."""
    jobs = [new_job_id() for _ in range(10)]
    await tell(log, [created(job) for job in jobs])
    async with leading(url, client, active=0):
        await until(status_is(connection, jobs[-1], "queued"))
    await tell(log, [ev.Admitted(org=ORG, job=job) for job in jobs[:4]])
    async with leading(url, client, active=4) as leader:
        await until(leads(leader))
        await asyncio.sleep(2.5)
        assert await connection.fetchval("select count(*) from jobs where admitted") == 4
        await tell(log, [ev.Cancelled(org=ORG, job=job) for job in jobs[:2]])

        async def two_more() -> bool:
            return bool(await connection.fetchval("select count(*) from jobs where admitted") == 6)

        await until(two_more)
    assert await connection.fetchval("select count(*) from jobs where admitted and status = 'queued'") == 4


async def test_a_cancelled_job_is_not_admitted(url: str, client: Client, log: JobLog, connection: Connection) -> None:
    gone, next_one = new_job_id(), new_job_id()
    await tell(log, [created(gone), ev.Cancelled(org=ORG, job=gone), created(next_one)])
    async with leading(url, client, active=1):

        async def admitted() -> list[Any]:
            return await connection.fetch("select id from jobs where admitted")

        assert [found["id"] for found in await until(admitted)] == [next_one]
    assert [item.event.token() for item in await log.read(ORG, gone)] == ["created", "end.cancelled"]


async def test_a_large_backlog_costs_little(url: str, connection: Connection) -> None:
    """The query that looks for jobs to admit reads a few rows of each organization, not the backlog."""
    await connection.execute("""
        insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state)
        select 'job' || n, 'org' || n % 20, now(), 'queued', false, 1, false, n, '{}' from generate_series(1, 40000) as n
    """)
    await connection.execute("analyze jobs")
    plan = "\n".join(
        found[0]
        for found in await connection.fetch(
            f"explain (analyze, buffers) {_WAITING.replace('$1', '10').replace('$2', '10')}"
        )
    )
    rows = await connection.fetch(_WAITING, 10, 10)
    assert len(rows) == 200
    assert "Seq Scan on jobs" not in plan, plan
    assert int(plan.split("shared hit=")[1].split()[0]) < 2000, plan
