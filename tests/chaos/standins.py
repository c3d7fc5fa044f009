"""A fetcher that fetches nothing and a transcoder that sleeps; all around them is real: leases, turns, windows, events, files."""

import asyncio
import json
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from services.fetcher.fetch import Fetch
from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.index import VideoIndex
from services.fetcher.settings import FetcherSettings
from services.transcoder.command import Tools
from services.transcoder.encode import AttemptResult, Encode
from shared.bus.slots import INTERRUPTED, UNINTERRUPTED
from shared.bus.topology import FETCHER, TRANSCODER
from shared.errors import PermanentError
from shared.events import Admitted, Fetched, PartRequested
from shared.media.plan import Plan
from shared.media.source import Source, VideoTrack
from shared.worker import Bus
from shared.workspace.shared_folder import SharedFolder
from tests.support.encoded import make_record, write_part
from tests.support.working import serving

RATE = 25
FETCHER_SLOTS = 16


@dataclass
class Workload:
    """How long encodes take, and what they have taken so far.

    Attributes:
        seconds_per_frame: of the output.
        worked: seconds that slots were busy. parts: that were made.
    """

    seconds_per_frame: float
    worked: float = 0
    parts: int = 0

    async def encode(self, plan: Plan, part: str) -> None:
        """Take the time of a part."""
        seconds = plan.work_of(part) * self.seconds_per_frame
        await asyncio.sleep(seconds)
        self.worked += seconds
        self.parts += 1


@cache
def film(seconds: int) -> tuple[Source, Plan]:
    """A film without sound, so long, at 25 frames a second with a key frame every two seconds."""
    frames = seconds * RATE
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=426, height=240, time_base=Fraction(1, RATE), start_pts=0,
        end_pts=frames, frames=frames, frame_rate=Fraction(RATE),
    )  # fmt: skip
    source = Source(demuxer="mov", file="film", bytes=1, duration=seconds, video=video)
    pts = array("q", range(frames))
    window = FetcherSettings.model_fields["part_window"].default
    plan, _ = make_plan(source, VideoIndex(pts, pts[:: 2 * RATE], ()), ("240p",), "fast", window=window)
    # Tiles would be drawn here, one by one.
    return source, plan.model_copy(update={"stills": None})


class SimulatedFetch(Fetch):
    """Knows how long the film is that it did not download."""

    def __init__(self, bus: Bus, space: Path, workload: Workload) -> None:
        none: Any = None
        super().__init__(
            bus.client, bus.log, none, SharedFolder(space.as_uri()), none, none, none, none, window=0,
            stall_seconds=0, response_seconds=0, policy=none, clients=none,
        )  # fmt: skip
        self._workload = workload

    async def _fetch(self, org: str, job: str) -> Fetched:
        created = await self._created(org, job)
        seconds = json.loads(created.client_metadata or "{}")["seconds"]
        source, plan = await asyncio.to_thread(film, seconds)
        return Fetched(org=org, job=job, source=source, plan=plan)


class SimulatedEncode(Encode):
    """Sleeps, and writes small files under the right names."""

    def __init__(self, bus: Bus, space: Path, workload: Workload) -> None:
        none: Any = None
        super().__init__(bus.client, bus.log, SharedFolder(space.as_uri()), Tools("no ffmpeg"), none)
        self._workload = workload

    async def _make(self, fetched: Fetched, name: str, folder: Path) -> AttemptResult:
        if fetched.plan.video_part(name) is None:
            raise PermanentError("internal_error", f"{name} is no part of a video")
        await self._workload.encode(fetched.plan, name)
        record = make_record(fetched.plan, name)
        await asyncio.to_thread(write_part, folder, fetched.plan, name, record)
        return AttemptResult(record.tables, record.encoder)


@asynccontextmanager
async def fetcher(nats_url: str, space: Path, workload: Workload) -> AsyncIterator[None]:
    """A fetcher, in this process."""

    def take(bus: Bus) -> None:
        fetch = SimulatedFetch(bus, space, workload)

        async def on_admitted(event: Admitted) -> None:
            await fetch(event)

        bus.take(FETCHER, FETCHER_SLOTS, on_admitted, turns=INTERRUPTED)

    async with serving(nats_url, "fetcher", take):
        yield


@asynccontextmanager
async def transcoder(nats_url: str, space: Path, workload: Workload, slots: int) -> AsyncIterator[None]:
    """A transcoder with so many slots, in this process."""

    def take(bus: Bus) -> None:
        encode = SimulatedEncode(bus, space, workload)

        async def on_part_requested(event: PartRequested) -> None:
            await encode(event)

        bus.take(TRANSCODER, slots, on_part_requested, turns=UNINTERRUPTED)

    async with serving(nats_url, "transcoder", take):
        yield
