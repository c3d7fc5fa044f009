"""Answers in JSON: bodies, and the status and headers of each refusal."""

from collections.abc import Mapping

from aiohttp import web

from services.api.contract import errors
from shared.payload import json_text


class BodyTimeout(errors.ApiError):
    """The body of the request did not arrive in time."""

    def __init__(self) -> None:
        super().__init__({"detail": "The body did not arrive in time."})


STATUS: Mapping[type[errors.ApiError], int] = {
    errors.Invalid: 400,
    errors.BadRequest: 400,
    errors.OfItem: 400,
    errors.InvalidToken: 401,
    errors.InvalidSession: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    BodyTimeout: 408,
    errors.Conflict: 409,
    errors.UnsupportedMediaType: 415,
    errors.UnsupportedEncoding: 415,
    errors.TooManyRequests: 429,
    errors.QuotaExceeded: 429,
    errors.NotSetUp: 501,
    errors.StorageRefused: 409,
    errors.Unavailable: 503,
}


def json_answer(
    body: Mapping[str, object] | str, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A response; ``body`` may be JSON text already."""
    text = body if isinstance(body, str) else json_text(body)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def refusal(error: errors.ApiError) -> web.Response:
    """The response to a request that is refused."""
    return json_answer(error.body, STATUS[type(error)], _headers(error))


def _headers(error: errors.ApiError) -> dict[str, str]:
    match error:
        case errors.InvalidToken() | errors.InvalidSession():
            return {"WWW-Authenticate": "Token"}
        case errors.UnsupportedEncoding():
            return {"Accept-Encoding": ", ".join(error.known)}
        case errors.TooManyRequests() | errors.QuotaExceeded() | errors.Unavailable():
            return {"Retry-After": str(error.retry_after)}
        case BodyTimeout():
            return {"Connection": "close"}
        case _:
            return {}
