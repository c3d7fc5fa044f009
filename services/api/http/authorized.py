"""What all handlers stand on: the services as soon as they are there, who asks, and what stands in the address."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from aiohttp import web

from services.api.accounts.accounts import Accounts, Identity
from services.api.accounts.browser_sessions import BrowserSessions
from services.api.accounts.members import Members
from services.api.accounts.organizations import Storages
from services.api.accounts.request_rate import AddressRate, RequestRate
from services.api.accounts.sessions import Sessions
from services.api.accounts.storage_origins import StorageOrigins
from services.api.accounts.tokens import Tokens
from services.api.contract.errors import NotFound, Unavailable
from services.api.contract.listing import Parameters
from services.api.contract.peers import Network, client_address
from services.api.drm.contents import Contents
from services.api.drm.demand import KeysOnDemand
from services.api.drm.signing_keys import SigningKeys
from services.api.feed.users import BusUsers
from services.api.http.browser import SAFE, Site, session_secret
from services.api.http.roles import require_role
from services.api.intake.intake import Intake
from services.api.jobs.event_stream import EventStream
from services.api.jobs.jobs import Jobs
from services.api.jobs.usages import Usages
from services.api.operator.desk import Desk
from services.api.playback.playback import Player
from services.api.uploads.uploads import Uploads
from services.api.webhooks.deliveries import Deliveries
from services.api.webhooks.webhooks import Webhooks

_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Services:
    """What the handlers call. It is there once the database and the bus are."""

    accounts: Accounts
    storages: Storages
    storage_origins: StorageOrigins
    rate: RequestRate
    tokens: Tokens
    sessions: Sessions
    browser_sessions: BrowserSessions
    members: Members
    intake: Intake
    jobs: Jobs
    webhooks: Webhooks
    deliveries: Deliveries
    stream: EventStream
    contents: Contents
    keys_on_demand: KeysOnDemand
    signing_keys: SigningKeys
    key_rate: AddressRate
    usages: Usages
    desk: Desk
    uploads: Uploads
    player: Player
    playback_rate: AddressRate
    bus_users: BusUsers | None = None


@dataclass
class Runtime:
    """The services as soon as they have started.

    Attributes:
        site: how browsers reach this server.
    """

    services: Services | None = None
    site: Site = field(default_factory=Site)

    @property
    def started(self) -> Services:
        """The services.

        Raises:
            Unavailable: they are still starting.
        """
        if self.services is None:
            raise Unavailable("The server is still starting. Try again.")
        return self.services


Authorized = Callable[[web.Request, Services, Identity], Awaitable[web.StreamResponse]]


def authorized(runtime: Runtime, handler: Authorized) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that is called for those alone who are known, in their organizations, and may do it by their role."""

    async def handle(request: web.Request) -> web.StreamResponse:
        services = runtime.started
        identity = await identify(request, services, runtime.site)
        services.rate.count(identity.org or f"user {identity.user}", identity.requests_per_minute)
        if identity.org != request.match_info.get("org", identity.org):
            # As if it did not exist.
            raise NotFound()
        needed = require_role(request, identity)
        with structlog.contextvars.bound_contextvars(organization=identity.org):
            response = await handler(request, services, identity)
            if needed in ("admin", "operator") and request.method not in SAFE:
                await structlog.get_logger().ainfo(
                    "administered", username=identity.username, method=request.method, path=request.path
                )
            return response

    return handle


async def identify(request: web.Request, services: Services, site: Site) -> Identity:
    """Who asks: by a token, or by the cookie of a browser session.

    Raises:
        InvalidToken, InvalidSession: nobody that is known. Forbidden: a session's request may not come from a page of ours.
    """
    secret = session_secret(request)
    if secret is None:
        return await services.accounts.identify(request.headers.get("Authorization"))
    identity = await services.browser_sessions.identify(secret, request.match_info.get("org"))
    site.require_unforged(request, secret)
    return identity


def query_of(request: web.Request) -> Parameters:
    """The parameters in the address."""
    return list(request.query.items())


def client_of(request: web.Request, proxies: Sequence[Network]) -> str:
    """The address that a request is counted for. ``proxies``: who may say on whose behalf they call."""
    return client_address(request.remote or "", request.headers.getall("X-Forwarded-For", []), proxies)


def uuid_in_path(request: web.Request, name: str) -> UUID:
    """An id in the path.

    Raises:
        NotFound: it is none.
    """
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise NotFound() from None


def number_in_path(request: web.Request, name: str) -> int:
    """A number in the path, counted from 1.

    Raises:
        NotFound: it is none.
    """
    number = request.match_info[name]
    if not _NUMBER.fullmatch(number) or int(number) == 0:
        raise NotFound()
    return int(number)
