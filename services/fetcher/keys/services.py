"""Key services: whom to ask."""

from base64 import b64encode

from services.fetcher.keys.http import KeyHttp, refused
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
                found = await ask_tpstreams(self._http, service, request, content_id)
            case Speke():
                found = await ask_speke(self._http, service, request, content_id)
        if _tells_a_key(found):
            raise refused("what the service wants players to be told has the key itself in it")
        return found


def _tells_a_key(keys: KeySet) -> bool:
    """Whether a key stands in what is public of it, which the log and the output have: a service may be set up so by mistake."""
    text = keys.protection.model_dump_json(exclude={"keys": {"__all__": {"pssh"}}})
    boxes = [box for protected in keys.protection.keys for box in protected.pssh]
    return any(
        key.key.hex() in text.lower()
        or b64encode(key.key).decode().rstrip("=") in text
        or any(key.key in box for box in boxes)
        for key in keys.keys
    )
