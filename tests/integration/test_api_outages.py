"""The api without its servers: nothing half accepted, quick and clear refusals, and all well again when they are back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import nats
import pytest

from services.api.contract.claims import claim_of
from shared.bus.joblog import JobLog
from shared.events import Created
from shared.ids import new_job_id
from stack.probes import http_ok
from tests.support.api import Account, ApiProcess, Caller, job_body
from tests.support.bus import until
from tests.support.servers import NatsServer, PostgresServer, nats_server, postgres_server


@pytest.fixture(scope="module")
def own_nats() -> Iterator[NatsServer]:
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def api(own_nats: NatsServer, own_postgres: PostgresServer) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=own_nats.url, database_url=own_postgres.new_database()) as process:
        yield process


@pytest.fixture
async def caller(api: ApiProcess, account: Account) -> AsyncIterator[Caller]:
    async with Caller(api, account) as caller:
        await until_ready(api)
        yield caller


async def until_ready(api: ApiProcess) -> None:
    async def ready() -> bool:
        return await asyncio.to_thread(http_ok, api.api_port, "/health/ready", 4)

    await until(ready, seconds=30, what="the api is ready")


async def test_without_the_bus(caller: Caller, api: ApiProcess, own_nats: NatsServer) -> None:
    known = await caller.created()
    body = job_body()
    await asyncio.to_thread(own_nats.kill)
    try:
        began = time.monotonic()
        refused = await caller.call("POST", "transcoding_jobs/", body)
        assert (refused.status, list(refused.body)) == (503, ["detail"])
        assert int(refused.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 8
        assert (await caller.job(known))["status"] == "Queued"
        assert (await caller.call("GET", "transcoding_jobs/")).body["count"] == 1
        assert (await caller.call("DELETE", f"transcoding_jobs/{known}/")).status == 503
        assert (await caller.call("POST", "webhooks/", {"url": "https://example.com"})).status == 503
        assert not http_ok(api.api_port, "/health/ready", 4)
        assert http_ok(api.api_port, "/health/live")
    finally:
        await asyncio.to_thread(own_nats.start)
    await until_ready(api)
    # The refused request holds nothing: neither its place nor a webhook that was not told.
    assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201
    assert (await caller.call("GET", "webhooks/")).body["count"] == 0
    assert (await caller.call("DELETE", f"transcoding_jobs/{known}/")).body == {
        "message": "Job cancelled successfully."
    }


async def test_with_a_bus_that_hangs_the_key_leads_to_one_job(
    caller: Caller, api: ApiProcess, own_nats: NatsServer
) -> None:
    body, key = job_body(), {"Idempotency-Key": "hanging"}
    before = (await caller.call("GET", "transcoding_jobs/")).body["count"]
    assert own_nats._process
    os.kill(own_nats._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert (await caller.call("POST", "transcoding_jobs/", body, headers=key)).status == 503
        assert time.monotonic() - began < 12
    finally:
        os.kill(own_nats._process.pid, signal.SIGCONT)

    async def accepted() -> Any:
        answer = await caller.call("POST", "transcoding_jobs/", body, headers=key)
        assert answer.status in (201, 503), answer.text
        return answer.body["id"] if answer.status == 201 else None

    job = await until(accepted, seconds=20, what="accepted after all")
    assert await accepted() == job

    async def one_more() -> bool:
        return bool((await caller.call("GET", "transcoding_jobs/")).body["count"] == before + 1)

    await until(one_more, what="one job more, in the projection as well")


async def test_without_the_database(caller: Caller, api: ApiProcess, own_postgres: PostgresServer) -> None:
    body = job_body()
    await asyncio.to_thread(own_postgres.kill)
    try:
        for method, path in (("POST", "transcoding_jobs/"), ("GET", "transcoding_jobs/"), ("POST", "/api/auth/login/")):
            sent = {"username": "a", "password": "b", "organization_id": "c"} if "auth" in path else body
            answer = await caller.call(method, path, sent if method == "POST" else None)
            assert (answer.status, list(answer.body)) == (503, ["detail"])
            assert int(answer.headers["Retry-After"]) > 0
        assert not http_ok(api.api_port, "/health/ready", 4)
    finally:
        await asyncio.to_thread(own_postgres.start)
    await until_ready(api)
    assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201


async def test_a_job_that_the_projection_has_missed_is_found_in_the_log(
    caller: Caller, api: ApiProcess, own_nats: NatsServer
) -> None:
    """As if Postgres had gone away between the acknowledgement and the row, and the projector were late."""
    client = await own_nats.connect()
    job = new_job_id()
    created = Created(
        org=caller.account.org,
        job=job,
        input_url="https://example.com/a",
        output_path="s3://bucket/x",
        resolutions=("240p",),
    )
    await JobLog(client).append(created)
    await client.close()
    assert (await caller.job(job))["id"] == job


async def test_claims_of_jobs_that_never_came_to_be_and_of_ended_ones(
    caller: Caller, api: ApiProcess, own_postgres: PostgresServer
) -> None:
    """A process that died between the claim and the event; and a claim that outlived its job."""
    body, url = job_body(), str(api._settings["database_url"])
    database = await asyncpg.connect(url)
    claim = (
        "insert into output_claims (org, location, job, claimed) values ($1, $2, $3, now() - make_interval(secs => $4))"
    )
    try:
        await database.execute(claim, caller.account.org, claim_of(body["output_path"]), new_job_id(), 5.0)
        undecided = await caller.call("POST", "transcoding_jobs/", body)
        assert (undecided.status, list(undecided.body)) == (503, ["detail"])
        await database.execute("update output_claims set claimed = now() - interval '61 seconds'")
        assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201
        ended = await caller.created()
        await caller.call("DELETE", f"transcoding_jobs/{ended}/")
        body = job_body()
        await database.execute(claim, caller.account.org, claim_of(body["output_path"]), ended, 5.0)
        assert (await caller.call("POST", "transcoding_jobs/", body)).status == 201
    finally:
        await database.close()


async def test_sigterm_ends_streams_and_the_process(caller: Caller, api: ApiProcess) -> None:
    job = await caller.created()
    stream = asyncio.create_task(caller.call_raw("GET", f"transcoding_jobs/{job}/events/"))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await asyncio.to_thread(api.stop)
    text = await asyncio.wait_for(stream, 5)
    assert time.monotonic() - began < 6
    assert job in text
    await asyncio.to_thread(api.start)


async def test_it_starts_before_its_servers_do(
    own_nats: NatsServer, own_postgres: PostgresServer, api: ApiProcess
) -> None:
    own_nats.stop()
    own_postgres.stop()
    late = ApiProcess(nats_url=own_nats.url, database_url=str(api._settings["database_url"]))
    starting = asyncio.create_task(asyncio.to_thread(late.start))
    try:

        async def live() -> bool:
            return await asyncio.to_thread(http_ok, late.api_port, "/health/live")

        await until(live, seconds=20, what="it is live")
        async with Caller(late, Account("abcdef", "x", "0" * 64)) as caller:
            answer = await caller.call("GET", "transcoding_jobs/")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert not http_ok(late.api_port, "/health/ready")
        await asyncio.to_thread(own_postgres.start)
        await asyncio.to_thread(own_nats.start)
        await asyncio.wait_for(starting, 30)
        assert http_ok(late.api_port, "/health/ready", 4)
    finally:
        await asyncio.wait({starting})
        late.__exit__()


async def test_the_bus_was_provisioned(own_nats: NatsServer) -> None:
    from shared.bus.topology import wait_until_provisioned

    client = await nats.connect(own_nats.url)
    await asyncio.wait_for(wait_until_provisioned(client.jetstream()), 5)
    await client.close()
