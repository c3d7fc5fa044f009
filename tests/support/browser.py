"""What a browser sends to the api: no token, the cookie that it was given last, and what its page adds."""

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

from tests.support.api import PASSWORD, Answer, Caller

PATH = "/api/v1/auth/session/"
COOKIE = "millrace_session"


class Browser:
    """A browser that calls the api as a caller's user; it keeps no cookie but that of its session."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.cookie = ""
        self.csrf = ""

    @property
    def headers(self) -> dict[str, str]:
        """What it adds to every request."""
        return {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}

    async def call(
        self, method: str, path: str, body: Any = None, *, csrf: bool = True, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Call. ``csrf``: with what the page knows of its session."""
        sent = self.headers | ({"X-CSRF-Token": self.csrf} if csrf else {}) | dict(headers or {})
        return await self._caller.call(method, path, body, headers=sent, anonymous=True)

    async def log_in(
        self, headers: Mapping[str, str] | None = None, *, username: str | None = None, password: str = PASSWORD
    ) -> Answer:
        """Log in, as the caller's user unless it is said otherwise."""
        given = {"username": username or self._caller.account.username, "password": password}
        answer = await self.call("POST", PATH, given, csrf=False, headers=headers)
        self.take(answer)
        return answer

    def take(self, answer: Answer) -> None:
        """Keep the cookie that an answer sets."""
        if morsel := SimpleCookie(answer.headers.get("Set-Cookie", "")).get(COOKIE):
            self.cookie, self.csrf = morsel.value, answer.body["csrf_token"]
