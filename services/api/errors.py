"""Answers other than success, as exceptions that know their status, body and headers."""

from collections.abc import Mapping, Sequence

Messages = Mapping[str, Sequence[str]]
"""From the name of a field to what is wrong with it."""

NON_FIELD = "non_field_errors"
RETRY_SECONDS = 5


class ApiError(Exception):
    """An answer that is no success. ``body`` is what the client gets as JSON."""

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        super().__init__(f"{status}: {body}")


def invalid(messages: Messages) -> ApiError:
    """400 with what is wrong, field by field."""
    return ApiError(400, {field: list(texts) for field, texts in messages.items()})


def bad_request(detail: str) -> ApiError:
    """400 where no field is at fault."""
    return ApiError(400, {"detail": detail})


def invalid_token() -> ApiError:
    """401: there is no token, or none that is good."""
    return ApiError(401, {"detail": "Invalid token."}, {"WWW-Authenticate": "Token"})


def forbidden(detail: str) -> ApiError:
    """403."""
    return ApiError(403, {"detail": detail})


def not_found(detail: str = "Not found.") -> ApiError:
    """404, also for what belongs to somebody else."""
    return ApiError(404, {"detail": detail})


def conflict(detail: str) -> ApiError:
    """409."""
    return ApiError(409, {"detail": detail})


def unsupported_media_type(given: str) -> ApiError:
    """415: the body is something else than JSON."""
    return ApiError(415, {"detail": f'Unsupported media type "{given}" in request. Send application/json.'})


def too_many_requests(seconds: int) -> ApiError:
    """429, with the seconds after which it is worth another try."""
    return ApiError(
        429,
        {"detail": f"Request was throttled. Expected available in {seconds} seconds."},
        {"Retry-After": str(seconds)},
    )


def unavailable(detail: str, retry_after: int = RETRY_SECONDS) -> ApiError:
    """503: something that the api needs is down. Nothing was changed, unless ``detail`` says so."""
    return ApiError(503, {"detail": detail}, {"Retry-After": str(retry_after)})
