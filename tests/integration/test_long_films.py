"""What a long film costs: its end is prepared off the event loop, and a part costs the same wherever in the film it lies.

The events and records are synthetic; a day of media would take a day.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from nats.aio.client import Client

from services.api.projection.projection import apply_events
from services.uploader.early import EarlyPlayback
from services.uploader.finish import Finish
from services.uploader.release import Release
from services.uploader.upload import Upload
from shared.bus.fleet import FleetView
from shared.bus.joblog import JobLog
from shared.bus.subjects import event_subject
from shared.bus.vault import Vault
from shared.events import Completed, Event, PartUploaded, Recorded
from shared.garbage import settle
from shared.ids import new_job_id
from shared.locations import S3Location
from shared.media.plan import Plan
from shared.media.result import digest_of
from shared.sealing import Sealer
from shared.workspace.folder import WorkFolder
from shared.workspace.shared_folder import SharedFolder
from tests.support import boxes, samples, watch
from tests.support.encoded import leave_part, make_fetched, make_plan, make_record
from tests.support.samples import ORG
from tests.support.schema import migrated, new_organization


@dataclass
class Bucket:
    """A bucket in memory, which has the segments already."""

    sizes_of: dict[str, int]
    location: S3Location = field(default_factory=lambda: S3Location(bucket="films", key="one"))
    bodies: dict[str, bytes] = field(default_factory=dict)

    async def put(self, path: str, body: bytes) -> None:
        self.bodies[path] = body
        self.sizes_of[path] = len(body)

    async def read(self, path: str) -> bytes | None:
        return self.bodies.get(path)

    async def size(self, path: str) -> int | None:
        return self.sizes_of.get(path)

    async def sizes(self, folder: str) -> dict[str, int]:
        return await asyncio.to_thread(
            lambda: {path: size for path, size in self.sizes_of.items() if path.startswith(f"{folder}/")}
        )


class Buckets:
    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    @asynccontextmanager
    async def of(self, _org: str, _job: str) -> AsyncIterator[Bucket]:
        yield self.bucket


async def publish(client: Client, events: list[Event]) -> None:
    """Put events into the log without looking, many at a time."""
    js = client.jetstream(publish_async_max_pending=4000)
    stored = [
        await js.publish_async(event_subject(event), event.model_dump_json().encode(), stream="JOBS")
        for event in events
    ]
    await asyncio.gather(*stored)


def write_records(space: WorkFolder, job: str, plan: Plan) -> tuple[dict[str, str], dict[str, int]]:
    """The record of every part; returns the digests, and bytes by path of all that parts upload."""
    digests, sizes = {}, {}
    for part in plan.release_order:
        made = make_record(plan, part)
        entry = boxes.audio_entry() if plan.audio_part(part) else None
        tables = tuple(
            table.model_copy(update={"init": boxes.init_segment(entry, timescale=table.timescale)})
            for table in made.tables
        )
        record = made.model_copy(update={"tables": tables})
        with space.attempt(ORG, job, part) as folder:
            digests[part] = digest_of(space.finish(folder, ORG, job, part, record.model_dump_json()))
        kind = "audio" if plan.audio_part(part) else "video"
        for table in record.tables:
            for number, size in enumerate(table.sizes, start=table.first_segment):
                sizes[f"{table.folder}/{kind}_{number:05d}.m4s"] = size
    return digests, sizes


def life(job: str, plan: Plan, digests: dict[str, str], *, uploaded: int) -> list[Event]:
    """The log of a film whose first so many parts are uploaded."""
    done = plan.release_order[:uploaded]
    return [
        samples.created(job),
        make_fetched(ORG, job, plan),
        *(samples.transcoded(job, part).model_copy(update={"digest": digests[part]}) for part in done),
        *(samples.uploaded(job, part, uploaded=number) for number, part in enumerate(done, start=1)),
    ]


async def test_a_day_of_film_is_finished_while_the_event_loop_turns(client: Client, tmp_path: Path) -> None:
    plan = make_plan(
        frames=24 * 3600 * 25, segments_in_part=16, resolutions=("240p", "480p", "720p"), languages=("en", "de")
    )
    assert (len(plan.video), plan.segments) == (900, 14_400)
    job, space = new_job_id(), WorkFolder(tmp_path.as_uri())
    digests, sizes = await asyncio.to_thread(write_records, space, job, plan)
    await publish(client, life(job, plan, digests, uploaded=len(plan.release_order)))
    bucket, log = Bucket(sizes), JobLog(client)
    buckets: Any = Buckets(bucket)
    finish = Finish(log, buckets, SharedFolder(tmp_path.as_uri()), parallel=4)
    # As every service does at its start.
    await asyncio.to_thread(settle)
    with watch.this_loop() as slow:
        await finish(ORG, job)
    assert not slow, slow
    end = await log.end_of(ORG, job)
    assert end
    assert isinstance(end.event, Completed)
    assert end.event.outputs.segments == 14_400 * 5
    assert end.event.outputs.compliance
    assert "millrace-uri" not in {one.rule for one in end.event.outputs.compliance.violations}
    assert len(end.event.model_dump_json()) < 20_000


async def test_a_part_costs_the_bus_the_same_wherever_it_lies(client: Client, tmp_path: Path) -> None:
    plan = make_plan(frames=900 * 150, segments_in_part=1, resolutions=("240p",))
    cost = {}
    for before in (5, 850):
        job, space = new_job_id(), SharedFolder((tmp_path / str(before)).as_uri())
        parts = plan.release_order[before : before + 2]
        await publish(client, life(job, plan, dict.fromkeys(plan.release_order, ""), uploaded=before))
        buckets: Any = Buckets(Bucket({}))
        log = JobLog(client)
        release, finish = Release(log, FleetView(client)), Finish(log, buckets, space, parallel=4)
        early = EarlyPlayback(log, buckets, space, finish, parallel=4)
        upload = Upload(log, Vault(client, Sealer([bytes(32)])), buckets, space, release, finish, early, parallel=4)
        for part in parts:
            event = leave_part(space.folder, ORG, job, plan, part)
            await log.append(event)
            # Of the first of the two the plan is read, which is kept.
            moved = client.stats["in_bytes"] + client.stats["out_bytes"]
            await upload(event)
            cost[before] = client.stats["in_bytes"] + client.stats["out_bytes"] - moved
        last = await log.last(event_subject(PartUploaded(org=ORG, job=job, part=parts[-1], objects=0, bytes=0)))
        assert last
        assert isinstance(last.event, PartUploaded)
        assert last.event.uploaded == before + 2
        assert await log.end_of(ORG, job) is None
    assert cost[850] < cost[5] * 1.1, cost
    assert cost[850] < 10_000


async def test_a_part_costs_the_database_the_same_in_a_long_film(database_url: str) -> None:
    connection = await asyncpg.connect(await migrated(database_url))
    await new_organization(connection, ORG)
    cost = {}
    try:
        for parts in (45, 900):
            events = samples.whole_life(new_job_id(), parts=parts)
            begin = await connection.fetchval("select pg_current_wal_lsn()")
            for first in range(0, len(events), 20):
                batch = events[first : first + 20]
                await apply_events(connection, [Recorded(first + at, event) for at, event in enumerate(batch, 1)])
            written = await connection.fetchval("select pg_wal_lsn_diff(pg_current_wal_lsn(), $1)", begin)
            cost[parts] = float(written) / parts
    finally:
        await connection.close()
    assert cost[900] < 2 * cost[45], cost
