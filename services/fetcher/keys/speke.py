"""A key service that speaks SPEKE 2.0: one document there, one back."""

import asyncio
from base64 import b64encode

from services.fetcher.keys.cpix import Answer, Asked, BadAnswer, request_document
from services.fetcher.keys.http import KeyHttp, refused, unavailable
from shared.encryption.keys import KeySet
from shared.encryption.protection import Protection
from shared.encryption.providers import Speke
from shared.encryption.request import EncryptionRequest
from shared.encryption.signalling import with_signals


async def ask_speke(http: KeyHttp, service: Speke, request: EncryptionRequest, content_id: str) -> KeySet:
    """The keys of a content, with what the service wants players to be told of them.

    Raises:
        PermanentError: ``drm_key_refused``. Outage: ``drm_key_unavailable``.
    """
    asked = tuple(Asked.of(content_id, tracks) for tracks in request.tracks)
    body = request_document(content_id, asked, request.systems)
    headers = {"Content-Type": "application/xml", "Accept": "application/xml", "X-Speke-Version": "2.0"}
    answer = await http.post(service.url, body, headers | _credentials(service))
    try:
        # On a thread: such documents are parsed by Python itself.
        return await asyncio.to_thread(_read, answer, asked, request, content_id)
    except BadAnswer as error:
        raise (refused if error.definite else unavailable)(str(error)) from None


def _read(body: bytes, asked: tuple[Asked, ...], request: EncryptionRequest, content_id: str) -> KeySet:
    answer = Answer(body, content_id)
    keys = tuple(answer.key(one) for one in asked)
    protected = tuple(with_signals(key, [answer.signals(system, key) for system in request.systems]) for key in keys)
    return KeySet(Protection(scheme=request.scheme, content_id=content_id, keys=protected), keys)


def _credentials(service: Speke) -> dict[str, str]:
    headers = {service.header: service.value} if service.header and service.value else {}
    if service.username is not None:
        pair = f"{service.username}:{service.password or ''}".encode()
        headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
    return headers
