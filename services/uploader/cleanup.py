"""The janitor: after a job's end nothing of it is left in the work space, and its credentials are gone."""

import asyncio

import structlog
from nats.errors import Error as NatsError

from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.errors import TransientError
from shared.events import Event
from shared.workspace.space import WorkSpace


class CleanUp:
    """Removes what a job no longer needs.

    The workers hear of a job's end at the same time as the janitor and take a moment to stop; one that is cut off from the
    bus goes on until its lease runs out. What they make in that time appears after the first removal. So the work space is
    searched again and again for folders of ended jobs: that needs no memory of its own, and finds what any crash has left.
    """

    def __init__(self, log: JobLog, vault: Vault, space: WorkSpace) -> None:
        self._log = log
        self._vault = vault
        self._space = space

    async def __call__(self, end: Event) -> None:
        """Clean up after a job that has ended.

        Raises:
            TransientError: something could not be removed.
        """
        await self._vault.forget(end.org, end.job)
        await self._remove(end.org, end.job)

    async def sweep(self) -> None:
        """Remove the folders of all ended jobs. Jobs that the log does not know are not touched: they may be somebody else's."""
        for org, job in await self._space.jobs():
            if await self._log.end_of(org, job):
                await structlog.get_logger().ainfo("left-overs removed", organization=org, job=job)
                await self._remove(org, job)
        await self._space.remove_leftovers()

    async def sweep_forever(self, seconds: float) -> None:
        """Sweep at an interval until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.sweep()
            except (NatsError, TimeoutError, TransientError, OSError) as error:
                # The next round tries again.
                await structlog.get_logger().awarning("sweep failed", error=repr(error))

    async def _remove(self, org: str, job: str) -> None:
        try:
            await self._space.remove_job(org, job)
        except OSError as error:
            raise TransientError("internal_error", f"the work space cannot be cleaned: {error}") from error
