"""What operators do by the command is allowed to the api's user on a bus with a user for each service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.database.pool import Database, close_pool, open_pool
from services.api.intake.intake import Intake
from services.api.jobs.jobs import Jobs
from services.api.operator.dead_letters import DeadLetters, Wanted
from services.api.operator.drain import choose_workers, drain
from services.api.operator.left_overs import LeftOvers
from services.api.operator.replay import Replay
from services.api.operator.unfinished import Caps, UnfinishedJobs
from services.api.projection.projection import apply_events
from shared import events as ev
from shared.addresses import AddressPolicy
from shared.bus.joblog import JobLog
from shared.bus.roster import Begun, DrainOrder, Presence, Worker
from shared.bus.subjects import dead_subject, job_subject
from shared.bus.topology import ATTEMPTS_BUCKET, DEAD, JOBS, QUEUES_BUCKET, SECRETS_BUCKET, provision
from shared.ids import new_job_id
from shared.tasks import end_tasks
from shared.workspace.shared_folder import SharedFolder
from tests.support.bus import tell, until
from tests.support.guarded_bus import GuardedBus
from tests.support.samples import ORG, created, fetched, plan, requested


@pytest.fixture(scope="module")
def bus() -> Iterator[GuardedBus]:
    with GuardedBus() as server:
        yield server


@pytest.fixture
async def operator(bus: GuardedBus) -> AsyncIterator[Client]:
    """Somebody who may do everything, for what the services do."""
    client = await bus.connect()
    await provision(client.jetstream(), lease_seconds=30)
    yield client
    await client.close()


@pytest.fixture
async def client(bus: GuardedBus, operator: Client) -> AsyncIterator[Client]:
    client = await bus.connect_as("api")
    yield client
    await client.close()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    pool = await open_pool(SecretStr(url), 2)
    yield Database(pool)
    await close_pool(pool)


async def test_a_stuck_job_its_dead_letters_and_what_is_left_over(
    client: Client, operator: Client, database: Database, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    log, job, never, encode = JobLog(operator), new_job_id(), new_job_id(), plan(2)
    part = encode.release_order[0]
    recorded = await tell(
        log, [created(job), ev.Admitted(org=ORG, job=job), fetched(job, encode=encode), requested(job, part, encode)]
    )
    await apply_events(connection, recorded)
    js = operator.jetstream()
    subject = job_subject(ORG, job, f"part_requested.{part}")
    body = recorded[-1].event.model_dump_json().encode()
    headers = {"Millrace-Reason": "x", "Millrace-Subject": subject}
    await js.publish(dead_subject("transcoder", ORG, job), body, stream=DEAD, headers=headers)
    await (await js.key_value(ATTEMPTS_BUCKET)).put("transcoder.77", b'{"subject": "%s"}' % subject.encode())
    for bucket in (SECRETS_BUCKET, QUEUES_BUCKET):
        await (await js.key_value(bucket)).put(f"{ORG}.{never}", b"{}")

    own = JobLog(client)
    (stuck,) = await UnfinishedJobs(client, database, own, Caps(8, 4)).stuck(timedelta())
    assert [reason.kind for reason in stuck.reasons] == ["given_up"]
    letters = DeadLetters(client)
    (letter,) = await letters.newest(Wanted(job=job), 10)
    # Neither is asked for a job that has not ended.
    jobs, intake = Jobs.__new__(Jobs), Intake.__new__(Intake)
    await Replay(client, own, database, jobs, intake, AddressPolicy.parse(""))(letter)
    assert await letters.drop([letter, letter]) == 1
    assert int((await js.get_last_msg(JOBS, subject)).seq or 0) > recorded[-1].sequence

    things = LeftOvers(client, database, own, SharedFolder(tmp_path.as_uri()), age=timedelta())
    found = await things.find()
    assert {one.kind for one in found} == {"credentials", "delivery queue", "attempts"}
    for one in found:
        await things.remove(one)
    assert await things.find() == []


async def test_a_worker_finds_its_order_to_drain(bus: GuardedBus, client: Client) -> None:
    orders: list[DrainOrder] = []
    fetcher = await bus.connect_as("fetcher")
    presence = Presence(fetcher, "fetcher", 2, begun=Begun(), on_order=orders.append)
    running = asyncio.create_task(presence.run())
    (worker,) = await until(lambda: _chosen(client))
    assert (worker.id, worker.slots) == (presence.id, 2)
    assert datetime.now(UTC) - worker.at < timedelta(seconds=30)
    following = drain(client, [worker], stay=True)
    assert [one.id for one in (await anext(following)).left] == [presence.id]

    async def ordered() -> bool:
        return bool(orders)

    await until(ordered, seconds=20)
    assert orders == [DrainOrder(stay=True)]
    presence.drains()
    assert [one.id for one in (await anext(following)).drained] == [presence.id]
    await end_tasks(running)
    await presence.end()
    assert await _chosen(client) == []
    await fetcher.close()


async def _chosen(client: Client) -> list[Worker]:
    return await choose_workers(client, [])
