"""What the api answers, as models for the OpenAPI document; a test holds them against what is really answered."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, WithJsonSchema

from services.api.contract.roles import OrganizationRole
from shared.deliveries import Outcome, ResponseHead
from shared.events import Priority
from shared.job import Stage, Status, Told
from shared.media.result import JobWarning, Outputs
from shared.payload import timestamp

R = TypeVar("R")
Instant = Annotated[
    datetime,
    PlainSerializer(timestamp),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""Written as all times are: in UTC, with microseconds and `Z`."""

MOST_PLACES = 1_000
"""How far the places in a queue are counted."""

SECRET_PLACEHOLDER = "<secret_token>"  # noqa: S105 - the very opposite
"""What those see who may not know the secret of a webhook."""
_JOB_ID = "^[2-9A-HJ-NP-Za-km-z]{11}$"


class Response(BaseModel):
    """What all answers have."""

    model_config = ConfigDict(extra="forbid")


class Token(Response):
    """A token for one organization."""

    token: str = Field(
        pattern="^[0-9a-f]{64}$", description="Send it as `Authorization: Token <token>`. It is shown this once."
    )
    expiry: datetime = Field(description="When it stops working")


class LiveToken(Response):
    """A live token, without the token itself."""

    id: UUID
    name: str = Field(description="Given at login or afterwards; empty if none was", examples=["build server"])
    username: str | None = Field(description="Who logged in; null for a token that belongs to no user")
    role: OrganizationRole = Field(
        description="What it may do; a token from a login as much as its user", examples=["member"]
    )
    created: datetime
    expiry: datetime = Field(description="When it stops working")
    current: bool = Field(description="Whether this request carries it")


class BusUser(Response):
    """A user of the bus that follows the jobs of its organization, without its password."""

    id: UUID
    name: str = Field(description="By which people know it", examples=["dashboard"])
    username: str = Field(description="What it logs in to NATS with", examples=["a1b2c3-k7w9x2m4p1"])
    inbox_prefix: str = Field(
        description="What its client has to be given as the prefix of inboxes: it may listen to replies there alone",
        examples=["_INBOX.a1b2c3-k7w9x2m4p1"],
    )
    subjects: list[str] = Field(
        description="What it may subscribe to",
        examples=[["feed.jobs.a1b2c3.>", "progress.a1b2c3.>", "waiting.a1b2c3.>"]],
    )
    replay_subject: str = Field(
        description="Where it asks for events of the past: docs/events.md", examples=["feed.replay.a1b2c3"]
    )
    created: datetime
    rotated: datetime = Field(description="When its password was made; connections from before have ended")


class NewBusUser(BusUser):
    """A bus user with its password."""

    password: str = Field(pattern="^[0-9a-f]{64}$", description="It is shown this once.")


class Message(Response):
    """What was done."""

    message: str


class Detail(Response):
    """What went wrong, where no field is at fault."""

    detail: str


class FieldErrors(RootModel[dict[str, list[str]]]):
    """What went wrong, by the name of the field; `non_field_errors` for what no single field is to blame for."""


class ItemError(Response):
    """What went wrong with one item of several."""

    item_index: int = Field(description="Its place, counted from 0")
    errors: dict[str, list[str]] = Field(
        description="As for a single one", examples=[{"resolutions": ['"999p" is not a valid choice.']}]
    )


class ItemErrors(Response):
    """What went wrong with items of several."""

    jobs: list[ItemError]


class Quota(Detail):
    """A quota of the organization is used up."""

    quota: Literal[
        "unfinished_jobs",
        "jobs_per_hour",
        "source_minutes_per_day",
        "source_gigabytes_per_day",
        "requests_per_minute",
        "open_uploads",
    ] = Field(description="Which one")
    limit: int = Field(description="Its value")
    retry_after: int = Field(description="Seconds after which to try again, as in the header `Retry-After`")


class ServerError(Detail):
    """The server's own mistake."""

    request_id: str = Field(description="By this the operator finds the cause in the logs")


class Timings(Response):
    """Seconds spent in each stage that has ended."""

    queued: float | None
    fetching: float | None
    transcoding: float | None
    uploading: float | None


class Waiting(Response):
    """What a job waits for: a storage, a source or the work space is out of order, or full."""

    code: str = Field(
        description="The error code with which the job ends if that does not change", examples=["output_unreachable"]
    )
    message: str = Field(description="A sentence that says what is out of order")
    service: str = Field(description="The service that waits", examples=["uploader"])
    since: datetime = Field(description="When it failed first")
    until: datetime = Field(description="When it is given up")


class JobItem(Response):
    """A job as lists and webhooks show it."""

    id: str = Field(pattern=_JOB_ID, examples=["5KQfnXCg8Qh"])
    type: Literal["transcoding_job"]
    resolutions: list[str] = Field(examples=[["240p", "480p"]])
    video_duration: int | None = Field(description="Whole seconds; null until known")
    status: Status
    enable_drm: bool = Field(description="Whether the output is encrypted for Widevine, FairPlay and the like")
    drm_content_id: str | None = Field(
        pattern="^[0-9a-f]{32}$",
        description="What key services know the content by; null where the output is not encrypted",
        examples=["cf6c30dd50c1492e82344ea3e139da1d"],
    )
    input_url: str = Field(description="The input, whichever way it was given, without its secrets")
    output_path: str = Field(
        description="Where the output goes; the credentials read `<access_key>` and `<secret_key>`"
    )
    start_time: datetime | None = Field(description="When work on the job began")
    end_time: datetime | None = Field(description="When the job was completed, failed or was cancelled")
    error_message: str | None = Field(description="For status error: a sentence that says what to do")
    client_metadata: dict[str, Any] | None = Field(description="Exactly as written")
    created: datetime
    progress: int = Field(ge=0, le=100, description="Percent; never falls")
    stage: Stage
    waiting: Waiting | None = Field(
        description="What the job waits for; it goes on by itself. null where it waits for nothing, and in webhooks"
    )
    error_code: str | None = Field(description="For status error: a row of the table of errors")
    error_detail: str | None = Field(description="For status error: what exactly happened")
    warnings: list[JobWarning]
    outputs: Outputs | None = Field(description="What was made; null until the job is completed")
    timings: Timings
    priority: Priority
    profile: str
    encryption: Literal["none", "cbcs", "aes-128"] = Field(description="How the output is encrypted")
    early_playback: bool = Field(description="Whether the output can be played while the job runs")
    playable_at: datetime | None = Field(
        description="Since when the output can be played, as far as it is made; null before, and without early playback. "
        "What a job has that failed or was cancelled is removed"
    )
    retry_of: str | None = Field(
        pattern=_JOB_ID,
        description="The ended job that this one runs again; null if none. It may have been removed since",
    )
    retried_by: str | None = Field(
        pattern=_JOB_ID,
        description="The newest job that runs this one again; null if there is none, and in webhooks",
    )
    queue_position: int | None = Field(
        ge=1,
        le=MOST_PLACES + 1,
        description=f"Place among the organization's jobs that wait for their admission, counted from 1 up to {MOST_PLACES:,}; "
        f"{MOST_PLACES + 1:,} stands for all farther back. Null if it does not wait, and in webhooks",
    )


class Job(JobItem):
    """A job as it is answered when it is created or retrieved: `status` in title case."""

    status: Literal["Queued", "Transcoding", "Completed", "Error", "Cancelled"]  # type: ignore[assignment]


class Webhook(Response):
    """A registered webhook."""

    id: UUID
    url: str
    secret_token: str = Field(description=f"`{SECRET_PLACEHOLDER}` for viewers")


class RotatedWebhook(Webhook):
    """A webhook with its new secret."""

    previous_secret_expires_at: Instant | None = Field(
        description="Until then, requests are signed with the secret of before, too; null if that is out of use at once"
    )


class Delivery(Response):
    """An attempt to deliver a change of a job's status to a webhook."""

    id: int
    job: str
    status: Told = Field(description="The status that was told, or `playable`")
    attempt: int = Field(description="Counts from 1")
    at: datetime
    outcome: Outcome
    response_status: int | None = Field(description="HTTP status of the receiver's answer; null if there was none")
    error: str | None
    duration_ms: int
    next_attempt_at: datetime | None
    message_id: str = Field(description="The `webhook-id` header: the same on every attempt of one message")
    test: bool = Field(description="Somebody asked for it: it told of a sample job, which there is not")


class DeliveryDetail(Delivery):
    """An attempt to deliver with what was sent and what was answered."""

    request_body: str | None = Field(
        description="What was sent, made from the job's events once more; null once they are gone",
        examples=['{"id": "5KQfnXCg8Qh", "type": "transcoding_job", "status": "completed", "progress": 100}'],
    )
    response: ResponseHead | None = Field(
        description="The first 32 headers and 4 KiB of the answer, with the secret token and headers that look confidential "
        "masked; null where none came or none was kept",
        examples=[
            {
                "headers": [
                    {"name": "Content-Type", "value": "text/plain"},
                    {"name": "Set-Cookie", "value": "<hidden>"},
                ],
                "body": "Unknown job",
                "truncated": False,
            }
        ],
    )


class Redelivery(Response):
    """A delivery was put in line to be sent."""

    message: str = Field(examples=["A test is queued to be sent."])
    message_id: str = Field(description="The `webhook-id` that it will have")


class Page(Response, Generic[R]):
    """One page of a list."""

    count: int = Field(description="How many there are on all pages")
    next: str | None = Field(description="Address of the next page, filters included")
    previous: str | None = Field(description="Address of the previous page, filters included")
    results: list[R]


class JobPage(Page[JobItem]):
    """A page of jobs."""


class Batch(Response):
    """The jobs that were created, in the order of the request."""

    results: list[Job]


class Cancelled(Response):
    """What became of a job that was to be cancelled: a message where it is there, a detail where it is not."""

    id: str
    message: str | None = Field(None, examples=["Job cancelled successfully."])
    detail: str | None = None


class Cancellations(Response):
    """What became of each job, in the order of the request."""

    results: list[Cancelled]


class StatusCounts(Response):
    """How many jobs there are of each status."""

    queued: int
    transcoding: int
    completed: int
    error: int
    cancelled: int


class JobCounts(Response):
    """How many jobs there are."""

    count: int = Field(description="Of every status", examples=[1283])
    by_status: StatusCounts = Field(
        examples=[{"queued": 4, "transcoding": 2, "completed": 1260, "error": 12, "cancelled": 5}]
    )


class TokenPage(Page[LiveToken]):
    """A page of tokens."""


class BusUserPage(Page[BusUser]):
    """A page of bus users."""


class WebhookPage(Page[Webhook]):
    """A page of webhooks."""


class DeliveryPage(Page[Delivery]):
    """A page of deliveries, newest first."""
