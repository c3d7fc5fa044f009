"""The edge to HTTP of bus users."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.errors import Forbidden
from services.api.contract.listing import read_window
from services.api.contract.models import BusUserRequest
from services.api.contract.validation import validate
from services.api.feed.users import OFF, BusUsers
from services.api.http.answers import json_answer
from services.api.http.authorized import Services, authorized, query_of, uuid_in_path
from services.api.http.body import read_body
from services.api.http.resource import ResourceHandlers


class BusUserHandlers(ResourceHandlers):
    """Their part of the REST API."""

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        users = "/api/v1/{org}/bus_users/"
        user = users + "{bus_user}/"
        return [
            web.post(users, authorized(self._runtime, self.create)),
            web.get(users, authorized(self._runtime, self.list)),
            web.get(user, authorized(self._runtime, self.read)),
            web.post(user + "rotate/", authorized(self._runtime, self.rotate)),
            web.delete(user, authorized(self._runtime, self.revoke)),
        ]

    async def create(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Make a bus user."""
        users = _set_up(services)
        _, members = await read_body(request)
        wanted = validate(BusUserRequest, members, policy=self._policy)
        user, shown = await users.create(identity.org, wanted.name)
        return json_answer(shown, 201, {"Location": f"{self._links.address(request)}{user}/"})

    async def list(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's bus users."""
        window = read_window(query_of(request))
        found = await _set_up(services).page(identity.org, window)
        return json_answer(self._page(request, window, found.items, found.count))

    async def read(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One bus user."""
        return json_answer(await _set_up(services).read(identity.org, uuid_in_path(request, "bus_user")))

    async def rotate(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Give a bus user a new password."""
        return json_answer(await _set_up(services).rotate(identity.org, uuid_in_path(request, "bus_user")))

    async def revoke(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Remove a bus user."""
        await _set_up(services).revoke(identity.org, uuid_in_path(request, "bus_user"))
        return web.Response(status=204)


def _set_up(services: Services) -> BusUsers:
    if services.bus_users is None:
        raise Forbidden(OFF)
    return services.bus_users
