"""The buckets of running jobs, kept open for a while, so that not every part has to ask the vault for its credentials."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from services.uploader.bucket.bucket import Bucket
from shared.bus.vault import Vault
from shared.kept_open import KeptOpen
from shared.s3_clients import S3Clients
from shared.storage import STORAGE_ERRORS, output_error

# Buckets of jobs that nobody works for at the moment.
IDLE_BUCKETS = 16
IDLE_SECONDS = 30.0

ANSWER_SECONDS = 20.0
"""How long a storage may be silent once it has got a request."""

ATTEMPTS = 3
"""At one call. A storage that is out of order is waited for without a slot, which shall be free again after a minute."""

Key = tuple[str, str]


class Buckets:
    """One open bucket for each job that is worked for, and for a while after. Close it at the end.

    Args:
        clients: outlives the buckets.
        cache_control: of every object; none if empty.
    """

    def __init__(self, vault: Vault, clients: S3Clients, *, cache_control: str = "") -> None:
        self._vault = vault
        self._clients = clients
        self._cache_control = cache_control
        self._kept: KeptOpen[Key, Bucket] = KeptOpen(self._open, idle=IDLE_BUCKETS, seconds=IDLE_SECONDS)

    def of(self, org: str, job: str) -> AbstractAsyncContextManager[Bucket]:
        """The output bucket of a job.

        Raises:
            PermanentError: the job's credentials are gone, or its storage is on a forbidden address.
        """
        return self._kept.of((org, job))

    async def close(self) -> None:
        """Close all of them."""
        await self._kept.close()

    @asynccontextmanager
    async def _open(self, key: Key) -> AsyncIterator[Bucket]:
        location = (await self._vault.get(*key)).output
        async with AsyncExitStack() as stack:
            opening = self._clients.of(location, read_timeout=ANSWER_SECONDS, attempts=ATTEMPTS)
            try:
                client = await stack.enter_async_context(opening)
            except STORAGE_ERRORS as error:
                raise output_error(error, location) from error
            yield Bucket(client, location, cache_control=self._cache_control)
