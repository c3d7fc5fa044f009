"""Two roots of errors decide what happens to a piece of work, and one table holds the codes that users see.

A :class:`PermanentError` ends the job at once; a :class:`TransientError` is tried again with a growing delay, and ends
the job with its code when the tries are used up, or, of an :class:`Outage`, when it has lasted too long. Any other exception
is a bug of ours: tried a few times, then reported as ``internal_error``. The table is published as docs/errors.md.
"""

from dataclasses import dataclass
from typing import Literal

PUBLIC_WORDING = "The specified input URL does not exist or cannot be accessed"
"""The one sentence that public documents give, without a full stop. Clients compare it, so nothing is added to it."""


@dataclass(frozen=True)
class ErrorCode:
    """A row of the table.

    Attributes:
        cause: a sentence for people. remedy: one or two that say what to do.
        who: can do that. retryable: whether the same job may succeed later.
    """

    cause: str
    remedy: str
    who: Literal["you", "operator"]
    retryable: bool

    @property
    def message(self) -> str:
        """What is shown: the cause, then what to do."""
        return with_remedy(self.cause, self.remedy)


def with_remedy(cause: str, remedy: str) -> str:
    """What people are shown of an error."""
    return cause if cause == PUBLIC_WORDING else f"{cause} {remedy}"


ERRORS: dict[str, ErrorCode] = {
    "input_unreachable": ErrorCode(
        PUBLIC_WORDING,
        "Open the address from another machine, without logging in; signed addresses expire.",
        "you",
        True,
    ),
    "input_forbidden_address": ErrorCode(
        "The input is on a private or loopback address or a port of another service; this server does not fetch from there.",
        "Put it on a public address or into a bucket, or have the operator allow the host with MILLRACE_ALLOWED_HOSTS.",
        "you",
        False,
    ),
    "input_too_large": ErrorCode(
        "The input is larger than this server accepts.",
        "Send a smaller file, or have the operator raise the limit that error_detail names.",
        "you",
        False,
    ),
    "input_timeout": ErrorCode(
        "The input could not be downloaded in the time allowed.",
        "Serve it from a faster host, or make it smaller.",
        "you",
        True,
    ),
    "input_changed": ErrorCode(
        "The input changed while it was being downloaded.", "Send the job again once the file is final.", "you", True
    ),
    "input_empty": ErrorCode("The input is empty.", "Upload the file again, and check its size.", "you", False),
    "input_not_video": ErrorCode(
        "The input is not a video file that can be decoded.",
        "Send a video, such as MP4, MOV, MKV, WebM or MPEG-TS.",
        "you",
        False,
    ),
    "input_no_video_stream": ErrorCode(
        "The input has no video stream.",
        'To get its audio only, send the job with "resolutions": ["audio"].',
        "you",
        False,
    ),
    "input_no_audio_stream": ErrorCode(
        "The input has no audio that can be decoded.",
        "Send a file with audio, or request the resolutions of a video.",
        "you",
        False,
    ),
    "input_unsupported_codec": ErrorCode(
        "The input's video codec is not supported.", "Export it as H.264, H.265, VP9 or AV1.", "you", False
    ),
    "input_truncated": ErrorCode(
        "The input ends before the length that its header promises.", "Upload the whole file again.", "you", False
    ),
    "input_damaged": ErrorCode(
        "The input is damaged and cannot be decoded to its end.", "Export or upload it again.", "you", False
    ),
    "input_encrypted": ErrorCode("The input is encrypted.", "Send it without encryption.", "you", False),
    "input_too_long": ErrorCode(
        "The input is longer than this server accepts.",
        "Send it in shorter pieces, or have the operator raise the limit that error_detail names.",
        "you",
        False,
    ),
    "output_unreachable": ErrorCode(
        "The storage of output_path cannot be reached.", "Check its endpoint and region.", "you", True
    ),
    "output_credentials_invalid": ErrorCode(
        "The storage refused the credentials of output_path.", "Check access_key, secret_key and region.", "you", True
    ),
    "output_bucket_missing": ErrorCode(
        "The bucket of output_path does not exist.", "Create it, or correct its name.", "you", True
    ),
    "output_write_denied": ErrorCode(
        "The credentials of output_path may not write there.",
        "Allow PutObject, GetObject and ListBucket on the prefix.",
        "you",
        True,
    ),
    "output_refused": ErrorCode(
        "The storage of output_path refused a request.",
        "Check output_path and the policy of the bucket against what the storage said.",
        "you",
        True,
    ),
    "output_lost": ErrorCode(
        "Objects that were uploaded could not be found in the bucket afterwards.",
        "Check that nothing else deletes them.",
        "you",
        True,
    ),
    "drm_key_unavailable": ErrorCode(
        "The key service of the organization cannot be reached, or does not answer as it should.",
        "Try again when it works, or have the operator check its address.",
        "operator",
        True,
    ),
    "drm_key_refused": ErrorCode(
        "The key service of the organization refused to give keys for this content.",
        "Have the operator check its credentials, and what the service allows.",
        "operator",
        True,
    ),
    "encode_failed": ErrorCode(
        "The video could not be encoded.",
        "Send the job once more; if it fails again, give the operator its id and error_detail.",
        "operator",
        True,
    ),
    "encode_stalled": ErrorCode(
        "The encoder made no progress and was stopped.",
        "Send the job again when the server is less busy; if it stalls again, give the operator its id.",
        "operator",
        True,
    ),
    "workspace_full": ErrorCode(
        "The server's work space is full.", "Send the job again later; the operator can make room.", "operator", True
    ),
    "workspace_unreachable": ErrorCode(
        "The server's work space can be neither read nor written.",
        "Send the job again later; the operator has to mend the disk or bucket that the work space is on.",
        "operator",
        True,
    ),
    "worker_lost": ErrorCode(
        "The work on this job ended several times without a result. A worker may be running out of memory.",
        "The operator can give the workers more of it; then send the job again.",
        "operator",
        True,
    ),
    "credentials_lost": ErrorCode(
        "The sealed credentials of this job are gone or cannot be opened with this server's keys.",
        "Send the job again with its credentials; the operator can check MILLRACE_SEAL_KEYS.",
        "operator",
        False,
    ),
    "event_too_large": ErrorCode(
        "The data about this job is larger than the server's message bus accepts.",
        "The operator can raise the limit.",
        "operator",
        True,
    ),
    "internal_error": ErrorCode(
        "The server failed unexpectedly.",
        "Send the job once more; the operator can find the cause in the logs by the job's id.",
        "operator",
        True,
    ),
}


class MillraceError(Exception):
    """Root of the errors that a job can end with.

    Attributes:
        code: a key of :data:`ERRORS`.
        cause: a sentence for people. remedy: what they can do. message: both.
        detail: for the operator and the curious: what exactly happened, without secrets; ffmpeg's last lines for example.
    """

    def __init__(self, code: str, detail: str = "", *, cause: str | None = None, remedy: str | None = None) -> None:
        self.code = code
        self.cause = cause or ERRORS[code].cause
        self.remedy = remedy or ERRORS[code].remedy
        self.message = with_remedy(self.cause, self.remedy)
        self.detail = detail
        super().__init__(f"{code}: {detail or self.message}")


class PermanentError(MillraceError):
    """Trying again cannot help; the job ends with this."""


class ComeAgain(Exception):
    """Work is done, and has to be done once more a little later. That is no failure, and uses up no try.

    Attributes:
        seconds: how much later.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds} s")
        self.seconds = seconds


class TransientError(MillraceError):
    """Trying again may help; the job ends with this when the tries are used up."""


class Outage(TransientError):
    """Somebody's storage, source or work space is out of order: the work waits for it by age, and no try is used up.

    Attributes:
        retry_after: seconds that the other side asked us to wait, None if it did not say.
        longest: seconds after which it is given up, where that is less than for others; None as for others.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        cause: str | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
        longest: float | None = None,
    ) -> None:
        super().__init__(code, detail, cause=cause, remedy=remedy)
        self.retry_after = retry_after
        self.longest = longest


class Postponed(Outage):
    """There is no room for the work in the work space at present: others have taken it, who will give it back."""
