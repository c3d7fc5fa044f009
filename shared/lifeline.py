"""How long a process lives: until it is told to stop, or is cut off from the bus for good."""

import asyncio
import signal
from typing import TypeVar

import structlog

from shared.tasks import end_tasks

T = TypeVar("T")


class Lifeline:
    """Waits for the end of a process.

    Give :meth:`cut` to the connections as their ``closed_cb``: clients reconnect for ever, but should one give up all
    the same, only a new process can help.
    """

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._cut = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the word to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._over.set)

    async def cut(self) -> None:
        """A connection was closed. After the word to stop that is as it should be."""
        if not self._over.is_set():
            self._cut = True
            await structlog.get_logger().aerror("the bus has closed the connection for good")
        self._over.set()

    async def until_over(self) -> None:
        """Return when the process has to stop."""
        await self._over.wait()

    async def unless_over(self, start: "asyncio.Task[T]") -> T | None:
        """The result of the start; None, with the start cancelled, if the process has to stop before it is done.

        Raises: whatever kept the start from working.
        """
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({start, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not self._over.is_set():
            return start.result()
        await end_tasks(start)
        return None

    def exit_status(self) -> int:
        """1 if the process was cut off, so that its supervisor starts another; else 0."""
        return int(self._cut)
