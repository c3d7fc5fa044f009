"""``/openapi.json`` and ``/docs/``, where Swagger UI shows it and calls the API. The page loads nothing from elsewhere."""

import json
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from services.api.http.openapi import document

_FOLDER = Path(__file__).parent / "swagger"
_VENDOR = _FOLDER / "vendor"
# Swagger UI draws its arrows and checkmarks from pictures within its style sheet.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ASK_AGAIN, _FOR_EVER = "no-cache", "public, max-age=31536000, immutable"


def docs_routes() -> list[web.RouteDef]:
    """The routes. The document is made once."""
    text = json.dumps(document(), ensure_ascii=False)
    page = (_FOLDER / "index.html").read_text().replace("@version", _version())

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json", headers={"Cache-Control": _ASK_AGAIN})

    async def docs(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": _ASK_AGAIN}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def to_docs(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/docs/")

    return [
        web.get("/openapi.json", openapi),
        web.get("/docs/", docs),
        *(web.get(f"/docs/{name}", _file(_FOLDER / name, _ASK_AGAIN)) for name in ("page.js", "page.css")),
        *(
            web.get(f"/docs/vendor/{_version()}/{path.name}", _file(path, _FOR_EVER))
            for path in sorted(_VENDOR.iterdir())
        ),
        web.get("/docs", to_docs),
    ]


def _version() -> str:
    """Of Swagger UI: it stands in the address, so that browsers may keep the files for ever."""
    lock = json.loads((_FOLDER / "vendor.lock.json").read_text())
    return str(lock["packages"]["swagger-ui-dist"]["version"])


def _file(path: Path, cache: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        response = web.FileResponse(path, headers={"Cache-Control": cache})
        response.enable_compression()
        return response

    return answer
