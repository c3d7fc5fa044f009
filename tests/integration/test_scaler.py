"""What the chart's scaler reads on a real bus: from nothing to a queue of five hundred parts, and back."""

import asyncio

import pytest
from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.slots import UNINTERRUPTED
from shared.events import PartRequested
from tests.support.bus import until
from tests.support.chart import of_kind, render, values_of
from tests.support.scaler import ConsumerMissing, lag, pods
from tests.support.servers import NatsServer, nats_server
from tests.support.working import request_part, worker

QUEUE, SLOTS, MOST = 500, 4, 64
SCALED = of_kind(render(values_of("s3")), "ScaledObject")
TRANSCODER = SCALED["transcoder"]
[TRIGGER] = TRANSCODER["spec"]["triggers"]


def wanted(server: NatsServer) -> tuple[int, int]:
    """The lag, and how many transcoders are wanted."""
    found = lag(TRIGGER, server.http_port)
    return found, pods(TRANSCODER, {TRIGGER["name"]: found})


async def test_from_idle_to_a_queue_and_back(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    server, gate = nats_server_of_module, asyncio.Event()
    seen = [await asyncio.to_thread(wanted, server)]
    assert seen == [(0, 1)]

    async def work(_event: PartRequested) -> None:
        await gate.wait()

    for asked in range(50, QUEUE + 1, 50):
        await asyncio.gather(*(request_part(log) for _ in range(50)))

        async def counted(expected: int = asked) -> bool:
            # The server's monitor counts what is stored a moment after it has been.
            return (await asyncio.to_thread(wanted, server))[0] >= expected

        await until(counted, what=f"a queue of {asked}")
        seen.append(await asyncio.to_thread(wanted, server))
    # Three parts for each pod of four slots: 80 %, rounded down.
    assert [each for each, _ in seen] == list(range(0, QUEUE + 1, 50))
    assert [number for _, number in seen] == [1, 17, 34, 50, *[MOST] * 7]

    async with worker(server, work, slots=SLOTS, turns=UNINTERRUPTED) as leases:

        async def busy() -> bool:
            return leases.busy == SLOTS

        await until(busy, what="all slots work")
        # What is being worked on counts on, or the pods that do it would be taken away.
        assert await asyncio.to_thread(wanted, server) == (QUEUE, MOST)
        gate.set()
        falling = [QUEUE]

        async def empty() -> bool:
            falling.append((await asyncio.to_thread(wanted, server))[0])
            return falling[-1] == 0

        await until(empty, seconds=120, what="the queue is empty")
    assert falling == sorted(falling, reverse=True)
    assert await asyncio.to_thread(wanted, server) == (0, 1)


async def test_every_trigger_finds_its_consumer(nats_server_of_module: NatsServer, client: Client) -> None:
    for scaled in SCALED.values():
        for trigger in scaled["spec"]["triggers"]:
            assert lag(trigger, nats_server_of_module.http_port) >= 0


def test_before_the_first_start_of_the_api_nobody_is_scaled() -> None:
    with nats_server() as server, pytest.raises(ConsumerMissing):
        lag(TRIGGER, server.http_port)


def test_the_highest_demand_counts_within_the_bounds() -> None:
    uploader = SCALED["uploader"]
    assert pods(uploader, {"uploader": 0, "janitor": 0}) == 2
    assert pods(uploader, {"uploader": 4, "janitor": 10}) == 4
    assert pods(uploader, {"uploader": 1000, "janitor": 10}) == 8
