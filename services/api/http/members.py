"""The edge to HTTP of organizations, their members, and what these may change of their own account."""

from collections.abc import Sequence

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.accounts.members import Membership
from services.api.contract.account_models import MemberRequest, Organization, PasswordRequest, RoleRequest
from services.api.contract.listing import read_window
from services.api.contract.peers import Network
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized, client_of, query_of
from services.api.http.body import read_body
from services.api.http.links import Links
from services.api.http.resource import ResourceHandlers
from shared.addresses import AddressPolicy


class MemberHandlers(ResourceHandlers):
    """Their part of the REST API.

    Args:
        proxies: who may say where a request comes from.
    """

    def __init__(
        self, runtime: Runtime, links: Links, *, policy: AddressPolicy, proxies: Sequence[Network] = ()
    ) -> None:
        super().__init__(runtime, links, policy=policy)
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        members = "/api/v1/{org}/members/"
        member = members + "{username}/"
        runtime = self._runtime
        return [
            web.get("/api/v1/organizations/", authorized(runtime, self.list_organizations)),
            web.put("/api/v1/auth/password/", authorized(runtime, self.change_password)),
            web.get(members, authorized(runtime, self.list_members)),
            web.post(members, authorized(runtime, self.add_member)),
            web.get(member, authorized(runtime, self.read_member)),
            web.patch(member, authorized(runtime, self.change_member)),
            web.delete(member, authorized(runtime, self.remove_member)),
        ]

    async def list_organizations(
        self, request: web.Request, services: Services, identity: Identity
    ) -> web.StreamResponse:
        """A page of the organizations of who asks; admins see what theirs signs requests for keys with."""
        window = read_window(query_of(request))
        count, found = await services.members.organizations(identity, window)
        items = [(await _organization(services, one)).model_dump_json() for one in found]
        return json_answer(self._page(request, window, items, count))

    async def change_password(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Give oneself a new password."""
        _, members = await read_body(request)
        wanted = validate(PasswordRequest, members, policy=self._policy)
        await services.accounts.change_password(identity, wanted, client_of(request, self._proxies))
        return web.Response(status=204)

    async def list_members(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's members."""
        window = read_window(query_of(request))
        count, found = await services.members.page(identity, window)
        return json_answer(self._page(request, window, [one.model_dump_json() for one in found], count))

    async def read_member(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One member."""
        return json_answer((await services.members.read(identity, request.match_info["username"])).model_dump_json())

    async def add_member(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Let somebody into the organization."""
        _, members = await read_body(request)
        wanted = validate(MemberRequest, members, policy=self._policy)
        hashed = None
        if wanted.password is not None:
            hashed = await services.accounts.hash(wanted.password, client_of(request, self._proxies))
        added = await services.members.add(identity, wanted, hashed)
        address = request.rel_url / added.username / ""
        return json_answer(
            added.model_dump_json(), 201, {"Location": f"{self._links.begin(request)}{address.raw_path}"}
        )

    async def change_member(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Give a member another role."""
        _, members = await read_body(request)
        wanted = validate(RoleRequest, members, policy=self._policy)
        changed = await services.members.change(identity, request.match_info["username"], wanted.role)
        return json_answer(changed.model_dump_json())

    async def remove_member(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Take a member out of the organization."""
        await services.members.remove(identity, request.match_info["username"])
        return web.Response(status=204)


async def _organization(services: Services, one: Membership) -> Organization:
    pair = await services.signing_keys.provide(one.org) if one.role == "admin" else None
    return Organization(
        name=one.name,
        uuid=one.org,
        role=one.role or "viewer",
        drm_aes_signing_iv=pair.iv.hex() if pair else None,
        drm_aes_signing_key=pair.key.hex() if pair else None,
    )
