"""Clips beside films and urgent jobs beside others, and a window that follows the fleet, on a real bus."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from nats.aio.client import Client

from services.uploader.release import Release
from shared.bus.fleet import LEAST, Fleet, FleetView, window_for
from shared.bus.joblog import JobLog
from shared.bus.slots import UNINTERRUPTED
from shared.events import Created, PartRequested, Priority
from shared.ids import new_job_id
from shared.media.plan import Plan
from tests.support.bus import provisioned, tell, until
from tests.support.encoded import make_fetched, make_plan
from tests.support.samples import ORG, created
from tests.support.servers import NatsServer
from tests.support.working import settled, worker

FILM = make_plan(frames=150 * 40, segments_in_part=1, languages=()).model_copy(update={"widest": 30})
SHORT_FILM = make_plan(frames=150 * 4, segments_in_part=1, languages=())
CLIP = make_plan(frames=150, segments_in_part=1, languages=())


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module, lease_seconds=30) as client:
        yield client


class Site:
    """Jobs, and workers that do each part when they are let: encode, upload and release are one."""

    def __init__(self, client: Client, log: JobLog) -> None:
        self._log = log
        self._fleet = FleetView(client)
        self._release = Release(log, self._fleet)
        self._plans: dict[str, Plan] = {}
        self._uploaded: dict[str, int] = {}
        self._permits: dict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))
        self.begun: list[str] = []
        self.running = 0
        self.most_running = 0
        self.released = 0

    async def begin(self, plan: Plan, *, priority: Priority = "normal", fleet: Fleet | None = None) -> Created:
        """A job with its plan and its first parts, as of the fetcher.

        Args:
            fleet: as it was seen; by default as it is.
        """
        job = created(new_job_id(), priority=priority)
        self._plans[job.job], self._uploaded[job.job] = plan, 0
        await tell(self._log, [job, make_fetched(ORG, job.job, plan)])
        first = window_for(fleet or await self._fleet.look(), under_way=0, most=plan.most_under_way)
        for part in plan.release_order[:first]:
            await self._log.append(PartRequested.planned(job, plan, part))
        return job

    async def work(self, event: PartRequested) -> None:
        """A worker's handler."""
        self.begun.append(event.job)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await self._permits[self._plans[event.job].frames].acquire()
        self.running -= 1
        self._uploaded[event.job] += 1
        fetched = make_fetched(ORG, event.job, self._plans[event.job])
        await self._release(fetched, uploaded=self._uploaded[event.job])
        self.released += 1

    def let(self, plan: Plan, parts: int) -> None:
        """So many parts of a plan come to their end."""
        for _ in range(parts):
            self._permits[plan.frames].release()

    async def ends_one(self, plan: Plan) -> None:
        """A part of a plan comes to its end, and others are requested for it."""
        before = self.released
        self.let(plan, 1)

        async def released() -> bool:
            return self.released > before

        await until(released)

    async def has_begun(self, count: int) -> None:
        """Wait until so many parts have begun."""

        async def enough() -> bool:
            return len(self.begun) >= count

        await until(enough, seconds=20)

    def is_film_alone(self, film: Created, slots: int) -> Callable[[], Awaitable[bool]]:
        """Condition: all parts of other jobs are done, and as many of the film's run as are requested, or as there are slots."""

        async def alone() -> bool:
            others = sum(count for job, count in self._uploaded.items() if job != film.job)
            running = min(slots, await self.under_way(film))
            return others == len(self._uploaded) - 1 and self.running == running > 0

        return alone

    async def under_way(self, job: Created) -> int:
        """How many parts of a job are requested and not uploaded."""
        events = [one.event for one in await self._log.read(ORG, job.job)]
        return sum(isinstance(event, PartRequested) for event in events) - self._uploaded[job.job]


async def test_clips_go_before_a_films_next_part(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    site = Site(client, log)
    film = await site.begin(FILM)
    async with worker(nats_server_of_module, site.work, slots=1, turns=UNINTERRUPTED):
        await site.has_begun(1)
        clips = [await site.begin(CLIP) for _ in range(4)]
        site.let(FILM, 1)
        site.let(CLIP, 4)
        await site.has_begun(6)
        assert site.begun == [film.job, *(clip.job for clip in clips), film.job]
        site.let(FILM, len(FILM.release_order))
        await until(lambda: settled(client), seconds=60)
    assert site.begun.count(film.job) == len(FILM.release_order), "it comes to its end"


async def test_an_urgent_job_goes_first(nats_server_of_module: NatsServer, client: Client, log: JobLog) -> None:
    site = Site(client, log)
    priorities: list[Priority] = ["low", "normal", "low", "normal"]
    jobs = [await site.begin(CLIP, priority=priority) for priority in priorities]
    urgent = await site.begin(SHORT_FILM, priority="high")
    async with worker(nats_server_of_module, site.work, slots=1, turns=UNINTERRUPTED):
        parts = len(SHORT_FILM.release_order)
        site.let(SHORT_FILM, parts)
        site.let(CLIP, len(jobs))
        await until(lambda: settled(client), seconds=60)
    assert site.begun[:parts] == [urgent.job] * parts
    ranks = [priorities[[job.job for job in jobs].index(one)] for one in site.begun[parts:]]
    assert ranks == ["normal", "normal", "low", "low"]


async def test_the_window_is_wide_on_an_idle_fleet_and_narrow_under_load(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    site, slots = Site(client, log), 12
    async with worker(nats_server_of_module, site.work, slots=slots, turns=UNINTERRUPTED):

        async def all_ask() -> Fleet | None:
            fleet = await FleetView(client).look()
            return fleet if fleet.idle == slots else None

        film = await site.begin(FILM, fleet=await until(all_ask))
        await site.has_begun(slots)
        assert slots < await site.under_way(film) < slots + 4, "and a few that wait"
        clips = [await site.begin(CLIP) for _ in range(20)]
        # Its parts end; what it does not request makes room for the clips.
        site.let(FILM, slots)
        await site.has_begun(2 * slots)
        # But for those that were before them already.
        assert site.begun[slots : 2 * slots].count(film.job) < 4
        assert await site.under_way(film) < LEAST + 4
        site.let(CLIP, len(clips))
        await until(site.is_film_alone(film, slots), seconds=30)
        # Slots are idle now: with the next of its parts that is uploaded it gets them, or with one after that, since a slot asks
        # anew every few seconds, and may not be seen in between.
        for _ in range(4):
            if site.running < slots:
                await site.ends_one(FILM)
                await until(site.is_film_alone(film, slots), seconds=30)
        assert site.running == slots
        site.let(FILM, len(FILM.release_order))
        await until(lambda: settled(client), seconds=60)
    assert site.begun.count(film.job) == len(FILM.release_order)
    assert site.most_running == slots
