"""The release of parts: no order of uploads, no crash and no second uploader leaves a job standing, whatever the fleet does."""

import random
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.uploader.release import Release
from shared.bus.fleet import LEAST, Fleet, window_for
from shared.bus.joblog import Appended
from shared.events import Admitted, Created, Event, Fetched, PartRequested, Recorded
from shared.media.plan import Plan
from tests.support.encoded import make_fetched, make_plan
from tests.support.samples import created

ORG, JOB = "org123", "5KQfnXCg8Qh"
WEIGHT = 3.0
BUSY = Fleet(idle=0, waiting=40, taken=8)


@coroutine
def moment() -> Generator[None, None, None]:
    """Where another uploader may come in between, or this one die."""
    yield


class MemoryLog:
    """A job's log, with the guarantee of the real one: a fact is appended once."""

    def __init__(self, fetched: Fetched) -> None:
        self._fetched = fetched
        self._created = created(fetched.job).model_copy(update={"org": fetched.org, "priority": "high"})
        self._admitted = Admitted(org=fetched.org, job=fetched.job, weight=WEIGHT)
        self.requests: list[PartRequested] = []

    async def fact(self, _org: str, _job: str, kind: type[Event]) -> Event:
        await moment()
        return {Created: self._created, Admitted: self._admitted}.get(kind, self._fetched)

    async def last(self, _subject: str) -> Recorded | None:
        await moment()
        return Recorded(len(self.requests), self.requests[-1]) if self.requests else None

    async def read(self, _org: str, _job: str) -> list[Recorded]:
        await moment()
        return [Recorded(number, event) for number, event in enumerate(self.requests)]

    async def append(self, event: PartRequested) -> Appended:
        await moment()
        new = event.part not in self.requested
        if new:
            self.requests.append(event)
        # Stored, and the answer may be lost.
        await moment()
        return Appended(Recorded(len(self.requests), event), new=new)

    @property
    def requested(self) -> list[str]:
        return [event.part for event in self.requests]


class Fleets:
    """A fleet that is different at every look."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def look(self) -> Fleet:
        await moment()
        return Fleet(self._chance.randrange(12), self._chance.randrange(12), self._chance.randrange(12))


class Site:
    """A job with uploaders that take one step after the other, in any order."""

    def __init__(self, plan: Plan, first: int, fleets: Any, *, window: int | None = None) -> None:
        plan = plan.model_copy(update={"window": window or first})
        self.plan = plan
        self.fetched = make_fetched(ORG, JOB, plan)
        self.log = MemoryLog(self.fetched)
        log: Any = self.log
        self.release = Release(log, fleets)
        self.numbers: dict[str, int] = {}
        self.uploaders: list[tuple[str, Coroutine[Any, Any, None]]] = []
        for part in plan.release_order[:first]:
            self.log.requests.append(PartRequested.planned(self.log._created, plan, part, weight=WEIGHT))

    @property
    def transcodable(self) -> list[str]:
        taken = {part for part, _ in self.uploaders}
        return [part for part in self.log.requested if part not in self.numbers and part not in taken]

    def begin(self, part: str) -> None:
        uploader = self._upload(part)
        uploader.send(None)
        self.uploaders.append((part, uploader))

    def step(self, which: int) -> None:
        try:
            self.uploaders[which][1].send(None)
        except StopIteration:
            del self.uploaders[which]

    def crash(self, which: int) -> None:
        """Its message comes again."""
        part, uploader = self.uploaders.pop(which)
        uploader.close()
        self.begin(part)

    async def _upload(self, part: str) -> None:
        await moment()
        self.numbers.setdefault(part, len(self.numbers) + 1)
        await moment()
        await self.release(self.fetched, uploaded=self.numbers[part])

    def check(self) -> None:
        requested = self.log.requested
        assert requested == list(self.plan.release_order[: len(requested)])
        assert len(requested) - len(self.numbers) <= max(self.plan.most_under_way, self.plan.window)


@given(st.integers(), st.integers(0, 30), st.integers(1, 12), st.integers(1, 4))
def test_every_part_is_requested_once_and_in_order(seed: int, segments: int, most: int, first: int) -> None:
    plan = make_plan(frames=150 * (segments + 1), segments_in_part=1, languages=("en", "de"))
    chance = random.Random(seed)
    site = Site(plan.model_copy(update={"widest": most}), min(first, most), Fleets(chance))
    while site.transcodable or site.uploaders:
        if site.transcodable and chance.random() < 0.4:
            site.begin(chance.choice(site.transcodable))
        elif site.uploaders:
            act = site.crash if chance.random() < 0.05 else site.step
            act(chance.randrange(len(site.uploaders)))
        site.check()
    assert len(site.numbers) == len(plan.release_order)
    assert {(event.priority, event.weight) for event in site.log.requests} == {("high", WEIGHT)}


async def released(site: Site, *, uploaded: int) -> list[str]:
    before = len(site.log.requests)
    await site.release(site.fetched, uploaded=uploaded)
    return list(site.log.requested[before:])


class Still:
    """A fleet that always does the same."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def look(self) -> Fleet:
        return self._fleet


PLAN = make_plan(frames=150 * 99, segments_in_part=1).model_copy(update={"widest": 64})


async def test_an_idle_fleet_gets_as_many_parts_as_it_has_slots_and_some() -> None:
    site = Site(PLAN, 2, Still(Fleet(idle=50, waiting=0, taken=1)))
    new = await released(site, uploaded=1)
    assert new == list(PLAN.release_order[2 : 2 + 50 + 1 + 51 // 8])
    assert await released(site, uploaded=2) == list(PLAN.release_order[59:66]), "no more than the widest window"


async def test_where_others_wait_a_job_keeps_two_parts_under_way() -> None:
    site = Site(PLAN, 20, Still(BUSY))
    for uploaded in range(1, 19):
        assert await released(site, uploaded=uploaded) == []
    assert await released(site, uploaded=19) == [PLAN.release_order[20]]
    assert await released(site, uploaded=20) == [PLAN.release_order[21]]


async def test_requests_of_the_version_before_have_gaps_which_are_filled() -> None:
    site = Site(PLAN, 4, Still(BUSY), window=4)
    old = [event.model_copy(update={"left": None, "priority": None}) for event in site.log.requests]
    # The third part was uploaded first, and requested the one four places on.
    ahead = PLAN.release_order[6]
    site.log.requests[:] = [*old, PartRequested(org=ORG, job=JOB, part=ahead, work=1.0)]
    assert await released(site, uploaded=3) == [PLAN.release_order[4]]
    assert await released(site, uploaded=4) == [PLAN.release_order[5]]
    assert await released(site, uploaded=6) == [PLAN.release_order[7]]


@pytest.mark.parametrize("most", [1, 2, 8, 900])
@given(
    fleet=st.builds(Fleet, st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)), under_way=st.integers(0, 900)
)
def test_a_window_leaves_one_part_and_no_slot_idle(most: int, fleet: Fleet, under_way: int) -> None:
    window = window_for(fleet, under_way=under_way, most=most)
    assert 1 <= window <= most
    if window < most:
        assert window >= min(LEAST, most)
        assert fleet.waiting + window - under_way > fleet.idle or window == LEAST
    if fleet.waiting > fleet.idle + 1 + (fleet.idle + fleet.taken) // 8:
        assert window <= max(LEAST, under_way), "others wait"
