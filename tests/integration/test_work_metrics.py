"""What is told of work is what has happened to it, on a real bus."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from nats.aio.client import Client

from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.topology import TRANSCODER
from shared.errors import Outage, PermanentError, TransientError
from shared.metrics import REGISTRY
from tests.support.bus import provisioned, until
from tests.support.samples import ORG
from tests.support.servers import NatsServer
from tests.support.working import Attempts, begun, forever, request_part, settled, worker

Counts = dict[str, float]


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module, lease_seconds=2) as client:
        yield client


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.settle.RETRY_DELAYS", (0.2,) * 2)


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


async def test_work_that_goes_well_at_its_second_try(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    async def fail_once(attempt: int) -> None:
        if attempt == 1:
            raise TransientError("encode_stalled", "once")

    before = counts()
    await request_part(log)
    async with worker(nats_server_of_module, Attempts(fail_once)):
        await until(lambda: told(before, {"failed": 1, "done": 1, "again": 1, "encode_stalled tried_again": 1}))
    assert await settled(client)


async def test_work_that_waits_for_a_storage(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    async def wait_once(attempt: int) -> None:
        if attempt == 1:
            raise Outage("output_unreachable", "away")

    before = counts()
    await request_part(log)
    async with worker(nats_server_of_module, Attempts(wait_once)):
        await until(
            lambda: told(before, {"failed": 1, "done": 1, "again": 1, "output_unreachable waits": 1}), seconds=20
        )
    assert await settled(client)


async def test_work_that_is_given_up(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    async def fail(_attempt: int) -> None:
        raise PermanentError("encode_failed", "always")

    before = counts()
    await request_part(log)
    async with worker(nats_server_of_module, Attempts(fail)):
        await until(lambda: told(before, {"failed": 1, "dead": 1, "encode_failed given_up": 1}))
    assert await settled(client)


async def test_a_slot_is_busy_until_its_job_has_ended(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    before, attempts = counts(), Attempts(forever)
    job = await request_part(log)
    async with worker(nats_server_of_module, attempts):
        await until(begun(attempts))
        assert value("millrace_slots_busy", consumer=TRANSCODER.name) == 1
        await log.append(ev.Cancelled(org=ORG, job=job))
        await until(lambda: told(before, {"ended": 1}))
    assert await settled(client)
    assert value("millrace_slots_busy", consumer=TRANSCODER.name) == 0


def counts() -> Counts:
    """What the counters stand at, by outcome, by code with verdict, and by a word of their own."""
    found: Counts = {
        "again": value("millrace_redeliveries_total", consumer=TRANSCODER.name),
        "dead": value("millrace_dead_letters_total"),
    }
    for metric in REGISTRY.collect():
        for one in metric.samples:
            if one.name == "millrace_work_total" and one.labels["consumer"] == TRANSCODER.name:
                found[one.labels["outcome"]] = one.value
            if one.name == "millrace_work_failures_total":
                found[f"{one.labels['code']} {one.labels['verdict']}"] = one.value
    return found


async def told(before: Counts, more: Counts) -> bool:
    """Whether exactly these have been counted since. A moment after a message is settled, its outcome is."""
    now = counts()
    return {name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name, 0)} == more


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0
