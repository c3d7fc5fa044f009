"""The janitor: after a job's end its credentials are gone, and nothing is left in the work space but what a retry could use."""

import asyncio

import structlog
from nats.errors import Error as NatsError

from services.uploader.withdraw import Withdraw
from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.errors import ERRORS, TransientError
from shared.events import Cancelled, Event, Failed, now
from shared.workspace.space import WorkSpace

# What the failure may lie in: a retry with the same files would meet it again.
_DOUBTS = ("encode_failed", "internal_error")


class CleanUp:
    """Removes what a job no longer needs.

    The workers hear of a job's end at the same time as the janitor and take a moment to stop; one that is cut off from the
    bus goes on until its lease runs out. What they make in that time appears after the first removal. So the work space is
    searched again and again for folders of ended jobs: that needs no memory of its own, and finds what any crash has left.

    Args:
        keep_seconds: how long what a retry could use is kept after the end of a job that is not completed; 0 for not at all.
        keep_free: bytes that have to be free for anything to be kept.
    """

    def __init__(
        self,
        log: JobLog,
        vault: Vault,
        space: WorkSpace,
        withdraw: Withdraw,
        *,
        keep_seconds: float,
        keep_free: int,
    ) -> None:
        self._log = log
        self._vault = vault
        self._space = space
        self._withdraw = withdraw
        self._keep_seconds = keep_seconds
        self._keep_free = keep_free

    async def __call__(self, end: Event) -> None:
        """Clean up after a job that has ended.

        Raises:
            TransientError: something could not be removed.
            ComeAgain: somebody may be writing still what was removed.
        """
        await self._put_away(end)
        # Takes the credentials, which nobody has afterwards.
        await self._withdraw(end)
        await self._vault.forget(end.org, end.job)

    async def sweep(self) -> None:
        """Clean up after all jobs that have ended, and remove what was kept for long enough, or takes room that others need.

        Jobs that the log does not know are not touched: they may be somebody else's.
        """
        for org, job in await self._space.jobs():
            end = await self._log.end_of(org, job)
            if end:
                await structlog.get_logger().ainfo("left-overs removed", organization=org, job=job)
                await self._put_away(end.event)
        await self._expire()
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

    async def _put_away(self, end: Event) -> None:
        fresh = (now() - end.at).total_seconds() < self._keep_seconds
        try:
            if fresh and _leaves_something(end):
                await self._space.keep_job(end.org, end.job, end.at.timestamp())
            else:
                await self._space.remove_job(end.org, end.job)
        except OSError as error:
            raise TransientError("internal_error", f"the work space cannot be cleaned: {error}") from error

    async def _expire(self) -> None:
        for kept in await self._space.kept():
            # What is far in the future was kept before a clock was set.
            if abs(now().timestamp() - kept.since) >= self._keep_seconds:
                await self._space.drop_kept(kept.org, kept.job)
        await asyncio.to_thread(self._space.make_room, self._keep_free)


def _leaves_something(end: Event) -> bool:
    """Whether a retry could use the files of a job that has ended so."""
    match end:
        case Cancelled():
            return True
        case Failed(code=code):
            return code in ERRORS and ERRORS[code].retryable and code not in _DOUBTS
        case _:
            return False
