"""Around every request: its id, its line in the log, and an answer in JSON whatever goes wrong."""

import re
import secrets
from time import perf_counter

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from nats.errors import Error as NatsError

from services.api.contract.errors import ApiError, NotFound, Unavailable
from services.api.database.pool import DatabaseDown
from services.api.http.answers import json_answer, refusal
from services.api.metrics import answered

REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID = web.RequestKey("request_id", str)
_QUIET = "/health/"


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives the request an id and logs it: the path without its query, never a body, never a header."""
    given = request.headers.get(REQUEST_ID, "")
    request[_ID] = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    begin = perf_counter()
    with structlog.contextvars.bound_contextvars(request_id=request[_ID]):
        status = 0
        try:
            response = await handler(request)
            status = response.status
        finally:
            seconds = perf_counter() - begin
            if not request.path.startswith(_QUIET):
                answered(request.method, _route(request), status, seconds)
                structlog.get_logger().info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=status,
                    duration_ms=round(seconds * 1000),
                )
    return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns exceptions into answers."""
    try:
        return await handler(request)
    except ApiError as error:
        return refusal(error)
    except web.HTTPException as error:
        return _of_aiohttp(request, error)
    except DatabaseDown as error:
        await structlog.get_logger().awarning("database out of reach", error=str(error))
        return refusal(Unavailable("The database is out of reach or cannot write. Try again."))
    except (NatsError, TimeoutError) as error:
        await structlog.get_logger().awarning("bus out of reach", error=repr(error))
        return refusal(Unavailable("The message bus is out of reach or cannot write. Try again."))
    except Exception:
        await structlog.get_logger().aexception("request failed")
        detail = "The server failed unexpectedly. The operator can find the cause in the logs by the request_id."
        return json_answer({"detail": detail, "request_id": request[_ID]}, 500)


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler before the headers of any response are sent."""
    response.headers[REQUEST_ID] = request.get(_ID, "-")
    response.headers["Server"] = "millrace"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPMove():
            return web.Response(status=error.status, headers={"Location": str(error.location)})
        case web.HTTPNotFound():
            hint = not request.path.endswith("/") and request.path.startswith("/api/")
            return refusal(NotFound("Not found. Every path of this API ends in a slash." if hint else "Not found."))
        case web.HTTPMethodNotAllowed():
            allow = {"Allow": ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))}
            if request.method == "OPTIONS":
                return web.Response(status=204, headers=allow)
            return json_answer({"detail": f'Method "{request.method}" not allowed.'}, 405, allow)
        case web.HTTPRequestEntityTooLarge():
            return json_answer({"detail": f"The body is too large. {error.text}."}, 413, {"Connection": "close"})
        case _:
            return json_answer({"detail": f"{error.reason}."}, error.status)
