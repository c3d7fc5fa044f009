"""Early playback: playlists that only ever grow, whoever writes them, in whichever order parts come, and whoever dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.rules import GROWING_RULES
from services.uploader.compliance import check_presentation
from services.uploader.early import EarlyPlayback
from services.uploader.finish import init_segments, playlists
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.growing import grown
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.protection import protected
from services.uploader.record import edge_of
from shared.bus.joblog import JobLog
from shared.events import Completed, PartTranscoded, PartUploaded, Playable, PlaybackExtended, Recorded
from shared.locations import parse_s3
from shared.media.edge import GROWTH, Edge
from shared.media.plan import Plan
from shared.media.result import digest_of
from shared.workspace.space import MadePart
from tests.support.encoded import make_fetched, make_plan, make_record
from tests.support.encrypted import protection
from tests.support.mapped import mapped_record
from tests.support.memory_stream import MemoryStream
from tests.support.samples import completed, created

ORG, JOB = "org123", "5KQfnXCg8Qh"
MASTER = "video.m3u8"


def of(plan: Plan) -> dict[str, int]:
    return {"tracks": len(plan.audio) + len(plan.text), "parts": len(plan.release_order)}


@given(st.permutations(list(range(12))))
def test_the_edge_is_what_is_there_without_a_gap(order: list[int]) -> None:
    edge, there = Edge(), set[int]()
    for place in order:
        edge = edge.with_part(place).with_part(place)
        there.add(place)
        assert {place for first, end in edge.uploaded for place in range(first, end)} == there
        assert edge.together == next(place for place in range(13) if place not in there)
    assert edge.uploaded == ((0, 12),)


def test_what_is_written_is_linear_and_little_is_left_out() -> None:
    """A film of a day: 900 parts of 16 segments, one after the other."""
    counts = {"tracks": 2, "parts": 902}
    edge, written, times = Edge(), 0, 0
    for place in range(counts["parts"]):
        edge = edge.with_part(place).given_to("v0000", **counts)
        if edge.lister and edge.together < counts["parts"]:
            edge = edge.model_copy(update={"listed": edge.together, "lister": None})
            written, times = written + edge.listed - counts["tracks"], times + 1
        if place >= counts["tracks"]:
            assert edge.together - edge.listed <= max(1, edge.together / (GROWTH + 1))
    assert edge.lister
    assert written + 900 <= (GROWTH + 2) * 900
    assert times < 60


@pytest.mark.parametrize("scheme", [None, "cbcs", "aes-128"])
def test_each_length_is_the_beginning_of_the_whole(scheme: Any) -> None:
    plan = make_plan(frames=1000, languages=("en", None), texts=("en",), stills=True)
    records = {name: mapped_record(plan, make_record(plan, name)) for name in plan.release_order}
    told = protection(scheme) if scheme else None
    tables = {name: record.tables for name, record in records.items()}
    stills = [still for record in records.values() for still in record.stills]
    whole = protected(assemble(plan, tables, stills), told)
    final = {path: body.decode() for path, body in playlists(whole).items()}
    master = multivariant_playlist(whole)
    for parts in range(of(plan)["tracks"] + 1, of(plan)["parts"]):
        made = grown(plan, parts, {name: records[name] for name in plan.release_order[:parts]}, told)
        assert made.segments == 2 * (parts - of(plan)["tracks"])
        for path, body in made.playlists.items():
            text = body.decode()
            as_it_ends = text.replace("TYPE:EVENT", "TYPE:VOD")
            assert "TYPE:EVENT" in text
            assert final[path].startswith(as_it_ends), "nothing that was listed changes"
            assert text.count("#EXTINF") == made.segments < final[path].count("#EXTINF")
        (early,) = made.multivariant.values()
        uris = [[line for line in text.splitlines() if line and line[0] != "#"] for text in (early.decode(), master)]
        assert sorted(uris[0]) == sorted(uris[1])
        assert [path for path in init_segments(made.presentation) if path not in init_segments(whole)] == []
        keys = {"cbcs": "METHOD=SAMPLE-AES", "aes-128": "METHOD=AES-128"}.get(scheme, "#EXTM3U")
        assert all(keys in body.decode() for path, body in made.playlists.items() if not path.startswith("text/"))


def test_a_last_segment_that_is_longer_decides_about_the_target_duration_from_the_beginning() -> None:
    plan = make_plan(frames=900, texts=("en",))
    last = plan.video[-1].model_copy(update={"frames": plan.video[-1].frames + 25})
    plan = plan.model_copy(update={"frames": 925, "tail_frames": 25, "video": (*plan.video[:-1], last)})
    names = plan.release_order[:3]
    made = grown(plan, 3, {name: make_record(plan, name) for name in names}, None)
    assert made.segments == 2
    assert all(b"#EXT-X-TARGETDURATION:7\n" in body for body in made.playlists.values())


def test_the_checker_takes_it_as_what_it_is() -> None:
    plan = make_plan(frames=1000, texts=("en",))
    names = plan.release_order[:4]
    made = grown(plan, 4, {name: make_record(plan, name) for name in names}, None)
    documents = {**made.playlists, **made.multivariant}
    report = check_presentation(made.presentation, documents, GROWING_RULES)
    wrong = set(report.violated)
    # What the samples say of themselves is made up.
    assert not {one for one in wrong if one.startswith(("rfc8216", "millrace-growing"))}, wrong
    closed = {path: body + b"#EXT-X-ENDLIST\n" for path, body in made.playlists.items()}
    report = check_presentation(made.presentation, {**documents, **closed}, GROWING_RULES)
    assert "millrace-growing" in report.violated
    assert {"millrace-ended", "apple-8.6"} <= set(check_presentation(made.presentation, documents).violated)


class MemoryBucket:
    """Objects, and whether they are written as they may be."""

    location = parse_s3("s3://bucket/films/?access_key=A&secret_key=S&region=us-east-1", is_prefix=True)

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.bytes = 0
        self._chance = random.Random(1)

    @asynccontextmanager
    async def of(self, _org: str, _job: str) -> AsyncIterator["MemoryBucket"]:
        yield self

    async def put(self, path: str, body: bytes, *, changes: bool = False) -> str:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        # The multivariant one is written before it is told, and told once: whoever dies in between writes it again.
        if path.endswith(".m3u8") and path != MASTER:
            before = self.objects.get(path, b"").replace(b"#EXT-X-ENDLIST\n", b"").replace(b":VOD", b":EVENT")
            assert body.replace(b":VOD", b":EVENT").startswith(before), f"{path} has become shorter"
            assert b"#EXT-X-ENDLIST" in body or b"#EXT-X-ENDLIST" not in self.objects.get(path, b""), "it had ended"
            assert changes == (b"#EXT-X-ENDLIST" not in body)
            self.bytes += len(body)
        self.objects[path] = body
        return ""


class Records:
    """The records of a work space."""

    def __init__(self, plan: Plan) -> None:
        self.texts = {name: make_record(plan, name).model_dump_json() for name in plan.release_order}

    async def record(self, made: MadePart) -> str:
        return self.texts[made.part]


class Scene:
    """A job whose parts are uploaded by many, any of whom may die anywhere, and comes again."""

    def __init__(self, plan: Plan, chance: random.Random) -> None:
        self.plan = plan
        self.chance = chance
        stream: Any = MemoryStream(
            lambda: chance.randrange(3), lambda: chance.choice(["told", "told", "told", "stored and not told"])
        )
        self.stream = stream
        self.log = JobLog(stream)
        self.bucket = MemoryBucket()
        space: Any = Records(plan)
        buckets: Any = self.bucket
        self.fetched = make_fetched(ORG, JOB, plan)
        self.early = EarlyPlayback(self.log, buckets, space, self.finish, parallel=2)  # type: ignore[arg-type]

    async def begin(self) -> None:
        await self.log.append(created(JOB, ORG, early_playback=True))
        await self.log.append(self.fetched)
        for name, text in Records(self.plan).texts.items():
            record = make_record(self.plan, name)
            told = {"renditions": record.totals, "digest": digest_of(text), "encoder": "x", "seconds": 1}
            await self.log.append(PartTranscoded(org=ORG, job=JOB, part=name, **told))

    async def finish(self, org: str, job: str) -> None:
        if await self.log.end_of(org, job):
            return
        tables = {name: make_record(self.plan, name).tables for name in self.plan.release_order}
        whole = assemble(self.plan, tables)
        for path, body in playlists(whole).items():
            await self.bucket.put(path, body)
        await self.log.append(completed(job, org))

    async def upload(self, part: str) -> None:
        """What an uploader does with a part, until nothing of it is left to do."""
        while True:
            work = asyncio.create_task(self.once(part))
            if self.chance.random() < 0.5:
                for _ in range(self.chance.randrange(60)):
                    await asyncio.sleep(0)
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work
                return

    async def once(self, part: str) -> None:
        if await self.log.end_of(ORG, JOB):
            return
        event = PartUploaded(org=ORG, job=JOB, part=part, objects=1, bytes=1)
        await self.log.append(event, refine=lambda: self.early.with_part(event, self.plan))
        await self.early(self.fetched, part)

    def said(self) -> list[Any]:
        kinds = (PartUploaded, Playable, PlaybackExtended, Completed)
        by_name = {kind.model_fields["type"].default: kind for kind in kinds}
        found = [message for message in self.stream.messages if message.subject.split(".")[3] in by_name]
        return [by_name[message.subject.split(".")[3]].model_validate_json(message.data) for message in found]


async def at_once(work: Callable[..., Any], *given: Any) -> Any:
    """In place of a thread, whose end comes when it likes."""
    return work(*given)


@given(st.integers(0, 2**32))
async def test_one_writes_at_a_time_and_nobody_leaves_it_undone(seed: int) -> None:
    with patch("asyncio.to_thread", at_once):
        await one_job(seed)


async def one_job(seed: int) -> None:
    chance = random.Random(seed)
    plan = make_plan(frames=chance.choice([200, 900, 2400]), texts=("en",))
    scene = Scene(plan, chance)
    await scene.begin()
    order = list(plan.release_order)
    chance.shuffle(order)
    running = []
    for part in order:
        running.append(asyncio.create_task(scene.upload(part)))
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
    await asyncio.gather(*running)
    assert await scene.log.end_of(ORG, JOB), "it was never finished"
    said = scene.said()
    playable = [event for event in said if isinstance(event, Playable)]
    lengths = [event.segments for event in said if isinstance(event, Playable | PlaybackExtended)]
    assert len(playable) <= 1
    assert lengths == sorted(set(lengths))
    if playable:
        assert MASTER in scene.bucket.objects
        assert playable[0].master == "s3://bucket/films/video.m3u8"


def test_the_edge_is_made_anew_where_an_uploader_of_before_has_told_nothing() -> None:
    plan = make_plan(frames=900)
    events: list[Any] = [
        PartUploaded(org=ORG, job=JOB, part=part, objects=1, bytes=1) for part in plan.release_order[:3]
    ]
    edge = Edge(uploaded=((0, 2),), listed=2)
    events.insert(2, Playable(org=ORG, job=JOB, master="s3://b/x", segments=2, edge=edge))
    recorded = [Recorded(number, event) for number, event in enumerate(events)]
    assert edge_of(recorded, plan) == Edge(uploaded=((0, 3),), listed=2)
