"""Ending tasks for certain."""

import asyncio
from contextlib import suppress

from shared.tasks import end_tasks


async def test_a_task_that_forgets_one_cancellation_is_ended() -> None:
    cancelled = 0

    async def forgetful() -> None:
        nonlocal cancelled
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled == 3:
                    raise

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks(task, patience=0.01)
    assert task.cancelled()
    assert cancelled == 3


async def test_a_task_gets_time_to_clean_up() -> None:
    cleaned = False

    async def tidy() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned = True

    task = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert cleaned


async def test_what_comes_of_a_task_is_its_own_affair() -> None:
    async def breaks() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        raise RuntimeError

    task = asyncio.create_task(breaks())
    done = asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0.01)
    await end_tasks(task, done)
    assert isinstance(task.exception(), RuntimeError)
    await end_tasks()
