"""Key services: whom to ask."""

from services.fetcher.keys.http import KeyHttp
from services.fetcher.keys.speke import ask_speke
from services.fetcher.keys.tpstreams import ask_tpstreams
from shared.addresses import AddressPolicy
from shared.encryption.keys import KeySet
from shared.encryption.providers import KeyService, Speke, TpStreams
from shared.encryption.request import EncryptionRequest


class KeyServices:
    """Asks the key services of organizations.

    Args:
        policy: where one may be. seconds: time that an answer has.
    """

    def __init__(self, policy: AddressPolicy, seconds: float) -> None:
        self._http = KeyHttp(policy, seconds)

    async def ask(self, service: KeyService, request: EncryptionRequest, content_id: str) -> KeySet:
        """The keys of a content.

        Raises:
            PermanentError: ``drm_key_refused``. Outage: ``drm_key_unavailable``.
        """
        match service:
            case TpStreams():
                return await ask_tpstreams(self._http, service, request, content_id)
            case Speke():
                return await ask_speke(self._http, service, request, content_id)
