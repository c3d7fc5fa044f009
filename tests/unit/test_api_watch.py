"""A followed job costs memory for as long as somebody follows it."""

import asyncio
import gc
import weakref
from typing import Any

from services.api.jobs.event_stream import Watch


async def test_a_watch_that_nobody_needs_is_no_garbage() -> None:
    """Garbage is looked for rarely, and every client that follows a job would leave some."""
    nobody: Any = None
    gc.disable()
    try:
        watch = Watch(nobody, nobody, asyncio.Semaphore(), "acme00", "5KQfnXCg8Qh")
        gone = weakref.ref(watch)
        watch.join()
        following = watch._task
        await asyncio.sleep(0)
        assert watch.leave()
        assert following
        await asyncio.wait({following})
        assert following.cancelled()
        del watch, following
        assert gone() is None
    finally:
        gc.enable()
