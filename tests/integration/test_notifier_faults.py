"""Notifiers that die, come and go by twos: nothing is lost, and nothing comes out of order."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from tests.support.notifier import NotifierProcess, Scene, new_hook
from tests.support.receiver import Reply, WebhookPayload, WebhookReceiver
from tests.support.servers import NatsServer, nats_server

ALL = ["queued", "transcoding", "completed"]


@pytest.fixture
async def server() -> AsyncIterator[NatsServer]:
    async with nats_server() as server:
        yield server


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await server.connect()
    yield client
    await client.close()


@pytest.fixture
async def scene(client: Client) -> Scene:
    return await Scene.open(client)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


def first_arrivals(receiver: WebhookReceiver, job: str) -> list[str]:
    return list(dict.fromkeys(receiver.told(job)))


async def outcomes(scene: Scene, job: str) -> dict[str, set[str]]:
    """What became of each status of a job, apart from failures that were tried again."""
    ends: dict[str, set[str]] = {}
    for fact in await scene.deliveries(job):
        if fact.outcome != "failed":
            ends.setdefault(fact.status, set()).add(fact.outcome)
    return ends


async def test_sigkill_between_request_and_answer_loses_and_reorders_nothing(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(200, seconds=0.8)]
    with NotifierProcess(server.url, tmp_path) as first:
        await first.wait_until_ready()
        job = await scene.run_through()
        await receiver.wait_for(1)
        first.kill()
    with NotifierProcess(server.url, tmp_path) as second:
        await second.wait_until_ready()
        payloads = await receiver.wait_for(4, seconds=30)
        await scene.wait_for_deliveries(3, job=job)
    assert receiver.told(job) == ["queued", *ALL]
    assert payloads[0].message_id == payloads[1].message_id
    assert payloads[0].body == payloads[1].body
    assert receiver.overtaken == []


async def test_sigterm_lets_a_running_request_end(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(200, seconds=0.8)]
    with NotifierProcess(server.url, tmp_path) as process:
        await process.wait_until_ready()
        job = await scene.create()
        await receiver.wait_for(1)
        assert await asyncio.to_thread(process.stop) == 0
    facts = await scene.deliveries(job)
    assert [fact.outcome for fact in facts] == ["delivered"]


async def test_sigterm_hands_a_request_over_that_does_not_end_in_time(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(200, seconds=60)]
    slow = {"timeout_seconds": "100", "grace_seconds": "0"}
    with (
        NotifierProcess(server.url, tmp_path, **slow) as first,
        NotifierProcess(server.url, tmp_path, **slow) as second,
    ):
        await first.wait_until_ready()
        second.kill()
        job = await scene.create()
        await receiver.wait_for(1)
        second.start()
        await second.wait_until_ready()
        # The other one takes it over at once, though the claim would last 105 s.
        assert await asyncio.to_thread(first.stop) == 0
        await receiver.wait_for(2, seconds=10)
        await scene.wait_for_deliveries(1, job=job)
    assert receiver.told(job) == ["queued", "queued"]


async def test_two_replicas_keep_the_order_of_a_hundred_jobs(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    dice = random.Random(1)

    def decide(_letter: WebhookPayload) -> Reply:
        return Reply(200 if dice.random() < 0.8 else 503, seconds=dice.choice([0, 0, 0.02, 0.1]))

    receiver.decide = decide
    await scene.set_hooks(new_hook(receiver.url + "/a", number=1), new_hook(receiver.url + "/b", number=2))
    patient = {"retry_seconds": "0" + ",0.2" * 30, "slots": "16", "timeout_seconds": "5"}
    with (
        NotifierProcess(server.url, tmp_path, **patient) as first,
        NotifierProcess(server.url, tmp_path, **patient) as second,
    ):
        await first.wait_until_ready()
        await second.wait_until_ready()
        jobs = await asyncio.gather(*(scene.run_through() for _ in range(100)))
        await scene.wait_until_nothing_waits(seconds=90)
        assert '"webhook attempted"' in first.log
        assert '"webhook attempted"' in second.log
    assert receiver.overtaken == []
    assert len(receiver.accepted) == len(set(receiver.accepted)), "a payload was sent again after it was accepted"
    for job in jobs:
        for path in ("/a", "/b"):
            told = [payload.status for payload in receiver.payloads if payload.queue == (job, path)]
            assert list(dict.fromkeys(told)) == ALL
        assert (await outcomes(scene, job))["completed"] == {"delivered"}


async def test_kills_again_and_again_lose_and_reorder_nothing(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    dice = random.Random(2)

    def decide(_letter: WebhookPayload) -> Reply:
        return Reply(200 if dice.random() < 0.7 else 500, seconds=dice.choice([0, 0.05, 0.3]))

    receiver.decide = decide
    await scene.set_hooks(new_hook(receiver.url))
    patient = {"retry_seconds": "0" + ",0.2" * 30}
    with (
        NotifierProcess(server.url, tmp_path, **patient) as first,
        NotifierProcess(server.url, tmp_path, **patient) as second,
    ):
        await first.wait_until_ready()
        jobs: list[str] = []
        for turn in range(6):
            jobs += await asyncio.gather(*(scene.run_through() for _ in range(6)))
            await asyncio.sleep(dice.uniform(0.1, 0.6))
            victim = (first, second)[turn % 2]
            victim.kill()
            victim.start()
        await scene.wait_until_nothing_waits(seconds=90)
    assert receiver.overtaken == []
    for job in jobs:
        ends = await outcomes(scene, job)
        assert list(ends) != []
        assert set(ends) == set(ALL), "a status was lost"
        assert "delivered" in ends["completed"]
        assert all(end <= {"delivered", "superseded"} for end in ends.values())
        arrivals = first_arrivals(receiver, job)
        assert arrivals == [status for status in ALL if status in arrivals]


async def test_sigkill_of_the_bus_loses_no_retry(
    server: NatsServer, scene: Scene, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(503, {"Retry-After": "2"})]
    with NotifierProcess(server.url, tmp_path) as process:
        await process.wait_until_ready()
        job = await scene.create()
        await scene.wait_for_deliveries(1, job=job)
        server.kill()
        await asyncio.to_thread(server.start)
        await receiver.wait_for(2, seconds=30)
        facts = await scene.wait_for_deliveries(2, job=job, seconds=30)
    assert [(fact.attempt, fact.outcome) for fact in facts] == [(1, "failed"), (2, "delivered")]
