"""Ending tasks, for certain."""

import asyncio
from typing import Any


async def end_tasks(*tasks: "asyncio.Future[Any]", patience: float = 1.0) -> None:
    """Cancel tasks and return when all are over, whatever came of them.

    One cancellation is not enough: ``asyncio.wait_for`` of Python 3.11, which nats-py is built on, forgets one that comes in
    the same moment as the result it waits for. A task in a loop would then go on for ever. (``asyncio.timeout`` does not.)

    Args:
        patience: seconds a task may take to clean up before it is cancelled again.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=patience)
