"""A part that kills its worker: three times, at last alone, and nobody else fails or waits for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.settle import MAX_CRASHES
from shared.bus.slots import UNINTERRUPTED
from shared.bus.subjects import job_subject
from shared.bus.topology import JOBS, TRANSCODER
from shared.events import PartRequested, PartTranscoded
from shared.ids import new_job_id
from tests.support.bus import provisioned, tell, until
from tests.support.poisoned import POISON, supervised
from tests.support.samples import ORG, created
from tests.support.servers import NatsServer
from tests.support.working import Attempts as Handler
from tests.support.working import begun, dead, failure, request_part, settled, worker

LEASE = 3.0


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module, lease_seconds=LEASE) as client:
        yield client


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


async def lose(client: Client, times: int) -> None:
    """Take the first message so many times without a word, as a worker does that is killed."""
    subscription = await client.jetstream().pull_subscribe_bind(consumer=TRANSCODER.name, stream=JOBS)
    for _ in range(times):
        (message,) = await subscription.fetch(1)
        await message.nak()
    await subscription.unsubscribe()


async def test_three_crashes_are_enough(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    slots = 3
    poison = new_job_id()
    await tell(log, [created(poison), PartRequested(org=ORG, job=poison, part=POISON)])
    short = [await request_part(log) for _ in range(6)]
    async with supervised(nats_server_of_module, slots=slots) as supervisor:
        failed = await until(lambda: failure(log, poison), seconds=90)
        await until(lambda: settled(client), seconds=30)
    assert failed.code == "worker_lost"
    assert await dead(client, job=poison), "the operator has to know"
    assert supervisor.deaths == MAX_CRASHES
    end = await log.end_of(ORG, poison)
    assert end
    before = 0
    for job in short:
        assert await failure(log, job) is None
        done = await log.last(job_subject(ORG, job, f"{PartTranscoded.subject}.v0000"))
        assert done, "what was beside it as well"
        before += done.sequence < end.sequence
    # What a crash hit as well comes again when its lease has run out.
    assert before >= len(short) - slots + 1


async def test_what_was_lost_goes_last_and_alone(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    suspect = await request_part(log)
    await lose(client, 1)
    short = [await request_part(log) for _ in range(3)]
    order: list[str] = []
    running = set[str]()
    beside: list[int] = []
    free = asyncio.Event()

    async def work(event: PartRequested) -> None:
        order.append(event.job)
        running.add(event.job)
        if event.job == suspect:
            beside.append(len(running) - 1)
            await request_part(log)
            await free.wait()
            beside.append(len(running) - 1)
        running.remove(event.job)

    async with worker(nats_server_of_module, work, slots=2, turns=UNINTERRUPTED):

        async def suspect_runs() -> bool:
            return suspect in running

        await until(suspect_runs, seconds=30)
        assert order == [*short, suspect]

        async def handed_back() -> bool:
            # The new one came to the free slot, which has returned it and asks for nothing more.
            info = await client.jetstream().consumer_info(JOBS, TRANSCODER.name)
            return bool(info.num_pending == 0 and info.num_ack_pending == 2 and info.num_waiting == 0)

        await until(handed_back)
        free.set()
        await until(lambda: settled(client), seconds=20)
    assert beside == [0, 0]
    assert len(order) == 5


async def test_deliveries_that_got_lost_are_no_crashes(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    """More than crashes are borne, but no worker is known to have begun."""
    job = await request_part(log)
    await lose(client, MAX_CRASHES + 2)
    handler = Handler(lambda _: asyncio.sleep(0))
    async with worker(nats_server_of_module, handler, turns=UNINTERRUPTED):
        await until(begun(handler))
        await until(lambda: settled(client))
    assert await failure(log, job) is None
