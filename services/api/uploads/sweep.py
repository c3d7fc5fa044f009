"""Uploads whose time is over are removed from the storage: those that nobody has used, and those whose jobs have ended."""

import asyncio
from collections.abc import Callable

import structlog

from services.api.accounts.organizations import Storages
from services.api.contract.addresses import located
from services.api.contract.errors import ApiError
from services.api.database.pool import Database, DatabaseDown
from services.api.uploads.bucket import bucket_of
from services.api.uploads.uses import USED
from shared.logs import Repetition
from shared.s3_clients import S3Clients

_ROUND_SECONDS = 30.0
_MOST_A_ROUND = 100
# For one upload. A storage that answers a byte now and then would never run into the limits on reading.
_REMOVE_SECONDS = 60.0
# Taken out of use before the storage is asked: a job that is created now gets its file, or does not find the upload.
_TAKE = f"""
    update uploads set state = 'removing', remove_after = now() + interval '1 hour'
    where id = any(array(
        select id from uploads where remove_after <= now() and not {USED}
        order by remove_after limit {_MOST_A_ROUND} for update skip locked))
    returning id, org, location, part_size is not null as in_parts
"""  # noqa: S608 - our own text


class UploadSweep:
    """Removes uploads.

    Args:
        ready: whether this process is to do it now.
        seconds: that a storage has to remove one.
    """

    def __init__(
        self,
        database: Database,
        storages: Storages,
        *,
        clients: S3Clients,
        ready: Callable[[], bool],
        seconds: float = _REMOVE_SECONDS,
    ) -> None:
        self._database = database
        self._storages = storages
        self._clients = clients
        self._ready = ready
        self._seconds = seconds

    async def run(self) -> None:
        """Sweep until cancelled, whatever happens."""
        repetition = Repetition(60)
        while True:
            try:
                if self._ready():
                    await self.sweep()
            except DatabaseDown as error:
                if repetition.is_due():
                    await structlog.get_logger().awarning("uploads not swept", error=repr(error))
            await asyncio.sleep(_ROUND_SECONDS)

    async def sweep(self) -> None:
        """One round. What cannot be removed is tried again an hour later.

        Raises:
            DatabaseDown: Postgres is out of reach.
        """
        async with self._database.connection() as connection:
            taken = await connection.fetch(_TAKE)
        failed: set[str] = set()
        for row in taken:
            org = row["org"]
            if org in failed:
                # The others shall not wait once more for a storage that is away.
                continue
            if not await self._remove(org, row["location"], in_parts=row["in_parts"]):
                failed.add(org)
            else:
                async with self._database.connection() as connection:
                    await connection.execute("delete from uploads where id = $1", row["id"])

    async def _remove(self, org: str, text: str, *, in_parts: bool) -> bool:
        """Whether nothing is left to do."""
        log = structlog.get_logger().bind(organization=org, location=text)
        storage = await self._storages.get(org)
        if storage is None:
            await log.awarning("upload not removed", error="the organization has no storage that can be opened")
            return False
        try:
            location = located(text, is_prefix=False, storage=storage)
        except ValueError:
            # The credentials of now are for another place, and those of then are gone.
            await log.awarning("upload left behind")
            return True
        try:
            async with asyncio.timeout(self._seconds), bucket_of(location, clients=self._clients) as bucket:
                await bucket.remove(in_parts=in_parts)
        except (ApiError, TimeoutError) as error:
            await log.awarning("upload not removed", error=str(error) or "the storage takes too long")
            return False
        except Exception as error:
            # Whatever a storage answers, which may be anybody's: it must not end the sweep of all organizations.
            await log.awarning("upload not removed", error=repr(error))
            return False
        await log.ainfo("upload removed")
        return True
