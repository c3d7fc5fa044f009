"""Organizations take turns, on a real bus: one whose work never ends leaves room to another."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.queue import Queue, Waiting
from shared.bus.slots import UNINTERRUPTED, TurnRules
from shared.bus.topology import JOBS, TRANSCODER
from shared.errors import Outage, TransientError
from shared.events import PartRequested
from shared.ids import new_job_id
from tests.support.bus import provisioned, tell, until
from tests.support.samples import created
from tests.support.servers import NatsServer
from tests.support.working import settled, worker

RULES = TurnRules(surplus_seconds=0.2, turn_seconds=0.2)
BAD, GOOD, THIRD = "badorg", "goodor", "thirdo"


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module, lease_seconds=30) as client:
        yield client


class Work:
    """A handler that never ends for one organization's parts, and notes what it did."""

    def __init__(self, *endless: str) -> None:
        self._endless = endless
        self.begun: list[str] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.done: list[str] = []

    async def __call__(self, event: PartRequested) -> None:
        self.begun.append(event.org)
        self.running[event.org] += 1
        self.most |= self.running
        try:
            await asyncio.sleep(3600 if event.org in self._endless else 0.01)
            self.done.append(event.org)
        finally:
            self.running[event.org] -= 1

    async def has_begun(self, org: str, count: int) -> None:
        async def enough() -> bool:
            return self.running[org] >= count

        await until(enough)

    async def has_done(self, org: str, count: int) -> None:
        async def enough() -> bool:
            return self.done.count(org) >= count

        await until(enough, seconds=20)


async def request(log: JobLog, org: str, parts: int) -> None:
    job = new_job_id()
    await tell(log, [created(job).model_copy(update={"org": org})])
    for number in range(parts):
        await log.append(PartRequested(org=org, job=job, part=f"v{number:04d}"))


async def test_endless_work_of_one_makes_room_for_another(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    work = Work(BAD)
    async with worker(nats_server_of_module, work, slots=2, turns=RULES):
        await request(log, BAD, 2)
        await work.has_begun(BAD, 2)
        await request(log, GOOD, 3)
        await work.has_done(GOOD, 3)
        # What had to make room goes on afterwards.
        await work.has_begun(BAD, 2)
    assert BAD not in work.done


async def test_two_that_never_end_leave_a_third_his_turn(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    work = Work(BAD, GOOD)
    async with worker(nats_server_of_module, work, slots=2, turns=RULES):
        await request(log, BAD, 2)
        await work.has_begun(BAD, 2)
        await request(log, GOOD, 2)
        await work.has_begun(GOOD, 1)
        await request(log, THIRD, 1)
        await work.has_done(THIRD, 1)


async def test_the_share_holds_over_several_processes(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    first, second = Work(BAD), Work(BAD)
    async with (
        worker(nats_server_of_module, first, slots=2, turns=RULES),
        worker(nats_server_of_module, second, slots=2, turns=RULES),
    ):
        await request(log, BAD, 8)
        await first.has_begun(BAD, 2)
        await second.has_begun(BAD, 2)
        await request(log, GOOD, 6)

        async def all_done() -> bool:
            return first.done.count(GOOD) + second.done.count(GOOD) == 6

        await until(all_done, seconds=20)
    assert BAD not in first.done + second.done


async def test_a_flood_does_not_go_first(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    await request(log, BAD, 40)
    await request(log, GOOD, 4)
    work = Work()
    async with worker(nats_server_of_module, work, slots=1, turns=UNINTERRUPTED):
        await work.has_done(GOOD, 4)
        before = work.done.count(BAD)
        await until(lambda: settled(client), seconds=30)
    # It would be all of them in the order in which they were requested.
    assert before < 20
    assert Counter(work.done) == {BAD: 40, GOOD: 4}


@pytest.mark.parametrize("slots", [(4,), (1, 1)], ids=["one worker of four", "two workers of one"])
async def test_weights_share_the_slots(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, slots: tuple[int, ...]
) -> None:
    """Three to one, at every worker."""
    running: deque[asyncio.Event] = deque()
    begun: list[str] = []

    async def until_let(event: PartRequested) -> None:
        over = asyncio.Event()
        running.append(over)
        begun.append(event.org)
        await over.wait()

    async def all_are_busy() -> bool:
        return len(running) == sum(slots)

    jobs = {org: (new_job_id(), weight) for org, weight in ((BAD, 1.0), (GOOD, 3.0))}
    await tell(log, [created(job).model_copy(update={"org": org}) for org, (job, _) in jobs.items()])
    for number in range(80):
        for org, (job, weight) in jobs.items():
            await log.append(PartRequested(org=org, job=job, part=f"v{number:04d}", weight=weight))
    async with AsyncExitStack() as workers:
        for one in slots:
            await workers.enter_async_context(worker(nats_server_of_module, until_let, slots=one, turns=UNINTERRUPTED))
        for _ in range(8 + 24):
            await until(all_are_busy)
            # The oldest ends, and the slot is taken by whoever is next.
            running.popleft().set()
        await until(all_are_busy)
        for over in running:
            over.set()
    # At first slots are taken by whoever is there.
    assert begun[-24:].count(GOOD) == pytest.approx(18, abs=2), begun


async def test_one_organization_alone_hands_nothing_back(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    await request(log, BAD, 12)
    work = Work()
    async with worker(nats_server_of_module, work, slots=2, turns=RULES):
        await until(lambda: settled(client))
    info = await client.jetstream().consumer_info(JOBS, TRANSCODER.name)
    assert info.delivered and info.delivered.consumer_seq == 12
    assert work.most[BAD] == 2


async def test_nobody_makes_room_for_what_waits_for_an_outage(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is with the server for a while, and asks for no slot before that is over."""
    monkeypatch.setattr("shared.bus.outages.SHORTEST_DELAY", 60)
    monkeypatch.setattr("shared.bus.turns.LOOK_SECONDS", 0.05)
    looks, enough = 0, asyncio.Event()
    begun: list[str] = []
    look = Queue.look

    async def counted(queue: Queue) -> Waiting:
        nonlocal looks
        looks += GOOD in begun
        if looks > 20:
            enough.set()
        return await look(queue)

    async def handler(event: PartRequested) -> None:
        begun.append(event.org)
        if event.org == BAD:
            raise Outage("output_unreachable") if begun.count(BAD) == 2 else TransientError("encode_failed")
        await enough.wait()

    monkeypatch.setattr(Queue, "look", counted)
    monkeypatch.setattr("shared.bus.settle.RETRY_DELAYS", (0.1,))
    async with worker(nats_server_of_module, handler, slots=1, turns=RULES):
        await request(log, BAD, 1)
        await until(lambda: _has(begun, 2))
        await request(log, GOOD, 1)
        async with asyncio.timeout(20):
            await enough.wait()
    assert begun == [BAD, BAD, GOOD], "a turn was over for nobody"


async def test_what_was_handed_back_comes_at_once_when_it_is_called(client: Client, log: JobLog) -> None:
    await request(log, BAD, 1)
    subscription = await client.jetstream().pull_subscribe_bind(TRANSCODER.name, JOBS)
    (message,) = await subscription.fetch(1)
    await message.nak(delay=600)
    await Queue(client, TRANSCODER).call_back(message.reply)
    (again,) = await subscription.fetch(1, timeout=20)
    assert (again.subject, again.metadata.num_delivered) == (message.subject, 2)


async def _has(begun: list[str], count: int) -> bool:
    return len(begun) == count
