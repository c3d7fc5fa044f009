"""The edge to HTTP of the key API, whose callers have no token: packagers sign their requests, players have signed addresses."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aiohttp import web

from services.api.contract.content_ids import parse_content_id
from services.api.contract.drm_models import (
    ClearKeyRequest,
    EncryptionKeys,
    FairplayKey,
    KeyRequest,
    WidevineKeyRequest,
)
from services.api.contract.errors import Forbidden, Invalid, NotFound
from services.api.contract.key_addresses import AES_KEY, CLEAR_KEY_LICENCE, DRM_LICENCE
from services.api.contract.peers import Network
from services.api.contract.validation import validate
from services.api.drm import signed_addresses
from services.api.drm.answers import clear_key_licence, the_one_key, widevine_answer
from services.api.drm.asked import read_content, read_licence, read_licence_data, read_widevine
from services.api.drm.audit import key_given, key_refused
from services.api.drm.signatures import from_base64, is_signed, new_pair
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, client_of
from services.api.http.body import read_body, read_bytes
from services.api.http.licences import LicenceServer
from shared.addresses import AddressPolicy
from shared.encryption.keys import ContentKey
from shared.encryption.signalling import fairplay_uri
from shared.ids import ORG_PATTERN

PLAYERS_PATHS = (AES_KEY, CLEAR_KEY_LICENCE, DRM_LICENCE)
"""What players in browsers call."""

_OFF = "This server gives no keys to signed requests (MILLRACE_API_SIGNED_KEY_REQUESTS)."
_NO_CLEAR_KEY = "This server gives no Clear Key licences for this organization (MILLRACE_API_CLEAR_KEY_ORGANIZATIONS)."
# One sentence for all, so that nobody learns which contents there are.
_REFUSED = "The signature does not fit, or there is no such content."
_EXPIRED = "This address of a key has expired."
_OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class KeyRules:
    """What the operator allows.

    Attributes:
        signed: whether keys and licences are given to signed requests.
        clear_key: codes of the organizations whose keys anybody may have who knows their ids.
    """

    signed: bool = True
    clear_key: Collection[str] = ()


@dataclass(frozen=True)
class _Call:
    """A call that is counted."""

    services: Services
    org: str
    address: str
    how: str

    def given(self, *content_ids: str) -> None:
        self.services.key_rate.is_good(self.org, self.address)
        for content_id in content_ids:
            key_given(self.how, self.org, content_id, self.address)

    def refused(self, reason: str) -> None:
        key_refused(self.how, self.org, reason, self.address)


class KeyHandlers:
    """Their part of the REST API.

    Args:
        proxies: who may say where a request comes from.
    """

    def __init__(
        self,
        runtime: Runtime,
        licences: LicenceServer,
        rules: KeyRules,
        *,
        policy: AddressPolicy,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._runtime = runtime
        self._licences = licences
        self._rules = rules
        self._policy = policy
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """All of their routes, but for what browsers ask before."""
        return [
            web.post("/api/v1/{org}/drm_encryption_keys/", self.encryption_keys),
            web.post("/api/v1/{org}/fairplay_key/", self.fairplay_key),
            web.post("/api/v1/{org}/widevine_key/", self.widevine_key),
            web.post(DRM_LICENCE, self.licence),
            web.post(CLEAR_KEY_LICENCE, self.clear_key),
            web.get(AES_KEY, self.aes_key, allow_head=False),
        ]

    async def encryption_keys(self, request: web.Request) -> web.StreamResponse:
        """The key of a content for all systems, made if there is none."""
        content_id, key = await self._key(request, "drm_encryption_keys")
        uri = fairplay_uri(key.kid)
        keys = EncryptionKeys(content_id=content_id, key=key.key.hex(), iv=key.iv.hex(), uri=uri)
        return json_answer({name: getattr(keys, name) for name in ("content_id", "key", "iv", "uri")})

    async def fairplay_key(self, request: web.Request) -> web.StreamResponse:
        """The key of a content for FairPlay, made if there is none."""
        _, key = await self._key(request, "fairplay_key")
        return json_answer(FairplayKey(iv=key.iv.hex(), key=key.key.hex(), uri=fairplay_uri(key.kid)).model_dump_json())

    async def widevine_key(self, request: web.Request) -> web.StreamResponse:
        """The keys of a content as Widevine's packagers ask for them, made if there are none."""
        call, text = await self._signed(request, "widevine_key", WidevineKeyRequest)
        asked = read_widevine(text)
        keys = await call.services.keys_on_demand(call.org, asked.content_id)
        call.given(asked.content_id)
        return json_answer({"response": widevine_answer(asked, keys)})

    async def licence(self, request: web.Request) -> web.StreamResponse:
        """A licence from the operator's licence server."""
        call = self._call(request, "drm_license")
        self._require_signed()
        self._licences.require()
        data = read_licence_data(request.query.get("data", ""))
        await self._check(call, data.content_data.encode(), data.signature)
        asked = read_licence(data.content_data)
        body = await read_bytes(request)
        found = await self._licences.ask(call.org, asked, body, request.headers.get("Content-Type", ""))
        if found.status < 400:
            call.given(asked.content_id)
        return web.Response(body=found.body, status=found.status, headers={"Content-Type": found.content_type})

    async def clear_key(self, request: web.Request) -> web.StreamResponse:
        """A licence of W3C's Clear Key: the keys themselves."""
        call = self._call(request, "clearkey_license")
        if call.org not in self._rules.clear_key:
            raise Forbidden(_NO_CLEAR_KEY)
        _, members = await read_body(request, any_type=True)
        wanted = validate(ClearKeyRequest, members, policy=self._policy)
        kids = frozenset(_kid(text) for text in wanted.kids)
        found = await call.services.contents.by_kids(call.org, kids)
        if not found:
            raise NotFound("No content has a key of these ids.")
        call.given(*(content.content_id for content in found))
        keys = [key for content in found for key in content.keys if key.kid in kids]
        return json_answer(clear_key_licence(keys, wanted.type).model_dump_json())

    async def aes_key(self, request: web.Request) -> web.StreamResponse:
        """The key of a content, for AES-128, at a signed address."""
        call = self._call(request, "aes_key")
        content_id = _content_id(request.match_info["content_id"])
        content = await call.services.contents.read(call.org, content_id) if content_id else None
        # For what is not there, a signature is looked at all the same.
        keys = content.keys if content else (ContentKey("all", b"", b"", new_pair().key),)
        expires, signature = request.query.get("expires", ""), request.query.get("signature", "")
        if not signed_addresses.is_signed(call.org, content_id, expires, signature, keys) or not content:
            call.refused("signature")
            raise Forbidden(_REFUSED)
        if signed_addresses.has_expired(int(expires)):
            call.refused("expired")
            raise Forbidden(_EXPIRED)
        wanted = request.query.get("kid")
        key = next((key for key in keys if key.kid.hex() == wanted), None) if wanted else the_one_key(keys)
        if key is None:
            raise NotFound()
        call.given(content_id)
        return web.Response(body=key.key, content_type=_OCTETS)

    async def _key(self, request: web.Request, how: str) -> tuple[str, ContentKey]:
        call, text = await self._signed(request, how, KeyRequest)
        content_id = read_content(text)
        key = the_one_key(await call.services.keys_on_demand(call.org, content_id))
        call.given(content_id)
        return content_id, key

    async def _signed(self, request: web.Request, how: str, model: type[KeyRequest]) -> tuple[_Call, bytes]:
        """What a request says that is signed."""
        call = self._call(request, how)
        self._require_signed()
        _, members = await read_body(request)
        wanted = validate(model, members, policy=self._policy)
        try:
            text = from_base64(wanted.request)
        except ValueError:
            raise Invalid({"request": ["Is not base64."]}) from None
        await self._check(call, text, wanted.signature)
        return call, text

    def _call(self, request: web.Request, how: str) -> _Call:
        org = request.match_info["org"]
        if not re.match(ORG_PATTERN, org):
            raise NotFound()
        services, address = self._runtime.started, client_of(request, self._proxies)
        services.key_rate.begin(org, address)
        return _Call(services, org, address, how)

    def _require_signed(self) -> None:
        if not self._rules.signed:
            raise Forbidden(_OFF)

    async def _check(self, call: _Call, text: bytes, signature: str) -> None:
        """Raises: Forbidden: the organization has not signed this, or is not there."""
        pair = await call.services.signing_keys.read(call.org)
        # For what is not there, a signature is looked at all the same.
        if not is_signed(text, signature, pair or new_pair()) or not pair:
            call.refused("signature")
            raise Forbidden(_REFUSED)


def _content_id(text: str) -> str:
    try:
        return parse_content_id(text)
    except ValueError:
        return ""


def _kid(text: str) -> bytes:
    try:
        return from_base64(text)
    except ValueError:
        raise Invalid({"kids": ["Must be base64url without padding."]}) from None
