"""Two roots of errors decide what happens to a piece of work, and one table holds the codes that users see.

A :class:`PermanentError` ends the job at once; a :class:`TransientError` is tried again with a growing delay, and ends
the job with its code when the tries are used up, or, of an :class:`Outage`, when it has lasted too long. Any other exception
is a bug of ours: tried a few times, then reported as ``internal_error``. The table is published as docs/errors.md.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    """A row of the table: a sentence for people, who can mend it, and whether the same job may succeed later."""

    message: str
    who: str
    retryable: bool


PUBLIC_WORDING = "The specified input URL does not exist or cannot be accessed"
"""The one sentence that public documents give, without a full stop."""

ERRORS: dict[str, ErrorCode] = {
    "input_unreachable": ErrorCode(PUBLIC_WORDING, "you", True),
    "input_forbidden_address": ErrorCode(
        "The input is on a private or loopback address or a port of another service; this server does not fetch from there.",
        "you",
        False,
    ),
    "input_too_large": ErrorCode("The input is larger than this server accepts.", "you", False),
    "input_timeout": ErrorCode(
        "The input could not be downloaded in the time allowed. Serve it from a faster host, or make it smaller.",
        "you",
        True,
    ),
    "input_changed": ErrorCode(
        "The input changed while it was being downloaded. Send the job again once the file is final.", "you", True
    ),
    "input_empty": ErrorCode("The input is empty.", "you", False),
    "input_not_video": ErrorCode(
        "The input is not a video file that can be decoded. Send a video, such as MP4, MOV, MKV, WebM or MPEG-TS.",
        "you",
        False,
    ),
    "input_no_video_stream": ErrorCode(
        'The input has no video stream. To get its audio only, send the job with "resolutions": ["audio"].',
        "you",
        False,
    ),
    "input_no_audio_stream": ErrorCode(
        "The input has no audio that can be decoded. Send a file with audio, or request the resolutions of a video.",
        "you",
        False,
    ),
    "input_unsupported_codec": ErrorCode("The input's video codec is not supported.", "you", False),
    "input_truncated": ErrorCode(
        "The input ends before the length that its header promises. Upload the whole file again.", "you", False
    ),
    "input_damaged": ErrorCode(
        "The input is damaged and cannot be decoded to its end. Export or upload it again.", "you", False
    ),
    "input_encrypted": ErrorCode("The input is encrypted. Send it without encryption.", "you", False),
    "input_too_long": ErrorCode("The input is longer than this server accepts.", "you", False),
    "output_unreachable": ErrorCode(
        "The storage of output_path cannot be reached. Check its endpoint and region.", "you", True
    ),
    "output_credentials_invalid": ErrorCode(
        "The storage refused the credentials of output_path. Check access_key, secret_key and region.", "you", True
    ),
    "output_bucket_missing": ErrorCode(
        "The bucket of output_path does not exist. Create it, or correct its name.", "you", True
    ),
    "output_write_denied": ErrorCode(
        "The credentials of output_path may not write there. Allow PutObject, GetObject and ListBucket on the prefix.",
        "you",
        True,
    ),
    "output_refused": ErrorCode(
        "The storage of output_path refused a request.",
        "you",
        True,
    ),
    "output_lost": ErrorCode(
        "Objects that were uploaded could not be found in the bucket afterwards. Check that nothing else deletes them.",
        "you",
        True,
    ),
    "drm_key_unavailable": ErrorCode(
        "The key service of the organization cannot be reached, or does not answer as it should. "
        "Try again when it works, or have the operator check its address.",
        "operator",
        True,
    ),
    "drm_key_refused": ErrorCode(
        "The key service of the organization refused to give keys for this content. "
        "Have the operator check its credentials, and what the service allows.",
        "operator",
        True,
    ),
    "encode_failed": ErrorCode("The video could not be encoded.", "operator", True),
    "encode_stalled": ErrorCode("The encoder made no progress and was stopped.", "operator", True),
    "workspace_full": ErrorCode("The server's work space is full.", "operator", True),
    "workspace_unreachable": ErrorCode("The server's work space can be neither read nor written.", "operator", True),
    "worker_lost": ErrorCode(
        "The work on this job ended several times without a result. A worker may be running out of memory.",
        "operator",
        True,
    ),
    "credentials_lost": ErrorCode(
        "The sealed credentials of this job are gone or cannot be opened with this server's keys.", "operator", False
    ),
    "event_too_large": ErrorCode(
        "The data about this job is larger than the server's message bus accepts. The operator can raise the limit.",
        "operator",
        True,
    ),
    "internal_error": ErrorCode(
        "The server failed unexpectedly. The operator can find the cause in the logs.",
        "operator",
        True,
    ),
}


class MillraceError(Exception):
    """Root of the errors that a job can end with.

    Attributes:
        code: a key of :data:`ERRORS`.
        detail: for the operator and the curious: what exactly happened, without secrets; ffmpeg's last lines for example.
    """

    def __init__(self, code: str, detail: str = "", *, message: str | None = None) -> None:
        self.code = code
        self.message = message or ERRORS[code].message
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
        message: str | None = None,
        retry_after: float | None = None,
        longest: float | None = None,
    ) -> None:
        super().__init__(code, detail, message=message)
        self.retry_after = retry_after
        self.longest = longest


class Postponed(Outage):
    """There is no room for the work in the work space at present: others have taken it, who will give it back."""
