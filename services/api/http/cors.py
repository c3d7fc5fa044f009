"""What browsers want to read before they let a page of another origin have an answer (CORS, https://fetch.spec.whatwg.org)."""

import re
from collections.abc import Collection

from aiohttp import web

ANY = "*"
_DAY_SECONDS = "86400"
_PATTERN = re.compile(r"\{(\w+):[^{}]*\}")


class CrossOrigin:
    """Lets pages of some origins have the answers of some routes, without cookies.

    Args:
        origins: such as ``https://video.example.com``; ``*`` among them is any. paths: of the routes, as they are added, patterns
            included.
    """

    def __init__(self, origins: Collection[str], paths: Collection[str]) -> None:
        self._origins = frozenset(origins)
        self._paths = frozenset(paths)
        self._canonical = frozenset(_PATTERN.sub(r"{\1}", path) for path in paths)

    def routes(self) -> list[web.RouteDef]:
        """Answers to browsers that ask before they send."""
        return [web.options(path, _preflight) for path in sorted(self._paths)]

    async def finish_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal handler before the headers of any response are sent, those of refusals included."""
        resource = request.match_info.route.resource
        if resource is None or resource.canonical not in self._canonical:
            return
        origin = request.headers.get("Origin", "")
        if ANY in self._origins:
            response.headers["Access-Control-Allow-Origin"] = ANY
        else:
            response.headers["Vary"] = "Origin"
            if origin in self._origins:
                response.headers["Access-Control-Allow-Origin"] = origin


async def _preflight(request: web.Request) -> web.Response:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        # Players are told to add headers of their own.
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": _DAY_SECONDS,
    }
    return web.Response(status=204, headers=headers)
