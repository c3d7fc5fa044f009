"""What the api refuses, and why. How each refusal is answered over HTTP is known to ``http/answers.py`` alone."""

from collections.abc import Mapping, Sequence

Messages = Mapping[str, Sequence[str]]
"""From the name of a field to what is wrong with it."""

NON_FIELD = "non_field_errors"
RETRY_SECONDS = 5


class ApiError(Exception):
    """Root of all refusals. ``body`` is what the client gets as JSON."""

    def __init__(self, body: Mapping[str, object]) -> None:
        self.body = body
        super().__init__(str(dict(body)))


class _WithDetail(ApiError):
    def __init__(self, detail: str) -> None:
        super().__init__({"detail": detail})


class Invalid(ApiError):
    """Members of the request are wrong; the body says what, field by field."""

    def __init__(self, messages: Messages) -> None:
        super().__init__({field: list(texts) for field, texts in messages.items()})


class BadRequest(_WithDetail):
    """The request is wrong, and no field is at fault."""


class OfItem(ApiError):
    """Items of the request are wrong; the body says what, item by item.

    Args:
        problems: by the item's place, counted from 0.
    """

    def __init__(self, problems: Mapping[int, ApiError]) -> None:
        self.problems = problems
        items = [{"item_index": number, "errors": dict(problems[number].body)} for number in sorted(problems)]
        super().__init__({"jobs": items})


class InvalidToken(_WithDetail):
    """There is no token, or none that is good."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(f"Invalid token. {hint}".rstrip())


class InvalidSession(_WithDetail):
    """The cookie is that of no browser session, or of one that has ended."""

    def __init__(self) -> None:
        super().__init__("This session has ended. Log in again.")


class Forbidden(_WithDetail):
    """Whoever asks may not do this now."""


class NotFound(_WithDetail):
    """There is no such thing, or it belongs to somebody else."""

    def __init__(self, detail: str = "Not found.") -> None:
        super().__init__(detail)


class Conflict(_WithDetail):
    """It contradicts an earlier request."""


class UnsupportedMediaType(_WithDetail):
    """The body is something else than JSON."""

    def __init__(self, given: str) -> None:
        super().__init__(f'Unsupported media type "{given}" in request. Send application/json.')


class UnsupportedEncoding(_WithDetail):
    """The body is encoded in a way that is not understood."""

    def __init__(self, given: str, known: Sequence[str]) -> None:
        self.known = known
        super().__init__(f'Unsupported content encoding "{given}" in request. Send one of {", ".join(known)}.')


class TooManyRequests(_WithDetail):
    """Worth another try after ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Request was throttled. Expected available in {retry_after} seconds.")


class QuotaExceeded(ApiError):
    """A quota of the organization is used up. ``quota`` names it, ``limit`` is its value. Retry after seconds."""

    def __init__(self, quota: str, limit: int, reason: str, retry_after: int) -> None:
        self.retry_after = retry_after
        detail = f"{reason} Try again in {retry_after} seconds."
        super().__init__({"detail": detail, "quota": quota, "limit": limit, "retry_after": retry_after})


class NotSetUp(_WithDetail):
    """This server could do it, but its operator has not said how."""


class StorageRefused(_WithDetail):
    """The storage of the organization refuses what was asked of it; ``detail`` says what its owner or the operator can do."""


class Unavailable(_WithDetail):
    """Something that the api needs is down. Nothing was changed, unless ``detail`` says so. Retry after seconds."""

    def __init__(self, detail: str, retry_after: int = RETRY_SECONDS) -> None:
        self.retry_after = retry_after
        super().__init__(detail)
