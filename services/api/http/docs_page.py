"""``/openapi.json`` and ``/docs/``, a page to browse it that loads nothing from elsewhere."""

import base64
import json
import re
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from services.api.http.openapi import document

_PAGE = Path(__file__).parent / "docs_page.html"
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def docs_routes() -> list[web.RouteDef]:
    """The routes. The document is made once."""
    text = json.dumps(document(), ensure_ascii=False)
    page = _PAGE.read_text()
    policy = _policy(page)

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def docs(_request: web.Request) -> web.Response:
        return web.Response(
            text=page,
            content_type="text/html",
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"},
        )

    async def to_docs(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/docs/")

    return [
        web.get("/openapi.json", openapi),
        web.get("/docs/", docs),
        web.get("/docs", to_docs),
    ]


def _policy(page: str) -> str:
    """What the browser may run: the page's own script and style, known by their hashes, and one request for the document."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        hashes[kind].append(f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'")
    return (
        f"default-src 'none'; connect-src 'self'; script-src {' '.join(hashes['script'])}; style-src {' '.join(hashes['style'])};"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
