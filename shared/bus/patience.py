"""Steps of a start that are taken as soon as their servers let them be."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from nats.errors import Error as NatsError

from shared.logs import Repetition

T = TypeVar("T")

_PAUSE_SECONDS = 0.5


async def until_done(step: Callable[[], Awaitable[T]], name: str, *also: type[Exception]) -> T:
    """Do a step, again and again until it succeeds: the bus may be away, or there and slow to elect its leaders.

    Args:
        step: may be repeated.
        name: of the step, for the log.
        also: further errors that pass, beside those of the bus.

    Raises: what would come again each time.
    """
    passing: tuple[type[Exception], ...] = (NatsError, TimeoutError, OSError, *also)
    repetition = Repetition()
    while True:
        try:
            return await step()
        except passing as error:
            if repetition.is_due(repr(error)):
                await structlog.get_logger().awarning("start is waiting", step=name, error=repr(error))
            await asyncio.sleep(_PAUSE_SECONDS)
