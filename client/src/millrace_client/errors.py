"""All that can go wrong, as exceptions. ``str()`` of each says what happened and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace_client.models import Job


class MillraceError(Exception):
    """Root of all errors of this library."""


class SettingsError(MillraceError):
    """A setting is missing or malformed; nothing was sent."""


class Unreachable(MillraceError):
    """There was no answer, or it broke off. The cause is the error of httpx.

    Attributes:
        sent: whether the request may have reached the server. If so, and it was one that must not be repeated, look whether it
            was done.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(message)


class UploadFailed(MillraceError):
    """The storage has refused a file, or a part of one.

    Attributes:
        status: of HTTP. text: the beginning of what it said.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        said = f": {text}" if text else ""
        super().__init__(
            f"The storage answered {status} to the upload{said}. Upload the file again, or try another network."
        )


class UnexpectedAnswer(MillraceError):
    """The answer is none that Millrace gives: there is another server at this address, or a proxy between."""


class SignatureInvalid(MillraceError):
    """A request to a webhook is not from Millrace, was changed on its way, or is too old. Answer it with 401, do nothing else."""


class JobFailed(MillraceError):
    """The job has ended without success: status error or cancelled.

    Attributes:
        job: as it ended; ``job.error_code`` is a row of the table of errors in the documentation.
    """

    def __init__(self, job: "Job") -> None:
        self.job = job
        reason = job.error_message or f"it was {job.status}"
        super().__init__(
            f"Job {job.id} did not complete: {reason}" + (f" ({job.error_code})" if job.error_code else "")
        )


class WaitTimedOut(MillraceError):
    """The job had not ended within the time given. It goes on.

    Attributes:
        job: as it was seen last; None if nothing was seen of it.
    """

    def __init__(self, job_id: str, seconds: float, job: "Job | None") -> None:
        self.job = job
        state = f"{job.status}, {job.progress} %" if job else "not seen"
        super().__init__(f"Job {job_id} has not ended within {seconds:g} s ({state}). It goes on: wait for it again.")


class ApiError(MillraceError):
    """The server has refused the request.

    Attributes:
        status: of HTTP.
        detail: the server's sentence; empty where single fields are at fault.
        fields: from the name of each wrong field to the messages about it.
        body: the answer's JSON as it came; None if it was none.
        retry_after: seconds after which to try again, where the server has said so.
        request_id: by which the server's operator finds the request in the logs.
    """

    advice = ""
    """What to do, for those who do not know the API."""

    def __init__(
        self,
        status: int,
        *,
        detail: str = "",
        fields: Mapping[str, Sequence[str]] | None = None,
        body: Any = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.fields = {name: list(messages) for name, messages in (fields or {}).items()}
        self.body = body
        self.retry_after = retry_after
        self.request_id = request_id
        wrong = [f"{name}: {' '.join(messages)}" for name, messages in self.fields.items()]
        what = " ".join(part for part in (detail, "; ".join(wrong)) if part) or "no reason was given"
        super().__init__(f"HTTP {status}: {what}" + (f" {self.advice}" if self.advice else ""))


class InvalidRequest(ApiError):
    """400: the request is wrong; ``fields`` has the messages for each field."""


class InvalidToken(ApiError):
    """401: there is no token, or none that is good."""

    advice = "Set MILLRACE_TOKEN to a live token, or log in for a new one."


class Forbidden(ApiError):
    """403: the organization may not do this now, as ``detail`` says."""


class NotFound(ApiError):
    """404: there is no such thing in this organization."""

    advice = "Check the id, and that MILLRACE_ORG is the organization that the token belongs to."


class Conflict(ApiError):
    """409: it contradicts an earlier request, as ``detail`` says."""


class TooLarge(ApiError):
    """413: the body is over the server's limit."""


class TooManyRequests(ApiError):
    """429: too many failed logins, or a quota of the organization is used up; ``retry_after`` says when to try again."""

    @property
    def quota(self) -> str | None:
        """The quota's name, such as ``unfinished_jobs``; None where it is none."""
        value = self._member("quota")
        return value if isinstance(value, str) else None

    @property
    def limit(self) -> int | None:
        """The quota's value; None where it is none."""
        value = self._member("limit")
        return value if isinstance(value, int) else None

    def _member(self, name: str) -> object:
        return self.body.get(name) if isinstance(self.body, dict) else None


class ServerFailed(ApiError):
    """500 and the like: a mistake of the server. ``request_id`` tells its operator which one."""

    advice = "Tell the server's operator the time and the request_id."


class Unavailable(ApiError):
    """502, 503, 504: the server, or something that it needs, is down. It was tried again for a while."""

    advice = "Try again later."


BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: InvalidToken,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""What is raised for which status; :class:`ServerFailed` for all others from 500, :class:`ApiError` for those below."""
