"""``/console/``: a page and its modules, out of memory, in a browser that runs and asks for nothing from elsewhere."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from services.api.contract.errors import InvalidSession
from services.api.database.pool import DatabaseDown
from services.api.http.authorized import Runtime
from services.api.http.browser import session_secret
from services.api.http.console_files import ConsoleFiles, File

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


def policy_of(origins: Sequence[str] = ()) -> str:
    """What a page may load: from this server alone, and files of videos from the storages of who is signed in.

    Args:
        origins: of these storages.
    """
    files = " ".join(("'self'", *origins))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {files} blob:",
            # Video comes to the player through a MediaSource, whose address is a blob.
            f"media-src {files} blob:",
            f"connect-src {files}",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class ConsoleHandlers:
    """Serves the console."""

    def __init__(self, files: ConsoleFiles, runtime: Runtime) -> None:
        self._files = files
        self._runtime = runtime

    def routes(self) -> list[web.RouteDef]:
        """The routes. Every path that is no file's is one of the console's own, which the page itself knows."""
        return [
            web.get("/", self.to_console),
            web.get("/console", self.to_console),
            web.get("/console/assets/{version}/{name:.+}", self.asset),
            web.get("/console/{path:.*}", self.page),
        ]

    async def to_console(self, _request: web.Request) -> web.StreamResponse:
        """From the root, and from the address without its slash."""
        raise web.HTTPFound("/console/")

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        policy = {"Content-Security-Policy": policy_of(await self._origins(request))}
        return await _answer(request, self._files.page, {**_PAGE_HEADERS, **policy, "Cache-Control": _ASK_AGAIN})

    async def _origins(self, request: web.Request) -> Sequence[str]:
        """Of the storages of who is signed in. Where that cannot be told, the page comes all the same, and says why."""
        services, secret = self._runtime.services, session_secret(request)
        if services is None or secret is None:
            return ()
        try:
            session = await services.browser_sessions.show(secret)
            return await services.storage_origins.of([one.id for one in session.organizations])
        except (InvalidSession, DatabaseDown):
            return ()

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A file.

        A page that was loaded from an earlier version gets what there is now, which is not to be kept under that address.
        """
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        current = request.match_info["version"] == self._files.version
        return await _answer(request, file, {"Cache-Control": _FOR_EVER if current else _ASK_AGAIN})


async def _answer(request: web.Request, file: File, headers: dict[str, str]) -> web.Response:
    headers = {"ETag": f'"{file.etag}"', "Vary": "Accept-Encoding", **headers}
    if any(tag.value in (file.etag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        compressed = await asyncio.to_thread(lambda: file.compressed)
        if compressed is not None:
            content, headers["Content-Encoding"] = compressed, "gzip"
    return web.Response(body=content, content_type=file.media_type, charset="utf-8", headers=headers)
