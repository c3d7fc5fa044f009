"""Room for requests to one host and for one organization."""

import asyncio

from services.notifier.concurrency import LONGEST_WAIT, PATIENCE, ConcurrencyLimits

SLOW = [("host", "slow.example"), ("organization", "aaaaaa")]
OTHER = [("host", "other.example"), ("organization", "aaaaaa")]
ANOTHER = [("host", "another.example"), ("organization", "bbbbbb")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Clock | None = None) -> ConcurrencyLimits:
    """Room for two on a host and three in an organization."""
    return ConcurrencyLimits({"host": 2, "organization": 3}, clock or Clock())


async def fill(room: ConcurrencyLimits) -> None:
    """Fill the slow host, after it has shown that it is slow."""
    for _ in range(2):
        assert await room.enter(SLOW) == 0
    room.leave(SLOW, seconds=10, answered=True)
    assert await room.enter(SLOW) == 0


async def test_a_host_gets_its_room_and_no_more() -> None:
    room = limits()
    await fill(room)
    assert await room.enter(SLOW) > 0
    room.leave(SLOW, seconds=10, answered=True)
    assert await room.enter(SLOW) == 0


async def test_an_organization_gets_its_room_over_all_hosts() -> None:
    room = limits()
    await fill(room)
    assert await room.enter(OTHER) == 0
    assert await room.enter(OTHER) > 0
    assert await room.enter(ANOTHER) == 0


async def test_being_turned_away_takes_no_room_anywhere() -> None:
    room = limits()
    await fill(room)
    for _ in range(10):
        assert await room.enter(SLOW) > 0
    assert await room.enter(OTHER) == 0


async def test_a_quick_host_is_waited_for() -> None:
    room = limits()
    for _ in range(2):
        assert await room.enter(SLOW) == 0
    waiting = asyncio.create_task(room.enter(SLOW))
    await asyncio.sleep(0)
    assert not waiting.done()
    room.leave(SLOW, seconds=0.01, answered=True)
    async with asyncio.timeout(1):
        assert await waiting == 0


async def test_a_quick_host_is_not_waited_for_long() -> None:
    room = ConcurrencyLimits({"host": 1, "organization": 1}, asyncio.get_running_loop().time)
    assert await room.enter(SLOW) == 0
    async with asyncio.timeout(2):
        assert await room.enter(SLOW) > 0


async def test_the_more_wait_the_later_one_is_told_to_come_back() -> None:
    room = limits()
    await fill(room)
    waits = [await room.enter(SLOW) for _ in range(2000)]
    assert waits[0] < 3
    assert max(waits[-10:]) > LONGEST_WAIT * 0.8
    assert max(waits) <= LONGEST_WAIT * 1.2


async def test_those_whose_time_has_come_no_longer_count_as_waiting() -> None:
    clock = Clock()
    room = limits(clock)
    await fill(room)
    for _ in range(2000):
        await room.enter(SLOW)
    clock.now = 1000
    assert await room.enter(SLOW) < 3


async def test_a_silent_host_gets_one_slot_until_it_answers() -> None:
    room = limits()
    for _ in range(PATIENCE):
        assert await room.enter(SLOW) == 0
        room.leave(SLOW, seconds=15, answered=False)
    assert await room.enter(SLOW) == 0
    assert await room.enter(SLOW) > 0
    room.leave(SLOW, seconds=0.1, answered=True)
    assert await room.enter(SLOW) == 0
    assert await room.enter(SLOW) == 0


async def test_what_is_over_is_forgotten() -> None:
    room = limits()
    for number in range(1000):
        names = [("host", f"{number}.example"), ("organization", f"{number:06d}")]
        assert await room.enter(names) == 0
        room.leave(names, seconds=1, answered=True)
    assert room._crowds == {}
