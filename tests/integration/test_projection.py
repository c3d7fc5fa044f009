"""What events do to the tables, on a real Postgres."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.projection.projection import (
    RecordedDelivery,
    apply_events,
    disable_hooks,
    load_offset,
    record_deliveries,
    refresh_job,
    save_offset,
)
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.deliveries import DeliveryAttempted
from shared.events import Recorded
from shared.ids import new_job_id
from shared.job import Job
from tests.support.bus import tell
from tests.support.samples import ORG, created, failed, fetched, whole_life
from tests.support.schema import migrated, new_organization


@pytest.fixture
async def url(database_url: str) -> str:
    return await migrated(database_url)


def recorded(events: list[ev.Event], first: int = 1) -> list[Recorded]:
    return [Recorded(sequence, event) for sequence, event in enumerate(events, first)]


async def row(connection: Connection, job: str) -> Any:
    return await connection.fetchrow("select * from jobs where id = $1", job)


async def state(connection: Connection, job: str) -> Job:
    return Job.model_validate_json((await row(connection, job))["state"])


async def claim(connection: Connection, job: str) -> None:
    await connection.execute("insert into output_claims (org, location, job) values ($1, $2, $2)", ORG, job)


async def claims(connection: Connection, job: str) -> int:
    return int(await connection.fetchval("select count(*) from output_claims where job = $1", job))


async def test_a_row_is_the_fold_of_its_events(connection: Connection) -> None:
    job = new_job_id()
    await apply_events(connection, recorded([created(job, priority="high"), ev.Admitted(org=ORG, job=job)], first=7))
    found = await row(connection, job)
    assert (found["org"], found["status"], found["admitted"], found["priority"], found["last_sequence"]) == (
        ORG,
        "queued",
        True,
        2,
        8,
    )
    assert found["created"] == created(job).at
    await apply_events(connection, recorded([ev.Started(org=ORG, job=job)], first=9))
    assert (await row(connection, job))["status"] == "transcoding"
    assert (await state(connection, job)).start_time is not None


async def test_events_of_many_jobs_in_one_batch(connection: Connection) -> None:
    jobs = [new_job_id() for _ in range(50)]
    lives = [whole_life(job) for job in jobs]
    mixed = [event for step in zip(*lives, strict=True) for event in step]
    await apply_events(connection, recorded(mixed))
    rows = await connection.fetch("select status from jobs where id = any($1::text[])", jobs)
    assert [found["status"] for found in rows] == ["completed"] * 50


async def test_applying_again_changes_nothing(connection: Connection) -> None:
    job = new_job_id()
    events = recorded(whole_life(job))
    await apply_events(connection, events)
    before = await row(connection, job)
    await apply_events(connection, events)
    await apply_events(connection, events[:3])
    await apply_events(connection, events[5:9])
    assert await row(connection, job) == before


async def test_a_batch_is_all_or_nothing(connection: Connection) -> None:
    job = new_job_id()
    with pytest.raises(RuntimeError):
        async with connection.transaction():
            await apply_events(connection, recorded([created(job)]))
            await save_offset(connection, "SOME", 1)
            raise RuntimeError
    assert await row(connection, job) is None
    assert await load_offset(connection, "SOME") == 0


async def test_an_event_that_does_not_fit_is_left_out(connection: Connection) -> None:
    """An event of a job that was never created, and one that the fold chokes on, beside good ones."""
    orphan, odd, good = new_job_id(), new_job_id(), new_job_id()
    broken = fetched(odd).model_copy(update={"plan": None})
    await apply_events(
        connection,
        recorded(
            [
                ev.Started(org=ORG, job=orphan),
                created(odd),
                broken,
                created(good),
                ev.Started(org=ORG, job=odd),
                ev.Started(org=ORG, job=good),
            ]
        ),
    )
    assert await row(connection, orphan) is None
    assert (await state(connection, odd)).status == "transcoding"
    assert (await state(connection, good)).status == "transcoding"


async def test_an_unreadable_row_holds_up_no_other(connection: Connection) -> None:
    old, good = new_job_id(), new_job_id()
    await apply_events(connection, recorded([created(old)]))
    await connection.execute("update jobs set state = '{\"version\": 0}' where id = $1", old)
    await apply_events(connection, recorded([ev.Started(org=ORG, job=old), created(good)], first=2))
    assert (await row(connection, old))["last_sequence"] == 1
    assert await row(connection, good)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
async def test_an_end_releases_the_output(connection: Connection, end: str) -> None:
    job, other = new_job_id(), new_job_id()
    await claim(connection, job)
    await claim(connection, other)
    events = {"completed": None, "failed": failed(job), "cancelled": ev.Cancelled(org=ORG, job=job)}
    life = whole_life(job, end=events[end])
    await apply_events(connection, recorded(life[:-1]))
    assert await claims(connection, job) == 1
    await apply_events(connection, recorded(life)[-1:])
    assert await claims(connection, job) == 0
    assert await claims(connection, other) == 1


async def test_shown_progress_stays_unless_completed(connection: Connection) -> None:
    good, bad = new_job_id(), new_job_id()
    for job in (good, bad):
        await connection.execute("insert into progress_shown values ($1, 55)", job)
    await apply_events(connection, recorded([*whole_life(good), created(bad), failed(bad)]))
    rows = await connection.fetch("select job from progress_shown where job = any($1::text[])", [good, bad])
    assert [found["job"] for found in rows] == [bad]


async def test_a_cancel_that_overtakes_the_projector_skips_nothing(connection: Connection, client: Client) -> None:
    """Intake knows of event 9 while the projector is at event 1: the row must hold all of them, and stay as it is then."""
    log, job = JobLog(client), new_job_id()
    life = whole_life(job, end=ev.Cancelled(org=ORG, job=job))
    events = await tell(log, life)
    await apply_events(connection, events[:1])

    refreshed = await refresh_job(connection, log, ORG, job, at_least=events[-1].sequence)

    assert refreshed is not None
    assert refreshed == await state(connection, job)
    assert (refreshed.status, refreshed.parts_transcoded, refreshed.video_duration) == ("cancelled", 3, 12.0)
    before = await row(connection, job)
    await apply_events(connection, events[1:5])
    await apply_events(connection, events[5:])
    assert await row(connection, job) == before


async def test_refresh_of_a_row_that_is_ahead_or_missing(connection: Connection, client: Client) -> None:
    log, job = JobLog(client), new_job_id()
    assert await refresh_job(connection, log, ORG, job) is None
    events = await tell(log, [created(job), ev.Started(org=ORG, job=job)])
    refreshed = await refresh_job(connection, log, ORG, job)
    assert refreshed and refreshed.status == "transcoding"
    assert (await row(connection, job))["last_sequence"] == events[-1].sequence


async def test_projector_and_refresh_at_once(url: str, connection: Connection, client: Client) -> None:
    """Whoever is first, the row ends as the log tells it."""
    log = JobLog(client)
    second = await asyncpg.connect(url)
    try:
        for _ in range(20):
            job = new_job_id()
            events = await tell(
                log,
                [
                    created(job),
                    ev.Admitted(org=ORG, job=job),
                    ev.Started(org=ORG, job=job),
                    ev.Cancelled(org=ORG, job=job),
                ],
            )
            await apply_events(connection, events[:1])
            await asyncio.gather(apply_events(connection, events[1:3]), refresh_job(second, log, ORG, job))
            found = await state(connection, job)
            assert (found.status, found.admitted, found.start_time) == ("cancelled", True, events[2].event.at)
    finally:
        await second.close()


async def test_two_who_apply_the_same_batches_do_not_block_each_other(url: str, connection: Connection) -> None:
    jobs = [new_job_id() for _ in range(40)]
    forward = recorded([created(job) for job in jobs])
    second = await asyncpg.connect(url)
    try:
        backward = list(reversed(forward))
        await asyncio.wait_for(asyncio.gather(apply_events(connection, forward), apply_events(second, backward)), 10)
        for sequence in range(100, 120):
            starts = [Recorded(sequence, ev.Started(org=ORG, job=job)) for job in jobs]
            await asyncio.wait_for(
                asyncio.gather(apply_events(connection, starts), apply_events(second, list(reversed(starts)))), 10
            )  # fmt: skip
    finally:
        await second.close()
    assert await connection.fetchval("select count(*) from jobs where id = any($1::text[])", jobs) == 40


def delivery(job: str, **fields: Any) -> DeliveryAttempted:
    given: dict[str, Any] = {
        "org": ORG, "job": job, "hook": str(uuid4()), "message_id": "msg_1", "status": "queued", "sequence": 1, "attempt": 1,
        "outcome": "delivered", "response_status": 200, "duration_ms": 12,
    }  # fmt: skip
    return DeliveryAttempted(**(given | fields))


def listed(sequence: int, fact: DeliveryAttempted) -> RecordedDelivery:
    return RecordedDelivery(sequence, UUID(fact.hook), fact)


async def test_deliveries_are_listed_once(connection: Connection) -> None:
    job = new_job_id()
    one, two = (
        delivery(job),
        delivery(job, outcome="failed", response_status=None, error="no\0 way", next_attempt_at=created(job).at),
    )
    assert await record_deliveries(connection, [listed(901, one), listed(902, two)]) == [one, two]
    assert await record_deliveries(connection, [listed(902, two), listed(903, one)]) == [one]
    assert await record_deliveries(connection, []) == []
    rows = await connection.fetch("select * from deliveries where job = $1 order by sequence", job)
    assert [found["sequence"] for found in rows] == [901, 902, 903]
    assert (rows[1]["outcome"], rows[1]["error"], rows[1]["next_attempt_at"]) == ("failed", "no way", created(job).at)


async def test_a_receiver_that_is_gone_is_switched_off(connection: Connection) -> None:
    gone, fine, strange = uuid4(), uuid4(), uuid4()
    await new_organization(connection, "other0")
    for hook, org in ((gone, ORG), (fine, ORG), (strange, "other0")):
        await connection.execute(
            "insert into webhooks (id, org, url, secret) values ($1, $2, 'https://h/', '')", hook, org
        )
    facts = [
        delivery(new_job_id(), hook=str(gone), outcome="disabled"),
        delivery(new_job_id(), hook=str(fine)),
        # Another organization's fact must not reach this webhook.
        delivery(new_job_id(), hook=str(strange), outcome="disabled"),
    ]
    assert await disable_hooks(connection, facts) == {ORG}
    assert await disable_hooks(connection, facts) == set(), "nothing was changed the second time"
    rows = await connection.fetch("select id, enabled from webhooks where id = any($1::uuid[])", [gone, fine, strange])
    assert {found["id"]: found["enabled"] for found in rows} == {gone: False, fine: True, strange: True}


async def test_an_offset_never_goes_back(connection: Connection) -> None:
    assert await load_offset(connection, "NEW") == 0
    for sequence in (5, 3, 8):
        await save_offset(connection, "NEW", sequence)
    assert await load_offset(connection, "NEW") == 8


async def test_the_state_of_a_long_film_is_handled(connection: Connection) -> None:
    job = new_job_id()
    life = whole_life(job, parts=300)
    for first in range(0, len(life), 100):
        await apply_events(connection, recorded(life)[first : first + 100])
    assert (await state(connection, job)).parts_uploaded == 301
    assert (await state(connection, job)).outputs
