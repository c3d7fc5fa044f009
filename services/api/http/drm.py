"""The edge to HTTP of the contents of the sealed store, for those who have a token."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.content_ids import parse_content_id
from services.api.contract.drm_models import KeyAddress, KeyAddressRequest
from services.api.contract.errors import NotFound
from services.api.contract.key_addresses import AES_KEY
from services.api.contract.listing import read_window
from services.api.contract.peers import Network
from services.api.contract.validation import validate
from services.api.drm import signed_addresses
from services.api.drm.answers import listed, shown
from services.api.drm.audit import key_given
from services.api.drm.contents import Content, LockedContent
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized, client_of, query_of
from services.api.http.body import read_body
from services.api.http.links import Links
from services.api.http.resource import ResourceHandlers
from shared.addresses import AddressPolicy
from shared.payload import json_text, timestamp


class DrmHandlers(ResourceHandlers):
    """Their part of the REST API.

    Args:
        seconds: how long the address of a key works where nobody says. proxies: who may say where a request comes from.
    """

    def __init__(
        self, runtime: Runtime, links: Links, *, policy: AddressPolicy, seconds: int, proxies: Sequence[Network] = ()
    ) -> None:
        super().__init__(runtime, links, policy=policy)
        self._seconds = seconds
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        contents = "/api/v1/{org}/drm_contents/"
        content = contents + "{content_id}/"
        return [
            web.get(contents, authorized(self._runtime, self.list_contents)),
            web.get(content, authorized(self._runtime, self.read_content)),
            web.post(content + "aes_key_url/", authorized(self._runtime, self.sign_address)),
        ]

    async def list_contents(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's contents, without the keys themselves."""
        window = read_window(query_of(request))
        count, found = await services.contents.page(identity.org, window)
        items = [_json(listed(content).model_dump(mode="json"), content) for content in found]
        return json_answer(self._page(request, window, items, count))

    async def read_content(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One content with its keys."""
        content = await _content(request, services, identity)
        key_given("drm_contents", identity.org, content.content_id, client_of(request, self._proxies))
        return json_answer(_json(shown(content).model_dump(mode="json"), content))

    async def sign_address(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """An address at which the key of a content is given out for a while."""
        content = await _content(request, services, identity)
        _, members = await read_body(request)
        wanted = validate(KeyAddressRequest, members, policy=self._policy)
        expires = signed_addresses.in_future(wanted.seconds or self._seconds)
        query = signed_addresses.parameters(identity.org, content.content_id, expires, content.keys)
        path = AES_KEY.format(org=identity.org, content_id=content.content_id)
        made = KeyAddress(
            url=f"{self._links.begin(request)}{path}?{query}", expires=datetime.fromtimestamp(expires, UTC)
        )
        key_given("aes_key_url", identity.org, content.content_id, client_of(request, self._proxies))
        return json_answer({"url": made.url, "expires": timestamp(made.expires)}, 201)


async def _content(request: web.Request, services: Services, identity: Identity) -> Content:
    try:
        content_id = parse_content_id(request.match_info["content_id"])
    except ValueError:
        raise NotFound() from None
    content = await services.contents.read(identity.org, content_id)
    if content is None:
        raise NotFound()
    return content


def _json(members: dict[str, object], content: Content | LockedContent) -> str:
    return json_text(members | {"created": timestamp(content.created)})
