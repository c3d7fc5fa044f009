"""What a run has left: outputs, files, secrets, processes, the projection. Each finding is a sentence; none is good."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import aiohttp
import asyncpg
from nats.aio.client import Client as NatsClient
from nats.js.errors import NoKeysError

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from shared.bus.topology import DEAD, JOBS, SECRETS_BUCKET
from stack.credentials import load_or_create
from stack.layout import BUCKET, REPOSITORY
from stack.services import environment
from tests.support.faults import FaultyProxy
from tests.support.observe import processes_with
from tests.support.stack import RunningStack
from tests.support.stream import decode_complaints, download, read_stream
from tests.support.walk import below

T = TypeVar("T")
_PROJECTED = ("jobs", "deliveries", "offsets")


async def output_findings(stack: RunningStack, http: aiohttp.ClientSession, prefix: str) -> list[str]:
    """Whether a completed job's presentation keeps the rules, and can be decoded from end to end."""
    master = stack.layout.objects / BUCKET / prefix / "video.m3u8"
    report = await asyncio.to_thread(lambda: apply_rules(asyncio.run(read_presentation(str(master)))))
    if not report.ok:
        return [f"output violates rules:\n{as_text(report)}"]
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        stream = await read_stream(http, f"{stack.env['PLAYBACK_URL']}/{BUCKET}/{prefix}video.m3u8")
        for variant in (*stream.variants, *stream.audio):
            file = await download(http, variant.media, Path(folder))
            complaints = await asyncio.to_thread(decode_complaints, file)
            if complaints.strip():
                findings.append(f"{variant.media.url} cannot be decoded: {complaints[:300]}")
    return findings


async def left_overs(workspace: Path, client: NatsClient) -> list[str]:
    """What jobs that have ended have not taken with them."""
    findings = [f"in the work space: {path}" for path in below(workspace) if path.is_file()]
    findings += [f"an encoder that nobody waits for: {line}" for line in processes_with(f"{workspace}/")]
    store = await client.jetstream().key_value(SECRETS_BUCKET)
    with suppress(NoKeysError):
        findings += [f"credentials in the vault: {key}" for key in await store.keys()]
    dead = await client.jetstream().stream_info(DEAD, subjects_filter=">")
    return findings + [f"a dead letter: {subject}" for subject in dead.state.subjects or {}]


async def unsettled(client: NatsClient) -> int:
    """Messages of the log that some consumer has yet to deal with."""
    consumers = await client.jetstream().consumers_info(JOBS)
    return sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in consumers)


async def unknown_jobs(client: NatsClient, posted: set[str]) -> list[str]:
    """Jobs in the log that nobody was told of: a request that was accepted twice."""
    info = await client.jetstream().stream_info(JOBS, subjects_filter="jobs.*.*.created")
    created = {subject.split(".")[2] for subject in info.state.subjects or {}}
    return [f"a job that nobody knows of: {job}" for job in sorted(created - posted)]


async def superseded(stack: RunningStack) -> dict[str, frozenset[str]]:
    """By job, the statuses whose webhook was given up because the receiver had accepted a newer one."""
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        rows = await connection.fetch("select job, status from deliveries where outcome = 'superseded'")
    finally:
        await connection.close()
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["job"], set()).add(row["status"])
    return {job: frozenset(statuses) for job, statuses in found.items()}


async def projection_findings(stack: RunningStack) -> list[str]:
    """Whether the tables are what a rebuild out of the log makes of them."""
    before = await _rows(stack)
    variables = environment("api", stack.layout, load_or_create(stack.state_dir), os.environ)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.api.admin", "rebuild-projection"],
        env=variables,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return [f"the projection cannot be rebuilt: {done.stderr[-500:]}"]
    after = await _rows(stack)
    return [
        f"{table} differs from its rebuild: {sorted(before[table] ^ after[table])[:4]}"
        for table in _PROJECTED
        if before[table] != after[table]
    ]


def uploads_begun(storage: FaultyProxy) -> list[str]:
    """Multipart uploads: Millrace begins none, so none can be left open."""
    return [f"a multipart upload was begun: {one.path}" for one in storage.requests if one.method == "POST"]


def orphans(stack: RunningStack) -> list[str]:
    """Processes of a stack that was taken down."""
    return [f"still running: {line[:200]}" for line in processes_with(str(stack.state_dir))]


async def last_of(look: Callable[[], Awaitable[T]], good: Callable[[T], bool], seconds: float) -> T:
    """Look again and again, until it is good or the time is over; what was seen last."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not good(seen := await look()) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.5)
    return seen


async def _rows(stack: RunningStack) -> dict[str, set[str]]:
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        return {
            table: {repr(tuple(row)) for row in await connection.fetch(f"select * from {table}")}
            for table in _PROJECTED
        }
    finally:
        await connection.close()
