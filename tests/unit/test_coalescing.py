"""Calls that are done together."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.coalescing import Coalescer


class Server:
    """Doubles numbers, as soon as it is let; odd things happen to some of them."""

    def __init__(self, most: int = 100) -> None:
        self.seen: list[list[int]] = []
        self.open = asyncio.Event()
        self.away = False
        self.coalescer = Coalescer(self._double, most=most, everybodys=(ConnectionError,))

    async def _double(self, items: Sequence[int]) -> list[int | Exception]:
        self.seen.append(list(items))
        await self.open.wait()
        if self.away:
            raise ConnectionError("away")
        if 13 in items:
            raise ZeroDivisionError(f"one of {len(items)}")
        return [KeyError(item) if item < 0 else 2 * item for item in items]

    def ask(self, *items: int) -> list["asyncio.Task[int]"]:
        return [asyncio.create_task(self.coalescer.do(item)) for item in items]


async def until_seen(server: Server, count: int) -> None:
    while len(server.seen) < count:
        await asyncio.sleep(0)


async def test_who_comes_first_is_served_at_once_and_the_others_together_after_that() -> None:
    server = Server()
    tasks = server.ask(1)
    await until_seen(server, 1)
    tasks += server.ask(2, 3, 4)
    await asyncio.sleep(0)
    server.open.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert server.seen == [[1], [2, 3, 4]]
    assert await server.coalescer.do(5) == 10


async def test_no_more_than_the_most_go_together() -> None:
    server = Server(most=2)
    server.open.set()
    assert await asyncio.gather(*server.ask(1, 2, 3, 4, 5)) == [2, 4, 6, 8, 10]
    assert server.seen == [[1, 2], [3, 4], [5]]


async def test_an_error_of_one_item_is_its_own() -> None:
    server = Server()
    server.open.set()
    found = await asyncio.gather(*server.ask(1, -2, 3), return_exceptions=True)
    assert [found[0], type(found[1]), found[2]] == [2, KeyError, 6]


async def test_an_item_that_breaks_everything_breaks_only_itself() -> None:
    server = Server()
    server.open.set()
    found = await asyncio.gather(*server.ask(1, 13, 3), return_exceptions=True)
    assert [found[0], str(found[1]), found[2]] == [2, "one of 1", 6]


async def test_an_error_that_all_would_meet_is_not_met_again_and_again() -> None:
    server = Server()
    server.open.set()
    server.away = True
    found = await asyncio.gather(*server.ask(1, 2, 3), return_exceptions=True)
    assert [type(one) for one in found] == 3 * [ConnectionError]
    assert server.seen == [[1, 2, 3]]
    server.away = False
    assert await server.coalescer.do(4) == 8


async def test_who_leaves_before_his_turn_is_not_served_and_who_leaves_later_takes_nobody_with_him() -> None:
    server = Server()
    first, *_ = server.ask(1)
    await until_seen(server, 1)
    second, third = server.ask(2, 3)
    await asyncio.sleep(0)
    for task in (first, second):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    server.open.set()
    assert await third == 6
    assert server.seen == [[1], [3]]
