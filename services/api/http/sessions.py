"""The edge to HTTP of browser sessions."""

from aiohttp import web

from services.api.accounts.browser_sessions import Begun
from services.api.contract.errors import Invalid, InvalidSession
from services.api.contract.session_models import BrowserSession, SessionRequest
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, client_of
from services.api.http.body import read_body
from services.api.http.browser import COOKIE, forget_session, session_secret, set_session
from shared.addresses import AddressPolicy
from shared.payload import json_text, timestamp

PATH = "/api/v1/auth/session/"
_REQUIRED = ["This field is required, unless there is a token in Authorization."]
_NOT_BOTH = ["Send user name and password, or a token in Authorization, not both."]


class SessionHandlers:
    """Their part of the REST API."""

    def __init__(self, runtime: Runtime, *, policy: AddressPolicy) -> None:
        self._runtime = runtime
        self._policy = policy

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        return [web.post(PATH, self.begin), web.get(PATH, self.show), web.delete(PATH, self.end)]

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Begin a session, and end the one that the browser had."""
        site = self._runtime.site
        # Nobody shall be logged in as somebody else by a page of an attacker's.
        site.require_own_page(request)
        _, members = await read_body(request)
        wanted = validate(SessionRequest, members, policy=self._policy)
        begun = await self._begun(request, self._runtime.started, wanted)
        response = json_answer(_json(begun.shown))
        life = self._runtime.started.browser_sessions.life
        set_session(response, begun.secret, life, secure=site.is_secure(request))
        return response

    async def _begun(self, request: web.Request, services: Services, wanted: SessionRequest) -> Begun:
        replaced = request.cookies.get(COOKIE)
        if "Authorization" in request.headers:
            if wanted.username is not None:
                raise Invalid({"username": _NOT_BOTH})
            identity = await services.accounts.identify(request.headers["Authorization"])
            return await services.browser_sessions.begin_for_token(identity, replaced)
        if wanted.username is None or wanted.password is None:
            raise Invalid({"username": _REQUIRED, "password": _REQUIRED})
        address = client_of(request, self._runtime.site.proxies)
        user = await services.accounts.authenticate(wanted.username, wanted.password, address)
        return await services.browser_sessions.begin_for_user(user, replaced)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The session of the browser."""
        return json_answer(_json(await self._runtime.started.browser_sessions.show(_secret(request))))

    async def end(self, request: web.Request) -> web.StreamResponse:
        """End the session of the browser, at once."""
        services, site, secret = self._runtime.started, self._runtime.site, _secret(request)
        await services.browser_sessions.show(secret)
        site.require_unforged(request, secret)
        await services.browser_sessions.end(secret)
        response = web.Response(status=204)
        forget_session(response, secure=site.is_secure(request))
        return response


def _secret(request: web.Request) -> str:
    secret = session_secret(request)
    if secret is None:
        raise InvalidSession()
    return secret


def _json(session: BrowserSession) -> str:
    times = {"expires": timestamp(session.expires), "ends": timestamp(session.ends)}
    return json_text(session.model_dump(mode="json") | times)
