"""The buckets of running jobs, kept open so that connections are used again."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from services.uploader.bucket.bucket import Bucket
from shared.addresses import AddressPolicy
from shared.bus.vault import Vault
from shared.storage import STORAGE_ERRORS, output_error, s3_client

# Clients of jobs that nobody works for at the moment. Making one costs 0.1 s of the event loop.
IDLE_CLIENTS = 16
IDLE_SECONDS = 30.0

ANSWER_SECONDS = 20.0
"""How long a storage may be silent once it has got a request."""

ATTEMPTS = 3
"""At one call. A storage that is out of order is waited for without a slot, which shall be free again after a minute."""

Key = tuple[str, str]


@dataclass
class _Entry:
    bucket: Bucket
    client: AsyncExitStack
    users: int = 0
    expiry: asyncio.TimerHandle | None = field(default=None)


class Buckets:
    """One open bucket for each job that is worked for, and for a while after. Close it at the end.

    Args:
        policy: where a storage may be.
        cache_control: of every object; none if empty.
    """

    def __init__(self, vault: Vault, *, policy: AddressPolicy, cache_control: str = "") -> None:
        self._vault = vault
        self._policy = policy
        self._cache_control = cache_control
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, org: str, job: str) -> AsyncIterator[Bucket]:
        """The output bucket of a job.

        Raises:
            PermanentError: the job's credentials are gone, or its storage is on a forbidden address.
        """
        async with self._opening:
            entry = self._entries.get((org, job)) or await self._open((org, job))
            entry.users += 1
        if entry.expiry:
            entry.expiry.cancel()
        self._entries.move_to_end((org, job))
        try:
            yield entry.bucket
        finally:
            self._leave((org, job), entry)

    async def close(self) -> None:
        """Close every client."""
        for key in list(self._entries):
            self._drop(key)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _open(self, key: Key) -> _Entry:
        location = (await self._vault.get(*key)).output
        stack = AsyncExitStack()
        try:
            client = await stack.enter_async_context(
                s3_client(location, policy=self._policy, read_timeout=ANSWER_SECONDS, attempts=ATTEMPTS)
            )
        except STORAGE_ERRORS as error:
            raise output_error(error, location) from error
        self._entries[key] = _Entry(Bucket(client, location, cache_control=self._cache_control), stack)
        return self._entries[key]

    def _leave(self, key: Key, entry: _Entry) -> None:
        entry.users -= 1
        if entry.users or self._entries.get(key) is not entry:
            return
        entry.expiry = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, key)
        idle = [key for key, entry in self._entries.items() if not entry.users]
        for oldest in idle[: max(0, len(idle) - IDLE_CLIENTS)]:
            self._drop(oldest)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key)
        if entry.expiry:
            entry.expiry.cancel()
        task = asyncio.create_task(entry.client.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
