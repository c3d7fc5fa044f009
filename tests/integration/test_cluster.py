"""A cluster of three: work and requests go on whichever server dies or hangs, and nothing is lost where two are gone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from nats.aio.client import Client

from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.topology import JOBS
from shared.ids import new_job_id
from stack.probes import http_ok
from tests.support.api import SEAL_KEY, ApiProcess, Caller, job_body
from tests.support.bus import until
from tests.support.cluster import Cluster, nats_cluster, provisioned
from tests.support.observe import eventually
from tests.support.samples import ORG, created
from tests.support.servers import PostgresServer
from tests.support.service import Service
from tests.support.working import worker_bus


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with nats_cluster() as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    client = await cluster.connect()
    await provisioned(client, lease_seconds=5)
    yield client
    await client.close()


class Transcoder:
    """A worker whose work is to note it."""

    def __init__(self, log: JobLog) -> None:
        self._log = log
        self.done: set[str] = set()

    async def __call__(self, event: ev.PartRequested) -> None:
        self.done.add(event.job)

    async def works(self) -> None:
        """Return when a job that is published now has been worked on."""
        job = new_job_id()

        async def published() -> bool:
            try:
                await self._log.append(created(job))
                await self._log.append(ev.PartRequested(org=ORG, job=job, part="v0000"))
            except Exception:
                return False
            return True

        async def worked() -> bool:
            return job in self.done

        await until(published, seconds=60, what="a job is published")
        await until(worked, seconds=60, what="it is worked on")


async def test_work_goes_on_when_servers_die_and_when_one_hangs(cluster: Cluster, client: Client) -> None:
    transcoder = Transcoder(JobLog(client))
    async with worker_bus(cluster.url, transcoder) as bus:
        await transcoder.works()

        # The server that the worker pulls from; that another has to be found is what the credentials are needed for.
        node = cluster.node_of(bus.broker.connection)
        await asyncio.to_thread(node.kill)
        await transcoder.works()
        assert cluster.node_of(bus.broker.connection) != node
        await asyncio.to_thread(node.start)

        leader = await cluster.leader(client, JOBS)
        await asyncio.to_thread(leader.kill)
        await transcoder.works()
        await asyncio.to_thread(leader.start)

        leader = await cluster.leader(client, JOBS)
        leader.freeze()
        try:
            await transcoder.works()
        finally:
            leader.resume()
        await transcoder.works()
        await bus.pulls.check()


async def test_with_two_servers_gone_nothing_is_accepted_and_nothing_lost(
    cluster: Cluster, client: Client, postgres: PostgresServer
) -> None:
    with ApiProcess(nats_url=cluster.url, database_url=postgres.new_database(), nats_replicas=3) as api:
        account = await asyncio.to_thread(api.account, "customer")
        async with Caller(api, account) as caller:
            before = await caller.created()
            first, second, _ = cluster.nodes
            await asyncio.to_thread(first.kill)
            await asyncio.to_thread(second.kill)
            await _refuses(caller)
            await asyncio.to_thread(first.start)
            after = await until(lambda: _accepted(caller), seconds=60, what="jobs are accepted again")
            await until(lambda: _is_ready(api), seconds=30, what="the api is ready")
            for job in (before, after):
                admitted = partial(JobLog(client).fact, account.org, job, ev.Admitted)
                await until(admitted, seconds=30, what="the job is admitted")
            await asyncio.to_thread(second.start)


async def _is_ready(api: ApiProcess) -> bool:
    return await asyncio.to_thread(http_ok, api.api_port, "/health/ready", 4)


async def _refuses(caller: Caller) -> None:
    answer = await caller.create()
    assert (answer.status, list(answer.body)) == (503, ["detail"])
    assert int(answer.headers["Retry-After"]) > 0


async def _accepted(caller: Caller) -> str | None:
    answer = await caller.call("POST", "transcoding_jobs/", job_body())
    assert answer.status in (201, 503), answer.text
    return str(answer.body["id"]) if answer.status == 201 else None


async def test_services_that_meet_servers_without_a_leader_wait(cluster: Cluster, postgres: PostgresServer) -> None:
    for node in cluster.nodes:
        await asyncio.to_thread(node.kill)
    await asyncio.to_thread(cluster.nodes[0].start)
    api = ApiProcess(nats_url=cluster.url, database_url=postgres.new_database(), nats_replicas=3)
    notifier = Service("notifier", nats_url=cluster.url, seal_keys=SEAL_KEY)
    starts = [asyncio.create_task(asyncio.to_thread(service.start)) for service in (api, notifier)]
    try:
        await eventually(lambda: "start is waiting" in api.log(), "the api waits", seconds=30)
        await eventually(lambda: "waiting for the bus" in notifier.log(), "the notifier waits", seconds=30)
        for node in cluster.nodes[1:]:
            await asyncio.to_thread(node.start)
        await asyncio.gather(*starts)
        assert "Traceback" not in api.log() + notifier.log()
    finally:
        await asyncio.wait(starts)
        for service in (api, notifier):
            await asyncio.to_thread(service.__exit__)
