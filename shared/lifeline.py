"""How long a process lives: until it is told to stop, or something that it cannot live without has ended for good."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from shared.tasks import end_tasks

T = TypeVar("T")


class Lifeline:
    """Waits for the end of a process.

    Give :meth:`cut` to the connections as their ``on_end``, and to :meth:`keep` all work that has to go on for as long as the
    process does: a process in which something has ended looks alive and does nothing, and only a new one can help.
    """

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._stop = asyncio.Event()
        self._cut = False
        self.drains = False
        """It was told to drain: to finish what it is at, however long that takes, and take nothing new."""
        self.stays = False
        """And to stay afterwards until it is told to stop."""

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the word to stop, SIGUSR1 as the word to drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self.drain)

    def stop(self) -> None:
        """The process has to stop within its grace period."""
        self._stop.set()
        self._over.set()

    def drain(self, *, stay: bool = False) -> None:
        """The process has to finish what it is at, and then to end, or to ``stay`` without doing anything."""
        if not self._over.is_set():
            self.drains, self.stays = True, stay
            self._over.set()

    async def until_stopped(self) -> None:
        """Return when the process has to stop within its grace period."""
        await self._stop.wait()

    async def cut(self, reason: str) -> None:
        """Something has ended for good. After the word to stop that is as it should be."""
        self._end(reason)

    def keep(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run what must not end before the process, in the background. Whoever needs it no longer cancels the task."""
        task = asyncio.create_task(work, name=name)
        self.watch(task)
        return task

    def watch(self, task: "asyncio.Task[None]") -> None:
        """A task must not end before the process, unless it is cancelled."""
        task.add_done_callback(self._ended)

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

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        reason, error = f"the task {task.get_name()} has ended", None
        try:
            task.result()
        except Exception as raised:
            error = raised
        self._end(reason, error)

    def _end(self, reason: str, error: Exception | None = None) -> None:
        if not self._over.is_set() or (self.drains and not self._stop.is_set()):
            self._cut = True
            structlog.get_logger().error("this process cannot go on", reason=reason, exc_info=error)
        self.stop()
