"""Reading a stream without missing anything, though nothing is acknowledged."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.api.projection.projector import sequence_of
from services.api.projection.tail import BATCH, Tail, TailBroken
from shared.bus.topology import DELIVERIES
from tests.support.bus import provisioned
from tests.support.servers import NatsServer, nats_server


@pytest.fixture
async def tail(client: Client) -> AsyncIterator[Tail]:
    tail = Tail(client, DELIVERIES)
    yield tail
    await tail.close()


async def say(client: Client, count: int) -> None:
    js = client.jetstream()
    for _ in range(0, count, 250):
        await asyncio.gather(*(js.publish("deliveries.x", b"", stream=DELIVERIES) for _ in range(min(250, count))))


async def read(tail: Tail, count: int) -> list[int]:
    """Sequences of so many messages."""
    sequences: list[int] = []
    while len(sequences) < count:
        batch = await tail.next_batch(5)
        assert 0 < len(batch) <= BATCH
        sequences += [sequence_of(message) for message in batch]
    return sequences


async def test_everything_in_order_from_any_place(client: Client, tail: Tail) -> None:
    await say(client, 3000)
    await tail.open(0)
    assert tail.pending == 3000
    assert await read(tail, 3000) == list(range(1, 3001))
    assert tail.pending == 0
    await say(client, 1)
    assert await read(tail, 1) == [3001]
    await tail.open(2990)
    assert await read(tail, 11) == list(range(2991, 3002))


async def test_nothing_there_is_no_error(client: Client, tail: Tail) -> None:
    await tail.open(0)
    assert tail.pending == 0
    assert await tail.next_batch(0.1) == []
    await say(client, 1)
    assert await read(tail, 1) == [1]


async def test_requests_that_expire_are_renewed(client: Client, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.projection.tail._PULL_SECONDS", 0.5)
    monkeypatch.setattr("services.api.projection.tail._HEARTBEAT_SECONDS", 0.2)
    await tail.open(0)
    for number in range(1, 5):
        assert await tail.next_batch(0.7) == []
        await say(client, 1)
        assert await read(tail, 1) == [number]


async def test_a_message_that_got_lost_is_noticed(client: Client, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(client, 10)
    arrive = tail._arrive

    async def lossy(message: Msg) -> None:
        if message.subject == "deliveries.x" and sequence_of(message) == 4:
            return
        await arrive(message)

    monkeypatch.setattr(tail, "_arrive", lossy)
    await tail.open(0)
    with pytest.raises(TailBroken):
        for _ in range(10):
            await tail.next_batch(1)
    monkeypatch.undo()
    await tail.open(3)
    assert await read(tail, 7) == list(range(4, 11))


async def test_a_consumer_that_is_deleted_is_noticed(client: Client, tail: Tail) -> None:
    await tail.open(0)
    await tail.next_batch(0.1)
    await client.jetstream().delete_consumer(DELIVERIES, tail._consumer)
    with pytest.raises(TailBroken):
        await tail.next_batch(5)


async def test_a_reconnect_is_noticed() -> None:
    """What was on its way when the connection broke is never sent again."""
    async with nats_server() as server, provisioned(server) as client:
        tail = Tail(client, DELIVERIES)
        await tail.open(0)
        await tail.next_batch(0.1)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        with pytest.raises((TailBroken, NatsError)):
            async with asyncio.timeout(10):
                while True:
                    await tail.next_batch(0.1)


async def test_silence_is_noticed(
    client: Client, tail: Tail, nats_server_of_module: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.projection.tail._HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr("services.api.projection.tail._SILENCE_SECONDS", 1.0)
    await tail.open(0)
    for _ in range(3):
        assert await tail.next_batch(0.5) == [], "heartbeats were not counted as signs of life"
    process = nats_server_of_module._process
    assert process
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TailBroken):
            for _ in range(5):
                await tail.next_batch(0.5)
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def test_it_leaves_nothing_behind(client: Client, tail: Tail) -> None:
    js = client.jetstream()
    before = {info.name for info in await js.consumers_info(DELIVERIES)}
    for _ in range(3):
        await tail.open(0)
    assert len(await js.consumers_info(DELIVERIES)) == len(before) + 1
    await tail.close()
    await client.flush()
    async with asyncio.timeout(5):
        while {info.name for info in await js.consumers_info(DELIVERIES)} != before:
            await asyncio.sleep(0.05)
