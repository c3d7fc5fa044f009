"""First events and secrets of jobs that begin at the same time, on a real NATS."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from shared.bus.beginnings import Beginnings
from shared.bus.joblog import JobLog
from shared.bus.together import Together, publish_each
from shared.bus.topology import JOBS, SECRETS_BUCKET
from shared.bus.vault import JobAddresses, Vault
from shared.events import Cancelled, Recorded
from shared.ids import new_job_id
from shared.sealing import Sealer
from tests.support.bus import provisioned
from tests.support.samples import created
from tests.support.servers import NatsServer

ORG = "abcdef"


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module) as client:
        yield client


# So few that each is a message of its own, and so many that they are a batch.
@pytest.mark.parametrize("count", [1, 5, 50])
async def test_each_has_its_place_in_the_log(client: Client, count: int) -> None:
    log, beginnings = JobLog(client), Beginnings(client)
    events = [created(new_job_id(), ORG) for _ in range(count)]
    found = await asyncio.gather(*map(beginnings.begin, events))
    assert [one and one.event for one in found] == events
    assert len({one.sequence for one in found if one}) == count
    for one in found:
        assert one
        assert await log.read(ORG, one.event.job) == [one]


@pytest.mark.parametrize("count", [3, 50])
async def test_one_that_is_there_already_keeps_none_of_the_others_out(client: Client, count: int) -> None:
    log, beginnings = JobLog(client), Beginnings(client)
    events = [created(new_job_id(), ORG) for _ in range(count)]
    there, ended = (await log.append(events[0])).recorded, await log.append(events[1])
    await log.append(Cancelled(org=ORG, job=events[1].job))
    found = await asyncio.gather(*map(beginnings.begin, events))
    assert found[:2] == [None, None]
    assert all(isinstance(one, Recorded) for one in found[2:])
    assert await log.read(ORG, events[0].job) == [there]
    assert (await log.read(ORG, events[1].job))[0] == ended.recorded
    assert (await client.jetstream().stream_info(JOBS)).state.messages == count + 1


async def test_what_the_server_refuses_is_refused_alone(client: Client) -> None:
    wrong = {"Nats-Expected-Last-Subject-Sequence": "7"}
    messages = [
        Together(f"jobs.{ORG}.{new_job_id()}.created", b"{}", wrong if number == 4 else {}) for number in range(20)
    ]
    outcomes = await publish_each(client, messages, seconds=5)
    assert [number for number, one in enumerate(outcomes) if isinstance(one, APIError)] == [4]
    assert len({one for one in outcomes if isinstance(one, int)}) == 19


@pytest.mark.parametrize("atomic", [True, False])
async def test_secrets_are_kept_together(client: Client, atomic: bool) -> None:
    """Also in a bucket that takes no batches, as those of earlier versions do."""
    js = client.jetstream()
    config = (await js.stream_info(f"KV_{SECRETS_BUCKET}")).config
    await js.update_stream(config.evolve(allow_atomic=atomic))
    vault = Vault(client, Sealer([bytes(32)]))
    jobs = [new_job_id() for _ in range(40)]
    places = {job: JobAddresses("https://example.com/film.mp4", f"s3://bucket/{job}/") for job in jobs}
    await asyncio.gather(*(vault.put(ORG, job, places[job]) for job in jobs))
    # Once more, as when a request is repeated.
    await asyncio.gather(*(vault.put(ORG, job, places[job]) for job in jobs))
    assert {job: await vault.get(ORG, job) for job in jobs} == places
    await vault.forget(ORG, jobs[0])
    assert await vault.get(ORG, jobs[1]) == places[jobs[1]]
