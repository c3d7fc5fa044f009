"""What organizations sign their requests with: made when it is first asked for, kept sealed, replaced by the operator."""

import structlog

from services.api.contract.errors import Unavailable
from services.api.database.pool import Database
from services.api.drm.signatures import KEY_BYTES, new_pair
from shared.encryption.signature import SigningPair
from shared.sealing import SealBroken, Sealer

_REPLACE = """
    insert into drm_signing_keys (org, pair) values ($1, $2)
    on conflict (org) do update set pair = excluded.pair, rotated = clock_timestamp()
"""


class SigningKeys:
    """The signing keys of all organizations."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def read(self, org: str) -> SigningPair | None:
        """What an organization signs with, None where nobody has asked for it yet.

        Raises:
            Unavailable: it was sealed with a key that is gone.
        """
        async with self._database.connection() as connection:
            sealed = await connection.fetchval("select pair from drm_signing_keys where org = $1", org)
        if sealed is None:
            return None
        try:
            text = bytes.fromhex(self._sealer.open(sealed, purpose(org)))
        except SealBroken as error:
            await structlog.get_logger().aerror("the signing key has to be rotated", organization=org, error=str(error))
            detail = (
                "The signing key cannot be opened with this server's sealing keys. The operator can make a new one."
            )
            raise Unavailable(detail) from None
        return SigningPair(text[:KEY_BYTES], text[KEY_BYTES:])

    async def provide(self, org: str) -> SigningPair:
        """What an organization signs with, made now if nobody has asked for it yet.

        Raises:
            Unavailable: it was sealed with a key that is gone.
        """
        made = new_pair()
        async with self._database.connection() as connection:
            await connection.execute(
                "insert into drm_signing_keys (org, pair) values ($1, $2) on conflict do nothing",
                org,
                self._sealed(org, made),
            )
        return await self.read(org) or made

    async def rotate(self, org: str) -> None:
        """Make a new pair. What was signed with the old one is refused from now on."""
        async with self._database.connection() as connection:
            await connection.execute(_REPLACE, org, self._sealed(org, new_pair()))

    def _sealed(self, org: str, pair: SigningPair) -> bytes:
        return self._sealer.seal((pair.key + pair.iv).hex(), purpose(org))


def purpose(org: str) -> str:
    """What an organization's signing key is sealed for."""
    return f"signing key of {org}"
