"""Many small requests, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_parallel(items: Iterable[T], work: Callable[[T], Awaitable[R]], *, limit: int) -> list[R]:
    """Do the work for every item, at most ``limit`` at a time; the answers come in the items' order.

    As many tasks as run at once, not one for each item: a film has a hundred thousand segments. The first failure stops the
    others and is raised as it is.
    """
    todo = enumerate(items)
    answers: dict[int, R] = {}

    async def worker() -> None:
        for number, item in todo:
            answers[number] = await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [answers[number] for number in range(len(answers))]
