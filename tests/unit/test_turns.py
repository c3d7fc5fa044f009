"""Turns over hours, in simulated time: clips beside films, priorities, organizations, and no slot idle for it."""

import random
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.work import MOST_OVERTAKEN
from shared.ids import new_job_id
from tests.support.queueing import Message, Simulation

PART_SECONDS, CLIP_SECONDS = 30.0, 2.0
FRAMES = 1200.0


class Films:
    """Films whose parts are requested two at a time, as where others wait."""

    def __init__(self, site: Simulation, films: int, parts: int, **members: str) -> None:
        self._site = site
        self._parts = parts
        self._members = members
        site.on_end = self.more
        for _ in range(films):
            job = new_job_id()
            for part in range(min(2, parts)):
                self._request(job, part)

    def more(self, message: Message) -> None:
        part = int(message.event.part[1:])
        if is_film(message) and part + 2 < self._parts:
            self._request(message.event.job, part + 2)

    def _request(self, job: str, part: int) -> None:
        left = (self._parts - part) * FRAMES
        self._site.request(seconds=PART_SECONDS, left=left, job=job, part=part, **self._members)  # type: ignore[arg-type]


def is_film(message: Message) -> bool:
    return message.seconds == PART_SECONDS


def clip(site: Simulation, **members: str) -> Message:
    return site.request(seconds=CLIP_SECONDS, left=250.0, **members)  # type: ignore[arg-type]


def film_parts_before(site: Simulation, waiting: Message) -> int:
    """How many parts of films a message waited for."""
    assert waiting.begun is not None
    return sum(
        is_film(other) and other.begun is not None and other.ended is not None
        and other.ended > waiting.asked and other.begun < waiting.begun
        for other in site.messages
    )  # fmt: skip


@given(st.integers(), st.integers(1, 3), st.integers(2, 150))
async def test_a_clip_waits_for_one_part_of_a_film_at_most(seed: int, films: int, clips: int) -> None:
    chance = random.Random(seed)
    site = Simulation()
    Films(site, films, parts=20)
    for _ in range(clips):
        # Sometimes alone, sometimes many at once.
        site.at(chance.choice([20.0, chance.uniform(0, 500)]), partial(clip, site))
    await site.run()
    assert all(message.ended for message in site.messages), "everything comes to its end"
    for number, message in enumerate(waiting := [message for message in site.messages if not is_film(message)]):
        ahead = sum(other.begun > message.asked for other in waiting[:number] if other.begun)
        assert film_parts_before(site, message) <= 1 + -(-ahead // MOST_OVERTAKEN)


async def test_clips_without_end_leave_a_film_its_share() -> None:
    site = Simulation()
    Films(site, 1, parts=12)

    def more_than_can_be_done() -> None:
        clip(site)
        if site.now < 1000:
            site.at(site.now + CLIP_SECONDS * 0.8, more_than_can_be_done)

    more_than_can_be_done()
    await site.run()
    for film in (message for message in site.messages if is_film(message)):
        before = [other for other in site.begun[: site.begun.index(film)] if other.sequence > film.sequence]
        # Of its two parts that wait, one may have its turn before the other.
        assert len(before) <= 2 * (MOST_OVERTAKEN + 2)


@pytest.mark.parametrize("slots", [1, 2])
async def test_the_parts_of_an_urgent_job_go_first(slots: int) -> None:
    site = Simulation(slots=slots)
    Films(site, 3, parts=6, priority="low")
    job = new_job_id()
    for part in range(4):
        site.at(40, partial(site.request, seconds=5, left=5e5, job=job, part=part, priority="high"))
    await site.run()
    urgent = [message for message in site.messages if message.event.priority == "high"]
    assert max(film_parts_before(site, message) for message in urgent) <= slots
    assert all(message.ended for message in site.messages)


@pytest.mark.parametrize("slots", [1, 2])
async def test_organizations_share_before_anything_else(slots: int) -> None:
    """Urgent clips of one organization do not go before the film of another."""
    site = Simulation(slots=slots)
    for _ in range(60):
        clip(site, org="bigorg", priority="high")
    Films(site, 1, parts=6, org="smallo", priority="low")
    await site.run()
    film = [message for message in site.messages if is_film(message)]
    # Two slots are free when all of it comes, before anybody knows of the film.
    assert film[0].begun is not None
    assert film[0].begun <= 3 * CLIP_SECONDS
    turns = [message.event.org for message in site.begun]
    assert "bigorg" in turns[turns.index("smallo") + 1 : turns.index("smallo") + 4]
    assert all(message.ended for message in site.messages)


@given(st.integers(), st.integers(1, 3), st.integers(1, 4))
async def test_no_slot_is_idle_for_long_and_little_is_handed_back(seed: int, workers: int, slots: int) -> None:
    chance = random.Random(seed)
    site = Simulation(workers, slots)
    for org in ("firsto", "second"):
        Films(site, chance.randint(0, 4), parts=8, org=org)
    for _ in range(chance.randint(0, 60)):
        site.at(chance.uniform(0, 200), partial(clip, site, org=chance.choice(["firsto", "third0"])))
    await site.run()
    assert all(message.ended for message in site.messages)
    work = sum(message.seconds for message in site.messages)
    last = max((message.asked for message in site.messages), default=0)
    # Everything is done in the time that the work takes, an idle second now and then, and the last part.
    assert site.now <= max(last, work / (workers * slots)) + 3 * PART_SECONDS + len(site.messages)
    assert site.hand_backs <= 12 * (len(site.messages) + 1)


async def test_a_long_queue_is_gone_through_to_its_end() -> None:
    """Whatever lies at its back: all that is handed back for it stays away until then."""
    site = Simulation()
    site.request(seconds=5, left=250)
    for _ in range(240):
        site.request(seconds=1, left=1e6)
    late = site.request(seconds=1, left=250)
    await site.run(until=60)
    assert late.begun is not None
    assert [message.seconds for message in site.begun[:2]] == [5, 1]
    assert site.begun[1] is late


async def test_what_waits_for_long_stays_away_until_it_is_next() -> None:
    """Each part of the films is handed back a few times, however many clips go before it."""
    site = Simulation(slots=4)
    Films(site, 20, parts=1)
    for number in range(400):
        site.at(number * CLIP_SECONDS / 4, partial(clip, site))
    await site.run()
    assert all(message.ended for message in site.messages)
    films = [message for message in site.messages if is_film(message)]
    assert sum(message.delivered for message in films) <= 8 * len(films)
    # They come back for the slots that the last clips leave, and none of those is idle for more than a look.
    work = sum(message.seconds for message in site.messages)
    assert site.now <= work / 4 + PART_SECONDS + 5
