"""Keeps the scratch folder of a host free of what nobody needs any more."""

import asyncio

import structlog
from nats.errors import Error as NatsError

from shared.bus.joblog import JobLog
from shared.errors import TransientError
from shared.workspace.space import WorkSpace

SWEEP_SECONDS = 5.0


async def sweep_scratch_forever(space: WorkSpace, log: JobLog) -> None:
    """Sweep at an interval until cancelled."""

    async def ended(org: str, job: str) -> bool:
        return await log.end_of(org, job) is not None

    while True:
        try:
            await space.sweep_scratch(ended)
        except (NatsError, TimeoutError, TransientError, OSError) as error:
            # The next round tries again.
            await structlog.get_logger().awarning("sweep of the scratch folder failed", error=repr(error))
        await asyncio.sleep(SWEEP_SECONDS)
