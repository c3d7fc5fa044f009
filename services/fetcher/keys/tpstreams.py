"""The key service of TPStreams: a signed request for a content, and its one key in answer."""

import json
from base64 import b64encode
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from services.fetcher.keys.http import KeyHttp, refused, unavailable
from shared.encryption.keys import ContentKey, KeySet
from shared.encryption.protection import Protection
from shared.encryption.providers import TpStreams
from shared.encryption.request import EncryptionRequest
from shared.encryption.signalling import fairplay, signals_of, with_signals
from shared.encryption.signature import SigningPair, sign

_Hex = Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{32}$")]
# What may stand between quotes in a playlist.
_Uri = Annotated[str, StringConstraints(pattern=r"^skd://[!#-~]{1,1000}$")]


class _Answer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)
    content_id: UUID
    key: _Hex
    iv: _Hex
    uri: _Uri


async def ask_tpstreams(http: KeyHttp, service: TpStreams, request: EncryptionRequest, content_id: str) -> KeySet:
    """The key of a content; it is known there, and by us, under the id of the content.

    Raises:
        PermanentError: ``drm_key_refused``. Outage: ``drm_key_unavailable``.
    """
    url = f"{service.url.rstrip('/')}/api/v1/{service.organization}/drm_encryption_keys/"
    body = json.dumps(signed_request(service, content_id)).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = _read(await http.post(url, body, headers))
    if answer.content_id.hex != content_id:
        raise refused(f"asked for the keys of {content_id}, the service gave those of {answer.content_id.hex}")
    key = ContentKey("all", bytes.fromhex(content_id), bytes.fromhex(answer.iv), bytes.fromhex(answer.key))
    # The service gives no box for Widevine: what stands in one follows from the id.
    signals = [fairplay(answer.uri) if system == "fairplay" else signals_of(system, key) for system in request.systems]
    protection = Protection(scheme=request.scheme, content_id=content_id, keys=(with_signals(key, signals),))
    return KeySet(protection, (key,))


def signed_request(service: TpStreams, content_id: str) -> dict[str, str]:
    """What is posted: the request, and the signature over its bytes, both base64."""
    text = json.dumps({"content_id": content_id}, separators=(",", ":")).encode()
    pair = SigningPair(bytes.fromhex(service.signing_key), bytes.fromhex(service.signing_iv))
    return {"request": b64encode(text).decode(), "signature": b64encode(sign(text, pair)).decode()}


def _read(body: bytes) -> _Answer:
    try:
        return _Answer.model_validate_json(body)
    except ValidationError as error:
        problems = ", ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        # As the page of a proxy is that stands in for a service which is down.
        raise unavailable(f"the answer is not what the service's documents promise: {problems[:300]}") from None
