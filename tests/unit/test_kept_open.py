"""What is kept open, by whom it is shared, and when it is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shared.kept_open import KeptOpen


class Things:
    """Opens things that are called like their keys, and notes which of them are open."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.open: list[str] = []
        self.fails = False

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[str]:
        if self.fails:
            raise OSError("out of order")
        self.opened.append(key)
        self.open.append(key)
        try:
            yield f"thing {key}"
        finally:
            await asyncio.sleep(0)
            self.open.remove(key)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


async def test_one_is_opened_for_all_who_use_it() -> None:
    things = Things()
    kept = KeptOpen(things.of, idle=2, seconds=3600)

    async def use(key: str) -> str:
        async with kept.of(key) as thing:
            await asyncio.sleep(0)
            return thing

    assert tuple(await asyncio.gather(use("a"), use("b"), use("a"))) == ("thing a", "thing b", "thing a")
    assert await use("a") == "thing a"
    assert things.opened == ["a", "b"]
    await kept.close()
    assert things.open == []


async def test_of_those_that_nobody_uses_the_oldest_are_closed() -> None:
    things = Things()
    kept = KeptOpen(things.of, idle=2, seconds=3600)
    async with kept.of("used"):
        for key in "abcad":
            async with kept.of(key):
                pass
        await _until(lambda: len(things.open) == 3)
        assert set(things.open) == {"used", "a", "d"}
    await kept.close()


async def test_what_nobody_uses_for_a_while_is_closed() -> None:
    things = Things()
    kept = KeptOpen(things.of, idle=2, seconds=0)
    async with kept.of("a"), kept.of("b"):
        async with kept.of("a"):
            pass
        assert things.open == ["a", "b"]
    await _until(lambda: not things.open)
    async with kept.of("a"):
        assert things.open == ["a"]
    await kept.close()


async def test_what_could_not_be_opened_is_tried_again() -> None:
    things = Things()
    kept = KeptOpen(things.of, idle=2, seconds=3600)
    things.fails = True
    with pytest.raises(OSError, match="out of order"):
        async with kept.of("a"):
            pass
    things.fails = False
    async with kept.of("a") as thing:
        assert thing == "thing a"
    await kept.close()
