"""What is provisioned on the bus, and that provisioning can be repeated."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StoreCompression
from nats.js.errors import NotFoundError

from shared.bus.joblog import JobLog
from shared.bus.topology import (
    BUCKETS,
    DAY,
    DEAD,
    DELIVERIES,
    DURABLES,
    HOOKS_BUCKET,
    JOBS,
    PROGRESS,
    SECRETS_BUCKET,
    TRANSCODER,
    WEBHOOKS,
    Ages,
    provision,
    wait_until_provisioned,
)
from shared.bus.upkeep import AGE_KEY
from shared.events import PartRequested
from shared.ids import new_job_id
from tests.support.bus import until
from tests.support.cluster import nats_cluster, provisioned
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


async def test_an_operators_own_limits_stay(client: Client) -> None:
    js = client.jetstream()
    await provision(js, lease_seconds=30)
    own = {
        "max_bytes": 10**9,
        "max_msgs": 123_456,
        "max_msg_size": 500_000,
        "discard": DiscardPolicy.NEW,
        "compression": StoreCompression.S2,
        "deny_delete": True,
        "duplicate_window": 60.0,
    }
    before = {}
    for stream in (JOBS, DELIVERIES, WEBHOOKS, DEAD):
        config = (await js.stream_info(stream)).config
        metadata = (config.metadata or {}) | {"owner": "team video"}
        # The server does not let messages be scheduled where new ones may be discarded.
        given = own | ({"discard": DiscardPolicy.OLD} if stream == WEBHOOKS else {})
        before[stream] = (await js.update_stream(config.evolve(**given, max_age=1000.0, metadata=metadata))).config
        assert {name: getattr(before[stream], name) for name in given} == given
    await js.update_stream((await js.stream_info("KV_secrets")).config.evolve(max_bytes=10**8))
    consumer = (await js.consumer_info(JOBS, TRANSCODER.name)).config
    await js.add_consumer(JOBS, consumer.evolve(max_ack_pending=17, description="ours"))

    for _ in range(2):
        await provision(js, lease_seconds=30)

    for stream, config in before.items():
        assert (await js.stream_info(stream)).config == config
        assert (config.max_age, (config.metadata or {})["owner"]) == (1000, "team video")
    assert (await js.stream_info("KV_secrets")).config.max_bytes == 10**8
    consumer = (await js.consumer_info(JOBS, TRANSCODER.name)).config
    assert (consumer.max_ack_pending, consumer.description) == (17, "ours")


async def test_what_millrace_relies_on_is_put_right(client: Client) -> None:
    js = client.jetstream()
    await provision(js, lease_seconds=30)
    right = (await js.stream_info(JOBS)).config
    wrong = right.evolve(subjects=["jobs.*.*.>", "mine.>"], republish=None, allow_direct=False, metadata={})
    await js.update_stream(wrong)
    consumer = (await js.consumer_info(JOBS, TRANSCODER.name)).config
    await js.add_consumer(JOBS, consumer.evolve(ack_wait=99, max_deliver=3, filter_subjects=["jobs.*.*.started"]))
    await provision(js, lease_seconds=30)
    assert (await js.stream_info(JOBS)).config == right
    assert (await js.consumer_info(JOBS, TRANSCODER.name)).config == consumer
    await asyncio.wait_for(wait_until_provisioned(js), 5)


async def test_ages_are_set_when_their_setting_changes_and_only_then(client: Client) -> None:
    js = client.jetstream()

    async def provided(days: int) -> float:
        await provision(js, lease_seconds=30, ages=Ages(deliveries=days * DAY, dead=days * DAY))
        ages = {(await js.stream_info(stream)).config.max_age or 0 for stream in (DELIVERIES, DEAD)}
        assert len(ages) == 1
        assert not (await js.stream_info(JOBS)).config.max_age, "an age of the log would take events of running jobs"
        return ages.pop() / DAY

    async def operator_sets(days: int) -> None:
        for stream in (DELIVERIES, DEAD):
            await js.update_stream((await js.stream_info(stream)).config.evolve(max_age=days * DAY))

    assert await provided(90) == 90
    await operator_sets(7)
    assert await provided(90) == 7, "reset at a start"
    assert await provided(30) == 30, "a changed setting did not arrive"
    assert await provided(30) == 30
    assert await provided(0) == 0
    await operator_sets(5)
    assert await provided(0) == 5


async def test_streams_of_a_version_without_ages_get_one_unless_they_have_one(client: Client) -> None:
    js = client.jetstream()
    await provision(js, lease_seconds=30, ages=Ages(90 * DAY, 90 * DAY))
    for stream, days in ((DELIVERIES, 0), (DEAD, 7)):
        config = (await js.stream_info(stream)).config
        metadata = {name: value for name, value in (config.metadata or {}).items() if name != AGE_KEY}
        await js.update_stream(config.evolve(max_age=days * DAY, metadata=metadata))
    await provision(js, lease_seconds=30, ages=Ages(90 * DAY, 90 * DAY))
    assert (await js.stream_info(DELIVERIES)).config.max_age == 90 * DAY
    assert (await js.stream_info(DEAD)).config.max_age == 7 * DAY
    await provision(js, lease_seconds=30, ages=Ages(60 * DAY, 60 * DAY))
    assert (await js.stream_info(DEAD)).config.max_age == 60 * DAY


async def test_more_replicas_are_made_later_of_streams_and_buckets() -> None:
    """On a real cluster of three: with one copy first, then with three, and the keys of buckets on all of them."""
    with nats_cluster() as cluster:
        client = await cluster.connect()
        js = client.jetstream()
        await provisioned(client, replicas=1)
        await (await js.key_value(SECRETS_BUCKET)).put("org.job", b"sealed")
        await provisioned(client, replicas=3)
        for name in (*STREAMS, *(f"KV_{bucket}" for bucket in BUCKETS)):
            await until(partial(_has_copies, js, name), seconds=60)
        assert (await (await js.key_value(SECRETS_BUCKET)).get("org.job")).value == b"sealed"
        await client.close()


async def _has_copies(js: JetStreamContext, name: str) -> bool:
    """Whether two servers beside the leader hold all of a stream."""
    info = await js.stream_info(name)
    copies = (info.cluster and info.cluster.replicas) or []
    return info.config.num_replicas == 3 and len([copy for copy in copies if copy.current]) == 2
