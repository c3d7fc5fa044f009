"""Where the keys of each organization come from, in Postgres."""

from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from services.api.contract.errors import Unavailable
from services.api.database.pool import Database
from shared.encryption.providers import PROVIDERS, KeyProvider, SealedStore, StaticKeys
from shared.sealing import SealBroken, Sealer


@dataclass(frozen=True)
class ProviderRules:
    """Which key providers the operator allows.

    Attributes:
        static: those whose keys everybody knows. plain_http: services that are asked by plain HTTP, from other hosts than theirs.
    """

    static: bool = False
    plain_http: bool = False

    def refusal(self, provider: KeyProvider) -> str | None:
        """Why a provider is not allowed, and what would allow it; None where it is."""
        if isinstance(provider, StaticKeys) and not self.static:
            return "Static keys are for tests: MILLRACE_API_STATIC_KEYS=true allows them."
        if provider.keys_travel_openly and not self.plain_http:
            return (
                "The key service is asked by http://, so that others could read the keys on their way. Have it asked by "
                "https://; MILLRACE_API_PLAIN_KEY_SERVICES=true allows it as it is."
            )
        return None


class KeyProviders:
    """The key providers of all organizations; one that has none of its own has our store."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def get(self, org: str) -> KeyProvider:
        """The provider of an organization.

        Raises:
            Unavailable: it was sealed with a key that is gone, or by a later version. Nothing else may stand in for it.
        """
        async with self._database.connection() as connection:
            sealed = await connection.fetchval("select key_provider from organizations where code = $1", org)
        if not sealed:
            return SealedStore()
        try:
            return PROVIDERS.validate_json(self._sealer.open(sealed, purpose(org)))
        except (SealBroken, ValidationError) as error:
            await structlog.get_logger().aerror(
                "the key provider has to be set again", organization=org, error=str(error)
            )
            raise Unavailable(
                "The organization's key provider cannot be read. The operator has to set it again; the job was not accepted."
            ) from None

    async def set(self, org: str, provider: KeyProvider) -> bool:
        """Choose the provider of an organization. Jobs that were accepted before keep theirs.

        Returns:
            whether there is such an organization.
        """
        text = PROVIDERS.dump_json(provider).decode()
        sealed = None if isinstance(provider, SealedStore) else self._sealer.seal(text, purpose(org))
        async with self._database.connection() as connection:
            changed: str = await connection.execute(
                "update organizations set key_provider = $2 where code = $1", org, sealed
            )
        return changed == "UPDATE 1"


def purpose(org: str) -> str:
    """What the provider of an organization is sealed for."""
    return f"key provider of {org}"
