"""Places of organizations: nobody has all of them, and nobody who has gone is remembered."""

import asyncio

from services.api.playback.slots import Slots


async def test_one_organization_leaves_places_to_others() -> None:
    slots, over, inside = Slots(4, 2), asyncio.Event(), list[str]()

    async def take(org: str) -> None:
        async with slots.of(org):
            inside.append(org)
            await over.wait()

    tasks = [asyncio.create_task(take(org)) for org in ("a", "a", "a", "a", "b", "c")]
    while len(inside) < 4:
        await asyncio.sleep(0)
    assert sorted(inside) == ["a", "a", "b", "c"]
    tasks[2].cancel()
    over.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(inside) == ["a", "a", "a", "b", "c"]


async def test_who_has_gone_is_forgotten() -> None:
    slots = Slots(2, 1)
    for number in range(10):
        async with slots.of(f"org {number}"):
            assert len(slots._each) == 1
    assert not slots._each
