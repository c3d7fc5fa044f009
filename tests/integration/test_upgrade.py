"""An upgrade in the middle of jobs: what the version before left behind when it was stopped, this one brings to its end.

The jobs were stopped at four moments; which, and what lies where, says tests/data/upgrade/README.md.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.projection.projection import load_offset
from services.api.projection.rebuild import rebuild
from shared.bus.joblog import JobLog
from shared.bus.topology import DEAD, DELIVERIES, JOBS, SECRETS_BUCKET, WEBHOOKS
from shared.events import Completed, PartTranscoded
from shared.media.tools import ffprobe_path
from shared.workspace.folder import WorkFolder
from tests.support import before
from tests.support.api import SEAL_KEY, ApiProcess, Caller
from tests.support.before import ACCOUNT, BEFORE_JOBS, BUCKET
from tests.support.bus import until
from tests.support.receiver import WebhookReceiver
from tests.support.s3 import S3Server, s3_server
from tests.support.servers import PostgresServer, nats_server
from tests.support.service import Service
from tests.support.stream import decode_complaints

LEASE_SECONDS = 3
WORKERS = ("fetcher", "transcoder", "uploader", "notifier")
QUIET: list[str] = []
STATUSES = ["queued", "transcoding", "completed"]
FRAMES, PARTS = 18 * 8, 5
TABLES = ("jobs", "deliveries", "offsets", "output_claims", "progress_shown", "webhooks", "idempotency_keys", "tokens")


@dataclass
class Upgraded:
    """Servers as the version before left them, and the services of this one; ``stop`` ends the services."""

    client: Client
    database_url: str
    s3: S3Server
    space: WorkFolder
    receiver: WebhookReceiver
    api: ApiProcess
    workers: list[Service] = field(default_factory=list)

    async def start(self) -> None:
        """Start all services at once, as a machine that boots does."""
        await asyncio.gather(*(asyncio.to_thread(service.__enter__) for service in (self.api, *self.workers)))

    async def stop(self) -> None:
        """Stop all services."""
        await asyncio.gather(*(asyncio.to_thread(service.stop) for service in (*self.workers, self.api)))

    def logs(self) -> str:
        """What the services have written above the level of information."""
        lines = [line for service in (self.api, *self.workers) for line in service.log().splitlines()]
        return "\n".join(line for line in lines if '"level": "info"' not in line)


@asynccontextmanager
async def upgraded(postgres: PostgresServer, folder: Path, *, settled: bool) -> AsyncIterator[Upgraded]:
    """Everything restored, and nothing started."""
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(nats_server())
        s3 = await stack.enter_async_context(s3_server())
        receiver = await stack.enter_async_context(WebhookReceiver())
        client = await nats.connect()
        stack.push_async_callback(client.close)
        hook = f"{receiver.url}/hook"
        database_url = await before.restore_database(postgres, hook)
        await before.restore_files(folder, s3)
        await before.restore_bus(client, settled=settled)
        await before.restore_keys(client, s3, hook)
        common: dict[str, object] = {"nats_url": nats.url, "seal_keys": SEAL_KEY}
        api = ApiProcess(database_url=database_url, lease_seconds=LEASE_SECONDS, **common)  # type: ignore[arg-type]
        made = Upgraded(client, database_url, s3, WorkFolder(folder.as_uri()), receiver, api)
        made.workers = [Service(name, workspace_url=folder.as_uri(), **common) for name in WORKERS]
        for service in (api, *made.workers):
            stack.callback(service.__exit__)
        yield made


@pytest.mark.parametrize("settled", [True, False], ids=["consumers as they were", "consumers made anew"])
async def test_jobs_in_the_middle_are_brought_to_their_end(
    settled: bool, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with upgraded(postgres, tmp_path, settled=settled) as stack:
        await stack.start()
        for job in BEFORE_JOBS:
            await completes(stack, job)
        await webhooks_are_told(stack)
        await until(lambda: nothing_is_left(stack), seconds=30)
        await shown_completed(stack)
        await caught_up(stack)
        await stack.stop()
        await the_log_is_whole(stack)
        outputs_are_good(stack)
        await the_rows_are_those_of_a_rebuild(stack)


async def completes(stack: Upgraded, job: str) -> None:
    log = JobLog(stack.client)
    try:
        end = await until(lambda: log.end_of(ACCOUNT.org, job), seconds=120, what=f"the end of {job}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.logs()}") from error
    assert isinstance(end.event, Completed), end.event


async def webhooks_are_told(stack: Upgraded) -> None:
    """All statuses of each job, each once, in order, over both versions."""
    expected = sum(len(STATUSES) - len(before.told(job)) for job in BEFORE_JOBS)
    await stack.receiver.wait_for(expected, seconds=30)

    async def nothing_waits() -> bool:
        return (await stack.client.jetstream().stream_info(WEBHOOKS)).state.messages == 0

    await until(nothing_waits, seconds=20)
    for job in BEFORE_JOBS:
        assert before.told(job) + stack.receiver.told(job) == STATUSES, job
    assert not stack.receiver.overtaken


async def nothing_is_left(stack: Upgraded) -> bool:
    """Whether the work space is empty, and all credentials are forgotten."""
    secrets = (await stack.client.jetstream().stream_info(f"KV_{SECRETS_BUCKET}", subjects_filter=">")).state
    values = [
        await stack.client.jetstream().get_last_msg(f"KV_{SECRETS_BUCKET}", name) for name in secrets.subjects or ()
    ]
    return not any(value.data for value in values) and not any(stack.space.root.rglob("*"))


async def shown_completed(stack: Upgraded) -> None:
    """The token of before is good, and GET shows what the log says."""
    async with Caller(stack.api, ACCOUNT) as caller:
        for job in BEFORE_JOBS:
            found = await caller.until_status(job, "Completed")
            assert found["progress"] == 100
        # What could do everything before can do so still.
        tokens = (await caller.call("GET", "tokens/")).body["results"]
        assert [(token["role"], token["current"]) for token in tokens] == [("admin", True)]
        members = (await caller.call("GET", "members/")).body["results"]
        assert {member["role"] for member in members} == {"admin"}


async def caught_up(stack: Upgraded) -> None:
    connection = await asyncpg.connect(stack.database_url)

    async def projected() -> bool:
        infos = [await stack.client.jetstream().stream_info(name) for name in (JOBS, DELIVERIES)]
        return [await load_offset(connection, name) for name in (JOBS, DELIVERIES)] == [
            one.state.last_seq for one in infos
        ]

    await until(projected, seconds=20)
    await connection.close()


async def the_log_is_whole(stack: Upgraded) -> None:
    """One end for each job, a result for each part, what was there is there, and nobody has given up on anything."""
    recorded = {message.subject: message.data for message in before.kept(JOBS)}
    for job in BEFORE_JOBS:
        events = await JobLog(stack.client).read(ACCOUNT.org, job)
        tokens = [one.event.token() for one in events]
        assert len([token for token in tokens if token.startswith("end.")]) == 1
        assert tokens[-1] == "end.completed"
        assert len([one for one in events if isinstance(one.event, PartTranscoded)]) == PARTS
    js = stack.client.jetstream()
    for subject, data in recorded.items():
        assert (await js.get_last_msg(JOBS, subject)).data == data
    assert (await js.stream_info(DEAD)).state.messages == 0


def outputs_are_good(stack: Upgraded) -> None:
    """What was uploaded before is as it was; the multivariant playlist leads to every frame, and all of it can be decoded."""
    objects = stack.s3.files(BUCKET)
    for path, file in before.files("bucket").items():
        assert objects[path].read_bytes() == file.read_bytes(), path
    for job in BEFORE_JOBS:
        master = objects[f"out/{job}/video.m3u8"]
        assert frames(master) == [FRAMES, FRAMES], job
        assert decode_complaints(master) == "", job


def frames(master: Path) -> list[int]:
    """How many frames ffprobe counts in each rendition."""
    argv = [ffprobe_path(), "-v", "error", "-count_frames", "-select_streams", "v", "-of", "json"]
    argv += ["-show_entries", "stream=nb_read_frames", str(master)]
    found = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    return [int(stream["nb_read_frames"]) for stream in found["streams"]]


async def the_rows_are_those_of_a_rebuild(stack: Upgraded) -> None:
    connection = await asyncpg.connect(stack.database_url)
    rows = await dump(connection)
    assert len(rows["jobs"]) == len(BEFORE_JOBS)
    assert not rows["output_claims"]
    await rebuild(stack.database_url, stack.client, QUIET.append)
    assert await dump(connection) == rows
    unknown = (
        "select count(*) from jobs where status = 'completed' and (encode_seconds > 0 and output_bytes > 0) is not true"
    )
    assert await connection.fetchval(unknown) == 0
    await connection.close()


async def dump(connection: "asyncpg.Connection[Any]") -> dict[str, list[Any]]:
    """Every row of every table, in a definite order, but for the size of sources and what encoding has taken.

    Version 0.1 did not keep these; a rebuild learns them from the log, also of those that were fetched before.
    """
    jobs = """
        (select id, org, created, status, enable_drm, priority, admitted, last_sequence, ended,
                state::jsonb - array['source_bytes', 'rendition_seconds', 'encode_seconds', 'output_bytes']
         from jobs) as jobs
    """
    tables = {table: jobs if table == "jobs" else table for table in TABLES}
    return {
        table: sorted(map(tuple, await connection.fetch(f"select * from {source}")), key=repr)
        for table, source in tables.items()
    }
