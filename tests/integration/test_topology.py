"""What is provisioned on the bus, and that provisioning can be repeated."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.bus.joblog import JobLog
from shared.bus.topology import (
    DEAD,
    DELIVERIES,
    DURABLES,
    HOOKS_BUCKET,
    JOBS,
    PROGRESS,
    SECRETS_BUCKET,
    TRANSCODER,
    WEBHOOKS,
    provision,
    wait_until_provisioned,
)
from shared.events import PartRequested
from shared.ids import new_job_id
from tests.support.samples import ORG, created
from tests.support.servers import nats_server

STREAMS = (JOBS, DELIVERIES, WEBHOOKS, DEAD, PROGRESS)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with nats_server() as server:
        client = await server.connect()
        try:
            yield client
        finally:
            await client.close()


async def test_everything_is_there_after_provisioning(client: Client) -> None:
    js = client.jetstream()
    with pytest.raises(NotFoundError):
        await js.stream_info(JOBS)
    await provision(js, lease_seconds=30)
    for stream in STREAMS:
        assert (await js.stream_info(stream)).config.name == stream
    for durable in DURABLES:
        config = (await js.consumer_info(durable.stream, durable.name)).config
        assert config.ack_wait == 30
        assert config.max_deliver == -1
        assert not config.backoff
    for bucket in (HOOKS_BUCKET, SECRETS_BUCKET):
        assert (await js.key_value(bucket)) is not None


async def test_provisioning_again_keeps_what_was_said_and_who_heard_it(client: Client) -> None:
    js = client.jetstream()
    await provision(js, lease_seconds=30)
    log = JobLog(client)
    job = new_job_id()
    await log.append(created(job))
    await log.append(PartRequested(org=ORG, job=job, part="v0000"))
    subscription = await js.pull_subscribe_bind(consumer=TRANSCODER.name, stream=JOBS)
    (message,) = await subscription.fetch(1)
    await message.ack_sync()

    await asyncio.gather(*(provision(js, lease_seconds=12) for _ in range(3)))

    assert len(await log.read(ORG, job)) == 2
    info = await js.consumer_info(JOBS, TRANSCODER.name)
    assert info.config.ack_wait == 12, "a changed setting did not arrive"
    assert info.ack_floor is not None
    assert info.ack_floor.stream_seq == message.metadata.sequence.stream
    assert info.num_pending == 0


async def test_several_may_provision_at_once(client: Client) -> None:
    await asyncio.gather(*(provision(client.jetstream(), lease_seconds=30) for _ in range(5)))
    await asyncio.wait_for(wait_until_provisioned(client.jetstream()), 5)


async def test_workers_wait_for_the_last_piece(client: Client) -> None:
    js = client.jetstream()
    waiting = asyncio.create_task(wait_until_provisioned(js))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await provision(js, lease_seconds=30)
    await asyncio.wait_for(waiting, 5)

    for remove in (js.delete_consumer(JOBS, TRANSCODER.name), js.delete_key_value(SECRETS_BUCKET)):
        await remove
        waiting = asyncio.create_task(wait_until_provisioned(js))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await provision(js, lease_seconds=30)
        await asyncio.wait_for(waiting, 5)


async def test_the_feed_tells_what_was_stored_and_only_once(client: Client) -> None:
    """Refused appends are heard on ``jobs.`` but never on ``feed.jobs.``."""
    await provision(client.jetstream(), lease_seconds=30)
    feed = await client.subscribe("feed.jobs.>")
    logs = [JobLog(client) for _ in range(10)]
    job = new_job_id()
    outcomes = await asyncio.gather(*(log.append(created(job)) for log in logs))
    probed = await feed.next_msg(timeout=5)
    assert probed.subject == f"feed.jobs.{ORG}.{job}.created"
    assert int((probed.headers or {})["Nats-Sequence"]) == outcomes[0].recorded.sequence
    with pytest.raises(TimeoutError):
        await feed.next_msg(timeout=0.3)


async def test_progress_keeps_the_newest_value(client: Client) -> None:
    js = client.jetstream()
    await provision(js, lease_seconds=30)
    for value in (b"0.1", b"0.5", b"0.2"):
        await js.publish(f"progress.{ORG}.{new_job_id()}.fetch", b"0.9", stream=PROGRESS)
        await js.publish(f"progress.{ORG}.5KQfnXCg8Qh.fetch", value, stream=PROGRESS)
    assert (await js.get_last_msg(PROGRESS, f"progress.{ORG}.5KQfnXCg8Qh.fetch")).data == b"0.2"
    info = await js.stream_info(PROGRESS, subjects_filter=f"progress.{ORG}.5KQfnXCg8Qh.>")
    assert info.state.subjects == {f"progress.{ORG}.5KQfnXCg8Qh.fetch": 1}
