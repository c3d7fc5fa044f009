"""Events of a newer version in the log, as during an update: every reader keeps them, skips them and goes on."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from nats.aio.client import Client

from services.api.projection.projection import load_offset
from services.api.projection.rebuild import rebuild
from shared import events as ev
from shared.bus.joblog import JobEnded, JobLog
from shared.bus.parsing import UnknownEvent
from shared.bus.topology import DEAD, JOBS, NOTIFIER, TRANSCODER
from shared.ids import new_job_id
from tests.support.bus import tell, until
from tests.support.leading import leading
from tests.support.notifier import NotifierProcess, Scene, new_hook
from tests.support.receiver import WebhookReceiver
from tests.support.samples import ORG, created, transcoded, whole_life
from tests.support.schema import dump, migrated, new_organization
from tests.support.servers import NatsServer, PostgresServer
from tests.support.working import Attempts, dead, request_part, settled, worker

LINE = "unknown event skipped"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


async def from_the_future(client: Client, job: str, token: str, *, org: str = ORG, **members: Any) -> int:
    """Publish an event that only a newer version knows. Returns its sequence."""
    event = {"org": org, "job": job, "at": "2031-01-01T00:00:00Z", "v": 1} | members
    subject = f"jobs.{org}.{job}.{token}"
    return int((await client.jetstream().publish(subject, json.dumps(event).encode(), stream=JOBS)).seq)


async def three(client: Client, job: str, *, org: str = ORG) -> list[int]:
    """A new kind, a new kind for a part, and a new version of a known kind."""
    return [
        await from_the_future(client, job, "paused", org=org, type="paused"),
        await from_the_future(client, job, "part_requested.v0009", org=org, type="part_reserved", part="v0009"),
        await from_the_future(client, job, "started", org=org, type="started", v=2, on="node 7"),
    ]


def skipped(logs: list[Any]) -> list[int]:
    return [entry["sequence"] for entry in logs if entry["event"] == LINE]


async def test_the_log_is_read_around_them(client: Client, log: JobLog, logs: list[Any]) -> None:
    job = new_job_id()
    await log.append(created(job))
    unknown = await three(client, job)
    await log.append(transcoded(job, "v0000"))
    for _ in range(3):
        assert [item.event.token() for item in await log.read(ORG, job)] == ["created", "part_transcoded.v0000"]
        assert await log.read(ORG, job, at_least=unknown[-1])
    assert sorted(skipped(logs)) == unknown, "one line for each, however often it is read"
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_that_they_were_told_still_counts(client: Client, log: JobLog) -> None:
    """Nothing is told a second time because the first time is not understood, and nothing follows an end."""
    job = new_job_id()
    await log.append(created(job))
    started = await from_the_future(client, job, "started", type="started", v=2)
    assert await log.fact(ORG, job, ev.Started) is None
    again = await log.append(ev.Started(org=ORG, job=job))
    assert (again.new, again.recorded.sequence) == (False, started)
    assert isinstance(again.recorded.event, UnknownEvent)
    end = await from_the_future(client, job, "end.expired", type="expired")
    found = await log.end_of(ORG, job)
    assert found and (found.sequence, found.event.token()) == (end, "end.expired")
    for late in (ev.Cancelled(org=ORG, job=job), transcoded(job, "v0000")):
        with pytest.raises(JobEnded):
            await log.append(late)


async def test_rubbish_is_as_good_as_nothing(client: Client, log: JobLog, logs: list[Any]) -> None:
    job = new_job_id()
    await log.append(created(job))
    for rubbish in (b"\xff\x00", b"{}", b"[]", b'{"type": "started", "v": 1}', b'{"type": 7}', b'{"v": 2}'):
        await client.jetstream().publish(f"jobs.{ORG}.{job}.started", rubbish, stream=JOBS)
        assert await log.last(f"jobs.{ORG}.{job}.started") is None
    assert skipped(logs) == []
    assert (await log.append(ev.Started(org=ORG, job=job))).new


async def test_the_projection_and_its_rebuild_go_on(
    client: Client, log: JobLog, postgres: PostgresServer, logs: list[Any]
) -> None:
    url = await migrated(postgres.new_database())
    connection = await asyncpg.connect(url)
    await new_organization(connection, ORG)
    job, other = new_job_id(), new_job_id()
    await log.append(created(job))
    unknown = [*await three(client, job), await from_the_future(client, job, "end.expired", type="expired")]
    await tell(log, whole_life(other))
    async with leading(url, client):

        async def projected() -> bool:
            last = (await client.jetstream().stream_info(JOBS)).state.last_seq
            return await load_offset(connection, JOBS) == last

        await until(projected)
        rows = {row["id"]: row["status"] for row in await connection.fetch("select id, status from jobs")}
        assert rows == {job: "queued", other: "completed"}
        assert skipped(logs)[:4] == unknown
    before = await dump(connection)
    await rebuild(url, client, lambda _line: None)
    assert (await dump(connection))["jobs"] == before["jobs"]
    await connection.close()


async def test_a_worker_leaves_the_work_of_a_newer_version_to_the_operator(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, logs: list[Any]
) -> None:
    attempts, job = Attempts(lambda _: asyncio.sleep(0)), new_job_id()
    sequence = await from_the_future(client, job, "part_requested.v0000", type="part_requested", v=2, part="v0000")
    await request_part(log)
    async with worker(nats_server_of_module, attempts):
        await until(lambda: settled(client))
        letter = await until(lambda: dead(client, job=job))
    assert attempts.done == 1
    assert skipped(logs) == [sequence]
    assert (letter.headers or {})["Millrace-Reason"] == "an event part_requested of version 2: update this service"
    assert (await client.jetstream().get_msg(JOBS, sequence)).seq == sequence, "it is kept"
    assert (await client.jetstream().consumer_info(JOBS, TRANSCODER.name)).num_redelivered == 0


async def test_side_work_passes_over_them(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, logs: list[Any]
) -> None:
    attempts, job = Attempts(lambda _: asyncio.sleep(0)), new_job_id()
    sequence = await from_the_future(client, job, "part_requested.v0000", type="part_reserved")
    await request_part(log)
    async with worker(nats_server_of_module, attempts, side_work=True):
        await until(lambda: settled(client))
    assert attempts.done == 1
    assert skipped(logs) == [sequence]
    assert await dead(client, job=job) is None


async def test_webhooks_are_told_what_is_known(
    nats_server_of_module: NatsServer, client: Client, tmp_path: Path
) -> None:
    async with WebhookReceiver() as receiver:
        with NotifierProcess(nats_server_of_module.url, tmp_path) as notifier:
            scene = await Scene.open(client)
            await scene.set_hooks(new_hook(receiver.url))
            await notifier.wait_until_ready()
            job = await scene.create()
            await three(client, job, org=scene.org)
            await scene.complete(job)
            other = await scene.create()
            await from_the_future(client, other, "end.expired", org=scene.org, type="expired")
            after = await scene.create()
            await receiver.wait_for(4)

            async def all_settled() -> bool:
                info = await client.jetstream().consumer_info(JOBS, NOTIFIER.name)
                return (info.num_pending, info.num_ack_pending) == (0, 0)

            await until(all_settled, seconds=20)
            assert receiver.told(job) == ["queued", "completed"]
            assert (receiver.told(other), receiver.told(after)) == (["queued"], ["queued"])
            assert (await client.jetstream().stream_info(DEAD)).state.messages == 0
            # Of each event that the notifier takes; others may be read along with them.
            lines = [json.loads(line) for line in notifier.log.splitlines() if LINE in line]
            assert {line["subject"].partition(f"{scene.org}.")[2] for line in lines} >= {
                f"{job}.started",
                f"{other}.end.expired",
            }
