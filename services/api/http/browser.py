"""What browsers do: the cookie of a session, and how a request is known to come from a page of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web

from services.api.accounts.browser_sessions import is_csrf_token
from services.api.contract.errors import Forbidden
from services.api.contract.peers import Network, is_within

COOKIE = "millrace_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
# The user himself, by a bookmark or the like.
_OURS = ("same-origin", "none")
_FOREIGN = "This request comes from a page of another origin. Browser sessions are for the pages of this server alone."
_FORGED = (
    f"A browser session needs the header {CSRF_HEADER} with the csrf_token that GET /api/v1/auth/session/ answers, unless it "
    "only reads."
)


@dataclass(frozen=True)
class Site:
    """How browsers reach this server.

    Attributes:
        public_url: where it is, if that is known. proxies: who may say how they were called.
    """

    public_url: str | None = None
    proxies: Sequence[Network] = ()

    def is_secure(self, request: web.Request) -> bool:
        """Whether the browser has come by https."""
        if self.public_url:
            return self.public_url.startswith("https:")
        forwarded = (
            request.headers.get("X-Forwarded-Proto", "") if is_within(request.remote or "", self.proxies) else ""
        )
        return request.secure or forwarded.strip().lower() == "https"

    def require_own_page(self, request: web.Request) -> None:
        """Raises: Forbidden: a page of another origin has sent the request, as far as the browser says."""
        fetched, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        # No page can set Sec-Fetch-Site, and it is right behind any proxy, but only secure pages send it.
        by_address = origin is None or _host_of(origin) in self._hosts(request)
        ours = by_address if fetched is None else fetched.lower() in _OURS
        if not ours:
            raise Forbidden(_FOREIGN)

    def require_unforged(self, request: web.Request, secret: str) -> None:
        """Raises: Forbidden: a request of a session may not come from a page of ours. What only reads is let through."""
        if request.method in SAFE:
            return
        self.require_own_page(request)
        if not is_csrf_token(request.headers.get(CSRF_HEADER, ""), secret):
            raise Forbidden(_FORGED)

    def _hosts(self, request: web.Request) -> set[str]:
        hosts = {request.headers.get("Host", "").lower()}
        return hosts | ({urlsplit(self.public_url.lower()).netloc} if self.public_url else set())


def _host_of(origin: str) -> str | None:
    """The host and port of an origin; None where it has none, such as ``null``."""
    try:
        return urlsplit(origin.lower()).netloc or None
    except ValueError:
        return None


def session_secret(request: web.Request) -> str | None:
    """The secret of the session that a request belongs to. A token in the header goes before any cookie."""
    return None if "Authorization" in request.headers else request.cookies.get(COOKIE)


def set_session(response: web.StreamResponse, secret: str, life: timedelta, *, secure: bool) -> None:
    """Give the browser a session."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(life.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


def forget_session(response: web.StreamResponse, *, secure: bool) -> None:
    """Have the browser forget its session."""
    response.del_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="Strict")
