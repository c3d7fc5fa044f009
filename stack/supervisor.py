"""The process that keeps a stack's programs running: ``python -m stack supervise``.

Each program runs in a session of its own and is started again when it dies, at once at first and more slowly when it
keeps dying. What a dead program leaves behind is killed before its successor starts.
"""

import asyncio
import ctypes
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stack.layout import REPOSITORY, Layout
from stack.processes import Record, children, descendants, identify, kill_all
from stack.program import Program

NAME = "supervisor"
_PR_SET_CHILD_SUBREAPER = 36
_LOG_LIMIT = 50 * 1024 * 1024
_STEADY_SECONDS = 10.0
_PROBE_INTERVAL = 0.1
_HEALTH_INTERVAL = 5.0
log = logging.getLogger("supervisor")


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next start after so many failures in a row (1, 2, …)."""
    return 0.1 if failures <= 3 else min(0.5 * 2.0 ** (failures - 4), 5.0)


async def supervise(layout: Layout, programs: Sequence[Program]) -> None:
    """Run the programs until SIGTERM or SIGINT, then stop them: services first, servers after them."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Grandchildren whose parent was killed become our children, so none of them can get lost.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _write_record(layout.run, NAME, os.getpid())
    family = _Family()
    ready = {program.name: asyncio.Event() for program in programs}
    children = [_Child(program, layout, ready, family) for program in programs]
    tasks = {child: asyncio.create_task(child.keep_running()) for child in children}
    stopped = asyncio.create_task(stop.wait())
    # A task that ends by itself has failed: without supervision nothing shall run on.
    await asyncio.wait({stopped, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    services = [child for child in children if child.program.after]
    for wave in (services, [child for child in children if child not in services]):
        for child in wave:
            child.stopping.set()
        await asyncio.wait([tasks[child] for child in wave]) if wave else None
    family.kill_strays()
    Record.remove(layout.run, NAME)
    log.info("stopped")
    await asyncio.gather(*tasks.values())


class _Family:
    """Who of our direct children is meant to be there."""

    def __init__(self) -> None:
        self.members: set[int] = set()
        self.changing = asyncio.Lock()

    def kill_strays(self) -> None:
        """Kill the children that we did not start: what dead programs left behind, with all that those started."""
        for stray in set(children(os.getpid())) - self.members:
            log.warning("killing pid %d, left behind by a dead program", stray)
            kill_all(filter(None, map(identify, [stray, *descendants(stray)])))
            with suppress(ChildProcessError):
                os.waitpid(stray, 0)


class _Child:
    """One program and the processes that run it, one after the other."""

    def __init__(self, program: Program, layout: Layout, ready: dict[str, asyncio.Event], family: _Family) -> None:
        self.program = program
        self.stopping = asyncio.Event()
        self._layout = layout
        self._ready = ready
        self._family = family

    async def keep_running(self) -> None:
        """Start the program again and again, until ``stopping`` is set and its last process is gone."""
        await self._unless_stopping(*(self._ready[other].wait() for other in self.program.after))
        restarts = failures = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            process = await self._start(restarts)
            probing = asyncio.create_task(self._probe(process, restarts))
            await self._unless_stopping(process.wait())
            status = await self._stop(process) if self.stopping.is_set() else await process.wait()
            probing.cancel()
            await self._clean_up(process.pid)
            if self.stopping.is_set():
                return
            failures = 1 if time.monotonic() - started > _STEADY_SECONDS else failures + 1
            delay = restart_delay(failures)
            log.warning("%s ended with status %d; starting it again in %.1f s", self.program.name, status, delay)
            await self._unless_stopping(asyncio.sleep(delay))
            restarts += 1

    async def _start(self, restarts: int) -> asyncio.subprocess.Process:
        path = self._layout.log / f"{self.program.name}.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        async with self._family.changing:
            with path.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *self.program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    env=dict(self.program.env),
                    cwd=REPOSITORY,
                    start_new_session=True,
                )
            self._family.members.add(process.pid)
        _write_record(self._layout.run, self.program.name, process.pid, restarts)
        log.info("started %s, pid %d", self.program.name, process.pid)
        return process

    async def _probe(self, process: asyncio.subprocess.Process, restarts: int) -> None:
        while not await asyncio.to_thread(self.program.ready):  # noqa: ASYNC110 - a port tells nobody when it opens
            await asyncio.sleep(_PROBE_INTERVAL)
        log.info("%s is ready", self.program.name)
        _write_record(self._layout.run, self.program.name, process.pid, restarts, ready=True)
        self._ready[self.program.name].set()
        if self.program.healthy:
            await self._until_ill(self.program.healthy)
            log.error("%s runs but does not work; stopping it", self.program.name)
            await self._stop(process)

    async def _until_ill(self, healthy: Callable[[], bool]) -> None:
        well = time.monotonic()
        while time.monotonic() - well < self.program.patience:
            await asyncio.sleep(_HEALTH_INTERVAL)
            if await asyncio.to_thread(healthy):
                well = time.monotonic()

    async def _stop(self, process: asyncio.subprocess.Process) -> int:
        with suppress(ProcessLookupError):
            process.send_signal(self.program.stop_signal)
        try:
            return await asyncio.wait_for(process.wait(), self.program.grace)
        except TimeoutError:
            log.warning("%s did not stop within %.0f s; killing it", self.program.name, self.program.grace)
            with suppress(ProcessLookupError):
                process.kill()
            return await process.wait()

    async def _clean_up(self, pid: int) -> None:
        async with self._family.changing:
            self._family.members.discard(pid)
            # A group can outlive its leader, and then keeps the leader's pid from being given to anybody else.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            self._family.kill_strays()
        Record.remove(self._layout.run, self.program.name, keep_history=not self.stopping.is_set())

    async def _unless_stopping(self, *waits: Awaitable[object]) -> None:
        """Wait for all of them, but no longer than until the order to stop."""
        work: asyncio.Future[Any] = asyncio.gather(*waits)
        order: asyncio.Future[Any] = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({work, order}, return_when=asyncio.FIRST_COMPLETED)
        order.cancel()
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


def _write_record(folder: Path, name: str, pid: int, restarts: int = 0, *, ready: bool = False) -> None:
    # A process that is dead already has no start time; the next round writes the record of its successor.
    if identity := identify(pid):
        Record(name, identity, restarts, ready).write(folder)
