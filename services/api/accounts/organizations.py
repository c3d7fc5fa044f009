"""Organizations in Postgres: their lock, and the storage that supplies credentials where a job has none."""

import structlog

from services.api.database.pool import Connection, Database
from shared.locations import S3Location, parse_s3
from shared.sealing import SealBroken, Sealer


async def lock_organization(connection: "Connection", org: str) -> None:
    """Let nobody else have this lock until the transaction ends. Rows that refer to the organization can still be added."""
    await connection.execute("select 1 from organizations where code = $1 for no key update", org)


class Storages:
    """The sealed ``s3://`` address, credentials included, that an organization has configured."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def get(self, org: str) -> S3Location | None:
        """The organization's storage, None where it has none, or one that was sealed with a key that is gone."""
        async with self._database.connection() as connection:
            sealed = await connection.fetchval("select storage from organizations where code = $1", org)
        if not sealed:
            return None
        try:
            return parse_s3(self._sealer.open(sealed, storage_purpose(org)), is_prefix=True)
        except SealBroken as error:
            await structlog.get_logger().aerror("the storage has to be set again", organization=org, error=str(error))
            return None

    async def set(self, org: str, url: str) -> bool:
        """Configure it.

        Returns:
            whether there is such an organization.

        Raises:
            ValueError: it is no s3:// address with credentials.
        """
        location = parse_s3(url, is_prefix=True)
        if not location.access_key:
            raise ValueError("access_key and secret_key are missing: s3://bucket/?access_key=…&secret_key=…&region=…")
        async with self._database.connection() as connection:
            changed: str = await connection.execute(
                "update organizations set storage = $2 where code = $1",
                org,
                self._sealer.seal(url, storage_purpose(org)),
            )
        return changed == "UPDATE 1"


def storage_purpose(org: str) -> str:
    """What the storage of an organization is sealed for."""
    return f"storage of {org}"
