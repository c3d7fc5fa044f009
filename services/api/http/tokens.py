"""The edge to HTTP of the tokens of an organization."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.account_models import NewTokenRequest
from services.api.contract.listing import read_window
from services.api.contract.models import TokenRequest
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Services, authorized, query_of, uuid_in_path
from services.api.http.body import read_body
from services.api.http.resource import ResourceHandlers
from shared.payload import json_text, timestamp


class TokenHandlers(ResourceHandlers):
    """Their part of the REST API."""

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        tokens = "/api/v1/{org}/tokens/"
        token = tokens + "{token}/"
        runtime = self._runtime
        return [
            web.post(tokens, authorized(runtime, self.create_token)),
            web.get(tokens, authorized(runtime, self.list_tokens)),
            web.get(token, authorized(runtime, self.read_token)),
            web.put(token, authorized(runtime, self.name_token)),
            web.delete(token, authorized(runtime, self.revoke_token)),
        ]

    async def create_token(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Make a token that belongs to no user."""
        _, members = await read_body(request)
        made = await services.tokens.create(identity, validate(NewTokenRequest, members, policy=self._policy))
        shown = made.model_dump(mode="json") | {"expiry": timestamp(made.expiry)}
        return json_answer(json_text(shown), 201, {"Location": f"{self._links.address(request)}{made.id}/"})

    async def list_tokens(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's live tokens."""
        window = read_window(query_of(request))
        found = await services.tokens.page(identity, window)
        return json_answer(self._page(request, window, found.items, found.count))

    async def read_token(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One token."""
        return json_answer(await services.tokens.read(identity, uuid_in_path(request, "token")))

    async def name_token(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Give a token another name."""
        token = uuid_in_path(request, "token")
        _, members = await read_body(request)
        wanted = validate(TokenRequest, members, policy=self._policy)
        return json_answer(await services.tokens.rename(identity, token, wanted.name))

    async def revoke_token(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Revoke a token, which may be that of the request."""
        await services.tokens.revoke(identity, uuid_in_path(request, "token"))
        return web.Response(status=204)
