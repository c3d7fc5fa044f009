"""Client of Millrace, the self-hosted video transcoding service: :class:`Millrace`, and :class:`AsyncMillrace` for asyncio.

with Millrace() as millrace:  # MILLRACE_API_URL, MILLRACE_ORG, MILLRACE_TOKEN
job = millrace.jobs.create(input_url="https://…", output_path="s3://…", resolutions=["480p"])
for job in millrace.jobs.follow(job):
print(job.status, job.progress)
print(job.raise_if_failed().outputs)
"""

from millrace_client.async_client import AsyncMillrace
from millrace_client.backoff import Retries
from millrace_client.client import Millrace
from millrace_client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InvalidRequest,
    InvalidToken,
    JobFailed,
    MillraceError,
    NotFound,
    ServerFailed,
    SettingsError,
    SignatureInvalid,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    WaitTimedOut,
)
from millrace_client.models import (
    Attempt,
    AudioRendition,
    BusUser,
    Counts,
    Delivery,
    Job,
    JobWarning,
    LiveToken,
    NewBusUser,
    Outputs,
    Page,
    Redelivery,
    Rendition,
    Sprite,
    StageSpan,
    Status,
    SubtitleRendition,
    Timeline,
    TimelinePart,
    Token,
    Waiting,
    Webhook,
)
from millrace_client.settings import Settings
from millrace_client.signature import WebhookMessage, verify

__all__ = [
    "ApiError",
    "AsyncMillrace",
    "Attempt",
    "AudioRendition",
    "BusUser",
    "Conflict",
    "Counts",
    "Delivery",
    "Forbidden",
    "InvalidRequest",
    "InvalidToken",
    "Job",
    "JobFailed",
    "JobWarning",
    "LiveToken",
    "Millrace",
    "MillraceError",
    "NewBusUser",
    "NotFound",
    "Outputs",
    "Page",
    "Redelivery",
    "Rendition",
    "Retries",
    "ServerFailed",
    "Settings",
    "SettingsError",
    "SignatureInvalid",
    "Sprite",
    "StageSpan",
    "Status",
    "SubtitleRendition",
    "Timeline",
    "TimelinePart",
    "Token",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimedOut",
    "Waiting",
    "Webhook",
    "WebhookMessage",
    "verify",
]
