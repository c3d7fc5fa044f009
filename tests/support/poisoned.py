"""A transcoder that one part kills, as one does whose encode takes all memory; a process of its own, which somebody starts anew.

``python -m tests.support.poisoned <NATS URL> <slots>``
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from shared.bus.connection import connect
from shared.bus.joblog import JobLog
from shared.bus.slots import UNINTERRUPTED
from shared.events import PartRequested
from shared.tasks import end_tasks
from tests.support.samples import transcoded
from tests.support.servers import NatsServer
from tests.support.working import worker

POISON = "v0666"


async def serve(url: str, slots: int) -> None:
    """Work until something kills the process."""
    from pydantic import SecretStr

    log = JobLog(await connect(SecretStr(url), "poisoned"))
    beside = asyncio.Event()

    async def work(event: PartRequested) -> None:
        if event.part == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        beside.set()
        await log.append(transcoded(event.job, event.part, event.org))

    server: Any = SimpleNamespace(url=url)
    async with worker(server, work, slots=slots, turns=UNINTERRUPTED):
        await asyncio.Event().wait()


class Supervisor:
    """Starts the process again whenever it has died."""

    def __init__(self, server: NatsServer, slots: int) -> None:
        self._argv = (sys.executable, "-m", __name__, server.url, str(slots))
        self.deaths = 0

    async def supervise(self) -> None:
        """Until cancelled."""
        while True:
            process = await asyncio.create_subprocess_exec(*self._argv)
            try:
                await process.wait()
                self.deaths += 1
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


@asynccontextmanager
async def supervised(server: NatsServer, *, slots: int) -> AsyncIterator[Supervisor]:
    """The process, for as long as the block runs."""
    supervisor = Supervisor(server, slots)
    task = asyncio.create_task(supervisor.supervise())
    try:
        yield supervisor
    finally:
        await end_tasks(task, patience=10)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
