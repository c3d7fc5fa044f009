"""Organizations in Postgres: their lock, and the storage that supplies credentials where a job has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from services.api.database.pool import Connection, Database
from shared.locations import S3Location, parse_s3
from shared.sealing import SealBroken, Sealer


async def lock_organization(connection: "Connection", org: str) -> None:
    """Let nobody else have this lock until the transaction ends. Rows that refer to the organization can still be added."""
    await connection.execute("select 1 from organizations where code = $1 for no key update", org)


@dataclass(frozen=True)
class Storage:
    """Where an organization keeps what is its own.

    Attributes:
        location: with credentials; None where none is configured.
        public_endpoint: how browsers call the service, where that is not as this server does.
        playback_base_url: below which players find the output without signatures, if there is such an address.
    """

    location: S3Location | None = None
    public_endpoint: str | None = None
    playback_base_url: str | None = None


class Storages:
    """The sealed ``s3://`` address, credentials included, that an organization has configured."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def get(self, org: str) -> S3Location | None:
        """The organization's storage, None where it has none, or one that was sealed with a key that is gone."""
        return (await self.whole(org)).location

    async def whole(self, org: str) -> Storage:
        """The organization's storage, and how others reach it."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "select storage, public_endpoint, playback_base_url from organizations where code = $1", org
            )
        if row is None:
            return Storage()
        location = await self._open(org, row["storage"]) if row["storage"] else None
        return Storage(location, row["public_endpoint"], row["playback_base_url"])

    async def _open(self, org: str, sealed: bytes) -> S3Location | None:
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

    async def set_public(self, org: str, given: Mapping[str, str]) -> bool:
        """Say how browsers reach the storage.

        Args:
            given: ``public_endpoint``, ``playback_base_url``, or both; an empty text takes it away.

        Returns:
            whether there is such an organization.

        Raises:
            ValueError: one is no address.
        """
        for text in given.values():
            _check_public(text)
        async with self._database.connection() as connection:
            changed: str = await connection.execute(
                "update organizations set public_endpoint = case when $2 then nullif($3, '') else public_endpoint end,"
                " playback_base_url = case when $4 then nullif($5, '') else playback_base_url end where code = $1",
                org,
                "public_endpoint" in given,
                given.get("public_endpoint", "").rstrip("/"),
                "playback_base_url" in given,
                given.get("playback_base_url", "").rstrip("/"),
            )
        return changed == "UPDATE 1"


def _check_public(text: str) -> None:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("must be an address such as https://files.example.com")


def storage_purpose(org: str) -> str:
    """What the storage of an organization is sealed for."""
    return f"storage of {org}"
